//! One container with its goods, train, declaration and truck, for tests: every test has its own, so that
//! tests share a site without meeting. Each act is one command of `greenlane`, as a person types it. It must
//! not know what a test asserts.

use std::fs;
use std::sync::atomic::{AtomicU32, Ordering};

use kernel::ContainerNumber;
use serde_json::Value;

use crate::site::{Output, Site, document, until};
use crate::world::world;

/// The haulier whose truck comes.
pub const HAULIER: &str = "haulier-a";
/// The mass of the truck with its empty chassis, in kilograms.
const TRUCK_KILOGRAMS: u32 = 15_200;
/// The mass of the empty container, in kilograms.
const TARE_KILOGRAMS: u32 = 2_250;

/// A real declaration and what it says about its goods.
#[derive(Clone, Copy, Debug)]
pub struct Goods {
    path: &'static str,
    lrn: &'static str,
    container: &'static str,
    place: &'static str,
    // Whom it names, and who of ours stands for them.
    parties: &'static [(&'static str, &'static str)],
    // Brought by train under a transport document, which is added; or by truck, on the declaration.
    on_a_manifest: bool,
    packages: u32,
    gross_kilograms: u32,
}

/// broker-a declares for trader-a.
const IMPORTERS: &[(&str, &str)] = &[
    ("GB603202734852", "GB270000000011"),
    ("GB553202734852", "GB270000000021"),
];

/// Umbrellas: nothing that customs looks at more closely.
pub const GREEN: Goods = Goods {
    path: "TT_IM109a/TT_IM109a.xml",
    lrn: "784830951QEHNSOQN",
    container: "AD12345",
    place: "WLALONBTW",
    parties: IMPORTERS,
    on_a_manifest: true,
    packages: 500,
    gross_kilograms: 150,
};

/// Shavers whose description asks for a control of the documents and one of the goods.
pub const RED: Goods = Goods {
    path: "TT_IM017a/Step1_TT_IM017a.xml",
    lrn: "TT_IM17a_v1.4_1907_01",
    container: "AD12345",
    place: "WLALONBTW",
    parties: IMPORTERS,
    on_a_manifest: true,
    packages: 80,
    gross_kilograms: 180,
};

/// Straw envelopes that trader-a, who declares for itself, sends out of the country; lodged before they come.
pub const EXPORT: Goods = Goods {
    path: "TT_EX011a/TT_EX011a.xml",
    lrn: "7849431KJ7CH",
    container: "CONU1234567",
    place: "RMGRMGRMG",
    parties: &[("GB427168118378", "GB270000000021")],
    on_a_manifest: false,
    packages: 10,
    gross_kilograms: 10,
};

/// One container and everything about it.
pub struct Cargo {
    /// Where it comes and goes.
    pub site: &'static Site,
    /// Its number.
    pub container: String,
    /// The transport document of its goods.
    pub transport_document: String,
    /// The train.
    pub train: String,
    /// The truck's plate, as painted.
    pub plate: String,
    /// The broker's reference.
    pub lrn: String,
    goods: Goods,
    folder: tempfile::TempDir,
}

impl Cargo {
    /// A container that nobody has heard of.
    pub fn new(goods: Goods) -> Cargo {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let serial = NEXT.fetch_add(1, Ordering::Relaxed);
        Cargo {
            site: world(),
            container: container(serial),
            transport_document: format!("CRE-E2E-{serial}"),
            train: format!("X8044-{serial}"),
            plate: format!("渝E·{serial:05}"),
            lrn: format!("E2E-{serial}"),
            goods,
            folder: tempfile::tempdir().unwrap(),
        }
    }

    /// Announced, declared, arrived, accepted by customs.
    pub fn accepted(goods: Goods) -> (Cargo, String) {
        let cargo = Cargo::new(goods);
        cargo.announce().done();
        let mrn = cargo.lodge()["mrn"].as_str().unwrap().to_owned();
        cargo.arrive().done();
        until("customs has accepted", || {
            cargo.declaration(&mrn)["accepted_at"].is_string()
        });
        (cargo, mrn)
    }

