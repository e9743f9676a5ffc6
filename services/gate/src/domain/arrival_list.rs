//! Trains' and barges' lists, line by line: what a line does to the stay of its container, or why it
//! cannot be taken (gate rule 17). It must not know who asks or where the stays are kept.

use chrono::{DateTime, TimeDelta, Utc};
use kernel::{ContainerNumber, Fault, TransportDocumentNumber};

use super::condition::Condition;
use super::container_visit::{
    ContainerVisit, ContainerVisitFact, ContainerVisitId, Manifest, ManifestLine, Phase,
    TransportMode,
};
use super::filing::{Faults, WrittenQuantity};

/// The most containers on one list.
pub const LIST_LINES_MAX: usize = 1_000;
/// The most consignments in one container.
pub const MANIFEST_LINES_MAX: usize = 50;
/// The longest number of a train or barge, in characters.
pub const CONVEYANCE_CHARS_MAX: usize = 35;
/// A list without a time is that of the train or barge that brought a container, if the container left no
/// more than so many days ago: later it is the next one of the same number.
pub const SAME_CALL_DAYS_MAX: i64 = 3;
/// The longest party id, in characters.
pub const PARTY_CHARS_MAX: usize = 64;
/// The longest description of goods, in characters.
pub const GOODS_CHARS_MAX: usize = 512;

/// What the lines of a list have in common.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListHead {
    /// The site.
    pub site_id: String,
    /// By train or barge; none if the list does not say.
    pub mode: Option<TransportMode>,
    /// The train's or barge's number.
    pub conveyance: String,
}

/// A container that a train or barge will bring, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenAnnouncement {
    /// Its number.
    pub container_number: String,
    /// Its size-type.
    pub size_type: String,
    /// Its seals.
    pub seals: Vec<String>,
    /// It is empty.
    pub empty: bool,
    /// Its consignments.
    pub lines: Vec<WrittenManifestLine>,
}

/// A consignment, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenManifestLine {
    /// The transport document.
    pub transport_document: String,
    /// The shipping line or forwarder.
    pub line_party: String,
    /// Packages.
    pub packages: Option<u32>,
    /// Gross mass.
    pub gross_mass: Option<WrittenQuantity>,
    /// The goods.
    pub goods_description: String,
}

/// A container that was found, as written.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenLanding {
    /// Its number.
    pub container_number: String,
    /// Its seals.
    pub seals_found: Vec<String>,
    /// Its size-type, for one that was not announced.
    pub size_type: String,
    /// It is empty, for one that was not announced.
    pub empty: bool,
}

/// A list's head that can be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conveyance {
    /// The site.
    pub site_id: String,
    /// By train or barge.
    pub mode: TransportMode,
    /// Its number.
    pub number: String,
}

/// A container that a train or barge will bring.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Announcement {
    /// The container.
    pub container: ContainerNumber,
    /// What the list says of it.
    pub manifest: Manifest,
}

/// A container that was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Landing {
    /// The container.
    pub container: ContainerNumber,
    /// Its seals as found.
    pub seals_found: Vec<String>,
    /// For one that was not announced.
    pub manifest: Manifest,
}

/// What a line does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineEffect {
    /// The stay after it, and the fact to tell.
    Changed(LineOutcome, Box<ContainerVisit>, ContainerVisitFact),
    /// Nothing new; the stay as it is.
    Repeated(Box<ContainerVisit>),
    /// Nothing changes, and why; the stay as it is, where there is one.
    Kept(LineOutcome, Option<Box<ContainerVisit>>, Vec<Condition>),
    /// It cannot be taken.
    Faulty(Vec<Fault>),
}

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LineOutcome {
    /// Taken.
    Accepted,
    /// Taken in the place of an earlier one.
    Amended,
    /// Known already.
    Repeated,
    /// Arrived with other seals.
    SealMismatch,
    /// Did not come.
    ShortLanded,
    /// Came without being announced for this train or barge.
    OverLanded,
    /// May not be loaded.
    Refused,
    /// Is on the departure list, or was loaded, and does not go: it stays in the yard.
    NotLoaded,
    /// Cannot be taken.
    Faulty,
}

