//! Filing a stock list: an increase is expected, a decrease is reserved or refused with what is available (bonded
//! rules 1, 6 and 7), under the lock on the lines. All faults of a filing are told at once. It must not know what
//! becomes of the list later.

use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Datelike, Utc};
use kernel::{
    BookNumber, CustomsArea, Direction, Fault, HsCode, Lrn, Quantity, Refusal, StockListNumber,
    Text, Unmet,
};
use rust_decimal::Decimal;

use super::Rules;
use super::actor::Actor;
use super::amount::Amount;
use super::book::{Book, not_found};
use super::desk::{Desk, Entrance};
use super::ledger::{Cause, CauseKind};
use super::line::BookLine;
use super::list_posting::provisional;
use super::lot::{Conditions, Found, Skipped, day, find};
use super::mandate::KnownMandate;
use super::party::KnownParty;
use super::stock_list::{
    Dossier, LIST_LINES_MAX, LIST_PARTS_MAX, ListFact, ListFactKind, ListLine, ListState, Part,
    StockList,
};

/// The longest id of a party, in characters.
const PARTY_CHARS_MAX: usize = 64;
/// So many lots that were passed over are told; more are counted.
const SKIPPED_TOLD_MAX: usize = 50;
/// The last serial number of an area, year and direction.
const SERIAL_MAX: u32 = 999_999_999;
/// So many serial numbers are kept for each epoch. After a restore from a backup nobody here knows which numbers were
/// given in the lost time, while others do: a number of the new epoch is none of those.
const SERIALS_PER_EPOCH: u32 = 10_000_000;

/// Somebody files a list.
#[derive(Clone, Debug, PartialEq)]
pub struct FileStockList {
    /// Who asks.
    pub actor: Actor,
    /// Nothing is to be written.
    pub validate_only: bool,
    /// Into bond or out of it.
    pub direction: Direction,
    /// The book.
    pub book_number: BookNumber,
    /// The reference of the declaration that goes with it.
    pub declaration_lrn: Lrn,
    /// The party that files that declaration, if it is named.
    pub declaration_filer_party: Option<String>,
    /// The lines.
    pub lines: Vec<FiledLine>,
    /// What is wrong with the lines whatever the book says: told with what the book finds.
    pub faults: Vec<Fault>,
}

/// A line as it is filed. What cannot be read of it is absent, and among the filing's faults.
#[derive(Clone, Debug, PartialEq)]
pub struct FiledLine {
    /// The line of the book; 0: none is named.
    pub book_line: u32,
    /// How much, in the declared unit.
    pub declared: Option<Quantity>,
    /// In the statutory units: an increase.
    pub statutory: [Option<Quantity>; 2],
    /// From these lots alone: a decrease.
    pub lot_ids: Vec<String>,
}

/// What a filing says, as it was written: quantities are read where they stand.
#[derive(Clone, Debug)]
pub struct WrittenList<'a> {
    /// Which way; none: not said.
    pub direction: Option<Direction>,
    /// The book.
    pub book_number: &'a str,
    /// The declaration's reference.
    pub declaration_lrn: &'a str,
    /// The declaration's filer.
    pub declaration_filer_party: &'a str,
    /// The lines.
    pub lines: Vec<WrittenListLine<'a>>,
}

/// A line as it was written.
#[derive(Clone, Debug)]
pub struct WrittenListLine<'a> {
    /// The line of the book.
    pub book_line: u32,
    /// In the declared unit.
    pub declared: Result<Quantity, Fault>,
    /// In the statutory units, where they are given.
    pub statutory: [Option<Result<Quantity, Fault>>; 2],
    /// The named lots.
    pub lot_ids: Vec<&'a str>,
}

