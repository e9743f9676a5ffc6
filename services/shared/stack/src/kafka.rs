//! A private Kafka of one node: formatted once, started, stopped, killed, wiped
//! and started again on the same port. It must not know which topics are in it.

use std::fmt;
use std::fs;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use tokio::time::Instant;

use crate::classes::Classes;
use crate::error::StackError;
use crate::folder::Folder;
use crate::formatted::{self, Formatted};
use crate::process::{self, Signal, Tied};
use crate::programs::Progress;

const FORMAT_SECONDS_MAX: u64 = 120;
const START_SECONDS_MAX: u64 = 180;
const STOP_SECONDS_MAX: u64 = 30;
const ANSWER_MILLISECONDS_MAX: u64 = 1_000;
/// There is no other.
const NODE_ID: u32 = 1;
/// What a guarded broker finds beside its configuration.
const IDENTITY: &str = "identity.pem";
const AUTHORITY: &str = "authority.pem";

/// How the virtual machine is tuned.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Machine {
    /// For tests: ready sooner, smaller, slower under load.
    FastStart,
    /// For `up` and for measuring.
    Lasting,
}

impl Machine {
    fn options(self) -> &'static [&'static str] {
        match self {
            Machine::FastStart => &[
                "-Xms128m",
                "-Xmx384m",
                "-XX:TieredStopAtLevel=1",
                "-XX:+UseSerialGC",
                "-Xshare:auto",
            ],
            Machine::Lasting => &["-Xms256m", "-Xmx512m", "-XX:+UseG1GC"],
        }
    }
}

/// The ports a node listens on.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KafkaPorts {
    broker: u16,
    controller: u16,
    /// Where clients reach the broker.
    pub clients: u16,
}

impl KafkaPorts {
    /// The ports of a state folder.
    pub fn of(folder: &mut Folder) -> Result<KafkaPorts, StackError> {
        let broker = folder.port("kafka")?;
        Ok(KafkaPorts {
            broker,
            controller: folder.port("kafka-controller")?,
            clients: broker,
        })
    }
}

/// Whom a broker lets in over TLS: at one port who knows the password, at another who shows a certificate.
#[derive(Clone)]
pub struct KafkaGuard {
    /// The broker's key (PKCS #8) and certificate for 127.0.0.1, PEM.
    pub identity_pem: String,
    /// The authority of the certificates that it lets in, PEM.
    pub authority_pem: String,
    /// The name of the one that is let in by password.
    pub user: String,
    /// The password: letters and digits.
    pub password: String,
}

impl KafkaGuard {
    /// With its ports, which a state folder keeps.
    pub(crate) fn at(self, folder: &mut Folder) -> Result<Guarded, StackError> {
        Ok(Guarded {
            by_password: folder.port("kafka-by-password")?,
            by_certificate: folder.port("kafka-by-certificate")?,
            guard: self,
        })
    }
}

/// A guard and where it stands.
pub(crate) struct Guarded {
    guard: KafkaGuard,
    by_password: u16,
    by_certificate: u16,
}

impl fmt::Debug for Guarded {
    /// Without key and password.
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            out,
            "Guarded({}, {})",
            self.by_password, self.by_certificate
        )
    }
}

impl Guarded {
    /// Writes what the broker is to find of it beside its configuration.
    fn write_to(&self, home: &Path) -> Result<(), StackError> {
        for (name, text) in [
            (IDENTITY, &self.guard.identity_pem),
            (AUTHORITY, &self.guard.authority_pem),
        ] {
            let path = home.join(name);
            fs::write(&path, text).map_err(StackError::io("write", &path))?;
        }
        Ok(())
    }

    /// What stands of it in the broker's configuration, line by line.
    fn properties(&self, home: &Path) -> String {
        let file = |name| property(&home.join(name).display().to_string());
        let KafkaGuard { user, password, .. } = &self.guard;
        format!(
            "ssl.keystore.type=PEM\n\
             ssl.keystore.location={}\n\
             ssl.truststore.type=PEM\n\
             ssl.truststore.location={}\n\
             listener.name.ssl.ssl.client.auth=required\n\
             sasl.enabled.mechanisms=PLAIN\n\
             listener.name.sasl_ssl.plain.sasl.jaas.config=\
             org.apache.kafka.common.security.plain.PlainLoginModule required user_{user}=\"{password}\";\n",
            file(IDENTITY),
            file(AUTHORITY),
        )
    }

