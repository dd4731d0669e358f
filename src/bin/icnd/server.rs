//! HTTP/1.1 on the socket.

use std::convert::Infallible;
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
use icn_identity::daemon::ProblemCode;
use tokio::net::UnixStream;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::{Instant, interval, timeout, timeout_at};
use tower_service::Service as _;

use crate::accept::{Accepting, Arrived, has_sent, turn_away, was_turned_away};
use crate::asked::Asked;
use crate::calls::{event_of, router};
use crate::connection::{Connections, Entered, Watch, Watched};
use crate::door::Door;
use crate::in_force::InForce;
use crate::line::Line;
use crate::peer::Peer;
use crate::problem::Problem;

/// Of the body of a request, in bytes.
const LONGEST: usize = 64 * 1024;
/// Of its head, in bytes.
const LONGEST_HEAD: usize = 16 * 1024;
/// So many connections begin to be served at a time: the others wait, each client's in turn.
const BEGINNING: usize = 64;
/// In this time a request comes and is answered, from the end of its head on.
const TIME: Duration = Duration::from_secs(10);
/// So long at least its line is waited for where it is refused, also if it has come too slowly.
const LINE: Duration = Duration::from_secs(1);

/// Until it is told to stop, or a part of it has panicked; then what is under way is finished.
pub(crate) async fn serve(
    accepting: Accepting,
    connections: Arc<Connections>,
    door: Arc<Door>,
    mut stop: watch::Receiver<bool>,
) {
    let router = router(door.clone());
    // Told where a part has panicked, too: nobody is served by half of it.
    let (ending, ends) = watch::channel(false);
    let mut counting = tokio::spawn(count_refusals(door.clone(), ends.clone()));
    let mut tasks = JoinSet::new();
    // Those whose tasks have not begun yet.
    let begun = Arc::new(Semaphore::new(BEGINNING));
    loop {
        let next = async {
            let place = begun.clone().acquire_owned().await;
            (accepting.next().await, place)
        };
        let (Arrived { stream, peer, who, entered }, place) = tokio::select! {
            next = next => next,
            _ = stop.changed() => break,
            () = accepting.failed() => {
                tracing::error!("what accepts connections has panicked");
                break;
            }
            _ = &mut counting => {
                tracing::error!("what counts refusals has panicked");
                break;
            }
        };
        while tasks.try_join_next().is_some() {}
        let Some(entered) = entered.or_else(|| connections.enter(&who, true)) else {
            turn_away(&stream, &who, &door);
            continue;
        };
        let Ok(stream) = UnixStream::from_std(stream) else { continue };
        let (door, router, ends) = (door.clone(), router.clone(), ends.clone());
        tasks.spawn(async move {
            drop(place);
            connection(stream, peer, entered, door, router, ends).await;
        });
    }
    let _ = ending.send(true);
    // Its threads end at once.
    let _ = tokio::task::spawn_blocking(move || drop(accepting)).await;
    // One that has panicked cuts no other one off.
    let all = async { while tasks.join_next().await.is_some() {} };
    if timeout(TIME + 2 * LINE, all).await.is_err() {
        tracing::warn!("requests that were under way have not ended");
        tasks.shutdown().await;
    }
    // What it has taken to write down is not lost.
    if !counting.is_finished() {
        let _ = counting.await;
    }
    door.record_unwritten(true).await;
}

/// Says how many refusals have no line, from time to time.
async fn count_refusals(door: Arc<Door>, mut ends: watch::Receiver<bool>) {
    let mut second = interval(Duration::from_secs(1));
    loop {
        tokio::select! {
            biased;
            _ = ends.changed() => return,
            _ = second.tick() => {}
        }
        door.record_unwritten(false).await;
    }
}

async fn connection(
    stream: UnixStream,
    peer: Arc<Peer>,
    entered: Entered,
    door: Arc<Door>,
    router: Router,
    mut ends: watch::Receiver<bool>,
) {
    let watch = entered.watch.clone();
    let service = service_fn(|request: Request<Incoming>| {
        let goes_on = watch.begins();
        let (watch, door) = (watch.clone(), door.clone());
        let (peer, router) = (peer.clone(), router.clone());
        async move {
            let watched = goes_on.then_some(&*watch);
            let response = answer(&door, router, peer, watched, request).await;
            watch.has_answered();
            Ok::<_, Infallible>(response)
        }
    });
    let io = TokioIo::new(Watched { stream, watch: entered.watch.clone() });
    // Whoever has sent a request and says no more has its answer; and what is begun is done,
    // also where nobody waits for it.
    let mut served = http1::Builder::new()
        .half_close(true)
        .keep_alive(entered.watch.is_client())
        .max_buf_size(LONGEST_HEAD)
        .serve_connection(io, service);
    let mut second = interval(Duration::from_secs(1));
    let mut is_told = false;
    loop {
        // What has to make room is no further read: nothing is begun on it.
        tokio::select! {
            biased;
            () = entered.watch.close.notified() => {
                let closed = entered.watch.closed();
                if closed.is_some_and(|closed| closed.is_told) {
                    std::pin::Pin::new(&mut served).graceful_shutdown();
                    continue;
                }
                let stream = served.into_parts().io.into_inner().stream;
                match closed {
                    // What is sent would be taken for a part of that answer.
                    Some(closed) if closed.is_in_answer => was_turned_away(&entered.who, &door),
                    Some(closed) if !closed.is_owed && !has_sent(&stream) => {}
                    _ => turn_away(&stream, &entered.who, &door),
                }
                return;
            }
            ended = &mut served => {
                if let Err(error) = ended {
                    tracing::debug!("a connection of user {} has ended: {error}", peer.uid);
                    // It is no HTTP: the answer to it was not ours.
                    if error.is_parse()
                        && let Ok(number) = RequestId::fresh()
                    {
                        let problem = Problem::malformed("this is no HTTP");
                        let deadline = Instant::now() + TIME;
                        written_down(&door, &peer, number, Event::Connect, problem, deadline).await;
                    }
                }
                return;
            }
            _ = second.tick() => if entered.watch.is_late() {
                return;
            },
            _ = ends.changed(), if !is_told => {
                is_told = true;
                std::pin::Pin::new(&mut served).graceful_shutdown();
            }
        }
    }
}

