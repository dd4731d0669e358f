//! A home whose calls are awaited.

use std::fmt;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use super::pool::Pool;
use crate::backend::NewKey;
use crate::error::{Error, KeystoreError};
use crate::home::{CredentialSource, Home, HomeOptions, Made, Wants};
use crate::keystore::Opened;

/// A [`Home`] for async code, on one thread of its own.
///
/// Clones share home and thread. An unlocking that is dropped goes on to its end: a
/// PIN that was refused is noted all the same, and a key that was opened is closed.
///
/// ```no_run
/// use icn_identity::home::{CredentialSource, HomeOptions};
/// use icn_identity::nonblocking::AsyncHome;
///
/// # async fn start() -> Result<(), icn_identity::Error> {
/// let home = AsyncHome::open("/var/lib/node", HomeOptions::new()).await?;
/// let identity = home.unlock(CredentialSource::systemd("pin")).await?;
/// # drop(identity);
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct AsyncHome {
    /// Locked by the one thread alone.
    home: Arc<Mutex<Home>>,
    pool: Pool,
}

impl AsyncHome {
    /// The home in a directory; see [`HomeOptions::open`].
    ///
    /// # Errors
    ///
    /// As there, or if the system starts no thread.
    pub async fn open(directory: impl Into<PathBuf>, options: HomeOptions) -> Result<Self, Error> {
        let directory = directory.into();
        let pool = Pool::new("icn-home", NonZeroUsize::MIN).map_err(|source| {
            let path = directory.clone();
            KeystoreError::Io { action: "start a thread for", path, source }
        })?;
        let home = pool.run(move || options.open(directory)).await?;
        Ok(Self { home: Arc::new(Mutex::new(home)), pool })
    }

    /// What opens the identity; see [`Home::wants`].
    ///
    /// # Errors
    ///
    /// As there.
    pub async fn wants(&self) -> Result<Wants, Error> {
        self.with(|home| home.wants()).await
    }

    /// Opens the identity; see [`Home::unlock`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// If a prompt of the source panics.
    pub async fn unlock(&self, source: CredentialSource<'static>) -> Result<Opened, Error> {
        self.with(move |home| home.unlock(source)).await
    }

    /// Makes an identity; see [`Home::create`].
    ///
    /// # Errors
    ///
    /// As there.
    ///
    /// # Panics
    ///
    /// If a prompt of the source panics.
    pub async fn create(
        &self,
        request: NewKey,
        source: CredentialSource<'static>,
    ) -> Result<Made, Error> {
        self.with(move |home| home.create(&request, source)).await
    }

    /// Does something else with the home that blocks, in its turn, like a backup.
    ///
    /// # Panics
    ///
    /// If the work panics.
    pub async fn with<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Home) -> T + Send + 'static,
    ) -> T {
        let home = Arc::clone(&self.home);
        let work = move || work(&mut home.lock().unwrap_or_else(PoisonError::into_inner));
        self.pool.run(work).await
    }
}

impl fmt::Debug for AsyncHome {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AsyncHome").finish_non_exhaustive()
    }
}
