//! `why`: may this container leave, and if not: what is missing, who must act, since when, what would clear
//! it, on what evidence. The answer is release's; here it is only laid out.

use proto::common::v1::Condition;
use proto::release::v1::explain_release_request::Subject;
use proto::release::v1::{
    ConsignmentRelease, ContainerRelease, ExplainReleaseRequest, ExplainReleaseResponse,
    ReleaseState,
};

use super::show::{self, when, word};
use crate::client::{ClientError, Session};
use crate::output::{self, Output};

/// Knowledge older than this is pointed out.
const KNOWLEDGE_AGE_MILLIS_NOTED: u64 = 10_000;

/// Which container is asked about.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: greenlane why MSKU9070323
         greenlane why GUOYUAN-PORT/MSKU9070323/1 --as haulier-a")]
pub struct WhyArguments {
    /// A container number, or one of its visits
    container: String,
    /// With a number: at this site only
    #[arg(long, default_value = "", hide_default_value = true)]
    site: String,
}

/// Asks and lays the answer out.
///
/// # Errors
/// What release refuses: there is no such container, or none that the party may see.
pub async fn run(arguments: WhyArguments, session: &Session) -> Result<(), ClientError> {
    let subject = if arguments.container.contains('/') {
        Subject::ContainerVisitId(arguments.container)
    } else {
        Subject::ContainerNumber(arguments.container)
    };
    let request = ExplainReleaseRequest {
        subject: Some(subject),
        site_id: arguments.site,
    };
    let answer = session.release()?.explain_release(request).await?;
    let answer = answer.into_inner();
    if session.output() == Output::Json {
        return output::json("greenlane.release.v1.ExplainReleaseResponse", &answer);
    }
    lay_out(&answer)
}

fn lay_out(answer: &ExplainReleaseResponse) -> Result<(), ClientError> {
    let release = answer.release.clone().unwrap_or_default();
    output::line(&verdict(answer.may_leave, &release))?;
    if !release.conditions.is_empty() {
        let columns = [
            "missing",
            "about",
            "who must act",
            "since",
            "what clears it",
            "evidence",
        ];
        output::table(&columns, release.conditions.iter().map(condition).collect())?;
    }
    for consignment in &answer.consignments {
        output::line(&consignment_text(consignment))?;
    }
    for hold in &answer.holds {
        output::line(&show::hold(hold))?;
    }
    for unbound in &answer.unbound_declarations {
        let name = match unbound.mrn.as_str() {
            "" => &unbound.declaration_id,
            mrn => mrn,
        };
        output::line(&format!(
            "Declaration {name} names the container and does not count: {}",
            unbound.reason
        ))?;
    }
    old_knowledge(answer)
        .iter()
        .try_for_each(|text| output::line(text))
}

fn verdict(may_leave: bool, release: &ContainerRelease) -> String {
    let visit = &release.container_visit_id;
    let since = when(release.decided_at.as_ref());
    let state = word(release.state().as_str_name(), "RELEASE_STATE_");
    match release.state() {
        // Released to no truck: a train or barge takes it.
        _ if may_leave && release.haulier_party.is_empty() => {
            format!("{visit}: may be loaded since {since}")
        }
        _ if may_leave => format!(
            "{visit}: may leave with {} since {since}",
            release.haulier_party
        ),
        ReleaseState::Consumed => {
            format!(
                "{visit}: has left at {}",
                when(release.departed_at.as_ref())
            )
        }
        ReleaseState::NotDecided => {
            format!("{visit}: release does not decide on it; gate decides alone")
        }
        ReleaseState::Granted => format!("{visit}: is released to another haulier since {since}"),
        _ => format!("{visit}: may not leave ({state} since {since})"),
    }
}

fn condition(condition: &Condition) -> Vec<String> {
    vec![
        condition.code.clone(),
        condition.subject.clone(),
        condition.who.clone(),
        when(condition.since.as_ref()),
        condition.description.clone(),
        condition.evidence.join("\n"),
    ]
}

fn consignment_text(consignment: &ConsignmentRelease) -> String {
    let declared = match consignment.declarations.as_slice() {
        [] => "not declared".to_owned(),
        declarations => format!("declared by {}", declarations.join(", ")),
    };
    let customs = if consignment.customs_released {
        "customs has released it"
    } else {
        "customs has not released it"
    };
    let line = match &consignment.commercial_release {
        Some(release) => format!(
            "{} lets {} collect it",
            release.line_party, release.haulier_party
        ),
        None => format!("{} has let nobody collect it", consignment.line_party),
    };
    format!(
        "Consignment {}: {declared}; {customs}; {line}",
        consignment.transport_document
    )
}

/// What the answer rests on that is unknown, parked or old.
fn old_knowledge(answer: &ExplainReleaseResponse) -> Vec<String> {
    let troubles = answer.knowledge.iter().filter_map(|known| {
        let trouble = match known.age_millis {
            _ if known.parked => "waits for an operator (greenlane fabric parked list)".to_owned(),
            None => "is unknown".to_owned(),
            Some(age) if age > KNOWLEDGE_AGE_MILLIS_NOTED => {
                format!("is {} old", output::age(age))
            }
            Some(_) => return None,
        };
        Some(format!(
            "What {} says about {} {trouble}",
            known.topic, known.key
        ))
    });
    troubles.collect()
}

#[cfg(test)]
mod tests {
    use proto::release::v1::KnowledgeAge;

    use super::*;

    fn release(state: ReleaseState) -> ContainerRelease {
        ContainerRelease {
            container_visit_id: "GUOYUAN-PORT/MSKU9070323/1".to_owned(),
            state: state.into(),
            haulier_party: "haulier-a".to_owned(),
            ..Default::default()
        }
    }

    #[test]
    fn a_granted_release_names_the_haulier() {
        let text = verdict(true, &release(ReleaseState::Granted));
        assert!(text.contains("may leave with haulier-a"), "{text}");
    }

    #[test]
    fn what_no_truck_takes_may_be_loaded() {
        let export = ContainerRelease {
            haulier_party: String::new(),
            ..release(ReleaseState::Granted)
        };
        let text = verdict(true, &export);
        assert!(text.contains("may be loaded since"), "{text}");
    }

    #[test]
    fn a_release_to_somebody_else_is_no_leave() {
        let text = verdict(false, &release(ReleaseState::Granted));
        assert!(text.contains("another haulier"), "{text}");
        let text = verdict(false, &release(ReleaseState::RevocationAsked));
        assert!(text.contains("may not leave (revocation asked"), "{text}");
    }

    #[test]
    fn what_is_unknown_parked_or_old_is_pointed_out() {
        let known = |age_millis, parked| KnowledgeAge {
            topic: "customs.clearance".to_owned(),
            key: "container/MSKU9070323".to_owned(),
            age_millis,
            parked,
        };
        let answer = ExplainReleaseResponse {
            knowledge: vec![
                known(Some(900), false),
                known(None, false),
                known(Some(900), true),
                known(Some(60_000), false),
            ],
            ..Default::default()
        };
        let told = old_knowledge(&answer);
        assert_eq!(told.len(), 3);
        assert!(told[0].ends_with("is unknown"));
        assert!(told[1].contains("operator"));
        assert!(told[2].ends_with("60 s old"), "{}", told[2]);
    }
}
