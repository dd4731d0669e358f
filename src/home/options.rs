//! How a home is opened, where it is not as usual.

use std::fs;
use std::os::unix::fs::FileTypeExt as _;
use std::path::PathBuf;

use super::Home;
use crate::config::Config;
use crate::error::Error;
use crate::file::Look;

/// How a [`Home`] is opened, where it is not as usual.
///
/// ```no_run
/// use icn_identity::home::HomeOptions;
///
/// let home = HomeOptions::new().with_config_file("/etc/icn.toml").open("/var/lib/node")?;
/// # Ok::<(), icn_identity::Error>(())
/// ```
#[derive(Debug, Clone, Default)]
#[must_use]
pub struct HomeOptions {
    pub(super) config_file: Option<PathBuf>,
    pub(super) config: Option<Config>,
    pub(super) unpinned: bool,
    pub(super) retry_refused: bool,
    pub(super) state_directory: Option<PathBuf>,
    pub(super) of_migration: bool,
}

impl HomeOptions {
    /// As [`Home::open`] does it.
    pub fn new() -> Self {
        Self::default()
    }

    /// The configuration is there, and not in `icn.toml` in the home.
    pub fn with_config_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.config_file = Some(path.into());
        self
    }

    /// The configuration is this one: the file is not read, but what pins an
    /// identity that is made is written there.
    pub fn with_config(mut self, config: Config) -> Self {
        self.config = Some(config);
        self
    }

    /// Takes whatever identity is there, if the configuration does not pin one.
    ///
    /// Whoever can write to the files can put another in its place then.
    pub const fn allow_unpinned(mut self) -> Self {
        self.unpinned = true;
        self
    }

    /// Sends the PIN of a source once more that the device has refused, although
    /// the source has not changed.
    ///
    /// For a person who knows that it is right now. A service that does so spends
    /// a try with each start.
    pub const fn retry_refused(mut self) -> Self {
        self.retry_refused = true;
        self
    }

    /// What all homes of this user know together is kept in this directory, which is made
    /// (0700) if it is not there: a lock for each device, and which PINs it has
    /// refused. So of many homes on one token, one sends a wrong PIN; and a home that is
    /// read-only has where it is noted. `icnctl` takes
    /// `$XDG_STATE_HOME/icn-identity`, or `~/.local/state/icn-identity`: name the same.
    ///
    /// Where it is not there and this user cannot make it, each home goes by itself. One that
    /// is there, or may be, and cannot be used is an error before a PIN is sent.
    pub fn with_state_directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.state_directory = Some(directory.into());
        self
    }

    /// **Blocks** on files. Which directory `icnctl` names in [`Self::with_state_directory`],
    /// by the variables of this process.
    ///
    /// One that is not set to an absolute path counts as not set. `None` for a user who has
    /// no home: `$HOME` is not there, or is a device (`/dev/null`); none is made.
    #[must_use]
    pub fn state_directory_of_user() -> Option<PathBuf> {
        let set =
            |name| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        let has_home = |home: &PathBuf| match Look::at(home) {
            Look::There => fs::metadata(home).is_ok_and(|it| !it.file_type().is_char_device()),
            Look::Absent => false,
            // What is in it may say what was refused.
            Look::Barred { .. } => true,
        };
        let of_home = || Some(set("HOME").filter(has_home)?.join(".local/state"));
        Some(set("XDG_STATE_HOME").or_else(of_home)?.join("icn-identity"))
    }

    /// **Blocks** on files. Opens the home in a directory: reads the configuration,
    /// and nothing else.
    ///
    /// # Errors
    ///
    /// As [`Home::open`].
    pub fn open(self, directory: impl Into<PathBuf>) -> Result<Home, Error> {
        Home::with_options(directory.into(), self)
    }
}
