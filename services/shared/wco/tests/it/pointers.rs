//! Pointers, against those that the authority's answers contain.

use wco::Pointer;

fn pointer(path: &str) -> Pointer {
    Pointer::of_path(path).expect("a pointer")
}

#[test]
fn a_path_becomes_the_pointer_that_authorities_use() {
    // DMSREJ of a wrong commodity code: 42A / 67A / 68A 1 / 23A / 21A 3, 145.
    let found = pointer(
        "/Declaration/GoodsShipment/GovernmentAgencyGoodsItem[1]/Commodity/Classification[3]/ID",
    );
    assert_eq!(found.to_string(), "42A/67A/68A/23A/21A");
    assert_eq!(found.tag, Some("145"));
    let sequences: Vec<_> = found
        .sections
        .iter()
        .map(|section| section.sequence)
        .collect();
    assert_eq!(sequences, [None, None, Some(1), None, Some(3)]);
}

#[test]
fn pointers_of_real_answers_and_amendments_are_all_derived() {
    let known = [
        ("/Declaration/InvoiceAmount", "42A", "109"),
        ("/Declaration/TotalPackageQuantity", "42A", "146"),
        ("/Declaration/GoodsItemQuantity", "42A", "228"),
        ("/Declaration/AuthorisationHolder[1]/ID", "42A/17C", "R144"),
        ("/Declaration/Exporter/Name", "42A/57A", "R031"),
        ("/Declaration/Exporter/Address/Line", "42A/57A/04A", "239"),
        (
            "/Declaration/GoodsShipment/Consignment/GoodsLocation/Name",
            "42A/67A/28A/64A",
            "L016",
        ),
        (
            "/Declaration/GoodsShipment/Consignment/GoodsLocation/Address/TypeCode",
            "42A/67A/28A/64A/04A",
            "410",
        ),
        (
            "/Declaration/GoodsShipment/CustomsValuation/FreightChargeAmount",
            "42A/67A/41A",
            "117",
        ),
        (
            "/Declaration/GoodsShipment/GovernmentAgencyGoodsItem[1]/CustomsValueAmount",
            "42A/67A/68A",
            "108",
        ),
        (
            "/Declaration/GoodsShipment/GovernmentAgencyGoodsItem[1]/Commodity/InvoiceLine/ItemChargeAmount",
            "42A/67A/68A/23A/79A",
            "112",
        ),
        (
            "/Declaration/GoodsShipment/GovernmentAgencyGoodsItem[1]/Commodity/DutyTaxFee[2]/Payment/MethodCode",
            "42A/67A/68A/23A/50A/94A",
            "107",
        ),
    ];
    for (path, sections, tag) in known {
        let found = pointer(path);
        assert_eq!(found.to_string(), sections, "{path}");
        assert_eq!(found.tag, Some(tag), "{path}");
    }
}

#[test]
fn a_path_into_the_unknown_points_to_the_innermost_known_class() {
    let found = pointer("/Declaration/GoodsShipment/Surprise[2]/Address/Line");
    assert_eq!(found.to_string(), "42A/67A");
    assert_eq!(found.tag, None);
    assert_eq!(Pointer::of_path("/MetaData/WCOTypeName"), None);
    assert_eq!(Pointer::of_path(""), None);
}
