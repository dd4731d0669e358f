//! P-256 keys that are born in the TPM and sign there.

use std::fmt;
use std::sync::OnceLock;

use sha2::{Digest as _, Sha256};
use tss_esapi::Context;
use tss_esapi::constants::StructureTag;
use tss_esapi::constants::tss::TPM2_RH_NULL;
use tss_esapi::handles::KeyHandle;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::session_handles::PolicySession;
use tss_esapi::structures::{
    Digest, HashScheme, HashcheckTicket, Signature as TpmSignature, SignatureScheme,
};
use tss_esapi::traits::Marshall as _;
use tss_esapi::tss2_esys::TPMT_TK_HASHCHECK;

use super::access::Access;
use super::approver;
use super::chip::{Reconnect, Work};
use super::failure::{Doing as _, Failed, Meaning};
use super::object::{self, Stored};
use super::pin::{Purpose, Stretched};
use super::satisfy::Way;
use super::sending::{Doubt, MaySend, Taken};
use super::{parent, session};
use crate::algorithm::Signature;
use crate::backend::TpmObject;
use crate::did::Did;
use crate::error::{DeviceError, OpenError, SignError, TpmError};
use crate::evidence::{Evidence, TpmAttributes};
use crate::key::device::{DeviceKey, DeviceSigner, OpenedDevice};
use crate::secret::{Pin, PinAnswer};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

const SIGN: &str = "sign";

/// A key that wants its policy.
#[derive(Debug)]
pub(super) struct TpmKey {
    pub(super) access: Arc<Access>,
    pub(super) object: TpmObject,
    pub(super) did: Did,
}

impl DeviceKey for TpmKey {
    fn open(&self, pin: &Pin) -> Result<OpenedDevice, OpenError> {
        let (access, object) = (Arc::clone(&self.access), self.object.clone());
        let stored = Stored::read(&object, Purpose::Key).map_err(DeviceError::from)?;
        access.check_configured(&object.parent).map_err(DeviceError::from)?;
        let answer = pin.answer().clone();
        let pin = access.stretched_for(&object, pin).map_err(DeviceError::from)?;
        let shown = stored.verifying_key().map_err(DeviceError::from)?;
        let (taken, loaded) = (OnceLock::new(), Arc::new(Mutex::default()));
        access.asks_for_room(gives_room(&loaded));
        let signer = TpmSigner { access, object, stored, pin, answer, taken, loaded };
        let attributes = signer.load_and_look().map_err(DeviceError::from)?;
        let device = self.access.chip.identity().map_err(DeviceError::from)?;
        let evidence = Evidence::from_tpm(device, attributes)?;
        Ok(OpenedDevice {
            handle: Arc::new(Self {
                access: Arc::clone(&self.access),
                object: self.object.clone(),
                did: self.did.clone(),
            }),
            shown: shown.into(),
            evidence,
            signer: Box::new(signer),
            // Less than a hundredth of what the signature takes.
            verify_after_sign: true,
        })
    }
}

/// A key in the TPM, with the session that it is used by.
struct TpmSigner {
    access: Arc<Access>,
    object: TpmObject,
    stored: Stored,
    /// For each signature, where the policy wants a PIN.
    pin: Option<Arc<Stretched>>,
    /// What the TPM says of it.
    answer: PinAnswer,
    /// That the TPM has taken the PIN once.
    taken: OnceLock<Taken>,
    loaded: Arc<Slot>,
}

type Slot = Mutex<Option<Loaded>>;

/// What the TPM holds for us: one object and one session.
struct Loaded {
    epoch: u64,
    key: KeyHandle,
    session: PolicySession,
    way: Way,
    /// Whether the session is ready for a signature. Each uses that up.
    satisfied: bool,
}

impl Loaded {
    /// Gives the TPM its room back. Best effort: what stays is told by the next
    /// that wants it.
    fn flush(self, context: &mut Context) {
        let _ = context.flush_context(session::handle(self.session));
        let _ = context.flush_context(self.key.into());
    }
}

