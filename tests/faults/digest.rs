//! How everything stands, read from the four databases, without ids and times: what must be the same whoever
//! was stopped meanwhile. It must not know what happened.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use prost::Message as _;
use proto::release::events::v1::NoticeEvent;
use rust_decimal::Decimal;
use torture::play::settling::{self, Databases};

use crate::journey::Journey;
use crate::site::Site;

/// What is read, by database: each statement gives lines of text. `$1` is the journeys' containers, transport
/// documents and stock lists; the names are put out of the lines afterwards.
const STATEMENTS: &[(&str, &str)] = &[
    (
        "gate",
        "select format('container visit %s: %s, available %s, version %s', container_visit_id, phase, body->>'available', version)
         from container_visit where container_number = any($1)",
    ),
    (
        "gate",
        "select format('pre-arrival of %s: %s', array_to_string(containers, ' '), state)
         from pre_arrival where containers && $1",
    ),
    (
        "gate",
        "select format('truck visit for %s: %s', array_to_string(containers, ' '), state)
         from truck_visit where containers && $1",
    ),
    (
        "gate",
        "select format('hold of %s on %s: %s, lifted %s', keeper, scope_key, kind, lifted_at is not null)
         from hold where split_part(scope_key, '/', 2) = any($1)",
    ),
    (
        "gate",
        "select format('knows the decision on %s: %s to %s, %s', container_visit_id, state, haulier_party, journey)
         from known_decision where split_part(container_visit_id, '/', 2) = any($1)",
    ),
    (
        "gate",
        "select format('knows the stock list %s: %s, closed %s', list_number, body->'list'->>'state', body->>'closed')
         from list_passage where list_number = any($1)",
    ),
    (
        "gate",
        "select format('pass of %s: %s, last %s, of %s', list_number, pass->>'state', pass->>'last', pass->'lines')
         from list_passage cross join jsonb_array_elements(body->'passes') as pass where list_number = any($1)",
    ),
    (
        "customs",
        "select format('declaration %s: %s, debt %s, outstanding %s, open %s', lrn, status, debt, outstanding, open)
         from declaration join declaration_reference on declaration_id = id and kind = 'container'
         where value = any($1)",
    ),
    (
        "customs",
        "select format('declaration on %s: %s', value, fact)
         from declaration_history join declaration_reference using (declaration_id)
         where kind = 'container' and value = any($1)",
    ),
    (
        "customs",
        "select format('notification about %s: %s, filing version %s', value, code, filing_version)
         from notification join declaration_reference using (declaration_id)
         where kind = 'container' and value = any($1)",
    ),
    (
        "customs",
        "select format('account of %s: %s %s for %s', payer, account_entry.kind, amount, value)
         from account_entry join declaration_reference using (declaration_id)
         where declaration_reference.kind = 'container' and value = any($1)",
    ),
    (
        "customs",
        "select format('guarantee of %s: %s %s for %s', trader, guarantee_entry.kind, amount, value)
         from guarantee_entry join declaration_reference using (declaration_id)
         where declaration_reference.kind = 'container' and value = any($1)",
    ),
    (
        "customs",
        "select format('knows the stock list %s: %s', list_number, state) from stock_list where list_number = any($1)",
    ),
    (
        "customs",
        "select format('visit %s: %s', visit_id, phase) from visit where container = any($1)",
    ),
    (
        "customs",
        "select format('hold on %s: %s, lifted %s', scope_key, kind, lifted_at is not null)
         from hold where split_part(scope_key, '/', 2) = any($1)",
    ),
    (
        "bonded",
        "select format('stock list %s of %s: %s %s, closed short %s', list_number, book_number, direction, state, closed_short_reason)
         from stock_list where list_number = any($1)",
    ),
    (
        "bonded",
        "select format('line %s of %s: %s / %s / %s, counted %s', line_number, list_number, declared, statutory_1, statutory_2, counted)
         from stock_list_line where list_number = any($1)",
    ),
    (
        "bonded",
        "select format('part of %s: expected %s / %s / %s, moved %s / %s / %s, entered %s', part.list_number,
                provisional_declared, provisional_statutory_1, provisional_statutory_2,
                actual_declared, actual_statutory_1, actual_statutory_2, entry_date is not null)
         from stock_list_part as part join lot using (lot_id) where part.list_number = any($1)",
    ),
    (
        "bonded",
        "select format('movement for %s: %s %s %s / %s / %s', cause_reference, cause_kind, total, declared, statutory_1, statutory_2)
         from movement where split_part(cause_reference, '/', 1) = any($1)",
    ),
    (
        "bonded",
        "select format('discrepancy of %s: %s, expected %s, found %s, %s', list_number, kind, expected, found, resolution)
         from discrepancy where list_number = any($1)",
    ),
    (
        "bonded",
        "select format('knows what passes of %s: closed %s', list_number, closed) from list_passage where list_number = any($1)",
    ),
    (
        "bonded",
        "select format('knows a pass of %s: %s, %s %s of line %s', list_number, state, quantity, unit, line_number)
         from list_pass join list_pass_line using (list_number, pre_arrival_id) where list_number = any($1)",
    ),
    (
        "bonded",
        "select format('knows a declaration of %s: released %s', list_number, released)
         from known_declaration cross join unnest(stock_lists) as list_number where list_number = any($1)",
    ),
    (
        "release",
        "select format('decision on %s: %s, over %s, unknown %s', container_visit_id, decision_state, over, unknown)
         from container_visit where container_number = any($1)",
    ),
    (
        "release",
        "select format('decision on %s: %s, over %s, unknown %s', list_number, decision_state, over, unknown)
         from stock_list where list_number = any($1)",
    ),
    (
        "release",
        "select format('commercial release of %s by %s to %s, revoked %s', transport_document, line_party, haulier_party, revoked_at is not null)
         from commercial_release
         where transport_document in (select unnest(transport_documents) from container_visit where container_number = any($1))",
    ),
    (
        "release",
        "select format('hold of %s on %s: %s, lifted %s', service, scope, kind, lifted_at is not null)
         from hold where split_part(scope, '/', 3) = any($1)",
    ),
    (
        "release",
        "select format('pre-arrival of %s: withdrawn %s', array_to_string(container_numbers, ' '), withdrawn)
         from pre_arrival where container_numbers && $1",
    ),
    (
        "release",
        "select format('timeline of %s: %s %s', container_numbers[1], service, fact)
         from timeline_entry where container_numbers && $1",
    ),
    (
        "release",
        "select format('timeline of %s: %s %s', transport_document, service, fact)
         from timeline_entry where transport_document = any($1)",
    ),
    (
        "release",
        "select format('timeline of %s: %s %s', list_number, service, fact)
         from timeline_entry where list_number = any($1) and fact <> 'RELEASE_WITHHELD'",
    ),
];

