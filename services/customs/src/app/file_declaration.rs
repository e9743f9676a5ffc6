//! Filing a declaration, as a message or as a document: both end here. Names the filer's reference and inbox,
//! every container, transport document and stock list, the identifiers of its parties, and the parties and accounts that
//! these led to when the filing was read. Were they followed under the locks, filings of one broker could not
//! share a batch. What follows is the visit that named an export before it was filed. A party that is entered between reading and deciding is as if it were entered afterwards.

use std::cell::LazyCell;
use std::collections::{BTreeMap, BTreeSet};

use fabric::{Decision, Subjects};
use kernel::{ContainerNumber, Fault, HsCode, Lrn, Mrn, Refusal};
use prost::Message;
use proto::customs::v1 as wire;
use uuid::Uuid;

use super::desk::{Desk, respond};
use super::holds::party_subject;
use super::state::{Document, LrnClaim, subject};
use crate::domain::Actor;
use crate::domain::declaration::{Declaration, Lodging};
use crate::domain::filing::{Direction, Filing, Particulars, PartyRole};
use crate::domain::matching::container_key;
use crate::domain::party::{Action, Identifier, Party};
use crate::domain::validation::{
    self, Findings, LRN_IN_USE, LRN_PATH, MANDATE_MISSING, PARTY_SUSPENDED, PARTY_UNKNOWN,
};
use crate::domain::visit::name_of;
use crate::grpc::response;

/// The letters and digits of an MRN's body.
const MRN_BODY_CHARS: u32 = 13;

/// What a refusal's metadata tell of the document that was refused, by name.
pub mod told {
    /// The filer's reference, as written.
    pub const LRN: &str = "lrn";
    /// TypeCode, as written.
    pub const TYPE_CODE: &str = "type_code";
    /// How many goods items it has.
    pub const ITEMS: &str = "items";
    /// Its distinct container numbers, a JSON array of strings.
    pub const CONTAINERS: &str = "containers";
}

/// For whom a filer acts, and by whose word.
struct Acting {
    /// Whose goods they are, if we know the party.
    trader: Option<String>,
    /// The mandates by which it acts for the parties that the document names.
    mandates: Vec<Uuid>,
}

/// The goods and containers of a filing.
struct Declared {
    goods: Vec<String>,
    containers: Vec<ContainerNumber>,
}

/// A filing, read and ready to be decided.
#[derive(Clone, Debug)]
pub struct FileDeclaration {
    /// Who files.
    pub actor: Actor,
    /// What is declared.
    pub filing: Filing,
    /// What it is judged by.
    pub particulars: Particulars,
    /// What the document says about itself; every answer to it repeats this.
    pub facts: wco::Facts,
    /// The parties that its identifiers led to when it was read.
    pub parties: Vec<String>,
    /// What the reader of the document could not place.
    pub unmapped: Vec<Fault>,
    /// The digest of the content: equal for a message and for the document that says the same.
    pub digest: [u8; 32],
    /// What the document is written in.
    pub content_type: &'static str,
    /// The document.
    pub bytes: bytes::Bytes,
    /// Only check.
    pub dry_run: bool,
}

impl FileDeclaration {
    /// What it says itself that it touches.
    pub fn subjects(&self) -> Subjects {
        let filer = &self.actor.party;
        let mut subjects = Subjects::new()
            .write(subject::LRN, format!("{filer}/{}", self.filing.reference()))
            .write(subject::INBOX, filer)
            .write(subject::ACCOUNT, filer)
            .read(subject::PARTY, filer)
            .read(subject::SCOPE, party_subject(filer))
            .read(subject::SITES, subject::ALL);
        for container in self.filing.usable_containers() {
            subjects = subjects.write(subject::KEY, container_key(&container));
        }
        for document in self.filing.transport_documents() {
            subjects = subjects.write(subject::KEY, format!("transport-document/{document}"));
        }
        for list in self.filing.stock_lists() {
            subjects = subjects.read(subject::LIST, list.to_string());
        }
        if let Some(name) = self.name() {
            subjects = subjects.write(subject::NAME, name);
        }
        for identifier in self.identifiers() {
            subjects = subjects.read(subject::IDENTIFIER, identifier.key());
        }
        for party in &self.parties {
            subjects = subjects
                .read(subject::PARTY, party)
                .read(subject::SCOPE, party_subject(party))
                .write(subject::ACCOUNT, party);
        }
        subjects
    }

