//! What each RPC needs, read at start from the proto's method options, so that the permission stands
//! beside the RPC and nowhere else. An RPC without one answers nobody. It must not know any RPC by name,
//! but for health and reflection, which are open.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use kernel::Refusal;
use prost_reflect::{DescriptorPool, DynamicMessage, ExtensionDescriptor, MethodDescriptor};

use super::{Caller, Role};

/// The method option that says who may call.
const PERMISSION_OPTION: &str = "greenlane.common.v1.permission";

/// Services that answer everybody, because load balancers and tools carry no token.
const OPEN_SERVICES: [&str; 3] = [
    "/grpc.health.v1.Health/",
    "/grpc.reflection.v1.ServerReflection/",
    "/grpc.reflection.v1alpha.ServerReflection/",
];

/// What one RPC needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Permission {
    /// One of these roles.
    pub roles: BTreeSet<Role>,
    /// Or any caller with a valid token.
    pub any_authenticated: bool,
}

/// Why the permissions cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum PermissionsError {
    /// The descriptors cannot be read.
    #[error("the descriptor set cannot be read, build the proto crate anew: {0}")]
    Descriptors(#[from] prost_reflect::DescriptorError),
    /// A permission names a role that does not exist.
    #[error("{method} grants to {role}, which is no role, correct its permission in the proto")]
    Role {
        /// The RPC.
        method: String,
        /// The name that is no role.
        role: String,
    },
}

/// What every RPC needs, by path (`/greenlane.gate.v1.GateService/CheckIn`).
#[derive(Clone, Debug)]
pub struct Permissions {
    methods: Arc<BTreeMap<String, Method>>,
    services: Arc<BTreeSet<String>>,
    descriptors: &'static [u8],
}

#[derive(Debug)]
struct Method {
    permission: Option<Permission>,
    streaming: bool,
}

/// How a call is to be treated, before anyone is asked who they are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Treatment {
    /// Health or reflection: everybody, without a token.
    Open,
    /// A call with one answer.
    Unary,
    /// A call that lasts.
    Streaming,
    /// No RPC of this process.
    Unknown,
}

impl Permissions {
    /// Reads the permissions from an encoded `FileDescriptorSet` whose options were kept; the same bytes
    /// serve reflection.
    ///
    /// # Errors
    ///
    /// Where the bytes cannot be read or a permission names no role.
    pub fn from_descriptors(descriptors: &'static [u8]) -> Result<Self, PermissionsError> {
        let pool = DescriptorPool::decode(descriptors)?;
        let option = pool.get_extension_by_name(PERMISSION_OPTION);
        let mut methods = BTreeMap::new();
        for method in pool
            .services()
            .flat_map(|service| service.methods().collect::<Vec<_>>())
        {
            let path = format!("/{}/{}", method.parent_service().full_name(), method.name());
            let streaming = method.is_client_streaming() || method.is_server_streaming();
            let permission = option
                .as_ref()
                .map(|option| permission_of(&method, option))
                .transpose()?
                .flatten();
            methods.insert(
                path,
                Method {
                    permission,
                    streaming,
                },
            );
        }
        let services = pool
            .services()
            .map(|service| service.full_name().to_owned())
            .collect();
        Ok(Self {
            methods: Arc::new(methods),
            services: Arc::new(services),
            descriptors,
        })
    }

    /// Whether this caller may call this RPC.
    ///
    /// # Errors
    ///
    /// `RPC_NOT_GRANTED` where nobody may; `ROLE_REQUIRED` where others may.
    pub fn check(&self, path: &str, caller: &Caller) -> Result<(), Refusal> {
        let Some(permission) = self
            .methods
            .get(path)
            .and_then(|method| method.permission.as_ref())
        else {
            return Err(Refusal::denied(
                "RPC_NOT_GRANTED",
                "This call is granted to nobody; ask the operator of the service.",
            ));
        };
        if permission.any_authenticated || !permission.roles.is_disjoint(&caller.roles) {
            return Ok(());
        }
        let roles = permission
            .roles
            .iter()
            .map(|role| role.as_str())
            .collect::<Vec<_>>()
            .join(", ");
        let message =
            format!("This call is for {roles}; call it with a token that has such a role.");
        Err(Refusal::denied("ROLE_REQUIRED", message).with_metadata("roles", roles))
    }

    /// The permission of an RPC; `None` where it answers nobody.
    pub fn of(&self, path: &str) -> Option<&Permission> {
        self.methods.get(path)?.permission.as_ref()
    }

    /// Every RPC's path.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.methods.keys().map(String::as_str)
    }

    /// The descriptors this was read from.
    pub fn descriptors(&self) -> &'static [u8] {
        self.descriptors
    }

    pub(crate) fn has_service(&self, name: &str) -> bool {
        self.services.contains(name)
    }

    pub(crate) fn treatment(&self, path: &str) -> Treatment {
        if OPEN_SERVICES
            .iter()
            .any(|service| path.starts_with(service))
        {
            return Treatment::Open;
        }
        match self.methods.get(path) {
            Some(Method {
                streaming: true, ..
            }) => Treatment::Streaming,
            Some(_) => Treatment::Unary,
            None => Treatment::Unknown,
        }
    }
}

fn permission_of(
    method: &MethodDescriptor,
    option: &ExtensionDescriptor,
) -> Result<Option<Permission>, PermissionsError> {
    let options = method.options();
    if !options.has_extension(option) {
        return Ok(None);
    }
    let value = options.get_extension(option);
    let Some(message) = value.as_message() else {
        return Ok(None);
    };
    let mut roles = BTreeSet::new();
    for name in role_names(message) {
        match Role::parse(&name) {
            Some(role) => roles.insert(role),
            None => {
                return Err(PermissionsError::Role {
                    method: method.full_name().to_owned(),
                    role: name,
                });
            }
        };
    }
    let any_authenticated = message
        .get_field_by_name("any_authenticated")
        .and_then(|value| value.as_bool())
        .unwrap_or(false);
    Ok(Some(Permission {
        roles,
        any_authenticated,
    }))
}

fn role_names(message: &DynamicMessage) -> Vec<String> {
    let Some(roles) = message.get_field_by_name("roles") else {
        return Vec::new();
    };
    let names = roles
        .as_list()
        .unwrap_or_default()
        .iter()
        .filter_map(|role| role.as_str().map(str::to_owned));
    names.collect()
}
