use icn_identity::rotation::{RotationError, RotationTerms};
use icn_identity::{DidSigner, RotationStatement};

fn sign(
    old: &dyn DidSigner,
    new: &dyn DidSigner,
    terms: &RotationTerms,
) -> Result<RotationStatement, RotationError> {
    RotationStatement::sign_unguarded(old, new, None, terms)
}

fn main() {}