    /// By what a truck's filing can have named an export already.
    fn name(&self) -> Option<String> {
        let export = self.filing.direction() == Some(Direction::Export);
        name_of(&self.filing.lrn).filter(|_| export)
    }

    /// Whether it may be bound to a container that it does not name, and by what.
    pub fn name_alone(&self) -> Option<String> {
        self.name()
            .filter(|_| self.filing.usable_containers().is_empty())
    }

    /// Every identifier that a party of the document may have.
    pub fn identifiers(&self) -> Vec<Identifier> {
        self.filing
            .parties
            .iter()
            .flat_map(|party| Identifier::candidates(&party.id))
            .collect()
    }

    /// Decides it.
    pub fn decide(&self, mut desk: Desk<'_>) -> Decision {
        match self.file(&mut desk) {
            Ok(filing) => {
                let filed = wire::FileDeclarationResponse {
                    filing: Some(filing),
                };
                let decision = respond(&filed, desk.facts);
                match desk.for_party {
                    Some(trader) => decision.for_party(&trader),
                    None => decision,
                }
            }
            Err(refusal) => Decision::refuse(refusal),
        }
    }

    fn file(&self, desk: &mut Desk<'_>) -> Result<wire::Filing, Refusal> {
        let filer = &self.actor.party;
        if desk
            .state
            .parties
            .get(filer)
            .is_some_and(|party| party.suspended)
        {
            return Err(Refusal::denied(
                "PARTY_SUSPENDED",
                "Your firm is suspended in the register of parties; ask customs.",
            ));
        }
        let key = (filer.clone(), self.filing.reference());
        let claim = desk.state.lrns.get(&key).cloned();
        if let Some(claim) = claim.as_ref().filter(|claim| claim.digest == self.digest) {
            return self.first_answer(claim);
        }
        let (Acting { trader, mandates }, findings) = self.look(desk);
        if let Some(claim) = claim {
            return Err(self.conflict(&claim, findings));
        }
        desk.for_party.clone_from(&trader);
        let payer = trader.clone().or_else(|| Some(filer.clone()));
        let lodging = Lodging {
            id: desk.context.new_id(),
            mrn: mint(desk)?,
            filer: filer.clone(),
            payer: payer.clone(),
            trader,
            mandates,
            site: self
                .filing
                .goods_location
                .as_deref()
                .and_then(|location| desk.state.site_at(location))
                .cloned(),
            filing: self.filing.clone(),
            findings,
            severities_version: desk.customs.books.severities.version.clone(),
        };
        let (declaration, funds) = desk.decide(payer.as_deref(), Some(&self.actor), |world| {
            Declaration::lodge(lodging, world)
        });
        let answer = wire::Filing {
            lrn: self.facts.lrn.clone(),
            type_code: self.facts.type_code.clone(),
            items: self.items_told(),
            containers: self.facts.containers.clone(),
            ..response::filing(&declaration, self.dry_run)
        };
        if !self.dry_run {
            self.keep(desk, &declaration, &answer);
            desk.commit(declaration, funds, Vec::new());
        }
        Ok(answer)
    }

    /// Rule 7: the same reference with the same content gives the first answer.
    fn first_answer(&self, claim: &LrnClaim) -> Result<wire::Filing, Refusal> {
        let stored = wire::FileDeclarationResponse::decode(claim.answer.as_slice())
            .ok()
            .and_then(|answer| answer.filing);
        let first = stored
            .ok_or_else(|| Refusal::internal("INTERNAL", "The stored answer cannot be read."))?;
        Ok(wire::Filing {
            answered_before: true,
            validated_only: self.dry_run,
            ..first
        })
    }

