//! A site, as gate publishes it: release needs to know whose gate it is.

use serde::{Deserialize, Serialize};

use super::version::Version;

/// A place where containers stay and trucks pass.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Site {
    /// Its id: "GUOYUAN-PORT".
    pub site_id: String,
    /// Of the fact that it was learnt from.
    pub version: Version,
    /// Its name for people.
    pub name: String,
    /// The party that runs its gate and yard.
    pub terminal_party: String,
}
