//! `timeline`: every fact of a journey that the party may read, one line each, with both clocks.

use kernel::{BookNumber, ContainerNumber, Mrn, Refusal, RefusalKind, StockListNumber};
use proto::release::v1::get_timeline_request::Subject;
use proto::release::v1::{GetTimelineRequest, TimelineEntry};

use super::arguments::Listing;
use super::show::{self, Shown, when_exactly};
use crate::client::{ClientError, Session};

/// Whose timeline is asked for.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: greenlane timeline MSKU9070323
         greenlane timeline 26GB4ZK7Q1M0X9T2A6 --as broker-a
         greenlane timeline QD800026I000000007 --as trader-a
         greenlane timeline pre-arrival/0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11")]
pub struct TimelineArguments {
    /// A container number or visit, an MRN, the number of a stock list or book, or the id of a declaration,
    /// pre-arrival or truck visit
    #[arg(value_name = "CONTAINER-OR-ID")]
    container_or_id: String,
    #[command(flatten)]
    listing: Listing,
}

/// Shows the timeline.
///
/// # Errors
/// What release refuses: there is no such thing, or none that the party may see.
pub async fn run(arguments: TimelineArguments, session: &Session) -> Result<(), ClientError> {
    let mut refused = None;
    for subject in subjects(&arguments.container_or_id)? {
        match entries(&subject, arguments.listing, session).await {
            Ok(entries) if !entries.is_empty() => return show::many(session, &entries),
            Ok(_) => {}
            Err(ClientError::Refused(refusal)) if refusal.kind == RefusalKind::NotFound => {
                refused = Some(refusal);
            }
            Err(error) => return Err(error),
        }
    }
    let refusal = refused.map_or_else(
        || Refusal::not_found("timeline", arguments.container_or_id.as_str()),
        |refusal| *refusal,
    );
    Err(ClientError::from(refusal))
}

async fn entries(
    subject: &Subject,
    listing: Listing,
    session: &Session,
) -> Result<Vec<TimelineEntry>, ClientError> {
    let mut release = session.release()?;
    listing
        .fetch(async |page| {
            let request = GetTimelineRequest {
                subject: Some(subject.clone()),
                page: Some(page),
            };
            let answer = release.get_timeline(request).await?.into_inner();
            Ok((answer.entries, answer.next_page_token))
        })
        .await
}

/// What a text may name, the likeliest first. An id alone does not tell what it is the id of.
///
/// # Errors
/// It names nothing.
fn subjects(written: &str) -> Result<Vec<Subject>, ClientError> {
    let named = |prefix: &str| written.strip_prefix(prefix).map(str::to_owned);
    let by_name = [
        named("declaration/").map(Subject::DeclarationId),
        named("pre-arrival/").map(Subject::PreArrivalId),
        named("truck-visit/").map(Subject::TruckVisitId),
        named("container-visit/").map(Subject::ContainerVisitId),
        named("book/").map(Subject::BookNumber),
        named("stock-list/").map(Subject::ListNumber),
        named("mrn/").map(Subject::Mrn),
    ];
    if let Some(subject) = by_name.into_iter().flatten().next() {
        return Ok(vec![subject]);
    }
    let text = written.to_owned();
    if written.contains('/') {
        return Ok(vec![Subject::ContainerVisitId(text)]);
    }
    if uuid::Uuid::parse_str(written).is_ok() {
        return Ok(vec![
            Subject::DeclarationId(text.clone()),
            Subject::PreArrivalId(text.clone()),
            Subject::TruckVisitId(text),
        ]);
    }
    if Mrn::parse(written).is_ok() {
        return Ok(vec![Subject::Mrn(text)]);
    }
    if StockListNumber::parse(written).is_ok() {
        return Ok(vec![Subject::ListNumber(text)]);
    }
    if BookNumber::parse(written).is_ok() {
        return Ok(vec![Subject::BookNumber(text)]);
    }
    match ContainerNumber::parse(written) {
        Ok(_) => Ok(vec![Subject::ContainerNumber(text)]),
        Err(error) => Err(ClientError::Usage(format!(
            "there is no timeline of `{written}`: give a container number (MSKU9070323) or visit \
             (GUOYUAN-PORT/MSKU9070323/1), an MRN, the number of a stock list (QD800026I000000007) or book, or the \
             id of a declaration, pre-arrival or truck visit, as in: greenlane timeline MSKU9070323. As a \
             container number: {error}"
        ))),
    }
}

impl Shown for TimelineEntry {
    const MESSAGE: &'static str = "greenlane.release.v1.TimelineEntry";
    const COLUMNS: &'static [&'static str] = &[
        "happened", "recorded", "service", "fact", "about", "by", "detail",
    ];

    fn cells(&self) -> Vec<String> {
        vec![
            when_exactly(self.observed_at.as_ref()),
            when_exactly(self.recorded_at.as_ref()),
            self.service.clone(),
            self.fact.clone(),
            self.title.clone(),
            self.party.clone(),
            self.detail.clone(),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_that_names_nothing_is_wrong_use_and_is_told_what_there_is() {
        for written in ["nope", "", "MSKU9070324", "QD800026I00000000"] {
            let error = super::subjects(written).unwrap_err();
            assert_eq!(error.exit_code(), 2);
            let told = error.to_string();
            let example = "greenlane timeline MSKU9070323";
            for part in [
                written,
                "container number",
                "stock list",
                "truck visit",
                example,
            ] {
                assert!(told.contains(part), "{part}: {told}");
            }
        }
        let told = super::subjects("MSKU9070324").unwrap_err().to_string();
        assert!(told.contains("check digit"), "{told}");
    }

    fn subjects(written: &str) -> Vec<Subject> {
        super::subjects(written).unwrap()
    }

    #[test]
    fn a_text_is_known_by_its_form() {
        let text = |written: &str| written.to_owned();
        assert_eq!(
            subjects("MSKU 907032-3"),
            [Subject::ContainerNumber(text("MSKU 907032-3"))]
        );
        let visit = "GUOYUAN-PORT/MSKU9070323/1";
        assert_eq!(subjects(visit), [Subject::ContainerVisitId(text(visit))]);
        assert_eq!(
            subjects("26GB4ZK7Q1M0X9T2A6"),
            [Subject::Mrn(text("26GB4ZK7Q1M0X9T2A6"))]
        );
        assert_eq!(
            subjects("T8013B000042"),
            [Subject::BookNumber(text("T8013B000042"))]
        );
        let list = "QD800026I000000007";
        assert_eq!(subjects(list), [Subject::ListNumber(text(list))]);
        let named = format!("stock-list/{list}");
        assert_eq!(subjects(&named), [Subject::ListNumber(text(list))]);
    }

    #[test]
    fn an_id_may_be_of_three_kinds_unless_it_is_named() {
        let id = "0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11";
        assert_eq!(subjects(id).len(), 3);
        assert_eq!(
            subjects(&format!("truck-visit/{id}")),
            [Subject::TruckVisitId(id.to_owned())]
        );
    }
}
