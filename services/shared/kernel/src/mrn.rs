//! Movement reference numbers: the number customs gives a declaration. Ours are always minted with a
//! right check digit; a partner's may carry a wrong one, so its form and its digit are judged apart.
//! This file must not know declarations.

use crate::check_digit;
use crate::identifier::{compact, identifier, is_space};

identifier! {
    /// A movement reference number: two digits of the year, two letters of the country, thirteen letters
    /// or digits, one check digit. The check digit may be wrong until [`verify`](Mrn::verify) says it is not.
    Mrn, MrnError
}

/// Why a text is no movement reference number, or not a sound one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MrnError {
    /// Not of the form `^[0-9]{2}[A-Z]{2}[A-Z0-9]{13}[0-9]$`.
    #[error(
        "an MRN is 18 characters: 2 digits of the year, 2 letters of the country, 13 letters or digits, a check digit; copy it from the acceptance notice"
    )]
    Shape,
    /// The last digit does not follow from the others.
    #[error(
        "the check digit of this MRN would be {expected}, not {found}; one of its characters is wrong"
    )]
    CheckDigit {
        /// The digit that follows from the seventeen characters before it.
        expected: char,
        /// The digit as given.
        found: char,
    },
}

impl Mrn {
    /// Reads a number of the right form, in any case, with or without spaces. The check digit is not judged.
    ///
    /// # Errors
    /// [`MrnError::Shape`].
    pub fn parse(written: &str) -> Result<Self, MrnError> {
        compact(written, is_space)
            .filter(|number| is_mrn(number.as_bytes()))
            .map(Self)
            .ok_or(MrnError::Shape)
    }

    /// Makes a number of ours, with its check digit: `year` in two digits (26), `country` in two letters,
    /// `body` of thirteen letters or digits.
    ///
    /// # Errors
    /// [`MrnError::Shape`] if a part does not have its form.
    pub fn mint(year: u8, country: &str, body: &str) -> Result<Self, MrnError> {
        // The parts are measured one by one, so that a long country cannot make up for a short body.
        if year > 99 || country.len() != 2 || body.len() != 13 {
            return Err(MrnError::Shape);
        }
        let front = format!("{year:02}{country}{body}").to_ascii_uppercase();
        let remainder = check_digit::remainder(front.as_bytes()).ok_or(MrnError::Shape)?;
        Self::parse(&format!("{front}{}", check_digit::digit(remainder)))
    }

    /// Judges the check digit (weights and letter values of ISO 6346, modulo 11, modulo 10).
    ///
    /// # Errors
    /// [`MrnError::CheckDigit`] with the right digit; on a partner's document this only warns.
    pub fn verify(&self) -> Result<(), MrnError> {
        let (&check, front) = self.0.as_bytes().split_last().ok_or(MrnError::Shape)?;
        let remainder = check_digit::remainder(front).ok_or(MrnError::Shape)?;
        let (expected, found) = (check_digit::digit(remainder), char::from(check));
        if expected == found {
            Ok(())
        } else {
            Err(MrnError::CheckDigit { expected, found })
        }
    }

    /// The two letters of the country whose customs gave the number.
    pub fn country(&self) -> &str {
        self.0.get(2..4).unwrap_or_default()
    }
}

fn is_mrn(number: &[u8]) -> bool {
    let [y1, y2, c1, c2, body @ .., check] = number else {
        return false;
    };
    body.len() == 13
        && [y1, y2, check].into_iter().all(u8::is_ascii_digit)
        && [c1, c2].into_iter().all(u8::is_ascii_uppercase)
        && body
            .iter()
            .all(|character| character.is_ascii_uppercase() || character.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_is_normalised() {
        let number = Mrn::parse(" 21gb 01x14031469016 ").expect("valid");
        assert_eq!(number.as_str(), "21GB01X14031469016");
        assert_eq!(number.country(), "GB");
    }

    #[test]
    fn a_wrong_check_digit_is_read_but_not_verified() {
        let number = Mrn::parse("21GB01X14031469017").expect("well-formed");
        assert_eq!(
            number.verify(),
            Err(MrnError::CheckDigit {
                expected: '6',
                found: '7'
            })
        );
    }

    #[test]
    fn parts_of_the_wrong_length_are_not_minted() {
        assert!(Mrn::mint(26, "GB", "ABCDEFGHIJKLM").is_ok());
        assert!(Mrn::mint(100, "GB", "ABCDEFGHIJKLM").is_err());
        assert!(Mrn::mint(26, "GBA", "BCDEFGHIJKLM").is_err());
        assert!(Mrn::mint(26, "G1", "ABCDEFGHIJKLM").is_err());
        assert!(Mrn::mint(26, "GB", "ABCDEFGHIJKL ").is_err());
        assert!(Mrn::mint(26, "GB", "ABCDEFGHIJKL-").is_err());
    }

    proptest! {
        #[test]
        fn every_minted_number_verifies(year in 0u8..100, country in "[A-Z]{2}", body in "[A-Z0-9]{13}") {
            let number = Mrn::mint(year, &country, &body).expect("well-formed parts");
            prop_assert_eq!(number.verify(), Ok(()));
            prop_assert_eq!(Mrn::parse(number.as_str()), Ok(number));
        }
    }
}
