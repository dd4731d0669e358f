//! A daemon that answers as it is told, at a socket of one test's own.

use std::io::{Read as _, Write as _};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use icn_identity::daemon::TlsRequest;
use icn_identity::peer::Instance;
use icn_identity::signer::ReadForContext;
use icn_identity::{
    Did, DidSigner as _, DidSignerExt as _, IdentityBundle, Key, Software, Unlocked, daemon,
};
use serde_json::{Value, json};
use tempfile::TempDir;

/// What is done after a request.
pub(super) enum Step {
    Send(Vec<u8>),
    Wait(Duration),
    /// And nothing more on this connection.
    Close,
}

#[derive(Debug, Clone)]
pub(super) struct Request {
    /// `POST /v1/sign`
    pub(super) call: String,
    pub(super) body: Vec<u8>,
}

impl Request {
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap()
    }
}

type Script = dyn Fn(&Request) -> Vec<Step> + Send + Sync;

struct Shared {
    script: Box<Script>,
    requests: Mutex<Vec<Request>>,
    connections: AtomicUsize,
    is_over: AtomicBool,
}

pub(super) struct Server {
    pub(super) path: PathBuf,
    pub(super) key: Arc<Key<Software, Unlocked>>,
    shared: Arc<Shared>,
    listening: Option<JoinHandle<()>>,
    _dir: TempDir,
}

pub(super) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// An answer with its length.
pub(super) fn answer(status: &str, headers: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{headers}\r\n{body}").into_bytes()
}

pub(super) fn yes(body: &Value) -> Vec<Step> {
    vec![Step::Send(answer("200 OK", "Content-Type: application/json\r\n", &body.to_string()))]
}

pub(super) fn problem(status: &str, headers: &str, body: &Value) -> Vec<Step> {
    vec![Step::Send(answer(status, headers, &body.to_string()))]
}

/// To a challenge as a daemon with this key answers.
pub(super) fn proof(key: &Key<Software, Unlocked>, request: &Request, uid: u32) -> Value {
    let nonce = STANDARD.decode(request.json()["nonce"].as_str().unwrap()).unwrap();
    let signature = daemon::prove(key, &nonce.try_into().unwrap(), uid).unwrap();
    json!({
        "did": key.did(), "uid": uid, "signature": STANDARD.encode(signature.as_bytes()), "later": 1,
    })
}

/// What a daemon with this key gives for the TLS key of a request.
pub(super) fn certificate(key: &Key<Software, Unlocked>, request: &Request) -> Value {
    let asked = TlsRequest::parse(&request.body).unwrap();
    certificate_of(key, &asked.spki, asked.instance)
}

pub(super) fn certificate_of(
    key: &Key<Software, Unlocked>,
    spki: &[u8],
    instance: Instance,
) -> Value {
    let bundle = IdentityBundle::issue(key).unwrap();
    let made = bundle.bind_tls_key(spki, instance, bundle.binding().sequence()).unwrap();
    json!({ "did": key.did(), "certificate_start": STANDARD.encode(made.start()), "later": 1 })
}

/// As a daemon answers, of the calls that are asked for here.
pub(super) fn honest(key: &Key<Software, Unlocked>, request: &Request) -> Vec<Step> {
    let decoded = |name: &str| STANDARD.decode(request.json()[name].as_str().unwrap()).unwrap();
    match request.call.as_str() {
        "POST /v1/challenge" => yes(&proof(key, request, own_uid())),
        "POST /v1/sign-raw" => {
            let signature = key.sign(&decoded("message")).unwrap();
            yes(&json!({ "did": key.did(), "signature": STANDARD.encode(signature.as_bytes()) }))
        }
        "POST /v1/sign" => {
            let context = request.json()["context"].as_str().unwrap().to_owned();
            let signature = match request.json()["sha512"].as_str() {
                Some(digest) => {
                    let digits = (0..64).map(|place| &digest[2 * place..2 * place + 2]);
                    let digest: Vec<u8> =
                        digits.map(|pair| u8::from_str_radix(pair, 16).unwrap()).collect();
                    let read = ReadForContext::from_sha512(&context, &digest.try_into().unwrap());
                    key.sign_read_for(&read.unwrap()).unwrap()
                }
                None => key.sign_for(&context, &decoded("message")).unwrap(),
            };
            yes(&json!({ "did": key.did(), "signature": signature.to_string() }))
        }
        "POST /v1/tls" => yes(&certificate(key, request)),
        "GET /v1/status" => yes(&json!({
            "state": "unlocked", "did": key.did(), "backend": "age", "epoch": 0,
        })),
        call => panic!("{call}"),
    }
}

