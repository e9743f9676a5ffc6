//! Number plates of trucks and trailers: what a filing says and what a camera reads become one form, so
//! that they can be compared. Equality is of the normalised form; likeness never counts (fleets have
//! sequential plates). This file must not know who drives.

use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;

use crate::identifier::WRITTEN_BYTES_MAX;
use crate::numbers::CountryCode;

/// The longest normalised plate, in characters.
pub const PLATE_CHARS_MAX: usize = 15;

/// The province signs that begin a Chinese plate (GA 36).
const PROVINCES: &str = "京津沪渝冀豫云辽黑湘皖鲁新苏浙赣鄂桂甘晋蒙陕吉闽贵粤青藏川宁琼";
/// The signs that may end an ordinary one: trailer, learner, police, over size, Hong Kong, Macao.
const LAST_SIGNS: &str = "挂学警超港澳";

/// A plate: country and normalised form decide what it equals; the original spelling is kept beside them.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "WrittenPlate", into = "WrittenPlate")]
pub struct Plate {
    country: CountryCode,
    normalised: String,
    written: String,
    kind: PlateKind,
}

/// What sort of plate it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum PlateKind {
    /// Chinese, 7 characters: province sign, letter, five more (the last may be a sign, as on trailers).
    ChineseOrdinary,
    /// Chinese, 8 characters, small new-energy vehicle: D or F in third place.
    ChineseNewEnergySmall,
    /// Chinese, 8 characters, large new-energy vehicle: D or F in last place.
    ChineseNewEnergyLarge,
    /// Of another country: free form.
    Foreign,
}

/// Why a text is no plate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlateError {
    /// Nothing is left after normalisation.
    #[error("the plate is empty; enter it as it stands on the vehicle")]
    Empty,
    /// More than [`PLATE_CHARS_MAX`] characters.
    #[error("a plate has at most {PLATE_CHARS_MAX} characters; enter one plate only")]
    TooLong,
    /// A character that stands on no plate.
    #[error("the character U+{code_point:04X} stands on no plate; enter letters and digits only")]
    Character {
        /// The character's number.
        code_point: u32,
    },
    /// Not of a form that Chinese plates have.
    #[error(
        "a Chinese plate is a province sign, a letter and five characters, or six for new-energy vehicles (渝A12345, 渝AD12345), without the letters I and O after the first two; for a foreign plate give its country"
    )]
    NotChinese,
    /// The country is not two letters.
    #[error("the country of a plate must be two letters (KZ, VN)")]
    Country,
}

impl Plate {
    /// Reads a Chinese plate.
    ///
    /// # Errors
    /// The text is not of a form that Chinese plates have.
    pub fn parse(written: &str) -> Result<Self, PlateError> {
        Self::parse_of("CN", written)
    }

    /// Reads a plate of the country: of the Chinese forms for `CN`, of free form for any other.
    ///
    /// # Errors
    /// The country is no country code, or the text no plate of it.
    pub fn parse_of(country: &str, written: &str) -> Result<Self, PlateError> {
        let country = CountryCode::parse(country).map_err(|_| PlateError::Country)?;
        let normalised = Self::normalise(written)?;
        let kind = if country.as_str() == "CN" {
            chinese_kind(&normalised).ok_or(PlateError::NotChinese)?
        } else {
            PlateKind::Foreign
        };
        Ok(Self {
            country,
            normalised,
            written: written.to_owned(),
            kind,
        })
    }

    /// The form in which plates are compared: NFKC, upper case, without spaces, dots and hyphens. A camera's
    /// reading, which has no country, is brought into it and compared with [`as_str`](Self::as_str).
    ///
    /// # Errors
    /// Nothing is left, too much is left, or something that stands on no plate.
    pub fn normalise(written: &str) -> Result<String, PlateError> {
        if written.len() > WRITTEN_BYTES_MAX {
            return Err(PlateError::TooLong);
        }
        // Upper case and the loss of separators can undo the composition, hence NFKC on both sides of them.
        let raised: String = written
            .nfkc()
            .filter(|&character| !is_separator(character))
            .flat_map(char::to_uppercase)
            .collect();
        let normalised: String = raised.nfkc().collect();
        if let Some(stranger) = normalised
            .chars()
            .find(|character| !character.is_alphanumeric())
        {
            return Err(PlateError::Character {
                code_point: stranger.into(),
            });
        }
        match normalised.chars().count() {
            0 => Err(PlateError::Empty),
            1..=PLATE_CHARS_MAX => Ok(normalised),
            _ => Err(PlateError::TooLong),
        }
    }

    /// The normalised form.
    pub fn as_str(&self) -> &str {
        &self.normalised
    }

    /// The plate as it was filed or read.
    pub fn as_written(&self) -> &str {
        &self.written
    }

    /// The country that issued it.
    pub fn country(&self) -> &CountryCode {
        &self.country
    }

    /// What sort of plate it is.
    pub fn kind(&self) -> PlateKind {
        self.kind
    }

    fn key(&self) -> (&str, &str) {
        (self.country.as_str(), &self.normalised)
    }
}

impl PartialEq for Plate {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Plate {}

impl PartialOrd for Plate {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Plate {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.key().cmp(&other.key())
    }
}

impl Hash for Plate {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl std::fmt::Display for Plate {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.pad(&self.normalised)
    }
}

/// A plate in documents: what was written, and for which country; the rest follows from it.
#[derive(Serialize, Deserialize)]
struct WrittenPlate {
    country: String,
    written: String,
}

impl TryFrom<WrittenPlate> for Plate {
    type Error = PlateError;

