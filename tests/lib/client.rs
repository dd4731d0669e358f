//! The client of a daemon, with daemons that answer as they should and as they should not.

mod server;
mod tls;

use std::error::Error as _;
use std::time::{Duration, Instant};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use icn_identity::client::{ClientError, RemoteIdentity, RemoteOptions};
use icn_identity::daemon::ProblemCode;
use icn_identity::error::SignError;
use icn_identity::rotation::{RotationReason, RotationTerms};
use icn_identity::secret::LockedText;
use icn_identity::{
    Assurance, Custody, DidSigner, DidSignerExt, ErrorKind, IdentityBundle, Key, ProvenanceKind,
    Requirement, RotationChain, RotationStatement, Software, Unlocked,
};
use serde_json::json;

use server::{Server, Step, answer, honest, own_uid, problem, proof, yes};

const CONTEXT: &str = "payments@coop.example";

fn connect(server: &Server) -> Result<RemoteIdentity, ClientError> {
    RemoteOptions::new(&server.path, server.did())
        .with_timeout(Duration::from_millis(400))
        .connect()
}

fn refused(server: &Server) -> ClientError {
    let error = connect(server).unwrap_err();
    assert!(error.help().is_some(), "{error}");
    error
}

#[test]
fn a_daemon_signs_and_each_signature_is_verified() {
    let server = Server::honest();
    let identity = connect(&server).unwrap();
    let signer = identity.signer();
    let raw = signer.sign(b"hello").unwrap();
    server.key.verifying_key().verify(b"hello", &raw).unwrap();
    let signature = signer.sign_for(CONTEXT, b"100 to Ada").unwrap();
    server.key.verifying_key().verify_for(CONTEXT, b"100 to Ada", &signature).unwrap();
    assert_eq!(signer.did(), server.key.did());
    assert_eq!(format!("{signer:?}").matches("did:icn:z").count(), 1);
    // One connection, on which the daemon has shown once that it has the key.
    assert_eq!(server.calls(), ["POST /v1/challenge", "POST /v1/sign-raw", "POST /v1/sign"]);
    assert_eq!(server.connections(), 1);
}

/// Of 8 threads each has its connection, and no answer goes to another.
#[test]
fn threads_share_an_identity() {
    let server = Server::honest();
    let identity = RemoteOptions::new(&server.path, server.did()).connect().unwrap();
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let signer = identity.signer();
            scope.spawn(move || {
                for number in 0..20 {
                    let message = format!("{thread} {number}");
                    let signature = signer.sign_for(CONTEXT, message.as_bytes()).unwrap();
                    let key = signer.verifying_key();
                    key.verify_for(CONTEXT, message.as_bytes(), &signature).unwrap();
                }
            });
        }
    });
    assert!(server.connections() <= 9, "{}", server.connections());
}

/// Nothing proves where the key is, whatever the daemon says.
#[test]
fn a_remote_signer_is_reported_and_no_more() {
    let server = Server::honest();
    let signer = connect(&server).unwrap().signer();
    let boxed: Box<dyn DidSigner> = Box::new(signer.clone());
    for custody in [signer.custody(), boxed.custody(), DidSignerExt::custody(&&signer)] {
        assert_eq!(custody, Custody::Reported);
    }
    assert_eq!(signer.provenance(), ProvenanceKind::External);
    assert_eq!(signer.assurance(), Assurance::None);
    assert!(!signer.is_hardware_backed() && signer.evidence().is_none());
    for demanded in
        [Requirement::any().confined(), Requirement::any().at_least(Assurance::SoftToken)]
    {
        demanded.check(&signer).unwrap_err();
    }
}

/// Of what the crate signs itself nothing reaches the daemon.
#[test]
fn no_statement_is_signed_by_a_daemon() {
    let server = Server::honest();
    let signer = connect(&server).unwrap().signer();
    for message in [&b"icn-identity/binding/v1\0"[..], b"SSHSIG\0"] {
        assert!(matches!(signer.sign(message), Err(SignError::Reserved)));
    }
    for context in ["", "a\nb"] {
        assert!(matches!(signer.sign_for(context, b""), Err(SignError::InvalidContext)));
    }
    assert!(IdentityBundle::issue(signer.clone()).is_err());
    let next = Key::<Software, Unlocked>::generate().unwrap();
    let terms = RotationTerms::new(RotationReason::Scheduled);
    RotationStatement::sign_unguarded(&signer, &next, None, &terms).unwrap_err();
    assert_eq!(server.calls(), ["POST /v1/challenge"]);
}

