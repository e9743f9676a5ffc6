//! What one run of the demo calls its containers, trains, documents and trucks: new in every run, so that a
//! state folder can be played in again and again, and right in form. It must not know what happens to them.

use kernel::ContainerNumber;

/// Containers have six digits between owner and check digit.
const SERIALS: i64 = 1_000_000;
/// Chinese plates have five characters after province and city.
const PLATE_SERIALS: i64 = 100_000;

/// The names of one journey of one run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// The container's number (ISO 6346), never one whose remainder is 10.
    pub container: ContainerNumber,
    /// The seal on its doors.
    pub seal: String,
    /// The transport document of the goods in it.
    pub transport_document: String,
    /// The broker's reference.
    pub lrn: String,
    /// The train.
    pub train: String,
    /// The truck's plate, as a person writes it.
    pub plate: String,
}

impl Names {
    /// The names of a journey in the run that began at `second` of the Unix clock. `letter` tells the run's
    /// journeys apart: one capital letter.
    pub fn of(letter: char, second: i64) -> Option<Names> {
        let serial = second.rem_euclid(PLATE_SERIALS);
        Some(Names {
            container: container(letter, second)?,
            seal: format!("CR{letter}{serial:05}"),
            transport_document: format!("CRE-{second}-{letter}"),
            lrn: format!("DEMO-{second}-{letter}"),
            train: format!("X8083-{second}-{letter}"),
            plate: format!("渝{letter}·{serial:05}"),
        })
    }
}

/// The first number from the run's serial on whose check digit hides nothing: a remainder of 10 would be
/// taken, and flagged.
fn container(letter: char, second: i64) -> Option<ContainerNumber> {
    (0..SERIALS).find_map(|further| {
        let front = format!("GR{letter}U{:06}", (second + further).rem_euclid(SERIALS));
        // Reading checks the check digit, so of ten attempts one passes.
        (0..10).find_map(|check| {
            let number = ContainerNumber::parse(&format!("{front}{check}")).ok()?;
            (!number.remainder_ten()).then_some(number)
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kernel::{Lrn, Plate, TransportDocumentNumber};

    #[test]
    fn every_name_is_right_in_form_whenever_the_demo_runs() {
        for second in (1_700_000_000..1_700_000_200).chain(1_999_999_990..2_000_000_010) {
            let names = Names::of('D', second).unwrap();
            assert!(!names.container.remainder_ten(), "{}", names.container);
            assert!(Plate::parse(&names.plate).is_ok(), "{}", names.plate);
            assert!(Lrn::parse(&names.lrn).is_ok(), "{}", names.lrn);
            assert!(TransportDocumentNumber::parse(&names.transport_document).is_ok());
        }
    }

    #[test]
    fn no_two_journeys_of_a_run_share_a_name() {
        let of = |letter| Names::of(letter, 1_800_000_000).unwrap();
        let letters = ['A', 'B', 'C', 'D', 'E'];
        for (one, other) in letters.iter().zip(letters.iter().skip(1)) {
            let (one, other) = (of(*one), of(*other));
            assert_ne!(one.container, other.container);
            assert_ne!(one.transport_document, other.transport_document);
            assert_ne!(one.lrn, other.lrn);
            assert_ne!(one.train, other.train);
            assert_ne!(one.plate, other.plate);
        }
    }
}
