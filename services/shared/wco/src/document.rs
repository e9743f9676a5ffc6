//! Turns the bytes of an XML document into elements, text and nothing else, in
//! one pass and in bounded memory: encodings, entities, document types, depth,
//! names, attributes and the well-formedness that the tokenizer leaves to its
//! caller are settled here. Knows nothing of declarations.

use std::borrow::Cow;

use quick_xml::Reader;
use quick_xml::events::{BytesStart, Event};

use crate::fault::{Cause, Fault};
use crate::limits::{
    ATTRIBUTES_MAX, DEPTH_MAX, DOCUMENT_BYTES_MAX, ELEMENTS_MAX, NAME_BYTES_MAX, VALUE_BYTES_MAX,
};

/// What comes next in a document.
pub(crate) enum Token<'a> {
    /// An element begins; its close follows, also for `<empty/>`.
    Open(Element<'a>),
    /// A piece of an element's text, references resolved, not trimmed.
    Text(Cow<'a, str>),
    /// The innermost open element ends.
    Close,
    /// The document ends, and was well-formed.
    End,
}

/// An element's start.
pub(crate) struct Element<'a> {
    /// Its name without namespace prefix, as written.
    pub(crate) name: &'a str,
    /// Its attributes, without those that only declare or locate schemas.
    pub(crate) attributes: Vec<Attribute>,
    /// Where it starts, in bytes from the document's beginning.
    pub(crate) offset: usize,
}

/// An attribute that says something: a unit, a currency.
pub(crate) struct Attribute {
    /// Its name without namespace prefix.
    pub(crate) name: Cow<'static, str>,
    /// Its value, references resolved, trimmed, never empty.
    pub(crate) value: String,
}

/// A document being read.
pub(crate) struct Document<'a> {
    text: &'a str,
    reader: Reader<&'a [u8]>,
    depth: usize,
    elements: usize,
    root_closed: bool,
    close_is_due: bool,
}

impl<'a> Document<'a> {
    /// Opens a document: UTF-8, with or without a byte-order mark, without
    /// characters that XML forbids. Offsets of faults count from after the mark.
    pub(crate) fn open(bytes: &'a [u8]) -> Result<Self, Fault> {
        let text = utf8(bytes)?;
        let mut reader = Reader::from_str(text);
        // Both checks are ours: the tokenizer's one of comments misplaces the fault.
        reader.config_mut().check_comments = false;
        Ok(Self {
            text,
            reader,
            depth: 0,
            elements: 0,
            root_closed: false,
            close_is_due: false,
        })
    }

    /// Where reading stands, in bytes.
    pub(crate) fn offset(&self) -> usize {
        usize::try_from(self.reader.buffer_position()).unwrap_or(usize::MAX)
    }

