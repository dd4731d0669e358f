//! Room for those who wait for a server that lets nearly nobody wait.
#![allow(unsafe_code, reason = "std opens listening sockets, and changes none")]

use std::os::fd::AsRawFd as _;
use std::process::Child;

use rustix::process::{Pid, PidfdFlags, PidfdGetfdFlags, pidfd_getfd, pidfd_open};

/// Lengthens the queue of each socket at which a child listens. Where a machine does not
/// let us, whoever finds it full waits for a second, as without this.
pub(crate) fn lengthen(child: &Child) {
    let pid = Pid::from_child(child);
    let Ok(child) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    for number in 3..16 {
        if let Ok(fd) = pidfd_getfd(&child, number, PidfdGetfdFlags::empty()) {
            // SAFETY: a system call without pointers, on a descriptor that is open; one
            // that does not listen at an address refuses it.
            let _ = unsafe { libc::listen(fd.as_raw_fd(), 64) };
        }
    }
}
