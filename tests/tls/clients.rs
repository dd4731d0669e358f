//! Clients and servers of other people: OpenSSL and curl.

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use icn_identity::peer::VerifiedPeer;
use icn_identity::tls::{self, TlsError};
use sha2::{Digest as _, Sha256};
use support::child::inherits_nothing;

use crate::wire::say;
use crate::{Bundle, bundle, pinned};

/// What others need of a bundle, in files as they want them.
struct Files {
    dir: tempfile::TempDir,
}

impl Files {
    fn of(bundle: &Bundle) -> Self {
        let files = Self { dir: tempfile::tempdir().unwrap() };
        let write = |name: &str, label: &str, der: &[u8]| {
            let text = STANDARD.encode(der);
            let pem = format!("-----BEGIN {label}-----\n{text}\n-----END {label}-----\n");
            std::fs::write(files.path(name), pem).unwrap();
        };
        write("cert.pem", "CERTIFICATE", &bundle.certificate_der());
        write("key.pem", "PRIVATE KEY", &bundle.companions().tls_private_key_der());
        files
    }

    fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run(program: &str, package: &str, args: &[&str], stdin: &[u8]) -> Output {
    let mut child = inherits_nothing(program)
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap_or_else(|error| panic!("{program} is needed ({error}): apt-get install {package}"));
    // One that fails early does not read it.
    let _ = child.stdin.take().unwrap().write_all(stdin);
    child.wait_with_output().unwrap()
}

fn lossy(output: &Output) -> String {
    let text = String::from_utf8_lossy;
    format!("{}\n{}", text(&output.stdout), text(&output.stderr))
}

/// Answers one request of HTTP with the DID of the client.
fn answer(listener: &TcpListener, server: &tls::Server) -> Result<VerifiedPeer, TlsError> {
    let (socket, _) = listener.accept()?;
    socket.set_read_timeout(Some(Duration::from_secs(20)))?;
    let mut stream = tls::accept(socket, server)?;
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte)?;
        request.push(byte[0]);
    }
    let peer = stream.peer().clone();
    let body = format!("hello {}\n", peer.did());
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n", body.len());
    stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes())?;
    stream.close()?;
    Ok(peer)
}

struct Server {
    bundle: Bundle,
    files: Files,
    listener: TcpListener,
    tls: tls::Server,
}

impl Server {
    fn for_client(client: &Bundle) -> Self {
        let bundle = bundle();
        let tls = bundle.tls_server(&pinned(client.did())).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        Self { files: Files::of(&bundle), bundle, listener, tls }
    }

    fn address(&self) -> String {
        self.listener.local_addr().unwrap().to_string()
    }

    /// Serves one connection while a program runs.
    fn with<T: Send>(
        &self,
        program: impl FnOnce() -> T + Send,
    ) -> (Result<VerifiedPeer, TlsError>, T) {
        thread::scope(|scope| {
            let serving = scope.spawn(|| answer(&self.listener, &self.tls));
            let ran = program();
            (serving.join().unwrap(), ran)
        })
    }
}

const REQUEST: &[u8] = b"GET / HTTP/1.1\r\nHost: node\r\n\r\n";

/// With the server's certificate as the only one that is trusted: OpenSSL
/// verifies it and what it may be used for, and passes our extension by.
#[test]
fn openssl_s_client_completes_a_mutual_handshake() {
    let client = bundle();
    let (files, server) = (Files::of(&client), Server::for_client(&client));
    let (cert, key) = (files.path("cert.pem"), files.path("key.pem"));
    let (trusted, address) = (server.files.path("cert.pem"), server.address());
    let args = [
        "s_client",
        "-connect",
        &address,
        "-cert",
        text(&cert),
        "-key",
        text(&key),
        "-CAfile",
        text(&trusted),
        "-verify_return_error",
        "-purpose",
        "sslserver",
        "-ign_eof",
    ];
    let (served, ran) = server.with(|| run("openssl", "openssl", &args, REQUEST));
    let told = lossy(&ran);
    assert_eq!(served.unwrap().did(), client.did(), "{told}");
    assert!(ran.status.success(), "{told}");
    assert!(told.contains(&format!("hello {}", client.did())), "{told}");
    assert!(told.contains("Verify return code: 0 (ok)"), "{told}");
    assert!(told.contains("TLSv1.3"), "{told}");
    // Nothing to resume by was given to it.
    assert!(!told.contains("Post-Handshake New Session Ticket"), "{told}");
}

#[test]
fn curl_gets_an_answer_and_pins_our_key() {
    let client = bundle();
    let (files, server) = (Files::of(&client), Server::for_client(&client));
    let (cert, key) = (files.path("cert.pem"), files.path("key.pem"));
    let url = format!("https://{}/", server.address());
    // curl wants the host's name in a certificate, and DIDs are no hosts: so it
    // pins the key (SHA-256 of the SubjectPublicKeyInfo) instead.
    let digest = STANDARD.encode(Sha256::digest(server.bundle.binding().tls_spki()));
    let pin = format!("sha256//{digest}");
    let args = [
        "--silent",
        "--show-error",
        "--insecure",
        "--noproxy",
        "*",
        "--pinnedpubkey",
        &pin,
        "--cert",
        text(&cert),
        "--key",
        text(&key),
        &url,
    ];
    let (served, ran) = server.with(|| run("curl", "curl", &args, b""));
    assert_eq!(served.unwrap().did(), client.did(), "{}", lossy(&ran));
    assert!(ran.status.success(), "{}", lossy(&ran));
    let body = String::from_utf8(ran.stdout).unwrap();
    assert_eq!(body, format!("hello {}\n", client.did()));
}

