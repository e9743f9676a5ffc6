//! One journey as it is played: who takes part, what things are called, how far it has come, and how it must
//! end. What the parties do stands in [`super::acts`], in which order in the file of each journey.

use proto::common::v1::Condition;
use proto::customs::v1::{DeclarationRecord, GetDeclarationRequest, get_declaration_request};
use proto::gate::v1::{
    GetContainerVisitRequest, GetPreArrivalRequest, GetTruckVisitRequest, PreArrival, TruckVisit,
};
use proto::release::v1::{
    ContainerRelease, ExplainReleaseRequest, ExplainReleaseResponse, GetContainerReleaseRequest,
    explain_release_request,
};
use serde::Serialize;

use super::documents::Document;
use super::mishap::Mishap;
use super::names::Names;
use super::narration::Narration;
use super::notices::Notices;
use super::parties::Parties;
use super::waiting::{Look, if_there, until};
use crate::client::Session;
use crate::commands::show;

/// What is in the container, as the train's list has it: it must agree with what the document declares.
#[derive(Clone, Copy, Debug)]
pub struct Goods {
    /// What they are.
    pub description: &'static str,
    /// Packages.
    pub packages: u32,
    /// Gross mass in kilograms.
    pub gross_kilograms: u32,
}

/// A journey and how far it has come.
pub struct Journey<'a> {
    /// Its name: "import-pick-up".
    pub name: &'static str,
    /// What it is, for people.
    pub title: &'static str,
    /// What things are called.
    pub names: Names,
    /// What is in the container.
    pub goods: Goods,
    /// What the broker files.
    pub document: Document,
    /// Who takes part.
    pub parties: &'a Parties,
    /// What they are told.
    pub notices: &'a Notices,
    /// Where it is told.
    pub narration: &'a Narration,
    /// The step that is being played.
    pub step: String,
    /// The ids that the services gave.
    pub ids: Ids,
}

/// The ids that the services gave; empty until they did.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    /// Gate's, of the container's stay.
    pub container_visit: String,
    /// Customs', of the declaration.
    pub declaration: String,
    /// The declaration's MRN.
    pub mrn: String,
    /// Gate's, of the haulier's filing.
    pub pre_arrival: String,
    /// Gate's, of the truck that is in, or came last.
    pub truck_visit: String,
}

/// How everything stands, as the services have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Ending {
    /// The container.
    pub container_number: String,
    /// Its stay.
    pub container_visit_id: String,
    /// Gate says: DEPARTED.
    pub container_visit: String,
    /// Release says: CONSUMED.
    pub release: String,
    /// The truck's stay.
    pub truck_visit_id: String,
    /// Gate says: GATED_OUT, then CLOSED.
    pub truck_visit: String,
    /// The declaration's number.
    pub mrn: String,
    /// Customs says: CLEARED.
    pub declaration: String,
}

impl Ending {
    /// Whether the journey has reached its end.
    pub fn is_reached(&self) -> bool {
        self.container_visit == "DEPARTED"
            && self.release == "CONSUMED"
            && matches!(self.truck_visit.as_str(), "GATED_OUT" | "CLOSED")
            && self.declaration == "CLEARED"
    }

    /// In one line, for people.
    pub fn told(&self) -> String {
        let Ending {
            container_visit,
            release,
            truck_visit,
            declaration,
            ..
        } = self;
        format!(
            "container visit {container_visit}, release {release}, truck visit {truck_visit}, declaration {declaration}"
        )
    }
}

