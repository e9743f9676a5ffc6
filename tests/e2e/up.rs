//! `up`: what it publishes, and that there is one of it in a folder.

use crate::site::{Output, binary};
use crate::world::world;

const SERVICES: [&str; 4] = ["gate", "customs", "bonded", "release"];

#[test]
fn up_publishes_endpoints_and_every_service_is_ready() {
    let site = world();
    let endpoints = site.endpoints().unwrap();
    for service in SERVICES {
        for kind in ["grpc", "admin"] {
            let url = endpoints[service][kind].as_str().unwrap();
            assert!(url.starts_with("http://127.0.0.1:"), "{url}");
        }
        assert!(
            endpoints["postgres"][service]
                .as_str()
                .unwrap()
                .starts_with("postgres://")
        );
    }
    assert!(
        endpoints["kafka"]
            .as_str()
            .unwrap()
            .starts_with("127.0.0.1:")
    );
    assert_eq!(endpoints["issuer"], "https://greenlane.invalid/development");

    let status = site.run_json(&["status"]).done().objects();
    let services: Vec<&str> = status
        .iter()
        .map(|one| one["service"].as_str().unwrap())
        .collect();
    assert_eq!(services, SERVICES);
    assert!(status.iter().all(|one| one["ready"] == true), "{status:?}");
    let table = site.run(&["status"]).done().stdout;
    assert!(table.starts_with("SERVICE"), "{table}");
}

#[test]
fn a_second_up_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let site = world();
    let second = Output::of(binary().args(["up", "--state"]).arg(site.state())).refused();
    let pid = format!("pid {}", site.pid());
    assert!(
        second.stderr.contains("another `up` runs in"),
        "{}",
        second.stderr
    );
    assert!(second.stderr.contains(&pid), "{}", second.stderr);
    assert!(site.endpoints().is_some(), "the first's endpoints are gone");
    site.run(&["status"]).done();
}