impl TpmSigner {
    /// Loads the key, and reads from the TPM what it is.
    fn load_and_look(&self) -> Result<TpmAttributes, TpmError> {
        self.access.chip.work(Reconnect::Once, |work| {
            let mut loaded = self.loaded();
            self.load(work, &mut loaded)?;
            let Some(key) = loaded.as_ref().map(|loaded| loaded.key) else {
                return Err(TpmError::Damaged { what: Purpose::Key.object(), source: None }.into());
            };
            let (public, name, _) = work
                .context
                .execute_without_session(|context| context.read_public(key))
                .doing("read a key's attributes")?;
            let shown = public.marshall().doing("read a key's attributes")?;
            if shown != self.object.public
                || approver::name_of(&shown).as_deref() != Some(name.value())
            {
                let problem = "it is loaded under another Name than its public part has";
                return Err(TpmError::Attributes { problem }.into());
            }
            let attributes = TpmAttributes::of(public.object_attributes(), false);
            attributes.check_signing_key().map_err(|problem| TpmError::Attributes { problem })?;
            object::verifying_key(&public)?;
            Ok(attributes)
        })
    }

    /// Loads the key and goes its policy once, unless that was done on this
    /// connection.
    fn load(&self, work: &mut Work<'_>, slot: &mut Option<Loaded>) -> Result<(), Failed> {
        if slot.as_ref().is_some_and(|loaded| loaded.epoch == work.epoch) {
            return Ok(());
        }
        // What an earlier connection had loaded is not ours to flush any more.
        *slot = None;
        let approvals = self.access.approvals(&self.object);
        let epoch = work.epoch;
        let mut made = None;
        let done = parent::under(work.context, &self.object.parent, |context, parent| {
            let session = session::policy(context, parent)?;
            // The policy first: an approver's key takes the room of ours.
            let ready = session::for_signatures(context, session)
                .and_then(|()| Way::find(context, session, &self.object.policy, &approvals))
                .and_then(|way| Ok((way, self.stored.load(context, parent, Purpose::Key)?)));
            if ready.is_err() {
                let _ = context.flush_context(session::handle(session));
            }
            let (way, key) = ready?;
            made = Some(Loaded { epoch, key, session, way, satisfied: true });
            Ok(())
        });
        if let Err(failed) = done {
            if let Some(loaded) = made {
                loaded.flush(work.context);
            }
            return Err(failed);
        }
        *slot = made;
        Ok(())
    }

    fn loaded(&self) -> MutexGuard<'_, Option<Loaded>> {
        lock(&self.loaded)
    }

    /// One signature; what was loaded is flushed if it fails.
    fn sign_once(
        &self,
        work: &mut Work<'_>,
        digest: &[u8; 32],
        doubt: &mut Option<Doubt>,
    ) -> Result<TpmSignature, Failed> {
        let mut slot = self.loaded();
        self.load(work, &mut slot)?;
        let Some(loaded) = slot.as_mut() else {
            return Err(TpmError::Damaged { what: Purpose::Key.object(), source: None }.into());
        };
        let signed = (|| {
            if !loaded.satisfied {
                loaded.way.again(work.context, loaded.session)?;
            }
            let (key, session) = (loaded.key, loaded.session);
            let Some(pin) = &self.pin else {
                loaded.satisfied = false;
                return sign(work.context, key, session, digest);
            };
            let may_send = match self.taken.get() {
                Some(taken) => MaySend::taken(taken, pin, &self.answer),
                None => {
                    let (config, parent) = (&self.access.config, &self.object.parent.name);
                    MaySend::check(work.context, pin, &self.answer, config, parent)
                }
            }?;
            loaded.satisfied = false;
            let sent = may_send
                .send(work.context, key, doubt, |context| sign(context, key, session, digest));
            let (signature, taken) = sent?;
            self.taken.get_or_init(|| taken);
            Ok(signature)
        })();
        signed.inspect_err(|_| {
            if let Some(loaded) = slot.take() {
                loaded.flush(work.context);
            }
        })
    }
}

