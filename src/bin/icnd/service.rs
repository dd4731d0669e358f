//! From the start to the end.

mod opened;
mod own;
mod reload;
mod signals;

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use icn_identity::Error;
use icn_identity::audit::{AuditLog, Event, RequestId};
use icn_identity::config::Config;
use icn_identity::error::in_full;
use icn_identity::home::CredentialSource;
use sd_notify::NotifyState;
use tokio::runtime::Builder;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;

use self::opened::Opened;
use self::own::{keep, read_anew, take_over};
use self::signals::{Signals, Told};
use crate::args::Args;
use crate::credential;
use crate::door::{Door, Place, open};
use crate::error::StartError;
use crate::hardening::check_files;
use crate::instance::Instance;
use crate::issued::Issued;
use crate::line::{Line, Outcome};
use crate::listener::Listener;
use crate::monitor::monitor;
use crate::peers::serve_peers;
use crate::pointer::Pointer;
use crate::server::serve;

/// How long the end waits for what is done from time to time: for a renewal of the certificate.
const LAST_USE: Duration = Duration::from_secs(10);

/// How long the end waits for the last one.
const LAST_CHECKPOINT: Duration = Duration::from_secs(10);

/// The audit log, unless another one is configured.
const AUDIT: &str = "audit.log";

pub(crate) fn run(args: &Args) -> Result<(), StartError> {
    let home = args.home().ok_or(StartError::NoHome)?;
    check_files()?;
    let config = args.config.clone().unwrap_or_else(|| home.join("icn.toml"));
    let place = Place { home, config };
    let identity = place.open()?;
    // Of whom the log is, before there is a credential.
    let did = identity.header()?.did().clone();
    let config = identity.config().clone();
    let _instance = Instance::take(&place.home, "icnd")?;
    let audit = AuditLog::open(audit_path(&config, &place.home), &did)?;
    let listener = Listener::open(&config.daemon, &place)?;
    let _pointer = listener.path().and_then(|socket| Pointer::make(&place.home, socket));
    let issued = Issued::open(&place.home)?;
    let door = Arc::new(Door::new(did, place, &config, audit, issued));
    // Made before there is a line that says that it has started: it has this one at its end.
    let stop = own_line(Event::Stop)?;
    door.audit.append(own_line(Event::Start)?.entry(Outcome::Allowed))?;
    let ended = serve_in_runtime(args, &door, listener, &config);
    let noted = door.audit.append(stop.entry(Outcome::Allowed));
    ended?;
    noted?;
    Ok(())
}

