//! What release measures besides what the loop and the server measure: how old a fact is when the
//! party that it concerns reads of it.

use std::time::Duration;

use kernel::{Clock, SystemClock};
use proto::release::v1::Notice;

/// A notice was given to a stream: counts it and measures the time from the fact's record to now.
pub fn notice_streamed(notice: &Notice) {
    metrics::counter!("release_notices_streamed_total").increment(1);
    let recorded_at = chassis::convert::optional_time("recorded_at", notice.recorded_at.as_ref());
    if let Ok(Some(recorded_at)) = recorded_at {
        // A source's clock that runs ahead would make it negative: then it is as fresh as can be.
        let age = (SystemClock.now() - recorded_at)
            .to_std()
            .unwrap_or(Duration::ZERO);
        metrics::histogram!("release_notice_age_seconds").record(age.as_secs_f64());
    }
}
