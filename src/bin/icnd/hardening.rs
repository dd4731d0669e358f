//! What the process gives up before it has any secret.

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};

use crate::error::StartError;

/// Of the process itself, its log, its threads and who is no client; with 64 connections of
/// clients, and as many that wait.
const FEWEST_FILES: usize = 256;

/// No core dumps; no other process of the same user reads this one's memory or is attached to
/// it as a debugger. As many open files as the system allows.
pub(crate) fn harden() {
    let none = Rlimit { current: Some(0), maximum: Some(0) };
    if let Err(error) = setrlimit(Resource::Core, none) {
        tracing::warn!("core dumps could not be turned off: {error}");
    }
    if let Err(error) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!("debuggers could not be kept out: {error}");
    }
    let files = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: files.maximum, ..files }) {
        tracing::warn!("the number of open files stays at {:?}: {error}", files.current);
    }
}

/// Whether enough files can be open to start: with fewer, what waits for signals panics.
pub(crate) fn check_files() -> Result<(), StartError> {
    let most = most_files();
    if most < FEWEST_FILES {
        let why = format!(
            "at most {most} files may be open, and it needs {FEWEST_FILES}: raise that limit \
             (LimitNOFILE= in the unit, or ulimit -n)"
        );
        return Err(StartError::System { what: "start", source: std::io::Error::other(why) });
    }
    Ok(())
}

fn most_files() -> usize {
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    usize::try_from(most).unwrap_or(usize::MAX)
}

/// How many may wait to be served, which have their files as well.
pub(crate) fn most_waiting() -> usize {
    (most_files() / 4).clamp(1, 2048)
}

/// How many connections there may be, so that files can still be opened.
pub(crate) fn most_connections(wanted: u32) -> usize {
    // And for who is no client.
    const FOR_FILES: usize = 128;
    let most = most_files().saturating_sub(FOR_FILES).saturating_sub(most_waiting());
    usize::try_from(wanted).unwrap_or(usize::MAX).min(most).max(1)
}
