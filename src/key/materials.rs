//! What a key of each provenance holds in each state, by algorithm: all the keys
//! that there are.

use super::device::{OpenedMaterial, SealedMaterial};
use super::external::ExternalMaterial;
use super::hooks::{SignWith, Store};
use super::provenance::{DeviceHeld, External, Hardware, Holds, Provenance, Software, TpmSealed};
use super::public::Public;
use super::software::{LockedMaterial, UnlockedMaterial};
use super::state::{Locked, Sealed, Unlocked};
use super::tpm_sealed::{SealedSeedMaterial, UnsealedSeedMaterial};
use crate::algorithm::{Ed25519, P256, Signature};
use crate::fault::SignError;
use crate::private::Token;

macro_rules! holds {
    ($($provenance:ident<$algorithm:ident>: $($state:ident => $material:ty),+;)+) => {$(
        $(
            impl Store<$state, $algorithm> for $provenance {
                type Material = $material;
            }
            impl Holds<$state, $algorithm> for $provenance {}
        )+
        impl Provenance<$algorithm> for $provenance {}
        impl SignWith<$algorithm> for $provenance {
            fn sign_with(
                _: Token,
                material: &<Self as Store<Unlocked, $algorithm>>::Material,
                public: &Public,
                message: &[u8],
            ) -> Result<Signature, SignError> {
                material.sign(public, message)
            }
            fn sign_sha256_with(
                _: Token,
                material: &<Self as Store<Unlocked, $algorithm>>::Material,
                public: &Public,
                digest: &[u8; 32],
            ) -> Option<Result<Signature, SignError>> {
                material.sign_sha256(public, digest)
            }
            fn verifies(
                _: Token,
                material: &<Self as Store<Unlocked, $algorithm>>::Material,
            ) -> bool {
                material.verifies()
            }
        }
    )+};
}

holds! {
    Software<Ed25519>: Locked => LockedMaterial, Unlocked => UnlockedMaterial;
    TpmSealed<Ed25519>: Sealed => SealedSeedMaterial, Unlocked => UnsealedSeedMaterial;
    DeviceHeld<Ed25519>: Sealed => SealedMaterial, Unlocked => OpenedMaterial;
    DeviceHeld<P256>: Sealed => SealedMaterial, Unlocked => OpenedMaterial;
    Hardware<Ed25519>: Sealed => SealedMaterial, Unlocked => OpenedMaterial;
    Hardware<P256>: Sealed => SealedMaterial, Unlocked => OpenedMaterial;
    External<Ed25519>: Unlocked => ExternalMaterial;
    External<P256>: Unlocked => ExternalMaterial;
}
