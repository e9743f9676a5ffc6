//! Writes a declaration message as the XML document that a broker's software
//! would send: WCO data model 3.6, function 9 (original), UTF-8. Which field is
//! which element is said in `mapping`.

use proto::customs::v1::{Amount, Declaration, DocumentTime, Measure};

use crate::document::is_xml_character;
use crate::mapping::Class;

/// Function code of an original declaration (UN/EDIFACT 1225).
pub(crate) const ORIGINAL: &str = "9";

const HEAD: &str = concat!(
    r#"<?xml version="1.0" encoding="UTF-8"?>"#,
    r#"<MetaData xmlns="urn:wco:datamodel:WCO:DocumentMetaData-DMS:2">"#,
    "<WCODataModelVersionCode>3.6</WCODataModelVersionCode>",
    "<WCOTypeName>DEC</WCOTypeName>",
    r#"<Declaration xmlns="urn:wco:datamodel:WCO:DEC-DMS:2">"#,
);
const FOOT: &str = "</Declaration></MetaData>";
const OWN_NAMESPACE: &str = r#" xmlns="urn:greenlane:bonded:1""#;

/// The declaration as an XML document that [`crate::read`] reads back into the
/// same message. Two things cannot come back, because documents cannot carry
/// them: white space around a value, and characters that XML forbids, which are
/// written as U+FFFD.
pub fn write(declaration: &Declaration) -> Vec<u8> {
    let mut writer = Writer {
        xml: String::with_capacity(8 * 1024),
    };
    writer.xml.push_str(HEAD);
    Declaration::write(declaration, &mut writer);
    writer.xml.push_str(FOOT);
    writer.xml.into_bytes()
}

/// A document being written.
pub(crate) struct Writer {
    xml: String,
}

impl Writer {
    pub(crate) fn function(&mut self, tag: &str) {
        self.leaf(tag, ORIGINAL, "", "");
    }

    pub(crate) fn text(&mut self, tag: &str, value: &str) {
        if !value.is_empty() {
            self.leaf(tag, value, "", "");
        }
    }

    pub(crate) fn number(&mut self, tag: &str, value: &Option<u32>) {
        if let Some(value) = value {
            self.leaf(tag, &value.to_string(), "", "");
        }
    }

    pub(crate) fn amount(&mut self, tag: &str, amount: &Option<Amount>) {
        if let Some(amount) = amount {
            self.leaf(tag, &amount.value, "currencyID", &amount.currency);
        }
    }

    pub(crate) fn measure(&mut self, tag: &str, measure: &Option<Measure>) {
        if let Some(measure) = measure {
            self.leaf(tag, &measure.value, "unitCode", &measure.unit_code);
        }
    }

    pub(crate) fn time(&mut self, tag: &str, time: &Option<DocumentTime>) {
        if let Some(time) = time {
            self.leaf(tag, &time.value, "formatCode", &time.format_code);
        }
    }

    pub(crate) fn one<C: Class>(&mut self, tag: &str, message: &Option<C::Message>) {
        if let Some(message) = message {
            self.element::<C>(tag, "", message);
        }
    }

    pub(crate) fn own<C: Class>(&mut self, tag: &str, message: &Option<C::Message>) {
        if let Some(message) = message {
            self.element::<C>(tag, OWN_NAMESPACE, message);
        }
    }

    pub(crate) fn many<C: Class>(&mut self, tag: &str, messages: &[C::Message]) {
        for message in messages {
            self.element::<C>(tag, "", message);
        }
    }

    /// Leaves the element out where nothing of it was filed.
    pub(crate) fn within<C: Class>(&mut self, tag: &str, message: &C::Message) {
        let before = self.xml.len();
        self.start(tag, "");
        let inside = self.xml.len();
        C::write(message, self);
        if self.xml.len() == inside {
            self.xml.truncate(before);
        } else {
            self.end(tag);
        }
    }

    fn element<C: Class>(&mut self, tag: &str, attributes: &str, message: &C::Message) {
        self.start(tag, attributes);
        C::write(message, self);
        self.end(tag);
    }

    fn leaf(&mut self, tag: &str, value: &str, attribute: &str, qualifying: &str) {
        self.xml.push('<');
        self.xml.push_str(tag);
        if !qualifying.is_empty() {
            self.xml.push(' ');
            self.xml.push_str(attribute);
            self.xml.push_str("=\"");
            self.escaped(qualifying);
            self.xml.push('"');
        }
        self.xml.push('>');
        self.escaped(value);
        self.end(tag);
    }

    fn start(&mut self, tag: &str, attributes: &str) {
        self.xml.push('<');
        self.xml.push_str(tag);
        self.xml.push_str(attributes);
        self.xml.push('>');
    }

    fn end(&mut self, tag: &str) {
        self.xml.push_str("</");
        self.xml.push_str(tag);
        self.xml.push('>');
    }

    /// Line ends and tabs are written as references: a reader would otherwise
    /// turn them into others.
    fn escaped(&mut self, value: &str) {
        for character in value.chars() {
            match character {
                '<' => self.xml.push_str("&lt;"),
                '>' => self.xml.push_str("&gt;"),
                '&' => self.xml.push_str("&amp;"),
                '"' => self.xml.push_str("&quot;"),
                '\t' => self.xml.push_str("&#9;"),
                '\n' => self.xml.push_str("&#10;"),
                '\r' => self.xml.push_str("&#13;"),
                _ if is_xml_character(character) => self.xml.push(character),
                _ => self.xml.push(char::REPLACEMENT_CHARACTER),
            }
        }
    }
}