/// What a filing meets under the locks.
#[derive(Debug)]
pub struct FilingView<'a> {
    /// The mandates that the filer holds of the book's trader.
    pub mandates: Vec<&'a KnownMandate>,
    /// Whether the register's word on the trader and its mandates could all be read.
    pub register_known: bool,
    /// The book's trader or the filer, where the register says that it may not act.
    pub suspended: Option<&'a KnownParty>,
    /// The last serial number of each year, in the centre's customs area and this direction.
    pub serials: &'a BTreeMap<i32, u32>,
    /// The epoch in which this service publishes, from 1.
    pub epoch: u32,
    /// Lists on the lines whose goods are held.
    pub held_lists: &'a BTreeSet<StockListNumber>,
}

/// A list that was filed.
#[derive(Debug)]
pub struct Filed {
    /// The list.
    pub dossier: Dossier,
    /// Its year and serial number, to be remembered.
    pub serial: (i32, u32),
    /// Lots that were passed over.
    pub skipped: Vec<(Skipped, kernel::UnitCode)>,
    /// What happened.
    pub fact: ListFact,
}

impl FileStockList {
    /// Reads what was filed. Faults of its lines are kept: with the book at hand more may be found.
    ///
    /// # Errors
    /// STOCK_LIST_INVALID with every fault, where it does not say which way, of which book or under which reference.
    pub fn read(
        actor: Actor,
        validate_only: bool,
        written: WrittenList<'_>,
    ) -> Result<Self, Refusal> {
        let mut faults = Vec::new();
        if written.direction.is_none() {
            faults.push(Fault::new(
                "DIRECTION_MISSING",
                "direction",
                "",
                "INCREASE or DECREASE",
                "Say whether the goods come into bond or go out of it.",
            ));
        }
        let book_number = BookNumber::parse(written.book_number).map_err(|error| {
            faults.push(Fault::new(
                "BOOK_NUMBER_FORM",
                "book_number",
                written.book_number,
                "twelve letters or digits",
                error.to_string(),
            ));
        });
        let declaration_lrn = Lrn::parse(written.declaration_lrn).map_err(|error| {
            faults.push(Fault::new(
                "LRN_FORM",
                "declaration_lrn",
                written.declaration_lrn,
                "1 to 22 characters",
                error.to_string(),
            ));
        });
        let filer = match written.declaration_filer_party.trim() {
            "" => None,
            party => match Text::parse(party, PARTY_CHARS_MAX) {
                Ok(party) => Some(party),
                Err(error) => {
                    faults.push(Fault::new(
                        "PARTY_FORM",
                        "declaration_filer_party",
                        party,
                        "a party's id",
                        error.to_string(),
                    ));
                    None
                }
            },
        };
        if written.lines.is_empty() || written.lines.len() > LIST_LINES_MAX {
            faults.push(Fault::new(
                "LIST_LINES_COUNT",
                "lines",
                written.lines.len().to_string(),
                "1 to 100 lines",
                format!("A list has 1 to {LIST_LINES_MAX} lines; file several lists."),
            ));
        }
        let direction = written.direction.unwrap_or(Direction::In);
        let lines = written.lines.into_iter().take(LIST_LINES_MAX).enumerate();
        let lines: Vec<FiledLine> = lines
            .map(|(index, line)| line.read(direction, index, &mut faults))
            .collect();
        match (written.direction, book_number, declaration_lrn) {
            (Some(direction), Ok(book_number), Ok(declaration_lrn)) => Ok(Self {
                actor,
                validate_only,
                direction,
                book_number,
                declaration_lrn,
                declaration_filer_party: filer,
                lines,
                faults,
            }),
            _ => Err(invalid(faults)),
        }
    }
}

