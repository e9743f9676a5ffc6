//! Which stored rows an input leads to beyond what it names: a container to its declarations, a declaration to
//! everything it must be decided with.

use std::collections::BTreeMap;

use fabric::Subjects;
use sqlx::PgConnection;
use uuid::Uuid;

use super::unreadable;
use crate::app::state::subject;
use crate::app::{DEBTS_SECURED_MAX, HELD_DECLARATIONS_MAX, holds};
use crate::domain::hold::{Scope, ScopeKind};
use crate::domain::matching::container_key;
use crate::domain::visit::container_of;

/// The most open declarations that one reference leads to; a container is named by a handful.
const DECLARATIONS_MAX: i64 = 1_000;
/// The most exports that one turn of the timer looks at; the next goes on with the rest.
const EXITS_MAX: i64 = 200;
/// The most visits that named an export before it was filed.
const VISITS_MAX: i64 = 100;

/// What an input leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lead {
    /// All that belongs to a declaration.
    Declaration(Uuid),
    /// The open declarations that are found by any of these: "container/NUMBER", "stock-list/NUMBER", "ask/ID".
    Found(Vec<String>),
    /// The containers that a truck brought whose filing named this.
    Named(String),
    /// What a hold is on.
    Hold(Uuid),
    /// The party that gave a mandate, and what else was passed on of it.
    Mandate(Uuid),
    /// The debts that wait for a payer's account, oldest first.
    WaitingDebtsOf(String),
    /// The debts that wait for an account or guarantee that has become large enough.
    WaitingDebts,
    /// The exports that have been released for so many days and have not left.
    AwaitedExits(u32),
    /// The open declarations of a party that were last decided with one of their parties held, or with none, oldest first.
    OfParty {
        /// The party.
        party: String,
        /// With one held.
        held: bool,
    },
    /// The open declarations that were last decided before a hold on a party of theirs came or went.
    PartyHolds,
}

/// A declaration, as far as it names what must be locked with it.
#[derive(Clone)]
struct Relations {
    id: Uuid,
    filer: String,
    payer: Option<String>,
    references: Vec<String>,
}

impl Relations {
    fn subjects(&self) -> Subjects {
        let mut subjects = Subjects::new()
            .write(subject::DECLARATION, self.id.to_string())
            .write(subject::INBOX, &self.filer);
        // Who pays is the trader where it is known.
        for party in std::iter::once(&self.filer).chain(&self.payer) {
            subjects = subjects.read(subject::SCOPE, holds::party_subject(party));
        }
        if let Some(payer) = &self.payer {
            subjects = subjects.write(subject::ACCOUNT, payer);
        }
        self.references
            .iter()
            .fold(subjects, |subjects, reference| {
                match reference.split_once('/') {
                    Some(("container" | "transport-document", _)) => {
                        subjects.write(subject::KEY, reference)
                    }
                    Some(("stock-list", number)) => subjects.read(subject::LIST, number),
                    Some(("name", name)) => subjects.read(subject::NAME, name),
                    // An ask is its declaration's alone.
                    _ => subjects,
                }
            })
    }
}

/// Follows every lead; one set of subjects each, in order. Ten statements at most, however many leads.
pub async fn follow(
    db: &mut PgConnection,
    leads: &[Option<Lead>],
) -> Result<Vec<Subjects>, sqlx::Error> {
    let scopes = hold_scopes(db, leads).await?;
    let grantors = grantors(db, leads).await?;
    let mut followed: Vec<(Subjects, Option<Lead>)> = leads
        .iter()
        .map(|lead| match lead {
            Some(Lead::Hold(id)) => scopes.get(id).map_or((Subjects::new(), None), of_scope),
            Some(Lead::Mandate(id)) => {
                let subjects = grantors.get(id).map(|(grantor, root)| {
                    Subjects::new()
                        .write(subject::PARTY, grantor)
                        .write(subject::MANDATE, root.to_string())
                });
                (subjects.unwrap_or_default(), None)
            }
            other => (Subjects::new(), other.clone()),
        })
        .collect();
    let mut found: Vec<(Lead, Relations)> = Vec::new();
    let wanted: Vec<Lead> = followed
        .iter()
        .filter_map(|(_, lead)| lead.clone())
        .collect();
    by_declaration(db, &wanted, &mut found).await?;
    by_reference(db, &wanted, &mut found).await?;
    by_payer(db, &wanted, &mut found).await?;
    waiting(db, &wanted, &mut found).await?;
    awaited_exits(db, &wanted, &mut found).await?;
    of_parties(db, &wanted, &mut found).await?;
    party_holds(db, &wanted, &mut found).await?;
    let brought = brought(db, &wanted).await?;
    for (subjects, lead) in &mut followed {
        for (_, relations) in found.iter().filter(|(by, _)| lead.as_ref() == Some(by)) {
            *subjects = std::mem::take(subjects).and(relations.subjects());
        }
        if let Some(Lead::Named(name)) = lead {
            for (_, container) in brought.iter().filter(|(by, _)| by == name) {
                *subjects =
                    std::mem::take(subjects).write(subject::KEY, format!("container/{container}"));
            }
        }
    }
    Ok(followed.into_iter().map(|(subjects, _)| subjects).collect())
}

