//! The key and what stands before it: policy, audit log, queue.

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock, Weak};
use std::time::{Duration, Instant, SystemTime};

use icn_identity::audit::{AuditKey, AuditLog, Entry, Event, RequestId};
use icn_identity::backend::{BackendKind, PinState};
use icn_identity::bundle::Renewal;
use icn_identity::config::{Config, DaemonConfig};
use icn_identity::daemon::{Policy, ProblemCode, verify_key};
use icn_identity::error::in_full;
use icn_identity::home::{CredentialSource, Home, HomeOptions};
use icn_identity::{Did, DidKey, Error, IdentityBundle};
use prometheus_client::metrics::counter::Counter;
use serde_json::{Map, Value};
use tokio::sync::watch;
use tokio::time::{sleep, timeout, timeout_at};

use crate::audit::Audit;
use crate::issued::Issued;
use crate::line::{Line, Outcome};
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::refusals::{Refusals, Unwritten};
use crate::ties::Ties;
use crate::turns::Turns;

/// How long `lock` and the end wait for those who are at work with the key.
const AT_WORK: Duration = Duration::from_secs(10);

/// For so long a policy is held by requests that it has decided: a little longer than they have.
const DECIDED: Duration = Duration::from_secs(12);

/// An identity that is open.
pub(crate) struct Open {
    pub(crate) bundle: IdentityBundle<DidKey>,
    pub(crate) audit_key: AuditKey,
    /// As JSON.
    pub(crate) chain: Option<String>,
}

/// What is open, and how often it was closed: an unlocking that a lock has overtaken opens
/// nothing.
#[derive(Default)]
struct Keys {
    open: Option<Arc<Open>>,
    /// The one that was open last may still be at work.
    last: Weak<Open>,
    locks: u64,
}

/// Where the identity is, for each time that it is opened.
#[derive(Debug, Clone)]
pub(crate) struct Place {
    pub(crate) home: PathBuf,
    pub(crate) config: PathBuf,
}

impl Place {
    pub(crate) fn open(&self) -> Result<Home, Error> {
        let options = HomeOptions::new().with_config_file(&self.config);
        match HomeOptions::state_directory_of_user() {
            Some(directory) => options.with_state_directory(directory),
            None => options,
        }
        .open(&self.home)
    }

    /// Blocks. What the device says of its PIN, of which that takes no try; `None` where there
    /// is no PIN, or no device.
    pub(crate) fn pin_state(&self) -> Option<PinState> {
        Some(self.open().ok()?.wants().ok()?.pin()?.pin_state())
    }
}

pub(crate) struct Door {
    pub(crate) backend: BackendKind,
    pub(crate) did: Did,
    pub(crate) place: Place,
    pub(crate) audit: Audit,
    keys: RwLock<Keys>,
    policy: RwLock<Arc<Policy>>,
    logs_all: AtomicBool,
    verified_at: RwLock<Option<(SystemTime, Instant)>>,
    /// As the device has said it last.
    pin: RwLock<Option<PinState>>,
    pub(crate) refusals: Refusals,
    pub(crate) metrics: Metrics,
    stopping: Arc<AtomicBool>,
    /// Who waits for the key, and who has it: so many at once.
    turns: Arc<Turns>,
    at_once: usize,
    /// One who unlocks, or waits to.
    unlocking: tokio::sync::Mutex<()>,
    /// One lock or unlock at a time.
    turning: tokio::sync::Mutex<()>,
    /// One checkpoint at a time.
    pub(crate) checkpoints: tokio::sync::Mutex<()>,
    pub(crate) ties: Ties,
    /// Told at each lock.
    locking: watch::Sender<()>,
    pub(crate) issued: Arc<Issued>,
    /// What holds from the start to the end, as it was configured then.
    started: DaemonConfig,
    /// When the configuration was not read anew, so that an older one is in force.
    reload_failed: RwLock<Option<SystemTime>>,
}

