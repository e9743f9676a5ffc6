//! Which element lands in which field, said a second time by hand: reading and
//! writing share one table, so a slip in it would pass every round trip.

use proto::customs::v1::{
    AdditionalDocument, AdditionalInformation, Address, Agent, Amount, AuthorisationHolder,
    BookLine, ChargeDeduction, Classification, Container, CustomsValuation, Declaration,
    DocumentTime, DutyTaxFee, GoodsItem, GoodsLocation, Guarantee, Measure, Origin, Packaging,
    Party, PreviousDocument, Procedure, RoleParty, RoutingCountry, Seal, TradeTerms,
    TransportDocument, TransportMeans, Warehouse,
};
use wco::{Reading, read};

const DOCUMENT: &str = r#"<Declaration>
<AcceptanceDateTime><DateTimeString formatCode="304">accepted</DateTimeString></AcceptanceDateTime>
<FunctionCode>9</FunctionCode>
<FunctionalReferenceID>lrn</FunctionalReferenceID>
<IssueDateTime><DateTimeString formatCode="102">issued</DateTimeString></IssueDateTime>
<TypeCode>IMA</TypeCode>
<DeclarationOfficeID>declaration office</DeclarationOfficeID>
<GoodsItemQuantity>1</GoodsItemQuantity>
<InvoiceAmount currencyID="AAA">2</InvoiceAmount>
<TotalPackageQuantity>3</TotalPackageQuantity>
<AdditionalDocument><CategoryCode>category</CategoryCode><ID>id</ID><Name>name</Name><TypeCode>type</TypeCode><LPCOExemptionCode>status</LPCOExemptionCode><WriteOff><QuantityQuantity unitCode="BBB">4</QuantityQuantity></WriteOff></AdditionalDocument>
<AdditionalInformation><StatementCode>code</StatementCode><StatementDescription>description</StatementDescription><StatementTypeCode>type</StatementTypeCode></AdditionalInformation>
<Agent><ID>agent</ID><Name>agent name</Name><FunctionCode>agent status</FunctionCode><Address><Line>agent line</Line></Address></Agent>
<AuthorisationHolder><ID>holder</ID><CategoryCode>category</CategoryCode></AuthorisationHolder>
<BorderTransportMeans><ID>border</ID><IdentificationTypeCode>type</IdentificationTypeCode><RegistrationNationalityCode>nationality</RegistrationNationalityCode><ModeCode>mode</ModeCode></BorderTransportMeans>
<Consignment><Carrier><ID>carrier</ID></Carrier><Consignor><ID>consignor</ID></Consignor><Freight><PaymentMethodCode>freight</PaymentMethodCode></Freight><Itinerary><SequenceNumeric>5</SequenceNumeric><RoutingCountryCode>routing</RoutingCountryCode></Itinerary></Consignment>
<Declarant><ID>declarant</ID></Declarant>
<ExitOffice><ID>exit office</ID></ExitOffice>
<Exporter><ID>exporter</ID><Name>exporter name</Name><Address><CityName>city</CityName><CountryCode>country</CountryCode><Line>line</Line><PostcodeID>postcode</PostcodeID></Address></Exporter>
<GoodsShipment>
<TransactionNatureCode>nature</TransactionNatureCode>
<AEOMutualRecognitionParty><ID>actor</ID><RoleCode>role</RoleCode></AEOMutualRecognitionParty>
<Buyer><ID>buyer</ID></Buyer>
<Consignee><ID>consignee</ID></Consignee>
<Consignment><ContainerCode>container code</ContainerCode><ArrivalTransportMeans><ID>arrival</ID></ArrivalTransportMeans><DepartureTransportMeans><ID>departure</ID></DepartureTransportMeans><GoodsLocation><ID>place id</ID><Name>place</Name><TypeCode>place type</TypeCode><Address><TypeCode>address type</TypeCode><CountryCode>place country</CountryCode></Address></GoodsLocation><LoadingLocation><ID>loading</ID></LoadingLocation><TransportContractDocument><ID>bill</ID><TypeCode>bill type</TypeCode></TransportContractDocument><TransportEquipment><SequenceNumeric>6</SequenceNumeric><ID>box</ID><Seal><SequenceNumeric>7</SequenceNumeric><ID>seal</ID></Seal></TransportEquipment></Consignment>
<CustomsValuation><MethodCode>method</MethodCode><FreightChargeAmount currencyID="CCC">8</FreightChargeAmount><ChargeDeduction><ChargesTypeCode>charges type</ChargesTypeCode><OtherChargeDeductionAmount currencyID="DDD">9</OtherChargeDeductionAmount></ChargeDeduction></CustomsValuation>
<Destination><CountryCode>destination</CountryCode></Destination>
<DomesticDutyTaxParty><ID>tax party</ID><RoleCode>tax role</RoleCode></DomesticDutyTaxParty>
<ExportCountry><ID>export country</ID></ExportCountry>
<GovernmentAgencyGoodsItem>
<CustomsValueAmount currencyID="EEE">10</CustomsValueAmount>
<SequenceNumeric>11</SequenceNumeric>
<StatisticalValueAmount currencyID="FFF">12</StatisticalValueAmount>
<TransactionNatureCode>item nature</TransactionNatureCode>
<AdditionalDocument><ID>item document</ID></AdditionalDocument>
<AdditionalInformation><StatementCode>item statement</StatementCode></AdditionalInformation>
<BookLine><StockListID>list</StockListID><LineNumeric>13</LineNumeric></BookLine>
<Commodity><Description>goods</Description><Classification><ID>code</ID><IdentificationTypeCode>code type</IdentificationTypeCode></Classification><DutyTaxFee><DutyRegimeCode>regime</DutyRegimeCode><SpecificTaxBaseQuantity unitCode="GGG">14</SpecificTaxBaseQuantity><TypeCode>tax</TypeCode><QuotaOrderID>quota</QuotaOrderID><Payment><MethodCode>payment</MethodCode><TaxAssessedAmount currencyID="HHH">15</TaxAssessedAmount><PaymentAmount currencyID="III">16</PaymentAmount></Payment></DutyTaxFee><GoodsMeasure><GrossMassMeasure unitCode="JJJ">17</GrossMassMeasure><NetNetWeightMeasure unitCode="KKK">18</NetNetWeightMeasure><TariffQuantity unitCode="LLL">19</TariffQuantity></GoodsMeasure><InvoiceLine><ItemChargeAmount currencyID="MMM">20</ItemChargeAmount></InvoiceLine><TransportEquipment><ID>item box</ID></TransportEquipment></Commodity>
<Consignee><ID>item consignee</ID></Consignee>
<CustomsValuation><MethodCode>item method</MethodCode></CustomsValuation>
<DomesticDutyTaxParty><ID>item tax party</ID></DomesticDutyTaxParty>
<ExportCountry><ID>item export country</ID></ExportCountry>
<GovernmentProcedure><CurrentCode>current</CurrentCode><PreviousCode>previous</PreviousCode></GovernmentProcedure>
<Origin><CountryCode>origin</CountryCode><TypeCode>origin type</TypeCode></Origin>
<Packaging><SequenceNumeric>21</SequenceNumeric><MarksNumbersID>marks</MarksNumbersID><QuantityQuantity>22</QuantityQuantity><TypeCode>package type</TypeCode></Packaging>
<PreviousDocument><ID>item previous</ID></PreviousDocument>
<UCR><TraderAssignedReferenceID>item ucr</TraderAssignedReferenceID></UCR>
<ValuationAdjustment><AdditionCode>indicators</AdditionCode></ValuationAdjustment>
</GovernmentAgencyGoodsItem>
<Importer><ID>importer</ID></Importer>
<PreviousDocument><CategoryCode>category</CategoryCode><ID>previous</ID><TypeCode>type</TypeCode><LineNumeric>23</LineNumeric></PreviousDocument>
<Seller><ID>seller</ID></Seller>
<TradeTerms><ConditionCode>terms</ConditionCode><LocationID>terms place</LocationID></TradeTerms>
<UCR><TraderAssignedReferenceID>ucr</TraderAssignedReferenceID></UCR>
<Warehouse><ID>warehouse</ID><TypeCode>warehouse type</TypeCode></Warehouse>
</GoodsShipment>
<ObligationGuarantee><ID>guarantee</ID><ReferenceID>reference</ReferenceID><SecurityDetailsCode>security</SecurityDetailsCode></ObligationGuarantee>
<SupervisingOffice><ID>supervising office</ID></SupervisingOffice>
</Declaration>"#;

