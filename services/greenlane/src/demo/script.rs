//! Which journeys there are, in which order they are played, and who takes part in which: one line of a table for
//! each. What happens in a journey stands in its own file, and must not be known here.

use super::ending::Ending;
use super::journey::{Goods, Journey};
use super::mishap::Mishap;
use super::names::Names;
use super::parties::Parties;
use super::timeline::LastFact;
use super::{export_drop_off, import_pick_up, into_bond, not_today, out_of_bond};
use crate::client::Session;

/// The journeys, in the order in which they are played.
#[derive(Clone, Copy)]
pub enum Script {
    /// Journey A.
    ImportPickUp,
    /// Journey B.
    ExportDropOff,
    /// Journey C.
    IntoBond,
    /// Journey D.
    OutOfBond,
    /// Journey E.
    NotToday,
}

impl Script {
    /// All of them.
    pub const ALL: [Script; 5] = [
        Script::ImportPickUp,
        Script::ExportDropOff,
        Script::IntoBond,
        Script::OutOfBond,
        Script::NotToday,
    ];

    /// What its names are told apart by.
    pub fn letter(self) -> char {
        match self {
            Script::ImportPickUp => 'A',
            Script::ExportDropOff => 'B',
            Script::IntoBond => 'C',
            Script::OutOfBond => 'D',
            Script::NotToday => 'E',
        }
    }

    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Script::ImportPickUp => import_pick_up::NAME,
            Script::ExportDropOff => export_drop_off::NAME,
            Script::IntoBond => into_bond::NAME,
            Script::OutOfBond => out_of_bond::NAME,
            Script::NotToday => not_today::NAME,
        }
    }

    /// What it is.
    pub fn title(self) -> &'static str {
        match self {
            Script::ImportPickUp => import_pick_up::TITLE,
            Script::ExportDropOff => export_drop_off::TITLE,
            Script::IntoBond => into_bond::TITLE,
            Script::OutOfBond => out_of_bond::TITLE,
            Script::NotToday => not_today::TITLE,
        }
    }

    /// What is in its container.
    pub fn goods(self) -> Goods {
        match self {
            Script::ImportPickUp => import_pick_up::GOODS,
            Script::ExportDropOff => export_drop_off::GOODS,
            Script::IntoBond => into_bond::GOODS,
            Script::OutOfBond => out_of_bond::GOODS,
            Script::NotToday => not_today::GOODS,
        }
    }

    /// The account book whose stock is moved, if any is.
    pub fn book(self) -> Option<&'static str> {
        match self {
            Script::IntoBond => Some(into_bond::CASES.book),
            Script::OutOfBond => Some(out_of_bond::MANIOC.book),
            Script::ImportPickUp | Script::ExportDropOff | Script::NotToday => None,
        }
    }

    /// Who declares, and whose goods they are.
    pub fn cast(self, parties: &Parties) -> (&Session, &Session) {
        match self {
            Script::OutOfBond => (&parties.other_broker, &parties.other_trader),
            _ => (&parties.broker, &parties.trader),
        }
    }

    /// What the journey's things are called, in one line.
    pub fn things(self, names: &Names) -> String {
        let Names {
            container,
            transport_document,
            train,
            plate,
            ..
        } = names;
        match self {
            Script::ExportDropOff => format!("container {container}, truck {plate}, train {train}"),
            Script::OutOfBond => format!("container {container}, truck {plate}"),
            _ => format!(
                "container {container} under {transport_document}, train {train}, truck {plate}"
            ),
        }
    }

    /// What its timeline ends with.
    pub fn last_facts(self) -> &'static [LastFact] {
        match self {
            Script::ImportPickUp | Script::NotToday => &import_pick_up::LAST_FACTS,
            Script::ExportDropOff => &export_drop_off::LAST_FACTS,
            Script::IntoBond => &into_bond::LAST_FACTS,
            Script::OutOfBond => &out_of_bond::LAST_FACTS,
        }
    }

    /// Plays it to its end.
    ///
    /// # Errors
    /// It does not get there.
    pub async fn play(self, journey: &mut Journey<'_>) -> Result<Ending, Mishap> {
        match self {
            Script::ImportPickUp => import_pick_up::play(journey).await,
            Script::ExportDropOff => export_drop_off::play(journey).await,
            Script::IntoBond => into_bond::play(journey).await,
            Script::OutOfBond => out_of_bond::play(journey).await,
            Script::NotToday => not_today::play(journey).await,
        }
    }

    /// How everything stands, as the services say now.
    ///
    /// # Errors
    /// A service refuses.
    pub async fn ending(self, journey: &Journey<'_>) -> Result<Ending, Mishap> {
        match self {
            Script::ImportPickUp | Script::NotToday => import_pick_up::ending(journey).await,
            Script::ExportDropOff => export_drop_off::ending(journey).await,
            Script::IntoBond => into_bond::ending(journey).await,
            Script::OutOfBond => out_of_bond::ending(journey).await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_journeys_are_the_five_of_the_model_site_in_their_order() {
        let names = Script::ALL.map(Script::name);
        assert_eq!(
            names,
            [
                "import-pick-up",
                "export-drop-off",
                "into-bond",
                "out-of-bond",
                "not-today"
            ]
        );
        let letters = Script::ALL.map(Script::letter);
        assert!(
            letters.is_sorted_by(|one, other| one < other),
            "{letters:?}"
        );
    }
}
