//! What becomes of it when a part of it panics.

use std::os::unix::net::{UnixListener, UnixStream};
use std::sync::atomic::Ordering;

use super::*;
use crate::door::tests::Home;

const PATIENCE: Duration = Duration::from_secs(20);

/// It serves; then a part of it is broken, and it ends.
async fn ends_when(breaks: impl FnOnce(&Accepting, &Door, &std::path::Path)) {
    let home = Home::new();
    let path = home.path("icnd.sock");
    let (listener, connections) = (UnixListener::bind(&path).unwrap(), Connections::new(8));
    let door = home.door("");
    let (stop, stopping) = watch::channel(false);
    let accepting = Accepting::start(listener, door.clone(), connections.clone()).unwrap();
    breaks(&accepting, &door, &path);
    let served = tokio::spawn(serve(accepting, connections, door, stopping));
    // Nobody has told it to.
    timeout(PATIENCE, served).await.expect("it ends").unwrap();
    drop(stop);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_when_a_thread_that_accepts_panics() {
    ends_when(|accepting, _, path| {
        accepting.panic_at_the_next();
        drop(UnixStream::connect(path).unwrap());
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn it_ends_when_what_counts_refusals_panics() {
    ends_when(|_, door, _| door.refusals.panics.store(true, Ordering::SeqCst)).await;
}