#[test]
fn every_element_lands_in_the_field_of_its_meaning() {
    let Reading::Filing(filing) = read(DOCUMENT.as_bytes()) else {
        panic!("not read as a filing");
    };
    assert_eq!(*filing.declaration, declaration());
    assert_eq!(filing.unmapped, []);
}

fn declaration() -> Declaration {
    Declaration {
        type_code: "IMA".into(),
        lrn: "lrn".into(),
        acceptance_time: time("accepted", "304"),
        issue_time: time("issued", "102"),
        declaration_office_id: "declaration office".into(),
        goods_item_quantity: Some(1),
        total_package_quantity: Some(3),
        invoice_amount: amount("2", "AAA"),
        additional_documents: vec![AdditionalDocument {
            category_code: "category".into(),
            id: "id".into(),
            name: "name".into(),
            type_code: "type".into(),
            status_code: "status".into(),
            write_off_quantity: measure("4", "BBB"),
        }],
        additional_information: vec![AdditionalInformation {
            statement_code: "code".into(),
            statement_description: "description".into(),
            statement_type_code: "type".into(),
        }],
        agent: Some(Agent {
            id: "agent".into(),
            name: "agent name".into(),
            address: Some(Address {
                line: "agent line".into(),
                ..Address::default()
            }),
            status_code: "agent status".into(),
        }),
        authorisation_holders: vec![AuthorisationHolder {
            id: "holder".into(),
            category_code: "category".into(),
        }],
        border_transport_means: Some(TransportMeans {
            id: "border".into(),
            identification_type_code: "type".into(),
            nationality_code: "nationality".into(),
            mode_code: "mode".into(),
        }),
        carrier: party("carrier"),
        consignor: party("consignor"),
        freight_payment_method_code: "freight".into(),
        itinerary: vec![RoutingCountry {
            sequence: Some(5),
            country_code: "routing".into(),
        }],
        declarant: party("declarant"),
        exit_office_id: "exit office".into(),
        exporter: Some(Party {
            id: "exporter".into(),
            name: "exporter name".into(),
            address: Some(Address {
                city_name: "city".into(),
                country_code: "country".into(),
                line: "line".into(),
                postcode_id: "postcode".into(),
            }),
        }),
        guarantees: vec![Guarantee {
            id: "guarantee".into(),
            reference_id: "reference".into(),
            security_details_code: "security".into(),
        }],
        supervising_office_id: "supervising office".into(),
        transaction_nature_code: "nature".into(),
        supply_chain_actors: vec![RoleParty {
            id: "actor".into(),
            role_code: "role".into(),
        }],
        buyer: party("buyer"),
        consignee: party("consignee"),
        container_code: "container code".into(),
        arrival_transport_means: means("arrival"),
        departure_transport_means: means("departure"),
        goods_location: Some(GoodsLocation {
            name: "place".into(),
            type_code: "place type".into(),
            address_type_code: "address type".into(),
            country_code: "place country".into(),
            id: "place id".into(),
        }),
        loading_location_id: "loading".into(),
        transport_documents: vec![TransportDocument {
            id: "bill".into(),
            type_code: "bill type".into(),
        }],
        containers: vec![Container {
            sequence: Some(6),
            id: "box".into(),
            seals: vec![Seal {
                sequence: Some(7),
                id: "seal".into(),
            }],
        }],
        customs_valuation: Some(CustomsValuation {
            method_code: "method".into(),
            freight_charge: amount("8", "CCC"),
            charge_deductions: vec![ChargeDeduction {
                charges_type_code: "charges type".into(),
                amount: amount("9", "DDD"),
            }],
        }),
        destination_country_code: "destination".into(),
        domestic_duty_tax_parties: vec![RoleParty {
            id: "tax party".into(),
            role_code: "tax role".into(),
        }],
        export_country_id: "export country".into(),
        items: vec![item()],
        importer: party("importer"),
        previous_documents: vec![PreviousDocument {
            category_code: "category".into(),
            id: "previous".into(),
            type_code: "type".into(),
            line: Some(23),
        }],
        seller: party("seller"),
        trade_terms: Some(TradeTerms {
            condition_code: "terms".into(),
            location_id: "terms place".into(),
        }),
        ucr: "ucr".into(),
        warehouse: Some(Warehouse {
            id: "warehouse".into(),
            type_code: "warehouse type".into(),
        }),
    }
}