impl Door {
    pub(crate) fn new(
        did: Did,
        place: Place,
        config: &Config,
        audit: AuditLog,
        issued: Arc<Issued>,
    ) -> Self {
        let sessions = config.identity.pkcs11.as_ref().and_then(|token| token.sessions);
        let cores = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
        let at_once = sessions.map_or(cores, |sessions| usize::from(sessions.get()));
        let queued = usize::try_from(config.daemon.max_queued).unwrap_or(usize::MAX);
        Self {
            backend: config.identity.backend,
            did,
            place,
            audit: Audit::new(audit),
            keys: RwLock::default(),
            policy: RwLock::new(Arc::new(Policy::new(&config.daemon))),
            logs_all: AtomicBool::new(config.logs_all_operations()),
            verified_at: RwLock::new(None),
            pin: RwLock::new(None),
            refusals: Refusals::default(),
            metrics: Metrics::new(),
            stopping: Arc::default(),
            turns: Turns::new(at_once, queued),
            at_once,
            unlocking: tokio::sync::Mutex::new(()),
            turning: tokio::sync::Mutex::new(()),
            checkpoints: tokio::sync::Mutex::new(()),
            ties: Ties::default(),
            locking: watch::Sender::new(()),
            issued,
            started: config.daemon.clone(),
            reload_failed: RwLock::default(),
        }
    }

    /// What a configuration changes that is used from the next start on: fields of `[daemon]`.
    pub(crate) fn waits_for_start(&self, config: &Config) -> Vec<String> {
        let fields = |config: &DaemonConfig| match serde_json::to_value(config) {
            Ok(Value::Object(fields)) => fields,
            _ => Map::new(),
        };
        let (before, now) = (fields(&self.started), fields(&config.daemon));
        let names: BTreeSet<&String> = before.keys().chain(now.keys()).collect();
        let waits = |name: &&String| {
            !["client", "owner"].contains(&name.as_str()) && before.get(*name) != now.get(*name)
        };
        names.into_iter().filter(waits).cloned().collect()
    }

    pub(crate) fn was_reloaded(&self, done: bool) {
        let at = (!done).then(SystemTime::now);
        *self.reload_failed.write().unwrap_or_else(PoisonError::into_inner) = at;
        self.metrics.was_reloaded(done);
    }

    pub(crate) fn reload_failed_at(&self) -> Option<SystemTime> {
        *self.reload_failed.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) const fn at_once(&self) -> usize {
        self.at_once
    }

    pub(crate) fn policy(&self) -> Arc<Policy> {
        self.policy.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn logs_all(&self) -> bool {
        self.logs_all.load(Ordering::Relaxed)
    }

    /// **Blocks** until no request is under way that was decided before. Clients and what they
    /// may, as it is configured now.
    pub(crate) fn reload(&self, config: &Config) {
        let mut policy = Arc::new(Policy::new(&config.daemon));
        std::mem::swap(
            &mut *self.policy.write().unwrap_or_else(PoisonError::into_inner),
            &mut policy,
        );
        self.logs_all.store(config.logs_all_operations(), Ordering::Relaxed);
        let start = Instant::now();
        while Arc::strong_count(&policy) > 1 {
            if start.elapsed() > DECIDED {
                tracing::warn!("requests that were decided before are still under way");
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
    }

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
    }

    pub(crate) fn opened(&self) -> Option<Arc<Open>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).open.clone()
    }

