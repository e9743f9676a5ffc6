//! A port, a train and some trucks: helpers that read like a scenario.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use chassis::convert::timestamp;
use chassis::{Caller, Role};
use chrono::{DateTime, TimeDelta, Utc};
use fabric::{
    Command, Fabric, FabricConfig, Origin, OutboxRow, ReadLimits, Reads, Service as _, fingerprint,
};
use futures::future::{join, join_all};
use gate::Gate;
use gate::app::{Input, Rules};
use gate::domain::Site;
use gate::grpc::Handlers;
use prost::Message;
use proto::common::v1 as common;
use proto::customs::events::v1 as customs;
use proto::gate::v1 as api;
use proto::gate::v1::gate_service_server::GateService;
use proto::release::events::v1 as release;
use sqlx::PgPool;
use stack::ServiceDatabase;
use tonic::{Request, Status};

pub const PORT: &str = "GUOYUAN-PORT";
pub const CENTRE: &str = "GUOYUAN-BLC";
pub const BOX: &str = "MSKU9070323";
pub const OTHER_BOX: &str = "CSQU3054383";
pub const PLATE: &str = "渝A12345";
/// Fleets have sequential plates.
pub const NEXT_PLATE: &str = "渝A12346";
pub const TRAILER: &str = "渝B9999挂";
pub const DRIVER: &str = "Li Xiaoming";
pub const LICENCE: &str = "500101199001011234";
pub const PHONE: &str = "+8613900000000";
pub const TRAIN: &str = "X8001";
/// How long a condition may take to come true.
pub const DEADLINE: Duration = Duration::from_secs(30);

/// A gate of its own, with its own database.
pub struct World {
    pub fabric: Fabric<Gate>,
    pub handlers: Handlers,
    pub pool: PgPool,
    pub reads: Reads,
    /// As the role that owns the tables.
    pub database: ServiceDatabase,
    versions: Mutex<BTreeMap<String, u64>>,
}

