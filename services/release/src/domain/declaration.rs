//! A declaration, as far as release must know whose it is: to tell the right parties of a hold on it
//! and to say who may read its timeline. What it means for the goods comes with the clearance.

use super::version::Version;

/// Whose declaration it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Declaration {
    /// Customs' id.
    pub declaration_id: String,
    /// Of the fact that it was learnt from.
    pub version: Version,
    /// Movement reference number; empty before there is one.
    pub mrn: String,
    /// Who filed it.
    pub filer_party: String,
    /// Whose goods they are; empty if nobody we know.
    pub trader_party: String,
    /// The containers that it names.
    pub container_numbers: Vec<String>,
}

impl Declaration {
    /// The declaration in a person's words: its MRN where it has one.
    pub fn title(&self) -> &str {
        if self.mrn.is_empty() {
            &self.declaration_id
        } else {
            &self.mrn
        }
    }

    /// The parties that it belongs to.
    pub fn parties(&self) -> impl Iterator<Item = &str> {
        [self.filer_party.as_str(), self.trader_party.as_str()]
            .into_iter()
            .filter(|party| !party.is_empty())
    }
}
