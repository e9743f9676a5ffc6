//! `gate.site`: which terminal runs which site.

use chassis::event;
use fabric::{Record, Unreadable};
use prost::Message;
use proto::gate::events::v1::SiteEvent;

use crate::app::Input;
use crate::domain::site::Site;
use crate::domain::version::Version;

/// Reads a site.
///
/// # Errors
/// If it cannot be understood.
pub fn read(record: &Record) -> Result<Input, Unreadable> {
    let event = SiteEvent::decode(record.payload.clone())?;
    let site = event::required("site", event.site)?;
    Ok(Input::Site(Site {
        site_id: event::filled("site_id", &site.site_id)?,
        version: Version::new(record.epoch, event.version),
        name: site.name,
        terminal_party: site.terminal_party,
    }))
}
