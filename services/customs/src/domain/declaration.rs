//! A declaration's life from filing to clearance. Everything that happens is a fact that is added, never
//! taken away; where the declaration stands is derived from the whole set. It must not know messages,
//! tables, or who is told.
//!
//! Whatever happens, it ends in [`Declaration::advance`]: bind, accept, settle the debt, release, clear, exit,
//! each as far as the facts allow. So it does not matter which fact came last.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use kernel::{
    ContainerNumber, Fault, Money, Mrn, Refusal, StockListNumber, TransportDocumentNumber, Unmet,
};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::account::{Account, Securing};
use super::assessing::Books;
use super::clearance::Position;
use super::debt::{Debt, DebtState, ManualDuty, PAYMENTS_MAX, Payment};
use super::duty::{Assessment, Manual};
use super::filing::{Direction, FiledItem, Filing, ProcedureKind, Stage};
use super::guarantee::Guarantee;
use super::hold::{Hold, HoldKind, Scope, ScopeKind};
use super::matching::{self, Consignment, Matching, Obstacle, Override, Surroundings};
use super::notification::{Code, Detail, Notification, TaxStatement};
use super::risk::{Channel, ControlKind, ControlOrder, HoldOrder};
use super::stock_list::StockList;
use super::validation::{
    ACCEPTED_ON_FILERS_WORD, CUSTOMS_VALUE_UNUSABLE, EXCHANGE_RATE_MISSING, EXCISE_RATE_MISSING,
    Findings, GOODS_LOCATION_BARRED, GUARANTEE_NOT_CHECKED, MEASURE_UNIT_UNSUITED, ORIGIN_MISSING,
    PROCEDURE_NOT_IN_TARIFF, QUANTITY_MISSING, Rule, TARIFF_LINE_MISSING, item_path,
};
use super::visit::{Phase, Site, Visit, name_of};
use super::{Act, Actor};

/// The most controls of a declaration.
pub const CONTROLS_MAX: usize = 100;
/// The most decisions of officers about matches of a declaration.
pub const OVERRIDES_MAX: usize = 1_000;

/// A declaration.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Declaration {
    /// Customs' id.
    pub id: Uuid,
    /// Grows by one with every fact.
    pub version: u64,
    /// Movement reference number; none if rejected.
    pub mrn: Option<Mrn>,
    /// Who filed.
    pub filer: String,
    /// Whose goods they are, if we know the party.
    pub trader: Option<String>,
    /// Whose deferment account bears the debt.
    pub payer: Option<String>,
    /// The site that the goods location names, if it is one of ours.
    pub site: Option<DeclaredSite>,
    /// What was declared.
    pub filing: Filing,
    /// Why it was rejected.
    pub faults: Vec<Fault>,
    /// What is odd about it.
    pub warnings: Vec<Fault>,
    /// What has happened.
    pub facts: Facts,
    /// The channel that risk or an officer chose.
    pub channel: Option<Channel>,
    /// The risk rules that spoke.
    pub risk_rules: Vec<String>,
    /// The version of the risk rules.
    pub risk_version: String,
    /// The version of the severities it was checked by.
    pub severities_version: String,
    /// The version of the goods locations it was checked by.
    #[serde(default)]
    pub locations_version: String,
    /// Controls, in the order they were opened.
    pub controls: Vec<Control>,
    /// The debt.
    pub debt: Debt,
    /// What officers decided about matches.
    pub overrides: Vec<Override>,
    /// The goods, by container and transport document.
    pub consignments: Vec<Consignment>,
    /// An officer released it where only an officer's decision was missing.
    pub officer_release: Option<Act>,
    /// An officer detains its goods.
    #[serde(default)]
    pub detention: Option<Act>,
    /// An officer wants it void, and gate has not answered for all of it.
    #[serde(default)]
    pub invalidation: Option<Invalidation>,
    /// What the decision at hand adds, on its way to the tables and topics.
    #[serde(skip)]
    pub news: News,
}

/// A site of ours as a declaration names it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DeclaredSite {
    /// Its id.
    pub site_id: String,
    /// The party that says what arrives there.
    pub terminal_party: String,
    /// It is a bonded centre.
    #[serde(default)]
    pub bonded: bool,
}

/// An officer's wish that a declaration be void, with what gate is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Invalidation {
    /// Who, when, why.
    pub act: Act,
    /// An ask for everything that gate could let out on it.
    pub asks: Vec<Ask>,
}

/// An ask to gate: may this still be taken back?
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Its id.
    pub id: Uuid,
    /// About what.
    pub about: AskedAbout,
    /// Gate answered that nothing will leave on it.
    pub applied: bool,
}

/// What an ask is about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AskedAbout {
    /// A container visit.
    Visit(String),
    /// A stock list.
    List(StockListNumber),
}

/// The facts that the main state is derived from, each with the earliest time at which it was so.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Facts(BTreeMap<FactKind, DateTime<Utc>>);

/// The kinds of facts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum FactKind {
    /// It was filed.
    Filed,
    /// It was found faulty.
    Rejected,
    /// It was lodged before the goods arrived.
    Registered,
    /// An officer or terminal said that the goods are there.
    Presented,
    /// It was accepted.
    Accepted,
    /// A control was ordered before goods were released.
    ControlOrdered,
    /// Goods of it were released.
    Released,
    /// All of it is released and nothing is left to do.
    Cleared,
    /// It is void.
    Invalidated,
    /// All goods of an export have left by train or barge.
    Exited,
    /// An export was released, and its goods did not leave in time.
    ExitOverdue,
}

/// Where a declaration stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Status {
    /// Faulty.
    Rejected,
    /// Pre-lodged.
    Registered,
    /// Accepted.
    Accepted,
    /// Accepted, and controls were ordered.
    UnderControl,
    /// Goods are released.
    Released,
    /// Nothing is left to do.
    Cleared,
    /// Its goods are detained.
    Detained,
    /// Void.
    Invalidated,
}

/// Whether the goods of an export have left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ExitState {
    /// They have not.
    None,
    /// By train or barge.
    Exited,
    /// Released, and not left in time.
    Overdue,
}

impl ExitState {
    /// The name in events.
    pub fn name(self) -> &'static str {
        match self {
            Self::None => "NONE",
            Self::Exited => "EXITED",
            Self::Overdue => "OVERDUE",
        }
    }
}

/// Where the goods of an export with these facts stand: once they have left, they have.
pub fn exit_state(facts: &Facts) -> ExitState {
    if facts.when(FactKind::Exited).is_some() {
        ExitState::Exited
    } else if facts.when(FactKind::ExitOverdue).is_some() {
        ExitState::Overdue
    } else {
        ExitState::None
    }
}

/// Where a declaration with these facts stands (rule 12): for the same set the same answer, in whatever
/// order they were learnt. A detention stands over everything but what is final, and leaves no trace in the
/// facts: with its end the declaration stands where they put it.
pub fn status(facts: &Facts, detained: bool) -> Status {
    const FINAL: [(FactKind, Status); 2] = [
        (FactKind::Rejected, Status::Rejected),
        (FactKind::Invalidated, Status::Invalidated),
    ];
    const FROM_THE_END: [(FactKind, Status); 5] = [
        (FactKind::Cleared, Status::Cleared),
        (FactKind::Released, Status::Released),
        (FactKind::ControlOrdered, Status::UnderControl),
        (FactKind::Accepted, Status::Accepted),
        (FactKind::Registered, Status::Registered),
    ];
    let holds = |(fact, _): &(FactKind, Status)| facts.when(*fact).is_some();
    if let Some((_, last)) = FINAL.into_iter().find(holds) {
        return last;
    }
    if detained {
        return Status::Detained;
    }
    FROM_THE_END
        .into_iter()
        .find(holds)
        .map_or(Status::Registered, |(_, status)| status)
}

impl Facts {
    /// Adds a fact; of the same fact learnt twice the earlier time stays.
    pub fn learn(&mut self, fact: FactKind, at: DateTime<Utc>) {
        self.0
            .entry(fact)
            .and_modify(|known| *known = at.min(*known))
            .or_insert(at);
    }

    /// Since when it is so; none if it is not.
    pub fn when(&self, fact: FactKind) -> Option<DateTime<Utc>> {
        self.0.get(&fact).copied()
    }
}

impl Status {
    /// The name in events and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejected => "REJECTED",
            Self::Registered => "REGISTERED",
            Self::Accepted => "ACCEPTED",
            Self::UnderControl => "UNDER_CONTROL",
            Self::Released => "RELEASED",
            Self::Cleared => "CLEARED",
            Self::Detained => "DETAINED",
            Self::Invalidated => "INVALIDATED",
        }
    }
}

/// A control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Control {
    /// Its id.
    pub id: Uuid,
    /// What is looked at.
    pub kind: ControlKind,
    /// Whether the goods wait for it.
    pub blocking: bool,
    /// The officer who ordered it; none: the risk rules.
    pub ordered_by: Option<Actor>,
    /// Why.
    pub reason: String,
    /// When it was opened.
    pub opened_at: DateTime<Utc>,
    /// Its end.
    pub done: Option<ControlDone>,
}

/// The end of a control.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ControlDone {
    /// What was found.
    pub result: ControlResult,
    /// By whom, when, and what was noted.
    pub act: Act,
}

/// What a control found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum ControlResult {
    /// As declared.
    Conform,
    /// Not as declared.
    NotConform,
    /// Not asked for any more.
    Withdrawn,
}

/// What one decision adds to a declaration's record.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct News {
    /// Facts, in order.
    pub happenings: Vec<Happening>,
    /// Notifications to the filer, in order.
    pub notifications: Vec<Notification>,
    /// Holds that the risk rules place.
    pub hold_orders: Vec<HoldOrder>,
}

/// A fact as it is published: with the state right after it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Happening {
    /// What happened.
    pub fact: Fact,
    /// The declaration's version after it.
    pub version: u64,
    /// When it happened.
    pub observed_at: DateTime<Utc>,
    /// Who caused it; none where a rule did.
    pub by: Option<Actor>,
    /// For a person.
    pub detail: String,
    /// Where it stood after it.
    pub status: Status,
    /// Where the debt stood after it.
    pub debt: DebtState,
    /// The channel after it.
    pub channel: Option<Channel>,
    /// The version of the filing after it.
    pub filing_version: u32,
    /// Of an export, whether it had left after it.
    pub exit: Option<ExitState>,
    /// What gate was asked and had not answered after it.
    pub asks: Vec<Ask>,
}

