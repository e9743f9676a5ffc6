//! `watch`: the party's notices, in order and live. Whatever breaks on the way, it goes on after the last
//! notice that was printed, so that nothing is missed and nothing is told twice.

use std::time::Duration;

use kernel::{Refusal, RefusalKind};
use proto::common::v1::Page;
use proto::release::v1::{ListNoticesRequest, Notice, StreamNoticesRequest, StreamNoticesResponse};
use tonic::Streaming;

use super::show::{self, when_exactly};
use crate::client::{ClientError, Session};
use crate::output::{self, Output};

/// After so many connections in a row that brought nothing, the watch ends.
const FAILURES_MAX: u32 = 60;
/// The wait before the first new connection, doubled before each further one.
const RECONNECT_MILLIS: u64 = 250;
/// The longest wait before a new connection.
const RECONNECT_MILLIS_MAX: u64 = 10_000;
/// The most notices that one call asks for.
const NOTICES_PAGE_MAX: usize = 100;

/// From where, and how long.
#[derive(Debug, clap::Args)]
#[command(after_help = "\
Ends with Ctrl-C and says on standard error where to go on; with --output json every line has its cursor.

Example: greenlane watch --as haulier-a
         greenlane watch --as haulier-a --from CURSOR --output json
         greenlane watch --as broker-a --stored | grep DECLARATION")]
pub struct WatchArguments {
    /// Go on after this notice's cursor; from the oldest kept if not given
    #[arg(
        long,
        default_value = "",
        hide_default_value = true,
        value_name = "CURSOR"
    )]
    from: String,
    /// End after so many notices
    #[arg(long, value_name = "COUNT")]
    limit: Option<usize>,
    /// Only what is stored already; do not wait for more
    #[arg(long)]
    stored: bool,
}

/// Prints notices until Ctrl-C, or until there are enough.
///
/// # Errors
/// What release refuses, or that it cannot be reached for long.
pub async fn run(arguments: WatchArguments, session: &Session) -> Result<(), ClientError> {
    let mut position = Position {
        cursor: arguments.from,
        left: arguments.limit.unwrap_or(usize::MAX),
    };
    let outcome = if arguments.stored {
        stored(&mut position, session).await
    } else {
        tokio::select! {
            outcome = live(&mut position, session) => outcome,
            interrupted = tokio::signal::ctrl_c() => {
                interrupted.map_err(|error| ClientError::Failed(format!("Ctrl-C cannot be heard: {error}")))
            }
        }
    };
    if !position.cursor.is_empty() {
        output::note(&format!("To go on from here: --from {}", position.cursor));
    }
    outcome
}

/// How far the watch has come.
struct Position {
    cursor: String,
    left: usize,
}

impl Position {
    fn print(&mut self, notice: &Notice, session: &Session) -> Result<(), ClientError> {
        if session.output() == Output::Json {
            output::json("greenlane.release.v1.Notice", notice)?;
        } else {
            output::line(&text(notice))?;
            for condition in &notice.conditions {
                output::line(&format!("    {}", show::condition(condition)))?;
            }
        }
        self.cursor.clone_from(&notice.cursor);
        self.left = self.left.saturating_sub(1);
        Ok(())
    }
}

fn text(notice: &Notice) -> String {
    format!(
        "{} {} {}: {}",
        when_exactly(notice.noticed_at.as_ref()),
        notice.fact,
        notice.title,
        notice.text
    )
}

async fn stored(position: &mut Position, session: &Session) -> Result<(), ClientError> {
    let mut release = session.release()?;
    while position.left > 0 {
        let request = ListNoticesRequest {
            page: Some(Page {
                page_size: i32::try_from(position.left.min(NOTICES_PAGE_MAX)).unwrap_or(i32::MAX),
                page_token: position.cursor.clone(),
            }),
        };
        let answer = release.list_notices(request).await?.into_inner();
        for notice in &answer.notices {
            position.print(notice, session)?;
        }
        if answer.next_page_token.is_empty() {
            return Ok(());
        }
    }
    Ok(())
}

async fn live(position: &mut Position, session: &Session) -> Result<(), ClientError> {
    let mut failures: u32 = 0;
    while position.left > 0 {
        let before = position.left;
        let refusal = match follow(position, session).await {
            Ok(()) => Refusal::unavailable("UNREACHABLE", "The stream of notices ended."),
            Err(ClientError::Refused(refusal)) if passes_by_itself(&refusal) => *refusal,
            Err(error) => return Err(error),
        };
        if position.left == 0 {
            return Ok(());
        }
        failures = if position.left < before {
            1
        } else {
            failures + 1
        };
        if failures > FAILURES_MAX {
            return Err(ClientError::from(refusal));
        }
        if failures == 2 {
            output::note(&format!("{refusal} Trying again."));
        }
        tokio::time::sleep(wait_before(failures)).await;
    }
    Ok(())
}

/// Prints what one connection brings, until it ends or there is enough.
async fn follow(position: &mut Position, session: &Session) -> Result<(), ClientError> {
    let request = StreamNoticesRequest {
        cursor: position.cursor.clone(),
    };
    let answer = session.release()?.stream_notices(request).await?;
    let mut notices: Streaming<StreamNoticesResponse> = answer.into_inner();
    while position.left > 0 {
        let message = match notices.message().await.map_err(ClientError::from) {
            Ok(Some(message)) => message,
            Ok(None) => return Ok(()),
            // The next connection has a new token, or is refused.
            Err(ClientError::Refused(refusal)) if refusal.reason == "TOKEN_EXPIRED" => {
                return Ok(());
            }
            Err(error) => return Err(error),
        };
        if let Some(notice) = message.notice {
            position.print(&notice, session)?;
        }
    }
    Ok(())
}

fn passes_by_itself(refusal: &Refusal) -> bool {
    // A connection that breaks in the middle of a stream comes as any of these.
    matches!(
        refusal.kind,
        RefusalKind::Unavailable | RefusalKind::Exhausted | RefusalKind::Internal
    )
}

fn wait_before(failures: u32) -> Duration {
    let doubled = RECONNECT_MILLIS.saturating_mul(2_u64.saturating_pow(failures.saturating_sub(1)));
    Duration::from_millis(doubled.min(RECONNECT_MILLIS_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_between_connections_grow_and_have_a_limit() {
        assert_eq!(wait_before(1), Duration::from_millis(250));
        assert_eq!(wait_before(3), Duration::from_secs(1));
        assert_eq!(wait_before(FAILURES_MAX), Duration::from_secs(10));
    }

    #[test]
    fn a_missing_right_ends_the_watch_and_a_lost_connection_does_not() {
        assert!(passes_by_itself(&Refusal::unavailable("UNREACHABLE", "x")));
        assert!(!passes_by_itself(&Refusal::denied("ROLE_REQUIRED", "x")));
        assert!(!passes_by_itself(&Refusal::unauthenticated(
            "TOKEN_EXPIRED",
            "x"
        )));
        assert!(!passes_by_itself(&Refusal::invalid(
            "PAGE_TOKEN_INVALID",
            "x"
        )));
    }
}
