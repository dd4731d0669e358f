//! One key on a token: opened by its PIN, signing by any thread.

use std::fmt;

use cryptoki::object::ObjectHandle;
use sha2::{Digest as _, Sha256};

use super::connection::LoginGuard;
use super::login::Meant;
use super::object::Objects;
use super::place::{Place, Seen, with_name};
use super::pool::{Condition, Lease, NoLease};
use super::put_back::ANOTHER;
use super::raw::NotSigned;
use super::recovery::{Doubt, judge};
use super::token::Token;
use crate::algorithm::{AlgorithmId, Signature};
use crate::error::{DeviceError, OpenError, Pkcs11Error, SignError};
use crate::evidence::{Assurance, Evidence, ProvenanceKind};
use crate::key::challenge::prove_possession;
use crate::key::device::{DeviceKey, DeviceSigner, OpenedDevice};
use crate::secret::Pin;
use crate::signer::{LARGE, room_for_module};
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Who signs a message that takes memory to be counted.
static ONE_LARGE: Mutex<()> = Mutex::new(());

/// A key that wants its PIN.
#[derive(Debug)]
pub(super) struct TokenKey(pub(super) Arc<Place>);

impl DeviceKey for TokenKey {
    fn is_shown(&self) -> bool {
        self.0.is_shown_to_anybody()
    }

    fn check_sendable(&self) -> Result<(), OpenError> {
        Ok(self.0.must_have_shown_itself(self.0.locator.token.clone())?)
    }

    fn open(&self, pin: &Pin) -> Result<OpenedDevice, OpenError> {
        let place = &self.0;
        // Days may have passed since the key was found.
        let token = place.token_to_open()?;
        let login = LoginGuard::enter_for(Meant::Key(place), &token, pin, place.policy)?;
        open(place, login)
    }
}

/// Opens a key within a login.
pub(super) fn open(place: &Arc<Place>, login: LoginGuard) -> Result<OpenedDevice, OpenError> {
    let lease = login.lease().map_err(|no_lease| unlent(place, no_lease).error)?;
    let seen =
        lease.objects().map_or_else(|| Err(closed(place).into()), |seen| place.look(seen))?;
    let found = Found { private: seen.private, epoch: lease.epoch };
    drop(lease);
    Ok(OpenedDevice {
        handle: Arc::new(TokenKey(Arc::clone(place))),
        shown: seen.shown,
        signer: Box::new(TokenSigner {
            found: Mutex::new(Some(found)),
            judged: Judged::of(&seen.evidence),
            always_pin: seen.always_pin,
            place: Arc::clone(place),
            login,
        }),
        evidence: seen.evidence,
        verify_after_sign: place.verify_after_sign,
    })
}

/// A key that is open. Threads share it; each borrows a session of its own.
struct TokenSigner {
    found: Mutex<Option<Found>>,
    /// What the type of the key was chosen by. It must hold after a recovery.
    judged: Judged,
    always_pin: bool,
    place: Arc<Place>,
    login: LoginGuard,
}

/// The private object, as long as the login lasts in which it was found.
#[derive(Debug, Clone, Copy)]
struct Found {
    private: ObjectHandle,
    epoch: u64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Judged {
    provenance: ProvenanceKind,
    assurance: Assurance,
}

impl Judged {
    fn of(evidence: &Evidence) -> Self {
        Self { provenance: evidence.provenance(), assurance: evidence.assurance() }
    }

    fn must_hold_for(self, evidence: &Evidence) -> Result<(), OpenError> {
        let now = Self::of(evidence);
        if now.provenance != self.provenance {
            let (demanded, found) = (self.provenance, now.provenance);
            return Err(OpenError::WrongProvenance { demanded, found });
        }
        if now.assurance < self.assurance {
            let (was, now) = (self.assurance, now.assurance);
            return Err(OpenError::LessAssurance { was, now });
        }
        Ok(())
    }
}

/// A signature that was not made.
struct Failed {
    error: Pkcs11Error,
    /// Whether, and since which login, something was lost that may come back.
    lost: Option<u64>,
}

impl DeviceSigner for TokenSigner {
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        match self.algorithm() {
            AlgorithmId::Ed25519 if message.len() >= LARGE => {
                // Others would take the memory between.
                let _alone = ONE_LARGE.lock().unwrap_or_else(PoisonError::into_inner);
                room_for_module(message.len())?;
                self.sign_input(message)
            }
            AlgorithmId::Ed25519 => self.sign_input(message),
            AlgorithmId::P256 => self.sign_input(&Sha256::digest(message)),
        }
    }

