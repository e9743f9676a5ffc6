//! Books and lines: opening, adding, suspending, and for whom they exist.

use bonded::app::Input;
use bonded::domain::book::OpenBook;
use chassis::Role;
use proto::bonded::events::v1::book_event::Fact;
use proto::bonded::v1 as wire;
use proto::bonded::v1::bonded_service_server::BondedService;
use proto::common::v1::Page;

use crate::support::{
    BOOK_A, BOOK_B, CENTRE, Harness, as_caller, as_operator, as_trader, id, manioc, manioc_command,
    reason, rules, trader,
};

#[tokio::test]
async fn a_trader_opens_a_book_adds_lines_and_reads_them_page_by_page() {
    let harness = Harness::with_books().await;
    for _ in 0..4 {
        harness.add_line("trader-a", BOOK_A).await.unwrap();
    }
    let mut numbers = Vec::new();
    let mut page_token = String::new();
    loop {
        let request = wire::GetBookRequest {
            book_number: BOOK_A.to_lowercase(),
            page: Some(Page {
                page_size: 2,
                page_token,
            }),
        };
        let answer = harness
            .api
            .get_book(as_trader("trader-a", request))
            .await
            .unwrap()
            .into_inner();
        let book = answer.book.unwrap();
        assert_eq!(
            (book.lines, book.version, book.site_id.as_str()),
            (5, 6, CENTRE)
        );
        numbers.extend(answer.lines.iter().map(|line| line.line_number));
        page_token = answer.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(numbers, [1, 2, 3, 4, 5]);
}

#[tokio::test]
async fn a_book_without_a_number_is_given_one() {
    let harness = Harness::with_books().await;
    let one = harness.open("trader-a", "").await.unwrap();
    let other = harness.open("trader-a", "").await.unwrap();
    assert_eq!(one.book_number.len(), 12);
    assert_ne!(one.book_number, other.book_number);
    assert_eq!(
        harness
            .add_line("trader-a", &one.book_number)
            .await
            .unwrap()
            .line_number,
        1
    );
}

#[tokio::test]
async fn a_repeated_request_gives_the_first_answer_and_opens_nothing() {
    let harness = Harness::with_books().await;
    let request = manioc(BOOK_A);
    let first = harness
        .api
        .add_book_line(as_trader("trader-a", request.clone()))
        .await
        .unwrap()
        .into_inner();
    let again = harness
        .api
        .add_book_line(as_trader("trader-a", request.clone()))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(first, again);
    let other = wire::AddBookLineRequest {
        goods_description: "Other goods".into(),
        ..request
    };
    let status = harness
        .api
        .add_book_line(as_trader("trader-a", other))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "REQUEST_ID_REUSED");
    assert_eq!(harness.published().await.len(), 5, "two books, three lines");
}

#[tokio::test]
async fn a_dry_run_answers_the_same_and_writes_nothing() {
    let harness = Harness::with_books().await;
    let request = wire::AddBookLineRequest {
        validate_only: true,
        ..manioc(BOOK_A)
    };
    let dry = harness
        .api
        .add_book_line(as_trader("trader-a", request))
        .await
        .unwrap()
        .into_inner()
        .line
        .unwrap();
    let real = harness.add_line("trader-a", BOOK_A).await.unwrap();
    assert_eq!(
        (dry.line_number, dry.version),
        (real.line_number, real.version)
    );
    assert_eq!(real.line_number, 2);
    let request = wire::OpenBookRequest {
        request_id: id(),
        validate_only: true,
        site_id: CENTRE.into(),
        book_number: "BOOKTRADERA2".into(),
    };
    harness
        .api
        .open_book(as_trader("trader-a", request))
        .await
        .unwrap();
    let request = wire::GetBookRequest {
        book_number: "BOOKTRADERA2".into(),
        page: None,
    };
    assert_eq!(
        reason(
            &harness
                .api
                .get_book(as_trader("trader-a", request))
                .await
                .unwrap_err()
        ),
        "NOT_FOUND"
    );
}

#[tokio::test]
async fn a_number_is_given_once_and_of_two_that_race_for_it_one_wins() {
    let harness = Harness::with_books().await;
    let open = |party: &str| {
        Input::OpenBook(
            OpenBook::read(trader(party), false, CENTRE, "BOOKCONTESTD", &rules()).unwrap(),
        )
    };
    let (a, b) = tokio::join!(
        harness.decide("trader-a", open("trader-a")),
        harness.decide("trader-b", open("trader-b"))
    );
    let refusal = match (a, b) {
        (Ok(_), Err(refusal)) | (Err(refusal), Ok(_)) => refusal,
        both => panic!("exactly one wins: {both:?}"),
    };
    assert_eq!(refusal.reason, "BOOK_EXISTS");
}

