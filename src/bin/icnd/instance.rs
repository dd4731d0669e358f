//! One `icnd` for each identity.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use rustix::fs::OFlags;

use crate::error::StartError;

const NAME: &str = "icnd.lock";

/// Held while this process serves the identity; freed by the system when it ends.
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

impl Instance {
    /// Refused with the number of the process that is there already.
    pub(crate) fn take(home: &Path) -> Result<Self, StartError> {
        let path = home.join(NAME);
        let failed = |what| {
            let path = path.clone();
            move |source| StartError::File { what, path, source }
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
        match file.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let mut holder = String::new();
                let _ = std::io::Read::by_ref(&mut file).take(64).read_to_string(&mut holder);
                let number = holder.trim();
                let known = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
                let holder = match known {
                    true => format!("icnd (process {number})"),
                    false => "another icnd".to_owned(),
                };
                return Err(StartError::Running { holder });
            }
            Err(TryLockError::Error(source)) => return Err(failed("lock")(source)),
        }
        // Only for the message that others see.
        let _ = file
            .set_len(0)
            .and_then(|()| file.rewind())
            .and_then(|()| writeln!(file, "{}", std::process::id()));
        Ok(Self { file })
    }
}
