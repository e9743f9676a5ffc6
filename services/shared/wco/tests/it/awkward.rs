//! Documents that are unusual, wrong in one place, or another kind than asked.

use wco::limits::{
    DEPTH_MAX, ENVELOPE_VALUES_MAX, OCCURRENCES_MAX, UNMAPPED_BYTES_MAX, UNMAPPED_VALUES_MAX,
    VALUE_BYTES_MAX,
};
use wco::{Cause, Facts, Filing, Reading, UnmappedReason, Unreadable, read};

fn declaration(content: &str) -> String {
    format!(
        "<MetaData><Declaration><FunctionCode>9</FunctionCode><TypeCode>IMA</TypeCode>{content}</Declaration></MetaData>"
    )
}

fn filing(document: impl AsRef<[u8]>) -> Filing {
    match read(document.as_ref()) {
        Reading::Filing(filing) => filing,
        other => panic!("no filing: {other:?}"),
    }
}

fn unreadable(document: impl AsRef<[u8]>) -> Unreadable {
    match read(document.as_ref()) {
        Reading::Unreadable(unreadable) => unreadable,
        other => panic!("not unreadable: {other:?}"),
    }
}

fn kind(document: impl AsRef<[u8]>) -> String {
    match read(document.as_ref()) {
        Reading::Unsupported(unsupported) => unsupported.kind,
        other => panic!("not unsupported: {other:?}"),
    }
}

fn lrn(content: &str) -> String {
    let element = format!("<FunctionalReferenceID>{content}</FunctionalReferenceID>");
    filing(declaration(&element)).facts.lrn
}

fn place(unreadable: &Unreadable) -> (u32, u32) {
    (unreadable.line, unreadable.column)
}

#[test]
fn values_are_trimmed_and_comments_in_them_left_out() {
    assert_eq!(lrn("\n\t  LRN-1 \u{a0}\r\n"), "LRN-1");
    assert_eq!(lrn("LRN<!-- part one -->-1<?print now?>"), "LRN-1");
    assert_eq!(lrn("two  words\r\nand a line"), "two  words\nand a line");
}

#[test]
fn references_and_character_data_sections_are_resolved() {
    assert_eq!(
        lrn("A &amp; B&#x20;&lt;&#67;&gt;&quot;&apos;"),
        "A & B <C>\"'"
    );
    assert_eq!(lrn("A<![CDATA[<B> & ]] ]]>C"), "A<B> & ]] C");
}

#[test]
fn a_byte_order_mark_changes_nothing_not_even_positions() {
    let document = declaration("<FunctionalReferenceID>L</FunctionalReferenceID>");
    let marked = format!("\u{feff}{document}");
    assert_eq!(filing(&marked), filing(&document));
    assert_eq!(place(&unreadable("\u{feff}<MetaData></Meta>")), (1, 11));
}

#[test]
fn names_are_known_with_any_prefix_even_one_run_into_them() {
    let plain = "<MetaData><Declaration><FunctionCode>9</FunctionCode><TypeCode>EXA</TypeCode><AcceptanceDateTime><DateTimeString formatCode=\"304\">2024</DateTimeString></AcceptanceDateTime></Declaration></MetaData>";
    let prefixed = "<md:MetaData><x:Declaration><x:FunctionCode>9</x:FunctionCode><TypeCode>EXA</TypeCode><AcceptanceDateTime><p:DateTimeString formatCode=\"304\">2024</p:DateTimeString></AcceptanceDateTime></x:Declaration></md:MetaData>";
    let glued = "<mdMetaData xmlnsmd=\"urn\"><Declaration xsischemaLocation=\"urn\"><FunctionCode>9</FunctionCode><TypeCode>EXA</TypeCode><AcceptanceDateTime><pDateTimeString formatCode=\"304\">2024</pDateTimeString></AcceptanceDateTime></Declaration></mdMetaData>";
    for document in [plain, prefixed, glued] {
        let filing = filing(document);
        assert_eq!(filing.unmapped, [], "{document}");
        let time = filing.declaration.acceptance_time.clone().expect("a time");
        assert_eq!(
            (time.value.as_str(), time.format_code.as_str()),
            ("2024", "304")
        );
    }
}