impl WrittenListLine<'_> {
    fn read(self, direction: Direction, index: usize, faults: &mut Vec<Fault>) -> FiledLine {
        let path = |field: &str| format!("lines[{index}].{field}");
        if self.book_line == 0 {
            faults.push(Fault::new(
                "BOOK_LINE_MISSING",
                path("book_line"),
                "0",
                "from 1",
                "Name the line of the book.",
            ));
        }
        let mut above_zero = |quantity: Result<Quantity, Fault>, field: &str| match quantity {
            Ok(quantity) if quantity.is_zero() => {
                faults.push(Fault::new(
                    "QUANTITY_ZERO",
                    path(field),
                    quantity.to_string(),
                    "above zero",
                    "A list moves something; leave the line out, or give its quantity.",
                ));
                None
            }
            Ok(quantity) => Some(quantity),
            Err(fault) => {
                faults.push(fault);
                None
            }
        };
        let declared = above_zero(self.declared, "declared");
        let [first, second] = self.statutory;
        let mut statutory = |quantity: Option<Result<Quantity, Fault>>, field: &str| {
            match (direction, quantity) {
                (Direction::In, Some(quantity)) => above_zero(quantity, field),
                // Absent: the fault of a missing quantity, with its path.
                (Direction::In, None) => above_zero(
                    Err(Fault::new(
                        "QUANTITY_INVALID",
                        path(field),
                        "",
                        "required for an increase",
                        "Give the quantity and its unit.",
                    )),
                    field,
                ),
                (Direction::Out, Some(quantity)) => {
                    let value = quantity.map(|quantity| quantity.to_string());
                    above_zero(
                        Err(Fault::new(
                            "STATUTORY_NOT_DECIDED_HERE",
                            path(field),
                            value.unwrap_or_default(),
                            "bonded rule 5",
                            "Leave it out: it follows from what entered with the lots.",
                        )),
                        field,
                    )
                }
                (Direction::Out, None) => None,
            }
        };
        let statutory = [
            statutory(first, "statutory_1"),
            statutory(second, "statutory_2"),
        ];
        if direction == Direction::In && !self.lot_ids.is_empty() {
            faults.push(Fault::new(
                "LOT_NOT_TO_BE_NAMED",
                path("lot_ids"),
                self.lot_ids.join(" "),
                "an increase makes its lots",
                "Leave it out.",
            ));
        }
        let distinct: BTreeSet<&str> = self.lot_ids.iter().copied().collect();
        if distinct.len() != self.lot_ids.len() || self.lot_ids.len() > LIST_PARTS_MAX {
            faults.push(Fault::new(
                "LOTS_NAMED_TWICE",
                path("lot_ids"),
                self.lot_ids.join(" "),
                "each lot once",
                "Name each lot once.",
            ));
        }
        FiledLine {
            book_line: self.book_line,
            declared,
            statutory,
            lot_ids: self.lot_ids.iter().map(|id| (*id).to_owned()).collect(),
        }
    }
}

/// Decides whether the list is filed: changes the book on the desk and gives the list. `desk` is none where there is
/// no such book.
///
/// # Errors
/// NOT_FOUND, MANDATE_MISSING, STOCK_LIST_INVALID, STOCK_NOT_AVAILABLE, BOOK_LINE_SUSPENDED, LIST_NUMBERS_EXHAUSTED.
pub fn file<'a>(
    command: &FileStockList,
    view: &FilingView<'_>,
    desk: Option<Desk<'a>>,
    rules: &Rules,
) -> Result<(Filed, Desk<'a>), Refusal> {
    let (mut desk, mandate_id) = permitted(command, view, desk)?;
    let area = rules
        .centres
        .get(&desk.book.site_id)
        .ok_or_else(|| not_found(command.book_number.as_str()))?;
    let (number, serial) = next_number(area, command.direction, view, desk.now)?;
    let mut list = new_list(command, &desk.book, number, desk.now);
    list.mandate_id = mandate_id;
    let mut trouble = Trouble {
        faults: command.faults.clone(),
        ..Trouble::default()
    };
    let named = |(_, filed): &(usize, &FiledLine)| filed.book_line != 0;
    for (index, filed) in command.lines.iter().enumerate().filter(named) {
        let Some(line) = desk.lines.get(&filed.book_line).cloned() else {
            trouble.faults.push(Fault::new(
                "BOOK_LINE_UNKNOWN",
                format!("lines[{index}].book_line"),
                filed.book_line.to_string(),
                "a line of the book",
                "The book has no such line; add it, or name another.",
            ));
            continue;
        };
        let entry = match command.direction {
            Direction::In => expect(&list, index, filed, &line, &mut desk, &mut trouble),
            Direction::Out => {
                let held = view.held_lists;
                reserve(&list, index, filed, &line, &mut desk, held, &mut trouble)
            }
        };
        list.lines.extend(entry);
    }
    let parts: usize = list.lines.iter().map(|line| line.parts.len()).sum();
    if parts > LIST_PARTS_MAX {
        trouble.faults.push(Fault::new(
            "LIST_LOTS_COUNT",
            "lines",
            parts.to_string(),
            "at most 1000 lots",
            "The list takes from too many lots; file several lists.",
        ));
    }
    trouble.verdict()?;
    let mut dossier = Dossier {
        list,
        passage: None,
        declarations: Vec::new(),
        holds: Vec::new(),
        unknown: Vec::new(),
    };
    let kind = match command.direction {
        Direction::In => ListFactKind::Filed,
        Direction::Out => ListFactKind::Reserved,
    };
    let fact = dossier.say(kind, desk.now, &command.actor.party, "");
    let filed = Filed {
        dossier,
        serial,
        skipped: trouble.passed_over,
        fact,
    };
    Ok((filed, desk))
}

