//! Requests as commands and queries. Everything that is wrong with a request is said at once, each
//! fault with its path.

use kernel::{
    ContainerNumber, Fault, Plate, Refusal, StockListNumber, Text, TransportDocumentNumber,
};
use proto::common::v1 as common;
use proto::release::v1 as api;
use proto::release::v1::{explain_release_request, get_timeline_request};
use uuid::Uuid;

use crate::app::{
    GrantCommercialRelease, HoldTarget, LiftHold, PlaceHold, RevokeCommercialRelease,
    RevokeRelease, RevokeWhich,
};
use crate::domain::commercial_release::ReleaseScope;
use crate::domain::hold::{HoldKind, REASON_CHARS_MAX, Scope, ScopeKind};
use crate::domain::reader::Reader;
use crate::events::hold::{kind, scope_kind};
use crate::store::reading::Which;
use crate::store::timeline::Whose;

/// The longest id of ours or another service's that is looked up, in characters.
const ID_CHARS_MAX: usize = 100;

type Refused<T> = Result<T, Box<Refusal>>;

/// Which stays are asked for.
pub fn which(message: api::ExplainReleaseRequest) -> Refused<Which> {
    let mut faults = Faults::default();
    let which = match message.subject {
        Some(explain_release_request::Subject::ContainerVisitId(id)) => {
            Which::Visit(faults.id("container_visit_id", &id))
        }
        Some(explain_release_request::Subject::ContainerNumber(number)) => Which::Container {
            number: faults.container("container_number", &number),
            site_id: faults.optional_id("site_id", &message.site_id),
        },
        Some(explain_release_request::Subject::ListNumber(number)) => {
            Which::List(faults.stock_list("list_number", &number))
        }
        None => Which::Visit(faults.id("container_visit_id", "")),
    };
    faults.then(which)
}

/// A commercial release to give.
pub fn grant_commercial_release(
    message: api::GrantCommercialReleaseRequest,
    by: Reader,
) -> Refused<GrantCommercialRelease> {
    let mut faults = Faults::default();
    let scope = faults.release_scope(
        &message.transport_document,
        &message.site_id,
        &message.container_number,
    );
    let haulier_party = faults.id("haulier_party", &message.haulier_party);
    faults.then(GrantCommercialRelease {
        by,
        scope,
        haulier_party,
        validate_only: message.validate_only,
    })
}

/// A commercial release to take back.
pub fn revoke_commercial_release(
    message: api::RevokeCommercialReleaseRequest,
    by: Reader,
) -> Refused<RevokeCommercialRelease> {
    let mut faults = Faults::default();
    let which = if message.commercial_release_id.is_empty() {
        RevokeWhich::Scope(faults.release_scope(
            &message.transport_document,
            &message.site_id,
            &message.container_number,
        ))
    } else {
        RevokeWhich::Id(faults.uuid("commercial_release_id", &message.commercial_release_id))
    };
    let reason = faults.reason(&message.reason);
    let expected_version = message.expected_version;
    faults.then(RevokeCommercialRelease {
        by,
        which,
        reason,
        expected_version,
        validate_only: message.validate_only,
    })
}

/// A hold to place.
pub fn place_hold(message: api::PlaceHoldRequest, by: Reader) -> Refused<PlaceHold> {
    let mut faults = Faults::default();
    let kind = faults.hold_kind(message.kind);
    let target = faults.hold_target(&message.scope.unwrap_or_default());
    let reason = faults.reason(&message.reason);
    faults.then(PlaceHold {
        by,
        target,
        kind,
        reason,
        validate_only: message.validate_only,
    })
}

/// A hold to lift.
pub fn lift_hold(message: api::LiftHoldRequest, by: Reader) -> Refused<LiftHold> {
    let mut faults = Faults::default();
    let hold_id = faults.id("hold_id", &message.hold_id);
    let reason = faults.reason(&message.reason);
    faults.then(LiftHold {
        by,
        hold_id,
        reason,
        validate_only: message.validate_only,
    })
}