#[test]
fn a_request_around_the_declaration_is_unwrapped_and_kept_apart() {
    let document = "<v1:submitDeclarationRequest><v1:requestCommon><v1:regime>CDS</v1:regime></v1:requestCommon><v1:requestDetail><md:MetaData><md:WCOTypeName>DEC</md:WCOTypeName><Declaration><FunctionCode>9</FunctionCode><TypeCode>COA</TypeCode></Declaration></md:MetaData></v1:requestDetail></v1:submitDeclarationRequest>";
    let filing = filing(document);
    let envelope: Vec<_> = filing
        .envelope
        .iter()
        .map(|value| (value.path.as_str(), value.value.as_str()))
        .collect();
    assert_eq!(
        envelope,
        [
            ("/submitDeclarationRequest/requestCommon/regime", "CDS"),
            (
                "/submitDeclarationRequest/requestDetail/MetaData/WCOTypeName",
                "DEC"
            ),
        ]
    );
    assert_eq!(filing.unmapped, []);
}

#[test]
fn a_bare_declaration_is_a_filing() {
    let document =
        "<Declaration><FunctionCode> 9 </FunctionCode><TypeCode>IM</TypeCode></Declaration>";
    assert_eq!(filing(document).facts.type_code, "IM");
}

#[test]
fn a_declaration_that_is_filed_without_a_type_is_a_filing() {
    for type_code in ["", "<TypeCode/>", "<TypeCode> </TypeCode>"] {
        let document =
            format!("<Declaration><FunctionCode>9</FunctionCode>{type_code}</Declaration>");
        assert_eq!(filing(document).facts.type_code, "", "{type_code}");
    }
}

#[test]
fn what_has_no_place_is_listed_with_path_pointer_and_reason() {
    let item = "<GovernmentAgencyGoodsItem><SequenceNumeric>1</SequenceNumeric></GovernmentAgencyGoodsItem>";
    let odd = "<GovernmentAgencyGoodsItem kind=\"odd\"><SequenceNumeric>one</SequenceNumeric>stray<Commodity><Description>a</Description><Description>b</Description><Colour><Shade>pale</Shade></Colour><Colour>red</Colour></Commodity></GovernmentAgencyGoodsItem>";
    let filing = filing(declaration(&format!(
        "<GoodsShipment>{item}{odd}</GoodsShipment>"
    )));
    let within = "/Declaration/GoodsShipment/GovernmentAgencyGoodsItem[2]";
    let listed: Vec<_> = filing
        .unmapped
        .iter()
        .map(|one| {
            let path = one.path.strip_prefix(within).expect("in the second item");
            let pointer = one.pointer.as_ref().expect("a pointer").to_string();
            (path, pointer, one.value.as_str(), one.reason)
        })
        .collect();
    let item = || "42A/67A/68A".to_owned();
    let commodity = || "42A/67A/68A/23A".to_owned();
    assert_eq!(
        listed,
        [
            ("/@kind", item(), "odd", UnmappedReason::Unknown),
            (
                "/SequenceNumeric",
                item(),
                "one",
                UnmappedReason::NotANumber
            ),
            ("", item(), "stray", UnmappedReason::StrayText),
            (
                "/Commodity/Description[2]",
                commodity(),
                "b",
                UnmappedReason::Repeated
            ),
            (
                "/Commodity/Colour/Shade",
                commodity(),
                "pale",
                UnmappedReason::Unknown
            ),
            (
                "/Commodity/Colour[2]",
                commodity(),
                "red",
                UnmappedReason::Unknown
            ),
        ]
    );
}

#[test]
fn the_layout_of_a_document_counts_neither_as_text_nor_as_length() {
    let layout = " ".repeat(VALUE_BYTES_MAX);
    let document = declaration(&format!(
        "stray{layout}<FunctionalReferenceID>{layout}{layout}L{layout}{layout}</FunctionalReferenceID>{layout}<Declarant/>{layout}{layout}"
    ));
    let filing = filing(document);
    assert_eq!(filing.facts.lrn, "L");
    let listed: Vec<_> = filing
        .unmapped
        .iter()
        .map(|one| one.value.as_str())
        .collect();
    assert_eq!(listed, ["stray"]);
}

#[test]
fn a_class_that_may_stand_once_is_not_merged_with_a_second_one() {
    let filing = filing(declaration(
        "<Declarant><ID>A</ID></Declarant><Declarant><Name>B</Name></Declarant>\
         <ExitOffice/><ExitOffice><ID>C</ID></ExitOffice>",
    ));
    let declarant = filing.declaration.declarant.clone().expect("a declarant");
    assert_eq!((declarant.id.as_str(), declarant.name.as_str()), ("A", ""));
    assert_eq!(filing.declaration.exit_office_id, "");
    let paths: Vec<_> = filing
        .unmapped
        .iter()
        .map(|one| one.path.as_str())
        .collect();
    assert_eq!(
        paths,
        [
            "/Declaration/Declarant[2]/Name",
            "/Declaration/ExitOffice[2]/ID"
        ]
    );
}

