//! Parties and mandates: who somebody is, and for whom they may act, within which limits, and who may pass that on. It
//! must not know declarations; whoever asks names the action, the goods and the containers.

use chrono::{DateTime, Utc};
use kernel::{ContainerNumber, Eori, Fault, Refusal, Text, Uscc};
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
/// The most goods, and the most containers, that a mandate can be limited to.
pub const LIMITS_MAX: usize = 100;
/// The most often that a mandate may be passed on, one holder after the other.
pub const PASSED_ON_MAX: u8 = 3;
/// The most mandates that may stand under one that somebody gave.
pub const STANDING_UNDER_ONE_MAX: usize = 100;
/// How many digits of a commodity code name goods: a chapter at least, a TARIC code at most.
const GOODS_DIGITS: std::ops::RangeInclusive<usize> = 2..=10;

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

/// "This party may act for that one." One that was passed on is no wider than the one that it came from, in nothing,
/// and is revoked with it: so whoever weighs a mandate needs to know no other.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mandate {
    /// Its id.
    pub mandate_id: Uuid,
    /// Grows with every change.
    pub version: u64,
    /// For whom its holder may act: who gave it, or the one from which it was passed on.
    pub grantor: String,
    /// Who holds it.
    pub agent: String,
    /// What it allows.
    pub actions: Vec<Action>,
    /// The goods to which it is limited; none: any.
    pub goods: Vec<String>,
    /// The containers to which it is limited; none: any.
    pub containers: Vec<ContainerNumber>,
    /// How often it may be passed on, one holder after the other.
    pub may_be_passed_on: u8,
    /// The holder that passed it on; none: its grantor gave it.
    pub passed_on_by: Option<String>,
    /// The mandates from which it came, the grantor's first.
    pub chain: Vec<Uuid>,
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
    /// Whether it allows the action at that instant, within its limits.
    pub fn allows(&self, action: Action, at: DateTime<Utc>) -> bool {
        self.actions.contains(&action) && self.stands(at)
    }

    /// Whether all of these goods and containers are within its limits. One that is limited to some covers nothing
    /// that names none.
    pub fn covers(&self, goods: &[String], containers: &[ContainerNumber]) -> bool {
        let of_goods = self.goods.is_empty()
            || (!goods.is_empty() && goods.iter().all(|code| is_within(code, &self.goods)));
        let of_containers = self.containers.is_empty()
            || (!containers.is_empty()
                && containers.iter().all(|one| self.containers.contains(one)));
        of_goods && of_containers
    }

    /// Whether it is for some goods or containers alone.
    pub fn is_limited(&self) -> bool {
        !self.goods.is_empty() || !self.containers.is_empty()
    }

    /// The mandate that the grantor gave: the first of its chain, or itself.
    pub fn root(&self) -> Uuid {
        self.chain.first().copied().unwrap_or(self.mandate_id)
    }

    /// Whether this party gave it, or passed it on.
    pub fn is_given_by(&self, party: &str) -> bool {
        self.grantor == party || self.passed_on_by.as_deref() == Some(party)
    }

    /// Whether it will never count again.
    pub fn is_over(&self, at: DateTime<Utc>) -> bool {
        self.revoked_at.is_some() || self.valid_until.is_some_and(|until| until <= at)
    }

    fn stands(&self, at: DateTime<Utc>) -> bool {
        self.revoked_at.is_none_or(|revoked| at < revoked)
            && self.valid_from <= at
            && self.valid_until.is_none_or(|until| at < until)
    }
}

/// Whether a commodity code is of one of these goods.
fn is_within(code: &str, goods: &[String]) -> bool {
    goods.iter().any(|prefix| code.starts_with(prefix.as_str()))
}

/// What is asked when a mandate is given.
#[derive(Clone, Debug, Default)]
pub struct GrantMandate {
    /// Who gives it or passes it on.
    pub giver: String,
    /// The mandate that is passed on; none: the giver gives one of its own.
    pub passed_on_from: Option<Uuid>,
    /// Who shall hold it.
    pub agent: String,
    /// What it allows.
    pub actions: Vec<Action>,
    /// The goods to which it is limited, as written; none: any, or those of the one that is passed on.
    pub goods: Vec<String>,
    /// The containers to which it is limited, as written; none: any, or those of the one that is passed on.
    pub containers: Vec<String>,
    /// How often it may be passed on.
    pub may_be_passed_on: u32,
    /// From when; none: now.
    pub valid_from: Option<DateTime<Utc>>,
    /// Until when; none: until revoked, or as long as the one that is passed on.
    pub valid_until: Option<DateTime<Utc>>,
}

