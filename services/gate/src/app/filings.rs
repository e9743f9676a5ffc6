//! A haulier's filings: submitted whole or refused with all faults, taken back, driven by another truck or
//! driver, expired.

use chrono::{DateTime, Utc};
use fabric::{Context, Fact};
use kernel::{ContainerNumber, Plate, Refusal, StockListNumber};
use uuid::Uuid;

use super::{Answer, Outcome, Rules, State, passes, reconsider};
use crate::domain::arrival_list::PARTY_CHARS_MAX;
use crate::domain::filing::{Faults, WrittenPlate};
use crate::domain::pre_arrival::{
    self, Driver, PreArrival, PreArrivalFact, PreArrivalKind, WrittenDriver, WrittenPreArrival,
    WrittenVehicle,
};
use crate::domain::truck_visit::PlatesRead;
use crate::domain::{Actor, disclosure};
use crate::events::publish;

/// One truck's coming.
#[derive(Clone, Debug)]
pub struct SubmitPreArrival {
    /// Who asks: the haulier.
    pub actor: Actor,
    /// Only check.
    pub validate_only: bool,
    /// As written.
    pub written: WrittenPreArrival,
}

/// Taken back.
#[derive(Clone, Debug)]
pub struct CancelPreArrival {
    /// Who asks.
    pub actor: Actor,
    /// The pre-arrival; none if its id cannot be read.
    pub pre_arrival_id: Option<Uuid>,
    /// Its version as the haulier saw it.
    pub expected_version: u64,
}

/// Another truck or driver.
#[derive(Clone, Debug)]
pub struct ReplaceVehicle {
    /// Who asks.
    pub actor: Actor,
    /// Only check.
    pub validate_only: bool,
    /// The pre-arrival; none if its id cannot be read.
    pub pre_arrival_id: Option<Uuid>,
    /// Its version as the haulier saw it.
    pub expected_version: u64,
    /// The truck; none: the same.
    pub vehicle: Option<WrittenVehicle>,
    /// The driver; none: the same.
    pub driver: Option<WrittenDriver>,
}

impl SubmitPreArrival {
    /// The containers that can be read.
    pub fn container_numbers(&self) -> impl Iterator<Item = String> + '_ {
        let numbers = self
            .written
            .containers
            .iter()
            .map(|container| ContainerNumber::parse(&container.number));
        numbers.filter_map(|number| number.ok().map(|number| number.as_str().to_owned()))
    }

    /// The firm whose truck it is: the caller, where the filing names none.
    pub fn haulier(&self) -> &str {
        match self.written.haulier_party.trim() {
            "" => &self.actor.party,
            haulier => haulier,
        }
    }

    /// The stock list, if its number can be read.
    pub fn list_number(&self) -> Option<String> {
        let written = self.written.list.as_ref()?;
        let number = StockListNumber::parse(&written.list_number).ok()?;
        Some(number.to_string())
    }

    /// The declarations that a container is to come in on.
    pub fn references(&self) -> impl Iterator<Item = String> + '_ {
        let laden = self.written.kind == Some(PreArrivalKind::FullIn);
        let named = self.written.document_references.iter();
        named
            .filter(move |_| laden)
            .take(pre_arrival::DOCUMENT_REFERENCES_MAX)
            .map(|written| pre_arrival::reference_key(written))
    }

    /// The plates that can be read.
    pub fn plates(&self) -> Vec<String> {
        plates_of(self.written.vehicle.as_ref())
    }
}

/// The plates of a truck that can be read.
pub fn plates_of(vehicle: Option<&WrittenVehicle>) -> Vec<String> {
    let Some(vehicle) = vehicle else {
        return Vec::new();
    };
    read_off(vehicle).iter().map(str::to_owned).collect()
}

/// The plates of a truck as a lane read them; one that cannot be read is none.
pub fn read_off(vehicle: &WrittenVehicle) -> PlatesRead {
    let read = |plate: &Option<WrittenPlate>| Plate::normalise(&plate.as_ref()?.text).ok();
    PlatesRead {
        tractor: read(&vehicle.tractor),
        trailer: read(&vehicle.trailer),
    }
}

