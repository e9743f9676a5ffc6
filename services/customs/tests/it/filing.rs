//! Filing: references, repeats, dry runs, streams, and who sees what.

use chassis::Role;
use futures::{StreamExt, future::join_all};
use proto::customs::v1 as wire;
use proto::customs::v1::customs_service_server::CustomsService;

use crate::support::*;

fn document(declaration: &wire::Declaration) -> bytes::Bytes {
    wco::write(declaration).into()
}

async fn file_document(
    scene: &Scene,
    request_id: String,
    bytes: bytes::Bytes,
) -> (wire::Filing, bool) {
    let request = wire::FileDocumentRequest {
        request_id,
        validate_only: false,
        document: bytes,
    };
    let response = scene
        .api
        .file_document(asked("broker-a", Role::Broker, request))
        .await
        .unwrap();
    let repeated = response.metadata().contains_key("greenlane-repeated");
    (response.into_inner().filing.unwrap(), repeated)
}

#[tokio::test]
async fn rule_7_the_same_reference_gives_the_first_answer_or_a_conflict_that_names_the_declaration()
{
    let scene = Scene::new().await;
    let first = scene.file(umbrellas("F-1")).await;
    let again = scene.file(umbrellas("F-1")).await;
    assert!(again.answered_before);
    assert_eq!(
        wire::Filing {
            answered_before: false,
            ..again
        },
        first
    );
    let mut other = umbrellas("F-1");
    other.items[0].description = "other umbrellas".into();
    let refused =
        chassis::from_status(&scene.try_file("broker-a", other.clone()).await.unwrap_err());
    assert_eq!(
        (refused.reason.as_str(), refused.resource),
        (
            "LRN_IN_USE",
            Some(("declaration".to_owned(), first.declaration_id))
        )
    );
    // Another filer's references are its own.
    let theirs = scene.try_file("broker-c", other).await.unwrap();
    assert_eq!(
        theirs.outcome(),
        wire::FilingOutcome::Rejected,
        "no mandate, but no conflict either"
    );
}

#[tokio::test]
async fn rule_7_after_a_rejection_the_reference_is_free() {
    let scene = Scene::new().await;
    let rejected = scene
        .file(wire::Declaration {
            goods_item_quantity: Some(7),
            ..umbrellas("F-2")
        })
        .await;
    assert_eq!(
        (rejected.outcome(), codes(&rejected.faults)),
        (wire::FilingOutcome::Rejected, vec!["ITEM_COUNT_DIFFERS"])
    );
    assert_eq!(
        (rejected.mrn.as_str(), rejected.declaration_id.is_empty()),
        ("", false)
    );
    assert_eq!(
        scene.notifications(&rejected.declaration_id).await,
        ["DMSREJ"]
    );
    assert_eq!(
        scene.file(umbrellas("F-2")).await.outcome(),
        wire::FilingOutcome::Registered
    );
    assert!(
        scene.facts(&rejected.declaration_id).await.is_empty(),
        "a rejection concerns its filer alone"
    );
}

#[tokio::test]
async fn a_message_and_the_document_that_says_the_same_are_one_declaration() {
    let scene = Scene::new().await;
    let declaration = umbrellas("F-3");
    let (by_document, repeated) = file_document(&scene, id(), document(&declaration)).await;
    assert!(!repeated);
    let by_message = scene.file(declaration.clone()).await;
    assert!(by_message.answered_before);
    assert_eq!(by_message.declaration_id, by_document.declaration_id);
    let kept = scene
        .api
        .get_document(officer(wire::GetDocumentRequest {
            declaration_id: by_document.declaration_id.clone(),
        }))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (kept.content_type.as_str(), kept.document),
        ("application/xml", document(&declaration))
    );
    assert_eq!(
        scene
            .declaration(&by_document.declaration_id)
            .await
            .declaration,
        Some(declaration)
    );
}

#[tokio::test]
async fn the_same_request_is_answered_with_the_same_answer_and_says_so() {
    let scene = Scene::new().await;
    let (request_id, bytes) = (id(), document(&umbrellas("F-4")));
    let first = file_document(&scene, request_id.clone(), bytes.clone()).await;
    let second = file_document(&scene, request_id.clone(), bytes).await;
    assert_eq!((first.1, second.1), (false, true));
    assert_eq!(first.0, second.0);
    let other = wire::FileDocumentRequest {
        request_id,
        validate_only: false,
        document: document(&umbrellas("F-5")),
    };
    let refused = scene
        .api
        .file_document(asked("broker-a", Role::Broker, other))
        .await
        .unwrap_err();
    assert_eq!(reason(&refused), "REQUEST_ID_REUSED");
}

