//! The register: parties, identifiers, mandates.

use chassis::Role;
use prost::Message;
use proto::customs::events::v1::{PartyEvent, party_event};
use proto::customs::v1 as wire;
use proto::customs::v1::customs_service_server::CustomsService;

use crate::support::*;

fn grant(agent: &str) -> wire::GrantMandateRequest {
    wire::GrantMandateRequest {
        request_id: id(),
        agent_party: agent.into(),
        actions: vec![wire::MandateAction::FileDeclaration.into()],
        ..Default::default()
    }
}

#[tokio::test]
async fn the_development_parties_are_told_to_everybody_once() {
    let scene = Scene::new().await;
    customs::seed::Seeds::development()
        .unwrap()
        .plant(scene.fabric.handle())
        .await;
    let told = scene.outbox("customs.party").await;
    let events: Vec<_> = told
        .iter()
        .map(|row| {
            PartyEvent::decode(row.payload.clone())
                .unwrap()
                .fact
                .unwrap()
        })
        .collect();
    let parties = events
        .iter()
        .filter(|fact| matches!(fact, party_event::Fact::Party(_)))
        .count();
    let mandates = events
        .iter()
        .filter(|fact| matches!(fact, party_event::Fact::Mandate(_)))
        .count();
    assert_eq!((parties, mandates), (13, 3));
}

#[tokio::test]
async fn a_mandate_counts_from_its_grant_to_its_revocation() {
    let scene = Scene::new().await;
    assert_eq!(
        scene
            .try_file("broker-b", umbrellas("G-1"))
            .await
            .unwrap()
            .outcome(),
        wire::FilingOutcome::Rejected
    );
    let granted = scene
        .api
        .grant_mandate(asked("trader-a", Role::Trader, grant("broker-b")))
        .await
        .unwrap()
        .into_inner()
        .mandate
        .unwrap();
    assert_eq!(
        scene
            .try_file("broker-b", umbrellas("G-1"))
            .await
            .unwrap()
            .outcome(),
        wire::FilingOutcome::Registered
    );
    let revoke = || wire::RevokeMandateRequest {
        request_id: id(),
        mandate_id: granted.mandate_id.clone(),
        reason: "changed".into(),
    };
    let not_theirs = scene
        .api
        .revoke_mandate(asked("trader-b", Role::Trader, revoke()))
        .await
        .unwrap_err();
    assert_eq!(reason(&not_theirs), "NOT_FOUND");
    let revoked = scene
        .api
        .revoke_mandate(asked("trader-a", Role::Trader, revoke()))
        .await
        .unwrap()
        .into_inner()
        .mandate
        .unwrap();
    assert!(revoked.revoked_at.is_some());
    assert_eq!(
        scene
            .try_file("broker-b", umbrellas("G-2"))
            .await
            .unwrap()
            .outcome(),
        wire::FilingOutcome::Rejected
    );
    let again = scene
        .api
        .revoke_mandate(asked("trader-a", Role::Trader, revoke()))
        .await
        .unwrap()
        .into_inner()
        .mandate
        .unwrap();
    assert_eq!(again, revoked);
}

#[tokio::test]
async fn a_mandate_for_some_goods_and_containers_lets_file_those_and_the_filing_says_by_which() {
    let scene = Scene::new().await;
    let mut granted = Vec::new();
    for (goods, containers) in [("8471", BOX), ("6601", "CSQU3054383"), ("6601", BOX)] {
        let refused = scene.try_file("broker-b", umbrellas("L-1")).await.unwrap();
        assert_eq!(
            refused.outcome(),
            wire::FilingOutcome::Rejected,
            "{granted:?}"
        );
        let limited = wire::GrantMandateRequest {
            goods: vec![goods.into()],
            containers: vec![containers.into()],
            ..grant("broker-b")
        };
        granted.push(scene.grant("trader-a", limited).await);
    }
    let filing = scene.try_file("broker-b", umbrellas("L-1")).await.unwrap();
    assert_eq!(filing.outcome(), wire::FilingOutcome::Registered);
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(record.mandate_ids, vec![granted[2].mandate_id.clone()]);
}

