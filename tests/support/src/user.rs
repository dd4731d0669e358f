//! Work by another user: of one thread alone.
#![allow(unsafe_code, reason = "the C library changes the user of all threads")]

use std::thread;

/// Runs it in a thread of its own, whose user and group are others: who connects by it is
/// that user to the kernel. For tests that run as root.
pub fn by_user<T: Send>(uid: u32, gid: u32, work: impl FnOnce() -> T + Send) -> T {
    let change = move || {
        for (call, id) in [(libc::SYS_setresgid, gid), (libc::SYS_setresuid, uid)] {
            // SAFETY: the call takes three numbers and touches no memory; it changes the
            // calling thread alone, which ends after its work.
            let changed = unsafe { libc::syscall(call, id, id, id) };
            assert_eq!(changed, 0, "{}", std::io::Error::last_os_error());
        }
        work()
    };
    thread::scope(|scope| scope.spawn(change).join().unwrap())
}