    fn try_from(plate: WrittenPlate) -> Result<Self, Self::Error> {
        Self::parse_of(&plate.country, &plate.written)
    }
}

impl From<Plate> for WrittenPlate {
    fn from(plate: Plate) -> Self {
        Self {
            country: plate.country.into(),
            written: plate.written,
        }
    }
}

fn chinese_kind(normalised: &str) -> Option<PlateKind> {
    let mut characters = normalised.chars();
    let province = characters.next()?;
    let letter = characters.next()?;
    if !PROVINCES.contains(province) || !letter.is_ascii_uppercase() {
        return None;
    }
    let rest: Vec<char> = characters.collect();
    match *rest.as_slice() {
        [first, second, third, fourth, last] => {
            let ends_right = is_serial(last) || LAST_SIGNS.contains(last);
            ([first, second, third, fourth].into_iter().all(is_serial) && ends_right)
                .then_some(PlateKind::ChineseOrdinary)
        }
        ['D' | 'F', second, ref digits @ ..]
            if digits.len() == 4 && is_serial(second) && are_digits(digits) =>
        {
            Some(PlateKind::ChineseNewEnergySmall)
        }
        [ref digits @ .., 'D' | 'F'] if digits.len() == 5 && are_digits(digits) => {
            Some(PlateKind::ChineseNewEnergyLarge)
        }
        _ => None,
    }
}

/// Digits and letters; I and O are left out because they look like digits.
fn is_serial(character: char) -> bool {
    character.is_ascii_digit()
        || (character.is_ascii_uppercase() && !matches!(character, 'I' | 'O'))
}

fn are_digits(characters: &[char]) -> bool {
    characters.iter().all(char::is_ascii_digit)
}

/// Spaces, the middle dots and hyphens people type, and the full stop of Vietnamese plates.
fn is_separator(character: char) -> bool {
    character.is_whitespace()
        || matches!(
            character,
            '·' | '•' | '‧' | '∙' | '⋅' | '・' | '.' | '-' | '\u{2010}'..='\u{2015}' | '−'
        )
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn a_plate_with_middle_dots_is_normalised() {
        for written in [
            "渝A·12345",
            "渝a•12345",
            "渝A 12345",
            "渝A-12345",
            "渝Ａ・１２３４５",
            "渝A‧12345",
        ] {
            let plate = Plate::parse(written).expect(written);
            assert_eq!(plate.as_str(), "渝A12345");
            assert_eq!(plate.as_written(), written);
            assert_eq!(plate, Plate::parse("渝A12345").expect("valid"));
        }
    }

    #[test]
    fn the_kinds_of_chinese_plates_are_told_apart() {
        for (written, kind) in [
            ("渝A12345", PlateKind::ChineseOrdinary),
            ("渝AD1234", PlateKind::ChineseOrdinary),
            ("渝B1234挂", PlateKind::ChineseOrdinary),
            ("粤Z1234港", PlateKind::ChineseOrdinary),
            ("渝AD12345", PlateKind::ChineseNewEnergySmall),
            ("渝AFK2345", PlateKind::ChineseNewEnergySmall),
            ("渝A12345D", PlateKind::ChineseNewEnergyLarge),
        ] {
            assert_eq!(
                Plate::parse(written).expect(written).kind(),
                kind,
                "{written}"
            );
        }
    }

    #[test]
    fn what_is_no_chinese_plate_is_refused() {
        for written in [
            "渝A1234",
            "渝A1234O",
            "渝AI2345",
            "渝AG12345",
            "渝A1234KD",
            "渝A挂1234",
            "X12345A",
            "渝112345",
            "渝ADI2345",
            "渝A123456",
        ] {
            assert_eq!(
                Plate::parse(written),
                Err(PlateError::NotChinese),
                "{written}"
            );
        }
    }

    #[test]
    fn a_foreign_plate_has_free_form_and_a_country() {
        let plate = Plate::parse_of("vn", "51C-123.45").expect("valid");
        assert_eq!(
            (plate.as_str(), plate.country().as_str(), plate.kind()),
            ("51C12345", "VN", PlateKind::Foreign)
        );
        assert_ne!(plate, Plate::parse_of("KZ", "51C12345").expect("valid"));
        assert_eq!(Plate::parse_of("VNM", "51C12345"), Err(PlateError::Country));
    }

    #[test]
    fn sequential_plates_differ() {
        assert_ne!(Plate::parse("渝A12345"), Plate::parse("渝A12346"));
    }

    #[test]
    fn strangers_on_a_plate_are_refused() {
        assert_eq!(
            Plate::normalise("渝A12345\u{200b}"),
            Err(PlateError::Character { code_point: 0x200b })
        );
        assert_eq!(Plate::normalise(" · "), Err(PlateError::Empty));
        assert_eq!(
            Plate::normalise("ABCDEFGH12345678"),
            Err(PlateError::TooLong)
        );
        assert_eq!(
            Plate::normalise(&"A".repeat(10_000)),
            Err(PlateError::TooLong)
        );
    }

    #[test]
    fn every_letter_is_normalised_once_and_for_all() {
        // The scripts that have case or compose lie below U+20000.
        for character in '\0'..='\u{1ffff}' {
            for written in [
                format!("A{character}1"),
                format!("i{character}"),
                format!("{character} \u{1161}"),
            ] {
                if let Ok(once) = Plate::normalise(&written) {
                    assert_eq!(
                        Plate::normalise(&once),
                        Ok(once),
                        "{}",
                        written.escape_unicode()
                    );
                }
            }
        }
    }

    proptest! {
        #[test]
        fn normalising_twice_changes_nothing(written in "\\PC{0,12}") {
            if let Ok(once) = Plate::normalise(&written) {
                prop_assert_eq!(Plate::normalise(&once), Ok(once));
            }
        }
    }
}
