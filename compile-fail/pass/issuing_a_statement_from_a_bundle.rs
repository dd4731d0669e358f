use icn_identity::error::SignError;
use icn_identity::{DidKey, IdentityBundle, Signature};

fn ask(bundle: &IdentityBundle<DidKey>) -> Result<Signature, SignError> {
    bundle.sign(b"my-protocol/v1\0")
}

fn main() {}
