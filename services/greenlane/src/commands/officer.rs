//! The customs officer's commands. Every act names its reason, which goes on record with officer and time.

use clap::{Subcommand, ValueEnum};
use kernel::Money;
use proto::common::v1::HoldKind;
use proto::customs::v1::{
    Channel, CompleteControlRequest, ControlKind, ControlResult, DeclarationRecord,
    DeclarationStatus, DetainDeclarationRequest, EndDetentionRequest, InvalidateDeclarationRequest,
    LiftHoldRequest, ManualDuty, OpenControlRequest, OverrideMatchRequest, PlaceHoldRequest,
    PresentGoodsRequest, PutGuaranteeRequest, ReleaseDeclarationRequest, RerouteDeclarationRequest,
};

use super::arguments::{Held, Moment};
use super::declaration::{self, Filter};
use super::show;
use crate::client::{ClientError, Session};

/// The officer's commands.
#[derive(Debug, Subcommand)]
pub enum OfficerCommand {
    /// List declarations that wait: under control, or accepted and not released
    #[command(after_help = "Example: greenlane officer queue
         greenlane officer queue --all --container MSKU9070323")]
    Queue {
        /// Every declaration, whatever its status
        #[arg(long)]
        all: bool,
        #[command(flatten)]
        filter: Filter,
    },
    /// Show one declaration with its controls, holds and history
    #[command(after_help = "Example: greenlane officer show 26GB4ZK7Q1M0X9T2A6")]
    Show {
        /// The declaration's id or MRN
        declaration: String,
    },
    /// Order a control, or record what it found
    #[command(
        subcommand,
        after_help = "\
Example: greenlane officer control open 26GB4ZK7Q1M0X9T2A6 --kind physical --reason 'weight odd'
         greenlane officer control done 26GB4ZK7Q1M0X9T2A6 physical --result conform --reason 'as declared'"
    )]
    Control(ControlCommand),
    /// Hold a container, a declaration, a stock list, a truck or a firm
    #[command(after_help = "\
Example: greenlane officer hold MSKU9070323 --reason 'tip from the risk centre'
         greenlane officer hold declaration/0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11 --reason 'licence expired'")]
    Hold {
        /// A container number or visit, a declaration's id, a stock list's number, plate/PLATE or party/PARTY
        subject: Held,
        /// Which kind of reason
        #[arg(long, default_value = "customs")]
        kind: OfficerHoldKind,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Lift one customs or quarantine hold
    #[command(
        after_help = "Example: greenlane officer lift 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11 --reason 'nothing found'"
    )]
    Lift {
        /// The hold's id
        hold: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// Release where nothing but your decision is missing
    #[command(after_help = "\
Example: greenlane officer release 26GB4ZK7Q1M0X9T2A6 --reason 'difference explained'
         greenlane officer release 26GB4ZK7Q1M0X9T2A6 --duty 2:A00:40.00:GBP --duty 2:B00:208.00:GBP \\
             --reason 'no tariff line, assessed by hand'")]
    Release {
        /// The declaration's id or MRN
        declaration: String,
        /// Duty that you assess: ITEM:TAX:AMOUNT:CURRENCY; may be repeated
        #[arg(long = "duty", value_name = "DUTY")]
        duties: Vec<AssessedDuty>,
        #[command(flatten)]
        act: Act,
    },
    /// Choose another channel than risk did
    #[command(
        after_help = "Example: greenlane officer reroute 26GB4ZK7Q1M0X9T2A6 green --reason 'trusted trader'"
    )]
    Reroute {
        /// The declaration's id or MRN
        declaration: String,
        /// The channel
        channel: ChannelArgument,
        #[command(flatten)]
        act: Act,
    },
    /// Decide how goods relate to the manifest
    #[command(
        subcommand,
        after_help = "\
Example: greenlane officer match override 26GB4ZK7Q1M0X9T2A6 GUOYUAN-PORT/MSKU9070323/1 --reason 'typing error in the bill'"
    )]
    Match(MatchCommand),
    /// Say that goods are there, where no container visit can say so
    #[command(
        after_help = "Example: greenlane officer present 26GB4ZK7Q1M0X9T2A6 --reason 'seen in shed 4'"
    )]
    Present {
        /// The declaration's id or MRN
        declaration: String,
        /// When they were seen; now if not given
        #[arg(long, allow_hyphen_values = true, value_name = "TIME")]
        at: Option<Moment>,
        #[command(flatten)]
        act: Act,
    },
    /// Detain the goods of a declaration: nothing of it is released until that ends
    #[command(
        after_help = "Example: greenlane officer detain 26GB4ZK7Q1M0X9T2A6 --reason 'counterfeit suspected'"
    )]
    Detain {
        /// The declaration's id or MRN
        declaration: String,
        #[command(flatten)]
        act: Act,
    },
    /// End a detention: the declaration stands where its other facts put it
    #[command(
        after_help = "Example: greenlane officer end-detention 26GB4ZK7Q1M0X9T2A6 --reason 'genuine, says the owner of the mark'"
    )]
    EndDetention {
        /// The declaration's id or MRN
        declaration: String,
        #[command(flatten)]
        act: Act,
    },
    /// Declare a declaration void, before the goods have left
    #[command(after_help = "\