/// What can happen to a declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// Found faulty; not published.
    Rejected,
    /// Lodged before the goods arrived.
    Registered,
    /// Agrees with the manifest.
    Matched,
    /// Does not.
    Mismatched,
    /// An officer decided the match.
    MatchOverridden,
    /// Accepted.
    Accepted,
    /// A channel was chosen.
    Routed,
    /// A control was opened.
    ControlOpened,
    /// A control is done.
    ControlDone,
    /// The debt moved.
    Debt,
    /// Goods were released.
    Released,
    /// Nothing is left to do.
    Cleared,
    /// An export's goods have left.
    Exited,
    /// An export's goods have not left in time.
    ExitOverdue,
    /// Goods are detained.
    Detained,
    /// A detention has ended.
    DetentionEnded,
    /// Gate is asked whether it can be void.
    InvalidationAsked,
    /// It is void.
    Invalidated,
    /// Goods had left: it stands as before.
    InvalidationTooLate,
}

impl Fact {
    /// The name in the history.
    pub fn name(self) -> &'static str {
        match self {
            Self::Rejected => "REJECTED",
            Self::Registered => "REGISTERED",
            Self::Matched => "MATCHED",
            Self::Mismatched => "MISMATCHED",
            Self::MatchOverridden => "MATCH_OVERRIDDEN",
            Self::Accepted => "ACCEPTED",
            Self::Routed => "ROUTED",
            Self::ControlOpened => "CONTROL_OPENED",
            Self::ControlDone => "CONTROL_DONE",
            Self::Debt => "DEBT",
            Self::Released => "RELEASED",
            Self::Cleared => "CLEARED",
            Self::Exited => "EXITED",
            Self::ExitOverdue => "EXIT_OVERDUE",
            Self::Detained => "DETAINED",
            Self::DetentionEnded => "DETENTION_ENDED",
            Self::InvalidationAsked => "INVALIDATION_ASKED",
            Self::Invalidated => "INVALIDATED",
            Self::InvalidationTooLate => "INVALIDATION_TOO_LATE",
        }
    }
}

/// What a decision about a declaration looks at besides the declaration.
pub struct World<'a> {
    /// The database's clock.
    pub now: DateTime<Utc>,
    /// Tariff, rates, risk rules, severities.
    pub books: &'a Books,
    /// The known visits of a container.
    pub visits: &'a dyn Fn(&ContainerNumber) -> Vec<Visit>,
    /// The known visits whose truck's filing named a declaration: by its names, or by the reference of its filer.
    pub named: &'a dyn Fn(&Names<'_>) -> Vec<Visit>,
    /// A stock list, if it is known.
    pub lists: &'a dyn Fn(&StockListNumber) -> Option<StockList>,
    /// The standing holds on a scope.
    pub holds: &'a dyn Fn(&Scope) -> Vec<Hold>,
    /// The payer's account, if there is one.
    pub account: Option<&'a mut Account>,
    /// The payer's guarantee, if there is one.
    pub guarantee: Option<&'a mut Guarantee>,
    /// New ids.
    pub ids: &'a dyn Fn() -> Uuid,
    /// Who acts; none where a rule or another service's fact does.
    pub actor: Option<&'a Actor>,
}

/// By what a truck's filing can name a declaration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Names<'a> {
    /// Its number.
    pub mrn: &'a str,
    /// Who filed it.
    pub filer: &'a str,
    /// The filer's reference in its one spelling; none where it could be taken for another's number.
    pub lrn: Option<&'a str>,
}

/// What is known of a filing before it becomes a declaration.
#[derive(Clone, Debug)]
pub struct Lodging {
    /// The new id.
    pub id: Uuid,
    /// The new number.
    pub mrn: Mrn,
    /// Who files.
    pub filer: String,
    /// Whose goods they are, if we know the party.
    pub trader: Option<String>,
    /// Whose account bears the debt.
    pub payer: Option<String>,
    /// The site, if it is one of ours.
    pub site: Option<Site>,
    /// What is declared.
    pub filing: Filing,
    /// What was found in it.
    pub findings: Findings,
    /// The version of the severities.
    pub severities_version: String,
}

impl Declaration {
    /// Takes a filing in: rejected, registered or accepted, and as much further as it goes at once.
    pub fn lodge(lodging: Lodging, world: &mut World<'_>) -> Self {
        let mut findings = lodging.findings;
        look_at_location(&lodging.filing, world, &mut findings);
        let rejected = !findings.faults.is_empty();
        let mut declaration = Self {
            id: lodging.id,
            version: 0,
            mrn: (!rejected).then_some(lodging.mrn),
            filer: lodging.filer,
            trader: lodging.trader,
            payer: lodging.payer,
            site: lodging.site.map(|site| DeclaredSite {
                site_id: site.site_id,
                terminal_party: site.terminal_party,
                bonded: site.bonded,
            }),
            filing: lodging.filing,
            faults: findings.faults,
            warnings: findings.warnings,
            facts: Facts::default(),
            channel: None,
            risk_rules: Vec::new(),
            risk_version: String::new(),
            severities_version: lodging.severities_version,
            locations_version: world.books.locations.version.clone(),
            controls: Vec::new(),
            debt: Debt::default(),
            overrides: Vec::new(),
            consignments: Vec::new(),
            officer_release: None,
            detention: None,
            invalidation: None,
            news: News::default(),
        };
        declaration.facts.learn(FactKind::Filed, world.now);
        if rejected {
            declaration.facts.learn(FactKind::Rejected, world.now);
            declaration.record(
                Fact::Rejected,
                world,
                format!("{} faults", declaration.faults.len()),
            );
            let detail = Detail {
                faults: declaration.faults.clone(),
                text: "Rejected; its reference may be used again.".into(),
                ..Detail::default()
            };
            declaration.notify(Code::Rejected, world, detail);
            return declaration;
        }
        declaration.consignments = declaration.bound(world);
        if declaration.arrival().is_none() {
            declaration.register(world);
        }
        declaration.tell_of_matches(&[], world);
        declaration.advance(world);
        declaration.remark_on_filing();
        declaration
    }

    /// Moves the declaration as far as the facts allow.
    pub fn advance(&mut self, world: &mut World<'_>) {
        if self.is_void() {
            return;
        }
        let before = std::mem::take(&mut self.consignments);
        self.consignments = before.clone();
        self.consignments = self.bound(world);
        self.tell_of_matches(&before, world);
        self.accept_if_arrived(world);
        self.secure_debt(world);
        self.release_what_is_due(world);
        self.exit_if_gone(world);
        self.free_guarantee_of_what_left(world);
    }

    /// Where it stands.
    pub fn status(&self) -> Status {
        status(&self.facts, self.detention.is_some())
    }

    /// Whether the goods of an export have left; none for all others.
    pub fn exit(&self) -> Option<ExitState> {
        (self.direction_name() == "EXPORT").then(|| exit_state(&self.facts))
    }

    /// Since when an export has been released whose leaving a site of ours will see, and which has not left.
    pub fn exit_awaited_since(&self) -> Option<DateTime<Utc>> {
        let awaited = self.exit() == Some(ExitState::None)
            && self.site.is_some()
            && !self.is_void()
            && self.consignments.iter().all(|goods| goods.list.is_none());
        self.facts.when(FactKind::Released).filter(|_| awaited)
    }

    /// Whether nothing can happen to it any more: found faulty, or void.
    pub fn is_void(&self) -> bool {
        self.is_rejected() || self.facts.when(FactKind::Invalidated).is_some()
    }

