//! Who shows which certificate: mutual TLS as an alternative to tokens, for machines (lanes, terminals). The authority
//! that signed it was checked when the connection was made; here its name leads to a party. It must not know what a
//! role may do.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::Duration;

use kernel::Refusal;

use super::{Caller, Role};
use crate::config::CertificateConfig;
use crate::connections::ClientCertificate;

/// The machines that are known by their certificates.
pub(super) struct Certificates {
    /// By the name in the certificate.
    callers: HashMap<String, Arc<Caller>>,
}

impl Certificates {
    pub(super) fn of(configs: &[CertificateConfig]) -> Self {
        let callers = configs.iter().map(|config| {
            let caller = Caller {
                subject: config.name.clone(),
                party: config.party.clone(),
                roles: config
                    .roles
                    .iter()
                    .filter_map(|role| Role::parse(role))
                    .collect(),
                sites: config.sites.iter().cloned().collect(),
                address: None,
            };
            (config.name.clone(), Arc::new(caller))
        });
        Self {
            callers: callers.collect(),
        }
    }

    /// Who shows this certificate, and for how long from now (seconds since 1970) it speaks for them.
    ///
    /// # Errors
    /// UNAUTHENTICATED: its time is over since the connection was made, no name of it is known here, or its names are
    /// those of several.
    pub(super) fn caller(
        &self,
        shown: &ClientCertificate,
        now: i64,
    ) -> Result<(Arc<Caller>, Duration), Refusal> {
        let left = shown.not_after.saturating_sub(now);
        let left = match u64::try_from(left) {
            Ok(seconds) if seconds > 0 => Duration::from_secs(seconds),
            _ => {
                return Err(Refusal::unauthenticated(
                    "CERTIFICATE_EXPIRED",
                    "The certificate's time is over; get a new one, and connect with it.",
                ));
            }
        };
        let names: BTreeSet<&String> = shown.names.iter().collect();
        let known: Vec<&Arc<Caller>> = names
            .into_iter()
            .filter_map(|name| self.callers.get(name))
            .collect();
        match known[..] {
            [caller] => Ok((Arc::clone(caller), left)),
            _ => Err(Refusal::unauthenticated(
                "CERTIFICATE_UNKNOWN",
                "The certificate does not say who calls: of its names (DNS or URI) exactly one must be known here; have the operator add it to identity.certificates, or send a token.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn certificates() -> Certificates {
        let of = |name: &str, party: &str| CertificateConfig {
            name: name.to_owned(),
            party: party.to_owned(),
            roles: vec!["terminal".to_owned()],
            sites: vec!["GUOYUAN-PORT".to_owned()],
        };
        let configs = [
            of("lane-1.port.example", "terminal"),
            of("lane-2.port.example", "other-terminal"),
        ];
        Certificates::of(&configs)
    }

    fn reason(names: &[&str], seconds_left: i64) -> Result<String, String> {
        let shown = ClientCertificate {
            names: names.iter().map(|name| (*name).to_owned()).collect(),
            not_after: 1_000 + seconds_left,
        };
        match certificates().caller(&shown, 1_000) {
            Ok((caller, _)) => Ok(caller.party.clone()),
            Err(refusal) => Err(refusal.reason),
        }
    }

    #[test]
    fn a_certificate_speaks_for_the_party_of_its_one_known_name_while_it_is_good() {
        let lane = "lane-1.port.example";
        assert_eq!(reason(&[lane], 60), Ok("terminal".to_owned()));
        assert_eq!(
            reason(&["elsewhere.example", lane, lane], 60),
            Ok("terminal".to_owned())
        );
        assert_eq!(reason(&[lane], 0), Err("CERTIFICATE_EXPIRED".to_owned()));
        let unknown = Err("CERTIFICATE_UNKNOWN".to_owned());
        assert_eq!(reason(&["elsewhere.example"], 60), unknown);
        assert_eq!(reason(&[], 60), unknown);
        assert_eq!(reason(&[lane, "lane-2.port.example"], 60), unknown);
    }
}
