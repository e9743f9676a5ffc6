//! A message written and read again is the same message.

use proptest::prelude::*;
use proto::customs::v1::{
    AdditionalDocument, AdditionalInformation, Address, Agent, Amount, AuthorisationHolder,
    BookLine, ChargeDeduction, Classification, Container, CustomsValuation, Declaration,
    DocumentTime, DutyTaxFee, GoodsItem, GoodsLocation, Guarantee, Measure, Origin, Packaging,
    Party, PreviousDocument, Procedure, RoleParty, RoutingCountry, Seal, TradeTerms,
    TransportDocument, TransportMeans, Warehouse,
};
use wco::{Reading, read, write};

use crate::corpus;

#[test]
fn every_filing_survives_being_written_and_read_again() {
    for (sample, filing) in corpus::filings() {
        let again = match read(&write(&filing.declaration)) {
            Reading::Filing(again) => again,
            other => panic!("{}: {other:?}", sample.name),
        };
        assert_eq!(again.declaration, filing.declaration, "{}", sample.name);
        assert_eq!(again.facts, filing.facts, "{}", sample.name);
        assert_eq!(again.unmapped, [], "{}", sample.name);
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(256) })]

    #[test]
    fn any_declaration_survives_being_written_and_read_again(seed in any::<u64>()) {
        let mut chance = Chance(seed | 1);
        let mut declaration = Declaration::make(&mut chance);
        declaration.type_code = "IMA".to_owned();
        let Reading::Filing(again) = read(&write(&declaration)) else {
            return Err(TestCaseError::fail("not read as a filing"));
        };
        prop_assert_eq!(*again.declaration, declaration);
        prop_assert_eq!(again.unmapped, vec![]);
    }
}

#[test]
fn characters_that_xml_forbids_are_replaced_not_written() {
    let declaration = Declaration {
        type_code: "IMA".to_owned(),
        lrn: "A\u{0}B\u{1f}C".to_owned(),
        ..Declaration::default()
    };
    let Reading::Filing(again) = read(&write(&declaration)) else {
        panic!("not read as a filing");
    };
    assert_eq!(again.facts.lrn, "A\u{fffd}B\u{fffd}C");
}

/// Numbers from a seed (xorshift), so that a failing seed can be tried again.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 >> 11) % bound
    }
}

trait Make: Sized {
    fn make(chance: &mut Chance) -> Self;
}

impl Make for String {
    fn make(chance: &mut Chance) -> Self {
        const PIECES: [&str; 20] = [
            "A",
            "z",
            "7",
            "<",
            ">",
            "&",
            "\"",
            "'",
            "]]>",
            "&amp;",
            " ",
            "\t",
            "\n",
            "\r",
            "<!--",
            "é",
            "港",
            "\u{1F69A}",
            "/",
            "000",
        ];
        let length = chance.below(12);
        let pieces: String = (0..length)
            .filter_map(|_| PIECES.get(usize::try_from(chance.below(20)).ok()?))
            .copied()
            .collect();
        pieces.trim().to_owned()
    }
}

impl Make for u32 {
    fn make(chance: &mut Chance) -> Self {
        u32::try_from(chance.below(1 << 32)).unwrap_or(0)
    }
}

impl<T: Make> Make for Option<T> {
    fn make(chance: &mut Chance) -> Self {
        (chance.below(3) > 0).then(|| T::make(chance))
    }
}

impl<T: Make> Make for Vec<T> {
    fn make(chance: &mut Chance) -> Self {
        (0..chance.below(4)).map(|_| T::make(chance)).collect()
    }
}

/// Every field is named, so that a new one cannot be forgotten here.
macro_rules! make {
    ($($message:ident { $($field:ident)* })*) => {
        $(impl Make for $message {
            fn make(chance: &mut Chance) -> Self {
                Self { $($field: Make::make(chance)),* }
            }
        })*
    };
}

make! {
    Declaration {
        type_code lrn acceptance_time issue_time declaration_office_id goods_item_quantity
        total_package_quantity invoice_amount additional_documents additional_information agent
        authorisation_holders border_transport_means carrier consignor
        freight_payment_method_code itinerary declarant exit_office_id exporter guarantees
        supervising_office_id transaction_nature_code supply_chain_actors buyer consignee
        container_code arrival_transport_means departure_transport_means goods_location
        loading_location_id transport_documents containers customs_valuation
        destination_country_code domestic_duty_tax_parties export_country_id items importer
        previous_documents seller trade_terms ucr warehouse
    }
    GoodsItem {
        sequence customs_value statistical_value transaction_nature_code additional_documents
        additional_information description classifications duty_tax_fees gross_mass net_mass
        tariff_quantity item_charge containers consignee customs_valuation
        domestic_duty_tax_parties export_country_id procedures origins packagings
        previous_documents ucr valuation_indicator_code book_line
    }
    Amount { value currency }
    Measure { value unit_code }
    DocumentTime { value format_code }
    Party { id name address }
    Address { city_name country_code line postcode_id }
    Agent { id name address status_code }
    AuthorisationHolder { id category_code }
    RoleParty { id role_code }
    TransportMeans { id identification_type_code nationality_code mode_code }
    RoutingCountry { sequence country_code }
    Guarantee { id reference_id security_details_code }
    GoodsLocation { name type_code address_type_code country_code id }
    TransportDocument { id type_code }
    Container { sequence id seals }
    Seal { sequence id }
    CustomsValuation { method_code freight_charge charge_deductions }
    ChargeDeduction { charges_type_code amount }
    AdditionalDocument { category_code id name type_code status_code write_off_quantity }
    AdditionalInformation { statement_code statement_description statement_type_code }
    Classification { id identification_type_code }
    DutyTaxFee {
        duty_regime_code specific_tax_base_quantity type_code quota_order_id
        payment_method_code tax_assessed_amount payment_amount
    }
    Procedure { current_code previous_code }
    Origin { country_code type_code }
    Packaging { sequence marks quantity type_code }
    PreviousDocument { category_code id type_code line }
    TradeTerms { condition_code location_id }
    Warehouse { id type_code }
    BookLine { stock_list_number line }
}
