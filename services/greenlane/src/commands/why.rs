//! `why`: may this container leave, or may the goods of this stock list move, and if not: what is missing, who
//! must act, since when, what would clear it, on what evidence. The answer is release's; here it is only laid
//! out.

use kernel::{ContainerNumber, StockListNumber};
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

/// Which container or stock list is asked about.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Example: greenlane why MSKU9070323
         greenlane why GUOYUAN-PORT/MSKU9070323/1 --as haulier-a
         greenlane why QD800026I000000007 --as trader-a")]
pub struct WhyArguments {
    /// A container number, one of its visits, or a stock list's number
    #[arg(value_name = "CONTAINER-OR-LIST")]
    container_or_list: String,
    /// With a number: at this site only
    #[arg(long, default_value = "", hide_default_value = true)]
    site: String,
}

/// Asks and lays the answer out.
///
/// # Errors
/// What release refuses: there is no such container or list, or none that the party may see.
pub async fn run(arguments: WhyArguments, session: &Session) -> Result<(), ClientError> {
    let request = ExplainReleaseRequest {
        subject: Some(subject(arguments.container_or_list)?),
        site_id: arguments.site,
    };
    let answer = session.release()?.explain_release(request).await?;
    let answer = answer.into_inner();
    if session.output() == Output::Json {
        return output::json("greenlane.release.v1.ExplainReleaseResponse", &answer);
    }
    lay_out(&answer)
}

/// What a text names. A stock list's number is no container's.
///
/// # Errors
/// It names neither.
fn subject(written: String) -> Result<Subject, ClientError> {
    if StockListNumber::parse(&written).is_ok() {
        return Ok(Subject::ListNumber(written));
    }
    if written.contains('/') {
        return Ok(Subject::ContainerVisitId(written));
    }
    match ContainerNumber::parse(&written) {
        Ok(_) => Ok(Subject::ContainerNumber(written)),
        Err(error) => Err(ClientError::Usage(format!(
            "nothing leaves under `{written}`: give a container number (MSKU9070323), one of its visits \
             (GUOYUAN-PORT/MSKU9070323/1) or a stock list's number (QD800026I000000007), as in: greenlane why \
             MSKU9070323. As a container number: {error}"
        ))),
    }
}