/// Figures of all journeys together, by database: each statement gives names and values, and what is compared is
/// how they changed, because what was there before differs from play to play.
const FIGURES: &[(&str, &str)] = &[
    (
        "customs",
        "select format('account of %s: %s', payer, name), value
         from account cross join lateral (values ('balance', balance), ('secured', secured)) as figure (name, value)",
    ),
    (
        "customs",
        "select format('guarantee of %s: in use', trader), in_use from guarantee",
    ),
    (
        "bonded",
        "select format('line %s of book %s: %s', line_number, book_number, name), sum(value)
         from balance cross join lateral (values
            ('incoming', provisional_increase_declared),
            ('incoming, first statutory', provisional_increase_statutory_1),
            ('incoming, second statutory', provisional_increase_statutory_2),
            ('reserved', provisional_decrease_declared),
            ('reserved, first statutory', provisional_decrease_statutory_1),
            ('reserved, second statutory', provisional_decrease_statutory_2),
            ('in', actual_increase_declared),
            ('in, first statutory', actual_increase_statutory_1),
            ('in, second statutory', actual_increase_statutory_2),
            ('out', actual_decrease_declared),
            ('out, first statutory', actual_decrease_statutory_1),
            ('out, second statutory', actual_decrease_statutory_2)) as figure (name, value)
         group by 1",
    ),
    (
        "bonded",
        "select format('book %s: movements', book_number), head_ordinal::numeric from book",
    ),
];

/// What is said anew whenever its conditions change. How often that is depends on which facts came together,
/// and says nothing about the end: that it was said does.
const SAID_AGAIN: [&str; 2] = ["PRE_ARRIVAL_BLOCKED", "RELEASE_WITHHELD"];

/// A decision that another has replaced is told to nobody who is heard of later: what was in the way before a
/// party came is no news to it, and may be the business of somebody else. So whether a party was told of one
/// on the way depends on whether release heard first of the party or of what was in the way. What is decided
/// in the end is told to everybody. On a stock list release may decide only when nothing is in the way any more,
/// if it hears of its declaration first: so none of them is looked for in a list's timeline.
const ON_THE_WAY: &str = "RELEASE_WITHHELD";

/// Who carries goods of a stock list is heard of when their release is granted, and told of the grant while it
/// stands: not if release hears of the filing when the goods are gone.
const CARRIERS: [&str; 2] = ["haulier-a", "terminal"];
const GRANTED: &str = "RELEASE_GRANTED";

/// Lines, and how often each is there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Digest(BTreeMap<String, usize>);

impl Digest {
    fn add(&mut self, line: String) {
        let once = SAID_AGAIN.iter().any(|fact| line.contains(fact));
        let times = self.0.entry(line).or_default();
        *times = if once { 1 } else { *times + 1 };
    }