/// `openssl verify` looks at the same things without a connection.
#[test]
fn openssl_shows_and_verifies_the_certificate() {
    let ours = bundle();
    let files = Files::of(&ours);
    let cert = files.path("cert.pem");
    for purpose in ["sslserver", "sslclient"] {
        let args = ["verify", "-x509_strict", "-purpose", purpose, "-CAfile", text(&cert)];
        let ran = run("openssl", "openssl", &[&args[..], &[text(&cert)]].concat(), b"");
        assert!(ran.status.success(), "{}", lossy(&ran));
    }
    let ran = run("openssl", "openssl", &["x509", "-in", text(&cert), "-noout", "-text"], b"");
    let told = lossy(&ran);
    let oid = "1.2.840.113556.1.8000.2554.18289.6608.53410.17251.36997.13032357.5397894: \n";
    assert!(told.contains(oid), "{told}");
    assert!(told.contains(&format!("URI:{}", ours.did())), "{told}");
}

#[test]
fn a_client_without_a_certificate_or_with_another_is_refused() {
    let client = bundle();
    let server = Server::for_client(&client);
    let address = server.address();
    let connect = ["s_client", "-connect", &address, "-ign_eof"];
    let (served, ran) = server.with(|| run("openssl", "openssl", &connect, REQUEST));
    let told = served.unwrap_err();
    let none = rustls::Error::NoCertificatesPresented;
    assert!(matches!(&told, TlsError::Handshake(error) if *error == none), "{told:?}");
    assert!(lossy(&ran).contains("certificate required"), "{}", lossy(&ran));

    let files = Files::of(&bundle());
    let (cert, key) = (files.path("cert.pem"), files.path("key.pem"));
    let with = [&connect[..], &["-cert", text(&cert), "-key", text(&key)]].concat();
    let (served, _) = server.with(|| run("openssl", "openssl", &with, REQUEST));
    let error = served.unwrap_err();
    let refusal = error.refusal().unwrap();
    assert!(refusal.to_string().ends_with("is not expected here"), "{refusal}");
}

#[test]
fn tls_1_2_is_refused_on_both_sides() {
    let client = bundle();
    let (files, server) = (Files::of(&client), Server::for_client(&client));
    let (cert, key) = (files.path("cert.pem"), files.path("key.pem"));
    let address = server.address();
    let own = ["-cert", text(&cert), "-key", text(&key)];
    let args = [&["s_client", "-tls1_2", "-connect", &address][..], &own].concat();
    let (served, ran) = server.with(|| run("openssl", "openssl", &args, REQUEST));
    assert!(served.is_err() && !ran.status.success(), "{}", lossy(&ran));
    assert!(lossy(&ran).contains("protocol version"), "{}", lossy(&ran));

    // And a server that speaks nothing newer.
    let (mut process, address) = s_server(&files, &["-tls1_2"]);
    let ours = bundle();
    let config = ours.tls_client(&pinned(client.did())).unwrap();
    let refused = say(address, &config, client.did(), "hello").map(|(answer, _)| answer);
    process.kill().unwrap();
    process.wait().unwrap();
    let refused = format!("{:?}", refused.unwrap_err());
    assert!(refused.contains("ProtocolVersion"), "{refused}");
}

/// A server of OpenSSL that has a node's certificate and demands one.
#[test]
fn our_client_knows_a_server_of_openssl_by_its_did() {
    let (server, ours) = (bundle(), bundle());
    let (files, trusted) = (Files::of(&server), Files::of(&ours));
    let trusted = trusted.path("cert.pem");
    let demand = ["-Verify", "1", "-verify_return_error", "-CAfile", text(&trusted), "-rev"];
    let (mut process, address) = s_server(&files, &[&["-tls1_3"][..], &demand].concat());
    let config = ours.tls_client(&pinned(server.did())).unwrap();
    let met = say(address, &config, server.did(), "hello");
    process.kill().unwrap();
    process.wait().unwrap();
    let (answer, peer) = met.unwrap();
    assert_eq!(answer, "olleh");
    assert_eq!(peer.did(), server.did());
}

/// `openssl s_server` on a port of its own choice.
fn s_server(files: &Files, args: &[&str]) -> (std::process::Child, std::net::SocketAddr) {
    let (cert, key) = (files.path("cert.pem"), files.path("key.pem"));
    let mut command: Command = inherits_nothing("openssl");
    command.args(["s_server", "-accept", "127.0.0.1:0", "-cert", text(&cert), "-key", text(&key)]);
    // Its standard input stays open: it ends with it.
    let mut process = command
        .args(args)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap_or_else(|error| panic!("openssl is needed ({error}): apt-get install openssl"));
    let mut told = String::new();
    let out = process.stdout.as_mut().unwrap();
    // "ACCEPT 127.0.0.1:34567"
    while !told.ends_with('\n') || !told.contains("ACCEPT") {
        let mut byte = [0];
        out.read_exact(&mut byte).unwrap_or_else(|error| panic!("{error}: {told}"));
        told.push(char::from(byte[0]));
    }
    let address = told.split("ACCEPT ").nth(1).unwrap().trim();
    (process, address.parse().unwrap_or_else(|error| panic!("{error}: {told}")))
}