/// Reads a list's head.
pub fn read_head(head: &ListHead, lines: usize, faults: &mut Faults) -> Option<Conveyance> {
    let number = faults.text("conveyance", &head.conveyance, CONVEYANCE_CHARS_MAX);
    if head.mode.is_none() {
        faults.add(
            "MODE_INVALID",
            "mode",
            "",
            "RAIL or BARGE",
            "Say whether it is a train or a barge.",
        );
    }
    if lines > LIST_LINES_MAX {
        faults.add(
            "TOO_MANY",
            "containers",
            &lines.to_string(),
            "at most 1,000 containers",
            "Send the list in parts.",
        );
    }
    Some(Conveyance {
        site_id: head.site_id.clone(),
        mode: head.mode?,
        number: number?.to_uppercase(),
    })
}

/// Reads an announced container.
///
/// # Errors
/// All faults of the line.
pub fn read_announcement(
    path: &str,
    line: &WrittenAnnouncement,
) -> Result<Announcement, Vec<Fault>> {
    let mut faults = Faults::default();
    let container = faults.container(&format!("{path}.container_number"), &line.container_number);
    let manifest = Manifest {
        size_type: faults.size_type(&format!("{path}.size_type"), &line.size_type),
        seals: faults.seals(&format!("{path}.seals"), &line.seals),
        empty: line.empty,
        lines: read_lines(&format!("{path}.manifest_lines"), &line.lines, &mut faults),
    };
    if line.empty && !line.lines.is_empty() {
        let count = line.lines.len().to_string();
        faults.add(
            "EMPTY_WITH_GOODS",
            &format!("{path}.empty"),
            &count,
            "an empty container has no consignment",
            "Say that it is not empty, or leave out the manifest lines.",
        );
    }
    match container {
        Some(container) if faults.is_empty() => Ok(Announcement {
            container,
            manifest,
        }),
        _ => Err(faults.into_vec()),
    }
}

/// Reads a landed container.
///
/// # Errors
/// All faults of the line.
pub fn read_landing(path: &str, line: &WrittenLanding) -> Result<Landing, Vec<Fault>> {
    let mut faults = Faults::default();
    let container = faults.container(&format!("{path}.container_number"), &line.container_number);
    let seals_found = faults.seals(&format!("{path}.seals_found"), &line.seals_found);
    let size_type = faults.size_type(&format!("{path}.size_type"), &line.size_type);
    match container {
        Some(container) if faults.is_empty() => Ok(Landing {
            container,
            seals_found,
            manifest: Manifest {
                size_type,
                empty: line.empty,
                ..Manifest::default()
            },
        }),
        _ => Err(faults.into_vec()),
    }
}

fn read_lines(
    path: &str,
    written: &[WrittenManifestLine],
    faults: &mut Faults,
) -> Vec<ManifestLine> {
    if written.len() > MANIFEST_LINES_MAX {
        let count = written.len().to_string();
        faults.add(
            "TOO_MANY",
            path,
            &count,
            "at most 50 consignments",
            "Check the list: a container rarely holds so many.",
        );
        return Vec::new();
    }
    let mut lines: Vec<ManifestLine> = Vec::new();
    for (index, line) in written.iter().enumerate() {
        let path = format!("{path}[{index}]");
        let number = line.transport_document.trim();
        let document_path = format!("{path}.transport_document");
        let transport_document = if number.is_empty() {
            None
        } else {
            let rule = "1 to 35 characters";
            faults.take(
                TransportDocumentNumber::parse(number),
                "TRANSPORT_DOCUMENT_INVALID",
                &document_path,
                number,
                rule,
            )
        };
        let twice = transport_document.is_some()
            && lines
                .iter()
                .any(|earlier| earlier.transport_document == transport_document);
        if twice {
            faults.add(
                "TRANSPORT_DOCUMENT_TWICE",
                &document_path,
                number,
                "one line per transport document",
                "Add the two lines up.",
            );
        }
        lines.push(ManifestLine {
            transport_document,
            line_party: faults.optional_text(
                &format!("{path}.line_party"),
                &line.line_party,
                PARTY_CHARS_MAX,
            ),
            packages: line.packages,
            gross_mass: faults.mass(&format!("{path}.gross_mass"), line.gross_mass.as_ref()),
            goods_description: faults.optional_text(
                &format!("{path}.goods_description"),
                &line.goods_description,
                GOODS_CHARS_MAX,
            ),
        });
    }
    lines
}

