//! `TPM2_Certify` of the identity's key, and `TPM2_Quote`, by the AK.

use std::collections::BTreeSet;
use std::sync::Arc;

use tss_esapi::Context;
use tss_esapi::handles::KeyHandle;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::session_handles::AuthSession;
use tss_esapi::structures::{Attest, AttestInfo, Data, HashScheme, Signature, SignatureScheme};
use tss_esapi::traits::Marshall as _;

use super::endorsement::{Made, with_ak};
use super::{Endorsed, Quoted, TpmStatements};
use crate::algorithm::AlgorithmId;
use crate::backend::tpm::chip::{Reconnect, flushing};
use crate::backend::tpm::failure::{Doing as _, Failed};
use crate::backend::tpm::object::Stored;
use crate::backend::tpm::pin::{Purpose, Stretched};
use crate::backend::tpm::sending::MaySend;
use crate::backend::tpm::{TpmBackend, parent, pcr, session, tpm};
use crate::backend::{Backend as _, BackendKind, Credentials, Locator, PcrBank, TpmObject};
use crate::config::PcrIndices;
use crate::did::Did;
use crate::error::{DeviceError, Error, OpenError, TpmError};
use crate::evidence::TpmAttributes;
use crate::secret::{Pin, PinAnswer};

const CERTIFY: &str = "certify a key";
const QUOTE: &str = "quote its PCRs";

/// What is to be stated.
struct Wanted<'a> {
    /// At most 34 bytes: smaller TPMs take no more (`TPM2B_DATA` with SHA-256 alone).
    qualifying: &'a [u8; 32],
    quote: Option<&'a PcrIndices>,
}

/// What the AK signed.
struct Stated {
    ak: Vec<u8>,
    certified: (Vec<u8>, Vec<u8>),
    quoted: Option<Quoted>,
}

impl TpmBackend {
    /// **Blocks** on the device, and on scrypt. Has the TPM state where the key of an identity is:
    /// that a key with this public part and these attributes is loaded in it (`TPM2_Certify`), and
    /// with `quote` the digest of these PCRs of the SHA-256 bank too (`TPM2_Quote`). Both name the
    /// 32 bytes of `qualifying`. Nothing stays loaded.
    ///
    /// The PIN, where the key has one, is sent once, as for a signature: a wrong one costs a try. The
    /// PCRs that the key is bound to do not matter here. All that can be known before is checked
    /// before the PIN is sent.
    ///
    /// # Errors
    ///
    /// [`TpmError::NotAttestable`] for an Ed25519 key, and those of [`Self::check_attestable`];
    /// [`TpmError::NotQuoted`] if it does not quote these PCRs;
    /// [`OpenError::WrongKey`] if the object is not the DID's key; [`TpmError::WrongPin`] and its
    /// kin.
    pub fn attest(
        &self,
        locator: &Locator,
        did: &Did,
        credentials: &Credentials,
        qualifying: &[u8; 32],
        quote: Option<&PcrIndices>,
    ) -> Result<TpmStatements, Error> {
        let object = Self::attestable_object(locator, did)?;
        let stored = Stored::read(object, Purpose::Key).map_err(tpm)?;
        let shown = stored.verifying_key().map_err(tpm)?.into();
        if *did.verifying_key() != shown {
            let found = Did::fitting(did.method(), &shown);
            return Err(OpenError::WrongKey { expected: did.clone(), found }.into());
        }
        TpmAttributes::of(stored.attributes(), false)
            .check_signing_key()
            .map_err(|problem| tpm(TpmError::Attributes { problem }))?;
        self.access.check_configured(&object.parent).map_err(tpm)?;
        let Endorsed { ek, certificates } = self.endorsed()?;
        let pin = credentials.pin_for(self.kind())?;
        let wanted = Wanted { qualifying, quote };
        let stated = self.state(object, &stored, &pin, &wanted);
        self.access.forget_pin();
        let Stated { ak, certified: (cert_info, sig), quoted: quote } = stated.map_err(tpm)?;
        let pub_area = object.public.clone();
        let certificates = certificates.iter().map(<[u8]>::to_vec).collect();
        Ok(TpmStatements { pub_area, cert_info, sig, ak, ek, certificates, quote })
    }

    /// Whether the key of an identity can be attested by a TPM at all, as far as can be said
    /// without asking it: before anybody is asked for a PIN.
    ///
    /// # Errors
    ///
    /// [`TpmError::NotAttestable`] for an Ed25519 key; [`DeviceError::ForeignLocator`] if it is in no
    /// TPM.
    pub fn check_attestable_key(locator: &Locator, did: &Did) -> Result<(), Error> {
        Self::attestable_object(locator, did).map(drop)
    }

