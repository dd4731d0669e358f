use icn_identity::rotation::{RotationError, RotationTerms};
use icn_identity::{DidSigner, ProvenanceKind, RotationStatement};

fn boast(
    old: &dyn DidSigner,
    new: &dyn DidSigner,
    terms: &RotationTerms,
) -> Result<RotationStatement, RotationError> {
    RotationStatement::sign_unguarded(old, new, None, terms, ProvenanceKind::Hardware)
}

fn main() {}
