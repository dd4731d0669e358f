//! In the home, a link to the socket where that is elsewhere: so the daemon that runs is found,
//! whatever the configuration or the environment says by now.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::{Path, PathBuf};

use icn_identity::config::DaemonConfig;

use crate::listener::is_listened_on;

/// Removed when it is dropped, unless another one has taken its place.
#[derive(Debug)]
pub(crate) struct Pointer {
    link: PathBuf,
    socket: PathBuf,
}

impl Pointer {
    /// None where the socket is in the home itself, or something else is in the place of the
    /// link. Called by the one daemon of the home.
    pub(crate) fn make(home: &Path, socket: PathBuf) -> Option<Self> {
        let link = DaemonConfig::socket_in_home(home);
        if link == socket {
            return None;
        }
        if let Ok(found) = fs::symlink_metadata(&link) {
            let kind = found.file_type();
            // What one has left that was killed.
            let is_left = kind.is_symlink()
                || (kind.is_socket() && is_listened_on(&link).is_ok_and(|listens| !listens));
            if !is_left || fs::remove_file(&link).is_err() {
                tracing::debug!("{} is there, and does not lead to the socket", link.display());
                return None;
            }
        }
        match symlink(&socket, &link) {
            Ok(()) => Some(Self { link, socket }),
            Err(error) => {
                tracing::debug!("{} was not made: {error}", link.display());
                None
            }
        }
    }
}

impl Drop for Pointer {
    fn drop(&mut self) {
        if fs::read_link(&self.link).is_ok_and(|target| target == self.socket) {
            let _ = fs::remove_file(&self.link);
        }
    }
}
