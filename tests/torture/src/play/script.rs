//! The journeys as lists of steps, and for each step whom it calls and whom its consequence rests on: so
//! that it is known who may be away meanwhile. It must not know how a step is done.

use crate::play::outage::Victim;
use Step::{
    Accepted, Announce, ApproveList, CheckIn, CheckInAtCentre, CheckOut, CheckOutAtCentre, Cleared,
    ComeInVain, CommercialRelease, CompleteControls, Count, Departed, Exited, FileList,
    HoldByCustoms, HoldByTerminal, Inspect, KnownDeclaration, KnownList, KnownTrain, LandContainer,
    LeaveByTrain, LeaveInVain, LiftByCustoms, LiftByTerminal, Load, LoadInVain, Lodge,
    MakeAvailable, Matched, MayLoad, MayMove, MayNotLoad, OrderInspection, Passed, Posted,
    PreArrive, Ready, Stopped, Weigh,
};

/// What happens in a journey.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// The rail desk announces the train.
    Announce,
    /// Customs has heard of it.
    KnownTrain,
    /// The trader files the stock list.
    FileList,
    /// The operator of the bonded centre approves it.
    ApproveList,
    /// Customs has heard that its goods are set aside.
    KnownList,
    /// The broker lodges the declaration.
    Lodge,
    /// It is matched with the train's list.
    Matched,
    /// Gate has heard of it: a truck may come in on it.
    KnownDeclaration,
    /// Release lets the goods of the list move, and gate has heard it: a truck may come for them.
    MayMove,
    /// The truck is filed.
    PreArrive,
    /// The rail desk records that the container was lifted off.
    LandContainer,
    /// The goods are here: customs accepts the declaration.
    Accepted,
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
    /// Release and gate know of both holds and both controls.
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
    /// It leaves: with the container, or without the one that it brought.
    CheckOut,
    /// Everybody knows that it has.
    Departed,
    /// Release lets the container be loaded onto a train, and gate has heard it.
    MayLoad,
    /// Release has taken that back, for the hold.
    MayNotLoad,
    /// The container is not loaded.
    LoadInVain,
    /// It is loaded.
    Load,
    /// The train leaves with it.
    LeaveByTrain,
    /// Everybody knows that the goods have left.
    Exited,
    /// The truck comes into the bonded centre.
    CheckInAtCentre,
    /// It is loaded there, and weighed.
    Weigh,
    /// It leaves the centre: with the goods, or without those that it brought.
    CheckOutAtCentre,
    /// Bonded has heard that the goods have passed.
    Passed,
    /// The operator counts them.
    Count,
    /// The list is final, and everybody knows it.
    Posted,
}

/// Journey A, import pick-up.
pub const IMPORT_PICK_UP: Script = Script {
    name: "import pick-up",
    letter: 'A',
    steps: &[
        Announce,
        KnownTrain,
        Lodge,
        Matched,
        PreArrive,
        LandContainer,
        Accepted,
        Cleared,
        CommercialRelease,
        MakeAvailable,
        Ready,
        CheckIn,
        CheckOut,
        Departed,
    ],
};

/// Journey B, export drop-off; before it is loaded it is held for a while.
pub const EXPORT_DROP_OFF: Script = Script {
    name: "export drop-off",
    letter: 'B',
    steps: &[
        Lodge,
        KnownDeclaration,
        PreArrive,
        CheckIn,
        Accepted,
        Cleared,
        CheckOut,
        MayLoad,
        HoldByTerminal,
        MayNotLoad,
        LoadInVain,
        LiftByTerminal,
        MayLoad,
        Load,
        LeaveByTrain,
        Exited,
    ],
};

/// Journey C, into bond: the goods pass before customs clears them.
pub const INTO_BOND: Script = Script {
    name: "into bond",
    letter: 'C',
    steps: &[
        Announce,
        LandContainer,
        FileList,
        ApproveList,
        KnownTrain,
        Lodge,
        Matched,
        MayMove,
        PreArrive,
        CheckIn,
        CheckOut,
        CheckInAtCentre,
        CheckOutAtCentre,
        Passed,
        Count,
        CompleteControls,
        Cleared,
        Posted,
    ],
};

/// Journey D, out of bond: customs clears the goods before they pass.
pub const OUT_OF_BOND: Script = Script {
    name: "out of bond",
    letter: 'D',
    steps: &[
        FileList,
        KnownList,
        Lodge,
        Cleared,
        MayMove,
        PreArrive,
        CheckInAtCentre,
        Weigh,
        CheckOutAtCentre,
        Passed,
        Posted,
    ],
};

/// Journey E, not today.
pub const NOT_TODAY: Script = Script {
    name: "not today",
    letter: 'E',
    steps: &[
        Announce,
        KnownTrain,
        Lodge,
        Matched,
        PreArrive,
        LandContainer,
        Accepted,
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

/// All of them.
pub const JOURNEYS: [&Script; 5] = [
    &IMPORT_PICK_UP,
    &EXPORT_DROP_OFF,
    &INTO_BOND,
    &OUT_OF_BOND,
    &NOT_TODAY,
];

/// A journey.
#[derive(Clone, Copy, Debug)]
pub struct Script {
    /// Its name.
    pub name: &'static str,
    /// Tells its containers and trucks from the others'.
    pub letter: char,
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
            KnownTrain | KnownList | Matched | KnownDeclaration | MayMove | Accepted | Cleared
            | Stopped | Ready | Departed | MayLoad | MayNotLoad | Exited | Passed | Posted => None,
            Announce | PreArrive | LandContainer | MakeAvailable | HoldByTerminal | ComeInVain
            | LiftByTerminal | CheckIn | OrderInspection | LeaveInVain | Inspect | CheckOut
            | LoadInVain | Load | LeaveByTrain | CheckInAtCentre | Weigh | CheckOutAtCentre => {
                Some(Victim::Gate)
            }
            Lodge | HoldByCustoms | CompleteControls | LiftByCustoms => Some(Victim::Customs),
            FileList | ApproveList | Count => Some(Victim::Bonded),
            CommercialRelease => Some(Victim::Release),
        }
    }

    /// Who must be there for the consequence that is waited for after the step.
    pub fn rests_on(self) -> &'static [Victim] {
        use Victim::{Bonded, Customs, Gate, Kafka, Release};
        match self {
            KnownTrain | KnownDeclaration | Accepted => &[Gate, Kafka, Customs],
            KnownList => &[Bonded, Kafka, Customs],
            Matched | Cleared => &[Customs],
            Stopped | Ready | MayLoad | MayNotLoad | Exited => &[Gate, Kafka, Customs, Release],
            Departed => &[Gate, Kafka, Release],
            MayMove | Posted => &[Gate, Kafka, Customs, Bonded, Release],
            Passed => &[Gate, Kafka, Bonded],
            _ => &[],
        }
    }
}
