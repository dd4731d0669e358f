use icn_identity::error::SignError;
use icn_identity::{DidSigner, Signature};

fn ask(signer: &dyn DidSigner) -> Result<Signature, SignError> {
    signer.sign(b"my-protocol/v1\0")
}

fn main() {}