    /// The next token. After a fault or [`Token::End`] there is nothing more.
    pub(crate) fn next(&mut self) -> Result<Token<'a>, Fault> {
        if self.close_is_due {
            self.close_is_due = false;
            return Ok(self.close());
        }
        loop {
            let start = self.offset();
            let event = self.reader.read_event().map_err(|error| {
                let offset = usize::try_from(self.reader.error_position()).unwrap_or(start);
                Fault::not_well_formed(offset, error)
            })?;
            let written = self.text.get(start..self.offset()).unwrap_or_default();
            match event {
                Event::Start(tag) => return self.element(&tag, start).map(Token::Open),
                Event::Empty(tag) => {
                    self.close_is_due = true;
                    return self.element(&tag, start).map(Token::Open);
                }
                Event::End(_) => return Ok(self.close()),
                Event::Text(_) => {
                    if let Some(text) = self.character_data(written, start)? {
                        return Ok(Token::Text(text));
                    }
                }
                Event::CData(_) => {
                    self.require_inside(start)?;
                    let content = written
                        .strip_prefix("<![CDATA[")
                        .and_then(|rest| rest.strip_suffix("]]>"))
                        .unwrap_or_default();
                    return Ok(Token::Text(with_unix_lines(content)));
                }
                Event::GeneralRef(reference) => {
                    self.require_inside(start)?;
                    let character = resolve(&reference).map_err(|cause| Fault::at(start, cause))?;
                    return Ok(Token::Text(Cow::Owned(character.to_string())));
                }
                Event::Comment(_) => check_comment(written, start)?,
                Event::PI(instruction) => {
                    if instruction.target().eq_ignore_ascii_case("xml") {
                        return Err(Fault::not_well_formed(
                            start,
                            "XML declaration out of place",
                        ));
                    }
                }
                Event::Decl(declaration) => {
                    if start != 0 {
                        return Err(Fault::not_well_formed(
                            start,
                            "XML declaration out of place",
                        ));
                    }
                    if let Some(encoding) = declaration.encoding() {
                        let encoding =
                            encoding.map_err(|error| Fault::not_well_formed(start, error))?;
                        check_encoding(&encoding).map_err(|cause| Fault::at(start, cause))?;
                    }
                }
                Event::DocType(_) => return Err(Fault::at(start, Cause::DocumentType)),
                Event::Eof => return self.end(start),
            }
        }
    }

    fn element(&mut self, tag: &BytesStart<'_>, offset: usize) -> Result<Element<'a>, Fault> {
        if self.root_closed {
            return Err(Fault::not_well_formed(offset, "a second root element"));
        }
        self.depth += 1;
        self.elements += 1;
        if self.depth > DEPTH_MAX {
            return Err(Fault::at(offset, Cause::TooDeep));
        }
        if self.elements > ELEMENTS_MAX {
            return Err(Fault::at(offset, Cause::TooManyElements));
        }
        let length = tag.name().as_ref().len();
        let name = self
            .text
            .get(offset + 1..offset + 1 + length)
            .unwrap_or_default();
        check_name(name, offset)?;
        Ok(Element {
            name: local_name(name),
            attributes: attributes(tag, offset)?,
            offset,
        })
    }

    fn close(&mut self) -> Token<'a> {
        self.depth = self.depth.saturating_sub(1);
        self.root_closed = self.depth == 0;
        Token::Close
    }

    fn end(&self, offset: usize) -> Result<Token<'a>, Fault> {
        if self.depth > 0 {
            return Err(Fault::not_well_formed(
                offset,
                "the document ends before its root element does",
            ));
        }
        if !self.root_closed {
            return Err(Fault::at(offset, Cause::Empty));
        }
        Ok(Token::End)
    }

    /// Text between markup; `None` for the white space around the root element.
    fn character_data(
        &self,
        written: &'a str,
        offset: usize,
    ) -> Result<Option<Cow<'a, str>>, Fault> {
        if self.depth == 0 {
            return match written.find(|c: char| !is_xml_space(c)) {
                None => Ok(None),
                Some(index) => Err(Fault::not_well_formed(
                    offset + index,
                    "text outside of the root element",
                )),
            };
        }
        if let Some(index) = written.find("]]>") {
            return Err(Fault::not_well_formed(offset + index, "`]]>` in text"));
        }
        Ok(Some(with_unix_lines(written)))
    }

    fn require_inside(&self, offset: usize) -> Result<(), Fault> {
        if self.depth == 0 {
            return Err(Fault::not_well_formed(
                offset,
                "text outside of the root element",
            ));
        }
        Ok(())
    }
}

