//! The command line: every command with its help, and the options that all client commands share. It must
//! not do anything: `main` dispatches, each command acts.

use std::ffi::OsStr;
use std::path::PathBuf;

use clap::builder::Resettable;
use clap::{Args, CommandFactory as _, FromArgMatches as _, Parser, Subcommand};

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

impl Cli {
    /// The command line as it was typed; wrong use ends the process with exit code 2. A variable of the
    /// environment that is set and empty counts as one that is not set.
    pub fn read() -> Cli {
        let is_empty = |name: &OsStr| std::env::var_os(name).is_some_and(|value| value.is_empty());
        let command = without_empty_variables(Cli::command(), &is_empty);
        Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
    }
}

/// The command with no argument left that would be read from a variable which is empty.
fn without_empty_variables(
    command: clap::Command,
    is_empty: &dyn Fn(&OsStr) -> bool,
) -> clap::Command {
    command
        .mut_args(|argument| {
            if argument.get_env().is_some_and(is_empty) {
                argument.env(Resettable::Reset)
            } else {
                argument
            }
        })
        .mut_subcommands(|subcommand| without_empty_variables(subcommand, is_empty))
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
    /// The folder where `up` keeps its state; by default `greenlane` in the user's data folder, for `demo` a
    /// temporary one
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
        value_name = "TOKEN",
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
    /// The certificate of a machine (PEM), which shows it instead of a token
    #[arg(
        id = "client_certificate",
        long = "certificate",
        value_name = "FILE",
        requires = "client_certificate_key",
        conflicts_with = "client_token",
        global = true,
        help_heading = "Client options"
    )]
    pub certificate: Option<PathBuf>,
    /// The key of that certificate (PEM)
    #[arg(
        id = "client_certificate_key",
        long = "certificate-key",
        value_name = "FILE",
        requires = "client_certificate",
        global = true,
        help_heading = "Client options"
    )]
    pub certificate_key: Option<PathBuf>,
    /// How answers are written; json: one object a line
    #[arg(
        id = "client_output",
        long = "output",
        value_name = "FORM",
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
        only if all five reached their end, as the services tell it; the last line of FILE says how each stands.\n\n\
        It plays in a temporary folder and removes it, unless a journey fails: then the folder is kept, and named. With \
        --state DIR, or GREENLANE_STATE, it plays in that folder, beside whatever an earlier `up` or `demo` left there, \
        and keeps it: `greenlane up --state DIR` goes on from what was played."
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
        after_help = "Examples:\n  grpcurl -H \"authorization: Bearer $(greenlane token --as haulier-a)\" ...\n  \
        greenlane token --as haulier-a --output json    with its party and when it expires"
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
    #[command(
        subcommand,
        after_help = "\
Example: greenlane rail announce train.csv --conveyance X8044 --eta +6h
         greenlane rail arrive --conveyance X8044 --container MSKU9070323 --complete"
    )]
    Rail(commands::rail::RailCommand),
    /// Barges: announce a list, record what arrived, was loaded and left
    #[command(
        subcommand,
        after_help = "\
Example: greenlane barge announce barge.csv --conveyance CQ-2618 --eta +6h
         greenlane barge depart --conveyance CQ-2618 --container MSKU9070323"
    )]
    Barge(commands::rail::RailCommand),
    /// Trucking firms: pre-arrivals
    #[command(
        subcommand,
        after_help = "\
Example: greenlane haulier pre-arrive --kind full-out --container MSKU9070323 \\
             --plate 渝A12345 --driver 'Li Wei' --licence 500101199001011234 --planned +3h
         greenlane haulier list --in-state blocked"
    )]
    Haulier(commands::haulier::HaulierCommand),
    /// Lanes and gate staff: trucks in and out
    #[command(
        subcommand,
        after_help = "\
Example: greenlane gate check-in --plate 渝A12345 --container MSKU9070323 --carrier haulier-a --weight 15200
         greenlane gate check-out --plate 渝A12345 --container MSKU9070323 --weight 38400"
    )]
    Gate(commands::gate::GateCommand),
    /// The terminal: holds, and whether a container is available
    #[command(
        subcommand,
        after_help = "\
Example: greenlane terminal available MSKU9070323
         greenlane terminal hold MSKU9070323 --reason 'storage not paid'"
    )]
    Terminal(commands::terminal::TerminalCommand),
    /// Shipping lines and forwarders: commercial release
    #[command(
        subcommand,
        after_help = "\
Example: greenlane line release CKGHAM2611001 haulier-a
         greenlane line revoke --transport-document CKGHAM2611001 --reason 'freight not paid'"
    )]
    Line(commands::line::LineCommand),
    /// Customs brokers: declarations
    #[command(
        subcommand,
        after_help = "\
Example: greenlane broker file declarations/
         greenlane broker list --container MSKU9070323
         greenlane broker inbox"
    )]
    Broker(commands::broker::BrokerCommand),
    /// Customs officers: controls, holds, releases, detentions, guarantees
    #[command(
        subcommand,
        after_help = "\
Example: greenlane officer queue
         greenlane officer control done 26GB4ZK7Q1M0X9T2A6 physical --result conform --reason 'as declared'"
    )]
    Officer(commands::officer::OfficerCommand),
    /// Traders: account books, stock lists, stock, payments, guarantee
    #[command(
        subcommand,
        after_help = "\
Example: greenlane trader stock
         greenlane trader list file decrease BOOKTRADERB1 --lrn OUT-1 --line 2=10000:KGM --as trader-b
         greenlane trader pay 5000.00 GBP --reference BANK-20261124-7"
    )]
    Trader(commands::trader::TraderCommand),
    /// Mandates: let another act for you, pass that on, take it back
    #[command(
        subcommand,
        after_help = "\
Example: greenlane mandate grant broker-b file-declaration --goods 6601 --until +30d
         greenlane mandate list --as broker-b"
    )]
    Mandate(commands::mandate::MandateCommand),
    /// The bonded centre's operator: stock lists, counts, discrepancies, stock
    #[command(
        subcommand,
        after_help = "\
Example: greenlane operator list approve QD800026I000000007
         greenlane operator receive QD800026I000000007 1=50:NAR"
    )]
    Operator(commands::operator::OperatorCommand),
    /// May this container leave, or this stock list's goods move, and if not: what is missing, who must act, since when
    Why(commands::why::WhyArguments),
    /// Every fact about a container, visit, pre-arrival, declaration or stock list, with both clocks
    Timeline(commands::timeline::TimelineArguments),
    /// The party's ordered notices, live
    Watch(commands::watch::WatchArguments),
    /// Operators and auditors: the record of what was done, for whom and at whose word
    #[command(
        subcommand,
        after_help = "\
Example: greenlane audit verify
         greenlane audit list gate --party haulier-b"
    )]
    Audit(commands::audit::AuditCommand),
    /// Operators: the exchange of facts between the services
    #[command(
        subcommand,
        after_help = "\
Example: greenlane fabric status
         greenlane fabric parked list --service release"
    )]
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
    fn every_page_of_help_shows_an_example_of_its_own_command() {
        let found: Vec<String> = pages()
            .into_iter()
            .filter(|(path, page)| {
                let help = page.get_after_help().or(page.get_after_long_help());
                !help.is_some_and(|help| help.to_string().contains(path.as_str()))
            })
            .map(|(path, _)| path)
            .collect();
        assert_eq!(found, Vec::<String>::new(), "pages without an example");
    }

    #[test]
    fn every_value_is_named_by_words_in_capitals() {
        let is_word =
            |word: &str| !word.is_empty() && word.bytes().all(|letter| letter.is_ascii_uppercase());
        let mut found = Vec::new();
        for (path, page) in pages() {
            for argument in page.get_arguments() {
                if !argument.get_action().takes_values() {
                    continue;
                }
                let names = match argument.get_value_names() {
                    Some(names) => names.iter().map(ToString::to_string).collect(),
                    None => vec![argument.get_id().to_string()],
                };
                found.extend(
                    names
                        .into_iter()
                        .filter(|name| !name.split('-').all(is_word))
                        .map(|name| format!("{path}: {} <{name}>", argument.get_id())),
                );
            }
        }
        assert_eq!(
            found,
            Vec::<String>::new(),
            "values without a name for people"
        );
    }

    #[test]
    fn an_empty_variable_is_read_as_none_and_others_are_read() {
        let read_from = |is_empty: &dyn Fn(&OsStr) -> bool| {
            let command = without_empty_variables(Cli::command(), is_empty);
            let mut names: Vec<String> = Vec::new();
            let mut open = vec![command];
            while let Some(page) = open.pop() {
                let variables = page.get_arguments().filter_map(clap::Arg::get_env);
                names.extend(variables.map(|name| name.to_string_lossy().into_owned()));
                open.extend(page.get_subcommands().cloned());
            }
            names.sort();
            names
        };
        let every = [
            "GREENLANE_BROKERS",
            "GREENLANE_DATABASE_URL",
            "GREENLANE_STATE",
            "GREENLANE_TOKEN",
        ];
        assert_eq!(read_from(&|_| false), every);
        assert_eq!(
            read_from(&|name| name != "GREENLANE_TOKEN"),
            ["GREENLANE_TOKEN"]
        );
    }

    #[test]
    fn the_help_of_demo_says_what_becomes_of_a_named_folder() {
        let mut command = Cli::command();
        command.build();
        let demo = command.find_subcommand_mut("demo").unwrap();
        let help = demo.render_long_help().to_string();
        let help = help.split_whitespace().collect::<Vec<_>>().join(" ");
        for told in ["for `demo` a temporary one", "plays in that folder"] {
            assert!(help.contains(told), "{told} in {help}");
        }
    }

    /// Every page of help with the words that lead to it; each shows the options that all commands share.
    fn pages() -> Vec<(String, clap::Command)> {
        let mut pages = Vec::new();
        let mut open = vec![("greenlane".to_owned(), Cli::command())];
        while let Some((path, page)) = open.pop() {
            open.extend(page.get_subcommands().map(|subcommand| {
                let path = format!("{path} {}", subcommand.get_name());
                (path, subcommand.clone())
            }));
            pages.push((path, page));
        }
        pages.sort_by(|one, other| one.0.cmp(&other.0));
        pages
    }
}