/// The book, if it is the filer's own or its trader gave a mandate that counts now, and that mandate. Whether there is a
/// book is told to nobody else.
fn permitted<'a>(
    command: &FileStockList,
    view: &FilingView<'_>,
    desk: Option<Desk<'a>>,
) -> Result<(Desk<'a>, Option<String>), Refusal> {
    let number = command.book_number.as_str();
    let lines = command.lines.iter().map(|line| line.book_line);
    let (desk, mandate_id) = match desk {
        None if command.actor.broker => return Err(mandate_missing(number)),
        None => return Err(not_found(number)),
        Some(desk) if command.actor.owns(&desk.book) => (desk, None),
        Some(desk) => {
            let (known, mandates) = (view.register_known, &view.mandates);
            match mandate_for(&command.actor, known, mandates, &desk, lines) {
                Some(mandate) => (desk, Some(mandate.mandate_id.clone())),
                None if command.actor.broker => return Err(mandate_missing(number)),
                None => return Err(not_found(number)),
            }
        }
    };
    match view.suspended {
        Some(party) => Err(Refusal::denied(
            "PARTY_SUSPENDED",
            format!(
                "{} is suspended in the register of parties and may not act; customs lifts that.",
                party.party_id
            ),
        )),
        None => Ok((desk, mandate_id)),
    }
}

/// The mandate by which the actor may file these lines of a book for its trader: of several the one of the smallest id.
pub fn mandate_for<'a>(
    actor: &Actor,
    register_known: bool,
    mandates: &[&'a KnownMandate],
    desk: &Desk<'_>,
    lines: impl Iterator<Item = u32>,
) -> Option<&'a KnownMandate> {
    // A line that is not there is of no goods, and so within no limit: what there is in the book is not told.
    let lines = lines.map(|number| desk.lines.get(&number));
    let goods: Option<Vec<&HsCode>> = lines.map(|line| Some(&line?.hs_code)).collect();
    let goods = goods.unwrap_or_default();
    let mandates = mandates.iter().copied();
    mandates
        .filter(|_| actor.broker && register_known)
        .filter(|mandate| mandate.allows(desk.now) && mandate.covers(&goods))
        .min_by(|one, other| one.mandate_id.cmp(&other.mandate_id))
}

/// The refusal of a broker without a mandate; the same whether or not there is what it names.
pub fn mandate_missing(subject: &str) -> Refusal {
    Refusal::denied(
        "MANDATE_MISSING",
        format!(
            "You hold no mandate to file these goods for the trader of {subject} that counts now, or there is no such thing; check the number, and have the trader grant FILE_STOCK_LIST."
        ),
    )
}