/// A filing with faults is refused whole, with all of them.
pub fn faulty(faults: Faults) -> Refusal {
    faults.into_refusal()
}

/// Files.
pub fn submit(
    state: &mut State,
    command: &SubmitPreArrival,
    context: &Context<'_>,
    rules: &Rules,
) -> Outcome {
    let mut faults = Faults::default();
    let site_id = command.written.site_id.trim();
    if state.site(site_id).is_none() {
        faults.add(
            "SITE_UNKNOWN",
            "site_id",
            site_id,
            "one of ListSites",
            "Name the site where the truck will come.",
        );
    }
    let read = pre_arrival::read(&command.written, context.now, &mut faults);
    centre(state, command, &mut faults);
    let Some(read) = read.filter(|_| faults.is_empty()) else {
        return Err(faulty(faults));
    };
    let haulier = command.haulier();
    let warnings = pre_arrival::worth_a_look(&read.containers);
    let driver = driver(&read.driver, haulier, context);
    let ids = (context.new_id(), driver.driver_id);
    let mut filing =
        PreArrival::submitted(read, site_id, haulier, ids, context.now, rules.expiry_grace);
    if haulier != command.actor.party {
        filing.filer_party = Some(command.actor.party.clone());
    }
    let issued = passes::issue(state, &mut filing, context)?;
    let view = state.view_of_filing(&filing, context);
    let standing = disclosure::standing(filing.kind, &view);
    let mut facts = vec![publish::pre_arrival(
        PreArrivalFact::Submitted,
        &filing,
        context.now,
    )];
    let fact = filing.reconsidered(standing);
    if command.validate_only {
        let mut shown = filing;
        shown.pre_arrival_id = Uuid::nil();
        shown.number.clear();
        return Ok((Answer::Submitted(Box::new(shown), warnings), Vec::new()));
    }
    if let Some((passage, told)) = issued {
        state.lists.put(passage.list_number.to_string(), passage);
        passes::number(state, &mut filing, context);
        facts.extend(told);
    }
    facts.extend(fact.map(|fact| publish::pre_arrival(fact, &filing, context.now)));
    state.drivers.push(driver);
    state
        .pre_arrivals
        .put(filing.pre_arrival_id, filing.clone());
    Ok((Answer::Submitted(Box::new(filing), warnings), facts))
}

/// Takes back.
pub fn cancel(state: &mut State, command: &CancelPreArrival, context: &Context<'_>) -> Outcome {
    let mut filing = own(state, command.pre_arrival_id, &command.actor)?;
    let fact = filing.cancelled(command.expected_version)?;
    let mut facts = vec![publish::pre_arrival(fact, &filing, context.now)];
    facts.extend(passes::withdrawn(state, &filing, context));
    state
        .pre_arrivals
        .put(filing.pre_arrival_id, filing.clone());
    Ok((Answer::Cancelled(Box::new(filing)), facts))
}

/// Another truck or driver.
pub fn replace(state: &mut State, command: &ReplaceVehicle, context: &Context<'_>) -> Outcome {
    let mut filing = own(state, command.pre_arrival_id, &command.actor)?;
    let mut faults = Faults::default();
    if command.vehicle.is_none() && command.driver.is_none() {
        faults.add(
            "NOTHING_TO_REPLACE",
            "vehicle",
            "",
            "a vehicle or a driver",
            "Give the truck or the driver that will come.",
        );
    }
    let vehicle = match &command.vehicle {
        Some(vehicle) => pre_arrival::read_vehicle(Some(vehicle), &mut faults),
        None => None,
    };
    let written = match &command.driver {
        Some(driver) => pre_arrival::read_driver(Some(driver), &mut faults),
        None => None,
    };
    if !faults.is_empty() {
        return Err(faulty(faults));
    }
    let driver = written.map(|written| driver(&written, &filing.haulier_party, context));
    let fact = filing.replaced(
        command.expected_version,
        vehicle,
        driver.as_ref().map(|driver| driver.driver_id),
    )?;
    if command.validate_only {
        return Ok((Answer::Replaced(Box::new(filing)), Vec::new()));
    }
    state.drivers.extend(driver);
    let id = filing.pre_arrival_id;
    let mut facts = vec![publish::pre_arrival(fact, &filing, context.now)];
    state.pre_arrivals.put(id, filing);
    facts.extend(reconsider::filing(state, &id, context));
    let filing = own(state, Some(id), &command.actor)?;
    Ok((Answer::Replaced(Box::new(filing)), facts))
}

