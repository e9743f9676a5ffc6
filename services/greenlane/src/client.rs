//! How a command reaches the services: where they are, who speaks, and one lazy channel to each. It must
//! not know what any call means; commands do, and write their answers through [`crate::output`].

mod credentials;
mod endpoints;
mod error;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use proto::bonded::v1::bonded_service_client::BondedServiceClient;
use proto::customs::v1::customs_service_client::CustomsServiceClient;
use proto::fabric::v1::fabric_admin_service_client::FabricAdminServiceClient;
use proto::gate::v1::gate_service_client::GateServiceClient;
use proto::release::v1::release_service_client::ReleaseServiceClient;
use tonic::codec::CompressionEncoding;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};

pub use credentials::{Credentials, DevelopmentToken, development_token};
pub use endpoints::{Endpoints, ServiceEndpoints, default_state_folder};
pub use error::ClientError;

use crate::cli::ClientOptions;
use crate::output::Output;
use crate::services::Service;

/// The largest answer that a command reads, in bytes: what a service sends at most.
const MESSAGE_BYTES_MAX: usize = 67_108_864;
/// A connection is given up after so long.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A silent connection is asked whether it lives, so that a stream does not wait for a dead service.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(20);

/// A channel that puts identity and trace on every call.
pub type Transport = InterceptedService<Channel, Credentials>;

/// The limits of every client; a macro, because the generated clients share no trait.
macro_rules! limited {
    ($client:expr) => {
        $client
            .max_decoding_message_size(MESSAGE_BYTES_MAX)
            .max_encoding_message_size(MESSAGE_BYTES_MAX)
            .accept_compressed(CompressionEncoding::Gzip)
    };
}

/// One party's way to the services.
pub struct Session {
    state: PathBuf,
    // Shared, so that another party's session uses the channels that are there.
    targets: Arc<Targets>,
    credentials: Credentials,
    output: Output,
}

impl Session {
    /// Opens a session for `--as`, or else for `default_party`: from the state folder of a running `up`, or
    /// with `--endpoint` and `--token` of a real deployment. Connects only when a call is made.
    ///
    /// # Errors
    /// Nothing is known to run, an address or token is none, or there is no such development party.
    pub fn open(options: &ClientOptions, default_party: &str) -> Result<Session, ClientError> {
        let state = options.state_folder()?;
        let targets = if options.endpoint.is_empty() {
            Targets::from_endpoints(&Endpoints::read(&state)?)?
        } else {
            Targets::from_options(&options.endpoint, &Trust::of(options))?
        };
        let party = options.party.as_deref().unwrap_or(default_party);
        let credentials = match &options.token {
            Some(token) => Credentials::given(party, token)?,
            None if options.certificate.is_some() => Credentials::by_certificate(party),
            None if !options.endpoint.is_empty() => return Err(ClientError::TokenMissing),
            None => Credentials::development(party, &state)?,
        };
        Ok(Session {
            state,
            targets: Arc::new(targets),
            credentials,
            output: options.output,
        })
    }

    /// Opens a session of a development party with what runs in a state folder, before anybody else is told
    /// where that is.
    ///
    /// # Errors
    /// An address is none, or there is no such party.
    pub fn with_own(
        endpoints: &Endpoints,
        state: &Path,
        party: &str,
    ) -> Result<Session, ClientError> {
        Ok(Session {
            state: state.to_owned(),
            targets: Arc::new(Targets::from_endpoints(endpoints)?),
            credentials: Credentials::development(party, state)?,
            output: Output::default(),
        })
    }

    /// The same services, spoken to by another development party.
    ///
    /// # Errors
    /// There is no such party, or the session's token was given from outside.
    pub fn speaking_as(&self, party: &str) -> Result<Session, ClientError> {
        Ok(Session {
            state: self.state.clone(),
            targets: self.targets.clone(),
            credentials: self.credentials.of_another(party)?,
            output: self.output,
        })
    }

    /// The party that speaks. With a token given from outside it is what `--as` said, and the services
    /// believe the token.
    pub fn party(&self) -> &str {
        self.credentials.party()
    }

    /// How answers are written.
    pub fn output(&self) -> Output {
        self.output
    }

    /// The state folder, whether or not anything runs there.
    pub fn state_folder(&self) -> &Path {
        &self.state
    }

    /// A new id for a command: the same id and content again gives the stored answer.
    pub fn request_id(&self) -> String {
        kernel::new_id().to_string()
    }

    /// The gate.
    ///
    /// # Errors
    /// No address was given for it.
    pub fn gate(&self) -> Result<GateServiceClient<Transport>, ClientError> {
        Ok(limited!(GateServiceClient::new(
            self.transport(Service::Gate)?
        )))
    }

    /// Customs.
    ///
    /// # Errors
    /// No address was given for it.
    pub fn customs(&self) -> Result<CustomsServiceClient<Transport>, ClientError> {
        Ok(limited!(CustomsServiceClient::new(
            self.transport(Service::Customs)?
        )))
    }

    /// The bonded centre's stock.
    ///
    /// # Errors
    /// No address was given for it.
    pub fn bonded(&self) -> Result<BondedServiceClient<Transport>, ClientError> {
        Ok(limited!(BondedServiceClient::new(
            self.transport(Service::Bonded)?
        )))
    }

