//! The command line: every command with its help, and the options that all client commands share. It must
//! not do anything: `main` dispatches, each command acts.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};

use crate::client::{ClientError, default_state_folder};
use crate::commands;
use crate::output::Output;
use crate::services::Service;

/// Paperless container clearance: gate, customs, bonded stock and release of one site.
#[derive(Debug, Parser)]
#[command(
    name = "greenlane",
    version,
    propagate_version = true,
    after_help = "Examples:\n  \
        greenlane up                              start everything on this machine, and stay\n  \
        greenlane rail announce train.csv         announce a train to the gate\n  \
        greenlane broker file declarations/       file every *.xml below a folder\n  \
        greenlane why CSQU3054383                 may it leave, and if not: who must act\n\n\
        Exit codes: 0 done as asked; 1 refused or failed, the reason on standard error; 2 wrong use."
)]
pub struct Cli {
    /// What all client commands share.
    #[command(flatten)]
    pub client: ClientOptions,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Who speaks to which services, and how answers are written. Their ids are their own, because global
/// options share one space of ids with every command's arguments.
#[derive(Clone, Debug, Default, Args)]
pub struct ClientOptions {
    /// Speak as this development party (haulier-a, broker-a, terminal, ...); each command has its default
    #[arg(
        id = "client_party",
        long = "as",
        value_name = "PARTY",
        global = true,
        help_heading = "Client options"
    )]
    pub party: Option<String>,
    /// The folder where `up` keeps its state; by default `greenlane` in the user's data folder
    #[arg(
        id = "client_state",
        long = "state",
        value_name = "DIR",
        env = "GREENLANE_STATE",
        global = true,
        help_heading = "Client options"
    )]
    pub state: Option<PathBuf>,
    /// A deployment instead of a state folder: URL, or SERVICE=URL (may be repeated)
    #[arg(
        id = "client_endpoint",
        long = "endpoint",
        value_name = "URL",
        global = true,
        help_heading = "Client options"
    )]
    pub endpoint: Vec<String>,
    /// The token to speak with, instead of a development token
    #[arg(
        id = "client_token",
        long = "token",
        env = "GREENLANE_TOKEN",
        hide_env_values = true,
        global = true,
        help_heading = "Client options"
    )]
    pub token: Option<String>,
    /// The certificate authorities to trust for https (PEM); by default this system's
    #[arg(
        id = "client_ca_certificate",
        long = "ca-certificate",
        value_name = "FILE",
        global = true,
        help_heading = "Client options"
    )]
    pub ca_certificate: Option<PathBuf>,
    /// How answers are written; json: one object a line
    #[arg(
        id = "client_output",
        long = "output",
        value_enum,
        default_value_t,
        global = true,
        help_heading = "Client options"
    )]
    pub output: Output,
}

impl ClientOptions {
    /// The state folder: as given, or the user's.
    ///
    /// # Errors
    /// None was given and there is no home to keep one in.
    pub fn state_folder(&self) -> Result<PathBuf, ClientError> {
        match &self.state {
            Some(given) => Ok(given.clone()),
            None => default_state_folder(),
        }
    }
}

/// Every command.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Start PostgreSQL, Kafka and the four services on this machine, and stay
    #[command(
        after_help = "Examples:\n  greenlane up\n  greenlane up --state /tmp/site --brokers kafka-1:9092\n\n\
        Everything is kept in the state folder; a second `up` there goes on. Ctrl-C stops in order."
    )]
    Up(UpArguments),
    /// Play five journeys on a deployment of its own, and remove everything
    #[command(
        after_help = "Examples:\n  greenlane demo\n  greenlane demo --json facts.jsonl\n\n\
        The journeys, in their order: import-pick-up, export-drop-off, into-bond, out-of-bond, not-today. Exit code 0 \
        only if all five reached their end, as the services tell it; the last line of FILE says how each stands."
    )]
    Demo(crate::demo::DemoArguments),
    /// Run one service, for deployments
    #[command(after_help = "Example:\n  \
        GATE_DATABASE__URL=postgres://... greenlane serve gate --config /etc/greenlane/gate.toml\n\n\
        Settings come from the embedded defaults, then the file, then the environment: \
        GATE_SERVER__LISTEN sets server.listen.")]
    Serve(ServeArguments),
    /// Bring a service's database up to date, as its owner role (database.owner_url)
    #[command(
        after_help = "Examples:\n  greenlane migrate gate --config /etc/greenlane/gate.toml\n  greenlane migrate all"
    )]
    Migrate(MigrateArguments),
    /// Check a service's configuration and tell every fault at once
    #[command(
        after_help = "Example:\n  greenlane check-config gate --config /etc/greenlane/gate.toml"
    )]
    CheckConfig(ServeArguments),
    /// Is each service ready, and how old is what it knows from the others?
    #[command(
        after_help = "Examples:\n  greenlane status\n  greenlane status --output json\n\n\
        Exit code 1 where a service is not ready or does not answer."
    )]
    Status,
    /// Print a development token for --as, good for one hour
    #[command(
        after_help = "Example:\n  grpcurl -H \"authorization: Bearer $(greenlane token --as haulier-a)\" ..."
    )]
    Token,
    /// Print the completions for a shell
    #[command(
        after_help = "Example:\n  greenlane completion bash > /etc/bash_completion.d/greenlane"
    )]
    Completion {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Trains: announce a list, record what arrived, was loaded and left
    #[command(subcommand)]
    Rail(commands::rail::RailCommand),
    /// Barges: announce a list, record what arrived, was loaded and left
    #[command(subcommand)]
    Barge(commands::rail::RailCommand),
    /// Trucking firms: pre-arrivals
    #[command(subcommand)]
    Haulier(commands::haulier::HaulierCommand),
    /// Lanes and gate staff: trucks in and out
    #[command(subcommand)]
    Gate(commands::gate::GateCommand),
    /// The terminal: holds, and whether a container is available
    #[command(subcommand)]
    Terminal(commands::terminal::TerminalCommand),
    /// Shipping lines and forwarders: commercial release
    #[command(subcommand)]
    Line(commands::line::LineCommand),
    /// Customs brokers: declarations
    #[command(subcommand)]
    Broker(commands::broker::BrokerCommand),
    /// Customs officers: controls, holds, releases, detentions, guarantees
    #[command(subcommand)]
    Officer(commands::officer::OfficerCommand),
    /// Traders: account books, stock lists, stock, payments, guarantee
    #[command(subcommand)]
    Trader(commands::trader::TraderCommand),
    /// The bonded centre's operator: stock lists, counts, discrepancies, stock
    #[command(subcommand)]
    Operator(commands::operator::OperatorCommand),
    /// May this container leave, or this stock list's goods move, and if not: what is missing, who must act, since when
    Why(commands::why::WhyArguments),
    /// Every fact about a container, visit, pre-arrival, declaration or stock list, with both clocks
    Timeline(commands::timeline::TimelineArguments),
    /// The party's ordered notices, live
    Watch(commands::watch::WatchArguments),
    /// Operators: the exchange of facts between the services
    #[command(subcommand)]
    Fabric(commands::fabric::FabricCommand),
}