    /// By what a truck's filing can name it; none where no truck brings its goods.
    pub fn names(&self) -> Option<Names<'_>> {
        let brought = self.direction_name() == "EXPORT" && self.site.is_some();
        let mrn = self.mrn.as_ref().filter(|_| brought)?;
        let lrn = self.filing.lrn.as_str();
        Some(Names {
            mrn: mrn.as_str(),
            filer: &self.filer,
            // A reference that has the form of a number would claim what is named after another declaration.
            lrn: Some(lrn).filter(|lrn| Mrn::parse(lrn).is_err() && name_of(lrn).is_some()),
        })
    }

    /// The lists of bonded stock that its goods are on.
    pub fn stock_lists(&self) -> Vec<StockListNumber> {
        match self.filing.procedure_kind() {
            ProcedureKind::IntoBond | ProcedureKind::OutOfBond => self.filing.stock_lists(),
            _ => Vec::new(),
        }
    }

    /// Whether it was found faulty.
    pub fn is_rejected(&self) -> bool {
        self.facts.when(FactKind::Rejected).is_some()
    }

    /// When it was accepted.
    pub fn accepted_at(&self) -> Option<DateTime<Utc>> {
        self.facts.when(FactKind::Accepted)
    }

    /// The version of the filing that brokers know: 1 as lodged, 2 once a pre-lodged one is accepted.
    pub fn filing_version(&self) -> u32 {
        let registered_first =
            self.facts.when(FactKind::Registered).is_some() && self.accepted_at().is_some();
        if registered_first { 2 } else { 1 }
    }

    /// Whether anything that may still happen elsewhere concerns it: an arrival, a departure.
    pub fn is_open(&self) -> bool {
        if self.is_void() {
            return false;
        }
        let waiting = self.facts.when(FactKind::Cleared).is_none() || self.invalidation.is_some();
        waiting
            || self.consignments.iter().any(|consignment| {
                (consignment.visit_id.is_some() || consignment.list.is_some())
                    && !consignment.departed
            })
            || self.exit_awaited_since().is_some()
    }

    /// Which way the goods go, for events: IMPORT, EXPORT, or NONE for what never releases goods.
    pub fn direction_name(&self) -> &'static str {
        match self.filing.kind() {
            Some(kind) if kind.stage == Stage::Supplementary => "NONE",
            Some(kind) => match kind.direction {
                Direction::Import => "IMPORT",
                Direction::Export => "EXPORT",
                Direction::Special => "NONE",
            },
            None => "NONE",
        }
    }

    /// The direction as the others are told: an import that is not for pick-up opens no import barrier.
    fn direction_told(&self) -> &'static str {
        match self.direction_name() {
            "IMPORT" if !self.filing.is_for_pick_up() => "NONE",
            direction => direction,
        }
    }

    /// Everything that must be locked together with it: the keys of its goods.
    pub fn clearance_keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = self
            .filing
            .usable_containers()
            .iter()
            .map(matching::container_key)
            .collect();
        keys.extend(
            self.consignments
                .iter()
                .filter_map(Consignment::clearance_key),
        );
        keys.sort();
        keys.dedup();
        keys
    }

    /// Every name by which it is found, each with its kind: "container/NUMBER", "ask/ID".
    pub fn references(&self) -> Vec<String> {
        let documents = self
            .filing
            .transport_documents()
            .into_iter()
            .map(|document| format!("transport-document/{document}"));
        let lists = self
            .stock_lists()
            .into_iter()
            .map(|list| format!("stock-list/{list}"));
        let names = self.names().into_iter().flat_map(|names| {
            let lrn = names.lrn.and_then(name_of);
            std::iter::once(names.mrn.to_owned())
                .chain(lrn)
                .map(|name| format!("name/{name}"))
        });
        let asks = self
            .invalidation
            .iter()
            .flat_map(|asked| &asked.asks)
            .map(|ask| format!("ask/{}", ask.id));
        let mut references = self.clearance_keys();
        references.extend(documents.chain(lists).chain(names).chain(asks));
        references.sort();
        references.dedup();
        references
    }

    /// The scopes whose holds stop its release: itself and the visits of its goods.
    pub fn hold_scopes(&self) -> Vec<Scope> {
        let visits = self
            .consignments
            .iter()
            .filter_map(|consignment| consignment.visit_id.as_ref());
        let mut scopes: Vec<Scope> = visits
            .map(|visit| Scope::new(ScopeKind::ContainerVisit, visit))
            .collect();
        scopes.push(Scope::new(ScopeKind::Declaration, self.id.to_string()));
        scopes.sort();
        scopes.dedup();
        scopes
    }

    // ---- what happens to it

    fn register(&mut self, world: &mut World<'_>) {
        self.facts.learn(FactKind::Registered, world.now);
        self.debt.indicated = Some(world.books.assess(&self.filing, world.now));
        self.record(
            Fact::Registered,
            world,
            "lodged before the goods arrived".to_owned(),
        );
        let detail = Detail {
            duty: self.tax_statement(false),
            text: "Registered; it is accepted when the goods arrive.".into(),
            ..Detail::default()
        };
        self.notify(Code::Received, world, detail);
    }

    fn accept_if_arrived(&mut self, world: &mut World<'_>) {
        if self.accepted_at().is_some() {
            return;
        }
        let Some(arrival) = self.arrival() else {
            return;
        };
        self.facts.learn(FactKind::Accepted, world.now);
        let assessed = world.books.assess(&self.filing, world.now);
        self.debt.to_guarantee = self.to_guarantee(&assessed);
        self.debt.assessed = Some(assessed);
        if arrival == Arrival::FilersWord {
            self.warnings.push(Fault::new(
                ACCEPTED_ON_FILERS_WORD.code,
                "/Declaration/TypeCode",
                &self.filing.type_code,
                ACCEPTED_ON_FILERS_WORD.name,
                ACCEPTED_ON_FILERS_WORD.text,
            ));
        }
        self.record(Fact::Accepted, world, arrival.text().to_owned());
        self.notify(
            Code::Accepted,
            world,
            Detail {
                text: arrival.text().into(),
                ..Detail::default()
            },
        );
        self.judge(world);
        // What an account may still secure is told once it is known whether it does.
        if self.debt.state() == DebtState::Suspended || self.duty_is_manual() {
            self.record(Fact::Debt, world, self.debt_text());
        }
    }

    fn judge(&mut self, world: &mut World<'_>) {
        let outcome =
            world
                .books
                .judge(&self.filing, &self.filer, self.trader.as_deref(), world.now);
        self.channel = Some(outcome.channel);
        let reason = if outcome.rules.is_empty() {
            "no rule spoke".to_owned()
        } else {
            rules_text(&outcome.rules)
        };
        self.risk_rules = outcome.rules;
        self.risk_version = outcome.version;
        self.news.hold_orders = outcome.holds;
        self.record(Fact::Routed, world, reason);
        for control in outcome.controls {
            self.add_control(control.order, None, &rules_text(&control.rules), world);
        }
    }

    fn add_control(
        &mut self,
        order: ControlOrder,
        by: Option<&Actor>,
        reason: &str,
        world: &mut World<'_>,
    ) -> Uuid {
        let id = (world.ids)();
        self.controls.push(Control {
            id,
            kind: order.kind,
            blocking: order.blocking,
            ordered_by: by.cloned(),
            reason: reason.to_owned(),
            opened_at: world.now,
            done: None,
        });
        if self.facts.when(FactKind::Released).is_none() {
            self.facts.learn(FactKind::ControlOrdered, world.now);
        }
        let what = control_text(order.kind);
        self.record(Fact::ControlOpened, world, format!("{what}: {reason}"));
        let code = if order.kind == ControlKind::Documents {
            Code::Documents
        } else {
            Code::Control
        };
        self.notify(
            code,
            world,
            Detail {
                control_id: Some(id),
                text: format!("A {what} was ordered."),
                ..Detail::default()
            },
        );
        id
    }

    /// What the trader's guarantee must cover while the goods are in bond. A party that we do not know has
    /// none that we could look at: that warns (rule 14). A supplement adds to what was covered before.
    fn to_guarantee(&self, assessed: &Assessment) -> Option<Money> {
        let asked = self.trader.is_some() && !self.is_supplementary();
        assessed
            .into_bond
            .clone()
            .filter(|owed| asked && !owed.is_zero())
    }

    fn is_supplementary(&self) -> bool {
        self.filing
            .kind()
            .is_some_and(|kind| kind.stage == Stage::Supplementary)
    }

    /// Has the trader's guarantee cover what is suspended, as soon as it can (rule 6).
    fn cover_suspended(&mut self, world: &mut World<'_>) {
        let Some(owed) = self.debt.uncovered().cloned() else {
            return;
        };
        if self.duty_is_manual() {
            return;
        }
        let covered = match world.guarantee.as_mut() {
            Some(guarantee) => guarantee
                .reserve(&owed, self.id, world.now)
                .unwrap_or(Securing::Short),
            // A trader without one is covered for nothing.
            None => Securing::Short,
        };
        match covered {
            Securing::Secured => {
                self.debt.short_since = None;
                self.debt.guaranteed = Some(owed);
                self.record(Fact::Debt, world, self.debt_text());
            }
            Securing::Short if self.debt.short_since.is_none() => {
                self.debt.short_since = Some(world.now);
                self.record(Fact::Debt, world, self.debt_text());
                let text = format!(
                    "The trader's guarantee covers too little for {owed}; have it raised, or clear goods out of bond."
                );
                self.notify(
                    Code::InsufficientFunds,
                    world,
                    Detail {
                        duty: self.tax_statement(false),
                        text,
                        ..Detail::default()
                    },
                );
            }
            Securing::Short => {}
        }
    }

    /// Goods that have left bond are no longer covered. They are not told apart from other goods of the trader:
    /// which goods came in under which declaration is known to bonded's lots alone.
    fn free_guarantee_of_what_left(&mut self, world: &mut World<'_>) {
        let gone = self.facts.when(FactKind::Cleared).is_some()
            && self
                .consignments
                .iter()
                .all(|goods| goods.list.is_none() || goods.departed);
        let Some(owed) = self.debt.duty().and_then(|duty| duty.out_of_bond.clone()) else {
            return;
        };
        if !gone || self.debt.freed.is_some() || self.is_supplementary() {
            return;
        }
        let freed = world
            .guarantee
            .as_mut()
            .and_then(|guarantee| guarantee.free(&owed, self.id, world.now).ok());
        self.debt.freed = Some(freed.unwrap_or_else(|| Money::zero(owed.currency().clone())));
    }

    /// Has the payer's account secure what is outstanding, as soon as it can (rule 6).
    fn secure_debt(&mut self, world: &mut World<'_>) {
        self.cover_suspended(world);
        if !matches!(self.debt.state(), DebtState::Assessed | DebtState::Short)
            || self.duty_is_manual()
        {
            return;
        }
        let Some(outstanding) = self
            .debt
            .outstanding()
            .ok()
            .filter(|outstanding| !outstanding.is_zero())
        else {
            return;
        };
        let before = self.debt.state();
        let secured = match world.account.as_mut() {
            // Money in another currency than the tariff's secures nothing.
            Some(account) => account
                .secure(&outstanding, self.id, world.now)
                .unwrap_or(Securing::Short),
            None => {
                if self.accepted_just_now() {
                    self.record(Fact::Debt, world, self.debt_text());
                    self.notify_tax(world, false);
                }
                return;
            }
        };
        match secured {
            Securing::Secured => {
                self.debt.secured = Some(outstanding);
                self.record(Fact::Debt, world, self.debt_text());
                self.notify_tax(world, false);
            }
            Securing::Short if before != DebtState::Short => {
                self.debt.short_since = Some(world.now);
                self.record(Fact::Debt, world, self.debt_text());
                let detail = Detail {
                    duty: self.tax_statement(false),
                    text: format!(
                        "The account holds too little for {outstanding}; pay in, or pay this debt."
                    ),
                    ..Detail::default()
                };
                self.notify(Code::InsufficientFunds, world, detail);
            }
            Securing::Short => {}
        }
    }

    /// Without an account the debt stays ASSESSED; that is told once, right after acceptance.
    fn accepted_just_now(&self) -> bool {
        self.news
            .happenings
            .iter()
            .any(|happening| happening.fact == Fact::Accepted)
    }

    fn release_what_is_due(&mut self, world: &mut World<'_>) {
        if self.accepted_at().is_none() || !self.shared_conditions(world.holds).is_empty() {
            return;
        }
        let mut newly = Vec::new();
        for index in 0..self.consignments.len() {
            let due = self.consignments.get(index).is_some_and(|consignment| {
                consignment.released_at.is_none()
                    && self.is_within_reach(consignment)
                    && self.own_conditions(consignment, world.holds).is_empty()
            });
            if let Some(consignment) = self.consignments.get_mut(index).filter(|_| due) {
                consignment.released_at = Some(world.now);
                newly.push(match (&consignment.container, &consignment.list) {
                    (Some(container), _) => container.to_string(),
                    (None, Some(list)) => format!("goods of list {list}"),
                    (None, None) => "goods without a container".to_owned(),
                });
            }
        }
        let first_whole_release =
            self.consignments.is_empty() && self.facts.when(FactKind::Released).is_none();
        let all = self
            .consignments
            .iter()
            .all(|consignment| consignment.released_at.is_some());
        let done = all
            && self.controls.iter().all(|control| control.done.is_some())
            && self.facts.when(FactKind::Cleared).is_none();
        if done && self.make_debt_final(world) {
            self.clear(world);
        } else if !newly.is_empty() || first_whole_release {
            self.facts.learn(FactKind::Released, world.now);
            let what = if newly.is_empty() {
                "all goods".to_owned()
            } else {
                newly.join(", ")
            };
            self.record(Fact::Released, world, what.clone());
            self.notify(
                Code::Released,
                world,
                Detail {
                    text: format!("Released: {what}."),
                    ..Detail::default()
                },
            );
        }
    }

    /// Whether goods can still be released. What goes into bond leaves the site of its arrival before, under the
    /// transfer decision, and waits for customs in the bonded centre.
    fn is_within_reach(&self, goods: &Consignment) -> bool {
        let into_bond = self.filing.procedure_kind() == ProcedureKind::IntoBond;
        !goods.departed || (into_bond && !goods.exited)
    }

    /// Charges what the account secures. Whether it could: an account that does not agree that it holds the
    /// security keeps the goods from being cleared, not from being released; the books must be looked at.
    fn make_debt_final(&mut self, world: &mut World<'_>) -> bool {
        if let (Some(secured), Some(account)) = (&self.debt.secured, world.account.as_mut())
            && account.charge(secured, self.id, world.now).is_err()
        {
            return false;
        }
        self.debt.final_since = Some(world.now);
        true
    }

    /// Nothing is left to do. Cleared implies released.
    fn clear(&mut self, world: &mut World<'_>) {
        self.facts.learn(FactKind::Released, world.now);
        self.facts.learn(FactKind::Cleared, world.now);
        self.record(
            Fact::Cleared,
            world,
            "released, and nothing is left to do".to_owned(),
        );
        if self
            .debt
            .duty()
            .is_some_and(|duty| !duty.total_payable.is_zero())
        {
            self.notify_tax(world, true);
        }
        self.notify(
            Code::Cleared,
            world,
            Detail {
                text: "Cleared.".into(),
                ..Detail::default()
            },
        );
    }

    /// An export has left once all its containers have, by train or barge. One that a truck took away again
    /// has not left the country.
    fn exit_if_gone(&mut self, world: &mut World<'_>) {
        if !matches!(self.exit(), Some(ExitState::None | ExitState::Overdue)) {
            return;
        }
        let mut boxes = self
            .consignments
            .iter()
            .filter(|goods| goods.container.is_some())
            .peekable();
        if boxes.peek().is_none() || !boxes.all(|goods| goods.exited) {
            return;
        }
        self.facts.learn(FactKind::Exited, world.now);
        let text = "all containers have left by train or barge";
        self.record(Fact::Exited, world, text.to_owned());
        self.notify(
            Code::Exited,
            world,
            Detail {
                text: "The goods have left.".into(),
                ..Detail::default()
            },
        );
    }

    /// An export was released so many days ago and has not left.
    pub fn look_for_exit(&mut self, overdue_days: u32, world: &mut World<'_>) {
        let within = chrono::Duration::days(i64::from(overdue_days));
        let overdue = self
            .exit_awaited_since()
            .is_some_and(|since| since + within <= world.now);
        if !overdue {
            return;
        }
        self.facts.learn(FactKind::ExitOverdue, world.now);
        self.record(
            Fact::ExitOverdue,
            world,
            format!("released, and not left within {overdue_days} days"),
        );
        self.notify(
            Code::ExitOverdue,
            world,
            Detail {
                text: format!(
                    "Released {overdue_days} days ago, and the goods have not left; say where they are."
                ),
                ..Detail::default()
            },
        );
    }

    /// Gate says whether something can still be taken back. An ask that nobody waits for any more changes nothing.
    pub fn answer(&mut self, ask_id: Uuid, applied: bool, world: &mut World<'_>) {
        let Some(asked) = self
            .invalidation
            .as_mut()
            .filter(|asked| asked.asks.iter().any(|ask| ask.id == ask_id))
        else {
            return;
        };
        if !applied {
            // Of several one that is too late fails the whole (gate's rule 12).
            let too_late = asked.asks.iter().find(|ask| ask.id == ask_id);
            let what = too_late.map(|ask| ask.about.name()).unwrap_or_default();
            self.invalidation = None;
            self.record(Fact::InvalidationTooLate, world, format!("{what} has left"));
            self.advance(world);
            return;
        }
        for ask in asked.asks.iter_mut().filter(|ask| ask.id == ask_id) {
            ask.applied = true;
        }
        if asked.asks.iter().all(|ask| ask.applied) {
            let reason = asked.act.reason.clone();
            self.make_void(&reason, world);
        }
    }

    /// It is void: what it owed is given back, and it says nothing about any goods any more.
    fn make_void(&mut self, reason: &str, world: &mut World<'_>) {
        self.facts.learn(FactKind::Invalidated, world.now);
        self.invalidation = None;
        let charged = self.debt.final_since.is_some();
        // An account that does not agree must be looked at; the goods stay all the same.
        if let (Some(secured), Some(account)) = (self.debt.secured.take(), world.account.as_mut()) {
            let _ = if charged {
                account.refund(&secured, self.id, world.now)
            } else {
                account.free(&secured, self.id, world.now)
            };
        }
        if let (Some(covered), Some(guarantee)) =
            (self.debt.guaranteed.take(), world.guarantee.as_mut())
        {
            let _ = guarantee.free(&covered, self.id, world.now);
        }
        self.debt.void_since = Some(world.now);
        self.record(Fact::Invalidated, world, reason.to_owned());
        let paid = if self.debt.payments.is_empty() {
            ""
        } else {
            " What was paid for it alone is paid back by customs."
        };
        self.notify(
            Code::Invalidated,
            world,
            Detail {
                text: format!("Void: {reason}.{paid}"),
                ..Detail::default()
            },
        );
    }

    // ---- what people do to it

    /// An officer detains its goods: nothing of it is released until that ends, and what was released may not go.
    ///
    /// # Errors
    /// `ALREADY_DETAINED`; `GOODS_HAVE_LEFT` where nothing is left to be detained.
    pub fn detain(&mut self, reason: &str, world: &mut World<'_>) -> Result<(), Refusal> {
        if self.detention.is_some() {
            return Err(Refusal::unmet(
                "ALREADY_DETAINED",
                "The goods are detained already.",
                Vec::new(),
            ));
        }
        if self.all_have_left() {
            return Err(goods_have_left());
        }
        self.detention = Some(act(reason, world));
        self.record(Fact::Detained, world, reason.to_owned());
        Ok(())
    }

    /// An officer ends a detention.
    ///
    /// # Errors
    /// `NOT_DETAINED`.
    pub fn end_detention(&mut self, reason: &str, world: &mut World<'_>) -> Result<(), Refusal> {
        if self.detention.take().is_none() {
            return Err(Refusal::unmet(
                "NOT_DETAINED",
                "The goods are not detained.",
                Vec::new(),
            ));
        }
        self.record(Fact::DetentionEnded, world, reason.to_owned());
        self.advance(world);
        Ok(())
    }

    /// An officer wants it void. Gate is asked for everything that could leave on it, and nothing of it may go
    /// meanwhile; where there is nothing to ask, it is void at once.
    ///
    /// # Errors
    /// `INVALIDATION_PENDING`; `GOODS_HAVE_LEFT`.
    pub fn invalidate(&mut self, reason: &str, world: &mut World<'_>) -> Result<(), Refusal> {
        if self.invalidation.is_some() {
            return Err(Refusal::unmet(
                "INVALIDATION_PENDING",
                "It is to be void already, and gate has not answered for all of it.",
                Vec::new(),
            ));
        }
        if self.some_have_left() {
            return Err(goods_have_left());
        }
        let visits = self
            .consignments
            .iter()
            .filter(|goods| !goods.departed)
            .filter_map(|goods| goods.visit_id.clone());
        let mut about: Vec<AskedAbout> = visits.map(AskedAbout::Visit).collect();
        about.extend(self.stock_lists().into_iter().map(AskedAbout::List));
        let mut asks: Vec<Ask> = Vec::new();
        for about in about {
            if asks.iter().all(|ask| ask.about != about) {
                asks.push(Ask {
                    id: (world.ids)(),
                    about,
                    applied: false,
                });
            }
        }
        if asks.is_empty() {
            self.make_void(reason, world);
            return Ok(());
        }
        let asked: Vec<String> = asks.iter().map(|ask| ask.about.name()).collect();
        self.invalidation = Some(Invalidation {
            act: act(reason, world),
            asks,
        });
        let detail = format!("{reason}; gate is asked for {}", asked.join(", "));
        self.record(Fact::InvalidationAsked, world, detail);
        Ok(())
    }

    fn all_have_left(&self) -> bool {
        let mut goods = self.consignments.iter().peekable();
        goods.peek().is_some() && goods.all(|goods| goods.departed)
    }

    /// Whether it is too late for it to be void. An export that a truck took away again never left the country:
    /// its declaration is void or nothing.
    fn some_have_left(&self) -> bool {
        let export = self.exit().is_some();
        self.consignments
            .iter()
            .any(|goods| goods.departed && (goods.exited || goods.list.is_some() || !export))
    }

    /// The goods are there, where no container visit can say so.
    ///
    /// # Errors
    /// `ALREADY_ACCEPTED`; `ARRIVAL_DECIDED_BY_VISIT` while goods of it are bound to a visit.
    pub fn present(&mut self, at: DateTime<Utc>, world: &mut World<'_>) -> Result<(), Refusal> {
        if self.accepted_at().is_some() {
            return Err(Refusal::unmet(
                "ALREADY_ACCEPTED",
                "The declaration is accepted already; nothing has to be presented.",
                Vec::new(),
            ));
        }
        if self
            .consignments
            .iter()
            .any(|consignment| consignment.visit_id.is_some())
        {
            return Err(Refusal::unmet(
                "ARRIVAL_DECIDED_BY_VISIT",
                "The goods are bound to a container visit; its arrival decides, as the terminal records it.",
                self.conditions(world.holds),
            ));
        }
        self.facts.learn(FactKind::Presented, at.min(world.now));
        self.advance(world);
        Ok(())
    }

    /// An officer decides which visit and manifest line goods are.
    ///
    /// # Errors
    /// `MATCH_NOT_POSSIBLE` where no such goods, visit or line can be meant.
    pub fn override_match(
        &mut self,
        visit: &Visit,
        document: Option<TransportDocumentNumber>,
        reason: &str,
        world: &mut World<'_>,
    ) -> Result<(), Refusal> {
        let refuse = |message: &str| Err(Refusal::unmet("MATCH_NOT_POSSIBLE", message, Vec::new()));
        let Some(site) = &self.site else {
            return refuse(
                "The goods location is none of our sites; nothing of it can be in a container visit.",
            );
        };
        let export = self.direction_name() == "EXPORT";
        if !(export || self.direction_name() == "IMPORT") || self.is_by_list() {
            return refuse("Nothing of it can be in a container visit.");
        }
        if visit.site_id != site.site_id || visit.phase.is_over() {
            return refuse(
                "The container visit is over or at another site than the goods location names.",
            );
        }
        if export && !(visit.by_truck && visit.phase == Phase::Arrived) {
            return refuse("No truck brought this container: it is no arrival of an export.");
        }
        let declared = self.filing.transport_documents();
        let carried: Vec<_> = visit
            .lines
            .iter()
            .filter_map(|line| line.transport_document.clone())
            .collect();
        let document = match document
            .filter(|_| !export)
            .or_else(|| carried.iter().find(|line| declared.contains(line)).cloned())
        {
            Some(document) if carried.contains(&document) => Some(document),
            Some(_) => return refuse("The manifest of this visit has no such transport document."),
            None if export => None,
            None => match carried.as_slice() {
                [one] => Some(one.clone()),
                [] => None,
                _ => {
                    return refuse(
                        "The manifest has several lines; name the transport document of the one that is meant.",
                    );
                }
            },
        };
        let taken = self.consignments.iter().any(|consignment| {
            consignment.container.as_ref() == Some(&visit.container)
                && consignment.released_at.is_some()
        });
        if taken || self.overrides.len() >= OVERRIDES_MAX {
            return refuse(
                "Goods in this container are released already, or too many matches were decided.",
            );
        }
        let decided = Override {
            visit_id: visit.visit_id.clone(),
            container: visit.container.clone(),
            transport_document: document,
        };
        self.overrides.retain(|earlier| {
            earlier.container != decided.container
                || (earlier.visit_id == decided.visit_id
                    && earlier.transport_document != decided.transport_document)
        });
        self.overrides.push(decided);
        self.consignments = self.bound(world);
        self.record(
            Fact::MatchOverridden,
            world,
            format!("{}: {reason}", visit.visit_id),
        );
        self.advance(world);
        Ok(())
    }

    /// An officer orders a control.
    ///
    /// # Errors
    /// `NOT_ACCEPTED`, `ALREADY_CLEARED`, `RELEASED_ALREADY` for a blocking one, `TOO_MANY_CONTROLS`.
    pub fn open_control(
        &mut self,
        order: ControlOrder,
        reason: &str,
        world: &mut World<'_>,
    ) -> Result<Uuid, Refusal> {
        self.must_be_in_hand()?;
        if order.blocking && self.facts.when(FactKind::Released).is_some() {
            return Err(Refusal::unmet(
                "RELEASED_ALREADY",
                "Goods of it are released and a release is not taken back; place a hold, or order a control that does not block.",
                Vec::new(),
            ));
        }
        if self.controls.len() >= CONTROLS_MAX {
            return Err(Refusal::exhausted(
                "TOO_MANY_CONTROLS",
                "A declaration has at most 100 controls; complete those that are open.",
            ));
        }
        let by = world.actor.cloned();
        let id = self.add_control(order, by.as_ref(), reason, world);
        self.advance(world);
        Ok(id)
    }

    /// An officer records what a control found.
    ///
    /// # Errors
    /// NOT_FOUND for a control it has not; `CONTROL_DONE` for one that is done.
    pub fn complete_control(
        &mut self,
        control_id: Uuid,
        result: ControlResult,
        note: &str,
        world: &mut World<'_>,
    ) -> Result<(), Refusal> {
        let act = act(note, world);
        let Some(control) = self
            .controls
            .iter_mut()
            .find(|control| control.id == control_id)
        else {
            return Err(Refusal::not_found("control", control_id.to_string()));
        };
        if control.done.is_some() {
            return Err(Refusal::unmet(
                "CONTROL_DONE",
                "The control is done already; order another one.",
                Vec::new(),
            ));
        }
        control.done = Some(ControlDone { result, act });
        let what = control_text(control.kind);
        self.record(
            Fact::ControlDone,
            world,
            format!("{what}: {}", result_text(result)),
        );
        self.advance(world);
        Ok(())
    }

    /// An officer chooses another channel (rule 3).
    ///
    /// # Errors
    /// `NOT_ACCEPTED`, `ALREADY_CLEARED`, `RELEASED_ALREADY`.
    pub fn reroute(
        &mut self,
        channel: Channel,
        reason: &str,
        world: &mut World<'_>,
    ) -> Result<(), Refusal> {
        self.must_be_in_hand()?;
        if self.facts.when(FactKind::Released).is_some() {
            return Err(Refusal::unmet(
                "RELEASED_ALREADY",
                "Goods of it are released and a release is not taken back; place a hold, or order a control that does not block.",
                Vec::new(),
            ));
        }
        self.channel = Some(channel);
        self.record(Fact::Routed, world, format!("by an officer: {reason}"));
        let asked = controls_of(channel);
        let withdrawn = act(&format!("rerouted: {reason}"), world);
        for index in 0..self.controls.len() {
            let unasked = self.controls.get(index).is_some_and(|control| {
                let wanted = ControlOrder {
                    kind: control.kind,
                    blocking: control.blocking,
                };
                control.done.is_none()
                    && control.kind != ControlKind::Agency
                    && !asked.contains(&wanted)
            });
            if let Some(control) = self.controls.get_mut(index).filter(|_| unasked) {
                control.done = Some(ControlDone {
                    result: ControlResult::Withdrawn,
                    act: withdrawn.clone(),
                });
                let what = control_text(control.kind);
                self.record(Fact::ControlDone, world, format!("{what}: withdrawn"));
            }
        }
        let by = world.actor.cloned();
        for order in asked {
            let open = self.controls.iter().any(|control| {
                control.done.is_none()
                    && control.kind == order.kind
                    && control.blocking == order.blocking
            });
            if !open && self.controls.len() < CONTROLS_MAX {
                self.add_control(order, by.as_ref(), reason, world);
            }
        }
        self.advance(world);
        Ok(())
    }

    /// The officer's own release, where only an officer's decision is missing.
    ///
    /// # Errors
    /// `NOT_ACCEPTED`, `ALREADY_CLEARED`; `NOT_RELEASABLE` with everything else that is missing;
    /// `MANUAL_DUTY_INVALID`.
    pub fn release_by_officer(
        &mut self,
        duties: &[ManualDuty],
        reason: &str,
        world: &mut World<'_>,
    ) -> Result<(), Refusal> {
        self.must_be_in_hand()?;
        let (of_officer, others): (Vec<Unmet>, Vec<Unmet>) = self
            .shared_conditions(world.holds)
            .into_iter()
            .partition(|unmet| OFFICERS_CONDITIONS.contains(&unmet.condition.as_str()));
        if of_officer.is_empty() || !others.is_empty() {
            return Err(Refusal::unmet(
                "NOT_RELEASABLE",
                "Not only an officer's decision is missing; see what is.",
                self.conditions(world.holds),
            ));
        }
        let mut debt = self.debt.clone();
        debt.assess_manually(duties).map_err(|error| {
            Refusal::invalid("MANUAL_DUTY_INVALID", error.to_string()).with_fault(Fault::new(
                "MANUAL_DUTY_INVALID",
                "manual_duties",
                "",
                "rule 5",
                error.to_string(),
            ))
        })?;
        if debt != self.debt {
            self.debt = debt;
            self.record(
                Fact::Debt,
                world,
                format!("assessed by an officer: {reason}"),
            );
        }
        self.officer_release = Some(act(reason, world));
        self.advance(world);
        Ok(())
    }

    /// Money came in for this debt.
    ///
    /// # Errors
    /// `DEBT_NOT_PAYABLE` where nothing is open; `PAYMENT_EXCEEDS_DEBT`; `MONEY_INVALID` in another currency.
    pub fn pay(
        &mut self,
        amount: &Money,
        reference: &str,
        world: &mut World<'_>,
    ) -> Result<(), Refusal> {
        let open = matches!(self.debt.state(), DebtState::Assessed | DebtState::Short)
            && !self.duty_is_manual()
            && !self.is_void();
        let outstanding = self
            .debt
            .outstanding()
            .ok()
            .filter(|outstanding| open && !outstanding.is_zero());
        let Some(outstanding) = outstanding.filter(|_| self.debt.payments.len() < PAYMENTS_MAX)
        else {
            return Err(Refusal::unmet(
                "DEBT_NOT_PAYABLE",
                "Nothing of this debt is to be paid now: it is not assessed, met already, or suspended.",
                Vec::new(),
            ));
        };
        let Ok(left) = outstanding.checked_sub(amount) else {
            return Err(Refusal::invalid(
                "MONEY_INVALID",
                format!(
                    "The debt is in {}; pay in that currency.",
                    outstanding.currency()
                ),
            ));
        };
        if left.is_negative() {
            return Err(Refusal::unmet(
                "PAYMENT_EXCEEDS_DEBT",
                format!("Only {outstanding} is open; pay that, or pay the rest into the account."),
                Vec::new(),
            ));
        }
        self.debt.payments.push(Payment {
            amount: amount.clone(),
            reference: reference.to_owned(),
            act: act(reference, world),
        });
        self.record(Fact::Debt, world, format!("{amount} paid"));
        self.advance(world);
        Ok(())
    }

    fn must_be_in_hand(&self) -> Result<(), Refusal> {
        if self.accepted_at().is_none() {
            return Err(Refusal::unmet(
                "NOT_ACCEPTED",
                "The declaration is not accepted; wait for the goods to arrive, or present them.",
                Vec::new(),
            ));
        }
        if self.facts.when(FactKind::Cleared).is_some() {
            return Err(Refusal::unmet(
                "ALREADY_CLEARED",
                "The declaration is cleared; nothing is left to decide. Place a hold to stop the goods.",
                Vec::new(),
            ));
        }
        Ok(())
    }

    // ---- what is missing

    /// Everything that is missing for its release; empty once all goods are released.
    pub fn conditions(&self, holds: &dyn Fn(&Scope) -> Vec<Hold>) -> Vec<Unmet> {
        if self.is_void() {
            return Vec::new();
        }
        let unreleased: Vec<&Consignment> = self
            .consignments
            .iter()
            .filter(|consignment| {
                consignment.released_at.is_none() && self.is_within_reach(consignment)
            })
            .collect();
        if self.facts.when(FactKind::Released).is_some() && unreleased.is_empty() {
            return self.stops();
        }
        let mut missing = self.shared_conditions(holds);
        for consignment in unreleased {
            missing.extend(self.own_conditions(consignment, holds));
        }
        missing
    }

    /// What all goods of it wait for (rule 1).
    fn shared_conditions(&self, holds: &dyn Fn(&Scope) -> Vec<Hold>) -> Vec<Unmet> {
        let mut missing = self.stops();
        missing.extend(self.debt_and_control_conditions());
        let scope = Scope::new(ScopeKind::Declaration, self.id.to_string());
        missing.extend(
            holds(&scope)
                .iter()
                .filter(|hold| hold.stands())
                .map(hold_condition),
        );
        // Holds that the risk rules have just placed stand from this instant on.
        missing.extend(self.news.hold_orders.iter().map(|order| Unmet {
            condition: "CUSTOMS_HOLD".to_owned(),
            subject: scope.topic_key(),
            who: "officer".to_owned(),
            since: self.accepted_at(),
            evidence: format!("rule {}", order.rule),
            description: order.reason.clone(),
        }));
        missing
    }

    /// What stops its goods, released or not, until an officer or gate says otherwise.
    fn stops(&self) -> Vec<Unmet> {
        let unmet = |condition: &str, who: &str, since: &Act, description: &str| Unmet {
            condition: condition.to_owned(),
            subject: format!("declaration/{}", self.id),
            who: who.to_owned(),
            since: Some(since.at),
            evidence: String::new(),
            description: format!("{description}: {}.", since.reason),
        };
        let detained = self.detention.iter().map(|act| {
            unmet(
                "GOODS_DETAINED",
                "officer",
                act,
                "Customs detains the goods",
            )
        });
        let asked = self.invalidation.iter().map(|asked| {
            let text = "The declaration is to be void, and gate has not answered for all of it";
            unmet("INVALIDATION_ASKED", "terminal", &asked.act, text)
        });
        detained.chain(asked).collect()
    }

    fn debt_and_control_conditions(&self) -> Vec<Unmet> {
        let subject = format!("declaration/{}", self.id);
        let unmet =
            |condition: &str, who: &str, since: Option<DateTime<Utc>>, description: String| Unmet {
                condition: condition.to_owned(),
                subject: subject.clone(),
                who: who.to_owned(),
                since,
                evidence: String::new(),
                description,
            };
        let Some(accepted_at) = self.accepted_at() else {
            let who = self
                .site
                .as_ref()
                .map_or("terminal", |site| site.terminal_party.as_str());
            return vec![unmet(
                "GOODS_NOT_ARRIVED",
                who,
                self.facts.when(FactKind::Registered),
                "The goods have not arrived; the declaration is accepted when they do.".into(),
            )];
        };
        let mut missing = Vec::new();
        for control in self
            .controls
            .iter()
            .filter(|control| control.blocking && control.done.is_none())
        {
            let what = control_text(control.kind);
            missing.push(unmet(
                control_condition(control.kind),
                "officer",
                Some(control.opened_at),
                format!("A {what} is open: {}.", control.reason),
            ));
        }
        if self.officer_release.is_none()
            && let Some(found) = self
                .controls
                .iter()
                .filter_map(|control| control.done.as_ref())
                .find(|done| done.result == ControlResult::NotConform)
        {
            missing.push(unmet(
                "OFFICER_DECISION",
                "officer",
                Some(found.act.at),
                "A control found goods or documents not as declared; an officer must decide."
                    .into(),
            ));
        }
        let payer = self
            .payer
            .as_deref()
            .or(self.trader.as_deref())
            .unwrap_or(&self.filer);
        match self.debt.state() {
            DebtState::Assessed if self.duty_is_manual() => {
                missing.push(unmet(
                    "DUTY_MANUAL_ASSESSMENT",
                    "officer",
                    Some(accepted_at),
                    "Tariff and rates cannot say what every item owes; an officer assesses the duty."
                        .into(),
                ));
            }
            DebtState::Assessed => {
                missing.push(unmet(
                    "DUTY_NOT_SECURED",
                    payer,
                    Some(accepted_at),
                    format!(
                        "{} is payable and not secured: no deferment account bears it; pay it.",
                        self.outstanding_text()
                    ),
                ));
            }
            DebtState::Short if self.debt.uncovered().is_some() => {
                missing.push(unmet(
                    "GUARANTEE_SHORT",
                    payer,
                    self.debt.short_since,
                    format!(
                        "The trader's guarantee covers too little for {}; have it raised, or clear goods out of bond.",
                        self.debt.uncovered().map(ToString::to_string).unwrap_or_default()
                    ),
                ));
            }
            DebtState::Short => {
                missing.push(unmet(
                    "DUTY_SHORT",
                    payer,
                    self.debt.short_since,
                    format!(
                        "The deferment account holds too little for {}; pay in, or pay this debt.",
                        self.outstanding_text()
                    ),
                ));
            }
            _ => {}
        }
        missing
    }

    /// What one consignment waits for besides.
    fn own_conditions(
        &self,
        consignment: &Consignment,
        holds: &dyn Fn(&Scope) -> Vec<Hold>,
    ) -> Vec<Unmet> {
        let mut missing = self.match_conditions(consignment);
        if let Some(visit) = &consignment.visit_id {
            let scope = Scope::new(ScopeKind::ContainerVisit, visit);
            missing.extend(
                holds(&scope)
                    .iter()
                    .filter(|hold| hold.stands())
                    .map(hold_condition),
            );
        }
        missing
    }

    fn match_conditions(&self, consignment: &Consignment) -> Vec<Unmet> {
        let subject = consignment.subject();
        let unmet = |condition: &str, who: &str, description: String| Unmet {
            condition: condition.to_owned(),
            subject: subject.clone(),
            who: who.to_owned(),
            since: self.facts.when(FactKind::Filed),
            evidence: String::new(),
            description,
        };
        match &consignment.matching {
            Matching::Unbound(obstacle) => vec![unmet(
                "GOODS_UNBOUND",
                &self.filer,
                format!("{}: {}", obstacle.name(), obstacle.text()),
            )],
            Matching::Mismatch(obstacle) => vec![unmet(
                "GOODS_MISMATCH",
                "officer",
                format!("{}: {}", obstacle.name(), obstacle.text()),
            )],
            Matching::Matched | Matching::Overridden
                if consignment.arrived_at.is_none() && self.accepted_at().is_some() =>
            {
                let who = self
                    .site
                    .as_ref()
                    .map_or("terminal", |site| site.terminal_party.as_str());
                vec![unmet(
                    "GOODS_NOT_ARRIVED",
                    who,
                    "The container has not arrived; it is released after its own arrival.".into(),
                )]
            }
            _ => Vec::new(),
        }
    }

    /// Its positions under one clearance key, by transport document.
    pub fn positions(
        &self,
        key: &str,
        holds: &dyn Fn(&Scope) -> Vec<Hold>,
    ) -> Vec<(String, Position)> {
        if self.is_void() {
            return Vec::new();
        }
        let held = |scope: &Scope| holds(scope).iter().any(Hold::stands);
        let stops = self.stops();
        let whole_held = held(&Scope::new(ScopeKind::Declaration, self.id.to_string()));
        let physical = self
            .controls
            .iter()
            .any(|control| control.kind == ControlKind::Physical && control.done.is_none());
        self.consignments
            .iter()
            .filter(|consignment| consignment.clearance_key().as_deref() == Some(key))
            .map(|consignment| {
                let visit_id = consignment.visit_id.clone().unwrap_or_default();
                let visit_held = consignment
                    .visit_id
                    .as_ref()
                    .is_some_and(|visit| held(&Scope::new(ScopeKind::ContainerVisit, visit)));
                let released = consignment.released_at.is_some()
                    && !whole_held
                    && !visit_held
                    && stops.is_empty();
                let mut conditions = stops.clone();
                if consignment.released_at.is_none() {
                    conditions.extend(self.debt_and_control_conditions());
                    conditions.extend(self.match_conditions(consignment));
                }
                let unbound = consignment.matching.obstacle().filter(|obstacle| {
                    consignment.visit_id.is_none() && *obstacle != Obstacle::NoContainer
                });
                let position = Position {
                    mrn: self
                        .mrn
                        .as_ref()
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                    visit_id,
                    unbound_because: unbound
                        .map(|obstacle| obstacle.name().to_owned())
                        .unwrap_or_default(),
                    released,
                    cleared: released && self.facts.when(FactKind::Cleared).is_some(),
                    inspection: self.accepted_at().map(|_| physical),
                    conditions,
                    filer: self.filer.clone(),
                    trader: self.trader.clone().unwrap_or_default(),
                    declaration_version: self.version,
                    direction: self.direction_told().to_owned(),
                    departed: consignment.departed,
                };
                (
                    consignment
                        .transport_document
                        .as_ref()
                        .map(ToString::to_string)
                        .unwrap_or_default(),
                    position,
                )
            })
            .collect()
    }

    // ---- helpers

    fn bound(&self, world: &World<'_>) -> Vec<Consignment> {
        let site_id = self.site.as_ref().map(|site| site.site_id.as_str());
        let named = || {
            self.names()
                .map(|names| (world.named)(&names))
                .unwrap_or_default()
        };
        matching::bind(
            &self.consignments,
            &Surroundings {
                filing: &self.filing,
                site_id,
                bonded: self.site.as_ref().is_some_and(|site| site.bonded),
                trader: self.trader.as_deref(),
                overrides: &self.overrides,
                visits: world.visits,
                named: &named,
                lists: world.lists,
            },
        )
    }

    /// Whether its goods stand at a bonded centre under stock lists.
    fn is_by_list(&self) -> bool {
        self.site.as_ref().is_some_and(|site| site.bonded)
            && self.filing.procedure_kind() == ProcedureKind::OutOfBond
    }

    /// Whether the goods are here, and who says so (rule 13).
    fn arrival(&self) -> Option<Arrival> {
        if self.facts.when(FactKind::Presented).is_some() {
            return Some(Arrival::Presented);
        }
        // Gate says so, whatever its clock says beside ours.
        if self
            .consignments
            .iter()
            .any(|consignment| consignment.arrived_at.is_some())
        {
            return Some(Arrival::Visit);
        }
        let can_be_bound = |consignment: &Consignment| match consignment.matching {
            Matching::NotAsked(_)
            | Matching::Unbound(Obstacle::NoTransportDocument | Obstacle::NoStockList) => false,
            Matching::Unbound(_)
            | Matching::Mismatch(_)
            | Matching::Matched
            | Matching::Overridden => true,
        };
        match self.filing.kind()?.stage {
            Stage::Supplementary => Some(Arrival::Supplementary),
            Stage::Arrived if !self.consignments.iter().any(can_be_bound) => {
                Some(Arrival::FilersWord)
            }
            Stage::Arrived | Stage::PreLodged => None,
        }
    }

    fn tell_of_matches(&mut self, before: &[Consignment], world: &mut World<'_>) {
        let changed: Vec<Consignment> = self
            .consignments
            .iter()
            .filter(|now| {
                !before.iter().any(|old| {
                    old.container == now.container
                        && old.visit_id == now.visit_id
                        && old.matching == now.matching
                        && old.transport_document == now.transport_document
                        && old.list == now.list
                })
            })
            .cloned()
            .collect();
        for consignment in changed {
            let what = consignment
                .visit_id
                .clone()
                .unwrap_or_else(|| consignment.subject());
            match &consignment.matching {
                Matching::Matched => self.record(Fact::Matched, world, what),
                Matching::Mismatch(obstacle) => self.record(
                    Fact::Mismatched,
                    world,
                    format!("{what}: {}", obstacle.name()),
                ),
                Matching::NotAsked(_) | Matching::Unbound(_) | Matching::Overridden => {}
            }
        }
    }

    /// What the filer should know about a filing that was not rejected.
    fn remark_on_filing(&mut self) {
        let mut findings = Findings {
            faults: Vec::new(),
            warnings: std::mem::take(&mut self.warnings),
        };
        if let Some(duty) = self.debt.duty() {
            for (sequence, why) in &duty.manual_items {
                let mut items = self.filing.items.iter().enumerate();
                if let Some((index, item)) =
                    items.find(|(_, item)| item.sequence.unwrap_or_default() == *sequence)
                {
                    findings.warn(left_to_an_officer(&item_path(index), item, why));
                }
            }
            // Inward processing and temporary admission are suspended too, and nobody looks at a guarantee for them.
            let checked = duty.unreckoned_items.is_empty()
                && self.to_guarantee(duty).is_some()
                && self.filing.procedure_kind() == ProcedureKind::IntoBond;
            if duty.is_suspended() && !checked {
                findings.remark(
                    &GUARANTEE_NOT_CHECKED,
                    "/Declaration/ObligationGuarantee",
                    "",
                );
            }
        }
        self.warnings = findings.warnings;
    }

    fn duty_is_manual(&self) -> bool {
        self.debt
            .assessed
            .as_ref()
            .is_some_and(|duty| duty.needs_manual_assessment())
    }

    fn outstanding_text(&self) -> String {
        self.debt.outstanding().map_or_else(
            |_| "the debt".to_owned(),
            |outstanding| outstanding.to_string(),
        )
    }

    fn debt_text(&self) -> String {
        let payable = self
            .debt
            .duty()
            .map(|duty| duty.total_payable.to_string())
            .unwrap_or_default();
        let covered = self
            .debt
            .guaranteed
            .as_ref()
            .map(|covered| format!(", {covered} under guarantee"))
            .unwrap_or_default();
        format!("{} {payable}{covered}", self.debt.state().name())
    }

    fn tax_statement(&self, is_final: bool) -> Option<TaxStatement> {
        self.debt.duty().map(|assessment| TaxStatement {
            assessment: assessment.clone(),
            indicated: self.debt.assessed.is_none(),
            is_final,
        })
    }

    fn notify_tax(&mut self, world: &World<'_>, is_final: bool) {
        let duty = self.tax_statement(is_final);
        let text = if is_final {
            format!("Final: {}.", self.debt_text())
        } else {
            format!("{}.", self.debt_text())
        };
        self.notify(
            Code::Tax,
            world,
            Detail {
                duty,
                text,
                ..Detail::default()
            },
        );
    }

    fn notify(&mut self, code: Code, world: &World<'_>, detail: Detail) {
        let notification = Notification {
            code,
            declaration_id: self.id,
            mrn: self
                .mrn
                .as_ref()
                .map(ToString::to_string)
                .unwrap_or_default(),
            lrn: self.filing.lrn.clone(),
            filing_version: self.filing_version(),
            issued_at: world.now,
            detail,
        };
        self.news.notifications.push(notification);
    }

    fn record(&mut self, fact: Fact, world: &World<'_>, detail: String) {
        self.version += 1;
        let happening = Happening {
            fact,
            version: self.version,
            observed_at: world.now,
            by: world.actor.cloned(),
            detail,
            status: self.status(),
            debt: self.debt.state(),
            channel: self.channel,
            filing_version: self.filing_version(),
            exit: self.exit(),
            asks: self
                .invalidation
                .as_ref()
                .map(|asked| asked.asks.clone())
                .unwrap_or_default(),
        };
        self.news.happenings.push(happening);
    }
}

