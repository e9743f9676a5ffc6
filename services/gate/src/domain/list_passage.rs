//! What passes a bonded centre's gate of one stock list: what bonded says of the list, and the passes, one for
//! each truck's part of it. One row for each list, under which every filing and every movement of its goods is
//! decided, so that the passes never come to more than the list (gate rule 4). It must not know trucks, sites'
//! lanes or release's decisions.
//!
//! ```text
//! pass    ISSUED -> PASSED | WITHDRAWN
//! list    open <-> closed      closed: the sum has reached the list, no usable pass is left, or it was closed short
//! ```

use chrono::{DateTime, NaiveDate, Utc};
use kernel::{CustomsArea, Direction, GatePassNumber, Quantity, Refusal, StockListNumber};
use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::condition::{self, Condition, Gravity, code};
use super::filing::{Faults, WrittenQuantity};
use super::knowledge::Told;
use super::truck_visit::Completion;

/// The most passes of one list. Each has its place in the pass's number: with the list's nine digits three are
/// left, and half of them tell lists of neighbouring years apart.
pub const PASSES_MAX: usize = 499;
/// The most lines that all passes of one list carry together: every fact of the list carries them all.
pub const PASS_LINES_MAX: usize = 10_000;
/// The most lines of a list that gate takes.
pub const LIST_LINES_MAX: usize = 1_000;
/// The most lines of a list that a filing names.
pub const FILED_LINES_MAX: usize = 200;

/// What bonded says of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StockList {
    /// Version and event.
    pub told: Told,
    /// The bonded centre.
    pub site_id: String,
    /// The trader whose stock it is.
    pub trader_party: String,
    /// Whether more of it may come.
    pub standing: Standing,
    /// Bonded's own word of its state: for people and evidence.
    pub state: String,
    /// Its lines: how much of each is to pass.
    pub lines: Vec<ListLine>,
    /// When its goods were unstuffed and counted: what had brought them by then is empty.
    #[serde(default)]
    pub unstuffed_at: Option<DateTime<Utc>>,
}

/// Whether more of a list may come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Standing {
    /// Yes.
    Open,
    /// Bonded asks whether it can be void.
    VoidAsked,
    /// No more of it comes: what passed is all.
    ClosedShort,
    /// It is void, posted or reversed.
    Over,
}

/// So much of one line, in the line's declared unit: of the list, or of a truck.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListLine {
    /// The list's line, from 1.
    pub line_number: u32,
    /// How much.
    pub quantity: Quantity,
}

/// The part of a list that a filing carries.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FiledList {
    /// The list.
    pub list_number: StockListNumber,
    /// How much of each line.
    pub lines: Vec<ListLine>,
}

/// The part of a list as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenList {
    /// The list's number.
    pub list_number: String,
    /// How much of each line; empty: all that no other pass carries.
    pub lines: Vec<WrittenListLine>,
}

/// So much of one line, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenListLine {
    /// The list's line.
    pub line_number: u32,
    /// How much.
    pub quantity: Option<WrittenQuantity>,
}

/// What passes of one list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPassage {
    /// The list.
    pub list_number: StockListNumber,
    /// Grows by one with every fact.
    pub version: u64,
    /// What bonded says of it; none while nothing was heard.
    pub list: Option<StockList>,
    /// The passes, in the order in which they were issued.
    pub passes: Vec<ListPass>,
    /// Nothing more of it will pass.
    pub closed: bool,
    /// Bonded's ask that was answered last.
    pub void_ask: Option<VoidAnswer>,
}

/// The answer to bonded's ask whether a list can be void (gate rule 12).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct VoidAnswer {
    /// The ask.
    pub ask_id: String,
    /// Nothing of the list has passed, and nothing will.
    pub applied: bool,
}