/// Gives a mandate, or passes on `source`, which is none where `asked` names none or one that there is not. `standing`
/// tells how many stand under the one that the grantor gave.
///
/// # Errors
/// NOT_FOUND for a party that is not registered, or a mandate that the giver does not hold; `MANDATE_INVALID` with all
/// faults where it would allow nothing or nobody, or more than the one that is passed on.
pub fn grant(
    asked: &GrantMandate,
    source: Option<&Mandate>,
    standing: usize,
    known: impl Fn(&str) -> bool,
    id: Uuid,
    now: DateTime<Utc>,
) -> Result<Mandate, Refusal> {
    for party in [&asked.giver, &asked.agent] {
        if !known(party) {
            return Err(Refusal::not_found("party", party));
        }
    }
    let source = match asked.passed_on_from {
        None => None,
        Some(id) => Some(
            source
                .filter(|source| source.agent == asked.giver)
                .ok_or_else(|| Refusal::not_found("mandate", id.to_string()))?,
        ),
    };
    let mut faults = Faults::default();
    let (goods, containers) = faults.limits(asked);
    let mut actions = asked.actions.clone();
    actions.sort();
    actions.dedup();
    let mut mandate = Mandate {
        mandate_id: id,
        version: 1,
        grantor: asked.giver.clone(),
        agent: asked.agent.clone(),
        actions,
        goods,
        containers,
        may_be_passed_on: u8::try_from(asked.may_be_passed_on).unwrap_or(u8::MAX),
        passed_on_by: None,
        chain: Vec::new(),
        valid_from: asked.valid_from.unwrap_or(now),
        valid_until: asked.valid_until,
        revoked_at: None,
        revoke_reason: String::new(),
    };
    faults.of_itself(&mandate);
    if let Some(source) = source {
        faults.of_passing_on(asked, &mandate, source, standing, now);
        mandate.grantor.clone_from(&source.grantor);
        mandate.passed_on_by = Some(asked.giver.clone());
        mandate.chain.clone_from(&source.chain);
        mandate.chain.push(source.mandate_id);
        mandate.valid_from = mandate.valid_from.max(source.valid_from);
        mandate.valid_until = mandate.valid_until.or(source.valid_until);
        if mandate.goods.is_empty() {
            mandate.goods.clone_from(&source.goods);
        }
        if mandate.containers.is_empty() {
            mandate.containers.clone_from(&source.containers);
        }
    }
    // What was inherited counts as if it were written.
    faults.of_limits(&mandate, now);
    faults.verdict().map(|()| mandate)
}

