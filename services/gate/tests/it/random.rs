//! Facts and holds in random order, against a model of a few lines: READY if and only if nothing is in the
//! way, RECALLED if and only if something came in the way, and no barrier opens while a hold stands.

use std::collections::BTreeMap;

use proto::common::v1::{HoldScopeKind, InspectionRequired};
use proto::gate::v1::{CheckOutOutcome, PreArrivalKind, PreArrivalState, TruckVisitState};

use crate::world::{BOX, PLATE, World, visit};

const JOURNEYS: u64 = 4;
const STEPS: u64 = 40;

/// Numbers that look random and follow from the seed (xorshift).
struct Dice(u64);

impl Dice {
    fn throw(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

/// What the test has told.
struct Model {
    granted: bool,
    suspended: bool,
    /// Standing holds: id to service and scope.
    holds: BTreeMap<String, (&'static str, HoldScopeKind)>,
    placed: u64,
    inspection: InspectionRequired,
}

impl Model {
    fn is_ready(&self) -> bool {
        self.granted && !self.suspended && self.holds.is_empty()
    }

    fn binds(&self) -> bool {
        !self.granted || !self.holds.is_empty() || self.inspection == InspectionRequired::Yes
    }
}

fn key(kind: HoldScopeKind) -> String {
    match kind {
        HoldScopeKind::ContainerVisit => visit(BOX),
        HoldScopeKind::Declaration => format!("declaration of {BOX}"),
        HoldScopeKind::Plate => PLATE.to_owned(),
        _ => "haulier-a".to_owned(),
    }
}

/// Tells one random fact.
async fn step(world: &World, model: &mut Model, dice: &mut Dice) -> String {
    match dice.throw(6) {
        0 => {
            let (state, haulier) = [
                ("GRANTED", "haulier-a"),
                ("GRANTED", "haulier-b"),
                ("WITHHELD", ""),
            ][usize::try_from(dice.throw(3)).unwrap()];
            model.granted = haulier == "haulier-a";
            world.decided(&visit(BOX), state, haulier, "").await;
            format!("{state} {haulier}")
        }
        1 => {
            model.suspended = dice.throw(3) == 0;
            world.party("haulier-a", model.suspended).await;
            format!("suspended {}", model.suspended)
        }
        2 => {
            let flags = [InspectionRequired::No, InspectionRequired::Yes];
            model.inspection = flags[usize::try_from(dice.throw(2)).unwrap()];
            world.inspection(BOX, model.inspection).await;
            format!("inspection {:?}", model.inspection)
        }
        3 => {
            let service = ["customs", "release"][usize::try_from(dice.throw(2)).unwrap()];
            let kind = [
                HoldScopeKind::ContainerVisit,
                HoldScopeKind::Declaration,
                HoldScopeKind::Plate,
                HoldScopeKind::Party,
            ][usize::try_from(dice.throw(4)).unwrap()];
            model.placed += 1;
            let id = format!("H{}", model.placed);
            world
                .told_hold(service, &id, (kind, &key(kind)), false)
                .await;
            model.holds.insert(id.clone(), (service, kind));
            format!("{id} of {service} on {kind:?}")
        }
        _ => {
            let count = u64::try_from(model.holds.len()).unwrap();
            if count == 0 {
                return "nothing to lift".to_owned();
            }
            let at = usize::try_from(dice.throw(count)).unwrap();
            let id = model.holds.keys().nth(at).unwrap().clone();
            let (service, kind) = model.holds.remove(&id).unwrap();
            world
                .told_hold(service, &id, (kind, &key(kind)), true)
                .await;
            format!("{id} lifted")
        }
    }
}

async fn journey(seed: u64) {
    let mut dice = Dice(seed | 1);
    let world = World::new().await;
    world.arrived(&[BOX]).await;
    let filed = world.file(PreArrivalKind::FullOut, PLATE, &[BOX]).await;
    let mut model = Model {
        granted: false,
        suspended: false,
        holds: BTreeMap::new(),
        placed: 0,
        inspection: InspectionRequired::No,
    };
    let mut story = Vec::new();
    for _ in 0..STEPS {
        story.push(step(&world, &mut model, &mut dice).await);
        let now = world.pre_arrival(&filed).await;
        let about = format!("seed {seed}: {story:?}: {:?}", now.conditions);
        assert_eq!(
            now.state() == PreArrivalState::Ready,
            model.is_ready(),
            "{about}"
        );
        assert_eq!(now.conditions.is_empty(), model.is_ready(), "{about}");
        if dice.throw(4) == 0 && !model.is_ready() {
            world.hears().await;
            let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
            assert_eq!(truck.state(), TruckVisitState::TurnedAway, "{about}");
        }
    }
    make_free(&world, &mut model).await;
    world.hears().await;
    let truck = world.check_in(PLATE, &[BOX], "haulier-a").await;
    assert_eq!(
        truck.state(),
        TruckVisitState::GatedIn,
        "seed {seed}: {story:?}: {:?}",
        truck.conditions
    );
    story.push("in".to_owned());
    for _ in 0..STEPS {
        story.push(step(&world, &mut model, &mut dice).await);
        let now = world.truck(&truck).await;
        let about = format!("seed {seed}: {story:?}: {:?}", now.conditions);
        assert_eq!(
            now.state() == TruckVisitState::Recalled,
            model.binds(),
            "{about}"
        );
        if dice.throw(4) == 0 && model.binds() {
            world.hears().await;
            let refused = world.check_out(PLATE, &[BOX]).await;
            assert_eq!(refused.outcome(), CheckOutOutcome::Refused, "{about}");
        }
    }
    make_free(&world, &mut model).await;
    world.hears().await;
    let out = world.check_out(PLATE, &[BOX]).await;
    assert_eq!(
        out.outcome(),
        CheckOutOutcome::LetOut,
        "seed {seed}: {story:?}: {:?}",
        out.truck_visit.unwrap().conditions
    );
}

/// Everything that was placed is lifted, and haulier-a may take the container.
async fn make_free(world: &World, model: &mut Model) {
    while let Some((id, (service, kind))) = model.holds.pop_first() {
        world
            .told_hold(service, &id, (kind, &key(kind)), true)
            .await;
    }
    world.party("haulier-a", false).await;
    world.granted(BOX, "haulier-a").await;
    model.inspection = InspectionRequired::No;
    world.inspection(BOX, model.inspection).await;
    model.granted = true;
    model.suspended = false;
}

#[tokio::test]
async fn ready_and_recalled_are_exactly_what_the_facts_say_and_no_barrier_opens_under_a_hold() {
    let bytes = *kernel::new_id().as_bytes();
    let first = u64::from_be_bytes(bytes[8..].try_into().unwrap());
    for journey_number in 0..JOURNEYS {
        let seed = first.wrapping_add(journey_number.wrapping_mul(0x9E37_79B9_7F4A_7C15));
        journey(seed).await;
    }
}
