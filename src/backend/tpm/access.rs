//! What all keys of one configured TPM share, and the way to a sealed secret.

use std::fmt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use tss_esapi::Context;
use tss_esapi::handles::KeyHandle;
use tss_esapi::interface_types::session_handles::PolicySession;
use tss_esapi::structures::{Auth, SensitiveData};
use zeroize::Zeroizing;

use super::approval::Approval;
use super::chip::{Chip, Reconnect, flushing};
use super::failure::{Doing as _, Failed, Meaning};
use super::object::Stored;
use super::pin::{Purpose, Stretched};
use super::properties::Lockout;
use super::satisfy::Way;
use super::{parent, session, store};
use crate::backend::{PinStretching, TpmObject, TpmParent};
use crate::config::TpmConfig;
use crate::encoding::hex;
use crate::error::TpmError;
use crate::secret::{Pin, PinAnswer};

/// For how long the lock-out counter is taken for known.
const LOCKOUT_KNOWN: Duration = Duration::from_secs(10);

pub(super) struct Access {
    pub(super) chip: Arc<Chip>,
    pub(super) home: PathBuf,
    pub(super) config: TpmConfig,
    /// The PIN that was stretched last: both objects of an identity are opened
    /// one after the other, and scrypt takes its time.
    recent: Mutex<Option<Recent>>,
    /// Marks of PINs that were refused.
    refused: Mutex<Vec<[u8; 32]>>,
    lockout: Mutex<Option<(Instant, Lockout)>>,
    /// For hashes of PINs, random.
    hash_key: [u8; 32],
}

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
        let (recent, refused, lockout) = Default::default();
        Ok(Self { chip, home, config, recent, refused, lockout, hash_key })
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

    /// How the PIN of a new object is stretched: as that of the one before it.
    pub(super) fn stretching(&self, pin: &Pin) -> Result<PinStretching, TpmError> {
        if let Some(recent) = &*lock(&self.recent)
            && self.is(recent, pin)
        {
            return Ok(recent.how.clone());
        }
        PinStretching::generate(self.config.pin_work_factor)
    }

    /// Both objects have been opened or made: the stretched PIN is wiped.
    pub(super) fn forget_pin(&self) {
        *lock(&self.recent) = None;
    }

    /// The lock-out counter, as the TPM tells it now.
    pub(super) fn lockout(&self) -> Result<Lockout, TpmError> {
        let read = self.chip.work(Reconnect::Once, |work| Lockout::read(work.context))?;
        *lock(&self.lockout) = Some((Instant::now(), read));
        Ok(read)
    }

    /// The PIN of an object, ready to be sent: not refused before, and not one
    /// that could lock the TPM.
    pub(super) fn ready_to_send(
        &self,
        object: &TpmObject,
        pin: &Pin,
    ) -> Result<Option<Arc<Stretched>>, TpmError> {
        let Some(how) = &object.policy.pin else { return Ok(None) };
        let stretched = self.stretch(pin, how)?;
        if lock(&self.refused).contains(&stretched.mark(&object.public)) {
            pin.answer().refused();
            return Err(TpmError::PinKnownWrong);
        }
        let known = lock(&self.lockout).filter(|(at, _)| at.elapsed() < LOCKOUT_KNOWN);
        let lockout = match known {
            Some((_, lockout)) => lockout,
            None => self.lockout()?,
        };
        lockout.check(self.config.allow_final_try)?;
        Ok(Some(stretched))
    }

    /// Makes a wrong PIN of an answer that means one, and remembers it.
    pub(super) fn judge_pin(
        &self,
        context: &mut Context,
        failed: Failed,
        object: &TpmObject,
        pin: Option<&Stretched>,
    ) -> Failed {
        let (Some(pin), Some(Meaning::WrongAuth)) = (pin, failed.meaning()) else { return failed };
        let Failed::Call(failure) = failed else { return failed };
        lock(&self.refused).push(pin.mark(&object.public));
        self.forget_pin();
        *lock(&self.lockout) = None;
        let tries_left = Lockout::read(context).ok().and_then(Lockout::tries_left);
        TpmError::WrongPin { tries_left, source: Box::new(failure) }.into()
    }

    /// The parent that the configuration pins must be the object's.
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
        self.check_pinned(&object.parent)?;
        let answer = pin.answer();
        let pin = self.ready_to_send(object, pin)?;
        let approvals = self.approvals(object);
        let reconnect = if pin.is_some() { Reconnect::No } else { Reconnect::Once };
        let data = self.chip.work(reconnect, |work| {
            parent::under(work.context, &object.parent, |context, parent| {
                in_session(context, parent, |context, session| {
                    Way::find(context, session, &object.policy, &approvals)?;
                    let loaded = stored.load(context, parent, purpose)?;
                    flushing(context, loaded, |context| {
                        let auth = pin.as_ref().map(|pin| pin.auth_value());
                        unseal(context, session, loaded, auth.as_deref()).map_err(|failed| {
                            self.judge_pin(context, failed, object, pin.as_deref())
                        })
                    })
                })
            })
        });
        if pin.is_some() {
            note(answer, &data);
        }
        let data = data?;
        match &pin {
            None => Ok(Zeroizing::new(data.value().to_vec())),
            Some(pin) => pin
                .decrypt(purpose, did, data.value())
                .ok_or(TpmError::Damaged { what: purpose.object(), source: None }),
        }
    }
}

/// Notes what the TPM said of a PIN that it was sent.
pub(super) fn note<T>(answer: &PinAnswer, done: &Result<T, TpmError>) {
    match done {
        Ok(_) => answer.accepted(),
        Err(TpmError::WrongPin { .. }) => answer.refused(),
        Err(_) => {}
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
    auth: Option<&[u8; 32]>,
) -> Result<SensitiveData, Failed> {
    const DOING: &str = "unseal a key";
    if let Some(auth) = auth {
        let auth = Auth::try_from(auth.as_slice()).doing(DOING)?;
        context.tr_set_auth(loaded.into(), auth).doing(DOING)?;
    }
    session::ends_with_the_next(context, session)?;
    context
        .execute_with_session(Some(session.into()), |context| context.unseal(loaded.into()))
        .doing(DOING)
}

impl fmt::Debug for Access {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Access").field("chip", &self.chip).finish_non_exhaustive()
    }
}
