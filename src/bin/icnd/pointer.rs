//! In the home, a link to the socket where that is elsewhere: so the daemon that runs is found,
//! whatever the configuration or the environment says by now.

use std::fs;
use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::{Path, PathBuf};

use icn_identity::config::DaemonConfig;
use rustix::io::Errno;

use crate::listener::is_listened_on;

/// Removed when it is dropped, unless another one has taken its place.
#[derive(Debug)]
pub(crate) struct Pointer {
    link: PathBuf,
    socket: PathBuf,
}

impl Pointer {
    /// None where the socket is in the home itself, or something else is in the place of the
    /// link: also one that somebody has made by hand, and that leads to somebody. Called by the
    /// one daemon of the home.
    pub(crate) fn make(home: &Path, socket: PathBuf) -> Option<Self> {
        let link = DaemonConfig::socket_in_home(home);
        if link == socket {
            return None;
        }
        if let Ok(found) = fs::symlink_metadata(&link) {
            let kind = found.file_type();
            // What one has left that was killed.
            let is_left = match kind.is_symlink() {
                true => leads_to(&link, &socket) || !leads_to_somebody(&link),
                false => kind.is_socket() && is_listened_on(&link).is_ok_and(|listens| !listens),
            };
            if !is_left || fs::remove_file(&link).is_err() {
                tracing::warn!(
                    "{} is left as it is, and does not lead to the socket of this icnd, {}",
                    link.display(),
                    socket.display()
                );
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
        if leads_to(&self.link, &self.socket) {
            let _ = fs::remove_file(&self.link);
        }
    }
}

fn leads_to(link: &Path, socket: &Path) -> bool {
    fs::read_link(link).is_ok_and(|target| target == socket)
}

/// To what is no socket, or to one that is alive.
fn leads_to_somebody(link: &Path) -> bool {
    let Ok(found) = fs::metadata(link) else { return false };
    let is_alive = || matches!(is_listened_on(link), Ok(true) | Err(Errno::ACCESS));
    !found.file_type().is_socket() || is_alive()
}