    /// Asserts that another says the same, and shows where it does not.
    #[track_caller]
    pub fn must_equal(&self, other: &Digest, when: &str) {
        let mut differences = String::new();
        let lines: std::collections::BTreeSet<&String> =
            self.0.keys().chain(other.0.keys()).collect();
        for line in lines {
            let times = |digest: &Digest| digest.0.get(line).copied().unwrap_or_default();
            let (wanted, found) = (times(self), times(other));
            if wanted != found {
                let _ = writeln!(differences, "  {wanted} times, now {found} times: {line}");
            }
        }
        assert!(
            differences.is_empty(),
            "the final state differs after {when}\n{differences}"
        );
    }
}

/// What [`FIGURES`] give.
pub type Figures = BTreeMap<String, Decimal>;

/// The four databases.
pub struct Ledgers(Databases);

impl Ledgers {
    /// Those of a site that runs.
    pub fn open(site: &Site) -> Ledgers {
        Ledgers(settling::open(site))
    }

    /// Waits until everybody has read all that the others published, and nothing new came of it.
    pub async fn settled(&self) {
        settling::settled(&self.0).await;
    }

    /// The figures as they are now.
    pub async fn figures(&self) -> Figures {
        let mut figures = Figures::new();
        for (service, statement) in FIGURES {
            let rows: Vec<(String, Decimal)> = sqlx::query_as(*statement)
                .fetch_all(&self.0[service])
                .await
                .unwrap_or_else(|error| panic!("{error}: {statement}"));
            let named = rows
                .into_iter()
                .map(|(name, value)| (format!("{service}: {name}"), value));
            figures.extend(named);
        }
        figures
    }

    /// How these journeys stand, and how they changed the figures since `before`.
    pub async fn digest(&self, journeys: &[Journey<'_>], before: &Figures) -> Digest {
        let mut digest = Digest::default();
        let names: Vec<String> = journeys
            .iter()
            .flat_map(|journey| {
                [
                    &journey.container,
                    &journey.transport_document,
                    &journey.list,
                ]
            })
            .filter(|name| !name.is_empty())
            .cloned()
            .collect();
        for (service, statement) in STATEMENTS {
            let lines: Vec<String> = sqlx::query_scalar(*statement)
                .bind(&names)
                .fetch_all(&self.0[service])
                .await
                .unwrap_or_else(|error| panic!("{error}: {statement}"));
            for line in lines {
                digest.add(format!("{service}: {}", without_names(&line, journeys)));
            }
        }
        for (name, value) in self.figures().await {
            let value_before = before.get(&name).copied().unwrap_or_default();
            let changed = (value - value_before).normalize();
            digest.add(format!("{name} changed by {changed}"));
        }
        for NoticeEvent {
            party_id,
            fact,
            subject,
            container_number,
            title,
            ..
        } in self.notices(&names).await
        {
            let of_list = subject.starts_with("stock-list/");
            let while_it_stands =
                of_list && fact == GRANTED && CARRIERS.contains(&party_id.as_str());
            if fact == ON_THE_WAY || while_it_stands {
                continue;
            }
            let about = if names.contains(&container_number) {
                container_number
            } else {
                title
            };
            let about = without_names(&about, journeys);
            digest.add(format!("notice to {party_id}: {fact} {about}"));
        }
        digest
    }

    /// What parties were told about these containers, documents or lists; nothing twice.
    async fn notices(&self, names: &[String]) -> Vec<NoticeEvent> {
        let payloads: Vec<Vec<u8>> = sqlx::query_scalar(
            "select payload from fabric.outbox where topic like '%release.notice%' order by partition, seq",
        )
        .fetch_all(&self.0["release"])
        .await
        .unwrap();
        let mut told: BTreeMap<(String, String), NoticeEvent> = BTreeMap::new();
        for payload in payloads {
            let notice = NoticeEvent::decode(payload.as_slice()).unwrap();
            if names.contains(&notice.container_number) || names.contains(&notice.title) {
                let fact = (notice.party_id.clone(), notice.source_event_id.clone());
                let twice = told.insert(fact, notice);
                assert_eq!(twice, None, "a party was told twice of one fact");
            }
        }
        told.into_values().collect()
    }
}

/// What differs from run to run, put out of a line: the names of containers, documents and filings.
fn without_names(line: &str, journeys: &[Journey<'_>]) -> String {
    journeys.iter().fold(line.to_owned(), |line, journey| {
        let names = [
            &journey.container,
            &journey.transport_document,
            &journey.lrn,
            &journey.list,
        ];
        let cargo = format!("the cargo of {}", journey.script.name);
        names
            .into_iter()
            .filter(|name| !name.is_empty())
            .fold(line, |line, name| line.replace(name, &cargo))
    })
}
