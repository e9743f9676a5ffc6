//! Whatever a stranger writes, reading it neither panics nor takes long, and what was accepted once is
//! accepted again, unchanged.

use std::fmt::{Debug, Display};

use kernel::*;
use proptest::prelude::*;

/// Reads the text; if it is accepted, its normalised form must be accepted as itself.
fn read_twice<T: Display + PartialEq + Debug, E: Debug + Display>(
    written: &str,
    parse: impl Fn(&str) -> Result<T, E>,
) {
    match parse(written) {
        Ok(value) => assert_eq!(parse(&value.to_string()).expect("its own form"), value),
        Err(refused) => assert!(
            refused.to_string().len() < 300,
            "a refusal must not repeat what it refuses"
        ),
    }
}

fn read_as_everything(written: &str) {
    read_twice(written, ContainerNumber::parse);
    read_twice(written, SizeType::parse);
    read_twice(written, Mrn::parse);
    read_twice(written, Uscc::parse);
    read_twice(written, HsCode::parse);
    read_twice(written, Lrn::parse);
    read_twice(written, TransportDocumentNumber::parse);
    read_twice(written, CountryCode::parse);
    read_twice(written, Unlocode::parse);
    read_twice(written, Eori::parse);
    read_twice(written, CustomsArea::parse);
    read_twice(written, BookNumber::parse);
    read_twice(written, StockListNumber::parse);
    read_twice(written, GatePassNumber::parse);
    read_twice(written, UnitCode::parse);
    read_twice(written, Currency::parse);
    read_twice(written, Plate::parse);
    read_twice(written, |text| Plate::parse_of("KZ", text));
    read_twice(written, |text| Text::parse(text, 100));
    let _ = Quantity::parse(written, "KGM");
    let _ = Quantity::parse("1", written);
    let _ = Money::parse(written, "GBP");
    let _ = Money::parse("1", written);
}

#[test]
fn very_long_input_is_refused_by_everything() {
    for piece in [
        "A",
        "0",
        " ",
        "-",
        "字",
        "e\u{301}",
        "\u{0}",
        "\u{1f600}",
        "U+FDFA \u{fdfa}",
    ] {
        read_as_everything(&piece.repeat(1_000_000 / piece.len()));
    }
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(written in any::<String>()) {
        read_as_everything(&written);
    }

    #[test]
    fn text_of_almost_the_right_form_is_read_or_refused(written in "[ ]?[0-9A-Zqd渝·.\\-]{1,24}[ #]?[A-Z]?") {
        read_as_everything(&written);
    }
}
