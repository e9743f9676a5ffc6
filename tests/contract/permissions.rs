//! Every RPC says beside itself who may call it, and every command can be repeated safely.

use chassis::Permissions;
use prost_reflect::{DescriptorPool, Kind, MethodDescriptor};

/// The first words of RPCs that change nothing.
const QUESTIONS: [&str; 5] = ["Get", "List", "Stream", "Explain", "Verify"];
/// Operators act on one process's own records, by ids that can be used once.
const WITHOUT_REQUEST_IDS: [&str; 1] = ["greenlane.fabric.v1.FabricAdminService"];

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
        .filter(|method| !WITHOUT_REQUEST_IDS.contains(&method.parent_service().full_name()))
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
