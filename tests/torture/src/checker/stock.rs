//! The stock: every number of a ledger is there, what is kept as a total is the sum of the movements, and nothing is
//! reserved or gone that was not there. It must not know why goods moved.

use std::collections::BTreeMap;

use rust_decimal::Decimal;

use super::{Kind, Violation};
use crate::evidence::{Ledger, Quantities};

pub(super) fn violations(ledger: &Ledger) -> Vec<Violation> {
    let mut found = gaps(ledger);
    let mut moved = sums(ledger.movements.iter().map(|movement| {
        let place = (movement.lot.as_str(), movement.total.as_str());
        (place, movement.quantities)
    }));
    let mut expected = sums(ledger.expected.iter().map(|part| {
        let place = (part.lot.as_str(), part.total.as_str());
        (place, part.quantities)
    }));
    for balance in &ledger.balances {
        let lot = balance.lot.as_str();
        for (total, kept) in &balance.totals {
            let sum = moved.remove(&(lot, total.as_str())).unwrap_or_default();
            if *kept != sum {
                let what = format!(
                    "lot {lot}: {total} is kept as {kept:?}, and its movements give {sum:?}"
                );
                found.push(Violation::new(Kind::StockNotConserved, what));
            }
        }
        for total in ["PROVISIONAL_INCREASE", "PROVISIONAL_DECREASE"] {
            let kept = balance.totals.get(total).copied().unwrap_or_default();
            let sum = expected.remove(&(lot, total)).unwrap_or_default();
            if kept != sum {
                let what =
                    format!("lot {lot}: {total} is {kept:?}, and the open lists have {sum:?}");
                found.push(Violation::new(Kind::ProvisionalOff, what));
            }
        }
        let of = |total: &str| balance.totals.get(total).copied().unwrap_or_default();
        let (incoming, outgoing) = (of("ACTUAL_INCREASE"), of("ACTUAL_DECREASE"));
        let reserved = of("PROVISIONAL_DECREASE");
        let available: Vec<Decimal> = (0..3)
            .map(|unit| incoming[unit] - outgoing[unit] - reserved[unit])
            .collect();
        if available.iter().any(|unit| *unit < Decimal::ZERO) {
            let what = format!("lot {lot}: {available:?} would be available");
            found.push(Violation::new(Kind::StockNegative, what));
        }
    }
    for ((lot, total), sum) in expected {
        let what = format!("lot {lot}: {total} is not kept, and the open lists have {sum:?}");
        found.push(Violation::new(Kind::ProvisionalOff, what));
    }
    for ((lot, total), sum) in moved {
        if sum != Quantities::default() {
            let what = format!("lot {lot}: {total} is not kept, and its movements give {sum:?}");
            found.push(Violation::new(Kind::StockNotConserved, what));
        }
    }
    found
}

/// A lot and one of its totals.
type Place<'a> = (&'a str, &'a str);

fn sums<'a>(
    parts: impl Iterator<Item = (Place<'a>, Quantities)>,
) -> BTreeMap<Place<'a>, Quantities> {
    let mut sums: BTreeMap<Place<'a>, Quantities> = BTreeMap::new();
    for (place, quantities) in parts {
        let sum = sums.entry(place).or_default();
        for (sum, quantity) in sum.iter_mut().zip(quantities) {
            *sum += quantity;
        }
    }
    sums
}

