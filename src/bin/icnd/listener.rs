//! The socket: taken over from the service manager, or made, and removed at the end.

use std::fs;
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use icn_identity::config::DaemonConfig;
use icn_identity::daemon::SocketPlace;
use listenfd::ListenFd;
use rustix::fs::Mode;
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, connect, listen, socket_with,
};

use crate::door::Place;
use crate::error::{Key, StartError};

/// What an address has room for, in bytes.
const LONGEST: usize = 107;
/// As many connections wait to be accepted as the system allows (`net.core.somaxconn`).
const BACKLOG: i32 = i32::MAX;

/// A socket that is listened on.
#[derive(Debug)]
pub(crate) struct Listener {
    pub(crate) socket: UnixListener,
    /// What we made, and have to remove.
    ours: Option<Made>,
}

#[derive(Debug)]
struct Made {
    path: PathBuf,
    device: u64,
    inode: u64,
}

impl Listener {
    /// To be called while there is one thread: the mask of new files' modes is of the process.
    pub(crate) fn open(config: &DaemonConfig, place: &Place) -> Result<Self, StartError> {
        let given = ListenFd::from_env().take_unix_listener(0);
        let given = given.map_err(|source| StartError::System {
            what: "use the socket of the manager",
            source,
        })?;
        if let Some(socket) = given {
            widen(&socket)?;
            return Ok(Self { socket, ours: None });
        }
        let path = config.socket_in(&place.home);
        let key = || Key::of("socket", &place.config);
        let link = DaemonConfig::socket_in_home(&place.home);
        Self::make(&path, &link, u32::from(config.socket_mode.bits()), &key)
    }

    /// Where it is, if it has a name.
    pub(crate) fn path(&self) -> Option<PathBuf> {
        Some(self.socket.local_addr().ok()?.as_pathname()?.to_owned())
    }

    /// Looking whether somebody listens there, removing what nobody does, and making the new
    /// one are one step for all who make sockets at this path.
    fn make(
        path: &Path,
        link: &Path,
        mode: u32,
        key: &dyn Fn() -> Key,
    ) -> Result<Self, StartError> {
        if path.as_os_str().len() > LONGEST {
            return Err(StartError::LongPath { path: path.to_owned(), key: key() });
        }
        let failed = |what| {
            move |source| StartError::Socket { what, path: path.to_owned(), key: key(), source }
        };
        let _place = SocketPlace::take(path)
            .map_err(|error| StartError::Place { key: key(), source: Box::new(error) })?;
        remove_if_stale(path, link, key)?;
        // It is made with its mode: nobody connects before, and no other file gets it.
        let before = rustix::process::umask(Mode::from_raw_mode(0o777 & !mode));
        let socket = UnixListener::bind(path);
        rustix::process::umask(before);
        let socket = socket.map_err(failed("listen on"))?;
        let found = fs::symlink_metadata(path).map_err(failed("look at"))?;
        let made = Made { path: path.to_owned(), device: found.dev(), inode: found.ino() };
        let listener = Self { socket, ours: Some(made) };
        widen(&listener.socket)?;
        Ok(listener)
    }
}

/// Removed, unless another one has taken its place.
impl Drop for Listener {
    fn drop(&mut self) {
        let Some(made) = &self.ours else { return };
        let is_ours = fs::symlink_metadata(&made.path)
            .is_ok_and(|found| (found.dev(), found.ino()) == (made.device, made.inode));
        if is_ours && let Err(error) = fs::remove_file(&made.path) {
            tracing::warn!("{} was not removed: {error}", made.path.display());
        }
    }
}

fn widen(socket: &UnixListener) -> Result<(), StartError> {
    let failed = |error: Errno| StartError::System { what: "listen", source: error.into() };
    listen(socket, BACKLOG).map_err(failed)
}

/// A socket that nobody listens on any more is what a process has left that was killed; and so
/// is our own link in the home, which has led to a socket elsewhere ([`Pointer`]).
///
/// [`Pointer`]: crate::pointer::Pointer
fn remove_if_stale(path: &Path, link: &Path, key: &dyn Fn() -> Key) -> Result<(), StartError> {
    let failed =
        |what| move |source| StartError::Socket { what, path: path.to_owned(), key: key(), source };
    let found = match fs::symlink_metadata(path) {
        Ok(found) => found,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
        Err(error) => return Err(failed("look at")(error)),
    };
    let is_own_link = found.file_type().is_symlink()
        && path == link
        && found.uid() == rustix::process::geteuid().as_raw();
    let found = match is_own_link.then(|| fs::metadata(path)) {
        None => found,
        Some(Ok(target)) => target,
        Some(Err(error)) if error.kind() == io::ErrorKind::NotFound => {
            return fs::remove_file(path).map_err(failed("remove"));
        }
        Some(Err(error)) => return Err(failed("look at")(error)),
    };
    if !found.file_type().is_socket() {
        return Err(StartError::NotASocket { path: path.to_owned(), key: key() });
    }
    match is_listened_on(path) {
        Ok(false) => fs::remove_file(path).map_err(failed("remove")),
        Ok(true) => Err(StartError::SocketInUse { path: path.to_owned(), key: key() }),
        Err(error) => Err(failed("connect to")(error.into())),
    }
}

/// Never waits, also where the queue of the one who listens is full.
pub(crate) fn is_listened_on(path: &Path) -> Result<bool, Errno> {
    let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
    let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
    match connect(&socket, &SocketAddrUnix::new(path)?) {
        Ok(()) | Err(Errno::AGAIN) => Ok(true),
        Err(Errno::CONNREFUSED) => Ok(false),
        Err(error) => Err(error),
    }
}
