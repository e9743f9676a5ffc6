//! A port with one train: a builder that reads like a scenario. Facts go in as records, exactly as the
//! other services publish them; calls go through the handlers, as tokens of the development parties.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};

use chassis::convert::timestamp;
use chassis::{Caller, Role, Shutdown};
use chrono::{DateTime, Duration, Utc};
use fabric::{Command, Fabric, FabricConfig, Origin, OutboxRow, ReadLimits, Reads, fingerprint};
use futures::future::{join, join_all};
use kernel::Refusal;
use prost::Message;
use proto::common::v1 as common;
use proto::customs::events::v1 as customs;
use proto::gate::events::v1 as gate;
use proto::release::events::v1 as events;
use proto::release::v1 as api;
use proto::release::v1::release_service_server::ReleaseService;
use release::app::{Input, Release};
use release::domain::reader::Reader;
use release::grpc::Handlers;
use sqlx::PgPool;
use stack::ServiceDatabase;
use tonic::Request;

pub const SITE: &str = "GUOYUAN-PORT";
pub const CONTAINER: &str = "MRKU4976720";
pub const VISIT: &str = "GUOYUAN-PORT/MRKU4976720/1";
pub const DOCUMENT: &str = "TD-0001";

/// A service of its own, with its own database.
pub struct World {
    pub fabric: Fabric<Release>,
    pub handlers: Handlers,
    pub pool: PgPool,
    database: ServiceDatabase,
    pub shutdown: Shutdown,
    /// How far our own was read back already: (epoch, sequence) by (topic, partition).
    read_back: tokio::sync::Mutex<BTreeMap<(String, u32), (u64, u64)>>,
    versions: Mutex<BTreeMap<String, u64>>,
    /// Whether what comes is stated again by its service.
    pub states_again: AtomicBool,
}

/// A stay to be changed a little: the same fact with another phase, another availability.
pub fn visit() -> gate::ContainerVisit {
    gate::ContainerVisit {
        container_visit_id: VISIT.into(),
        site_id: SITE.into(),
        container_number: CONTAINER.into(),
        ordinal: 1,
        phase: gate::ContainerVisitPhase::Announced.into(),
        arrival_mode: gate::TransportMode::Rail.into(),
        manifest_lines: vec![line(DOCUMENT, "line-a")],
        ..gate::ContainerVisit::default()
    }
}

pub fn line(transport_document: &str, line_party: &str) -> gate::ManifestLine {
    gate::ManifestLine {
        transport_document: transport_document.into(),
        line_party: line_party.into(),
        ..gate::ManifestLine::default()
    }
}

pub fn consignment(
    released: bool,
    conditions: Vec<common::Condition>,
) -> customs::ConsignmentClearance {
    customs::ConsignmentClearance {
        declaration_id: "declaration-1".into(),
        mrn: "26GB0000000000001".into(),
        container_visit_id: VISIT.into(),
        transport_document: DOCUMENT.into(),
        released,
        conditions,
        filer_party: "broker-a".into(),
        trader_party: "trader-a".into(),
        declaration_version: 1,
        direction: "IMPORT".into(),
        ..customs::ConsignmentClearance::default()
    }
}

pub fn customs_condition(code: &str) -> common::Condition {
    common::Condition {
        code: code.into(),
        subject: "declaration/declaration-1".into(),
        who: "officer".into(),
        since: Some(timestamp(noon())),
        evidence: vec!["greenlane.customs.declaration.v1/0/1/7".into()],
        description: "An officer controls it.".into(),
    }
}

pub fn noon() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

/// Development parties, as their tokens say.
pub fn who(party: &str) -> Caller {
    let (role, sites): (Role, &[&str]) = match party {
        "haulier-a" | "haulier-b" => (Role::Haulier, &[]),
        "broker-a" | "broker-b" => (Role::Broker, &[]),
        "trader-a" | "trader-b" => (Role::Trader, &[]),
        "line-a" | "line-b" => (Role::Line, &[]),
        "operator" => (Role::Operator, &[]),
        "terminal" => (Role::Terminal, &[SITE]),
        "centre-gate" => (Role::Terminal, &["GUOYUAN-BLC"]),
        "officer-1" | "officer-2" => (Role::Officer, &[]),
        _ => (Role::Admin, &[]),
    };
    Caller {
        subject: format!("clerk of {party}"),
        party: party.into(),
        roles: [role].into(),
        sites: sites.iter().map(|site| (*site).to_owned()).collect(),
        address: None,
    }
}

