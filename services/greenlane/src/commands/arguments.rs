//! What commands have in common on their command line: times, weights, trucks, containers, pages and what
//! a hold is on. It must not know any service's rules: texts go to the service as they were typed.

use std::str::FromStr;

use chrono::{DateTime, TimeDelta, Utc};
use kernel::{Clock as _, StockListNumber, SystemClock};
use prost_types::Timestamp;
use proto::common::v1::{HoldScope, HoldScopeKind, Page, Quantity};
use proto::gate::v1 as gate;

use crate::client::{ClientError, Session};
use crate::output;

/// The most rows that one call of a list asks for.
const PAGE_ROWS_MAX: usize = 100;

/// A time as a person gives it: RFC 3339 (`2026-11-24T08:00:00Z`), `now`, or counted from now in days,
/// hours or minutes (`+2h`, `-30m`, `+1d`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment(pub DateTime<Utc>);

/// Why a text is no time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write a time as 2026-11-24T08:00:00Z, as `now`, or from now: +2h, -30m, +1d")]
pub struct MomentError;

impl FromStr for Moment {
    type Err = MomentError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        Self::parse(written, SystemClock.now())
    }
}

impl Moment {
    fn parse(written: &str, now: DateTime<Utc>) -> Result<Self, MomentError> {
        if written == "now" {
            return Ok(Self(now));
        }
        if written.starts_with(['+', '-']) {
            return from_now(written)
                .and_then(|delta| now.checked_add_signed(delta))
                .map(Self)
                .ok_or(MomentError);
        }
        DateTime::parse_from_rfc3339(written)
            .map(|time| Self(time.to_utc()))
            .map_err(|_| MomentError)
    }

    /// As the wire has it.
    pub fn timestamp(self) -> Timestamp {
        chassis::convert::timestamp(self.0)
    }
}

fn from_now(written: &str) -> Option<TimeDelta> {
    let (count, unit) = written.split_at_checked(written.len().checked_sub(1)?)?;
    let count: i64 = count.parse().ok()?;
    match unit {
        "d" => TimeDelta::try_days(count),
        "h" => TimeDelta::try_hours(count),
        "m" => TimeDelta::try_minutes(count),
        _ => None,
    }
}

/// A weight in kilograms on the wire; the digits go as typed.
pub fn kilograms(digits: &str) -> Quantity {
    Quantity {
        value: digits.to_owned(),
        unit_code: "KGM".to_owned(),
    }
}

/// A truck as it is recognised or will come.
#[derive(Clone, Debug, clap::Args)]
pub struct VehicleArguments {
    /// The tractor's plate, as painted on it: 渝A·12345
    #[arg(long)]
    pub plate: String,
    /// The trailer's plate
    #[arg(long)]
    pub trailer: Option<String>,
    /// Country of the plates, two letters; Chinese if not given
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "COUNTRY"
    )]
    pub plate_country: String,
}

impl VehicleArguments {
    /// As the wire has it.
    pub fn vehicle(&self) -> gate::Vehicle {
        vehicle(&self.plate, self.trailer.as_deref(), &self.plate_country)
    }
}

/// A truck of one or two plates.
pub fn vehicle(tractor: &str, trailer: Option<&str>, country: &str) -> gate::Vehicle {
    let plate = |text: &str| gate::Plate {
        text: text.to_owned(),
        country_code: country.to_owned(),
    };
    gate::Vehicle {
        tractor: Some(plate(tractor)),
        trailer: trailer.map(plate),
    }
}

/// A container of a pre-arrival: its number and, after commas, what is known of it:
/// `MSKU9070323,size=22G1,seal=CN123456,mass=24500,verified=24480,class=3,set-point=-18.5`.
#[derive(Clone, Debug, PartialEq)]
pub struct FiledContainer(pub gate::PreArrivalContainer);

/// Why a text is no container of a pre-arrival.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{0}` is not understood; after the number write size=, seal= (may be repeated), mass= or verified= (kilograms), class= or set-point= (degrees Celsius), with commas between"
)]
pub struct FiledContainerError(String);

