//! The journeys as lists of steps, and for each step whom it calls and whom its consequence rests on: so
//! that it is known who may be away meanwhile. It must not know how a step is done.

use crate::outage::Victim;
use Step::{
    Announce, CheckIn, CheckOut, Cleared, ComeInVain, CommercialRelease, CompleteControls,
    Departed, HoldByCustoms, HoldByTerminal, Inspect, KnownTrain, LandContainer, LeaveInVain,
    LiftByCustoms, LiftByTerminal, Lodge, MakeAvailable, OrderInspection, PreArrive, Ready,
    Stopped,
};

/// What happens in a journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The rail desk announces the train.
    Announce,
    /// Customs has heard of it.
    KnownTrain,
    /// The broker lodges the declaration; it is matched with the train's list.
    Lodge,
    /// The haulier files its truck: blocked.
    PreArrive,
    /// The rail desk records that the container was lifted off; customs accepts the declaration.
    LandContainer,
    /// Customs clears the goods.
    Cleared,
    /// The line lets the haulier collect them.
    CommercialRelease,
    /// The terminal says that the container can be picked up.
    MakeAvailable,
    /// The terminal holds the container.
    HoldByTerminal,
    /// So does customs.
    HoldByCustoms,
    /// Gate knows of both holds and both controls.
    Stopped,
    /// The truck comes all the same, and is turned away.
    ComeInVain,
    /// The officer ends the controls.
    CompleteControls,
    /// Customs lifts its hold.
    LiftByCustoms,
    /// The terminal lifts its own.
    LiftByTerminal,
    /// The release is granted, and the truck may come.
    Ready,
    /// The truck comes in.
    CheckIn,
    /// An inspection of it is ordered.
    OrderInspection,
    /// It may not leave.
    LeaveInVain,
    /// The inspection is done.
    Inspect,
    /// It leaves with the container.
    CheckOut,
    /// Everybody knows that it has.
    Departed,
}

/// Journey A, import pick-up.
pub const IMPORT_PICK_UP: Script = Script {
    name: "import pick-up",
    letter: 'A',
    red: false,
    steps: &[
        Announce,
        KnownTrain,
        Lodge,
        PreArrive,
        LandContainer,
        Cleared,
        CommercialRelease,
        MakeAvailable,
        Ready,
        CheckIn,
        CheckOut,
        Departed,
    ],
};

/// Journey E, not today.
pub const NOT_TODAY: Script = Script {
    name: "not today",
    letter: 'E',
    red: true,
    steps: &[
        Announce,
        KnownTrain,
        Lodge,
        PreArrive,
        LandContainer,
        CommercialRelease,
        MakeAvailable,
        HoldByTerminal,
        HoldByCustoms,
        Stopped,
        ComeInVain,
        CompleteControls,
        LiftByCustoms,
        LiftByTerminal,
        Ready,
        CheckIn,
        OrderInspection,
        LeaveInVain,
        Inspect,
        CheckOut,
        Departed,
    ],
};

/// A journey.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// Its name.
    pub name: &'static str,
    /// Tells its containers and trucks from the other's.
    pub letter: char,
    /// Whether its goods are such as customs looks at.
    pub red: bool,
    /// What happens, in order.
    pub steps: &'static [Step],
}

/// What closes the barrier for a truck that is inside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Closing {
    /// The terminal holds the container.
    TerminalHold,
    /// The terminal says that the container cannot be picked up.
    Unavailable,
    /// An inspection of the truck is ordered.
    Inspection,
    /// Customs holds the container.
    CustomsHold,
    /// The line holds it.
    LineHold,
    /// The line takes its commercial release back.
    Revocation,
}

impl Closing {
    /// All of them.
    pub const ALL: [Closing; 6] = [
        Closing::TerminalHold,
        Closing::Unavailable,
        Closing::Inspection,
        Closing::CustomsHold,
        Closing::LineHold,
        Closing::Revocation,
    ];

    /// The service that is told.
    fn calls(self) -> Victim {
        match self {
            Closing::TerminalHold | Closing::Unavailable | Closing::Inspection => Victim::Gate,
            Closing::CustomsHold => Victim::Customs,
            Closing::LineHold | Closing::Revocation => Victim::Release,
        }
    }

    /// Who may be away while it is said: whoever has a part in it, but for whom it is said to.
    pub fn victims(self) -> Vec<Victim> {
        let all = [
            Victim::Gate,
            Victim::Customs,
            Victim::Release,
            Victim::Kafka,
        ];
        all.into_iter()
            .filter(|victim| *victim != self.calls())
            .collect()
    }

    /// Whether gate hears of it although this one is away: its own word at once, others' through Kafka.
    pub fn reaches_gate_without(self, away: Victim) -> bool {
        self.calls() == Victim::Gate || !matches!(away, Victim::Gate | Victim::Kafka)
    }
}

impl Step {
    /// The service that is called; none where there is only something to wait for.
    pub fn calls(self) -> Option<Victim> {
        match self {
            KnownTrain | Cleared | Stopped | Ready | Departed => None,
            Announce | PreArrive | LandContainer | MakeAvailable | HoldByTerminal | ComeInVain
            | LiftByTerminal | CheckIn | OrderInspection | LeaveInVain | Inspect | CheckOut => {
                Some(Victim::Gate)
            }
            Lodge | HoldByCustoms | CompleteControls | LiftByCustoms => Some(Victim::Customs),
            CommercialRelease => Some(Victim::Release),
        }
    }

    /// Who must be there for the consequence that is waited for after the step.
    pub fn rests_on(self) -> &'static [Victim] {
        use Victim::{Customs, Gate, Kafka, Release};
        match self {
            KnownTrain | LandContainer => &[Gate, Kafka, Customs],
            Lodge | Cleared => &[Customs],
            Stopped | Ready => &[Gate, Kafka, Customs, Release],
            Departed => &[Gate, Kafka, Release],
            _ => &[],
        }
    }
}
