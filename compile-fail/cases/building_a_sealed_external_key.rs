use icn_identity::{External, ExternalSigner, Key, Sealed};

fn build(signer: impl ExternalSigner) {
    let _ = Key::<External, Sealed>::from_external(signer);
}

fn main() {}
