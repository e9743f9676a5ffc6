//! Parties and mandates: who somebody is, and for whom they may act. It must not know declarations; whoever
//! asks names the action.

use chrono::{DateTime, Utc};
use kernel::{Eori, Fault, Refusal, Text, Uscc};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// The longest name of a party, in characters.
pub const NAME_CHARS_MAX: usize = 200;
/// The most identifiers of a party.
pub const IDENTIFIERS_MAX: usize = 20;
/// The roles that a party may have.
pub const ROLES: [&str; 8] = [
    "haulier", "broker", "trader", "line", "operator", "terminal", "officer", "admin",
];
const PARTY_ID_CHARS_MAX: usize = 64;

/// A firm or an authority.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Party {
    /// Our id: "trader-a".
    pub party_id: String,
    /// Grows with every change.
    pub version: u64,
    /// Its name for people.
    pub name: String,
    /// What it does here.
    pub roles: Vec<String>,
    /// The numbers by which documents name it.
    pub identifiers: Vec<Identifier>,
    /// It may not act.
    pub suspended: bool,
}

/// A number by which documents name a party.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Identifier {
    /// EORI, USCC or CUSTOMS_CODE.
    pub scheme: String,
    /// The number, normalised.
    pub value: String,
}

impl Identifier {
    /// Reads a number of a named scheme.
    ///
    /// # Errors
    /// What is wrong with the scheme or the number.
    pub fn parse(scheme: &str, value: &str) -> Result<Self, String> {
        let value = match scheme {
            "EORI" => Eori::parse(value)
                .map(String::from)
                .map_err(|error| error.to_string())?,
            "USCC" => Uscc::parse(value)
                .map(String::from)
                .map_err(|error| error.to_string())?,
            "CUSTOMS_CODE" => {
                customs_code(value).ok_or("a customs code is ten letters or digits")?
            }
            _ => return Err("a scheme is EORI, USCC or CUSTOMS_CODE".to_owned()),
        };
        Ok(Self {
            scheme: scheme.to_owned(),
            value,
        })
    }

    /// What a number in a document may mean: a EORI is the same party in its GB and in its XI form.
    pub fn candidates(written: &str) -> Vec<Self> {
        let of = |scheme: &str, value: String| Self {
            scheme: scheme.to_owned(),
            value,
        };
        let mut candidates = Vec::new();
        if let Ok(eori) = Eori::parse(written) {
            candidates.extend(
                eori.other_british_form()
                    .map(|other| of("EORI", other.into())),
            );
            candidates.push(of("EORI", eori.into()));
        }
        if let Ok(uscc) = Uscc::parse(written) {
            candidates.push(of("USCC", uscc.into()));
        }
        candidates.extend(customs_code(written).map(|code| of("CUSTOMS_CODE", code)));
        candidates
    }

    /// Scheme and number in one: how it is locked and looked up.
    pub fn key(&self) -> String {
        format!("{}:{}", self.scheme, self.value)
    }
}

fn customs_code(written: &str) -> Option<String> {
    let code = written.trim().to_ascii_uppercase();
    (code.len() == 10 && code.bytes().all(|byte| byte.is_ascii_alphanumeric())).then_some(code)
}

/// What is asked when a party is entered or changed.
#[derive(Clone, Debug)]
pub struct PutParty {
    /// The party as it shall be; its version is set by the decision.
    pub party: Party,
    /// The version the caller has seen; 0 for a new party.
    pub expected_version: u64,
}

/// Enters a party or changes it.
///
/// # Errors
/// `PARTY_INVALID` with all faults; STALE_VERSION; `IDENTIFIER_TAKEN` where another party has one of the
/// identifiers.
pub fn put(
    current: Option<&Party>,
    owner_of: impl Fn(&Identifier) -> Option<String>,
    asked: &PutParty,
) -> Result<Party, Refusal> {
    let held = current.map_or(0, |party| party.version);
    let faults = faults_of(&asked.party);
    if !faults.is_empty() {
        return Err(Refusal::invalid(
            "PARTY_INVALID",
            "The party cannot be entered; correct the faults.",
        )
        .with_faults(faults));
    }
    if held != asked.expected_version {
        return Err(Refusal::stale(held));
    }
    for identifier in &asked.party.identifiers {
        if let Some(owner) = owner_of(identifier)
            && owner != asked.party.party_id
        {
            return Err(Refusal::already_exists(
                "IDENTIFIER_TAKEN",
                format!(
                    "{} names another party; one identifier names one party.",
                    identifier.key()
                ),
            )
            .with_resource("party", owner));
        }
    }
    let mut party = asked.party.clone();
    party.version = held + 1;
    party.identifiers.sort();
    party.identifiers.dedup();
    Ok(party)
}