    /// `NAME://127.0.0.1:PORT` of both.
    fn listeners(&self) -> String {
        format!(
            ",SASL_SSL://127.0.0.1:{},SSL://127.0.0.1:{}",
            self.by_password, self.by_certificate
        )
    }
}

/// A private broker and its process, if that runs.
#[derive(Debug)]
pub(crate) struct Kafka {
    java: PathBuf,
    libs: PathBuf,
    /// `kafka` in the state folder: configuration, log, working directory.
    home: PathBuf,
    machine: Machine,
    classes: Classes,
    formatted: Formatted,
    port: u16,
    brokers: String,
    guarded: Option<Guarded>,
    log: PathBuf,
    format_log: PathBuf,
    broker: Option<Tied>,
}

impl Kafka {
    /// Starts the broker of a state folder; formats its log folder if there is none.
    pub async fn start(
        folder: &Folder,
        ports: KafkaPorts,
        guarded: Option<Guarded>,
        java: PathBuf,
        libs: PathBuf,
        machine: Machine,
        progress: Progress<'_>,
    ) -> Result<Kafka, StackError> {
        let home = folder.path().join("kafka");
        fs::create_dir_all(&home).map_err(StackError::io("create", &home))?;
        let mut kafka = Kafka {
            classes: Classes::of(&java, &libs, &home),
            formatted: Formatted::of(&libs),
            java,
            libs,
            machine,
            port: ports.broker,
            brokers: format!("127.0.0.1:{}", ports.clients),
            guarded,
            log: folder.log("kafka"),
            format_log: folder.log("kafka-format"),
            broker: None,
            home,
        };
        kafka.write_configuration(ports.controller)?;
        progress("starting Kafka");
        kafka.start_broker().await?;
        Ok(kafka)
    }

    /// The address for clients.
    pub fn brokers(&self) -> &str {
        &self.brokers
    }

    /// The address for clients that know the password, if there is a guard.
    pub fn by_password(&self) -> Option<String> {
        let guarded = self.guarded.as_ref()?;
        Some(format!("127.0.0.1:{}", guarded.by_password))
    }

    /// The address for clients that have a certificate, if there is a guard.
    pub fn by_certificate(&self) -> Option<String> {
        let guarded = self.guarded.as_ref()?;
        Some(format!("127.0.0.1:{}", guarded.by_certificate))
    }

    /// The broker's process, if it was started and not stopped.
    pub fn pid(&self) -> Option<u32> {
        self.broker.as_ref().map(Tied::pid)
    }

    /// Starts the broker unless it runs, and waits until it answers.
    pub async fn start_broker(&mut self) -> Result<(), StackError> {
        if let Some(broker) = &mut self.broker
            && broker
                .try_wait()
                .map_err(StackError::io("ask for", &self.java))?
                .is_none()
        {
            return Ok(());
        }
        self.clear_the_dead().await?;
        self.format().await?;
        let mut command = self.java_command();
        command
            .args(self.classes.to_be_learnt())
            .arg("kafka.Kafka")
            .arg(self.home.join("server.properties"));
        process::log_to(&mut command, &self.log)?;
        self.broker = Some(Tied::spawn(command).map_err(StackError::io("run", &self.java))?);
        self.wait_until_ready().await
    }

    async fn wait_until_ready(&mut self) -> Result<(), StackError> {
        let until = Instant::now() + Duration::from_secs(START_SECONDS_MAX);
        let port = self.port;
        loop {
            if tokio::task::spawn_blocking(move || answers(port))
                .await
                .unwrap_or(false)
            {
                return Ok(());
            }
            let ended = match &mut self.broker {
                Some(broker) => broker
                    .try_wait()
                    .map_err(StackError::io("ask for", &self.java))?,
                None => None,
            };
            if let Some(status) = ended {
                self.broker = None;
                return Err(StackError::Ended {
                    program: "kafka".to_owned(),
                    status: status.to_string(),
                    log: self.log.clone(),
                    tail: process::log_tail(&self.log),
                });
            }
            if Instant::now() >= until {
                return Err(StackError::TooSlow {
                    what: "starting Kafka".to_owned(),
                    seconds: START_SECONDS_MAX,
                    log: self.log.clone(),
                    tail: process::log_tail(&self.log),
                });
            }
            process::poll_pause().await;
        }
    }