/// A person of a development party, as the token says.
pub fn who(party: &str) -> Caller {
    let (role, sites): (Role, &[&str]) = match party {
        "terminal" => (Role::Terminal, &[PORT]),
        "centre-gate" => (Role::Terminal, &[CENTRE]),
        "officer-1" | "officer-2" => (Role::Officer, &[]),
        "operator" => (Role::Operator, &[CENTRE]),
        "line-a" | "line-b" => (Role::Line, &[]),
        _ => (Role::Haulier, &[]),
    };
    Caller {
        subject: format!("clerk of {party}"),
        party: party.into(),
        roles: [role].into(),
        sites: sites.iter().map(|site| (*site).to_owned()).collect(),
        address: None,
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

/// The first stay of a container at the port.
pub fn visit(container: &str) -> String {
    format!("{PORT}/{container}/1")
}

pub fn kilograms(value: &str) -> Option<common::Quantity> {
    Some(common::Quantity {
        value: value.into(),
        unit_code: "KGM".into(),
    })
}

pub fn vehicle(plate: &str) -> Option<api::Vehicle> {
    Some(api::Vehicle {
        tractor: Some(api::Plate {
            text: plate.into(),
            country_code: String::new(),
        }),
        trailer: None,
    })
}

pub fn with_trailer(tractor: &str, trailer: &str) -> Option<api::Vehicle> {
    Some(api::Vehicle {
        trailer: Some(api::Plate {
            text: trailer.into(),
            country_code: String::new(),
        }),
        ..vehicle(tractor).unwrap()
    })
}

/// A filing to be changed a little.
pub fn filing(
    kind: api::PreArrivalKind,
    plate: &str,
    containers: &[&str],
) -> api::SubmitPreArrivalRequest {
    api::SubmitPreArrivalRequest {
        request_id: fresh(),
        site_id: PORT.into(),
        kind: kind.into(),
        vehicle: vehicle(plate),
        driver: Some(api::Driver {
            name: DRIVER.into(),
            licence: LICENCE.into(),
            phone: PHONE.into(),
        }),
        containers: containers
            .iter()
            .map(|number| api::PreArrivalContainer {
                container_number: (*number).into(),
                ..Default::default()
            })
            .collect(),
        planned_arrival: Some(timestamp(Utc::now() + TimeDelta::minutes(10))),
        ..Default::default()
    }
}

/// A truck at the way in, to be changed a little.
pub fn at_the_lane(plate: &str, containers: &[&str], carrier: &str) -> api::CheckInRequest {
    api::CheckInRequest {
        request_id: fresh(),
        site_id: PORT.into(),
        lane: "IN-1".into(),
        vehicle: vehicle(plate),
        container_numbers: containers
            .iter()
            .map(|number| (*number).to_owned())
            .collect(),
        carrier_party: carrier.into(),
        ..Default::default()
    }
}

/// A truck at the way out, to be changed a little.
pub fn at_the_exit(plate: &str, containers: &[&str]) -> api::CheckOutRequest {
    api::CheckOutRequest {
        request_id: fresh(),
        site_id: PORT.into(),
        lane: "OUT-1".into(),
        vehicle: vehicle(plate),
        container_numbers: containers
            .iter()
            .map(|number| (*number).to_owned())
            .collect(),
        ..Default::default()
    }
}

/// The codes of some conditions, sorted.
pub fn codes(conditions: &[common::Condition]) -> Vec<&str> {
    let mut codes: Vec<&str> = conditions
        .iter()
        .map(|condition| condition.code.as_str())
        .collect();
    codes.sort_unstable();
    codes
}

/// The catalogue's reason of a refusal.
pub fn reason(status: &Status) -> String {
    chassis::from_status(status).reason
}

/// The faults' codes of a refusal.
pub fn faults(status: &Status) -> Vec<String> {
    chassis::from_status(status)
        .faults
        .into_iter()
        .map(|fault| fault.code)
        .collect()
}

impl World {
    /// The model sites and both hauliers; nothing heard of the others since the start.
    pub async fn new() -> Self {
        Self::with(TimeDelta::hours(4), 1, |_| {}).await
    }

    /// As [`World::new`], where nothing but gate's own filters keeps readers from rows.
    pub async fn by_filters_alone() -> Self {
        let world = Self::new().await;
        stack::without_row_security(&world.database).await;
        world
    }

    /// As [`World::new`], at a port that wants a weight.
    pub async fn that_weighs() -> Self {
        Self::with(TimeDelta::hours(4), 1, |site| {
            site.weight.policy = gate::domain::site::WeightPolicy::ReviewAbsent;
        })
        .await
    }

    pub async fn with(
        expiry_grace: TimeDelta,
        writers: u32,
        change: impl Fn(&mut Site) + Send,
    ) -> Self {
        let database = stack::for_tests()
            .await
            .database("gate", async |owner| Ok(gate::migrate(owner).await?))
            .await;
        let rules = Rules {
            expiry_grace,
            decision_age_max: Duration::from_secs(60),
            gone_after: TimeDelta::days(7),
            driver_retention: TimeDelta::days(30),
        };
        let service = Arc::new(Gate { rules });
        let consumes = service.consumes();
        let config = FabricConfig {
            writers,
            ..FabricConfig::for_brokers("none:9092", "")
        };
        let fabric = Fabric::start_without_broker(service, config, &database.service_url)
            .await
            .unwrap();
        let pool = PgPool::connect(&database.service_url).await.unwrap();
        let reads = Reads::open("gate", &database.service_url, ReadLimits::FEW).unwrap();
        let handlers = Handlers::new(
            fabric.handle(),
            fabric.admin(),
            reads.clone(),
            consumes,
            rules.decision_age_max,
        );
        let world = Self {
            fabric,
            handlers,
            pool,
            reads,
            database,
            versions: Mutex::default(),
        };
        let sites = gate::seed::sites().unwrap().into_iter().map(|mut site| {
            change(&mut site);
            world.declare(site)
        });
        let parties = ["haulier-a", "haulier-b"].map(|party| world.party(party, false));
        join(join_all(sites), join_all(parties)).await;
        world
    }

    pub async fn declare(&self, site: Site) {
        let command = Command {
            party: "seed".into(),
            origin: Origin::default(),
            request_id: Some(kernel::new_id()),
            fingerprint: fingerprint("DeclareSite", site.site_id.as_bytes()),
            traceparent: None,
            input: Input::DeclareSite(site),
        };
        let reply = self.fabric.handle().submit("site", command).await;
        reply.outcome.unwrap();
    }

    /// The next version of a fact about this subject.
    pub fn next(&self, subject: &str) -> u64 {
        let mut versions = self.versions.lock().unwrap();
        let version = versions.entry(subject.to_owned()).or_default();
        *version += 1;
        *version
    }

    pub async fn apply(&self, topic: &str, key: &str, event: &impl Message) {
        let given = self
            .fabric
            .apply(topic, key, "greenlane.test", event.encode_to_vec());
        given.await.unwrap();
    }

    // What customs and release tell.

    pub async fn party(&self, party: &str, suspended: bool) {
        let event = customs::PartyEvent {
            recorded_at: Some(timestamp(Utc::now())),
            fact: Some(customs::party_event::Fact::Party(customs::Party {
                party_id: party.into(),
                name: party.into(),
                version: self.next(party),
                suspended,
                ..Default::default()
            })),
        };
        self.apply("customs.party", party, &event).await;
    }

    /// haulier-b may carry for haulier-a since an hour; or no longer.
    pub async fn nominated(&self, revoked: bool) {
        let since = Utc::now() - TimeDelta::hours(1);
        self.mandate(&["CARRY"], since, None, revoked).await;
    }

    /// haulier-b may carry these containers for haulier-a since an hour.
    pub async fn nominated_for(&self, containers: &[&str]) {
        let since = Utc::now() - TimeDelta::hours(1);
        self.tell_mandate(customs::Mandate {
            actions: vec!["CARRY".into()],
            valid_from: Some(timestamp(since)),
            containers: containers
                .iter()
                .map(|number| (*number).to_owned())
                .collect(),
            ..Default::default()
        })
        .await;
    }

    /// A mandate of haulier-a for haulier-b, from then on; until when, and whether it was revoked.
    pub async fn mandate(
        &self,
        actions: &[&str],
        from: DateTime<Utc>,
        until: Option<DateTime<Utc>>,
        revoked: bool,
    ) {
        self.tell_mandate(customs::Mandate {
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            valid_from: Some(timestamp(from)),
            valid_until: until.map(timestamp),
            revoked_at: revoked.then(|| timestamp(Utc::now())),
            ..Default::default()
        })
        .await;
    }

    /// The first word on that mandate once more: it carries from an hour ago on.
    pub async fn first_word_on_mandate(&self) {
        self.tell_mandate(customs::Mandate {
            version: 1,
            actions: vec!["CARRY".into()],
            valid_from: Some(timestamp(Utc::now() - TimeDelta::hours(1))),
            ..Default::default()
        })
        .await;
    }

    /// Without a version it is the next.
    async fn tell_mandate(&self, mandate: customs::Mandate) {
        let version = match mandate.version {
            0 => self.next("mandate-1"),
            told => told,
        };
        let event = customs::PartyEvent {
            recorded_at: Some(timestamp(Utc::now())),
            fact: Some(customs::party_event::Fact::Mandate(customs::Mandate {
                mandate_id: "mandate-1".into(),
                version,
                grantor_party: "haulier-a".into(),
                agent_party: "haulier-b".into(),
                ..mandate
            })),
        };
        self.apply("customs.party", "haulier-a", &event).await;
    }

    /// Release's word on a stay at this instant, and its partition's watermark.
    pub async fn decided(&self, container_visit_id: &str, state: &str, haulier: &str, ask: &str) {
        let version = self.next(container_visit_id);
        let event = decision(container_visit_id, version, state, haulier, ask);
        self.apply("release.decision", container_visit_id, &event)
            .await;
    }

    pub async fn granted(&self, container: &str, haulier: &str) {
        self.decided(&visit(container), "GRANTED", haulier, "")
            .await;
    }

    /// Release lets a container's first stay be loaded.
    pub async fn may_load(&self, container: &str) {
        self.export_decided(container, "GRANTED", "").await;
    }

    /// Release's word on the loading of a container's first stay.
    pub async fn export_decided(&self, container: &str, state: &str, ask: &str) {
        let stay = visit(container);
        let mut event = decision(&stay, self.next(&stay), state, "", ask);
        if let Some(decision) = event.decision.as_mut() {
            decision.journey = "EXPORT".into();
        }
        self.apply("release.decision", &stay, &event).await;
    }

    /// Customs' word on a declaration: its LRN is its id, its MRN is none, its filer is the broker.
    pub async fn declared(&self, id: &str, state: &str, containers: &[&str]) {
        self.declared_as(id, containers, |declaration| {
            declaration.state = state.into();
        })
        .await;
    }

    /// As [`World::declared`], REGISTERED and changed a little.
    pub async fn declared_as(
        &self,
        id: &str,
        containers: &[&str],
        change: impl Fn(&mut customs::DeclarationState),
    ) {
        let now = Some(timestamp(Utc::now()));
        let mut declaration = customs::DeclarationState {
            declaration_id: id.into(),
            version: self.next(id),
            lrn: id.into(),
            type_code: "EXD".into(),
            procedure_kind: "EXPORT".into(),
            filer_party: "broker-a".into(),
            state: "REGISTERED".into(),
            containers: containers.iter().map(|c| (*c).to_owned()).collect(),
            ..Default::default()
        };
        change(&mut declaration);
        let event = customs::DeclarationEvent {
            observed_at: now,
            recorded_at: now,
            declaration: Some(declaration),
            ..Default::default()
        };
        self.apply("customs.declaration", id, &event).await;
    }

    /// What customs says of each declaration of a container's first stay.
    pub async fn cleared(
        &self,
        container: &str,
        declarations: &[(&str, common::InspectionRequired)],
    ) {
        let key = format!("container/{container}");
        let event = customs::ClearanceEvent {
            version: self.next(&key),
            recorded_at: Some(timestamp(Utc::now())),
            consignments: declarations
                .iter()
                .map(|(declaration, inspection)| customs::ConsignmentClearance {
                    declaration_id: (*declaration).into(),
                    container_visit_id: visit(container),
                    inspection_required: (*inspection).into(),
                    released: true,
                    ..Default::default()
                })
                .collect(),
            key: key.clone(),
        };
        self.apply("customs.clearance", &key, &event).await;
    }

    pub async fn inspection(&self, container: &str, inspection: common::InspectionRequired) {
        let declaration = format!("declaration of {container}");
        self.cleared(container, &[(&declaration, inspection)]).await;
    }

    /// A hold of customs or release, placed or lifted.
    pub async fn told_hold(
        &self,
        service: &str,
        id: &str,
        scope: (common::HoldScopeKind, &str),
        lifted: bool,
    ) {
        let kind = if service == "customs" {
            common::HoldKind::Customs
        } else {
            common::HoldKind::Commercial
        };
        let now = Some(timestamp(Utc::now()));
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
                    kind: scope.0.into(),
                    key: scope.1.into(),
                }),
                kind: kind.into(),
                placed_by_party: "officer-1".into(),
                placed_by_subject: "an officer".into(),
                reason: "to be looked at".into(),
                placed_at: now,
                lifted_at: now.filter(|_| lifted),
                ..Default::default()
            }),
            observed_at: now,
            recorded_at: now,
        };
        let word = match scope.0 {
            common::HoldScopeKind::ContainerVisit => "container-visit",
            common::HoldScopeKind::Declaration => "declaration",
            common::HoldScopeKind::StockList => "stock-list",
            common::HoldScopeKind::Plate => "plate",
            _ => "party",
        };
        let key = format!("{word}/{}", scope.1);
        self.apply(&format!("{service}.hold"), &key, &event).await;
    }

    /// Customs and release were heard so many seconds ago.
    pub async fn heard_seconds_ago(&self, seconds: i32) {
        sqlx::query(
            "update fabric.position
             set watermark_stamped_at = clock_timestamp() - make_interval(secs => $1),
                 watermark_received_at = clock_timestamp() - make_interval(secs => $1),
                 watermark_epoch = epoch, watermark_acked_seq = 0",
        )
        .bind(f64::from(seconds))
        .execute(&self.pool)
        .await
        .unwrap();
    }

    pub async fn hears(&self) {
        self.heard_seconds_ago(0).await;
    }

    /// The partition of this key has stopped, as the loop stops it when its history does not fit; or goes on.
    pub async fn stop(&self, topic: &str, key: &str, stopped: bool) {
        let done = sqlx::query(
            "update fabric.position set stopped_because = case when $3 then 'another history' end
             where topic = $1 and partition = $2",
        )
        .bind(topic)
        .bind(i32::try_from(fabric::partition_of(key)).unwrap())
        .bind(stopped)
        .execute(&self.pool)
        .await
        .unwrap();
        assert_eq!(done.rows_affected(), 1, "{topic} {key}");
    }

    /// Parks a key as the loop would: without telling the service.
    pub async fn park(&self, topic: &str, key: &str) {
        sqlx::query(
            "insert into fabric.parked (event_id, topic, partition, epoch, seq, key, event_type, payload, cause, parked_at)
             values ($1 || '/' || $2, $1, 0, 1, 1, $2, 'test', '', 'cannot be read', now())",
        )
        .bind(topic)
        .bind(key)
        .execute(&self.pool)
        .await
        .unwrap();
    }

    /// As an operator who discards whatever is parked.
    pub async fn give_up_parked(&self) {
        sqlx::query("delete from fabric.parked")
            .execute(&self.pool)
            .await
            .unwrap();
    }

    // What the terminal does.

    pub async fn announce(&self, train: &str, containers: &[&str]) -> Vec<api::ListLineResult> {
        let containers = containers
            .iter()
            .map(|number| announced(number, "TD-1", "line-a"))
            .collect();
        self.announce_lines(train, containers).await
    }

    pub async fn announce_lines(
        &self,
        train: &str,
        containers: Vec<api::AnnouncedContainer>,
    ) -> Vec<api::ListLineResult> {
        let request = api::AnnounceArrivalRequest {
            request_id: fresh(),
            site_id: PORT.into(),
            mode: api::TransportMode::Rail.into(),
            conveyance: train.into(),
            containers,
            ..Default::default()
        };
        let response = self
            .handlers
            .announce_arrival(call("terminal", request))
            .await;
        response.unwrap().into_inner().results
    }

    pub async fn land(
        &self,
        train: &str,
        containers: Vec<api::LandedContainer>,
        complete: bool,
    ) -> Vec<api::ListLineResult> {
        let request = api::RecordArrivalRequest {
            request_id: fresh(),
            site_id: PORT.into(),
            mode: api::TransportMode::Rail.into(),
            conveyance: train.into(),
            containers,
            complete,
            ..Default::default()
        };
        let response = self
            .handlers
            .record_arrival(call("terminal", request))
            .await;
        response.unwrap().into_inner().results
    }

    pub async fn load(
        &self,
        train: &str,
        containers: Vec<api::LoadedContainer>,
    ) -> Vec<api::ListLineResult> {
        let request = api::RecordLoadingRequest {
            request_id: fresh(),
            site_id: PORT.into(),
            mode: api::TransportMode::Rail.into(),
            conveyance: train.into(),
            containers,
            ..Default::default()
        };
        let response = self
            .handlers
            .record_loading(call("terminal", request))
            .await;
        response.unwrap().into_inner().results
    }

    pub async fn depart(&self, train: &str, containers: &[&str]) -> Vec<api::ListLineResult> {
        self.try_depart(train, containers).await.unwrap()
    }

    pub async fn try_depart(
        &self,
        train: &str,
        containers: &[&str],
    ) -> Result<Vec<api::ListLineResult>, Status> {
        let request = api::RecordDepartureRequest {
            request_id: fresh(),
            site_id: PORT.into(),
            mode: api::TransportMode::Rail.into(),
            conveyance: train.into(),
            container_numbers: containers.iter().map(|c| (*c).to_owned()).collect(),
            ..Default::default()
        };
        let response = self
            .handlers
            .record_departure(call("terminal", request))
            .await;
        Ok(response?.into_inner().results)
    }

    /// The terminal says whether a container's first stay can be picked up.
    pub async fn available(&self, container: &str, available: bool) {
        let request = api::SetAvailabilityRequest {
            request_id: fresh(),
            container_visit_id: visit(container),
            available,
            ..Default::default()
        };
        let set = self.handlers.set_availability(call("terminal", request));
        set.await.unwrap();
    }

    /// Came by train, laden, and can be picked up; customs wants no inspection.
    pub async fn arrived(&self, containers: &[&str]) {
        self.announce(TRAIN, containers).await;
        let landed = containers.iter().map(|number| landed(number)).collect();
        self.land(TRAIN, landed, false).await;
        for container in containers {
            self.available(container, true).await;
            self.inspection(container, common::InspectionRequired::No)
                .await;
        }
    }

    pub async fn try_hold(
        &self,
        party: &str,
        scope: (common::HoldScopeKind, &str),
    ) -> Result<common::Hold, Status> {
        let request = api::PlaceHoldRequest {
            request_id: fresh(),
            site_id: who(party).sites.first().cloned().unwrap_or_default(),
            scope: Some(common::HoldScope {
                kind: scope.0.into(),
                key: scope.1.into(),
            }),
            kind: common::HoldKind::Terminal.into(),
            reason: "damaged".into(),
            ..Default::default()
        };
        let response = self.handlers.place_hold(call(party, request)).await?;
        Ok(response.into_inner().hold.unwrap())
    }

    pub async fn hold(&self, kind: common::HoldScopeKind, key: &str) -> common::Hold {
        self.try_hold("terminal", (kind, key)).await.unwrap()
    }

    pub async fn lift(&self, hold: &common::Hold) {
        let request = api::LiftHoldRequest {
            request_id: fresh(),
            hold_id: hold.hold_id.clone(),
            reason: "mended".into(),
        };
        self.handlers
            .lift_hold(call("terminal", request))
            .await
            .unwrap();
    }

    // What the hauliers do.

    pub async fn try_file(
        &self,
        haulier: &str,
        filing: api::SubmitPreArrivalRequest,
    ) -> Result<api::PreArrival, Status> {
        let response = self
            .handlers
            .submit_pre_arrival(call(haulier, filing))
            .await?;
        Ok(response.into_inner().pre_arrival.unwrap())
    }

    /// haulier-a files.
    pub async fn file(
        &self,
        kind: api::PreArrivalKind,
        plate: &str,
        containers: &[&str],
    ) -> api::PreArrival {
        let filing = filing(kind, plate, containers);
        self.try_file("haulier-a", filing).await.unwrap()
    }

    /// A container at the port, granted to haulier-a, who has filed for it and may come; both are heard.
    pub async fn ready(&self, containers: &[&str]) -> api::PreArrival {
        self.arrived(containers).await;
        for container in containers {
            self.granted(container, "haulier-a").await;
        }
        self.hears().await;
        let filed = self
            .file(api::PreArrivalKind::FullOut, PLATE, containers)
            .await;
        assert_eq!(
            filed.state(),
            api::PreArrivalState::Ready,
            "{:?}",
            filed.conditions
        );
        filed
    }

    /// As [`World::ready`], and the truck is inside.
    pub async fn inside(&self, containers: &[&str]) -> api::TruckVisit {
        self.ready(containers).await;
        let truck = self.check_in(PLATE, containers, "haulier-a").await;
        assert_eq!(
            truck.state(),
            api::TruckVisitState::GatedIn,
            "{:?}",
            truck.conditions
        );
        truck
    }

    pub async fn pre_arrival(&self, filed: &api::PreArrival) -> api::PreArrival {
        let request = api::GetPreArrivalRequest {
            pre_arrival_id: filed.pre_arrival_id.clone(),
        };
        let response = self
            .handlers
            .get_pre_arrival(call("officer-1", request))
            .await;
        response.unwrap().into_inner().pre_arrival.unwrap()
    }

    // What happens at the lane.

    pub async fn try_check_in(
        &self,
        request: api::CheckInRequest,
    ) -> Result<api::CheckInResponse, Status> {
        let response = self.handlers.check_in(call("terminal", request)).await?;
        Ok(response.into_inner())
    }

    pub async fn check_in(
        &self,
        plate: &str,
        containers: &[&str],
        carrier: &str,
    ) -> api::TruckVisit {
        let request = at_the_lane(plate, containers, carrier);
        self.try_check_in(request)
            .await
            .unwrap()
            .truck_visit
            .unwrap()
    }

    pub async fn try_check_out(
        &self,
        request: api::CheckOutRequest,
    ) -> Result<api::CheckOutResponse, Status> {
        let response = self.handlers.check_out(call("terminal", request)).await?;
        Ok(response.into_inner())
    }

    pub async fn check_out(&self, plate: &str, containers: &[&str]) -> api::CheckOutResponse {
        self.try_check_out(at_the_exit(plate, containers))
            .await
            .unwrap()
    }

    pub async fn review(
        &self,
        truck: &api::TruckVisit,
        verdict: api::ReviewVerdict,
        reason: &str,
    ) -> Result<api::TruckVisit, Status> {
        self.review_at(truck, verdict, reason, 0).await
    }

    /// As [`World::review`], by a person who saw this version.
    pub async fn review_at(
        &self,
        truck: &api::TruckVisit,
        verdict: api::ReviewVerdict,
        reason: &str,
        expected_version: u64,
    ) -> Result<api::TruckVisit, Status> {
        let request = api::DecideReviewRequest {
            request_id: fresh(),
            truck_visit_id: truck.truck_visit_id.clone(),
            verdict: verdict.into(),
            reason: reason.into(),
            expected_version,
        };
        let response = self
            .handlers
            .decide_review(call("terminal", request))
            .await?;
        Ok(response.into_inner().truck_visit.unwrap())
    }

    pub async fn order(
        &self,
        party: &str,
        truck: &api::TruckVisit,
        sites: &[&str],
    ) -> api::OrderInspectionResponse {
        let request = api::OrderInspectionRequest {
            request_id: fresh(),
            truck_visit_id: truck.truck_visit_id.clone(),
            inspection_sites: sites.iter().map(|site| (*site).to_owned()).collect(),
            reason: "a random check".into(),
            expected_version: 0,
        };
        let response = self.handlers.order_inspection(call(party, request)).await;
        response.unwrap().into_inner()
    }

    pub async fn inspect(
        &self,
        party: &str,
        truck: &api::TruckVisit,
        inspection_id: &str,
        site: &str,
        result: api::InspectionResult,
    ) -> Result<api::TruckVisit, Status> {
        let request = api::RecordInspectionRequest {
            request_id: fresh(),
            truck_visit_id: truck.truck_visit_id.clone(),
            inspection_id: inspection_id.into(),
            inspection_site: site.into(),
            result: result.into(),
            ..Default::default()
        };
        let response = self
            .handlers
            .record_inspection(call(party, request))
            .await?;
        Ok(response.into_inner().truck_visit.unwrap())
    }

    pub async fn truck(&self, truck: &api::TruckVisit) -> api::TruckVisit {
        let request = api::GetTruckVisitRequest {
            truck_visit_id: truck.truck_visit_id.clone(),
        };
        let response = self
            .handlers
            .get_truck_visit(call("officer-1", request))
            .await;
        response.unwrap().into_inner().truck_visit.unwrap()
    }

    pub async fn container(&self, container_visit_id: &str) -> api::ContainerVisit {
        let request = api::GetContainerVisitRequest {
            container_visit_id: container_visit_id.into(),
        };
        let response = self
            .handlers
            .get_container_visit(call("officer-1", request))
            .await;
        response.unwrap().into_inner().container_visit.unwrap()
    }

    // What gate tells.

    pub async fn told(&self, topic: &str) -> Vec<OutboxRow> {
        let rows = self.fabric.outbox().await.unwrap();
        rows.into_iter().filter(|row| row.topic == topic).collect()
    }

    /// The last words of the event types about one key, in order.
    pub async fn story(&self, topic: &str, key: &str) -> Vec<String> {
        let rows = self.told(topic).await.into_iter();
        rows.filter(|row| row.key == key)
            .map(|row| {
                row.event_type
                    .rsplit('.')
                    .next()
                    .unwrap_or_default()
                    .to_owned()
            })
            .collect()
    }

    /// Every row of gate's own tables and of the outbox, as text.
    pub async fn tables(&self) -> BTreeMap<String, Vec<String>> {
        let names: Vec<String> = sqlx::query_scalar(
            "select table_schema || '.' || table_name from information_schema.tables
             where table_schema in ('public', 'fabric') and table_type = 'BASE TABLE'
               and table_name not like '\\_sqlx%' and table_name <> 'audit' and has_table_privilege(table_schema || '.' || table_name, 'select')",
        )
        .fetch_all(&self.pool)
        .await
        .unwrap();
        let mut tables = BTreeMap::new();
        for name in names {
            // That something was asked is on record, also where nothing came of it.
            let statement = format!(
                "select r::text from {name} r where r::text not like '(gate.audit,%' order by 1"
            );
            let rows: Vec<String> = sqlx::query_scalar(sqlx::AssertSqlSafe(statement))
                .fetch_all(&self.pool)
                .await
                .unwrap();
            tables.insert(name, rows);
        }
        tables
    }

    /// Waits until a truck visit is in this state.
    pub async fn until_truck(&self, truck: &api::TruckVisit, state: api::TruckVisitState) {
        let begin = Instant::now();
        while self.truck(truck).await.state() != state {
            assert!(begin.elapsed() < DEADLINE, "{state:?} was not reached");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Waits until a filing is in this state.
    pub async fn until(&self, filed: &api::PreArrival, state: api::PreArrivalState) {
        let begin = Instant::now();
        while self.pre_arrival(filed).await.state() != state {
            assert!(begin.elapsed() < DEADLINE, "{state:?} was not reached");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

pub fn announced(
    number: &str,
    transport_document: &str,
    line_party: &str,
) -> api::AnnouncedContainer {
    api::AnnouncedContainer {
        container_number: number.into(),
        size_type: "22G1".into(),
        seals: vec!["S1".into()],
        manifest_lines: vec![api::ManifestLine {
            transport_document: transport_document.into(),
            line_party: line_party.into(),
            packages: Some(10),
            ..Default::default()
        }],
        ..Default::default()
    }
}

/// A container lifted on, with the seal that it came with.
pub fn lifted(number: &str) -> api::LoadedContainer {
    api::LoadedContainer {
        container_number: number.into(),
        seals_found: vec!["S1".into()],
    }
}

/// A laden container brought for export on these declarations, to be changed a little.
pub fn full_in(
    plate: &str,
    containers: &[&str],
    references: &[&str],
) -> api::SubmitPreArrivalRequest {
    let filing = filing(api::PreArrivalKind::FullIn, plate, containers);
    api::SubmitPreArrivalRequest {
        containers: filing
            .containers
            .into_iter()
            .map(|container| api::PreArrivalContainer {
                seals: vec!["S1".into()],
                verified_mass: kilograms("20000"),
                ..container
            })
            .collect(),
        document_references: references.iter().map(|r| (*r).to_owned()).collect(),
        ..filing
    }
}

pub fn landed(number: &str) -> api::LandedContainer {
    api::LandedContainer {
        container_number: number.into(),
        seals_found: vec!["S1".into()],
        ..Default::default()
    }
}

pub fn decision(
    container_visit_id: &str,
    version: u64,
    state: &str,
    haulier: &str,
    ask: &str,
) -> release::DecisionEvent {
    let now = Some(timestamp(Utc::now()));
    release::DecisionEvent {
        observed_at: now,
        recorded_at: now,
        decision: Some(release::Decision {
            container_visit_id: container_visit_id.into(),
            version,
            site_id: PORT.into(),
            state: state.into(),
            haulier_party: haulier.into(),
            ask_id: ask.into(),
            ..Default::default()
        }),
        ..Default::default()
    }
}