#[tokio::test]
async fn a_mandate_is_passed_on_no_further_than_its_grantor_allows_and_ends_with_it() {
    let scene = Scene::new().await;
    let first = wire::GrantMandateRequest {
        may_be_passed_on: 1,
        ..grant("broker-b")
    };
    let first = scene.grant("trader-a", first).await;
    let passed_on = |agent: &str, from: &wire::Mandate| wire::GrantMandateRequest {
        passed_on_from: from.mandate_id.clone(),
        ..grant(agent)
    };
    let second = scene
        .grant("broker-b", passed_on("haulier-b", &first))
        .await;
    assert_eq!(
        (
            second.grantor_party.as_str(),
            second.passed_on_by_party.as_str()
        ),
        ("trader-a", "broker-b")
    );
    let filing = scene.try_file("haulier-b", umbrellas("P-1")).await.unwrap();
    let record = scene.declaration(&filing.declaration_id).await;
    assert_eq!(record.mandate_ids, vec![second.mandate_id.clone()]);
    for (giver, from, expected) in [
        ("haulier-b", &second, "MANDATE_INVALID"),
        ("broker-a", &first, "NOT_FOUND"),
    ] {
        let asked_for = asked(giver, Role::Broker, passed_on("haulier-a", from));
        let refused = scene.api.grant_mandate(asked_for).await.unwrap_err();
        assert_eq!(reason(&refused), expected);
    }
    for party in ["trader-a", "broker-b", "haulier-b"] {
        let request = asked(party, Role::Broker, wire::ListMandatesRequest::default());
        let listed = scene.api.list_mandates(request).await.unwrap().into_inner();
        assert!(listed.mandates.contains(&second), "{party}");
    }
    let revoke = wire::RevokeMandateRequest {
        request_id: id(),
        mandate_id: first.mandate_id.clone(),
        reason: "changed".into(),
    };
    let revoked = scene
        .api
        .revoke_mandate(asked("trader-a", Role::Trader, revoke))
        .await;
    assert!(
        revoked
            .unwrap()
            .into_inner()
            .mandate
            .unwrap()
            .revoked_at
            .is_some()
    );
    let refused = scene.try_file("haulier-b", umbrellas("P-2")).await.unwrap();
    assert_eq!(
        refused.outcome(),
        wire::FilingOutcome::Rejected,
        "revoked at once"
    );
}

#[tokio::test]
async fn a_firm_that_is_suspended_passes_nothing_on_and_may_still_revoke() {
    let scene = Scene::new().await;
    let first = wire::GrantMandateRequest {
        may_be_passed_on: 2,
        ..grant("broker-b")
    };
    let first = scene.grant("trader-a", first).await;
    let passed_on = |from: &wire::Mandate| wire::GrantMandateRequest {
        passed_on_from: from.mandate_id.clone(),
        ..grant("haulier-b")
    };
    let second = scene.grant("broker-b", passed_on(&first)).await;
    scene.suspend("broker-b", &[]).await;
    let asked_for = asked("broker-b", Role::Broker, passed_on(&first));
    let refused = scene.api.grant_mandate(asked_for).await.unwrap_err();
    assert_eq!(reason(&refused), "PARTY_SUSPENDED");
    let revoke = wire::RevokeMandateRequest {
        request_id: id(),
        mandate_id: second.mandate_id,
        reason: "suspended".into(),
    };
    let revoked = asked("broker-b", Role::Broker, revoke);
    assert!(scene.api.revoke_mandate(revoked).await.is_ok());
}

impl Scene {
    /// The party, of which nothing was changed before, may not act any more.
    async fn suspend(&self, party_id: &str, identifiers: &[&str]) {
        let identifier = |value: &&str| wire::RegisteredIdentifier {
            scheme: "EORI".into(),
            value: (*value).into(),
        };
        let request = wire::PutPartyRequest {
            request_id: id(),
            expected_version: 1,
            party: Some(wire::RegisteredParty {
                party_id: party_id.into(),
                name: party_id.into(),
                roles: vec!["trader".into()],
                identifiers: identifiers.iter().map(identifier).collect(),
                suspended: true,
                ..Default::default()
            }),
        };
        self.api.put_party(officer(request)).await.unwrap();
    }