Example: greenlane officer invalidate 26GB4ZK7Q1M0X9T2A6 --reason 'filed twice'

What it released is asked back from the gate first; void asked stands in the answer until the gate has said for
all of it that nothing has left.")]
    Invalidate {
        /// The declaration's id or MRN
        declaration: String,
        #[command(flatten)]
        act: Act,
    },
    /// Set how much a trader's guarantee covers; `trader guarantee` shows it
    #[command(
        after_help = "Example: greenlane officer guarantee trader-b 50000.00 GBP --reason 'bank letter of 24 November'"
    )]
    Guarantee {
        /// The trader
        trader: String,
        /// How much it covers from now on; not below what is in use
        amount: String,
        /// The currency, three letters
        currency: String,
        /// Why; goes on record
        #[arg(long)]
        reason: String,
        /// The guarantee's version that you have seen; not checked if not given
        #[arg(long, default_value_t = 0, value_name = "VERSION")]
        expected_version: u64,
    },
}

/// What every act on a declaration says.
#[derive(Clone, Debug, clap::Args)]
pub struct Act {
    /// Why; goes on record
    #[arg(long)]
    reason: String,
    /// The declaration's version that you have seen; not checked if not given
    #[arg(long, default_value_t = 0, value_name = "VERSION")]
    expected_version: u64,
}

/// The commands about controls.
#[derive(Debug, Subcommand)]
pub enum ControlCommand {
    /// Order a control of documents or goods
    #[command(
        after_help = "Example: greenlane officer control open 26GB4ZK7Q1M0X9T2A6 --kind physical --reason 'weight odd'"
    )]
    Open {
        /// The declaration's id or MRN
        declaration: String,
        /// Which control
        #[arg(long)]
        kind: ControlKindArgument,
        /// The goods do not wait for it
        #[arg(long)]
        not_blocking: bool,
        #[command(flatten)]
        act: Act,
    },
    /// Record what a control found
    #[command(after_help = "\
Example: greenlane officer control done 26GB4ZK7Q1M0X9T2A6 physical --result conform --reason 'as declared'")]
    Done {
        /// The declaration's id or MRN
        declaration: String,
        /// The control's id; or its kind, for the first open one: documents, physical, agency
        control: String,
        /// What it found
        #[arg(long)]
        result: ControlResultArgument,
        #[command(flatten)]
        act: Act,
    },
}