#[test]
fn a_socket_of_somebody_else_is_not_spoken_to() {
    let server = Server::honest();
    // Root is believed by everybody: so it is given to another, or another is expected.
    let expected = match own_uid() {
        0 => {
            std::os::unix::fs::chown(&server.path, Some(12_345), None).unwrap();
            0
        }
        _ => 12_345,
    };
    let options = RemoteOptions::new(&server.path, server.did()).owned_by(expected);
    let error = options.connect().unwrap_err();
    assert!(matches!(error, ClientError::Owner { what: "the socket", .. }), "{error:?}");
    assert_eq!(error.kind(), ErrorKind::Permission);
    assert!(server.requests().is_empty() && server.connections() == 0);
}

#[test]
fn what_is_no_socket_or_has_nobody_behind_it_is_told_apart() {
    let server = Server::honest();
    let at = |name: &str| server.path.with_file_name(name);
    std::fs::write(at("file"), "").unwrap();
    drop(std::os::unix::net::UnixListener::bind(at("left")).unwrap());
    for (name, kind) in [
        ("file", ErrorKind::Configuration),
        ("left", ErrorKind::DeviceAbsent),
        ("nothing", ErrorKind::DeviceAbsent),
        ("no/where", ErrorKind::DeviceAbsent),
        (&*"x".repeat(200), ErrorKind::DeviceAbsent),
    ] {
        let error = RemoteIdentity::connect(at(name), server.did()).unwrap_err();
        assert_eq!(error.kind(), kind, "{name}: {error:?}");
        assert!(error.help().is_some());
    }
    // One that is waited for connects when it is there.
    let later = RemoteOptions::new(at("later.sock"), server.did()).unconnected();
    later.sign_raw(b"x").unwrap_err();
    std::os::unix::fs::symlink(&server.path, at("later.sock")).unwrap();
    later.sign_raw(b"x").unwrap();
}

/// Who does not show that it has the key is asked for nothing else.
#[test]
fn a_daemon_that_does_not_show_its_key_is_not_used() {
    let other = || Key::<Software, Unlocked>::generate().unwrap();
    let is_challenge = |request: &server::Request| request.call == "POST /v1/challenge";
    type Answers = fn(&Key<Software, Unlocked>, &server::Request) -> serde_json::Value;
    let with_other: Answers = |key, request| {
        let mut answer = proof(&Key::generate().unwrap(), request, own_uid());
        answer["did"] = json!(key.did());
        answer
    };
    let of_other: Answers = |_, request| proof(&Key::generate().unwrap(), request, own_uid());
    let for_other_user: Answers = |key, request| {
        // Fetched by somebody of another user, and passed on as ours.
        let mut answer = proof(key, request, own_uid() + 1);
        answer["uid"] = json!(own_uid());
        answer
    };
    let seen_as_other: Answers = |key, request| proof(key, request, own_uid() + 1);
    let replayed: Answers = |key, _| {
        let nonce = STANDARD.encode([7; 32]);
        let body = json!({ "nonce": nonce }).to_string().into_bytes();
        proof(key, &server::Request { call: String::new(), body }, own_uid())
    };
    let cut: Answers = |key, request| {
        let mut answer = proof(key, request, own_uid());
        answer["signature"] = json!("AAAA");
        answer
    };
    for (answers, kind) in [
        (with_other, ErrorKind::Untrusted),
        (of_other, ErrorKind::OtherIdentity),
        (for_other_user, ErrorKind::Untrusted),
        (seen_as_other, ErrorKind::Untrusted),
        (replayed, ErrorKind::Untrusted),
        (cut, ErrorKind::Untrusted),
    ] {
        let server = Server::with(move |key, request| {
            is_challenge(request).then(|| yes(&answers(key, request)))
        });
        assert_eq!(refused(&server).kind(), kind);
        let identity = RemoteOptions::new(&server.path, server.did()).unconnected();
        identity.sign_for(CONTEXT, b"x").unwrap_err();
        identity.sign_raw(b"x").unwrap_err();
        identity.file_key("age-encryption.org/v1\n").unwrap_err();
        identity.did_document().unwrap_err();
        identity.rotation_chain().unwrap_err();
        assert!(server.calls().iter().all(|call| call == "POST /v1/challenge"));
    }
    // The honest daemon of another DID than is pinned.
    let server = Server::honest();
    let pinned = other().did().clone();
    let error = RemoteIdentity::connect(&server.path, pinned.clone()).unwrap_err();
    assert!(matches!(error, ClientError::OtherDid { expected } if expected == pinned));
}