/// One truck's part of a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ListPass {
    /// The filing.
    pub pre_arrival_id: Uuid,
    /// Its number, from when the filing was READY.
    pub number: Option<GatePassNumber>,
    /// Where it stands.
    pub state: PassState,
    /// Where the truck is that has the goods, or may have them.
    pub under_way: Option<UnderWay>,
    /// The version of the list that it was issued on.
    pub list_version: u64,
    /// How much of each line.
    pub lines: Vec<ListLine>,
    /// The containers; the goods may travel without.
    pub containers: Vec<String>,
    /// When its goods passed.
    pub passed_at: Option<DateTime<Utc>>,
    /// No other pass was left when it passed: trucks overtake, so this is what was known then.
    pub last: bool,
    /// How its passing is known (gate rule 15).
    pub known_by: Option<Completion>,
}

/// Where a pass stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum PassState {
    /// Its truck may come.
    Issued,
    /// Its goods have passed.
    Passed,
    /// Its truck will not come, or brought nothing.
    Withdrawn,
}

/// Where the truck of a pass is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum UnderWay {
    /// Inside the site where it fetches the goods.
    Inside,
    /// On the road to the bonded centre, with the goods.
    OnTheRoad,
}

/// What can happen to a list at the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListPassageFact {
    /// A filing carries a part of it.
    PassIssued,
    /// A filing will not be used.
    PassWithdrawn,
    /// Goods of it passed.
    Passed,
    /// Nothing more of it will pass.
    Closed,
    /// Another pass was issued after all.
    Reopened,
    /// Nothing of it can pass any more.
    VoidApplied,
    /// Goods have passed, or are on a truck.
    VoidTooLate,
}

/// What happened, with the list's passage after it.
pub type Happened = (ListPassageFact, ListPassage);

impl PassState {
    /// The word in events.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Issued => "ISSUED",
            Self::Passed => "PASSED",
            Self::Withdrawn => "WITHDRAWN",
        }
    }
}

impl StockList {
    /// Whether more of it may pass.
    fn is_open(&self) -> bool {
        self.standing == Standing::Open
    }
}

/// Reads the part of a list that a filing names; the lines as far as they can be read without the list.
pub fn read(written: &WrittenList, faults: &mut Faults) -> Option<FiledList> {
    let number = faults.take(
        StockListNumber::parse(&written.list_number),
        "LIST_NUMBER_INVALID",
        "list.list_number",
        &written.list_number,
        "18 characters, QD...",
    );
    if written.lines.len() > FILED_LINES_MAX {
        faults.add(
            "TOO_MANY",
            "list.lines",
            &written.lines.len().to_string(),
            "at most 200 lines",
            "Name the lines that the truck carries; none: all that is left.",
        );
        return None;
    }
    let mut lines: Vec<ListLine> = Vec::new();
    for (index, line) in written.lines.iter().enumerate() {
        let path = format!("list.lines[{index}]");
        let written = line.quantity.as_ref();
        let (value, unit) = written.map_or(("", ""), |q| (q.value.as_str(), q.unit.as_str()));
        let shown = format!("{value} {unit}");
        let rule = "a quantity above 0 in the line's declared unit";
        let quantity_path = format!("{path}.quantity");
        let quantity = faults.take(
            Quantity::parse(value, unit),
            "LIST_QUANTITY_INVALID",
            &quantity_path,
            shown.trim(),
            rule,
        );
        let Some(quantity) = quantity else { continue };
        if quantity.is_zero() {
            faults.add(
                "LIST_QUANTITY_INVALID",
                &quantity_path,
                shown.trim(),
                rule,
                "Leave out the lines of which the truck carries nothing.",
            );
        }
        if lines
            .iter()
            .any(|earlier| earlier.line_number == line.line_number)
        {
            faults.add(
                "LIST_LINE_TWICE",
                &format!("{path}.line_number"),
                &line.line_number.to_string(),
                "each line once",
                "Put the quantities of one line together.",
            );
        }
        lines.push(ListLine {
            line_number: line.line_number,
            quantity,
        });
    }
    Some(FiledList {
        list_number: number?,
        lines,
    })
}