    /// An orderly end.
    pub async fn stop(&mut self) -> Result<(), StackError> {
        self.end(&[(Signal::SIGTERM, Duration::from_secs(STOP_SECONDS_MAX))])
            .await?;
        self.classes.keep();
        Ok(())
    }

    /// `kill -9`, as a crash would have it.
    pub async fn kill(&mut self) -> Result<(), StackError> {
        self.end(&[]).await
    }

    /// Loses the whole log: kills the broker, removes what it stored, and starts
    /// an empty one with the same address.
    pub async fn wipe(&mut self) -> Result<(), StackError> {
        self.kill().await?;
        let records = self.records();
        if records.exists() {
            fs::remove_dir_all(&records).map_err(StackError::io("remove", &records))?;
        }
        self.start_broker().await
    }

    async fn end(&mut self, steps: &[(Signal, Duration)]) -> Result<(), StackError> {
        if let Some(mut broker) = self.broker.take() {
            broker
                .end(steps)
                .await
                .map_err(StackError::io("end", &self.java))?;
        }
        Ok(())
    }

    async fn clear_the_dead(&self) -> Result<(), StackError> {
        evict_from(&self.home).await
    }

    fn records(&self) -> PathBuf {
        self.home.join("log")
    }

    /// Formats the log folder beside its place and moves it there when it is
    /// whole, so that a crash in between leaves nothing half done.
    async fn format(&self) -> Result<(), StackError> {
        if self.records().exists() {
            return Ok(());
        }
        let unfinished = self.home.join("log.new");
        if unfinished.exists() {
            fs::remove_dir_all(&unfinished).map_err(StackError::io("remove", &unfinished))?;
        }
        let repeated = self.formatted.repeat(NODE_ID, &unfinished);
        if !repeated.map_err(StackError::io("format", &unfinished))? {
            let mut command = self.java_command();
            command
                .arg("kafka.tools.StorageTool")
                .arg("format")
                .arg("-t")
                .arg(formatted::new_id())
                .arg("-c")
                .arg(self.home.join("format.properties"));
            process::run(
                command,
                &self.format_log,
                Duration::from_secs(FORMAT_SECONDS_MAX),
            )
            .await?;
            self.formatted.keep(&unfinished);
        }
        fs::rename(&unfinished, self.records()).map_err(StackError::io("rename", &unfinished))
    }

    /// The virtual machine with Kafka's packages; the class to run and its arguments are still to come.
    fn java_command(&self) -> Command {
        let mut command = Command::new(&self.java);
        command
            .args(self.machine.options())
            .args([
                "-XX:+ExitOnOutOfMemoryError",
                "-Djava.awt.headless=true",
                "-Dfile.encoding=UTF-8",
            ])
            .arg(format!(
                "-Dlog4j2.configurationFile=file:{}",
                self.home.join("log4j2.properties").display()
            ))
            .args(self.classes.known())
            .arg("-cp")
            .arg(self.libs.join("*"))
            .current_dir(&self.home)
            .env_remove("CLASSPATH")
            .env_remove("JAVA_TOOL_OPTIONS")
            .env_remove("JDK_JAVA_OPTIONS");
        command
    }

    fn write_configuration(&self, controller: u16) -> Result<(), StackError> {
        if let Some(guarded) = &self.guarded {
            guarded.write_to(&self.home)?;
        }
        let files = [
            (
                "server.properties",
                self.server_properties(controller, &self.records()),
            ),
            (
                "format.properties",
                self.server_properties(controller, &self.home.join("log.new")),
            ),
            ("log4j2.properties", LOGGING.to_owned()),
        ];
        for (name, text) in files {
            let path = self.home.join(name);
            fs::write(&path, text).map_err(StackError::io("write", &path))?;
        }
        Ok(())
    }

