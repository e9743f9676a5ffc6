//! The plain numbers and codes of the field: those that have a form, but no arithmetic behind it.
//! This file must not know who gives the numbers or what they stand for elsewhere.

use chrono::{Datelike, NaiveDate};

use crate::identifier::{FormatError, compact, identifier, is_space};
use crate::text::Text;

/// The longest local reference number, in characters.
pub const LRN_CHARS_MAX: usize = 22;
/// The longest transport document number, in characters.
pub const TRANSPORT_DOCUMENT_CHARS_MAX: usize = 35;

/// Which way goods pass or stock changes, as numbers write it.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Direction {
    /// `I`: into the site; an increase of stock.
    In,
    /// `E`: out of the site; a decrease of stock.
    Out,
}

impl Direction {
    /// The letter that stands for it in stock list and gate pass numbers.
    pub fn letter(self) -> char {
        match self {
            Self::In => 'I',
            Self::Out => 'E',
        }
    }

    /// The kinds of procedure, in customs' words, of a declaration that goes with a stock list of this direction.
    pub fn procedure_kinds(self) -> &'static [&'static str] {
        match self {
            Self::In => &["INTO_BOND"],
            // What goes from one bonded account to another leaves the first on the declaration into the second.
            Self::Out => &["OUT_OF_BOND", "INTO_BOND"],
        }
    }

    fn of_letter(letter: u8) -> Option<Self> {
        match letter {
            b'I' => Some(Self::In),
            b'E' => Some(Self::Out),
            _ => None,
        }
    }
}

identifier! {
    /// A number the filer gives its own declaration (LRN), 1 to 22 characters, kept in the filer's spelling.
    Lrn, FormatError
}

impl Lrn {
    /// Reads a reference; spaces around it are dropped.
    ///
    /// # Errors
    /// The reference is empty, too long, or contains a control character.
    pub fn parse(written: &str) -> Result<Self, FormatError> {
        Text::parse(written, LRN_CHARS_MAX)
            .map(Self)
            .map_err(|_| FormatError {
                name: "a local reference number",
                format: "1 to 22 printable characters",
            })
    }
}

identifier! {
    /// The number of a bill of lading, waybill or consignment reference, 1 to 35 characters. ASCII letters
    /// are raised to upper case, because manifest and declaration meet on it. Not unique by itself.
    TransportDocumentNumber, FormatError
}

impl TransportDocumentNumber {
    /// Reads a number; spaces around it are dropped.
    ///
    /// # Errors
    /// The number is empty, too long, or contains a control character.
    pub fn parse(written: &str) -> Result<Self, FormatError> {
        // Read again after raising: an upper case letter may compose with an accent its lower case does not.
        Text::parse(written, TRANSPORT_DOCUMENT_CHARS_MAX)
            .and_then(|number| {
                Text::parse(&number.to_ascii_uppercase(), TRANSPORT_DOCUMENT_CHARS_MAX)
            })
            .map(Self)
            .map_err(|_| FormatError {
                name: "a transport document number",
                format: "1 to 35 printable characters",
            })
    }
}

identifier! {
    /// A two-letter code of a country or customs territory (`CN`, `GB`, `XI`).
    CountryCode, FormatError
}

impl CountryCode {
    /// Reads a code, in any case. Only its form is checked: customs territories go beyond ISO 3166.
    ///
    /// # Errors
    /// The code is not two letters.
    pub fn parse(written: &str) -> Result<Self, FormatError> {
        formed(written, "LL", "a country code", "two letters (CN, GB, XI)").map(Self)
    }
}

identifier! {
    /// A UN/LOCODE: two letters of the country and three letters or digits of the place (`CNCKG`).
    Unlocode, FormatError
}

impl Unlocode {
    /// Reads a code, in any case, with or without the space after the country.
    ///
    /// # Errors
    /// The code does not have that form; the digits 0 and 1 are not used in it.
    pub fn parse(written: &str) -> Result<Self, FormatError> {
        const NAME: &str = "a UN/LOCODE";
        const FORMAT: &str =
            "two letters of the country and three letters or digits 2 to 9 of the place (CNCKG)";
        formed(written, "LLAAA", NAME, FORMAT)
            .ok()
            .filter(|code| !code.contains(['0', '1']))
            .map(Self)
            .ok_or(FormatError {
                name: NAME,
                format: FORMAT,
            })
    }

    /// The two letters of the country.
    pub fn country(&self) -> &str {
        self.0.get(..2).unwrap_or_default()
    }
}

identifier! {
    /// An EORI number: two letters of the territory and up to fifteen letters or digits.
    Eori, FormatError
}

impl Eori {
    /// Reads a number, in any case, with or without spaces.
    ///
    /// # Errors
    /// The number does not have that form.
    pub fn parse(written: &str) -> Result<Self, FormatError> {
        let is_eori = |number: &String| match number.as_bytes() {
            [territory1, territory2, rest @ ..] => {
                [territory1, territory2]
                    .into_iter()
                    .all(u8::is_ascii_uppercase)
                    && (1..=15).contains(&rest.len())
                    && rest.iter().all(|character| {
                        character.is_ascii_uppercase() || character.is_ascii_digit()
                    })
            }
            _ => false,
        };
        compact(written, is_space)
            .filter(is_eori)
            .map(Self)
            .ok_or(FormatError {
                name: "an EORI number",
                format: "two letters and up to fifteen letters or digits (GB123456789000)",
            })
    }