fn next_number(
    area: &CustomsArea,
    direction: Direction,
    view: &FilingView<'_>,
    now: DateTime<Utc>,
) -> Result<(StockListNumber, (i32, u32)), Refusal> {
    let year = now.year();
    let exhausted = || {
        Refusal::exhausted(
            "LIST_NUMBERS_EXHAUSTED",
            "All list numbers of this customs area, year and direction are given; the platform's operator configures another area.",
        )
    };
    let before_epoch = view
        .epoch
        .saturating_sub(1)
        .saturating_mul(SERIALS_PER_EPOCH);
    let last = view.serials.get(&year).copied().unwrap_or_default();
    let serial = last.max(before_epoch);
    if serial >= SERIAL_MAX {
        return Err(exhausted());
    }
    let short = u8::try_from(year.rem_euclid(100)).map_err(|_| exhausted())?;
    StockListNumber::mint(area, short, direction, serial + 1)
        .map(|number| (number, (year, serial + 1)))
        .map_err(|_| exhausted())
}

fn new_list(
    command: &FileStockList,
    book: &Book,
    number: StockListNumber,
    now: DateTime<Utc>,
) -> StockList {
    StockList {
        number,
        version: 0,
        site_id: book.site_id.clone(),
        direction: command.direction,
        book_number: book.book_number.clone(),
        trader_party: book.trader_party.clone(),
        filer_party: command.actor.party.clone(),
        filer_subject: command.actor.subject.clone(),
        mandate_id: None,
        declaration_lrn: command.declaration_lrn.clone(),
        declaration_filer_party: command.declaration_filer_party.clone(),
        state: match command.direction {
            Direction::In => ListState::Filed,
            Direction::Out => ListState::Reserved,
        },
        stood: None,
        void_ask_id: None,
        closed_short: None,
        reason: None,
        lines: Vec::new(),
        discrepancies: Vec::new(),
        held: Vec::new(),
        counted_at: None,
        filed_at: now,
        posted: None,
    }
}

/// What stands against a filing.
#[derive(Default)]
struct Trouble {
    faults: Vec<Fault>,
    unmet: Vec<Unmet>,
    available: Vec<(usize, String)>,
    short: bool,
    passed_over: Vec<(Skipped, kernel::UnitCode)>,
}

impl Trouble {
    fn verdict(&self) -> Result<(), Refusal> {
        if !self.faults.is_empty() {
            let mut refusal = invalid(self.faults.clone());
            refusal.unmet = self.unmet.clone();
            return Err(refusal);
        }
        if self.unmet.is_empty() {
            return Ok(());
        }
        let mut refusal = if self.short {
            Refusal::unmet(
                "STOCK_NOT_AVAILABLE",
                "There is not enough for every line: nothing is reserved. See what is available, and which lots were passed over.",
                self.unmet.clone(),
            )
        } else {
            Refusal::unmet(
                "BOOK_LINE_SUSPENDED",
                "A line of the book is suspended for what was filed; the operator lifts that.",
                self.unmet.clone(),
            )
        };
        for (index, available) in &self.available {
            refusal = refusal.with_metadata(format!("available_{index}"), available);
        }
        Err(refusal)
    }

    fn suspended(&mut self, line: &BookLine, what: &str) {
        self.unmet.push(unmet(
            "BOOK_LINE_SUSPENDED",
            &line.id.to_string(),
            "operator",
            format!(
                "Line {} is suspended for {what}; the operator lifts that.",
                line.id
            ),
        ));
    }

    fn unreckonable(&mut self, index: usize, field: &str, value: String, why: &str) {
        self.faults.push(Fault::new(
            "QUANTITY_INVALID",
            format!("lines[{index}].{field}"),
            value,
            "the units of the book's line",
            why,
        ));
    }
}