impl AskedAbout {
    /// What it names, for a person.
    pub fn name(&self) -> String {
        match self {
            Self::Visit(visit_id) => visit_id.clone(),
            Self::List(list) => format!("stock-list/{list}"),
        }
    }
}

fn goods_have_left() -> Refusal {
    Refusal::unmet(
        "GOODS_HAVE_LEFT",
        "Goods of the declaration have left; it stands as it is.",
        Vec::new(),
    )
}

/// Whether goods can be declared to be where the filing says, on the day of filing.
fn look_at_location(filing: &Filing, world: &World<'_>, findings: &mut Findings) {
    let books = world.books;
    if let Some(location) = filing.goods_location.as_deref()
        && books
            .locations
            .barred(location, world.now.date_naive())
            .is_some()
    {
        findings.note(
            &books.severities,
            &GOODS_LOCATION_BARRED,
            "/Declaration/GoodsShipment/Consignment/GoodsLocation/Name",
            location,
        );
    }
}

/// What the filer is told of an item that a person must assess: which value stands in the way, and where.
fn left_to_an_officer(path: &str, item: &FiledItem, why: &Manual) -> Fault {
    let written = |value: &Option<String>| value.clone().unwrap_or_default();
    let (rule, at, value): (&Rule, String, String) = match why {
        Manual::UnknownProcedure(procedure) => (
            &PROCEDURE_NOT_IN_TARIFF,
            format!("{path}/GovernmentProcedure/CurrentCode"),
            procedure.clone(),
        ),
        Manual::NoCommodityCode | Manual::NoTariffLine { .. } => (
            &TARIFF_LINE_MISSING,
            format!("{path}/Commodity/Classification/ID"),
            written(&item.commodity_code),
        ),
        Manual::NoOrigin { .. } => (
            &ORIGIN_MISSING,
            format!("{path}/Origin/CountryCode"),
            written(&item.origin),
        ),
        Manual::NoExciseRate { code, .. } => (
            &EXCISE_RATE_MISSING,
            format!("{path}/Commodity/Classification/ID"),
            code.clone(),
        ),
        Manual::NoCustomsValue | Manual::NegativeCustomsValue(_) | Manual::OutOfRange => {
            let (at, value) = item.value.as_ref().map_or_else(
                || (format!("{path}/CustomsValueAmount"), String::new()),
                |value| (value.path.clone(), value.value.clone()),
            );
            (&CUSTOMS_VALUE_UNUSABLE, at, value)
        }
        Manual::NoExchangeRate { currency, .. } => {
            // The other currency there may be is that of the tariff's own rate.
            let declared = item
                .value
                .as_ref()
                .filter(|value| value.currency == *currency);
            let (at, value) = declared.map_or_else(
                || (path.to_owned(), String::new()),
                |value| (format!("{}/@currencyID", value.path), currency.clone()),
            );
            (&EXCHANGE_RATE_MISSING, at, value)
        }
        Manual::NoQuantity { .. } => (
            &QUANTITY_MISSING,
            format!("{path}/Commodity/GoodsMeasure"),
            String::new(),
        ),
        Manual::NetMassUnit { declared, .. } => (
            &MEASURE_UNIT_UNSUITED,
            format!("{path}/Commodity/GoodsMeasure/NetNetWeightMeasure/@unitCode"),
            declared.clone(),
        ),
        Manual::SupplementaryUnit { declared, .. } => (
            &MEASURE_UNIT_UNSUITED,
            format!("{path}/Commodity/GoodsMeasure/TariffQuantity/@unitCode"),
            declared.clone(),
        ),
    };
    Fault::new(
        rule.code,
        at,
        value,
        rule.name,
        format!("An officer assesses this item: {why}."),
    )
}