    /// The same party's number in the other of its two British forms: GB for XI, XI for GB; none for others.
    pub fn other_british_form(&self) -> Option<Self> {
        let (territory, rest) = self.0.split_at_checked(2)?;
        match territory {
            "GB" => Some(Self(format!("XI{rest}"))),
            "XI" => Some(Self(format!("GB{rest}"))),
            _ => None,
        }
    }
}

identifier! {
    /// A Chinese customs area (关区): four digits.
    CustomsArea, FormatError
}

impl CustomsArea {
    /// Reads an area.
    ///
    /// # Errors
    /// The area is not four digits.
    pub fn parse(written: &str) -> Result<Self, FormatError> {
        formed(written, "DDDD", "a customs area", "four digits").map(Self)
    }
}

identifier! {
    /// An account book number: twelve letters or digits, opaque.
    BookNumber, FormatError
}

impl BookNumber {
    /// Reads a number, in any case.
    ///
    /// # Errors
    /// The number is not twelve letters or digits.
    pub fn parse(written: &str) -> Result<Self, FormatError> {
        formed(
            written,
            "AAAAAAAAAAAA",
            "an account book number",
            "twelve letters or digits",
        )
        .map(Self)
    }
}

identifier! {
    /// A stock list number, 18 characters: `QD`, customs area, two digits of the year, `I` or `E`, nine digits.
    StockListNumber, FormatError
}

impl StockListNumber {
    /// Reads a number, in any case.
    ///
    /// # Errors
    /// The number does not have that form.
    pub fn parse(written: &str) -> Result<Self, FormatError> {
        formed(written, "qdDDDDDDXDDDDDDDDD", Self::NAME, Self::FORMAT).map(Self)
    }

    /// Makes a number: `year` in two digits (26), `serial` of at most nine digits.
    ///
    /// # Errors
    /// The year or the serial number has too many digits.
    pub fn mint(
        area: &CustomsArea,
        year: u8,
        direction: Direction,
        serial: u32,
    ) -> Result<Self, FormatError> {
        Self::parse(&format!(
            "QD{area}{year:02}{}{serial:09}",
            direction.letter()
        ))
    }

    /// Whether the list increases ([`Direction::In`]) or decreases ([`Direction::Out`]) the stock.
    pub fn direction(&self) -> Direction {
        direction_at(&self.0, 8)
    }

    const NAME: &str = "a stock list number";
    const FORMAT: &str =
        "18 characters: QD, four digits of the customs area, two of the year, I or E, nine digits";
}

identifier! {
    /// A gate pass number, 24 characters: `Z`, customs area, `I` or `E`, day as `yymmdd`, twelve digits.
    GatePassNumber, FormatError
}

impl GatePassNumber {
    /// Reads a number, in any case.
    ///
    /// # Errors
    /// The number does not have that form, or its day does not exist.
    pub fn parse(written: &str) -> Result<Self, FormatError> {
        let number = formed(
            written,
            "zDDDDXDDDDDDDDDDDDDDDDDD",
            Self::NAME,
            Self::FORMAT,
        )?;
        let day = number.get(6..12).and_then(day_of);
        day.map(|_| Self(number)).ok_or(FormatError {
            name: Self::NAME,
            format: Self::FORMAT,
        })
    }

    /// Makes a number for a day of this century, with a `serial` of at most twelve digits.
    ///
    /// # Errors
    /// The day is of another century, or the serial number has too many digits.
    pub fn mint(
        area: &CustomsArea,
        direction: Direction,
        day: NaiveDate,
        serial: u64,
    ) -> Result<Self, FormatError> {
        if !(2000..2100).contains(&day.year()) {
            return Err(FormatError {
                name: Self::NAME,
                format: Self::FORMAT,
            });
        }
        let (year, month, day) = (day.year() - 2000, day.month(), day.day());
        Self::parse(&format!(
            "Z{area}{}{year:02}{month:02}{day:02}{serial:012}",
            direction.letter()
        ))
    }

    /// Whether the pass is for goods coming in or going out.
    pub fn direction(&self) -> Direction {
        direction_at(&self.0, 5)
    }

    const NAME: &str = "a gate pass number";
    const FORMAT: &str = "24 characters: Z, four digits of the customs area, I or E, the day as yymmdd, twelve digits";
}

fn day_of(yymmdd: &str) -> Option<NaiveDate> {
    let pair = |from: usize| yymmdd.get(from..from + 2)?.parse::<u32>().ok();
    NaiveDate::from_ymd_opt(2000 + i32::try_from(pair(0)?).ok()?, pair(2)?, pair(4)?)
}

