//! What a TPM states of a key, and of itself: for a relying party that is somewhere else.
//!
//! ```text
//! endorsement hierarchy
//!   +- EK: P-256, template L-2; the maker's certificate is at 0x01c0000a
//!   +- AK: P-256, restricted; signs what follows
//!        +- TPM2_Certify: this key is loaded, and this is its Name
//!        +- TPM2_Quote:   these PCRs have this digest
//! ```
//!
//! Both keys are made anew each time and flushed, whatever happens: nothing is stored, and nothing
//! stays loaded.

mod answer;
mod certify;
mod endorsement;
mod nv;

use std::fmt;

use super::chip::Reconnect;
use super::{TpmBackend, tpm};
use crate::error::{Error, TpmError};

/// What a TPM gave for a key: its bytes, untouched.
///
/// Nothing in it is secret; the certificates tell which TPM it is.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct TpmStatements {
    /// The public part of the key (`TPMT_PUBLIC`).
    pub pub_area: Vec<u8>,
    /// The statement that this key is loaded (`TPMS_ATTEST` of `TPM2_Certify`).
    pub cert_info: Vec<u8>,
    /// The AK's signature of that (`TPMT_SIGNATURE`).
    pub sig: Vec<u8>,
    /// The public part of the AK (`TPMT_PUBLIC`).
    pub ak: Vec<u8>,
    /// The public part of the EK (`TPMT_PUBLIC`).
    pub ek: Vec<u8>,
    /// The EK's certificate in DER, then the issuers that the TPM holds.
    pub certificates: Vec<Vec<u8>>,
    /// The statement of the PCRs, where it was asked for.
    pub quote: Option<Quoted>,
}

/// What a TPM states of its PCRs.
#[derive(Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Quoted {
    /// The statement (`TPMS_ATTEST` of `TPM2_Quote`).
    pub info: Vec<u8>,
    /// The AK's signature of that (`TPMT_SIGNATURE`).
    pub sig: Vec<u8>,
}

/// Certificates of endorsement keys, as a TPM can hold them, by the type of the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EkCertificate {
    /// P-256: the one that is used here.
    P256,
    /// RSA, 2048 bits.
    Rsa2048,
    /// P-384.
    P384,
    /// P-521.
    P521,
    /// SM2.
    Sm2,
    /// RSA, 3072 bits.
    Rsa3072,
    /// RSA, 4096 bits.
    Rsa4096,
}

impl EkCertificate {
    const ALL: [Self; 7] = [
        Self::P256,
        Self::Rsa2048,
        Self::P384,
        Self::P521,
        Self::Sm2,
        Self::Rsa3072,
        Self::Rsa4096,
    ];

    /// The NV index (TCG EK Credential Profile 2.5, sections 2.2.1.4 and 2.2.1.5).
    #[must_use]
    pub const fn index(self) -> u32 {
        match self {
            Self::P256 => 0x01c0_000a,
            Self::Rsa2048 => 0x01c0_0002,
            Self::P384 => 0x01c0_0016,
            Self::P521 => 0x01c0_0018,
            Self::Sm2 => 0x01c0_001a,
            Self::Rsa3072 => 0x01c0_001c,
            Self::Rsa4096 => 0x01c0_001e,
        }
    }

    /// The type of the key: `P-256`, `RSA-2048` and so on.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::Rsa2048 => "RSA-2048",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Sm2 => "SM2",
            Self::Rsa3072 => "RSA-3072",
            Self::Rsa4096 => "RSA-4096",
        }
    }
}

impl fmt::Display for EkCertificate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl TpmBackend {
    /// **Blocks** on the device. The certificates of endorsement keys that the TPM holds; not
    /// verified. Where [`EkCertificate::P256`] is among them, this TPM can be attested.
    ///
    /// # Errors
    ///
    /// If the TPM does not answer.
    pub fn ek_certificates(&self) -> Result<Vec<EkCertificate>, Error> {
        let kinds = self.access.chip.work(Reconnect::Once, |work| nv::kinds(work.context));
        kinds.map_err(tpm)
    }

    /// **Blocks** on the device. Whether this TPM can be attested: its endorsement keys can be
    /// made, and there is a certificate of the one that is used. No PIN is used, and nothing stays
    /// loaded.
    ///
    /// # Errors
    ///
    /// [`TpmError::NoEkCertificate`], [`TpmError::OtherEkCertificate`],
    /// [`TpmError::EkCertificateUnreadable`], [`TpmError::EndorsementPassword`],
    /// [`TpmError::NoEndorsementHierarchy`].
    pub fn check_attestable(&self) -> Result<(), Error> {
        self.endorsed().map(drop)
    }

    /// The public part of the EK, and the certificates.
    fn endorsed(&self) -> Result<(Vec<u8>, Vec<Vec<u8>>), Error> {
        let endorsed = self.access.chip.work(Reconnect::Once, |work| {
            let context = &mut *work.context;
            let kinds = nv::kinds(context)?;
            if !kinds.contains(&EkCertificate::P256) {
                return Err(without_certificate(&kinds).into());
            }
            let leaf = nv::certificate(context, EkCertificate::P256)?;
            let leaf = nv::certificate_in(&leaf).ok_or(TpmError::EkCertificateUnreadable)?;
            let mut certificates = vec![leaf.to_vec()];
            certificates.extend(nv::chain(context)?);
            let ek = endorsement::with_ek(context, |_, ek| Ok(ek.public.clone()))?;
            Ok((ek, certificates))
        });
        endorsed.map_err(tpm)
    }
}

fn without_certificate(found: &[EkCertificate]) -> TpmError {
    if found.is_empty() {
        return TpmError::NoEkCertificate;
    }
    let found: Vec<_> = found.iter().map(|kind| kind.as_str()).collect();
    TpmError::OtherEkCertificate { found: found.join(", ") }
}

impl fmt::Debug for TpmStatements {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TpmStatements")
            .field("certificates", &self.certificates.len())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Quoted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Quoted").finish_non_exhaustive()
    }
}