/// What a hold's scope leads to.
fn of_scope(scope: &Scope) -> (Subjects, Option<Lead>) {
    let subjects = holds::subjects_of(scope);
    let lead = match scope.kind {
        ScopeKind::ContainerVisit => {
            container_of(&scope.key).map(|container| Lead::Found(vec![container_key(&container)]))
        }
        ScopeKind::Declaration => Uuid::parse_str(&scope.key).ok().map(Lead::Declaration),
        ScopeKind::Party => Some(Lead::OfParty {
            party: scope.key.clone(),
            held: true,
        }),
        ScopeKind::StockList | ScopeKind::Plate => None,
    };
    (subjects, lead)
}

async fn hold_scopes(
    db: &mut PgConnection,
    leads: &[Option<Lead>],
) -> Result<BTreeMap<Uuid, Scope>, sqlx::Error> {
    let ids: Vec<Uuid> = leads
        .iter()
        .filter_map(|lead| {
            if let Some(Lead::Hold(id)) = lead {
                Some(*id)
            } else {
                None
            }
        })
        .collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query!(
        "select hold_id, scope_kind, scope_key from hold where hold_id = any($1)",
        &ids
    )
    .fetch_all(db)
    .await?;
    rows.into_iter()
        .map(|row| {
            let kind = ScopeKind::parse(&row.scope_kind)
                .ok_or_else(|| unreadable("hold.scope_kind", &row.scope_kind))?;
            Ok((
                row.hold_id,
                Scope {
                    kind,
                    key: row.scope_key,
                },
            ))
        })
        .collect()
}

/// The grantor and the first mandate of each chain.
async fn grantors(
    db: &mut PgConnection,
    leads: &[Option<Lead>],
) -> Result<BTreeMap<Uuid, (String, Uuid)>, sqlx::Error> {
    let ids: Vec<Uuid> = leads
        .iter()
        .filter_map(|lead| {
            if let Some(Lead::Mandate(id)) = lead {
                Some(*id)
            } else {
                None
            }
        })
        .collect();
    if ids.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query!(
        r#"select mandate_id, grantor, coalesce(chain[1], mandate_id) as "root!" from mandate where mandate_id = any($1)"#,
        &ids
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.mandate_id, (row.grantor, row.root)))
        .collect())
}

async fn by_declaration(
    db: &mut PgConnection,
    leads: &[Lead],
    found: &mut Vec<(Lead, Relations)>,
) -> Result<(), sqlx::Error> {
    let ids: Vec<Uuid> = leads
        .iter()
        .filter_map(|lead| {
            if let Lead::Declaration(id) = lead {
                Some(*id)
            } else {
                None
            }
        })
        .collect();
    if ids.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query!(
        r#"select d.id, d.filer, d.payer,
                  array(select r.kind || '/' || r.value from declaration_reference r where r.declaration_id = d.id) as "references!: Vec<String>"
           from declaration d where d.id = any($1)"#,
        &ids
    )
    .fetch_all(db)
    .await?;
    found.extend(rows.into_iter().map(|row| {
        (
            Lead::Declaration(row.id),
            Relations {
                id: row.id,
                filer: row.filer,
                payer: row.payer,
                references: row.references,
            },
        )
    }));
    Ok(())
}

