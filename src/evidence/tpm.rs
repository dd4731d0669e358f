//! The attributes of a TPM's object.

use super::fact::{Attribute, Word};
use super::{Assurance, DeviceIdentity, Exposable, Fact, ProvenanceKind, known};

/// Attributes of an object as the TPM enforces them (`TPMA_OBJECT`, TPM 2.0
/// Library, part 2, section 8.3). The TPM loads an object with no others.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct TpmAttributes {
    /// Whether it is data that the TPM gives out, not a key that it uses.
    pub(crate) sealed: bool,
    pub(crate) fixed_tpm: bool,
    pub(crate) fixed_parent: bool,
    pub(crate) sensitive_data_origin: bool,
    pub(crate) user_with_auth: bool,
    pub(crate) no_da: bool,
    pub(crate) restricted: bool,
    pub(crate) decrypt: bool,
    pub(crate) sign: bool,
}

#[cfg_attr(not(feature = "tpm"), allow(dead_code, reason = "read by that backend"))]
impl TpmAttributes {
    #[cfg(feature = "tpm")]
    pub(crate) fn of(told: tss_esapi::attributes::ObjectAttributes, sealed: bool) -> Self {
        Self {
            sealed,
            fixed_tpm: told.fixed_tpm(),
            fixed_parent: told.fixed_parent(),
            sensitive_data_origin: told.sensitive_data_origin(),
            user_with_auth: told.user_with_auth(),
            no_da: told.no_da(),
            restricted: told.restricted(),
            decrypt: told.decrypt(),
            sign: told.sign_encrypt(),
        }
    }

    /// What keeps a key from being used as ours are.
    pub(crate) const fn check_signing_key(&self) -> Result<(), &'static str> {
        if self.user_with_auth {
            return Err("a password would do in place of its policy (userWithAuth is set)");
        }
        if !self.sign || self.restricted || self.decrypt {
            return Err("it is not for signatures alone");
        }
        Ok(())
    }

    pub(super) const fn judge(&self) -> Result<ProvenanceKind, Exposable> {
        if !self.fixed_tpm || !self.fixed_parent {
            return Err(Exposable::Duplicable);
        }
        Ok(match (self.sealed, self.sensitive_data_origin) {
            (true, _) => ProvenanceKind::TpmSealed,
            (false, true) => ProvenanceKind::Hardware,
            (false, false) => ProvenanceKind::DeviceHeld,
        })
    }

    pub(super) fn facts(self) -> [Attribute; 5] {
        [
            ("fixed_tpm", self.fixed_tpm),
            ("fixed_parent", self.fixed_parent),
            ("sensitive_data_origin", self.sensitive_data_origin),
            ("user_with_auth", self.user_with_auth),
            ("no_da", self.no_da),
        ]
        .map(|(name, set)| Attribute {
            name,
            fact: Fact::from(Some(set)),
            word: Word::Device,
        })
    }
}

/// A virtual TPM is a soft token: whoever runs the host can copy it.
pub(crate) fn assurance(device: &DeviceIdentity) -> Assurance {
    if known::is_software(device, true) { Assurance::SoftToken } else { Assurance::Claimed }
}

/// Whether a TPM of this maker and model, as its certificate names them, is a program.
#[cfg(feature = "attestation")]
pub(crate) fn is_virtual(manufacturer: &str, model: &str) -> bool {
    let device = DeviceIdentity {
        manufacturer: manufacturer.to_owned(),
        model: model.to_owned(),
        serial: String::new(),
        label: String::new(),
        firmware: String::new(),
        library: String::new(),
        module: String::new(),
        slot: String::new(),
        hardware_slot: true,
    };
    assurance(&device) < Assurance::Claimed
}

#[cfg(test)]
mod tests {
    use super::*;

    fn attributes(bits: u32) -> TpmAttributes {
        let bit = |place: u32| bits >> place & 1 == 1;
        TpmAttributes {
            sealed: bit(0),
            fixed_tpm: bit(1),
            fixed_parent: bit(2),
            sensitive_data_origin: bit(3),
            user_with_auth: bit(4),
            no_da: bit(5),
            restricted: bit(6),
            decrypt: bit(7),
            sign: bit(8),
        }
    }

    /// All 2^9 objects there can be.
    #[test]
    fn only_a_key_born_and_fixed_in_the_tpm_is_hardware() {
        for bits in 0..1 << 9 {
            let seen = attributes(bits);
            let fixed = seen.fixed_tpm && seen.fixed_parent;
            match seen.judge() {
                Ok(ProvenanceKind::Hardware) => {
                    assert!(fixed && seen.sensitive_data_origin && !seen.sealed);
                }
                Ok(ProvenanceKind::DeviceHeld) => {
                    assert!(fixed && !seen.sensitive_data_origin && !seen.sealed);
                }
                Ok(ProvenanceKind::TpmSealed) => assert!(fixed && seen.sealed),
                Err(Exposable::Duplicable) => assert!(!fixed),
                other => panic!("{other:?}"),
            }
            let signs_only = seen.sign && !seen.restricted && !seen.decrypt;
            let usable = seen.check_signing_key().is_ok();
            assert_eq!(usable, signs_only && !seen.user_with_auth, "{seen:?}");
        }
    }
}
