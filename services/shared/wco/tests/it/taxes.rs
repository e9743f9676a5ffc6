//! Tax notifications.

use rust_decimal::Decimal;
use wco::tax::read_tax_notification;
use wco::{Cause, Reading, read};

use crate::corpus;

#[test]
fn the_taxes_of_the_import_pick_up_are_read() {
    let sample = corpus::samples()
        .into_iter()
        .find(|sample| {
            sample
                .name
                .ends_with("TT_IM109a/Example_Notifications/02_DMSTAX(1).xml")
        })
        .expect("the notification");
    let lines = read_tax_notification(&sample.bytes).expect("a tax notification");
    let cents = |amount: i64| Some(Decimal::new(amount, 2));
    let [duty, vat] = lines.as_slice() else {
        panic!("two taxes, not {lines:?}");
    };
    assert_eq!((duty.item, duty.duty_tax_type.as_str()), (1, "A00"));
    assert_eq!(duty.ad_valorem_base, cents(100_000));
    assert_eq!(duty.rate_percent, cents(400));
    assert_eq!(duty.assessed, cents(4_000));
    assert_eq!(duty.payable, cents(4_000));
    assert_eq!(duty.deducted, cents(0));
    assert_eq!(duty.currency, "GBP");
    assert_eq!(vat.duty_tax_type, "B00");
    assert_eq!(vat.ad_valorem_base, cents(104_000));
    assert_eq!(vat.assessed, cents(20_800));
}

#[test]
fn every_tax_notification_is_read_whole() {
    let mut notifications = 0;
    let mut lines = Vec::new();
    for sample in corpus::samples() {
        let is_tax = matches!(read(&sample.bytes), Reading::Unsupported(unsupported)
            if unsupported.kind == "notification DMSTAX");
        match read_tax_notification(&sample.bytes) {
            Ok(found) => {
                assert!(is_tax, "{}", sample.name);
                notifications += 1;
                lines.extend(found);
            }
            Err(unreadable) => assert!(!is_tax, "{}: {unreadable}", sample.name),
        }
    }
    assert_eq!(notifications, 117);
    assert_eq!(lines.len(), 332);
    let with_rate = lines.iter().filter(|line| line.rate_percent.is_some());
    assert_eq!(with_rate.count(), 265);
    assert!(
        lines
            .iter()
            .all(|line| line.assessed.is_some() && line.item > 0)
    );
}

#[test]
fn a_figure_that_is_no_number_is_refused_where_it_stands() {
    let document = "<MetaData><Response><FunctionCode>13</FunctionCode><Declaration><GoodsShipment>\n\
        <GovernmentAgencyGoodsItem><Commodity><DutyTaxFee>\n\
        <TaxRateNumeric>four</TaxRateNumeric></DutyTaxFee></Commodity>\
        </GovernmentAgencyGoodsItem></GoodsShipment></Declaration></Response></MetaData>";
    let unreadable = read_tax_notification(document.as_bytes()).expect_err("no number");
    assert_eq!(unreadable.cause, Cause::NotADecimal("four".to_owned()));
    assert_eq!((unreadable.line, unreadable.column), (3, 1));
}

#[test]
fn a_document_that_is_no_tax_notification_is_refused() {
    let unreadable = read_tax_notification(b"<MetaData/>").expect_err("no notification");
    assert_eq!(unreadable.cause, Cause::NotATaxNotification);
}