/// The commands about matching.
#[derive(Debug, Subcommand)]
pub enum MatchCommand {
    /// Bind goods to a container visit that matching would not bind them to
    #[command(after_help = "\
Example: greenlane officer match override 26GB4ZK7Q1M0X9T2A6 GUOYUAN-PORT/MSKU9070323/1 --reason 'typing error in the bill'")]
    Override {
        /// The declaration's id or MRN
        declaration: String,
        /// The container visit that the goods are in
        #[arg(value_name = "CONTAINER-VISIT")]
        container_visit: String,
        /// The manifest's transport document that the goods stand for
        #[arg(
            long,
            default_value = "",
            hide_default_value = true,
            value_name = "TRANSPORT-DOCUMENT"
        )]
        transport_document: String,
        #[command(flatten)]
        act: Act,
    },
}

/// The kinds of holds that are the officer's.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum OfficerHoldKind {
    /// By customs
    Customs,
    /// By a health, plant or animal authority
    Quarantine,
}

/// The channels.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ChannelArgument {
    /// Release
    Green,
    /// Documents are looked at first
    Yellow,
    /// Documents and goods are looked at first
    Red,
    /// Release, documents are looked at later
    Blue,
}

/// The kinds of controls.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ControlKindArgument {
    /// Of the documents
    Documents,
    /// Of the goods
    Physical,
    /// By another authority
    Agency,
}

impl From<ControlKindArgument> for ControlKind {
    fn from(kind: ControlKindArgument) -> Self {
        match kind {
            ControlKindArgument::Documents => Self::Documents,
            ControlKindArgument::Physical => Self::Physical,
            ControlKindArgument::Agency => Self::Agency,
        }
    }
}

/// What a control found.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ControlResultArgument {
    /// As declared
    Conform,
    /// Not as declared
    NotConform,
}

/// An officer's assessment of one tax type on one item: `ITEM:TAX:AMOUNT:CURRENCY`.
#[derive(Clone, Debug, PartialEq)]
pub struct AssessedDuty(ManualDuty);

/// Why a text is no assessment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("write an assessed duty as ITEM:TAX:AMOUNT:CURRENCY, for instance 2:A00:40.00:GBP")]
pub struct AssessedDutyError;

impl std::str::FromStr for AssessedDuty {
    type Err = AssessedDutyError;

    fn from_str(written: &str) -> Result<Self, Self::Err> {
        let parts: Vec<&str> = written.split(':').collect();
        let [item, tax_type, amount, currency] = parts.as_slice() else {
            return Err(AssessedDutyError);
        };
        let payable = Money::parse(amount, currency).map_err(|_| AssessedDutyError)?;
        Ok(Self(ManualDuty {
            item: item.parse().map_err(|_| AssessedDutyError)?,
            tax_type: (*tax_type).to_owned(),
            payable: Some(chassis::convert::money_message(&payable)),
        }))
    }
}