    fn sign_sha256(&self, digest: &[u8; 32]) -> Result<Signature, SignError> {
        self.sign_input(digest)
    }

    fn explain(&self, failed: OpenError) -> OpenError {
        let found = match &failed {
            OpenError::NotItsKey => Some(self.other_kind().unwrap_or(ANOTHER)),
            OpenError::Challenge(SignError::Device(_)) => self.other_kind(),
            _ => None,
        };
        found.map_or(failed, |found| self.place.other_private_key(found).into())
    }
}

impl TokenSigner {
    /// Signs what the mechanism takes: a message by Ed25519, a SHA-256 by ECDSA.
    fn sign_input(&self, input: &[u8]) -> Result<Signature, SignError> {
        super::module::check_process()?;
        let failed = match self.try_once(input) {
            Ok(signature) => return Ok(signature),
            Err(failed) => failed,
        };
        let Some(epoch) = failed.lost else { return Err(failed.error.into()) };
        log::debug!("a signature failed and is tried again: {}", failed.error);
        self.recover(epoch)?;
        self.try_once(input).map_err(|failed| failed.error.into())
    }

    fn try_once(&self, input: &[u8]) -> Result<Signature, Failed> {
        let mut lease = self.lease()?;
        let key = self.object(&mut lease)?;
        self.sign_with(&mut lease, key, input)
    }

    fn lease(&self) -> Result<Lease, Failed> {
        self.login.lease().map_err(|no_lease| unlent(&self.place, no_lease))
    }

    /// Signs by one `C_SignInit` and one `C_Sign`.
    fn sign_with(
        &self,
        lease: &mut Lease,
        key: ObjectHandle,
        input: &[u8],
    ) -> Result<Signature, Failed> {
        let Some(objects) = lease.objects() else {
            return Err(Failed { error: closed(&self.place), lost: None });
        };
        let confirm = || if self.always_pin { self.confirm(objects) } else { Ok(()) };
        let calls = self.place.module.calls();
        let signed = objects.within_login(|| {
            calls.sign_input(self.algorithm(), objects.session, key, input, confirm)
        });
        let (error, lost, condition) = match signed {
            Ok(signature) => {
                lease.note_signature();
                return Ok(signature);
            }
            Err(NotSigned::NotConfirmed(error)) => (error, false, Condition::Doubtful),
            Err(NotSigned::Failed { call, failure }) => {
                let (lost, condition) = judge(&failure);
                let error = failure.into_error(call, objects.token.named());
                (error, lost, condition)
            }
        };
        let lost = lost.then_some(lease.epoch);
        if lost.is_some() {
            self.forget(lease.epoch);
        }
        lease.spoil(condition);
        Err(Failed { error, lost })
    }