/// Nothing of it is under way when this is done, but what a device has not done.
fn serve_in_runtime(
    args: &Args,
    door: &Arc<Door>,
    listener: Listener,
    config: &Config,
) -> Result<(), StartError> {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("icnd")
        .max_blocking_threads(256 + door.at_once())
        .enable_all()
        .build()
        .map_err(|source| StartError::System { what: "start threads", source })?;
    let served = runtime.block_on(async {
        // From here on no signal ends it by itself, also while it is being opened.
        let mut signals = Signals::new()?;
        if !config.daemon.start_locked {
            let (of_task, source) = (door.clone(), credential::at_start(args));
            let opening = tokio::task::spawn_blocking(move || unlock(&of_task, source));
            tokio::select! {
                biased;
                () = signals.told_to_stop() => {
                    door.record_unfinished().await;
                    return Ok(());
                }
                opened = opening => {
                    opened.map_err(|error| has_ended("open the identity", Err(error)))??;
                }
            }
        }
        serve_until_told(door, listener, config, signals).await
    });
    // Who still waits for a device waits for nobody.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

fn audit_path(config: &Config, home: &Path) -> std::path::PathBuf {
    home.join(config.audit_path().map_or(Path::new(AUDIT), |path| path.as_path()))
}

/// Of what this process does by itself.
fn own_line(event: Event) -> Result<Line, StartError> {
    Ok(Line::own(event, RequestId::fresh().map_err(Error::from)?))
}

/// The credential is sent once; what was refused is refused for good.
fn unlock(door: &Door, source: CredentialSource<'static>) -> Result<(), StartError> {
    let line = own_line(Event::Unlock)?;
    door.audit.append(line.entry(Outcome::Allowed))?;
    let work = door.begin(line);
    match open(&door.place, &door.did, source) {
        Ok(open) => {
            door.put(open);
            door.note_pin(door.place.pin_state());
            Ok(())
        }
        Err(error) => {
            let problem = crate::problem::Problem::of_key(&error);
            // Where there can be no line, it ends as it would with it: what was sent and refused is
            // not to be sent again by the next start.
            if let Some(line) = work.ended()
                && let Err(error) = door.audit.append(line.entry(Outcome::Failed(problem.reason())))
            {
                tracing::error!("the audit log cannot be written: {}", in_full(&error));
            }
            Err(error.into())
        }
    }
}

async fn serve_until_told(
    door: &Arc<Door>,
    listener: Listener,
    config: &Config,
    signals: Signals,
) -> Result<(), StartError> {
    let served = match Opened::open(door, &listener, &config.daemon).await {
        Ok(opened) => serve_opened(door, opened, listener, config, signals).await,
        Err(error) => Err(error),
    };
    if !door.lock().await {
        tracing::warn!("a device is still at work");
        door.record_unfinished().await;
    }
    served
}

/// Until it is told to stop; an error if it has ended by itself.
async fn serve_opened(
    door: &Arc<Door>,
    opened: Opened,
    listener: Listener,
    config: &Config,
    mut signals: Signals,
) -> Result<(), StartError> {
    let (stop, stopping) = watch::channel(false);
    let stop_keeping = stopping.clone();
    let (stop_reading, stop_taking_over) = (stopping.clone(), stopping.clone());
    let Opened { accepting, connections, monitor: monitored, peers } = opened;
    let mut server = tokio::spawn(serve(accepting, connections, door.clone(), stopping));
    let verify_interval = Duration::from_secs(config.daemon.verify_interval.into());
    let lately = 2 * verify_interval + Duration::from_secs(30);
    let mut monitoring =
        monitored.map(|listener| tokio::spawn(monitor(listener, door.clone(), lately)));
    let mut peers = peers.map(|(listener, verifier)| {
        tokio::spawn(serve_peers(listener, door.clone(), verifier, lately))
    });
    let mut keeping = tokio::spawn(keep(door.clone(), config.daemon.clone(), stop_keeping));
    // Whoever reads the signals waits neither for a device nor for a file.
    let (anew, read) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let reading = read_anew(door.clone(), anew.clone(), read.clone(), stop_reading);
    let mut reading = tokio::spawn(reading);
    let mut taking_over = tokio::spawn(take_over(door.clone(), read, stop_taking_over));
    tell(&[NotifyState::Ready]);
    match door.opened() {
        Some(_) => tracing::info!("serves {}", door.did),
        None => tracing::info!(
            "serves {}, and is locked: it waits for a client with \"admin\" to unlock it (icnctl unlock)",
            door.did
        ),
    }
    // None of these ends by itself: without it the process would do less than it says.
    let mut served = loop {
        let ended = tokio::select! {
            told = signals.next() => match told {
                Told::Stop => break Ok(()),
                Told::Reload => {
                    anew.notify_one();
                    continue;
                }
            },
            ended = &mut server => ("serve clients", ended),
            ended = &mut keeping => ("look after the key", ended),
            ended = &mut reading => ("read the configuration anew", ended),
            ended = &mut taking_over => ("take over what was renewed", ended),
            ended = ends(&mut monitoring) => ("be monitored", ended),
            ended = ends(&mut peers) => ("serve peers", ended),
        };
        let (what, ended) = ended;
        break Err(has_ended(what, ended));
    };
    tell(&[NotifyState::Stopping]);
    tracing::info!("stops");
    door.stop();
    // Nobody connects any more; those who are served are served to the end.
    drop(listener);
    let _ = stop.send(true);
    let serving = async {
        if !server.is_finished()
            && let Err(error) = server.await
            && served.is_ok()
        {
            served = Err(has_ended("serve clients", Err(error)));
        }
    };
    // What it does by itself is finished, too.
    let own = async {
        for own in [&mut keeping, &mut reading, &mut taking_over] {
            if !own.is_finished() {
                let _ = own.await;
            }
        }
    };
    if let ((), Err(_)) = tokio::join!(serving, timeout(LAST_USE, own)) {
        tracing::warn!("what icnd does by itself has not ended");
        for own in [keeping, reading, taking_over] {
            own.abort();
        }
    }
    for other in [monitoring, peers].into_iter().flatten() {
        other.abort();
    }
    if timeout(LAST_CHECKPOINT, door.checkpoint()).await.is_err() {
        tracing::warn!("the device has signed no last checkpoint");
    }
    served
}

fn has_ended(what: &'static str, ended: Result<(), JoinError>) -> StartError {
    let source = ended.map_or_else(io::Error::from, |()| io::Error::other("it has ended"));
    StartError::Part { what, source }
}

/// Of a task that there may be: when it ends.
async fn ends(task: &mut Option<JoinHandle<()>>) -> Result<(), JoinError> {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

/// To the service manager, if there is one.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!("the service manager was not told: {error}");
    }
}
