//! Everybody who takes part in a journey, each with rights of its own: the demo calls the services as they
//! would, and has no other way in. It must not know what they do.

use std::path::Path;

use crate::cli::ClientOptions;
use crate::client::{ClientError, Session};
use crate::output::Output;

/// The parties of all journeys.
pub struct Parties {
    /// The trucking firm.
    pub haulier: Session,
    /// The customs broker of the one trader.
    pub broker: Session,
    /// Who imports and exports, and keeps stock in bond.
    pub trader: Session,
    /// The customs broker of the other trader.
    pub other_broker: Session,
    /// Another trader with stock in bond.
    pub other_trader: Session,
    /// The shipping line.
    pub line: Session,
    /// The port: rail desk, yard and gate.
    pub terminal: Session,
    /// The bonded centre's operator.
    pub operator: Session,
    /// The bonded centre's gate.
    pub centre_gate: Session,
    /// The customs officer.
    pub officer: Session,
}

impl Parties {
    /// Everybody, as development parties of what runs in a state folder.
    ///
    /// # Errors
    /// Nothing runs there.
    pub fn of(state: &Path) -> Result<Parties, ClientError> {
        let options = ClientOptions {
            party: None,
            state: Some(state.to_owned()),
            endpoint: Vec::new(),
            token: None,
            ca_certificate: None,
            certificate: None,
            certificate_key: None,
            output: Output::default(),
        };
        let terminal = Session::open(&options, "terminal")?;
        Ok(Parties {
            haulier: terminal.speaking_as("haulier-a")?,
            broker: terminal.speaking_as("broker-a")?,
            trader: terminal.speaking_as("trader-a")?,
            other_broker: terminal.speaking_as("broker-b")?,
            other_trader: terminal.speaking_as("trader-b")?,
            operator: terminal.speaking_as("operator")?,
            centre_gate: terminal.speaking_as("centre-gate")?,
            line: terminal.speaking_as("line-a")?,
            officer: terminal.speaking_as("officer-1")?,
            terminal,
        })
    }

    /// Those whose notices are read.
    pub fn told(&self) -> [&Session; 10] {
        [
            &self.haulier,
            &self.broker,
            &self.trader,
            &self.other_broker,
            &self.other_trader,
            &self.terminal,
            &self.line,
            &self.operator,
            &self.centre_gate,
            &self.officer,
        ]
    }
}