impl FromStr for FiledContainer {
    type Err = FiledContainerError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let mut parts = written.split(',');
        let mut container = gate::PreArrivalContainer {
            container_number: parts.next().unwrap_or_default().trim().to_owned(),
            ..Default::default()
        };
        for part in parts {
            let wrong = || FiledContainerError(part.to_owned());
            let (name, value) = part.split_once('=').ok_or_else(wrong)?;
            let value = value.trim();
            match name.trim() {
                "size" => container.size_type = value.to_owned(),
                "seal" => container.seals.push(value.to_owned()),
                "mass" => container.gross_mass = Some(kilograms(value)),
                "verified" => container.verified_mass = Some(kilograms(value)),
                "set-point" => container.reefer_set_point_celsius = value.to_owned(),
                "class" => container.dangerous_goods_class = value.to_owned(),
                _ => return Err(wrong()),
            }
        }
        Ok(Self(container))
    }
}

/// What a hold is on: a container (number or visit), a declaration (id), a stock list (number), or `plate/...`,
/// `party/...`, `declaration/...`, `stock-list/...`, `container-visit/...`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held(pub HoldScope);

impl FromStr for Held {
    type Err = std::convert::Infallible;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let named = [
            ("container-visit/", HoldScopeKind::ContainerVisit),
            ("declaration/", HoldScopeKind::Declaration),
            ("stock-list/", HoldScopeKind::StockList),
            ("plate/", HoldScopeKind::Plate),
            ("party/", HoldScopeKind::Party),
        ];
        let found = named
            .iter()
            .find_map(|(prefix, kind)| Some((*kind, written.strip_prefix(prefix)?)));
        let (kind, key) = found.unwrap_or_else(|| (kind_by_form(written), written));
        Ok(Self(HoldScope {
            kind: kind.into(),
            key: key.to_owned(),
        }))
    }
}

fn kind_by_form(written: &str) -> HoldScopeKind {
    if uuid::Uuid::parse_str(written).is_ok() {
        HoldScopeKind::Declaration
    } else if StockListNumber::parse(written).is_ok() {
        HoldScopeKind::StockList
    } else {
        HoldScopeKind::ContainerVisit
    }
}

/// How much of a list is wanted.
#[derive(Clone, Copy, Debug, clap::Args)]
pub struct Listing {
    /// At most so many rows
    #[arg(long, default_value_t = 100, value_name = "COUNT")]
    pub limit: usize,
}

impl Listing {
    /// Fetches pages until there are enough rows or no more; says on stderr where there would be more.
    ///
    /// # Errors
    /// What the call of one page answers.
    pub async fn fetch<R>(
        self,
        mut page: impl AsyncFnMut(Page) -> Result<(Vec<R>, String), ClientError>,
    ) -> Result<Vec<R>, ClientError> {
        let mut rows = Vec::new();
        let mut page_token = String::new();
        loop {
            let wanted = self.limit.saturating_sub(rows.len()).min(PAGE_ROWS_MAX);
            if wanted == 0 {
                output::note("There is more: ask with a larger --limit.");
                return Ok(rows);
            }
            let asked = Page {
                page_size: i32::try_from(wanted).unwrap_or(i32::MAX),
                page_token,
            };
            let (more, next_page_token) = page(asked).await?;
            rows.extend(more);
            if next_page_token.is_empty() {
                rows.truncate(self.limit);
                return Ok(rows);
            }
            page_token = next_page_token;
        }
    }
}

