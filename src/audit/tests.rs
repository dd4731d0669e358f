//! Logs as they are written, changed, cut off and rotated.

mod changed;
mod damaged;
mod exchanged;
mod rotated;
mod signed;
mod together;

use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::*;
use crate::did::Did;
use crate::key::{Key, Software, Unlocked};

/// A log in a directory of its own.
struct Home {
    directory: TempDir,
    key: Key<Software, Unlocked>,
}

impl Home {
    fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        Self { directory, key: Key::<Software, Unlocked>::generate().unwrap() }
    }

    fn did(&self) -> &Did {
        self.key.did()
    }

    fn path(&self) -> PathBuf {
        self.beside("audit.log")
    }

    fn beside(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn open(&self) -> AuditLog {
        AuditLog::open(self.path(), self.did()).unwrap()
    }

    /// With so many lines after the first.
    fn with_lines(lines: u64) -> Self {
        let home = Self::new();
        home.append(lines);
        home
    }

    fn append(&self, lines: u64) {
        let log = self.open();
        for line in 0..lines {
            log.append(entry(line)).unwrap();
        }
    }

    fn lines(&self) -> Vec<Vec<u8>> {
        lines_of(&self.path())
    }

    fn verify(&self) -> Result<Verified, AuditError> {
        verify(&[self.path()], None)
    }

    /// Without what is known from elsewhere.
    fn verify_alone(&self) -> Result<Verified, AuditError> {
        verify(&[self.copy().path().join("copy")], None)
    }

    fn copy(&self) -> TempDir {
        let alone = tempfile::tempdir().unwrap();
        std::fs::copy(self.path(), alone.path().join("copy")).unwrap();
        alone
    }

    fn write(&self, lines: &[Vec<u8>]) {
        std::fs::write(self.path(), lines.concat()).unwrap();
    }
}

fn entry(number: u64) -> Entry {
    Entry::allowed(Event::Sign).with_context(&format!("number-{number}@coop.example"))
}

fn lines_of(path: &Path) -> Vec<Vec<u8>> {
    std::fs::read(path)
        .unwrap()
        .split_inclusive(|byte| *byte == b'\n')
        .map(<[u8]>::to_vec)
        .collect()
}

fn fault(result: Result<Verified, AuditError>) -> (PathBuf, u64, Fault) {
    match result {
        Err(AuditError::Broken { path, line, fault }) => (path, line, fault),
        other => panic!("{other:?}"),
    }
}

#[test]
fn lines_are_numbered_name_the_one_before_and_verify() {
    let home = Home::new();
    let log = home.open();
    for number in 2..6 {
        assert_eq!(log.append(entry(number)).unwrap(), number);
    }
    assert_eq!(log.last(), 5);
    let verified = home.verify().unwrap();
    assert_eq!((verified.lines, verified.first(), verified.last()), (5, 1, 5));
    assert!(verified.is_whole && verified.torn.is_empty());
    assert_eq!(verified.did.as_deref(), Some(home.did().as_str()));
    let values: Vec<serde_json::Value> =
        home.lines().iter().map(|line| serde_json::from_slice(line).unwrap()).collect();
    for pair in values.windows(2) {
        assert_eq!(pair[1]["prev"], pair[0]["hash"]);
        assert_eq!(pair[1]["chain"], pair[0]["chain"]);
        assert_eq!(pair[1]["seq"].as_u64(), pair[0]["seq"].as_u64().map(|seq| seq + 1));
    }
    assert_eq!(values[0]["prev"], "0".repeat(64));
    assert_eq!(values[0]["event"], "begin");
    // A process that comes later goes on, and writes nothing of its own accord.
    let before = home.lines();
    drop(home.open());
    assert_eq!(home.lines(), before);
    assert_eq!(home.open().append(entry(6)).unwrap(), 6);
}