impl ListPassage {
    /// A list of which nothing is known.
    pub fn new(list_number: StockListNumber) -> Self {
        Self {
            list_number,
            version: 0,
            list: None,
            passes: Vec::new(),
            closed: false,
            void_ask: None,
        }
    }

    /// The pass of a filing.
    pub fn pass(&self, pre_arrival_id: Uuid) -> Option<&ListPass> {
        let of_filing = |pass: &&ListPass| pass.pre_arrival_id == pre_arrival_id;
        self.passes.iter().find(of_filing)
    }

    /// Goods of it have left the place where they were: passed, or on the road.
    pub fn has_left(&self) -> bool {
        let left = |pass: &ListPass| {
            pass.state == PassState::Passed || pass.under_way == Some(UnderWay::OnTheRoad)
        };
        self.passes.iter().any(left)
    }

    /// Goods of it have passed, or a truck is inside or on the road on one of its passes.
    pub fn is_moving(&self) -> bool {
        let moving = |pass: &ListPass| pass.state == PassState::Passed || pass.under_way.is_some();
        self.passes.iter().any(moving)
    }

    /// When its goods were unstuffed and counted.
    pub fn unstuffed_at(&self) -> Option<DateTime<Utc>> {
        self.list.as_ref()?.unstuffed_at
    }

    /// Gate has answered that nothing of it will pass.
    pub fn is_void(&self) -> bool {
        self.void_ask.as_ref().is_some_and(|answer| answer.applied)
    }

    /// How much of a line no pass carries; less than nothing is nothing.
    fn left_of(&self, line: &ListLine) -> Quantity {
        let left = line.quantity.amount() - self.taken_of(line.line_number);
        let unit = line.quantity.unit();
        Quantity::new(left, unit.clone()).unwrap_or_else(|_| Quantity::zero(unit.clone()))
    }

    /// How much of a line the passes carry that may be used or were.
    fn taken_of(&self, line_number: u32) -> Decimal {
        let standing = |pass: &&ListPass| pass.state != PassState::Withdrawn;
        self.passes
            .iter()
            .filter(standing)
            .flat_map(|pass| &pass.lines)
            .filter(|part| part.line_number == line_number)
            .map(|part| part.quantity.amount())
            .sum()
    }

    /// The lines of which the passes come to more than the list: never at filing, but bonded may say another
    /// quantity afterwards (gate rule 4).
    pub fn exceeded(&self) -> Vec<u32> {
        let lines = self.list.iter().flat_map(|list| &list.lines);
        lines
            .filter(|line| self.taken_of(line.line_number) > line.quantity.amount())
            .map(|line| line.line_number)
            .collect()
    }

    /// Issues a pass for a part of the list, or says what is left of it (gate rule 4). The lines that the filing
    /// leaves out are filled in where it names none.
    ///
    /// # Errors
    /// The list is not open, a line is not on it, or there is not so much left.
    pub fn issue(
        &mut self,
        (pre_arrival_id, filer): (Uuid, &str),
        filed: &mut FiledList,
        containers: Vec<String>,
    ) -> Result<Vec<Happened>, Refusal> {
        let list = self.open_list()?.clone();
        if self.passes.len() >= PASSES_MAX {
            return Err(Refusal::exhausted(
                "PASSES_EXHAUSTED",
                format!("A list has at most {PASSES_MAX} passes; file another list for the rest."),
            ));
        }
        if filed.lines.is_empty() {
            filed.lines = list
                .lines
                .iter()
                .map(|line| ListLine {
                    line_number: line.line_number,
                    quantity: self.left_of(line),
                })
                .filter(|line| !line.quantity.is_zero())
                .collect();
            if filed.lines.is_empty() {
                return Err(self.exhausted(&list, &[], filer));
            }
        }
        self.must_be_on(&list, &filed.lines)?;
        let carried: usize = self.passes.iter().map(|pass| pass.lines.len()).sum();
        if carried + filed.lines.len() > PASS_LINES_MAX {
            return Err(Refusal::exhausted(
                "PASSES_EXHAUSTED",
                format!(
                    "The passes of a list carry at most {PASS_LINES_MAX} lines together; file another list for the rest."
                ),
            ));
        }
        let fits = |part: &ListLine| {
            let line = list
                .lines
                .iter()
                .find(|l| l.line_number == part.line_number);
            line.is_some_and(|line| part.quantity <= self.left_of(line))
        };
        if !filed.lines.iter().all(fits) {
            return Err(self.exhausted(&list, &filed.lines, filer));
        }
        self.passes.push(ListPass {
            pre_arrival_id,
            number: None,
            state: PassState::Issued,
            under_way: None,
            list_version: list.told.version,
            lines: filed.lines.clone(),
            containers,
            passed_at: None,
            last: false,
            known_by: None,
        });
        let was_closed = std::mem::take(&mut self.closed);
        let mut told = vec![self.tell(ListPassageFact::PassIssued)];
        if was_closed {
            told.push(self.tell(ListPassageFact::Reopened));
        }
        Ok(told)
    }

