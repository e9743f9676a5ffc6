//! Unified social credit codes (GB 32100): how Chinese authorities name a firm. This file must not know
//! parties or their roles.

use crate::identifier::{compact, identifier};

/// The characters of a code in the order of their values; I, O, S, V and Z are left out.
const ALPHABET: &[u8; 31] = b"0123456789ABCDEFGHJKLMNPQRTUWXY";

identifier! {
    /// A unified social credit code (GB 32100): 18 characters, the last a right check character.
    Uscc, UsccError
}

/// Why a text is no unified social credit code.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UsccError {
    /// Not 18 characters of the code's alphabet, the first eight digits.
    #[error(
        "a unified social credit code is 18 characters: 8 digits, then digits or capital letters without I, O, S, V and Z; copy it from the business licence"
    )]
    Shape,
    /// The last character does not follow from the others.
    #[error(
        "the check character of this unified social credit code would be {expected}, not {found}; one of its characters is wrong"
    )]
    CheckCharacter {
        /// The character that follows from the seventeen before it.
        expected: char,
        /// The character as given.
        found: char,
    },
}

impl Uscc {
    /// Reads a code, in any case, with or without spaces and hyphens.
    ///
    /// # Errors
    /// The code is not well-formed, or its check character is wrong.
    pub fn parse(written: &str) -> Result<Self, UsccError> {
        let code = compact(written, |character| {
            character.is_whitespace() || character == '-'
        })
        .ok_or(UsccError::Shape)?;
        let (&found, front) = code.as_bytes().split_last().ok_or(UsccError::Shape)?;
        let starts_with_digits = front.iter().take(8).all(u8::is_ascii_digit);
        if front.len() != 17 || !starts_with_digits || value(found).is_none() {
            return Err(UsccError::Shape);
        }
        let expected = check_character(front).ok_or(UsccError::Shape)?;
        if expected != found {
            return Err(UsccError::CheckCharacter {
                expected: char::from(expected),
                found: char::from(found),
            });
        }
        Ok(Self(code))
    }
}

/// The check character: weights are the powers of 3, modulo 31; none if a character is not of the alphabet.
fn check_character(front: &[u8]) -> Option<u8> {
    let mut weight = 1;
    let mut sum = 0;
    for &character in front {
        sum = (sum + weight * value(character)?) % 31;
        weight = weight * 3 % 31;
    }
    ALPHABET.get((31 - sum) % 31).copied()
}

fn value(character: u8) -> Option<usize> {
    ALPHABET.iter().position(|&known| known == character)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_code_is_normalised() {
        assert_eq!(
            Uscc::parse(" 91340600ma2pbn188w ").expect("valid").as_str(),
            "91340600MA2PBN188W"
        );
    }

    #[test]
    fn a_wrong_check_character_names_the_right_one() {
        let refused = Uscc::parse("91110000600037341N");
        assert_eq!(
            refused,
            Err(UsccError::CheckCharacter {
                expected: 'L',
                found: 'N'
            })
        );
    }

    #[test]
    fn letters_left_out_of_the_alphabet_are_refused() {
        assert_eq!(Uscc::parse("9111000060003IOZSV"), Err(UsccError::Shape));
    }

    #[test]
    fn the_first_eight_characters_are_digits() {
        let front = b"9134060AMA2PBN188";
        let check = check_character(front).expect("of the alphabet");
        let code = format!("9134060AMA2PBN188{}", char::from(check));
        assert_eq!(Uscc::parse(&code), Err(UsccError::Shape));
    }

    proptest! {
        #[test]
        fn every_single_wrong_character_is_found(front in "[0-9]{8}[0-9A-HJ-NP-RTUW-Y]{9}", place in 0usize..17, other in 0usize..31) {
            let check = check_character(front.as_bytes()).expect("of the alphabet");
            let mut code = front.into_bytes();
            code.push(check);
            let right = String::from_utf8(code.clone()).expect("ASCII");
            prop_assert!(Uscc::parse(&right).is_ok());
            prop_assume!(code[place] != ALPHABET[other]);
            code[place] = ALPHABET[other];
            prop_assert!(Uscc::parse(&String::from_utf8(code).expect("ASCII")).is_err());
        }
    }
}