fn faults_of(party: &Party) -> Vec<Fault> {
    let mut faults = Vec::new();
    let mut add = |path: &str, value: &str, rule: &str, text: &str| {
        faults.push(Fault::new("PARTY_INVALID", path, value, rule, text))
    };
    let id_sound = (1..=PARTY_ID_CHARS_MAX).contains(&party.party_id.len())
        && party
            .party_id
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if !id_sound {
        add(
            "party.party_id",
            &party.party_id,
            "our ids",
            "An id is 1 to 64 small letters, digits and hyphens.",
        );
    }
    if let Err(error) = Text::parse(&party.name, NAME_CHARS_MAX) {
        add("party.name", &party.name, "names", &error.to_string());
    }
    if party.roles.is_empty() {
        add(
            "party.roles",
            "",
            "roles",
            "Give the party at least one role.",
        );
    }
    for role in party
        .roles
        .iter()
        .filter(|role| !ROLES.contains(&role.as_str()))
    {
        add(
            "party.roles",
            role,
            "roles",
            "A role is haulier, broker, trader, line, operator, terminal, officer or admin.",
        );
    }
    if party.identifiers.len() > IDENTIFIERS_MAX {
        add(
            "party.identifiers",
            "",
            "limits",
            "A party has at most 20 identifiers.",
        );
    }
    faults
}

/// "This party may act for that one."
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mandate {
    /// Its id.
    pub mandate_id: Uuid,
    /// Grows with every change.
    pub version: u64,
    /// Who gave it.
    pub grantor: String,
    /// Who holds it.
    pub agent: String,
    /// What it allows.
    pub actions: Vec<Action>,
    /// From when.
    pub valid_from: DateTime<Utc>,
    /// Until when; none: until revoked.
    pub valid_until: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// Why it was revoked.
    pub revoke_reason: String,
}

/// What a mandate allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Action {
    /// File declarations.
    FileDeclaration,
    /// File stock lists.
    FileStockList,
    /// Carry what was released to the grantor.
    Carry,
}

impl Action {
    /// The name in events and tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::FileDeclaration => "FILE_DECLARATION",
            Self::FileStockList => "FILE_STOCK_LIST",
            Self::Carry => "CARRY",
        }
    }

    /// The action of a name.
    pub fn parse(name: &str) -> Option<Self> {
        [Self::FileDeclaration, Self::FileStockList, Self::Carry]
            .into_iter()
            .find(|action| action.name() == name)
    }
}

impl Mandate {
    /// Whether it allows the action at that instant.
    pub fn allows(&self, action: Action, at: DateTime<Utc>) -> bool {
        self.actions.contains(&action)
            && self.revoked_at.is_none_or(|revoked| at < revoked)
            && self.valid_from <= at
            && self.valid_until.is_none_or(|until| at < until)
    }
}

/// What is asked when a mandate is given.
#[derive(Clone, Debug)]
pub struct GrantMandate {
    /// Who gives it.
    pub grantor: String,
    /// Who shall hold it.
    pub agent: String,
    /// What it allows.
    pub actions: Vec<Action>,
    /// From when; none: now.
    pub valid_from: Option<DateTime<Utc>>,
    /// Until when; none: until revoked.
    pub valid_until: Option<DateTime<Utc>>,
}