    async fn grant(&self, giver: &str, request: wire::GrantMandateRequest) -> wire::Mandate {
        let granted = self
            .api
            .grant_mandate(asked(giver, Role::Trader, request))
            .await;
        granted.unwrap().into_inner().mandate.unwrap()
    }
}

#[tokio::test]
async fn rule_14_whoever_is_acted_for_gives_a_mandate_and_a_counterparty_does_not() {
    let scene = Scene::new().await;
    let party = |id: &str| {
        Some(wire::Party {
            id: id.into(),
            ..Default::default()
        })
    };
    // broker-b files for trader-b alone; trader-a stands in one more place each time.
    let known = TRADER_A_EORI;
    type Name = fn(&mut wire::Declaration, &str);
    let acted_for: [(&str, Name, &str); 4] = [
        (
            "T-1",
            |declaration, id| {
                declaration.authorisation_holders = vec![wire::AuthorisationHolder {
                    id: id.into(),
                    category_code: "DPO".into(),
                }];
            },
            "/Declaration/AuthorisationHolder[1]/ID",
        ),
        (
            "T-2",
            |declaration, id| {
                declaration.domestic_duty_tax_parties = vec![wire::RoleParty {
                    id: id.into(),
                    role_code: "FR1".into(),
                }];
            },
            "/Declaration/GoodsShipment/DomesticDutyTaxParty[1]/ID",
        ),
        (
            "T-3",
            |declaration, id| {
                declaration.consignee = Some(wire::Party {
                    id: id.into(),
                    ..Default::default()
                });
            },
            "/Declaration/GoodsShipment/Consignee/ID",
        ),
        (
            "T-4",
            |declaration, id| {
                declaration.items[0].consignee = Some(wire::Party {
                    id: id.into(),
                    ..Default::default()
                });
            },
            "/Declaration/GoodsShipment/GovernmentAgencyGoodsItem[1]/Consignee/ID",
        ),
    ];
    let filed = |lrn: &str| {
        let mut declaration = umbrellas(lrn);
        declaration.authorisation_holders.clear();
        declaration.domestic_duty_tax_parties.clear();
        declaration.importer = party(TRADER_B_EORI);
        declaration.declarant = party(TRADER_B_EORI);
        declaration.exporter = None;
        declaration
    };
    for (lrn, name, path) in acted_for {
        let mut declaration = filed(lrn);
        name(&mut declaration, known);
        let rejected = scene
            .try_file("broker-b", declaration.clone())
            .await
            .unwrap();
        assert_eq!(codes(&rejected.faults), ["MANDATE_MISSING"], "{path}");
        assert_eq!(
            (
                rejected.faults[0].path.as_str(),
                rejected.faults[0].value.as_str()
            ),
            (path, known)
        );
        name(&mut declaration, "GB999999999999");
        let taken = scene.try_file("broker-b", declaration).await.unwrap();
        assert_eq!(taken.outcome(), wire::FilingOutcome::Registered, "{path}");
        assert!(
            taken
                .warnings
                .iter()
                .any(|warning| warning.code == "PARTY_UNKNOWN" && warning.path == path)
        );
    }
    let mut sold = filed("T-5");
    (sold.seller, sold.buyer) = (party(known), party(known));
    (sold.carrier, sold.consignor) = (party(known), party(known));
    sold.exporter = party(known);
    let taken = scene.try_file("broker-b", sold).await.unwrap();
    assert_eq!(
        (taken.outcome(), codes(&taken.faults)),
        (wire::FilingOutcome::Registered, Vec::new())
    );
}

