use icn_identity::{DidSigner, DidSignerExt, Evidence};

fn read(signer: &dyn DidSigner) -> Option<&Evidence> {
    signer.evidence()
}

fn main() {}
