//! `gate.list-passage`: what passes a bonded centre's gate of a stock list.

use chassis::event;
use fabric::{Record, Unreadable};
use prost::Message;
use proto::gate::events::v1 as gate;

use super::bonded_stock_list::list_number;
use super::wire;
use crate::app::{Heading, Input, PassageHeard};
use crate::domain::stock_list::Passage;
use crate::domain::version::Version;

/// Gate's word for a pass whose goods have passed.
const PASSED: &str = "PASSED";

/// Reads a fact about what passes of a list.
///
/// # Errors
/// If it cannot be understood.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = gate::ListPassageEvent::decode(record.payload.clone())?;
    let fact: gate::ListPassageFact = event::known("fact", event.fact)?;
    let passage = event::required("passage", event.passage)?;
    let recorded_at = event::time("recorded_at", event.recorded_at.as_ref())?;
    let heading = Heading {
        fact: wire::fact_name(fact.as_str_name())?,
        observed_at: event::observed(event.observed_at.as_ref(), recorded_at)?,
        recorded_at,
        party: String::new(),
        restated: false,
    };
    let passed = passage.passes.iter().filter(|pass| pass.state == PASSED);
    let detail = match passage.passes.len() {
        0 => String::new(),
        all => format!("{} of {all} passes used.", passed.clone().count()),
    };
    let containers = passed.flat_map(|pass| {
        let one = std::iter::once(&pass.container_number);
        one.chain(&pass.container_numbers)
    });
    let heard = PassageHeard {
        list_number: list_number(&passage.list_number)?,
        site_id: passage.site_id,
        passage: Passage {
            version: Version::new(record.epoch, passage.version),
            event_id: record.event_id.clone(),
            closed: passage.closed,
            passed_containers: containers
                .filter(|number| !number.is_empty())
                .cloned()
                .collect(),
        },
        detail,
    };
    Ok(Input::ListPassage(heading, Box::new(heard)))
}
