//! Health and metrics, on an address of this machine alone.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::header::CONTENT_TYPE;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse as _;
use axum::routing::get;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio::time::{sleep, timeout};
use tower_service::Service as _;

use crate::door::Door;
use crate::metrics::Now;

/// Who reads metrics is few.
const MOST: usize = 32;
/// In this time one of them has come and gone.
const TIME: Duration = Duration::from_secs(10);

/// What it is asked about.
#[derive(Clone)]
struct Watched {
    door: Arc<Door>,
    /// So long ago the key may have been verified.
    lately: Duration,
}

pub(crate) async fn monitor(listener: TcpListener, door: Arc<Door>, verify_interval: u32) {
    let lately = 2 * Duration::from_secs(verify_interval.into()) + Duration::from_secs(30);
    let router = Router::new()
        .route("/livez", get(async || "alive\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Watched { door, lately });
    let places = Arc::new(Semaphore::new(MOST));
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        // Whoever comes when there is no place is turned away.
        let Ok(place) = places.clone().try_acquire_owned() else { continue };
        let router = router.clone();
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| {
                router.clone().call(request.map(Body::new))
            });
            let served = http1::Builder::new()
                .timer(TokioTimer::new())
                .keep_alive(false)
                .max_buf_size(16 * 1024)
                .serve_connection(TokioIo::new(stream), service);
            // Whoever is slow has had its time.
            let _ = timeout(TIME, served).await;
            drop(place);
        });
    }
}

/// Never asks the device: the key was verified lately, or it was not.
async fn ready(State(Watched { door, lately }): State<Watched>) -> Response<Body> {
    let since = |at: SystemTime| at.elapsed().is_ok_and(|since| since <= lately);
    let log = door.audit.clone();
    let is_writable = tokio::task::spawn_blocking(move || log.check().is_ok()).await;
    let checks = [
        ("unlocked", door.opened().is_some()),
        ("verified", door.verified_at().is_some_and(since)),
        ("audit", is_writable.unwrap_or(false)),
        ("serving", !door.is_stopping()),
    ];
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
