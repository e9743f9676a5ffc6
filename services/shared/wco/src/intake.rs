//! Puts the elements of one document into the fields of messages, and notes
//! every value that found no field. What belongs where is said in `mapping`;
//! what the document is, in `read`.

use std::borrow::Cow;
use std::collections::HashMap;

use proto::customs::v1::{Amount, DocumentTime, Measure};

use crate::document::{Attribute, Document, Element, Token};
use crate::fault::{Cause, Fault};
use crate::limits::{
    OCCURRENCES_MAX, REPEATED_ELEMENTS_MAX, UNMAPPED_BYTES_MAX, UNMAPPED_VALUES_MAX,
    VALUE_BYTES_MAX,
};
use crate::mapping::Class;
use crate::pointer::Pointer;

/// A value of the document that has no place in the message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unmapped {
    /// Where it stands: element names from the root of the declaration, with the
    /// occurrence (from 1) of those that repeat; an attribute with `@`.
    /// `/Declaration/GoodsShipment/GovernmentAgencyGoodsItem[2]/Origin[1]/Quality`
    pub path: String,
    /// The WCO pointer of the innermost class that has one.
    pub pointer: Option<Pointer>,
    /// The value, trimmed.
    pub value: String,
    /// Why it has no place.
    pub reason: UnmappedReason,
}

/// Why a value has no place in the message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum UnmappedReason {
    /// The element or attribute is none that declarations use here.
    Unknown,
    /// The element may stand only once and stood before.
    Repeated,
    /// A number is asked for and this is none, or one too large.
    NotANumber,
    /// Text between the elements of a class.
    StrayText,
}

/// An element that may stand only once in its place and stands again, not empty.
/// What is in it is listed as [`Unmapped`] too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeated {
    /// Where it stands, as paths of [`Unmapped`] are spelled:
    /// `/Declaration/GoodsShipment[2]`.
    pub path: String,
    /// Its own value, trimmed; empty where it only holds other elements.
    pub value: String,
}

/// The name of a goods item.
const ITEM: &str = "GovernmentAgencyGoodsItem";

/// Goods items and containers in places that the message has no room for: a
/// second shipment, say. The document holds them all the same.
#[derive(Default)]
pub(crate) struct Unplaced {
    pub(crate) items: usize,
    /// Container numbers as written.
    pub(crate) containers: Vec<String>,
}

/// The state of reading one document.
pub(crate) struct Intake<'a> {
    pub(crate) document: Document<'a>,
    pub(crate) path: Vec<Step<'a>>,
    /// The declaration's function, which is no part of the message.
    pub(crate) function_code: String,
    /// Values without a place; only those of filings are wanted.
    pub(crate) unmapped: Vec<Unmapped>,
    /// How many more there are than are listed.
    pub(crate) unmapped_omitted: usize,
    unmapped_bytes: usize,
    pub(crate) repeated: Vec<Repeated>,
    pub(crate) unplaced: Unplaced,
    /// The first value around the declaration too many, if there was one.
    pub(crate) overflow: Option<Fault>,
}

/// One element of a path; `occurrence` 0 stands for "the only one".
#[derive(Clone, Copy)]
pub(crate) struct Step<'a> {
    name: &'a str,
    occurrence: usize,
}

/// What was met so far among the children of one element.
#[derive(Default)]
pub(crate) struct Level<'a> {
    groups: Vec<&'static str>,
    occurrences: HashMap<&'a str, usize>,
}

impl<'a> Level<'a> {
    /// The occurrence of an element that is not known to repeat: 0 for the
    /// first, 2 for the second. `before` counts what was met under this name and
    /// found its field.
    pub(crate) fn occurrence(&mut self, name: &'a str, before: usize) -> usize {
        let count = self.occurrences.entry(name).or_insert(before);
        *count += 1;
        if *count == 1 { 0 } else { *count }
    }
}

impl<'a> Intake<'a> {
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, Fault> {
        Ok(Self {
            document: Document::open(bytes)?,
            path: Vec::new(),
            function_code: String::new(),
            unmapped: Vec::new(),
            unmapped_omitted: 0,
            unmapped_bytes: 0,
            repeated: Vec::new(),
            unplaced: Unplaced::default(),
            overflow: None,
        })
    }

