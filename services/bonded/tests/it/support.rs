//! A bonded service for one test, without a broker: parties are given by hand, facts read
//! from the outbox.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use bonded::app::Input;
use bonded::domain::Rules;
use bonded::domain::actor::Actor;
use bonded::domain::line::{AddBookLine, LineId, WrittenLine};
use bonded::domain::opening::PostOpening;
use bonded::grpc::Api;
use bonded::{Bonded, Config};
use chassis::{Caller, Role};
use chrono::{DateTime, NaiveDate, Utc};
use fabric::{Command, Fabric, FabricConfig, OutboxRow, Reply, fingerprint};
use kernel::{Quantity, Refusal, new_id};
use prost::Message;
use proto::bonded::events::v1::BookEvent;
use proto::bonded::v1 as wire;
use proto::bonded::v1::bonded_service_server::BondedService;
use proto::customs::events::v1 as customs;
use sqlx::{Connection, PgConnection, PgPool};
use stack::ServiceDatabase;
use tonic::{Request, Status};

/// What a test waits for comes within this time or not at all.
pub const DEADLINE: Duration = Duration::from_secs(60);
pub const CENTRE: &str = "GUOYUAN-BLC";
pub const BOOK_A: &str = "BOOKTRADERA1";
pub const BOOK_B: &str = "BOOKTRADERB1";

pub struct Harness {
    pub fabric: Fabric<Bonded>,
    pub api: Api,
    pub database: ServiceDatabase,
    pub pool: PgPool,
}

pub fn rules() -> Rules {
    Rules {
        centres: BTreeSet::from([CENTRE.to_owned()]),
        storage_limit_months: 24,
    }
}

pub async fn database() -> ServiceDatabase {
    stack::for_tests()
        .await
        .database("bonded", async |owner_url| {
            Ok(bonded::migrate(owner_url).await?)
        })
        .await
}

/// The default configuration, for the database; what must be set is set.
pub fn config(database: &ServiceDatabase) -> Config {
    let variables = [
        ("BONDED_DATABASE__URL", database.service_url.as_str()),
        ("BONDED_FABRIC__BROKERS", "127.0.0.1:9"),
        (
            "BONDED_IDENTITY__ISSUERS",
            r#"[{issuer = "https://issuer.invalid", audience = "greenlane", jwks_file = "/dev/null"}]"#,
        ),
        ("BONDED_DATABASE__READ_CONNECTIONS_MAX", "3"),
    ];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    chassis::config::load_with(bonded::CONFIG_DEFAULT, None, "BONDED", variables).unwrap()
}

const READ_LIMITS: fabric::ReadLimits = fabric::ReadLimits {
    connections_max: 4,
    statement_timeout_ms: 10_000,
    lock_timeout_ms: 5_000,
    idle_in_transaction_timeout_ms: 10_000,
};

impl Harness {
    /// An empty service that knows nobody.
    pub async fn empty() -> Self {
        let database = database().await;
        let fabric = Fabric::start_without_broker(
            Arc::new(Bonded::new(rules())),
            FabricConfig::for_brokers("none", ""),
            &database.service_url,
        )
        .await
        .unwrap();
        let pool = fabric::reads("bonded", &database.service_url, READ_LIMITS).unwrap();
        let api = Api::new(fabric.handle(), pool.clone(), rules());
        Self {
            fabric,
            api,
            database,
            pool,
        }
    }

    /// Two traders with a book each, and a line of manioc in both.
    pub async fn with_books() -> Self {
        let harness = Self::empty().await;
        for (party, number) in [("trader-a", BOOK_A), ("trader-b", BOOK_B)] {
            harness.register(party, 1, &["trader"], false).await;
            harness.open(party, number).await.unwrap();
            harness.add_line(party, number).await.unwrap();
        }
        harness
    }

    /// Customs names a party.
    pub async fn register(&self, party: &str, version: u64, roles: &[&str], suspended: bool) {
        let event = customs::PartyEvent {
            recorded_at: None,
            fact: Some(customs::party_event::Fact::Party(customs::Party {
                party_id: party.to_owned(),
                version,
                name: party.to_owned(),
                roles: roles.iter().map(|role| (*role).to_owned()).collect(),
                identifiers: Vec::new(),
                suspended,
            })),
        };
        self.fabric
            .apply(
                "customs.party",
                party,
                "greenlane.customs.party.changed",
                event.encode_to_vec(),
            )
            .await
            .unwrap();
    }

    /// Opens a book through the API.
    pub async fn open(&self, party: &str, number: &str) -> Result<wire::Book, Status> {
        let request = wire::OpenBookRequest {
            request_id: id(),
            site_id: CENTRE.into(),
            book_number: number.into(),
            ..Default::default()
        };
        let answer = self.api.open_book(as_trader(party, request)).await?;
        Ok(answer.into_inner().book.unwrap())
    }

    /// Adds a line of manioc through the API.
    pub async fn add_line(&self, party: &str, number: &str) -> Result<wire::BookLine, Status> {
        let answer = self
            .api
            .add_book_line(as_trader(party, manioc(number)))
            .await?;
        Ok(answer.into_inner().line.unwrap())
    }

    /// Takes stock over on line 1 of a book, by request id.
    pub async fn post(&self, request_id: uuid::Uuid, opening: PostOpening) -> Reply {
        let command = Command {
            party: opening.actor.party.clone(),
            request_id: Some(request_id),
            fingerprint: fingerprint("test", request_id.as_bytes()),
            traceparent: None,
            input: Input::PostOpening(opening),
        };
        self.fabric.handle().submit("test", command).await
    }

