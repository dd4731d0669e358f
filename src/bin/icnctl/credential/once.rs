//! A secret that several steps want, and that can be had once: typed by a person, or by a
//! pipe.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use icn_identity::home::{Prompt, PromptError, Wanted};
use icn_identity::secret::LockedText;

/// What was typed or came by a pipe.
pub(crate) type Kept = Arc<Mutex<Option<LockedText>>>;

/// Asks once.
pub(super) struct Once {
    prompt: Box<dyn Prompt + Send>,
    kept: Kept,
    is_typed_now: bool,
}

impl Once {
    pub(super) fn new(prompt: Box<dyn Prompt + Send>, kept: &Kept) -> Self {
        Self { prompt, kept: Arc::clone(kept), is_typed_now: false }
    }
}

impl Prompt for Once {
    fn ask(&mut self, wanted: &Wanted) -> Result<LockedText, PromptError> {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(text) = &*kept
            && !(wanted.is_repeated() && self.is_typed_now)
        {
            return Ok(text.clone());
        }
        let text = self.prompt.ask(wanted)?;
        if !wanted.is_repeated() {
            *kept = Some(text.clone());
            self.is_typed_now = true;
        }
        Ok(text)
    }

    fn point_to_pin_pad(&mut self, wanted: &Wanted) {
        self.prompt.point_to_pin_pad(wanted);
    }
}

/// What comes by a pipe that this process was given, which is read once.
pub(super) struct FromPipe(pub(super) PathBuf);

impl FromPipe {
    /// Whether a path names one.
    pub(super) fn is_one(path: &Path) -> bool {
        path.starts_with("/dev/fd") || path.starts_with("/proc/self/fd")
    }
}

impl Prompt for FromPipe {
    fn ask(&mut self, _: &Wanted) -> Result<LockedText, PromptError> {
        Ok(icn_identity::file::read_credential(&self.0)?)
    }
}
