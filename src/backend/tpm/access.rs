//! What all keys of one configured TPM share, and the way to a sealed secret.

use std::fmt;
use std::path::PathBuf;

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tss_esapi::Context;
use tss_esapi::handles::KeyHandle;
use tss_esapi::interface_types::session_handles::PolicySession;
use tss_esapi::structures::SensitiveData;
use zeroize::Zeroizing;

use super::approval::Approval;
use super::chip::{Chip, Reconnect, Work, flushing};
use super::failure::{Doing as _, Failed, Meaning};
use super::object::Stored;
use super::overwrite;
use super::pin::{Purpose, Stretched};
use super::properties::Lockout;
use super::satisfy::Way;
use super::sending::{self, MaySend};
use super::{parent, session, store};
use crate::backend::{PinStretching, TpmObject, TpmParent};
use crate::config::TpmConfig;
use crate::encoding::hex;
use crate::error::TpmError;
use crate::secret::Pin;
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub(super) struct Access {
    pub(super) chip: Arc<Chip>,
    pub(super) home: PathBuf,
    pub(super) config: TpmConfig,
    /// The PIN that was stretched last: both objects of an identity are opened
    /// one after the other, and scrypt takes its time.
    recent: Mutex<Option<Recent>>,
    /// For hashes of PINs, random.
    hash_key: [u8; 32],
    /// Takes the key that was opened last out of the TPM, until it is used again: a TPM may have room
    /// for three objects, of which a daemon has one. Tells whether it was there.
    last_opened: Mutex<Option<Box<GivesRoom>>>,
}