    fn server_properties(&self, controller: u16, records: &Path) -> String {
        let broker = self.port;
        let guarded = self.guarded.as_ref();
        let more = guarded.map(Guarded::listeners).unwrap_or_default();
        let guard = guarded.map(|guarded| guarded.properties(&self.home));
        format!(
            "# Written anew at every start.\n\
             process.roles=broker,controller\n\
             node.id={NODE_ID}\n\
             controller.quorum.voters={NODE_ID}@127.0.0.1:{controller}\n\
             listeners=PLAINTEXT://127.0.0.1:{broker},CONTROLLER://127.0.0.1:{controller}{more}\n\
             advertised.listeners=PLAINTEXT://{}{more}\n\
             controller.listener.names=CONTROLLER\n\
             listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,\
             SASL_SSL:SASL_SSL,SSL:SSL\n\
             log.dirs={}\n\
             # Topics are created by those who own them.\n\
             auto.create.topics.enable=false\n\
             # One node: there is nobody to replicate to.\n\
             offsets.topic.replication.factor=1\n\
             offsets.topic.num.partitions=4\n\
             transaction.state.log.replication.factor=1\n\
             transaction.state.log.min.isr=1\n\
             transaction.state.log.num.partitions=4\n\
             group.initial.rebalance.delay.ms=0\n\
             # A killed broker may register again only when its session is over: 3 s, not 9.\n\
             broker.session.timeout.ms=3000\n\
             broker.heartbeat.interval.ms=500\n\
             # Small: one machine, few clients.\n\
             num.network.threads=2\n\
             num.io.threads=4\n\
             # Nobody looks at its beans: some for each partition.\n\
             metric.reporters=\n\
             metrics.jmx.exclude=.*\n\
             log.cleaner.dedupe.buffer.size=16777216\n\
             log.index.size.max.bytes=1048576\n\
             {}",
            self.brokers,
            property(&records.display().to_string()),
            guard.unwrap_or_default(),
        )
    }
}

/// Ends what is left of an earlier broker of a state folder: as long as it is there its ports are not free.
pub(crate) async fn evict_of(state: &Path) -> Result<(), StackError> {
    evict_from(&state.join("kafka")).await
}

async fn evict_from(home: &Path) -> Result<(), StackError> {
    let stop = [(Signal::SIGTERM, Duration::from_secs(STOP_SECONDS_MAX))];
    process::evict("java", home, &stop).await
}

/// A value of a Java properties file.
fn property(value: &str) -> String {
    value.replace('\\', "\\\\")
}

/// To standard output, which goes to the broker's log file. What goes right would be some lines for each partition:
/// a tenth of a start's processor time.
const LOGGING: &str = "\
status = warn
rootLogger.level = warn
rootLogger.appenderRef.out.ref = out
appender.out.type = Console
appender.out.name = out
appender.out.target = SYSTEM_OUT
appender.out.layout.type = PatternLayout
appender.out.layout.pattern = %d{ISO8601} %-5p %m (%c)%n
";

/// Whether a broker answers on the port: not merely that it is bound, which it
/// is before Kafka serves. Asks for the supported API versions, Kafka's hello.
fn answers(port: u16) -> bool {
    let ask = || -> std::io::Result<bool> {
        let deadline = Duration::from_millis(ANSWER_MILLISECONDS_MAX);
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut stream = TcpStream::connect_timeout(&address, deadline)?;
        stream.set_read_timeout(Some(deadline))?;
        stream.set_write_timeout(Some(deadline))?;
        stream.write_all(&API_VERSIONS_REQUEST)?;
        // Size, correlation id, error code.
        let mut head = [0_u8; 10];
        stream.read_exact(&mut head)?;
        Ok(head[4..8] == API_VERSIONS_REQUEST[8..12] && head[8..10] == [0, 0])
    };
    ask().unwrap_or(false)
}

/// ApiVersions, version 0 (Kafka protocol guide): size, key 18, version 0,
/// correlation id, client id `up`; no body.
const API_VERSIONS_REQUEST: [u8; 16] = [
    0, 0, 0, 12, 0, 18, 0, 0, b'g', b'r', b'e', b'e', 0, 2, b'u', b'p',
];