    /// Takes stock over and gives the movement.
    pub async fn take_over(&self, opening: PostOpening) -> Result<wire::Movement, Refusal> {
        let reply = self.post(new_id(), opening).await;
        reply
            .outcome
            .map(|bytes| wire::Movement::decode(bytes).unwrap())
    }

    /// A command that does not go through the API, so that its refusal can be read whole.
    pub async fn decide(&self, party: &str, input: Input) -> Result<Vec<u8>, Refusal> {
        let command = Command {
            party: party.to_owned(),
            request_id: Some(new_id()),
            fingerprint: [0; 32],
            traceparent: None,
            input,
        };
        self.fabric
            .handle()
            .submit("test", command)
            .await
            .outcome
            .map(|bytes| bytes.to_vec())
    }

    /// Every stock row that matches.
    pub async fn stock(
        &self,
        request: Request<wire::GetStockRequest>,
    ) -> Result<Vec<wire::StockRow>, Status> {
        let answer = self.api.get_stock(request).await?.into_inner();
        assert_eq!(answer.next_page_token, "");
        Ok(answer.rows)
    }

    pub async fn movements(&self, party: &str, number: &str) -> Vec<wire::Movement> {
        let request = wire::ListMovementsRequest {
            book_number: number.into(),
            ..Default::default()
        };
        self.api
            .list_movements(as_trader(party, request))
            .await
            .unwrap()
            .into_inner()
            .movements
    }

    pub async fn verify(
        &self,
        party: &str,
        number: &str,
        known_head: Option<wire::ChainHead>,
    ) -> wire::VerifyChainResponse {
        let request = wire::VerifyChainRequest {
            book_number: number.into(),
            known_head,
        };
        self.api
            .verify_chain(as_trader(party, request))
            .await
            .unwrap()
            .into_inner()
    }

    /// What was published, in order.
    pub async fn published(&self) -> Vec<(OutboxRow, BookEvent)> {
        let rows = self.fabric.outbox().await.unwrap();
        rows.into_iter()
            .map(|row| {
                let event = BookEvent::decode(row.payload.clone()).unwrap();
                (row, event)
            })
            .collect()
    }

    /// A connection of the role that owns the tables.
    pub async fn owner(&self) -> PgConnection {
        PgConnection::connect(&self.database.owner_url)
            .await
            .unwrap()
    }
}

pub fn id() -> String {
    new_id().to_string()
}

pub fn as_trader<T>(party: &str, message: T) -> Request<T> {
    as_caller(party, Role::Trader, &[], message)
}

pub fn as_operator<T>(site: &str, message: T) -> Request<T> {
    as_caller("operator", Role::Operator, &[site], message)
}

pub fn as_caller<T>(party: &str, role: Role, sites: &[&str], message: T) -> Request<T> {
    let mut request = Request::new(message);
    request.extensions_mut().insert(Arc::new(Caller {
        subject: "clerk".into(),
        party: party.into(),
        roles: BTreeSet::from([role]),
        sites: sites.iter().map(|site| (*site).to_owned()).collect(),
    }));
    request
}

pub fn trader(party: &str) -> Actor {
    Actor {
        party: party.into(),
        subject: "clerk".into(),
        trader: true,
        operated_sites: BTreeSet::new(),
    }
}

pub fn manioc(number: &str) -> wire::AddBookLineRequest {
    wire::AddBookLineRequest {
        request_id: id(),
        validate_only: false,
        book_number: number.into(),
        hs_code: "0714.10.00".into(),
        goods_description: "Manioc (cassava)".into(),
        units: Some(wire::LineUnits {
            declared: "KGM".into(),
            statutory_1: "KGM".into(),
            statutory_2: "XBX".into(),
        }),
    }
}

pub fn manioc_command(party: &str, number: &str) -> AddBookLine {
    let written = WrittenLine {
        book_number: number,
        hs_code: "071410",
        goods_description: "Manioc (cassava)",
        unit_declared: "KGM",
        unit_statutory_1: "KGM",
        unit_statutory_2: "XBX",
    };
    AddBookLine::read(trader(party), false, written).unwrap()
}

pub fn opening(
    party: &str,
    number: &str,
    reference: &str,
    kilograms: u32,
    entry_date: &str,
) -> PostOpening {
    let quantity = |amount: u32, unit: &str| Quantity::parse(&amount.to_string(), unit).unwrap();
    PostOpening {
        actor: trader(party),
        line: LineId::parse(&format!("{number}/1")).unwrap(),
        reference: reference.into(),
        entry_date: entry_date.parse::<NaiveDate>().unwrap(),
        declared: quantity(kilograms, "KGM"),
        statutory_1: quantity(kilograms, "KGM"),
        statutory_2: quantity(kilograms.div_ceil(40), "XBX"),
    }
}

pub fn stock_of(number: &str) -> wire::GetStockRequest {
    wire::GetStockRequest {
        book_number: number.into(),
        ..Default::default()
    }
}

/// What is available of a row, in the declared unit.
pub fn available(row: &wire::StockRow) -> &str {
    let totals = row.totals.as_ref().unwrap();
    &totals
        .available
        .as_ref()
        .unwrap()
        .declared
        .as_ref()
        .unwrap()
        .value
}

pub fn time(timestamp: &Option<prost_types::Timestamp>) -> DateTime<Utc> {
    chassis::convert::time("", timestamp.as_ref()).unwrap()
}

pub fn reason(status: &Status) -> String {
    chassis::from_status(status).reason
}