/// Ordinals of a book go from 1 to its head.
fn gaps(ledger: &Ledger) -> Vec<Violation> {
    let mut found = Vec::new();
    let mut last: BTreeMap<&str, i64> = BTreeMap::new();
    for movement in &ledger.movements {
        let before = last.insert(&movement.book, movement.ordinal).unwrap_or(0);
        if before + 1 != movement.ordinal {
            let what = format!(
                "book {}: movement {} ({}) follows {before}",
                movement.book, movement.ordinal, movement.id
            );
            found.push(Violation::new(Kind::LedgerGap, what));
        }
    }
    for (book, head) in &ledger.books {
        let last = last.get(book.as_str()).copied().unwrap_or(0);
        if *head != last {
            let what = format!("book {book}: its head is {head}, its last movement {last}");
            found.push(Violation::new(Kind::LedgerGap, what));
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::evidence::{Balance, Expected, Movement};

    const LOT: &str = "BOOKTRADERA1/1/1";

    fn three(quantity: i64) -> Quantities {
        [Decimal::from(quantity); 3]
    }

    /// Ten came in, three of them went out, and two are reserved.
    fn sound() -> Ledger {
        let moved = [
            ("ACTUAL_INCREASE", 10),
            ("PROVISIONAL_DECREASE", 5),
            ("PROVISIONAL_DECREASE", -3),
            ("ACTUAL_DECREASE", 3),
        ];
        Ledger {
            books: [("BOOKTRADERA1".to_owned(), 4)].into(),
            movements: (1..)
                .zip(moved)
                .map(|(ordinal, (total, quantity))| Movement {
                    id: Uuid::nil(),
                    book: "BOOKTRADERA1".into(),
                    ordinal,
                    lot: LOT.into(),
                    total: total.into(),
                    quantities: three(quantity),
                })
                .collect(),
            balances: vec![Balance {
                lot: LOT.into(),
                totals: [
                    ("ACTUAL_INCREASE".to_owned(), three(10)),
                    ("ACTUAL_DECREASE".to_owned(), three(3)),
                    ("PROVISIONAL_DECREASE".to_owned(), three(2)),
                    ("PROVISIONAL_INCREASE".to_owned(), three(0)),
                ]
                .into(),
            }],
            expected: vec![Expected {
                list: "QD800026E000000001".into(),
                lot: LOT.into(),
                total: "PROVISIONAL_DECREASE".into(),
                quantities: three(2),
            }],
        }
    }

    fn found_after(plant: impl FnOnce(&mut Ledger)) -> Vec<Kind> {
        let mut ledger = sound();
        plant(&mut ledger);
        violations(&ledger)
            .into_iter()
            .map(|violation| violation.kind)
            .collect()
    }

    fn set(ledger: &mut Ledger, total: &str, quantity: i64) {
        let totals = &mut ledger.balances[0].totals;
        totals.insert(total.to_owned(), three(quantity));
    }

    #[test]
    fn a_sound_ledger_has_no_violation() {
        assert_eq!(found_after(|_| {}), []);
    }

    #[test]
    fn a_movement_that_is_missing_is_a_gap_and_its_goods_are_not_conserved() {
        let middle = found_after(|ledger| {
            ledger.movements.remove(1);
        });
        assert_eq!(middle, [Kind::LedgerGap, Kind::StockNotConserved]);
        let end = found_after(|ledger| {
            ledger.movements.pop();
        });
        assert_eq!(end, [Kind::LedgerGap, Kind::StockNotConserved]);
    }

    #[test]
    fn a_total_that_is_not_the_sum_of_its_movements_is_found() {
        let edited = found_after(|ledger| set(ledger, "ACTUAL_INCREASE", 11));
        assert_eq!(edited, [Kind::StockNotConserved]);
        let lost = found_after(|ledger| {
            ledger.balances.clear();
            ledger.expected.clear();
        });
        assert_eq!(lost, [Kind::StockNotConserved; 3]);
    }

    #[test]
    fn what_is_reserved_for_no_list_or_not_for_one_that_waits_is_found() {
        let nobodys = found_after(|ledger| ledger.expected.clear());
        assert_eq!(nobodys, [Kind::ProvisionalOff]);
        let lost = found_after(|ledger| ledger.expected[0].lot = "BOOKTRADERA1/1/2".into());
        assert_eq!(lost, [Kind::ProvisionalOff; 2]);
    }

    #[test]
    fn more_reserved_than_there_is_is_found() {
        let reserved = found_after(|ledger| {
            ledger.movements[1].quantities = three(11);
            set(ledger, "PROVISIONAL_DECREASE", 8);
            ledger.expected[0].quantities = three(8);
        });
        assert_eq!(reserved, [Kind::StockNegative]);
    }
}
