//! One journey as it is played: who takes part, what things are called, how far it has come, and how to ask the
//! services how things stand. What the parties do stands in [`super::acts`] and its neighbours, in which order
//! and to what end in the file of each journey.

use proto::common::v1::Condition;
use proto::customs::v1::{DeclarationRecord, GetDeclarationRequest, get_declaration_request};
use proto::gate::v1::{
    ContainerVisit, GetContainerVisitRequest, GetPreArrivalRequest, GetTruckVisitRequest,
    PreArrival, TruckVisit,
};
use proto::release::v1::{
    ContainerRelease, ExplainReleaseRequest, ExplainReleaseResponse, GetContainerReleaseRequest,
    explain_release_request,
};

use super::documents::{self, Document, Eoris};
use super::ending::Ending;
use super::mishap::Mishap;
use super::names::Names;
use super::narration::Narration;
use super::notices::Notices;
use super::parties::Parties;
use super::premises::Caretaker;
use super::waiting::{Look, if_there, until};
use crate::client::Session;
use crate::commands::show;

/// What is in the container, as the train's list or the truck's filing has it: it must agree with what the
/// document declares.
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
    /// The EORIs of broker and trader.
    pub eoris: Eoris,
    /// What the broker files; none before it has taken it in hand.
    pub document: Option<Document>,
    /// Everybody.
    pub parties: &'a Parties,
    /// Who declares.
    pub broker: &'a Session,
    /// Whose goods they are.
    pub trader: &'a Session,
    /// What they are told.
    pub notices: &'a Notices,
    /// Where it is told.
    pub narration: &'a Narration,
    /// Who stops and starts services.
    pub caretaker: &'a Caretaker,
    /// The step that is being played.
    pub step: String,
    /// The ids that the services gave.
    pub ids: Ids,
    /// The account book whose stock is moved; none where there is none.
    pub book: Option<&'static str>,
    /// What a journey shows besides its end, for machines.
    pub shown: Vec<(&'static str, String)>,
}

/// The ids that the services gave; empty until they did.
#[derive(Clone, Debug, Default)]
pub struct Ids {
    /// Gate's, of the container's stay.
    pub container_visit: String,
    /// Gate's, of its stay at the bonded centre, after one at the port.
    pub second_container_visit: String,
    /// Customs', of the declaration.
    pub declaration: String,
    /// The declaration's MRN.
    pub mrn: String,
    /// Gate's, of the haulier's filing.
    pub pre_arrival: String,
    /// Gate's, of the trucks that came, in their order.
    pub truck_visits: Vec<String>,
    /// Bonded's, of the stock list.
    pub list: String,
}

impl Ids {
    /// The truck that is in, or came last.
    pub fn truck_visit(&self) -> &str {
        self.truck_visits.last().map_or("", String::as_str)
    }
}