pub fn reader(party: &str) -> Reader {
    let caller = who(party);
    Reader {
        party: caller.party,
        subject: caller.subject,
        roles: caller
            .roles
            .iter()
            .map(|role| role.as_str().to_owned())
            .collect(),
        sites: caller.sites,
    }
}

/// A call as this party.
pub fn call<T>(party: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Arc::new(who(party)));
    request
}

pub fn fresh() -> String {
    kernel::new_id().to_string()
}

impl World {
    /// An empty port: its site, its parties.
    pub async fn new() -> Self {
        Self::with_writers(1).await
    }

    /// As [`World::new`], where nothing but release's own filters keeps readers from rows.
    pub async fn by_filters_alone() -> Self {
        let world = Self::new().await;
        stack::without_row_security(&world.database).await;
        world
    }

    /// As [`World::new`], with so many writers.
    pub async fn with_writers(writers: u32) -> Self {
        let database = stack::for_tests()
            .await
            .database("release", async |owner| Ok(release::migrate(owner).await?))
            .await;
        let config = FabricConfig {
            writers,
            ..FabricConfig::for_brokers("none:9092", "")
        };
        let fabric = Fabric::start_without_broker(Arc::new(Release), config, &database.service_url)
            .await
            .unwrap();
        let pool = PgPool::connect(&database.service_url).await.unwrap();
        let reads = Reads::open("release", &database.service_url, ReadLimits::FEW).unwrap();
        let shutdown = Shutdown::manual();
        let handlers = Handlers::new(fabric.handle(), fabric.admin(), reads, shutdown.clone());
        let world = Self {
            fabric,
            handlers,
            pool,
            database,
            shutdown,
            read_back: tokio::sync::Mutex::default(),
            states_again: AtomicBool::new(false),
            versions: Mutex::default(),
        };
        let parties = [
            ("haulier-a", "haulier"),
            ("haulier-b", "haulier"),
            ("broker-a", "broker"),
            ("line-a", "line"),
        ];
        let parties = parties.map(|(party, role)| world.party(party, role));
        join(world.site(SITE, "terminal"), join_all(parties)).await;
        world
    }

    /// The next version of a subject.
    pub fn next(&self, subject: &str) -> u64 {
        let mut versions = self.versions.lock().unwrap();
        let version = versions.entry(subject.to_owned()).or_default();
        *version += 1;
        *version
    }

    pub async fn apply(&self, topic: &str, key: &str, event: &impl Message) {
        let event_type = if self.states_again.load(Ordering::Relaxed) {
            "greenlane.test.restated"
        } else {
            "greenlane.test"
        };
        self.fabric
            .apply(topic, key, event_type, event.encode_to_vec())
            .await
            .unwrap();
        self.read_back().await;
    }

    /// Gives our own decisions and holds back, as the broker would, until nothing new comes of it: those of a key in
    /// their order, whoever waits for them.
    pub async fn read_back(&self) {
        let mut seen = self.read_back.lock().await;
        loop {
            let new = self.fabric.outbox_beyond(&seen).await.unwrap();
            let last = new.iter();
            let last = last.map(|row| ((row.topic.clone(), row.partition), (row.epoch, row.seq)));
            seen.extend(last);
            let mut by_key: BTreeMap<(String, String), Vec<OutboxRow>> = BTreeMap::new();
            for row in new.into_iter().filter(|row| row.topic != "release.notice") {
                let key = (row.topic.clone(), row.key.clone());
                by_key.entry(key).or_default().push(row);
            }
            if by_key.is_empty() {
                return;
            }
            let given = by_key.into_values().map(async |rows| {
                for row in rows {
                    self.fabric
                        .apply(&row.topic, &row.key, &row.event_type, row.payload.to_vec())
                        .await
                        .unwrap();
                }
            });
            join_all(given).await;
        }
    }

