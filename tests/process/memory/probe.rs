//! The program that is looked into.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::OnceLock;

use support::cargo::cargo;

use super::scan::{Find, Place, Scan, scan};
use super::secret::Pattern;

/// The probe's own.
const MASK: u8 = 0xa5;

/// Those of `scripts/quickstart`, and of the release build in `scripts/test`: with any other
/// set, all that is ours is optimized once more.
const FEATURES: &str = "icn-identity/cli,icn-identity/pkcs11,icn-identity/tpm,\
     icn-identity/attestation,memory-probe/tpm";

/// Builds it and icnctl in release, as users get them; once. Gives the directory.
fn built() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        // `…/debug/deps/process-…`
        let target = std::env::current_exe().unwrap().ancestors().nth(3).unwrap().to_owned();
        let status = cargo()
            .args(["build", "--release", "--locked", "--quiet"])
            .args(["-p", "icn-identity", "-p", "memory-probe", "--features", FEATURES])
            .current_dir(env!("CARGO_MANIFEST_DIR"))
            .env("CARGO_TARGET_DIR", &target)
            .status()
            .unwrap();
        assert!(status.success(), "memory-probe and icnctl do not build");
        target.join("release")
    })
}

/// icnctl, as it was built for this.
pub(crate) fn icnctl() -> Command {
    Command::new(built().join("icnctl"))
}

/// In a process that stands still, one whole copy of each of these secrets is in
/// locked memory, and nothing else is found.
pub(crate) fn expect_in(process: u32, patterns: &[Pattern], step: &str, once: &[&str]) {
    expect_of(scan(process, patterns), step, once);
}

fn expect_of(scan: Scan, step: &str, once: &[&str]) {
    let mut wanted: Vec<&str> = once.to_vec();
    let (mut good, mut bad) = (Vec::new(), Vec::new());
    for find in scan.finds {
        match wanted.iter().position(|wanted| *wanted == find.secret) {
            Some(at) if find.is_whole_copy() && find.place == Place::Locked => {
                wanted.remove(at);
                good.push(find);
            }
            _ => bad.push(find),
        }
    }
    assert!(
        bad.is_empty() && wanted.is_empty(),
        "{step}: too much: {bad:#?}\nnot found: {wanted:?}\nas it should be: {good:#?}"
    );
}

/// A probe that stands still at a step.
pub(crate) struct Probe {
    child: Child,
    stdin: ChildStdin,
    steps: BufReader<ChildStdout>,
    pub(crate) patterns: Vec<Pattern>,
    /// A secret that a library of C has too, by right: what is in the heap of C is its own.
    pub(crate) shared_with_c: Option<&'static str>,
}

impl Probe {
    /// Starts a case with secrets, which are given masked.
    pub(crate) fn start(
        case: &str,
        variables: &[(&str, &str)],
        secrets: &[(&str, &[u8])],
        patterns: Vec<Pattern>,
    ) -> Self {
        let mut child = Command::new(built().join("memory-probe"))
            .arg(case)
            .env_clear()
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut stdin = child.stdin.take().unwrap();
        for (name, secret) in secrets {
            let hex: String = secret.iter().map(|byte| format!("{:02x}", byte ^ MASK)).collect();
            writeln!(stdin, "{name} {hex}").unwrap();
        }
        writeln!(stdin).unwrap();
        let steps = BufReader::new(child.stdout.take().unwrap());
        Self { child, stdin, steps, patterns, shared_with_c: None }
    }

    /// Waits for the next step; gives what it says of it.
    pub(crate) fn step(&mut self) -> String {
        let mut line = String::new();
        self.steps.read_line(&mut line).unwrap();
        if line.is_empty() {
            panic!("the probe ended: {}", self.child.wait().unwrap());
        }
        line.trim_end().to_owned()
    }

    pub(crate) fn go_on(&mut self) {
        writeln!(self.stdin).unwrap();
    }

    fn scan(&self) -> Scan {
        let mut scan = scan(self.child.id(), &self.patterns);
        let is_of_c = |find: &Find| {
            let shared = self.shared_with_c.is_some_and(|name| find.secret.starts_with(name));
            shared && find.is_in_heap_of_c()
        };
        scan.finds.retain(|find| !is_of_c(find));
        scan
    }

    /// The next step is `name`; there one whole copy of each of these secrets is
    /// in locked memory, and nothing else is found.
    pub(crate) fn expect(&mut self, name: &str, once: &[&str]) {
        assert_eq!(self.step(), name);
        self.expect_here(name, once);
        self.go_on();
    }

    /// The same of the step where it stands.
    pub(crate) fn expect_here(&self, step: &str, once: &[&str]) {
        expect_of(self.scan(), step, once);
    }

    /// The probe leaks each of these on purpose; every leak is found where it
    /// is, and nothing is before.
    pub(crate) fn expect_leaks(&mut self, secrets: &[&str]) {
        let found = |probe: &Self, secret: &str, place| {
            let scan = probe.scan();
            let whole = |find: &&Find| find.secret == secret && find.is_whole_copy();
            let found: Vec<_> =
                scan.finds.iter().filter(whole).filter(|f| f.place == place).collect();
            found.len()
        };
        for secret in secrets {
            assert_eq!(self.step(), format!("leaked {secret} stack"));
            assert_eq!(found(self, secret, Place::Stack), 1, "{secret}");
            self.go_on();
            self.expect(&format!("wiped {secret} stack"), &[]);
        }
        for (copies, how) in [(1, "freed"), (2, "heap")] {
            for secret in secrets {
                assert_eq!(self.step(), format!("leaked {secret} {how}"));
                assert_eq!(found(self, secret, Place::Heap), copies, "{secret} {how}");
                self.go_on();
            }
        }
        assert!(self.child.wait().unwrap().success());
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        // Ours; it may wait for a word that never comes.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What the scripts have built is what is looked into here, and nothing is built twice.
#[test]
fn the_scripts_build_what_is_looked_into() {
    let script = |name: &str| {
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("scripts").join(name))
            .unwrap()
    };
    assert!(
        script("test").contains(&format!("--features {FEATURES}\n")),
        "the release build in scripts/test"
    );
    let quickstart = script("quickstart");
    let mut built: Vec<&str> = quickstart
        .lines()
        .filter_map(|line| {
            line.trim()
                .strip_prefix("features=")
                .or(line.split_once("features+=,").map(|(_, it)| it))
        })
        .flat_map(|features| features.trim_end_matches("; fi").split(','))
        .collect();
    let mut ours: Vec<&str> =
        FEATURES.split(',').filter_map(|feature| feature.strip_prefix("icn-identity/")).collect();
    built.sort_unstable();
    ours.sort_unstable();
    assert_eq!(built, ours, "the features of scripts/quickstart");
}
