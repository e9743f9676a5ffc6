//! A bonded service for one test, without a broker: parties are given by hand, facts read
//! from the outbox.

use std::collections::{BTreeMap, BTreeSet};
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
use fabric::{
    Command, Fabric, FabricConfig, Origin, OutboxRow, ReadLimits, Reads, Reply, fingerprint,
};
use futures::future::join_all;
use kernel::{CustomsArea, Quantity, Refusal, new_id};
use prost::Message;
use proto::bonded::events::v1::BookEvent;
use proto::bonded::v1 as wire;
use proto::bonded::v1::bonded_service_server::BondedService;
use proto::customs::events::v1 as customs;
use proto::gate::events::v1 as gate;
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use stack::ServiceDatabase;
use tokio::sync::Mutex;
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
    /// As the role that owns the tables, once that is needed.
    pub owner: Mutex<Option<PgConnection>>,
}

pub fn rules() -> Rules {
    Rules {
        centres: BTreeMap::from([(CENTRE.to_owned(), CustomsArea::parse("8000").unwrap())]),
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

/// What callers read with.
pub fn reads(database: &ServiceDatabase) -> Reads {
    Reads::open("bonded", &database.service_url, ReadLimits::FEW).unwrap()
}

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
        let pool = PgPool::connect(&database.service_url).await.unwrap();
        let api = Api::new(fabric.handle(), reads(&database), rules());
        Self {
            fabric,
            api,
            database,
            pool,
            owner: Mutex::new(None),
        }
    }

    /// Two traders with a book each, and a line of manioc in both.
    pub async fn with_books() -> Self {
        let harness = Self::empty().await;
        let books = [("trader-a", BOOK_A), ("trader-b", BOOK_B)].map(async |(party, number)| {
            harness.register(party, 1, &["trader"], false).await;
            harness.open(party, number).await.unwrap();
            harness.add_line(party, number).await.unwrap();
        });
        join_all(books).await;
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
            origin: Origin::default(),
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
            origin: Origin::default(),
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
            .filter(|row| row.topic == "bonded.book")
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

    /// Runs SQL as the role that owns the tables, always on the same connection.
    pub async fn as_owner(&self, sql: &str) {
        let mut owner = self.owner.lock().await;
        if owner.is_none() {
            *owner = Some(self.owner().await);
        }
        sqlx::raw_sql(AssertSqlSafe(sql.to_owned()))
            .execute(owner.as_mut().unwrap())
            .await
            .unwrap();
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
        address: None,
    }));
    request
}

pub fn trader(party: &str) -> Actor {
    Actor {
        party: party.into(),
        subject: "clerk".into(),
        trader: true,
        broker: false,
        operated_sites: BTreeSet::new(),
    }
}