    pub async fn site(&self, site_id: &str, terminal_party: &str) {
        let event = gate::SiteEvent {
            version: self.next(site_id),
            recorded_at: Some(timestamp(noon())),
            site: Some(gate::Site {
                site_id: site_id.into(),
                terminal_party: terminal_party.into(),
                ..gate::Site::default()
            }),
        };
        self.apply("gate.site", site_id, &event).await;
    }

    pub async fn party(&self, party: &str, role: &str) {
        let event = customs::PartyEvent {
            recorded_at: Some(timestamp(noon())),
            fact: Some(customs::party_event::Fact::Party(customs::Party {
                party_id: party.into(),
                version: self.next(party),
                roles: vec![role.into()],
                ..customs::Party::default()
            })),
        };
        self.apply("customs.party", party, &event).await;
    }

    pub async fn visit(&self, fact: gate::ContainerVisitFact, mut visit: gate::ContainerVisit) {
        visit.version = self.next(&visit.container_visit_id);
        // A departure is recorded after whatever was commanded before it.
        let at = match visit.phase() {
            gate::ContainerVisitPhase::Departed => Utc::now(),
            _ => noon() + Duration::minutes(i64::try_from(visit.version).unwrap()),
        };
        let event = gate::ContainerVisitEvent {
            fact: fact.into(),
            observed_at: Some(timestamp(at)),
            recorded_at: Some(timestamp(at)),
            recorded_by_party: "terminal".into(),
            visit: Some(visit.clone()),
        };
        self.apply(
            "gate.container-visit",
            &format!("{}/{}", visit.site_id, visit.container_number),
            &event,
        )
        .await;
    }

    pub async fn announced(&self) {
        self.visit(gate::ContainerVisitFact::Announced, visit())
            .await;
    }

    pub async fn arrived(&self) {
        self.visit(gate::ContainerVisitFact::Arrived, arrived())
            .await;
    }

    pub async fn available(&self) {
        self.visit(
            gate::ContainerVisitFact::Available,
            gate::ContainerVisit {
                available: true,
                ..arrived()
            },
        )
        .await;
    }

    pub async fn departed(&self) {
        self.visit(gate::ContainerVisitFact::Departed, departed(arrived()))
            .await;
    }

    pub async fn clearance(&self, consignments: Vec<customs::ConsignmentClearance>) {
        self.clearance_of(CONTAINER, consignments).await;
    }

    pub async fn clearance_of(
        &self,
        container: &str,
        consignments: Vec<customs::ConsignmentClearance>,
    ) {
        let key = format!("container/{container}");
        let event = customs::ClearanceEvent {
            version: self.next(&key),
            recorded_at: Some(timestamp(noon())),
            consignments,
            key: key.clone(),
        };
        self.apply("customs.clearance", &key, &event).await;
    }

    pub async fn customs_released(&self) {
        self.clearance(vec![consignment(true, Vec::new())]).await;
    }

    pub async fn declaration(&self, fact: customs::DeclarationFact) {
        let event = customs::DeclarationEvent {
            fact: fact.into(),
            observed_at: Some(timestamp(noon())),
            recorded_at: Some(timestamp(noon())),
            recorded_by_party: "broker-a".into(),
            declaration: Some(customs::DeclarationState {
                declaration_id: "declaration-1".into(),
                version: self.next("declaration-1"),
                mrn: "26GB0000000000001".into(),
                filer_party: "broker-a".into(),
                trader_party: "trader-a".into(),
                containers: vec![CONTAINER.into()],
                ..customs::DeclarationState::default()
            }),
            detail: String::new(),
        };
        self.apply("customs.declaration", "declaration-1", &event)
            .await;
    }

    pub async fn hold(&self, service: &str, id: &str, kind: common::HoldKind, lifted: bool) {
        self.hold_on(VISIT, (service, id), kind, lifted).await;
    }

