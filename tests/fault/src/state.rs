//! What the module remembers: the script, its sessions, its log.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, OnceLock, PoisonError, RwLock};

use cryptoki_sys::*;

use crate::real::give_up;
use crate::script::Script;

/// Held for reading by every real call, for writing by what ends sessions: the
/// real module need not survive the end of a session that is at work.
pub(crate) static AT_WORK: RwLock<()> = RwLock::new(());

#[derive(Default)]
pub(crate) struct State {
    pub(crate) script: Script,
    stamp: Option<(u64, i64, i64, u64)>,
    /// Calls of any function.
    pub(crate) now: u64,
    /// At which of them a random rule held last.
    pub(crate) last_random: u64,
    pub(crate) sessions: BTreeMap<CK_SESSION_HANDLE, Session>,
    newest: CK_SESSION_HANDLE,
    /// Removed by an effect, until the script changes.
    pub(crate) removed: bool,
    pub(crate) finalized: bool,
    /// The PIN that was right, to compare later ones with.
    pub(crate) accepted: Option<Vec<u8>>,
}

#[derive(Default)]
pub(crate) struct Session {
    pub(crate) real: CK_SESSION_HANDLE,
    /// Whether it was opened for writing.
    pub(crate) writing: bool,
    /// Objects that were found and not yet delivered.
    pub(crate) pending: Vec<CK_OBJECT_HANDLE>,
    /// Whether the user was logged in by it, or logged out.
    pub(crate) login: Option<bool>,
}

pub(crate) fn directory() -> &'static PathBuf {
    static DIRECTORY: OnceLock<PathBuf> = OnceLock::new();
    DIRECTORY.get_or_init(|| match std::env::var_os("PKCS11_FAULT_DIR") {
        Some(directory) => directory.into(),
        None => give_up("PKCS11_FAULT_DIR is not set"),
    })
}

/// The state, with the script as it is on disk now.
pub(crate) fn state() -> MutexGuard<'static, State> {
    static STATE: OnceLock<Mutex<State>> = OnceLock::new();
    let state = STATE.get_or_init(Mutex::default);
    let mut state = state.lock().unwrap_or_else(PoisonError::into_inner);
    state.load();
    state
}

impl State {
    fn load(&mut self) {
        let path = directory().join("script");
        let stamp = fs::metadata(&path)
            .ok()
            .map(|meta| (meta.ino(), meta.mtime(), meta.mtime_nsec(), meta.len()));
        if stamp == self.stamp {
            return;
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        self.script = Script::parse(&text).unwrap_or_else(|error| give_up(&error));
        self.stamp = stamp;
        self.removed = false;
    }

    pub(crate) fn token_is_away(&self) -> bool {
        self.removed || self.script.token_removed
    }

    /// A number for a new session.
    pub(crate) fn add(&mut self, session: Session) -> CK_SESSION_HANDLE {
        let handle = if self.script.reuse_handles {
            (1..).find(|handle| !self.sessions.contains_key(handle)).unwrap_or(1)
        } else {
            self.newest.max(self.sessions.keys().last().copied().unwrap_or(0)) + 1
        };
        self.newest = self.newest.max(handle);
        self.sessions.insert(handle, session);
        handle
    }
}

/// Writes a call down.
pub(crate) fn log(function: &str, rv: CK_RV, detail: &str) {
    static LOG: OnceLock<Mutex<File>> = OnceLock::new();
    let log = LOG.get_or_init(|| {
        let path = directory().join("calls");
        let file = OpenOptions::new().create(true).append(true).open(path);
        Mutex::new(file.unwrap_or_else(|error| give_up(&error.to_string())))
    });
    let line = format!("{function} {rv:#x}{detail}\n");
    let written = log.lock().unwrap_or_else(PoisonError::into_inner).write_all(line.as_bytes());
    if let Err(error) = written {
        give_up(&error.to_string());
    }
}
