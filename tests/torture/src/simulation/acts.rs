//! What the parties of a simulated site ask the services for, as their own commands. It must not know who asks when.

use std::collections::BTreeSet;
use std::fmt;
use std::sync::Arc;

use bonded::domain::actor::Actor as BondedActor;
use bonded::domain::book::OpenBook;
use bonded::domain::line::{AddBookLine, LineId, WrittenLine};
use bonded::domain::list_commands::{Change, ChangeStockList, Target};
use bonded::domain::list_filing::{FileStockList, FiledLine};
use bonded::domain::opening::PostOpening;
use bytes::Bytes;
use chrono::{DateTime, NaiveDate, TimeDelta, Utc};
use customs::app::FileDeclaration;
use customs::domain::Actor as CustomsActor;
use customs::grpc::filing::{Filed, read_document};
use gate::domain::actor::Actor as GateActor;
use gate::domain::arrival_list::{
    ListHead, WrittenAnnouncement, WrittenLanding, WrittenManifestLine,
};
use gate::domain::filing::{WrittenPlate, WrittenQuantity};
use gate::domain::hold::{Scope, ScopeKind};
use gate::domain::pre_arrival::{
    PreArrivalKind, WrittenContainer, WrittenDriver, WrittenPreArrival, WrittenVehicle,
};
use kernel::{BookNumber, ContainerNumber, Lrn, Quantity, StockListNumber};
use release::domain::commercial_release::ReleaseScope;
use release::domain::reader::Reader;
use uuid::Uuid;

use crate::play::journey::cargo::{Cargo, Names};
use crate::play::script::IMPORT_PICK_UP;

/// The port.
const PORT: &str = "GUOYUAN-PORT";
const TERMINAL: &str = "terminal";
const HAULIER: &str = "haulier-a";
const LINE: &str = "line-a";
/// Whose declaration it is, and who files it.
const DECLARANTS: [&str; 2] = ["broker-a", "trader-a"];
const OFFICER: &str = "officer-1";
/// The bonded centre, and a book in it.
pub const CENTRE: &str = "GUOYUAN-BLC";
/// Whose book it is.
pub const TRADER: &str = "trader-b";
const BOOK: &str = "BOOKTRADERB1";
const STOCK_KILOGRAMS: u32 = 400;
const KILOGRAMS_PER_BOX: u32 = 40;
/// What each list takes: of three that are filed two find enough.
const RESERVED_KILOGRAMS: u32 = 160;
/// What the truck weighs empty and laden.
const EMPTY_KILOGRAMS: &str = "15200";
const LADEN_KILOGRAMS: &str = "17600";
/// The truck is planned to come so long after the simulation began: after all that is played.
const PLANNED_AFTER: TimeDelta = TimeDelta::days(2);

/// One thing that is asked for; what it says tells it from every other.
pub struct Act<I> {
    what: String,
    input: Arc<dyn Fn() -> I + Send + Sync>,
}

impl<I> Act<I> {
    /// What is asked, and the command.
    pub fn new(what: impl Into<String>, input: impl Fn() -> I + Send + Sync + 'static) -> Self {
        Self {
            what: what.into(),
            input: Arc::new(input),
        }
    }

    /// The command.
    pub fn input(&self) -> I {
        (self.input)()
    }
}

impl<I> fmt::Debug for Act<I> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.what)
    }
}

/// Goods that come by train and leave by truck.
#[derive(Clone, Debug)]
pub struct Goods {
    /// The container.
    container: &'static str,
    /// The transport document.
    document: String,
    /// The declaration's reference.
    lrn: String,
    /// The truck.
    plate: String,
    /// When the truck is planned to come.
    planned_arrival: DateTime<Utc>,
}

impl Goods {
    /// The goods of this number in a simulation that began then.
    pub fn of(number: usize, container: &'static str, began: DateTime<Utc>) -> Self {
        Self {
            container,
            document: format!("BL{number}"),
            lrn: format!("SIMULATED{number}"),
            plate: format!("渝B1234{number}"),
            planned_arrival: began + PLANNED_AFTER,
        }
    }

    /// The container's stay.
    fn visit(&self) -> String {
        format!("{PORT}/{}/1", self.container)
    }