    /// Rule 7: the same reference with other content is a conflict. It tells what the document says about itself
    /// and whatever else is wrong with it, so that everything can be mended at once.
    fn conflict(&self, claim: &LrnClaim, findings: Findings) -> Refusal {
        let existing = claim.declaration_id.to_string();
        let message = format!(
            "Your reference {} belongs to your declaration {existing}; give this one its own.",
            self.filing.lrn
        );
        let in_use = Fault::new(
            LRN_IN_USE.code,
            LRN_PATH,
            &self.filing.lrn,
            LRN_IN_USE.name,
            &message,
        );
        let pointer = pointer_of(&in_use);
        let containers = serde_json::json!(self.facts.containers).to_string();
        Refusal::already_exists(LRN_IN_USE.code, message)
            .with_resource("declaration", existing)
            .with_fault(in_use.with_pointer(pointer))
            .with_faults(findings.faults)
            .with_metadata(told::LRN, &self.facts.lrn)
            .with_metadata(told::TYPE_CODE, &self.facts.type_code)
            .with_metadata(told::ITEMS, self.items_told().to_string())
            .with_metadata(told::CONTAINERS, containers)
    }

    fn items_told(&self) -> u32 {
        u32::try_from(self.facts.items).unwrap_or(u32::MAX)
    }

    /// Every finding of the document and its parties, and for whom the filer acts.
    fn look(&self, desk: &Desk<'_>) -> (Acting, Findings) {
        let severities = &desk.customs.books.severities;
        let mut findings = validation::check(&self.filing, &self.particulars, severities);
        let direction = self.filing.direction().unwrap_or(Direction::Import);
        let owner_role = if direction == Direction::Export {
            PartyRole::Exporter
        } else {
            PartyRole::Importer
        };
        let mut owner = None;
        let mut declarant = None;
        // A document may name one party very often, and have very many items.
        let declared = LazyCell::new(|| self.declared());
        let mut mandates: BTreeMap<&str, Option<Uuid>> = BTreeMap::new();
        for named in &self.filing.parties {
            let path = format!("{}/ID", named.path);
            let Some(party) = desk.state.party_named(&named.id) else {
                findings.note(severities, &PARTY_UNKNOWN, path, &named.id);
                continue;
            };
            let acted_for = named.role.is_acted_for(direction);
            if acted_for && party.suspended {
                findings.note(severities, &PARTY_SUSPENDED, path, &named.id);
            } else if acted_for && party.party_id != self.actor.party {
                let mandate = mandates
                    .entry(party.party_id.as_str())
                    .or_insert_with(|| self.mandate_of(desk, party, &declared));
                if mandate.is_none() {
                    findings.note(severities, &MANDATE_MISSING, path, &named.id);
                }
            }
            if named.role == owner_role {
                owner = Some(party.party_id.clone());
            } else if named.role == PartyRole::Declarant && party.party_id != self.actor.party {
                declarant = Some(party.party_id.clone());
            }
        }
        let named_owner = self
            .filing
            .parties
            .iter()
            .any(|named| named.role == owner_role);
        // Where the document names no importer at all, the declarant declares its own goods.
        let trader = owner.or_else(|| declarant.filter(|_| !named_owner));
        findings.unmapped(self.unmapped.iter().cloned());
        for fault in findings
            .faults
            .iter_mut()
            .chain(&mut findings.warnings)
            .filter(|fault| fault.pointer.is_empty())
        {
            fault.pointer = pointer_of(fault);
        }
        let mandates: BTreeSet<Uuid> = mandates.into_values().flatten().collect();
        let mandates = mandates.into_iter().collect();
        (Acting { trader, mandates }, findings)
    }

