//! Every RPC says beside itself who may call it, and every command can be repeated safely. What they say is listed in
//! `docs/rpcs.md`, which is written from the protos: `GREENLANE_GOLDEN=write cargo test -p greenlane --test contract rpcs`.

use std::fmt::Write as _;
use std::fs;

use chassis::Permissions;
use prost_reflect::{DescriptorPool, Kind, MethodDescriptor};

/// The first words of RPCs that change nothing.
const QUESTIONS: [&str; 5] = ["Get", "List", "Stream", "Explain", "Verify"];
/// Commands that may be sent again without an id, because what they name is the id: an operator who lost the
/// answer repeats them and nothing happens twice.
const REPEATABLE_AS_THEY_ARE: [&str; 5] = [
    // Readers drop what they have, however often it is sent.
    "greenlane.fabric.v1.FabricAdminService.Republish",
    // Versions decide whether it is news.
    "greenlane.fabric.v1.FabricAdminService.Restate",
    // One epoch more orders facts no differently: what is restated in it wins as well.
    "greenlane.fabric.v1.FabricAdminService.OpenEpoch",
    // What was applied is parked no more; what is left is tried again, which is what is asked for.
    "greenlane.fabric.v1.FabricAdminService.RetryParked",
    // The record is named by its event id and discarded once; the second time it is not found.
    "greenlane.fabric.v1.FabricAdminService.DiscardParked",
];

fn methods() -> Vec<MethodDescriptor> {
    let pool = DescriptorPool::decode(proto::FILE_DESCRIPTOR_SET).unwrap();
    pool.services()
        .filter(|service| service.full_name().starts_with("greenlane."))
        .flat_map(|service| service.methods().collect::<Vec<_>>())
        .collect()
}

#[test]
fn every_rpc_has_a_permission_that_somebody_meets() {
    let permissions = Permissions::from_descriptors(proto::FILE_DESCRIPTOR_SET).unwrap();
    let paths: Vec<&str> = permissions.paths().collect();
    assert!(paths.len() >= 50, "only {} RPCs were found", paths.len());
    let granted_to_nobody: Vec<&str> = paths
        .into_iter()
        .filter(|path| {
            !permissions.of(path).is_some_and(|permission| {
                permission.any_authenticated || !permission.roles.is_empty()
            })
        })
        .collect();
    assert_eq!(granted_to_nobody, Vec::<&str>::new());
}

#[test]
fn every_command_begins_with_a_request_id() {
    let without: Vec<String> = methods()
        .into_iter()
        .filter(|method| !QUESTIONS.iter().any(|word| method.name().starts_with(word)))
        .filter(|method| !REPEATABLE_AS_THEY_ARE.contains(&method.full_name()))
        .filter(|method| {
            let first = method.input().get_field(1);
            !first.is_some_and(|field| field.name() == "request_id" && field.kind() == Kind::String)
        })
        .map(|method| method.full_name().to_owned())
        .collect();
    assert_eq!(without, Vec::<String>::new());
}

#[test]
fn every_rpc_has_messages_of_its_own() {
    let shared: Vec<String> = methods()
        .into_iter()
        .filter(|method| {
            method.input().name() != format!("{}Request", method.name())
                || method.output().name() != format!("{}Response", method.name())
        })
        .map(|method| method.full_name().to_owned())
        .collect();
    assert_eq!(shared, Vec::<String>::new());
}

/// The comment above an RPC in its proto, in one line.
fn comment_of(method: &MethodDescriptor) -> String {
    let file = method.parent_file();
    let path = crate::sources::root().join("proto").join(file.name());
    let text = fs::read_to_string(path).unwrap();
    let opening = format!("  rpc {}(", method.name());
    let above: Vec<&str> = text
        .lines()
        .take_while(|line| !line.starts_with(&opening))
        .collect();
    let comment = above
        .iter()
        .rev()
        .map_while(|line| line.trim_start().strip_prefix("//"));
    let mut lines: Vec<&str> = comment.map(str::trim).collect();
    lines.reverse();
    lines.join(" ")
}

fn page() -> String {
    let permissions = Permissions::from_descriptors(proto::FILE_DESCRIPTOR_SET).unwrap();
    let mut page = "# Every RPC: for whom, for what, how large\n\n\
        Written from the protos; a test compares. Whoever may call an RPC sees and changes only what concerns its party:\n\
        the description says whose that is, and anything else is answered as what is not there. Calls of a party, its open\n\
        streams and what it has in hand are limited besides (`server.quota`), and connections and their addresses\n\
        (`server.connections_max`, `connections_per_address_max`).\n"
        .to_owned();
    let mut service = String::new();
    for method in methods() {
        let name = method.parent_service().full_name();
        if service != name {
            name.clone_into(&mut service);
            let head = "| RPC | Roles | What, and whose | Bytes | Fields |\n| --- | --- | --- | --- | --- |";
            writeln!(page, "\n## {name}\n\n{head}").unwrap();
        }
        let permission = permissions.of(&format!("/{name}/{}", method.name()));
        let roles = permission.map_or_else(String::new, |permission| {
            let all = permission.any_authenticated.then_some("everybody");
            let roles = permission.roles.iter().map(|role| role.as_str());
            all.into_iter().chain(roles).collect::<Vec<_>>().join(", ")
        });
        let size = proto::codec::request_size(method.input().full_name());
        writeln!(
            page,
            "| {} | {roles} | {} | {} | {} |",
            method.name(),
            comment_of(&method),
            size.bytes_max,
            size.fields_max
        )
        .unwrap();
    }
    page
}

#[test]
fn the_page_of_rpcs_says_what_the_protos_say() {
    let path = crate::sources::root().join("docs/rpcs.md");
    let page = page();
    if std::env::var_os("GREENLANE_GOLDEN").is_some_and(|word| word == "write") {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page,
        "docs/rpcs.md is not what the protos say; write it anew: \
         GREENLANE_GOLDEN=write cargo test -p greenlane --test contract rpcs"
    );
}

#[test]
fn every_rpc_is_described() {
    let bare: Vec<String> = methods()
        .into_iter()
        .filter(|method| comment_of(method).is_empty())
        .map(|method| method.full_name().to_owned())
        .collect();
    assert_eq!(bare, Vec::<String>::new());
}
