//! Which element of the WCO data model is which field of the declaration
//! message: the one table that both reading and writing go by, in the order the
//! data model gives the elements. What is not here is warned about, path by path.
//!
//! Kinds: `text`, `number` (whole), `amount` (with currency), `measure` (with
//! unit) and `time` (with format) are values; `one` and `many` are classes with
//! a message of their own; `within` is an element whose content belongs to the
//! message around it; `own` is a class of ours; `function` is the function code.

use proto::customs::v1::{
    AdditionalDocument, AdditionalInformation, Address, Agent, AuthorisationHolder, BookLine,
    ChargeDeduction, Classification, Container, CustomsValuation, Declaration, DutyTaxFee,
    GoodsItem, GoodsLocation, Guarantee, Origin, Packaging, Party, PreviousDocument, Procedure,
    RoleParty, RoutingCountry, Seal, TradeTerms, TransportDocument, TransportMeans, Warehouse,
};

use crate::document::Element;
use crate::fault::Fault;
use crate::intake::{Intake, Level};
use crate::write::Writer;

/// A class of the data model and the message its content goes into.
pub(crate) trait Class {
    /// Where the content goes.
    type Message: Default;

    /// Takes a child element, or gives it back where the class has none of that
    /// name.
    fn child<'a>(
        message: &mut Self::Message,
        name: &str,
        element: Element<'a>,
        intake: &mut Intake<'a>,
        level: &mut Level<'a>,
    ) -> Result<Option<Element<'a>>, Fault>;

    /// Writes the content as elements.
    fn write(message: &Self::Message, writer: &mut Writer);
}

/// One class: `kind "Element" field: Class;` per child.
macro_rules! class {
    ($class:ty => $message:ty { $( $kind:ident $tag:literal $($field:ident)? $(: $inner:ty)?; )* }) => {
        impl Class for $class {
            type Message = $message;

            fn child<'a>(
                message: &mut $message,
                name: &str,
                element: Element<'a>,
                intake: &mut Intake<'a>,
                level: &mut Level<'a>,
            ) -> Result<Option<Element<'a>>, Fault> {
                // A class of values alone has no use for one of the two.
                let _ = (&message, &level);
                match name {
                    $( $tag => take!($kind (intake, element, $tag, level) message $($field)? $(: $inner)?), )*
                    _ => return Ok(Some(element)),
                }
                Ok(None)
            }

            fn write(message: &$message, writer: &mut Writer) {
                $( put!($kind (writer, $tag) message $($field)? $(: $inner)?); )*
            }
        }
    };
    ($message:ident { $($rest:tt)* }) => { class!($message => $message { $($rest)* }); };
}

macro_rules! take {
    (function ($intake:ident, $element:ident, $tag:literal, $level:ident) $message:ident) => {
        $intake.function($element, $tag, $level)?
    };
    (one ($intake:ident, $element:ident, $tag:literal, $level:ident) $message:ident $field:ident: $inner:ty) => {
        $intake.one::<$inner>($element, $tag, &mut $message.$field, $level)?
    };
    (own ($intake:ident, $element:ident, $tag:literal, $level:ident) $message:ident $field:ident: $inner:ty) => {
        $intake.one::<$inner>($element, $tag, &mut $message.$field, $level)?
    };
    (many ($intake:ident, $element:ident, $tag:literal, $level:ident) $message:ident $field:ident: $inner:ty) => {
        $intake.many::<$inner>($element, $tag, &mut $message.$field)?
    };
    (within ($intake:ident, $element:ident, $tag:literal, $level:ident) $message:ident: $inner:ty) => {
        $intake.within::<$inner>($element, $tag, $message, $level)?
    };
    ($value:ident ($intake:ident, $element:ident, $tag:literal, $level:ident) $message:ident $field:ident) => {
        $intake.$value($element, $tag, &mut $message.$field, $level)?
    };
}

macro_rules! put {
    (function ($writer:ident, $tag:literal) $message:ident) => {
        $writer.function($tag)
    };
    (within ($writer:ident, $tag:literal) $message:ident: $inner:ty) => {
        $writer.within::<$inner>($tag, $message)
    };
    ($class:ident ($writer:ident, $tag:literal) $message:ident $field:ident: $inner:ty) => {
        $writer.$class::<$inner>($tag, &$message.$field)
    };
    ($value:ident ($writer:ident, $tag:literal) $message:ident $field:ident) => {
        $writer.$value($tag, &$message.$field)
    };
}

