//! Proof, by a fresh signature, that a private key belongs to a public one.

use crate::algorithm::{Signature, VerifyingKey};
use crate::fault::{OpenError, SignError};
use crate::statement::{Purpose, Statement};

/// Has 32 fresh random bytes signed and verifies the signature strictly.
pub(crate) fn prove_possession(
    key: &VerifyingKey,
    sign: impl FnOnce(&[u8]) -> Result<Signature, SignError>,
) -> Result<(), OpenError> {
    let mut nonce = [0_u8; 32];
    crate::secret::fill_random(&mut nonce)?;
    let statement = Statement::new(Purpose::Open).raw(&nonce).raw(key.as_bytes()).into_bytes();
    let signature = sign(&statement).map_err(OpenError::Challenge)?;
    key.verify_strict(&statement, &signature).map_err(|_| OpenError::NotItsKey)
}
