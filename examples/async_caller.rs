//! Signing from async code: `cargo run --features tokio --example async`.
//!
//! A token takes milliseconds for a signature, and a call into its module cannot be
//! interrupted. [`AsyncSigner`] signs on a few threads of its own: the runtime goes on,
//! and callers wait their turn.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::num::NonZeroUsize;

use icn_identity::nonblocking::AsyncSigner;
use icn_identity::{Key, Software, Unlocked};

const CONTEXT: &str = "greetings@coop.example";
/// As many as `sessions` under `[identity.pkcs11]`.
const AT_ONCE: NonZeroUsize = NonZeroUsize::new(4).unwrap();

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    // Any signer will do: a `Key<Hardware, Unlocked>`, or a whole `IdentityBundle`.
    let signer = AsyncSigner::new(Key::<Software, Unlocked>::generate()?, AT_ONCE)?;
    let tasks = (0..8).map(|number: u8| {
        let signer = signer.clone();
        tokio::spawn(async move {
            let message = vec![number; 3];
            let signature = signer.sign_for(CONTEXT, message.clone()).await?;
            signer.verifying_key().verify_for(CONTEXT, &message, &signature)?;
            Ok::<_, icn_identity::Error>(())
        })
    });
    for task in tasks.collect::<Vec<_>>() {
        task.await??;
    }
    println!("8 messages signed by {}", signer.did());
    Ok(())
}