async fn answer(
    door: &Door,
    router: Router,
    peer: Arc<Peer>,
    watch: Option<&Watch>,
    request: Request<Incoming>,
) -> Response<Body> {
    let Ok(number) = RequestId::fresh() else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let deadline = Instant::now() + TIME;
    let path = request.uri().path().to_owned();
    #[cfg(test)]
    assert_ne!(path, "/panic", "on purpose");
    let _under_way = door.metrics.begins();
    let handled = handle(door, router, peer.clone(), watch, number, request, deadline).await;
    let mut response = handled.unwrap_or_else(|problem| problem.into_response());
    let mut code = None;
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        let event = event_of(&path);
        let problem = written_down(door, &peer, number, event, problem, deadline).await;
        code = Some(problem.code);
        let allow = response.headers_mut().remove(ALLOW);
        let by = allow.as_ref().and_then(|methods| methods.to_str().ok());
        let problem = match by {
            Some(methods) => problem.with_help(format!("make this call by {methods}")),
            None => problem,
        };
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

/// A problem of a request that has come to no call is in the log, too, or the log is the problem.
async fn written_down(
    door: &Door,
    peer: &Arc<Peer>,
    number: RequestId,
    event: Event,
    problem: Problem,
    deadline: Instant,
) -> Problem {
    if !problem.wants_line() {
        return problem;
    }
    let mut line = Line::new(event, number, peer.clone());
    if let Ok(client) = door.policy().client(peer.uid, peer.gid) {
        line = line.with_client(&client.rule().name);
    }
    match refuse(door, &line, &problem, deadline).await {
        Ok(()) => problem,
        Err(other) => other,
    }
}

/// What has no line in time has one later, or is counted.
async fn refuse(
    door: &Door,
    line: &Line,
    problem: &Problem,
    deadline: Instant,
) -> Result<(), Problem> {
    let deadline = deadline.max(Instant::now() + LINE);
    match timeout_at(deadline, door.refuse(line, problem)).await {
        Ok(written) => written,
        Err(_) => Err(Problem::new(
            ProblemCode::Deadline,
            "it is refused, and the audit log was not written in time",
        )),
    }
}

async fn handle(
    door: &Door,
    mut router: Router,
    peer: Arc<Peer>,
    watch: Option<&Watch>,
    number: RequestId,
    request: Request<Incoming>,
    deadline: Instant,
) -> Result<Response<Body>, Problem> {
    if door.is_stopping() {
        return Err(Problem::new(ProblemCode::Stopping, "icnd is about to stop").of_no_call());
    }
    let made_room = || {
        Problem::new(ProblemCode::Busy, "this connection has made room for another one")
            .with_help("connect again, then ask again: nothing was done")
            .of_no_call()
    };
    let watch = watch.ok_or_else(made_room)?;
    // Of who is no client no more than the head is read.
    client_or_refused(door, &peer, number, deadline).await?;
    let (mut parts, body) = request.into_parts();
    let is_unlock = parts.uri.path() == "/v1/unlock";
    let length = parts.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok());
    let length: Option<usize> = length.and_then(|length| length.parse().ok());
    let too_long = || {
        Problem::new(ProblemCode::TooLarge, "a request has at most 65536 bytes")
            .with_help("send the SHA-512 of a long message: `sha512` of POST /v1/sign")
            .of_no_call()
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
            return Err(problem.with_status(StatusCode::REQUEST_TIMEOUT).of_no_call());
        }
    };
    if !watch.is_whole() {
        return Err(made_room());
    }
    // What is in force now decides: the body has taken its time.
    let policy = client_or_refused(door, &peer, number, deadline).await?;
    parts.extensions.insert(Asked { peer, policy, request: number, deadline });
    match timeout_at(deadline, router.call(Request::from_parts(parts, Body::from(body)))).await {
        Ok(Ok(response)) => Ok(response),
        Ok(Err(never)) => match never {},
        // What was sent to have it opened may count: it is not to be sent once more.
        Err(_) if is_unlock => {
            Err(Problem::new(ProblemCode::Deadline, "the identity was not opened in time")
                .with_help("look first whether it is unlocked: GET /v1/status"))
        }
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
    deadline: Instant,
) -> Result<Arc<InForce>, Problem> {
    let policy = door.policy();
    let Err(denied) = policy.client(peer.uid, peer.gid) else { return Ok(policy) };
    let problem = Problem::denied(&denied, peer.uid, peer.gid);
    let line = Line::new(Event::Connect, number, peer.clone());
    refuse(door, &line, &problem, deadline).await?;
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

#[cfg(test)]
mod tests;
