//! What a program asked of the system, by `strace`.

use std::path::Path;

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
    /// Whether it can change a file.
    pub(crate) fn mutates(&self) -> bool {
        let opens = ["O_CREAT", "O_WRONLY", "O_RDWR", "O_TRUNC"];
        match self.name.as_str() {
            "openat" | "open" | "creat" => opens.iter().any(|flag| self.text.contains(flag)),
            // The standard streams are pipes.
            "write" | "pwrite64" | "writev" | "ftruncate" | "fchmod" => self.text.contains("</"),
            "mkdir" | "rename" | "renameat" | "renameat2" | "unlink" | "unlinkat" | "rmdir"
            | "chmod" | "link" | "symlink" | "chown" | "truncate" | "mkdirat" | "fchmodat" => true,
            _ => false,
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
        self.text.ends_with(" = ?")
    }

    /// The quoted words of it.
    pub(crate) fn quoted(&self) -> Vec<&str> {
        self.text.split('"').skip(1).step_by(2).collect()
    }
}

/// Reads what `strace -f -y -o` wrote of a program with one thread.
pub(crate) fn calls(log: &str) -> Vec<Call> {
    let mut calls: Vec<Call> = Vec::new();
    for line in log.lines() {
        let text = line.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
        assert!(!text.contains(" resumed>"), "a program with threads: {line}");
        let Some((name, _)) = text.split_once('(') else { continue };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_') {
            continue;
        }
        let nth = 1 + calls.iter().filter(|call| call.name == name).count();
        calls.push(Call { name: name.into(), nth, text: text.into() });
    }
    calls
}
