//! Why what a TPM gave is not believed, one variant per reason.

mod advice;

use std::fmt;

use crate::algorithm::BadSignature;
use crate::attestation::{TpmAlgorithm, TpmCurve};
use crate::did::Did;

/// A part of a TPM's evidence, by its name in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TpmField {
    /// The public part of the identity's key.
    PubArea,
    /// What the TPM states of that key.
    CertInfo,
    /// The signature of that.
    Sig,
    /// The public part of the attestation key.
    Ak,
    /// The public part of the endorsement key.
    Ek,
    /// What the TPM states of its PCRs.
    Quoted,
    /// The signature of that.
    QuoteSig,
}

impl fmt::Display for TpmField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::PubArea => "`pubArea`",
            Self::CertInfo => "`certInfo`",
            Self::Sig => "`sig`",
            Self::Ak => "`ak`",
            Self::Ek => "`ek`",
            Self::Quoted => "`quote.quoted`",
            Self::QuoteSig => "`quote.sig`",
        })
    }
}

/// An attribute of a TPM's object (`TPMA_OBJECT`, TPM 2.0 Library, part 2, section 8.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TpmAttribute {
    /// It cannot be duplicated to another TPM.
    FixedTpm,
    /// It cannot be moved under another key.
    FixedParent,
    /// The TPM made it.
    SensitiveDataOrigin,
    /// It is used for what the TPM itself has made alone.
    Restricted,
    /// It signs.
    Sign,
    /// It decrypts.
    Decrypt,
    /// It can be duplicated, encrypted.
    EncryptedDuplication,
}

impl fmt::Display for TpmAttribute {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::FixedTpm => "fixedTPM",
            Self::FixedParent => "fixedParent",
            Self::SensitiveDataOrigin => "sensitiveDataOrigin",
            Self::Restricted => "restricted",
            Self::Sign => "sign",
            Self::Decrypt => "decrypt",
            Self::EncryptedDuplication => "encryptedDuplication",
        })
    }
}

