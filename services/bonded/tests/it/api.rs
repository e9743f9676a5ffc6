//! The permission table, and how refusals are told.

use std::collections::BTreeSet;

use chassis::{Caller, Permissions, Role, from_status};
use prost_types::Timestamp;
use proto::bonded::v1 as wire;
use proto::bonded::v1::bonded_service_server::BondedService;
use tonic::Code;

use crate::support::{BOOK_A, CENTRE, Harness, as_trader, id, manioc, stock_of};

#[test]
fn every_rpc_of_bonded_says_who_may_call_it() {
    let permissions = Permissions::from_descriptors(proto::FILE_DESCRIPTOR_SET).unwrap();
    let expected = [
        ("OpenBook", vec![Role::Trader]),
        ("AddBookLine", vec![Role::Trader]),
        ("SuspendBookLine", vec![Role::Operator]),
        ("GetBook", vec![Role::Trader, Role::Operator]),
        ("ListBooks", vec![Role::Trader, Role::Operator]),
        ("GetStock", vec![Role::Trader, Role::Operator]),
        ("ListMovements", vec![Role::Trader, Role::Operator]),
        ("VerifyChain", vec![Role::Trader, Role::Operator]),
        ("FileStockList", vec![Role::Trader, Role::Broker]),
        ("ApproveStockList", vec![Role::Operator]),
        (
            "VoidStockList",
            vec![Role::Trader, Role::Broker, Role::Operator],
        ),
        ("CloseStockListShort", vec![Role::Operator]),
        (
            "GetStockList",
            vec![Role::Trader, Role::Broker, Role::Operator],
        ),
        (
            "ListStockLists",
            vec![Role::Trader, Role::Broker, Role::Operator],
        ),
        ("RecordReceiptCount", vec![Role::Operator]),
        ("ReversePosting", vec![Role::Operator]),
        (
            "ListDiscrepancies",
            vec![Role::Trader, Role::Broker, Role::Operator],
        ),
        ("ResolveDiscrepancy", vec![Role::Operator]),
    ];
    let prefix = "/greenlane.bonded.v1.BondedService/";
    let paths: BTreeSet<_> = permissions
        .paths()
        .filter_map(|path| path.strip_prefix(prefix))
        .collect();
    assert_eq!(paths, expected.iter().map(|(rpc, _)| *rpc).collect());
    for (rpc, roles) in expected {
        for role in Role::ALL {
            let caller = Caller {
                subject: "somebody".into(),
                party: "party".into(),
                roles: BTreeSet::from([role]),
                sites: BTreeSet::new(),
                address: None,
            };
            let allowed = permissions
                .check(&format!("{prefix}{rpc}"), &caller)
                .is_ok();
            assert_eq!(allowed, roles.contains(&role), "{rpc} as {role}");
        }
    }
}

#[tokio::test]
async fn a_refusal_is_told_with_its_reason_and_all_its_faults() {
    let harness = Harness::with_books().await;
    let filed = wire::OpenBookRequest {
        request_id: id(),
        site_id: "GUOYUAN-PORT".into(),
        book_number: "short".into(),
        ..Default::default()
    };
    let invalid = harness
        .api
        .open_book(as_trader("trader-a", filed))
        .await
        .unwrap_err();
    let told = from_status(&invalid);
    let codes: Vec<_> = told
        .faults
        .iter()
        .map(|fault| (fault.code.as_str(), fault.path.as_str()))
        .collect();
    assert_eq!(
        (invalid.code(), told.reason.as_str()),
        (Code::InvalidArgument, "BOOK_INVALID")
    );
    assert_eq!(
        codes,
        [
            ("SITE_NO_BONDED_CENTRE", "site_id"),
            ("BOOK_NUMBER_FORM", "book_number")
        ]
    );

    let exists = harness.open("trader-b", BOOK_A).await.unwrap_err();
    assert_eq!(
        (exists.code(), from_status(&exists).reason.as_str()),
        (Code::AlreadyExists, "BOOK_EXISTS")
    );

    let unknown = harness.open("trader-c", "").await.unwrap_err();
    let told = from_status(&unknown);
    assert_eq!(
        (unknown.code(), told.reason.as_str()),
        (Code::FailedPrecondition, "TRADER_UNKNOWN")
    );
    assert_eq!(
        (told.unmet[0].subject.as_str(), told.unmet[0].who.as_str()),
        ("trader-c", "officer")
    );

    let bare = wire::AddBookLineRequest {
        units: None,
        hs_code: String::new(),
        ..manioc(BOOK_A)
    };
    let bare = harness
        .api
        .add_book_line(as_trader("trader-a", bare))
        .await
        .unwrap_err();
    let told = from_status(&bare);
    assert_eq!(
        (told.reason.as_str(), told.faults.len()),
        ("BOOK_LINE_INVALID", 4)
    );

    let query = wire::GetStockRequest {
        line_number: 1,
        detail: 9,
        recorded_at: Some(Timestamp {
            seconds: i64::MAX,
            nanos: 0,
        }),
        ..Default::default()
    };
    let query = from_status(
        &harness
            .api
            .get_stock(as_trader("trader-a", query))
            .await
            .unwrap_err(),
    );
    assert_eq!(
        (query.reason.as_str(), query.faults.len()),
        ("STOCK_QUERY_INVALID", 3)
    );

    let known_head = Some(wire::ChainHead {
        ordinal: 1,
        chain: vec![1, 2, 3].into(),
        recorded_at: None,
    });
    let head = wire::VerifyChainRequest {
        book_number: BOOK_A.into(),
        known_head,
    };
    let head = from_status(
        &harness
            .api
            .verify_chain(as_trader("trader-a", head))
            .await
            .unwrap_err(),
    );
    assert_eq!(head.reason, "CHAIN_HEAD_INVALID");

    let elsewhere = wire::OpenBookRequest {
        request_id: "1".into(),
        site_id: CENTRE.into(),
        ..Default::default()
    };
    let elsewhere = from_status(
        &harness
            .api
            .open_book(as_trader("trader-a", elsewhere))
            .await
            .unwrap_err(),
    );
    assert_eq!(elsewhere.reason, "REQUEST_ID_INVALID");
    assert!(
        harness
            .stock(as_trader("trader-a", stock_of(BOOK_A)))
            .await
            .unwrap()
            .is_empty()
    );
}