    /// The list, if more of it may pass.
    fn open_list(&self) -> Result<&StockList, Refusal> {
        let number = self.list_number.as_str();
        match &self.list {
            Some(list) if list.is_open() && !self.is_void() => Ok(list),
            Some(list) => Err(Refusal::unmet(
                "STOCK_LIST_NOT_OPEN",
                format!("No more of stock list {number} passes; its trader files another."),
                condition::unmet(&[Condition::new(
                    Gravity::Refuses,
                    code::STOCK_LIST_NOT_OPEN,
                    self.subject(),
                    list.trader_party.clone(),
                    self.why_not_open(list),
                )]),
            )
            .with_resource("stock list", number)),
            None => Err(Refusal::not_found("stock list", number)),
        }
    }

    fn why_not_open(&self, list: &StockList) -> String {
        match list.standing {
            Standing::ClosedShort => "It was closed short: what passed is all.".to_owned(),
            Standing::VoidAsked => "Its voiding is asked; wait for the outcome.".to_owned(),
            Standing::Open => {
                "It is void: bonded has been told that nothing of it passes.".to_owned()
            }
            Standing::Over => format!("It is {}.", list.state),
        }
    }

    fn must_be_on(&self, list: &StockList, parts: &[ListLine]) -> Result<(), Refusal> {
        let mut faults = Faults::default();
        for (index, part) in parts.iter().enumerate() {
            let line = list
                .lines
                .iter()
                .find(|l| l.line_number == part.line_number);
            let path = format!("list.lines[{index}]");
            match line {
                None => faults.add(
                    "LIST_LINE_UNKNOWN",
                    &format!("{path}.line_number"),
                    &part.line_number.to_string(),
                    "a line of the list",
                    "Check the list's lines.",
                ),
                Some(line) if line.quantity.unit() != part.quantity.unit() => faults.add(
                    "LIST_QUANTITY_INVALID",
                    &format!("{path}.quantity"),
                    &part.quantity.to_string(),
                    "the line's declared unit",
                    format!("Give the quantity in {}.", line.quantity.unit()),
                ),
                Some(_) => {}
            }
        }
        if faults.is_empty() {
            Ok(())
        } else {
            Err(faults.into_refusal())
        }
    }

