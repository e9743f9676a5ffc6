//! A bonded centre beside the port: what bonded, customs and gate publish of a stock list, as records.

use chassis::convert::timestamp;
use chrono::Duration;
use proto::bonded::events::v1 as bonded;
use proto::common::v1 as common;
use proto::customs::events::v1 as customs;
use proto::gate::events::v1 as gate;
use proto::release::events::v1 as events;
use proto::release::v1 as api;
use proto::release::v1::release_service_server::ReleaseService;

use crate::world::{CONTAINER, SITE, World, call, noon};

pub const CENTRE: &str = "GUOYUAN-BLC";
/// Goods that go into bond.
pub const INTO: &str = "QD800026I000000001";
/// Goods that go out of it.
pub const OUT_OF: &str = "QD800026E000000001";
/// The declaration that goes with a list.
pub const DECLARATION: &str = "declaration-1";

/// A centre with its operator and its gate.
pub async fn centre() -> World {
    let world = World::new().await;
    world.site(CENTRE, "centre-gate").await;
    world.party("operator", "operator").await;
    world
}

/// A list that is to be changed a little.
pub fn list(number: &str, state: &str) -> bonded::StockList {
    bonded::StockList {
        list_number: number.into(),
        site_id: CENTRE.into(),
        direction: if number == OUT_OF {
            "DECREASE"
        } else {
            "INCREASE"
        }
        .into(),
        book_number: "BOOK00000001".into(),
        trader_party: "trader-a".into(),
        filer_party: "trader-a".into(),
        declaration_lrn: "LRN-1".into(),
        state: state.into(),
        ..bonded::StockList::default()
    }
}

/// The declaration that names a list, to be changed a little.
pub fn declaration(number: &str, state: &str) -> customs::DeclarationState {
    customs::DeclarationState {
        declaration_id: DECLARATION.into(),
        mrn: "26GB0000000000001".into(),
        lrn: "LRN-1".into(),
        procedure_kind: if number == OUT_OF {
            "OUT_OF_BOND"
        } else {
            "INTO_BOND"
        }
        .into(),
        filer_party: "broker-a".into(),
        trader_party: "trader-a".into(),
        state: state.into(),
        stock_lists: vec![number.into()],
        ..customs::DeclarationState::default()
    }
}

pub fn pass(id: &str, state: &str, container: &str) -> gate::ListPass {
    gate::ListPass {
        pre_arrival_id: id.into(),
        state: state.into(),
        container_number: container.into(),
        ..gate::ListPass::default()
    }
}

/// What release decides about a list is keyed so.
pub fn key(number: &str) -> String {
    format!("list/{number}")
}

impl World {
    pub async fn list_is(&self, fact: bonded::StockListFact, list: bonded::StockList) {
        let number = list.list_number.clone();
        let version = self.next(&number);
        let at = noon() + Duration::minutes(i64::try_from(version).unwrap());
        let event = bonded::StockListEvent {
            fact: fact.into(),
            observed_at: Some(timestamp(at)),
            recorded_at: Some(timestamp(at)),
            recorded_by_party: "trader-a".into(),
            list: Some(bonded::StockList { version, ..list }),
            detail: String::new(),
        };
        self.apply("bonded.stock-list", &number, &event).await;
    }

    pub async fn declared(
        &self,
        fact: customs::DeclarationFact,
        declaration: customs::DeclarationState,
    ) {
        let id = declaration.declaration_id.clone();
        let version = self.next(&id);
        let at = noon() + Duration::minutes(i64::try_from(version).unwrap());
        let event = customs::DeclarationEvent {
            fact: fact.into(),
            observed_at: Some(timestamp(at)),
            recorded_at: Some(timestamp(at)),
            recorded_by_party: declaration.filer_party.clone(),
            declaration: Some(customs::DeclarationState {
                version,
                ..declaration
            }),
            detail: String::new(),
        };
        self.apply("customs.declaration", &id, &event).await;
    }

    pub async fn passage(
        &self,
        number: &str,
        fact: gate::ListPassageFact,
        (passes, closed): (Vec<gate::ListPass>, bool),
    ) {
        let version = self.next(&format!("passage/{number}"));
        let event = gate::ListPassageEvent {
            fact: fact.into(),
            observed_at: Some(timestamp(noon())),
            recorded_at: Some(timestamp(noon())),
            passage: Some(gate::ListPassage {
                list_number: number.into(),
                version,
                site_id: CENTRE.into(),
                passes,
                closed,
                ..gate::ListPassage::default()
            }),
        };
        self.apply("gate.list-passage", number, &event).await;
    }

