//! Words in tables as the domain's values, and back. A word that is not one of ours is a broken row, never
//! a guess.

use chrono::{DateTime, Utc};

use crate::domain::hold::{Hold, HoldKey, HoldKind, Keeper, Lifting, Scope, ScopeKind};

fn broken(column: &str, word: &str) -> sqlx::Error {
    sqlx::Error::Decode(format!("{column} holds \"{word}\", which is none of its words").into())
}

/// A keeper's name.
pub fn keeper(name: &str) -> Result<Keeper, sqlx::Error> {
    Keeper::parse(name).ok_or_else(|| broken("keeper", name))
}

/// A scope.
pub fn scope(kind: &str, key: String) -> Result<Scope, sqlx::Error> {
    let kind = ScopeKind::parse(kind).ok_or_else(|| broken("scope_kind", kind))?;
    Ok(Scope::new(kind, key))
}

/// What a column's word means.
pub fn word<T>(
    column: &str,
    word: &str,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<T, sqlx::Error> {
    parse(word).ok_or_else(|| broken(column, word))
}

/// A hold's key as subjects spell it: "keeper/id".
pub fn hold_key(text: &str) -> Option<HoldKey> {
    let (keeper, id) = text.split_once('/')?;
    Some((Keeper::parse(keeper)?, id.to_owned()))
}

/// A row of `hold`.
pub struct HoldRow {
    pub keeper: String,
    pub hold_id: String,
    pub scope_kind: String,
    pub scope_key: String,
    pub kind: String,
    pub placed_by_party: String,
    pub placed_by_subject: String,
    pub reason: String,
    pub placed_at: DateTime<Utc>,
    pub lifted_at: Option<DateTime<Utc>>,
    pub lifted_by_subject: String,
    pub lift_reason: String,
    pub event_id: String,
}

impl HoldRow {
    /// The hold.
    pub fn hold(self) -> Result<Hold, sqlx::Error> {
        let lifted = self.lifted_at.map(|at| Lifting {
            at,
            by_subject: self.lifted_by_subject.clone(),
            reason: self.lift_reason.clone(),
        });
        Ok(Hold {
            keeper: keeper(&self.keeper)?,
            hold_id: self.hold_id,
            scope: scope(&self.scope_kind, self.scope_key)?,
            kind: HoldKind::parse(&self.kind).ok_or_else(|| broken("kind", &self.kind))?,
            placed_by_party: self.placed_by_party,
            placed_by_subject: self.placed_by_subject,
            reason: self.reason,
            placed_at: self.placed_at,
            lifted,
            event_id: self.event_id,
        })
    }
}
