//! Checkpoints of the audit log, signed by the identity's key: the end of the log as it is
//! now, in a file beside it, to be copied to where nobody can change it who can change the log.

use std::fs::OpenOptions;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use icn_identity::audit::{AuditError, Checkpoint, Event, SignedCheckpoint, earlier_files, verify};
use icn_identity::error::{KeystoreError, in_full};
use icn_identity::file::{Existing, NewFile};
use icn_identity::{Did, Error};
use rustix::fs::OFlags;

use crate::door::{Door, fresh};
use crate::line::Line;
use crate::problem::Problem;
use crate::ties::Ties;

/// Longer than any that was signed here.
const LONGEST: u64 = 64 * 1024;

/// Why there is no new one.
#[derive(Debug, thiserror::Error)]
enum NotSigned {
    /// The log does not verify, or is not the one that the checkpoint before was signed for.
    /// That one stays: it shows it.
    #[error("{}; the one before stays in {path}", in_full(.0), path = .1.display())]
    Log(AuditError, PathBuf),
    /// The log may have been written anew.
    #[error(
        "the log begins after line {seq}, which the checkpoint before is for, and nothing beside it \
         leads back there ({}); that one stays in {}: put the earlier files back beside the log, \
         not compressed, or, if they were removed on purpose, move it away",
        in_full(.source), path.display()
    )]
    NotTied { seq: u64, source: Box<AuditError>, path: PathBuf },
    #[error("{path} does not hold a checkpoint of this log ({}): move it away", in_full(.0), path = .1.display())]
    Before(AuditError, PathBuf),
    #[error("the key has not signed it: {0:?}")]
    Key(Problem),
    #[error("{}", in_full(.0))]
    File(KeystoreError),
    #[error("cannot read {path}: {0}", path = .1.display())]
    Unreadable(std::io::Error, PathBuf),
    #[error("it was cut off")]
    CutOff,
}

/// `audit.log.checkpoint` beside `audit.log`.
fn path(log: &Path) -> PathBuf {
    let mut path = log.as_os_str().to_owned();
    path.push(".checkpoint");
    path.into()
}

impl Door {
    /// Signs the end of the log, if there are lines that no checkpoint vouches for and a key
    /// that signs. What it vouches for was verified before, as far as it goes back in the
    /// file of the log.
    pub(crate) async fn checkpoint(&self) {
        let _turn = self.checkpoints.lock().await;
        match self.sign_checkpoint().await {
            Ok(None) => {}
            Ok(Some(seq)) => self.metrics.checkpoint_was_signed(seq),
            Err(error) => {
                self.metrics.checkpoint_failed();
                tracing::error!("no checkpoint of the audit log: {error}");
            }
        }
    }

    /// The number of the line that it is for.
    async fn sign_checkpoint(&self) -> Result<Option<u64>, NotSigned> {
        let Some(open) = self.opened() else { return Ok(None) };
        let (which, log, did) = (self.audit.which(), self.audit.path(), self.did.clone());
        let (of_task, ties) = (log.clone(), self.ties.clone());
        let before = tokio::task::spawn_blocking(move || {
            let before = last(&of_task, &did, &ties)?;
            ties.hold(&of_task);
            Ok(before)
        });
        let is_replaced = || self.audit.which() != which;
        let (before, end) = (before.await.unwrap_or(Err(NotSigned::CutOff)), self.audit.last());
        // Of the log in its place one is signed after the reload.
        if is_replaced() || before? == Some(end) {
            return Ok(None);
        }
        let line = Line::own(Event::Checkpoint, fresh().map_err(NotSigned::Key)?).with_log(which);
        let (path, of_log, ties) = (path(&log), log, self.ties.clone());
        let audit = self.audit.clone();
        let signed = self.use_key(open, &line, move |open| {
            let Some(checkpoint) = audit.checkpoint(which) else { return Ok(None) };
            let signed = checkpoint?.sign(&open.bundle)?;
            let seq = signed.verify(open.bundle.did())?.seq();
            Ok::<_, Error>(Some((signed.to_string(), seq)))
        });
        let signed = match signed.await {
            // It has no line then.
            Err(_) if is_replaced() => return Ok(None),
            signed => signed.map_err(NotSigned::Key)?,
        };
        let Some((text, seq)) = signed else { return Ok(None) };
        let written = tokio::task::spawn_blocking(move || {
            write(&path, &text)?;
            ties.hold(&of_log);
            Ok(())
        });
        let written = written.await;
        written.unwrap_or(Err(NotSigned::CutOff))?;
        Ok(Some(seq))
    }
}

/// Blocks. The line that the checkpoint before is for, in a log that has it still, and verifies.
fn last(log: &Path, did: &Did, ties: &Ties) -> Result<Option<u64>, NotSigned> {
    let path = path(log);
    let before = match read(&path)? {
        Some(text) => {
            let signed = text.parse::<SignedCheckpoint>().and_then(|signed| signed.verify(did));
            Some(signed.map_err(|error| NotSigned::Before(error, path.clone()))?)
        }
        None => None,
    };
    match verify(&[log.to_owned()], before.as_ref()) {
        Ok(_) => Ok(before.map(|before| before.seq())),
        // Its line is in a file that was rotated away: what is between has to be there.
        Err(error) if begins_later(&error) => {
            let Some(before) = before else { return Err(NotSigned::Log(error, path)) };
            let seq = before.seq();
            match leads_back(log, ties.candidates(log), &before) {
                Ok(()) => Ok(None),
                Err(source) if begins_later(&source) => {
                    Err(NotSigned::NotTied { seq, source: Box::new(source), path })
                }
                Err(error) => Err(NotSigned::Log(error, path)),
            }
        }
        Err(error) => Err(NotSigned::Log(error, path)),
    }
}

/// Blocks. Whether some of these files lead back to the line of a checkpoint, and verify: one
/// that is damaged may have the same end as one that is not.
fn leads_back(log: &Path, mut among: Vec<PathBuf>, before: &Checkpoint) -> Result<(), AuditError> {
    let mut first = None;
    loop {
        let mut files = earlier_files(log, &among, before.seq())?;
        files.push(log.to_owned());
        let error = match verify(&files, Some(before)) {
            Ok(_) => return Ok(()),
            Err(error) => error,
        };
        let place = match &error {
            AuditError::Broken { path, .. } => among.iter().position(|other| other == path),
            _ => None,
        };
        let Some(place) = place else { return Err(first.unwrap_or(error)) };
        tracing::warn!("is not taken for a file before the audit log: {error}");
        among.swap_remove(place);
        first.get_or_insert(error);
    }
}

const fn begins_later(error: &AuditError) -> bool {
    use icn_identity::audit::Fault;
    matches!(error, AuditError::Broken { fault: Fault::BeginsLater { .. }, .. })
}

fn read(path: &Path) -> Result<Option<String>, NotSigned> {
    use std::io::Read as _;
    let failed = |error| NotSigned::Unreadable(error, path.to_owned());
    // A FIFO in its place must not hang us.
    let flags = OFlags::NONBLOCK | OFlags::CLOEXEC;
    let opened = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path);
    let file = match opened {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let mut text = Vec::new();
    file.take(LONGEST).read_to_end(&mut text).map_err(failed)?;
    Ok(Some(String::from_utf8_lossy(&text).into_owned()))
}

fn write(path: &Path, text: &str) -> Result<(), NotSigned> {
    let write = || {
        let mut file = NewFile::create(path)?;
        file.put(text.as_bytes())?;
        file.keep(Existing::Replace)
    };
    write().map_err(NotSigned::File)
}
