//! Every RPC says beside itself who may call it, and every command can be repeated safely.

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