#[tokio::test]
async fn rule_8_a_dry_run_gives_the_same_list_and_records_nothing() {
    let scene = Scene::new().await;
    let faulty = wire::Declaration {
        goods_item_quantity: Some(7),
        type_code: "IMX".into(),
        ..umbrellas("F-6")
    };
    let dry = |declaration: &wire::Declaration| {
        let request = wire::FileDeclarationRequest {
            request_id: id(),
            validate_only: true,
            declaration: Some(declaration.clone()),
        };
        scene
            .api
            .file_declaration(asked("broker-a", Role::Broker, request))
    };
    let tried = dry(&faulty).await.unwrap().into_inner().filing.unwrap();
    let filed = scene.file(faulty).await;
    assert_eq!(
        (&tried.faults, &tried.warnings),
        (&filed.faults, &filed.warnings)
    );
    assert_eq!(
        (
            tried.declaration_id.as_str(),
            tried.mrn.as_str(),
            tried.validated_only
        ),
        ("", "", true)
    );
    let sound = umbrellas("F-7");
    assert_eq!(
        dry(&sound)
            .await
            .unwrap()
            .into_inner()
            .filing
            .unwrap()
            .outcome(),
        wire::FilingOutcome::Registered
    );
    let outbox = scene.fabric.outbox().await.unwrap().len();
    assert_eq!(
        dry(&sound)
            .await
            .unwrap()
            .into_inner()
            .filing
            .unwrap()
            .outcome(),
        wire::FilingOutcome::Registered
    );
    assert_eq!(scene.fabric.outbox().await.unwrap().len(), outbox);
    assert!(!scene.file(sound).await.answered_before);
}

#[tokio::test]
async fn unsupported_and_unreadable_documents_are_answered_and_repeated_too() {
    let scene = Scene::new().await;
    let amendment = std::fs::read(documents().join("TT_IM002b/TT_IM002b_Amendment.xml")).unwrap();
    let (request_id, bytes) = (id(), bytes::Bytes::from(amendment));
    let (filing, repeated) = file_document(&scene, request_id.clone(), bytes.clone()).await;
    assert_eq!(
        (
            filing.outcome(),
            filing.unsupported_kind.is_empty(),
            repeated
        ),
        (wire::FilingOutcome::Unsupported, false, false)
    );
    assert!(file_document(&scene, request_id, bytes).await.1);
    let (broken, _) = file_document(
        &scene,
        id(),
        bytes::Bytes::from_static(b"<Declaration>\n <oops"),
    )
    .await;
    assert_eq!(
        (broken.outcome(), broken.unreadable.unwrap().line),
        (wire::FilingOutcome::Unreadable, 2)
    );
}

#[tokio::test]
async fn rule_14_a_party_we_know_needs_to_have_given_a_mandate_and_an_unknown_one_warns() {
    let scene = Scene::new().await;
    let rejected = scene.try_file("broker-b", umbrellas("F-8")).await.unwrap();
    assert_eq!(
        codes(&rejected.faults),
        ["MANDATE_MISSING", "MANDATE_MISSING"]
    );
    assert!(rejected.faults.iter().any(|fault| fault.path
        == "/Declaration/GoodsShipment/Importer/ID"
        && fault.pointer.starts_with("42A/67A")));
    let mut declaration = umbrellas("F-9");
    for party in [&mut declaration.importer, &mut declaration.declarant] {
        *party = Some(wire::Party {
            id: TRADER_B_EORI.replace("GB", "XI"),
            ..Default::default()
        });
    }
    let taken = scene
        .try_file("broker-b", declaration.clone())
        .await
        .unwrap();
    assert_eq!(
        taken.outcome(),
        wire::FilingOutcome::Registered,
        "by the other form of the EORI"
    );
    assert_eq!(
        scene.declaration(&taken.declaration_id).await.trader_party,
        "trader-b"
    );
    declaration.lrn = "F-10".into();
    declaration.importer = Some(wire::Party {
        id: "GB999999999999".into(),
        ..Default::default()
    });
    let unknown = scene.try_file("broker-b", declaration).await.unwrap();
    assert!(codes(&unknown.warnings).contains(&"PARTY_UNKNOWN"));
    assert_eq!(unknown.outcome(), wire::FilingOutcome::Registered);
}

