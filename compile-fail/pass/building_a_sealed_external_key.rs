use icn_identity::{External, ExternalSigner, Key, Unlocked};

fn build(signer: impl ExternalSigner) {
    let _ = Key::<External, Unlocked>::from_external(signer);
}

fn main() {}
