//! Every row of the test vectors; the verdict columns say what is right.

use kernel::{ContainerNumber, ContainerNumberError, Mrn, MrnError, Uscc};

fn rows(file: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    file.lines().skip(1).map(|line| line.split('\t').collect())
}

/// The eleven-character number with another check digit: plus `shift`, modulo 10.
fn with_shifted_check_digit(number: &str, shift: u8) -> String {
    let (front, check) = number.split_at(number.len() - 1);
    let check = check.as_bytes()[0] - b'0';
    format!("{front}{}", (check + shift) % 10)
}

#[test]
fn every_container_number_is_judged_as_the_vectors_say() {
    let mut count = 0;
    for row in rows(include_str!("../../testdata/container_numbers.tsv")) {
        let [number, verdict, remainder] = row[..] else {
            panic!("three columns, not {row:?}")
        };
        let remainder: u8 = remainder.parse().expect(number);
        match (verdict, ContainerNumber::parse(number)) {
            ("valid", Ok(read)) => {
                assert_eq!(read.remainder(), remainder, "{number}");
                assert_eq!(read.remainder_ten(), remainder == 10, "{number}");
            }
            ("invalid_check_digit", Err(ContainerNumberError::CheckDigit { expected, .. })) => {
                assert_eq!(expected, char::from(b'0' + remainder % 10), "{number}");
            }
            (verdict, read) => panic!("{number} should be {verdict}, but is {read:?}"),
        }
        count += 1;
    }
    assert_eq!(count, 18);
}

#[test]
fn every_mrn_of_the_vectors_verifies_and_no_other_digit_does() {
    let mut count = 0;
    for row in rows(include_str!("../../testdata/mrn.tsv")) {
        let [number, "valid"] = row[..] else {
            panic!("a number and \"valid\", not {row:?}")
        };
        assert_eq!(
            Mrn::parse(number).and_then(|mrn| mrn.verify()),
            Ok(()),
            "{number}"
        );
        for shift in 1..10 {
            let wrong = Mrn::parse(&with_shifted_check_digit(number, shift)).expect("well-formed");
            assert!(
                matches!(wrong.verify(), Err(MrnError::CheckDigit { .. })),
                "{wrong}"
            );
        }
        count += 1;
    }
    assert_eq!(count, 19);
}

#[test]
fn every_social_credit_code_is_judged_as_the_vectors_say() {
    let mut count = 0;
    for row in rows(include_str!("../../testdata/uscc.tsv")) {
        let [code, verdict] = row[..] else {
            panic!("two columns, not {row:?}")
        };
        let expected = match verdict {
            "valid" => true,
            "invalid" => false,
            other => panic!("unknown verdict {other}"),
        };
        assert_eq!(Uscc::parse(code).is_ok(), expected, "{code}");
        count += 1;
    }
    assert_eq!(count, 111);
}
