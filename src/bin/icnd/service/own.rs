//! What icnd does by itself.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use icn_identity::config::DaemonConfig;
use sd_notify::NotifyState;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, interval_at, sleep, sleep_until};

use super::reload::reload;
use super::tell;
use crate::door::Door;

/// At least so often it is looked whether the certificate has to be renewed, or was.
const MINUTE: Duration = Duration::from_secs(60);

/// How long after the start the first checkpoint is signed, so that a start need not wait for it.
const FIRST_CHECKPOINT: Duration = Duration::from_secs(60);

/// What is done from time to time, until it stops: what is begun is done to its end.
pub(super) async fn keep(door: Arc<Door>, config: DaemonConfig, mut stop: watch::Receiver<bool>) {
    let mut verify = interval(Duration::from_secs(config.verify_interval.into()));
    let between = Duration::from_secs(config.checkpoint_interval.into());
    let mut checkpoint = interval_at(Instant::now() + between.min(FIRST_CHECKPOINT), between);
    checkpoint.set_missed_tick_behavior(MissedTickBehavior::Delay);
    verify.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut renewal = Instant::now();
    // Just done.
    verify.tick().await;
    let watchdog = sd_notify::watchdog_enabled().map(|time| time / 2);
    let watched = async {
        match watchdog {
            Some(time) => loop {
                tell(&[NotifyState::Watchdog]);
                sleep(time).await;
            },
            None => std::future::pending().await,
        }
    };
    let kept = async {
        loop {
            tokio::select! {
                biased;
                _ = stop.changed() => return,
                _ = verify.tick() => {
                    if let Err(problem) = door.verify().await {
                        tracing::warn!("the key was not verified: {problem:?}");
                    }
                    door.look_at_pin().await;
                },
                _ = checkpoint.tick() => door.checkpoint().await,
                () = sleep_until(renewal) => {
                    if let Err(problem) = door.renew().await {
                        tracing::warn!("the certificate was not renewed: {problem:?}");
                    }
                    renewal = Instant::now() + until_renewal(&door);
                }
            }
        }
    };
    tokio::select! {
        () = watched => {}
        () = kept => {}
    }
}

/// Until it is looked again whether the certificate is due, or was renewed by another process.
/// What was due and was not renewed is tried again as often, and not at once.
fn until_renewal(door: &Door) -> Duration {
    let due = door.renewal_due_at();
    let wait = due.and_then(|due| due.duration_since(SystemTime::now()).ok());
    wait.map_or(MINUTE, |wait| wait.clamp(Duration::from_secs(1), MINUTE))
}

/// The configuration, each time that it is to be read; however often that is wanted meanwhile,
/// it is read once more.
pub(super) async fn read_anew(
    door: Arc<Door>,
    anew: Arc<Notify>,
    read: Arc<Notify>,
    mut stop: watch::Receiver<bool>,
) {
    loop {
        tokio::select! {
            biased;
            _ = stop.changed() => return,
            () = anew.notified() => {}
        }
        if reload(&door).await {
            door.will_take_over(true);
            read.notify_one();
        }
    }
}

/// The certificate, and a checkpoint, after the configuration was read: who is no client any
/// more need not wait for that to be so, nor who reads it once more.
pub(super) async fn take_over(door: Arc<Door>, read: Arc<Notify>, mut stop: watch::Receiver<bool>) {
    loop {
        tokio::select! {
            biased;
            _ = stop.changed() => return,
            () = read.notified() => {}
        }
        door.take_over().await;
        if !door.is_stopping() {
            door.checkpoint().await;
        }
    }
}
