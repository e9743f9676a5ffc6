//! The books that decisions rest on, and the development parties with their mandates, guarantees and accounts. The books
//! are read at start; the parties go through the loop like everything else, under request ids that follow
//! from their place in the file: a second start repeats the first answers.

use std::time::Duration;

use fabric::{Command, Handle, Origin, fingerprint};
use futures::future::join_all;
use kernel::{Money, Refusal, RefusalKind, Rounding, derived_id};
use serde::Deserialize;
use tokio::time::{Instant, interval_at};
use uuid::Uuid;

use crate::app::{GrantMandateCommand, Input, PutGuarantee, PutPartyCommand, RecordPayment};
use crate::domain::Actor;
use crate::domain::assessing::Books;
use crate::domain::location::GoodsLocations;
use crate::domain::party::{Action, GrantMandate, Identifier, Party, PutParty};
use crate::domain::risk::RiskRules;
use crate::domain::tariff::{self, Rates, Tariff};
use crate::domain::validation::{Severities, SeveritiesError};

const TARIFF: &str = include_str!("../../../deploy/seed/tariff.toml");
const RATES: &str = include_str!("../../../deploy/seed/rates.toml");
const RISK: &str = include_str!("../../../deploy/seed/risk.toml");
const LOCATIONS: &str = include_str!("../../../deploy/seed/locations.toml");
const SEVERITY: &str = include_str!("../../../deploy/seed/severity.toml");
const PARTIES: &str = include_str!("../../../deploy/seed/parties.toml");
/// The namespace of the request ids.
const NAMESPACE: Uuid = Uuid::from_u128(0x7a0c_1a52_6f0e_4f0b_9a53_c057_5eed_0001);
/// Who is recorded as having entered the seeds.
const REGISTRAR: &str = "admin";
/// How often a seed that cannot be put in yet is tried again.
const RETRY_EVERY: Duration = Duration::from_millis(500);

