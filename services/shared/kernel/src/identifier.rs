//! What all identifiers have in common: they are parsed once, kept normalised as one string, and
//! written to and read from documents as that string. It must not know what any of them means.

/// The longest spelling of an identifier that is looked at, in bytes. Longer input is refused unread.
pub(crate) const WRITTEN_BYTES_MAX: usize = 256;

/// A code or number that does not have its prescribed form.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be {format}; check it against the paper or system it was taken from")]
pub struct FormatError {
    /// What was expected, with its article ("a book number").
    pub name: &'static str,
    /// The form it must have.
    pub format: &'static str,
}

/// The text without its separators, ASCII letters in upper case; none if it is longer than
/// [`WRITTEN_BYTES_MAX`]. Only ASCII is folded: a letter of another script must stay visible as such.
pub(crate) fn compact(written: &str, is_separator: impl Fn(char) -> bool) -> Option<String> {
    if written.len() > WRITTEN_BYTES_MAX {
        return None;
    }
    Some(
        written
            .chars()
            .filter(|&character| !is_separator(character))
            .map(|character| character.to_ascii_uppercase())
            .collect(),
    )
}

/// Spaces of any kind, the only separator most identifiers are written with.
pub(crate) fn is_space(character: char) -> bool {
    character.is_whitespace()
}

/// A string type that holds nothing but what its own `parse` accepted.
macro_rules! identifier {
    ($(#[$attribute:meta])* $name:ident, $error:ty) => {
        $(#[$attribute])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
        #[serde(try_from = "String", into = "String")]
        pub struct $name(String);

        impl $name {
            /// The normalised form.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl std::fmt::Display for $name {
            fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                formatter.pad(&self.0)
            }
        }

        impl AsRef<str> for $name {
            fn as_ref(&self) -> &str {
                &self.0
            }
        }

        impl std::str::FromStr for $name {
            type Err = $error;

            fn from_str(written: &str) -> Result<Self, Self::Err> {
                Self::parse(written)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;

            fn try_from(written: String) -> Result<Self, Self::Error> {
                Self::parse(&written)
            }
        }

        impl From<$name> for String {
            fn from(identifier: $name) -> Self {
                identifier.0
            }
        }
    };
}

pub(crate) use identifier;