    pub async fn hold_on(
        &self,
        visit: &str,
        (service, id): (&str, &str),
        kind: common::HoldKind,
        lifted: bool,
    ) {
        let fact = if lifted {
            common::HoldFact::Lifted
        } else {
            common::HoldFact::Placed
        };
        let event = common::HoldEvent {
            fact: fact.into(),
            hold: Some(common::Hold {
                hold_id: id.into(),
                scope: Some(common::HoldScope {
                    kind: common::HoldScopeKind::ContainerVisit.into(),
                    key: visit.into(),
                }),
                kind: kind.into(),
                placed_by_party: if service == "gate" {
                    "terminal"
                } else {
                    "officer-1"
                }
                .into(),
                placed_by_subject: "somebody".into(),
                reason: "a reason".into(),
                placed_at: Some(timestamp(noon())),
                lifted_at: lifted.then(|| timestamp(noon())),
                ..common::Hold::default()
            }),
            observed_at: Some(timestamp(noon())),
            recorded_at: Some(timestamp(noon())),
        };
        self.apply(
            &format!("{service}.hold"),
            &format!("container-visit/{visit}"),
            &event,
        )
        .await;
    }

    pub async fn pre_arrival(&self, haulier: &str, fact: gate::PreArrivalFact) {
        let id = format!("pre-arrival of {haulier}");
        let event = gate::PreArrivalEvent {
            fact: fact.into(),
            observed_at: Some(timestamp(noon())),
            recorded_at: Some(timestamp(noon())),
            pre_arrival: Some(gate::PreArrivalState {
                version: self.next(&id),
                pre_arrival_id: id.clone(),
                site_id: SITE.into(),
                haulier_party: haulier.into(),
                containers: vec![gate::PreArrivalContainer {
                    container_number: CONTAINER.into(),
                    container_visit_id: VISIT.into(),
                }],
                ..gate::PreArrivalState::default()
            }),
        };
        self.apply("gate.pre-arrival", &id, &event).await;
    }

    pub async fn truck(
        &self,
        haulier: &str,
        fact: gate::TruckVisitFact,
        conditions: Vec<common::Condition>,
    ) {
        let event = gate::TruckVisitEvent {
            fact: fact.into(),
            observed_at: Some(timestamp(noon())),
            recorded_at: Some(timestamp(noon())),
            truck_visit: Some(gate::TruckVisitState {
                truck_visit_id: "truck-1".into(),
                version: self.next("truck-1"),
                site_id: SITE.into(),
                pre_arrival_id: format!("pre-arrival of {haulier}"),
                haulier_party: haulier.into(),
                containers: vec![gate::PreArrivalContainer {
                    container_number: CONTAINER.into(),
                    container_visit_id: VISIT.into(),
                }],
                conditions,
                ..gate::TruckVisitState::default()
            }),
        };
        self.apply("gate.truck-visit", "truck-1", &event).await;
    }

    pub async fn answer(&self, ask_id: &str, verdict: gate::AnswerVerdict) {
        self.answer_about(VISIT, ask_id, verdict).await;
    }

    pub async fn answer_about(&self, visit: &str, ask_id: &str, verdict: gate::AnswerVerdict) {
        let event = gate::AnswerEvent {
            ask_id: ask_id.into(),
            container_visit_id: visit.into(),
            verdict: verdict.into(),
            observed_at: Some(timestamp(noon())),
            recorded_at: Some(timestamp(noon())),
            list_number: String::new(),
        };
        self.apply("gate.answer", ask_id, &event).await;
    }

    /// The line takes its release back; it may have to wait for gate.
    pub async fn line_revokes(&self) -> api::RevokeCommercialReleaseResponse {
        let request = api::RevokeCommercialReleaseRequest {
            request_id: fresh(),
            transport_document: DOCUMENT.into(),
            reason: "freight not paid".into(),
            ..api::RevokeCommercialReleaseRequest::default()
        };
        let response = self
            .handlers
            .revoke_commercial_release(call("line-a", request))
            .await
            .unwrap()
            .into_inner();
        self.read_back().await;
        response
    }

