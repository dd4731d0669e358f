//! The last lines of a log, for somebody who looks at it.

use std::path::Path;

use super::error::AuditError;
use super::line::{Line, Link, MAX_LINE};
use crate::file::io_error;

/// A line of a log, as it is. It was not compared with its neighbours:
/// [`verify()`](super::verify()) does that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    text: String,
    line: Option<Line>,
}

/// Gives a field of a line, if it is one and has it.
macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident),+ $(,)?) => {$(
        $(#[$doc])*
        #[must_use]
        pub fn $name(&self) -> Option<&str> {
            self.line.as_ref().and_then(|line| line.read.$name.as_deref())
        }
    )+};
}

impl Record {
    fn of(bytes: &[u8]) -> Self {
        let text = String::from_utf8_lossy(bytes).into_owned();
        Self { text, line: Line::parse(bytes).ok() }
    }

    pub(super) fn link(&self) -> Option<Link> {
        self.line.as_ref().map(|line| line.link)
    }

    /// The whole line, without its end: JSON, if it was not changed.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// Whether it is a line that is as it was written, by its own hash.
    #[must_use]
    pub const fn is_intact(&self) -> bool {
        self.line.is_some()
    }

    /// Its number.
    #[must_use]
    pub fn seq(&self) -> Option<u64> {
        self.line.as_ref().map(|line| line.link.seq)
    }

    /// When it was written, in RFC 3339.
    #[must_use]
    pub fn at(&self) -> Option<&str> {
        self.line.as_ref().map(|line| line.read.at.as_str())
    }

    /// What was done or asked for; or `begin`, `continue` and `torn` of the log itself.
    #[must_use]
    pub fn event(&self) -> Option<&str> {
        self.line.as_ref().map(|line| line.read.event.as_str())
    }

    fields! {
        /// The DID whose key it is about.
        did,
        /// `allowed`, `refused` or `failed`.
        result,
        /// Why it was refused or has failed.
        reason,
        /// What joins the lines of one request.
        request,
        /// The name of the client.
        client,
        /// The program that asked.
        exe,
        /// The systemd unit that asked.
        unit,
        /// The context of a signature.
        context,
        /// The tag of the message.
        message,
        /// The instance of a TLS key.
        instance,
        /// The SHA-256 of a TLS key's SubjectPublicKeyInfo.
        tls_key,
    }

    /// The user who asked.
    #[must_use]
    pub fn uid(&self) -> Option<u32> {
        self.line.as_ref().and_then(|line| line.read.uid)
    }

    /// The group of who asked.
    #[must_use]
    pub fn gid(&self) -> Option<u32> {
        self.line.as_ref().and_then(|line| line.read.gid)
    }

    /// The number of the process that asked.
    #[must_use]
    pub fn pid(&self) -> Option<u32> {
        self.line.as_ref().and_then(|line| line.read.pid)
    }

    /// For how many it stands, that have no line of their own.
    #[must_use]
    pub fn count(&self) -> Option<u64> {
        self.line.as_ref().and_then(|line| line.read.count)
    }

    /// How many bytes the message had.
    #[must_use]
    pub fn length(&self) -> Option<u64> {
        self.line.as_ref().and_then(|line| line.read.length)
    }
}

/// **Blocks** on files. The last lines of a log, the latest one last.
///
/// # Errors
///
/// [`AuditError::Files`] if it cannot be read.
pub fn tail(path: &Path, most: usize) -> Result<Vec<Record>, AuditError> {
    use std::os::unix::fs::FileExt as _;
    let failed = |error| AuditError::from(io_error("read", path)(error));
    let file = std::fs::File::open(path).map_err(failed)?;
    let length = file.metadata().map_err(failed)?.len();
    let mut window = u64::try_from(MAX_LINE).unwrap_or(u64::MAX);
    loop {
        let start = length.saturating_sub(window);
        let size = usize::try_from(length - start).unwrap_or(usize::MAX);
        let mut bytes = vec![0; size];
        file.read_exact_at(&mut bytes, start).map_err(failed)?;
        let content = bytes.strip_suffix(b"\n").unwrap_or(&bytes);
        let lines: Vec<&[u8]> = content.split(|byte| *byte == b'\n').collect();
        // The first one may be a part of a line.
        let whole = if start == 0 { lines.len() } else { lines.len() - 1 };
        if start > 0 && whole < most {
            window = window.saturating_mul(4);
            continue;
        }
        let last = lines.iter().skip(lines.len() - whole.min(most));
        return Ok(last.filter(|line| !line.is_empty()).map(|line| Record::of(line)).collect());
    }
}
