//! What is public, for peers: by mutual TLS between DIDs, over the network.

use std::sync::Arc;
use std::time::Duration;

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
use icn_identity::Error;
use icn_identity::config::TlsPeers;
use icn_identity::error::in_full;
use icn_identity::peer::{MemorySequences, PeerBook, SequenceStore};
use icn_identity::tls::{AsyncStream, DidVerifier, accept_async};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::{sleep, timeout};
use tower_service::Service as _;

use crate::connection::{Connections, Entered};
use crate::door::Door;
use crate::epoch::OwnEpoch;
use crate::metrics::Handshake;
use crate::monitor::is_ready;
use crate::sharing::Sharer;

/// At a time; fewer than there are threads on which handshakes are verified. At so many, the
/// one whose handshake has begun first makes room.
const MOST: usize = 128;
/// In this time a handshake is done.
const HANDSHAKE: Duration = Duration::from_secs(5);
/// In this time a peer has come, asked once, and gone.
const TIME: Duration = Duration::from_secs(10);

/// Where the peers are that `icnctl peer` writes down.
const BOOK: &str = "peers";

/// Which peers are served, and what was seen of them.
pub(crate) fn verifier(peers: TlsPeers, door: &Arc<Door>) -> Result<Arc<DidVerifier>, Error> {
    let (verifier, seen): (_, Arc<dyn SequenceStore>) = match peers {
        TlsPeers::Book => {
            let book = PeerBook::open(door.place.home.join(BOOK))?;
            (DidVerifier::booked(&book), Arc::new(book))
        }
        // What they read is public.
        _ => (DidVerifier::deciding(|_| true), Arc::new(MemorySequences::new())),
    };
    Ok(Arc::new(verifier.with_sequences(Arc::new(OwnEpoch { door: door.clone(), seen }))))
}

#[derive(Clone)]
struct Served {
    door: Arc<Door>,
    /// So long ago the key may have been verified.
    lately: Duration,
}

pub(crate) async fn serve_peers(
    listener: TcpListener,
    door: Arc<Door>,
    verifier: Arc<DidVerifier>,
    lately: Duration,
) {
    let connections = Connections::new(MOST);
    let router = Router::new()
        .route("/health", get(health))
        .route("/.well-known/did.json", get(document))
        .route("/rotation-chain", get(chain))
        .with_state(Served { door: door.clone(), lately });
    loop {
        let Ok((stream, _)) = listener.accept().await else {
            connections.make_room();
            sleep(Duration::from_millis(20)).await;
            continue;
        };
        match connections.enter(&Sharer::user(0), true) {
            Some(entered) => {
                let (door, verifier, router) = (door.clone(), verifier.clone(), router.clone());
                tokio::spawn(connection(stream, entered, door, verifier, router));
            }
            None => door.metrics.handshake_ended(Handshake::NoRoom),
        }
    }
}

/// The TLS key is in here while it lasts: it ends when the identity is locked.
async fn connection(
    stream: TcpStream,
    entered: Entered,
    door: Arc<Door>,
    verifier: Arc<DidVerifier>,
    router: Router,
) {
    let mut locked = door.locked();
    let served = timeout(TIME, served(stream, &entered, &door, &verifier, router));
    tokio::select! {
        _ = served => {}
        () = entered.watch.close.notified() => door.metrics.handshake_ended(Handshake::NoRoom),
        _ = locked.changed() => {}
    }
}

async fn served(
    stream: TcpStream,
    entered: &Entered,
    door: &Door,
    verifier: &Arc<DidVerifier>,
    router: Router,
) {
    // Of what was renewed meanwhile, the new certificate.
    let Some(open) = door.opened() else {
        door.metrics.handshake_ended(Handshake::Locked);
        return;
    };
    let Ok(server) = open.bundle.tls_server(verifier) else {
        door.metrics.handshake_ended(Handshake::Failed);
        return;
    };
    let server = server.with_alpn(["http/1.1"]);
    let accepted = timeout(HANDSHAKE, accept_async(stream, &server)).await;
    drop(server);
    let stream = match accepted {
        Ok(Ok(stream)) => stream,
        Ok(Err(error)) => {
            let ended = match error.refusal() {
                Some(_) => Handshake::Refused,
                None => Handshake::Failed,
            };
            tracing::debug!("a peer was not served: {}", in_full(&error));
            door.metrics.handshake_ended(ended);
            return;
        }
        Err(_) => {
            door.metrics.handshake_ended(Handshake::Late);
            return;
        }
    };
    if !entered.watch.begins() {
        door.metrics.handshake_ended(Handshake::NoRoom);
        return;
    }
    door.metrics.handshake_ended(Handshake::Accepted);
    answer(stream, door, router).await;
    // Whoever locks waits for the connections, which have the TLS key.
    drop(open);
}

async fn answer(stream: AsyncStream<TcpStream>, door: &Door, router: Router) {
    let service = service_fn(|request: Request<Incoming>| {
        let path = request.uri().path().to_owned();
        // No body of a peer is read.
        let answered = router.clone().call(request.map(|_| Body::empty()));
        async move {
            let answered = answered.await;
            if let Ok(response) = &answered {
                door.metrics.has_answered_peer(&path, response.status().as_u16());
            }
            answered
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .keep_alive(false)
        .max_buf_size(16 * 1024)
        .serve_connection(TokioIo::new(stream), service);
    // Whoever is slow has had its time.
    if let Err(error) = served.await {
        tracing::debug!("a connection of a peer has ended: {error}");
    }
}

/// What is wrong is for the operator, and none of a peer's business.
async fn health(State(Served { door, lately }): State<Served>) -> Response<Body> {
    let (status, word) = match is_ready(&door, lately).await {
        true => (StatusCode::OK, "ok"),
        false => (StatusCode::SERVICE_UNAVAILABLE, "unavailable"),
    };
    let body = format!(r#"{{"status":"{word}"}}"#);
    (status, [(CONTENT_TYPE, "application/json")], body).into_response()
}

async fn document(State(Served { door, .. }): State<Served>) -> Response<Body> {
    let document = door.opened().and_then(|open| open.bundle.did_document());
    let json = document.and_then(|document| document.to_json().ok());
    found(json, "application/did+json")
}

async fn chain(State(Served { door, .. }): State<Served>) -> Response<Body> {
    found(door.opened().and_then(|open| open.chain.clone()), "application/json")
}

fn found(json: Option<String>, kind: &'static str) -> Response<Body> {
    match json {
        Some(json) => ([(CONTENT_TYPE, kind)], json).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