    /// The train is announced.
    pub fn announce(&self) -> Act<gate::app::Input> {
        let (goods, head) = (self.clone(), self.train());
        Act::new(format!("announce {}", self.container), move || {
            let line = WrittenManifestLine {
                transport_document: goods.document.clone(),
                line_party: LINE.to_owned(),
                packages: Some(500),
                gross_mass: Some(kilograms("150")),
                goods_description: String::new(),
            };
            gate::app::Input::AnnounceArrival(gate::app::AnnounceArrival {
                actor: terminal(),
                validate_only: false,
                head: head.clone(),
                estimated_arrival: Some(goods.planned_arrival),
                lines: vec![WrittenAnnouncement {
                    container_number: goods.container.to_owned(),
                    size_type: "22G1".to_owned(),
                    seals: vec!["CN1".to_owned()],
                    empty: false,
                    lines: vec![line],
                }],
            })
        })
    }

    /// The container is lifted off.
    pub fn land(&self) -> Act<gate::app::Input> {
        let (container, head) = (self.container, self.train());
        Act::new(format!("land {container}"), move || {
            gate::app::Input::RecordArrival(gate::app::RecordArrival {
                actor: terminal(),
                validate_only: false,
                head: head.clone(),
                arrived_at: None,
                lines: vec![WrittenLanding {
                    container_number: container.to_owned(),
                    seals_found: vec!["CN1".to_owned()],
                    ..WrittenLanding::default()
                }],
                complete: true,
            })
        })
    }

    fn train(&self) -> ListHead {
        ListHead {
            site_id: PORT.to_owned(),
            mode: Some(gate::domain::container_visit::TransportMode::Rail),
            conveyance: format!("X8044-{}", self.document),
        }
    }

    /// It can be picked up.
    pub fn make_available(&self) -> Act<gate::app::Input> {
        let visit = self.visit();
        Act::new(format!("{visit} is available"), move || {
            gate::app::Input::SetAvailability(gate::app::SetAvailability {
                actor: terminal(),
                container_visit_id: visit.clone(),
                available: true,
                expected_version: 0,
            })
        })
    }

    /// The terminal holds it.
    pub fn hold_by_terminal(&self) -> Act<gate::app::Input> {
        let visit = self.visit();
        Act::new(format!("hold {visit}"), move || {
            gate::app::Input::PlaceHold(gate::app::PlaceHold {
                actor: terminal(),
                validate_only: false,
                site_id: PORT.to_owned(),
                scope: Some(Scope::new(ScopeKind::ContainerVisit, visit.clone())),
                kind: Some(gate::domain::hold::HoldKind::Terminal),
                reason: "damaged".to_owned(),
            })
        })
    }

    /// The truck is filed.
    pub fn pre_arrive(&self) -> Act<gate::app::Input> {
        let goods = self.clone();
        Act::new(format!("a truck for {}", self.container), move || {
            gate::app::Input::SubmitPreArrival(gate::app::SubmitPreArrival {
                actor: GateActor {
                    is_haulier: true,
                    is_terminal: false,
                    ..gate_actor(HAULIER)
                },
                validate_only: false,
                written: WrittenPreArrival {
                    site_id: PORT.to_owned(),
                    kind: Some(PreArrivalKind::FullOut),
                    vehicle: Some(goods.vehicle()),
                    driver: Some(WrittenDriver {
                        name: "Zhang Wei".to_owned(),
                        licence: "500103198801012345".to_owned(),
                        phone: String::new(),
                    }),
                    containers: vec![WrittenContainer {
                        number: goods.container.to_owned(),
                        ..WrittenContainer::default()
                    }],
                    document_references: Vec::new(),
                    planned_arrival: Some(goods.planned_arrival),
                    list: None,
                    second_site_id: String::new(),
                    haulier_party: String::new(),
                },
            })
        })
    }

    /// The truck asks to be let in.
    pub fn check_in(&self) -> Act<gate::app::Input> {
        let goods = self.clone();
        Act::new(format!("{} comes", self.plate), move || {
            gate::app::Input::CheckIn(gate::app::CheckIn {
                actor: terminal(),
                site_id: PORT.to_owned(),
                lane: "IN-1".to_owned(),
                vehicle: Some(goods.vehicle()),
                containers: vec![goods.container.to_owned()],
                carrier_party: HAULIER.to_owned(),
                pre_arrival: String::new(),
                weight: Some(kilograms(EMPTY_KILOGRAMS)),
                observed_at: None,
                barrier_number: 0,
            })
        })
    }

