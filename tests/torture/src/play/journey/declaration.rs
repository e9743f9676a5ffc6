//! The declaration: how it is lodged, and what customs comes to. It must not know trucks.

use proto::customs::v1 as customs;
use tokio::time::Instant;
use tonic::Status;

use super::{Journey, request_id};
use crate::play::history;
use crate::play::waiting::{if_so, seen};

impl Journey<'_> {
    /// Customs has heard all that it answers to the declaration on.
    pub(super) async fn until_customs_would_take_it(&self) {
        seen("customs would take the declaration", async || {
            let filing = self.file(true, request_id()).await?;
            let is_so = filing.outcome() == self.cargo.outcome;
            Ok(if_so(is_so, (), format!("{filing:?}")))
        })
        .await;
    }

    pub(super) async fn lodge(&mut self) {
        let (request_id, began) = (request_id(), Instant::now());
        let filing = seen("the declaration is lodged", async || {
            self.file(false, request_id.clone()).await.map(Ok)
        })
        .await;
        history::acknowledged(
            "the declaration is lodged",
            &request_id,
            Some(began.elapsed()),
        );
        assert_eq!(filing.outcome(), self.cargo.outcome, "{filing:?}");
        if filing.outcome() == customs::FilingOutcome::Accepted {
            assert!(self.cargo.debts.contains(&filing.debt()), "{filing:?}");
        }
        self.declaration = filing.declaration_id;
        self.mrn = filing.mrn;
    }

    async fn file(
        &self,
        validate_only: bool,
        request_id: String,
    ) -> Result<customs::Filing, Status> {
        let request = customs::FileDocumentRequest {
            request_id,
            validate_only,
            document: self.document().into(),
        };
        let answer = self.broker.customs().file_document(request).await?;
        Ok(answer.into_inner().filing.unwrap_or_default())
    }

    pub(super) async fn until_matched(&self) {
        self.until_declaration("is matched", |declaration| {
            declaration.consignments.first().is_some_and(|consignment| {
                consignment.r#match() == customs::MatchState::Matched
                    && consignment.container_visit_id == self.container_visit
            })
        })
        .await;
    }

    pub(super) async fn until_accepted(&self) {
        self.until_declaration("is accepted, its duty settled", |declaration| {
            let accepted = declaration
                .history
                .iter()
                .any(|entry| entry.fact == "ACCEPTED");
            accepted
                && declaration.filing_version == 2
                && self.cargo.debts.contains(&declaration.debt())
                && declaration.controls.len() == self.cargo.controls
        })
        .await;
    }

    pub(super) async fn until_cleared(&self) {
        self.until_declaration("is cleared", |declaration| {
            declaration.status() == customs::DeclarationStatus::Cleared
        })
        .await;
    }

    pub(super) async fn until_declaration(
        &self,
        what: &str,
        is_so: impl Fn(&customs::DeclarationRecord) -> bool,
    ) -> customs::DeclarationRecord {
        let what = format!("the declaration {what}");
        seen(&what, async || {
            let name =
                customs::get_declaration_request::Name::DeclarationId(self.declaration.clone());
            let request = customs::GetDeclarationRequest { name: Some(name) };
            let mut customs = self.broker.customs();
            let answer = customs.get_declaration(request).await?.into_inner();
            let declaration = answer.declaration.unwrap_or_default();
            let instead = format!("{:?} {:?}", declaration.status(), declaration.debt());
            Ok(if_so(is_so(&declaration), declaration, instead))
        })
        .await
    }
}