/// By other programs: the hash of a line is that of what is before it.
#[test]
fn another_program_checks_a_line_with_sha256sum() {
    let home = Home::with_lines(2);
    let script = r#"
        prev=$(printf '%064d' 0)
        while IFS= read -r line; do
            body=${line%,\"hash\":*}
            hash=$(printf %s "$body" | sha256sum | cut -d' ' -f1)
            [ "$(printf %s "$line" | jq -r .hash)" = "$hash" ] || exit 1
            [ "$(printf %s "$line" | jq -r .prev)" = "$prev" ] || exit 2
            prev=$hash
        done <"$1"
    "#;
    let ran =
        std::process::Command::new("bash").args(["-c", script, "bash"]).arg(home.path()).status();
    assert!(ran.unwrap().success());
}

#[test]
fn times_are_utc_in_rfc_3339_and_do_not_go_back() {
    let home = Home::with_lines(20);
    let records = tail(&home.path(), 30).unwrap();
    let times: Vec<&str> = records.iter().map(|record| record.at().unwrap()).collect();
    for time in &times {
        let parts =
            time::OffsetDateTime::parse(time, &time::format_description::well_known::Rfc3339);
        assert!(parts.unwrap().offset().is_utc(), "{time}");
        assert!(time.len() == 24 && time.ends_with('Z'), "{time}");
    }
    assert!(times.is_sorted());
    let epoch = std::time::UNIX_EPOCH;
    let millis = std::time::Duration::from_millis;
    for (at, wanted) in [
        (epoch, "1970-01-01T00:00:00.000Z"),
        (epoch - millis(5), "1970-01-01T00:00:00.000Z"),
        (epoch + millis(1_785_499_199_007), "2026-07-31T11:59:59.007Z"),
        (epoch + std::time::Duration::from_secs(400_000_000_000), "9999-12-31T23:59:59.000Z"),
    ] {
        assert_eq!(crate::clock::rfc3339_millis(at), wanted);
    }
}

#[test]
fn the_last_lines_are_had_from_a_long_log_and_a_short_one() {
    let home = Home::with_lines(700);
    for most in [0, 1, 5, 300, 701, 5000] {
        let records = tail(&home.path(), most).unwrap();
        let seqs: Vec<u64> = records.iter().map(|record| record.seq().unwrap()).collect();
        let first = 702_u64.saturating_sub(u64::try_from(most).unwrap()).max(1);
        assert_eq!(seqs, (first..=701).collect::<Vec<_>>(), "{most}");
    }
    let record = tail(&home.path(), 1).unwrap().remove(0);
    assert!(record.is_intact());
    assert_eq!(record.event(), Some("sign"));
    assert_eq!(record.result(), Some("allowed"));
    assert_eq!(record.context(), Some("number-699@coop.example"));
    std::fs::write(home.path(), "{\"seq\":1}\nx").unwrap();
    assert!(tail(&home.path(), 9).unwrap().iter().all(|record| !record.is_intact()));
}

/// Whoever can change the log, or put another one in its place, is not trusted with it.
#[test]
fn a_log_that_others_can_change_is_not_written() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::with_lines(1);
    let mode = |mode| std::fs::Permissions::from_mode(mode);
    assert_eq!(std::fs::metadata(home.path()).unwrap().permissions().mode() & 0o777, 0o600);
    // Read by a group it may be.
    std::fs::set_permissions(home.path(), mode(0o640)).unwrap();
    home.append(1);
    std::fs::set_permissions(home.path(), mode(0o620)).unwrap();
    let error = AuditLog::open(home.path(), home.did()).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Permission, "{error}");
    std::fs::set_permissions(home.path(), mode(0o600)).unwrap();
    // Nor while it is open: each line, and each look at it.
    let log = home.open();
    log.append(entry(3)).unwrap();
    for bits in [0o620, 0o602, 0o666] {
        std::fs::set_permissions(home.path(), mode(bits)).unwrap();
        let refused = [log.append(entry(4)).map(drop), log.reopen(), log.check()];
        for error in refused.map(Result::unwrap_err) {
            assert_eq!(error.kind(), crate::ErrorKind::Permission, "{error}");
        }
    }
    std::fs::set_permissions(home.path(), mode(0o600)).unwrap();
    assert_eq!(log.append(entry(4)).unwrap(), 5);
    // What was rotated is left as it is, whoever can write to it.
    std::fs::rename(home.path(), home.beside("audit.log.1")).unwrap();
    std::fs::set_permissions(home.beside("audit.log.1"), mode(0o666)).unwrap();
    assert_eq!(log.append(entry(5)).unwrap(), 7);
    let link = home.beside("link.log");
    std::os::unix::fs::symlink(home.path(), &link).unwrap();
    let error = AuditLog::open(&link, home.did()).unwrap_err();
    assert!(error.to_string().contains("not safe"), "{error}");
    let open = home.beside("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, mode(0o777)).unwrap();
    let error = AuditLog::open(open.join("audit.log"), home.did()).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::Permission, "{error}");
    let error = AuditLog::open(home.beside("none/audit.log"), home.did()).unwrap_err();
    assert_eq!(error.kind(), crate::ErrorKind::NotFound, "{error}");
}