/// A train or barge will bring this container. `last` is the last stay of this container at the site; what begins is
/// the one of this `ordinal`.
pub fn announce(
    path: &str,
    announcement: &Announcement,
    conveyance: &Conveyance,
    (estimated_arrival, now): (Option<DateTime<Utc>>, DateTime<Utc>),
    (last, ordinal): (Option<&ContainerVisit>, u32),
) -> LineEffect {
    if let Some(over) = last.filter(|over| is_of_call(over, conveyance, estimated_arrival, now)) {
        return LineEffect::Repeated(Box::new(over.clone()));
    }
    let Some(visit) = last.filter(|visit| visit.is_open()) else {
        let visit = begun(
            conveyance,
            &announcement.container,
            announcement.manifest.clone(),
            ordinal,
        );
        let visit = ContainerVisit {
            estimated_arrival,
            ..visit
        };
        return LineEffect::Changed(
            LineOutcome::Accepted,
            Box::new(visit),
            ContainerVisitFact::Announced,
        );
    };
    let by_this = is_by(visit, conveyance);
    let same = by_this
        && visit.manifest == announcement.manifest
        && (visit.phase == Phase::Arrived || visit.estimated_arrival == estimated_arrival);
    if same {
        return LineEffect::Repeated(Box::new(visit.clone()));
    }
    // What came before its list did still gets its list; nothing else at the site is rewritten by one.
    if visit.phase == Phase::Arrived
        && !(visit.over_landed && by_this && visit.manifest.lines.is_empty())
    {
        return already_here(path, visit);
    }
    let amended = ContainerVisit {
        manifest: announcement.manifest.clone(),
        arrival_mode: conveyance.mode,
        conveyance: Some(conveyance.number.clone()),
        estimated_arrival,
        ..visit.next()
    };
    LineEffect::Changed(
        LineOutcome::Amended,
        Box::new(amended),
        ContainerVisitFact::Amended,
    )
}

/// This container was lifted off, at the time that the list says, or else now. `last` is the last stay of this
/// container at the site; what begins is the one of this `ordinal`.
pub fn land(
    path: &str,
    landing: &Landing,
    conveyance: &Conveyance,
    (said, now): (Option<DateTime<Utc>>, DateTime<Utc>),
    (last, ordinal): (Option<&ContainerVisit>, u32),
) -> LineEffect {
    let arrived_at = said.unwrap_or(now);
    let gone = last.filter(|over| over.phase == Phase::Departed);
    if let Some(over) = gone.filter(|over| is_of_call(over, conveyance, said, now)) {
        return LineEffect::Repeated(Box::new(over.clone()));
    }
    let Some(visit) = last.filter(|visit| visit.is_open()) else {
        let visit = ContainerVisit {
            phase: Phase::Arrived,
            over_landed: true,
            seals_found: landing.seals_found.clone(),
            arrived_at: Some(arrived_at),
            ..begun(
                conveyance,
                &landing.container,
                landing.manifest.clone(),
                ordinal,
            )
        };
        return LineEffect::Changed(
            LineOutcome::OverLanded,
            Box::new(visit),
            ContainerVisitFact::Arrived,
        );
    };
    if visit.phase == Phase::Arrived {
        return landed_again(path, landing, conveyance, visit);
    }
    let arrived = ContainerVisit {
        phase: Phase::Arrived,
        arrival_mode: conveyance.mode,
        conveyance: Some(conveyance.number.clone()),
        seals_found: landing.seals_found.clone(),
        arrived_at: Some(arrived_at),
        ..visit.next()
    };
    let outcome = if !is_by(visit, conveyance) {
        LineOutcome::OverLanded
    } else if arrived.seal_mismatch() {
        LineOutcome::SealMismatch
    } else {
        LineOutcome::Accepted
    };
    LineEffect::Changed(outcome, Box::new(arrived), ContainerVisitFact::Arrived)
}

