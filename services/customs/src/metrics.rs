//! What customs measures beside the loop and the calls: what becomes of filings.

use proto::customs::v1::FilingOutcome;

/// A filing was answered.
pub fn filed(outcome: FilingOutcome, repeated: bool) {
    let outcome = outcome.as_str_name().trim_start_matches("FILING_OUTCOME_");
    let repeated = if repeated { "true" } else { "false" };
    metrics::counter!("customs_filings_total", "outcome" => outcome, "repeated" => repeated)
        .increment(1);
}