    /// Forgets what was listed, of a declaration that is no filing.
    pub(crate) fn forget_listed(&mut self) {
        self.unmapped.clear();
        self.unmapped_omitted = 0;
        self.unmapped_bytes = 0;
        self.repeated.clear();
    }

    /// Reads the content of an element into a message, up to and with its close.
    pub(crate) fn class<C: Class>(
        &mut self,
        element: Element<'a>,
        name: &'a str,
        occurrence: usize,
        message: &mut C::Message,
    ) -> Result<(), Fault> {
        self.path.push(Step { name, occurrence });
        self.note_attributes(element.attributes, UnmappedReason::Unknown);
        let mut level = Level::default();
        let mut stray = Cow::Borrowed("");
        loop {
            match self.document.next()? {
                Token::Text(text) => self.append(&mut stray, text)?,
                Token::Open(child) => {
                    self.note(&std::mem::take(&mut stray), UnmappedReason::StrayText);
                    let written = child.name;
                    let Some(child) = C::child(message, written, child, self, &mut level)? else {
                        continue;
                    };
                    let Some(child) = C::child(
                        message,
                        without_glued_prefix(written),
                        child,
                        self,
                        &mut level,
                    )?
                    else {
                        continue;
                    };
                    let occurrence = level.occurrence(written, 0);
                    self.skip(child, written, occurrence, UnmappedReason::Unknown)?;
                }
                Token::Close | Token::End => break,
            }
        }
        self.note(&stray, UnmappedReason::StrayText);
        self.path.pop();
        Ok(())
    }

