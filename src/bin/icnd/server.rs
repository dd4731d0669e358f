//! HTTP/1.1 on the socket.

use std::convert::Infallible;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::http::header::{ALLOW, CONTENT_LENGTH};
use axum::http::{HeaderName, HeaderValue, Request, Response, StatusCode};
use axum::response::IntoResponse as _;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use icn_identity::audit::{Event, RequestId};
use icn_identity::daemon::{Policy, ProblemCode};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, sleep, timeout, timeout_at};
use tower_service::Service as _;

use crate::asked::Asked;
use crate::calls::router;
use crate::connection::{Connections, Entered, Watch, Watched};
use crate::door::Door;
use crate::line::Line;
use crate::peer::Peer;
use crate::problem::Problem;

/// Of the body of a request, in bytes.
const LONGEST: usize = 64 * 1024;
/// Of its head, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;
/// In this time a request comes and is answered, from the end of its head on.
const TIME: Duration = Duration::from_secs(10);

/// Until it is told to stop; then what is under way is finished.
pub(crate) async fn serve(
    listener: UnixListener,
    door: Arc<Door>,
    most: usize,
    mut stop: watch::Receiver<bool>,
) {
    let (connections, router) = (Connections::new(most), router(door.clone()));
    let counting = tokio::spawn(count_refusals(door.clone()));
    let mut tasks = JoinSet::new();
    loop {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            _ = stop.changed() => break,
        };
        while tasks.try_join_next().is_some() {}
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!("a connection was not accepted: {error}");
                connections.make_room();
                sleep(Duration::from_millis(20)).await;
                continue;
            }
        };
        let peer = match Peer::of(&stream) {
            Ok(peer) => Arc::new(peer),
            Err(error) => {
                tracing::warn!("who has connected is not known: {error}");
                continue;
            }
        };
        let is_client = door.policy().client(peer.uid, peer.gid).is_ok();
        match connections.enter(peer.uid, is_client) {
            Some(entered) => {
                let (door, router) = (door.clone(), router.clone());
                tasks.spawn(connection(stream, peer, entered, door, router, stop.clone()));
            }
            None => {
                turn_away(&stream);
                if !is_client {
                    door.refusals.was_turned_away(peer.uid, std::time::Instant::now());
                }
            }
        }
    }
    drop(listener);
    if timeout(TIME + Duration::from_secs(1), tasks.join_all()).await.is_err() {
        tracing::warn!("requests that were under way have not ended");
    }
    counting.abort();
    door.record_unwritten(true).await;
}

/// Says how many refusals have no line, from time to time.
async fn count_refusals(door: Arc<Door>) {
    let mut second = interval(Duration::from_secs(1));
    loop {
        second.tick().await;
        door.record_unwritten(false).await;
    }
}

/// All connections are at work.
fn turn_away(stream: &UnixStream) {
    let full = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 1\r\nContent-Length: 0\r\n\
                Connection: close\r\n\r\n";
    // Whoever does not get it sees that the connection has ended.
    let _ = stream.try_write(full.as_bytes());
}

async fn connection(
    stream: UnixStream,
    peer: Arc<Peer>,
    entered: Entered,
    door: Arc<Door>,
    router: Router,
    mut stop: watch::Receiver<bool>,
) {
    let watch = entered.watch.clone();
    let service = service_fn(|request: Request<Incoming>| {
        watch.begins();
        let (watch, door) = (watch.clone(), door.clone());
        let (peer, router) = (peer.clone(), router.clone());
        async move {
            let response = answer(&door, router, peer, &watch, request).await;
            watch.has_answered();
            Ok::<_, Infallible>(response)
        }
    });
    let io = TokioIo::new(Watched { stream, watch: entered.watch.clone() });
    // Whoever has sent a request and says no more has its answer; and what is begun is done,
    // also where nobody waits for it.
    let served = http1::Builder::new()
        .half_close(true)
        .keep_alive(entered.watch.is_client())
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(io, service);
    let mut served = pin!(served);
    let mut second = interval(Duration::from_secs(1));
    let mut is_told = false;
    loop {
        tokio::select! {
            ended = served.as_mut() => {
                if let Err(error) = ended {
                    tracing::debug!("a connection of user {} has ended: {error}", peer.uid);
                }
                return;
            }
            () = entered.watch.close.notified() => return,
            _ = second.tick() => if entered.watch.is_late() {
                return;
            },
            _ = stop.changed(), if !is_told => {
                is_told = true;
                served.as_mut().graceful_shutdown();
            }
        }
    }
}