class!(Declaration {
    within "AcceptanceDateTime": AcceptanceTimeOf;
    function "FunctionCode";
    text "FunctionalReferenceID" lrn;
    within "IssueDateTime": IssueTimeOf;
    text "TypeCode" type_code;
    text "DeclarationOfficeID" declaration_office_id;
    number "GoodsItemQuantity" goods_item_quantity;
    amount "InvoiceAmount" invoice_amount;
    number "TotalPackageQuantity" total_package_quantity;
    many "AdditionalDocument" additional_documents: AdditionalDocument;
    many "AdditionalInformation" additional_information: AdditionalInformation;
    one "Agent" agent: Agent;
    many "AuthorisationHolder" authorisation_holders: AuthorisationHolder;
    one "BorderTransportMeans" border_transport_means: TransportMeans;
    within "Consignment": BorderConsignmentOf;
    one "Declarant" declarant: Party;
    within "ExitOffice": ExitOfficeOf;
    one "Exporter" exporter: Party;
    within "GoodsShipment": GoodsShipmentOf;
    many "ObligationGuarantee" guarantees: Guarantee;
    within "SupervisingOffice": SupervisingOfficeOf;
});

struct AcceptanceTimeOf;
class!(AcceptanceTimeOf => Declaration {
    time "DateTimeString" acceptance_time;
});

struct IssueTimeOf;
class!(IssueTimeOf => Declaration {
    time "DateTimeString" issue_time;
});

/// `Declaration/Consignment`: the carriage over the border.
struct BorderConsignmentOf;
class!(BorderConsignmentOf => Declaration {
    one "Carrier" carrier: Party;
    one "Consignor" consignor: Party;
    within "Freight": FreightOf;
    many "Itinerary" itinerary: RoutingCountry;
});

struct FreightOf;
class!(FreightOf => Declaration {
    text "PaymentMethodCode" freight_payment_method_code;
});

struct ExitOfficeOf;
class!(ExitOfficeOf => Declaration {
    text "ID" exit_office_id;
});

struct SupervisingOfficeOf;
class!(SupervisingOfficeOf => Declaration {
    text "ID" supervising_office_id;
});

struct GoodsShipmentOf;
class!(GoodsShipmentOf => Declaration {
    text "TransactionNatureCode" transaction_nature_code;
    many "AEOMutualRecognitionParty" supply_chain_actors: RoleParty;
    one "Buyer" buyer: Party;
    one "Consignee" consignee: Party;
    within "Consignment": ConsignmentOf;
    one "CustomsValuation" customs_valuation: CustomsValuation;
    within "Destination": DestinationOf;
    many "DomesticDutyTaxParty" domestic_duty_tax_parties: RoleParty;
    within "ExportCountry": ExportCountryOf;
    many "GovernmentAgencyGoodsItem" items: GoodsItem;
    one "Importer" importer: Party;
    many "PreviousDocument" previous_documents: PreviousDocument;
    one "Seller" seller: Party;
    one "TradeTerms" trade_terms: TradeTerms;
    within "UCR": UcrOf;
    one "Warehouse" warehouse: Warehouse;
});

/// `GoodsShipment/Consignment`: the goods under way and where they stand.
struct ConsignmentOf;
class!(ConsignmentOf => Declaration {
    text "ContainerCode" container_code;
    one "ArrivalTransportMeans" arrival_transport_means: TransportMeans;
    one "DepartureTransportMeans" departure_transport_means: TransportMeans;
    one "GoodsLocation" goods_location: GoodsLocation;
    within "LoadingLocation": LoadingLocationOf;
    many "TransportContractDocument" transport_documents: TransportDocument;
    many "TransportEquipment" containers: Container;
});

struct LoadingLocationOf;
class!(LoadingLocationOf => Declaration {
    text "ID" loading_location_id;
});

struct DestinationOf;
class!(DestinationOf => Declaration {
    text "CountryCode" destination_country_code;
});

struct ExportCountryOf;
class!(ExportCountryOf => Declaration {
    text "ID" export_country_id;
});

struct UcrOf;
class!(UcrOf => Declaration {
    text "TraderAssignedReferenceID" ucr;
});

class!(GoodsItem {
    amount "CustomsValueAmount" customs_value;
    number "SequenceNumeric" sequence;
    amount "StatisticalValueAmount" statistical_value;
    text "TransactionNatureCode" transaction_nature_code;
    many "AdditionalDocument" additional_documents: AdditionalDocument;
    many "AdditionalInformation" additional_information: AdditionalInformation;
    own "BookLine" book_line: BookLine;
    within "Commodity": CommodityOf;
    one "Consignee" consignee: Party;
    one "CustomsValuation" customs_valuation: CustomsValuation;
    many "DomesticDutyTaxParty" domestic_duty_tax_parties: RoleParty;
    within "ExportCountry": ItemExportCountryOf;
    many "GovernmentProcedure" procedures: Procedure;
    many "Origin" origins: Origin;
    many "Packaging" packagings: Packaging;
    many "PreviousDocument" previous_documents: PreviousDocument;
    within "UCR": ItemUcrOf;
    within "ValuationAdjustment": ValuationAdjustmentOf;
});

struct CommodityOf;
class!(CommodityOf => GoodsItem {
    text "Description" description;
    many "Classification" classifications: Classification;
    many "DutyTaxFee" duty_tax_fees: DutyTaxFee;
    within "GoodsMeasure": GoodsMeasureOf;
    within "InvoiceLine": InvoiceLineOf;
    many "TransportEquipment" containers: Container;
});

