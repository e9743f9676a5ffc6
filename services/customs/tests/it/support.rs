//! Customs for one test, without a broker: gate's facts are given by hand, customs' facts read from the
//! outbox, calls made on the API itself.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use chassis::{Caller, Role};
use chrono::{DateTime, TimeZone, Utc};
use customs::grpc::Api;
use customs::seed::{self, Seeds};
use customs::{Config, Customs};
use fabric::{Fabric, FabricConfig, OutboxRow};
use kernel::{Rounding, new_id};
use prost::Message;
use proto::common::v1 as common;
use proto::customs::events::v1 as events;
use proto::customs::v1 as wire;
use proto::customs::v1::customs_service_server::CustomsService;
use proto::gate::events::v1 as gate;
use sqlx::PgPool;
use stack::ServiceDatabase;
use tonic::{Request, Status};

pub const PORT: &str = "GUOYUAN-PORT";
pub const LOCATION: &str = "GUOYUANPORT";
pub const BOX: &str = "MSKU9070323";
pub const OTHER_BOX: &str = "CSQU3054383";
pub const TRADER_A_EORI: &str = "GB270000000021";
pub const TRADER_B_EORI: &str = "GB270000000022";

/// A customs service with the development parties and the port's site.
pub struct Scene {
    pub fabric: Fabric<Customs>,
    pub api: Api,
}

pub fn service() -> Customs {
    Customs {
        books: seed::books(Rounding::Truncate).unwrap(),
        mrn_country: "GB".into(),
    }
}

pub async fn database() -> ServiceDatabase {
    stack::for_tests()
        .await
        .database("customs", async |owner_url| {
            Ok(customs::migrate(owner_url).await?)
        })
        .await
}

/// The default configuration for a database; what must be set is set.
pub fn config(database: &ServiceDatabase) -> Config {
    let variables = [
        ("CUSTOMS_DATABASE__URL", database.service_url.as_str()),
        ("CUSTOMS_FABRIC__BROKERS", "127.0.0.1:9"),
        (
            "CUSTOMS_IDENTITY__ISSUERS",
            r#"[{issuer = "https://issuer.invalid", audience = "greenlane", jwks_file = "/dev/null"}]"#,
        ),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    chassis::config::load_with(customs::CONFIG_DEFAULT, None, "CUSTOMS", variables).unwrap()
}

/// The authority's documents.
pub fn documents() -> PathBuf {
    PathBuf::from(concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../tests/data/declarations"
    ))
}

/// A real import declaration, laid out for our port: trader-a's umbrellas in one container.
pub fn umbrellas(lrn: &str) -> wire::Declaration {
    declared("TT_IM109a/TT_IM109a.xml", lrn)
}

/// A real declaration of which reference, goods location, containers, transport document and parties are ours.
pub fn declared(document: &str, lrn: &str) -> wire::Declaration {
    let bytes = std::fs::read(documents().join(document)).unwrap();
    let wco::Reading::Filing(read) = wco::read(&bytes) else {
        panic!("{document} is no filing")
    };
    let mut declaration = *read.declaration;
    declaration.lrn = lrn.to_owned();
    if let Some(location) = &mut declaration.goods_location {
        location.name = LOCATION.to_owned();
    }
    declaration.containers = vec![container(BOX)];
    for item in &mut declaration.items {
        item.containers.clear();
    }
    declaration.previous_documents = vec![wire::PreviousDocument {
        type_code: "705".into(),
        id: "BL1".into(),
        ..Default::default()
    }];
    let trader = wire::Party {
        id: TRADER_A_EORI.into(),
        ..Default::default()
    };
    declaration.importer = Some(trader.clone());
    declaration.declarant = Some(trader);
    declaration.agent = None;
    declaration
}

pub fn container(number: &str) -> wire::Container {
    wire::Container {
        id: number.to_owned(),
        ..Default::default()
    }
}

/// A request of a party in a role.
pub fn asked<T>(party: &str, role: Role, message: T) -> Request<T> {
    let mut request = Request::new(message);
    let caller = Caller {
        subject: format!("{party}-person"),
        party: party.to_owned(),
        roles: BTreeSet::from([role]),
        sites: BTreeSet::new(),
    };
    request.extensions_mut().insert(Arc::new(caller));
    request
}

pub fn officer<T>(message: T) -> Request<T> {
    asked("officer-1", Role::Officer, message)
}