#[tokio::test]
async fn nobody_gives_a_mandate_in_anothers_name_but_an_officer() {
    let scene = Scene::new().await;
    let in_name = || wire::GrantMandateRequest {
        grantor_party: "trader-a".into(),
        ..grant("broker-b")
    };
    let refused = scene
        .api
        .grant_mandate(asked("broker-b", Role::Broker, in_name()))
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), "MANDATE_NOT_YOURS");
    assert!(scene.api.grant_mandate(officer(in_name())).await.is_ok());
    let unknown = scene
        .api
        .grant_mandate(asked("trader-a", Role::Trader, grant("nobody")))
        .await
        .unwrap_err();
    assert_eq!(reason(&unknown), "NOT_FOUND");
}

#[tokio::test]
async fn a_party_sees_the_mandates_it_gave_or_holds_in_pages() {
    let scene = Scene::by_filters_alone().await;
    let list = |party: &str, asked_for: &str| {
        let request = wire::ListMandatesRequest {
            party_id: asked_for.into(),
            ..Default::default()
        };
        scene.api.list_mandates(asked(party, Role::Broker, request))
    };
    assert_eq!(
        list("broker-a", "")
            .await
            .unwrap()
            .into_inner()
            .mandates
            .len(),
        2
    );
    assert_eq!(
        list("trader-b", "")
            .await
            .unwrap()
            .into_inner()
            .mandates
            .len(),
        2
    );
    assert_eq!(
        reason(&list("broker-b", "trader-a").await.unwrap_err()),
        "NOT_FOUND"
    );
}

#[tokio::test]
async fn an_identifier_moves_only_after_it_was_taken_away() {
    let scene = Scene::new().await;
    let put = |party_id: &str, identifiers: &[&str], expected_version| wire::PutPartyRequest {
        request_id: id(),
        expected_version,
        party: Some(wire::RegisteredParty {
            party_id: party_id.into(),
            name: party_id.into(),
            roles: vec!["trader".into()],
            identifiers: identifiers
                .iter()
                .map(|value| wire::RegisteredIdentifier {
                    scheme: "EORI".into(),
                    value: (*value).into(),
                })
                .collect(),
            ..Default::default()
        }),
    };
    assert_eq!(
        reason(
            &scene
                .api
                .put_party(officer(put("trader-c", &[TRADER_A_EORI], 0)))
                .await
                .unwrap_err()
        ),
        "IDENTIFIER_TAKEN"
    );
    assert_eq!(
        reason(
            &scene
                .api
                .put_party(officer(put("trader-a", &[], 7)))
                .await
                .unwrap_err()
        ),
        "STALE_VERSION"
    );
    scene
        .api
        .put_party(officer(put("trader-a", &[], 1)))
        .await
        .unwrap();
    scene
        .api
        .put_party(officer(put("trader-c", &[TRADER_A_EORI], 0)))
        .await
        .unwrap();
    let by_number = wire::get_party_request::Name::Identifier(wire::RegisteredIdentifier {
        scheme: "EORI".into(),
        value: TRADER_A_EORI.into(),
    });
    let request = wire::GetPartyRequest {
        name: Some(by_number),
    };
    let found = scene
        .api
        .get_party(asked("broker-a", Role::Broker, request))
        .await
        .unwrap()
        .into_inner()
        .party
        .unwrap();
    assert_eq!(
        (found.party_id.as_str(), found.identifiers.len()),
        ("trader-c", 0),
        "identifiers of others are not shown"
    );
}

#[tokio::test]
async fn a_suspended_filer_is_refused_and_a_suspended_trader_rejects() {
    let scene = Scene::new().await;
    scene.suspend("trader-a", &[TRADER_A_EORI]).await;
    let rejected = scene.file(umbrellas("X-1")).await;
    assert_eq!(
        codes(&rejected.faults),
        ["PARTY_SUSPENDED", "PARTY_SUSPENDED"]
    );
    scene.suspend("broker-a", &[]).await;
    assert_eq!(
        reason(
            &scene
                .try_file("broker-a", umbrellas("X-2"))
                .await
                .unwrap_err()
        ),
        "PARTY_SUSPENDED"
    );
}