#[test]
fn units_and_currencies_are_kept_and_other_attributes_listed() {
    let filing = filing(declaration(
        "<InvoiceAmount currencyID=\" GBP \" listID=\"x\">1000.50</InvoiceAmount>",
    ));
    let amount = filing
        .declaration
        .invoice_amount
        .clone()
        .expect("an amount");
    assert_eq!(
        (amount.value.as_str(), amount.currency.as_str()),
        ("1000.50", "GBP")
    );
    let [listed] = filing.unmapped.as_slice() else {
        panic!("one attribute, not {:?}", filing.unmapped);
    };
    assert_eq!(listed.path, "/Declaration/InvoiceAmount/@listID");
}

#[test]
fn the_distinct_containers_are_told_in_their_order() {
    let filing = filing(declaration(
        "<GoodsShipment><Consignment><TransportEquipment><ID>B</ID></TransportEquipment><TransportEquipment><ID>A</ID></TransportEquipment><TransportEquipment/></Consignment>\
         <GovernmentAgencyGoodsItem><Commodity><TransportEquipment><ID>A</ID></TransportEquipment><TransportEquipment><ID>C</ID></TransportEquipment></Commodity></GovernmentAgencyGoodsItem></GoodsShipment>",
    ));
    assert_eq!(filing.facts.containers, ["B", "A", "C"]);
    assert_eq!(filing.facts.items, 1);
}

#[test]
fn procedures_and_additional_procedures_are_told_apart() {
    let filing = filing(declaration(
        "<GoodsShipment><GovernmentAgencyGoodsItem><GovernmentProcedure><CurrentCode>40</CurrentCode><PreviousCode>71</PreviousCode></GovernmentProcedure><GovernmentProcedure><CurrentCode>000</CurrentCode></GovernmentProcedure></GovernmentAgencyGoodsItem></GoodsShipment>",
    ));
    let item = filing.declaration.items.first().expect("an item");
    let procedure = wco::procedure(item).expect("a procedure");
    assert_eq!(
        (
            procedure.current_code.as_str(),
            procedure.previous_code.as_str()
        ),
        ("40", "71")
    );
    assert_eq!(
        wco::additional_procedures(item).collect::<Vec<_>>(),
        ["000"]
    );
}

#[test]
fn known_documents_that_are_no_filings_are_named() {
    let of = |function: &str, kind: &str| {
        format!(
            "<Declaration><FunctionCode>{function}</FunctionCode><TypeCode>{kind}</TypeCode></Declaration>"
        )
    };
    assert_eq!(kind(of("13", "COR")), "amendment (function 13, COR)");
    assert_eq!(
        kind(of("9", "COR")),
        "declaration of an unknown type (function 9, COR)"
    );
    assert_eq!(
        kind(of("9", "XX")),
        "declaration of an unknown type (function 9, XX)"
    );
    assert_eq!(
        kind("<Declaration/>"),
        "declaration without a function code"
    );
    let notification = |code: &str| {
        format!("<MetaData><Response><FunctionCode>{code}</FunctionCode></Response></MetaData>")
    };
    assert_eq!(kind(notification("09")), "notification DMSCLE");
    assert_eq!(kind(notification("77")), "notification of function 77");
    assert_eq!(
        kind("<inventoryLinkingQueryRequest/>"),
        "inventory linking (inventoryLinkingQueryRequest)"
    );
}

#[test]
fn documents_that_nobody_knows_are_refused_by_name() {
    assert_eq!(
        unreadable("<html/>").cause,
        Cause::UnknownDocument("html".to_owned())
    );
    assert_eq!(
        unreadable("\n <MetaData/>").cause,
        Cause::NoDeclaration("MetaData".to_owned())
    );
    assert_eq!(place(&unreadable("\n <MetaData/>")), (2, 2));
    let two = "<MetaData><Declaration/><Declaration/></MetaData>";
    assert_eq!(unreadable(two).cause, Cause::SecondDeclaration);
    for nothing in ["", " \n ", "<!-- nothing -->", "<?xml version=\"1.0\"?>"] {
        assert_eq!(unreadable(nothing).cause, Cause::Empty, "{nothing:?}");
    }
}

