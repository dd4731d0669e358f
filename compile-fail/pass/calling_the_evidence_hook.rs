use icn_identity::{DidSigner, DidSignerExt, Evidence};

fn ask(signer: &dyn DidSigner) -> Option<&Evidence> {
    signer.evidence()
}

fn main() {}
