//! The directory that this call is about: of another one a command that is printed has to name it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

static HOME: OnceLock<PathBuf> = OnceLock::new();

/// Once it is known.
pub(crate) fn remember(home: &Path) {
    let _ = HOME.set(home.to_owned());
}

/// Whether a directory is that one.
pub(crate) fn is(directory: &Path) -> bool {
    let real = |path: &Path| path.canonicalize().unwrap_or_else(|_| path.to_owned());
    HOME.get().is_none_or(|home| real(home) == real(directory))
}