    fn locks(&self) -> u64 {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).locks
    }

    pub(crate) fn verified_at(&self) -> Option<SystemTime> {
        let verified_at = *self.verified_at.read().unwrap_or_else(PoisonError::into_inner);
        verified_at.map(|(at, _)| at)
    }

    /// How long ago, whatever the clock was set to meanwhile.
    pub(crate) fn verified_before(&self) -> Option<Duration> {
        let verified_at = *self.verified_at.read().unwrap_or_else(PoisonError::into_inner);
        verified_at.map(|(_, at)| at.elapsed())
    }

    fn is_verified(&self) {
        let now = Some((SystemTime::now(), Instant::now()));
        *self.verified_at.write().unwrap_or_else(PoisonError::into_inner) = now;
    }

    pub(crate) fn pin(&self) -> Option<PinState> {
        *self.pin.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn note_pin(&self, pin: Option<PinState>) {
        *self.pin.write().unwrap_or_else(PoisonError::into_inner) = pin;
    }

    /// Asks the device what it says of its PIN.
    pub(crate) async fn look_at_pin(&self) {
        let place = self.place.clone();
        let pin = tokio::task::spawn_blocking(move || place.pin_state()).await;
        self.note_pin(pin.unwrap_or(None));
    }

    /// A line of the audit log, on the disk when this is done.
    pub(crate) async fn record(&self, entry: Entry) -> Result<(), Problem> {
        let log = self.audit.clone();
        let written = tokio::task::spawn_blocking(move || log.append(entry)).await;
        match written {
            Ok(Ok(_)) => Ok(()),
            Ok(Err(error)) => {
                self.metrics.audit_failed();
                Err(Problem::audit(&error))
            }
            Err(_) => Err(Problem::internal("the audit log could not be written")),
        }
    }

    /// Writes down that a request is refused, unless that were too many lines.
    pub(crate) async fn refuse(&self, line: &Line, problem: &Problem) -> Result<(), Problem> {
        if !self.refusals.admit(line.uid(), Instant::now()) {
            return Ok(());
        }
        self.record(line.entry(Outcome::Refused(problem.reason()))).await
    }

    /// Writes down how many refusals have no line, and says of whom they are.
    pub(crate) async fn record_unwritten(&self, due: bool) {
        let Some(unwritten) = self.refusals.unwritten(Instant::now(), due) else { return };
        let Unwritten { count, users, within } = unwritten;
        tracing::warn!("{count} refusals within {within:.0?} are not recorded: of user {users}");
        let entry = Entry::refused(Event::Connect, "not-recorded").with_count(count);
        // That it cannot be written is logged, and counted, already.
        let _ = self.record(entry).await;
    }

    /// Uses the key: with a line before it is used, and another one if that fails.
    pub(crate) async fn use_key<T: Send + 'static>(
        &self,
        open: Arc<Open>,
        line: &Line,
        work: impl FnOnce(&Open) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Problem> {
        let busy = || {
            Problem::new(ProblemCode::Busy, "too many requests wait for the key")
                .with_help("wait, then ask again")
        };
        let Some(place) = self.turns.enter(line.uid()) else {
            let problem = busy();
            self.refuse(line, &problem).await?;
            return Err(problem);
        };
        self.record(line.entry(Outcome::Allowed)).await?;
        let errors = self.metrics.audit_errors.clone();
        // A renewal is made, whoever waits for it: nobody says that it has failed.
        let told = Some(line).filter(|line| !line.is_of(Event::Renew));
        let abandoned = Abandoned { log: self.audit.now(), errors, line: told };
        let Some(turn) = place.turn().await else {
            abandoned.forget();
            let problem = busy();
            self.record(line.entry(Outcome::Failed(problem.reason()))).await?;
            return Err(problem);
        };
        let done = tokio::task::spawn_blocking(move || {
            let done = work(&open);
            drop((open, turn));
            done
        });
        let start = Instant::now();
        let done = done.await;
        abandoned.forget();
        let time = start.elapsed();
        let problem = match done {
            Ok(Ok(value)) => {
                self.metrics.key_was_used(time, None);
                return Ok(value);
            }
            Ok(Err(error)) => {
                tracing::warn!("the key could not be used: {}", in_full(&error));
                Problem::of_key(&error)
            }
            Err(_) => Problem::internal("the key could not be used"),
        };
        self.metrics.key_was_used(time, Some(problem.code));
        self.record(line.entry(Outcome::Failed(problem.reason()))).await?;
        Err(problem)
    }

    /// Opens the identity, and verifies that its key signs. Also where it is open already:
    /// nothing is sent then; nor after the deadline, nor while another one is opening it.
    pub(crate) async fn unlock(
        &self,
        source: CredentialSource<'static>,
        line: &Line,
        deadline: tokio::time::Instant,
    ) -> Result<(), Problem> {
        let busy = || {
            Problem::new(ProblemCode::Busy, "it is being locked or unlocked already")
                .with_help("wait, then look whether it is still wanted: nothing was sent")
        };
        let Ok(_one) = self.unlocking.try_lock() else {
            self.refuse(line, &busy()).await?;
            return Err(busy());
        };
        // One that is locking it comes before, and one that will ends this.
        let locks = self.locks();
        let Ok(_turn) = timeout_at(deadline, self.turning.lock()).await else {
            self.refuse(line, &busy()).await?;
            return Err(busy());
        };
        if self.opened().is_some() {
            return Ok(());
        }
        if self.locks() != locks {
            self.refuse(line, &busy()).await?;
            return Err(busy());
        }
        self.record(line.entry(Outcome::Allowed)).await?;
        let (place, did, stopping) = (self.place.clone(), self.did.clone(), self.stopping.clone());
        let opened = tokio::task::spawn_blocking(move || {
            // Here it is sent.
            if stopping.load(Ordering::SeqCst) {
                return Err(Problem::new(ProblemCode::Stopping, "icnd is about to stop"));
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(Problem::new(
                    ProblemCode::Deadline,
                    "nothing was sent: it is too late",
                ));
            }
            open(&place, &did, source).map_err(|error| {
                tracing::error!("the identity was not opened: {}", in_full(&error));
                Problem::of_key(&error)
            })
        });
        let opened = opened.await;
        self.look_at_pin().await;
        if let Ok(Err(problem)) = &opened {
            self.metrics.key_failed(problem.code);
        }
        let problem = match opened {
            Ok(Ok(open)) => match self.put_unless_locked(open, locks) {
                Ok(()) => {
                    tracing::info!("is unlocked, by {}", line.whose());
                    if let Err(problem) = self.renew().await {
                        tracing::warn!("the certificate was not renewed: {problem:?}");
                    }
                    return Ok(());
                }
                Err(open) => {
                    // A device is told, which may take its time.
                    let _ = tokio::task::spawn_blocking(move || drop(open)).await;
                    Problem::new(ProblemCode::Locked, "it was locked meanwhile")
                }
            },
            Ok(Err(problem)) => problem,
            Err(_) => Problem::internal("the identity was not opened"),
        };
        self.record(line.entry(Outcome::Failed(problem.reason()))).await?;
        Err(problem)
    }

    /// What was opened and has signed a challenge.
    pub(crate) fn put(&self, open: Open) {
        let _ = self.put_unless_locked(open, self.locks());
    }

    /// Gives it back if it was locked since `locks` was looked at.
    fn put_unless_locked(&self, open: Open, locks: u64) -> Result<(), Box<Open>> {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        if keys.locks != locks {
            return Err(Box::new(open));
        }
        let open = Arc::new(open);
        keys.last = Arc::downgrade(&open);
        keys.open = Some(open);
        drop(keys);
        self.is_verified();
        Ok(())
    }

    /// For a client: with a line before, and another one if the keys are not gone in time.
    pub(crate) async fn lock_for(&self, line: &Line) -> Result<(), Problem> {
        self.record(line.entry(Outcome::Allowed)).await?;
        if self.lock().await {
            tracing::info!("is locked, by {}", line.whose());
            return Ok(());
        }
        let problem = Problem::internal("the key is still at work, and is gone when it has ended");
        self.record(line.entry(Outcome::Failed(problem.reason()))).await?;
        Err(problem)
    }

    /// Changes at the next lock. To be had before it is looked whether a key is open.
    pub(crate) fn locked(&self) -> watch::Receiver<()> {
        self.locking.subscribe()
    }

    /// Whether the identity has not handed over to another one, in its files as they are now.
    pub(crate) async fn check_not_handed_over(&self) -> Result<(), Problem> {
        let (place, did) = (self.place.clone(), self.did.clone());
        let read = move || place.open()?.store().handed_over(&did);
        match tokio::task::spawn_blocking(read).await {
            Ok(Ok(None)) => Ok(()),
            Ok(Ok(Some(_))) => {
                Err(Problem::new(ProblemCode::HandedOver, "this identity has handed over")
                    .with_help("ask the icnd of the identity that has taken over"))
            }
            Ok(Err(error)) => {
                tracing::error!("the files of the identity cannot be read: {}", in_full(&error));
                Err(Problem::internal("the files of the identity cannot be read"))
            }
            Err(_) => Err(Problem::internal("the files of the identity cannot be read")),
        }
    }

    /// Drops the keys; waits for those who are at work with them, and for who is opening them,
    /// which then opens nothing. Whether they are gone.
    pub(crate) async fn lock(&self) -> bool {
        let start = Instant::now();
        let (open, last) = {
            let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
            keys.locks += 1;
            (keys.open.take(), keys.last.clone())
        };
        // The connections of peers have the TLS key.
        self.locking.send_replace(());
        let Ok(_turn) = timeout(AT_WORK, self.turning.lock()).await else { return false };
        let mut open = open;
        while last.strong_count() > 0 {
            open = match open.map(Arc::try_unwrap) {
                Some(Ok(open)) => {
                    // A device is told, which may take its time.
                    return tokio::task::spawn_blocking(move || drop(open)).await.is_ok();
                }
                Some(Err(shared)) => Some(shared),
                None => None,
            };
            if start.elapsed() > AT_WORK {
                return false;
            }
            sleep(Duration::from_millis(5)).await;
        }
        true
    }

    /// Proves to itself that the key is there.
    pub(crate) async fn verify(&self) -> Result<(), Problem> {
        let Some(open) = self.opened() else { return Ok(()) };
        let line = Line::own(Event::Verify, fresh()?);
        self.use_key(open, &line, |open| Ok(verify_key(&open.bundle)?)).await?;
        self.is_verified();
        Ok(())
    }

    /// Takes over what another process has renewed, and renews the certificate if that is
    /// due.
    pub(crate) async fn renew(&self) -> Result<(), Problem> {
        let Some(open) = self.opened() else { return Ok(()) };
        let of_task = open.clone();
        let taken = tokio::task::spawn_blocking(move || of_task.bundle.take_over_renewed()).await;
        match taken {
            Ok(Ok(Renewal::TakenOver)) => {
                tracing::info!("uses the certificate that another process has made");
            }
            Ok(Err(error)) => tracing::warn!("the files were not read anew: {}", in_full(&error)),
            _ => {}
        }
        if !open.bundle.wants_renewal(SystemTime::now()) {
            return Ok(());
        }
        let line = Line::own(Event::Renew, fresh()?);
        let renew = |open: &Open| Ok(open.bundle.renew_if_due(SystemTime::now())?);
        self.use_key(open, &line, renew).await?;
        tracing::info!("has renewed the certificate");
        Ok(())
    }

    /// When the certificate is due, while the key is open.
    pub(crate) fn renewal_due_at(&self) -> Option<SystemTime> {
        Some(self.opened()?.bundle.renewal_due_at())
    }
}

