//! Why an attestation is not believed, one variant per reason.

mod advice;
mod tpm;

use std::fmt;

pub use self::tpm::{TpmAttribute, TpmField, TpmRefusal};
use super::{DeviceClass, Firmware};
use crate::algorithm::{BadSignature, InvalidVerifyingKey};
use crate::did::Did;
use crate::evidence::{Assurance, ProvenanceKind};

/// What is wrong with an extension of a maker's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ExtensionProblem {
    /// It is not there.
    Missing,
    /// It has not the one encoding that the maker's devices give it.
    Encoding,
}

impl fmt::Display for ExtensionProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Missing => "is missing",
            Self::Encoding => "is not encoded as its maker does",
        })
    }
}

/// By the name of its key, where that has one.
fn certificate_of(class: DeviceClass, place: usize) -> String {
    match (class, place) {
        (DeviceClass::Tpm, 0) => "the EK certificate".to_owned(),
        (DeviceClass::TpmAk, 0) => "the AK certificate".to_owned(),
        _ => format!("certificate {place}"),
    }
}

/// Why an attestation is refused. `place` is that of a certificate on its way to the root: 0 is
/// the key's own.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AttestationRefusal {
    /// Longer than any maker's certificate.
    #[error("certificate {place} is longer than {limit} bytes")]
    TooLarge {
        /// Which certificate.
        place: usize,
        /// How many bytes it may have.
        limit: usize,
    },
    /// Not a certificate in DER.
    #[error("certificate {place} cannot be read")]
    Malformed {
        /// Which certificate.
        place: usize,
    },
    /// Something follows it.
    #[error("something follows certificate {place}")]
    TrailingBytes {
        /// Which certificate.
        place: usize,
    },
    /// Not X.509 version 3.
    #[error("certificate {place} is of X.509 version {found}; expected 3")]
    Version {
        /// Which certificate.
        place: usize,
        /// Its version, 1 or 2; or one that there is not.
        found: u64,
    },
    /// It names one algorithm under its signature and another beside it.
    #[error("certificate {place} names two signature algorithms")]
    TwoAlgorithms {
        /// Which certificate.
        place: usize,
    },
    /// Signed with SHA-1, for which collisions can be made.
    #[error("certificate {place} is signed with SHA-1")]
    Sha1 {
        /// Which certificate.
        place: usize,
    },
    /// An issuer's RSA key is too short.
    #[error("certificate {place} has an RSA key of {bits} bits, and 2048 are demanded")]
    ShortRsa {
        /// Which certificate.
        place: usize,
        /// Its length.
        bits: usize,
    },
    /// An issuer's key is on the curve P-521, which is not verified here.
    #[error("certificate {place} has a P-521 key, which is not verified here")]
    P521 {
        /// Which certificate.
        place: usize,
    },
    /// An issuer's key is on a curve that is given by its numbers, and not by its name.
    #[error("certificate {place} has a key on a curve without a name, which is not accepted")]
    UnnamedCurve {
        /// Which certificate.
        place: usize,
    },
    /// A key or signature of another algorithm than those accepted.
    #[error("certificate {place} uses the algorithm {oid}, which is not accepted")]
    Algorithm {
        /// Which certificate.
        place: usize,
        /// Which algorithm.
        oid: String,
    },
    /// An extension is there twice.
    #[error("certificate {place} has the extension {oid} twice")]
    DuplicateExtension {
        /// Which certificate.
        place: usize,
        /// Which extension.
        oid: String,
    },
    /// An extension cannot be read.
    #[error("the extension {oid} of certificate {place} cannot be read")]
    MalformedExtension {
        /// Which certificate.
        place: usize,
        /// Which extension.
        oid: String,
    },
    /// A critical extension that is not known here.
    #[error("certificate {place} has the critical extension {oid}, which is not known here")]
    CriticalExtension {
        /// Which certificate.
        place: usize,
        /// Which extension.
        oid: String,
    },
    /// The key's own certificate is one of an authority.
    #[error("the key's certificate is one of a certificate authority")]
    Authority,
    /// An issuer is no authority. Never forgiven: a device signs what its user gives it, with
    /// keys that have genuine certificates.
    #[error("certificate {place} is not one of a certificate authority, and may issue no other")]
    NoAuthority {
        /// Which certificate.
        place: usize,
    },
    /// There are more authorities below it than it allows.
    #[error("certificate {place} does not allow so many authorities below it")]
    PathLength {
        /// Which certificate.
        place: usize,
    },
    /// Its key usage does not allow it to issue.
    #[error("the key usage of certificate {place} is not keyCertSign")]
    KeyUsage {
        /// Which certificate.
        place: usize,
    },
    /// Its issuer's key did not sign it.
    #[error("certificate {place} was not signed by its issuer's key")]
    Signature {
        /// Which certificate.
        place: usize,
    },
    /// Nobody knows its issuer.
    #[error("the issuer of {} is not known: {issuer}", certificate_of(*class, *place))]
    NoIssuer {
        /// Of which class its root has to be.
        class: DeviceClass,
        /// Which certificate.
        place: usize,
        /// The name of its issuer.
        issuer: String,
    },
    /// It leads to a root that is believed for other devices.
    #[error("{issuer} is believed for {found} devices, and this is one of {expected}")]
    OtherClass {
        /// What the key's certificate is of.
        expected: DeviceClass,
        /// What the root is believed for.
        found: DeviceClass,
        /// The name of the root.
        issuer: String,
    },
    /// More certificates than are followed.
    #[error("the way to a root has more than {limit} certificates")]
    TooManyCertificates {
        /// How many are followed.
        limit: usize,
    },
    /// A certificate that was shown is not on the way to the root.
    #[error("certificate {place} is not on the way to the root")]
    NotUsed {
        /// Which of those shown.
        place: usize,
    },
    /// A certificate has ended.
    #[error("certificate {place} ended {ago} seconds ago")]
    Expired {
        /// Which certificate.
        place: usize,
        /// How long ago.
        ago: u64,
    },
    /// A certificate has not begun.
    #[error("certificate {place} begins in {wait} seconds")]
    NotYetValid {
        /// Which certificate.
        place: usize,
        /// In how long.
        wait: u64,
    },
    /// The key's certificate is not an attestation of a device that is known here.
    #[error("the key's certificate is not an attestation by a known device")]
    NotAnAttestation,
    /// It claims to be of two sorts of devices.
    #[error("the key's certificate claims to be of a YubiHSM and of a YubiKey")]
    TwoClasses,
    /// An extension of the maker's is not as it should be.
    #[error("the extension {oid} of certificate {place} {problem}")]
    Extension {
        /// Which certificate.
        place: usize,
        /// Which extension.
        oid: String,
        /// What is wrong with it.
        problem: ExtensionProblem,
    },
    /// The key can be taken out of the device under a wrap key.
    #[error("the key can leave its device: it is exportable under wrap")]
    Exportable,
    /// The key has a capability that is not known here, which may be a way out.
    #[error("the key has capabilities that are not known here: {unknown:#x}")]
    Capabilities {
        /// The unknown bits.
        unknown: u64,
    },
    /// The device does not say in a known way how it got the key.
    #[error("the origin of the key is not known: {origin:#04x}")]
    Origin {
        /// What it says.
        origin: u8,
    },
    /// The device's certificate is of another device than the key's says.
    #[error("the key's certificate and its device's differ in their {what}")]
    OtherDevice {
        /// What differs.
        what: &'static str,
    },
    /// The firmware has a known fault, or is older than demanded.
    #[error("the {} has firmware {found}, and {floor} is demanded", class.product())]
    Firmware {
        /// Which sort of device.
        class: DeviceClass,
        /// Its firmware.
        found: Firmware,
        /// What is demanded.
        floor: Firmware,
    },
    /// The attested key is none that a DID can have.
    #[error("the attested key is neither an Ed25519 nor a P-256 key")]
    Key(#[source] InvalidVerifyingKey),
    /// The attested key is not the DID's.
    #[error("the attested key is not that of {did}")]
    OtherKey {
        /// Whose it should be.
        did: Did,
    },
    /// One's own device says of the key that it was born there, and its maker that it was imported.
    #[error(
        "the device says that the key is {}; its maker attests {found}",
        ProvenanceKind::Hardware
    )]
    OwnHistory {
        /// What the maker attests.
        found: ProvenanceKind,
    },
    /// One's own device is known to be software, or a service elsewhere, whatever a maker says of a key
    /// with this public part.
    #[error("the device that has this key is `{found}`; expected one that may be hardware")]
    OwnDevice {
        /// What stands behind its evidence.
        found: Assurance,
    },
    /// The evidence says less than can be attested.
    #[error("the evidence shows a {found} key, which is not attested")]
    Provenance {
        /// What it shows.
        found: ProvenanceKind,
    },
    /// The DID's key did not sign this attestation: whoever showed it may not have the key.
    #[error("the attestation was not signed by the key of {did}")]
    Possession {
        /// Whose.
        did: Did,
        /// Opaque on purpose.
        source: BadSignature,
    },
    /// It is for somebody else.
    #[error("the attestation is for {found:?}; expected {expected:?}")]
    Audience {
        /// Who verifies.
        expected: String,
        /// Whom it is for.
        found: String,
    },
    /// It answers another challenge.
    #[error("the attestation does not answer this challenge")]
    Nonce,
    /// The challenge has ended.
    #[error("the challenge ended {ago} seconds ago")]
    ChallengeExpired {
        /// How long ago.
        ago: u64,
    },
    /// It is older than is accepted.
    #[error("the attestation is {seconds} seconds old, and at most {limit} are accepted")]
    TooOld {
        /// How old.
        seconds: u64,
        /// How old it may be.
        limit: u64,
    },
    /// It was made at a time before this crate was, by a clock that was never set.
    #[error("the attestation was made at {created} (Unix time) by its own clock, which cannot be")]
    Unset {
        /// When, in Unix seconds.
        created: u64,
    },
    /// It was made at a time that is still to come.
    #[error("the attestation was made {wait} seconds from now, by its own clock")]
    FromTheFuture {
        /// In how long.
        wait: u64,
    },
    /// What a TPM gave is not believed.
    #[error(transparent)]
    Tpm(#[from] TpmRefusal),
}