/// Who says that the goods are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    Visit,
    Presented,
    FilersWord,
    Supplementary,
}

impl Arrival {
    fn text(self) -> &'static str {
        match self {
            Self::Visit => "the container has arrived",
            Self::Presented => "the goods were presented",
            Self::FilersWord => "on the filer's word that the goods have arrived",
            Self::Supplementary => "a supplement to goods released before",
        }
    }
}

/// The conditions that an officer's own release meets.
const OFFICERS_CONDITIONS: [&str; 2] = ["OFFICER_DECISION", "DUTY_MANUAL_ASSESSMENT"];

/// The rules that something rests on.
fn rules_text(rules: &[String]) -> String {
    let word = if rules.len() == 1 { "rule" } else { "rules" };
    format!("{word} {}", rules.join(", "))
}

/// The controls that a channel asks for.
fn controls_of(channel: Channel) -> Vec<ControlOrder> {
    let order = |kind, blocking| ControlOrder { kind, blocking };
    match channel {
        Channel::Green => Vec::new(),
        Channel::Blue => vec![order(ControlKind::Documents, false)],
        Channel::Yellow => vec![order(ControlKind::Documents, true)],
        Channel::Red => vec![
            order(ControlKind::Documents, true),
            order(ControlKind::Physical, true),
        ],
    }
}