/// Whether XML 1.0 allows the character in a document (section 2.2).
pub(crate) fn is_xml_character(character: char) -> bool {
    !matches!(character,
        '\0'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

/// Line and column of a fault, both from 1; columns count characters. The
/// offset counts from after a byte-order mark.
pub(crate) fn line_and_column(bytes: &[u8], offset: usize) -> (u32, u32) {
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let before = bytes.get(..offset).unwrap_or(bytes);
    let lines = before.iter().filter(|byte| **byte == b'\n').count();
    let line_start = before
        .iter()
        .rposition(|byte| *byte == b'\n')
        .map_or(0, |index| index + 1);
    let line = before.get(line_start..).unwrap_or_default();
    // Every byte but a continuation byte begins a character.
    let characters = line.iter().filter(|byte| *byte & 0xC0 != 0x80).count();
    let from_one = |count: usize| u32::try_from(count.saturating_add(1)).unwrap_or(u32::MAX);
    (from_one(lines), from_one(characters))
}

const BYTE_ORDER_MARK: &[u8] = b"\xEF\xBB\xBF";

fn utf8(bytes: &[u8]) -> Result<&str, Fault> {
    if bytes.len() > DOCUMENT_BYTES_MAX {
        return Err(Fault::at(0, Cause::TooLarge(bytes.len())));
    }
    let foreign = match bytes {
        [0xFF, 0xFE, 0, 0, ..] | [0, 0, 0xFE, 0xFF, ..] => Some("UTF-32"),
        [0xFF, 0xFE, ..] | [0xFE, 0xFF, ..] | [b'<', 0, ..] | [0, b'<', ..] => Some("UTF-16"),
        _ => None,
    };
    if let Some(encoding) = foreign {
        return Err(Fault::at(0, Cause::Encoding(encoding.to_owned())));
    }
    let bytes = bytes.strip_prefix(BYTE_ORDER_MARK).unwrap_or(bytes);
    let text = std::str::from_utf8(bytes)
        .map_err(|error| Fault::at(error.valid_up_to(), Cause::NotUtf8))?;
    if text.starts_with('\u{feff}') {
        return Err(Fault::not_well_formed(0, "a second byte-order mark"));
    }
    let forbidden = |byte: &u8| *byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r');
    match bytes.iter().position(forbidden) {
        None => Ok(text),
        Some(offset) => {
            let code = bytes.get(offset).copied().unwrap_or_default();
            Err(Fault::at(offset, Cause::ForbiddenCharacter(code.into())))
        }
    }
}

/// UTF-8 and its subset; whatever else is declared is refused, because read as
/// UTF-8 it would give wrong names and no error.
fn check_encoding(declared: &str) -> Result<(), Cause> {
    let known = ["UTF-8", "UTF8", "US-ASCII", "ASCII"];
    if known.iter().any(|name| name.eq_ignore_ascii_case(declared)) {
        return Ok(());
    }
    Err(Cause::Encoding(shortened(declared)))
}

fn check_name(name: &str, offset: usize) -> Result<(), Fault> {
    if name.len() > NAME_BYTES_MAX {
        return Err(Fault::at(offset, Cause::NameTooLong));
    }
    let starts_well = |c: char| c.is_ascii_alphabetic() || matches!(c, '_' | ':') || !c.is_ascii();
    let continues_well = |c: char| starts_well(c) || c.is_ascii_digit() || matches!(c, '-' | '.');
    let well = name.chars().next().is_some_and(starts_well) && name.chars().all(continues_well);
    if well && !local_name(name).is_empty() {
        return Ok(());
    }
    Err(Fault::not_well_formed(
        offset,
        format_args!("`{name}` is no XML name"),
    ))
}

fn local_name(name: &str) -> &str {
    name.rsplit_once(':').map_or(name, |(_, local)| local)
}

/// XML 1.0, section 2.5: no `--` inside of a comment, and no `-` at its end.
fn check_comment(written: &str, offset: usize) -> Result<(), Fault> {
    let inside = written
        .strip_prefix("<!--")
        .and_then(|rest| rest.strip_suffix("-->"))
        .unwrap_or_default();
    let index = inside
        .find("--")
        .or_else(|| inside.ends_with('-').then(|| inside.len() - 1));
    match index {
        None => Ok(()),
        Some(index) => Err(Fault::not_well_formed(
            offset + "<!--".len() + index,
            "`--` in a comment; was an earlier comment left open?",
        )),
    }
}

fn attributes(tag: &BytesStart<'_>, offset: usize) -> Result<Vec<Attribute>, Fault> {
    let mut found = Vec::new();
    if tag.attributes_raw().is_empty() {
        return Ok(found);
    }
    for (index, attribute) in tag.attributes().enumerate() {
        let attribute = attribute.map_err(|error| Fault::not_well_formed(offset, error))?;
        if index >= ATTRIBUTES_MAX {
            return Err(Fault::at(offset, Cause::TooManyAttributes));
        }
        let name = attribute.key.as_ref();
        check_name(name, offset)?;
        let value = attribute_value(&attribute.value, offset)?;
        if !only_about_schemas(name) && !value.is_empty() {
            found.push(Attribute {
                name: attribute_name(local_name(name)),
                value,
            });
        }
    }
    Ok(found)
}

/// Namespace declarations and schema locations, also in the spelling of senders
/// that lose their colons (`xmlnsxsi`, `xsischemaLocation`).
fn only_about_schemas(name: &str) -> bool {
    ["xmlns", "xsi", "xml:"]
        .iter()
        .any(|prefix| name.starts_with(prefix))
}

fn attribute_name(name: &str) -> Cow<'static, str> {
    match name {
        "currencyID" => Cow::Borrowed("currencyID"),
        "unitCode" => Cow::Borrowed("unitCode"),
        "formatCode" => Cow::Borrowed("formatCode"),
        other => Cow::Owned(other.to_owned()),
    }
}

fn attribute_value(raw: &str, offset: usize) -> Result<String, Fault> {
    if raw.len() > VALUE_BYTES_MAX {
        return Err(Fault::at(offset, Cause::ValueTooLong));
    }
    let mut value = String::with_capacity(raw.len());
    let mut rest = raw;
    while let Some(index) = rest.find(['&', '<', '\t', '\n', '\r']) {
        let (before, found) = rest.split_at(index);
        value.push_str(before);
        if let Some(reference) = found.strip_prefix('&') {
            let (name, after) = reference
                .split_once(';')
                .ok_or_else(|| Fault::not_well_formed(offset, "`&` without `;` in an attribute"))?;
            value.push(resolve(name).map_err(|cause| Fault::at(offset, cause))?);
            rest = after;
        } else if found.starts_with('<') {
            return Err(Fault::not_well_formed(offset, "`<` in an attribute"));
        } else {
            value.push(' ');
            rest = found.get(1..).unwrap_or_default();
        }
    }
    value.push_str(rest);
    Ok(value.trim().to_owned())
}

/// The five entities that XML has by itself, and character references. Others
/// would have to be defined by the document, and a document may define nothing.
fn resolve(name: &str) -> Result<char, Cause> {
    let code = match name {
        "lt" => return Ok('<'),
        "gt" => return Ok('>'),
        "amp" => return Ok('&'),
        "apos" => return Ok('\''),
        "quot" => return Ok('"'),
        _ => name
            .strip_prefix('#')
            .ok_or_else(|| Cause::UnknownEntity(shortened(name)))?,
    };
    let number = match code.strip_prefix('x') {
        Some(digits) if digits.bytes().all(|byte| byte.is_ascii_hexdigit()) => {
            u32::from_str_radix(digits, 16).ok()
        }
        None if code.bytes().all(|byte| byte.is_ascii_digit()) => code.parse().ok(),
        _ => None,
    };
    let number = number.ok_or_else(|| Cause::UnknownEntity(shortened(name)))?;
    char::from_u32(number)
        .filter(|character| is_xml_character(*character))
        .ok_or(Cause::ForbiddenCharacter(number))
}

/// XML 1.0, section 2.11: every line end is read as a line feed.
fn with_unix_lines(text: &str) -> Cow<'_, str> {
    if text.contains('\r') {
        Cow::Owned(text.replace("\r\n", "\n").replace('\r', "\n"))
    } else {
        Cow::Borrowed(text)
    }
}

fn is_xml_space(character: char) -> bool {
    matches!(character, ' ' | '\t' | '\n' | '\r')
}

/// Enough of a stranger's word to recognise it in a message.
pub(crate) fn shortened(word: &str) -> String {
    word.chars().take(40).collect()
}