fn item() -> GoodsItem {
    GoodsItem {
        sequence: Some(11),
        customs_value: amount("10", "EEE"),
        statistical_value: amount("12", "FFF"),
        transaction_nature_code: "item nature".into(),
        additional_documents: vec![AdditionalDocument {
            id: "item document".into(),
            ..AdditionalDocument::default()
        }],
        additional_information: vec![AdditionalInformation {
            statement_code: "item statement".into(),
            ..AdditionalInformation::default()
        }],
        description: "goods".into(),
        classifications: vec![Classification {
            id: "code".into(),
            identification_type_code: "code type".into(),
        }],
        duty_tax_fees: vec![DutyTaxFee {
            duty_regime_code: "regime".into(),
            specific_tax_base_quantity: measure("14", "GGG"),
            type_code: "tax".into(),
            quota_order_id: "quota".into(),
            payment_method_code: "payment".into(),
            tax_assessed_amount: amount("15", "HHH"),
            payment_amount: amount("16", "III"),
        }],
        gross_mass: measure("17", "JJJ"),
        net_mass: measure("18", "KKK"),
        tariff_quantity: measure("19", "LLL"),
        item_charge: amount("20", "MMM"),
        containers: vec![Container {
            id: "item box".into(),
            ..Container::default()
        }],
        consignee: party("item consignee"),
        customs_valuation: Some(CustomsValuation {
            method_code: "item method".into(),
            ..CustomsValuation::default()
        }),
        domestic_duty_tax_parties: vec![RoleParty {
            id: "item tax party".into(),
            ..RoleParty::default()
        }],
        export_country_id: "item export country".into(),
        procedures: vec![Procedure {
            current_code: "current".into(),
            previous_code: "previous".into(),
        }],
        origins: vec![Origin {
            country_code: "origin".into(),
            type_code: "origin type".into(),
        }],
        packagings: vec![Packaging {
            sequence: Some(21),
            marks: "marks".into(),
            quantity: Some(22),
            type_code: "package type".into(),
        }],
        previous_documents: vec![PreviousDocument {
            id: "item previous".into(),
            ..PreviousDocument::default()
        }],
        ucr: "item ucr".into(),
        valuation_indicator_code: "indicators".into(),
        book_line: Some(BookLine {
            stock_list_number: "list".into(),
            line: Some(13),
        }),
    }
}

fn amount(value: &str, currency: &str) -> Option<Amount> {
    Some(Amount {
        value: value.into(),
        currency: currency.into(),
    })
}

fn measure(value: &str, unit_code: &str) -> Option<Measure> {
    Some(Measure {
        value: value.into(),
        unit_code: unit_code.into(),
    })
}

fn time(value: &str, format_code: &str) -> Option<DocumentTime> {
    Some(DocumentTime {
        value: value.into(),
        format_code: format_code.into(),
    })
}

fn party(id: &str) -> Option<Party> {
    Some(Party {
        id: id.into(),
        ..Party::default()
    })
}

fn means(id: &str) -> Option<TransportMeans> {
    Some(TransportMeans {
        id: id.into(),
        ..TransportMeans::default()
    })
}