/// The visit that a container number means at a site: the one that is not over. A visit's id is taken as
/// it is.
///
/// # Errors
/// What gate answers; or that no visit of the container is open at the site.
pub async fn container_visit_id(
    session: &Session,
    site: &str,
    named: &str,
) -> Result<String, ClientError> {
    if named.contains('/') {
        return Ok(named.to_owned());
    }
    let request = gate::ListContainerVisitsRequest {
        site_id: site.to_owned(),
        container_number: named.to_owned(),
        ..Default::default()
    };
    let answer = session.gate()?.list_container_visits(request).await?;
    let visits = answer.into_inner().container_visits;
    let open = visits.iter().find(|visit| {
        matches!(
            visit.phase(),
            gate::ContainerVisitPhase::Announced | gate::ContainerVisitPhase::Arrived
        )
    });
    open.map(|visit| visit.container_visit_id.clone())
        .ok_or_else(|| {
            ClientError::Failed(format!(
                "No visit of {named} is open at {site}; check the number, or name another site with --site."
            ))
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> DateTime<Utc> {
        DateTime::parse_from_rfc3339("2026-11-24T08:00:00Z")
            .unwrap()
            .to_utc()
    }

    #[test]
    fn a_time_may_be_counted_from_now() {
        let in_two_hours = Moment::parse("+2h", now()).unwrap();
        assert_eq!(in_two_hours.0.to_rfc3339(), "2026-11-24T10:00:00+00:00");
        let half_an_hour_ago = Moment::parse("-30m", now()).unwrap();
        assert_eq!(half_an_hour_ago.0.to_rfc3339(), "2026-11-24T07:30:00+00:00");
        assert_eq!(Moment::parse("now", now()).unwrap().0, now());
    }

    #[test]
    fn a_time_of_another_zone_is_kept_as_utc() {
        let eight_in_chongqing = Moment::parse("2026-11-24T16:00:00+08:00", now()).unwrap();
        assert_eq!(eight_in_chongqing.0, now());
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for written in [
            "",
            "+",
            "-h",
            "+2y",
            "tomorrow",
            "+é",
            "2026-11-24",
            "+99999999999999d",
        ] {
            assert_eq!(Moment::parse(written, now()), Err(MomentError), "{written}");
        }
    }

    #[test]
    fn a_container_carries_what_stands_after_its_number() {
        let FiledContainer(container) =
            "MSKU9070323,size=22R1,seal=CN1,seal=CN2,mass=24500,verified=24480,class=3,set-point=-18.5"
                .parse()
                .unwrap();
        assert_eq!(container.container_number, "MSKU9070323");
        assert_eq!(container.size_type, "22R1");
        assert_eq!(container.seals, ["CN1", "CN2"]);
        assert_eq!(container.gross_mass, Some(kilograms("24500")));
        assert_eq!(container.verified_mass, Some(kilograms("24480")));
        assert_eq!(container.dangerous_goods_class, "3");
        assert_eq!(container.reefer_set_point_celsius, "-18.5");
    }

    #[test]
    fn a_word_that_is_not_understood_is_named() {
        let refused = "MSKU9070323,weight=1".parse::<FiledContainer>();
        assert_eq!(refused, Err(FiledContainerError("weight=1".to_owned())));
    }

    #[test]
    fn what_is_held_is_known_by_its_form_or_its_prefix() {
        let held = |written: &str| written.parse::<Held>().unwrap().0;
        let scope = |kind: HoldScopeKind, key: &str| HoldScope {
            kind: kind.into(),
            key: key.to_owned(),
        };
        let declaration = "0191d6f0-0000-7000-8000-000000000001";
        assert_eq!(
            held("GUOYUAN-PORT/MSKU9070323/1"),
            scope(HoldScopeKind::ContainerVisit, "GUOYUAN-PORT/MSKU9070323/1")
        );
        assert_eq!(
            held("MSKU9070323"),
            scope(HoldScopeKind::ContainerVisit, "MSKU9070323")
        );
        assert_eq!(
            held(declaration),
            scope(HoldScopeKind::Declaration, declaration)
        );
        let list = "QD800026I000000007";
        assert_eq!(held(list), scope(HoldScopeKind::StockList, list));
        assert_eq!(
            held("plate/渝A12345"),
            scope(HoldScopeKind::Plate, "渝A12345")
        );
        assert_eq!(
            held("party/haulier-b"),
            scope(HoldScopeKind::Party, "haulier-b")
        );
    }
}