    fn attestable_object<'a>(locator: &'a Locator, did: &Did) -> Result<&'a TpmObject, Error> {
        let Locator::Tpm(object) = locator else {
            return Err(DeviceError::ForeignLocator { backend: BackendKind::Tpm }.into());
        };
        match did.verifying_key().algorithm() {
            AlgorithmId::P256 => Ok(object),
            AlgorithmId::Ed25519 => Err(tpm(TpmError::NotAttestable)),
        }
    }

    fn state(
        &self,
        object: &TpmObject,
        stored: &Stored,
        pin: &Pin,
        wanted: &Wanted<'_>,
    ) -> Result<Stated, TpmError> {
        let answer = pin.answer();
        let pin = self.access.stretched_for(object, pin)?;
        // A PIN that may be wrong is sent once, also if the answer is lost.
        let reconnect = if pin.is_some() { Reconnect::No } else { Reconnect::Once };
        let mut doubt = None;
        let stated = self.access.chip.work(reconnect, |work| {
            let context = &mut *work.context;
            let (session, key) = load(context, object, stored)?;
            flushing(context, session::handle(session), |context| {
                flushing(context, key, |context| {
                    with_ak(context, |context, ak| {
                        // First: what it does not quote is told before a PIN is sent.
                        let quoted = wanted
                            .quote
                            .map(|pcrs| quote(context, ak, wanted.qualifying, pcrs))
                            .transpose()?;
                        let certify =
                            |context: &mut Context| certify(context, key, session, ak, wanted);
                        let certified = match &pin {
                            None => certify(context)?,
                            Some(pin) => self
                                .may_send(context, pin, answer, object)?
                                .send(context, key, &mut doubt, certify)
                                .map(|(certified, _)| certified)?,
                        };
                        Ok(Stated { ak: ak.public.clone(), certified, quoted })
                    })
                })
            })
        });
        if let Some(doubt) = doubt {
            doubt.settle(&self.access.chip);
        }
        stated
    }

    fn may_send<'a>(
        &self,
        context: &mut Context,
        pin: &'a Arc<Stretched>,
        answer: &'a PinAnswer,
        object: &TpmObject,
    ) -> Result<MaySend<'a>, Failed> {
        MaySend::check(context, pin, answer, &self.access.config, &object.parent.name)
    }
}

/// The key, and a session salted to its parent, which both outlive it: the TPM may have room for
/// three objects, of which a daemon has one.
fn load(
    context: &mut Context,
    object: &TpmObject,
    stored: &Stored,
) -> Result<(AuthSession, KeyHandle), Failed> {
    let mut made = None;
    let done = parent::under(context, &object.parent, |context, parent| {
        let session = session::encrypting(context, parent)?;
        match stored.load(context, parent, Purpose::Key) {
            Ok(key) => made = Some((session, key)),
            Err(failed) => {
                let _ = context.flush_context(session::handle(session));
                return Err(failed);
            }
        }
        Ok(())
    });
    match (done, made) {
        (Ok(()), Some(made)) => Ok(made),
        (done, made) => {
            if let Some((session, key)) = made {
                let _ = context.flush_context(key.into());
                let _ = context.flush_context(session::handle(session));
            }
            let lost = || TpmError::Damaged { what: Purpose::Key.object(), source: None };
            Err(done.err().unwrap_or_else(|| lost().into()))
        }
    }
}

/// One `TPM2_Certify`. The PIN is the key's authValue: it goes into an HMAC, not over the wire.
fn certify(
    context: &mut Context,
    key: KeyHandle,
    session: AuthSession,
    ak: &Made,
    wanted: &Wanted<'_>,
) -> Result<(Vec<u8>, Vec<u8>), Failed> {
    let data = Data::try_from(wanted.qualifying.as_slice()).doing(CERTIFY)?;
    let sessions = (Some(session), Some(AuthSession::Password), None);
    let certified = context.execute_with_sessions(sessions, |context| {
        context.certify(key.into(), ak.handle, data, scheme())
    });
    marshalled(certified.doing(CERTIFY)?, CERTIFY)
}

fn quote(
    context: &mut Context,
    ak: &Made,
    qualifying: &[u8; 32],
    pcrs: &PcrIndices,
) -> Result<Quoted, Failed> {
    let data = Data::try_from(qualifying.as_slice()).doing(QUOTE)?;
    let selection = pcr::selection(PcrBank::Sha256, pcrs.iter())?;
    let quoted = context.execute_with_session(Some(AuthSession::Password), |context| {
        context.quote(ak.handle, data, scheme(), selection)
    });
    let (attest, signature) = quoted.doing(QUOTE)?;
    // A TPM leaves out what it has not: a bank that is switched off is quoted as no PCR at all.
    let quoted = match attest.attested() {
        AttestInfo::Quote { info } => pcr::indices_of(info.pcr_selection()),
        _ => Vec::new(),
    };
    if !quoted.into_iter().collect::<BTreeSet<_>>().into_iter().eq(pcrs.iter()) {
        return Err(TpmError::NotQuoted { pcrs: pcrs.to_string() }.into());
    }
    let (info, sig) = marshalled((attest, signature), QUOTE)?;
    Ok(Quoted { info, sig })
}

const fn scheme() -> SignatureScheme {
    SignatureScheme::EcDsa { hash_scheme: HashScheme::new(HashingAlgorithm::Sha256) }
}

fn marshalled(
    (attest, signature): (Attest, Signature),
    doing: &'static str,
) -> Result<(Vec<u8>, Vec<u8>), Failed> {
    Ok((attest.marshall().doing(doing)?, signature.marshall().doing(doing)?))
}
