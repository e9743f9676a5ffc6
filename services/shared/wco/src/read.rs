//! Says what a document is and reads it: a filing with its declaration, a known
//! document that is no filing, or nothing readable. Must not know what customs
//! makes of it: whether values are right is not asked here.

use std::borrow::Cow;
use std::collections::HashSet;

use proto::customs::v1::{Declaration, GoodsItem, Procedure};

use crate::document::{Element, Token, line_and_column, shortened};
use crate::fault::{Cause, Fault};
use crate::intake::{Intake, Level, Repeated, Unmapped, too_many, without_glued_prefix};
use crate::limits::{CONTAINERS_BYTES_MAX, ENVELOPE_VALUES_MAX, OCCURRENCES_MAX};
use crate::write::ORIGINAL;

/// What a document turned out to be.
#[derive(Debug, Clone, PartialEq)]
pub enum Reading {
    /// A declaration to be filed: function 9, type IM, EX or CO, or no type, which
    /// is a fault of a filing and names no other kind of document.
    Filing(Filing),
    /// A document that brokers' software knows, but no filing.
    Unsupported(Unsupported),
    /// Not to be read.
    Unreadable(Unreadable),
}

/// A declaration to be filed.
#[derive(Debug, Clone, PartialEq)]
pub struct Filing {
    /// The declaration as a message.
    pub declaration: Box<Declaration>,
    /// What it asks for: always "9", original.
    pub function_code: String,
    /// What the document says about itself.
    pub facts: Facts,
    /// The values of the wrapping around the declaration: transport, nothing to
    /// warn of.
    pub envelope: Vec<EnvelopeValue>,
    /// Every value of the declaration that has no place in the message, as far as
    /// the limits list them.
    pub unmapped: Vec<Unmapped>,
    /// How many more such values there are.
    pub unmapped_omitted: usize,
    /// Every element that may stand once and stands again.
    pub repeated: Vec<Repeated>,
}

/// A known document that is no filing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsupported {
    /// Its name for a person: "amendment (function 13, COR)", "notification
    /// DMSACC".
    pub kind: String,
    /// What the document says about itself.
    pub facts: Facts,
}

/// A document that cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}, column {column}: {cause}")]
pub struct Unreadable {
    /// Line of the fault, from 1.
    pub line: u32,
    /// Column of the fault in characters, from 1.
    pub column: u32,
    /// What is wrong and what to do.
    pub cause: Cause,
}

/// What a document says about itself, as written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// TypeCode of its declaration; empty where there is none.
    pub type_code: String,
    /// The filer's reference of its declaration; empty where there is none.
    pub lrn: String,
    /// How many goods items it has, also those that the message has no place for.
    pub items: usize,
    /// The distinct container numbers, shipment first, in their order; of
    /// [`CONTAINERS_BYTES_MAX`] bytes at most.
    pub containers: Vec<String>,
}

impl Facts {
    /// What a message says about itself, in the words of a document that says the
    /// same.
    pub fn of(declaration: &Declaration) -> Self {
        let mut facts = Self::default();
        facts.learn(declaration, &mut Numbers::default());
        facts
    }

    /// A notification may hold two declarations (what it answers, what changed);
    /// the first to say something is believed.
    fn learn(&mut self, declaration: &Declaration, known: &mut Numbers) {
        if self.type_code.is_empty() {
            self.type_code.clone_from(&declaration.type_code);
        }
        if self.lrn.is_empty() {
            self.lrn.clone_from(&declaration.lrn);
        }
        self.items += declaration.items.len();
        for number in container_numbers(declaration) {
            known.add(number, &mut self.containers);
        }
    }
}

/// The container numbers that were met.
#[derive(Default)]
struct Numbers {
    seen: HashSet<String>,
    bytes: usize,
}

impl Numbers {
    /// Lists a number that is new, while there is room.
    fn add(&mut self, number: &str, listed: &mut Vec<String>) {
        if number.is_empty() || self.bytes + number.len() > CONTAINERS_BYTES_MAX {
            return;
        }
        if self.seen.insert(number.to_owned()) {
            self.bytes += number.len();
            listed.push(number.to_owned());
        }
    }
}

/// A value outside of the declaration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EnvelopeValue {
    /// Where it stands, from the document's root: `/MetaData/WCOTypeName`.
    pub path: String,
    /// The value, trimmed.
    pub value: String,
}

/// Reads a document. Never fails: a document that cannot be read is an answer.
pub fn read(bytes: &[u8]) -> Reading {
    read_document(bytes).unwrap_or_else(|fault| Reading::Unreadable(unreadable(bytes, fault)))
}

/// The distinct container numbers that a declaration names, as written: those of
/// the shipment, then those that only items name.
pub fn containers(declaration: &Declaration) -> Vec<String> {
    let mut seen = HashSet::new();
    container_numbers(declaration)
        .filter(|number| !number.is_empty() && seen.insert(*number))
        .map(str::to_owned)
        .collect()
}

