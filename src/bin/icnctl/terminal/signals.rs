//! Signals that come while a question is open.
//!
//! Each has its own action again afterwards, and is then sent to ourselves once more:
//! we die by it, so that a shell stops its script. Libraries for signals leave their
//! own action behind, and know only some of the signals.
#![allow(unsafe_code, reason = "setting the action of a signal is unsafe by nature")]

use std::fs::File;
use std::mem;
use std::os::fd::{AsRawFd as _, BorrowedFd, RawFd};
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, Ordering};

use libc::{c_int, sigaction};
use rustix::termios::{OptionalActions, Termios, tcsetattr};

/// What came since it was asked last.
pub(super) enum Came {
    Nothing,
    /// Ctrl-Z.
    Stop,
    Continued,
    /// What ends a program.
    End(c_int),
}

static END: AtomicI32 = AtomicI32::new(0);
static STOP: AtomicBool = AtomicBool::new(false);
static CONTINUED: AtomicBool = AtomicBool::new(false);

pub(super) fn came() -> Came {
    match END.swap(0, Ordering::SeqCst) {
        0 if STOP.swap(false, Ordering::SeqCst) => Came::Stop,
        0 if CONTINUED.swap(false, Ordering::SeqCst) => Came::Continued,
        0 => Came::Nothing,
        signal => Came::End(signal),
    }
}

/// Whether one came that ends a program, and was not asked for yet.
pub(super) fn ends() -> bool {
    END.load(Ordering::SeqCst) != 0
}

extern "C" fn note(signal: c_int) {
    match signal {
        libc::SIGTSTP => STOP.store(true, Ordering::SeqCst),
        libc::SIGCONT => CONTINUED.store(true, Ordering::SeqCst),
        _ => drop(END.compare_exchange(0, signal, Ordering::SeqCst, Ordering::SeqCst)),
    }
}

/// What a fault has to undo at once, since nothing runs after it.
struct Undo {
    tty: RawFd,
    before: Termios,
}

static UNDO: AtomicPtr<Undo> = AtomicPtr::new(ptr::null_mut());

pub(super) fn undo_at_a_fault(tty: &File, before: &Termios) {
    let undo = Box::new(Undo { tty: tty.as_raw_fd(), before: before.clone() });
    // What was there before is leaked, as a handler may be looking at it: a few bytes
    // for each question.
    UNDO.store(Box::into_raw(undo), Ordering::SeqCst);
}

pub(super) fn nothing_to_undo() {
    UNDO.store(ptr::null_mut(), Ordering::SeqCst);
}

extern "C" fn fault(signal: c_int) {
    let undo = UNDO.load(Ordering::SeqCst);
    if !undo.is_null() {
        // SAFETY: made by `Box::into_raw`, and never freed.
        let undo = unsafe { &*undo };
        // SAFETY: whoever opened it takes it out of `UNDO` before it is closed.
        let tty = unsafe { BorrowedFd::borrow_raw(undo.tty) };
        // One system call.
        let _ = tcsetattr(tty, OptionalActions::Flush, &undo.before);
    }
    // SAFETY: both may be called in a handler. The signal comes again when it returns.
    unsafe {
        libc::signal(signal, libc::SIG_DFL);
        libc::raise(signal);
    }
}

/// After these a handler cannot give way to the program.
const FAULTS: [c_int; 7] = [
    libc::SIGABRT,
    libc::SIGBUS,
    libc::SIGFPE,
    libc::SIGILL,
    libc::SIGSEGV,
    libc::SIGSYS,
    libc::SIGTRAP,
];

/// Not caught: these do nothing, cannot be caught, or stop us where we wait.
const LEFT: [c_int; 7] = [
    libc::SIGCHLD,
    libc::SIGURG,
    libc::SIGWINCH,
    libc::SIGKILL,
    libc::SIGSTOP,
    libc::SIGTTIN,
    libc::SIGTTOU,
];

/// While it lives, signals are noted instead of what they do otherwise. When it ends,
/// they do that.
pub(super) struct Caught {
    before: Vec<(c_int, sigaction)>,
}

impl Caught {
    pub(super) fn begin() -> Self {
        END.store(0, Ordering::SeqCst);
        STOP.store(false, Ordering::SeqCst);
        CONTINUED.store(false, Ordering::SeqCst);
        let mut before = Vec::new();
        for signal in (1..=libc::SIGRTMAX()).filter(|signal| !LEFT.contains(signal)) {
            let Some(old) = action(signal, None) else { continue };
            // What is ignored stays so; but Ctrl-C ends a question also where a shell
            // has started us in the background without job control.
            let from_the_keyboard = [libc::SIGINT, libc::SIGQUIT].contains(&signal);
            if old.sa_sigaction == libc::SIG_IGN && !from_the_keyboard {
                continue;
            }
            let handler = if FAULTS.contains(&signal) { fault } else { note };
            if action(signal, Some(&calling(handler))).is_some() {
                before.push((signal, old));
            }
        }
        Self { before }
    }

    /// Stops, as Ctrl-Z does it otherwise; comes back when somebody lets us go on.
    pub(super) fn stop(&self) {
        let Some((signal, old)) = self.before.iter().find(|(signal, _)| *signal == libc::SIGTSTP)
        else {
            return;
        };
        action(*signal, Some(old));
        raise(*signal);
        action(*signal, Some(&calling(note)));
        CONTINUED.store(false, Ordering::SeqCst);
    }
}

impl Drop for Caught {
    fn drop(&mut self) {
        for (signal, old) in &self.before {
            action(*signal, Some(old));
        }
        // What came after it was asked last.
        match came() {
            Came::End(signal) => raise(signal),
            Came::Stop => raise(libc::SIGTSTP),
            Came::Nothing | Came::Continued => {}
        }
    }
}

/// A system call that waits is not begun again after it.
#[allow(clippy::as_conversions, reason = "the address of a function is a number there")]
fn calling(handler: extern "C" fn(c_int)) -> sigaction {
    // SAFETY: of integers and pointers, for which zero is a value: no flags, an empty mask.
    let mut new: sigaction = unsafe { mem::zeroed() };
    new.sa_sigaction = handler as *const () as libc::sighandler_t;
    new
}

/// Sets the action of a signal, or looks at it; gives the one before.
fn action(signal: c_int, new: Option<&sigaction>) -> Option<sigaction> {
    // SAFETY: as in `calling`.
    let mut old: sigaction = unsafe { mem::zeroed() };
    let new = new.map_or(ptr::null(), ptr::from_ref);
    // SAFETY: both point to what lives longer than the call; our handlers do what may be
    // done in one.
    let done = unsafe { sigaction(signal, new, &raw mut old) };
    (done == 0).then_some(old)
}

/// Sends a signal to ourselves.
pub(super) fn raise(signal: c_int) {
    // SAFETY: no memory is involved.
    unsafe { libc::raise(signal) };
}

/// Does something to the terminal that would stop us if it were somebody else's now.
pub(super) fn even_in_the_background(work: impl FnOnce()) {
    // SAFETY: as in `calling`.
    let mut ignoring: sigaction = unsafe { mem::zeroed() };
    ignoring.sa_sigaction = libc::SIG_IGN;
    let old = action(libc::SIGTTOU, Some(&ignoring));
    work();
    action(libc::SIGTTOU, old.as_ref());
}