fn control_condition(kind: ControlKind) -> &'static str {
    match kind {
        ControlKind::Documents => "DOCUMENTS_CONTROL_OPEN",
        ControlKind::Physical => "PHYSICAL_CONTROL_OPEN",
        ControlKind::Agency => "AGENCY_CONTROL_OPEN",
    }
}

fn control_text(kind: ControlKind) -> &'static str {
    match kind {
        ControlKind::Documents => "control of the documents",
        ControlKind::Physical => "control of the goods",
        ControlKind::Agency => "control by another authority",
    }
}

fn result_text(result: ControlResult) -> &'static str {
    match result {
        ControlResult::Conform => "as declared",
        ControlResult::NotConform => "not as declared",
        ControlResult::Withdrawn => "withdrawn",
    }
}

fn hold_condition(hold: &Hold) -> Unmet {
    let condition = match hold.kind {
        HoldKind::Customs => "CUSTOMS_HOLD",
        HoldKind::Quarantine => "QUARANTINE_HOLD",
    };
    Unmet {
        condition: condition.to_owned(),
        subject: hold.scope.topic_key(),
        who: hold.placed_by_party.clone(),
        since: Some(hold.placed_at),
        evidence: format!("hold/{}", hold.hold_id),
        description: hold.reason.clone(),
    }
}