fn direction_at(number: &str, position: usize) -> Direction {
    // The number was parsed, so the letter is one of the two.
    number
        .as_bytes()
        .get(position)
        .copied()
        .and_then(Direction::of_letter)
        .unwrap_or(Direction::Out)
}

/// The compacted text, if it has the form character by character: `L` a letter, `D` a digit, `A` either,
/// `X` a direction's letter; a lower case letter stands for itself in upper case.
fn formed(
    written: &str,
    form: &str,
    name: &'static str,
    format: &'static str,
) -> Result<String, FormatError> {
    let fits = |(character, expected): (u8, u8)| match expected {
        b'L' => character.is_ascii_uppercase(),
        b'D' => character.is_ascii_digit(),
        b'A' => character.is_ascii_uppercase() || character.is_ascii_digit(),
        b'X' => Direction::of_letter(character).is_some(),
        literal => character == literal.to_ascii_uppercase(),
    };
    compact(written, is_space)
        .filter(|number| number.len() == form.len() && number.bytes().zip(form.bytes()).all(fits))
        .ok_or(FormatError { name, format })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn an_lrn_is_kept_as_the_filer_wrote_it() {
        assert_eq!(
            Lrn::parse("  My ref/1 ").expect("valid").as_str(),
            "My ref/1"
        );
        assert!(Lrn::parse(&"x".repeat(22)).is_ok());
        for refused in ["", " ", &"x".repeat(23), "a\tb"] {
            assert!(Lrn::parse(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_transport_document_is_compared_in_upper_case() {
        assert_eq!(
            TransportDocumentNumber::parse(" cosu612345 "),
            TransportDocumentNumber::parse("COSU612345")
        );
        assert_eq!(
            TransportDocumentNumber::parse("i\u{307}")
                .expect("valid")
                .as_str(),
            "İ"
        );
        assert!(TransportDocumentNumber::parse(&"x".repeat(36)).is_err());
    }

    #[test]
    fn chongqing_has_a_unlocode() {
        let place = Unlocode::parse("cn ckg").expect("valid");
        assert_eq!((place.as_str(), place.country()), ("CNCKG", "CN"));
        for refused in ["CNCK", "CNCKGX", "C1CKG", "CNCK0"] {
            assert!(Unlocode::parse(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn an_eori_has_a_british_and_a_northern_irish_form() {
        let british = Eori::parse("gb 123456789000").expect("valid");
        let northern_irish = british.other_british_form().expect("has one");
        assert_eq!(northern_irish.as_str(), "XI123456789000");
        assert_eq!(northern_irish.other_british_form(), Some(british));
        assert_eq!(
            Eori::parse("PL123456789")
                .expect("valid")
                .other_british_form(),
            None
        );
        for refused in ["GB", "G1234", "GB1234567890123456", "GB-1"] {
            assert!(Eori::parse(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_book_number_is_opaque() {
        assert_eq!(
            BookNumber::parse("t8000w000001").expect("valid").as_str(),
            "T8000W000001"
        );
        assert!(BookNumber::parse("T8000W00001").is_err());
    }

    #[test]
    fn a_stock_list_number_tells_its_direction() {
        let area = CustomsArea::parse("8000").expect("valid");
        let list = StockListNumber::mint(&area, 26, Direction::In, 42).expect("fits");
        assert_eq!(list.as_str(), "QD800026I000000042");
        assert_eq!(list.direction(), Direction::In);
        assert!(StockListNumber::mint(&area, 100, Direction::In, 1).is_err());
        assert!(StockListNumber::mint(&area, 26, Direction::In, 1_000_000_000).is_err());
        for refused in [
            "QX800026I000000042",
            "QD800026X000000042",
            "QD800026I00000042",
            "DQ800026I000000042",
        ] {
            assert!(StockListNumber::parse(refused).is_err(), "{refused}");
        }
    }

    #[test]
    fn a_gate_pass_number_carries_its_day() {
        let area = CustomsArea::parse("8000").expect("valid");
        let day = NaiveDate::from_ymd_opt(2026, 2, 28).expect("exists");
        let pass = GatePassNumber::mint(&area, Direction::Out, day, 7).expect("fits");
        assert_eq!(pass.as_str(), "Z8000E260228000000000007");
        assert_eq!(pass.direction(), Direction::Out);
        let inward = GatePassNumber::parse("z8000i260228000000000007").expect("valid");
        assert_eq!(inward.direction(), Direction::In);
        assert!(GatePassNumber::parse("Z8000E260230000000000007").is_err());
        assert!(GatePassNumber::mint(&area, Direction::Out, day, 1_000_000_000_000).is_err());
    }

    proptest! {
        #[test]
        fn every_minted_number_is_read_back(area in "[0-9]{4}", year in 0u8..100, serial in 0u32..1_000_000_000, inward: bool) {
            let area = CustomsArea::parse(&area).expect("four digits");
            let direction = if inward { Direction::In } else { Direction::Out };
            let list = StockListNumber::mint(&area, year, direction, serial).expect("fits");
            prop_assert_eq!(list.direction(), direction);
            prop_assert_eq!(list.as_str().len(), 18);
        }
    }
}
