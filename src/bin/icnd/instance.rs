//! One `icnd` for each identity; and while there is one, no command changes the identity.

// `icnctl` has this file, too.
use std::fs::{File, OpenOptions, TryLockError};
use std::io::{self, Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::OFlags;

const NAME: &str = "icnd.lock";
/// How often, and after how long, it is tried again.
const LOOKS: u32 = 5;
const LOOK: Duration = Duration::from_millis(10);

/// Held while this process serves the identity, or changes it; freed by the system when it
/// ends.
#[derive(Debug)]
pub(crate) struct Instance {
    file: File,
}

/// Its number is nobody's then: whoever reads it ends no stranger.
impl Drop for Instance {
    fn drop(&mut self) {
        let _ = self.file.set_len(0);
    }
}

#[derive(Debug)]
#[allow(dead_code, reason = "each program says of it what its users need")]
pub(crate) enum NotTaken {
    /// By a process that has told its number, as a rule.
    Held {
        holder: String,
        number: Option<u32>,
    },
    File {
        what: &'static str,
        path: PathBuf,
        source: io::Error,
    },
}

impl Instance {
    /// Whether one has ever been there.
    #[allow(dead_code, reason = "`icnctl` makes no lock where there was no daemon")]
    pub(crate) fn is_known(home: &Path) -> bool {
        home.join(NAME).symlink_metadata().is_ok()
    }

    /// The number of the daemon that has the identity now, by its own word.
    #[allow(dead_code, reason = "a daemon asks for none")]
    pub(crate) fn daemon(home: &Path) -> Option<u32> {
        let path = home.join(NAME);
        let flags = (OFlags::NOFOLLOW | OFlags::CLOEXEC).bits().cast_signed();
        let mut file = OpenOptions::new().read(true).custom_flags(flags).open(path).ok()?;
        let mut text = String::new();
        io::Read::by_ref(&mut file).take(64).read_to_string(&mut text).ok()?;
        let number = text.trim().parse().ok()?;
        // One that was killed has left its number, and no lock.
        matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock)).then_some(number)
    }

    /// For a program; a daemon that runs has its number alone in the file, for `kill`.
    pub(crate) fn take(home: &Path, program: &str) -> Result<Self, NotTaken> {
        let path = home.join(NAME);
        let failed = |what| {
            let path = path.clone();
            move |source| NotTaken::File { what, path, source }
        };
        let flags = (OFlags::NOFOLLOW | OFlags::CLOEXEC).bits().cast_signed();
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o600)
            .custom_flags(flags)
            .open(&path)
            .map_err(failed("open"))?;
        // Whoever looks whether it is held has it for an instant.
        let mut locked = file.try_lock();
        for _ in 0..LOOKS {
            if !matches!(locked, Err(TryLockError::WouldBlock)) {
                break;
            }
            std::thread::sleep(LOOK);
            locked = file.try_lock();
        }
        match locked {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = io::Read::by_ref(&mut file).take(64).read_to_string(&mut holder);
                return Err(told(holder.trim()));
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
        }
        // Only for the message that others see.
        let text = match program {
            "icnd" => format!("{}\n", std::process::id()),
            program => format!("{program} {}\n", std::process::id()),
        };
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| file.write_all(text.as_bytes()));
        Ok(Self { file })
    }
}

/// By what the holder has written: its number, with its name before it if it is no daemon.
fn told(text: &str) -> NotTaken {
    let (program, number) = text.rsplit_once(' ').unwrap_or(("icnd", text));
    let is_name = ["icnd", "icnctl"].contains(&program);
    match number.parse().ok().filter(|_| is_name) {
        Some(number) => {
            NotTaken::Held { holder: format!("{program} (process {number})"), number: Some(number) }
        }
        None => NotTaken::Held { holder: "another process".to_owned(), number: None },
    }
}
