//! How much of a stranger's document is looked at. Every limit lies well above
//! what a real declaration needs (999 items of some hundred elements). Together
//! they keep what one document can claim below some 64 MiB, whatever it holds.

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
/// Most goods items in a declaration (DE 1/9 has three digits).
pub const ITEMS_MAX: usize = 999;
/// Most occurrences of any other repeatable element in its parent (DE 7/10
/// allows 9,999 containers).
pub const OCCURRENCES_MAX: usize = 9_999;
/// Most values without a place in the message that a filing may bring.
pub const UNMAPPED_VALUES_MAX: usize = 2_000;