/// A signature of another message, context or key is not given out.
#[test]
fn a_signature_that_is_not_of_what_was_asked_is_not_given_out() {
    type Changes = fn(&Key<Software, Unlocked>, &str) -> Option<serde_json::Value>;
    let changes: [Changes; 5] = [
        |key, call| {
            let signature = key.sign(b"another").unwrap();
            let text = STANDARD.encode(signature.as_bytes());
            (call == "POST /v1/sign-raw").then(|| json!({ "did": key.did(), "signature": text }))
        },
        |key, call| {
            let signature = key.sign_for("login", b"x").unwrap().to_string();
            (call == "POST /v1/sign").then(|| json!({ "did": key.did(), "signature": signature }))
        },
        |key, call| {
            let signature = key.sign_for(CONTEXT, b"y").unwrap().to_string();
            (call == "POST /v1/sign").then(|| json!({ "did": key.did(), "signature": signature }))
        },
        |key, call| {
            let other = Key::<Software, Unlocked>::generate().unwrap();
            let signature = other.sign_for(CONTEXT, b"x").unwrap().to_string();
            (call == "POST /v1/sign").then(|| json!({ "did": key.did(), "signature": signature }))
        },
        |key, call| {
            (call != "POST /v1/challenge").then(|| json!({ "did": key.did(), "signature": "" }))
        },
    ];
    for change in changes {
        let server = Server::with(move |key, request| Some(yes(&change(key, &request.call)?)));
        let identity = connect(&server).unwrap();
        let (one, other) = (identity.sign_raw(b"x"), identity.sign_for(CONTEXT, b"x"));
        let errors: Vec<_> = one.err().into_iter().chain(other.err()).collect();
        assert!(!errors.is_empty());
        for error in errors {
            assert!(matches!(error, ClientError::BadSignature { .. }), "{error:?}");
            assert_eq!(error.kind(), ErrorKind::Untrusted);
        }
    }
    // Signed under the name of another DID.
    let server = Server::with(|_, request| {
        let did = Key::<Software, Unlocked>::generate().unwrap().did().clone();
        (request.call == "POST /v1/sign-raw")
            .then(|| yes(&json!({ "did": did, "signature": STANDARD.encode([0; 64]) })))
    });
    let error = connect(&server).unwrap().sign_raw(b"x").unwrap_err();
    assert!(matches!(error, ClientError::OtherDid { .. }), "{error:?}");
}