async fn answer(
    door: &Door,
    router: Router,
    peer: Arc<Peer>,
    watch: &Watch,
    request: Request<Incoming>,
) -> Response<Body> {
    let Ok(number) = RequestId::fresh() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let deadline = Instant::now() + TIME;
    let path = request.uri().path().to_owned();
    let _under_way = door.metrics.begins();
    let handled = handle(door, router, peer, watch, number, request, deadline).await;
    let mut response = handled.unwrap_or_else(|problem| problem.into_response());
    let mut code = None;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        code = Some(problem.code);
        let allow = response.headers_mut().remove(ALLOW);
        response = problem.respond(number);
        if let Some(allow) = allow {
            response.headers_mut().insert(ALLOW, allow);
        }
    }
    if let Ok(number) = HeaderValue::from_str(&number.to_string()) {
        response.headers_mut().insert(HeaderName::from_static("icn-request"), number);
    }
    door.metrics.has_answered(&path, response.status().as_u16(), code);
    response
}

async fn handle(
    door: &Door,
    mut router: Router,
    peer: Arc<Peer>,
    watch: &Watch,
    number: RequestId,
    request: Request<Incoming>,
    deadline: Instant,
) -> Result<Response<Body>, Problem> {
    if door.is_stopping() {
        return Err(Problem::new(ProblemCode::Stopping, "icnd is about to stop"));
    }
    // Of who is no client no more than the head is read.
    client_or_refused(door, &peer, number).await?;
    let (mut parts, body) = request.into_parts();
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let length: Option<usize> = length.and_then(|length| length.parse().ok());
    let too_long = || {
        Problem::new(ProblemCode::TooLarge, "a request has at most 65536 bytes")
            .with_help("send the SHA-512 of a long message: `sha512` of POST /v1/sign")
    };
    if length.is_some_and(|length| length > LONGEST) {
        return Err(too_long());
    }
    let body = match timeout_at(deadline, to_bytes(Body::new(body), LONGEST)).await {
        Ok(Ok(body)) => body,
        Ok(Err(error)) if is_too_long(&error) => return Err(too_long()),
        Ok(Err(_)) => return Err(Problem::malformed("the request has not come whole")),
        Err(_) => {
            let problem = Problem::new(ProblemCode::Deadline, "the request has come too slowly");
            return Err(problem.with_status(StatusCode::REQUEST_TIMEOUT));
        }
    };
    watch.is_whole();
    // What is in force now decides: the body has taken its time.
    let policy = client_or_refused(door, &peer, number).await?;
    parts.extensions.insert(Asked { peer, policy, request: number, deadline });
    match timeout_at(deadline, router.call(Request::from_parts(parts, Body::from(body)))).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(never)) => match never {},
        Err(_) => Err(Problem::new(ProblemCode::Deadline, "the key has not answered in time")
            .with_help("ask again later; the log of icnd says what it waits for")),
    }
}

/// The policy in force, in which this is a client. Whoever holds it is waited for before
/// another one is said to be in force.
async fn client_or_refused(
    door: &Door,
    peer: &Arc<Peer>,
    number: RequestId,
) -> Result<Arc<Policy>, Problem> {
    let policy = door.policy();
    let Err(denied) = policy.client(peer.uid, peer.gid) else { return Ok(policy) };
    let problem = Problem::denied(&denied, peer.uid, peer.gid);
    let line = Line::new(Event::Connect, number, peer.clone());
    door.refuse(&line, &problem).await?;
    Err(problem)
}

fn is_too_long(error: &axum::Error) -> bool {
    let mut cause = std::error::Error::source(error);
    while let Some(error) = cause {
        if error.is::<http_body_util::LengthLimitError>() {
            return true;
        }
        cause = error.source();
    }
    false
}