    /// What lies there, if it is no key of this algorithm. Looked at only when something is
    /// wrong: not every module tells the type of a key right.
    fn other_kind(&self) -> Option<&'static str> {
        let lease = self.lease().ok()?;
        let objects = lease.objects()?;
        let private = objects.pair(&self.place.locator.id).ok()?.private;
        let [private] = private.as_slice() else { return None };
        objects.other_kind(*private, self.algorithm()).ok()?
    }

    fn algorithm(&self) -> AlgorithmId {
        self.place.did.verifying_key().algorithm()
    }

    /// Gives the PIN for one operation.
    fn confirm(&self, objects: Objects<'_>) -> Result<(), Pkcs11Error> {
        self.login.confirm(objects, self.place.policy)
    }

    fn found(&self) -> MutexGuard<'_, Option<Found>> {
        self.found.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn forget(&self, epoch: u64) {
        self.found().take_if(|found| found.epoch == epoch);
    }

    /// The private object: as it was found in this login, or found again and
    /// compared.
    fn object(&self, lease: &mut Lease) -> Result<ObjectHandle, Failed> {
        let mut found = self.found();
        if let Some(known) = *found
            && known.epoch == lease.epoch
        {
            return Ok(known.private);
        }
        match self.find_again(lease) {
            Ok(private) => {
                *found = Some(Found { private, epoch: lease.epoch });
                Ok(private)
            }
            Err(error) => {
                let (lost, condition) = loss(&error);
                lease.spoil(condition);
                Err(Failed { error, lost: lost.then_some(lease.epoch) })
            }
        }
    }

    /// Nothing is taken for granted after a loss: the pair must be there once,
    /// be that of the DID, and still be what its type says.
    fn find_again(&self, lease: &Lease) -> Result<ObjectHandle, Pkcs11Error> {
        let place = &self.place;
        let objects = lease.objects().ok_or_else(|| closed(place))?;
        let seen = match place.look(objects) {
            // There may be more to say about where it has gone.
            Err(OpenError::Device(DeviceError::Pkcs11(
                error @ (Pkcs11Error::NoKey { .. } | Pkcs11Error::NoPrivateKey { .. }),
            ))) => place.check(objects).and(Err(error))?,
            seen => seen.map_err(|error| not_reopened(objects.token, error))?,
        };
        let Seen { private, shown, evidence, .. } = seen;
        if shown != *place.did.verifying_key() {
            let name = with_name(&place.locator.label, &place.locator.id);
            return Err(place.replaced(objects.token, name, &shown));
        }
        self.judged.must_hold_for(&evidence).map_err(|error| not_reopened(objects.token, error))?;
        if !place.verify_after_sign {
            // Else a signature by another private key would not be noticed.
            let calls = place.module.calls();
            let confirm = || if self.always_pin { self.confirm(objects) } else { Ok(()) };
            prove_possession(&shown, |challenge| {
                let sign = || {
                    calls.sign_once(self.algorithm(), objects.session, private, challenge, confirm)
                };
                objects
                    .within_login(sign)
                    .map_err(|error| error.into_error(objects.token.named()).into())
            })
            .map_err(|error| not_reopened(objects.token, error))?;
        }
        Ok(private)
    }

    /// Opens again what was lost, and finds the key again.
    fn recover(&self, epoch: u64) -> Result<(), Pkcs11Error> {
        let revive = |epoch, doubt| self.login.revive(epoch, doubt, &self.place);
        revive(epoch, Doubt::Asks)?;
        let again = self.lease().and_then(|mut lease| self.object(&mut lease).map(drop));
        match again {
            // The module said that the login lasts, and it does not.
            Err(Failed { lost: Some(epoch), .. }) => revive(epoch, Doubt::Everything),
            Err(failed) => Err(failed.error),
            Ok(()) => Ok(()),
        }
    }
}

/// Whether an error tells of a loss, and of the session's condition.
fn loss(error: &Pkcs11Error) -> (bool, Condition) {
    match error {
        Pkcs11Error::Call { source, .. } => {
            source.downcast_ref().map_or((false, Condition::Doubtful), judge)
        }
        // A private key that is not there: the login may be gone.
        Pkcs11Error::NoKey { .. } | Pkcs11Error::NoPrivateKey { .. } => (true, Condition::Doubtful),
        Pkcs11Error::NotReopened { source, .. } => match source.downcast_ref() {
            Some(
                OpenError::Device(DeviceError::Pkcs11(error))
                | OpenError::Challenge(SignError::Device(DeviceError::Pkcs11(error))),
            ) => loss(error),
            _ => (false, Condition::Doubtful),
        },
        _ => (false, Condition::Doubtful),
    }
}

fn unlent(place: &Place, no_lease: NoLease) -> Failed {
    match no_lease {
        NoLease::NotLoggedIn(epoch) => Failed { error: closed(place), lost: Some(epoch) },
        NoLease::Failed(epoch, error, token) => {
            let error = token.failed("C_OpenSession")(error);
            let lost = loss(&error).0.then_some(epoch);
            Failed { error, lost }
        }
    }
}

fn closed(place: &Place) -> Pkcs11Error {
    Pkcs11Error::NotOpen { token: place.locator.token.clone() }
}

fn not_reopened(token: &Token, error: OpenError) -> Pkcs11Error {
    match error {
        OpenError::Device(DeviceError::Pkcs11(error)) => error,
        error => Pkcs11Error::NotReopened { token: token.name(), source: Box::new(error) },
    }
}

impl fmt::Debug for TokenSigner {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TokenSigner").field("place", &self.place).finish_non_exhaustive()
    }
}