/// Ends what did not come in time. Goods of a transfer that nobody saw come have left the first site: they are
/// taken for passed (gate rule 15). Drivers whom nobody needs any more are forgotten; what they did stays on record.
pub fn expire(state: &mut State, context: &Context<'_>, rules: &Rules) -> Vec<Fact> {
    state.forget_drivers_before = context.now.checked_sub_signed(rules.driver_retention);
    let due: Vec<PreArrival> = overdue(state, context.now);
    let mut facts = Vec::new();
    for mut filing in due {
        let (fact, of_list) = if let Some(fact) = filing.taken_for_passed(context.now) {
            (fact, passes::taken_for_passed(state, &filing, context))
        } else if let Some(fact) = filing.expired(context.now) {
            (fact, passes::withdrawn(state, &filing, context))
        } else {
            continue;
        };
        facts.push(publish::pre_arrival(fact, &filing, context.now));
        facts.extend(of_list);
        state.pre_arrivals.put(filing.pre_arrival_id, filing);
    }
    facts
}

fn overdue(state: &State, now: DateTime<Utc>) -> Vec<PreArrival> {
    state
        .pre_arrivals
        .iter()
        .map(|(_, filing)| filing)
        .filter(|filing| filing.is_open() && filing.expires_at <= now)
        .cloned()
        .collect()
}

/// The bonded centre of a filing with a stock list, and who may file it: the haulier itself, or the operator of
/// the centre for one.
fn centre(state: &State, command: &SubmitPreArrival, faults: &mut Faults) {
    let written = &command.written;
    let carries_list = written.kind.is_some_and(PreArrivalKind::carries_list);
    let (path, site_id) = if written.kind == Some(PreArrivalKind::BondTransfer) {
        ("second_site_id", written.second_site_id.trim())
    } else {
        ("site_id", written.site_id.trim())
    };
    let centre = state.site(site_id).filter(|site| site.bonded);
    if carries_list && centre.is_none() {
        faults.add(
            "CENTRE_UNKNOWN",
            path,
            site_id,
            "a bonded centre",
            "Name the bonded centre whose stock list it is (ListSites).",
        );
    }
    faults.optional_text("haulier_party", &written.haulier_party, PARTY_CHARS_MAX);
    let actor = &command.actor;
    let operates = carries_list && centre.is_some_and(|centre| actor.operates(centre));
    let for_itself = command.haulier() == actor.party && actor.is_haulier;
    if !for_itself && (!operates || command.haulier() == actor.party) {
        faults.add(
            "HAULIER_INVALID",
            "haulier_party",
            written.haulier_party.trim(),
            "the caller, or a haulier for which the operator of the centre files a pass",
            "A haulier files for itself; the operator of the bonded centre names the haulier whose truck it is.",
        );
    }
}

/// The caller's own filing, or one that it filed for another; another firm's is not there.
fn own(state: &State, id: Option<Uuid>, actor: &Actor) -> Result<PreArrival, Refusal> {
    let filing = id
        .and_then(|id| state.pre_arrivals.get(&id))
        .filter(|filing| filing.haulier_party == actor.party || filing.filer() == actor.party);
    filing.cloned().ok_or_else(|| {
        Refusal::not_found(
            "pre-arrival",
            id.map(|id| id.to_string()).unwrap_or_default(),
        )
    })
}

fn driver(written: &WrittenDriver, haulier: &str, context: &Context<'_>) -> Driver {
    Driver {
        driver_id: context.new_id(),
        haulier_party: haulier.to_owned(),
        name: written.name.clone(),
        licence: written.licence.clone(),
        phone: written.phone.clone(),
    }
}