struct GoodsMeasureOf;
class!(GoodsMeasureOf => GoodsItem {
    measure "GrossMassMeasure" gross_mass;
    measure "NetNetWeightMeasure" net_mass;
    measure "TariffQuantity" tariff_quantity;
});

struct InvoiceLineOf;
class!(InvoiceLineOf => GoodsItem {
    amount "ItemChargeAmount" item_charge;
});

struct ItemExportCountryOf;
class!(ItemExportCountryOf => GoodsItem {
    text "ID" export_country_id;
});

struct ItemUcrOf;
class!(ItemUcrOf => GoodsItem {
    text "TraderAssignedReferenceID" ucr;
});

struct ValuationAdjustmentOf;
class!(ValuationAdjustmentOf => GoodsItem {
    text "AdditionCode" valuation_indicator_code;
});

class!(BookLine {
    text "StockListID" stock_list_number;
    number "LineNumeric" line;
});

class!(Party {
    text "ID" id;
    text "Name" name;
    one "Address" address: Address;
});

class!(Address {
    text "CityName" city_name;
    text "CountryCode" country_code;
    text "Line" line;
    text "PostcodeID" postcode_id;
});

class!(Agent {
    text "ID" id;
    text "Name" name;
    text "FunctionCode" status_code;
    one "Address" address: Address;
});

class!(AuthorisationHolder {
    text "ID" id;
    text "CategoryCode" category_code;
});

class!(RoleParty {
    text "ID" id;
    text "RoleCode" role_code;
});

class!(TransportMeans {
    text "ID" id;
    text "IdentificationTypeCode" identification_type_code;
    text "RegistrationNationalityCode" nationality_code;
    text "ModeCode" mode_code;
});

class!(RoutingCountry {
    number "SequenceNumeric" sequence;
    text "RoutingCountryCode" country_code;
});

class!(Guarantee {
    text "ID" id;
    text "ReferenceID" reference_id;
    text "SecurityDetailsCode" security_details_code;
});

class!(GoodsLocation {
    text "ID" id;
    text "Name" name;
    text "TypeCode" type_code;
    within "Address": GoodsLocationAddressOf;
});

struct GoodsLocationAddressOf;
class!(GoodsLocationAddressOf => GoodsLocation {
    text "TypeCode" address_type_code;
    text "CountryCode" country_code;
});

class!(TransportDocument {
    text "ID" id;
    text "TypeCode" type_code;
});

class!(Container {
    number "SequenceNumeric" sequence;
    text "ID" id;
    many "Seal" seals: Seal;
});

class!(Seal {
    number "SequenceNumeric" sequence;
    text "ID" id;
});

class!(CustomsValuation {
    text "MethodCode" method_code;
    amount "FreightChargeAmount" freight_charge;
    many "ChargeDeduction" charge_deductions: ChargeDeduction;
});

class!(ChargeDeduction {
    text "ChargesTypeCode" charges_type_code;
    amount "OtherChargeDeductionAmount" amount;
});

class!(AdditionalDocument {
    text "CategoryCode" category_code;
    text "ID" id;
    text "Name" name;
    text "TypeCode" type_code;
    text "LPCOExemptionCode" status_code;
    within "WriteOff": WriteOffOf;
});

struct WriteOffOf;
class!(WriteOffOf => AdditionalDocument {
    measure "QuantityQuantity" write_off_quantity;
});

class!(AdditionalInformation {
    text "StatementCode" statement_code;
    text "StatementDescription" statement_description;
    text "StatementTypeCode" statement_type_code;
});

class!(Classification {
    text "ID" id;
    text "IdentificationTypeCode" identification_type_code;
});

class!(DutyTaxFee {
    text "DutyRegimeCode" duty_regime_code;
    measure "SpecificTaxBaseQuantity" specific_tax_base_quantity;
    text "TypeCode" type_code;
    text "QuotaOrderID" quota_order_id;
    within "Payment": PaymentOf;
});

struct PaymentOf;
class!(PaymentOf => DutyTaxFee {
    text "MethodCode" payment_method_code;
    amount "TaxAssessedAmount" tax_assessed_amount;
    amount "PaymentAmount" payment_amount;
});

class!(Procedure {
    text "CurrentCode" current_code;
    text "PreviousCode" previous_code;
});

class!(Origin {
    text "CountryCode" country_code;
    text "TypeCode" type_code;
});

class!(Packaging {
    number "SequenceNumeric" sequence;
    text "MarksNumbersID" marks;
    number "QuantityQuantity" quantity;
    text "TypeCode" type_code;
});

class!(PreviousDocument {
    text "CategoryCode" category_code;
    text "ID" id;
    text "TypeCode" type_code;
    number "LineNumeric" line;
});

class!(TradeTerms {
    text "ConditionCode" condition_code;
    text "LocationID" location_id;
});

class!(Warehouse {
    text "ID" id;
    text "TypeCode" type_code;
});