/// What `up` runs on.
#[derive(Clone, Debug, Args)]
pub struct UpArguments {
    /// A PostgreSQL that is there already: the address of a role that may create roles and databases
    #[arg(
        long,
        value_name = "URL",
        env = "GREENLANE_DATABASE_URL",
        hide_env_values = true
    )]
    pub database_url: Option<String>,
    /// Kafka brokers that are there already, HOST:PORT[,HOST:PORT]
    #[arg(long, value_name = "BROKERS", env = "GREENLANE_BROKERS")]
    pub brokers: Option<String>,
}

/// One service and its configuration.
#[derive(Clone, Debug, Args)]
pub struct ServeArguments {
    /// Which service
    pub service: Service,
    /// Its configuration file, over the embedded defaults and under the environment
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// What to migrate.
#[derive(Clone, Debug, Args)]
pub struct MigrateArguments {
    /// Which service, or all of them
    pub service: ServiceOrAll,
    /// Its configuration file; with `all` the environment configures each service
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
}

/// One service, or every one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub enum ServiceOrAll {
    /// Trucks, containers, barriers.
    Gate,
    /// Declarations, parties, mandates.
    Customs,
    /// The bonded centre's stock.
    Bonded,
    /// May it leave? And who is told.
    Release,
    /// All four.
    All,
}

impl ServiceOrAll {
    /// The services meant.
    pub fn services(self) -> Vec<Service> {
        match self {
            ServiceOrAll::Gate => vec![Service::Gate],
            ServiceOrAll::Customs => vec![Service::Customs],
            ServiceOrAll::Bonded => vec![Service::Bonded],
            ServiceOrAll::Release => vec![Service::Release],
            ServiceOrAll::All => Service::ALL.to_vec(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed() {
        Cli::command().debug_assert();
    }

    #[test]
    fn client_options_may_stand_behind_the_command() {
        let cli = Cli::try_parse_from([
            "greenlane",
            "status",
            "--state",
            "/tmp/x",
            "--output",
            "json",
        ])
        .unwrap();
        assert_eq!(cli.client.state, Some(PathBuf::from("/tmp/x")));
        assert_eq!(cli.client.output, Output::Json);
    }

    #[test]
    fn wrong_use_has_exit_code_2() {
        let refused = Cli::try_parse_from(["greenlane", "serve", "warehouse"]).unwrap_err();
        assert_eq!(refused.exit_code(), 2);
    }

    #[test]
    fn every_command_that_acts_shows_an_example() {
        fn missing(command: &clap::Command, path: &str, found: &mut Vec<String>) {
            for subcommand in command.get_subcommands() {
                let path = format!("{path} {}", subcommand.get_name());
                let help = subcommand
                    .get_after_help()
                    .or(subcommand.get_after_long_help());
                if subcommand.has_subcommands() {
                    missing(subcommand, &path, found);
                } else if !help.is_some_and(|help| help.to_string().contains("greenlane")) {
                    found.push(path);
                }
            }
        }
        let mut found = Vec::new();
        missing(&Cli::command(), "greenlane", &mut found);
        assert_eq!(found, Vec::<String>::new(), "commands without an example");
    }
}
