use icn_identity::{DidSigner, Evidence};

fn ask(signer: &dyn DidSigner) -> Option<&Evidence> {
    signer.__evidence(())
}

fn main() {}
