use std::time::SystemTime;

use icn_identity::attestation::{Activation, AttestationError, Endorsement};
use icn_identity::{Key, Software, Unlocked};

fn endorse(
    kept: Activation,
    key: &Key<Software, Unlocked>,
    until: SystemTime,
) -> Result<Endorsement, AttestationError> {
    kept.endorse(key, SystemTime::now(), until)
}

fn main() {}