    /// Accepted and let go, and the truck that takes it may come; its MRN and pre-arrival.
    pub fn expected(goods: Goods) -> (Cargo, String, String) {
        let (cargo, mrn) = Cargo::accepted(goods);
        let id = cargo.pre_arrive()["pre_arrival_id"]
            .as_str()
            .unwrap()
            .to_owned();
        cargo.let_go();
        cargo.until_ready(&id);
        (cargo, mrn, id)
    }

    /// The line lets the haulier collect it, and the terminal says that it can be picked up.
    pub fn let_go(&self) {
        self.release_commercially().done();
        self.site
            .run(&["terminal", "available", &self.container])
            .done();
    }

    /// The rail desk announces the train, from a CSV list.
    pub fn announce(&self) -> Output {
        let list = self.write(
            "train.csv",
            &format!(
                "container_number,size_type,seals,transport_document,line_party,packages,gross_mass_kg\n\
                 {},22G1,CN1,{},line-a,{},{}\n",
                self.container,
                self.transport_document,
                self.goods.packages,
                self.goods.gross_kilograms
            ),
        );
        self.site.run_json(&[
            "rail",
            "announce",
            &list,
            "--conveyance",
            &self.train,
            "--eta",
            "+1h",
        ])
    }

    /// The rail desk records that the container was lifted off.
    pub fn arrive(&self) -> Output {
        self.site.run_json(&[
            "rail",
            "arrive",
            "--conveyance",
            &self.train,
            "--container",
            &self.container,
        ])
    }

    /// The declaration's file: the real document with our names in it.
    pub fn document(&self) -> String {
        let published = fs::read_to_string(document(self.goods.path)).unwrap();
        let element = |name: &str, value: &str| format!("<{name}>{value}</{name}>");
        let mut replaced = vec![
            (self.goods.lrn.to_owned(), self.lrn.clone()),
            (
                element("ID", self.goods.container),
                element("ID", &self.container),
            ),
            (
                element("Name", self.goods.place),
                element("Name", "GUOYUANPORT"),
            ),
        ];
        for (theirs, ours) in self.goods.parties {
            replaced.push((element("ID", theirs), element("ID", ours)));
        }
        if self.goods.on_a_manifest {
            replaced.push((
                "</Consignment>".to_owned(),
                format!(
                    "<TransportContractDocument><ID>{}</ID><TypeCode>720</TypeCode></TransportContractDocument></Consignment>",
                    self.transport_document
                ),
            ));
        }
        let mut text = published;
        for (old, new) in replaced {
            assert!(text.contains(&old), "{old} is not in {}", self.goods.path);
            text = text.replace(&old, &new);
        }
        self.write("declaration.xml", &text)
    }

    /// The broker files the declaration: the answer.
    pub fn lodge(&self) -> Value {
        let answers = self.site.run(&["broker", "file", &self.document()]).done();
        let [answer] = answers.objects().try_into().unwrap();
        answer
    }

    /// The declaration as its broker sees it.
    pub fn declaration(&self, mrn: &str) -> Value {
        one(self.site.run_json(&["broker", "show", mrn]).done())
    }

    /// The line lets the haulier collect the consignment.
    pub fn release_commercially(&self) -> Output {
        self.site
            .run_json(&["line", "release", &self.transport_document, HAULIER])
    }

    /// The haulier files its truck: the pre-arrival.
    pub fn pre_arrive(&self) -> Value {
        one(self
            .site
            .run_json(&[
                "haulier",
                "pre-arrive",
                "--kind",
                "full-out",
                "--container",
                &self.container,
                "--plate",
                &self.plate,
                "--driver",
                "Zhang Wei",
                "--licence",
                "500103198801012345",
                "--planned",
                "+30m",
            ])
            .done())
    }

    /// The mass of the container with its goods, in kilograms.
    fn verified_kilograms(&self) -> u32 {
        TARE_KILOGRAMS + self.goods.gross_kilograms
    }

    /// The haulier files the truck that brings the container for export on a declaration: the pre-arrival.
    pub fn pre_arrive_with_export(&self, mrn: &str) -> Value {
        one(self
            .site
            .run_json(&[
                "haulier",
                "pre-arrive",
                "--kind",
                "full-in",
                "--container",
                &self.container,
                "--verified-mass",
                &self.verified_kilograms().to_string(),
                "--seal",
                "CN1",
                "--declaration",
                mrn,
                "--plate",
                &self.plate,
                "--driver",
                "Zhang Wei",
                "--licence",
                "500103198801012345",
                "--planned",
                "+30m",
            ])
            .done())
    }

