//! Identity keys whose provenance is in their type.
//!
//! [`Key<Software, Unlocked>`] has a seed to give; [`Key<Hardware, Unlocked>`]
//! has no method for it. See [`key`] for the state diagram and the table of
//! capabilities, [`bundle`] for what stands on a key, [`backend`] for where
//! keys come from, and [`home`] for an identity on disk, opened with one call.
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

//! # Features
//!
//! | feature | brings |
//! |---|---|
//! | `keystore` (default) | [`home`], [`bundle`], [`keystore`], [`backend`], [`config`], [`mod@file`]: identities on disk, their certificates, backups and age files |
//! | `pkcs11` | `backend::pkcs11`: keys on tokens, through a PKCS#11 module that is loaded at run time |
//! | `tpm` | `backend::tpm`: keys sealed to, or made in, a TPM 2.0; links the system's tss2 libraries |
//! | `tls` | `tls`: mutual TLS between DIDs, by rustls with ring |
//! | `signature` | the traits of RustCrypto's `signature` 3 on signers and public keys |
//! | `tokio` | `nonblocking`: signers and homes for async code, on any executor; with `tls`, its streams for tokio: `tls::accept_async`, `connect_async` |
//! | `audit` | `audit`: a log of who had the key do what, that cannot be changed unnoticed |
//! | `client` | `client`: signing and decrypting by a daemon that has the key; needs no keystore |
//! | `attestation` | `attestation`: a peer's key is proved to be in a device by the device's maker, offline; needs no keystore and no device |
//! | `cli` | the program `icnctl` |
//!
//! `pkcs11`, `tpm`, `tls`, `audit` and `cli` bring `keystore`. Without any feature there are DIDs,
//! signatures, evidence, rotation and keys in memory, on 87 crates instead of 207
//! (a cold debug build on two cores: 24 seconds instead of 64).
//!
//! # What blocks
//!
//! The docs of what waits for a device, a file, scrypt or a person begin with
//! **Blocks**. Async code calls it on a thread that may wait, as `nonblocking` does.
//!
//! # Types of other crates
//!
//! In signatures there are types of `serde` 1 (its two traits) and of `zeroize` 1
//! (`Zeroizing`), and none of crates whose next version would break callers, but where
//! a feature is there for them: `rustls` by `tls`, which exports the version that it
//! has (`tls::rustls`), `tokio` 1 by `tokio`, and `signature` 3 with `ed25519`, `ecdsa`
//! and `p256` by `signature`.

#![cfg_attr(docsrs, feature(doc_cfg))]
// Lower rooms have what only the keystore uses; with it, all of it is used.
#![cfg_attr(
    not(feature = "keystore"),
    allow(dead_code, unreachable_pub, unused_imports, unused_macros)
)]

// Each uses only those below it, in the order of tests/lib/layers.rs.
#[cfg(feature = "keystore")]
mod agefile;
pub mod algorithm;
#[cfg(feature = "attestation")]
pub mod attestation;
#[cfg(feature = "audit")]
pub mod audit;
#[cfg(feature = "keystore")]
pub mod backend;
mod binding;
#[cfg(feature = "keystore")]
pub mod bundle;
#[cfg(feature = "client")]
pub mod client;
mod clock;
#[cfg(feature = "keystore")]
pub mod config;
pub mod daemon;
pub mod did;
mod encoding;
pub mod error;
pub mod evidence;
mod fault;
#[cfg(feature = "keystore")]
pub mod file;
#[cfg(all(
    any(test, fuzzing),
    feature = "attestation",
    feature = "audit",
    feature = "client",
    feature = "pkcs11",
    feature = "tpm"
))]
#[doc(hidden)]
pub mod formats;
#[cfg(feature = "keystore")]
pub mod home;
pub mod key;
#[cfg(feature = "keystore")]
pub mod keystore;
mod kind;
mod locator;
#[cfg(feature = "keystore")]
pub mod migrate;
#[cfg(feature = "tokio")]
pub mod nonblocking;
pub mod peer;
mod private;
pub mod rotation;
pub mod secret;
pub mod signer;
pub mod sshsig;
pub mod statement;
mod sync;
#[cfg(feature = "tls")]
pub mod tls;
pub mod waiting;

pub use algorithm::{
    Algorithm, AlgorithmId, Ed25519, P256, Signature, VerifyingKey, X25519PublicKey,
};
#[cfg(feature = "keystore")]
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
pub use signer::{Custody, DidSigner, DidSignerExt, ShownCustody};
pub use sshsig::SshSignature;

/// The README, so that its examples are tested.
#[cfg(all(doctest, feature = "keystore"))]
#[doc = include_str!("../README.md")]
mod readme {}

/// The manual: the pages of `docs/`, which are there in the documentation only. Their
/// examples are tested. Links from one to another lead there in the repository.
#[cfg(all(any(doc, doctest), feature = "keystore"))]
pub mod manual {
    #[cfg(feature = "attestation")]
    #[doc = include_str!("../docs/attestation.md")]
    pub mod attestation {}
    #[cfg(feature = "audit")]
    #[doc = include_str!("../docs/audit.md")]
    pub mod audit {}
    #[doc = include_str!("../docs/backup.md")]
    pub mod backup {}
    #[doc = include_str!("../docs/configuration.md")]
    pub mod configuration {}
    #[doc = include_str!("../docs/encryption.md")]
    pub mod encryption {}
    #[doc = include_str!("../docs/home.md")]
    pub mod home {}
    #[doc = include_str!("../docs/errors.md")]
    pub mod errors {}
    #[doc = include_str!("../docs/import.md")]
    pub mod import {}
    #[doc = include_str!("../docs/keystore.md")]
    pub mod keystore {}
    #[doc = include_str!("../docs/migration.md")]
    pub mod migration {}
    #[doc = include_str!("../docs/operations.md")]
    pub mod operations {}
    #[doc = include_str!("../docs/rotation.md")]
    pub mod rotation {}
    #[doc = include_str!("../docs/signing.md")]
    pub mod signing {}
    #[cfg(feature = "tls")]
    #[doc = include_str!("../docs/testing.md")]
    pub mod testing {}
    #[cfg(feature = "tls")]
    #[doc = include_str!("../docs/tls.md")]
    pub mod tls {}
    #[doc = include_str!("../docs/guarantees.md")]
    pub mod guarantees {}
    #[doc = include_str!("../docs/types.md")]
    pub mod types {}
    #[doc = include_str!("../docs/backends/pkcs11.md")]
    pub mod pkcs11 {}
    #[doc = include_str!("../docs/backends/tpm.md")]
    pub mod tpm {}
}
