//! What a program asked of the system, by `strace`.

use std::collections::HashMap;
use std::path::Path;

/// What leaves everything outside of the program as it was, as far as another can tell once
/// it is dead: memory, what is read or asked, waiting, and what ends with it (its locks and
/// descriptors). A sync is for machines that die, and not for programs.
const CHANGES_NOTHING: [&str; 69] = [
    "access",
    "arch_prctl",
    "brk",
    "clock_getres",
    "clock_gettime",
    "clock_nanosleep",
    "close",
    "dup",
    "dup2",
    "epoll_create1",
    "execve",
    "exit",
    "exit_group",
    "faccessat",
    "faccessat2",
    "fcntl",
    "fdatasync",
    "flock",
    "fstat",
    "fsync",
    "futex",
    "getcwd",
    "getdents64",
    "getegid",
    "geteuid",
    "getgid",
    "getgroups",
    "getpid",
    "getppid",
    "getrandom",
    "getrlimit",
    "gettid",
    "getuid",
    "ioctl",
    "lseek",
    "lstat",
    "madvise",
    "mlock",
    "mlock2",
    "mprotect",
    "mremap",
    "munlock",
    "munmap",
    "newfstatat",
    "pipe2",
    "poll",
    "ppoll",
    "prctl",
    "pread64",
    "prlimit64",
    "read",
    "readlink",
    "readlinkat",
    "restart_syscall",
    "rseq",
    "rt_sigaction",
    "rt_sigprocmask",
    "rt_sigreturn",
    "sched_getaffinity",
    "sched_yield",
    "set_robust_list",
    "set_tid_address",
    "sigaltstack",
    "stat",
    "statfs",
    "statx",
    "sysinfo",
    "umask",
    "uname",
];

/// One system call.
#[derive(Debug, Clone)]
pub(crate) struct Call {
    pub(crate) name: String,
    /// The how manieth of this name, from 1: as `strace` counts.
    pub(crate) nth: usize,
    /// As `strace -y` shows it, with the paths of file descriptors.
    pub(crate) text: String,
}

impl Call {
    /// Whether it can change something outside of the program: any call can that is not known
    /// to change nothing. Killed at another one, the program leaves what it leaves when it is
    /// killed at the next one of these.
    pub(crate) fn mutates(&self) -> bool {
        let opens = ["O_CREAT", "O_WRONLY", "O_RDWR", "O_TRUNC"];
        match self.name.as_str() {
            "openat" | "open" | "creat" => opens.iter().any(|flag| self.text.contains(flag)),
            // The standard streams are pipes.
            "write" | "pwrite64" | "writev" | "ftruncate" | "fchmod" => self.text.contains("</"),
            "mmap" => self.text.contains("MAP_SHARED"),
            name => !CHANGES_NOTHING.contains(&name),
        }
    }

    pub(crate) fn names(&self, directory: &Path) -> bool {
        self.text.contains(directory.to_str().unwrap())
    }

    pub(crate) fn failed(&self) -> bool {
        self.text.contains(" = -1 ")
    }

    /// Whether the program was killed before it was done.
    pub(crate) fn killed(&self) -> bool {
        !self.text.contains(") = ") || self.text.ends_with(" = ?")
    }

    /// The quoted words of it.
    pub(crate) fn quoted(&self) -> Vec<&str> {
        self.text.split('"').skip(1).step_by(2).collect()
    }

    /// Options of `strace` by which the call gets an error, and at no other call (but those
    /// of the same name) the program is stopped.
    pub(crate) fn failing(&self, error: &str) -> Vec<String> {
        let inject = format!("inject={}:error={error}:when={}", self.name, self.nth);
        ["-f", "--seccomp-bpf", "-e", &format!("trace={}", self.name), "-e", &inject]
            .map(str::to_owned)
            .into()
    }
}

/// Reads what `strace -f -y -o` wrote of a program with one thread.
pub(crate) fn calls(log: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    let mut counts = HashMap::<&str, usize>::new();
    for line in log.lines() {
        let text = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        assert!(!text.contains(" resumed>"), "a program with threads: {line}");
        let Some((name, _)) = text.split_once('(') else { continue };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            continue;
        }
        let nth = counts.entry(name).and_modify(|count| *count += 1).or_insert(1);
        calls.push(Call { name: name.into(), nth: *nth, text: text.into() });
    }
    calls
}
