//! HS codes: how tariffs number goods. It knows which six-digit headings exist, and must not know duties,
//! tariffs or what follows from an unknown heading.

use std::sync::LazyLock;

use crate::identifier::{FormatError, compact, identifier};

/// The six-digit codes in ascending order; see the README for their source.
static HEADINGS: LazyLock<Vec<&'static str>> =
    LazyLock::new(|| include_str!("../data/hs6.txt").lines().collect());

identifier! {
    /// A commodity code: six digits of the Harmonized System and up to four of a national tariff.
    HsCode, FormatError
}

impl HsCode {
    /// Reads a code, with or without spaces and dots (`8471.30.01`).
    ///
    /// # Errors
    /// The code is not six to ten digits.
    pub fn parse(written: &str) -> Result<Self, FormatError> {
        compact(written, |character| {
            character.is_whitespace() || character == '.'
        })
        .filter(|code| {
            (6..=10).contains(&code.len()) && code.bytes().all(|digit| digit.is_ascii_digit())
        })
        .map(Self)
        .ok_or(FormatError {
            name: "an HS code",
            format: "six to ten digits (8471.30.01)",
        })
    }

    /// The first six digits, which all tariffs share.
    pub fn heading6(&self) -> &str {
        self.0.get(..6).unwrap_or_default()
    }

    /// Whether the first six digits stand in our list. Editions of the Harmonized System differ, so an
    /// unknown heading is a reason to warn, not to refuse.
    pub fn known_heading(&self) -> bool {
        HEADINGS.binary_search(&self.heading6()).is_ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_code_is_read_with_its_dots() {
        let code = HsCode::parse("8471.30.0100").expect("valid");
        assert_eq!((code.as_str(), code.heading6()), ("8471300100", "847130"));
        assert!(code.known_heading());
    }

    #[test]
    fn an_unknown_heading_is_read_all_the_same() {
        assert!(
            !HsCode::parse("000000")
                .expect("well-formed")
                .known_heading()
        );
    }

    #[test]
    fn a_code_has_six_to_ten_digits() {
        for code in ["", "84713", "84713001001", "84713O", "８４７１３０"] {
            assert!(HsCode::parse(code).is_err(), "{code}");
        }
    }

    #[test]
    fn the_list_is_sorted_without_repetition_and_every_code_in_it_is_found() {
        assert_eq!(HEADINGS.len(), 5_613);
        assert!(HEADINGS.is_sorted_by(|earlier, later| earlier < later));
        assert!(
            HEADINGS
                .iter()
                .all(|code| HsCode::parse(code).expect("well-formed").known_heading())
        );
    }
}