    /// The truck asks to be let out.
    pub fn check_out(&self, truck_visit: Uuid) -> Act<gate::app::Input> {
        let goods = self.clone();
        Act::new(format!("{} goes", self.plate), move || {
            gate::app::Input::CheckOut(gate::app::CheckOut {
                actor: terminal(),
                site_id: PORT.to_owned(),
                truck_visit_id: Some(truck_visit),
                vehicle: Some(goods.vehicle()),
                containers: vec![goods.container.to_owned()],
                without_goods: false,
                weight: Some(kilograms(LADEN_KILOGRAMS)),
                observed_at: None,
            })
        })
    }

    fn vehicle(&self) -> WrittenVehicle {
        WrittenVehicle {
            tractor: Some(WrittenPlate {
                text: self.plate.clone(),
                country: String::new(),
            }),
            trailer: None,
        }
    }

    /// The declaration is filed.
    pub fn file(&self) -> Act<customs::app::Input> {
        let document = Cargo::of(&IMPORT_PICK_UP).document(&Names {
            lrn: &self.lrn,
            container: self.container,
            transport_document: &self.document,
            list: "",
        });
        let Filed::Readable(read) = read_document(&Bytes::from(document)) else {
            unreachable!("the journey's document is a declaration")
        };
        let [filer, trader] = DECLARANTS;
        let filing = Box::new(FileDeclaration {
            actor: customs_actor(filer),
            filing: read.filing,
            particulars: read.particulars,
            facts: read.facts,
            parties: vec![filer.to_owned(), trader.to_owned()],
            unmapped: read.unmapped,
            digest: read.digest,
            content_type: read.content_type,
            bytes: read.bytes,
            dry_run: false,
        });
        Act::new(format!("file {}", self.lrn), move || {
            customs::app::Input::File(filing.clone())
        })
    }

    /// Customs holds it.
    pub fn hold_by_customs(&self) -> Act<customs::app::Input> {
        let (visit, container) = (self.visit(), self.container);
        Act::new(format!("customs holds {visit}"), move || {
            let container = ContainerNumber::parse(container).expect("it is a container's number");
            customs::app::Input::PlaceHold(customs::app::PlaceHold {
                actor: customs_actor(OFFICER),
                target: customs::app::Target::Visit(visit.clone(), container),
                kind: customs::domain::hold::HoldKind::Customs,
                reason: "to be looked at".to_owned(),
            })
        })
    }

    /// The line releases it to the haulier.
    pub fn release_commercially(&self) -> Act<release::app::Input> {
        let document = self.document.clone();
        Act::new(format!("release {document}"), move || {
            release::app::Input::GrantCommercialRelease(release::app::GrantCommercialRelease {
                by: line(),
                scope: scope(&document),
                haulier_party: HAULIER.to_owned(),
                validate_only: false,
            })
        })
    }

    /// The line takes that back.
    pub fn revoke(&self) -> Act<release::app::Input> {
        let document = self.document.clone();
        Act::new(format!("revoke {document}"), move || {
            release::app::Input::RevokeCommercialRelease(release::app::RevokeCommercialRelease {
                by: line(),
                which: release::app::RevokeWhich::Scope(scope(&document)),
                reason: "not paid".to_owned(),
                expected_version: 0,
                validate_only: false,
            })
        })
    }
}

/// The sites are entered.
pub fn declare_sites() -> Vec<Act<gate::app::Input>> {
    let sites = gate::seed::sites().expect("the sites of this version are sound");
    let declare = |site: gate::domain::site::Site| {
        Act::new(format!("declare {}", site.site_id), move || {
            gate::app::Input::DeclareSite(site.clone())
        })
    };
    sites.into_iter().map(declare).collect()
}

/// The terminal lifts its hold.
pub fn lift_by_terminal(hold_id: &str) -> Act<gate::app::Input> {
    let hold_id = hold_id.to_owned();
    Act::new(format!("lift {hold_id}"), move || {
        gate::app::Input::LiftHold(gate::app::LiftHold {
            actor: terminal(),
            hold_id: hold_id.clone(),
            reason: "repaired".to_owned(),
        })
    })
}