/// It was announced for this train or barge and did not come; none if that is not so (any more).
pub fn short_land(visit: &ContainerVisit, conveyance: &Conveyance) -> Option<ContainerVisit> {
    let missing = visit.phase == Phase::Announced && is_by(visit, conveyance);
    missing.then(|| ContainerVisit {
        phase: Phase::ShortLanded,
        ..visit.next()
    })
}

/// The line says again what is known, or that the seals were looked at since.
fn landed_again(
    path: &str,
    landing: &Landing,
    conveyance: &Conveyance,
    visit: &ContainerVisit,
) -> LineEffect {
    if !is_by(visit, conveyance) {
        return already_here(path, visit);
    }
    if landing.seals_found.is_empty() || landing.seals_found == visit.seals_found {
        return LineEffect::Repeated(Box::new(visit.clone()));
    }
    let looked_at = ContainerVisit {
        seals_found: landing.seals_found.clone(),
        ..visit.next()
    };
    let outcome = if looked_at.seal_mismatch() {
        LineOutcome::SealMismatch
    } else {
        LineOutcome::Amended
    };
    LineEffect::Changed(outcome, Box::new(looked_at), ContainerVisitFact::Amended)
}

fn already_here(path: &str, visit: &ContainerVisit) -> LineEffect {
    LineEffect::Faulty(vec![Fault::new(
        "CONTAINER_ALREADY_HERE",
        format!("{path}.container_number"),
        visit.container.as_str(),
        "a container is at a site once",
        format!(
            "It stands here as {}; check the number, or record its departure first.",
            visit.id
        ),
    )])
}

/// A line that says something else of a container than an earlier line of the same list: which of them holds, nobody
/// knows.
pub fn named_twice(path: &str, container: &ContainerNumber) -> LineEffect {
    LineEffect::Faulty(vec![Fault::new(
        "CONTAINER_TWICE",
        format!("{path}.container_number"),
        container.as_str(),
        "a container stands once on a list, with all its consignments",
        "An earlier line says something else of it; say all of it once.",
    )])
}

fn is_by(visit: &ContainerVisit, conveyance: &Conveyance) -> bool {
    visit.arrival_mode == conveyance.mode
        && visit.conveyance.as_deref() == Some(conveyance.number.as_str())
}

