//! What others have done to the directory, to the log or to what lies beside it while it was
//! open: no line is written then.

use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use super::writer::Writer;
use super::*;
use crate::ErrorKind;
use crate::error::KeystoreError;

fn chmod(path: &Path, mode: u32) {
    fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
}

/// Which file or directory a line was not written for.
fn unwritten(home: &Home, log: &AuditLog) -> PathBuf {
    let before = fs::read(home.path()).unwrap();
    let error = log.append(entry(1)).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Permission, "{error}");
    assert!(error.help().is_some_and(|help| help.len() > 10), "{error}");
    // What says whether a line could be written says the same, and why.
    assert_eq!(log.check().unwrap_err().kind(), ErrorKind::Permission);
    assert_eq!(fs::read(home.path()).unwrap(), before);
    match error {
        AuditError::NotWritten { source, .. } => match &*source {
            AuditError::Exchanged { path }
            | AuditError::Files(KeystoreError::Unsafe { path, .. }) => path.clone(),
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    }
}

#[test]
fn nothing_is_written_while_others_may_write_to_the_directory_or_to_a_file_in_it() {
    let home = Home::new();
    let log = home.open();
    log.append(entry(1)).unwrap();
    let (directory, head) = (home.directory.path().to_owned(), home.beside("audit.log.head"));
    for (path, open, private) in
        [(&directory, 0o777, 0o700), (&head, 0o622, 0o600), (&home.path(), 0o666, 0o600)]
    {
        chmod(path, open);
        assert_eq!(&unwritten(&home, &log), path);
        chmod(path, private);
        log.append(entry(1)).unwrap();
    }
    home.verify().unwrap();
}

#[test]
fn nothing_is_written_beside_a_note_that_was_exchanged_until_the_log_is_opened_anew() {
    let home = Home::new();
    let log = home.open();
    let (head, moved) = (home.beside("audit.log.head"), home.beside("moved"));
    let exchanges: [&dyn Fn(); 3] = [
        &|| assert!(fs::copy(&moved, &head).unwrap() > 0),
        &|| symlink(&moved, &head).unwrap(),
        &|| fs::create_dir(&head).unwrap(),
    ];
    for exchange in exchanges {
        log.append(entry(1)).unwrap();
        fs::rename(&head, &moved).unwrap();
        exchange();
        for _ in 0..2 {
            assert_eq!(unwritten(&home, &log), head);
        }
        // What is there is looked at as at the start.
        let is_file = fs::symlink_metadata(&head).unwrap().is_file();
        assert_eq!(log.reopen().is_ok(), is_file);
        if !is_file {
            fs::remove_file(&head).or_else(|_| fs::remove_dir(&head)).unwrap();
            fs::rename(&moved, &head).unwrap();
            log.reopen().unwrap();
        }
    }
    log.append(entry(1)).unwrap();
    home.verify().unwrap();
}

/// Neither by a look at whether it could be, nor where the line that says so is not written.
#[test]
fn what_was_exchanged_is_taken_with_a_line_that_says_so_and_not_without() {
    let home = Home::new();
    let log = home.open();
    log.append(entry(1)).unwrap();
    let (head, moved) = (home.beside("audit.log.head"), home.beside("moved"));
    fs::rename(&head, &moved).unwrap();
    fs::copy(&moved, &head).unwrap();
    log.check_reopen().unwrap();
    assert_eq!(unwritten(&home, &log), head);
    chmod(&home.path(), 0o666);
    let refused = [log.reopen_with(entry(2)).map(drop), log.reopen(), log.check_reopen()];
    assert!(refused.iter().all(Result::is_err), "{refused:?}");
    chmod(&home.path(), 0o600);
    assert_eq!(unwritten(&home, &log), head);
    let number = log.reopen_with(entry(2)).unwrap();
    assert_eq!((number, log.last(), log.append(entry(3)).unwrap()), (3, 3, 4));
    home.verify().unwrap();
}

/// Names and bytes of all files.
fn files(home: &Home) -> Vec<(std::ffi::OsString, Vec<u8>)> {
    let entries = fs::read_dir(home.directory.path()).unwrap().map(Result::unwrap);
    let mut files: Vec<_> =
        entries.map(|entry| (entry.file_name(), fs::read(entry.path()).unwrap())).collect();
    files.sort_unstable();
    files
}