/// A use whose answer nobody waits for any more: it leaves a second line, too.
struct Abandoned<'a> {
    log: AuditLog,
    errors: Counter,
    line: Option<&'a Line>,
}

impl Abandoned<'_> {
    fn forget(mut self) {
        self.line = None;
    }
}

impl Drop for Abandoned<'_> {
    fn drop(&mut self) {
        let Some(line) = self.line else { return };
        let (log, entry) =
            (self.log.clone(), line.entry(Outcome::Failed(ProblemCode::Deadline.as_str())));
        let errors = self.errors.clone();
        tokio::task::spawn_blocking(move || {
            if let Err(error) = log.append(entry) {
                errors.inc();
                tracing::error!("the audit log cannot be written: {}", in_full(&error));
            }
        });
    }
}

pub(crate) fn fresh() -> Result<RequestId, Problem> {
    RequestId::fresh().map_err(|error| Problem::internal(error.to_string()))
}

/// Blocks. Sends the credential once, and has a challenge signed. Its certificate is renewed
/// later, where that is due: that is a use of the key of its own, with a line before it.
pub(crate) fn open(place: &Place, did: &Did, source: CredentialSource<'_>) -> Result<Open, Error> {
    let home = place.open()?;
    let opened = home.locate()?.ask(source)?.unlock_without_renewal()?;
    if opened.bundle.did() != did {
        let (expected, found) = (did.clone(), opened.bundle.did().clone());
        return Err(
            icn_identity::rotation::RotationError::NotThisIdentity { expected, found }.into()
        );
    }
    verify_key(&opened.bundle)?;
    let chain = opened.rotation_chain()?.map(|chain| chain.to_json());
    let chain = chain.and_then(|json| String::from_utf8(json).ok());
    let audit_key = AuditKey::of(&opened.bundle);
    Ok(Open { bundle: opened.bundle, audit_key, chain })
}
