use std::io;
use std::sync::Arc;

use super::{check, did, no_randomness};
use crate::algorithm::BadSignature;
use crate::audit::{AuditError, Fault};
use crate::error::{ErrorKind as K, KeystoreError, SignError};

fn full() -> KeystoreError {
    let source = io::ErrorKind::StorageFull.into();
    KeystoreError::Io { action: "write", path: "/x".into(), source }
}

#[test]
fn of_audit_logs() {
    use AuditError as E;
    let broken = |fault| E::Broken { path: "/x".into(), line: 1, fault };
    let mut rows = vec![
        (E::NotWritten { path: "/x".into(), source: Arc::new(full().into()) }, K::Storage),
        (full().into(), K::Storage),
        (E::InUse { path: "/x".into() }, K::InUse),
        (E::Exchanged { path: "/x".into() }, K::Permission),
        (E::Damaged { path: "/x".into() }, K::Damaged),
        (E::Empty, K::NotFound),
        (E::NotACheckpoint { problem: "p" }, K::InvalidInput),
        (E::NotSignedBy { did: did() }, K::OtherIdentity),
        (E::Signature(BadSignature::new()), K::Untrusted),
        (E::Sign(SignError::Reserved), K::InvalidInput),
        (no_randomness().into(), K::Randomness),
        (E::Interrupted, K::Internal),
    ];
    let faults = [
        Fault::Changed,
        Fault::CutOff,
        Fault::Missing { first: 1, last: 1 },
        Fault::Missing { first: 1, last: 2 },
        Fault::Moved { found: 2, expected: 1 },
        Fault::Repeated { number: 1 },
        Fault::NotContinued { number: 1 },
        Fault::OtherLog,
        Fault::EndsEarly { last: 1, known: 2 },
        Fault::NotThatOfCheckpoint { number: 1 },
        Fault::BeginsLater { checkpoint: 1 },
    ];
    for fault in faults {
        assert!(!fault.to_string().contains("  "), "{fault}");
        rows.push((broken(fault), K::Untrusted));
    }
    check("audit/error.rs", rows);
}