    /// Release and notices.
    ///
    /// # Errors
    /// No address was given for it.
    pub fn release(&self) -> Result<ReleaseServiceClient<Transport>, ClientError> {
        Ok(limited!(ReleaseServiceClient::new(
            self.transport(Service::Release)?
        )))
    }

    /// The exchange of facts of one service.
    ///
    /// # Errors
    /// No address was given for it.
    pub fn fabric_admin(
        &self,
        service: Service,
    ) -> Result<FabricAdminServiceClient<Transport>, ClientError> {
        Ok(limited!(FabricAdminServiceClient::new(
            self.transport(service)?
        )))
    }

    fn transport(&self, service: Service) -> Result<Transport, ClientError> {
        let channel = self.targets.channel(service)?;
        Ok(InterceptedService::new(channel, self.credentials.clone()))
    }
}

/// Whom a connection trusts, and what it shows of itself.
#[derive(Default)]
struct Trust<'a> {
    /// The authorities; none: this system's.
    authorities: Option<&'a Path>,
    /// A certificate and its key.
    own: Option<(&'a Path, &'a Path)>,
}

impl<'a> Trust<'a> {
    fn of(options: &'a ClientOptions) -> Self {
        Self {
            authorities: options.ca_certificate.as_deref(),
            own: options
                .certificate
                .as_deref()
                .zip(options.certificate_key.as_deref()),
        }
    }
}

/// Each service's address, where one is known.
struct Targets(BTreeMap<Service, Target>);

/// An address and, once it was needed, the channel to it.
struct Target {
    endpoint: Endpoint,
    channel: OnceLock<Channel>,
}

impl Targets {
    fn from_endpoints(endpoints: &Endpoints) -> Result<Targets, ClientError> {
        let target = |service| {
            Ok((
                service,
                Target::at(&endpoints.of(service).grpc, &Trust::default())?,
            ))
        };
        Service::ALL
            .into_iter()
            .map(target)
            .collect::<Result<_, _>>()
            .map(Targets)
    }

    /// `--endpoint URL` for all services, `--endpoint SERVICE=URL` for one; the narrower wins.
    fn from_options(given: &[String], trust: &Trust) -> Result<Targets, ClientError> {
        let mut targets = BTreeMap::new();
        for service in Service::ALL {
            let own = given.iter().rev().find_map(|one| match meant_for(one) {
                (Some(meant), url) if meant == service => Some(url),
                _ => None,
            });
            let shared = given.iter().rev().find_map(|one| match meant_for(one) {
                (None, url) => Some(url),
                _ => None,
            });
            if let Some(url) = own.or(shared) {
                targets.insert(service, Target::at(url, trust)?);
            }
        }
        Ok(Targets(targets))
    }

    fn channel(&self, service: Service) -> Result<Channel, ClientError> {
        let target = self
            .0
            .get(&service)
            .ok_or(ClientError::EndpointMissing(service))?;
        let channel = target
            .channel
            .get_or_init(|| target.endpoint.connect_lazy());
        Ok(channel.clone())
    }
}

/// Takes `gate=http://...` apart.
fn meant_for(given: &str) -> (Option<Service>, &str) {
    let named = given.split_once('=');
    match named.and_then(|(name, url)| Some((Service::of_name(name)?, url))) {
        Some((service, url)) => (Some(service), url),
        None => (None, given),
    }
}

impl Target {
    fn at(url: &str, trust: &Trust) -> Result<Target, ClientError> {
        let no_address = || ClientError::Endpoint(url.to_owned());
        let endpoint = Endpoint::from_shared(url.to_owned())
            .map_err(|_| no_address())?
            .connect_timeout(CONNECT_TIMEOUT)
            .http2_keep_alive_interval(KEEPALIVE_INTERVAL)
            .tcp_nodelay(true);
        let endpoint = match endpoint.uri().scheme_str() {
            Some("https") => endpoints::with_tls(endpoint, trust)?,
            Some("http") => endpoint,
            _ => return Err(no_address()),
        };
        Ok(Target {
            endpoint,
            channel: OnceLock::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(targets: &Targets, service: Service) -> Option<String> {
        let target = targets.0.get(&service)?;
        Some(target.endpoint.uri().to_string())
    }

    #[test]
    fn one_address_serves_all_and_a_named_one_only_its_service() {
        let given = ["http://all:80", "customs=http://own:7002"].map(str::to_owned);
        let targets = Targets::from_options(&given, &Trust::default()).unwrap();
        assert_eq!(address(&targets, Service::Gate).unwrap(), "http://all:80/");
        assert_eq!(
            address(&targets, Service::Customs).unwrap(),
            "http://own:7002/"
        );
    }

    #[test]
    fn a_service_without_an_address_is_missed_only_when_it_is_called() {
        let targets =
            Targets::from_options(&["gate=http://gate:7001".to_owned()], &Trust::default())
                .unwrap();
        assert!(address(&targets, Service::Gate).is_some());
        let missed = targets.channel(Service::Bonded).err().unwrap();
        assert!(missed.to_string().contains("bonded=URL"), "{missed}");
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_was_given() {
        for wrong in ["", "ftp://x", "127.0.0.1:7001", "not a url"] {
            let refused = Targets::from_options(&[wrong.to_owned()], &Trust::default());
            assert!(
                matches!(refused, Err(ClientError::Endpoint(_))),
                "{wrong} was taken"
            );
        }
    }
}
