//! Two nodes that know each other by their DIDs: `cargo run --example
//! mutual_tls --features tls`.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use icn_identity::peer::VerifiedDid;
use icn_identity::tls::{Client, DidVerifier, Server, TlsError, accept, connect};
use icn_identity::{Did, IdentityBundle, Key};

fn main() -> Result<(), Box<dyn Error>> {
    // Any signer will do: a key in a token or a TPM as well.
    let bank = IdentityBundle::issue(Key::generate()?)?;
    let alice = IdentityBundle::issue(Key::generate()?)?;
    let mallory = IdentityBundle::issue(Key::generate()?)?;

    // A service has its customers in a `PeerBook`, which several processes change.
    let customers = Arc::new(DidVerifier::allowed([alice.did().clone()]));
    let server = bank.tls_server(&customers)?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            if let Err(error) = serve(socket, &server) {
                println!("the bank: {error}");
            }
        }
    });

    // A client says whom it calls.
    let named = Arc::new(DidVerifier::named());
    let alices = alice.tls_client(&named)?;
    println!("alice hears: {}", ask(address, &alices, bank.did())?);
    match ask(address, &mallory.tls_client(&named)?, bank.did()) {
        Ok(answer) => return Err(format!("mallory heard: {answer}").into()),
        Err(error) => println!("mallory: {error}"),
    }
    // Before the certificate ends, without a restart: one signature by the DID's key. The
    // listener uses the new one. (When it is due: `renew_if_due`, see docs/tls.md.)
    bank.renew()?;
    println!("alice hears: {}", ask(address, &alices, bank.did())?);
    Ok(())
}

fn serve(socket: TcpStream, server: &Server) -> Result<(), TlsError> {
    let mut stream = accept(socket, server)?;
    let mut question = [0; 5];
    stream.read_exact(&mut question)?;
    let answer = welcome(stream.did());
    stream.write_all(answer.as_bytes())?;
    stream.close()?;
    Ok(())
}

/// What acts for a peer demands this type: a connection alone makes one.
fn welcome(peer: &VerifiedDid) -> String {
    format!("hello {peer}\n")
}

fn ask(address: SocketAddr, client: &Client, whom: &Did) -> Result<String, TlsError> {
    let mut stream = connect(TcpStream::connect(address)?, client, whom)?;
    stream.write_all(b"who?\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let number = stream.peer().sequence();
    Ok(format!("{} (certificate {number} of {whom})", answer.trim_end()))
}