/// A release to take back.
pub fn revoke_release(message: api::RevokeReleaseRequest, by: Reader) -> Refused<RevokeRelease> {
    let mut faults = Faults::default();
    let container_visit_id = faults.id("container_visit_id", &message.container_visit_id);
    let reason = faults.reason(&message.reason);
    let expected_version = message.expected_version;
    faults.then(RevokeRelease {
        by,
        container_visit_id,
        reason,
        expected_version,
        validate_only: message.validate_only,
    })
}

/// Whose timeline is asked for.
pub fn whose(subject: Option<get_timeline_request::Subject>) -> Refused<Whose> {
    use get_timeline_request::Subject;
    let mut faults = Faults::default();
    let whose = match subject {
        Some(Subject::ContainerNumber(number)) => {
            Whose::ContainerNumber(faults.container("container_number", &number))
        }
        Some(Subject::ContainerVisitId(id)) => {
            Whose::ContainerVisit(faults.id("container_visit_id", &id))
        }
        Some(Subject::DeclarationId(id)) => Whose::Declaration(faults.id("declaration_id", &id)),
        Some(Subject::Mrn(mrn)) => Whose::Mrn(faults.id("mrn", &mrn)),
        Some(Subject::PreArrivalId(id)) => Whose::PreArrival(faults.id("pre_arrival_id", &id)),
        Some(Subject::TruckVisitId(id)) => Whose::TruckVisit(faults.id("truck_visit_id", &id)),
        Some(Subject::BookNumber(number)) => Whose::Book(faults.id("book_number", &number)),
        Some(Subject::ListNumber(number)) => {
            Whose::StockList(faults.stock_list("list_number", &number))
        }
        None => Whose::ContainerNumber(faults.id("container_number", "")),
    };
    faults.then(whose)
}

/// The key of a timeline, as it was asked for.
pub fn whose_key(whose: &Whose) -> &str {
    match whose {
        Whose::ContainerNumber(key)
        | Whose::ContainerVisit(key)
        | Whose::Declaration(key)
        | Whose::Mrn(key)
        | Whose::PreArrival(key)
        | Whose::TruckVisit(key)
        | Whose::Book(key)
        | Whose::StockList(key) => key,
    }
}

/// What is wrong with a request so far. Its methods give a value to go on with, which [`Faults::then`]
/// throws away if there was any fault.
#[derive(Default)]
struct Faults(Vec<Fault>);

impl Faults {
    fn then<T>(self, value: T) -> Refused<T> {
        if self.0.is_empty() {
            return Ok(value);
        }
        Err(Box::new(
            Refusal::invalid(
                "RELEASE_REQUEST_INVALID",
                "The request has faults; correct all of them and send it again.",
            )
            .with_faults(self.0),
        ))
    }

    fn add(
        &mut self,
        code: &str,
        path: &str,
        value: &str,
        rule: &str,
        description: impl Into<String>,
    ) {
        self.0
            .push(Fault::new(code, path, value, rule, description.into()));
    }

    fn id(&mut self, path: &str, text: &str) -> String {
        match Text::parse(text, ID_CHARS_MAX) {
            Ok(id) => id,
            Err(error) => {
                self.add(
                    "ID_INVALID",
                    path,
                    text,
                    "1 to 100 printable characters",
                    error.to_string(),
                );
                String::new()
            }
        }
    }

    fn optional_id(&mut self, path: &str, text: &str) -> Option<String> {
        (!text.is_empty()).then(|| self.id(path, text))
    }

    fn uuid(&mut self, path: &str, text: &str) -> Uuid {
        Uuid::parse_str(text).unwrap_or_else(|_| {
            self.add(
                "ID_INVALID",
                path,
                text,
                "UUID",
                "Give the id as it was answered.",
            );
            Uuid::nil()
        })
    }