#[test]
fn faults_of_form_are_told_with_line_and_column() {
    let cases: [(&str, (u32, u32)); 15] = [
        (
            "<MetaData>\n  <Declaration>\n  </Other>\n</MetaData>",
            (3, 3),
        ),
        ("<MetaData>\n<Declaration>", (2, 14)),
        ("<MetaData/>\nmore", (2, 1)),
        ("<MetaData/><MetaData/>", (1, 12)),
        ("港口", (1, 1)),
        ("<MetaData>港<?xml version=\"1.0\"?></MetaData>", (1, 12)),
        ("<MetaData><A>\n<!-- 港 -- --></A></MetaData>", (2, 8)),
        ("<MetaData><!-- open ---></MetaData>", (1, 21)),
        ("<MetaData><A>]]></A></MetaData>", (1, 14)),
        ("<MetaData><A b='1' b='2'/></MetaData>", (1, 11)),
        ("<MetaData><A b='<'/></MetaData>", (1, 11)),
        ("<MetaData><A b=1/></MetaData>", (1, 11)),
        ("<MetaData><1A/></MetaData>", (1, 11)),
        ("<MetaData><A>&nope</A></MetaData>", (1, 14)),
        ("<MetaData><![CDATA[ open </MetaData>", (1, 11)),
    ];
    for (document, expected) in cases {
        let unreadable = unreadable(document);
        assert!(
            matches!(unreadable.cause, Cause::NotWellFormed(_)),
            "{document}: {unreadable}"
        );
        assert_eq!(place(&unreadable), expected, "{document}: {unreadable}");
    }
}

#[test]
fn encodings_other_than_utf8_are_refused_by_name() {
    let utf16: Vec<u8> = "\u{feff}<MetaData/>"
        .encode_utf16()
        .flat_map(u16::to_le_bytes)
        .collect();
    assert_eq!(
        unreadable(&utf16).cause,
        Cause::Encoding("UTF-16".to_owned())
    );
    assert_eq!(
        unreadable(&utf16[2..]).cause,
        Cause::Encoding("UTF-16".to_owned())
    );
    let declared = "<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><MetaData/>";
    assert_eq!(
        unreadable(declared).cause,
        Cause::Encoding("ISO-8859-1".to_owned())
    );
    let latin = b"<MetaData>\n<A>S\xE3o</A></MetaData>";
    assert_eq!(unreadable(latin).cause, Cause::NotUtf8);
    assert_eq!(place(&unreadable(latin)), (2, 5));
}

#[test]
fn document_types_and_their_entities_are_refused() {
    let bomb = "<?xml version=\"1.0\"?>\n<!DOCTYPE b [<!ENTITY a \"aaaa\"><!ENTITY b \"&a;&a;\">]><MetaData>&b;</MetaData>";
    assert_eq!(unreadable(bomb).cause, Cause::DocumentType);
    assert_eq!(place(&unreadable(bomb)), (2, 1));
    let entity = "<MetaData><A>&nbsp;</A></MetaData>";
    assert_eq!(
        unreadable(entity).cause,
        Cause::UnknownEntity("nbsp".to_owned())
    );
}

#[test]
fn characters_that_xml_forbids_are_refused_written_or_referred_to() {
    let written = "<MetaData>\n<A>\u{0}</A></MetaData>";
    assert_eq!(unreadable(written).cause, Cause::ForbiddenCharacter(0));
    assert_eq!(place(&unreadable(written)), (2, 4));
    for code in ["&#0;", "&#xFFFE;", "&#xD800;", "&#31;"] {
        let document = format!("<MetaData><A>{code}</A></MetaData>");
        assert!(
            matches!(unreadable(&document).cause, Cause::ForbiddenCharacter(_)),
            "{code}"
        );
    }
}

#[test]
fn limits_hold_and_name_themselves() {
    let deep = "<A>".repeat(DEPTH_MAX + 1);
    assert_eq!(unreadable(declaration(&deep)).cause, Cause::TooDeep);

    let item = "<GovernmentAgencyGoodsItem/>";
    let shipment = |count: usize| {
        declaration(&format!(
            "<GoodsShipment>{}</GoodsShipment>",
            item.repeat(count)
        ))
    };
    assert_eq!(
        filing(shipment(OCCURRENCES_MAX)).facts.items,
        OCCURRENCES_MAX
    );
    let cause = unreadable(shipment(OCCURRENCES_MAX + 1)).cause;
    assert!(
        matches!(
            cause,
            Cause::TooManyOccurrences {
                max: OCCURRENCES_MAX,
                ..
            }
        ),
        "{cause}"
    );

    let long = "x".repeat(VALUE_BYTES_MAX + 1);
    let element = format!("<FunctionalReferenceID>{long}</FunctionalReferenceID>");
    assert_eq!(unreadable(declaration(&element)).cause, Cause::ValueTooLong);

    let around = "<A>1</A>".repeat(ENVELOPE_VALUES_MAX + 1);
    let wrapped = declaration("").replace("<Declaration>", &format!("{around}<Declaration>"));
    assert_eq!(unreadable(wrapped).cause, Cause::EnvelopeTooLarge);
}