type GivesRoom = dyn Fn(&mut Work<'_>) -> bool + Send;

struct Recent {
    /// Keyed hash of the PIN, which is not kept itself.
    pin: [u8; 32],
    how: PinStretching,
    stretched: Arc<Stretched>,
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Access {
    pub(super) fn new(chip: Arc<Chip>, home: PathBuf, config: TpmConfig) -> Result<Self, TpmError> {
        let mut hash_key = [0; 32];
        crate::secret::fill_random(&mut hash_key).map_err(|error| TpmError::Command {
            kind: error.kind(),
            doing: "make a random number",
            source: Box::new(error),
        })?;
        Ok(Self {
            chip,
            home,
            config,
            recent: Mutex::default(),
            hash_key,
            last_opened: Mutex::default(),
        })
    }

    fn hash(&self, pin: &Pin) -> [u8; 32] {
        let text = pin.text().unwrap_or_default();
        Sha256::new_with_prefix(self.hash_key).chain_update(text).finalize().into()
    }

    fn is(&self, recent: &Recent, pin: &Pin) -> bool {
        pin.text().is_some() && recent.pin.ct_eq(&self.hash(pin)).into()
    }

    /// Stretches a PIN, or takes it as it was stretched just before.
    pub(super) fn stretch(
        &self,
        pin: &Pin,
        how: &PinStretching,
    ) -> Result<Arc<Stretched>, TpmError> {
        if let Some(recent) = &*lock(&self.recent)
            && recent.how == *how
            && self.is(recent, pin)
        {
            return Ok(Arc::clone(&recent.stretched));
        }
        let stretched = Arc::new(Stretched::new(pin, how)?);
        *lock(&self.recent) = Some(Recent {
            pin: self.hash(pin),
            how: how.clone(),
            stretched: Arc::clone(&stretched),
        });
        Ok(stretched)
    }

    /// How the PIN of a new object is stretched: with the salt of the one before it, if that
    /// has the same PIN.
    pub(super) fn stretching(&self, pin: &Pin) -> Result<PinStretching, TpmError> {
        let log_n = self.config.pin_work_factor;
        if let Some(recent) = &*lock(&self.recent)
            && self.is(recent, pin)
        {
            return Ok(PinStretching { log_n, ..recent.how.clone() });
        }
        PinStretching::generate(log_n)
    }

    /// Both objects have been opened or made: the stretched PIN is wiped.
    pub(super) fn forget_pin(&self) {
        *lock(&self.recent) = None;
    }

    /// The lock-out counter, as the TPM tells it now.
    pub(super) fn lockout(&self) -> Result<Lockout, TpmError> {
        self.chip.work(Reconnect::Once, |work| Lockout::read(work.context))
    }

    /// The PIN of an object, stretched: not refused before, and not one that could
    /// lock the TPM, as far as that is known before anything is begun. It is looked at
    /// again when it is sent.
    pub(super) fn stretched_for(
        &self,
        object: &TpmObject,
        pin: &Pin,
    ) -> Result<Option<Arc<Stretched>>, TpmError> {
        let Some(how) = &object.policy.pin else { return Ok(None) };
        let stretched = self.stretch(pin, how)?;
        sending::check_unrefused(&stretched, pin.answer())?;
        self.lockout()?.check(self.config.allow_final_try)?;
        Ok(Some(stretched))
    }

    /// The parent that the configuration pins must be the one that an object of the identity
    /// names. The TPM is not asked.
    pub(super) fn check_configured(&self, parent: &TpmParent) -> Result<(), TpmError> {
        match &self.config.parent_name {
            Some(pinned) if *pinned != parent.name => Err(TpmError::NotConfiguredParent {
                configured: hex::encode(pinned),
                found: hex::encode(&parent.name),
            }),
            _ => Ok(()),
        }
    }

    /// The parent that the configuration pins must be the one that the TPM has.
    pub(super) fn check_pinned(&self, parent: &TpmParent) -> Result<(), TpmError> {
        match &self.config.parent_name {
            Some(pinned) if *pinned != parent.name => {
                let (expected, found) = (hex::encode(pinned), hex::encode(&parent.name));
                Err(match parent.handle {
                    Some(handle) => TpmError::ParentChanged { handle, expected, found },
                    None => TpmError::OtherTpm { expected, found },
                })
            }
            _ => Ok(()),
        }
    }

    /// Approvals, where the policy takes any.
    pub(super) fn approvals(&self, object: &TpmObject) -> Vec<Approval> {
        match object.policy.authorized {
            Some(_) => store::read(&self.home),
            None => Vec::new(),
        }
    }

    /// Who is asked to give the room of its object back where there is none for another.
    pub(super) fn asks_for_room(&self, of: impl Fn(&mut Work<'_>) -> bool + Send + 'static) {
        *lock(&self.last_opened) = Some(Box::new(of));
    }

    fn make_room(&self, work: &mut Work<'_>) -> bool {
        lock(&self.last_opened).as_ref().is_some_and(|gives_room| gives_room(work))
    }

    /// Satisfies an object's policy, has the TPM unseal it, and takes off the
    /// PIN's encryption. The PIN is sent once.
    pub(super) fn unseal(
        &self,
        object: &TpmObject,
        purpose: Purpose,
        did: &str,
        pin: &Pin,
    ) -> Result<Zeroizing<Vec<u8>>, TpmError> {
        let stored = Stored::read(object, purpose)?;
        if !stored.is_sealed_data() {
            return Err(TpmError::Damaged { what: purpose.object(), source: None });
        }
        if stored.attributes().user_with_auth() || !stored.attributes().fixed_tpm() {
            return Err(TpmError::Attributes { problem: "its policy can be passed by" });
        }
        self.check_configured(&object.parent)?;
        let answer = pin.answer();
        let pin = self.stretched_for(object, pin)?;
        let approvals = self.approvals(object);
        let reconnect = if pin.is_some() { Reconnect::No } else { Reconnect::Once };
        let (mut doubt, mut is_sent) = (None, false);
        let mut open = |work: &mut Work<'_>| {
            parent::under(work.context, &object.parent, |context, parent| {
                in_session(context, parent, |context, session| {
                    Way::find(context, session, &object.policy, &approvals)?;
                    let loaded = stored.load(context, parent, purpose)?;
                    is_sent = true;
                    flushing(context, loaded, |context| {
                        session::ends_with_the_next(context, session)?;
                        let unseal = |context: &mut Context| unseal(context, session, loaded);
                        let Some(pin) = &pin else {
                            return unseal(context).inspect(|_| overwrite::freed());
                        };
                        MaySend::check(context, pin, answer, &self.config, &object.parent.name)?
                            .send(context, loaded, &mut doubt, unseal)
                            .map(|(data, _)| data)
                    })
                })
            })
            .map_err(|failed| (failed, is_sent))
        };
        let data = self.chip.work(reconnect, |work| {
            let opened = match open(work) {
                // It was not loaded, and no PIN was sent.
                Err((failed, false))
                    if failed.meaning() == Some(Meaning::NoObjectSlot) && self.make_room(work) =>
                {
                    open(work)
                }
                opened => opened,
            };
            opened.map_err(|(failed, _)| failed).inspect(|_| {
                // With a PIN, what came back is encrypted.
                if pin.is_none() {
                    overwrite::after_unsealing(work.context);
                }
            })
        });
        if let Some(doubt) = doubt {
            doubt.settle(&self.chip);
        }
        let data = data.inspect_err(|_| self.forget_pin())?;
        match &pin {
            None => Ok(Zeroizing::new(data.value().to_vec())),
            Some(pin) => pin
                .decrypt(purpose, did, data.value())
                .ok_or(TpmError::Damaged { what: purpose.object(), source: None }),
        }
    }
}

/// Work in a policy session whose end is that the TPM flushes it by itself.
fn in_session<T>(
    context: &mut Context,
    parent: KeyHandle,
    work: impl FnOnce(&mut Context, PolicySession) -> Result<T, Failed>,
) -> Result<T, Failed> {
    let session = session::policy(context, parent)?;
    let done = work(context, session);
    match &done {
        Ok(_) => session::has_ended(context, session),
        Err(_) => {
            // The command with which it would have ended failed, or was not
            // reached. If it had succeeded, the library knows of no session.
            let _ = context.flush_context(session::handle(session));
        }
    }
    done
}

fn unseal(
    context: &mut Context,
    session: PolicySession,
    loaded: KeyHandle,
) -> Result<SensitiveData, Failed> {
    context
        .execute_with_session(Some(session.into()), |context| context.unseal(loaded.into()))
        .doing("unseal a key")
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("chip", &self.chip).finish_non_exhaustive()
    }
}
