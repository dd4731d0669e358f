//! A software key: made, locked, unlocked, and what only it can do.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use icn_identity::keystore::age::WorkFactor;
use icn_identity::{
    DidSignerExt as _, Error, IdentityBundle, Key, KeyPair, Locked, Passphrase, Software, Unlocked,
};

fn main() -> Result<(), Error> {
    let key = Key::<Software, Unlocked>::generate()?;
    println!("{} is {}", key.did(), key.provenance());

    // Transitions consume the key; a refused one gives it back.
    let passphrase = Passphrase::new("correct horse battery staple");
    let fast = WorkFactor::new(12).unwrap_or_default(); // 18 for keys of value
    let locked: Key<Software, Locked> = key.lock_with(&passphrase, fast)?;
    let locked = match locked.unlock(&Passphrase::new("a guess")) {
        Ok(_) => unreachable!("the passphrase is another one"),
        Err(refused) => {
            println!("refused: {}", refused.reason());
            refused.into_key()
        }
    };
    let key = locked.unlock(&passphrase)?;

    // A bundle: TLS key, certificate and X25519 key, bound to the DID.
    let bundle = IdentityBundle::issue(key)?;
    let signature = bundle.sign_for("greetings@coop.example", b"hello")?;
    bundle.verifying_key().verify_for("greetings@coop.example", b"hello", &signature)?;
    bundle.verify_binding(std::time::SystemTime::now())?;

    // Only `Key<Software, Unlocked>` converts into a pair with a seed.
    let pair = KeyPair::from(bundle.into_signer());
    println!("a seed of {} bytes", pair.expose_seed().len());
    Ok(())
}
