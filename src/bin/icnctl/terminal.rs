//! A question on the terminal, whose answer is not shown.
//!
//! The terminal keeps editing the line and sending signals: Ctrl-C reaches the whole
//! foreground group. Only the echo is off while we ask, and on again whatever ends
//! that. In the background we stop, as every program that wants the terminal.

// `icnd` has this file, too.
#[path = "terminal/signals.rs"]
mod signals;

use std::fs::{File, OpenOptions};
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};

use icn_identity::secret::LockedText;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::getpgrp;
use rustix::termios::{
    InputModes, LocalModes, OptionalActions, QueueSelector, SpecialCodeIndex, Termios, tcflush,
    tcgetattr, tcgetpgrp, tcsetattr,
};
use zeroize::Zeroizing;

use self::signals::{Came, Caught};

/// A terminal leaves out what is behind these bytes of a line.
const LONGEST_LINE: usize = 4095;

/// What a special code is where there is none.
const NONE: u8 = 0;

/// Why nothing was answered.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NotAnswered {
    /// No terminal, or none that can be asked now.
    #[error(transparent)]
    NoTerminal(#[from] io::Error),
    #[error("the input ended before a line did")]
    Ended,
    #[error("a signal ended the question")]
    Interrupted,
    #[error("it is not UTF-8")]
    NotUtf8,
    #[error("it is longer than a terminal passes on, 4094 bytes")]
    TooLong,
}

/// Whether there is one to ask on.
pub(crate) fn check_there() -> io::Result<()> {
    OpenOptions::new().read(true).write(true).open("/dev/tty").map(drop)
}

/// Asks for one line.
pub(crate) fn ask(prompt: &str) -> Result<LockedText, NotAnswered> {
    let tty = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    wait_for_foreground(&tty)?;
    let caught = Caught::begin();
    let mut silent = Silent::begin(&tty)?;
    (&tty).write_all(prompt.as_bytes())?;
    let mut line = Zeroizing::new(Vec::with_capacity(2 * LONGEST_LINE));
    loop {
        match signals::came() {
            Came::Nothing => {}
            Came::Stop => {
                silent.end(OptionalActions::Flush);
                line.clear();
                caught.stop();
                if silent.again()? {
                    (&tty).write_all(prompt.as_bytes())?;
                }
            }
            // Stopped by a signal that cannot be caught.
            Came::Continued if silent.is_on() => {}
            Came::Continued => {
                if silent.again()? {
                    (&tty).write_all(prompt.as_bytes())?;
                }
            }
            Came::End(signal) => {
                // What was typed so far is not for whoever reads next.
                silent.end(OptionalActions::Flush);
                let _ = (&tty).write_all(b"\n");
                drop(caught);
                signals::raise(signal);
                return Err(NotAnswered::Interrupted);
            }
        }
        if !is_readable(&tty)? {
            continue;
        }
        match read(&tty, &mut line) {
            Ok(0) => {
                // Nothing has ended the line of the prompt.
                let _ = (&tty).write_all(b"\n");
                return Err(NotAnswered::Ended);
            }
            Ok(_) if line.ends_with(b"\n") => break,
            Ok(_) => {}
            Err(Errno::INTR) => {}
            Err(error) => return Err(io::Error::from(error).into()),
        }
        if line.len() > LONGEST_LINE {
            return Err(NotAnswered::TooLong);
        }
    }
    drop(silent);
    drop(caught);
    let text = line.strip_suffix(b"\n").unwrap_or(&line);
    if text.len() >= LONGEST_LINE {
        return Err(NotAnswered::TooLong);
    }
    std::str::from_utf8(text).map(LockedText::from).map_err(|_| NotAnswered::NotUtf8)
}

/// Says what will be done (which has nothing foreign in it), and tells whether the answer
/// was yes.
pub(crate) fn confirms(what: &str) -> io::Result<bool> {
    let tty = OpenOptions::new().read(true).write(true).open("/dev/tty")?;
    wait_for_foreground(&tty)?;
    tcflush(&tty, QueueSelector::IFlush)?;
    (&tty).write_all(format!("{what}\nType yes to go on: ").as_bytes())?;
    let mut answer = String::new();
    if BufReader::new(&tty).take(64).read_line(&mut answer)? == 0 {
        // Nothing has ended the line of the prompt.
        let _ = (&tty).write_all(b"\n");
    }
    Ok(answer.trim() == "yes")
}

