//! From the start to the end.

mod reload;
mod signals;

use std::io;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use icn_identity::Error;
use icn_identity::audit::{AuditLog, Event, RequestId};
use icn_identity::config::{Config, DaemonConfig};
use icn_identity::home::CredentialSource;
use icn_identity::tls::DidVerifier;
use sd_notify::NotifyState;
use tokio::net::TcpListener;
use tokio::runtime::Builder;
use tokio::sync::{Notify, watch};
use tokio::task::{JoinError, JoinHandle};
use tokio::time::{
    Instant, MissedTickBehavior, interval, interval_at, sleep, sleep_until, timeout,
};

use self::reload::reload;
use self::signals::{Signals, Told};
use crate::accept::Accepting;
use crate::args::Args;
use crate::connection::Connections;
use crate::credential;
use crate::door::{Door, Place, open};
use crate::error::{Key, StartError};
use crate::hardening::{check_files, most_connections};
use crate::instance::Instance;
use crate::issued::Issued;
use crate::line::{Line, Outcome};
use crate::listener::Listener;
use crate::monitor::monitor;
use crate::peers::{serve_peers, verifier};
use crate::pointer::Pointer;
use crate::server::serve;

/// At least so often it is looked whether the certificate has to be renewed, or was.
const MINUTE: Duration = Duration::from_secs(60);

/// How long after the start the first checkpoint is signed, so that a start need not wait for it.
const FIRST_CHECKPOINT: Duration = Duration::from_secs(60);

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
    let door = Door::new(did, place, &config, audit, issued);
    note(&door, Event::Start, Outcome::Allowed)?;
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .thread_name("icnd")
        .max_blocking_threads(256 + door.at_once())
        .enable_all()
        .build()
        .map_err(|source| StartError::System { what: "start threads", source })?;
    let door = Arc::new(door);
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
                    return note(&door, Event::Stop, Outcome::Allowed);
                }
                opened = opening => opened.map_err(|error| StartError::System {
                    what: "open the identity",
                    source: error.into(),
                })??,
            }
        }
        serve_until_told(door, listener, &config, signals).await
    });
    // Who still waits for a device waits for nobody.
    runtime.shutdown_timeout(Duration::from_secs(1));
    served
}

fn audit_path(config: &Config, home: &Path) -> std::path::PathBuf {
    home.join(config.audit_path().map_or(Path::new(AUDIT), |path| path.as_path()))
}

/// A line of what this process does by itself.
fn note(door: &Door, event: Event, outcome: Outcome) -> Result<(), StartError> {
    door.audit.append(own_line(event)?.entry(outcome))?;
    Ok(())
}

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
            if let Some(line) = work.ended() {
                door.audit.append(line.entry(Outcome::Failed(problem.reason())))?;
            }
            Err(error.into())
        }
    }
}

/// What it needs from the system, all of which is there before the first connection is accepted.
struct Opened {
    accepting: Accepting,
    connections: Arc<Connections>,
    monitor: Option<TcpListener>,
    peers: Option<(TcpListener, Arc<DidVerifier>)>,
}

impl Opened {
    async fn open(
        door: &Arc<Door>,
        listener: &Listener,
        config: &DaemonConfig,
    ) -> Result<Self, StartError> {
        let monitor = match config.monitor {
            Some(address) => {
                let listener = bound("monitor", address, door).await?;
                tracing::info!("is monitored on {}", local("monitor", &listener)?);
                Some(listener)
            }
            None => None,
        };
        let peers = match config.tls {
            Some(address) => {
                let verifier = verifier(config.tls_peers, door)?;
                let listener = bound("tls", address, door).await?;
                tracing::info!("serves peers on {}", local("tls", &listener)?);
                Some((listener, verifier))
            }
            None => None,
        };
        let system = |what| move |source| StartError::System { what, source };
        let socket = listener.socket.try_clone().map_err(system("use the socket"))?;
        let connections = Connections::new(most_connections(config.max_connections));
        // Whoever was accepted is served to the end: nothing may fail from here on.
        let accepting = Accepting::start(socket, door.clone(), connections.clone())
            .map_err(system("accept connections"))?;
        Ok(Self { accepting, connections, monitor, peers })
    }
}

fn local(key: &'static str, listener: &TcpListener) -> Result<SocketAddr, StartError> {
    let what =
        if key == "tls" { "use the address of `tls`" } else { "use the address of `monitor`" };
    listener.local_addr().map_err(|source| StartError::System { what, source })
}

async fn serve_until_told(
    door: Arc<Door>,
    listener: Listener,
    config: &Config,
    signals: Signals,
) -> Result<(), StartError> {
    let failed = match Opened::open(&door, &listener, &config.daemon).await {
        Ok(opened) => serve_opened(&door, opened, listener, config, signals).await,
        Err(error) => Some(error),
    };
    if !door.lock().await {
        tracing::warn!("a device is still at work");
        door.record_unfinished().await;
    }
    let last = door.clone();
    let noted = tokio::task::spawn_blocking(move || note(&last, Event::Stop, Outcome::Allowed));
    let noted = noted.await.unwrap_or(Ok(()));
    failed.map_or(noted, Err)
}

/// Why it has ended by itself, if it has.
async fn serve_opened(
    door: &Arc<Door>,
    opened: Opened,
    listener: Listener,
    config: &Config,
    mut signals: Signals,
) -> Option<StartError> {
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
    let failed = loop {
        let ended = tokio::select! {
            told = signals.next() => match told {
                Told::Stop => break None,
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
        let why = ended.map_or_else(io::Error::from, |()| io::Error::other("it has ended"));
        break Some(StartError::System { what, source: why });
    };
    tell(&[NotifyState::Stopping]);
    tracing::info!("stops");
    door.stop();
    // Nobody connects any more; those who are served are served to the end.
    drop(listener);
    let _ = stop.send(true);
    let served = async {
        if !server.is_finished() {
            let _ = server.await;
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
    if let ((), Err(_)) = tokio::join!(served, timeout(LAST_USE, own)) {
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
    failed
}

/// Of a task that there may be: when it ends.
async fn ends(task: &mut Option<JoinHandle<()>>) -> Result<(), JoinError> {
    match task {
        Some(task) => task.await,
        None => std::future::pending().await,
    }
}

/// Listens on the address that a key of `[daemon]` names.
async fn bound(
    key: &'static str,
    address: SocketAddr,
    door: &Door,
) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| {
        let key = Key::of(key, &door.place.config);
        StartError::Address { key, address, source }
    })
}

/// What is done from time to time, until it stops: what is begun is done to its end.
async fn keep(door: Arc<Door>, config: DaemonConfig, mut stop: watch::Receiver<bool>) {
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
async fn read_anew(
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
async fn take_over(door: Arc<Door>, read: Arc<Notify>, mut stop: watch::Receiver<bool>) {
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

/// To the service manager, if there is one.
fn tell(state: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(state) {
        tracing::warn!("the service manager was not told: {error}");
    }
}
