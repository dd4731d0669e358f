//! What the process gives up before it has any secret.

use rustix::process::{
    DumpableBehavior, Resource, Rlimit, getrlimit, set_dumpable_behavior, setrlimit,
};

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

/// How many connections there may be, so that files can still be opened.
pub(crate) fn most_connections(wanted: u32) -> usize {
    // And for who is no client.
    const FOR_FILES: u64 = 128;
    let most = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    let most = usize::try_from(most.saturating_sub(FOR_FILES)).unwrap_or(usize::MAX);
    usize::try_from(wanted).unwrap_or(usize::MAX).min(most).max(1)
}
