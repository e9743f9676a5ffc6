//! From a filing to an accepted declaration: rejected for its faults, registered while the goods are on their
//! way, accepted on the word of whoever says that they are here (rule 13). It must not know how goods are
//! found, how duty and risk are reckoned, or what the goods wait for once it is accepted.

use chrono::{DateTime, Utc};
use kernel::{Fault, Mrn, Refusal};
use uuid::Uuid;

use super::{Declaration, DeclaredSite, Fact, FactKind, Facts, News, World};
use crate::domain::debt::{Debt, DebtState};
use crate::domain::filing::{Filing, Stage};
use crate::domain::matching::{Consignment, Matching, Obstacle};
use crate::domain::notification::{Code, Detail};
use crate::domain::validation::{ACCEPTED_ON_FILERS_WORD, Findings, GOODS_LOCATION_BARRED};
use crate::domain::visit::Site;

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
    /// The mandates by which the filer acts for the parties that it names.
    pub mandates: Vec<Uuid>,
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
            mandates: lodging.mandates,
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
            party_held: false,
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

    pub(super) fn accept_if_arrived(&mut self, world: &mut World<'_>) {
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
            return Some(if self.is_by_list() {
                Arrival::SetAside
            } else {
                Arrival::Visit
            });
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
}

/// Who says that the goods are here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Arrival {
    Visit,
    SetAside,
    Presented,
    FilersWord,
    Supplementary,
}

impl Arrival {
    fn text(self) -> &'static str {
        match self {
            Self::Visit => "the container has arrived",
            Self::SetAside => {
                "the goods are in the bonded centre, set aside under their stock list"
            }
            Self::Presented => "the goods were presented",
            Self::FilersWord => "on the filer's word that the goods have arrived",
            Self::Supplementary => "a supplement to goods released before",
        }
    }
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