    /// What is left of the list, for whoever asks for more: of each line of which too much was asked, or of all
    /// where everything was asked for and nothing is left.
    fn exhausted(&self, list: &StockList, asked: &[ListLine], filer: &str) -> Refusal {
        let mut left = Vec::new();
        let mut conditions = Vec::new();
        for line in &list.lines {
            let number = line.line_number;
            let rest = self.left_of(line);
            left.push(format!("{number}: {rest}"));
            let part = asked.iter().find(|part| part.line_number == number);
            let wanted = match part {
                Some(part) if part.quantity <= rest => continue,
                Some(part) => part.quantity.to_string(),
                None if asked.is_empty() => "all that is left".to_owned(),
                None => continue,
            };
            conditions.push(Condition::new(
                Gravity::Refuses,
                code::STOCK_LIST_EXCEEDED,
                format!("{}/{number}", self.subject()),
                filer,
                format!(
                    "Line {number}: asked {wanted}; the list has {}, its passes carry {} {} already, and {rest} is left.",
                    line.quantity,
                    self.taken_of(number),
                    line.quantity.unit()
                ),
            ));
        }
        Refusal::unmet(
            "STOCK_LIST_EXCEEDED",
            format!(
                "Less is left of stock list {} than is asked for the truck; file at most what is left. A pass that is cancelled gives its part back, and for more than the list its trader files another.",
                self.list_number
            ),
            condition::unmet(&conditions),
        )
        .with_metadata("left", left.join(", "))
    }

    /// Mints the pass's number, once: area, direction and serial number of the list, the day, and the pass's
    /// place in the list. Lists count anew each year, so those of neighbouring years count their passes apart.
    pub fn numbered(&mut self, pre_arrival_id: Uuid, today: NaiveDate) -> Option<GatePassNumber> {
        let list = self.list_number.as_str();
        let area = CustomsArea::parse(list.get(2..6)?).ok()?;
        let year: u64 = list.get(6..8)?.parse().ok()?;
        let serial: u64 = list.get(9..)?.parse().ok()?;
        let direction = self.list_number.direction();
        let place = self
            .passes
            .iter()
            .position(|pass| pass.pre_arrival_id == pre_arrival_id)?;
        let pass = self.passes.get_mut(place)?;
        if pass.number.is_none() {
            let place = u64::try_from(place).ok()? + 1 + (year % 2) * 500;
            pass.number =
                GatePassNumber::mint(&area, direction, today, serial * 1_000 + place).ok();
        }
        pass.number.clone()
    }

    /// The truck of a pass has gone in for the goods, is on the road with them, or has none of them any more.
    pub fn moved(&mut self, pre_arrival_id: Uuid, under_way: Option<UnderWay>) {
        if let Some(pass) = self.pass_mut(pre_arrival_id) {
            pass.under_way = under_way;
        }
    }

    /// The goods of a pass have passed; nothing happens where they have already.
    pub fn passed(
        &mut self,
        pre_arrival_id: Uuid,
        at: DateTime<Utc>,
        known_by: Completion,
    ) -> Vec<Happened> {
        let Some(pass) = self.pass_mut(pre_arrival_id) else {
            return Vec::new();
        };
        if pass.state == PassState::Passed {
            return Vec::new();
        }
        pass.state = PassState::Passed;
        pass.under_way = None;
        pass.passed_at = Some(at);
        pass.known_by = Some(known_by);
        let last = self.nothing_more_will_pass();
        if let Some(pass) = self.pass_mut(pre_arrival_id) {
            pass.last = last;
        }
        let mut told = vec![self.tell(ListPassageFact::Passed)];
        told.extend(self.closed_or_not());
        told
    }

    /// The filing will not be used: cancelled, expired, or its truck left without the goods.
    pub fn withdrawn(&mut self, pre_arrival_id: Uuid) -> Vec<Happened> {
        let Some(pass) = self.pass_mut(pre_arrival_id) else {
            return Vec::new();
        };
        if pass.state != PassState::Issued {
            return Vec::new();
        }
        pass.state = PassState::Withdrawn;
        pass.under_way = None;
        let mut told = vec![self.tell(ListPassageFact::PassWithdrawn)];
        told.extend(self.closed_or_not());
        told
    }