    pub async fn line_releases_to(&self, haulier: &str) -> api::CommercialRelease {
        let request = api::GrantCommercialReleaseRequest {
            request_id: fresh(),
            transport_document: DOCUMENT.into(),
            haulier_party: haulier.into(),
            ..api::GrantCommercialReleaseRequest::default()
        };
        let response = self
            .handlers
            .grant_commercial_release(call("line-a", request))
            .await
            .unwrap()
            .into_inner();
        self.read_back().await;
        response.commercial_release.unwrap()
    }

    /// Everything up to a grant to haulier-a, in the order of journey A.
    pub async fn granted(&self) {
        self.announced().await;
        self.pre_arrival("haulier-a", gate::PreArrivalFact::Submitted)
            .await;
        self.arrived().await;
        self.customs_released().await;
        self.line_releases_to("haulier-a").await;
        self.available().await;
        assert_eq!(self.state().await, "GRANTED");
    }

    /// A command straight into the loop, for what it refuses.
    pub async fn refused(&self, party: &str, input: Input) -> Refusal {
        let command = Command {
            party: party.into(),
            origin: Origin::default(),
            request_id: Some(kernel::new_id()),
            fingerprint: fingerprint("test", fresh().as_bytes()),
            traceparent: None,
            input,
        };
        self.fabric
            .handle()
            .submit("test", command)
            .await
            .outcome
            .unwrap_err()
    }

    pub async fn explain(&self, party: &str) -> Result<api::ExplainReleaseResponse, tonic::Status> {
        let subject = api::explain_release_request::Subject::ContainerNumber(CONTAINER.into());
        let request = api::ExplainReleaseRequest {
            subject: Some(subject),
            site_id: String::new(),
        };
        self.handlers
            .explain_release(call(party, request))
            .await
            .map(tonic::Response::into_inner)
    }

    /// The codes of the unmet conditions, as this party reads them.
    pub async fn why(&self, party: &str) -> Vec<String> {
        let release = self.explain(party).await.unwrap().release.unwrap();
        release
            .conditions
            .into_iter()
            .map(|condition| condition.code)
            .collect()
    }

    /// The decisions published so far, oldest first.
    pub async fn decisions(&self) -> Vec<events::Decision> {
        self.decisions_on(VISIT).await
    }

    pub async fn decisions_on(&self, visit: &str) -> Vec<events::Decision> {
        let rows = self.fabric.outbox().await.unwrap();
        rows.into_iter()
            .filter(|row| row.topic == "release.decision" && row.key == visit)
            .map(|row| {
                events::DecisionEvent::decode(row.payload)
                    .unwrap()
                    .decision
                    .unwrap()
            })
            .collect()
    }

    pub async fn states(&self) -> Vec<String> {
        self.decisions()
            .await
            .into_iter()
            .map(|decision| decision.state)
            .collect()
    }

    pub async fn state(&self) -> String {
        self.states().await.last().cloned().unwrap_or_default()
    }

    /// What a party was told so far, in order.
    pub async fn told(&self, party: &str) -> Vec<api::Notice> {
        let request = api::ListNoticesRequest {
            page: Some(common::Page {
                page_size: 500,
                page_token: String::new(),
            }),
        };
        self.handlers
            .list_notices(call(party, request))
            .await
            .unwrap()
            .into_inner()
            .notices
    }

    pub async fn facts_told(&self, party: &str) -> Vec<String> {
        self.told(party)
            .await
            .into_iter()
            .map(|notice| notice.fact)
            .collect()
    }
}

pub fn arrived() -> gate::ContainerVisit {
    gate::ContainerVisit {
        phase: gate::ContainerVisitPhase::Arrived.into(),
        arrived_at: Some(timestamp(noon() + Duration::minutes(2))),
        ..visit()
    }
}

pub fn departed(visit: gate::ContainerVisit) -> gate::ContainerVisit {
    gate::ContainerVisit {
        phase: gate::ContainerVisitPhase::Departed.into(),
        departed_at: Some(timestamp(Utc::now())),
        ..visit
    }
}
