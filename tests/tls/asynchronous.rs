//! The streams of async code.

use std::future::Future;
use std::io::ErrorKind;
use std::sync::Arc;
use std::time::Duration;

use icn_identity::peer::{PeerBook, Refusal};
use icn_identity::tls::{
    AsyncStream, Client, DidVerifier, Server, TlsError, accept_async, connect_async,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream, duplex};

use crate::{Bundle, anybody, bundle, pinned};

/// As small as a slow network's.
const BUFFER: usize = 300;

/// On one thread: what blocks there is in everybody's way.
fn run<T>(work: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let soon = async { tokio::time::timeout(Duration::from_secs(60), work).await.unwrap() };
    runtime.block_on(soon)
}

fn sides() -> (Bundle, Bundle, Client, Server) {
    let (alice, bank) = (bundle(), bundle());
    let client = alice.tls_client(&Arc::new(DidVerifier::named())).unwrap();
    let server = bank.tls_server(&pinned(alice.did())).unwrap();
    (alice, bank, client, server)
}

type Ends = (AsyncStream<DuplexStream>, AsyncStream<DuplexStream>);

async fn ends(client: &Client, bank: &Bundle, server: &Server) -> Result<Ends, TlsError> {
    let (one, other) = duplex(BUFFER);
    let (calling, called) =
        tokio::join!(connect_async(one, client, bank.did()), accept_async(other, server));
    Ok((calling?, called?))
}

#[test]
fn async_streams_know_their_peers_and_carry_much_both_ways_at_once() {
    let (alice, bank, client, server) = sides();
    run(async {
        let (one, other) = ends(&client, &bank, &server).await.unwrap();
        assert_eq!((one.did().as_did(), other.did().as_did()), (bank.did(), alice.did()));
        assert_eq!(one.peer(), &one.check_peer().unwrap());
        let long: Vec<u8> = (0..100_000_u32).flat_map(|at| at.to_le_bytes()).collect();
        let talk = |stream: AsyncStream<DuplexStream>| async {
            let (mut reading, mut writing) = tokio::io::split(stream);
            let mut heard = Vec::new();
            let (read, written) = tokio::join!(reading.read_to_end(&mut heard), async {
                writing.write_all(&long).await?;
                writing.shutdown().await
            });
            read.unwrap();
            written.unwrap();
            heard
        };
        let (heard, said) = tokio::join!(talk(one), talk(other));
        assert!(heard == long && said == long);
    });
}

#[test]
fn an_async_end_without_a_farewell_is_noticed() {
    let (_, bank, client, server) = sides();
    run(async {
        let (mut one, mut other) = ends(&client, &bank, &server).await.unwrap();
        one.write_all(b"half").await.unwrap();
        one.flush().await.unwrap();
        drop(one);
        let mut heard = [0; 4];
        other.read_exact(&mut heard).await.unwrap();
        let error = other.read(&mut heard).await.unwrap_err();
        assert_eq!((&heard, error.kind()), (b"half", ErrorKind::UnexpectedEof));
        let error = async {
            other.write_all(b"x").await?;
            other.flush().await
        }
        .await
        .unwrap_err();
        assert_eq!(error.kind(), ErrorKind::BrokenPipe);
        // And one that ends before the handshake is done.
        let (one, other) = duplex(BUFFER);
        drop(other);
        let error = connect_async(one, &client, bank.did()).await.unwrap_err();
        assert!(matches!(error, TlsError::Transport(_)), "{error:?}");
    });
}

#[test]
fn async_sides_refuse_whom_they_do_not_accept_and_ask_their_book() {
    let (alice, bank, client, _) = sides();
    let dir = tempfile::tempdir().unwrap();
    let book = PeerBook::open(dir.path().join("peers")).unwrap();
    let server = bank.tls_server(&book.verifier()).unwrap();
    run(async {
        // The client's handshake is done first: it hears of the refusal when it reads.
        let (one, other) = duplex(BUFFER);
        let (calling, called) =
            tokio::join!(connect_async(one, &client, bank.did()), accept_async(other, &server));
        let refused = called.unwrap_err();
        assert!(matches!(refused.refusal(), Some(Refusal::NotExpected { .. })), "{refused}");
        let error = calling.unwrap().read(&mut [0; 1]).await.unwrap_err();
        assert!(error.get_ref().unwrap().to_string().contains("alert"), "{error:?}");
        book.allow(alice.did(), "alice").unwrap();
        ends(&client, &bank, &server).await.unwrap();
        // Somebody else than the one who is called.
        let wrong = bundle().tls_server(&anybody()).unwrap();
        let refused = ends(&client, &bank, &wrong).await.unwrap_err();
        assert!(matches!(refused.refusal(), Some(Refusal::NotExpected { .. })), "{refused}");
    });
}

/// A verifier that takes its time keeps no other task of the thread waiting.
#[test]
fn a_verifier_that_blocks_is_not_in_the_way_of_other_tasks() {
    let (alice, bank) = (bundle(), bundle());
    let (open, opened) = std::sync::mpsc::channel::<()>();
    let opened = std::sync::Mutex::new(opened);
    let slow = Arc::new(DidVerifier::deciding(move |_| {
        // Until another task has run on the only thread of the runtime.
        let _ = opened.lock().unwrap().recv_timeout(Duration::from_secs(30));
        true
    }));
    let client = alice.tls_client(&pinned(bank.did())).unwrap();
    let server = bank.tls_server(&slow).unwrap();
    run(async {
        let other_task = async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            // Once in the handshake, and once when the peer is asked for.
            open.send(()).unwrap();
            open.send(()).unwrap();
        };
        let start = std::time::Instant::now();
        let (met, ()) = tokio::join!(ends(&client, &bank, &server), other_task);
        assert_eq!(met.unwrap().1.did(), alice.did());
        assert!(start.elapsed() < Duration::from_secs(25));
    });
}
