//! A transport in memory.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

/// One end of a transport in memory. A read blocks until the other end has written
/// something or is dropped; a write never blocks.
#[derive(Debug)]
pub struct Pipe {
    incoming: Arc<Way>,
    outgoing: Arc<Way>,
}

#[derive(Debug, Default)]
struct Way {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    bytes: VecDeque<u8>,
    is_closed: bool,
}

impl Pipe {
    /// The two ends.
    #[must_use]
    pub fn pair() -> (Self, Self) {
        let (one, other) = (Arc::<Way>::default(), Arc::<Way>::default());
        let end = Self { incoming: one.clone(), outgoing: other.clone() };
        (end, Self { incoming: other, outgoing: one })
    }
}

impl Way {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self) {
        self.state().is_closed = true;
        self.changed.notify_all();
    }
}

impl Read for Pipe {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let empty = |state: &mut State| state.bytes.is_empty() && !state.is_closed;
        let waited = self.incoming.changed.wait_while(self.incoming.state(), empty);
        waited.unwrap_or_else(PoisonError::into_inner).bytes.read(buf)
    }
}

impl Write for Pipe {
    fn write(&mut self, buf: &[u8]) -> io::Result<usize> {
        let mut state = self.outgoing.state();
        if state.is_closed {
            return Err(io::ErrorKind::BrokenPipe.into());
        }
        state.bytes.extend(buf);
        self.outgoing.changed.notify_all();
        Ok(buf.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for Pipe {
    fn drop(&mut self) {
        self.incoming.close();
        self.outgoing.close();
    }
}