/// An increase's line: expected.
fn expect(
    list: &StockList,
    index: usize,
    filed: &FiledLine,
    line: &BookLine,
    desk: &mut Desk<'_>,
    trouble: &mut Trouble,
) -> Option<ListLine> {
    if line.suspended_for_increase {
        trouble.suspended(line, "increase");
    }
    let [first, second] = &filed.statutory;
    let units = [
        ("declared", &filed.declared, &line.units.declared),
        ("statutory_1", first, &line.units.statutory_1),
        ("statutory_2", second, &line.units.statutory_2),
    ];
    for (field, quantity, unit) in units {
        if let Some(quantity) = quantity
            && quantity.unit() != unit
        {
            trouble.unreckonable(
                index,
                field,
                quantity.to_string(),
                &format!("The line is reckoned in {unit}; state it so."),
            );
        }
    }
    if !trouble.faults.is_empty() || !trouble.unmet.is_empty() {
        return None;
    }
    let (declared, first, second) = (filed.declared.as_ref()?, first.as_ref()?, second.as_ref()?);
    let amount = Amount::of(declared, first, second, &line.units).ok()?;
    let number = line_number(index);
    let lot_id = desk.new_lot(filed.book_line, Some((list.number.clone(), number)), None)?;
    let part = enter(list, index, 0, &lot_id, amount, desk, trouble)?;
    Some(ListLine {
        number,
        book_line: filed.book_line,
        amount,
        units: line.units.clone(),
        counted: None,
        parts: vec![part],
    })
}

/// A decrease's line: reserved, or what is missing.
fn reserve(
    list: &StockList,
    index: usize,
    filed: &FiledLine,
    line: &BookLine,
    desk: &mut Desk<'_>,
    held_lists: &BTreeSet<StockListNumber>,
    trouble: &mut Trouble,
) -> Option<ListLine> {
    let declared = filed.declared.as_ref().filter(|declared| {
        let agrees = declared.unit() == &line.units.declared;
        if !agrees {
            trouble.unreckonable(
                index,
                "declared",
                declared.to_string(),
                &format!(
                    "The line is reckoned in {}; state it so.",
                    line.units.declared
                ),
            );
        }
        agrees
    });
    let unknown: Vec<&str> = filed
        .lot_ids
        .iter()
        .map(String::as_str)
        .filter(|id| {
            desk.lots
                .get(*id)
                .is_none_or(|lot| lot.lot.line != line.id || lot.lot.entry.is_none())
        })
        .collect();
    if !unknown.is_empty() {
        trouble.faults.push(Fault::new(
            "LOT_UNKNOWN",
            format!("lines[{index}].lot_ids"),
            unknown.join(" "),
            "a lot with stock on the line",
            "The line has no such lot, or nothing is left of it; name lots as the stock shows them.",
        ));
        return None;
    }
    if line.suspended_for_decrease {
        trouble.suspended(line, "decrease");
    }
    let declared = declared?;
    let found = match look(declared.amount(), &filed.lot_ids, line, desk, held_lists) {
        Ok(found) => found,
        Err(error) => {
            trouble.unreckonable(index, "declared", declared.to_string(), &error);
            return None;
        }
    };
    trouble.passed_over.extend(
        found
            .skipped
            .iter()
            .map(|skipped| (skipped.clone(), line.units.declared.clone())),
    );
    if found.available < declared.amount() {
        trouble.short = true;
        let available = format!("{} {}", found.available, line.units.declared);
        trouble.unmet.extend(shortage(line, declared, &found));
        trouble.available.push((index, available));
        return None;
    }
    let mut entry = ListLine {
        number: line_number(index),
        book_line: filed.book_line,
        amount: Amount::ZERO,
        units: line.units.clone(),
        counted: None,
        parts: Vec::new(),
    };
    for (place, taking) in found.takings.iter().enumerate() {
        let (lot_id, amount) = (&taking.lot_id, taking.amount);
        let part = enter(list, index, place, lot_id, amount, desk, trouble)?;
        entry.amount = entry.amount.plus(&part.provisional).ok()?;
        entry.parts.push(part);
    }
    Some(entry)
}

