//! Why a document cannot be read, in words its sender can act on, and where.

use thiserror::Error;

use crate::limits::{
    ATTRIBUTES_MAX, DEPTH_MAX, DOCUMENT_BYTES_MAX, ELEMENTS_MAX, ENVELOPE_VALUES_MAX,
    NAME_BYTES_MAX, VALUE_BYTES_MAX,
};

/// The largest document in the unit in which people read sizes of files.
const DOCUMENT_MEBIBYTES_MAX: usize = DOCUMENT_BYTES_MAX / (1024 * 1024);

/// Why a document cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum Cause {
    /// Larger than [`DOCUMENT_BYTES_MAX`].
    #[error(
        "the document has {0} bytes; send at most {DOCUMENT_BYTES_MAX} bytes ({DOCUMENT_MEBIBYTES_MAX} MiB)"
    )]
    TooLarge(usize),
    /// Another encoding than UTF-8, declared or seen.
    #[error("the document is in {0}; send UTF-8")]
    Encoding(String),
    /// Bytes that are not UTF-8.
    #[error("this byte is not UTF-8; send UTF-8")]
    NotUtf8,
    /// A character that XML forbids, written or referred to.
    #[error("character U+{0:04X} is not allowed in XML; leave it out")]
    ForbiddenCharacter(u32),
    /// The XML is not well-formed.
    #[error("not well-formed XML: {0}")]
    NotWellFormed(String),
    /// No element at all.
    #[error("the document is empty; send a declaration")]
    Empty,
    /// A document type declaration: refused, because it can define entities.
    #[error("document type declarations are refused; leave out <!DOCTYPE>")]
    DocumentType,
    /// An entity that XML does not have by itself.
    #[error("unknown entity &{0}; - write the character itself")]
    UnknownEntity(String),
    /// Nested deeper than [`DEPTH_MAX`].
    #[error("elements are nested deeper than {DEPTH_MAX}")]
    TooDeep,
    /// More elements than [`ELEMENTS_MAX`].
    #[error("more than {ELEMENTS_MAX} elements; split the declaration")]
    TooManyElements,
    /// A name longer than [`NAME_BYTES_MAX`].
    #[error("a name is longer than {NAME_BYTES_MAX} bytes")]
    NameTooLong,
    /// More attributes than [`ATTRIBUTES_MAX`].
    #[error("an element has more than {ATTRIBUTES_MAX} attributes")]
    TooManyAttributes,
    /// A value longer than [`VALUE_BYTES_MAX`].
    #[error("a value is longer than {VALUE_BYTES_MAX} bytes")]
    ValueTooLong,
    /// More of one element than allowed.
    #[error("more than {max} {element} elements; split the declaration")]
    TooManyOccurrences {
        /// The element's name.
        element: &'static str,
        /// How many are allowed.
        max: usize,
    },
    /// More values around the declaration than [`ENVELOPE_VALUES_MAX`].
    #[error("more than {ENVELOPE_VALUES_MAX} values around the declaration; send it with fewer")]
    EnvelopeTooLarge,
    /// No document that customs knows.
    #[error("<{0}> is no customs document that is known here; send <MetaData> or <Declaration>")]
    UnknownDocument(String),
    /// A wrapping without its declaration.
    #[error("<{0}> holds neither a <Declaration> nor a <Response>")]
    NoDeclaration(String),
    /// A second declaration in one document.
    #[error("a second <Declaration> in one document; send one document for each")]
    SecondDeclaration,
    /// A tax notification's figure that is no decimal number.
    #[error("`{0}` is no decimal number")]
    NotADecimal(String),
    /// Asked for the lines of a tax notification, got something else.
    #[error("this is no tax notification (function 13, DMSTAX)")]
    NotATaxNotification,
}

/// A cause and the place it was met, in bytes from the document's beginning.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) offset: usize,
    pub(crate) cause: Cause,
}

impl Fault {
    pub(crate) fn at(offset: usize, cause: Cause) -> Self {
        Self { offset, cause }
    }

    pub(crate) fn not_well_formed(offset: usize, why: impl std::fmt::Display) -> Self {
        Self::at(offset, Cause::NotWellFormed(why.to_string()))
    }
}
