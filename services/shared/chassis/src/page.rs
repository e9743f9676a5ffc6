//! Pages of lists: how many rows, and where the last page ended. It must not know what is listed: a
//! page token is whatever key the list is ordered by, made opaque.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use kernel::{Fault, Refusal};
use serde::Serialize;
use serde::de::DeserializeOwned;

/// The longest page token that is read, in bytes.
pub const PAGE_TOKEN_BYTES_MAX: usize = 1_024;

/// How many rows a page has: at least one, never more than the list allows (AIP-158).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PageSize(u32);

impl PageSize {
    /// The size asked for; 0 means the list's default, and more than the list's limit means the limit.
    ///
    /// # Errors
    ///
    /// `PAGE_SIZE_INVALID` for a negative size.
    pub fn parse(asked: i32, rows_default: u32, rows_max: u32) -> Result<Self, Refusal> {
        match u32::try_from(asked) {
            Ok(0) => Ok(Self(rows_default.clamp(1, rows_max.max(1)))),
            Ok(asked) => Ok(Self(asked.min(rows_max.max(1)))),
            Err(_) => Err(Refusal::invalid(
                "PAGE_SIZE_INVALID",
                "A page cannot have less than no rows; leave page_size 0 for the default.",
            )
            .with_fault(Fault::new(
                "PAGE_SIZE_INVALID",
                "page_size",
                asked.to_string(),
                "page_size >= 0",
                "Leave it 0 or set the rows you want.",
            ))),
        }
    }

    /// The number of rows.
    pub fn rows(self) -> u32 {
        self.0
    }

    /// One row more than the page: what to read to learn whether there is a next page.
    pub fn rows_to_read(self) -> i64 {
        i64::from(self.0) + 1
    }

    /// Cuts what was read to the page and gives the token of the next one, which is empty at the end.
    pub fn page<R, K: Serialize>(
        self,
        mut rows: Vec<R>,
        key: impl Fn(&R) -> K,
    ) -> (Vec<R>, String) {
        let size = usize::try_from(self.0).unwrap_or(usize::MAX);
        if rows.len() <= size {
            return (rows, String::new());
        }
        rows.truncate(size);
        let token = rows
            .last()
            .map(|last| encode_page_token(&key(last)))
            .unwrap_or_default();
        (rows, token)
    }
}

/// Makes the key of a page's last row opaque.
pub fn encode_page_token<K: Serialize>(key: &K) -> String {
    // A key is text and numbers; what cannot be written as JSON ends the list rather than the call.
    serde_json::to_vec(key)
        .map(|json| URL_SAFE_NO_PAD.encode(json))
        .unwrap_or_default()
}

/// Reads a page token; the empty one asks for the first page.
///
/// # Errors
///
/// `PAGE_TOKEN_INVALID` where the token was not given by this list.
pub fn decode_page_token<K: DeserializeOwned>(token: &str) -> Result<Option<K>, Refusal> {
    if token.is_empty() {
        return Ok(None);
    }
    let json = (token.len() <= PAGE_TOKEN_BYTES_MAX)
        .then(|| URL_SAFE_NO_PAD.decode(token).ok())
        .flatten();
    json.and_then(|json| serde_json::from_slice(&json).ok())
        .map(Some)
        .ok_or_else(|| {
            Refusal::invalid(
                "PAGE_TOKEN_INVALID",
                "This page token is not one that this list gave; start again without one.",
            )
            .with_fault(Fault::new(
                "PAGE_TOKEN_INVALID",
                "page_token",
                token,
                "next_page_token of the last answer",
                "Repeat the token exactly as it was given.",
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_never_larger_than_the_list_allows() {
        assert_eq!(PageSize::parse(0, 50, 500).unwrap().rows(), 50);
        assert_eq!(PageSize::parse(20, 50, 500).unwrap().rows(), 20);
        assert_eq!(PageSize::parse(i32::MAX, 50, 500).unwrap().rows(), 500);
        assert_eq!(
            PageSize::parse(-1, 50, 500).unwrap_err().reason,
            "PAGE_SIZE_INVALID"
        );
    }

    #[test]
    fn a_page_token_gives_its_key_back() {
        let token = encode_page_token(&("2026-01-01", 7));
        assert_eq!(
            decode_page_token::<(String, i32)>(&token).unwrap(),
            Some(("2026-01-01".to_owned(), 7))
        );
        assert_eq!(decode_page_token::<(String, i32)>("").unwrap(), None);
    }

    #[test]
    fn a_token_of_another_list_is_refused() {
        for token in [
            "!",
            "e30",
            &encode_page_token(&"text"),
            &"A".repeat(PAGE_TOKEN_BYTES_MAX + 4),
        ] {
            assert_eq!(
                decode_page_token::<(String, i32)>(token)
                    .unwrap_err()
                    .reason,
                "PAGE_TOKEN_INVALID"
            );
        }
    }

    #[test]
    fn a_full_page_names_its_last_row_and_the_last_page_names_none() {
        let size = PageSize::parse(2, 2, 2).unwrap();
        let (rows, token) = size.page(vec![1, 2, 3], |row| *row);
        assert_eq!(rows, [1, 2]);
        assert_eq!(decode_page_token::<i32>(&token).unwrap(), Some(2));
        assert_eq!(size.page(vec![3], |row| *row), (vec![3], String::new()));
    }
}