#[tokio::test]
async fn another_firms_declaration_is_not_there() {
    let scene = Scene::by_filters_alone().await;
    let filing = scene.file(umbrellas("F-11")).await;
    let name = || {
        Some(wire::get_declaration_request::Name::DeclarationId(
            filing.declaration_id.clone(),
        ))
    };
    for (party, role, sees) in [
        ("broker-a", Role::Broker, true),
        ("trader-a", Role::Trader, true),
        ("broker-b", Role::Broker, false),
        ("trader-b", Role::Trader, false),
    ] {
        let found = scene
            .api
            .get_declaration(asked(
                party,
                role,
                wire::GetDeclarationRequest { name: name() },
            ))
            .await;
        assert_eq!(found.is_ok(), sees, "{party}");
        assert!(found.is_ok() || found.is_err_and(|status| reason(&status) == "NOT_FOUND"));
        let document = scene
            .api
            .get_document(asked(
                party,
                role,
                wire::GetDocumentRequest {
                    declaration_id: filing.declaration_id.clone(),
                },
            ))
            .await;
        assert_eq!(document.is_ok(), sees, "{party}");
        let request = wire::ListNotificationsRequest {
            declaration_id: filing.declaration_id.clone(),
            ..Default::default()
        };
        let notifications = scene
            .api
            .list_notifications(asked(party, role, request))
            .await
            .unwrap()
            .into_inner()
            .notifications;
        assert_eq!(!notifications.is_empty(), sees, "{party}");
    }
}

#[tokio::test]
async fn declarations_are_found_by_what_they_name_in_pages_newest_first() {
    let scene = Scene::new().await;
    let filed = [
        scene.file(umbrellas("L-1")).await,
        scene.file(umbrellas("L-2")).await,
        scene.file(umbrellas("L-3")).await,
    ];
    let list = |request: wire::ListDeclarationsRequest| async {
        let response = scene
            .api
            .list_declarations(asked("broker-a", Role::Broker, request))
            .await
            .unwrap()
            .into_inner();
        (
            response
                .declarations
                .into_iter()
                .map(|record| record.lrn)
                .collect::<Vec<_>>(),
            response.next_page_token,
        )
    };
    let page = |token: String| {
        Some(proto::common::v1::Page {
            page_size: 2,
            page_token: token,
        })
    };
    let (first, token) = list(wire::ListDeclarationsRequest {
        container_number: "msku 907032-3".into(),
        page: page(String::new()),
        ..Default::default()
    })
    .await;
    assert_eq!(first, ["L-3", "L-2"]);
    let (second, token) = list(wire::ListDeclarationsRequest {
        container_number: BOX.into(),
        page: page(token),
        ..Default::default()
    })
    .await;
    assert_eq!((second, token.as_str()), (vec!["L-1".to_owned()], ""));
    assert_eq!(
        list(wire::ListDeclarationsRequest {
            mrn: filed[1].mrn.clone(),
            ..Default::default()
        })
        .await
        .0,
        ["L-2"]
    );
    assert_eq!(
        list(wire::ListDeclarationsRequest {
            transport_document: "bl1".into(),
            lrn: "L-1".into(),
            ..Default::default()
        })
        .await
        .0,
        ["L-1"]
    );
    let statuses = vec![wire::DeclarationStatus::Cleared.into()];
    assert!(
        list(wire::ListDeclarationsRequest {
            statuses,
            ..Default::default()
        })
        .await
        .0
        .is_empty()
    );
}

#[tokio::test]
async fn the_inbox_is_read_from_a_cursor_and_misses_nothing() {
    let scene = Scene::new().await;
    join_all((0..20).map(|number| scene.file(umbrellas(&format!("I-{number}"))))).await;
    let (mut cursor, mut seen) = (String::new(), Vec::new());
    loop {
        let request = wire::ListNotificationsRequest {
            cursor: cursor.clone(),
            page_size: 7,
            ..Default::default()
        };
        let page = scene
            .api
            .list_notifications(asked("broker-a", Role::Broker, request))
            .await
            .unwrap()
            .into_inner();
        if page.notifications.is_empty() {
            break;
        }
        seen.extend(
            page.notifications
                .into_iter()
                .map(|notification| notification.cursor.parse::<u32>().unwrap()),
        );
        cursor = page.next_cursor;
    }
    assert_eq!(
        seen,
        (1..=20).collect::<Vec<_>>(),
        "received, twenty times, without a gap"
    );
}