/// Whether a list, for the time that it says, is one of the call that brought a container whose stay is over:
/// sent again, it begins no other stay (gate rule 17). The numbers of trains come again, so their times decide.
fn is_of_call(
    over: &ContainerVisit,
    conveyance: &Conveyance,
    said: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> bool {
    let announced_for = said.is_some() && over.estimated_arrival == said;
    let in_time = announced_for || left_within_call(over, said, now);
    !over.is_open() && is_by(over, conveyance) && in_time
}

/// Whether what left is so near the time that a list says that the list is about the same call.
pub fn left_within_call(
    over: &ContainerVisit,
    said: Option<DateTime<Utc>>,
    now: DateTime<Utc>,
) -> bool {
    match (said, over.departed_at) {
        (Some(said), Some(departed)) => said <= departed,
        (None, Some(departed)) => now - departed <= TimeDelta::days(SAME_CALL_DAYS_MAX),
        (_, None) => false,
    }
}

/// The next stay of the container at the site, announced.
fn begun(
    conveyance: &Conveyance,
    container: &ContainerNumber,
    manifest: Manifest,
    ordinal: u32,
) -> ContainerVisit {
    ContainerVisit {
        id: ContainerVisitId::mint(&conveyance.site_id, container, ordinal),
        site_id: conveyance.site_id.clone(),
        container: container.clone(),
        ordinal,
        version: 1,
        phase: Phase::Announced,
        manifest,
        arrival_mode: conveyance.mode,
        conveyance: Some(conveyance.number.clone()),
        estimated_arrival: None,
        seals_found: Vec::new(),
        available: false,
        over_landed: false,
        arrived_at: None,
        departed_at: None,
        arrived_with: None,
        departed_with: None,
        document_references: Vec::new(),
        verified_mass: None,
        loaded: None,
        list_number: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: DateTime<Utc> = DateTime::UNIX_EPOCH;

    fn conveyance(number: &str) -> Conveyance {
        Conveyance {
            site_id: "PORT".into(),
            mode: TransportMode::Rail,
            number: number.into(),
        }
    }

    fn announcement(seals: &[&str]) -> Announcement {
        let written = WrittenAnnouncement {
            container_number: "msku 907032-3".into(),
            seals: seals.iter().map(|seal| (*seal).to_owned()).collect(),
            lines: vec![WrittenManifestLine {
                transport_document: "TD-1".into(),
                packages: Some(10),
                ..WrittenManifestLine::default()
            }],
            ..WrittenAnnouncement::default()
        };
        read_announcement("containers[0]", &written).unwrap()
    }

    fn landing(seals: &[&str]) -> Landing {
        let written = WrittenLanding {
            container_number: "MSKU9070323".into(),
            seals_found: seals.iter().map(|seal| (*seal).to_owned()).collect(),
            ..WrittenLanding::default()
        };
        read_landing("containers[0]", &written).unwrap()
    }

    fn changed(effect: LineEffect) -> (LineOutcome, ContainerVisit) {
        match effect {
            LineEffect::Changed(outcome, visit, _) => (outcome, *visit),
            other => panic!("{other:?}"),
        }
    }

    fn announced() -> ContainerVisit {
        changed(announce(
            "p",
            &announcement(&["S1"]),
            &conveyance("X1"),
            (None, NOW),
            (None, 1),
        ))
        .1
    }

    #[test]
    fn rule_17_a_list_sent_again_repeats_or_amends() {
        let visit = announced();
        let again = announce(
            "p",
            &announcement(&["S1"]),
            &conveyance("X1"),
            (None, NOW),
            (Some(&visit), 2),
        );
        assert!(matches!(again, LineEffect::Repeated(_)));
        let (outcome, amended) = changed(announce(
            "p",
            &announcement(&["S2"]),
            &conveyance("X1"),
            (None, NOW),
            (Some(&visit), 2),
        ));
        assert_eq!(
            (outcome, amended.version, amended.ordinal),
            (LineOutcome::Amended, 2, 1)
        );
    }

    #[test]
    fn rule_17_other_seals_are_a_seal_mismatch_and_the_container_has_arrived_all_the_same() {
        let now = DateTime::UNIX_EPOCH;
        let (outcome, arrived) = changed(land(
            "p",
            &landing(&["S9"]),
            &conveyance("X1"),
            (None, now),
            (Some(&announced()), 2),
        ));
        assert_eq!(
            (outcome, arrived.phase),
            (LineOutcome::SealMismatch, Phase::Arrived)
        );
        let (outcome, arrived) = changed(land(
            "p",
            &landing(&["S1"]),
            &conveyance("X1"),
            (None, now),
            (Some(&announced()), 2),
        ));
        assert_eq!(outcome, LineOutcome::Accepted);
        let again = land(
            "p",
            &landing(&[]),
            &conveyance("X1"),
            (None, now),
            (Some(&arrived), 2),
        );
        assert!(matches!(again, LineEffect::Repeated(_)));
    }

    #[test]
    fn rule_17_what_was_not_announced_is_over_landed_and_what_did_not_come_short_landed() {
        let now = DateTime::UNIX_EPOCH;
        let (outcome, visit) = changed(land(
            "p",
            &landing(&[]),
            &conveyance("X1"),
            (None, now),
            (None, 1),
        ));
        assert_eq!(outcome, LineOutcome::OverLanded);
        assert!(visit.over_landed);
        assert_eq!(
            short_land(&announced(), &conveyance("X1")).unwrap().phase,
            Phase::ShortLanded
        );
        assert_eq!(short_land(&announced(), &conveyance("X2")), None);
        assert_eq!(short_land(&visit, &conveyance("X1")), None);
    }

    #[test]
    fn the_list_of_an_over_landed_container_may_come_later() {
        let now = DateTime::UNIX_EPOCH;
        let (_, visit) = changed(land(
            "p",
            &landing(&[]),
            &conveyance("X1"),
            (None, now),
            (None, 1),
        ));
        let (outcome, amended) = changed(announce(
            "p",
            &announcement(&[]),
            &conveyance("X1"),
            (None, NOW),
            (Some(&visit), 2),
        ));
        assert_eq!(
            (outcome, amended.phase),
            (LineOutcome::Amended, Phase::Arrived)
        );
        let again = announce(
            "p",
            &announcement(&["S7"]),
            &conveyance("X1"),
            (None, NOW),
            (Some(&amended), 2),
        );
        assert!(matches!(again, LineEffect::Faulty(_)));
    }

    #[test]
    fn rule_17_the_same_train_again_begins_no_stay_and_the_next_of_its_number_does() {
        let at = |hours: i64| NOW + TimeDelta::hours(hours);
        let train = conveyance("X1");
        let sent = |eta: Option<DateTime<Utc>>, now, last: Option<&ContainerVisit>| {
            announce("p", &announcement(&["S1"]), &train, (eta, now), (last, 2))
        };
        let (_, announced) = changed(sent(Some(at(1)), at(0), None));
        let short = short_land(&announced, &train).unwrap();
        let gone = announced.departed("T1", at(9));
        let (days_later, weeks_later) = (at(9 + 72), at(500));
        for (eta, now, last, repeats) in [
            (Some(at(1)), weeks_later, &gone, true),
            (Some(at(2)), weeks_later, &gone, true),
            (Some(at(10)), days_later, &gone, false),
            (None, days_later, &gone, true),
            (None, weeks_later, &gone, false),
            (Some(at(1)), days_later, &short, true),
            (Some(at(2)), days_later, &short, false),
            (None, days_later, &short, false),
        ] {
            let again = sent(eta, now, Some(last));
            let about = format!("{eta:?} at {now} after {:?}", last.phase);
            assert_eq!(matches!(again, LineEffect::Repeated(_)), repeats, "{about}");
        }
        for (said, now, number, repeats) in [
            (None, days_later, "X1", true),
            (Some(at(9)), weeks_later, "X1", true),
            (Some(at(10)), days_later, "X1", false),
            (None, weeks_later, "X1", false),
            (None, days_later, "X2", false),
        ] {
            let train = conveyance(number);
            let again = land("p", &landing(&[]), &train, (said, now), (Some(&gone), 2));
            let about = format!("{said:?} at {now} by {number}");
            assert_eq!(matches!(again, LineEffect::Repeated(_)), repeats, "{about}");
        }
    }

    #[test]
    fn nothing_carries_over_to_the_next_stay() {
        let gone = announced().departed("T1", DateTime::UNIX_EPOCH);
        let (_, next) = changed(announce(
            "p",
            &announcement(&[]),
            &conveyance("X2"),
            (None, NOW),
            (Some(&gone), 2),
        ));
        assert_eq!((next.ordinal, next.version, next.departed_at), (2, 1, None));
    }

    #[test]
    fn a_line_is_refused_with_all_its_faults() {
        let written = WrittenAnnouncement {
            container_number: "MSKU9070324".into(),
            size_type: "4".into(),
            empty: true,
            lines: vec![WrittenManifestLine::default()],
            ..WrittenAnnouncement::default()
        };
        let codes: Vec<_> = read_announcement("containers[0]", &written)
            .unwrap_err()
            .into_iter()
            .map(|fault| fault.code)
            .collect();
        assert_eq!(
            codes,
            [
                "CONTAINER_NUMBER_INVALID",
                "SIZE_TYPE_INVALID",
                "EMPTY_WITH_GOODS"
            ]
        );
    }
}