#[tokio::test]
async fn lines_added_at_once_all_get_their_own_number() {
    let harness = Harness::with_books().await;
    let added =
        futures::future::join_all((0..50).map(|_| harness.add_line("trader-a", BOOK_A))).await;
    let mut numbers: Vec<u32> = added
        .into_iter()
        .map(|line| line.unwrap().line_number)
        .collect();
    numbers.sort_unstable();
    assert_eq!(numbers, (2..=51).collect::<Vec<_>>());
}

#[tokio::test]
async fn another_traders_book_does_not_exist() {
    let harness = Harness::with_books().await;
    stack::without_row_security(&harness.database).await;
    let number = || BOOK_A.to_owned();
    let read = harness
        .api
        .get_book(as_trader(
            "trader-b",
            wire::GetBookRequest {
                book_number: number(),
                page: None,
            },
        ))
        .await
        .unwrap_err();
    let stock = harness
        .stock(as_trader(
            "trader-b",
            wire::GetStockRequest {
                book_number: number(),
                ..Default::default()
            },
        ))
        .await
        .unwrap_err();
    let movements = wire::ListMovementsRequest {
        book_number: number(),
        ..Default::default()
    };
    let movements = harness
        .api
        .list_movements(as_trader("trader-b", movements))
        .await
        .unwrap_err();
    let verified = wire::VerifyChainRequest {
        book_number: number(),
        known_head: None,
    };
    let verified = harness
        .api
        .verify_chain(as_trader("trader-b", verified))
        .await
        .unwrap_err();
    let added = harness.add_line("trader-b", BOOK_A).await.unwrap_err();
    let unknown = harness
        .add_line("trader-b", "BOOKNOBODYS1")
        .await
        .unwrap_err();
    for status in [&read, &stock, &movements, &verified, &added, &unknown] {
        assert_eq!(status.code(), tonic::Code::NotFound, "{status:?}");
    }
    assert_eq!(
        added.message().replace(BOOK_A, ""),
        unknown.message().replace("BOOKNOBODYS1", ""),
        "the two cannot be told apart"
    );
    let books = harness
        .api
        .list_books(as_trader("trader-b", wire::ListBooksRequest::default()))
        .await
        .unwrap()
        .into_inner()
        .books;
    assert_eq!(
        books
            .iter()
            .map(|book| book.book_number.as_str())
            .collect::<Vec<_>>(),
        [BOOK_B]
    );
    let asked = wire::ListBooksRequest {
        trader_party: "trader-a".into(),
        ..Default::default()
    };
    assert!(
        harness
            .api
            .list_books(as_trader("trader-b", asked))
            .await
            .unwrap()
            .into_inner()
            .books
            .is_empty()
    );
}

#[tokio::test]
async fn the_operator_sees_the_books_of_its_centre_and_of_no_other() {
    let harness = Harness::with_books().await;
    stack::without_row_security(&harness.database).await;
    let list = |page: Option<Page>| wire::ListBooksRequest {
        page,
        ..Default::default()
    };
    let first = Page {
        page_size: 1,
        page_token: String::new(),
    };
    let page = harness
        .api
        .list_books(as_operator(CENTRE, list(Some(first))))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(page.books[0].book_number, BOOK_A);
    let second = Page {
        page_size: 1,
        page_token: page.next_page_token,
    };
    let page = harness
        .api
        .list_books(as_operator(CENTRE, list(Some(second))))
        .await
        .unwrap()
        .into_inner();
    assert_eq!(
        (
            page.books[0].book_number.as_str(),
            page.next_page_token.as_str()
        ),
        (BOOK_B, "")
    );
    let elsewhere = harness
        .api
        .list_books(as_operator("GUOYUAN-PORT", list(None)))
        .await
        .unwrap()
        .into_inner();
    assert!(elsewhere.books.is_empty());
}

