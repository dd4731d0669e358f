//! `[daemon]`: where `icnd` listens, and who may have what done.

mod client;
mod context;
mod owner;
mod rate;

use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

pub use self::client::{ClientRule, MOST_INSTANCES, Permission};
pub use self::context::ContextPattern;
pub use self::owner::Owner;
pub use self::rate::{Rate, RatePeriod};
use super::ClientProblem;
use super::pkcs11::is_false;
use crate::encoding::named;
use crate::encoding::objects::object_only;

/// `[daemon]`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub struct DaemonConfig {
    /// Absolute path of the Unix socket (default: `icnd.sock` in `$RUNTIME_DIRECTORY`,
    /// else in the home).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub socket: Option<PathBuf>,
    /// The mode of the socket: who can connect at all (default 0666). Who may have
    /// anything done is decided by [`Self::client`].
    #[serde(skip_serializing_if = "SocketMode::is_default")]
    pub socket_mode: SocketMode,
    /// For clients: whose the socket and the daemon are, where they are neither the
    /// client's own user's nor root's. The daemon itself does not look at it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub owner: Option<Owner>,
    /// Whether it starts without a credential, and waits for one by `unlock` (default
    /// false).
    #[serde(skip_serializing_if = "is_false")]
    pub start_locked: bool,
    /// How often it proves to itself that the key is there, in seconds (default 300).
    #[serde(skip_serializing_if = "is_verify_interval")]
    pub verify_interval: u32,
    /// How often it signs a checkpoint of the audit log, in seconds (default 3600).
    #[serde(skip_serializing_if = "is_checkpoint_interval")]
    pub checkpoint_interval: u32,
    /// Most connections at a time (default 1024). At that many, the one that is idle for
    /// longest makes room; where all are at work, a client that has none gets one beyond them.
    #[serde(skip_serializing_if = "is_max_connections")]
    pub max_connections: u32,
    /// Most requests that wait for the key, beside those that it is at work for (default 256).
    #[serde(skip_serializing_if = "is_max_queued")]
    pub max_queued: u32,
    /// An address of this machine alone where its health and its metrics are read, by HTTP:
    /// `127.0.0.1:9464` (default: none).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitor: Option<SocketAddr>,
    /// An address where peers read, by mutual TLS bound to DIDs, what is public: `/health`,
    /// `/.well-known/did.json` and `/rotation-chain` (default: none).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls: Option<SocketAddr>,
    /// Which peers may read there (default: whoever shows a DID).
    #[serde(skip_serializing_if = "TlsPeers::is_default")]
    pub tls_peers: TlsPeers,
    /// `[[daemon.client]]`: who may have what done. Whoever is not here is refused, root
    /// too.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub client: Vec<ClientRule>,
}

/// As it is read.
#[derive(Deserialize)]
#[serde(remote = "DaemonConfig", deny_unknown_fields, default = "DaemonConfig::default")]
struct Fields {
    socket: Option<PathBuf>,
    socket_mode: SocketMode,
    owner: Option<Owner>,
    start_locked: bool,
    verify_interval: u32,
    checkpoint_interval: u32,
    max_connections: u32,
    max_queued: u32,
    monitor: Option<SocketAddr>,
    tls: Option<SocketAddr>,
    tls_peers: TlsPeers,
    client: Vec<ClientRule>,
}

object_only!(DaemonConfig as Fields);

