//! The calls of `/v1`.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::HeaderValue;
use axum::http::header::CONNECTION;
use axum::routing::{get, post};
use axum::{Extension, Router};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use icn_identity::DidSignerExt as _;
use icn_identity::audit::{Event, MessageHash};
use icn_identity::bundle::EncryptedHeader;
use icn_identity::daemon::{
    Call, ProblemCode, SignRequest, ToSign, UnlockRequest, parse_challenge, parse_decrypt,
    parse_lock, parse_sign_raw, prove,
};
use icn_identity::signer::ReadForContext;
use icn_identity::sshsig::is_context;
use serde_json::json;

use crate::asked::{Answer, Asked, json_of, text};
use crate::credential;
use crate::door::Door;
use crate::problem::Problem;
use crate::status;
use crate::tls::tls;

pub(crate) fn router(door: Arc<Door>) -> Router {
    Router::new()
        .route("/v1/status", get(status))
        .route("/v1/did-document", get(document))
        .route("/v1/rotation-chain", get(chain))
        .route("/v1/challenge", post(challenge))
        .route("/v1/sign", post(sign))
        .route("/v1/sign-raw", post(sign_raw))
        .route("/v1/decrypt", post(decrypt))
        .route("/v1/tls", post(tls))
        .route("/v1/lock", post(lock))
        .route("/v1/unlock", post(unlock))
        .fallback(async || {
            Problem::new(ProblemCode::NotFound, "there is no such call").of_no_call()
        })
        .method_not_allowed_fallback(async || {
            Problem::new(ProblemCode::MethodNotAllowed, "this call is made by another method")
                .of_no_call()
        })
        .with_state(door)
}

/// What a request is about, by its path: for the line of one that has come to no call.
pub(crate) fn event_of(path: &str) -> Event {
    match path {
        "/v1/status" | "/v1/did-document" | "/v1/rotation-chain" => Event::Read,
        "/v1/challenge" => Event::Challenge,
        "/v1/sign" => Event::Sign,
        "/v1/sign-raw" => Event::SignRaw,
        "/v1/decrypt" => Event::Decrypt,
        "/v1/tls" => Event::Tls,
        "/v1/lock" => Event::Lock,
        "/v1/unlock" => Event::Unlock,
        _ => Event::Connect,
    }
}

impl Door {
    /// What needs no key is written down where that is configured.
    async fn permit_reading(&self, asked: &Asked) -> Result<(), Problem> {
        let line = self.permit(asked, Event::Read, &Call::Public).await?;
        if asked.policy.logs_all() {
            self.record_of(&line, crate::line::Outcome::Allowed).await?;
        }
        Ok(())
    }
}

async fn status(State(door): State<Arc<Door>>, Extension(asked): Extension<Asked>) -> Answer {
    door.permit_reading(&asked).await?;
    let rule = asked.policy.client(asked.peer.uid, asked.peer.gid).ok().map(|client| client.rule());
    Ok(json_of(&status::of(&door, rule)))
}

async fn document(State(door): State<Arc<Door>>, Extension(asked): Extension<Asked>) -> Answer {
    door.permit_reading(&asked).await?;
    let document = match door.opened() {
        Some(open) => open.bundle.did_document(),
        None => {
            let place = door.place.clone();
            let read =
                move || Ok::<_, icn_identity::Error>(place.open()?.header()?.did_document()?);
            let read = tokio::task::spawn_blocking(read).await;
            read.ok().and_then(Result::ok).flatten()
        }
    };
    let document = document.ok_or_else(|| {
        Problem::new(ProblemCode::NotFound, "this identity has no DID document yet")
            .with_help("have one signed: icnctl id renew")
    })?;
    document.to_json().map(text).map_err(|_| Problem::internal("the document cannot be written"))
}

async fn chain(State(door): State<Arc<Door>>, Extension(asked): Extension<Asked>) -> Answer {
    door.permit_reading(&asked).await?;
    let open = door.opened().ok_or_else(Problem::locked)?;
    open.chain.clone().map(text).ok_or_else(|| {
        Problem::new(ProblemCode::NotFound, "this identity has taken over from no other one")
            .with_help("go on without: the DID is the first one of its identity")
    })
}

async fn challenge(
    State(door): State<Arc<Door>>,
    Extension(asked): Extension<Asked>,
    body: Bytes,
) -> Answer {
    let nonce = parse_challenge(&body).map_err(|error| Problem::invalid(&error))?;
    let line = door.permit(&asked, Event::Challenge, &Call::Public).await?;
    let open = door.key(&line).await?;
    let uid = asked.peer.uid;
    let line = line.with_message(open.audit_key.tag(&MessageHash::of(&nonce)));
    let proof = door.use_key(open, &line, move |open| Ok(prove(&open.bundle, &nonce, uid)?));
    let signature = STANDARD.encode(proof.await?.as_bytes());
    Ok(json_of(&json!({ "did": door.did, "uid": uid, "signature": signature })))
}

