//! What all use cases do alike: hand a declaration the world it decides in, and afterwards file what became
//! of it: its row, its history, its notifications, the clearance under its keys, and the facts for others.

use chrono::{DateTime, Utc};
use fabric::{Context, Decision, Fact};
use kernel::{Refusal, Unmet};
use prost::Message;
use uuid::Uuid;

use super::Customs;
use super::state::{HistoryEntry, Posted, State};
use crate::domain::Actor;
use crate::domain::account::Account;
use crate::domain::clearance::Clearance;
use crate::domain::declaration::{Declaration, Names, World};
use crate::domain::guarantee::Guarantee;
use crate::domain::hold::{Hold, HoldKind, Scope, ScopeKind};
use crate::domain::risk::HoldOrderKind;
use crate::domain::visit::name_of;
use crate::events::publish;
use crate::grpc::response;

/// One input being decided.
pub struct Desk<'a> {
    /// The service: its books.
    pub customs: &'a Customs,
    /// The batch's working set.
    pub state: &'a mut State,
    /// Clock and ids.
    pub context: &'a Context<'a>,
    /// What is published with the decision.
    pub facts: Vec<Fact>,
    /// The party for whom the command is done, where that is another than asked.
    pub for_party: Option<String>,
}

/// What a payer's debts are secured by, as far as the payer has it.
#[derive(Clone, Debug, Default)]
pub struct Funds {
    /// The deferment account.
    pub account: Option<Account>,
    /// The guarantee.
    pub guarantee: Option<Guarantee>,
}

/// What an officer or terminal asks about one declaration.
#[derive(Clone, Debug)]
pub struct DeclarationCommand {
    /// Who asks.
    pub actor: Actor,
    /// Whether as an officer; else as the terminal of the declaration's site.
    pub officer: bool,
    /// The declaration.
    pub declaration_id: Uuid,
    /// The version they have seen; 0: not checked.
    pub expected_version: u64,
    /// Why.
    pub reason: String,
}