    /// The operator files a truck of this haulier for a part of the list.
    pub async fn truck_for_list(&self, number: &str, haulier: &str, fact: gate::PreArrivalFact) {
        let id = format!("{number} by {haulier}");
        let (site, second) = if number == OUT_OF {
            (CENTRE, "")
        } else {
            (SITE, CENTRE)
        };
        let event = gate::PreArrivalEvent {
            fact: fact.into(),
            observed_at: Some(timestamp(noon())),
            recorded_at: Some(timestamp(noon())),
            pre_arrival: Some(gate::PreArrivalState {
                version: self.next(&id),
                pre_arrival_id: id.clone(),
                site_id: site.into(),
                second_site_id: second.into(),
                haulier_party: haulier.into(),
                filer_party: "operator".into(),
                list_number: number.into(),
                ..gate::PreArrivalState::default()
            }),
        };
        self.apply("gate.pre-arrival", &id, &event).await;
    }

    pub async fn hold_scoped(
        &self,
        (scope, key): (common::HoldScopeKind, &str),
        (service, id): (&str, &str),
        lifted: bool,
    ) {
        let event = common::HoldEvent {
            fact: if lifted {
                common::HoldFact::Lifted
            } else {
                common::HoldFact::Placed
            }
            .into(),
            hold: Some(common::Hold {
                hold_id: id.into(),
                scope: Some(common::HoldScope {
                    kind: scope.into(),
                    key: key.into(),
                }),
                kind: common::HoldKind::Customs.into(),
                placed_by_party: "officer-1".into(),
                reason: "a reason".into(),
                placed_at: Some(timestamp(noon())),
                lifted_at: lifted.then(|| timestamp(noon())),
                ..common::Hold::default()
            }),
            observed_at: Some(timestamp(noon())),
            recorded_at: Some(timestamp(noon())),
        };
        self.apply(&format!("{service}.hold"), key, &event).await;
    }

    pub async fn answer_about_list(
        &self,
        number: &str,
        ask_id: &str,
        verdict: gate::AnswerVerdict,
    ) {
        let event = gate::AnswerEvent {
            ask_id: ask_id.into(),
            list_number: number.into(),
            verdict: verdict.into(),
            observed_at: Some(timestamp(noon())),
            recorded_at: Some(timestamp(noon())),
            container_visit_id: String::new(),
        };
        self.apply("gate.answer", ask_id, &event).await;
    }

    pub async fn list_decisions(&self, number: &str) -> Vec<events::Decision> {
        self.decisions_on(&key(number)).await
    }

    pub async fn list_state(&self, number: &str) -> String {
        let last = self.list_decisions(number).await.pop();
        last.map(|decision| decision.state).unwrap_or_default()
    }

    /// The ask that gate has not answered.
    pub async fn list_ask(&self, number: &str) -> String {
        let last = self.list_decisions(number).await.pop().unwrap();
        assert_eq!(last.state, "REVOCATION_ASKED");
        last.ask_id
    }

    pub async fn explain_list(
        &self,
        party: &str,
        number: &str,
    ) -> Result<api::ExplainReleaseResponse, tonic::Status> {
        let subject = api::explain_release_request::Subject::ListNumber(number.into());
        let request = api::ExplainReleaseRequest {
            subject: Some(subject),
            site_id: String::new(),
        };
        self.handlers
            .explain_release(call(party, request))
            .await
            .map(tonic::Response::into_inner)
    }

    /// What is missing, and who must act, as the operator reads it.
    pub async fn why_list(&self, number: &str) -> Vec<(String, String)> {
        let explained = self.explain_list("operator", number).await.unwrap();
        let release = explained.release.unwrap();
        let conditions = release.conditions.into_iter();
        conditions
            .map(|condition| {
                assert!(
                    !condition.description.is_empty() && !condition.evidence.is_empty(),
                    "{condition:?}"
                );
                (condition.code, condition.who)
            })
            .collect()
    }

    /// Everything up to a grant, without containers.
    pub async fn list_granted(&self, number: &str) {
        self.list_granted_for(number, Vec::new()).await;
    }

    /// Everything up to a grant, for these containers.
    pub async fn list_granted_for(&self, number: &str, containers: Vec<String>) {
        use bonded::StockListFact as Fact;
        let (fact, state, customs) = if number == OUT_OF {
            (Fact::Reserved, "RESERVED", "CLEARED")
        } else {
            (Fact::Approved, "APPROVED", "ACCEPTED")
        };
        self.list_is(fact, list(number, state)).await;
        let declaration = customs::DeclarationState {
            containers,
            ..declaration(number, customs)
        };
        self.declared(customs::DeclarationFact::Accepted, declaration)
            .await;
        assert_eq!(self.list_state(number).await, "GRANTED");
    }
}

/// A bound consignment that goes into bond.
pub fn into_bond(released: bool) -> customs::ConsignmentClearance {
    customs::ConsignmentClearance {
        direction: "NONE".into(),
        ..crate::world::consignment(released, Vec::new())
    }
}

/// The same container, brought into the centre under the list.
pub fn at_the_centre() -> gate::ContainerVisit {
    gate::ContainerVisit {
        container_visit_id: format!("{CENTRE}/{CONTAINER}/1"),
        site_id: CENTRE.into(),
        arrival_mode: gate::TransportMode::Truck.into(),
        manifest_lines: Vec::new(),
        list_number: INTO.into(),
        ..crate::world::arrived()
    }
}