#[test]
fn values_without_a_place_beyond_the_limit_are_counted_and_the_document_is_read_on() {
    let end = "<FunctionalReferenceID>L</FunctionalReferenceID>";
    let many = "<A>1</A>".repeat(UNMAPPED_VALUES_MAX + 7);
    let read = filing(declaration(&format!("{many}{end}")));
    assert_eq!(
        (read.unmapped.len(), read.unmapped_omitted),
        (UNMAPPED_VALUES_MAX, 7)
    );
    assert_eq!(read.facts.lrn, "L");

    let value = "x".repeat(VALUE_BYTES_MAX);
    let count = 2 * UNMAPPED_BYTES_MAX / VALUE_BYTES_MAX;
    let long = format!("<A>{value}</A>").repeat(count);
    let read = filing(declaration(&format!("{long}{end}")));
    assert_eq!(read.unmapped.len() + read.unmapped_omitted, count);
    let listed: usize = read.unmapped.iter().map(|one| one.value.len()).sum();
    assert!(listed <= UNMAPPED_BYTES_MAX && read.unmapped_omitted > 0);
}

#[test]
fn what_stands_again_is_named_and_its_goods_and_containers_are_counted() {
    let shipment = |item: &str, number: &str| {
        format!(
            "<GoodsShipment><Consignment><TransportEquipment><ID>{number}</ID></TransportEquipment></Consignment>\
             <GovernmentAgencyGoodsItem><SequenceNumeric>{item}</SequenceNumeric></GovernmentAgencyGoodsItem></GoodsShipment>"
        )
    };
    let filing = filing(declaration(&format!(
        "<TypeCode>EXA</TypeCode><TypeCode/>{}{}{}<GoodsShipment/>",
        shipment("1", "A"),
        shipment("2", "B"),
        shipment("3", "A"),
    )));
    assert_eq!(filing.facts.items, 3);
    assert_eq!(filing.facts.containers, ["A", "B"]);
    assert_eq!(filing.declaration.items.len(), 1);
    let repeated: Vec<_> = filing
        .repeated
        .iter()
        .map(|one| (one.path.as_str(), one.value.as_str()))
        .collect();
    assert_eq!(
        repeated,
        [
            ("/Declaration/TypeCode[2]", "EXA"),
            ("/Declaration/GoodsShipment[2]", ""),
            ("/Declaration/GoodsShipment[3]", ""),
        ]
    );
}

#[test]
fn a_message_tells_the_facts_that_its_document_tells() {
    let filing = filing(declaration(
        "<FunctionalReferenceID>L</FunctionalReferenceID><GoodsShipment><Consignment><TransportEquipment><ID>A</ID></TransportEquipment></Consignment><GovernmentAgencyGoodsItem/></GoodsShipment>",
    ));
    assert_eq!(Facts::of(&filing.declaration), filing.facts);
}

/// A set of all numbers copied for every declaration takes minutes here.
#[test]
fn many_declarations_with_many_containers_cost_no_more_than_their_size() {
    let box_of =
        |number: usize| format!("<TransportEquipment><ID>N{number}</ID></TransportEquipment>");
    let shipment = |boxes: std::ops::Range<usize>| {
        let boxes: String = boxes.map(box_of).collect();
        format!(
            "<Declaration><GoodsShipment><Consignment>{boxes}</Consignment></GoodsShipment></Declaration>"
        )
    };
    let many: String = (0..4_000)
        .map(|number| shipment(number..number + 1))
        .collect();
    let document = format!(
        "<DeclarationFullResponse>{}{many}</DeclarationFullResponse>",
        shipment(0..9_000)
    );
    let start = std::time::Instant::now();
    let Reading::Unsupported(read) = read(document.as_bytes()) else {
        panic!("an answer about declarations is no filing");
    };
    assert_eq!(read.facts.containers.len(), 9_000);
    assert!(start.elapsed().as_secs() < 10, "{:?}", start.elapsed());

    let too_many = "<Declaration/>".repeat(OCCURRENCES_MAX + 1);
    let document = format!("<DeclarationFullResponse>{too_many}</DeclarationFullResponse>");
    assert!(matches!(
        unreadable(document).cause,
        Cause::TooManyOccurrences {
            element: "Declaration",
            ..
        }
    ));
}