/// Why what a TPM gave is not believed. `field` is the part of the evidence.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TpmRefusal {
    /// It cannot be read, or something follows it.
    #[error("{field} is not what a TPM marshals")]
    Malformed {
        /// Which part.
        field: TpmField,
    },
    /// It is sealed data, and no key: a TPM does not vouch for what is in it.
    #[error("{field} is sealed data; expected a P-256 key")]
    SealedData {
        /// Which part.
        field: TpmField,
    },
    /// It is a key of another kind.
    #[error("{field} is a key of the kind {found}; expected one on the curve P-256")]
    KeyType {
        /// Which part.
        field: TpmField,
        /// What it is.
        found: TpmAlgorithm,
    },
    /// It is on another curve.
    #[error("{field} is a key on the curve {found}; expected P-256")]
    Curve {
        /// Which part.
        field: TpmField,
        /// What it is on.
        found: TpmCurve,
    },
    /// It is no point of its curve.
    #[error("{field} is no point of the curve P-256")]
    Point {
        /// Which part.
        field: TpmField,
    },
    /// It uses SHA-1, for which collisions can be made.
    #[error("{field} uses SHA-1")]
    Sha1 {
        /// Which part.
        field: TpmField,
    },
    /// Its Name is made with another hash.
    #[error("the Name of {field} is made with {found}; expected SHA-256")]
    NameAlgorithm {
        /// Which part.
        field: TpmField,
        /// With what.
        found: TpmAlgorithm,
    },
    /// It signs, or is signed, in another way than ECDSA with SHA-256.
    #[error("{field} uses {found}; expected ECDSA with SHA-256")]
    Algorithm {
        /// Which part.
        field: TpmField,
        /// What it uses.
        found: TpmAlgorithm,
    },
    /// Its parameters are not those of the template.
    #[error("{field} has other parameters than its template has")]
    Template {
        /// Which part.
        field: TpmField,
    },
    /// It has not an attribute that it has to have.
    #[error("{field} is not {attribute}")]
    AttributeClear {
        /// Which part.
        field: TpmField,
        /// Which attribute.
        attribute: TpmAttribute,
    },
    /// It has an attribute that it must not have.
    #[error("{field} is {attribute}")]
    AttributeSet {
        /// Which part.
        field: TpmField,
        /// Which attribute.
        attribute: TpmAttribute,
    },
    /// It has attributes that are not known here.
    #[error("{field} has attributes that are not known here: {unknown:#x}")]
    UnknownAttributes {
        /// Which part.
        field: TpmField,
        /// The unknown bits.
        unknown: u32,
    },
    /// A TPM did not make it: its first bytes are others.
    #[error("{field} is not the statement of a TPM")]
    Magic {
        /// Which part.
        field: TpmField,
    },
    /// It states something else.
    #[error("{field} is a statement of another type, {found:#06x}")]
    Statement {
        /// Which part.
        field: TpmField,
        /// Its type (`TPM_ST`).
        found: u16,
    },
    /// The attestation key did not sign it.
    #[error("{field} was not made by the attestation key `ak`")]
    Signature {
        /// Which part.
        field: TpmField,
    },
    /// What was certified is another object than the one that is shown.
    #[error("`certInfo` certifies another object than `pubArea`")]
    OtherObject,
    /// It was not made for this attestation.
    #[error("{field} was made for another attestation")]
    QualifyingData {
        /// Which part.
        field: TpmField,
    },
    /// A state of PCRs is demanded, and none is stated.
    #[error("no PCRs are stated; expected a statement of PCRs {expected} of the SHA-256 bank")]
    NoQuote {
        /// The registers, like `0,7`.
        expected: String,
    },
    /// No register was quoted.
    #[error("`quote.quoted` is of no PCR")]
    NoPcr,
    /// Registers of several banks were quoted.
    #[error("`quote.quoted` is of PCRs of {count} banks; expected the SHA-256 bank alone")]
    PcrBanks {
        /// How many.
        count: usize,
    },
    /// Registers of another bank were quoted.
    #[error("`quote.quoted` is of PCRs of the {found} bank; expected the SHA-256 bank")]
    PcrBank {
        /// Of which.
        found: TpmAlgorithm,
    },
    /// Other registers were quoted than are demanded.
    #[error("the TPM quoted the PCRs {found}; expected {expected}")]
    PcrSelection {
        /// Those demanded, like `0,7`.
        expected: String,
        /// Those quoted.
        found: String,
    },
    /// The registers have other values than are demanded.
    #[error("the PCRs {pcrs} have the digest {found}; expected {expected}")]
    PcrDigest {
        /// Which registers, like `0,7`.
        pcrs: String,
        /// The SHA-256 of the values that are demanded, in hex.
        expected: String,
        /// That of the values that they have, in hex.
        found: String,
    },
    /// The key was certified in another boot than the registers were quoted in.
    #[error("`certInfo` and `quote.quoted` are of two boots")]
    TwoBoots,
    /// The attestation key is not a primary key of the endorsement hierarchy.
    #[error("`ak` is no primary key of the endorsement hierarchy")]
    Hierarchy,
    /// The endorsement key is not that of its certificate.
    #[error("`ek` is not the key of the first certificate")]
    OtherEk,
    /// The attestation key is not that of its certificate.
    #[error("`ak` is not the key of the first certificate")]
    OtherAk,
    /// The certificate is that of an RSA key.
    #[error("the certificate of the endorsement key is that of an RSA key; expected P-256")]
    RsaCertificate,
    /// The certificate is that of another kind of key.
    #[error("the certificate is that of a key of another kind; expected P-256")]
    CertificateKey,
    /// The certificate does not say what it is for.
    #[error("the certificate is not one for {expected}")]
    Purpose {
        /// For what it should be.
        expected: &'static str,
    },
    /// The key usage of the certificate does not fit.
    #[error("the key usage of the certificate is not {expected}")]
    Usage {
        /// What it should be.
        expected: &'static str,
    },
    /// The certificate does not name the maker of the TPM in a way that can be read.
    #[error("the certificate does not name manufacturer, model and version of the TPM")]
    NoModel,
    /// The TPM is a program: whoever runs its host can copy its keys.
    #[error("the TPM is a virtual one ({manufacturer}, {model})")]
    Virtual {
        /// Who made it.
        manufacturer: String,
        /// What its maker calls it.
        model: String,
    },
    /// Nobody vouches that the attestation key is in the TPM with this certificate.
    #[error("nobody vouches that the attestation key is in the TPM of that certificate")]
    NotJoined,
    /// Somebody vouches for it who was not named.
    #[error("{endorser} vouches for the attestation key, and is not believed")]
    Endorser {
        /// Who.
        endorser: Did,
    },
    /// It vouches for itself: nobody else has seen its TPM.
    #[error("{did} vouches for its own attestation key; expected the endorsement of another key")]
    OwnEndorsement {
        /// Who.
        did: Did,
    },
    /// The endorsement was not signed by who is said to have signed it.
    #[error("the endorsement was not signed by the key of {endorser}")]
    EndorsementSignature {
        /// Who should have.
        endorser: Did,
        /// Opaque on purpose.
        source: BadSignature,
    },
    /// The endorsement is about another attestation key.
    #[error("the endorsement is for another attestation key")]
    OtherEndorsement,
    /// The endorsement is about another certificate: of another TPM, or one that was issued anew.
    #[error("the EK certificate is another one than that which was endorsed")]
    OtherEkCertificate,
    /// The endorsement has ended.
    #[error("the endorsement ended {ago} seconds ago")]
    EndorsementExpired {
        /// How long ago.
        ago: u64,
    },
    /// The endorsement has not begun.
    #[error("the endorsement begins in {wait} seconds")]
    EndorsementNotYetValid {
        /// In how long.
        wait: u64,
    },
    /// An endorsement is valid for longer than any is.
    #[error("the endorsement is valid for {seconds} seconds; expected at most {limit}")]
    EndorsementTooLong {
        /// For how long.
        seconds: u64,
        /// For how long it may be.
        limit: u64,
    },
    /// An endorsement without an endorsement key: its attestation key has a certificate of its own,
    /// and the endorsement would be about nothing.
    #[error("there is an endorsement, and no endorsement key `ek` that it could be about")]
    UnusedEndorsement,
    /// The TPM was asked about a class that has no activation: its attestation key has a
    /// certificate of its own.
    #[error("there is nothing to activate: the attestation key has a certificate of its own")]
    NothingToActivate,
    /// The secret was made for another attestation.
    #[error("the secret was made for another attestation")]
    OtherActivation,
    /// The answer is not the secret: the attestation key is not in that TPM.
    #[error("the answer is not the secret that only that TPM can tell")]
    Answer,
}