fn act(reason: &str, world: &World<'_>) -> Act {
    Act {
        by: world.actor.cloned().unwrap_or_default(),
        at: world.now,
        reason: reason.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::filing::WrittenAmount;
    use chrono::TimeZone;
    use kernel::Rounding;
    use proptest::prelude::*;

    const ALL: [FactKind; 11] = [
        FactKind::Filed,
        FactKind::Rejected,
        FactKind::Registered,
        FactKind::Presented,
        FactKind::Accepted,
        FactKind::ControlOrdered,
        FactKind::Released,
        FactKind::Cleared,
        FactKind::Invalidated,
        FactKind::Exited,
        FactKind::ExitOverdue,
    ];

    fn at(second: u32) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, second)
            .single()
            .expect("a time")
    }

    fn of(kinds: &[FactKind]) -> Status {
        let mut facts = Facts::default();
        kinds.iter().for_each(|kind| facts.learn(*kind, at(0)));
        status(&facts, false)
    }

    #[test]
    fn rule_12_the_furthest_fact_decides_and_cleared_implies_released() {
        use FactKind::*;
        assert_eq!(of(&[Filed, Rejected]), Status::Rejected);
        assert_eq!(of(&[Filed, Registered]), Status::Registered);
        assert_eq!(of(&[Accepted, Registered]), Status::Accepted);
        assert_eq!(of(&[ControlOrdered, Accepted]), Status::UnderControl);
        assert_eq!(of(&[Released, ControlOrdered, Accepted]), Status::Released);
        assert_eq!(of(&[Cleared, Accepted]), Status::Cleared);
        assert_eq!(of(&[Invalidated, Cleared, Exited]), Status::Invalidated);
    }

    #[test]
    fn rule_12_a_detention_stands_over_everything_that_is_not_final_and_its_end_leaves_the_facts() {
        use FactKind::*;
        for kinds in [&[Registered][..], &[Accepted], &[Cleared, Released]] {
            let mut facts = Facts::default();
            kinds.iter().for_each(|kind| facts.learn(*kind, at(0)));
            assert_eq!(status(&facts, true), Status::Detained);
            assert_eq!(status(&facts, false), of(kinds));
            facts.learn(Invalidated, at(1));
            assert_eq!(status(&facts, true), Status::Invalidated);
        }
    }

    /// Umbrellas that are at none of our sites, with a control that does not block their release.
    fn lodging() -> Lodging {
        let item = FiledItem {
            sequence: Some(1),
            description: "ttimportdocnonblocking".into(),
            commodity_code: Some("66019100".into()),
            origin: Some("CN".into()),
            procedure: Some("4000".into()),
            value: Some(WrittenAmount {
                path: "p".into(),
                value: "1000".into(),
                currency: "GBP".into(),
            }),
            ..FiledItem::default()
        };
        Lodging {
            id: Uuid::from_u128(1),
            mrn: Mrn::mint(26, "GB", "0000000000000").expect("a number"),
            filer: "broker-a".into(),
            trader: Some("trader-a".into()),
            payer: Some("trader-a".into()),
            site: None,
            filing: Filing {
                type_code: "IMA".into(),
                lrn: "L".into(),
                items: vec![item],
                ..Filing::default()
            },
            findings: Findings::default(),
            severities_version: "t".into(),
        }
    }

    #[test]
    fn rule_1_a_debt_that_cannot_be_made_final_keeps_a_declaration_from_being_cleared_alone() {
        let books = crate::seed::books(Rounding::Truncate).expect("books");
        let thousand = Money::parse("1000", "GBP").expect("an amount");
        let mut account = Account::open("trader-a", books.currency().clone());
        account.pay_in(&thousand, "bank", at(0)).expect("paid in");
        let act = |account: &mut Account, run: &mut dyn FnMut(&mut World<'_>)| {
            run(&mut World {
                now: at(1),
                books: &books,
                visits: &|_| Vec::new(),
                named: &|_| Vec::new(),
                lists: &|_| None,
                holds: &|_| Vec::new(),
                account: Some(account),
                guarantee: None,
                ids: &|| Uuid::from_u128(7),
                actor: None,
            });
        };
        let mut lodged = None;
        act(&mut account, &mut |world| {
            lodged = Some(Declaration::lodge(lodging(), world));
        });
        let mut declaration = lodged.expect("lodged");
        assert_eq!(
            (declaration.status(), declaration.debt.state()),
            (Status::Released, DebtState::Secured),
            "a control that does not block is open"
        );
        let control = declaration.controls[0].id;
        // An account that knows of no security.
        let mut stranger = Account::open("trader-a", books.currency().clone());
        act(&mut stranger, &mut |world| {
            declaration
                .complete_control(control, ControlResult::Conform, "seen", world)
                .expect("done");
        });
        assert_eq!(
            (declaration.status(), declaration.debt.final_since),
            (Status::Released, None)
        );
        act(&mut account, &mut |world| declaration.advance(world));
        assert_eq!(declaration.status(), Status::Cleared);
        assert!(declaration.debt.final_since.is_some() && account.secured.is_zero());
    }

    /// What gate tells of one container of an export: brought, then gone by train, or by truck again.
    fn told(container: &str, gone: bool, by_train: bool) -> Visit {
        let phase = if gone {
            Phase::Departed
        } else {
            Phase::Arrived
        };
        Visit {
            visit_id: format!("PORT/{container}/1"),
            site_id: "PORT".into(),
            container: ContainerNumber::parse(container).expect("valid"),
            version: if gone { 2 } else { 1 },
            phase,
            arrived_at: Some(at(2)),
            lines: Vec::new(),
            by_truck: true,
            named: Vec::new(),
            exited: gone && by_train,
        }
    }

    /// What happens to an export over two containers.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Step {
        Filed,
        Told { container: usize, gone: bool },
        Detained,
        DetentionEnded,
    }

    /// The steps in an order that can be: what is later waits for what must be before it.
    fn ordered(picks: &[usize]) -> Vec<Step> {
        use Step::*;
        let of = |container, gone| Told { container, gone };
        let mut left = vec![
            Filed,
            of(0, false),
            of(1, false),
            of(0, true),
            of(1, true),
            Detained,
            DetentionEnded,
        ];
        let mut done: Vec<Step> = Vec::new();
        for pick in picks.iter().chain(std::iter::repeat(&0)) {
            let possible: Vec<Step> = left
                .iter()
                .filter(|step| match step {
                    // What has left before it is filed is bound to nothing, and what has left is not detained.
                    Told {
                        container,
                        gone: true,
                    } => done.contains(&Detained) && done.contains(&of(*container, false)),
                    Detained => done.contains(&Filed),
                    DetentionEnded => done.contains(&Detained),
                    Filed | Told { .. } => true,
                })
                .copied()
                .collect();
            let Some(next) = possible.get(pick % possible.len().max(1)).copied() else {
                break;
            };
            left.retain(|step| *step != next);
            done.push(next);
        }
        done
    }

    fn export_after(steps: &[Step], by_train: [bool; 2], repeated: bool) -> Declaration {
        const BOXES: [&str; 2] = ["MSKU9070323", "CSQU3054383"];
        let books = crate::seed::books(Rounding::Truncate).expect("books");
        let mut known: BTreeMap<String, Visit> = BTreeMap::new();
        let mut export: Option<Declaration> = None;
        let every: Vec<Step> = if repeated {
            steps.iter().flat_map(|step| [*step, *step]).collect()
        } else {
            steps.to_vec()
        };
        for step in every {
            if let Step::Told { container, gone } = step {
                let visit = told(BOXES[container], gone, by_train[container]);
                known.insert(visit.visit_id.clone(), visit);
            }
            let visits = |container: &ContainerNumber| -> Vec<Visit> {
                known
                    .values()
                    .filter(|visit| visit.container == *container)
                    .cloned()
                    .collect()
            };
            let mut world = World {
                now: at(3),
                books: &books,
                visits: &visits,
                named: &|_| Vec::new(),
                lists: &|_| None,
                holds: &|_| Vec::new(),
                account: None,
                guarantee: None,
                ids: &|| Uuid::from_u128(7),
                actor: None,
            };
            match (step, &mut export) {
                (Step::Filed, None) => {
                    let mut lodging = lodging();
                    lodging.site = Some(Site {
                        site_id: "PORT".into(),
                        version: 1,
                        terminal_party: "terminal".into(),
                        goods_location_codes: Vec::new(),
                        bonded: false,
                    });
                    lodging.filing.type_code = "EXD".into();
                    lodging.filing.containers = BOXES.map(str::to_owned).to_vec();
                    lodging.filing.items[0].description = "umbrellas".into();
                    lodging.filing.items[0].procedure = Some("1040".into());
                    export = Some(Declaration::lodge(lodging, &mut world));
                }
                (Step::Detained, Some(export)) => drop(export.detain("a tip", &mut world)),
                (Step::DetentionEnded, Some(export)) => {
                    drop(export.end_detention("no more", &mut world))
                }
                (_, Some(export)) => export.advance(&mut world),
                (_, None) => {}
            }
        }
        export.expect("filed")
    }

    proptest! {
        #[test]
        fn rule_12_an_export_ends_the_same_in_every_order_and_repetition_of_what_happens_to_it(
            picks in prop::collection::vec(0usize..7, 0..8),
            by_train in any::<[bool; 2]>(),
            repeated in any::<bool>(),
        ) {
            let steps = ordered(&picks);
            prop_assert_eq!(steps.len(), 7);
            let export = export_after(&steps, by_train, repeated);
            // Detained while both were there: released once that ended, or not at all if they had left by then.
            let detained_all_the_time = |container| {
                let gone = steps.iter().position(|step| *step == Step::Told { container, gone: true });
                let here = steps.iter().position(|step| *step == Step::Told { container, gone: false });
                let filed = steps.iter().position(|step| *step == Step::Filed);
                let from = steps.iter().position(|step| *step == Step::Detained);
                let to = steps.iter().position(|step| *step == Step::DetentionEnded);
                from < here.max(filed) && gone < to
            };
            for (index, goods) in export.consignments.iter().enumerate() {
                prop_assert!(goods.departed);
                prop_assert_eq!(goods.exited, by_train[index]);
                prop_assert_eq!(goods.released_at.is_none(), detained_all_the_time(index));
            }
            let exited = by_train == [true, true];
            prop_assert_eq!(export.exit(), Some(if exited { ExitState::Exited } else { ExitState::None }));
            prop_assert!(export.detention.is_none() && export.accepted_at().is_some());
            let all = export.consignments.iter().all(|goods| goods.released_at.is_some());
            prop_assert_eq!(export.status() == Status::Cleared, all);
            let told = export.news.notifications.iter().filter(|told| told.code == Code::Exited);
            prop_assert_eq!(told.count(), usize::from(exited));
        }

        #[test]
        fn rule_12_the_status_is_the_same_for_every_order_and_repetition(
            facts in prop::collection::vec((0usize..ALL.len(), 0u32..60), 0..30),
            seed in any::<u64>(),
        ) {
            let mut shuffled: Vec<_> = facts.iter().chain(&facts).copied().collect();
            // A plain shuffle by the seed: what matters is that the order is another one.
            let length = shuffled.len().max(1) as u64;
            for index in 0..shuffled.len() {
                let other = (seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(index as u64) % length) as usize;
                shuffled.swap(index, other);
            }
            let learnt = |all: &[(usize, u32)]| {
                let mut set = Facts::default();
                all.iter().for_each(|(kind, second)| set.learn(ALL[*kind], at(*second)));
                set
            };
            let (one, other) = (learnt(&facts), learnt(&shuffled));
            for detained in [false, true] {
                prop_assert_eq!(status(&one, detained), status(&other, detained));
            }
            prop_assert_eq!(exit_state(&one), exit_state(&other));
            prop_assert_eq!(one, other);
        }
    }
}