#[test]
fn an_answer_that_is_none_is_an_error_and_never_waited_for_longer() {
    let sent = |bytes: &[u8]| vec![Step::Send(bytes.to_vec()), Step::Close];
    let whole = || answer("200 OK", "", r#"{"did": "x", "signature": "AAAA"}"#);
    let cases: Vec<(&str, Vec<Vec<Step>>)> = vec![
        (
            "Malformed",
            vec![
                sent(b"hello\r\n\r\n"),
                sent(b"\x16\x03\x01\x02\0\x01\0\x01\xfc\x03\x03"),
                sent(b"HTTP/1.1 200 OK\r\n\r\n{}"),
                sent(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n"),
                sent(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{}"),
                sent(&[answer("200 OK", "", "{}"), b"HTTP/1.1 200".to_vec()].concat()),
                sent(&answer("200 OK", "", "not JSON")),
                sent(&answer("200 OK", "", "[]")),
                sent(&answer("200 OK", "", r#"{"did": 1, "signature": 2}"#)),
                sent(&answer("200 OK", "", r#"{"did": "a", "did": "b", "signature": ""}"#)),
                sent(&answer("100 Continue", "", "")),
                sent(&[0; 4096]),
            ],
        ),
        (
            "AnswerTooLong",
            vec![
                sent(b"HTTP/1.1 200 OK\r\nContent-Length: 1048577\r\n\r\n"),
                sent(format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(20_000)).as_bytes()),
            ],
        ),
        (
            "Closed",
            vec![sent(b"HTTP/1.1 200"), sent(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\n{")],
        ),
        (
            "Deadline",
            vec![
                vec![Step::Wait(Duration::from_secs(2))],
                vec![
                    Step::Send(b"HTTP/1.1 200 OK\r\n".to_vec()),
                    Step::Wait(Duration::from_secs(2)),
                ],
                // A byte at a time is no answer either.
                whole()
                    .into_iter()
                    .flat_map(|byte| {
                        [Step::Send(vec![byte]), Step::Wait(Duration::from_millis(50))]
                    })
                    .collect(),
            ],
        ),
    ];
    for (name, scripts) in cases {
        for script in scripts {
            let script = std::sync::Mutex::new(Some(script));
            let server = Server::with(move |_, request| {
                let sign = request.call == "POST /v1/sign-raw";
                sign.then(|| script.lock().unwrap().take().unwrap())
            });
            let identity = connect(&server).unwrap();
            let begin = Instant::now();
            let error = identity.signer().sign(b"hello").unwrap_err();
            assert!(begin.elapsed() < Duration::from_secs(2), "{name}");
            let source = error.source().unwrap().downcast_ref::<ClientError>().unwrap();
            assert!(format!("{source:?}").starts_with(name), "{name}: {source:?}");
            assert_eq!((error.kind(), error.help()), (source.kind(), source.help()));
            // The next call has a connection of its own.
            identity.sign_for(CONTEXT, b"hello").unwrap();
            assert_eq!(server.connections(), 2, "{name}");
        }
    }
}

/// A backlog that nobody empties, as of a daemon that is stopped.
#[test]
fn a_daemon_that_accepts_nobody_is_not_waited_for() {
    use rustix::net::{AddressFamily, SocketAddrUnix, SocketType, bind, listen, socket};
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sock");
    let listener = socket(AddressFamily::UNIX, SocketType::STREAM, None).unwrap();
    bind(&listener, &SocketAddrUnix::new(&path).unwrap()).unwrap();
    listen(&listener, 0).unwrap();
    let did = Key::<Software, Unlocked>::generate().unwrap().did().clone();
    let options = RemoteOptions::new(&path, did).with_timeout(Duration::from_millis(200));
    for _ in 0..3 {
        let begin = Instant::now();
        let error = options.clone().connect().unwrap_err();
        assert!(matches!(error, ClientError::Deadline { .. }), "{error:?}");
        assert!(begin.elapsed() < Duration::from_secs(2));
    }
}

/// A daemon closes connections that are idle. Then it has done nothing, and is asked once more.
#[test]
fn a_connection_that_was_closed_meanwhile_is_made_again() {
    let closing = |request: &server::Request| request.call == "POST /v1/sign-raw";
    let server = Server::with(move |key, request| {
        let mut steps = honest(key, request);
        steps.extend(closing(request).then_some(Step::Close));
        Some(steps)
    });
    let identity = connect(&server).unwrap();
    for round in 1..4 {
        identity.sign_raw(b"hello").unwrap();
        assert_eq!(server.connections(), round);
    }
    // One that closes whenever it is asked is not asked for ever.
    let server = Server::to("POST /v1/sign-raw", || vec![Step::Close]);
    let identity = connect(&server).unwrap();
    assert!(matches!(identity.sign_raw(b"hello"), Err(ClientError::Closed)));
    let asked = server.calls().iter().filter(|call| *call == "POST /v1/sign-raw").count();
    assert_eq!((asked, server.connections()), (2, 2));
    // One that says so is not asked on the same connection.
    let server = Server::with(|key, request| {
        let closes = request.call == "POST /v1/sign-raw";
        let signed = honest(key, request).remove(0);
        let Step::Send(bytes) = signed else { panic!() };
        let text =
            String::from_utf8(bytes).unwrap().replace("\r\n\r\n", "\r\nConnection: close\r\n\r\n");
        closes.then(|| vec![Step::Send(text.into_bytes())])
    });
    let identity = connect(&server).unwrap();
    identity.sign_raw(b"hello").unwrap();
    identity.sign_raw(b"hello").unwrap();
    assert_eq!(server.connections(), 2);
}

/// What has begun to be answered is not asked for twice: it may have been done.
#[test]
fn a_request_whose_answer_has_begun_is_not_sent_again() {
    let server =
        Server::to("POST /v1/sign", || vec![Step::Send(b"HTTP/1.1 2".to_vec()), Step::Close]);
    let identity = connect(&server).unwrap();
    assert!(matches!(identity.sign_for(CONTEXT, b"x"), Err(ClientError::Closed)));
    assert_eq!(server.calls(), ["POST /v1/challenge", "POST /v1/sign"]);
}

#[test]
fn a_problem_is_told_with_its_code_and_when_to_come_again() {
    let told = |code: &str| json!({ "code": code, "detail": "this case.", "help": "do that", "title": "t" });
    for (status, headers, code, kind, pause) in [
        ("429 x", "Retry-After: 3\r\n", ProblemCode::Rate, ErrorKind::Busy, Some(3)),
        ("429 x", "Retry-After: 1\r\n", ProblemCode::Busy, ErrorKind::Busy, Some(1)),
        ("503 x", "", ProblemCode::Locked, ErrorKind::CredentialMissing, None),
        ("503 x", "Retry-After: 1\r\n", ProblemCode::DeviceAway, ErrorKind::DeviceAbsent, Some(1)),
        (
            "503 x",
            "Retry-After: Fri, 31 Dec 2027\r\n",
            ProblemCode::Stopping,
            ErrorKind::Busy,
            None,
        ),
        ("503 x", "", ProblemCode::AuditUnwritable, ErrorKind::Storage, None),
        ("403 x", "", ProblemCode::ContextNotAllowed, ErrorKind::Permission, None),
        ("403 x", "", ProblemCode::NotAClient, ErrorKind::Permission, None),
    ] {
        let server = Server::with(move |_, request| {
            (request.call == "POST /v1/sign")
                .then(|| problem(status, headers, &told(code.as_str())))
        });
        let identity = connect(&server).unwrap();
        let error = identity.sign_for(CONTEXT, b"x").unwrap_err();
        assert_eq!(error.problem().unwrap().code, Some(code));
        assert_eq!(error.kind(), kind, "{code}");
        assert_eq!(error.retry_after(), pause.map(Duration::from_secs), "{code}");
        assert_eq!(error.to_string(), format!("the daemon did not do it: this case ({code})"));
        assert_eq!(error.help().as_deref(), Some("do that"));
        // The connection goes on, and signers say the same.
        let error = identity.signer().sign_for(CONTEXT, b"x").unwrap_err();
        assert_eq!((error.kind(), error.help().as_deref()), (kind, Some("do that")));
        assert_eq!(server.connections(), 1);
    }
    // What is in front of a daemon may answer with something else.
    let server = Server::to("POST /v1/sign", || {
        vec![Step::Send(answer("503 Service Unavailable", "Retry-After: 2\r\n", "<html>"))]
    });
    let error = connect(&server).unwrap().sign_for(CONTEXT, b"x").unwrap_err();
    assert_eq!((error.kind(), error.problem().unwrap().code), (ErrorKind::Busy, None));
    assert_eq!(error.retry_after(), Some(Duration::from_secs(2)));
}

/// What goes over the socket, and what does not.
#[test]
fn a_long_message_is_signed_by_its_hash_for_a_context_and_not_at_all_without() {
    let long = vec![b'x'; 100_000];
    let copy = long.clone();
    let server = Server::with(move |key, request| {
        (request.call == "POST /v1/sign").then(|| {
            assert!(request.json()["message"].is_null());
            assert_eq!(request.json()["sha512"].as_str().unwrap().len(), 128);
            let signature = key.sign_for(CONTEXT, &copy).unwrap().to_string();
            yes(&json!({ "did": key.did(), "signature": signature }))
        })
    });
    let identity = connect(&server).unwrap();
    let signature = identity.sign_for(CONTEXT, &long).unwrap();
    server.key.verifying_key().verify_for(CONTEXT, &long, &signature).unwrap();
    // The daemon has signed another message than was hashed here.
    let error = identity.sign_digest_for(CONTEXT, &[7; 64]).unwrap_err();
    assert!(matches!(error, ClientError::BadSignature { .. }), "{error:?}");
    let error = identity.sign_raw(&long).unwrap_err();
    assert!(matches!(error, ClientError::RequestTooLong { .. }), "{error:?}");
    assert!(error.help().unwrap().contains("sign_for"));
    assert!(!server.calls().contains(&"POST /v1/sign-raw".to_owned()));
}

#[test]
fn the_key_of_a_file_is_given_for_its_header_and_not_shown() {
    let server = Server::with(|key, request| {
        (request.call == "POST /v1/decrypt").then(|| {
            let header = request.json()["header"].as_str().unwrap().to_owned();
            match header.contains("for nobody") {
                true => problem("422 x", "", &json!({ "code": "not-a-recipient" })),
                false => yes(&json!({
                    "did": key.did(), "file_key": STANDARD.encode([b'k'; 16]),
                    "retired": header.contains("old").then(|| key.did().clone()),
                })),
            }
        })
    });
    let identity = connect(&server).unwrap();
    let key = identity.file_key("age-encryption.org/v1\n").unwrap();
    assert_eq!((key.expose_secret(), key.retired()), (&[b'k'; 16], None));
    assert!(!format!("{key:?}").contains("107") && !format!("{key:?}").contains('k'), "{key:?}");
    assert_eq!(identity.file_key("old").unwrap().retired(), Some(&server.did()));
    let error = identity.file_key("for nobody").unwrap_err();
    assert_eq!(error.problem().unwrap().code, Some(ProblemCode::NotARecipient));
    let short = Server::with(|key, request| {
        let body =
            json!({ "did": key.did(), "file_key": STANDARD.encode([1; 15]), "retired": null });
        (request.call == "POST /v1/decrypt").then(|| yes(&body))
    });
    let error = connect(&short).unwrap().file_key("x").unwrap_err();
    assert!(matches!(error, ClientError::Malformed { .. }), "{error:?}");
}

/// A locked daemon shows no key, and is asked all the same how it is, and to unlock.
#[test]
fn a_locked_daemon_is_unlocked_by_a_credential_that_is_sent_once() {
    let server = Server::with(|key, request| {
        let json = || request.json();
        Some(match request.call.as_str() {
            "POST /v1/challenge" => problem("503 x", "", &json!({ "code": "locked" })),
            "GET /v1/status" => yes(&json!({
                "state": "locked", "did": key.did(), "algorithm": "ed25519", "backend": "pkcs11",
                "provenance": null, "certificate_not_after": null, "verified_at": null,
                "version": "0.1.0", "pid": 7, "client": "payments", "may": ["sign"],
                "contexts": ["payments@coop.example"],
            })),
            "POST /v1/lock" => yes(&json!({ "state": "locked" })),
            "POST /v1/unlock" if json()["credential"] == "1234\"\n" => {
                assert_eq!(json()["passphrase"], "a\u{7}b");
                yes(&json!({ "state": "unlocked" }))
            }
            "POST /v1/unlock" => problem("403 x", "", &json!({ "code": "credential-refused" })),
            call => panic!("{call}"),
        })
    });
    let error = refused(&server);
    assert_eq!(error.kind(), ErrorKind::CredentialMissing);
    let identity = RemoteOptions::new(&server.path, server.did()).unconnected();
    let status = identity.status().unwrap();
    assert!(status.is_locked && status.reported_provenance.is_none(), "{status:?}");
    assert_eq!((status.client.as_str(), status.may.as_slice()), ("payments", &["sign".into()][..]));
    identity.lock().unwrap();
    let passphrase = LockedText::from("a\u{7}b");
    identity.unlock(&LockedText::from("1234\"\n"), Some(&passphrase)).unwrap();
    let unlocks = || server.calls().iter().filter(|call| *call == "POST /v1/unlock").count();
    let before = unlocks();
    let error = identity.unlock(&LockedText::from("98765432"), None).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::WrongCredential);
    assert!(!format!("{error} {error:?} {:?}", error.help()).contains("98765432"));
    assert_eq!(unlocks(), before + 1, "sent once");
    assert!(icn_identity::Error::from(error).is_wrong_credential());
}

/// A daemon that ends in the midst of it, and is started again by its socket.
#[test]
fn a_credential_is_not_sent_again_where_a_kept_connection_is_closed() {
    let server = Server::with(|key, request| {
        Some(match request.call.as_str() {
            "GET /v1/status" => yes(&json!({
                "state": "locked", "did": key.did(), "algorithm": "ed25519", "backend": "pkcs11",
                "provenance": null, "certificate_not_after": null, "verified_at": null,
                "version": "0.1.0", "pid": 7, "client": "payments", "may": ["admin"],
                "contexts": [],
            })),
            "POST /v1/unlock" => vec![Step::Close],
            call => panic!("{call}"),
        })
    });
    let identity = RemoteOptions::new(&server.path, server.did()).unconnected();
    // Connections that are kept.
    identity.status().unwrap();
    let error = identity.unlock(&LockedText::from("1234"), None).unwrap_err();
    assert!(matches!(error, ClientError::NotToldWhetherOpened(_)), "{error:?}");
    let unlocks = server.calls().iter().filter(|call| *call == "POST /v1/unlock").count();
    assert_eq!(unlocks, 1, "{:?}", server.calls());
}

/// Closed, late, cut off, or what is no answer: no program is told to send it again.
#[test]
fn whoever_is_not_told_whether_it_was_opened_is_told_to_look_first() {
    let late = || problem("504 x", "", &json!({ "code": "deadline" }));
    let cut = || vec![Step::Send(b"HTTP/1.1 200 OK\r\nContent-Le".to_vec()), Step::Close];
    let of = move |number: usize| match number {
        5 => problem("500 x", "", &json!({ "code": "internal" })),
        // Of what stands between, or of a later version.
        6 => vec![Step::Send(b"HTTP/1.1 502 x\r\nContent-Length: 3\r\n\r\nno\n".to_vec())],
        7 => problem("504 x", "", &json!({})),
        8 => problem("403 x", "", &json!({ "code": "not-thought-of" })),
        0 => vec![Step::Close],
        1 => vec![Step::Wait(Duration::from_secs(2))],
        2 => cut(),
        3 => yes(&json!({ "state": "locked" })),
        _ => late(),
    };
    for number in 0..9 {
        let server = Server::with(move |key, request| {
            Some(match request.call.as_str() {
                "GET /v1/status" => yes(&json!({
                    "state": "locked", "did": key.did(), "algorithm": "ed25519",
                    "backend": "pkcs11", "client": "payments", "may": ["admin"],
                })),
                "POST /v1/unlock" => of(number),
                call => panic!("{call}"),
            })
        });
        let options = RemoteOptions::new(&server.path, server.did());
        let identity = options.with_timeout(Duration::from_secs(1)).unconnected();
        let error = identity.unlock(&LockedText::from("1234"), None).unwrap_err();
        assert!(matches!(error, ClientError::NotToldWhetherOpened(_)), "{number}: {error:?}");
        assert!(!error.kind().is_transient(), "{number}: {error:?}");
        let help = error.help().unwrap();
        assert!(help.starts_with("look first") && !help.contains("try again"), "{help}");
        let unlocks = server.calls().iter().filter(|call| *call == "POST /v1/unlock").count();
        assert_eq!(unlocks, 1, "{:?}", server.calls());
    }
    // What was not sent may be sent again.
    let server = Server::with(|_, _| Some(vec![Step::Close]));
    let identity = RemoteOptions::new(&server.path, server.did()).unconnected();
    let error = identity.unlock(&LockedText::from("1234"), None).unwrap_err();
    assert!(matches!(error, ClientError::Closed), "{error:?}");
}

/// A PIN that is not its own would cost the token of another identity a try.
#[test]
fn a_daemon_of_another_did_is_sent_no_credential_and_not_locked() {
    let other = Key::<Software, Unlocked>::generate().unwrap().did().clone();
    let server = Server::with(move |_, request| {
        Some(match request.call.as_str() {
            "GET /v1/status" => yes(&json!({
                "state": "locked", "did": other, "algorithm": "ed25519", "backend": "pkcs11",
                "provenance": null, "certificate_not_after": null, "verified_at": null,
                "version": "0.1.0", "pid": 7, "client": "payments", "may": ["admin"],
            })),
            call => panic!("{call}"),
        })
    });
    let identity = RemoteOptions::new(&server.path, server.did()).unconnected();
    let error = identity.unlock(&LockedText::from("98765432"), None).unwrap_err();
    assert!(matches!(error, ClientError::OtherDid { .. }), "{error:?}");
    assert!(matches!(identity.lock(), Err(ClientError::OtherDid { .. })));
    assert_eq!(server.calls(), ["GET /v1/status", "GET /v1/status"]);
}

/// However it comes, and without being kept whole.
#[test]
fn a_message_of_any_length_is_read_and_signed_by_its_hash() {
    let server = Server::honest();
    let identity = connect(&server).unwrap();
    for length in [0, 1, 32 * 1024, 32 * 1024 + 1, 64 * 1024 + 2, 100_000] {
        let message = vec![7; length];
        // In pieces, as of a pipe.
        let nothing: Box<dyn std::io::Read> = Box::new(std::io::empty());
        let read = message
            .chunks(1000)
            .fold(nothing, |before, piece| Box::new(std::io::Read::chain(before, piece)));
        let signature = identity.sign_read_for(CONTEXT, read).unwrap();
        server.key.verifying_key().verify_for(CONTEXT, &message, &signature).unwrap();
        let sent = server.requests().pop().unwrap().json();
        assert_eq!(sent["sha512"].is_string(), length > 32 * 1024, "{length}");
        assert_eq!(sent["message"].is_string(), length <= 32 * 1024, "{length}");
    }
    let directory = std::fs::File::open("/").unwrap();
    let before = server.requests().len();
    let unread = identity.sign_read_for(CONTEXT, directory).unwrap_err();
    assert!(matches!(unread, ClientError::Sign(SignError::Unread(_))), "{unread:?}");
    let invalid = identity.sign_read_for("", &b"x"[..]).unwrap_err();
    assert!(matches!(invalid, ClientError::Sign(SignError::InvalidContext)), "{invalid:?}");
    assert_eq!(server.requests().len(), before);
}

#[test]
fn documents_and_chains_are_verified_and_of_the_pinned_did() {
    let server = Server::with(|key, request| {
        // By its own key and by that of another.
        let seed = *key.expose_secret();
        let of = |key: Key<Software, Unlocked>| {
            IdentityBundle::issue(key).unwrap().did_document().unwrap().to_json().unwrap()
        };
        let document = of(Key::from_seed(&seed));
        Some(match request.call.as_str() {
            "GET /v1/did-document" => vec![Step::Send(answer("200 OK", "", &document))],
            "GET /v1/rotation-chain" => problem("404 x", "", &json!({ "code": "not-found" })),
            _ => return None,
        })
    });
    let identity = connect(&server).unwrap();
    assert_eq!(identity.did_document().unwrap().did(), server.key.did());
    assert!(identity.rotation_chain().unwrap().is_none());

    let other = Server::with(|_, request| {
        let software = || Key::<Software, Unlocked>::generate().unwrap();
        let document = || IdentityBundle::issue(software()).unwrap().did_document().unwrap();
        let chain = || {
            let terms = RotationTerms::new(RotationReason::Scheduled);
            let statement =
                RotationStatement::sign_unguarded(&software(), &software(), None, &terms).unwrap();
            String::from_utf8(RotationChain::verify([statement]).unwrap().to_json()).unwrap()
        };
        let body = match request.call.as_str() {
            "GET /v1/did-document" => document().to_json().unwrap(),
            "GET /v1/rotation-chain" => chain(),
            _ => return None,
        };
        Some(vec![Step::Send(answer("200 OK", "", &body))])
    });
    let identity = connect(&other).unwrap();
    assert_eq!(identity.did_document().unwrap_err().kind(), ErrorKind::OtherIdentity);
    assert_eq!(identity.rotation_chain().unwrap_err().kind(), ErrorKind::OtherIdentity);

    let garbage = Server::with(|_, request| {
        request.call.starts_with("GET").then(|| vec![Step::Send(answer("200 OK", "", "{}"))])
    });
    let identity = connect(&garbage).unwrap();
    assert!(matches!(identity.did_document(), Err(ClientError::Document(_))));
    assert!(matches!(identity.rotation_chain(), Err(ClientError::Rotation(_))));
}
