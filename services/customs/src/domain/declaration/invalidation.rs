//! What an officer does against a declaration: detain its goods, or have it void, for which gate answers
//! for everything that could leave on it (gate's rule 12). What has left is neither detained nor void. It
//! must not know how gate is asked, or what it looks at.

use kernel::{Refusal, StockListNumber};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Declaration, Fact, FactKind, World, act};
use crate::domain::Act;
use crate::domain::notification::{Code, Detail};

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

impl AskedAbout {
    /// What it names, for a person.
    pub fn name(&self) -> String {
        match self {
            Self::Visit(visit_id) => visit_id.clone(),
            Self::List(list) => format!("stock-list/{list}"),
        }
    }
}

impl Declaration {
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
    /// meanwhile; where there is nothing to ask, it is void at once. A list that goes with another declaration is
    /// not asked about: gate would shut the barrier on that one's goods.
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
        about.extend(self.own_lists(world).into_iter().map(AskedAbout::List));
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
}

fn goods_have_left() -> Refusal {
    Refusal::unmet(
        "GOODS_HAVE_LEFT",
        "Goods of the declaration have left; it stands as it is.",
        Vec::new(),
    )
}
