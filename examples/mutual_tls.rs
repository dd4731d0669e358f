//! Two nodes that know each other by their DIDs: `cargo run --example
//! mutual_tls --features tls`.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use icn_identity::bundle::DEFAULT_VALIDITY;
use icn_identity::tls::{DidVerifier, TlsIdentity, refusal_of, server_name};
use icn_identity::{Did, IdentityBundle, Key};
use rustls::{ClientConnection, ServerConfig, ServerConnection, StreamOwned};

fn main() -> Result<(), Box<dyn Error>> {
    // Any signer will do: a key in a token or a TPM as well.
    let mut bank = IdentityBundle::issue(Key::generate()?)?;
    let alice = IdentityBundle::issue(Key::generate()?)?;
    let mallory = IdentityBundle::issue(Key::generate()?)?;

    let customers = Arc::new(DidVerifier::allowed([alice.did().clone()]));
    let identity = bank.tls_identity();
    let config = Arc::new(identity.server_config(&customers)?);
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            if let Err(error) = serve(socket, &config, &customers) {
                match refusal_of(&*error) {
                    Some(refusal) => println!("the bank refused: {refusal}"),
                    None => println!("the bank failed: {error}"),
                }
            }
        }
    });

    println!("alice hears: {}", ask(address, &alice.tls_identity(), bank.did())?);
    match ask(address, &mallory.tls_identity(), bank.did()) {
        Ok(answer) => return Err(format!("mallory heard: {answer}").into()),
        Err(error) => println!("mallory hears: {error}"),
    }
    // Before the certificate ends, without a restart: one signature by the DID's key. (A bundle
    // that came from a store is renewed there, by opening it again: see docs/tls.md.)
    bank.renew(std::time::SystemTime::now(), DEFAULT_VALIDITY)?;
    identity.replace(&bank)?;
    println!("alice hears: {}", ask(address, &alice.tls_identity(), bank.did())?);
    Ok(())
}

fn serve(
    socket: TcpStream,
    config: &Arc<ServerConfig>,
    verifier: &DidVerifier,
) -> Result<(), Box<dyn Error>> {
    let mut stream = StreamOwned::new(ServerConnection::new(config.clone())?, socket);
    let mut question = [0; 5];
    stream.read_exact(&mut question)?;
    // Made by the verifier only: what a function demands that acts for a peer.
    let peer = verifier.peer(&stream.conn)?;
    writeln!(stream, "hello {}", peer.did())?;
    stream.conn.send_close_notify();
    Ok(stream.flush()?)
}

fn ask(address: SocketAddr, own: &TlsIdentity, whom: &Did) -> Result<String, Box<dyn Error>> {
    let verifier = Arc::new(DidVerifier::pinned(whom.clone()));
    let config = Arc::new(own.client_config(&verifier)?);
    let connection = ClientConnection::new(config, server_name())?;
    let mut stream = StreamOwned::new(connection, TcpStream::connect(address)?);
    stream.write_all(b"who?\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let number = verifier.peer(&stream.conn)?.sequence();
    Ok(format!("{} (certificate {number} of {whom})", answer.trim_end()))
}