impl Journey<'_> {
    /// Tells what the journey is, and what its things are called; from now on its facts are shown.
    pub fn begin(&self, things: &str) {
        let Names {
            container,
            transport_document,
            ..
        } = &self.names;
        self.notices
            .follow([container.as_str(), transport_document]);
        self.narration.gap();
        self.narration
            .line(&format!("Journey {}: {}", self.name, self.title));
        self.narration.line(&format!("  {things}"));
    }

    /// The broker takes the authority's document in hand; tells what is replaced in it. `list` is the stock list
    /// that it is to name; empty where there is none.
    ///
    /// # Errors
    /// Document and replacements do not fit each other.
    pub fn take_document(&mut self, list: &str) -> Result<(), Mishap> {
        let document = documents::prepare(self.name, &self.names, &self.eoris, list)?;
        // Under the journey's heading, or as something that comes of a step.
        let margin = if self.step.is_empty() {
            "  "
        } else {
            "       "
        };
        self.narration.line(&format!(
            "{margin}{}: the authority's own document, byte for byte but for",
            document.file
        ));
        for replaced in &document.replaced {
            let times = if replaced.times == 1 {
                String::new()
            } else {
                format!(" ({} times)", replaced.times)
            };
            self.narration.line(&format!(
                "{margin}  {}{times}: {} -> {}",
                replaced.what, replaced.old, replaced.new
            ));
            self.narration
                .line(&format!("{margin}    {}", replaced.why));
        }
        self.document = Some(document);
        Ok(())
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
        explained(session, subject).await
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
            Ok(Some(answer)) => self.tell_decision(answer),
            Ok(None) => self.outcome("release knows nothing of this container"),
            Err(mishap) => self.outcome(format!("release did not answer: {mishap}")),
        }
        if self.ids.list.is_empty() {
            return;
        }
        match self.list_explained().await {
            Ok(Some(answer)) => self.tell_decision(answer),
            Ok(None) => self.outcome("release knows nothing of this stock list"),
            Err(mishap) => self.outcome(format!("release did not answer: {mishap}")),
        }
    }

    fn tell_decision(&self, answer: ExplainReleaseResponse) {
        let release = answer.release.unwrap_or_default();
        let on = [&release.container_number, &release.list_number].map(String::as_str);
        self.outcome(format!(
            "release says {} of {}",
            release_state(&release),
            on.concat()
        ));
        self.narration.conditions(&release.conditions);
    }

    /// The declaration as its filer sees it.
    ///
    /// # Errors
    /// Customs refuses.
    pub async fn declaration(&self) -> Result<DeclarationRecord, Mishap> {
        let name = get_declaration_request::Name::DeclarationId(self.ids.declaration.clone());
        let answer = self
            .broker
            .customs()?
            .get_declaration(GetDeclarationRequest { name: Some(name) })
            .await?;
        answer
            .into_inner()
            .declaration
            .ok_or_else(|| Mishap::otherwise("the declaration", "an empty answer"))
    }

    /// The declaration; an empty one before it is filed.
    ///
    /// # Errors
    /// Customs refuses.
    pub async fn declaration_if_filed(&self) -> Result<DeclarationRecord, Mishap> {
        if self.ids.declaration.is_empty() {
            return Ok(DeclarationRecord::default());
        }
        self.declaration().await
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

    /// The decision on a stay as an officer sees it; an empty one while release has not heard of the container.
    ///
    /// # Errors
    /// Release refuses.
    pub async fn decision(&self, container_visit_id: &str) -> Result<ContainerRelease, Mishap> {
        let request = GetContainerReleaseRequest {
            container_visit_id: container_visit_id.to_owned(),
        };
        let answer = self
            .parties
            .officer
            .release()?
            .get_container_release(request)
            .await;
        Ok(if_there(answer)?
            .and_then(|answer| answer.release)
            .unwrap_or_default())
    }

    /// The decision on the stock list as an officer sees it; an empty one while release has not heard of the list.
    ///
    /// # Errors
    /// Release refuses.
    pub async fn list_decision(&self) -> Result<ContainerRelease, Mishap> {
        Ok(self
            .list_explained()
            .await?
            .and_then(|answer| answer.release)
            .unwrap_or_default())
    }

    async fn list_explained(&self) -> Result<Option<ExplainReleaseResponse>, Mishap> {
        let subject = explain_release_request::Subject::ListNumber(self.ids.list.clone());
        explained(&self.parties.officer, subject).await
    }

    /// A stay as an officer sees it; an empty one if gate has none.
    ///
    /// # Errors
    /// Gate refuses.
    pub async fn stay(&self, container_visit_id: &str) -> Result<ContainerVisit, Mishap> {
        let request = GetContainerVisitRequest {
            container_visit_id: container_visit_id.to_owned(),
        };
        let answer = self
            .parties
            .officer
            .gate()?
            .get_container_visit(request)
            .await;
        Ok(if_there(answer)?
            .and_then(|answer| answer.container_visit)
            .unwrap_or_default())
    }

    /// A truck's stay as an officer sees it; an empty one if gate has none.
    ///
    /// # Errors
    /// Gate refuses.
    pub async fn truck_visit(&self, truck_visit_id: &str) -> Result<TruckVisit, Mishap> {
        let request = GetTruckVisitRequest {
            truck_visit_id: truck_visit_id.to_owned(),
        };
        let answer = self.parties.officer.gate()?.get_truck_visit(request).await;
        Ok(if_there(answer)?
            .and_then(|answer| answer.truck_visit)
            .unwrap_or_default())
    }

    /// Waits until the services say that the journey is over, and tells it.
    ///
    /// # Errors
    /// They do not.
    pub async fn until_ended(
        &self,
        mut look: impl AsyncFnMut() -> Result<Ending, Mishap>,
    ) -> Result<Ending, Mishap> {
        let ending = self
            .until("everything is at its end", async || {
                let ending = look().await?;
                let told = ending.told();
                Ok(Look::if_so(ending.is_reached(), ending, told))
            })
            .await?;
        self.notices.shown().await;
        self.outcome(ending.told());
        Ok(ending)
    }

    /// Waits until these parties were told of a fact of this journey.
    ///
    /// # Errors
    /// They were not.
    pub async fn until_told(&self, fact: &str, parties: &[&str]) -> Result<(), Mishap> {
        let awaited = format!("{} are told {fact}", parties.join(", "));
        self.until(&awaited, async || {
            let untold = parties
                .iter()
                .find(|party| !self.notices.was_told(party, fact));
            Ok(Look::if_so(
                untold.is_none(),
                (),
                format!("{} was not told", untold.unwrap_or(&"nobody")),
            ))
        })
        .await
    }
}

async fn explained(
    session: &Session,
    subject: explain_release_request::Subject,
) -> Result<Option<ExplainReleaseResponse>, Mishap> {
    let request = ExplainReleaseRequest {
        subject: Some(subject),
        site_id: String::new(),
    };
    if_there(session.release()?.explain_release(request).await)
}

/// A state as the services name it: "DEPARTED"; empty where nothing was said.
pub fn state_name(value: &str, prefix: &str) -> String {
    show::word(value, prefix).to_uppercase().replace(' ', "_")
}

/// Where a stay is in its life: "DEPARTED".
pub fn phase(stay: &ContainerVisit) -> String {
    state_name(stay.phase().as_str_name(), "CONTAINER_VISIT_PHASE_")
}

/// Where a decision is: "CONSUMED".
pub fn release_state(release: &ContainerRelease) -> String {
    state_name(release.state().as_str_name(), "RELEASE_STATE_")
}

/// Where a truck is: "GATED_OUT".
pub fn truck_state(visit: &TruckVisit) -> String {
    state_name(visit.state().as_str_name(), "TRUCK_VISIT_STATE_")
}

/// Where a declaration is: "CLEARED".
pub fn declaration_state(declaration: &DeclarationRecord) -> String {
    state_name(declaration.status().as_str_name(), "DECLARATION_STATUS_")
}
