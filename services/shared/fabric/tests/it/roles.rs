//! As whom a service may serve.

use std::sync::Arc;

use fabric::{Fabric, FabricConfig, FabricError};

use crate::counter::{Counter, database};

#[tokio::test]
async fn a_service_does_not_start_as_the_owner_of_its_tables_or_as_a_superuser() {
    let database = database().await;
    let admin = stack::for_tests().await.admin_url().to_owned();
    let inside = |url: &str| {
        let server = url.rsplit_once('/').unwrap().0;
        format!("{server}/{}", database.name)
    };
    for url in [database.owner_url.clone(), inside(&admin)] {
        let config = FabricConfig::for_brokers("none", "");
        let started = Fabric::start_without_broker(Arc::new(Counter), config, &url).await;
        let error = started.err().unwrap();
        assert!(matches!(error, FabricError::RoleAbove(_)), "{error}");
        assert!(error.to_string().contains("runbook"), "{error}");
    }
}