    /// What bonded says of the list now, if it is news: an ask to void it is answered, once; a list that is over
    /// takes back the passes whose trucks have not come (gate rules 4 and 12).
    pub fn heard(&mut self, list: StockList, void_ask_id: Option<&str>) -> Vec<Happened> {
        let held = self.list.as_ref();
        if held.is_some_and(|held| !list.told.is_newer_than(&held.told)) {
            return Vec::new();
        }
        let standing = list.standing;
        self.list = Some(list);
        let mut told = Vec::new();
        if let Some(ask_id) = void_ask_id {
            told.extend(self.answered(ask_id));
        }
        if matches!(standing, Standing::ClosedShort | Standing::Over) {
            told.extend(self.take_back_unused());
        }
        told.extend(self.closed_or_not());
        told
    }

    fn answered(&mut self, ask_id: &str) -> Vec<Happened> {
        if self
            .void_ask
            .as_ref()
            .is_some_and(|answer| answer.ask_id == ask_id)
        {
            return Vec::new();
        }
        let applied = !self.is_moving();
        let mut told = Vec::new();
        if applied {
            told.extend(self.take_back_unused());
        }
        self.void_ask = Some(VoidAnswer {
            ask_id: ask_id.to_owned(),
            applied,
        });
        told.push(self.tell(if applied {
            ListPassageFact::VoidApplied
        } else {
            ListPassageFact::VoidTooLate
        }));
        told
    }

    fn take_back_unused(&mut self) -> Vec<Happened> {
        let unused = |pass: &&ListPass| pass.state == PassState::Issued && pass.under_way.is_none();
        let unused: Vec<Uuid> = self
            .passes
            .iter()
            .filter(unused)
            .map(|pass| pass.pre_arrival_id)
            .collect();
        unused
            .into_iter()
            .filter_map(|id| {
                self.pass_mut(id)?.state = PassState::Withdrawn;
                Some(self.tell(ListPassageFact::PassWithdrawn))
            })
            .collect()
    }

    fn closed_or_not(&mut self) -> Option<Happened> {
        let closed = self.nothing_more_will_pass();
        if closed == self.closed {
            return None;
        }
        self.closed = closed;
        Some(self.tell(if closed {
            ListPassageFact::Closed
        } else {
            ListPassageFact::Reopened
        }))
    }

    fn nothing_more_will_pass(&self) -> bool {
        if self
            .passes
            .iter()
            .any(|pass| pass.state == PassState::Issued)
        {
            return false;
        }
        let short = |list: &StockList| list.standing == Standing::ClosedShort;
        let passed = |pass: &ListPass| pass.state == PassState::Passed;
        self.passes.iter().any(passed) || self.list.as_ref().is_some_and(short)
    }

    fn pass_mut(&mut self, pre_arrival_id: Uuid) -> Option<&mut ListPass> {
        let of_filing = |pass: &&mut ListPass| pass.pre_arrival_id == pre_arrival_id;
        self.passes.iter_mut().find(of_filing)
    }

    /// As conditions and evidence name the list.
    pub fn subject(&self) -> String {
        format!("stock-list/{}", self.list_number)
    }

    /// The bonded centre, as bonded says.
    pub fn site_id(&self) -> &str {
        self.list.as_ref().map_or("", |list| &list.site_id)
    }

    /// Whether its goods come in or go out.
    pub fn direction(&self) -> Direction {
        self.list_number.direction()
    }

