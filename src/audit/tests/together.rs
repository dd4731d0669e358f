//! Many write at the same time.

use std::collections::BTreeSet;
use std::process::{Child, Command};
use std::sync::Mutex;

use super::*;

#[test]
fn many_threads_have_one_chain_and_each_its_line_when_it_goes_on() {
    let home = Home::new();
    let log = home.open();
    let numbers = Mutex::new(BTreeSet::new());
    std::thread::scope(|scope| {
        for thread in 0..16_u64 {
            let (log, numbers, home) = (log.clone(), &numbers, &home);
            scope.spawn(move || {
                for one in 0..20 {
                    let own = thread * 100 + one;
                    let seq = log.append(entry(own)).unwrap();
                    assert!(numbers.lock().unwrap().insert(seq));
                    // It is there when it goes on.
                    let line = &home.lines()[usize::try_from(seq).unwrap() - 1];
                    let context = format!("\"number-{own}@coop.example\"");
                    assert!(String::from_utf8_lossy(line).contains(&context));
                }
            });
        }
    });
    assert_eq!(numbers.into_inner().unwrap(), (2..=321).collect());
    assert_eq!(home.verify().unwrap().lines, 321);
}

/// Set in a process that this test starts anew: where to write.
const WRITER: &str = "AUDIT_WRITER";

/// What such a process does; a test by itself, which writes to a log of its own.
#[test]
fn a_process_writes() {
    let own = Home::new();
    let path = std::env::var_os(WRITER).map_or_else(|| own.path(), PathBuf::from);
    let log = AuditLog::open(&path, own.did()).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for one in 0..40 {
                    log.append(entry(one)).unwrap();
                }
            });
        }
    });
    assert!(verify(&[path], None).unwrap().lines >= 81);
}

fn process(path: &Path) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["audit::tests::together::a_process_writes"]).env(WRITER, path);
    command.stdout(std::process::Stdio::null()).spawn().unwrap()
}

#[test]
fn several_processes_have_one_chain_on_one_file() {
    let home = Home::new();
    let path = home.path();
    let children: Vec<Child> = (0..4).map(|_| process(&path)).collect();
    let log = home.open();
    for one in 0..40 {
        log.append(entry(one)).unwrap();
    }
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let verified = home.verify().unwrap();
    assert_eq!(verified.lines, 1 + 4 * 80 + 40);
    assert!(verified.torn.is_empty());
}

/// Rotated under them, again and again.
#[test]
fn several_processes_keep_one_chain_while_it_is_rotated() {
    let home = Home::new();
    let path = home.path();
    home.append(0);
    let mut children: Vec<Child> = (0..3).map(|_| process(&path)).collect();
    let mut files = vec![path.clone()];
    while children.iter_mut().any(|child| child.try_wait().unwrap().is_none()) {
        std::thread::sleep(std::time::Duration::from_millis(40));
        let old = home.beside(&format!("audit.log.{}", files.len()));
        if std::fs::rename(&path, &old).is_ok() {
            files.push(old);
        }
    }
    assert!(files.len() > 2, "{files:?}");
    home.append(0);
    let verified = verify(&files, None).unwrap();
    assert!(verified.is_whole);
    assert_eq!(verified.lines, 1 + 240 + u64::try_from(files.len()).unwrap() - 1);
}
