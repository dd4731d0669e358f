use icn_identity::error::KeystoreError;
use icn_identity::keystore::{EvidenceSummary, IdentityStore};

fn claimed(store: &IdentityStore) -> Result<EvidenceSummary, KeystoreError> {
    Ok(store.header()?.claimed_evidence().clone())
}

fn main() {}