    fn tell(&mut self, fact: ListPassageFact) -> Happened {
        self.version += 1;
        (fact, self.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const AT: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn quantity(value: &str) -> Quantity {
        Quantity::parse(value, "PCE").unwrap()
    }

    fn line(line_number: u32, value: &str) -> ListLine {
        ListLine {
            line_number,
            quantity: quantity(value),
        }
    }

    fn list(version: u64, standing: Standing, lines: Vec<ListLine>) -> StockList {
        StockList {
            told: Told {
                version,
                ..Told::default()
            },
            site_id: "CENTRE".into(),
            trader_party: "trader-a".into(),
            standing,
            state: "RESERVED".into(),
            lines,
            unstuffed_at: None,
        }
    }

    fn passage(number: &str) -> ListPassage {
        let mut passage = ListPassage::new(StockListNumber::parse(number).unwrap());
        passage.heard(
            list(1, Standing::Open, vec![line(1, "10"), line(2, "2.5")]),
            None,
        );
        passage
    }

    fn issue(passage: &mut ListPassage, id: u128, lines: Vec<ListLine>) -> Result<(), Refusal> {
        let mut filed = FiledList {
            list_number: passage.list_number.clone(),
            lines,
        };
        let by = (Uuid::from_u128(id), "operator");
        let issued = passage.issue(by, &mut filed, Vec::new());
        issued.map(|_| ())
    }

    #[test]
    fn rule_4_the_passes_of_each_line_never_come_to_more_than_the_line() {
        let mut passage = passage("QD800026E000000001");
        issue(&mut passage, 1, vec![line(1, "7"), line(2, "2.5")]).unwrap();
        let refused = issue(&mut passage, 2, vec![line(1, "3.000001")]).unwrap_err();
        assert_eq!(refused.reason, "STOCK_LIST_EXCEEDED");
        let [unmet] = &refused.unmet[..] else {
            panic!("{refused:?}");
        };
        assert_eq!(unmet.subject, "stock-list/QD800026E000000001/1");
        assert_eq!(
            unmet.who, "operator",
            "who files the pass must ask for less"
        );
        assert_eq!(
            unmet.description,
            "Line 1: asked 3.000001 PCE; the list has 10 PCE, its passes carry 7 PCE already, and 3 PCE is left."
        );
        issue(&mut passage, 3, Vec::new()).unwrap();
        let rest = passage.pass(Uuid::from_u128(3)).unwrap();
        assert_eq!(rest.lines, [line(1, "3")]);
        let refused = issue(&mut passage, 4, Vec::new()).unwrap_err();
        assert_eq!(refused.reason, "STOCK_LIST_EXCEEDED");
        let told: Vec<&str> = refused
            .unmet
            .iter()
            .map(|unmet| unmet.description.as_str())
            .collect();
        assert_eq!(
            told,
            [
                "Line 1: asked all that is left; the list has 10 PCE, its passes carry 10 PCE already, and 0 PCE is left.",
                "Line 2: asked all that is left; the list has 2.5 PCE, its passes carry 2.5 PCE already, and 0 PCE is left."
            ]
        );
        passage.withdrawn(Uuid::from_u128(1));
        issue(&mut passage, 5, Vec::new()).unwrap();
        assert!(passage.exceeded().is_empty());
        // Bonded may say less afterwards: nobody is let in on more.
        passage.heard(
            list(2, Standing::Open, vec![line(1, "9"), line(2, "2.5")]),
            None,
        );
        assert_eq!(passage.exceeded(), [1]);
    }

    #[test]
    fn rule_4_a_list_has_so_many_passes_as_its_numbers_can_tell_apart() {
        let mut passage = passage("QD800026E000000001");
        for id in 1..=PASSES_MAX {
            let id = u128::try_from(id).unwrap();
            issue(&mut passage, id, vec![line(1, "1")]).unwrap();
            passage.withdrawn(Uuid::from_u128(id));
        }
        let refused = issue(&mut passage, 9_999, vec![line(1, "1")]).unwrap_err();
        assert_eq!(refused.reason, "PASSES_EXHAUSTED");
    }

    #[test]
    fn a_pass_number_is_minted_once_and_no_two_passes_of_neighbouring_years_share_it() {
        let day = NaiveDate::from_ymd_opt(2026, 12, 31).unwrap();
        let mut numbers = std::collections::BTreeSet::new();
        for number in [
            "QD800026E000000001",
            "QD800027E000000001",
            "QD800026I000000001",
        ] {
            let mut passage = passage(number);
            for id in 1..=2 {
                issue(&mut passage, id, vec![line(1, "1")]).unwrap();
                let id = Uuid::from_u128(id);
                let minted = passage.numbered(id, day).unwrap();
                assert_eq!(
                    passage.numbered(id, day.succ_opt().unwrap()),
                    Some(minted.clone())
                );
                assert!(minted.as_str().starts_with("Z8000"));
                assert_eq!(minted.as_str().get(6..12), Some("261231"));
                assert!(numbers.insert(minted.to_string()));
            }
        }
        assert_eq!(numbers.len(), 6);
    }

    #[test]
    fn the_last_is_what_was_known_when_it_passed_and_a_further_pass_reopens() {
        let mut passage = passage("QD800026E000000001");
        issue(&mut passage, 1, vec![line(1, "4")]).unwrap();
        let facts: Vec<_> = passage
            .passed(Uuid::from_u128(1), AT, Completion::Observed)
            .into_iter()
            .map(|(fact, passage)| (fact, passage.version, passage.closed))
            .collect();
        let expected = [
            (ListPassageFact::Passed, 2, false),
            (ListPassageFact::Closed, 3, true),
        ];
        assert_eq!(facts, expected);
        assert!(passage.pass(Uuid::from_u128(1)).unwrap().last);
        issue(&mut passage, 2, Vec::new()).unwrap();
        assert!(!passage.closed);
        // Twice is once.
        let again = passage.passed(Uuid::from_u128(1), AT, Completion::Inferred);
        assert!(again.is_empty());
        assert_eq!(passage.version, 5);
    }

    #[test]
    fn rule_12_an_ask_is_answered_once_and_a_void_list_has_no_pass() {
        let mut void = passage("QD800026E000000001");
        issue(&mut void, 1, vec![line(1, "4")]).unwrap();
        let asked = |version| list(version, Standing::VoidAsked, vec![line(1, "10")]);
        let facts = void.heard(asked(2), Some("ask-1"));
        let facts: Vec<_> = facts.into_iter().map(|(fact, _)| fact).collect();
        assert_eq!(
            facts,
            [ListPassageFact::PassWithdrawn, ListPassageFact::VoidApplied]
        );
        assert!(void.heard(asked(3), Some("ask-1")).is_empty());
        assert!(void.heard(asked(1), Some("ask-0")).is_empty());
        void.heard(list(4, Standing::Open, vec![line(1, "10")]), None);
        assert_eq!(
            issue(&mut void, 2, vec![line(1, "1")]).unwrap_err().reason,
            "STOCK_LIST_NOT_OPEN"
        );

        for under_way in [UnderWay::Inside, UnderWay::OnTheRoad] {
            let mut moving = passage("QD800026I000000001");
            issue(&mut moving, 1, vec![line(1, "4")]).unwrap();
            moving.moved(Uuid::from_u128(1), Some(under_way));
            assert_eq!(moving.has_left(), under_way == UnderWay::OnTheRoad);
            let facts = moving.heard(asked(2), Some("ask-1"));
            let facts: Vec<_> = facts.into_iter().map(|(fact, _)| fact).collect();
            assert_eq!(facts, [ListPassageFact::VoidTooLate]);
        }
    }

    #[test]
    fn what_bonded_said_before_changes_nothing_and_closing_short_leaves_what_is_under_way() {
        let mut passage = passage("QD800026E000000001");
        issue(&mut passage, 1, vec![line(1, "4")]).unwrap();
        issue(&mut passage, 2, vec![line(1, "4")]).unwrap();
        passage.moved(Uuid::from_u128(1), Some(UnderWay::Inside));
        let short = list(3, Standing::ClosedShort, vec![line(1, "10")]);
        passage.heard(short, None);
        assert!(!passage.closed);
        assert!(
            passage
                .heard(list(2, Standing::Open, vec![line(1, "10")]), None)
                .is_empty()
        );
        let told = passage.withdrawn(Uuid::from_u128(1));
        assert_eq!(
            told.last().map(|(fact, _)| *fact),
            Some(ListPassageFact::Closed)
        );
    }
}
