//! A declaration's life from filing to clearance. Everything that happens is a fact that is added, never
//! taken away; where the declaration stands is derived from the whole set. It must not know messages,
//! tables, or who is told.
//!
//! Whatever happens, it ends in [`Declaration::advance`]: bind, accept, settle the debt, release, clear, exit,
//! each as far as the facts allow. So it does not matter which fact came last.
//!
//! Here stand what a declaration is, what it is found by, and the order in which it moves; each step has a file
//! of its own beside this one.

mod conditions;
mod control;
mod exit;
mod facts;
mod invalidation;
mod lodging;
mod matches;
mod record;
mod release;
mod remarks;
mod settlement;

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use kernel::{ContainerNumber, Direction as Way, Fault, Mrn, Refusal, StockListNumber};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::account::Account;
use super::assessing::Books;
use super::debt::Debt;
use super::filing::{Direction, Filing, ProcedureKind, Stage};
use super::guarantee::Guarantee;
use super::hold::{Hold, Scope, ScopeKind};
use super::matching::{self, Consignment, Override};
use super::risk::Channel;
use super::stock_list::StockList;
use super::visit::{Visit, name_of};
use super::{Act, Actor};

pub use control::{CONTROLS_MAX, Control, ControlDone, ControlResult};
pub use exit::{ExitState, exit_state};
pub use facts::{FactKind, Facts, Status, status};
pub use invalidation::{Ask, AskedAbout, Invalidation};
pub use lodging::Lodging;
pub use matches::OVERRIDES_MAX;
pub use record::{Fact, Happening, News};

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
    /// The mandates by which its filer acts for the parties that it names.
    #[serde(default)]
    pub mandates: Vec<Uuid>,
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
    /// A hold on one of its parties stood when it was last decided.
    #[serde(default)]
    pub party_held: bool,
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

impl Declaration {
    /// Moves the declaration as far as the facts allow.
    pub fn advance(&mut self, world: &mut World<'_>) {
        if self.is_void() {
            return;
        }
        self.party_held = self.has_held_party(world.holds);
        let bound = self.bound(world);
        let before = std::mem::replace(&mut self.consignments, bound);
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

    /// Of the lists that it names those under which something of it may leave: what its procedure does is done under
    /// a list of this direction, and as far as the list is known, it is of the same trader and names this reference.
    fn own_lists(&self, world: &World<'_>) -> Vec<StockListNumber> {
        let direction = match self.filing.procedure_kind() {
            ProcedureKind::OutOfBond => Way::Out,
            _ => Way::In,
        };
        let own = |list: &StockList| {
            Some(list.trader.as_str()) == self.trader.as_deref() && list.names(&self.filing.lrn)
        };
        self.stock_lists()
            .into_iter()
            .filter(|number| number.direction() == direction)
            .filter(|number| (world.lists)(number).as_ref().is_none_or(own))
            .collect()
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

    /// Which way the goods go, for events: IMPORT, EXPORT, or NONE for what opens no barrier.
    pub fn direction_name(&self) -> &'static str {
        match self.filing.kind() {
            Some(kind) if kind.stage == Stage::Supplementary => "NONE",
            _ => match self.filing.direction() {
                Some(Direction::Import) => "IMPORT",
                Some(Direction::Export) => "EXPORT",
                Some(Direction::Special) | None => "NONE",
            },
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

    /// The scopes whose holds stop its release: itself, its parties, and the visits of its goods.
    pub fn hold_scopes(&self) -> Vec<Scope> {
        let visits = self
            .consignments
            .iter()
            .filter_map(|consignment| consignment.visit_id.as_ref());
        let mut scopes: Vec<Scope> = visits
            .map(|visit| Scope::new(ScopeKind::ContainerVisit, visit))
            .collect();
        scopes.push(Scope::new(ScopeKind::Declaration, self.id.to_string()));
        scopes.extend(self.party_scopes());
        scopes.sort();
        scopes.dedup();
        scopes
    }

    /// The parties that it concerns and we know, as holds name them: who filed it, whose goods they are, who pays.
    fn party_scopes(&self) -> Vec<Scope> {
        let parties: BTreeSet<&String> = std::iter::once(&self.filer)
            .chain(&self.trader)
            .chain(&self.payer)
            .collect();
        parties
            .into_iter()
            .map(|party| Scope::new(ScopeKind::Party, party))
            .collect()
    }

    /// Whether a hold stands on one of its parties.
    pub fn has_held_party(&self, holds: &dyn Fn(&Scope) -> Vec<Hold>) -> bool {
        self.party_scopes()
            .iter()
            .any(|scope| holds(scope).iter().any(Hold::stands))
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
    use crate::domain::debt::DebtState;
    use crate::domain::filing::{FiledItem, WrittenAmount};
    use crate::domain::notification::Code;
    use crate::domain::validation::Findings;
    use crate::domain::visit::{Phase, Site};
    use chrono::TimeZone;
    use kernel::{Money, Rounding};
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    pub(super) fn at(second: u32) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, second)
            .single()
            .expect("a time")
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
            mandates: Vec::new(),
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
    }
}