async fn by_reference(
    db: &mut PgConnection,
    leads: &[Lead],
    found: &mut Vec<(Lead, Relations)>,
) -> Result<(), sqlx::Error> {
    let asked = |lead: &Lead| match lead {
        Lead::Found(references) => references.clone(),
        _ => Vec::new(),
    };
    let mut references: Vec<String> = leads.iter().flat_map(asked).collect();
    references.sort();
    references.dedup();
    let (kinds, values): (Vec<String>, Vec<String>) = references
        .iter()
        .filter_map(|reference| reference.split_once('/'))
        .map(|(kind, value)| (kind.to_owned(), value.to_owned()))
        .unzip();
    if kinds.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query!(
        r#"select n.kind || '/' || n.value as "reference!", d.id, d.filer, d.payer, d.refs as "references!: Vec<String>"
           from unnest($1::text[], $2::text[]) as n(kind, value)
           cross join lateral (
               select d.id, d.filer, d.payer,
                      array(select r.kind || '/' || r.value from declaration_reference r where r.declaration_id = d.id) as refs
               from declaration_reference named join declaration d on d.id = named.declaration_id
               where named.kind = n.kind and named.value = n.value and d.open
               order by d.id limit $3
           ) d"#,
        &kinds,
        &values,
        DECLARATIONS_MAX
    )
    .fetch_all(db)
    .await?;
    for row in rows {
        let relations = Relations {
            id: row.id,
            filer: row.filer,
            payer: row.payer,
            references: row.references,
        };
        for lead in leads
            .iter()
            .filter(|lead| asked(lead).contains(&row.reference))
        {
            found.push((lead.clone(), relations.clone()));
        }
    }
    Ok(())
}

/// The containers that trucks brought, by the name that their filing named.
async fn brought(
    db: &mut PgConnection,
    leads: &[Lead],
) -> Result<Vec<(String, String)>, sqlx::Error> {
    let names: Vec<String> = leads
        .iter()
        .filter_map(|lead| {
            if let Lead::Named(name) = lead {
                Some(name.clone())
            } else {
                None
            }
        })
        .collect();
    if names.is_empty() {
        return Ok(Vec::new());
    }
    let rows = sqlx::query!(
        r#"select n.name as "name!", v.container
           from unnest($1::text[]) as n(name)
           cross join lateral (
               select v.container from visit v where v.named && array[n.name] and v.phase = 'ARRIVED'
               order by v.visit_id limit $2
           ) v"#,
        &names,
        VISITS_MAX
    )
    .fetch_all(db)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| (row.name, row.container))
        .collect())
}

async fn awaited_exits(
    db: &mut PgConnection,
    leads: &[Lead],
    found: &mut Vec<(Lead, Relations)>,
) -> Result<(), sqlx::Error> {
    let days = leads.iter().find_map(|lead| match lead {
        Lead::AwaitedExits(days) => Some(*days),
        _ => None,
    });
    let Some(days) = days else { return Ok(()) };
    let rows = sqlx::query!(
        r#"select d.id, d.filer, d.payer,
                  array(select r.kind || '/' || r.value from declaration_reference r where r.declaration_id = d.id) as "references!: Vec<String>"
           from declaration d where d.exit_awaited_since <= now() - make_interval(days => $1)
           order by d.exit_awaited_since, d.id limit $2"#,
        i32::try_from(days).unwrap_or(i32::MAX),
        EXITS_MAX
    )
    .fetch_all(db)
    .await?;
    found.extend(rows.into_iter().map(|row| {
        (
            Lead::AwaitedExits(days),
            Relations {
                id: row.id,
                filer: row.filer,
                payer: row.payer,
                references: row.references,
            },
        )
    }));
    Ok(())
}

async fn by_payer(
    db: &mut PgConnection,
    leads: &[Lead],
    found: &mut Vec<(Lead, Relations)>,
) -> Result<(), sqlx::Error> {
    let payers: Vec<String> = leads
        .iter()
        .filter_map(|lead| {
            if let Lead::WaitingDebtsOf(payer) = lead {
                Some(payer.clone())
            } else {
                None
            }
        })
        .collect();
    if payers.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query!(
        r#"select n.value as "payer!", d.id, d.filer, d.refs as "references!: Vec<String>"
           from unnest($1::text[]) as n(value)
           cross join lateral (
               select d.id, d.filer,
                      array(select r.kind || '/' || r.value from declaration_reference r where r.declaration_id = d.id) as refs
               from declaration d where d.payer = n.value and d.debt in ('SHORT', 'ASSESSED')
               order by d.id limit $2
           ) d"#,
        &payers,
        DEBTS_SECURED_MAX
    )
    .fetch_all(db)
    .await?;
    found.extend(rows.into_iter().map(|row| {
        let payer = row.payer;
        let relations = Relations {
            id: row.id,
            filer: row.filer,
            payer: Some(payer.clone()),
            references: row.references,
        };
        (Lead::WaitingDebtsOf(payer), relations)
    }));
    Ok(())
}

