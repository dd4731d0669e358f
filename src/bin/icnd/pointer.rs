//! In the home, a link to the socket where that is elsewhere: so the daemon that runs is found,
//! whatever the configuration or the environment says by now.

use std::os::unix::fs::{FileTypeExt as _, symlink};
use std::path::{Path, PathBuf};
use std::{fs, io};

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

/// To what is no socket, or to one that is alive, as far as can be told: nobody is there only
/// where nothing is, or where a connection is refused.
fn leads_to_somebody(link: &Path) -> bool {
    match fs::metadata(link) {
        Ok(found) if found.file_type().is_socket() => {
            !matches!(is_listened_on(link), Ok(false) | Err(Errno::NOENT))
        }
        Ok(_) => true,
        // Where it cannot be looked, there may be one.
        Err(error) => error.kind() != io::ErrorKind::NotFound,
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_link_to_where_it_cannot_be_looked_is_left_alone_and_one_to_nobody_is_replaced() {
        let directory = tempfile::tempdir().unwrap();
        let home = directory.path();
        let (link, own) = (DaemonConfig::socket_in_home(home), home.join("own.sock"));
        let (alive, dead) = (home.join("alive.sock"), home.join("dead.sock"));
        let _listening = UnixListener::bind(&alive).unwrap();
        drop(UnixListener::bind(&dead).unwrap());
        // Links in a circle are an error that is not "there is none", also for root.
        symlink(home.join("circle"), home.join("circle")).unwrap();
        for (target, is_replaced) in [
            (alive, false),
            (home.join("circle"), false),
            (home.join("circle/icnd.sock"), false),
            (dead, true),
            (home.join("none"), true),
        ] {
            symlink(&target, &link).unwrap();
            let pointer = Pointer::make(home, own.clone());
            assert_eq!(pointer.is_some(), is_replaced, "{}", target.display());
            let leads = fs::read_link(&link).unwrap();
            assert_eq!(leads, if is_replaced { own.clone() } else { target });
            drop(pointer);
            assert_eq!(fs::symlink_metadata(&link).is_err(), is_replaced);
            let _ = fs::remove_file(&link);
        }
    }
}
