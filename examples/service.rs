//! A service whose identity is wherever `icn.toml` says (a file, a token, a TPM), and whose
//! callers are in its book of peers. It renews its certificate while it runs.
//!
//! `service HOME ADDRESS`, with the passphrase or PIN as systemd gives it:
//! `LoadCredential=credential:/etc/node/pin`, and `RestartPreventExitStatus=77`: a wrong PIN is
//! sent once, and not again until the identity was opened with the right one, as by `icnctl`. Who may call: `icnctl peer allow DID --name NAME`.
#![allow(clippy::print_stdout, clippy::print_stderr, reason = "what it says, it says to systemd")]

use std::error::Error as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use icn_identity::home::{CredentialSource, Home};
use icn_identity::peer::{PeerBook, VerifiedDid};
use icn_identity::tls::{Server, TlsError, accept};
use icn_identity::{DidKey, Error, IdentityBundle};

/// `EX_NOPERM`: a PIN or passphrase was refused.
const REFUSED: u8 = 77;
/// `EX_TEMPFAIL`: another start may do, without anybody doing anything.
const TRY_AGAIN: u8 = 75;

/// A caller that falls silent for longer is gone.
const PATIENCE: Duration = Duration::from_secs(10);
/// In bytes.
const LONGEST_REQUEST: u64 = 1024;
/// How often it is looked whether a renewal is due, or another process has written one.
const MINUTE: Duration = Duration::from_secs(60);

/// What threads share.
struct Service {
    bundle: IdentityBundle<DidKey>,
    book: PeerBook,
    server: Server,
}

fn main() -> ExitCode {
    let mut arguments = std::env::args().skip(1);
    let (Some(home), Some(address), None) = (arguments.next(), arguments.next(), arguments.next())
    else {
        eprintln!("usage: service HOME ADDRESS");
        return ExitCode::from(2);
    };
    match run(&home, &address) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            report("stopped", &error);
            ExitCode::from(match error.kind() {
                _ if error.is_wrong_credential() => REFUSED,
                kind if kind.is_transient() => TRY_AGAIN,
                _ => 1,
            })
        }
    }
}

fn run(home: &str, address: &str) -> Result<(), Error> {
    let home = Home::open(home)?;
    let book = PeerBook::open(home.directory().join("peers"))?;
    let opened = home.unlock(CredentialSource::systemd("credential"))?;
    if let Some(error) = &opened.renewal_failed {
        report("the certificate was not renewed", error);
    }
    let bundle = opened.bundle;
    // It uses each renewal of the bundle from the next handshake on.
    let server = bundle.tls_server(&book.verifier())?;
    let listener = TcpListener::bind(address).map_err(TlsError::from)?;
    let address = listener.local_addr().map_err(TlsError::from)?;
    println!("{} listens on {address}", bundle.did());

    let service = Arc::new(Service { bundle, book, server });
    let renewing = service.clone();
    thread::spawn(move || renewing.keep_renewed());
    // One that faces the internet bounds how many there are.
    for socket in listener.incoming() {
        let service = service.clone();
        thread::spawn(move || {
            let served = socket.map_err(TlsError::from).map_err(Error::from);
            if let Err(error) = served.and_then(|socket| service.serve(socket)) {
                report("a caller was not served", &error);
            }
        });
    }
    Ok(())
}

impl Service {
    fn keep_renewed(&self) {
        loop {
            // By the key that is open: no credential is wanted.
            if let Err(error) = self.bundle.renew_if_due(SystemTime::now()) {
                report("the certificate was not renewed", &error.into());
            }
            thread::sleep(MINUTE);
        }
    }

    fn serve(&self, socket: TcpStream) -> Result<(), Error> {
        let timeouts =
            [socket.set_read_timeout(Some(PATIENCE)), socket.set_write_timeout(Some(PATIENCE))];
        timeouts.into_iter().collect::<Result<(), _>>().map_err(TlsError::from)?;
        let mut stream = accept(socket, &self.server)?;
        let mut request = String::new();
        BufReader::new((&mut stream).take(LONGEST_REQUEST))
            .read_line(&mut request)
            .map_err(TlsError::from)?;
        let answer = self.answer(stream.did(), request.trim_end())?;
        writeln!(stream, "{answer}").map_err(TlsError::from)?;
        stream.close().map_err(TlsError::from)?;
        Ok(())
    }

    /// Who asks was proven: it demands the type that says so.
    fn answer(&self, caller: &VerifiedDid, request: &str) -> Result<String, Error> {
        let peer = self.book.find(caller.as_did())?;
        let name = peer.as_ref().map_or("", |peer| peer.name());
        Ok(match request {
            "who am i" => format!("{caller} {name}"),
            "renew" if name == "operator" => {
                self.bundle.renew()?;
                format!("renewed {}", self.bundle.binding().sequence())
            }
            "renew" => "refused".into(),
            _ => "unknown".into(),
        })
    }
}

/// What happened, why, and what to do.
fn report(what: &str, error: &Error) {
    let mut text = format!("{what}: {error}\n");
    let mut cause = error.source();
    while let Some(error) = cause {
        text += &format!("  because: {error}\n");
        cause = error.source();
    }
    if let Some(help) = error.help() {
        text += &format!("  try: {help}\n");
    }
    // At once: other threads say something, too.
    eprint!("{text}");
}
