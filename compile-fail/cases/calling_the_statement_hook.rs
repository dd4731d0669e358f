use icn_identity::error::SignError;
use icn_identity::{DidSigner, Signature};

fn ask(signer: &dyn DidSigner) -> Result<Signature, SignError> {
    signer.__sign_statement(b"icn-identity/binding/v1\0", ())
}

fn main() {}