async fn sign(
    State(door): State<Arc<Door>>,
    Extension(asked): Extension<Asked>,
    body: Bytes,
) -> Answer {
    let SignRequest { context, message, .. } =
        SignRequest::parse(&body).map_err(|error| Problem::invalid(&error))?;
    if !is_context(&context) {
        return Err(Problem::malformed("a context has 1 to 1024 bytes, and no control characters"));
    }
    let line = door.permit(&asked, Event::Sign, &Call::Sign { context: &context }).await?;
    let open = door.key(&line).await?;
    let (hash, line) = match &message {
        ToSign::Message(message) => (MessageHash::of(message), line.with_length(message.len())),
        ToSign::Sha512(digest) => (MessageHash::from_sha512(*digest), line),
        _ => return Err(Problem::malformed("this form of a message is not known")),
    };
    let line = line.with_message(open.audit_key.tag(&hash));
    let signed = door.use_key(open, &line, move |open| {
        Ok(match message {
            ToSign::Sha512(digest) => {
                open.bundle.sign_read_for(&ReadForContext::from_sha512(&context, &digest)?)?
            }
            ToSign::Message(message) => open.bundle.sign_for(&context, &message)?,
            _ => open.bundle.sign_for(&context, &[])?,
        })
    });
    let signature = signed.await?.to_string();
    Ok(json_of(&json!({ "did": door.did, "signature": signature })))
}

async fn sign_raw(
    State(door): State<Arc<Door>>,
    Extension(asked): Extension<Asked>,
    body: Bytes,
) -> Answer {
    let message = parse_sign_raw(&body).map_err(|error| Problem::invalid(&error))?;
    let line = door.permit(&asked, Event::SignRaw, &Call::SignRaw { message: &message }).await?;
    let open = door.key(&line).await?;
    let tag = open.audit_key.tag(&MessageHash::of(&message));
    let line = line.with_message(tag).with_length(message.len());
    let signed = door.use_key(open, &line, move |open| Ok(open.bundle.sign(&message)?));
    let signature = STANDARD.encode(signed.await?.as_bytes());
    Ok(json_of(&json!({ "did": door.did, "signature": signature })))
}

async fn decrypt(
    State(door): State<Arc<Door>>,
    Extension(asked): Extension<Asked>,
    body: Bytes,
) -> Answer {
    let header = parse_decrypt(&body).map_err(|error| Problem::invalid(&error))?;
    let line = door.permit(&asked, Event::Decrypt, &Call::Decrypt).await?;
    let encrypted = EncryptedHeader::parse(header.as_bytes());
    let encrypted = encrypted.map_err(|error| {
        let problem = Problem::malformed(format!("`header`: {error}"));
        problem.with_help(
            "send the first lines of the age file as they are, to the one that begins with `---`",
        )
    })?;
    let open = door.key(&line).await?;
    let tag = open.audit_key.tag(&MessageHash::of(header.as_bytes()));
    let line = line.with_message(tag).with_length(header.len());
    let opened = door.use_key(open, &line, move |open| Ok(open.bundle.open_header(encrypted)?));
    let key = opened.await?;
    Ok(json_of(&json!({
        "did": door.did,
        "file_key": STANDARD.encode(key.expose_file_key()),
        "retired": key.retired_key().map(|key| key.did()),
    })))
}

async fn lock(
    State(door): State<Arc<Door>>,
    Extension(asked): Extension<Asked>,
    body: Bytes,
) -> Answer {
    parse_lock(&body).map_err(|error| Problem::invalid(&error))?;
    let line = door.permit(&asked, Event::Lock, &Call::Admin).await?;
    // Begun, it is done, whoever waits for it: the line says that it was.
    let locked = tokio::spawn(async move { door.lock_for(&line).await }).await;
    locked.unwrap_or_else(|_| Err(Problem::internal("the key was not closed")))?;
    Ok(json_of(&json!({ "state": "locked" })))
}

async fn unlock(
    State(door): State<Arc<Door>>,
    Extension(asked): Extension<Asked>,
    body: Bytes,
) -> Answer {
    let request = UnlockRequest::parse(&body).map_err(|error| Problem::invalid(&error));
    drop(body);
    let line = door.permit(&asked, Event::Unlock, &Call::Admin).await?;
    let source = credential::of_request(request?);
    // Whoever does not wait for the end finds it unlocked: what was sent is used.
    let Asked { peer, deadline, .. } = asked;
    let unlocked = tokio::spawn(async move { door.unlock(source, &line, &peer, deadline).await });
    let unlocked = unlocked.await;
    unlocked.unwrap_or_else(|_| Err(Problem::internal("the identity was not opened")))?;
    let mut response = json_of(&json!({ "state": "unlocked" }));
    // What was read of the connection goes away with it.
    response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    Ok(response)
}
