//! The check digit that container numbers and movement reference numbers share (ISO 6346, annex A).
//! It must not know which characters each of them allows where.

/// The weighted sum of the characters modulo 11: 0 to 10. None if one is neither an upper case letter
/// nor a digit.
pub(crate) fn remainder(characters: &[u8]) -> Option<u8> {
    let mut weight = 1;
    let mut sum = 0;
    for &character in characters {
        sum = (sum + weight * u32::from(value(character)?)) % 11;
        weight = weight * 2 % 11;
    }
    u8::try_from(sum).ok()
}

/// The digit, as its character, that stands for a remainder: 10 is written 0.
pub(crate) fn digit(remainder: u8) -> char {
    char::from(b'0' + remainder % 10)
}

/// A digit counts as itself; letters count from A = 10, leaving out the multiples of 11.
fn value(character: u8) -> Option<u8> {
    match character {
        b'0'..=b'9' => Some(character - b'0'),
        b'A'..=b'Z' => {
            let place = character - b'A';
            let left_out = place.div_ceil(10); // before B, L and V
            Some(10 + place + left_out)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn letters_skip_the_multiples_of_eleven() {
        let values: Vec<_> = (b'A'..=b'Z').filter_map(value).collect();
        let expected: Vec<u8> = (10..=38).filter(|value| value % 11 != 0).collect();
        assert_eq!(values, expected);
    }

    #[test]
    fn remainder_ten_is_written_as_zero() {
        assert_eq!(remainder(b"DDDU501060"), Some(10));
        assert_eq!(digit(10), '0');
    }
}