/// Every container number, those of the shipment first.
fn container_numbers(declaration: &Declaration) -> impl Iterator<Item = &str> {
    let of_items = declaration.items.iter().flat_map(|item| &item.containers);
    declaration
        .containers
        .iter()
        .chain(of_items)
        .map(|container| container.id.as_str())
}

/// An item's procedure (DE 1/10): the first entry that names what the goods were
/// under before.
pub fn procedure(item: &GoodsItem) -> Option<&Procedure> {
    item.procedures
        .iter()
        .find(|procedure| !procedure.previous_code.is_empty())
}

/// An item's additional procedure codes (DE 1/11), in their order.
pub fn additional_procedures(item: &GoodsItem) -> impl Iterator<Item = &str> {
    item.procedures
        .iter()
        .filter(|procedure| procedure.previous_code.is_empty())
        .map(|procedure| procedure.current_code.as_str())
}

pub(crate) fn unreadable(bytes: &[u8], fault: Fault) -> Unreadable {
    let (line, column) = line_and_column(bytes, fault.offset);
    Unreadable {
        line,
        column,
        cause: fault.cause,
    }
}

fn read_document(bytes: &[u8]) -> Result<Reading, Fault> {
    let mut survey = Survey {
        intake: Intake::open(bytes)?,
        declaration: None,
        notification: None,
        envelope: Vec::new(),
        facts: Facts::default(),
        numbers: Numbers::default(),
        declarations: 0,
        root: Root::Filing,
    };
    let root = survey.first_element()?;
    let (name, offset) = (root.name, root.offset);
    survey.root =
        Root::of(name).ok_or_else(|| Fault::at(offset, Cause::UnknownDocument(shortened(name))))?;
    survey.element(root, "", &mut Level::default())?;
    survey.after_the_root()?;
    survey.verdict(name, offset)
}

/// The documents that brokers' software knows, by their root element.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Root {
    /// Wraps a declaration, or a notification, or is the declaration.
    Filing,
    /// Customs' answer to a question about a declaration.
    Information,
    /// Port systems and customs about consignments and movements.
    InventoryLinking,
}

impl Root {
    fn of(name: &str) -> Option<Self> {
        match name {
            "submitDeclarationRequest" => return Some(Self::Filing),
            "DeclarationFullResponse"
            | "DeclarationVersionResponse"
            | "DeclarationStatusResponse"
            | "DeclarationSearchResponse" => return Some(Self::Information),
            _ => {}
        }
        if name.to_ascii_lowercase().starts_with("inventorylinking") {
            return Some(Self::InventoryLinking);
        }
        match without_glued_prefix(name) {
            "MetaData" | "Declaration" => Some(Self::Filing),
            _ => None,
        }
    }
}

/// Goes through a document, wrapping and all.
struct Survey<'a> {
    intake: Intake<'a>,
    declaration: Option<Box<Declaration>>,
    /// Function code of a notification, once one was met.
    notification: Option<String>,
    envelope: Vec<EnvelopeValue>,
    facts: Facts,
    numbers: Numbers,
    declarations: usize,
    root: Root,
}

