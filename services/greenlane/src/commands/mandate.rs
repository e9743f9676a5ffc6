//! The commands about mandates, for whoever gives, passes on or holds one: a trader's broker, a haulier's subcontractor.

use clap::{Subcommand, ValueEnum};
use proto::customs::v1::{
    GrantMandateRequest, ListMandatesRequest, Mandate, MandateAction, RevokeMandateRequest,
};

use super::arguments::{Listing, Moment};
use super::show::{self, Shown, when, word};
use crate::client::{ClientError, Session};

/// The commands about mandates.
#[derive(Debug, Subcommand)]
pub enum MandateCommand {
    /// Let another party act for you, or pass on what lets you act for another
    #[command(after_help = "\
Example: greenlane mandate grant broker-b file-declaration
         greenlane mandate grant broker-b file-declaration --goods 6601 --goods 8471 --until +30d --may-be-passed-on 1
         greenlane mandate grant haulier-b carry --container MSKU9070323 --as haulier-a
         greenlane mandate grant broker-a file-declaration --pass-on 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11 --as broker-b")]
    Grant {
        /// Who shall act
        agent: String,
        /// What the agent may do
        #[arg(required = true, value_name = "ACTION")]
        actions: Vec<ActionArgument>,
        /// Only for these goods: the first 2 to 10 digits of their commodity code; may be repeated
        #[arg(long, value_name = "CODE")]
        goods: Vec<String>,
        /// Only for this container; may be repeated
        #[arg(long = "container", value_name = "CONTAINER")]
        containers: Vec<String>,
        /// How often it may be passed on, one holder after the other
        #[arg(long, default_value_t = 0, value_name = "COUNT")]
        may_be_passed_on: u32,
        /// From when; now if not given
        #[arg(long)]
        from: Option<Moment>,
        /// Until when; until it is revoked if not given
        #[arg(long)]
        until: Option<Moment>,
        /// The mandate of yours that is passed on
        #[arg(
            long,
            default_value = "",
            hide_default_value = true,
            value_name = "MANDATE"
        )]
        pass_on: String,
        /// Who gives it, for an officer; you if not given
        #[arg(
            long,
            default_value = "",
            hide_default_value = true,
            value_name = "PARTY"
        )]
        giver: String,
    },
    /// Take a mandate back, and whatever was passed on from it
    #[command(after_help = "\
Example: greenlane mandate revoke 0191d6f0-5a1e-7c3b-9d2a-1f6b7a0c4e11 --reason 'another broker'")]
    Revoke {
        /// The mandate
        mandate: String,
        /// Why
        #[arg(long)]
        reason: String,
    },
    /// List the mandates that you gave, passed on or hold
    #[command(after_help = "\
Example: greenlane mandate list
         greenlane mandate list --ended --as broker-a")]
    List {
        /// Also those that are over
        #[arg(long)]
        ended: bool,
        /// Another party's, for an officer
        #[arg(long, default_value = "", hide_default_value = true)]
        party: String,
        #[command(flatten)]
        listing: Listing,
    },
}

/// What a mandate lets its holder do.
#[derive(Clone, Copy, Debug, ValueEnum)]
pub enum ActionArgument {
    /// File declarations
    FileDeclaration,
    /// File stock lists
    FileStockList,
    /// Carry what was released to the haulier
    Carry,
}

impl From<ActionArgument> for MandateAction {
    fn from(action: ActionArgument) -> Self {
        match action {
            ActionArgument::FileDeclaration => Self::FileDeclaration,
            ActionArgument::FileStockList => Self::FileStockList,
            ActionArgument::Carry => Self::Carry,
        }
    }
}

/// Carries out a command about mandates.
///
/// # Errors
/// What customs refuses.
pub async fn run(command: MandateCommand, session: &Session) -> Result<(), ClientError> {
    match command {
        MandateCommand::Grant {
            agent,
            actions,
            goods,
            containers,
            may_be_passed_on,
            from,
            until,
            pass_on,
            giver,
        } => {
            let actions = actions.into_iter().map(MandateAction::from);
            let request = GrantMandateRequest {
                request_id: session.request_id(),
                grantor_party: giver,
                agent_party: agent,
                actions: actions.map(i32::from).collect(),
                valid_from: from.map(Moment::timestamp),
                valid_until: until.map(Moment::timestamp),
                goods,
                containers,
                may_be_passed_on,
                passed_on_from: pass_on,
            };
            let answer = session.customs()?.grant_mandate(request).await?;
            show::one(session, &answer.into_inner().mandate.unwrap_or_default())
        }
        MandateCommand::Revoke { mandate, reason } => {
            let request = RevokeMandateRequest {
                request_id: session.request_id(),
                mandate_id: mandate,
                reason,
            };
            let answer = session.customs()?.revoke_mandate(request).await?;
            show::one(session, &answer.into_inner().mandate.unwrap_or_default())
        }
        MandateCommand::List {
            ended,
            party,
            listing,
        } => {
            let mut customs = session.customs()?;
            let mandates: Vec<Mandate> = listing
                .fetch(async |page| {
                    let request = ListMandatesRequest {
                        party_id: party.clone(),
                        include_ended: ended,
                        page: Some(page),
                    };
                    let answer = customs.list_mandates(request).await?.into_inner();
                    Ok((answer.mandates, answer.next_page_token))
                })
                .await?;
            show::many(session, &mandates)
        }
    }
}

impl Shown for Mandate {
    const MESSAGE: &'static str = "greenlane.customs.v1.Mandate";
    const COLUMNS: &'static [&'static str] = &[
        "mandate",
        "for",
        "agent",
        "actions",
        "goods",
        "containers",
        "may be passed on",
        "passed on by",
        "until",
        "revoked",
    ];

    fn cells(&self) -> Vec<String> {
        let actions = self
            .actions()
            .map(|action| word(action.as_str_name(), "MANDATE_ACTION_"));
        vec![
            self.mandate_id.clone(),
            self.grantor_party.clone(),
            self.agent_party.clone(),
            actions.collect::<Vec<_>>().join(", "),
            self.goods.join(", "),
            self.containers.join(", "),
            self.may_be_passed_on.to_string(),
            self.passed_on_by_party.clone(),
            when(self.valid_until.as_ref()),
            when(self.revoked_at.as_ref()),
        ]
    }
}
