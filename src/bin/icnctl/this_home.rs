//! The directory that this call is about: of another one a command that is printed has to name it.

use std::path::{Path, PathBuf};
use std::sync::OnceLock;

use icn_identity::error::WaysOut;
use icn_identity::keystore::IdentityStore;
use icn_identity::migrate::{Migration, MigrationState};

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

/// What leads out of its move, as long as other commands refuse because of that.
pub(crate) fn ways_out_of_move() -> Option<WaysOut> {
    let status = Migration::status(&IdentityStore::new(HOME.get()?)).ok()??;
    (status.state != MigrationState::Switched).then(|| status.state.ways_out())
}

/// Whether a file is the configuration of the identity that it is being moved to.
pub(crate) fn is_staged_config(file: &Path) -> bool {
    HOME.get().is_some_and(|home| file == home.join("migration").join("icn.toml"))
}
