use icn_identity::{Custody, DidSigner, DidSignerExt};

fn read(signer: &impl DidSigner) -> Custody {
    signer.custody()
}

fn main() {}