/// Gives a mandate.
///
/// # Errors
/// NOT_FOUND for a party that is not registered; `MANDATE_INVALID` where it would allow nothing or nobody.
pub fn grant(
    asked: &GrantMandate,
    known: impl Fn(&str) -> bool,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Mandate, Refusal> {
    for party in [&asked.grantor, &asked.agent] {
        if !known(party) {
            return Err(Refusal::not_found("party", party));
        }
    }
    let valid_from = asked.valid_from.unwrap_or(now);
    let mut faults = Vec::new();
    let mut add = |path: &str, text: &str| {
        faults.push(Fault::new("MANDATE_INVALID", path, "", "mandates", text))
    };
    if asked.grantor == asked.agent {
        add("agent_party", "A party needs no mandate to act for itself.");
    }
    if asked.actions.is_empty() {
        add("actions", "Name at least one action.");
    }
    if asked
        .valid_until
        .is_some_and(|until| until <= valid_from || until <= now)
    {
        add("valid_until", "It would be over before it begins.");
    }
    if !faults.is_empty() {
        return Err(Refusal::invalid(
            "MANDATE_INVALID",
            "The mandate cannot be given; correct the faults.",
        )
        .with_faults(faults));
    }
    let mut actions = asked.actions.clone();
    actions.sort();
    actions.dedup();
    Ok(Mandate {
        mandate_id: id,
        version: 1,
        grantor: asked.grantor.clone(),
        agent: asked.agent.clone(),
        actions,
        valid_from,
        valid_until: asked.valid_until,
        revoked_at: None,
        revoke_reason: String::new(),
    })
}

/// Takes a mandate back. Taking back what was taken back changes nothing.
pub fn revoke(mandate: &Mandate, reason: &str, now: DateTime<Utc>) -> Option<Mandate> {
    mandate.revoked_at.is_none().then(|| Mandate {
        version: mandate.version + 1,
        revoked_at: Some(now),
        revoke_reason: reason.to_owned(),
        ..mandate.clone()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Duration, TimeZone};

    fn at(minutes: i64) -> DateTime<Utc> {
        Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0)
            .single()
            .expect("a time")
            + Duration::minutes(minutes)
    }

    fn trader() -> Party {
        Party {
            party_id: "trader-a".into(),
            version: 0,
            name: "Trader A".into(),
            roles: vec!["trader".into()],
            identifiers: vec![Identifier::parse("EORI", "gb 123456789000").expect("valid")],
            suspended: false,
        }
    }

    fn ask() -> GrantMandate {
        GrantMandate {
            grantor: "trader-a".into(),
            agent: "broker-a".into(),
            actions: vec![Action::FileDeclaration],
            valid_from: None,
            valid_until: None,
        }
    }

    #[test]
    fn a_party_is_found_by_either_form_of_its_eori() {
        let keys: Vec<_> = Identifier::candidates("XI123456789000")
            .iter()
            .map(Identifier::key)
            .collect();
        assert_eq!(keys, ["EORI:GB123456789000", "EORI:XI123456789000"]);
    }

    #[test]
    fn all_faults_of_a_party_are_told() {
        let asked = PutParty {
            party: Party {
                party_id: "Trader A".into(),
                name: " ".into(),
                roles: vec!["king".into()],
                ..trader()
            },
            expected_version: 0,
        };
        let refusal = put(None, |_| None, &asked).expect_err("faulty");
        assert_eq!(
            refusal
                .faults
                .iter()
                .map(|fault| fault.path.as_str())
                .collect::<Vec<_>>(),
            ["party.party_id", "party.name", "party.roles"]
        );
    }

    #[test]
    fn one_identifier_names_one_party() {
        let asked = PutParty {
            party: trader(),
            expected_version: 0,
        };
        assert_eq!(
            put(None, |_| Some("trader-b".into()), &asked)
                .expect_err("taken")
                .reason,
            "IDENTIFIER_TAKEN"
        );
        assert_eq!(
            put(None, |_| Some("trader-a".into()), &asked).map(|party| party.version),
            Ok(1)
        );
    }

    #[test]
    fn a_change_names_the_version_it_rests_on() {
        let current = Party {
            version: 4,
            ..trader()
        };
        let asked = PutParty {
            party: trader(),
            expected_version: 3,
        };
        assert_eq!(
            put(Some(&current), |_| None, &asked)
                .expect_err("stale")
                .reason,
            "STALE_VERSION"
        );
    }

    #[test]
    fn a_mandate_holds_from_its_first_instant_and_not_after_its_end() {
        let asked = GrantMandate {
            valid_from: Some(at(10)),
            valid_until: Some(at(20)),
            ..ask()
        };
        let mandate = grant(&asked, |_| true, Uuid::nil(), at(0)).expect("granted");
        let allowed: Vec<_> = [9, 10, 19, 20]
            .map(|minute| mandate.allows(Action::FileDeclaration, at(minute)))
            .to_vec();
        assert_eq!(allowed, [false, true, true, false]);
        assert!(!mandate.allows(Action::Carry, at(15)));
    }

    #[test]
    fn a_revoked_mandate_ends_at_once_and_only_once() {
        let mandate = grant(&ask(), |_| true, Uuid::nil(), at(0)).expect("granted");
        let revoked = revoke(&mandate, "changed broker", at(5)).expect("revoked");
        assert!(revoked.allows(Action::FileDeclaration, at(4)));
        assert!(!revoked.allows(Action::FileDeclaration, at(5)));
        assert_eq!(revoke(&revoked, "again", at(6)), None);
    }

    #[test]
    fn a_mandate_for_nobody_or_nothing_is_refused() {
        assert_eq!(
            grant(&ask(), |party| party == "trader-a", Uuid::nil(), at(0))
                .expect_err("unknown")
                .reason,
            "NOT_FOUND"
        );
        let empty = GrantMandate {
            agent: "trader-a".into(),
            actions: vec![],
            valid_until: Some(at(-1)),
            ..ask()
        };
        assert_eq!(
            grant(&empty, |_| true, Uuid::nil(), at(0))
                .expect_err("faulty")
                .faults
                .len(),
            3
        );
    }
}