/// Carries out an officer's command.
///
/// # Errors
/// What customs refuses.
pub async fn run(command: OfficerCommand, session: &Session) -> Result<(), ClientError> {
    match command {
        OfficerCommand::Queue { all, filter } => {
            let waiting = [DeclarationStatus::Accepted, DeclarationStatus::UnderControl];
            let statuses: &[_] = if all { &[] } else { &waiting };
            declaration::list(filter, statuses, session).await
        }
        OfficerCommand::Show { declaration } => {
            show::one(session, &declaration::get(&declaration, session).await?)
        }
        OfficerCommand::Control(command) => control(command, session).await,
        OfficerCommand::Hold {
            subject: Held(scope),
            kind,
            reason,
        } => {
            let kind = match kind {
                OfficerHoldKind::Customs => HoldKind::Customs,
                OfficerHoldKind::Quarantine => HoldKind::Quarantine,
            };
            let request = PlaceHoldRequest {
                request_id: session.request_id(),
                scope: Some(scope),
                kind: kind.into(),
                reason,
            };
            let answer = session.customs()?.place_hold(request).await?;
            show::one(session, &answer.into_inner().hold.unwrap_or_default())
        }
        OfficerCommand::Lift { hold, reason } => {
            let request = LiftHoldRequest {
                request_id: session.request_id(),
                hold_id: hold,
                reason,
            };
            let answer = session.customs()?.lift_hold(request).await?;
            show::one(session, &answer.into_inner().hold.unwrap_or_default())
        }
        OfficerCommand::Release {
            declaration,
            duties,
            act,
        } => release(&declaration, duties, act, session).await,
        OfficerCommand::Reroute {
            declaration,
            channel,
            act,
        } => reroute(&declaration, channel, act, session).await,
        OfficerCommand::Match(MatchCommand::Override {
            declaration,
            container_visit,
            transport_document,
            act,
        }) => {
            let request = OverrideMatchRequest {
                request_id: session.request_id(),
                declaration_id: declaration::id(&declaration, session).await?,
                expected_version: act.expected_version,
                container_visit_id: container_visit,
                transport_document,
                reason: act.reason,
            };
            let answer = session.customs()?.override_match(request).await?;
            show_declaration(session, answer.into_inner().declaration)
        }
        OfficerCommand::Present {
            declaration,
            at,
            act,
        } => {
            let request = PresentGoodsRequest {
                request_id: session.request_id(),
                declaration_id: declaration::id(&declaration, session).await?,
                expected_version: act.expected_version,
                presented_at: at.map(Moment::timestamp),
                reason: act.reason,
            };
            let answer = session.customs()?.present_goods(request).await?;
            show_declaration(session, answer.into_inner().declaration)
        }
        OfficerCommand::Detain { declaration, act } => {
            let request = DetainDeclarationRequest {
                request_id: session.request_id(),
                declaration_id: declaration::id(&declaration, session).await?,
                expected_version: act.expected_version,
                reason: act.reason,
            };
            let answer = session.customs()?.detain_declaration(request).await?;
            show_declaration(session, answer.into_inner().declaration)
        }
        OfficerCommand::EndDetention { declaration, act } => {
            let request = EndDetentionRequest {
                request_id: session.request_id(),
                declaration_id: declaration::id(&declaration, session).await?,
                expected_version: act.expected_version,
                reason: act.reason,
            };
            let answer = session.customs()?.end_detention(request).await?;
            show_declaration(session, answer.into_inner().declaration)
        }
        OfficerCommand::Invalidate { declaration, act } => {
            let request = InvalidateDeclarationRequest {
                request_id: session.request_id(),
                declaration_id: declaration::id(&declaration, session).await?,
                expected_version: act.expected_version,
                reason: act.reason,
            };
            let answer = session.customs()?.invalidate_declaration(request).await?;
            show_declaration(session, answer.into_inner().declaration)
        }
        OfficerCommand::Guarantee {
            trader,
            amount,
            currency,
            reason,
            expected_version,
        } => {
            let amount = Money::parse(&amount, &currency)
                .map_err(|error| ClientError::Usage(error.to_string()))?;
            let request = PutGuaranteeRequest {
                request_id: session.request_id(),
                trader_party: trader,
                amount: Some(chassis::convert::money_message(&amount)),
                reason,
                expected_version,
            };
            let answer = session.customs()?.put_guarantee(request).await?;
            show::one(session, &answer.into_inner().guarantee.unwrap_or_default())
        }
    }
}

async fn release(
    declaration: &str,
    duties: Vec<AssessedDuty>,
    act: Act,
    session: &Session,
) -> Result<(), ClientError> {
    let request = ReleaseDeclarationRequest {
        request_id: session.request_id(),
        declaration_id: declaration::id(declaration, session).await?,
        expected_version: act.expected_version,
        manual_duties: duties.into_iter().map(|AssessedDuty(duty)| duty).collect(),
        reason: act.reason,
    };
    let answer = session.customs()?.release_declaration(request).await?;
    show_declaration(session, answer.into_inner().declaration)
}

