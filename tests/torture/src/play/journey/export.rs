//! Goods that leave by train: loaded when release says so, and gone with it. It must not know how they came.

use proto::customs::v1 as customs;
use proto::gate::v1 as gate;
use tonic::Status;

use super::lane::{is_fresh, knowledge_is_fresh};
use super::{Journey, PORT, SEAL, accepted_line, codes, only_line, request_id};
use crate::play::history;
use crate::play::waiting::{answered, if_so, seen};

impl Journey<'_> {
    /// A load is refused for the hold: the container stays in the yard.
    pub(super) async fn load_in_vain(&mut self) {
        let line = self.load_for_good().await;
        let outcome = line.outcome();
        assert_eq!(outcome, gate::ListLineOutcome::Refused, "{line:?}");
        let held = codes(&line.conditions).contains(&"TERMINAL_HOLD");
        assert!(held, "{line:?}");
    }

    pub(super) async fn until_it_may_be_loaded(&self) {
        self.until_granted().await;
        seen("gate would let it be loaded", async || {
            if let Err(old) = is_fresh(self.parties, self.weighed()).await? {
                return Ok(Err(old));
            }
            let line = only_line(self.load(true, &request_id()).await?);
            let taken = line.outcome() == gate::ListLineOutcome::Accepted;
            Ok(if_so(taken, (), format!("{line:?}")))
        })
        .await;
    }

    pub(super) async fn be_loaded(&mut self) {
        let line = self.load_for_good().await;
        accepted_line(vec![line]);
    }

    /// Asked again until it is answered, on knowledge that is fresh.
    async fn load_for_good(&self) -> gate::ListLineResult {
        let request_id = request_id();
        let results = seen("the train is loaded", async || {
            knowledge_is_fresh(self.parties, self.weighed()).await;
            self.load(false, &request_id).await.map(Ok)
        })
        .await;
        history::acknowledged("the train is loaded", &request_id, None);
        only_line(results)
    }

    async fn load(
        &self,
        validate_only: bool,
        request_id: &str,
    ) -> Result<Vec<gate::ListLineResult>, Status> {
        let request = gate::RecordLoadingRequest {
            request_id: request_id.to_owned(),
            validate_only,
            site_id: PORT.to_owned(),
            mode: gate::TransportMode::Rail.into(),
            conveyance: self.train(),
            loaded_at: None,
            containers: vec![gate::LoadedContainer {
                container_number: self.container.clone(),
                seals_found: vec![SEAL.to_owned()],
            }],
        };
        let mut gate = self.parties.terminal.gate();
        Ok(gate.record_loading(request).await?.into_inner().results)
    }

    pub(super) async fn leave_by_train(&mut self) {
        let request = gate::RecordDepartureRequest {
            request_id: request_id(),
            validate_only: false,
            site_id: PORT.to_owned(),
            mode: gate::TransportMode::Rail.into(),
            conveyance: self.train(),
            departed_at: None,
            container_numbers: vec![self.container.clone()],
        };
        let answer = answered("the train leaves", &request.request_id, async || {
            let mut gate = self.parties.terminal.gate();
            gate.record_departure(request.clone()).await
        })
        .await;
        accepted_line(answer.results);
    }

    pub(super) async fn until_exited(&self) {
        self.until_departed().await;
        self.until_declaration("has exited", |declaration| {
            declaration.exit() == customs::ExitState::Exited
        })
        .await;
    }
}
