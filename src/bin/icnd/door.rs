//! The key and what stands before it: policy, audit log, queue.

mod at_work;
mod identity;
mod keys;
mod policy;
#[cfg(test)]
pub(crate) mod tests;
mod uses;

use std::collections::BTreeSet;
use std::num::NonZeroUsize;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use icn_identity::Did;
use icn_identity::audit::{AuditLog, Event};
use icn_identity::backend::{BackendKind, PinState};
use icn_identity::bundle::Renewal;
use icn_identity::config::{Config, DaemonConfig};
use icn_identity::daemon::{ProblemCode, verify_key};
use icn_identity::error::in_full;
use serde_json::{Map, Value};
use tokio::sync::watch;

use self::at_work::AtWork;
pub(crate) use self::identity::{Open, Place, open};
use self::keys::Keys;
use self::policy::Policies;
pub(crate) use self::uses::fresh;
use crate::audit::Audit;
use crate::in_force::InForce;
use crate::issued::Issued;
use crate::line::Line;
use crate::lines::Bound;
use crate::metrics::Metrics;
use crate::problem::Problem;
use crate::refusals::Refusals;
use crate::ties::Ties;
use crate::turns::Turns;

pub(crate) struct Door {
    pub(crate) backend: BackendKind,
    pub(crate) did: Did,
    pub(crate) place: Place,
    pub(crate) audit: Audit,
    keys: RwLock<Keys>,
    policies: Policies,
    verified_at: RwLock<Option<(SystemTime, Instant)>>,
    /// As the device has said it last.
    pin: RwLock<Option<PinState>>,
    pub(crate) refusals: Arc<Refusals>,
    pub(crate) metrics: Metrics,
    stopping: Arc<AtomicBool>,
    /// Who waits for the key, and who has it: so many at once.
    turns: Arc<Turns>,
    at_once: usize,
    at_work: AtWork,
    /// One who unlocks, or waits to.
    unlocking: tokio::sync::Mutex<()>,
    /// One lock or unlock at a time.
    turning: tokio::sync::Mutex<()>,
    /// One renewal at a time.
    renewing: tokio::sync::Mutex<()>,
    /// One checkpoint at a time.
    pub(crate) checkpoints: tokio::sync::Mutex<()>,
    pub(crate) ties: Ties,
    /// Its files are read anew, or will be at once.
    taking_over: AtomicBool,
    will_take_over: AtomicBool,
    /// Told at each lock.
    locking: watch::Sender<()>,
    pub(crate) issued: Arc<Issued>,
    /// What holds from the start to the end, as it was configured then.
    started: DaemonConfig,
    /// Lines that clients leave, of each so many at a time.
    pub(crate) lines: Bound,
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
            policies: Policies::new(InForce::new(config)),
            verified_at: RwLock::new(None),
            pin: RwLock::new(None),
            refusals: Arc::default(),
            metrics: Metrics::new(),
            stopping: Arc::default(),
            turns: Turns::new(at_once, queued),
            at_once,
            at_work: AtWork::default(),
            unlocking: tokio::sync::Mutex::new(()),
            turning: tokio::sync::Mutex::new(()),
            renewing: tokio::sync::Mutex::new(()),
            checkpoints: tokio::sync::Mutex::new(()),
            ties: Ties::default(),
            taking_over: AtomicBool::new(false),
            will_take_over: AtomicBool::new(false),
            locking: watch::Sender::new(()),
            issued,
            started: config.daemon.clone(),
            lines: Bound::default(),
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

    pub(crate) fn stop(&self) {
        self.stopping.store(true, Ordering::SeqCst);
    }

    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.load(Ordering::SeqCst)
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
        let _one = self.renewing.lock().await;
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
        // What is not begun by then is begun by the next one who opens it.
        if self.is_stopping() || !open.bundle.wants_renewal(SystemTime::now()) {
            return Ok(());
        }
        let line = Line::own(Event::Renew, fresh()?);
        let renew = |open: &Open| Ok(open.bundle.renew_if_due(SystemTime::now())?);
        self.use_key(open, &line, renew).await?;
        tracing::info!("has renewed the certificate");
        Ok(())
    }

    /// After a reload: as [`Self::renew`]. One at a time.
    pub(crate) async fn take_over(&self) {
        self.taking_over.store(true, Ordering::SeqCst);
        self.will_take_over(false);
        if let Err(problem) = self.renew().await {
            tracing::warn!("the certificate was not renewed: {problem:?}");
        }
        self.taking_over.store(false, Ordering::SeqCst);
    }

    pub(crate) fn will_take_over(&self, will: bool) {
        self.will_take_over.store(will, Ordering::SeqCst);
    }

    /// Whether the files of the identity are still being read anew, after a reload.
    pub(crate) fn is_taking_over(&self) -> bool {
        self.will_take_over.load(Ordering::SeqCst) || self.taking_over.load(Ordering::SeqCst)
    }

    /// When the certificate is due, while the key is open.
    pub(crate) fn renewal_due_at(&self) -> Option<SystemTime> {
        Some(self.opened()?.bundle.renewal_due_at())
    }
}
