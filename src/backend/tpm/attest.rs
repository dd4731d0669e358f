//! What a TPM states of a key, and of itself: for a relying party that is somewhere else.
//!
//! ```text
//! endorsement hierarchy
//!   +- EK: P-256; the maker's certificate is at 0x01c0000a (template L-2) or 0x01c00014 (H-2)
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
mod index;
mod nv;

use std::fmt;

use tss_esapi::Context;

use self::endorsement::EkTemplate;
pub use self::index::EkCertificateIndex;
use super::chip::Reconnect;
use super::failure::Failed;
use super::{TpmBackend, tpm};
use crate::attestation::DeviceCertificates;
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

/// What shows that the TPM is one of its maker's.
struct Endorsed {
    /// The public part of the EK (`TPMT_PUBLIC`).
    ek: Vec<u8>,
    certificates: DeviceCertificates,
}

impl TpmBackend {
    /// **Blocks** on the device. The certificates of endorsement keys that the TPM holds; neither
    /// read nor verified. Where one of P-256 is among them, this TPM can be attested.
    ///
    /// # Errors
    ///
    /// If the TPM does not answer.
    pub fn ek_certificates(&self) -> Result<Vec<EkCertificateIndex>, Error> {
        let found = self.access.chip.work(Reconnect::Once, |work| nv::certificates(work.context));
        found.map_err(tpm)
    }

    /// **Blocks** on the device. Whether this TPM can be attested: its endorsement keys can be
    /// made, and there is a certificate of the one that is used. Gives that certificate, then those
    /// of its issuers that the TPM holds. No PIN is used, no index is read where a wrong password
    /// would cost a try of the lock-out, and nothing stays loaded.
    ///
    /// # Errors
    ///
    /// [`TpmError::NoEkCertificate`], [`TpmError::OtherEkCertificate`],
    /// [`TpmError::EkCertificateGuarded`], [`TpmError::EkCertificateUnreadable`],
    /// [`TpmError::ForeignEkCertificate`] if it is that of another key than the TPM's,
    /// [`TpmError::EndorsementPassword`], [`TpmError::NoEndorsementHierarchy`];
    /// [`AttestationError`](crate::attestation::AttestationError) if an issuer's cannot be read,
    /// or there are too many.
    pub fn check_attestable(&self) -> Result<DeviceCertificates, Error> {
        self.endorsed().map(|endorsed| endorsed.certificates)
    }

    fn endorsed(&self) -> Result<Endorsed, Error> {
        let read = self.access.chip.work(Reconnect::Once, |work| {
            let context = &mut *work.context;
            let (place, template) = place_of_certificate(context)?;
            let certificate = nv::certificate(context, place)?;
            let ek = endorsement::with_ek(context, template, |_, ek| Ok(ek.public.clone()))?;
            if let Err(why) = certificate.check_is_of(&ek) {
                let index = place.index();
                return Err(TpmError::ForeignEkCertificate { index, source: why.into() }.into());
            }
            let mut certificates = vec![certificate.der().to_vec()];
            certificates.extend(nv::chain(context)?);
            Ok((ek, certificates))
        });
        let (ek, certificates) = read.map_err(tpm)?;
        Ok(Endorsed { ek, certificates: DeviceCertificates::new(certificates)? })
    }
}

/// Where the certificate of the EK is that is used, and how that is made.
fn place_of_certificate(context: &mut Context) -> Result<(EkCertificateIndex, EkTemplate), Failed> {
    let found = nv::certificates(context)?;
    let usable = found.iter().find_map(|place| Some((*place, place.template()?)));
    usable.ok_or_else(|| without_certificate(&found).into())
}

fn without_certificate(found: &[EkCertificateIndex]) -> TpmError {
    if found.is_empty() {
        return TpmError::NoEkCertificate;
    }
    let found: Vec<_> = found.iter().map(|certificate| certificate.as_str()).collect();
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
