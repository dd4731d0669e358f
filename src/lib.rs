//! Identity keys whose provenance is in their type.
//!
//! [`Key<Software, Unlocked>`] has a seed to give; [`Key<Hardware, Unlocked>`]
//! has no method for it. See [`key`] for the state diagram and the table of
//! capabilities, [`bundle`] for what stands on a key, [`backend`] for where
//! keys come from.
//!
//! ```
//! use icn_identity::{DidSigner, IdentityBundle, Key, Software, Unlocked};
//!
//! let key = Key::<Software, Unlocked>::generate()?;
//! let bundle = IdentityBundle::issue(key)?;
//! let signature = bundle.sign_for("greetings@coop.example", b"hello")?;
//! bundle.verifying_key().verify_for("greetings@coop.example", b"hello", &signature)?;
//! # Ok::<(), icn_identity::Error>(())
//! ```
//!
//! A hardware key where secret bytes are wanted does not compile:
//!
//! ```compile_fail,E0277
//! use icn_identity::{Hardware, Key, Unlocked};
//!
//! fn export(key: &Key<Hardware, Unlocked>) -> [u8; 32] {
//!     *key.expose_secret()
//! }
//! ```

#![cfg_attr(docsrs, feature(doc_cfg))]

// Each uses only those below it, in the order of tests/lib/layers.rs.
mod agefile;
pub mod algorithm;
pub mod backend;
mod binding;
pub mod bundle;
mod clock;
pub mod config;
pub mod did;
mod encoding;
pub mod error;
pub mod evidence;
mod fault;
pub mod file;
pub mod key;
pub mod keystore;
mod kind;
mod locator;
pub mod peer;
mod private;
pub mod rotation;
pub mod secret;
pub mod signer;
pub mod sshsig;
pub mod statement;
#[cfg(feature = "tls")]
pub mod tls;

pub use algorithm::{Algorithm, AlgorithmId, Ed25519, P256, Signature, VerifyingKey};
pub use bundle::IdentityBundle;
pub use did::{Did, DidMethod};
pub use error::{Error, ErrorKind};
pub use evidence::{Assurance, Evidence, ProvenanceKind, Requirement};
pub use key::{
    AtRest, Confined, DeviceHeld, DidKey, ExposeSecret, External, ExternalSigner, Hardware,
    HardwareBacked, HardwareKey, Holds, Key, KeyPair, Locked, NeverExposed, Provenance, Refused,
    Sealed, SealedKey, Software, State, TpmSealed, Unlocked,
};
pub use rotation::{RotationChain, RotationStatement};
pub use secret::{Passphrase, Pin};
pub use signer::{Custody, DidSigner, DidSignerExt};
pub use sshsig::SshSignature;

/// README and docs pages, so that their examples are tested.
#[cfg(doctest)]
mod pages {
    #[doc = include_str!("../README.md")]
    mod readme {}
    #[cfg(feature = "tls")]
    #[doc = include_str!("../docs/tls.md")]
    mod tls {}
    #[doc = include_str!("../docs/backup.md")]
    mod backup {}
    #[doc = include_str!("../docs/encryption.md")]
    mod encryption {}
    #[doc = include_str!("../docs/import.md")]
    mod import {}
    #[doc = include_str!("../docs/keystore.md")]
    mod keystore {}
    #[doc = include_str!("../docs/rotation.md")]
    mod rotation {}
    #[doc = include_str!("../docs/signing.md")]
    mod signing {}
}