impl<'a> Survey<'a> {
    fn first_element(&mut self) -> Result<Element<'a>, Fault> {
        match self.intake.document.next()? {
            Token::Open(root) => Ok(root),
            Token::Text(_) | Token::Close | Token::End => Err(Fault::at(0, Cause::Empty)),
        }
    }

    fn after_the_root(&mut self) -> Result<(), Fault> {
        while !matches!(self.intake.document.next()?, Token::End) {}
        Ok(())
    }

    /// One element of the wrapping; recursion is bounded by the document's depth.
    fn element(
        &mut self,
        element: Element<'a>,
        parent: &str,
        level: &mut Level<'a>,
    ) -> Result<(), Fault> {
        let name = without_glued_prefix(element.name);
        if name == "Declaration" {
            return self.declaration(element);
        }
        if name == "Response" && self.root == Root::Filing {
            self.notification.get_or_insert_default();
        }
        let written = element.name;
        let occurrence = level.occurrence(written, 0);
        self.intake.enter(written, occurrence);
        for attribute in &element.attributes {
            self.note(Some(&attribute.name), &attribute.value);
        }
        let mut text = Cow::Borrowed("");
        let mut inner = Level::default();
        loop {
            match self.intake.document.next()? {
                Token::Text(piece) => self.intake.append(&mut text, piece)?,
                Token::Open(child) => {
                    self.note(None, std::mem::take(&mut text).trim());
                    self.element(child, name, &mut inner)?;
                }
                Token::Close | Token::End => break,
            }
        }
        let value = text.trim();
        if parent == "Response"
            && name == "FunctionCode"
            && let Some(code) = self.notification.as_mut().filter(|code| code.is_empty())
        {
            *code = value.to_owned();
        }
        self.note(None, value);
        self.intake.leave();
        Ok(())
    }

    fn declaration(&mut self, element: Element<'a>) -> Result<(), Fault> {
        let offset = element.offset;
        let is_filing = self.root == Root::Filing && self.notification.is_none();
        if is_filing && self.declaration.is_some() {
            return Err(Fault::at(offset, Cause::SecondDeclaration));
        }
        if self.declarations >= OCCURRENCES_MAX {
            return Err(too_many("Declaration", offset));
        }
        self.declarations += 1;
        let mut declaration = Box::<Declaration>::default();
        let around = std::mem::take(&mut self.intake.path);
        self.intake
            .class::<Declaration>(element, "Declaration", 0, &mut declaration)?;
        self.intake.path = around;
        self.learn(&declaration);
        if is_filing {
            self.declaration = Some(declaration);
        } else {
            self.intake.forget_listed();
        }
        Ok(())
    }

    /// What the declaration says, and what stands in it where the message has no
    /// place: a second shipment has goods too.
    fn learn(&mut self, declaration: &Declaration) {
        self.facts.learn(declaration, &mut self.numbers);
        let unplaced = std::mem::take(&mut self.intake.unplaced);
        self.facts.items += unplaced.items;
        for number in &unplaced.containers {
            self.numbers.add(number, &mut self.facts.containers);
        }
    }

    fn note(&mut self, attribute: Option<&str>, value: &str) {
        if value.is_empty() || self.root != Root::Filing || self.notification.is_some() {
            return;
        }
        if self.envelope.len() >= ENVELOPE_VALUES_MAX {
            // Only a filing is refused for it, and whether it is one shows at the end.
            let offset = self.intake.document.offset();
            self.intake
                .overflow
                .get_or_insert_with(|| Fault::at(offset, Cause::EnvelopeTooLarge));
            return;
        }
        self.envelope.push(EnvelopeValue {
            path: self.intake.written_path(attribute),
            value: value.to_owned(),
        });
    }

    fn verdict(self, root: &str, root_offset: usize) -> Result<Reading, Fault> {
        let kind = match self.root {
            Root::Information => format!("declaration information ({root})"),
            Root::InventoryLinking => format!("inventory linking ({root})"),
            Root::Filing => {
                if let Some(code) = self.notification {
                    notification_kind(&code)
                } else if let Some(declaration) = self.declaration {
                    let function = self.intake.function_code;
                    if is_filing(&function, &declaration.type_code) {
                        return match self.intake.overflow {
                            Some(fault) => Err(fault),
                            None => Ok(Reading::Filing(Filing {
                                declaration,
                                function_code: function,
                                facts: self.facts,
                                envelope: self.envelope,
                                unmapped: self.intake.unmapped,
                                unmapped_omitted: self.intake.unmapped_omitted,
                                repeated: self.intake.repeated,
                            })),
                        };
                    }
                    declaration_kind(&function, &declaration.type_code)
                } else {
                    return Err(Fault::at(
                        root_offset,
                        Cause::NoDeclaration(shortened(root)),
                    ));
                }
            }
        };
        Ok(Reading::Unsupported(Unsupported {
            kind,
            facts: self.facts,
        }))
    }
}

/// The first two letters say import, export or special; COR is no declaration
/// of the kind CO but a correction. Where the type is missing, the function says
/// that something is filed.
fn is_filing(function_code: &str, type_code: &str) -> bool {
    let direction = ["IM", "EX", "CO"]
        .iter()
        .any(|direction| type_code.starts_with(direction));
    function_code == ORIGINAL && (direction || type_code.is_empty()) && type_code != "COR"
}

/// Names a declaration that is no filing: by its type where that says what is
/// asked for, otherwise by its function (UN/EDIFACT 1225).
fn declaration_kind(function_code: &str, type_code: &str) -> String {
    let function = shortened(function_code);
    let asked = match (function_code, type_code) {
        ("13", "COR") => "amendment",
        ("13", "INV") => "cancellation",
        ("13", "GPR") => "arrival",
        ("13", _) => "request",
        ("1", _) => "cancellation",
        ("4" | "5", _) => "amendment",
        ("9", _) => "declaration of an unknown type",
        ("", _) => return "declaration without a function code".to_owned(),
        _ => "declaration with an unknown function",
    };
    if type_code.is_empty() {
        format!("{asked} (function {function})")
    } else {
        format!("{asked} (function {function}, {})", shortened(type_code))
    }
}

/// Names a notification by its function code, as brokers' software does.
fn notification_kind(code: &str) -> String {
    let name = match code {
        "01" => "DMSACC",
        "02" => "DMSRCV",
        "03" => "DMSREJ",
        "05" => "DMSCTL",
        "06" => "DMSDOC",
        "07" => "DMSRES",
        "08" => "DMSROG",
        "09" => "DMSCLE",
        "10" => "DMSINV",
        "11" => "DMSREQ",
        "13" => "DMSTAX",
        "14" => "DMSCPI",
        "15" => "DMSCPR",
        "16" => "DMSEOG",
        "17" => "DMSEXT",
        "18" => "DMSGER",
        "50" => "DMSQRY 50",
        "51" => "DMSQRY 51",
        "52" => "DMSQRY 52",
        "" => return "notification without a function code".to_owned(),
        other => return format!("notification of function {}", shortened(other)),
    };
    format!("notification {name}")
}
