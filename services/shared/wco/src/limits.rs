//! How much of a stranger's document is looked at. Every limit lies well above
//! what a real declaration needs (999 items of some hundred elements) and above
//! what customs takes, so that a declaration that is too large can still be
//! answered as one. Together they keep what one document can claim below some
//! 64 MiB, whatever it holds.

/// Largest document.
pub const DOCUMENT_BYTES_MAX: usize = 10 * 1024 * 1024;
/// Deepest nesting of elements.
pub const DEPTH_MAX: usize = 32;
/// Most elements in a document.
pub const ELEMENTS_MAX: usize = 200_000;
/// Longest name of an element or attribute, with its prefix.
pub const NAME_BYTES_MAX: usize = 100;
/// Most attributes on one element.
pub const ATTRIBUTES_MAX: usize = 64;
/// Longest value of an element or attribute.
pub const VALUE_BYTES_MAX: usize = 16 * 1024;
/// Most occurrences of a repeatable element in its parent (DE 7/10 allows 9,999
/// containers), and of declarations in a document.
pub const OCCURRENCES_MAX: usize = 9_999;
/// Most values without a place in the message that are listed: ten on each of
/// 999 items. The rest are counted.
pub const UNMAPPED_VALUES_MAX: usize = 10_000;
/// Most bytes of such values and their paths that are listed.
pub const UNMAPPED_BYTES_MAX: usize = 3 * 1024 * 1024;
/// Most elements that are listed because they stand again.
pub const REPEATED_ELEMENTS_MAX: usize = 9_999;
/// Most bytes of distinct container numbers that are told.
pub const CONTAINERS_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Most values in the wrapping of a filing.
pub const ENVELOPE_VALUES_MAX: usize = 200;