    /// The truck that brings the container stands at a lane on its way in.
    pub fn check_in_with_export(&self) -> Output {
        let weight = TRUCK_KILOGRAMS + self.verified_kilograms();
        self.site.run_json(&[
            "gate",
            "check-in",
            "--plate",
            &self.plate,
            "--container",
            &self.container,
            "--carrier",
            HAULIER,
            "--weight",
            &weight.to_string(),
        ])
    }

    /// The container as the terminal sees it.
    pub fn container_visit(&self) -> Value {
        one(self
            .site
            .run_json(&["terminal", "list", "--container", &self.container])
            .done())
    }

    /// The pre-arrival as its haulier sees it.
    pub fn pre_arrival(&self, id: &str) -> Value {
        one(self.site.run_json(&["haulier", "show", id]).done())
    }

    /// Waits until the truck may come.
    #[track_caller]
    pub fn until_ready(&self, pre_arrival: &str) {
        until("the truck may come", || {
            self.pre_arrival(pre_arrival)["state"] == "PRE_ARRIVAL_STATE_READY"
        });
    }

    /// The truck stands at a lane on its way in.
    pub fn check_in(&self) -> Output {
        self.site.run_json(&[
            "gate",
            "check-in",
            "--plate",
            &self.plate,
            "--container",
            &self.container,
            "--carrier",
            HAULIER,
            "--weight",
            &TRUCK_KILOGRAMS.to_string(),
        ])
    }

    /// The truck stands at a lane on its way out, with the container.
    pub fn check_out(&self) -> Output {
        let weight = TRUCK_KILOGRAMS + self.verified_kilograms();
        self.site.run_json(&[
            "gate",
            "check-out",
            "--plate",
            &self.plate,
            "--container",
            &self.container,
            "--weight",
            &weight.to_string(),
        ])
    }

    /// What `why` answers to a party.
    pub fn why(&self, party: &str) -> Value {
        one(self
            .site
            .run_json(&["why", &self.container, "--as", party])
            .done())
    }

    /// The codes of the conditions that `why` names to an officer.
    pub fn missing(&self) -> Vec<String> {
        codes(&self.why("officer-1")["release"]["conditions"])
    }

    /// Waits until exactly these conditions are missing.
    #[track_caller]
    pub fn until_missing(&self, wanted: &[&str]) {
        let mut found = Vec::new();
        let wanted: Vec<String> = sorted(wanted.iter().map(|code| (*code).to_owned()).collect());
        until(&format!("why names {wanted:?}"), || {
            found = sorted(self.missing());
            found == wanted
        });
    }

    /// Writes a file of this cargo's own; its path.
    pub fn write(&self, name: &str, text: &str) -> String {
        let path = self.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.to_str().unwrap().to_owned()
    }
}

/// The only object that a command printed.
#[track_caller]
pub fn one(output: Output) -> Value {
    let objects = output.objects();
    let [object] = objects.as_slice() else {
        panic!("one object is expected: {output:?}");
    };
    object.clone()
}

/// Asserts that what an operator had done to a service's exchange of facts is on its record.
#[track_caller]
pub fn on_record(site: &Site, service: &str, method: &str) {
    let listed = [
        "audit", "list", service, "--party", "admin", "--limit", "1000",
    ];
    let acts = site.run_json(&listed).done().objects();
    let of = |entry: &Value| entry["act"]["method"] == method && !entry["act"]["subject"].is_null();
    assert!(acts.iter().any(of), "{method} of {service}: {acts:?}");
}

/// The codes of conditions or faults.
pub fn codes(conditions: &Value) -> Vec<String> {
    let conditions = conditions.as_array().unwrap();
    conditions
        .iter()
        .map(|condition| condition["code"].as_str().unwrap().to_owned())
        .collect()
}

fn sorted(mut texts: Vec<String>) -> Vec<String> {
    texts.sort();
    texts
}

/// The number of this serial, with its right check digit: of ten digits one passes.
fn container(serial: u32) -> String {
    (0..10)
        .find_map(|check| {
            let written = format!("GRTU{serial:06}{check}");
            ContainerNumber::parse(&written).ok()
        })
        .unwrap()
        .to_string()
}
