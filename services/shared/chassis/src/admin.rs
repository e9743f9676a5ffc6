//! The admin port: metrics, whether the process lives, and whether it is ready and if not why. It must
//! not be reachable by strangers, and it must not know what the conditions of readiness mean.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::{BuildError, Matcher, PrometheusBuilder, PrometheusHandle};
use tokio::net::TcpListener;
use tokio::sync::watch;

/// Histograms gather samples until somebody reads them; so often they are folded even if nobody does.
const UPKEEP_INTERVAL: Duration = Duration::from_secs(5);

/// The bounds of every histogram whose name ends in `_seconds`: from a tenth of a disk flush to the limit
/// of patience.
const SECONDS_BUCKETS: &[f64] = &[
    0.0005, 0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.064, 0.128, 0.256, 0.512, 1.0, 2.0, 4.0,
    8.0, 16.0,
];

/// Named conditions that must all hold before a service is ready; clones speak of the same ones.
#[derive(Clone, Debug)]
pub struct Readiness {
    conditions: Arc<watch::Sender<BTreeMap<String, Result<(), String>>>>,
}

impl Readiness {
    /// Conditions that count as unmet until each is first reported.
    pub fn awaiting(conditions: &[&str]) -> Self {
        let unreported = |name: &&str| ((*name).to_owned(), Err("not reported yet".to_owned()));
        Self {
            conditions: Arc::new(watch::Sender::new(
                conditions.iter().map(unreported).collect(),
            )),
        }
    }

    /// Reports a condition: met, or why not. Reporting the same again wakes nobody.
    pub fn set(&self, condition: &str, state: Result<(), &str>) {
        let state = state.map_err(str::to_owned);
        self.conditions.send_if_modified(|conditions| {
            if conditions.get(condition) == Some(&state) {
                return false;
            }
            match &state {
                Ok(()) => tracing::info!(condition, "readiness condition met"),
                Err(why) => tracing::warn!(condition, why, "readiness condition not met"),
            }
            conditions.insert(condition.to_owned(), state);
            true
        });
    }

    /// Whether every condition is met.
    pub fn is_ready(&self) -> bool {
        self.conditions.borrow().values().all(Result::is_ok)
    }

    /// Every unmet condition and why.
    pub fn unmet(&self) -> BTreeMap<String, String> {
        let conditions = self.conditions.borrow();
        let unmet = conditions
            .iter()
            .filter_map(|(name, state)| Some((name.clone(), state.clone().err()?)));
        unmet.collect()
    }

    /// Waits until every condition is met.
    pub async fn ready(&self) {
        let mut conditions = self.conditions.subscribe();
        // The only error is a sender gone, and self holds one.
        let _ = conditions
            .wait_for(|conditions| conditions.values().all(Result::is_ok))
            .await;
    }

    /// Notices every change.
    pub(crate) fn changes(&self) -> watch::Receiver<BTreeMap<String, Result<(), String>>> {
        self.conditions.subscribe()
    }
}

/// Installs the process's metrics recorder, once; further calls give the same one. Metrics recorded before
/// the first call are lost.
///
/// # Errors
///
/// Where another recorder was installed by somebody else.
pub fn install_metrics() -> Result<PrometheusHandle, MetricsError> {
    static INSTALLED: OnceLock<Result<PrometheusHandle, MetricsError>> = OnceLock::new();
    INSTALLED
        .get_or_init(|| {
            let seconds = Matcher::Suffix("_seconds".to_owned());
            let builder = PrometheusBuilder::new().set_buckets_for_metric(seconds, SECONDS_BUCKETS);
            builder
                .and_then(PrometheusBuilder::install_recorder)
                .map_err(|error| MetricsError(Arc::new(error)))
        })
        .clone()
}

/// Why metrics cannot be recorded.
#[derive(Clone, Debug, thiserror::Error)]
#[error("metrics cannot be recorded, install no other recorder in this process")]
pub struct MetricsError(#[source] Arc<BuildError>);

/// Serves the admin port until `stop` resolves. Gives the bound address and the running server.
pub(crate) async fn serve(
    listen: SocketAddr,
    readiness: Readiness,
    metrics: PrometheusHandle,
    stop: impl Future<Output = ()> + Send + 'static,
) -> std::io::Result<(SocketAddr, tokio::task::JoinHandle<()>)> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let upkeep = metrics.clone();
    let router = Router::new()
        .route("/healthz", get(|| async { "alive\n" }))
        .route("/readyz", get(readyz).with_state(readiness))
        .route("/metrics", get(scrape).with_state(metrics));
    let serving = tokio::spawn(async move {
        tokio::select! {
            served = axum::serve(listener, router) => {
                if let Err(error) = served {
                    tracing::error!(%error, "the admin port is gone");
                }
            }
            () = keep_up(upkeep) => {}
            () = stop => {}
        }
    });
    Ok((address, serving))
}

async fn keep_up(metrics: PrometheusHandle) {
    let mut ticks = tokio::time::interval(UPKEEP_INTERVAL);
    loop {
        ticks.tick().await;
        metrics.run_upkeep();
    }
}

async fn readyz(State(readiness): State<Readiness>) -> Response {
    let unmet = readiness.unmet();
    let status = if unmet.is_empty() {
        StatusCode::OK
    } else {
        StatusCode::SERVICE_UNAVAILABLE
    };
    let body = serde_json::json!({ "ready": unmet.is_empty(), "unmet": unmet }).to_string();
    (status, [(header::CONTENT_TYPE, "application/json")], body).into_response()
}

async fn scrape(State(metrics): State<PrometheusHandle>) -> Response {
    (
        [(
            header::CONTENT_TYPE,
            "text/plain; version=0.0.4; charset=utf-8",
        )],
        metrics.render(),
    )
        .into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_ready_when_every_condition_is_met() {
        let readiness = Readiness::awaiting(&["database", "topics"]);
        readiness.set("database", Ok(()));
        assert_eq!(
            readiness.unmet(),
            BTreeMap::from([("topics".to_owned(), "not reported yet".to_owned())])
        );
        readiness.set("topics", Ok(()));
        assert!(readiness.is_ready());
        readiness.set("database", Err("connection lost"));
        assert!(!readiness.is_ready());
    }
}
