//! Which goods a declaration is about: bound anew with every fact, told where that changed, and decided by an
//! officer where the manifest leaves it open (rule 15). How goods are found stands in `matching`; it must not
//! know duty, controls or holds.

use kernel::{Refusal, TransportDocumentNumber};

use super::{Declaration, Fact, World};
use crate::domain::filing::ProcedureKind;
use crate::domain::matching::{self, Consignment, Matching, Override, Surroundings};
use crate::domain::visit::{Phase, Visit};

/// The most decisions of officers about matches of a declaration.
pub const OVERRIDES_MAX: usize = 1_000;

impl Declaration {
    pub(super) fn bound(&self, world: &World<'_>) -> Vec<Consignment> {
        let site_id = self.site.as_ref().map(|site| site.site_id.as_str());
        let named = || {
            self.names()
                .map(|names| (world.named)(&names))
                .unwrap_or_default()
        };
        matching::bind(
            &self.consignments,
            &Surroundings {
                filing: &self.filing,
                site_id,
                bonded: self.site.as_ref().is_some_and(|site| site.bonded),
                trader: self.trader.as_deref(),
                overrides: &self.overrides,
                visits: world.visits,
                named: &named,
                lists: world.lists,
            },
        )
    }

    pub(super) fn tell_of_matches(&mut self, before: &[Consignment], world: &mut World<'_>) {
        let changed: Vec<Consignment> = self
            .consignments
            .iter()
            .filter(|now| {
                !before.iter().any(|old| {
                    old.container == now.container
                        && old.visit_id == now.visit_id
                        && old.matching == now.matching
                        && old.transport_document == now.transport_document
                        && old.list == now.list
                })
            })
            .cloned()
            .collect();
        for consignment in changed {
            let what = consignment
                .visit_id
                .clone()
                .unwrap_or_else(|| consignment.subject());
            match &consignment.matching {
                Matching::Matched => self.record(Fact::Matched, world, what),
                Matching::Mismatch(obstacle) => self.record(
                    Fact::Mismatched,
                    world,
                    format!("{what}: {}", obstacle.name()),
                ),
                Matching::NotAsked(_) | Matching::Unbound(_) | Matching::Overridden => {}
            }
        }
    }

    /// An officer decides which visit and manifest line goods are.
    ///
    /// # Errors
    /// `MATCH_NOT_POSSIBLE` where no such goods, visit or line can be meant.
    pub fn override_match(
        &mut self,
        visit: &Visit,
        document: Option<TransportDocumentNumber>,
        reason: &str,
        world: &mut World<'_>,
    ) -> Result<(), Refusal> {
        let refuse = |message: &str| Err(Refusal::unmet("MATCH_NOT_POSSIBLE", message, Vec::new()));
        let Some(site) = &self.site else {
            return refuse(
                "The goods location is none of our sites; nothing of it can be in a container visit.",
            );
        };
        let export = self.direction_name() == "EXPORT";
        if self.is_supplementary() || self.is_by_list() {
            return refuse("Nothing of it can be in a container visit.");
        }
        if visit.site_id != site.site_id || visit.phase.is_over() {
            return refuse(
                "The container visit is over or at another site than the goods location names.",
            );
        }
        if export && !(visit.by_truck && visit.phase == Phase::Arrived) {
            return refuse("No truck brought this container: it is no arrival of an export.");
        }
        let declared = self.filing.transport_documents();
        let carried: Vec<_> = visit
            .lines
            .iter()
            .filter_map(|line| line.transport_document.clone())
            .collect();
        let document = match document
            .filter(|_| !export)
            .or_else(|| carried.iter().find(|line| declared.contains(line)).cloned())
        {
            Some(document) if carried.contains(&document) => Some(document),
            Some(_) => return refuse("The manifest of this visit has no such transport document."),
            None if export => None,
            None => match carried.as_slice() {
                [one] => Some(one.clone()),
                [] => None,
                _ => {
                    return refuse(
                        "The manifest has several lines; name the transport document of the one that is meant.",
                    );
                }
            },
        };
        let taken = self.consignments.iter().any(|consignment| {
            consignment.container.as_ref() == Some(&visit.container)
                && consignment.released_at.is_some()
        });
        if taken || self.overrides.len() >= OVERRIDES_MAX {
            return refuse(
                "Goods in this container are released already, or too many matches were decided.",
            );
        }
        let decided = Override {
            visit_id: visit.visit_id.clone(),
            container: visit.container.clone(),
            transport_document: document,
        };
        self.overrides.retain(|earlier| {
            earlier.container != decided.container
                || (earlier.visit_id == decided.visit_id
                    && earlier.transport_document != decided.transport_document)
        });
        self.overrides.push(decided);
        self.consignments = self.bound(world);
        self.record(
            Fact::MatchOverridden,
            world,
            format!("{}: {reason}", visit.visit_id),
        );
        self.advance(world);
        Ok(())
    }

    /// Whether its goods stand at a bonded centre under stock lists.
    pub(super) fn is_by_list(&self) -> bool {
        self.site.as_ref().is_some_and(|site| site.bonded)
            && self.filing.procedure_kind() == ProcedureKind::OutOfBond
    }
}
