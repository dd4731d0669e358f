use std::fs::File;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::channel;
use std::time::Duration;

use icn_identity::audit::{Event, verify};
use icn_identity::{Key, Software, Unlocked};

use super::*;

#[test]
fn however_many_write_meanwhile_the_line_of_the_exchange_is_the_last_one_of_its_log() {
    let directory = tempfile::tempdir().unwrap();
    let key = Key::<Software, Unlocked>::generate().unwrap();
    let path = |number: usize| directory.path().join(format!("log-{number}"));
    let open = |number| AuditLog::open(path(number), key.did()).unwrap();
    let (audit, is_over) = (Audit::new(open(0)), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while !is_over.load(Ordering::Relaxed) {
                    audit.append(Entry::allowed(Event::Sign)).unwrap();
                }
            });
        }
        for number in 1..20 {
            audit.replace(open(number), Entry::allowed(Event::Reload)).unwrap();
        }
        is_over.store(true, Ordering::Relaxed);
    });
    for number in 0..19 {
        verify(&[path(number)], None).unwrap();
        let text = std::fs::read_to_string(path(number)).unwrap();
        assert!(text.lines().last().unwrap().contains("\"reload\""), "{text}");
        let is_first = text.lines().nth(1).unwrap().contains("\"reload\"");
        assert_eq!(is_first, number > 0, "{text}");
    }
}

fn logs(directory: &std::path::Path) -> [AuditLog; 2] {
    let key = Key::<Software, Unlocked>::generate().unwrap();
    ["one", "other"].map(|name| AuditLog::open(directory.join(name), key.did()).unwrap())
}

/// Its file was moved away meanwhile, as logrotate does it: no other one is begun in its place.
#[test]
fn a_log_that_was_replaced_is_written_to_no_more_by_who_still_has_its_number() {
    let directory = tempfile::tempdir().unwrap();
    let [one, other] = logs(directory.path());
    let audit = Audit::new(one);
    let which = audit.which();
    audit.append_in(which, Entry::allowed(Event::Checkpoint)).unwrap().unwrap();
    audit.checkpoint(which).unwrap().unwrap();
    audit.replace(other, Entry::allowed(Event::Reload)).unwrap();
    let (path, away) = (directory.path().join("one"), directory.path().join("away"));
    std::fs::rename(&path, &away).unwrap();
    let before = std::fs::read(&away).unwrap();
    let last = audit.last();
    assert!(audit.checkpoint(which).is_none());
    assert!(audit.append_in(which, Entry::allowed(Event::Checkpoint)).is_none());
    audit.check().unwrap();
    assert_eq!(audit.last(), last, "nor is it in the next one");
    assert!(!path.exists());
    assert_eq!(std::fs::read(&away).unwrap(), before);
    assert_ne!(audit.which(), which);
}

/// By one lock for all, who reads a number would wait for the disk.
#[test]
fn whoever_only_looks_waits_for_no_exchange_whose_line_is_not_on_disk() {
    let directory = tempfile::tempdir().unwrap();
    let [one, other] = logs(directory.path());
    let audit = Audit::new(one);
    let lock = File::open(directory.path().join("one.head")).unwrap();
    lock.lock().unwrap();
    let replacing = {
        let audit = audit.clone();
        std::thread::spawn(move || audit.replace(other, Entry::allowed(Event::Reload)))
    };
    // Until it has the lock, in which it waits for the file.
    while audit.0.in_use.try_read().is_ok() {
        std::thread::yield_now();
    }
    let (looked, looks) = channel();
    std::thread::spawn(move || {
        let _ = looked.send((audit.last(), audit.path(), audit.which()));
    });
    let seen = looks.recv_timeout(Duration::from_secs(5));
    assert!(!replacing.is_finished());
    lock.unlock().unwrap();
    replacing.join().unwrap().unwrap();
    assert!(seen.unwrap().1.ends_with("one"));
}
