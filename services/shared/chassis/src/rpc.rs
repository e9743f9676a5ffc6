//! What happens around every call: a span that continues the caller's trace, a place within the limits,
//! who calls and whether they may and within their quota, a time limit (a stream's is its token's), and the
//! measure of it all. It must not know what the call does.

use std::convert::Infallible;
use std::panic::AssertUnwindSafe;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use fabric::{Attempt, Attempts};
use futures::FutureExt as _;
use futures::future::BoxFuture;
use http::{HeaderMap, Request, Response, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use kernel::Refusal;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, Sleep};
use tonic::body::Body;
use tonic::{Code, Status};
use tower::Service;
use tracing::{Instrument as _, Span, field};

use crate::config::ServerConfig;
use crate::connections::Peer;
use crate::errors;
use crate::identity::{self, Caller, Permissions, Treatment, Verifier};
use crate::metered::Metered;
use crate::quotas::{Counted, Quotas};

/// So many calls of health and reflection are in hand at once; they have places of their own, so that a
/// full service still says how it is, but not without limit, for they need no token.
const OPEN_CALLS_MAX: usize = 1_024;

/// A timer is no finer: what may take less than this has no time at all.
const TIMER_STEP: Duration = Duration::from_millis(1);

/// What the wrapped services share.
pub(crate) struct Surroundings {
    verifier: Verifier,
    permissions: Permissions,
    attempts: Attempts,
    quotas: Arc<Quotas>,
    open: Arc<Semaphore>,
    requests: Arc<Semaphore>,
    streams: Arc<Semaphore>,
    request_timeout: Duration,
}

impl Surroundings {
    pub(crate) fn new(
        config: &ServerConfig,
        verifier: Verifier,
        permissions: Permissions,
        attempts: Attempts,
    ) -> Self {
        Self {
            verifier,
            permissions,
            attempts,
            quotas: Arc::new(Quotas::new(&config.quota)),
            open: Arc::new(Semaphore::new(OPEN_CALLS_MAX)),
            requests: Arc::new(Semaphore::new(config.concurrent_requests_max)),
            streams: Arc::new(Semaphore::new(config.concurrent_streams_max)),
            request_timeout: Duration::from_millis(config.request_timeout_ms),
        }
    }

    /// A place for a call, or the answer that there is none. Taken before the token is looked at, because
    /// verifying is the dear part.
    fn place(&self, treatment: Treatment) -> Result<OwnedSemaphorePermit, Status> {
        let places = match treatment {
            Treatment::Open => &self.open,
            Treatment::Unary | Treatment::Unknown => &self.requests,
            Treatment::Streaming => &self.streams,
        };
        Arc::clone(places)
            .try_acquire_owned()
            .map_err(|_| errors::overloaded())
    }

    /// Who calls, and until when their token or certificate speaks for them. A token that is sent counts, whatever
    /// certificate the connection has.
    async fn admit(
        &self,
        path: &str,
        headers: &HeaderMap,
        peer: Option<&Peer>,
        treatment: Treatment,
    ) -> Result<Admitted, Refusal> {
        let mut known = None;
        let admitted = self
            .admit_as(path, headers, peer, treatment, &mut known)
            .await;
        if let Err(refusal) = &admitted {
            let (party, subject) = known
                .map(|caller| (caller.party.clone(), caller.subject.clone()))
                .unwrap_or_default();
            // A path that is no RPC of ours is a stranger's text.
            let method = path
                .rsplit('/')
                .next()
                .filter(|_| treatment != Treatment::Unknown);
            self.attempts.note(Attempt {
                party,
                subject,
                address: peer.and_then(|peer| peer.address),
                method: method.unwrap_or_default().to_owned(),
                reason: refusal.reason.clone(),
            });
        }
        admitted
    }