#[tokio::test]
async fn a_stream_answers_every_filing_and_a_refused_one_does_not_end_it() {
    let scene = Scene::new().await;
    let (sound, conflicting) = (
        umbrellas("ST-1"),
        wire::Declaration {
            declaration_office_id: "GB000060".into(),
            ..umbrellas("ST-1")
        },
    );
    scene.file(sound.clone()).await;
    let filing = |filing| wire::FileDeclarationsRequest {
        request_id: id(),
        validate_only: false,
        filing: Some(filing),
    };
    let requests = [
        filing(wire::file_declarations_request::Filing::Declaration(
            conflicting,
        )),
        filing(wire::file_declarations_request::Filing::Document(document(
            &umbrellas("ST-2"),
        ))),
        wire::FileDeclarationsRequest {
            request_id: "no id".into(),
            ..filing(wire::file_declarations_request::Filing::Declaration(sound))
        },
        wire::FileDeclarationsRequest {
            request_id: id(),
            validate_only: false,
            filing: None,
        },
    ];
    let ids: Vec<String> = requests
        .iter()
        .map(|request| request.request_id.clone())
        .collect();
    let mut answers = stream(&scene, requests.to_vec()).await;
    answers.sort_by_key(|answer| ids.iter().position(|id| *id == answer.request_id));
    let told: Vec<String> = answers
        .into_iter()
        .map(|answer| match answer.answer.unwrap() {
            wire::file_declarations_response::Answer::Filing(filing) => {
                filing.outcome().as_str_name().to_owned()
            }
            wire::file_declarations_response::Answer::Refusal(refusal) => refusal.reason,
        })
        .collect();
    assert_eq!(
        told,
        [
            "LRN_IN_USE",
            "FILING_OUTCOME_REGISTERED",
            "REQUEST_ID_INVALID",
            "CUSTOMS_REQUEST_INVALID"
        ]
    );
}

/// Sends requests over a real connection, as only a server can make the stream.
pub async fn stream(
    scene: &Scene,
    requests: Vec<wire::FileDeclarationsRequest>,
) -> Vec<wire::FileDeclarationsResponse> {
    use proto::customs::v1::customs_service_client::CustomsServiceClient;
    use proto::customs::v1::customs_service_server::CustomsServiceServer;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = CustomsServiceServer::with_interceptor(
        scene.api.clone(),
        |mut request: tonic::Request<()>| {
            let broker = asked("broker-a", Role::Broker, ());
            *request.extensions_mut() = broker.extensions().clone();
            Ok(request)
        },
    );
    let incoming = tokio_stream::wrappers::TcpListenerStream::new(listener);
    let serving = tokio::spawn(
        tonic::transport::Server::builder()
            .add_service(service)
            .serve_with_incoming(incoming),
    );
    let mut client = CustomsServiceClient::connect(format!("http://{address}"))
        .await
        .unwrap();
    let answers = client
        .file_declarations(tokio_stream::iter(requests))
        .await
        .unwrap()
        .into_inner();
    let answers = answers.map(|answer| answer.unwrap()).collect().await;
    serving.abort();
    answers
}

#[tokio::test]
async fn what_no_row_can_hold_is_an_answer_too() {
    let scene = Scene::new().await;
    let mut declaration = umbrellas("N-1\0");
    declaration.items[0].description = "a\0b".into();
    declaration.containers.push(container("\0"));
    let filing = scene.file(declaration).await;
    assert_eq!(filing.outcome(), wire::FilingOutcome::Registered);
    let long = scene
        .file(wire::Declaration {
            type_code: "T".repeat(50_000),
            lrn: "L".repeat(50_000),
            ..umbrellas("")
        })
        .await;
    assert_eq!(codes(&long.faults), ["TYPE_CODE_UNKNOWN", "LRN_FORM"]);
    let request = wire::ListDeclarationsRequest {
        lrn: "\0".into(),
        container_number: "\0".into(),
        ..Default::default()
    };
    let found = scene
        .api
        .list_declarations(asked("broker-a", Role::Broker, request))
        .await
        .unwrap()
        .into_inner();
    assert!(found.declarations.is_empty());
}

#[tokio::test]
async fn a_repeated_refusal_says_that_it_is_one() {
    let scene = Scene::new().await;
    scene.file(umbrellas("RR-1")).await;
    let conflicting = wire::Declaration {
        declaration_office_id: "GB000060".into(),
        ..umbrellas("RR-1")
    };
    let request = wire::FileDocumentRequest {
        request_id: id(),
        validate_only: false,
        document: document(&conflicting),
    };
    let mut said = Vec::new();
    for _ in 0..2 {
        let refused = scene
            .api
            .file_document(asked("broker-a", Role::Broker, request.clone()))
            .await
            .unwrap_err();
        assert_eq!(reason(&refused), "LRN_IN_USE");
        said.push(refused.metadata().contains_key("greenlane-repeated"));
    }
    assert_eq!(said, [false, true]);
    let streamed = wire::FileDeclarationsRequest {
        request_id: id(),
        validate_only: false,
        filing: Some(wire::file_declarations_request::Filing::Document(
            request.document,
        )),
    };
    let first = stream(&scene, vec![streamed.clone()]).await;
    let second = stream(&scene, vec![streamed]).await;
    assert_eq!((first[0].repeated, second[0].repeated), (false, true));
    assert_eq!(first[0].answer, second[0].answer);
}
