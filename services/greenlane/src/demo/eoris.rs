//! By which EORIs documents name a broker and a trader: as customs has them. It must not know what stands in
//! the documents besides.

use proto::customs::v1::{GetPartyRequest, get_party_request};

use super::documents::Eoris;
use super::mishap::Mishap;
use super::waiting::if_there;
use crate::client::Session;

/// The EORIs of both.
///
/// # Errors
/// Customs refuses, or has none of the form that British documents carry.
pub async fn of(broker: &Session, trader: &Session) -> Result<Eoris, Mishap> {
    Ok(Eoris {
        broker: eori(broker).await?,
        trader: eori(trader).await?,
    })
}

async fn eori(session: &Session) -> Result<String, Mishap> {
    let identifiers = own_party(session)
        .await?
        .map(|party| party.identifiers)
        .unwrap_or_default();
    let eori = identifiers
        .iter()
        .find(|identifier| identifier.scheme == "EORI" && identifier.value.starts_with("GB"));
    eori.map(|identifier| identifier.value.clone())
        .ok_or_else(|| {
            Mishap::otherwise(
                format!("an EORI GB... of {}", session.party()),
                format!("{identifiers:?}"),
            )
        })
}

async fn own_party(
    session: &Session,
) -> Result<Option<proto::customs::v1::RegisteredParty>, Mishap> {
    let name = get_party_request::Name::PartyId(session.party().to_owned());
    let answer = if_there(
        session
            .customs()?
            .get_party(GetPartyRequest { name: Some(name) })
            .await,
    )?;
    Ok(answer.and_then(|answer| answer.party))
}