/// Stops us while the terminal is somebody else's, as reading from it would.
fn wait_for_foreground(tty: &File) -> io::Result<()> {
    // Changes nothing. In the background the kernel stops us first (SIGTTOU), or
    // refuses it where nobody could let us go on.
    set(tty, OptionalActions::Now, &tcgetattr(tty)?)?;
    if tcgetpgrp(tty)? != getpgrp() {
        return Err(io::Error::other("this process is in the background"));
    }
    Ok(())
}

/// Sets the modes, also where that is interrupted, as it is when we are stopped before and
/// let go on. Only a signal that ends the question interrupts it.
fn set(tty: &File, when: OptionalActions, modes: &Termios) -> Result<(), Errno> {
    loop {
        match tcsetattr(tty, when, modes) {
            Err(Errno::INTR) if !signals::ends() => {}
            done => return done,
        }
    }
}

/// Waits a moment: a signal may have come just before.
fn is_readable(tty: &File) -> Result<bool, NotAnswered> {
    let moment = Timespec { tv_sec: 0, tv_nsec: 100_000_000 };
    match poll(&mut [PollFd::new(tty, PollFlags::IN)], Some(&moment)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(error) => Err(io::Error::from(error).into()),
    }
}

/// Appends without growing, which would leave copies.
fn read(tty: &File, line: &mut Vec<u8>) -> Result<usize, Errno> {
    let mut bytes = Zeroizing::new([0; LONGEST_LINE + 1]);
    let room = (line.capacity() - line.len()).min(bytes.len());
    let length = rustix::io::read(tty, bytes.get_mut(..room).unwrap_or_default())?;
    line.extend_from_slice(bytes.get(..length).unwrap_or_default());
    Ok(length)
}

/// A terminal without its echo.
struct Silent<'a> {
    tty: &'a File,
    before: Termios,
    ours: Termios,
}

impl<'a> Silent<'a> {
    fn begin(tty: &'a File) -> io::Result<Self> {
        let before = tcgetattr(tty)?;
        let this = Self { tty, ours: silenced(&before), before };
        this.put()?;
        Ok(this)
    }

    /// After others may have changed it; `false` if a signal that ends the question came
    /// first.
    fn again(&mut self) -> io::Result<bool> {
        match wait_for_foreground(self.tty) {
            _ if signals::ends() => return Ok(false),
            waited => waited?,
        }
        if !self.is_on() {
            self.before = tcgetattr(self.tty)?;
            self.ours = silenced(&self.before);
        }
        self.put()?;
        Ok(!signals::ends())
    }

    /// What was typed before there was a question is no answer to it, and is thrown away.
    fn put(&self) -> io::Result<()> {
        signals::undo_at_a_fault(self.tty, &self.before);
        match set(self.tty, OptionalActions::Flush, &self.ours) {
            // A signal ends the question, which is looked at next.
            Err(Errno::INTR) => Ok(()),
            done => Ok(done?),
        }
    }

    /// Whether the terminal is as we have set it.
    fn is_on(&self) -> bool {
        tcgetattr(self.tty).is_ok_and(|now| {
            (now.local_modes, now.input_modes) == (self.ours.local_modes, self.ours.input_modes)
        })
    }

    /// What somebody else has set meanwhile is theirs.
    fn end(&self, when: OptionalActions) {
        if self.is_on() {
            signals::even_in_the_background(|| {
                // The second time it waits for nothing that could be interrupted.
                if set(self.tty, when, &self.before).is_err() {
                    let _ = tcsetattr(self.tty, OptionalActions::Now, &self.before);
                }
            });
        }
        signals::nothing_to_undo();
    }
}

impl Drop for Silent<'_> {
    fn drop(&mut self) {
        self.end(OptionalActions::Now);
    }
}

/// Lines, signals and Enter as usual, whatever was before; nothing of what is typed is
/// changed, and nothing is shown but the end of the line.
fn silenced(before: &Termios) -> Termios {
    let mut ours = before.clone();
    ours.local_modes -= LocalModes::ECHO | LocalModes::ECHOE | LocalModes::ECHOK;
    ours.local_modes |= LocalModes::ECHONL | LocalModes::ICANON | LocalModes::ISIG;
    ours.input_modes -=
        InputModes::ISTRIP | InputModes::INLCR | InputModes::IGNCR | InputModes::IUCLC;
    ours.input_modes |= InputModes::ICRNL | InputModes::IUTF8;
    for code in [SpecialCodeIndex::VEOL, SpecialCodeIndex::VEOL2] {
        ours.special_codes[code] = NONE;
    }
    ours
}
