//! A book of peers: who may be at the other end, and what was seen of them.

mod entry;
mod list;
mod seen;

use std::fmt;
use std::fs::{File, Metadata};
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

pub use self::entry::{Followed, Peer, Removed};
use self::list::List;
use self::seen::Seen;
use super::BookError;
use super::sequence::{Highest, SequenceError, SequenceStore};
use crate::binding::{BindingNumber, Instance};
use crate::did::Did;
use crate::file::{self, Lock};
use crate::rotation::{RotationChain, RotationStatement};

/// The list of peers.
const LIST: &str = "peers.json";
/// The directory of what was seen of each DID.
const SEEN: &str = "seen";
/// The longest list, in bytes, that somebody is allowed into. Above is room for the chains
/// of those who are in it.
const ALLOWED: usize = file::MAX_LENGTH / 4 * 3;
/// The longest list, in bytes, in which a chain is followed. Above is room for removals,
/// which must not fail on a full book: each may add a byte.
const FOLLOWED: usize = file::MAX_LENGTH / 16 * 15;

/// The peers that a service accepts, on disk: their DIDs, the rotation chains by
/// which they were followed, and the epochs and sequence numbers that were seen of
/// them.
///
/// Several processes use one book at the same time: each change reads the book again
/// under a lock, and is written durably; each handshake looks whether the book was
/// changed. So a peer that one process removes is refused by all of them at the next
/// handshake. What was seen of a peer survives restarts, and its removal: a TLS key
/// that was replaced stays refused when the peer is allowed again.
///
/// Clones are the same book.
///
/// ```
/// use icn_identity::peer::{PeerBook, Removed};
/// use icn_identity::{Key, Software, Unlocked};
///
/// # let home = tempfile::tempdir()?;
/// let book = PeerBook::open(home.path().join("peers"))?;
/// let alice = Key::<Software, Unlocked>::generate()?.did().clone();
/// book.allow(&alice, "Alice's laptop")?;
/// assert!(book.contains(&alice)?);
/// assert_eq!(book.remove(&alice)?, Removed::Peer { did: alice });
/// assert!(book.list()?.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// # Files
///
/// A directory of mode 0700 with `peers.json` (at most 1 MiB, of
/// which 768 KiB for who is allowed: some thousand peers) and
/// `seen/DID.json` for each DID (64 instances at most, which is some 5 KB; of those the
/// one whose number has not changed for longest goes first). Files are of
/// mode 0600, written as those of an identity. Put back from a copy, the book has
/// forgotten what was seen since.
#[derive(Clone)]
pub struct PeerBook(Arc<Inner>);

struct Inner {
    directory: PathBuf,
    /// As it was read last.
    list: Mutex<Option<Cached>>,
    /// Threads wait here, since the lock between processes is tried again and again.
    writing: Mutex<()>,
}

struct Cached {
    list: Arc<List>,
    stamp: Stamp,
    /// As long as it is open, no other file has its inode's number.
    _file: File,
}

/// Tells a file from the one that takes its place. We never write into one.
#[derive(PartialEq, Eq)]
struct Stamp([i128; 5]);

impl Stamp {
    fn of(metadata: &Metadata) -> Self {
        let time = |seconds: i64, nanoseconds: i64| {
            i128::from(seconds) * 1_000_000_000 + i128::from(nanoseconds)
        };
        Self([
            metadata.dev().into(),
            metadata.ino().into(),
            metadata.len().into(),
            time(metadata.mtime(), metadata.mtime_nsec()),
            time(metadata.ctime(), metadata.ctime_nsec()),
        ])
    }
}

impl PeerBook {
    /// **Blocks** on files. Opens the book in a directory, which is made if there is
    /// none.
    ///
    /// # Errors
    ///
    /// [`BookError`] if the directory or the book is not safe to use or cannot be read.
    pub fn open(directory: impl Into<PathBuf>) -> Result<Self, BookError> {
        let directory = directory.into();
        file::private_dir(&directory)?;
        file::private_dir(&directory.join(SEEN))?;
        let inner = Inner { directory, list: Mutex::new(None), writing: Mutex::new(()) };
        let book = Self(Arc::new(inner));
        {
            let _turn = book.turn();
            let _lock = Lock::beside(&book.path())?;
            file::sweep_all(&book.0.directory.join(SEEN));
        }
        book.read()?;
        Ok(book)
    }

    /// Its directory.
    #[must_use]
    pub fn directory(&self) -> &Path {
        &self.0.directory
    }