/// The socket's name, where no other is configured.
const SOCKET: &str = "icnd.sock";
const VERIFY_INTERVAL: u32 = 300;
const CHECKPOINT_INTERVAL: u32 = 3600;
const MAX_CONNECTIONS: u32 = 1024;
const MAX_QUEUED: u32 = 256;

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_verify_interval(value: &u32) -> bool {
    *value == VERIFY_INTERVAL
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_checkpoint_interval(value: &u32) -> bool {
    *value == CHECKPOINT_INTERVAL
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_max_connections(value: &u32) -> bool {
    *value == MAX_CONNECTIONS
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde passes references")]
const fn is_max_queued(value: &u32) -> bool {
    *value == MAX_QUEUED
}

impl Default for DaemonConfig {
    fn default() -> Self {
        Self {
            socket: None,
            socket_mode: SocketMode::default(),
            owner: None,
            start_locked: false,
            verify_interval: VERIFY_INTERVAL,
            checkpoint_interval: CHECKPOINT_INTERVAL,
            max_connections: MAX_CONNECTIONS,
            max_queued: MAX_QUEUED,
            monitor: None,
            tls: None,
            tls_peers: TlsPeers::default(),
            client: Vec::new(),
        }
    }
}

impl DaemonConfig {
    pub(super) fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// What cannot work, apart from the clients; it begins with the field.
    pub(super) fn check(&self) -> Result<(), &'static str> {
        let wrong = Err;
        if self.socket.as_ref().is_some_and(|path| !path.is_absolute()) {
            return wrong("`socket` is not an absolute path");
        }
        if !(1..=86_400).contains(&self.verify_interval) {
            return wrong("`verify_interval` is not from 1 to 86400 seconds");
        }
        if !(1..=604_800).contains(&self.checkpoint_interval) {
            return wrong("`checkpoint_interval` is not from 1 to 604800 seconds");
        }
        if !(1..=65_536).contains(&self.max_connections) {
            return wrong("`max_connections` is not from 1 to 65536");
        }
        if !(1..=65_536).contains(&self.max_queued) {
            return wrong("`max_queued` is not from 1 to 65536");
        }
        if self.monitor.is_some_and(|address| !address.ip().is_loopback()) {
            return wrong("`monitor` is not an address of this machine alone");
        }
        Ok(())
    }

    /// Where the socket is: where [`Self::socket`] says, else `icnd.sock` in the first
    /// directory of `$RUNTIME_DIRECTORY`, else in the home.
    #[must_use]
    pub fn socket_in(&self, home: &Path) -> PathBuf {
        if let Some(path) = &self.socket {
            return path.clone();
        }
        // The first one of several, as systemd gives them.
        let runtime = std::env::var_os("RUNTIME_DIRECTORY")
            .and_then(|all| std::env::split_paths(&all).next())
            .filter(|directory| directory.is_absolute());
        match runtime {
            Some(directory) => directory.join(SOCKET),
            None => Self::socket_in_home(home),
        }
    }

    /// Where it is without a runtime directory, and where nothing is configured.
    #[must_use]
    pub fn socket_in_home(home: &Path) -> PathBuf {
        std::path::absolute(home).unwrap_or_else(|_| home.to_owned()).join(SOCKET)
    }

    /// The first client that cannot be meant so, by its number from 1.
    pub(super) fn check_clients(&self) -> Result<(), (usize, ClientProblem)> {
        client::check_all(&self.client)
    }
}

/// Which peers may read what is public, by mutual TLS.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum TlsPeers {
    /// Each that has a binding of some DID.
    #[default]
    Any,
    /// Those in the book of peers of the home.
    Book,
}

named! {
    /// The name used in `icn.toml`: `any`, `book`.
    TlsPeers, "a choice of peers": Any => "any", Book => "book"
}

impl TlsPeers {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// Who can connect to a socket: the mode of its file, `"0660"` for its owner and group.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SocketMode(u16);

impl SocketMode {
    /// The permission bits, in octal without what is no permission to read or write; else
    /// `None`. The owner can always connect.
    #[must_use]
    pub const fn new(mode: u16) -> Option<Self> {
        if mode & !0o666 == 0 && mode & 0o600 == 0o600 { Some(Self(mode)) } else { None }
    }

    /// The permission bits.
    #[must_use]
    pub const fn bits(self) -> u16 {
        self.0
    }

    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for SocketMode {
    fn default() -> Self {
        Self(0o666)
    }
}

impl Serialize for SocketMode {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(&format_args!("{:04o}", self.0))
    }
}

impl<'de> Deserialize<'de> for SocketMode {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        // A sign would be taken as well.
        let is_mode = text.len() <= 4 && text.bytes().all(|digit| (b'0'..=b'7').contains(&digit));
        let mode = is_mode.then(|| u16::from_str_radix(&text, 8).ok());
        mode.flatten()
            .and_then(Self::new)
            .ok_or_else(|| serde::de::Error::custom("not the mode of a socket"))
    }
}

#[cfg(test)]
mod tests;
