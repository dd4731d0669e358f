//! Signing from async code: `cargo run --example async`.
//!
//! A token takes milliseconds for a signature, and a call into its module
//! cannot be interrupted. So signing is a blocking call, and belongs on threads
//! that may block; this crate has no runtime and needs none. With a token, let
//! as many run at once as its pool has sessions: more would only wait there.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::sync::Arc;

use icn_identity::error::SignError;
use icn_identity::{DidSigner, Key, Signature, Software, Unlocked};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

/// A signer for async code. Any key will do: `Key<Hardware, Unlocked>` is
/// shared between threads like this software key.
struct AsyncSigner<S> {
    signer: Arc<S>,
    /// As many as `sessions` under `[identity.pkcs11]`.
    at_once: Semaphore,
}

impl<S: DidSigner + 'static> AsyncSigner<S> {
    fn new(signer: S, at_once: usize) -> Self {
        Self { signer: Arc::new(signer), at_once: Semaphore::new(at_once) }
    }

    /// If the future is dropped the signature is still made, and thrown away.
    async fn sign(&self, message: Vec<u8>) -> Result<Signature, Box<dyn Error + Send + Sync>> {
        let _permit = self.at_once.acquire().await?;
        let signer = Arc::clone(&self.signer);
        let signed: Result<Signature, SignError> =
            spawn_blocking(move || signer.sign(&message)).await?;
        Ok(signed?)
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let signer = Arc::new(AsyncSigner::new(Key::<Software, Unlocked>::generate()?, 4));
    let tasks = (0..8).map(|number: u8| {
        let signer = Arc::clone(&signer);
        tokio::spawn(async move {
            let message = vec![number; 3];
            let signature = signer.sign(message.clone()).await?;
            signer.signer.verifying_key().verify(&message, &signature)?;
            Ok::<_, Box<dyn Error + Send + Sync>>(())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await??;
    }
    println!("8 messages signed by {}", signer.signer.did());
    Ok(())
}