impl Desk<'_> {
    /// The database's clock.
    pub fn now(&self) -> DateTime<Utc> {
        self.context.now
    }

    /// Lets something be decided in the world as it is. The payer's funds come back as they would be afterwards
    /// and count only if they are committed.
    pub fn decide<R>(
        &self,
        payer: Option<&str>,
        actor: Option<&Actor>,
        run: impl FnOnce(&mut World<'_>) -> R,
    ) -> (R, Funds) {
        let mut funds = Funds {
            account: self.state.account_of(payer),
            guarantee: self.state.guarantee_of(payer),
        };
        let visits = |container: &_| self.state.visits_of(container);
        let named = |names: &Names<'_>| self.state.visits_naming(names);
        let lists = |number: &_| self.state.list(number);
        let holds = |scope: &_| self.state.holds_on(scope);
        let ids = || self.context.new_id();
        let mut world = World {
            now: self.context.now,
            books: &self.customs.books,
            visits: &visits,
            named: &named,
            lists: &lists,
            holds: &holds,
            account: funds.account.as_mut(),
            guarantee: funds.guarantee.as_mut(),
            ids: &ids,
            actor,
        };
        let result = run(&mut world);
        (result, funds)
    }

    /// Files what became of a declaration.
    pub fn commit(&mut self, mut declaration: Declaration, funds: Funds, before: Vec<String>) {
        let news = std::mem::take(&mut declaration.news);
        for order in &news.hold_orders {
            let kind = match order.kind {
                HoldOrderKind::Customs => HoldKind::Customs,
                HoldOrderKind::Quarantine => HoldKind::Quarantine,
            };
            let scope = Scope::new(ScopeKind::Declaration, declaration.id.to_string());
            self.place(Hold {
                hold_id: self.context.new_id(),
                scope,
                kind,
                placed_by_party: "officer".to_owned(),
                placed_by_subject: format!("rule {}", order.rule),
                reason: order.reason.clone(),
                placed_at: self.context.now,
                lifted: None,
            });
        }
        for happening in &news.happenings {
            self.facts.extend(publish::declaration(
                &declaration,
                happening,
                self.context.now,
            ));
            let by = happening.by.clone().unwrap_or_default();
            self.state.history.push(HistoryEntry {
                declaration_id: declaration.id,
                version: happening.version,
                fact: happening.fact.name(),
                observed_at: happening.observed_at,
                by_party: by.party,
                by_subject: by.subject,
                detail: happening.detail.clone(),
            });
        }
        self.post(&declaration.filer, news.notifications);
        self.publish_clearance(&declaration, before);
        if let Some(payer) = &declaration.payer {
            if let Some(account) = funds.account
                && self.state.accounts.get(payer) != Some(&account)
            {
                self.state.accounts.put(payer.clone(), account);
            }
            if let Some(guarantee) = funds.guarantee
                && self.state.guarantees.get(payer) != Some(&guarantee)
            {
                self.state.guarantees.put(payer.clone(), guarantee);
            }
        }
        self.note_name(&declaration);
        self.state.declarations.put(declaration.id, declaration);
    }

    /// Later filings of the batch see that the reference is taken by this filer.
    fn note_name(&mut self, declaration: &Declaration) {
        let Some(name) = declaration
            .names()
            .and_then(|names| names.lrn.and_then(name_of))
            .filter(|name| declaration.is_open() && self.state.namesakes.is_loaded(name))
        else {
            return;
        };
        let mut filers = self.state.namesakes.get(&name).cloned().unwrap_or_default();
        if filers.insert(declaration.filer.clone()) {
            self.state.namesakes.put(name, filers);
        }
    }

    /// Places or changes a hold and publishes it.
    pub fn place(&mut self, hold: Hold) {
        self.facts.push(publish::hold(&hold, self.context.now));
        self.state.put_hold(hold);
    }

    /// Says under every key of a declaration what customs now says there.
    pub fn publish_clearance(&mut self, declaration: &Declaration, before: Vec<String>) {
        if declaration.is_rejected() || declaration.direction_name() == "NONE" {
            return;
        }
        let mut keys = declaration.clearance_keys();
        keys.extend(before);
        keys.sort();
        keys.dedup();
        for key in keys {
            let holds = |scope: &_| self.state.holds_on(scope);
            let positions = declaration.positions(&key, &holds);
            let mut clearance: Clearance =
                self.state.clearances.get(&key).cloned().unwrap_or_default();
            if clearance.replace(declaration.id, positions) {
                self.facts
                    .push(publish::clearance(&key, &clearance, self.context.now));
                self.state.clearances.put(key, clearance);
            }
        }
    }

    /// A command about one declaration: looked up, checked, run, filed and answered with the whole record.
    pub fn on_declaration(
        mut self,
        command: &DeclarationCommand,
        run: impl FnOnce(&mut Declaration, &mut World<'_>) -> Result<(), Refusal>,
    ) -> Decision {
        match self.run_on_declaration(command, run) {
            Ok(declaration) => {
                let answer = response::declaration_answer(&self.record_of(&declaration));
                Decision::respond(answer).with_facts(self.facts)
            }
            Err(refusal) => Decision::refuse(refusal),
        }
    }

    /// As [`Self::on_declaration`], for use cases that answer in their own way.
    ///
    /// # Errors
    /// NOT_FOUND, STALE_VERSION, DECLARATION_VOID, and what `run` refuses.
    pub fn run_on_declaration(
        &mut self,
        command: &DeclarationCommand,
        run: impl FnOnce(&mut Declaration, &mut World<'_>) -> Result<(), Refusal>,
    ) -> Result<Declaration, Refusal> {
        let mut declaration = self.find(command)?;
        let before = declaration.clearance_keys();
        let payer = declaration.payer.clone();
        let (outcome, funds) = self.decide(payer.as_deref(), Some(&command.actor), |world| {
            run(&mut declaration, world)
        });
        outcome?;
        self.commit(declaration.clone(), funds, before);
        declaration.news = Default::default();
        Ok(declaration)
    }

    /// Moves a declaration on after something around it has changed.
    pub fn advance(&mut self, declaration_id: Uuid) {
        self.change(declaration_id, Declaration::advance);
    }

    /// Lets something happen to a declaration that nobody asked for: a fact of another service, a timer.
    pub fn change(
        &mut self,
        declaration_id: Uuid,
        run: impl FnOnce(&mut Declaration, &mut World<'_>),
    ) {
        let Some(mut declaration) = self.state.declarations.get(&declaration_id).cloned() else {
            return;
        };
        let before = declaration.clearance_keys();
        let old = declaration.clone();
        let payer = declaration.payer.clone();
        let ((), funds) = self.decide(payer.as_deref(), None, |world| run(&mut declaration, world));
        if declaration == old {
            // Holds are weighed in the clearance even where the declaration itself stays as it is.
            self.publish_clearance(&declaration, before);
        } else {
            self.commit(declaration, funds, before);
        }
    }

    /// The public record of a declaration, without what only a read adds.
    pub fn record_of(&self, declaration: &Declaration) -> proto::customs::v1::DeclarationRecord {
        let holds = |scope: &_| self.state.holds_on(scope);
        let conditions: Vec<Unmet> = declaration.conditions(&holds);
        let standing: Vec<Hold> = declaration
            .hold_scopes()
            .iter()
            .flat_map(|scope| self.state.holds_on(scope))
            .filter(Hold::stands)
            .collect();
        response::declaration_record(declaration, &conditions, &standing)
    }

    fn find(&self, command: &DeclarationCommand) -> Result<Declaration, Refusal> {
        let visible = |declaration: &&Declaration| {
            let at_site = declaration
                .site
                .as_ref()
                .is_some_and(|site| site.terminal_party == command.actor.party);
            !declaration.is_rejected() && (command.officer || at_site)
        };
        let found = self
            .state
            .declarations
            .get(&command.declaration_id)
            .filter(visible);
        let declaration = found
            .ok_or_else(|| Refusal::not_found("declaration", command.declaration_id.to_string()))?;
        if command.expected_version != 0 && command.expected_version != declaration.version {
            return Err(Refusal::stale(declaration.version));
        }
        if declaration.is_void() {
            return Err(Refusal::unmet(
                "DECLARATION_VOID",
                "The declaration is void; file a new one for the goods.",
                Vec::new(),
            ));
        }
        Ok(declaration.clone())
    }

    fn post(&mut self, filer: &str, notifications: Vec<crate::domain::notification::Notification>) {
        if notifications.is_empty() {
            return;
        }
        let mut head = self
            .state
            .inboxes
            .get(&filer.to_owned())
            .copied()
            .unwrap_or(0);
        for notification in notifications {
            head += 1;
            self.state.notifications.push(Posted {
                filer: filer.to_owned(),
                sequence: head,
                notification,
            });
        }
        self.state.inboxes.put(filer.to_owned(), head);
    }
}

/// A decision that answers with a message.
pub fn respond(message: &impl Message, facts: Vec<Fact>) -> Decision {
    Decision::respond(message.encode_to_vec()).with_facts(facts)
}
