//! Who speaks to the services: each party with its development token, over channels that connect again by
//! themselves. It must not know what is said.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use proto::bonded::v1::GetStockRequest;
use proto::bonded::v1::bonded_service_client::BondedServiceClient;
use proto::customs::v1::GetAccountRequest;
use proto::customs::v1::customs_service_client::CustomsServiceClient;
use proto::fabric::v1::fabric_admin_service_client::FabricAdminServiceClient;
use proto::fabric::v1::{GetFabricStatusRequest, GetFabricStatusResponse};
use proto::gate::v1::ListSitesRequest;
use proto::gate::v1::gate_service_client::GateServiceClient;
use proto::release::v1::ListNoticesRequest;
use proto::release::v1::release_service_client::ReleaseServiceClient;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::Endpoint;
use tonic::{Request, Status};

use crate::evidence::SERVICES;
use crate::play::balanced::Balanced;
use crate::play::outage::Victim;
use crate::site::Site;

/// A frozen service does not answer: the call is given up after so long, and made again.
const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(2);

type Transport = InterceptedService<Balanced, Bearer>;

/// Everybody who takes part.
pub struct Parties {
    /// The port: rail desk, yard and gate.
    pub terminal: Party,
    /// The bonded centre's gate.
    pub centre_gate: Party,
    /// The bonded centre's operator.
    pub operator: Party,
    /// The trucking firm.
    pub haulier: Party,
    /// The customs broker.
    pub broker: Party,
    /// Whose goods they are.
    pub trader: Party,
    /// Another broker.
    pub other_broker: Party,
    /// Another trader, with stock in bond.
    pub other_trader: Party,
    /// The shipping line.
    pub line: Party,
    /// The customs officer.
    pub officer: Party,
    /// Looks after the exchange of facts.
    admin: Party,
}

impl Parties {
    /// Everybody, at a site that runs.
    pub fn of(site: &Site) -> Parties {
        let endpoints = site.endpoints().expect("up has published its endpoints");
        let address = |service: &'static str| {
            let url = endpoints[service]["grpc"].as_str().unwrap();
            (service, vec![url.to_owned()])
        };
        Parties::at(site, &SERVICES.map(address).into())
    }

    /// Everybody, at a site whose services answer at these addresses: each call goes to one that can be reached.
    pub fn at(site: &Site, addresses: &BTreeMap<&'static str, Vec<String>>) -> Parties {
        let channels = Arc::new(Channels::at(addresses));
        let party = |name| Party::of(site, name, &channels);
        Parties {
            terminal: party("terminal"),
            centre_gate: party("centre-gate"),
            operator: party("operator"),
            haulier: party("haulier-a"),
            broker: party("broker-a"),
            trader: party("trader-a"),
            other_broker: party("broker-b"),
            other_trader: party("trader-b"),
            line: party("line-a"),
            officer: party("officer-1"),
            admin: party("admin"),
        }
    }

    /// Somebody reads something from a service.
    pub async fn read(&self, service: Victim) -> Result<(), Status> {
        match service {
            Victim::Gate => {
                let mut gate = self.terminal.gate();
                gate.list_sites(ListSitesRequest {}).await.map(drop)
            }
            Victim::Customs => {
                let mut customs = self.trader.customs();
                customs
                    .get_account(GetAccountRequest::default())
                    .await
                    .map(drop)
            }
            Victim::Bonded => {
                let mut bonded = self.trader.bonded();
                bonded.get_stock(GetStockRequest::default()).await.map(drop)
            }
            Victim::Release => {
                let mut release = self.haulier.release();
                release
                    .list_notices(ListNoticesRequest::default())
                    .await
                    .map(drop)
            }
            Victim::Kafka | Victim::Postgres => Ok(()),
        }
    }

    /// How the exchange of facts stands, as a service says.
    pub async fn exchange(&self, service: &str) -> Result<GetFabricStatusResponse, Status> {
        let transport = self
            .admin
            .transport(self.admin.channels.of_service(service));
        let mut admin = FabricAdminServiceClient::new(transport);
        let request = GetFabricStatusRequest {};
        Ok(admin.get_fabric_status(request).await?.into_inner())
    }
}

/// One party.
pub struct Party {
    /// Its id.
    pub name: &'static str,
    bearer: Bearer,
    channels: Arc<Channels>,
}

impl Party {
    fn of(site: &Site, name: &'static str, channels: &Arc<Channels>) -> Party {
        let token = site.run(&["token", "--as", name]).done().stdout;
        Party {
            name,
            bearer: Bearer(format!("Bearer {}", token.trim()).parse().unwrap()),
            channels: channels.clone(),
        }
    }

    /// Its way to gate.
    pub fn gate(&self) -> GateServiceClient<Transport> {
        GateServiceClient::new(self.transport(&self.channels.gate))
    }

    /// Its way to customs.
    pub fn customs(&self) -> CustomsServiceClient<Transport> {
        CustomsServiceClient::new(self.transport(&self.channels.customs))
    }

    /// Its way to bonded.
    pub fn bonded(&self) -> BondedServiceClient<Transport> {
        BondedServiceClient::new(self.transport(&self.channels.bonded))
    }

    /// Its way to release.
    pub fn release(&self) -> ReleaseServiceClient<Transport> {
        ReleaseServiceClient::new(self.transport(&self.channels.release))
    }

    fn transport(&self, service: &Balanced) -> Transport {
        InterceptedService::new(service.clone(), self.bearer.clone())
    }
}

struct Channels {
    gate: Balanced,
    customs: Balanced,
    bonded: Balanced,
    release: Balanced,
}

impl Channels {
    fn of_service(&self, name: &str) -> &Balanced {
        match name {
            "gate" => &self.gate,
            "customs" => &self.customs,
            "bonded" => &self.bonded,
            _ => &self.release,
        }
    }

    fn at(addresses: &BTreeMap<&'static str, Vec<String>>) -> Channels {
        let endpoint = |url: &String| {
            Endpoint::from_shared(url.clone())
                .unwrap()
                .connect_timeout(CONNECT_TIMEOUT)
                .timeout(ANSWER_TIMEOUT)
                // Else a connection that has gone silent would be used for good.
                .http2_keep_alive_interval(ANSWER_TIMEOUT)
                .keep_alive_timeout(ANSWER_TIMEOUT)
                .keep_alive_while_idle(true)
        };
        let channel = |service: &str| {
            let lazily = |url| endpoint(url).connect_lazy();
            Balanced::over(addresses[service].iter().map(lazily))
        };
        Channels {
            gate: channel("gate"),
            customs: channel("customs"),
            bonded: channel("bonded"),
            release: channel("release"),
        }
    }
}

/// Puts the token on every call.
#[derive(Clone)]
pub struct Bearer(MetadataValue<Ascii>);

impl Interceptor for Bearer {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        let metadata = request.metadata_mut();
        metadata.insert("authorization", self.0.clone());
        Ok(request)
    }
}