pub fn id() -> String {
    new_id().to_string()
}

/// The catalogue's reason of a status.
pub fn reason(status: &Status) -> String {
    chassis::from_status(status).reason
}

pub fn codes(faults: &[common::Fault]) -> Vec<&str> {
    faults.iter().map(|fault| fault.code.as_str()).collect()
}

pub fn conditions(record: &wire::DeclarationRecord) -> Vec<&str> {
    record
        .conditions
        .iter()
        .map(|condition| condition.code.as_str())
        .collect()
}

/// A container visit as gate tells of it.
pub struct Told {
    pub container: &'static str,
    pub ordinal: u32,
    pub version: u64,
    pub phase: gate::ContainerVisitPhase,
    pub lines: Vec<(&'static str, Option<u32>)>,
}

impl Told {
    pub fn announced(lines: &[(&'static str, Option<u32>)]) -> Self {
        Self {
            container: BOX,
            ordinal: 1,
            version: 1,
            phase: gate::ContainerVisitPhase::Announced,
            lines: lines.to_vec(),
        }
    }

    pub fn arrived(lines: &[(&'static str, Option<u32>)]) -> Self {
        Self {
            version: 2,
            phase: gate::ContainerVisitPhase::Arrived,
            ..Self::announced(lines)
        }
    }

    pub fn departed(lines: &[(&'static str, Option<u32>)]) -> Self {
        Self {
            version: 3,
            phase: gate::ContainerVisitPhase::Departed,
            ..Self::announced(lines)
        }
    }

    pub fn visit_id(&self) -> String {
        format!("{PORT}/{}/{}", self.container, self.ordinal)
    }
}

impl Scene {
    /// An empty service that knows nobody and no site.
    pub async fn empty() -> Self {
        let database = database().await;
        let fabric = Fabric::start_without_broker(
            Arc::new(service()),
            FabricConfig::for_brokers("none", ""),
            &database.service_url,
        )
        .await
        .unwrap();
        let reads = PgPool::connect(&database.service_url).await.unwrap();
        let currency = service().books.currency().clone();
        let api = Api::new(fabric.handle(), reads, currency, 64);
        Self { fabric, api }
    }

    /// The development parties and the port.
    pub async fn new() -> Self {
        let scene = Self::empty().await;
        Seeds::development()
            .unwrap()
            .plant(scene.fabric.handle())
            .await;
        scene.site(1).await;
        scene
    }

    pub async fn site(&self, version: u64) {
        let event = gate::SiteEvent {
            version,
            recorded_at: None,
            site: Some(gate::Site {
                site_id: PORT.into(),
                name: "Guoyuan".into(),
                terminal_party: "terminal".into(),
                time_zone: "Asia/Shanghai".into(),
                goods_location_codes: vec![LOCATION.into()],
                bonded: false,
            }),
        };
        self.fabric
            .apply(
                "gate.site",
                PORT,
                "greenlane.gate.site.changed",
                event.encode_to_vec(),
            )
            .await
            .unwrap();
    }

    pub async fn tell(&self, told: &Told) {
        self.try_to_tell(told).await.unwrap();
    }

    pub async fn try_to_tell(&self, told: &Told) -> Result<(), String> {
        let fact = match told.phase {
            gate::ContainerVisitPhase::Announced => gate::ContainerVisitFact::Announced,
            gate::ContainerVisitPhase::Arrived => gate::ContainerVisitFact::Arrived,
            gate::ContainerVisitPhase::Departed => gate::ContainerVisitFact::Departed,
            gate::ContainerVisitPhase::ShortLanded => gate::ContainerVisitFact::ShortLanded,
            gate::ContainerVisitPhase::Unspecified => gate::ContainerVisitFact::Unspecified,
        };
        let there = matches!(
            told.phase,
            gate::ContainerVisitPhase::Arrived | gate::ContainerVisitPhase::Departed
        );
        let visit = gate::ContainerVisit {
            container_visit_id: told.visit_id(),
            site_id: PORT.into(),
            container_number: told.container.into(),
            ordinal: told.ordinal,
            version: told.version,
            phase: told.phase.into(),
            manifest_lines: told
                .lines
                .iter()
                .map(|(document, packages)| gate::ManifestLine {
                    transport_document: (*document).into(),
                    packages: *packages,
                    ..Default::default()
                })
                .collect(),
            arrived_at: there.then(|| chassis::convert::timestamp(noon())),
            ..Default::default()
        };
        let event = gate::ContainerVisitEvent {
            fact: fact.into(),
            visit: Some(visit),
            ..Default::default()
        };
        let key = format!("{PORT}/{}", told.container);
        self.fabric
            .apply(
                "gate.container-visit",
                &key,
                "greenlane.gate.container-visit.told",
                event.encode_to_vec(),
            )
            .await
    }

    pub async fn file(&self, declaration: wire::Declaration) -> wire::Filing {
        self.try_file("broker-a", declaration).await.unwrap()
    }

    pub async fn try_file(
        &self,
        filer: &str,
        declaration: wire::Declaration,
    ) -> Result<wire::Filing, Status> {
        let request = wire::FileDeclarationRequest {
            request_id: id(),
            validate_only: false,
            declaration: Some(declaration),
        };
        let response = self
            .api
            .file_declaration(asked(filer, Role::Broker, request))
            .await?;
        Ok(response.into_inner().filing.unwrap())
    }

    pub async fn declaration(&self, declaration_id: &str) -> wire::DeclarationRecord {
        let name = wire::get_declaration_request::Name::DeclarationId(declaration_id.to_owned());
        let response = self
            .api
            .get_declaration(officer(wire::GetDeclarationRequest { name: Some(name) }))
            .await
            .unwrap();
        response.into_inner().declaration.unwrap()
    }

    pub async fn notifications(&self, declaration_id: &str) -> Vec<String> {
        let request = wire::ListNotificationsRequest {
            declaration_id: declaration_id.to_owned(),
            ..Default::default()
        };
        let response = self
            .api
            .list_notifications(officer(request))
            .await
            .unwrap()
            .into_inner();
        response
            .notifications
            .into_iter()
            .map(|notification| notification.name)
            .collect()
    }

    pub async fn outbox(&self, topic: &str) -> Vec<OutboxRow> {
        self.fabric
            .outbox()
            .await
            .unwrap()
            .into_iter()
            .filter(|row| row.topic == topic)
            .collect()
    }

    /// What customs says last under a key.
    pub async fn clearance(&self, key: &str) -> Option<events::ClearanceEvent> {
        let rows = self.outbox("customs.clearance").await;
        let said = rows
            .iter()
            .filter(|row| row.key == key)
            .map(|row| events::ClearanceEvent::decode(row.payload.clone()).unwrap());
        said.max_by_key(|event| event.version)
    }

    /// The facts about a declaration, in the order of their versions.
    pub async fn facts(&self, declaration_id: &str) -> Vec<events::DeclarationEvent> {
        let rows = self.outbox("customs.declaration").await;
        let mut facts: Vec<_> = rows
            .iter()
            .filter(|row| row.key == declaration_id)
            .map(|row| events::DeclarationEvent::decode(row.payload.clone()).unwrap())
            .collect();
        facts.sort_by_key(|event| event.declaration.as_ref().map_or(0, |state| state.version));
        facts
    }

    pub async fn hold(&self, kind: common::HoldScopeKind, key: &str) -> common::Hold {
        let request = wire::PlaceHoldRequest {
            request_id: id(),
            scope: Some(common::HoldScope {
                kind: kind.into(),
                key: key.into(),
            }),
            kind: common::HoldKind::Customs.into(),
            reason: "to be looked at".into(),
        };
        self.api
            .place_hold(officer(request))
            .await
            .unwrap()
            .into_inner()
            .hold
            .unwrap()
    }

    pub async fn lift(&self, hold: &common::Hold) {
        let request = wire::LiftHoldRequest {
            request_id: id(),
            hold_id: hold.hold_id.clone(),
            reason: "looked at".into(),
        };
        self.api.lift_hold(officer(request)).await.unwrap();
    }

    pub async fn complete(
        &self,
        record: &wire::DeclarationRecord,
        kind: wire::ControlKind,
        result: wire::ControlResult,
    ) {
        let open = |control: &&wire::Control| control.kind() == kind && control.done_at.is_none();
        let control = record.controls.iter().find(open).unwrap();
        let request = wire::CompleteControlRequest {
            request_id: id(),
            declaration_id: record.declaration_id.clone(),
            expected_version: 0,
            control_id: control.control_id.clone(),
            result: result.into(),
            reason: "seen".into(),
        };
        self.api.complete_control(officer(request)).await.unwrap();
    }
}

pub fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 1, 12, 0, 0).single().unwrap()
}