impl Journey<'_> {
    /// Tells what the journey is and what it does to the document.
    pub fn begin(&self) {
        self.notices.follow(&self.names);
        let Names {
            container,
            train,
            plate,
            transport_document,
            ..
        } = &self.names;
        self.narration.gap();
        self.narration
            .line(&format!("Journey {}: {}", self.name, self.title));
        self.narration.line(&format!(
            "  container {container} under {transport_document}, train {train}, truck {plate}"
        ));
        self.narration.line(&format!(
            "  {}: the authority's own document, byte for byte but for",
            self.document.file
        ));
        for replaced in &self.document.replaced {
            let times = if replaced.times == 1 {
                String::new()
            } else {
                format!(" ({} times)", replaced.times)
            };
            self.narration.line(&format!(
                "    {}{times}: {} -> {}",
                replaced.what, replaced.old, replaced.new
            ));
            self.narration.line(&format!("      {}", replaced.why));
        }
    }

    /// Begins a step, once everything that came of the one before has been told.
    pub async fn step(&mut self, number: &str, what: impl Into<String>) {
        self.notices.shown().await;
        let what = what.into();
        self.narration.gap();
        self.narration.line(&format!("  {number:>3}  {what}"));
        self.step = format!("step {number} of {}: {what}", self.name);
    }

    /// What came of the step.
    pub fn outcome(&self, text: impl AsRef<str>) {
        self.narration.outcome(text.as_ref());
    }

    /// Waits for a consequence.
    ///
    /// # Errors
    /// It does not show in time.
    pub async fn until<T>(
        &self,
        awaited: &str,
        look: impl AsyncFnMut() -> Result<Look<T>, Mishap>,
    ) -> Result<T, Mishap> {
        until(self.notices, awaited, look).await
    }

    /// What a party is told when it asks why; none while there is nothing that it may read.
    ///
    /// # Errors
    /// Release refuses.
    pub async fn explained_to(
        &self,
        session: &Session,
    ) -> Result<Option<ExplainReleaseResponse>, Mishap> {
        let subject = if self.ids.container_visit.is_empty() {
            explain_release_request::Subject::ContainerNumber(self.names.container.to_string())
        } else {
            explain_release_request::Subject::ContainerVisitId(self.ids.container_visit.clone())
        };
        let request = ExplainReleaseRequest {
            subject: Some(subject),
            site_id: String::new(),
        };
        if_there(session.release()?.explain_release(request).await)
    }

    /// Waits until release names exactly these conditions, and tells them as `why` does.
    ///
    /// # Errors
    /// It does not come to that.
    pub async fn why(&self, asks: &Session, codes: &[&str]) -> Result<Vec<Condition>, Mishap> {
        let awaited = format!("`why {}` names {}", self.names.container, codes.join(", "));
        let mut wanted: Vec<&str> = codes.to_vec();
        wanted.sort_unstable();
        let conditions = self
            .until(&awaited, async || {
                let Some(answer) = self.explained_to(asks).await? else {
                    return Ok(Look::NotYet("nothing that the party may read".to_owned()));
                };
                let conditions = answer
                    .release
                    .map(|release| release.conditions)
                    .unwrap_or_default();
                let mut named: Vec<&str> = conditions
                    .iter()
                    .map(|condition| condition.code.as_str())
                    .collect();
                named.sort_unstable();
                let instead = named.join(", ");
                Ok(Look::if_so(named == wanted, conditions, instead))
            })
            .await?;
        self.notices.shown().await;
        self.outcome(format!(
            "{} asks `why {}`:",
            asks.party(),
            self.names.container
        ));
        self.narration.conditions(&conditions);
        Ok(conditions)
    }

    /// The last answer to "why?", as an officer gets it: for the report of a failure.
    pub async fn tell_last_why(&self) {
        match self.explained_to(&self.parties.officer).await {
            Ok(Some(answer)) if answer.may_leave => self.outcome("release says: it may leave"),
            Ok(Some(answer)) => {
                let release = answer.release.unwrap_or_default();
                self.outcome(format!(
                    "release says {}:",
                    state_name(release.state().as_str_name(), "RELEASE_STATE_")
                ));
                self.narration.conditions(&release.conditions);
            }
            Ok(None) => self.outcome("release knows nothing of this container"),
            Err(mishap) => self.outcome(format!("release did not answer: {mishap}")),
        }
    }

    /// The declaration as its filer sees it.
    ///
    /// # Errors
    /// Customs refuses.
    pub async fn declaration(&self) -> Result<DeclarationRecord, Mishap> {
        let name = get_declaration_request::Name::DeclarationId(self.ids.declaration.clone());
        let answer = self
            .parties
            .broker
            .customs()?
            .get_declaration(GetDeclarationRequest { name: Some(name) })
            .await?;
        answer
            .into_inner()
            .declaration
            .ok_or_else(|| Mishap::otherwise("the declaration", "an empty answer"))
    }

    /// The pre-arrival as its haulier sees it.
    ///
    /// # Errors
    /// Gate refuses.
    pub async fn pre_arrival(&self) -> Result<PreArrival, Mishap> {
        let request = GetPreArrivalRequest {
            pre_arrival_id: self.ids.pre_arrival.clone(),
        };
        let answer = self
            .parties
            .haulier
            .gate()?
            .get_pre_arrival(request)
            .await?;
        answer
            .into_inner()
            .pre_arrival
            .ok_or_else(|| Mishap::otherwise("the pre-arrival", "an empty answer"))
    }

    /// The decision as the terminal sees it; none while release has not heard of the container.
    ///
    /// # Errors
    /// Release refuses.
    pub async fn decision(&self) -> Result<Option<ContainerRelease>, Mishap> {
        let request = GetContainerReleaseRequest {
            container_visit_id: self.ids.container_visit.clone(),
        };
        let answer = if_there(
            self.parties
                .terminal
                .release()?
                .get_container_release(request)
                .await,
        )?;
        Ok(answer.and_then(|answer| answer.release))
    }

    async fn truck_visit(&self) -> Result<Option<TruckVisit>, Mishap> {
        let request = GetTruckVisitRequest {
            truck_visit_id: self.ids.truck_visit.clone(),
        };
        let answer = if_there(self.parties.terminal.gate()?.get_truck_visit(request).await)?;
        Ok(answer.and_then(|answer| answer.truck_visit))
    }

    /// How everything stands: what the services say now, nothing remembered.
    ///
    /// # Errors
    /// A service refuses.
    pub async fn ending(&self) -> Result<Ending, Mishap> {
        let request = GetContainerVisitRequest {
            container_visit_id: self.ids.container_visit.clone(),
        };
        let visit = if_there(
            self.parties
                .terminal
                .gate()?
                .get_container_visit(request)
                .await,
        )?
        .and_then(|answer| answer.container_visit)
        .unwrap_or_default();
        let release = self.decision().await?.unwrap_or_default();
        let truck_visit = self.truck_visit().await?.unwrap_or_default();
        let declaration = if self.ids.declaration.is_empty() {
            DeclarationRecord::default()
        } else {
            self.declaration().await?
        };
        Ok(Ending {
            container_number: self.names.container.to_string(),
            container_visit_id: self.ids.container_visit.clone(),
            container_visit: state_name(visit.phase().as_str_name(), "CONTAINER_VISIT_PHASE_"),
            release: state_name(release.state().as_str_name(), "RELEASE_STATE_"),
            truck_visit_id: self.ids.truck_visit.clone(),
            truck_visit: state_name(truck_visit.state().as_str_name(), "TRUCK_VISIT_STATE_"),
            mrn: self.ids.mrn.clone(),
            declaration: state_name(declaration.status().as_str_name(), "DECLARATION_STATUS_"),
        })
    }

    /// Waits until the services say that the journey is over.
    ///
    /// # Errors
    /// They do not.
    pub async fn end(&self) -> Result<Ending, Mishap> {
        let ending = self
            .until(
                "container, release, truck and declaration are at their ends",
                async || {
                    let ending = self.ending().await?;
                    let told = ending.told();
                    Ok(Look::if_so(ending.is_reached(), ending, told))
                },
            )
            .await?;
        self.until_told("RELEASE_CONSUMED", &["haulier-a", "broker-a", "terminal"])
            .await?;
        self.notices.shown().await;
        self.outcome(ending.told());
        Ok(ending)
    }
}