    fn container(&mut self, path: &str, text: &str) -> String {
        match ContainerNumber::parse(text) {
            Ok(number) => number.as_str().to_owned(),
            Err(error) => {
                self.add(
                    "CONTAINER_NUMBER_INVALID",
                    path,
                    text,
                    "ISO 6346",
                    error.to_string(),
                );
                String::new()
            }
        }
    }

    fn release_scope(&mut self, document: &str, site: &str, container: &str) -> ReleaseScope {
        let transport_document = match TransportDocumentNumber::parse(document) {
            Ok(number) => number.as_str().to_owned(),
            Err(error) => {
                self.add(
                    "TRANSPORT_DOCUMENT_INVALID",
                    "transport_document",
                    document,
                    "1 to 35 characters",
                    error.to_string(),
                );
                String::new()
            }
        };
        ReleaseScope {
            transport_document,
            site_id: self.optional_id("site_id", site),
            container_number: (!container.is_empty())
                .then(|| self.container("container_number", container)),
        }
    }

    fn reason(&mut self, text: &str) -> String {
        match Text::parse(text, REASON_CHARS_MAX) {
            Ok(reason) => reason,
            Err(error) => {
                self.add(
                    "REASON_MISSING",
                    "reason",
                    text,
                    "1 to 500 characters",
                    error.to_string(),
                );
                String::new()
            }
        }
    }

    /// Only the kinds that release keeps.
    fn hold_kind(&mut self, value: i32) -> HoldKind {
        let named = common::HoldKind::try_from(value).ok().and_then(kind);
        match named {
            Some(kind @ (HoldKind::Commercial | HoldKind::Finance | HoldKind::Legal)) => kind,
            other => {
                let written =
                    other.map_or_else(|| value.to_string(), |kind| kind.name().to_owned());
                self.add(
                    "HOLD_KIND_INVALID",
                    "kind",
                    &written,
                    "COMMERCIAL, FINANCE or LEGAL",
                    "Customs and quarantine holds are placed with customs, terminal and safety holds with gate.",
                );
                HoldKind::Legal
            }
        }
    }

    fn hold_target(&mut self, scope: &common::HoldScope) -> HoldTarget {
        let Some(kind) = common::HoldScopeKind::try_from(scope.kind)
            .ok()
            .and_then(scope_kind)
        else {
            self.add(
                "HOLD_SCOPE_INVALID",
                "scope.kind",
                &scope.kind.to_string(),
                "a kind of thing",
                "Say what is held: container visit, declaration, stock list, plate or party.",
            );
            return HoldTarget::ContainerNumber(String::new());
        };
        let key = self.id("scope.key", &scope.key);
        match kind {
            // A visit's id has slashes; a number has none.
            ScopeKind::ContainerVisit if !key.contains('/') => {
                HoldTarget::ContainerNumber(self.container("scope.key", &key))
            }
            ScopeKind::Plate => HoldTarget::Scope(Scope::new(kind, self.plate(&key))),
            ScopeKind::StockList => {
                HoldTarget::Scope(Scope::new(kind, self.stock_list("scope.key", &key)))
            }
            ScopeKind::ContainerVisit | ScopeKind::Declaration | ScopeKind::Party => {
                HoldTarget::Scope(Scope::new(kind, key))
            }
        }
    }

    fn plate(&mut self, text: &str) -> String {
        Plate::normalise(text).unwrap_or_else(|error| {
            self.add(
                "PLATE_INVALID",
                "scope.key",
                text,
                "a plate",
                error.to_string(),
            );
            String::new()
        })
    }

    fn stock_list(&mut self, path: &str, text: &str) -> String {
        match StockListNumber::parse(text) {
            Ok(number) => number.as_str().to_owned(),
            Err(error) => {
                self.add(
                    "STOCK_LIST_NUMBER_INVALID",
                    path,
                    text,
                    "QD and 16 characters",
                    error.to_string(),
                );
                String::new()
            }
        }
    }
}
