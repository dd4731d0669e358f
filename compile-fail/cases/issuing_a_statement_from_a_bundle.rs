use icn_identity::error::SignError;
use icn_identity::{DidKey, IdentityBundle, Signature};

fn ask(bundle: &IdentityBundle<DidKey>) -> Result<Signature, SignError> {
    bundle.sign_statement(b"icn-identity/binding/v1\0")
}

fn main() {}
