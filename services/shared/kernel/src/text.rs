//! Free text from strangers (names, goods descriptions, reasons): one spelling, one line, bounded.
//! It must not know what the text says.

use unicode_normalization::UnicodeNormalization;

/// The most characters that compose into one under NFC; bounds the work done on text that is too long.
const COMPOSED_CHARS_MAX: usize = 4;

/// Reads free text. It makes no type of its own: what is read is an ordinary string.
#[derive(Debug)]
pub struct Text;

/// Why a text is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum TextError {
    /// Nothing but spaces, or nothing at all.
    #[error("the text is empty; fill it in")]
    Empty,
    /// More characters than allowed.
    #[error("the text is longer than {chars_max} characters; shorten it")]
    TooLong {
        /// The limit, in characters.
        chars_max: usize,
    },
    /// A character that is not part of any text: a control character (a tab or line break too), a line or
    /// paragraph separator, or one that turns the reading direction and so can disguise what is read.
    #[error(
        "the text contains the control character U+{code_point:04X}; remove it (write several lines as one)"
    )]
    ControlCharacter {
        /// The character's number.
        code_point: u32,
    },
}

impl Text {
    /// Trims the text and brings it into Unicode normalisation form C.
    ///
    /// # Errors
    /// The text is empty, longer than `chars_max` characters, or contains a control character.
    pub fn parse(written: &str, chars_max: usize) -> Result<String, TextError> {
        let trimmed = written.trim();
        let looked_at_max = chars_max.saturating_mul(COMPOSED_CHARS_MAX);
        for (position, character) in trimmed.chars().enumerate() {
            if position >= looked_at_max {
                return Err(TextError::TooLong { chars_max });
            }
            if is_control(character) {
                return Err(TextError::ControlCharacter {
                    code_point: character.into(),
                });
            }
        }
        let text: String = trimmed.nfc().collect();
        if text.is_empty() {
            return Err(TextError::Empty);
        }
        if text.chars().nth(chars_max).is_some() {
            return Err(TextError::TooLong { chars_max });
        }
        Ok(text)
    }

    /// As [`parse`](Self::parse), but an empty text is none.
    ///
    /// # Errors
    /// The text is longer than `chars_max` characters, or contains a control character.
    pub fn parse_optional(written: &str, chars_max: usize) -> Result<Option<String>, TextError> {
        if written.trim().is_empty() {
            Ok(None)
        } else {
            Self::parse(written, chars_max).map(Some)
        }
    }
}

fn is_control(character: char) -> bool {
    character.is_control()
        || matches!(character, '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn text_is_trimmed_and_composed() {
        assert_eq!(
            Text::parse("  Cafe\u{301} 重庆 \n", 10).as_deref(),
            Ok("Café 重庆")
        );
    }

    #[test]
    fn the_limit_counts_characters_after_composition() {
        assert!(Text::parse(&"e\u{301}".repeat(5), 5).is_ok());
        assert_eq!(
            Text::parse("箱箱箱箱箱箱", 5),
            Err(TextError::TooLong { chars_max: 5 })
        );
        assert_eq!(
            Text::parse(&"x".repeat(1_000_000), 5),
            Err(TextError::TooLong { chars_max: 5 })
        );
    }

    #[test]
    fn control_characters_are_refused() {
        for (written, code_point) in [
            ("a\u{0}b", 0),
            ("a\nb", 10),
            ("a\u{202e}b", 0x202e),
            ("a\u{85}b", 0x85),
        ] {
            assert_eq!(
                Text::parse(written, 10),
                Err(TextError::ControlCharacter { code_point })
            );
        }
    }

    #[test]
    fn empty_text_is_refused_or_none() {
        assert_eq!(Text::parse(" \t ", 10), Err(TextError::Empty));
        assert_eq!(Text::parse_optional(" \t ", 10), Ok(None));
        assert_eq!(Text::parse_optional(" a ", 10), Ok(Some("a".to_owned())));
    }

    proptest! {
        #[test]
        fn reading_twice_changes_nothing(written in any::<String>()) {
            if let Ok(text) = Text::parse(&written, 100) {
                prop_assert_eq!(Text::parse(&text, 100), Ok(text));
            }
        }
    }
}