/// What stands against a mandate.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn add(&mut self, path: impl Into<String>, value: &str, text: &str) {
        self.0
            .push(Fault::new("MANDATE_INVALID", path, value, "mandates", text));
    }

    fn verdict(self) -> Result<(), Refusal> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(Refusal::invalid(
            "MANDATE_INVALID",
            "The mandate cannot be given; correct the faults.",
        )
        .with_faults(self.0))
    }

    /// Reads the limits.
    fn limits(&mut self, asked: &GrantMandate) -> (Vec<String>, Vec<ContainerNumber>) {
        for (path, limits) in [("goods", &asked.goods), ("containers", &asked.containers)] {
            if limits.len() > LIMITS_MAX {
                self.add(path, "", "Limit a mandate to at most 100; give several.");
                return (Vec::new(), Vec::new());
            }
        }
        let mut goods = Vec::new();
        for (index, written) in asked.goods.iter().enumerate() {
            let code = written.trim();
            if GOODS_DIGITS.contains(&code.len()) && code.bytes().all(|byte| byte.is_ascii_digit())
            {
                goods.push(code.to_owned());
            } else {
                let text = "Name goods by the first 2 to 10 digits of their commodity code.";
                self.add(format!("goods[{index}]"), written, text);
            }
        }
        let mut containers = Vec::new();
        for (index, written) in asked.containers.iter().enumerate() {
            match ContainerNumber::parse(written) {
                Ok(number) => containers.push(number),
                Err(error) => {
                    self.add(format!("containers[{index}]"), written, &error.to_string());
                }
            }
        }
        goods.sort();
        goods.dedup();
        containers.sort();
        containers.dedup();
        (goods, containers)
    }

    fn of_itself(&mut self, mandate: &Mandate) {
        if mandate.grantor == mandate.agent {
            let text = "A party needs no mandate to act for itself.";
            self.add("agent_party", &mandate.agent, text);
        }
        if mandate.actions.is_empty() {
            self.add("actions", "", "Name at least one action.");
        }
        if mandate.may_be_passed_on > PASSED_ON_MAX {
            let text = "A mandate may be passed on at most 3 times.";
            let value = mandate.may_be_passed_on.to_string();
            self.add("may_be_passed_on", &value, text);
        }
    }

    /// Of a mandate that never counts, or with a limit that nobody can weigh: the barrier does not know goods, and a
    /// stock list names no containers.
    fn of_limits(&mut self, mandate: &Mandate, now: DateTime<Utc>) {
        if mandate
            .valid_until
            .is_some_and(|until| until <= mandate.valid_from || until <= now)
        {
            self.add("valid_until", "", "It would be over before it begins.");
        }
        if mandate.actions.contains(&Action::Carry) && !mandate.goods.is_empty() {
            let text = "CARRY cannot be limited to goods; give it in a mandate of its own.";
            self.add("goods", "", text);
        }
        if mandate.actions.contains(&Action::FileStockList) && !mandate.containers.is_empty() {
            let text =
                "FILE_STOCK_LIST cannot be limited to containers; give it in a mandate of its own.";
            self.add("containers", "", text);
        }
    }

    /// Nothing is passed on that the giver does not hold, nor to whom has it already.
    fn of_passing_on(
        &mut self,
        asked: &GrantMandate,
        mandate: &Mandate,
        source: &Mandate,
        standing: usize,
        now: DateTime<Utc>,
    ) {
        let from = source.mandate_id.to_string();
        if source.is_over(now) {
            self.add("passed_on_from", &from, "This mandate is over.");
        }
        if mandate.may_be_passed_on >= source.may_be_passed_on {
            let text = "Who gave it does not let it be passed on so often.";
            let value = mandate.may_be_passed_on.to_string();
            self.add("may_be_passed_on", &value, text);
        }
        if standing >= STANDING_UNDER_ONE_MAX {
            let text = "A hundred mandates stand under the one that was given; revoke some first.";
            self.add("passed_on_from", &from, text);
        }
        if mandate.agent == source.grantor || Some(&mandate.agent) == source.passed_on_by.as_ref() {
            let text = "It came from this party.";
            self.add("agent_party", &mandate.agent, text);
        }
        for action in mandate
            .actions
            .iter()
            .filter(|action| !source.actions.contains(action))
        {
            self.add("actions", action.name(), "The mandate does not allow this.");
        }
        for code in &mandate.goods {
            if !source.goods.is_empty() && !is_within(code, &source.goods) {
                self.add("goods", code, "The mandate is not for these goods.");
            }
        }
        for number in &mandate.containers {
            if !source.containers.is_empty() && !source.containers.contains(number) {
                let text = "The mandate is not for this container.";
                self.add("containers", number.as_str(), text);
            }
        }
        let outlasts = match (asked.valid_until, source.valid_until) {
            (Some(until), Some(end)) => until > end,
            _ => false,
        };
        if outlasts {
            self.add(
                "valid_until",
                "",
                "It would outlast the mandate that is passed on.",
            );
        }
    }
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
            giver: "trader-a".into(),
            agent: "broker-a".into(),
            actions: vec![Action::FileDeclaration],
            ..GrantMandate::default()
        }
    }

    fn granted(asked: &GrantMandate) -> Mandate {
        grant(asked, None, 0, |_| true, Uuid::nil(), at(0)).expect("granted")
    }

    /// Where faults of a mandate stand that is passed on from another.
    fn faults_of_passing_on(
        asked: &GrantMandate,
        source: &Mandate,
        standing: usize,
    ) -> Vec<String> {
        let refused = grant(asked, Some(source), standing, |_| true, Uuid::nil(), at(0));
        let faults = refused.map_or_else(|refusal| refusal.faults, |_| Vec::new());
        faults.into_iter().map(|fault| fault.path).collect()
    }

    fn box_number(written: &str) -> ContainerNumber {
        ContainerNumber::parse(written).expect("a container number")
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
        let mandate = granted(&asked);
        let allowed: Vec<_> = [9, 10, 19, 20]
            .map(|minute| mandate.allows(Action::FileDeclaration, at(minute)))
            .to_vec();
        assert_eq!(allowed, [false, true, true, false]);
        assert!(!mandate.allows(Action::Carry, at(15)));
    }

    #[test]
    fn a_revoked_mandate_ends_at_once_and_only_once() {
        let mandate = granted(&ask());
        let revoked = revoke(&mandate, "changed broker", at(5)).expect("revoked");
        assert!(revoked.allows(Action::FileDeclaration, at(4)));
        assert!(!revoked.allows(Action::FileDeclaration, at(5)));
        assert_eq!(revoke(&revoked, "again", at(6)), None);
    }

    #[test]
    fn a_mandate_for_nobody_or_nothing_is_refused() {
        assert_eq!(
            grant(
                &ask(),
                None,
                0,
                |party| party == "trader-a",
                Uuid::nil(),
                at(0)
            )
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
            grant(&empty, None, 0, |_| true, Uuid::nil(), at(0))
                .expect_err("faulty")
                .faults
                .len(),
            3
        );
    }

    #[test]
    fn a_mandate_for_some_goods_and_containers_covers_those_and_no_others() {
        let mandate = granted(&GrantMandate {
            goods: vec!["6601".into(), " 85 ".into()],
            containers: vec!["MSKU9070323".into()],
            ..ask()
        });
        let [umbrella, phone, bolt] = ["6601910000", "851713", "731815"].map(str::to_owned);
        let (here, other) = (box_number("MSKU9070323"), box_number("CSQU3054383"));
        let goods = [umbrella, phone];
        assert!(mandate.covers(&goods, std::slice::from_ref(&here)));
        assert!(!mandate.covers(&[bolt], std::slice::from_ref(&here)));
        assert!(!mandate.covers(&goods, &[here.clone(), other]));
        assert!(!mandate.covers(&goods, &[]) && !mandate.covers(&[], &[here]));
        assert!(granted(&ask()).covers(&[], &[]));
    }

    #[test]
    fn limits_that_cannot_be_read_or_weighed_are_faults() {
        let faulty = GrantMandate {
            actions: vec![Action::Carry, Action::FileStockList],
            goods: vec![
                "66".into(),
                "6".into(),
                "66019100001".into(),
                "shoes".into(),
            ],
            containers: vec!["MSKU9070323".into(), "MSKU9070324".into()],
            may_be_passed_on: 4,
            ..ask()
        };
        let refusal = grant(&faulty, None, 0, |_| true, Uuid::nil(), at(0)).expect_err("faulty");
        let paths: Vec<_> = refusal
            .faults
            .iter()
            .map(|fault| fault.path.as_str())
            .collect();
        let expected = [
            "goods[1]",
            "goods[2]",
            "goods[3]",
            "containers[1]",
            "may_be_passed_on",
            "goods",
            "containers",
        ];
        assert_eq!(paths, expected);
    }

    #[test]
    fn what_is_passed_on_is_no_wider_in_anything() {
        let source = granted(&GrantMandate {
            actions: vec![Action::FileDeclaration, Action::Carry],
            containers: vec!["MSKU9070323".into()],
            may_be_passed_on: 1,
            valid_until: Some(at(60)),
            ..ask()
        });
        let narrow = GrantMandate {
            giver: "broker-a".into(),
            agent: "broker-b".into(),
            passed_on_from: Some(Uuid::nil()),
            ..ask()
        };
        let passed_on =
            grant(&narrow, Some(&source), 0, |_| true, Uuid::max(), at(5)).expect("passed on");
        assert_eq!(passed_on.grantor, "trader-a");
        assert_eq!(passed_on.passed_on_by.as_deref(), Some("broker-a"));
        assert_eq!(
            (passed_on.chain.as_slice(), passed_on.root()),
            (&[Uuid::nil()][..], Uuid::nil())
        );
        assert_eq!(passed_on.containers, source.containers, "inherited");
        assert_eq!(passed_on.valid_until, source.valid_until, "inherited");
        assert_eq!(faults_of_passing_on(&narrow, &source, 0), [""; 0]);
        let wider = [
            (
                "may_be_passed_on",
                GrantMandate {
                    may_be_passed_on: 1,
                    ..narrow.clone()
                },
            ),
            (
                "actions",
                GrantMandate {
                    actions: vec![Action::FileStockList],
                    ..narrow.clone()
                },
            ),
            (
                "containers",
                GrantMandate {
                    containers: vec!["CSQU3054383".into()],
                    ..narrow.clone()
                },
            ),
            (
                "valid_until",
                GrantMandate {
                    valid_until: Some(at(61)),
                    ..narrow.clone()
                },
            ),
            (
                "agent_party",
                GrantMandate {
                    agent: "trader-a".into(),
                    ..narrow.clone()
                },
            ),
        ];
        for (path, asked) in wider {
            let faults = faults_of_passing_on(&asked, &source, 0);
            assert!(faults.contains(&path.to_owned()), "{path}: {faults:?}");
        }
        assert_eq!(
            faults_of_passing_on(&narrow, &source, 100),
            ["passed_on_from"]
        );
        let revoked = revoke(&source, "changed", at(0)).expect("revoked");
        assert_eq!(
            faults_of_passing_on(&narrow, &revoked, 0),
            ["passed_on_from"]
        );
        let of_goods = granted(&GrantMandate {
            goods: vec!["66".into()],
            may_be_passed_on: 1,
            ..ask()
        });
        let other_goods = GrantMandate {
            goods: vec!["6601".into(), "67".into()],
            ..narrow.clone()
        };
        assert_eq!(faults_of_passing_on(&other_goods, &of_goods, 0), ["goods"]);
        let by_others = GrantMandate {
            giver: "broker-b".into(),
            agent: "broker-c".into(),
            ..narrow
        };
        let refusal = grant(&by_others, Some(&source), 0, |_| true, Uuid::max(), at(0));
        assert_eq!(refusal.expect_err("not theirs").reason, "NOT_FOUND");
    }
}
