//! One connection to a TPM, shared by all that use it.
//!
//! A chip does one thing at a time, so a mutex around the connection costs
//! nothing. It is never held while a person is asked for something.

use std::fmt;
use std::time::Duration;

use tss_esapi::Context;
use tss_esapi::handles::ObjectHandle;

use super::failure::{Doing as _, Failed, Meaning};
use super::properties;
use super::tcti::Tcti;
use crate::error::TpmError;
use crate::evidence::DeviceIdentity;
use crate::sync::{Arc, Mutex, MutexGuard, PoisonError, sleep};

/// How often a command is sent that the TPM asks to send again.
const ATTEMPTS: u32 = 4;

/// A TPM.
pub(super) struct Chip {
    tcti: Tcti,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    context: Option<Context>,
    /// Who the TPM says it is, as read on this connection.
    identity: Option<DeviceIdentity>,
    /// Grows with each connection: what was loaded on an older one is gone.
    epoch: u64,
}

/// Whether a connection that turns out to be dead is replaced, and the work
/// done again on the new one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Reconnect {
    Once,
    /// The work sends a PIN that may be wrong: once is enough.
    No,
}

/// A connection for the time of one piece of work.
pub(super) struct Work<'a> {
    pub(super) context: &'a mut Context,
    pub(super) epoch: u64,
}

impl Chip {
    /// Connects, and asks the TPM who it is.
    pub(super) fn open(device: &str) -> Result<Arc<Self>, TpmError> {
        let chip = Self { tcti: Tcti::parse(device)?, state: Mutex::default() };
        chip.connected(&mut chip.lock())?;
        Ok(Arc::new(chip))
    }

    pub(super) fn device(&self) -> &str {
        self.tcti.device()
    }

    /// Who the TPM says it is.
    pub(super) fn identity(&self) -> Result<DeviceIdentity, TpmError> {
        let mut state = self.lock();
        self.connected(&mut state)?;
        state.identity.clone().ok_or_else(|| self.away())
    }

    /// Does a piece of work on the TPM; nothing else is done there meanwhile.
    /// It is done again if the TPM asks for that, or a PCR changed under it.
    pub(super) fn work<T>(
        &self,
        reconnect: Reconnect,
        mut work: impl FnMut(&mut Work<'_>) -> Result<T, Failed>,
    ) -> Result<T, TpmError> {
        let mut state = self.lock();
        let mut fresh = state.context.is_none();
        let mut attempt = 1;
        loop {
            let (context, epoch) = self.connected(&mut state)?;
            let failed = match work(&mut Work { context, epoch }) {
                Ok(done) => return Ok(done),
                Err(failed) => failed,
            };
            match failed.meaning() {
                Some(Meaning::Again) if attempt < ATTEMPTS => {
                    if failed.spoils_the_library() {
                        state.context = None;
                    }
                    pause(attempt);
                    attempt += 1;
                }
                Some(Meaning::Broken | Meaning::NoDevice) => {
                    state.context = None;
                    if fresh || reconnect == Reconnect::No {
                        return Err(failed.into_error());
                    }
                    fresh = true;
                }
                _ => {
                    if failed.spoils_the_library() {
                        state.context = None;
                    }
                    return Err(failed.into_error());
                }
            }
        }
    }

    /// Does work on the connection only if it is still the one of `epoch`.
    pub(super) fn tidy(&self, epoch: u64, work: impl FnOnce(&mut Context)) {
        let mut state = self.lock();
        if state.epoch == epoch
            && let Some(context) = &mut state.context
        {
            work(context);
        }
    }

    fn connected<'a>(&self, state: &'a mut State) -> Result<(&'a mut Context, u64), TpmError> {
        if state.context.is_none() {
            let mut context = self.tcti.connect()?;
            state.identity = Some(identity(&mut context, self.device())?);
            state.context = Some(context);
            state.epoch += 1;
        }
        let epoch = state.epoch;
        state.context.as_mut().map(|context| (context, epoch)).ok_or_else(|| self.away())
    }

    fn away(&self) -> TpmError {
        TpmError::NoDevice { device: self.device().to_owned(), source: None }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Who the TPM says it is. One that has just been started may be testing
/// itself.
fn identity(context: &mut Context, device: &str) -> Result<DeviceIdentity, TpmError> {
    let mut attempt = 1;
    loop {
        match properties::identity(context, device) {
            Err(failed) if failed.meaning() == Some(Meaning::Again) && attempt < ATTEMPTS => {
                pause(attempt);
                attempt += 1;
            }
            // Whatever is there, it does not answer as a TPM does.
            Err(Failed::Call(failure))
                if !matches!(failure.meaning(), Meaning::Other | Meaning::NotReady(_)) =>
            {
                let (device, source) = (device.to_owned(), Some(Box::new(failure).into()));
                return Err(TpmError::NoDevice { device, source });
            }
            read => return read.map_err(Failed::into_error),
        }
    }
}

fn pause(attempt: u32) {
    sleep(Duration::from_millis(10 << attempt));
}

/// Does something with an object or a session and flushes it, whatever
/// happens.
pub(super) fn flushing<T>(
    context: &mut Context,
    handle: impl Into<ObjectHandle>,
    work: impl FnOnce(&mut Context) -> Result<T, Failed>,
) -> Result<T, Failed> {
    let done = work(context);
    let flushed = context.flush_context(handle.into()).doing("flush an object");
    // The first error is the one that matters.
    done.and_then(|done| flushed.map(|()| done))
}

impl fmt::Debug for Chip {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chip").field("device", &self.device()).finish_non_exhaustive()
    }
}
