//! Children that inherit no files.
#![allow(unsafe_code, reason = "only the child itself can close what it inherits")]

use std::io;
use std::os::unix::process::CommandExt as _;
use std::process::Command;

/// The TCTI `swtpm` of tss2 makes sockets that children inherit. A child of
/// another thread then keeps a connection open that this process has closed,
/// and swtpm, which serves one connection at a time, serves nobody until that
/// child ends. Two tests that did so to each other waited for ever.
pub fn inherits_nothing(program: &str) -> Command {
    let mut command = Command::new(program);
    let flags = libc::c_int::try_from(libc::CLOSE_RANGE_CLOEXEC).unwrap();
    // SAFETY: close_range is a system call, which is safe after a fork.
    unsafe {
        command.pre_exec(move || {
            // Closed by exec, so that std still hears of an exec that failed.
            // The first three are the standard ones.
            match libc::close_range(3, libc::c_uint::MAX, flags) {
                0 => Ok(()),
                _ => Err(io::Error::last_os_error()),
            }
        });
    }
    command
}