    /// **Blocks** on files. Accepts a DID from the next handshake on, under a name of
    /// your choice (empty for none; it is not compared with anything). Where it is
    /// accepted already, it gets the name; an empty one leaves that which it has. Gives
    /// whether it was not accepted before.
    ///
    /// The chain and the numbers of a DID that was removed are still known.
    ///
    /// # Errors
    ///
    /// [`BookError::Replaced`] for a DID whose key handed over to one that is in the book
    /// (`did:icn` and `did:key` of one key alike);
    /// [`BookError::Name`]; [`BookError::Full`]; or if the files fail.
    pub fn allow(&self, did: &Did, name: &str) -> Result<bool, BookError> {
        entry::check_name(name)?;
        self.change(ALLOWED, |list| list.allow(did, name))
    }

    /// **Blocks** on files. Refuses a peer from the next handshake on, in every
    /// process: the DID, or the one that it has become by the chain that is kept, so
    /// that a peer does not stay accepted because it was followed in between.
    /// Connections that are open stay open: ask
    /// [`Connection::peer`](../tls/struct.Connection.html#method.peer) about them
    /// again. Its name is gone. Gives who was accepted before.
    ///
    /// A book that is full for [`Self::allow`] has room for removals.
    ///
    /// # Errors
    ///
    /// [`BookError`] if the files fail: it may be accepted still.
    pub fn remove(&self, did: &Did) -> Result<Removed, BookError> {
        self.change(usize::MAX, |list| list.remove(did))
    }

    /// **Blocks** on files. As [`Self::remove`], and forgets all that is known of the
    /// peer: its chain, its epoch, its numbers. For peers that never come back. **If
    /// one is allowed again,** TLS keys that it replaced are accepted until their
    /// bindings end, and a thief of its key may lead it off by a chain without what
    /// it had committed to.
    ///
    /// # Errors
    ///
    /// As [`Self::remove`].
    pub fn forget(&self, did: &Did) -> Result<Removed, BookError> {
        let forget = |list: &mut List| list.forget(did);
        let (removed, seen) = self.change_and(usize::MAX, forget, |(_, dids)| {
            let mut any = false;
            for did in dids {
                any |= Seen::forget(&self.seen(), did)?;
            }
            Ok(any)
        })?;
        match removed {
            (Removed::Nobody, _) if seen => Ok(Removed::Peer { did: did.clone() }),
            (removed, _) => Ok(removed),
        }
    }

    /// **Blocks** on files. Accepts the present DID of a chain of rotations in the
    /// place of each earlier one that is in the book, from the next handshake on, and
    /// keeps the chain: from then on only one that extends it leads on from there. A
    /// peer that was removed is not accepted by that. Entries that become one keep their
    /// names; one for the other DID of a key that was handed over (`did:icn`, `did:key`)
    /// goes with it.
    ///
    /// The first chain that is given for a bare DID is taken as it is: a thief of the
    /// key can make one that leaves out what the owner committed to before.
    ///
    /// # Errors
    ///
    /// [`BookError::Rotation`] if it does not extend the chain that is kept
    /// ([`RotationError::Fork`](crate::rotation::RotationError::Fork) and others), for any
    /// peer in the book: all stays as it was. Otherwise as [`Self::allow`].
    pub fn follow(&self, chain: &RotationChain) -> Result<Followed, BookError> {
        self.change(FOLLOWED, |list| list.follow(chain))
    }

    /// **Blocks** on files. As [`Self::follow`], by one statement more at the end of
    /// the chain that is kept of its DID, or as the first one of it.
    ///
    /// # Errors
    ///
    /// As [`Self::follow`], and if the statement cannot be next.
    pub fn follow_statement(&self, statement: RotationStatement) -> Result<Followed, BookError> {
        self.change(FOLLOWED, |list| list.follow_statement(statement))
    }

    /// **Blocks** on files. Whether a DID is accepted now.
    ///
    /// # Errors
    ///
    /// [`BookError`] if the book cannot be read.
    pub fn contains(&self, did: &Did) -> Result<bool, BookError> {
        Ok(self.read()?.contains(did))
    }

    /// **Blocks** on files. The accepted peer that a DID is, or has become by the
    /// chain that is kept.
    ///
    /// # Errors
    ///
    /// As [`Self::contains`].
    pub fn find(&self, did: &Did) -> Result<Option<Peer>, BookError> {
        self.read()?.find(did).map_err(|source| self.damaged(source))
    }

    /// **Blocks** on files. Every peer that is accepted, in the order in which they
    /// came, each with its chain, whose signatures are verified for it.
    ///
    /// # Errors
    ///
    /// As [`Self::contains`].
    pub fn list(&self) -> Result<Vec<Peer>, BookError> {
        self.read()?.peers().map_err(|source| self.damaged(source))
    }