fn lay_out(answer: &ExplainReleaseResponse) -> Result<(), ClientError> {
    let release = answer.release.clone().unwrap_or_default();
    if release.list_number.is_empty() {
        output::line(&verdict(answer.may_leave, &release))?;
        missing(&release.conditions)?;
    } else {
        lay_out_list(&release)?;
    }
    answer.list_releases.iter().try_for_each(lay_out_list)?;
    for consignment in &answer.consignments {
        output::line(&consignment_text(consignment, &release))?;
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

/// The decision on a stock list: what keeps its goods, and what keeps single containers of it.
fn lay_out_list(release: &ContainerRelease) -> Result<(), ClientError> {
    output::line(&list_verdict(release))?;
    missing(&release.conditions)?;
    if release.left_out.is_empty() {
        return Ok(());
    }
    output::line(&format!(
        "Stock list {}: these containers do not go with it yet:",
        release.list_number
    ))?;
    missing(&release.left_out)
}

fn missing(conditions: &[Condition]) -> Result<(), ClientError> {
    if conditions.is_empty() {
        return Ok(());
    }
    let columns = [
        "missing",
        "about",
        "who must act",
        "since",
        "what clears it",
        "evidence",
    ];
    output::table(&columns, conditions.iter().map(condition).collect())
}

/// As release says of a list: its goods may move where it is granted and nothing is missing now.
fn list_verdict(release: &ContainerRelease) -> String {
    let list = format!("Stock list {}", release.list_number);
    let since = when(release.state_since.as_ref());
    let state = word(release.state().as_str_name(), "RELEASE_STATE_");
    let goods_move = match release.journey.as_str() {
        "BOND_TRANSFER" => "go into the bonded centre",
        "BOND_EXIT" => "go out of the bonded centre",
        _ => "move",
    };
    match release.state() {
        ReleaseState::Granted if release.conditions.is_empty() => {
            let containers = match release.list_containers.as_slice() {
                [] => "in whatever a pass names".to_owned(),
                containers => format!("in {}", containers.join(", ")),
            };
            format!("{list}: its goods may {goods_move} since {since}, {containers}")
        }
        ReleaseState::Consumed => format!("{list}: nothing more of it will pass"),
        _ => format!("{list}: its goods may not {goods_move} ({state} since {since})"),
    }
}

fn verdict(may_leave: bool, release: &ContainerRelease) -> String {
    let visit = &release.container_visit_id;
    let since = when(release.state_since.as_ref());
    let state = word(release.state().as_str_name(), "RELEASE_STATE_");
    let granted = release.state() == ReleaseState::Granted && release.conditions.is_empty();
    match release.state() {
        _ if may_leave && !granted => {
            format!("{visit}: may leave into the bonded centre, on a pass of a stock list below")
        }
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

/// What has been said about a consignment, as far as it matters for where it goes: an export is collected by
/// nobody, what goes into bond waits for no release, and nothing is missing of what has left. That nobody declared
/// it or lets it be collected is said by release alone: what is not told may merely not be for this reader.
fn consignment_text(consignment: &ConsignmentRelease, release: &ContainerRelease) -> String {
    let document = consignment.transport_document.as_str();
    let name = match document {
        "" => "Goods without a transport document".to_owned(),
        document => format!("Consignment {document}"),
    };
    let about = format!("transport-document/{document}");
    let misses = |code: &str| {
        let mut missing = release.conditions.iter();
        missing.any(|condition| condition.code == code && condition.subject == about)
    };
    let mut said = Vec::new();
    match consignment.declarations.as_slice() {
        [] if misses("NOT_DECLARED") => said.push("not declared".to_owned()),
        [] => {}
        declarations => said.push(format!("declared by {}", declarations.join(", "))),
    }
    if release.state() == ReleaseState::Consumed {
        said.push("has left".to_owned());
    } else if consignment.not_for_pick_up {
        said.push("goes into bond, or elsewhere than to who picks it up; into bond it leaves on its stock list, without a release by customs or the line".to_owned());
    } else {
        said.push(
            if consignment.customs_released {
                "customs has released it"
            } else {
                "customs has not released it"
            }
            .to_owned(),
        );
        said.extend(line_text(consignment, release, misses));
    }
    format!("{name}: {}", said.join("; "))
}

/// What the line says; none where it need not say anything, or where it is not known to this reader.
fn line_text(
    consignment: &ConsignmentRelease,
    release: &ContainerRelease,
    misses: impl Fn(&str) -> bool,
) -> Option<String> {
    let line = &consignment.line_party;
    let to_another = || {
        let mut missing = release.conditions.iter();
        missing.any(|condition| condition.code == "RELEASED_TO_ANOTHER_HAULIER")
    };
    match &consignment.commercial_release {
        Some(given) => Some(format!(
            "{} lets {} collect it",
            given.line_party, given.haulier_party
        )),
        None if misses("COMMERCIAL_RELEASE_MISSING") => {
            Some(format!("{line} has let nobody collect it"))
        }
        None if to_another() => Some(format!("{line} lets another haulier collect it")),
        None => None,
    }
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

    fn missing(code: &str, subject: &str) -> Condition {
        Condition {
            code: code.to_owned(),
            subject: subject.to_owned(),
            ..Default::default()
        }
    }

    fn goods(declarations: &[&str]) -> ConsignmentRelease {
        ConsignmentRelease {
            transport_document: "TD-1".to_owned(),
            line_party: "line-a".to_owned(),
            declarations: declarations.iter().map(|one| (*one).to_owned()).collect(),
            ..Default::default()
        }
    }

    #[test]
    fn of_goods_to_be_picked_up_it_is_told_what_customs_and_the_line_have_said() {
        let waits = ContainerRelease {
            conditions: vec![
                missing("NOT_DECLARED", "transport-document/TD-1"),
                missing("COMMERCIAL_RELEASE_MISSING", "transport-document/TD-1"),
            ],
            ..release(ReleaseState::Withheld)
        };
        assert_eq!(
            consignment_text(&goods(&[]), &waits),
            "Consignment TD-1: not declared; customs has not released it; line-a has let nobody collect it"
        );
        // To a haulier declarations and other hauliers are not named; that does not make them nothing.
        let to_another = ContainerRelease {
            conditions: vec![missing("RELEASED_TO_ANOTHER_HAULIER", "container-visit/V")],
            ..release(ReleaseState::Granted)
        };
        let released = ConsignmentRelease {
            customs_released: true,
            ..goods(&[])
        };
        assert_eq!(
            consignment_text(&released, &to_another),
            "Consignment TD-1: customs has released it; line-a lets another haulier collect it"
        );
    }

    #[test]
    fn an_export_is_collected_by_nobody() {
        let export = ConsignmentRelease {
            transport_document: String::new(),
            line_party: String::new(),
            customs_released: true,
            ..goods(&["26GB0000000000001"])
        };
        assert_eq!(
            consignment_text(&export, &release(ReleaseState::Granted)),
            "Goods without a transport document: declared by 26GB0000000000001; customs has released it"
        );
    }

    #[test]
    fn nothing_is_missing_of_what_has_left() {
        let left = release(ReleaseState::Consumed);
        assert_eq!(
            consignment_text(&goods(&[]), &left),
            "Consignment TD-1: has left"
        );
        assert_eq!(
            consignment_text(&goods(&["26GB0000000000001"]), &left),
            "Consignment TD-1: declared by 26GB0000000000001; has left"
        );
    }

    #[test]
    fn what_goes_into_bond_waits_for_no_declaration_of_import_and_for_no_line() {
        let into_bond = ConsignmentRelease {
            not_for_pick_up: true,
            ..goods(&["26GB0000000000001"])
        };
        let withheld = ContainerRelease {
            conditions: vec![missing(
                "COMMERCIAL_RELEASE_MISSING",
                "transport-document/TD-1",
            )],
            ..release(ReleaseState::Withheld)
        };
        let told = consignment_text(&into_bond, &withheld);
        assert!(told.contains("declared by 26GB"), "{told}");
        assert!(told.contains("on its stock list"), "{told}");
        for untrue in ["not declared", "has not released", "nobody"] {
            assert!(!told.contains(untrue), "{told}");
        }
    }

    #[test]
    fn a_text_that_names_neither_is_wrong_use_and_is_told_what_there_is() {
        let error = super::subject("nope".to_owned()).unwrap_err();
        assert_eq!(error.exit_code(), 2);
        let told = error.to_string();
        for part in ["`nope`", "greenlane why MSKU9070323", "stock list"] {
            assert!(told.contains(part), "{told}");
        }
    }

    fn subject(written: String) -> Subject {
        super::subject(written).unwrap()
    }

    #[test]
    fn a_stock_list_is_known_by_its_form() {
        let text = |written: &str| written.to_owned();
        let list = "QD800026I000000007";
        assert_eq!(subject(text(list)), Subject::ListNumber(text(list)));
        let visit = "GUOYUAN-PORT/MSKU9070323/1";
        assert_eq!(subject(text(visit)), Subject::ContainerVisitId(text(visit)));
        let container = "MSKU 907032-3";
        let number = Subject::ContainerNumber(text(container));
        assert_eq!(subject(text(container)), number);
    }

    #[test]
    fn the_goods_of_a_list_may_move_in_the_containers_that_its_decision_names() {
        let list = ContainerRelease {
            list_number: "QD800026I000000007".to_owned(),
            state: ReleaseState::Granted.into(),
            journey: "BOND_TRANSFER".to_owned(),
            list_containers: vec!["MSKU9070323".to_owned(), "CSQU3054383".to_owned()],
            ..Default::default()
        };
        let told = list_verdict(&list);
        assert!(told.contains("may go into the bonded centre"), "{told}");
        assert!(told.ends_with("in MSKU9070323, CSQU3054383"), "{told}");
        let exit = ContainerRelease {
            journey: "BOND_EXIT".to_owned(),
            list_containers: Vec::new(),
            ..list.clone()
        };
        let told = list_verdict(&exit);
        assert!(told.contains("may go out of the bonded centre"), "{told}");
        assert!(told.ends_with("in whatever a pass names"), "{told}");
        // Something fell away, and release has not taken it back yet.
        let held = ContainerRelease {
            conditions: vec![Condition::default()],
            ..list.clone()
        };
        assert!(list_verdict(&held).contains("may not go into"), "{told}");
        let over = ContainerRelease {
            state: ReleaseState::Consumed.into(),
            ..list
        };
        assert!(list_verdict(&over).contains("nothing more"), "{told}");
    }

    #[test]
    fn what_leaves_on_a_stock_list_is_released_to_no_haulier() {
        let text = verdict(true, &release(ReleaseState::Withheld));
        assert!(text.contains("on a pass of a stock list below"), "{text}");
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