    /// As [`Surroundings::admit`]; also says who it is that is not admitted, where that is known.
    async fn admit_as(
        &self,
        path: &str,
        headers: &HeaderMap,
        peer: Option<&Peer>,
        treatment: Treatment,
        known: &mut Option<Arc<Caller>>,
    ) -> Result<Admitted, Refusal> {
        let shown = peer.and_then(|peer| peer.certificate.as_ref());
        let (caller, left) = match shown {
            Some(shown) if !headers.contains_key(header::AUTHORIZATION) => {
                self.verifier.known_by(shown)?
            }
            _ => self.verifier.verify_for(bearer(headers)?).await?,
        };
        let caller = known.insert(caller);
        self.permissions.check(path, caller)?;
        self.quotas.count(&caller.party, path)?;
        let counted = match treatment {
            Treatment::Streaming => self.quotas.open_stream(&caller.party)?,
            Treatment::Open | Treatment::Unary | Treatment::Unknown => {
                self.quotas.take_in_hand(&caller.party)?
            }
        };
        Ok(Admitted {
            // What is remembered of a token is not from where it is used.
            caller: Arc::new(Caller {
                address: peer.and_then(|peer| peer.address),
                ..Caller::clone(caller)
            }),
            // None lies beyond any clock.
            valid_until: Instant::now().checked_add(left),
            counted,
        })
    }
}

/// A call that is let in.
struct Admitted {
    caller: Arc<Caller>,
    valid_until: Option<Instant>,
    counted: Counted,
}

/// What a call takes as long as it lasts.
struct Places {
    _place: OwnedSemaphorePermit,
    _counted: Option<Counted>,
}

/// A service with the surroundings of a call.
#[derive(Clone)]
pub(crate) struct Surrounded<S> {
    inner: S,
    surroundings: Arc<Surroundings>,
}

impl<S> Surrounded<S> {
    pub(crate) fn new(inner: S, surroundings: Surroundings) -> Self {
        Self {
            inner,
            surroundings: Arc::new(surroundings),
        }
    }
}

impl<S> Service<Request<Body>> for Surrounded<S>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>
        + Clone
        + Send
        + 'static,
    S::Future: Send,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response<Body>, Infallible>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        // The clone may not be ready; the one that was polled is.
        let ready = self.inner.clone();
        let inner = std::mem::replace(&mut self.inner, ready);
        let surroundings = Arc::clone(&self.surroundings);
        let treatment = surroundings.permissions.treatment(request.uri().path());
        let span = span(&request, treatment);
        let observation = Observation::begin(&request, treatment, span.clone());
        async move { Ok(answer(inner, request, &surroundings, treatment, observation).await) }
            .instrument(span)
            .boxed()
    }
}

async fn answer<S>(
    inner: S,
    mut request: Request<Body>,
    surroundings: &Surroundings,
    treatment: Treatment,
    observation: Observation,
) -> Response<Body>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let place = match surroundings.place(treatment) {
        Ok(place) => place,
        Err(full) => return observation.refuse(full),
    };
    let mut limit = match treatment {
        Treatment::Unary | Treatment::Unknown => {
            let wanted = caller_waits(request.headers()).unwrap_or(Duration::MAX);
            Limit::Timeout(wanted.min(surroundings.request_timeout))
        }
        Treatment::Open | Treatment::Streaming => Limit::None,
    };
    let mut counted = None;
    if treatment != Treatment::Open {
        let (path, peer) = (request.uri().path(), request.extensions().get::<Peer>());
        let admitted = surroundings.admit(path, request.headers(), peer, treatment);
        match admitted.await {
            Ok(admitted) => {
                let caller = admitted.caller;
                observation.span.record("party", caller.party.as_str());
                if treatment == Treatment::Streaming {
                    let (party, quotas) = (caller.party.clone(), Arc::clone(&surroundings.quotas));
                    request = request.map(|body| Metered::of(body, party, quotas));
                }
                request.extensions_mut().insert(caller);
                if let (Treatment::Streaming, Some(valid_until)) = (treatment, admitted.valid_until)
                {
                    limit = Limit::Token(valid_until);
                }
                counted = Some(admitted.counted);
            }
            Err(refusal) => return observation.refuse(errors::to_status(&refusal)),
        }
    }
    let places = Places {
        _place: place,
        _counted: counted,
    };
    match handle(inner, request, limit).await {
        Ok(response) => match errors::catalogued(response.headers()) {
            Some(status) => observation.refuse(status),
            None => observation.watch(response, places, limit),
        },
        Err(status) => observation.refuse(status),
    }
}

