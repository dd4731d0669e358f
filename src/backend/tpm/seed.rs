//! Ed25519 seeds, sealed: no TPM signs with Ed25519, so the chip keeps the seed
//! and gives it out under its policy.

use std::sync::Arc;

use zeroize::Zeroizing;

use super::access::Access;
use super::pin::Purpose;
use crate::backend::TpmObject;
use crate::did::Did;
use crate::error::{DeviceError, OpenError, TpmError};
use crate::evidence::{Evidence, TpmAttributes};
use crate::key::tpm_sealed::SealedSeed;
use crate::secret::{Pin, SigningSeed};

/// A seed that wants its policy.
#[derive(Debug)]
pub(super) struct TpmSeed {
    pub(super) access: Arc<Access>,
    pub(super) object: TpmObject,
    pub(super) did: Did,
}

impl TpmSeed {
    /// What is known of the object: the TPM loads it with no other public part.
    pub(super) fn evidence(&self) -> Result<Evidence, OpenError> {
        let attributes = super::object::Stored::read(&self.object, Purpose::Key)
            .map_err(DeviceError::from)?
            .attributes();
        let device = self.access.chip.identity().map_err(DeviceError::from)?;
        Ok(Evidence::from_tpm(device, TpmAttributes::of(attributes, true))?)
    }
}

impl SealedSeed for TpmSeed {
    fn unseal(&self, pin: &Pin) -> Result<(SigningSeed, Evidence), OpenError> {
        let evidence = self.evidence()?;
        let bytes = self.access.unseal(&self.object, Purpose::Key, self.did.as_str(), pin);
        let seed = seed(&bytes.map_err(DeviceError::from)?).map_err(DeviceError::from)?;
        Ok((seed, evidence))
    }
}

pub(super) fn seed(bytes: &Zeroizing<Vec<u8>>) -> Result<SigningSeed, TpmError> {
    let bytes: &[u8; 32] = bytes
        .as_slice()
        .try_into()
        .map_err(|_| TpmError::Damaged { what: Purpose::Key.object(), source: None })?;
    Ok(SigningSeed::from_bytes(bytes))
}
