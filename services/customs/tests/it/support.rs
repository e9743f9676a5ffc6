//! Customs for one test, without a broker: gate's facts are given by hand, customs' facts read from the
//! outbox, calls made on the API itself.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use chassis::{Caller, Role};
use chrono::{DateTime, TimeZone, Utc};
use customs::app::Input;
use customs::grpc::Api;
use customs::seed::{self, Seeds};
use customs::{Config, Customs};
use fabric::{Command, Fabric, FabricConfig, Origin, OutboxRow, ReadLimits, Reads};
use kernel::{Rounding, new_id};
use prost::Message;
use proto::bonded::events::v1 as bonded;
use proto::common::v1 as common;
use proto::customs::events::v1 as events;
use proto::customs::v1 as wire;
use proto::customs::v1::customs_service_server::CustomsService;
use proto::gate::events::v1 as gate;
use stack::ServiceDatabase;
use tonic::{Request, Status};

pub const PORT: &str = "GUOYUAN-PORT";
pub const LOCATION: &str = "GUOYUANPORT";
pub const CENTRE: &str = "GUOYUAN-BLC";
pub const CENTRE_LOCATION: &str = "GUOYUANBLC";
pub const BOX: &str = "MSKU9070323";
pub const OTHER_BOX: &str = "CSQU3054383";
pub const TRADER_A_EORI: &str = "GB270000000021";
pub const TRADER_B_EORI: &str = "GB270000000022";

/// A customs service with the development parties and the port's site.
pub struct Scene {
    pub fabric: Fabric<Customs>,
    pub api: Api,
    pub database: ServiceDatabase,
}