/// How long the caller waits for an answer, as gRPC writes it: at most eight digits and a unit ("100m"). What cannot be
/// read was not asked.
fn caller_waits(headers: &HeaderMap) -> Option<Duration> {
    let written = headers.get("grpc-timeout")?.to_str().ok()?;
    let (digits, unit) = written.split_at_checked(written.len().checked_sub(1)?)?;
    if digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3_600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// How long a call may take.
#[derive(Clone, Copy, Debug)]
enum Limit {
    /// As long as its handler takes.
    None,
    /// So long until its handler has answered.
    Timeout(Duration),
    /// To its last byte as long as the caller's token, or certificate, is good.
    Token(Instant),
}

/// Runs the handler within the limit. A panic is an internal error of this call and harms no other.
async fn handle<S>(
    mut inner: S,
    request: Request<Body>,
    limit: Limit,
) -> Result<Response<Body>, Status>
where
    S: Service<Request<Body>, Response = Response<Body>, Error = Infallible>,
{
    let handled = AssertUnwindSafe(inner.call(request)).catch_unwind();
    let handled = match limit {
        Limit::None => handled.await,
        // Over before it began: it is not begun.
        Limit::Timeout(timeout) if timeout < TIMER_STEP => {
            return Err(errors::deadline_exceeded(timeout));
        }
        Limit::Timeout(timeout) => tokio::time::timeout(timeout, handled)
            .await
            .map_err(|_| errors::deadline_exceeded(timeout))?,
        Limit::Token(valid_until) => tokio::time::timeout_at(valid_until, handled)
            .await
            .map_err(|_| expired())?,
    };
    match handled {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(never)) => match never {},
        Err(panic) => Err(errors::internal_because(panic_message(panic.as_ref()))),
    }
}

fn expired() -> Status {
    errors::to_status(&identity::expired())
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("the handler panicked")
}

fn bearer(headers: &HeaderMap) -> Result<&str, Refusal> {
    let Some(value) = headers.get(header::AUTHORIZATION) else {
        return Err(Refusal::unauthenticated(
            "TOKEN_MISSING",
            "Say who you are: send a token in the authorization header.",
        ));
    };
    let scheme_and_token = value.to_str().ok().and_then(|value| value.split_once(' '));
    match scheme_and_token {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(token.trim()),
        _ => Err(Refusal::unauthenticated(
            "TOKEN_MALFORMED",
            "The authorization header is not of the form: Bearer TOKEN.",
        )),
    }
}

fn span(request: &Request<Body>, treatment: Treatment) -> Span {
    // A path that is no RPC of ours is a stranger's text and stays out of names.
    let method = if treatment == Treatment::Unknown {
        "unknown"
    } else {
        request.uri().path()
    };
    let span = tracing::info_span!(
        "rpc",
        otel.name = method,
        otel.kind = "server",
        method,
        party = field::Empty,
        code = field::Empty
    );
    let traceparent = request
        .headers()
        .get("traceparent")
        .and_then(|value| value.to_str().ok());
    crate::telemetry::span_with_parent(&span, traceparent);
    span
}

/// Measures one call from its first byte to its last, also where the caller leaves in the middle.
struct Observation {
    method: String,
    measured: bool,
    started: Instant,
    code: Code,
    span: Span,
}

impl Observation {
    fn begin(request: &Request<Body>, treatment: Treatment, span: Span) -> Self {
        let measured = treatment != Treatment::Open;
        if measured {
            metrics::gauge!("greenlane_rpc_in_hand").increment(1);
        }
        let method = if treatment == Treatment::Unknown {
            "unknown"
        } else {
            request.uri().path()
        };
        Self {
            method: method.to_owned(),
            measured,
            started: Instant::now(),
            code: Code::Cancelled,
            span,
        }
    }

    /// Answers with a status; the call ends here.
    fn refuse(mut self, status: Status) -> Response<Body> {
        self.code = status.code();
        status.into_http()
    }

