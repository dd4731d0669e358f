//! An answer, to whoever asked or to nobody, however long it takes to open the key.

use std::time::{Duration, SystemTime};

use icn_identity::Did;
use icn_identity::attestation::{Attestation, AttestationError, Challenge, DeviceCertificates};

use crate::error::CliError;

/// What an answer is an answer to.
pub(super) enum Asked {
    /// The challenge of whoever asked.
    By(Challenge),
    /// Nobody asked: a challenge of one's own for this audience, which is answered the moment that it
    /// is made.
    Unasked { audience: String },
}

impl Asked {
    pub(super) fn challenge(&self, at: SystemTime) -> Result<Challenge, AttestationError> {
        match self {
            Self::By(challenge) => Ok(challenge.clone()),
            Self::Unasked { audience } => Challenge::fresh(audience, Duration::ZERO, at),
        }
    }
}

/// Checks all that can be before the key is opened, which can take as long as somebody needs for
/// a PIN or a touch.
pub(super) fn answered<S>(
    asked: &Asked,
    did: &Did,
    certificates: DeviceCertificates,
    clock: impl Fn() -> SystemTime,
    open: impl FnOnce() -> Result<S, CliError>,
    sign: impl FnOnce(
        &S,
        &Challenge,
        DeviceCertificates,
        SystemTime,
    ) -> Result<Attestation, AttestationError>,
) -> Result<Attestation, CliError> {
    let now = clock();
    Attestation::check(did, &asked.challenge(now)?, &certificates, now)?;
    let signer = open()?;
    let now = clock();
    Ok(sign(&signer, &asked.challenge(now)?, certificates, now)?)
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;
    use std::time::UNIX_EPOCH;

    use icn_identity::{Key, Software, Unlocked};
    use support::maker::{Maker, NOW};

    use super::*;

    /// As where somebody looks for a PIN for an hour.
    #[test]
    fn an_answer_that_nobody_asked_for_is_made_however_long_a_pin_takes() {
        let maker = Maker::yubihsm();
        let key = Key::<Software, Unlocked>::from_seed(&[7; 32]);
        let leaf = Maker::yubihsm_leaf(&key.verifying_key().to_spki_der()).sign(&maker.device_key);
        let shown = DeviceCertificates::parse(&leaf, &[]).unwrap();
        let time = Cell::new(NOW);
        let make = |asked: &Asked| {
            let clock = || UNIX_EPOCH + Duration::from_secs(time.get());
            let open = || {
                time.set(time.get() + 3600);
                Ok(&key)
            };
            answered(asked, key.did(), shown.clone(), clock, open, |key, to, shown, at| {
                Attestation::create(*key, to, shown, at)
            })
        };
        let unasked = Asked::Unasked { audience: "treasury@coop.example".into() };
        assert_eq!(make(&unasked).unwrap().created_unix(), NOW + 3600);
        // A challenge of somebody's ends when it said.
        let at = UNIX_EPOCH + Duration::from_secs(time.get());
        let short = Challenge::fresh("treasury@coop.example", Duration::from_secs(60), at).unwrap();
        assert!(make(&Asked::By(short)).is_err());
        // What is wrong is said before anybody is asked.
        let before = time.get();
        assert!(make(&Asked::Unasked { audience: "two\nlines".into() }).is_err());
        assert_eq!(time.get(), before);
    }
}
