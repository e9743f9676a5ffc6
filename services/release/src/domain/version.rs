//! Which of two states of the same thing is the newer one, however they arrive.

use serde::{Deserialize, Serialize};

/// A fact's version: the highest wins. The epoch counts first, because a service that was restored
/// from a backup states its facts again in a new epoch, and those must win over the lost ones.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Version {
    /// The publisher's epoch.
    pub epoch: u64,
    /// The subject's counter within it.
    pub number: u64,
}

impl Version {
    /// A version within an epoch.
    pub fn new(epoch: u64, number: u64) -> Self {
        Self { epoch, number }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_later_epoch_wins_over_a_higher_number() {
        assert!(Version::new(2, 1) > Version::new(1, 9));
        assert!(Version::new(1, 10) > Version::new(1, 9));
    }
}