async fn reroute(
    declaration: &str,
    channel: ChannelArgument,
    act: Act,
    session: &Session,
) -> Result<(), ClientError> {
    let channel = match channel {
        ChannelArgument::Green => Channel::Green,
        ChannelArgument::Yellow => Channel::Yellow,
        ChannelArgument::Red => Channel::Red,
        ChannelArgument::Blue => Channel::Blue,
    };
    let request = RerouteDeclarationRequest {
        request_id: session.request_id(),
        declaration_id: declaration::id(declaration, session).await?,
        expected_version: act.expected_version,
        channel: channel.into(),
        reason: act.reason,
    };
    let answer = session.customs()?.reroute_declaration(request).await?;
    show_declaration(session, answer.into_inner().declaration)
}

async fn control(command: ControlCommand, session: &Session) -> Result<(), ClientError> {
    match command {
        ControlCommand::Open {
            declaration,
            kind,
            not_blocking,
            act,
        } => {
            let request = OpenControlRequest {
                request_id: session.request_id(),
                declaration_id: declaration::id(&declaration, session).await?,
                expected_version: act.expected_version,
                kind: ControlKind::from(kind).into(),
                blocking: !not_blocking,
                reason: act.reason,
            };
            let answer = session.customs()?.open_control(request).await?;
            show_declaration(session, answer.into_inner().declaration)
        }
        ControlCommand::Done {
            declaration,
            control,
            result,
            act,
        } => {
            let (declaration_id, control_id) =
                control_meant(&declaration, &control, session).await?;
            let result = match result {
                ControlResultArgument::Conform => ControlResult::Conform,
                ControlResultArgument::NotConform => ControlResult::NotConform,
            };
            let request = CompleteControlRequest {
                request_id: session.request_id(),
                declaration_id,
                expected_version: act.expected_version,
                control_id,
                result: result.into(),
                reason: act.reason,
            };
            let answer = session.customs()?.complete_control(request).await?;
            show_declaration(session, answer.into_inner().declaration)
        }
    }
}

/// The ids of a declaration and of its control; a kind means the first open control of that kind.
async fn control_meant(
    declaration: &str,
    control: &str,
    session: &Session,
) -> Result<(String, String), ClientError> {
    let Ok(kind) = ControlKindArgument::from_str(control, true) else {
        let declaration_id = declaration::id(declaration, session).await?;
        return Ok((declaration_id, control.to_owned()));
    };
    let record = declaration::get(declaration, session).await?;
    let open = record
        .controls
        .iter()
        .find(|found| found.kind() == ControlKind::from(kind) && found.done_at.is_none());
    match open {
        Some(open) => Ok((record.declaration_id, open.control_id.clone())),
        None => Err(ClientError::Failed(format!(
            "No {control} control of {declaration} is open; greenlane officer show lists them."
        ))),
    }
}

fn show_declaration(
    session: &Session,
    declaration: Option<DeclarationRecord>,
) -> Result<(), ClientError> {
    show::one(session, &declaration.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_assessed_duty_names_item_tax_amount_and_currency() {
        let AssessedDuty(duty) = "2:A00:40.50:GBP".parse().unwrap();
        assert_eq!(duty.item, 2);
        assert_eq!(duty.tax_type, "A00");
        let payable = duty.payable.unwrap();
        assert_eq!((payable.units, payable.nanos), (40, 500_000_000));
        assert_eq!(payable.currency_code, "GBP");
    }

    #[test]
    fn what_is_no_assessed_duty_is_refused() {
        for written in [
            "",
            "2:A00:40.00",
            "x:A00:40.00:GBP",
            "2:A00:forty:GBP",
            "2:A00:1:GBP:2",
        ] {
            assert_eq!(
                written.parse::<AssessedDuty>(),
                Err(AssessedDutyError),
                "{written}"
            );
        }
    }
}