    fn path(&self) -> PathBuf {
        self.0.directory.join(LIST)
    }

    fn seen(&self) -> PathBuf {
        self.0.directory.join(SEEN)
    }

    fn damaged(&self, source: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> BookError {
        BookError::Damaged { path: self.path(), source: source.into() }
    }

    fn turn(&self) -> MutexGuard<'_, ()> {
        self.0.writing.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The list as it is now: read again if it is another file.
    fn read(&self) -> Result<Arc<List>, BookError> {
        let path = self.path();
        let mut cached = self.0.list.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(cached) = &*cached
            && let Ok(metadata) = path.symlink_metadata()
            && cached.stamp == Stamp::of(&metadata)
        {
            return Ok(cached.list.clone());
        }
        *cached = None;
        let Some((file, bytes)) = file::open_and_read_private(&path)? else {
            return Ok(Arc::default());
        };
        let metadata = file.metadata().map_err(file::io_error("read", &path))?;
        let list = Arc::new(List::parse(&path, &bytes)?);
        *cached = Some(Cached { list: list.clone(), stamp: Stamp::of(&metadata), _file: file });
        Ok(list)
    }

    /// Reads, changes and writes in one step. What is not changed is not written. The list
    /// is not made longer than the limit; what is longer already may become less.
    fn change<T>(
        &self,
        limit: usize,
        change: impl FnOnce(&mut List) -> Result<T, BookError>,
    ) -> Result<T, BookError> {
        self.change_and(limit, change, |_| Ok(())).map(|(done, ())| done)
    }

    /// The same, and then something else in the same step.
    fn change_and<T, U>(
        &self,
        limit: usize,
        change: impl FnOnce(&mut List) -> Result<T, BookError>,
        and: impl FnOnce(&T) -> Result<U, BookError>,
    ) -> Result<(T, U), BookError> {
        let _turn = self.turn();
        let path = self.path();
        let _lock = Lock::beside(&path)?;
        let bytes = file::read_private(&path)?;
        let mut list = match &bytes {
            Some(bytes) => List::parse(&path, bytes)?,
            None => List::default(),
        };
        let before = list.to_json().len();
        let done = change(&mut list)?;
        let mut new = list.to_json();
        if new.len() > limit && new.len() > before {
            return Err(BookError::Full { limit });
        }
        if new.len() > file::MAX_LENGTH {
            new = list.to_short_json();
        }
        if new.len() > file::MAX_LENGTH {
            return Err(BookError::Full { limit: file::MAX_LENGTH });
        }
        if bytes.as_ref() != Some(&new) && !(bytes.is_none() && list.is_empty()) {
            file::write(&path, &new)?;
        }
        let also = and(&done)?;
        Ok((done, also))
    }
}

impl SequenceStore for PeerBook {
    fn highest(&self, did: &Did, instance: &Instance) -> Result<Highest, SequenceError> {
        let seen = Seen::read(&self.seen(), did)?;
        Ok(seen.map_or(Highest::NOTHING, |seen| seen.highest(instance)))
    }

    /// Durable when it returns. Where the number is the one that was seen last, which is
    /// nearly always, nothing is locked and nothing is written.
    fn admit(
        &self,
        did: &Did,
        instance: &Instance,
        number: BindingNumber,
    ) -> Result<(), SequenceError> {
        let known = self.highest(did, instance)?;
        known.check(number)?;
        if known == Highest::new(number.epoch, Some(number.sequence)) {
            return Ok(());
        }
        let _turn = self.turn();
        let _lock = Lock::unswept(&self.0.directory).map_err(BookError::from)?;
        // Somebody may have been faster.
        Seen::admit(&self.seen(), did, instance, number)
    }
}

impl fmt::Debug for PeerBook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PeerBook").field("directory", &self.0.directory).finish_non_exhaustive()
    }
}
/// `peers.json`, as it would be written.
#[cfg(all(
    any(test, fuzzing),
    feature = "attestation",
    feature = "audit",
    feature = "client",
    feature = "pkcs11",
    feature = "tpm"
))]
pub(super) fn reread_list(bytes: &[u8]) -> Option<Vec<u8>> {
    let list = List::parse(Path::new("peers.json"), bytes).ok()?;
    // As it is listed, which verifies the chains in it.
    let _ = list.peers();
    Some(list.to_json())
}

/// `seen/DID.json`, as it would be written.
#[cfg(all(
    any(test, fuzzing),
    feature = "attestation",
    feature = "audit",
    feature = "client",
    feature = "pkcs11",
    feature = "tpm"
))]
pub(super) fn reread_seen(bytes: &[u8]) -> Option<Vec<u8>> {
    seen::reread(bytes)
}
