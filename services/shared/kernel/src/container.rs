//! Container numbers and size-type codes (ISO 6346). A number names a box, never a stay; this file must
//! not know visits, manifests or holds.

use crate::check_digit;
use crate::identifier::{FormatError, compact, identifier, is_space};

identifier! {
    /// A container number (ISO 6346): owner code, category letter, six digits and a right check digit.
    ContainerNumber, ContainerNumberError
}

/// Why a text is no container number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ContainerNumberError {
    /// Not four letters and seven digits.
    #[error(
        "a container number is four letters and seven digits (MSKU 907032 3); write it as it stands on the container's door"
    )]
    Shape,
    /// The fourth letter names no category of equipment.
    #[error(
        "the fourth letter of a container number is U, J or Z (or R, on swap bodies), not {found}; look at the door again"
    )]
    Category {
        /// The fourth letter as given.
        found: char,
    },
    /// The last digit does not follow from the others.
    #[error(
        "the check digit of this container number would be {expected}, not {found}; one of its characters is wrong"
    )]
    CheckDigit {
        /// The digit that follows from the ten characters before it.
        expected: char,
        /// The digit as given.
        found: char,
    },
}

impl ContainerNumber {
    /// Reads a number as people and documents write it: any case, with spaces, hyphens, brackets or dots.
    ///
    /// # Errors
    /// The number is not well-formed, its category letter is unknown, or its check digit is wrong.
    pub fn parse(written: &str) -> Result<Self, ContainerNumberError> {
        let number = compact(written, is_separator).ok_or(ContainerNumberError::Shape)?;
        let characters: [u8; 11] = number
            .as_bytes()
            .try_into()
            .map_err(|_| ContainerNumberError::Shape)?;
        let [front @ .., check] = characters;
        let [owner @ .., _, _, _, _, _, _] = front;
        let [_, _, _, _, serial @ ..] = front;
        let letters_then_digits =
            owner.iter().all(u8::is_ascii_uppercase) && serial.iter().all(u8::is_ascii_digit);
        if !letters_then_digits || !check.is_ascii_digit() {
            return Err(ContainerNumberError::Shape);
        }
        let [_, _, _, category] = owner;
        if !matches!(category, b'U' | b'J' | b'Z' | b'R') {
            return Err(ContainerNumberError::Category {
                found: char::from(category),
            });
        }
        let remainder = check_digit::remainder(&front).ok_or(ContainerNumberError::Shape)?;
        let (expected, found) = (check_digit::digit(remainder), char::from(check));
        if expected != found {
            return Err(ContainerNumberError::CheckDigit { expected, found });
        }
        Ok(Self(number))
    }

    /// The owner code with the category letter: the first four letters.
    pub fn prefix(&self) -> &str {
        self.0.get(..4).unwrap_or_default()
    }

    /// The serial number: six digits.
    pub fn serial(&self) -> &str {
        self.0.get(4..10).unwrap_or_default()
    }

    /// The remainder, 0 to 10, that the check digit stands for.
    pub fn remainder(&self) -> u8 {
        let front = self.0.as_bytes().get(..10).unwrap_or_default();
        check_digit::remainder(front).unwrap_or_default()
    }

    /// Whether the remainder is 10. It shares the digit 0 with the remainder 0, so such a number may hide
    /// an error, and ISO 6346 advises owners not to use it: accept it, and say so.
    pub fn remainder_ten(&self) -> bool {
        self.remainder() == 10
    }
}

fn is_separator(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '-' | '‐' | '‑' | '–' | '.' | '(' | ')' | '[' | ']'
        )
}

identifier! {
    /// A container's size and type (ISO 6346): length, height and width, type group, detail (`22G1`, `45R1`).
    SizeType, FormatError
}

