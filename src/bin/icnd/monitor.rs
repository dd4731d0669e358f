//! Health and metrics, on an address of this machine alone.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::{CONTENT_TYPE, HOST};
use axum::http::uri::Authority;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse as _;
use axum::routing::get;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;
use tokio::time::{sleep, timeout};
use tower_service::Service as _;

use crate::door::Door;
use crate::metrics::Now;

/// Who reads metrics is few. Where there are more, the oldest connection makes room.
const MOST: usize = 64;
/// In this time one of them has said what it wants.
const HEAD: Duration = Duration::from_secs(2);
/// In this time it has come and gone.
const TIME: Duration = Duration::from_secs(10);

/// What it is asked about.
#[derive(Clone)]
struct Watched {
    door: Arc<Door>,
    /// So long ago the key may have been verified.
    lately: Duration,
}

pub(crate) async fn monitor(listener: TcpListener, door: Arc<Door>, lately: Duration) {
    let router = Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Watched { door, lately });
    let mut open: VecDeque<AbortHandle> = VecDeque::new();
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        open.retain(|one| !one.is_finished());
        if open.len() >= MOST
            && let Some(oldest) = open.pop_front()
        {
            oldest.abort();
        }
        let router = router.clone();
        let task = tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                let (is_local, mut router) = (is_local(&request), router.clone());
                async move {
                    if is_local {
                        return router.call(request.map(Body::new)).await;
                    }
                    let why = "this is read under the address of this machine alone\n";
                    Ok((StatusCode::MISDIRECTED_REQUEST, why).into_response())
                }
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(HEAD)
                .keep_alive(false)
                .max_buf_size(16 * 1024)
                .serve_connection(TokioIo::new(stream), service);
            // Whoever is slow has had its time.
            let _ = timeout(TIME, served).await;
        });
        open.push_back(task.abort_handle());
    }
}

/// Whether it was asked by the address of this machine, or as `localhost`: a page of the web
/// whose name leads here is shown nothing.
fn is_local(request: &Request<Incoming>) -> bool {
    let is_local = |host: &str| {
        let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
        host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|it| it.is_loopback())
    };
    let named = request.headers().get_all(HOST).iter().all(|host| {
        let host = host.to_str().ok().and_then(|host| host.parse::<Authority>().ok());
        host.is_some_and(|host| is_local(host.host()))
    });
    named && request.uri().host().is_none_or(is_local)
}

/// Never asks the device: the key was verified lately, or it was not.
async fn checks(door: &Door, lately: Duration) -> [(&'static str, bool); 4] {
    let log = door.audit.clone();
    let is_writable = tokio::task::spawn_blocking(move || log.check().is_ok()).await;
    [
        ("unlocked", door.opened().is_some()),
        ("verified", door.verified_before().is_some_and(|since| since <= lately)),
        ("audit", is_writable.unwrap_or(false)),
        ("serving", !door.is_stopping()),
    ]
}

/// Whether the key can be used, as far as is known.
pub(crate) async fn is_ready(door: &Door, lately: Duration) -> bool {
    checks(door, lately).await.iter().all(|(_, is_so)| *is_so)
}

async fn ready(State(Watched { door, lately }): State<Watched>) -> Response<Body> {
    let checks = checks(&door, lately).await;
    let is_ready = checks.iter().all(|(_, is_so)| *is_so);
    let text: String = checks
        .iter()
        .map(|(what, is_so)| format!("{what}: {}\n", if *is_so { "yes" } else { "no" }))
        .collect();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    (status, text).into_response()
}

async fn metrics(State(Watched { door, .. }): State<Watched>) -> Response<Body> {
    let now = Now {
        audit_sequence: door.audit.last(),
        not_after: door.opened().map(|open| open.bundle.binding().not_after()),
        verified_at: door.verified_at(),
        pin: door.pin(),
    };
    match door.metrics.text(&now) {
        Some(text) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(CONTENT_TYPE, kind)], text).into_response()
        }
        None => StatusCode::INTERNAL_SERVER_ERROR.into_response(),
    }
}