async fn waiting(
    db: &mut PgConnection,
    leads: &[Lead],
    found: &mut Vec<(Lead, Relations)>,
) -> Result<(), sqlx::Error> {
    if !leads.contains(&Lead::WaitingDebts) {
        return Ok(());
    }
    let rows = sqlx::query!(
        r#"select d.id, d.filer, d.payer,
                  array(select r.kind || '/' || r.value from declaration_reference r where r.declaration_id = d.id) as "references!: Vec<String>"
           from declaration d
           where d.debt in ('SHORT', 'ASSESSED')
             and (exists (select from guarantee g
                          where g.trader = d.payer and d.to_guarantee <= g.amount - g.in_use)
                  or (d.to_guarantee is null
                      and exists (select from account a
                                  where a.payer = d.payer and d.outstanding <= a.balance - a.secured)))
           order by d.id limit $1"#,
        DEBTS_SECURED_MAX
    )
    .fetch_all(db)
    .await?;
    found.extend(rows.into_iter().map(|row| {
        (
            Lead::WaitingDebts,
            Relations {
                id: row.id,
                filer: row.filer,
                payer: row.payer,
                references: row.references,
            },
        )
    }));
    Ok(())
}

async fn of_parties(
    db: &mut PgConnection,
    leads: &[Lead],
    found: &mut Vec<(Lead, Relations)>,
) -> Result<(), sqlx::Error> {
    let (parties, held): (Vec<String>, Vec<bool>) = leads
        .iter()
        .filter_map(|lead| match lead {
            Lead::OfParty { party, held } => Some((party.clone(), *held)),
            _ => None,
        })
        .unzip();
    if parties.is_empty() {
        return Ok(());
    }
    let rows = sqlx::query!(
        r#"select n.party as "party!", n.held as "held!", d.id, d.filer, d.payer,
                  array(select r.kind || '/' || r.value from declaration_reference r where r.declaration_id = d.id) as "references!: Vec<String>"
           from (select distinct * from unnest($1::text[], $2::boolean[]) as n(party, held)) n
           cross join lateral (
               (select id from declaration where filer = n.party and open and party_held = n.held order by id limit $3)
               union
               (select id from declaration where payer = n.party and open and party_held = n.held order by id limit $3)
               order by id limit $3
           ) of_party
           join declaration d on d.id = of_party.id"#,
        &parties,
        &held,
        HELD_DECLARATIONS_MAX
    )
    .fetch_all(db)
    .await?;
    found.extend(rows.into_iter().map(|row| {
        (
            Lead::OfParty {
                party: row.party,
                held: row.held,
            },
            Relations {
                id: row.id,
                filer: row.filer,
                payer: row.payer,
                references: row.references,
            },
        )
    }));
    Ok(())
}

async fn party_holds(
    db: &mut PgConnection,
    leads: &[Lead],
    found: &mut Vec<(Lead, Relations)>,
) -> Result<(), sqlx::Error> {
    if !leads.contains(&Lead::PartyHolds) {
        return Ok(());
    }
    let rows = sqlx::query!(
        r#"with held as materialized (
               select distinct scope_key as party from hold where scope_kind = 'party' and lifted_at is null
           ), other as (
               (select d.id from declaration d
                where d.open and d.party_held
                  and not exists (select from held where held.party in (d.filer, d.payer))
                order by d.id limit $1)
               union
               select of_party.id from held cross join lateral (
                   (select id from declaration where filer = held.party and open and party_held = false order by id limit $1)
                   union
                   (select id from declaration where payer = held.party and open and party_held = false order by id limit $1)
               ) of_party
               order by id limit $1
           )
           select d.id, d.filer, d.payer,
                  array(select r.kind || '/' || r.value from declaration_reference r where r.declaration_id = d.id) as "references!: Vec<String>"
           from other join declaration d on d.id = other.id"#,
        HELD_DECLARATIONS_MAX
    )
    .fetch_all(db)
    .await?;
    found.extend(rows.into_iter().map(|row| {
        (
            Lead::PartyHolds,
            Relations {
                id: row.id,
                filer: row.filer,
                payer: row.payer,
                references: row.references,
            },
        )
    }));
    Ok(())
}