    /// Hands the answer on and keeps watching, and keeps its places, until its last byte has left or the
    /// token's time is over.
    fn watch(mut self, response: Response<Body>, places: Places, limit: Limit) -> Response<Body> {
        self.note(response.headers());
        let expiry = match limit {
            Limit::Token(valid_until) => Some(Box::pin(tokio::time::sleep_until(valid_until))),
            Limit::None | Limit::Timeout(_) => None,
        };
        response.map(|body| {
            Body::new(Watched {
                body: Some(body),
                expiry,
                observation: self,
                _places: places,
            })
        })
    }

    /// Learns the outcome from headers or trailers that carry one.
    fn note(&mut self, headers: &HeaderMap) {
        if let Some(code) = headers.get("grpc-status") {
            self.code = Code::from_bytes(code.as_bytes());
        }
    }
}

impl Drop for Observation {
    fn drop(&mut self) {
        let code = code_name(self.code);
        self.span.record("code", code);
        if !self.measured {
            return;
        }
        metrics::gauge!("greenlane_rpc_in_hand").decrement(1);
        let method = std::mem::take(&mut self.method);
        metrics::histogram!("greenlane_rpc_seconds", "method" => method, "code" => code)
            .record(self.started.elapsed());
        self.span.in_scope(|| tracing::debug!(code, "answered"));
    }
}

/// An answer on its way out, observed to its end.
struct Watched {
    /// None once it was cut off.
    body: Option<Body>,
    expiry: Option<Pin<Box<Sleep>>>,
    observation: Observation,
    _places: Places,
}

impl Watched {
    /// Ends the answer where the caller's token has: who is no longer known is told nothing more.
    fn cut_off(&mut self) -> Frame<Bytes> {
        self.body = None;
        let status = expired();
        self.observation.code = status.code();
        let mut trailers = HeaderMap::new();
        // A status of our own always fits into headers; without it the caller sees a stream cut off.
        let _ = status.add_header(&mut trailers);
        Frame::trailers(trailers)
    }
}

impl HttpBody for Watched {
    type Data = Bytes;
    type Error = Status;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Status>>> {
        if self.body.is_some()
            && let Some(expiry) = &mut self.expiry
            && expiry.as_mut().poll(context).is_ready()
        {
            return Poll::Ready(Some(Ok(self.cut_off())));
        }
        let span = self.observation.span.clone();
        let Some(body) = &mut self.body else {
            return Poll::Ready(None);
        };
        let polled = span.in_scope(|| Pin::new(body).poll_frame(context));
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                if let Some(trailers) = frame.trailers_ref() {
                    self.observation.note(trailers);
                }
            }
            Poll::Ready(Some(Err(status))) => self.observation.code = status.code(),
            Poll::Ready(None) | Poll::Pending => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(HttpBody::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        // What is cut off is not known before.
        match (&self.body, &self.expiry) {
            (Some(body), None) => body.size_hint(),
            _ => SizeHint::default(),
        }
    }
}

/// A code as gRPC writes it.
fn code_name(code: Code) -> &'static str {
    match code {
        Code::Ok => "OK",
        Code::Cancelled => "CANCELLED",
        Code::Unknown => "UNKNOWN",
        Code::InvalidArgument => "INVALID_ARGUMENT",
        Code::DeadlineExceeded => "DEADLINE_EXCEEDED",
        Code::NotFound => "NOT_FOUND",
        Code::AlreadyExists => "ALREADY_EXISTS",
        Code::PermissionDenied => "PERMISSION_DENIED",
        Code::ResourceExhausted => "RESOURCE_EXHAUSTED",
        Code::FailedPrecondition => "FAILED_PRECONDITION",
        Code::Aborted => "ABORTED",
        Code::OutOfRange => "OUT_OF_RANGE",
        Code::Unimplemented => "UNIMPLEMENTED",
        Code::Internal => "INTERNAL",
        Code::Unavailable => "UNAVAILABLE",
        Code::DataLoss => "DATA_LOSS",
        Code::Unauthenticated => "UNAUTHENTICATED",
    }
}