#[tokio::test]
async fn a_party_that_is_no_trader_sees_no_book_even_of_its_own_name() {
    let harness = Harness::with_books().await;
    let request = wire::GetBookRequest {
        book_number: BOOK_A.into(),
        page: None,
    };
    let status = harness
        .api
        .get_book(as_caller("trader-a", Role::Broker, &[CENTRE], request))
        .await
        .unwrap_err();
    assert_eq!(reason(&status), "NOT_FOUND");
}

fn suspension(
    for_increase: bool,
    for_decrease: bool,
    expected_version: u64,
) -> wire::SuspendBookLineRequest {
    wire::SuspendBookLineRequest {
        request_id: id(),
        book_number: BOOK_A.into(),
        line_number: 1,
        suspended_for_increase: for_increase,
        suspended_for_decrease: for_decrease,
        reason: "stock-taking".into(),
        expected_version,
    }
}

#[tokio::test]
async fn rule_7_the_operator_suspends_a_line_and_takes_it_back() {
    let harness = Harness::with_books().await;
    let both = harness
        .api
        .suspend_book_line(as_operator(CENTRE, suspension(true, true, 1)))
        .await
        .unwrap()
        .into_inner()
        .line
        .unwrap();
    assert!(both.suspended_for_increase && both.suspended_for_decrease);
    assert_eq!(
        (both.version, both.suspension_reason.as_str()),
        (2, "stock-taking")
    );
    let again = harness
        .api
        .suspend_book_line(as_operator(CENTRE, suspension(true, true, 2)))
        .await
        .unwrap()
        .into_inner()
        .line
        .unwrap();
    assert_eq!(again.version, 2, "nothing changed");
    let stale = harness
        .api
        .suspend_book_line(as_operator(CENTRE, suspension(false, false, 1)))
        .await
        .unwrap_err();
    assert_eq!(reason(&stale), "STALE_VERSION");
    let none = harness
        .api
        .suspend_book_line(as_operator(CENTRE, suspension(false, false, 0)))
        .await
        .unwrap()
        .into_inner()
        .line
        .unwrap();
    assert!(!none.suspended_for_increase && !none.suspended_for_decrease);
    let elsewhere = harness
        .api
        .suspend_book_line(as_operator("GUOYUAN-PORT", suspension(true, true, 0)))
        .await
        .unwrap_err();
    assert_eq!(reason(&elsewhere), "NOT_FOUND");
    let beyond = wire::SuspendBookLineRequest {
        line_number: 9,
        ..suspension(true, true, 0)
    };
    assert_eq!(
        reason(
            &harness
                .api
                .suspend_book_line(as_operator(CENTRE, beyond))
                .await
                .unwrap_err()
        ),
        "NOT_FOUND"
    );
}

#[tokio::test]
async fn every_fact_of_a_book_is_published_with_a_version_that_grows_by_one() {
    let harness = Harness::with_books().await;
    harness
        .api
        .suspend_book_line(as_operator(CENTRE, suspension(true, false, 0)))
        .await
        .unwrap();
    let facts: Vec<_> = harness
        .published()
        .await
        .into_iter()
        .filter(|(row, _)| row.key == BOOK_A)
        .collect();
    let told: Vec<_> = facts
        .iter()
        .map(|(row, event)| {
            (
                row.event_type.as_str(),
                event.version,
                event.trader_party.as_str(),
            )
        })
        .collect();
    assert_eq!(
        told,
        [
            ("greenlane.bonded.book.opened", 1, "trader-a"),
            ("greenlane.bonded.book.line-declared", 2, "trader-a"),
            ("greenlane.bonded.book.line-declared", 3, "trader-a"),
        ]
    );
    assert!(
        matches!(&facts[2].1.fact, Some(Fact::LineDeclared(line)) if line.suspended_for_increase && !line.suspended_for_decrease)
    );
}

#[tokio::test]
async fn what_one_input_of_a_batch_changes_the_next_sees() {
    let harness = Harness::with_books().await;
    // All in one batch or in several: the versions have no gap either way.
    let inputs = (0..20).map(|_| {
        harness.decide(
            "trader-b",
            Input::AddBookLine(manioc_command("trader-b", BOOK_B)),
        )
    });
    for outcome in futures::future::join_all(inputs).await {
        outcome.unwrap();
    }
    let versions: Vec<u64> = harness
        .published()
        .await
        .into_iter()
        .filter(|(row, _)| row.key == BOOK_B)
        .map(|(_, event)| event.version)
        .collect();
    assert_eq!(versions, (1..=22).collect::<Vec<_>>());
}
