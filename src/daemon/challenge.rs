//! How a daemon shows that it has the key of a DID.
//!
//! A client that connects to a socket sends 32 fresh bytes. What is signed says for whom the
//! answer is: the user that the daemon sees at the other end. An answer that somebody of
//! another user had fetched does not verify for this one.

use crate::algorithm::{BadSignature, Signature};
use crate::did::Did;
use crate::fault::{OpenError, SignError};
use crate::key::prove_possession;
use crate::signer::{DidSigner, sign_statement};
use crate::statement::{Purpose, Statement};

fn statement(did: &Did, nonce: &[u8; 32], uid: u32) -> Vec<u8> {
    Statement::new(Purpose::Daemon)
        .raw(nonce)
        .number(u64::from(uid))
        .field(did.to_string().as_bytes())
        .into_bytes()
}

/// **Blocks** while a device signs. Shows to the user `uid` that the key of this DID is here,
/// by bytes that they chose.
///
/// # Errors
///
/// As [`DidSigner::sign`].
pub fn prove<S: DidSigner + ?Sized>(
    signer: &S,
    nonce: &[u8; 32],
    uid: u32,
) -> Result<Signature, SignError> {
    sign_statement(signer, &statement(signer.did(), nonce, uid))
}

/// **Blocks** while a device signs. Shows to ourselves that a signer has the key of its DID,
/// by a challenge that nobody else chose.
///
/// # Errors
///
/// [`OpenError::Challenge`] if it does not sign, and [`OpenError::NotItsKey`] if it signs with
/// another key.
pub fn verify_key<S: DidSigner + ?Sized>(signer: &S) -> Result<(), OpenError> {
    prove_possession(signer.did().verifying_key(), |challenge| sign_statement(signer, challenge))
}

/// Verifies what [`prove`] gives: that the other end has the key of `did`, or has just asked
/// somebody who has, and that they see the user `uid` at our end.
///
/// # Errors
///
/// [`BadSignature`] if it is of another key, nonce or user.
pub fn verify_proof(
    did: &Did,
    nonce: &[u8; 32],
    uid: u32,
    signature: &Signature,
) -> Result<(), BadSignature> {
    did.verifying_key().verify(&statement(did, nonce, uid), signature)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Key, Software, Unlocked};

    #[test]
    fn a_proof_is_for_one_key_one_nonce_and_one_user() {
        let key = Key::<Software, Unlocked>::generate().unwrap();
        let other = Key::<Software, Unlocked>::generate().unwrap();
        let proof = prove(&key, &[7; 32], 1001).unwrap();
        verify_proof(key.did(), &[7; 32], 1001, &proof).unwrap();
        assert!(verify_proof(other.did(), &[7; 32], 1001, &proof).is_err());
        assert!(verify_proof(key.did(), &[8; 32], 1001, &proof).is_err());
        assert!(verify_proof(key.did(), &[7; 32], 1002, &proof).is_err());
        verify_key(&key).unwrap();
        // Nobody is given it by the call that signs what a caller chooses.
        assert!(matches!(
            key.sign(&statement(key.did(), &[7; 32], 1001)),
            Err(SignError::Reserved)
        ));
    }
}