/// Why seeds cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SeedError {
    /// Tariff, rates, risk rules or goods locations are faulty.
    #[error("deploy/seed/{file} cannot be used: {error}")]
    Book {
        /// Which file.
        file: &'static str,
        /// Why.
        error: tariff::SeedError,
    },
    /// The severities are faulty.
    #[error("deploy/seed/severity.toml cannot be used: {0}")]
    Severity(#[from] SeveritiesError),
    /// The parties' file is not what it must be.
    #[error("deploy/seed/parties.toml cannot be read: {0}")]
    File(#[from] toml::de::Error),
    /// An identifier, action or amount of the parties' file is faulty.
    #[error("deploy/seed/parties.toml, {place}: {error}")]
    Faulty {
        /// Which.
        place: String,
        /// Why.
        error: String,
    },
}

/// Tariff, rates, risk rules, goods locations and severities of this version.
///
/// # Errors
/// A file is faulty.
pub fn books(rounding: Rounding) -> Result<Books, SeedError> {
    let faulty = |file| move |error| SeedError::Book { file, error };
    Ok(Books {
        tariff: Tariff::parse(TARIFF).map_err(faulty("tariff.toml"))?,
        rates: Rates::parse(RATES).map_err(faulty("rates.toml"))?,
        risk: RiskRules::parse(RISK).map_err(faulty("risk.toml"))?,
        locations: GoodsLocations::parse(LOCATIONS).map_err(faulty("locations.toml"))?,
        severities: Severities::parse(SEVERITY)?,
        rounding,
    })
}

/// What is put in, checked, each with its place in the file: a kind after the other, as one stands on another, and
/// all of a kind at once.
#[derive(Clone, Debug)]
pub struct Seeds([Vec<(String, Input)>; 4]);

impl Seeds {
    /// The development parties.
    ///
    /// # Errors
    /// The file is faulty.
    pub fn development() -> Result<Self, SeedError> {
        let file: File = toml::from_str(PARTIES)?;
        let parties = file.party.iter();
        let parties = parties.map(|party| Ok((format!("party {}", party.id), party.read()?)));
        let mandates = file.mandate.iter().map(|mandate| {
            let place = format!("mandate {} {}", mandate.grantor, mandate.agent);
            Ok((place, mandate.read()?))
        });
        let guarantees = file.guarantee.iter();
        let guarantees = guarantees.map(|guarantee| {
            let place = format!("guarantee {}", guarantee.trader);
            Ok((place, guarantee.read()?))
        });
        let accounts = file.account.iter();
        let accounts =
            accounts.map(|account| Ok((format!("account {}", account.payer), account.read()?)));
        // Accounts last: whoever waits for the seeds looks for one.
        Ok(Self([
            parties.collect::<Result<_, SeedError>>()?,
            mandates.collect::<Result<_, SeedError>>()?,
            guarantees.collect::<Result<_, SeedError>>()?,
            accounts.collect::<Result<_, SeedError>>()?,
        ]))
    }

    /// What is put in, in order, each with its place in the file.
    pub fn inputs(self) -> impl Iterator<Item = (String, Input)> {
        self.0.into_iter().flatten()
    }

    /// Puts everything in. What is refused is logged and left out.
    pub async fn plant(self, handle: Handle<Input>) {
        for kind in &self.0 {
            join_all(kind.iter().map(|seed| plant(&handle, seed))).await;
        }
        let seeds = self.0.iter().map(Vec::len).sum::<usize>();
        tracing::info!(seeds, "the development parties are in");
    }
}

async fn plant(handle: &Handle<Input>, (place, input): &(String, Input)) {
    if let Err(refusal) = submit(handle, place, input).await {
        tracing::warn!(
            place,
            reason = refusal.reason,
            message = refusal.message,
            "a seed was refused"
        );
    }
}

/// Submits until it is decided: what is too busy or away is asked again.
async fn submit(handle: &Handle<Input>, place: &str, input: &Input) -> Result<(), Refusal> {
    let id = derived_id(NAMESPACE, place.as_bytes());
    let mut tries = interval_at(Instant::now(), RETRY_EVERY);
    loop {
        tries.tick().await;
        let command = Command {
            party: REGISTRAR.to_owned(),
            origin: Origin::default(),
            request_id: Some(id),
            // The place is the request: a file that says something else there later is not put in anew.
            fingerprint: fingerprint("seed", id.as_bytes()),
            traceparent: None,
            input: input.clone(),
        };
        match handle.submit(place, command).await.outcome {
            Ok(_) => return Ok(()),
            Err(refusal)
                if refusal.kind == RefusalKind::Unavailable || refusal.reason == "OVERLOADED" => {}
            Err(refusal) => return Err(refusal),
        }
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    party: Vec<PartyEntry>,
    mandate: Vec<MandateEntry>,
    account: Vec<AccountEntry>,
    guarantee: Vec<GuaranteeEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct PartyEntry {
    id: String,
    name: String,
    roles: Vec<String>,
    /// "SCHEME:NUMBER".
    #[serde(default)]
    identifiers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct MandateEntry {
    grantor: String,
    agent: String,
    actions: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AccountEntry {
    payer: String,
    amount: String,
    currency: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct GuaranteeEntry {
    trader: String,
    amount: String,
    currency: String,
}

impl PartyEntry {
    fn read(&self) -> Result<Input, SeedError> {
        let identifier = |written: &String| {
            let (scheme, value) = written.split_once(':').unwrap_or((written, ""));
            Identifier::parse(scheme, value).map_err(|error| SeedError::Faulty {
                place: format!("party {}", self.id),
                error,
            })
        };
        let party = Party {
            party_id: self.id.clone(),
            version: 0,
            name: self.name.clone(),
            roles: self.roles.clone(),
            identifiers: self
                .identifiers
                .iter()
                .map(identifier)
                .collect::<Result<_, _>>()?,
            suspended: false,
        };
        Ok(Input::PutParty(PutPartyCommand {
            asked: PutParty {
                party,
                expected_version: 0,
            },
        }))
    }
}

impl MandateEntry {
    fn read(&self) -> Result<Input, SeedError> {
        let place = format!("mandate {} {}", self.grantor, self.agent);
        let actions: Option<Vec<Action>> = self
            .actions
            .iter()
            .map(|name| Action::parse(name))
            .collect();
        let actions = actions.ok_or_else(|| SeedError::Faulty {
            place: place.clone(),
            error: "no such action".to_owned(),
        })?;
        let asked = GrantMandate {
            giver: self.grantor.clone(),
            agent: self.agent.clone(),
            actions,
            ..GrantMandate::default()
        };
        Ok(Input::GrantMandate(GrantMandateCommand {
            asked,
            mandate_id: Some(derived_id(NAMESPACE, place.as_bytes())),
        }))
    }
}

/// An amount of the parties' file.
fn money(place: &str, amount: &str, currency: &str) -> Result<Money, SeedError> {
    Money::parse(amount, currency).map_err(|error| SeedError::Faulty {
        place: place.to_owned(),
        error: error.to_string(),
    })
}

fn registrar() -> Actor {
    Actor {
        party: REGISTRAR.to_owned(),
        subject: "seed".to_owned(),
    }
}

impl GuaranteeEntry {
    fn read(&self) -> Result<Input, SeedError> {
        let place = format!("guarantee {}", self.trader);
        Ok(Input::PutGuarantee(PutGuarantee {
            actor: registrar(),
            trader: self.trader.clone(),
            amount: money(&place, &self.amount, &self.currency)?,
            reason: "as agreed with customs".to_owned(),
            expected_version: 0,
        }))
    }
}

impl AccountEntry {
    fn read(&self) -> Result<Input, SeedError> {
        let place = format!("account {}", self.payer);
        Ok(Input::RecordPayment(RecordPayment {
            actor: registrar(),
            officer: true,
            payer: self.payer.clone(),
            amount: money(&place, &self.amount, &self.currency)?,
            declaration_id: None,
            reference: "opening balance".to_owned(),
        }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn books_and_development_parties_can_be_read() {
        assert_eq!(
            books(Rounding::Truncate)
                .expect("readable")
                .currency()
                .as_str(),
            "GBP"
        );
        let seeds = Seeds::development().expect("readable");
        assert!(seeds.0.iter().map(Vec::len).sum::<usize>() > 15);
    }
}