    /// Reads an element without a field: all its values are noted. Gives back the
    /// text of its own.
    pub(crate) fn skip(
        &mut self,
        element: Element<'a>,
        name: &'a str,
        occurrence: usize,
        reason: UnmappedReason,
    ) -> Result<Cow<'a, str>, Fault> {
        let plain = without_glued_prefix(name);
        if plain == ITEM {
            self.unplaced.items += 1;
        }
        let of_container = plain == "ID"
            && self
                .path
                .last()
                .is_some_and(|parent| without_glued_prefix(parent.name) == "TransportEquipment");
        self.path.push(Step { name, occurrence });
        self.note_attributes(element.attributes, reason);
        let text = self.content()?;
        self.note(&text, reason);
        self.path.pop();
        let value = text.trim();
        if of_container && !value.is_empty() {
            self.unplaced.containers.push(value.to_owned());
        }
        Ok(text)
    }

    /// A value that may stand once.
    pub(crate) fn text(
        &mut self,
        element: Element<'a>,
        tag: &'static str,
        field: &mut String,
        level: &mut Level<'a>,
    ) -> Result<(), Fault> {
        if !field.is_empty() {
            return self.repeated(element, tag, level);
        }
        *field = self.leaf(element, tag, None)?.0;
        Ok(())
    }

    /// What the document asks for: transport, not declaration.
    pub(crate) fn function(
        &mut self,
        element: Element<'a>,
        tag: &'static str,
        level: &mut Level<'a>,
    ) -> Result<(), Fault> {
        let mut code = std::mem::take(&mut self.function_code);
        let outcome = self.text(element, tag, &mut code, level);
        self.function_code = code;
        outcome
    }

    /// A whole number from 0.
    pub(crate) fn number(
        &mut self,
        element: Element<'a>,
        tag: &'static str,
        field: &mut Option<u32>,
        level: &mut Level<'a>,
    ) -> Result<(), Fault> {
        if field.is_some() {
            return self.repeated(element, tag, level);
        }
        let value = self.leaf(element, tag, None)?.0;
        if value.bytes().all(|byte| byte.is_ascii_digit()) {
            *field = value.parse().ok();
        }
        if field.is_none() {
            self.path.push(Step {
                name: tag,
                occurrence: 0,
            });
            self.note(&value, UnmappedReason::NotANumber);
            self.path.pop();
        }
        Ok(())
    }

    /// An amount with its currency.
    pub(crate) fn amount(
        &mut self,
        element: Element<'a>,
        tag: &'static str,
        field: &mut Option<Amount>,
        level: &mut Level<'a>,
    ) -> Result<(), Fault> {
        if field.is_some() {
            return self.repeated(element, tag, level);
        }
        let (value, currency) = self.leaf(element, tag, Some("currencyID"))?;
        *field = Some(Amount { value, currency });
        Ok(())
    }

    /// A quantity with its unit.
    pub(crate) fn measure(
        &mut self,
        element: Element<'a>,
        tag: &'static str,
        field: &mut Option<Measure>,
        level: &mut Level<'a>,
    ) -> Result<(), Fault> {
        if field.is_some() {
            return self.repeated(element, tag, level);
        }
        let (value, unit_code) = self.leaf(element, tag, Some("unitCode"))?;
        *field = Some(Measure { value, unit_code });
        Ok(())
    }

    /// A date or time with the code of its format.
    pub(crate) fn time(
        &mut self,
        element: Element<'a>,
        tag: &'static str,
        field: &mut Option<DocumentTime>,
        level: &mut Level<'a>,
    ) -> Result<(), Fault> {
        if field.is_some() {
            return self.repeated(element, tag, level);
        }
        let (value, format_code) = self.leaf(element, tag, Some("formatCode"))?;
        *field = Some(DocumentTime { value, format_code });
        Ok(())
    }

    /// A class that may stand once.
    pub(crate) fn one<C: Class>(
        &mut self,
        element: Element<'a>,
        tag: &'static str,
        field: &mut Option<C::Message>,
        level: &mut Level<'a>,
    ) -> Result<(), Fault> {
        if field.is_some() {
            return self.repeated(element, tag, level);
        }
        self.class::<C>(element, tag, 0, field.get_or_insert_default())
    }

    /// A class that may stand many times.
    pub(crate) fn many<C: Class>(
        &mut self,
        element: Element<'a>,
        tag: &'static str,
        field: &mut Vec<C::Message>,
    ) -> Result<(), Fault> {
        if field.len() >= OCCURRENCES_MAX {
            return Err(too_many(tag, element.offset));
        }
        let mut message = C::Message::default();
        self.class::<C>(element, tag, field.len() + 1, &mut message)?;
        field.push(message);
        Ok(())
    }

    /// An element whose content belongs to the message around it.
    pub(crate) fn within<C: Class>(
        &mut self,
        element: Element<'a>,
        tag: &'static str,
        message: &mut C::Message,
        level: &mut Level<'a>,
    ) -> Result<(), Fault> {
        if level.groups.contains(&tag) {
            return self.repeated(element, tag, level);
        }
        level.groups.push(tag);
        self.class::<C>(element, tag, 0, message)
    }

    fn repeated(
        &mut self,
        element: Element<'a>,
        tag: &'static str,
        level: &mut Level<'a>,
    ) -> Result<(), Fault> {
        let occurrence = level.occurrence(tag, 1);
        let (listed, items) = (self.unmapped_count(), self.unplaced.items);
        let value = self.skip(element, tag, occurrence, UnmappedReason::Repeated)?;
        let says_something = (self.unmapped_count(), self.unplaced.items) != (listed, items);
        if says_something && self.repeated.len() < REPEATED_ELEMENTS_MAX {
            self.enter(tag, occurrence);
            let path = self.written_path(None);
            self.leave();
            let value = value.trim().to_owned();
            self.repeated.push(Repeated { path, value });
        }
        Ok(())
    }

    /// A value and its one meaningful attribute.
    fn leaf(
        &mut self,
        element: Element<'a>,
        tag: &'static str,
        qualifier: Option<&str>,
    ) -> Result<(String, String), Fault> {
        self.path.push(Step {
            name: tag,
            occurrence: 0,
        });
        let mut qualifying = String::new();
        let mut others = Vec::new();
        for attribute in element.attributes {
            if qualifying.is_empty() && qualifier == Some(attribute.name.as_ref()) {
                qualifying = attribute.value;
            } else {
                others.push(attribute);
            }
        }
        self.note_attributes(others, UnmappedReason::Unknown);
        let value = self.content()?.trim().to_owned();
        self.path.pop();
        Ok((value, qualifying))
    }

    /// The text of an element up to and with its close; elements inside of it
    /// have no place and are noted.
    pub(crate) fn content(&mut self) -> Result<Cow<'a, str>, Fault> {
        let mut text = Cow::Borrowed("");
        let mut level = Level::default();
        loop {
            match self.document.next()? {
                Token::Text(piece) => self.append(&mut text, piece)?,
                Token::Open(child) => {
                    let name = child.name;
                    let occurrence = level.occurrence(name, 0);
                    self.skip(child, name, occurrence, UnmappedReason::Unknown)?;
                }
                Token::Close | Token::End => break,
            }
        }
        if text.trim().len() > VALUE_BYTES_MAX {
            return Err(Fault::at(self.document.offset(), Cause::ValueTooLong));
        }
        Ok(text)
    }

    /// Adds a piece of text. White space before the first word is not kept, so
    /// that the layout of a document costs nothing.
    pub(crate) fn append(&self, text: &mut Cow<'a, str>, piece: Cow<'a, str>) -> Result<(), Fault> {
        if text.trim().is_empty() {
            *text = piece;
            return Ok(());
        }
        if text.len() + piece.len() > 2 * VALUE_BYTES_MAX {
            return Err(Fault::at(self.document.offset(), Cause::ValueTooLong));
        }
        text.to_mut().push_str(&piece);
        Ok(())
    }

    pub(crate) fn note_attributes(&mut self, attributes: Vec<Attribute>, reason: UnmappedReason) {
        for attribute in attributes {
            self.note_at(Some(&attribute.name), &attribute.value, reason);
        }
    }

    /// Notes a value at the present path; nothing where there is no value.
    pub(crate) fn note(&mut self, value: &str, reason: UnmappedReason) {
        let value = value.trim();
        if !value.is_empty() {
            self.note_at(None, value, reason);
        }
    }

    fn note_at(&mut self, attribute: Option<&str>, value: &str, reason: UnmappedReason) {
        if self.unmapped_omitted > 0 || self.unmapped.len() >= UNMAPPED_VALUES_MAX {
            self.unmapped_omitted += 1;
            return;
        }
        let path = self.written_path(attribute);
        self.unmapped_bytes += path.len() + value.len();
        if self.unmapped_bytes > UNMAPPED_BYTES_MAX {
            self.unmapped_omitted += 1;
            return;
        }
        self.unmapped.push(Unmapped {
            pointer: Pointer::of_path(&path),
            path,
            value: value.to_owned(),
            reason,
        });
    }

    fn unmapped_count(&self) -> usize {
        self.unmapped.len() + self.unmapped_omitted
    }

    pub(crate) fn written_path(&self, attribute: Option<&str>) -> String {
        let mut path = String::with_capacity(64);
        for step in &self.path {
            path.push('/');
            path.push_str(step.name);
            if step.occurrence > 0 {
                path.push_str(&format!("[{}]", step.occurrence));
            }
        }
        if let Some(name) = attribute {
            path.push_str("/@");
            path.push_str(name);
        }
        path
    }

    pub(crate) fn enter(&mut self, name: &'a str, occurrence: usize) {
        self.path.push(Step { name, occurrence });
    }

    pub(crate) fn leave(&mut self) {
        self.path.pop();
    }
}

/// More of a repeatable element than are looked at.
pub(crate) fn too_many(element: &'static str, offset: usize) -> Fault {
    let max = OCCURRENCES_MAX;
    Fault::at(offset, Cause::TooManyOccurrences { element, max })
}

/// A name without the namespace prefix that a sender has run into it: `MetaData`
/// of `mdMetaData` and `_2MetaData`. WCO names begin with a capital.
pub(crate) fn without_glued_prefix(name: &str) -> &str {
    const PREFIX_BYTES_MAX: usize = 3;
    let prefix = name
        .bytes()
        .take_while(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || *byte == b'_')
        .count();
    match name.get(prefix..) {
        Some(rest)
            if prefix <= PREFIX_BYTES_MAX
                && rest.starts_with(|first: char| first.is_ascii_uppercase()) =>
        {
            rest
        }
        _ => name,
    }
}