/// Customs lifts its hold.
pub fn lift_by_customs(hold_id: Uuid) -> Act<customs::app::Input> {
    Act::new(format!("customs lifts {hold_id}"), move || {
        customs::app::Input::LiftHold(customs::app::LiftHold {
            actor: customs_actor(OFFICER),
            hold_id,
            reason: "looked at".to_owned(),
        })
    })
}

/// A trader's book in the bonded centre, with some stock: as it is set up.
pub fn set_up_book() -> [Act<bonded::app::Input>; 3] {
    let open = Act::new("open the book", || {
        bonded::app::Input::OpenBook(OpenBook {
            actor: trader(),
            validate_only: false,
            site_id: CENTRE.to_owned(),
            book_number: Some(book()),
        })
    });
    let add = Act::new("add the line", || {
        let line = AddBookLine::read(
            trader(),
            false,
            WrittenLine {
                book_number: BOOK,
                hs_code: "071410",
                goods_description: "Manioc (cassava)",
                unit_declared: "KGM",
                unit_statutory_1: "KGM",
                unit_statutory_2: "XBX",
            },
        );
        bonded::app::Input::AddBookLine(line.expect("the line can be read"))
    });
    let post = Act::new("take the stock over", || {
        bonded::app::Input::PostOpening(PostOpening {
            actor: trader(),
            line: LineId::read(BOOK, 1).expect("the line has a name"),
            reference: "1".to_owned(),
            entry_date: NaiveDate::from_ymd_opt(2025, 1, 31).unwrap_or_default(),
            declared: quantity(STOCK_KILOGRAMS, "KGM"),
            statutory_1: quantity(STOCK_KILOGRAMS, "KGM"),
            statutory_2: quantity(STOCK_KILOGRAMS / KILOGRAMS_PER_BOX, "XBX"),
        })
    });
    [open, add, post]
}

/// A trader reserves stock of its own to go out.
pub fn reserve(number: usize) -> Act<bonded::app::Input> {
    Act::new(format!("reserve {number}"), move || {
        bonded::app::Input::FileStockList(FileStockList {
            actor: trader(),
            validate_only: false,
            direction: kernel::Direction::Out,
            book_number: book(),
            declaration_lrn: Lrn::parse(&format!("OUT{number}")).expect("it is a reference"),
            declaration_filer_party: None,
            lines: vec![FiledLine {
                book_line: 1,
                declared: Some(quantity(RESERVED_KILOGRAMS, "KGM")),
                statutory: [None, None],
                lot_ids: Vec::new(),
            }],
            faults: Vec::new(),
        })
    })
}

/// It takes the list back.
pub fn void(list: &StockListNumber) -> Act<bonded::app::Input> {
    let list = list.clone();
    Act::new(format!("void {list}"), move || {
        bonded::app::Input::ChangeStockList(ChangeStockList {
            actor: trader(),
            target: Target::List(list.clone()),
            expected_version: None,
            change: Change::Void {
                reason: "not today".to_owned(),
            },
        })
    })
}

fn trader() -> BondedActor {
    BondedActor {
        party: TRADER.to_owned(),
        subject: format!("{TRADER}-person"),
        trader: true,
        broker: false,
        operated_sites: BTreeSet::new(),
    }
}

fn book() -> BookNumber {
    BookNumber::parse(BOOK).expect("it is a book's number")
}

fn quantity(number: u32, unit: &str) -> Quantity {
    Quantity::parse(&number.to_string(), unit).expect("it is a quantity")
}

fn terminal() -> GateActor {
    gate_actor(TERMINAL)
}

fn gate_actor(party: &str) -> GateActor {
    GateActor {
        party: party.to_owned(),
        subject: format!("{party}-person"),
        is_officer: false,
        is_terminal: true,
        is_operator: false,
        is_haulier: false,
        sites: Vec::new(),
    }
}

fn customs_actor(party: &str) -> CustomsActor {
    CustomsActor {
        party: party.to_owned(),
        subject: format!("{party}-person"),
    }
}

fn line() -> Reader {
    Reader {
        party: LINE.to_owned(),
        roles: ["line".to_owned()].into(),
        ..Reader::default()
    }
}

fn scope(document: &str) -> ReleaseScope {
    ReleaseScope {
        transport_document: document.to_owned(),
        site_id: None,
        container_number: None,
    }
}

fn kilograms(value: &str) -> WrittenQuantity {
    WrittenQuantity {
        value: value.to_owned(),
        unit: "KGM".to_owned(),
    }
}