impl SizeType {
    /// Reads a code, in any case. Only its form is checked: editions of the standard differ in the codes.
    ///
    /// # Errors
    /// The code is not four letters or digits with a letter in third place.
    pub fn parse(written: &str) -> Result<Self, FormatError> {
        compact(written, is_space)
            .filter(|code| is_size_type(code.as_bytes()))
            .map(Self)
            .ok_or(FormatError {
                name: "a container size and type",
                format: "four letters or digits, the third a letter (22G1, 45R1)",
            })
    }
}

fn is_size_type(code: &[u8]) -> bool {
    matches!(code, [_, _, group, _] if group.is_ascii_uppercase())
        && code
            .iter()
            .all(|character| character.is_ascii_uppercase() || character.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_number_is_read_as_people_write_it() {
        for written in [
            "MSKU9070323",
            "msku 907032 3",
            "MSKU-907032-[3]",
            " MSKU 907.032(3)\u{a0}",
        ] {
            assert_eq!(
                ContainerNumber::parse(written).expect(written).as_str(),
                "MSKU9070323"
            );
        }
    }

    #[test]
    fn a_spelling_is_not_read_beyond_its_limit() {
        let padded = format!("MSKU9070323{}", " ".repeat(1_000));
        assert_eq!(
            ContainerNumber::parse(&padded),
            Err(ContainerNumberError::Shape)
        );
    }

    #[test]
    fn the_parts_of_a_number_can_be_named() {
        let number = ContainerNumber::parse("MSKU9070323").expect("valid");
        assert_eq!(
            (number.prefix(), number.serial(), number.remainder()),
            ("MSKU", "907032", 3)
        );
    }

    #[test]
    fn a_wrong_check_digit_names_the_right_one() {
        let refused = ContainerNumber::parse("MSCU1234567");
        assert_eq!(
            refused,
            Err(ContainerNumberError::CheckDigit {
                expected: '6',
                found: '7'
            })
        );
    }

    #[test]
    fn an_unknown_category_is_refused() {
        assert_eq!(
            ContainerNumber::parse("MSKA9070323"),
            Err(ContainerNumberError::Category { found: 'A' })
        );
    }

    #[test]
    fn letters_of_other_scripts_are_not_taken_for_latin_ones() {
        assert_eq!(
            ContainerNumber::parse("МSKU9070323"),
            Err(ContainerNumberError::Shape)
        );
        assert_eq!(
            ContainerNumber::parse("MſKU9070323"),
            Err(ContainerNumberError::Shape)
        );
    }

    #[test]
    fn one_digit_for_two_remainders_hides_an_error() {
        let ten = ContainerNumber::parse("MRKU4976720").expect("remainder 10");
        let zero = ContainerNumber::parse("MRKU2976720").expect("remainder 0");
        assert!(ten.remainder_ten());
        assert!(!zero.remainder_ten());
    }

    #[test]
    fn a_size_type_has_four_characters() {
        for code in ["22G1", "45g1", "45R1", "L5G1", "22GP"] {
            assert!(SizeType::parse(code).is_ok(), "{code}");
        }
        for code in ["", "22G", "22G11", "2211", "22-1", "２２G1"] {
            assert!(SizeType::parse(code).is_err(), "{code}");
        }
    }

    proptest! {
        #[test]
        fn every_single_wrong_digit_is_found_unless_the_remainder_is_ten(serial in 0u32..1_000_000, place in 0usize..6, shift in 1u8..10) {
            let front = format!("CSQU{serial:06}");
            let remainder = check_digit::remainder(front.as_bytes()).expect("letters and digits");
            let number = format!("{front}{}", check_digit::digit(remainder));
            prop_assert!(ContainerNumber::parse(&number).is_ok());

            let mut changed = number.clone().into_bytes();
            changed[4 + place] = b'0' + (changed[4 + place] - b'0' + shift) % 10;
            let changed = String::from_utf8(changed).expect("ASCII");
            if let Ok(undetected) = ContainerNumber::parse(&changed) {
                prop_assert!(remainder == 10 || undetected.remainder_ten());
            }
        }
    }
}
