//! What customs says under a container's number. Goods without a container are not gate's business.

use fabric::{Record, Unreadable};
use prost::Message;
use proto::common::v1::InspectionRequired;
use proto::customs::events::v1 as wire;

use super::told;
use crate::app::Input;
use crate::domain::knowledge::{Clearance, ConsignmentClearance, InspectionFlag};

pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let Some(container_number) = record.key.strip_prefix("container/") else {
        return Ok(Input::Unneeded);
    };
    let event = wire::ClearanceEvent::decode(record.payload.as_ref())?;
    let consignments = event
        .consignments
        .into_iter()
        .map(consignment)
        .collect::<Result<_, _>>()?;
    Ok(Input::Clearance(Clearance {
        container_number: container_number.to_owned(),
        told: told(record, event.version),
        consignments,
    }))
}

fn consignment(wire: wire::ConsignmentClearance) -> Result<ConsignmentClearance, Unreadable> {
    let inspection = match InspectionRequired::try_from(wire.inspection_required) {
        Ok(InspectionRequired::No) => InspectionFlag::No,
        Ok(InspectionRequired::Yes) => InspectionFlag::Yes,
        Ok(InspectionRequired::Unknown | InspectionRequired::Unspecified) => {
            InspectionFlag::Unknown
        }
        Err(_) => {
            return Err(Unreadable(format!(
                "inspection_required {} is not known",
                wire.inspection_required
            )));
        }
    };
    Ok(ConsignmentClearance {
        declaration_id: wire.declaration_id,
        container_visit_id: wire.container_visit_id,
        inspection,
    })
}
