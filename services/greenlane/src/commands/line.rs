//! The shipping line's commands: which haulier may collect a consignment.

use clap::Subcommand;
use proto::release::v1::{
    CommercialRelease, GrantCommercialReleaseRequest, RevokeCommercialReleaseRequest,
};

use super::show::{self, Shown, when, word};
use crate::client::{ClientError, Session};
use crate::output;

/// The line's commands.
#[derive(Debug, Subcommand)]
pub enum LineCommand {
    /// Let one haulier collect a consignment
    #[command(after_help = "\
Example: greenlane line release CKGHAM2611001 haulier-a
         greenlane line release CKGHAM2611001 haulier-a --container MSKU9070323")]
    Release {
        /// The transport document
        #[arg(value_name = "TRANSPORT-DOCUMENT")]
        transport_document: String,
        /// The haulier that may collect
        haulier: String,
        /// At this site only; at any if not given
        #[arg(long, default_value = "", hide_default_value = true)]
        site: String,
        /// This container only; every one of the transport document if not given
        #[arg(long, default_value = "", hide_default_value = true)]
        container: String,
        /// Only check: the same answer, and nothing is released
        #[arg(long)]
        check: bool,
    },
    /// Take a commercial release back
    #[command(after_help = "\
Example: greenlane line revoke 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11 --reason 'freight not paid'
         greenlane line revoke --transport-document CKGHAM2611001 --reason 'freight not paid'")]
    Revoke {
        /// The commercial release's id
        #[arg(
            required_unless_present = "transport_document",
            conflicts_with = "transport_document",
            value_name = "RELEASE"
        )]
        commercial_release: Option<String>,
        /// The transport document that was released
        #[arg(long, value_name = "TRANSPORT-DOCUMENT")]
        transport_document: Option<String>,
        /// The site, as given with the release
        #[arg(long, default_value = "", hide_default_value = true)]
        site: String,
        /// The container, as given with the release
        #[arg(long, default_value = "", hide_default_value = true)]
        container: String,
        /// Why
        #[arg(long)]
        reason: String,
        /// The version that you have seen
        #[arg(long, default_value_t = 0, value_name = "VERSION")]
        expected_version: u64,
        /// Only check: the same answer, and nothing is revoked
        #[arg(long)]
        check: bool,
    },
}

/// Carries out a line's command.
///
/// # Errors
/// What release refuses.
pub async fn run(command: LineCommand, session: &Session) -> Result<(), ClientError> {
    match command {
        LineCommand::Release {
            transport_document,
            haulier,
            site,
            container,
            check,
        } => {
            let request = GrantCommercialReleaseRequest {
                request_id: session.request_id(),
                validate_only: check,
                transport_document,
                haulier_party: haulier,
                site_id: site,
                container_number: container,
            };
            let answer = session.release()?.grant_commercial_release(request).await?;
            let answer = answer.into_inner();
            if answer.already_granted {
                output::note("It was released so already; nothing changed.");
            }
            show::one(session, &answer.commercial_release.unwrap_or_default())
        }
        LineCommand::Revoke {
            commercial_release,
            transport_document,
            site,
            container,
            reason,
            expected_version,
            check,
        } => {
            let request = RevokeCommercialReleaseRequest {
                request_id: session.request_id(),
                validate_only: check,
                commercial_release_id: commercial_release.unwrap_or_default(),
                transport_document: transport_document.unwrap_or_default(),
                site_id: site,
                container_number: container,
                reason,
                expected_version,
            };
            let answer = session
                .release()?
                .revoke_commercial_release(request)
                .await?;
            let answer = answer.into_inner();
            if answer.already_revoked {
                output::note("It was revoked already; nothing changed.");
            }
            for visit in &answer.revocation_asked_container_visit_ids {
                let text = format!("Gate is asked to stop {visit}; its answer comes as a notice.");
                output::note(&text);
            }
            show::one(session, &answer.commercial_release.unwrap_or_default())
        }
    }
}

impl Shown for CommercialRelease {
    const MESSAGE: &'static str = "greenlane.release.v1.CommercialRelease";
    const COLUMNS: &'static [&'static str] = &[
        "commercial release",
        "state",
        "transport document",
        "haulier",
        "site",
        "container",
        "granted",
        "by",
        "revoked",
        "reason",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            self.commercial_release_id.clone(),
            word(self.state().as_str_name(), "COMMERCIAL_RELEASE_STATE_"),
            self.transport_document.clone(),
            self.haulier_party.clone(),
            self.site_id.clone(),
            self.container_number.clone(),
            when(self.granted_at.as_ref()),
            self.line_party.clone(),
            when(self.revoked_at.as_ref()),
            self.revoke_reason.clone(),
        ]
    }
}