/// A state as the services name it: "DEPARTED"; empty where nothing was said.
pub fn state_name(value: &str, prefix: &str) -> String {
    show::word(value, prefix).to_uppercase().replace(' ', "_")
}

#[cfg(test)]
mod tests {
    use proto::customs::v1::DeclarationStatus;
    use proto::gate::v1::{ContainerVisitPhase, TruckVisitState};
    use proto::release::v1::ReleaseState;

    use super::*;

    fn ending() -> Ending {
        Ending {
            container_visit: state_name(
                ContainerVisitPhase::Departed.as_str_name(),
                "CONTAINER_VISIT_PHASE_",
            ),
            release: state_name(ReleaseState::Consumed.as_str_name(), "RELEASE_STATE_"),
            truck_visit: state_name(
                TruckVisitState::GatedOut.as_str_name(),
                "TRUCK_VISIT_STATE_",
            ),
            declaration: state_name(
                DeclarationStatus::Cleared.as_str_name(),
                "DECLARATION_STATUS_",
            ),
            ..Ending::default()
        }
    }

    #[test]
    fn a_journey_is_over_when_every_service_says_so() {
        assert!(ending().is_reached(), "{}", ending().told());
        for part in 0..4 {
            let mut ending = ending();
            match part {
                0 => ending.container_visit = "ARRIVED".to_owned(),
                1 => ending.release = "GRANTED".to_owned(),
                2 => ending.truck_visit = String::new(),
                _ => ending.declaration = "RELEASED".to_owned(),
            }
            assert!(!ending.is_reached(), "{}", ending.told());
        }
    }
}
