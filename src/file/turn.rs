//! One of a few turns that the processes of a directory share. It frees itself when its
//! holder ends, however it ends.

use std::fs::{File, OpenOptions, TryLockError};
use std::io::{Read as _, Seek as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::fs::OFlags;

use super::lock;
use super::names;
use super::rule::{self, Rule};

/// How long turns are waited for while their holders stay the same: one that is stopped
/// keeps its own for ever.
const PATIENCE: Duration = Duration::from_secs(60);

/// A turn, or leave to go on without one.
#[derive(Debug)]
pub(crate) struct Turn {
    _file: Option<File>,
}

impl Turn {
    /// Waits for one of `most` turns in a directory, each a file that is locked. Where none
    /// can be made (a read-only or full disk), there is one: the file of that name.
    ///
    /// It never fails. After a minute in which no holder has ended it goes on without.
    pub(crate) fn wait(directory: &Path, most: usize, otherwise: &str) -> Self {
        let mut files: Vec<File> = (1..=most).map_while(|turn| open(directory, turn)).collect();
        let may_write = !files.is_empty();
        if files.is_empty() {
            files.extend(existing(&directory.join(otherwise)));
        }
        let mut since = Instant::now();
        let mut holders = Vec::new();
        while !files.is_empty() {
            let mut failed = None;
            let free = files.iter().position(|file| match file.try_lock() {
                Ok(()) => true,
                Err(TryLockError::WouldBlock) => false,
                Err(TryLockError::Error(error)) => failed.replace(error).is_none(),
            });
            if let Some(error) = failed {
                log::debug!("{} has no turns: {error}", directory.display());
                break;
            }
            if let Some(free) = free {
                let mut file = files.swap_remove(free);
                if may_write {
                    sign(&mut file);
                }
                return Self { _file: Some(file) };
            }
            let now: Vec<_> = files.iter_mut().map(holder).collect();
            if now != holders {
                (holders, since) = (now, Instant::now());
            }
            if since.elapsed() > PATIENCE {
                log::warn!("no turn in {} ends: it is not waited for", directory.display());
                break;
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Self { _file: None }
    }
}

fn open(directory: &Path, turn: usize) -> Option<File> {
    let path = directory.join(names::turn(turn));
    let file = lock::open(&path).ok()??;
    rule::check(&path, &file.metadata().ok()?, Rule::Private).ok()?;
    Some(file)
}

fn existing(path: &Path) -> Option<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path).ok()
}

/// So that others see that it has changed hands.
fn sign(file: &mut File) {
    let mut number = [0; 8];
    let written = crate::secret::fill_random(&mut number).is_ok()
        && file.rewind().and_then(|()| file.write_all(&number)).is_ok();
    if !written {
        log::debug!("a turn was not signed");
    }
}

fn holder(file: &mut File) -> Vec<u8> {
    let mut written = Vec::new();
    let _ = file.rewind().and_then(|()| file.take(8).read_to_end(&mut written));
    written
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;
    use std::sync::Barrier;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    fn most_at_once(directory: &Path, most: usize) -> usize {
        let (now, seen) = (AtomicUsize::new(0), AtomicUsize::new(0));
        let begin = Barrier::new(8);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    begin.wait();
                    let turn = Turn::wait(directory, most, "there");
                    seen.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    std::thread::sleep(Duration::from_millis(40));
                    now.fetch_sub(1, Ordering::SeqCst);
                    drop(turn);
                });
            }
        });
        seen.into_inner()
    }

    #[test]
    fn no_more_than_so_many_have_a_turn() {
        let directory = tempfile::tempdir().unwrap();
        for most in [1, 3] {
            assert_eq!(most_at_once(directory.path(), most), most);
        }
        for turn in 1..=3 {
            let path = directory.path().join(names::turn(turn));
            let mode = std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
            assert_eq!(mode, 0o600);
        }
    }

    #[test]
    fn where_no_turn_can_be_made_there_is_one_and_without_a_file_none() {
        let directory = tempfile::tempdir().unwrap();
        // As on a read-only disk: none can be opened.
        std::fs::create_dir(directory.path().join(names::turn(1))).unwrap();
        assert_eq!(most_at_once(directory.path(), 3), 8);
        std::fs::write(directory.path().join("there"), "").unwrap();
        assert_eq!(most_at_once(directory.path(), 3), 1);
    }
}
