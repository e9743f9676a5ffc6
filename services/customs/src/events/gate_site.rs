//! gate.site: the sites, with the codes by which declarations name them.

use fabric::Unreadable;
use prost::Message;
use proto::gate::events::v1::SiteEvent;

use crate::domain::visit::Site;

/// Reads a record.
///
/// # Errors
/// It names no site.
pub fn read(payload: &[u8]) -> Result<Site, Unreadable> {
    let event = SiteEvent::decode(payload)?;
    let site = event
        .site
        .filter(|site| !site.site_id.is_empty())
        .ok_or_else(|| Unreadable("the event names no site".to_owned()))?;
    Ok(Site {
        site_id: site.site_id,
        version: event.version,
        terminal_party: site.terminal_party,
        goods_location_codes: site.goods_location_codes,
        bonded: site.bonded,
    })
}