/// Looks for stock on a line, under the lock on it.
pub fn look(
    wanted: Decimal,
    named: &[String],
    line: &BookLine,
    desk: &Desk<'_>,
    held_lists: &BTreeSet<StockListNumber>,
) -> Result<Found, String> {
    let conditions = Conditions {
        held_lists,
        line_suspended: line.suspended_for_decrease,
        today: day(desk.now),
    };
    let lots = desk.lots.values().filter(|lot| lot.lot.line == line.id);
    find(lots, wanted, named, conditions).map_err(|error| error.to_string())
}

/// What to tell of a line that has not enough, and of each lot that was passed over.
pub fn shortage(line: &BookLine, wanted: &Quantity, found: &Found) -> Vec<Unmet> {
    let mut told = vec![unmet(
        "STOCK_NOT_AVAILABLE",
        &line.id.to_string(),
        "trader",
        format!(
            "{wanted} is asked for and {} {} is available; ask for no more, or wait for stock.",
            found.available, line.units.declared
        ),
    )];
    told.extend(found.skipped.iter().take(SKIPPED_TOLD_MAX).map(|skipped| {
        unmet(
            skipped.reason.as_str(),
            &skipped.lot_id,
            skipped.reason.who(),
            format!(
                "{} {} of this lot was passed over.",
                skipped.declared, line.units.declared
            ),
        )
    }));
    if found.skipped.len() > SKIPPED_TOLD_MAX {
        told.push(unmet(
            "MORE_LOTS_SKIPPED",
            &line.id.to_string(),
            "operator",
            format!(
                "{} more lots were passed over; look at the stock of the line.",
                found.skipped.len() - SKIPPED_TOLD_MAX
            ),
        ));
    }
    told
}

fn enter(
    list: &StockList,
    index: usize,
    place: usize,
    lot_id: &str,
    amount: Amount,
    desk: &mut Desk<'_>,
    trouble: &mut Trouble,
) -> Option<Part> {
    let by = (list.filer_party.as_str(), list.filer_subject.as_str());
    match enter_provisional(list, line_number(index), place, lot_id, amount, desk, by) {
        Ok(part) => Some(part),
        Err(error) => {
            trouble.unreckonable(index, "declared", amount.declared.to_string(), &error);
            None
        }
    }
}

/// Posts what is expected or reserved of one lot.
pub fn enter_provisional(
    list: &StockList,
    line_number: u32,
    place: usize,
    lot_id: &str,
    amount: Amount,
    desk: &mut Desk<'_>,
    by: (&str, &str),
) -> Result<Part, String> {
    let movement = desk
        .post(Entrance {
            lot_id,
            total: provisional(list.direction),
            amount,
            cause: Cause {
                kind: CauseKind::ListLine,
                reference: list.reference(line_number, place),
            },
            effective_at: desk.now,
            by,
            reverses: None,
        })
        .map_err(|error| error.to_string())?;
    Ok(Part {
        lot_id: lot_id.to_owned(),
        provisional: amount,
        provisional_movement: movement,
        actual: None,
    })
}

/// The number of the line at this place: a list has no more than [`LIST_LINES_MAX`].
fn line_number(index: usize) -> u32 {
    u32::try_from(index + 1).unwrap_or(u32::MAX)
}

fn unmet(condition: &str, subject: &str, who: &str, description: String) -> Unmet {
    Unmet {
        condition: condition.to_owned(),
        subject: subject.to_owned(),
        who: who.to_owned(),
        since: None,
        evidence: String::new(),
        description,
    }
}

fn invalid(faults: Vec<Fault>) -> Refusal {
    Refusal::invalid(
        "STOCK_LIST_INVALID",
        "The list cannot be taken as it was filed; correct every fault and file it again.",
    )
    .with_faults(faults)
}