    /// The mandate by which the filer may file this for the party: of several the one of the smallest id, which is
    /// the one that was given first where customs made the ids.
    fn mandate_of(
        &self,
        desk: &Desk<'_>,
        party: &Party,
        declared: &LazyCell<Declared, impl FnOnce() -> Declared>,
    ) -> Option<Uuid> {
        let mandates = desk.state.mandates.iter().map(|(_, mandate)| mandate);
        mandates
            .filter(|mandate| {
                mandate.grantor == party.party_id
                    && mandate.agent == self.actor.party
                    && mandate.allows(Action::FileDeclaration, desk.now())
                    && (!mandate.is_limited()
                        || mandate.covers(&declared.goods, &declared.containers))
            })
            .map(|mandate| mandate.mandate_id)
            .min()
    }

    /// What mandates can be limited to. What cannot be read is within no limit.
    fn declared(&self) -> Declared {
        let code = |written: Option<&str>| {
            let code = HsCode::parse(written.unwrap_or_default());
            code.map(|code| code.to_string()).unwrap_or_default()
        };
        let items = self.filing.items.iter();
        let all_usable = self.filing.unusable_containers().is_empty();
        Declared {
            goods: items
                .map(|item| code(item.commodity_code.as_deref()))
                .collect(),
            containers: if all_usable {
                self.filing.usable_containers()
            } else {
                Vec::new()
            },
        }
    }

    fn keep(&self, desk: &mut Desk<'_>, declaration: &Declaration, answer: &wire::Filing) {
        desk.state.documents.push(Document {
            declaration_id: declaration.id,
            content_type: self.content_type,
            bytes: self.bytes.clone(),
        });
        if declaration.is_rejected() || Lrn::parse(&self.filing.lrn).is_err() {
            return;
        }
        let answer = wire::FileDeclarationResponse {
            filing: Some(answer.clone()),
        }
        .encode_to_vec();
        let claim = LrnClaim {
            declaration_id: declaration.id,
            digest: self.digest,
            answer,
        };
        desk.state
            .lrns
            .put((self.actor.party.clone(), self.filing.reference()), claim);
    }
}

/// The WCO pointer of the place where a fault stands.
fn pointer_of(fault: &Fault) -> String {
    wco::Pointer::of_path(&fault.path)
        .map(|pointer| pointer.to_string())
        .unwrap_or_default()
}

/// A new movement reference number: the year, our country, and an id in letters and digits.
fn mint(desk: &Desk<'_>) -> Result<Mrn, Refusal> {
    const DIGITS: [char; 36] = [
        '0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'A', 'B', 'C', 'D', 'E', 'F', 'G', 'H',
        'I', 'J', 'K', 'L', 'M', 'N', 'O', 'P', 'Q', 'R', 'S', 'T', 'U', 'V', 'W', 'X', 'Y', 'Z',
    ];
    let mut left = desk.context.new_id().as_u128();
    let mut body = String::new();
    for _ in 0..MRN_BODY_CHARS {
        let digit = usize::try_from(left % 36).unwrap_or_default();
        body.extend(DIGITS.get(digit));
        left /= 36;
    }
    let year =
        u8::try_from(chrono::Datelike::year(&desk.now()).rem_euclid(100)).unwrap_or_default();
    Mrn::mint(year, &desk.customs.mrn_country, &body)
        .map_err(|error| Refusal::internal("INTERNAL", error.to_string()))
}

/// A document that is no filing: its answer is kept under the request id like any other, and nothing else.
#[derive(Clone, Debug)]
pub struct AnswerUnfit {
    /// The answer.
    pub answer: wire::Filing,
}

impl AnswerUnfit {
    /// Answers it.
    pub fn decide(&self, desk: Desk<'_>) -> Decision {
        respond(
            &wire::FileDeclarationResponse {
                filing: Some(self.answer.clone()),
            },
            desk.facts,
        )
    }
}