/// The operator of the centre.
pub fn operator() -> Actor {
    Actor {
        party: "operator".into(),
        subject: "desk".into(),
        trader: false,
        broker: false,
        operated_sites: BTreeSet::from([CENTRE.to_owned()]),
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

/// A list of manioc: an increase of so many kilograms, with a box for each forty of them.
pub fn increase(kilograms: u32) -> wire::FileStockListRequest {
    let line = filed_line(1, kilograms, Some((kilograms, kilograms.div_ceil(40))));
    list_of(wire::StockListDirection::Increase, vec![line])
}

/// A decrease of so many kilograms.
pub fn decrease(kilograms: u32) -> wire::FileStockListRequest {
    list_of(
        wire::StockListDirection::Decrease,
        vec![filed_line(1, kilograms, None)],
    )
}

pub fn list_of(
    direction: wire::StockListDirection,
    lines: Vec<wire::FiledStockListLine>,
) -> wire::FileStockListRequest {
    wire::FileStockListRequest {
        request_id: id(),
        validate_only: false,
        direction: direction.into(),
        book_number: BOOK_A.into(),
        declaration_lrn: "LRN-1".into(),
        declaration_filer_party: String::new(),
        lines,
    }
}

pub fn filed_line(
    book_line: u32,
    kilograms: u32,
    statutory: Option<(u32, u32)>,
) -> wire::FiledStockListLine {
    wire::FiledStockListLine {
        book_line,
        declared: Some(quantity(kilograms, "KGM")),
        statutory_1: statutory.map(|(first, _)| quantity(first, "KGM")),
        statutory_2: statutory.map(|(_, second)| quantity(second, "XBX")),
        lot_ids: Vec::new(),
    }
}

pub fn quantity(number: u32, unit: &str) -> proto::common::v1::Quantity {
    proto::common::v1::Quantity {
        value: number.to_string(),
        unit_code: unit.into(),
    }
}

/// A moment of the story that the tests tell, in seconds from its beginning: all of it is over.
pub fn moment(seconds: i64) -> Option<prost_types::Timestamp> {
    let time: DateTime<Utc> = "2026-03-01T00:00:00Z".parse().unwrap();
    Some(chassis::convert::timestamp(
        time + chrono::TimeDelta::seconds(seconds),
    ))
}

impl Harness {
    /// A trader files a list for its own book.
    pub async fn file(
        &self,
        party: &str,
        request: wire::FileStockListRequest,
    ) -> Result<wire::StockList, Status> {
        let answer = self.api.file_stock_list(as_trader(party, request)).await?;
        Ok(answer.into_inner().stock_list.unwrap())
    }

    pub async fn approve(&self, list: &str) -> Result<wire::StockList, Status> {
        let request = wire::ApproveStockListRequest {
            request_id: id(),
            list_number: list.into(),
            expected_version: 0,
        };
        let answer = self
            .api
            .approve_stock_list(as_operator(CENTRE, request))
            .await?;
        Ok(answer.into_inner().stock_list.unwrap())
    }

    pub async fn void(&self, list: &str) -> Result<wire::StockList, Status> {
        let request = wire::VoidStockListRequest {
            request_id: id(),
            list_number: list.into(),
            reason: "wrong goods".into(),
            expected_version: 0,
        };
        let answer = self
            .api
            .void_stock_list(as_operator(CENTRE, request))
            .await?;
        Ok(answer.into_inner().stock_list.unwrap())
    }

    pub async fn list(&self, list: &str) -> wire::GetStockListResponse {
        let request = wire::GetStockListRequest {
            list_number: list.into(),
        };
        self.api
            .get_stock_list(as_operator(CENTRE, request))
            .await
            .unwrap()
            .into_inner()
    }

    pub async fn state(&self, list: &str) -> wire::StockListState {
        self.list(list).await.stock_list.unwrap().state()
    }

    /// Customs tells of a declaration that names the list: "ACCEPTED", "RELEASED", "CLEARED".
    pub async fn declare(&self, declaration: &str, version: u64, state: &str, lists: &[&str]) {
        self.declare_as(declaration, version, state, lists, |_| {})
            .await;
    }

    /// The same, changed a little.
    pub async fn declare_as(
        &self,
        declaration: &str,
        version: u64,
        state: &str,
        lists: &[&str],
        change: impl FnOnce(&mut customs::DeclarationState),
    ) {
        let mut told = customs::DeclarationState {
            declaration_id: declaration.into(),
            version,
            lrn: "LRN-1".into(),
            filer_party: "broker-a".into(),
            trader_party: "trader-a".into(),
            // Fits lists of both directions: out of one bonded account, and into another.
            procedure_kind: "INTO_BOND".into(),
            state: state.into(),
            stock_lists: lists.iter().map(|list| (*list).to_owned()).collect(),
            ..Default::default()
        };
        change(&mut told);
        let event = customs::DeclarationEvent {
            observed_at: moment(200 + i64::try_from(version).unwrap()),
            recorded_at: moment(300),
            declaration: Some(told),
            ..Default::default()
        };
        self.fabric
            .apply(
                "customs.declaration",
                declaration,
                "greenlane.customs.declaration.told",
                event.encode_to_vec(),
            )
            .await
            .unwrap();
    }

    /// Gate tells of a list's passage: what each truck has carried in kilograms, and whether that is all.
    pub async fn pass(&self, list: &str, version: u64, trucks: &[u32], closed: bool) {
        let passage = gate::ListPassage {
            list_number: list.into(),
            version,
            passes: passes(trucks),
            closed,
            ..Default::default()
        };
        self.tell_passage(passage).await;
    }

    /// Gate answers an ask for void.
    pub async fn answer_void(&self, list: &str, version: u64, ask: &str, applied: bool) {
        let passage = gate::ListPassage {
            list_number: list.into(),
            version,
            void_ask_id: ask.into(),
            void_applied: applied,
            ..Default::default()
        };
        self.tell_passage(passage).await;
    }

    pub async fn tell_passage(&self, passage: gate::ListPassage) {
        let key = passage.list_number.clone();
        let event = gate::ListPassageEvent {
            passage: Some(passage),
            ..Default::default()
        };
        self.fabric
            .apply(
                "gate.list-passage",
                &key,
                "greenlane.gate.list-passage.told",
                event.encode_to_vec(),
            )
            .await
            .unwrap();
    }

    /// A hold on a list is told by a service.
    pub async fn hold(&self, topic: &str, id: &str, list: &str, lifted: bool) {
        use proto::common::v1::{Hold, HoldEvent, HoldKind, HoldScope, HoldScopeKind};
        let event = HoldEvent {
            hold: Some(Hold {
                hold_id: id.into(),
                scope: Some(HoldScope {
                    kind: HoldScopeKind::StockList.into(),
                    key: list.into(),
                }),
                kind: HoldKind::Customs.into(),
                placed_by_party: "officer-1".into(),
                reason: "papers".into(),
                placed_at: moment(1),
                lifted_at: lifted.then(|| moment(2)).flatten(),
                ..Default::default()
            }),
            ..Default::default()
        };
        self.fabric
            .apply(
                topic,
                &format!("stock-list/{list}"),
                "greenlane.hold.told",
                event.encode_to_vec(),
            )
            .await
            .unwrap();
    }

    /// The register tells of trader-a's mandate to a broker.
    pub async fn mandate(&self, agent: &str, version: u64, actions: &[&str], revoked: bool) {
        self.tell_mandate(customs::Mandate {
            agent_party: agent.into(),
            version,
            actions: actions.iter().map(|action| (*action).to_owned()).collect(),
            revoked_at: revoked.then(|| moment(5)).flatten(),
            ..Default::default()
        })
        .await;
    }

    /// The register tells of trader-a's mandate to a broker to file lists of some goods.
    pub async fn mandate_for_goods(&self, agent: &str, version: u64, goods: &[&str]) {
        self.tell_mandate(customs::Mandate {
            agent_party: agent.into(),
            version,
            actions: vec!["FILE_STOCK_LIST".into()],
            goods: goods.iter().map(|code| (*code).to_owned()).collect(),
            ..Default::default()
        })
        .await;
    }

    async fn tell_mandate(&self, mandate: customs::Mandate) {
        let event = customs::PartyEvent {
            recorded_at: None,
            fact: Some(customs::party_event::Fact::Mandate(customs::Mandate {
                mandate_id: format!("mandate-{}", mandate.agent_party),
                grantor_party: "trader-a".into(),
                valid_from: moment(0),
                ..mandate
            })),
        };
        self.fabric
            .apply(
                "customs.party",
                "trader-a",
                "greenlane.customs.party.mandate",
                event.encode_to_vec(),
            )
            .await
            .unwrap();
    }

    /// What was published about a list, in order.
    pub async fn told(&self, list: &str) -> Vec<proto::bonded::events::v1::StockListEvent> {
        let rows = self.fabric.outbox().await.unwrap();
        rows.into_iter()
            .filter(|row| row.topic == "bonded.stock-list" && row.key == list)
            .map(|row| Message::decode(row.payload).unwrap())
            .collect()
    }

    /// An increase that is filed, approved, passed and released: its number.
    pub async fn posted_increase(&self, kilograms: u32) -> String {
        let list = self.file("trader-a", increase(kilograms)).await.unwrap();
        let number = list.list_number;
        self.approve(&number).await.unwrap();
        self.pass(&number, 1, &[kilograms], true).await;
        self.declare(&format!("D-{number}"), 1, "CLEARED", &[&number])
            .await;
        number
    }
}

fn passes(trucks: &[u32]) -> Vec<gate::ListPass> {
    let passes = trucks
        .iter()
        .enumerate()
        .map(|(at, kilograms)| gate::ListPass {
            pre_arrival_id: format!("P{at}"),
            state: "PASSED".into(),
            passed_at: moment(100 + i64::try_from(at).unwrap()),
            lines: vec![gate::ListPassLine {
                line_number: 1,
                quantity: Some(quantity(*kilograms, "KGM")),
            }],
            ..Default::default()
        });
    passes.collect()
}