impl DeviceSigner for TpmSigner {
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        self.sign_sha256(&Sha256::digest(message).into())
    }

    fn sign_sha256(&self, digest: &[u8; 32]) -> Result<Signature, SignError> {
        let mut again = true;
        let mut doubt = None;
        // A PIN that may be wrong is sent once, also if the answer is lost.
        let reconnect = match self.pin.is_none() || self.taken.get().is_some() {
            true => Reconnect::Once,
            false => Reconnect::No,
        };
        let signed = self.access.chip.work(reconnect, |work| {
            match self.sign_once(work, digest, &mut doubt) {
                // The TPM was reset, or PCRs changed since the policy was gone:
                // everything anew, once. The PIN was not refused.
                Err(failed) if again && is_stale(&failed) => {
                    again = false;
                    self.sign_once(work, digest, &mut doubt)
                }
                signed => signed,
            }
        });
        if let Some(doubt) = doubt {
            doubt.settle(&self.access.chip);
        }
        if signed.is_err() {
            self.access.forget_pin();
        }
        let signed = signed.map_err(|error| SignError::Device(error.into()))?;
        let not_one = || {
            SignError::Device(DeviceError::Tpm(TpmError::Attributes {
                problem: "it made no ECDSA signature of 64 bytes",
            }))
        };
        let TpmSignature::EcDsa(signed) = signed else { return Err(not_one()) };
        let mut bytes = [0; 64];
        let (r, s) = bytes.split_at_mut(32);
        if !object::put_right(r, signed.signature_r().value())
            || !object::put_right(s, signed.signature_s().value())
        {
            return Err(not_one());
        }
        Ok(Signature::from_p256_bytes(bytes).to_low_s()?)
    }
}

fn lock(slot: &Slot) -> MutexGuard<'_, Option<Loaded>> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Flushes the key, if it is loaded; it is loaded again for its next signature.
fn gives_room(slot: &Arc<Slot>) -> impl Fn(&mut Work<'_>) -> bool + Send + 'static {
    let slot = Arc::downgrade(slot);
    move |work| {
        let Some(slot) = slot.upgrade() else { return false };
        let mut slot = lock(&slot);
        let loaded = slot.take_if(|loaded| loaded.epoch == work.epoch);
        loaded.map(|loaded| loaded.flush(work.context)).is_some()
    }
}

/// One `TPM2_Sign`, in a session whose policy is satisfied.
pub(super) fn sign(
    context: &mut Context,
    key: KeyHandle,
    session: PolicySession,
    digest: &[u8; 32],
) -> Result<TpmSignature, Failed> {
    let digest = Digest::try_from(digest.as_slice()).doing(SIGN)?;
    let hash_scheme = HashScheme::new(HashingAlgorithm::Sha256);
    let scheme = SignatureScheme::EcDsa { hash_scheme };
    let ticket = no_ticket().doing(SIGN)?;
    context
        .execute_with_session(Some(session.into()), |context| {
            context.sign(key, digest, scheme, ticket)
        })
        .doing(SIGN)
}

fn is_stale(failed: &Failed) -> bool {
    matches!(
        failed.meaning(),
        Some(Meaning::Gone | Meaning::Value | Meaning::NoHandle | Meaning::PolicyFail)
    )
}

/// What a digest that was not made in the TPM goes with (part 2, section
/// 10.6.6).
fn no_ticket() -> Result<HashcheckTicket, tss_esapi::Error> {
    HashcheckTicket::try_from(TPMT_TK_HASHCHECK {
        tag: StructureTag::Hashcheck.into(),
        hierarchy: TPM2_RH_NULL,
        digest: Default::default(),
    })
}

impl Drop for TpmSigner {
    fn drop(&mut self) {
        // Not under its lock: who asks for room has that of the chip first.
        let loaded = self.loaded().take();
        if let Some(loaded) = loaded {
            self.access.chip.tidy(loaded.epoch, |context| loaded.flush(context));
        }
    }
}

impl fmt::Debug for TpmSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TpmSigner").finish_non_exhaustive()
    }
}
