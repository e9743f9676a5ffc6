//! Declarations as brokers, traders and officers look them up and see them. It must not know how they are
//! filed or acted on.

use proto::customs::v1::get_declaration_request::Name;
use proto::customs::v1::{
    Control, DeclarationRecord, DeclarationStatus, GetDeclarationRequest, ListDeclarationsRequest,
};

use super::arguments::Listing;
use super::show::{self, Shown, money, when, word, yes};
use crate::client::{ClientError, Session};

/// Which declarations are listed.
#[derive(Clone, Debug, clap::Args)]
pub struct Filter {
    /// Only with this MRN
    #[arg(long, default_value = "", hide_default_value = true)]
    mrn: String,
    /// Only with this reference of the filer
    #[arg(long, default_value = "", hide_default_value = true)]
    lrn: String,
    /// Only naming this container
    #[arg(long, default_value = "", hide_default_value = true)]
    container: String,
    /// Only naming this transport document
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "TRANSPORT-DOCUMENT"
    )]
    transport_document: String,
    #[command(flatten)]
    listing: Listing,
}

/// The declaration of this id or MRN, with everything customs knows about it.
///
/// # Errors
/// What customs answers.
pub async fn get(named: &str, session: &Session) -> Result<DeclarationRecord, ClientError> {
    let name = if uuid::Uuid::parse_str(named).is_ok() {
        Name::DeclarationId(named.to_owned())
    } else {
        Name::Mrn(named.to_owned())
    };
    let request = GetDeclarationRequest { name: Some(name) };
    let answer = session.customs()?.get_declaration(request).await?;
    Ok(answer.into_inner().declaration.unwrap_or_default())
}

/// The id of a declaration named by its id or MRN.
///
/// # Errors
/// What customs answers where the MRN is looked up.
pub async fn id(named: &str, session: &Session) -> Result<String, ClientError> {
    if uuid::Uuid::parse_str(named).is_ok() {
        return Ok(named.to_owned());
    }
    Ok(get(named, session).await?.declaration_id)
}

/// Lists declarations, newest first.
///
/// # Errors
/// What customs answers.
pub async fn list(
    filter: Filter,
    statuses: &[DeclarationStatus],
    session: &Session,
) -> Result<(), ClientError> {
    let mut customs = session.customs()?;
    let rows = filter
        .listing
        .fetch(async |page| {
            let request = ListDeclarationsRequest {
                mrn: filter.mrn.clone(),
                lrn: filter.lrn.clone(),
                container_number: filter.container.clone(),
                transport_document: filter.transport_document.clone(),
                statuses: statuses.iter().map(|status| i32::from(*status)).collect(),
                page: Some(page),
            };
            let answer = customs.list_declarations(request).await?.into_inner();
            Ok((answer.declarations, answer.next_page_token))
        })
        .await?;
    show::many(session, &rows)
}

impl Shown for DeclarationRecord {
    const MESSAGE: &'static str = "greenlane.customs.v1.DeclarationRecord";
    const COLUMNS: &'static [&'static str] = &[
        "declaration",
        "mrn",
        "lrn",
        "type",
        "status",
        "exit",
        "void asked",
        "channel",
        "debt",
        "payable",
        "filer",
        "containers",
        "stock lists",
        "filed",
        "missing",
    ];

    fn cells(&self) -> Vec<String> {
        let payable = self
            .duty
            .as_ref()
            .and_then(|duty| duty.total_payable.as_ref());
        vec![
            self.declaration_id.clone(),
            self.mrn.clone(),
            self.lrn.clone(),
            self.type_code.clone(),
            word(self.status().as_str_name(), "DECLARATION_STATUS_"),
            word(self.exit().as_str_name(), "EXIT_STATE_"),
            yes(self.invalidation_asked),
            word(self.channel().as_str_name(), "CHANNEL_"),
            word(self.debt().as_str_name(), "DEBT_STATE_"),
            money(payable),
            self.filer_party.clone(),
            self.containers.join(", "),
            self.stock_lists.join(", "),
            when(self.filed_at.as_ref()),
            show::condition_codes(&self.conditions),
        ]
    }

    fn below(&self) -> Vec<String> {
        let mut lines = show::conditions(&self.conditions);
        lines.extend(self.controls.iter().map(control));
        lines.extend(self.holds.iter().map(show::hold));
        lines.extend(self.consignments.iter().map(|consignment| {
            let state = word(consignment.r#match().as_str_name(), "MATCH_STATE_");
            let reason = match consignment.match_reason.as_str() {
                "" => String::new(),
                reason => format!(" ({reason})"),
            };
            // What comes out of bond has no clearance of its own: it goes by its stock list.
            let goods = match consignment.clearance_key.as_str() {
                "" => format!("stock-list/{}", self.stock_lists.join(", ")),
                key => key.to_owned(),
            };
            let goods = format!(
                "Goods of {goods} are {state}{reason} {}",
                consignment.container_visit_id
            );
            goods.trim_end().to_owned()
        }));
        lines.extend(show::faults("Fault", &self.faults));
        lines.extend(show::faults("Warning", &self.warnings));
        lines.extend(self.history.iter().map(|entry| {
            let by = match entry.by_party.as_str() {
                "" => String::new(),
                party => format!(" by {party}"),
            };
            format!(
                "{} {}{by} {}",
                when(entry.recorded_at.as_ref()),
                entry.fact,
                entry.detail
            )
        }));
        lines
            .iter()
            .map(|line| line.trim_end().to_owned())
            .collect()
    }
}

fn control(control: &Control) -> String {
    let kind = word(control.kind().as_str_name(), "CONTROL_KIND_");
    let state = match control.done_at {
        None if control.blocking => "open, the goods wait for it".to_owned(),
        None => "open".to_owned(),
        Some(done) => format!(
            "{} {}",
            word(control.result().as_str_name(), "CONTROL_RESULT_"),
            when(Some(&done))
        ),
    };
    format!(
        "Control {} of {kind}: {state}. {} {}",
        control.control_id, control.reason, control.note
    )
}
