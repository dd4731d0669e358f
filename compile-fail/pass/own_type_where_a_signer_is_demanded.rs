use icn_identity::{DidSigner, External, ExternalSigner, Key, Unlocked};

fn greet(_: &impl DidSigner) {}

fn start<C: ExternalSigner>(cloud_key: C) -> Result<(), icn_identity::Error> {
    let key = Key::<External, Unlocked>::from_external(cloud_key)?;
    greet(&key);
    Ok(())
}

fn main() {}