pub fn service() -> Customs {
    Customs {
        books: seed::books(Rounding::Truncate).unwrap(),
        mrn_country: "GB".into(),
        exit_overdue_days: 90,
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
        address: None,
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
    pub by_truck: bool,
    /// The declarations that the truck's filing named.
    pub named: Vec<String>,
    /// The train or barge that took it; of what has departed without one, a truck did.
    pub conveyance: &'static str,
}

impl Told {
    /// Brought by a truck, for export.
    pub fn brought(container: &'static str, named: &[&str]) -> Self {
        Self {
            container,
            version: 1,
            by_truck: true,
            named: named.iter().map(|&name| name.to_owned()).collect(),
            ..Self::arrived(&[])
        }
    }

    /// What a truck brought, gone with a train, or with a truck again.
    pub fn gone(container: &'static str, conveyance: &'static str) -> Self {
        Self {
            version: 5,
            phase: gate::ContainerVisitPhase::Departed,
            conveyance,
            ..Self::brought(container, &[])
        }
    }

    pub fn announced(lines: &[(&'static str, Option<u32>)]) -> Self {
        Self {
            container: BOX,
            ordinal: 1,
            version: 1,
            phase: gate::ContainerVisitPhase::Announced,
            lines: lines.to_vec(),
            by_truck: false,
            named: Vec::new(),
            conveyance: "",
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
        Self::of(service()).await
    }

    async fn of(service: Customs) -> Self {
        let database = database().await;
        let fabric = Fabric::start_without_broker(
            Arc::new(service.clone()),
            FabricConfig::for_brokers("none", ""),
            &database.service_url,
        )
        .await
        .unwrap();
        let reads = Reads::open("customs", &database.service_url, ReadLimits::FEW).unwrap();
        let currency = service.books.currency().clone();
        let api = Api::new(fabric.handle(), reads, currency, 64);
        Self {
            fabric,
            api,
            database,
        }
    }

    /// The development parties and the port.
    pub async fn new() -> Self {
        Self::with(service()).await
    }

    /// As [`Self::new`], where nothing but customs' own filters keeps readers from rows.
    pub async fn by_filters_alone() -> Self {
        let scene = Self::new().await;
        stack::without_row_security(&scene.database).await;
        scene
    }

    /// As [`Self::new`], of a service that is set otherwise.
    pub async fn with(service: Customs) -> Self {
        let scene = Self::of(service).await;
        Seeds::development()
            .unwrap()
            .plant(scene.fabric.handle())
            .await;
        scene.site(1).await;
        scene
    }

    pub async fn site(&self, version: u64) {
        self.tell_site(
            version,
            gate::Site {
                site_id: PORT.into(),
                name: "Guoyuan".into(),
                terminal_party: "terminal".into(),
                time_zone: "Asia/Shanghai".into(),
                goods_location_codes: vec![LOCATION.into()],
                bonded: false,
            },
        )
        .await;
    }

    /// The bonded centre.
    pub async fn centre(&self) {
        self.tell_site(
            1,
            gate::Site {
                site_id: CENTRE.into(),
                name: "Guoyuan bonded logistics centre".into(),
                terminal_party: "centre-gate".into(),
                time_zone: "Asia/Shanghai".into(),
                goods_location_codes: vec![CENTRE_LOCATION.into()],
                bonded: true,
            },
        )
        .await;
    }

    async fn tell_site(&self, version: u64, site: gate::Site) {
        let key = site.site_id.clone();
        let event = gate::SiteEvent {
            version,
            recorded_at: None,
            site: Some(site),
        };
        self.fabric
            .apply(
                "gate.site",
                &key,
                "greenlane.gate.site.changed",
                event.encode_to_vec(),
            )
            .await
            .unwrap();
    }

    /// How a decrease list of a trader stands, as bonded said before customs kept references.
    pub async fn list(&self, number: &str, version: u64, state: &str, trader: &str) {
        self.list_under("", number, version, state, trader).await;
    }

    /// How a list of a trader stands that is to go with the declaration of this reference, as bonded says.
    pub async fn list_under(
        &self,
        lrn: &str,
        number: &str,
        version: u64,
        state: &str,
        trader: &str,
    ) {
        let fact = match state {
            "POSTED" => bonded::StockListFact::Posted,
            "VOIDED" => bonded::StockListFact::Voided,
            "RESERVED" => bonded::StockListFact::Reserved,
            "APPROVED" => bonded::StockListFact::Approved,
            _ => bonded::StockListFact::VoidAsked,
        };
        let event = bonded::StockListEvent {
            fact: fact.into(),
            observed_at: Some(chassis::convert::timestamp(noon())),
            list: Some(bonded::StockList {
                list_number: number.into(),
                version,
                site_id: CENTRE.into(),
                direction: "DECREASE".into(),
                trader_party: trader.into(),
                declaration_lrn: lrn.into(),
                state: state.into(),
                ..Default::default()
            }),
            ..Default::default()
        };
        self.fabric
            .apply(
                "bonded.stock-list",
                number,
                "greenlane.bonded.stock-list.told",
                event.encode_to_vec(),
            )
            .await
            .unwrap();
    }

    /// Gate's answer to an ask.
    pub async fn answer(&self, ask_id: &str, verdict: gate::AnswerVerdict) {
        let event = gate::AnswerEvent {
            ask_id: ask_id.into(),
            verdict: verdict.into(),
            ..Default::default()
        };
        self.fabric
            .apply(
                "gate.answer",
                ask_id,
                "greenlane.gate.answer.given",
                event.encode_to_vec(),
            )
            .await
            .unwrap();
    }

    pub async fn invalidate(
        &self,
        declaration_id: &str,
    ) -> Result<wire::DeclarationRecord, Status> {
        let request = wire::InvalidateDeclarationRequest {
            request_id: id(),
            declaration_id: declaration_id.into(),
            expected_version: 0,
            reason: "filed in error".into(),
        };
        let response = self.api.invalidate_declaration(officer(request)).await?;
        Ok(response.into_inner().declaration.unwrap())
    }

    /// What gate was asked last about a declaration.
    pub async fn asks(&self, declaration_id: &str) -> Vec<events::InvalidationAsk> {
        let facts = self.facts(declaration_id).await;
        let last = facts.last().and_then(|event| event.declaration.clone());
        last.unwrap().invalidation_asks
    }

    pub async fn guarantee(&self, trader: &str) -> wire::TraderGuarantee {
        let request = wire::GetGuaranteeRequest {
            trader_party: trader.into(),
        };
        let response = self.api.get_guarantee(officer(request)).await.unwrap();
        response.into_inner().guarantee.unwrap()
    }

    pub async fn put_guarantee(
        &self,
        trader: &str,
        units: i64,
        expected_version: u64,
    ) -> Result<wire::TraderGuarantee, Status> {
        let request = wire::PutGuaranteeRequest {
            request_id: id(),
            trader_party: trader.into(),
            amount: Some(pounds(units)),
            reason: "agreed".into(),
            expected_version,
        };
        let response = self.api.put_guarantee(officer(request)).await?;
        Ok(response.into_inner().guarantee.unwrap())
    }

    /// Has an input of a timer decided.
    pub async fn tick(&self, input: Input) {
        let command = Command {
            party: "timer".into(),
            origin: Origin::default(),
            request_id: None,
            fingerprint: [0; 32],
            traceparent: None,
            input,
        };
        let reply = self.fabric.handle().submit("timer", command).await;
        // A timer is owed no answer; what it changed is committed.
        let told = reply.outcome.unwrap_err().message;
        assert_eq!(told, "the service decided without an answer");
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
            arrival_mode: if told.by_truck {
                gate::TransportMode::Truck
            } else {
                gate::TransportMode::Rail
            }
            .into(),
            document_references: told.named.clone(),
            departure_conveyance: told.conveyance.into(),
            departed_with_truck_visit_id: if told.conveyance.is_empty() {
                "GUOYUAN-PORT/truck/9".into()
            } else {
                String::new()
            },
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

pub fn pounds(units: i64) -> common::Money {
    common::Money {
        currency_code: "GBP".into(),
        units,
        nanos: 0,
    }
}

/// A declaration under another procedure: requested and previous.
pub fn under(procedure: &str, declaration: wire::Declaration) -> wire::Declaration {
    let (requested, previous) = procedure.split_at(2);
    let mut declaration = declaration;
    let procedures = declaration
        .items
        .iter_mut()
        .flat_map(|item| &mut item.procedures);
    for code in procedures.filter(|code| !code.previous_code.is_empty()) {
        code.current_code = requested.into();
        code.previous_code = previous.into();
    }
    declaration
}

pub fn noon() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 1, 1, 12, 0, 0).single().unwrap()
}
