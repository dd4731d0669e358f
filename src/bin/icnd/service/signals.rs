//! What the process is told by signals.

use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::error::StartError;

pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hang_up: Signal,
}

pub(super) enum Told {
    Stop,
    Reload,
}

impl Signals {
    pub(super) fn new() -> Result<Self, StartError> {
        Ok(Self {
            terminate: signal_of(SignalKind::terminate())?,
            interrupt: signal_of(SignalKind::interrupt())?,
            hang_up: signal_of(SignalKind::hangup())?,
        })
    }

    pub(super) async fn next(&mut self) -> Told {
        tokio::select! {
            _ = self.terminate.recv() => Told::Stop,
            _ = self.interrupt.recv() => Told::Stop,
            _ = self.hang_up.recv() => Told::Reload,
        }
    }

    /// While it starts, there is nothing yet to be read anew.
    pub(super) async fn told_to_stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

fn signal_of(kind: SignalKind) -> Result<Signal, StartError> {
    signal(kind).map_err(|source| StartError::System { what: "wait for signals", source })
}