/// With a note that says that 1000 lines were there, with none, and with no log.
#[test]
fn whether_a_log_could_be_opened_anew_is_told_without_a_change_of_any_file() {
    let home = Home::new();
    let log = home.open();
    log.append(entry(1)).unwrap();
    let (head, moved) = (home.beside("audit.log.head"), home.beside("moved"));
    let note = fs::read_to_string(&head).unwrap();
    fs::rename(&head, &moved).unwrap();
    for forged in [Some(note.replace("\"seq\":2,", "\"seq\":1000,")), None] {
        if let Some(forged) = forged {
            assert_ne!(forged, note);
            fs::write(&head, forged).unwrap();
            chmod(&head, 0o600);
        }
        let before = files(&home);
        log.check_reopen().unwrap();
        assert_eq!(files(&home), before);
        let _ = fs::remove_file(&head);
    }
    fs::rename(home.path(), home.beside("away")).unwrap();
    let before = files(&home);
    log.check_reopen().unwrap();
    assert_eq!(files(&home), before);
    fs::rename(home.beside("away"), home.path()).unwrap();
    fs::rename(&moved, &head).unwrap();
    assert_eq!(log.append(entry(2)).unwrap(), 3);
    home.verify().unwrap();
}

/// As when a disk is mounted over the directory, takes no line, and is gone again.
#[test]
fn what_was_opened_anew_and_is_put_back_leaves_the_log_with_the_number_that_it_had() {
    let above = tempfile::tempdir().unwrap();
    let [directory, away, other] = ["log", "away", "other"].map(|name| above.path().join(name));
    fs::create_dir(&directory).unwrap();
    fs::create_dir(&other).unwrap();
    let key = Key::<Software, Unlocked>::generate().unwrap();
    let path = directory.join("audit.log");
    let mut writer = Writer::new(path.clone(), key.did().clone());
    let before = writer.write(&[entry(1)]).unwrap();
    fs::rename(&directory, &away).unwrap();
    fs::rename(&other, &directory).unwrap();
    let opened = writer.open_anew();
    // It has made a file that goes on there.
    assert_eq!(writer.write(&[]).unwrap().seq, before.seq + 1);
    writer.put_back(opened);
    fs::rename(&directory, &other).unwrap();
    fs::rename(&away, &directory).unwrap();
    assert_eq!(writer.write(&[entry(2)]).unwrap().seq, before.seq + 1);
    verify(&[path], None).unwrap();
}

#[test]
fn a_note_with_another_name_is_not_written_to() {
    let home = Home::new();
    let log = home.open();
    let head = home.beside("audit.log.head");
    fs::hard_link(&head, home.beside("another")).unwrap();
    assert_eq!(unwritten(&home, &log), head);
    fs::remove_file(home.beside("another")).unwrap();
    log.append(entry(1)).unwrap();
}

/// As it was, file by file; and it is not the directory that was opened.
#[test]
fn nothing_is_written_into_a_directory_that_was_put_in_the_place_of_the_logs() {
    let above = tempfile::tempdir().unwrap();
    let (directory, old) = (above.path().join("log"), above.path().join("old"));
    fs::create_dir(&directory).unwrap();
    let key = Key::<Software, Unlocked>::generate().unwrap();
    let log = AuditLog::open(directory.join("audit.log"), key.did()).unwrap();
    log.append(entry(1)).unwrap();
    fs::rename(&directory, &old).unwrap();
    let refused = |log: &AuditLog| match log.append(entry(1)) {
        Err(AuditError::NotWritten { source, .. }) => match &*source {
            AuditError::Exchanged { path } => *path == directory,
            other => panic!("{other:?}"),
        },
        other => panic!("{other:?}"),
    };
    fs::create_dir(&directory).unwrap();
    assert!(refused(&log));
    for name in ["audit.log", "audit.log.head"] {
        fs::hard_link(old.join(name), directory.join(name)).unwrap();
    }
    assert!(refused(&log));
    fs::remove_dir_all(&old).unwrap();
    assert!(refused(&log));
    log.reopen().unwrap();
    assert_eq!(log.append(entry(1)).unwrap(), 3);
}

/// Many write, and one exchanges the note again and again: no line comes that does not follow
/// the one before it.
#[test]
fn a_note_that_is_exchanged_while_many_write_breaks_no_chain() {
    let home = Home::new();
    let logs = [home.open(), home.open()];
    let done = AtomicBool::new(false);
    let refused = AtomicU32::new(0);
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|place| {
                let (log, refused) = (&logs[place % 2], &refused);
                scope.spawn(move || {
                    for number in 0..100 {
                        if log.append(entry(number)).is_err() {
                            refused.fetch_add(1, Ordering::SeqCst);
                            let _ = log.reopen();
                        }
                    }
                })
            })
            .collect();
        scope.spawn(|| {
            let (head, copy) = (home.beside("audit.log.head"), home.beside("copy"));
            while !done.load(Ordering::SeqCst) {
                // Under its lock, as a careful program would.
                let held = fs::OpenOptions::new().write(true).open(&head).unwrap();
                held.lock().unwrap();
                fs::copy(&head, &copy).unwrap();
                fs::rename(&copy, &head).unwrap();
                drop(held);
                std::thread::sleep(std::time::Duration::from_millis(3));
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        done.store(true, Ordering::SeqCst);
    });
    assert!(refused.into_inner() > 0);
    home.verify().unwrap();
}
