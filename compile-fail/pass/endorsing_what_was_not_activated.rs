use std::time::SystemTime;

use icn_identity::attestation::{Activated, AttestationError, Endorsement};
use icn_identity::{Key, Software, Unlocked};

fn endorse(
    activated: Activated,
    key: &Key<Software, Unlocked>,
    until: SystemTime,
) -> Result<Endorsement, AttestationError> {
    activated.endorse(key, SystemTime::now(), until)
}

fn main() {}