impl Server {
    /// As a daemon with a new key, but for what the script answers.
    pub(super) fn with(
        script: impl Fn(&Key<Software, Unlocked>, &Request) -> Option<Vec<Step>> + Send + Sync + 'static,
    ) -> Self {
        let key = Arc::new(Key::<Software, Unlocked>::generate().unwrap());
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("icnd.sock");
        let listener = UnixListener::bind(&path).unwrap();
        let ours = Arc::clone(&key);
        let shared = Arc::new(Shared {
            script: Box::new(move |request| {
                script(&ours, request).unwrap_or_else(|| honest(&ours, request))
            }),
            requests: Mutex::default(),
            connections: AtomicUsize::new(0),
            is_over: AtomicBool::new(false),
        });
        let listens = Arc::clone(&shared);
        let listening = std::thread::spawn(move || listen(&listener, &listens));
        Self { path, key, shared, listening: Some(listening), _dir: dir }
    }

    pub(super) fn honest() -> Self {
        Self::with(|_, _| None)
    }

    /// One that answers to this call so, and to all others as it should.
    pub(super) fn to(call: &'static str, steps: fn() -> Vec<Step>) -> Self {
        Self::with(move |_, request| (request.call == call).then(steps))
    }

    pub(super) fn did(&self) -> Did {
        self.key.did().clone()
    }

    pub(super) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    pub(super) fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap().clone()
    }

    pub(super) fn calls(&self) -> Vec<String> {
        self.requests().into_iter().map(|request| request.call).collect()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.is_over.store(true, Ordering::SeqCst);
        // Wakes the one that listens.
        let _ = UnixStream::connect(&self.path);
        let ended = self.listening.take().map(JoinHandle::join);
        assert!(std::thread::panicking() || ended.is_none_or(|ended| ended.is_ok()));
    }
}

fn listen(listener: &UnixListener, shared: &Arc<Shared>) {
    for stream in listener.incoming().map(Result::unwrap) {
        if shared.is_over.load(Ordering::SeqCst) {
            return;
        }
        shared.connections.fetch_add(1, Ordering::SeqCst);
        let shared = Arc::clone(shared);
        std::thread::spawn(move || serve(stream, &shared));
    }
}

fn serve(mut stream: UnixStream, shared: &Shared) {
    while let Some(request) = receive(&mut stream) {
        shared.requests.lock().unwrap().push(request.clone());
        for step in (shared.script)(&request) {
            match step {
                // The client may have gone.
                Step::Send(bytes) => {
                    if stream.write_all(&bytes).is_err() {
                        return;
                    }
                }
                Step::Wait(time) => std::thread::sleep(time),
                Step::Close => return,
            }
        }
    }
}

fn receive(stream: &mut UnixStream) -> Option<Request> {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        if stream.read(&mut byte).ok()? == 0 {
            return None;
        }
        head.push(byte[0]);
    }
    let head = String::from_utf8(head).unwrap();
    let length = head.lines().find_map(|line| line.strip_prefix("Content-Length: "));
    let mut body = vec![0; length.map_or(0, |length| length.parse().unwrap())];
    stream.read_exact(&mut body).ok()?;
    let call = head.lines().next().unwrap().strip_suffix(" HTTP/1.1").unwrap().to_owned();
    Some(Request { call, body })
}
