//! The words all four services share: identifiers of the field, exact quantities and money, free text,
//! refusals, the clock and ids. Pure, but for [`SystemClock`] and [`new_id`]; it must not know any service,
//! store, wire format or runtime.

mod check_digit;
mod clock;
mod container;
mod decimal;
mod hs;
mod identifier;
mod ids;
mod money;
mod mrn;
mod numbers;
mod plate;
mod quantity;
mod refusal;
mod text;
mod uscc;

pub use clock::{Clock, SystemClock};
pub use container::{ContainerNumber, ContainerNumberError, SizeType};
pub use hs::HsCode;
pub use identifier::FormatError;
pub use ids::{derived_id, new_id};
pub use money::{
    Currency, MONEY_FRACTION_DIGITS_MAX, MONEY_INTEGER_DIGITS_MAX, Money, MoneyError, Rounding,
};
pub use mrn::{Mrn, MrnError};
pub use numbers::{
    BookNumber, CountryCode, CustomsArea, Direction, Eori, GatePassNumber, LRN_CHARS_MAX, Lrn,
    StockListNumber, TRANSPORT_DOCUMENT_CHARS_MAX, TransportDocumentNumber, Unlocode,
};
pub use plate::{PLATE_CHARS_MAX, Plate, PlateError, PlateKind};
pub use quantity::{
    QUANTITY_FRACTION_DIGITS_MAX, QUANTITY_INTEGER_DIGITS_MAX, Quantity, QuantityError, UnitCode,
};
pub use refusal::{FAULT_VALUE_CHARS_MAX, Fault, Refusal, RefusalKind, Unmet};
pub use text::{Text, TextError};
pub use uscc::{Uscc, UsccError};
