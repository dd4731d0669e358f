use std::sync::atomic::{AtomicUsize, Ordering};

use super::*;
use crate::error::Pkcs11Error;
use crate::file::read_credential;

fn wrong() -> Error {
    Pkcs11Error::WrongPin { token: "t".into(), final_try: false, count_low: true }.into()
}

struct Device {
    store: IdentityStore,
    source: PathBuf,
    sent: AtomicUsize,
    _dir: tempfile::TempDir,
}

impl Device {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let source = dir.path().join("pin");
        let home = dir.path().join("home");
        file::private_dir(&home).unwrap();
        let device =
            Self { store: IdentityStore::new(home), source, sent: AtomicUsize::new(0), _dir: dir };
        device.put("wrong");
        device
    }

    fn put(&self, pin: &str) {
        let _ = fs::remove_file(&self.source);
        file::write(&self.source, pin.as_bytes()).unwrap();
    }

    /// What the device answers is noted by it, and kept from whoever sent the PIN.
    fn attempt_in_silence(&self, answer: &Result<(), Error>) {
        let place = Place::File(self.source.clone());
        let read = || Ok(read_credential(&self.source)?);
        let sent = self.store.try_once("token", &place, false, read, |pin| {
            note(&pin, answer);
            match answer {
                Ok(()) => Err(crate::error::DeviceError::NoPkcs11.into()),
                Err(_) => Ok(()),
            }
        });
        assert_eq!(sent.is_ok(), answer.is_err());
    }

    fn attempt(&self, again: bool, answer: Result<(), Error>) -> Result<(), Error> {
        let place = Place::File(self.source.clone());
        let read = || Ok(read_credential(&self.source)?);
        self.store.try_once("token", &place, again, read, |pin| {
            note(&pin, &answer);
            self.sent.fetch_add(1, Ordering::SeqCst);
            // Long enough for others to come in between, if they could.
            std::thread::sleep(std::time::Duration::from_millis(30));
            answer
        })
    }

    fn sent(&self) -> usize {
        self.sent.load(Ordering::SeqCst)
    }
}

/// As a backend does.
fn note(pin: &Pin, answer: &Result<(), Error>) {
    match answer {
        Ok(()) => pin.answer().accepted(),
        Err(error) if error.is_wrong_pin() => pin.answer().refused(),
        Err(_) => {}
    }
}

fn refused_before(result: &Result<(), Error>) -> bool {
    matches!(result, Err(Error::Keystore(KeystoreError::RefusedBefore { .. })))
}

#[test]
fn of_many_threads_one_sends_a_wrong_pin() {
    let device = Device::new();
    let results: Vec<_> = std::thread::scope(|scope| {
        let threads: Vec<_> =
            (0..8).map(|_| scope.spawn(|| device.attempt(false, Err(wrong())))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert_eq!(device.sent(), 1);
    assert_eq!(results.iter().filter(|result| refused_before(result)).count(), 7);
}

#[test]
fn what_cannot_be_noted_is_remembered_by_this_process() {
    let device = Device::new();
    // No file takes the note: something else has its name.
    fs::create_dir(device.store.refusals_path()).unwrap();
    let unreadable = device.attempt(false, Err(wrong())).unwrap_err();
    assert!(matches!(unreadable, Error::Keystore(_)) && device.sent() == 0, "{unreadable}");
    fs::remove_dir(device.store.refusals_path()).unwrap();
    // Or has it by the time that the device has answered.
    let place = Place::File(device.source.clone());
    let read = || Ok(read_credential(&device.source)?);
    let sent = device.store.try_once("token", &place, false, read, |pin| {
        device.sent.fetch_add(1, Ordering::SeqCst);
        fs::create_dir(device.store.refusals_path()).unwrap();
        pin.answer().refused();
        Err::<(), _>(wrong())
    });
    assert!(sent.unwrap_err().is_wrong_pin());
    fs::remove_dir(device.store.refusals_path()).unwrap();
    assert!(refused_before(&device.attempt(false, Ok(()))));
    assert_eq!(device.sent(), 1);
    // Another file is tried, and a right PIN has all forgotten.
    device.put("right, now");
    device.attempt(false, Ok(())).unwrap();
    device.attempt(false, Ok(())).unwrap();
    assert_eq!(device.sent(), 3);
}

#[test]
fn an_operator_can_have_a_refused_source_tried_again_once() {
    let device = Device::new();
    assert!(device.attempt(false, Err(wrong())).is_err());
    assert!(refused_before(&device.attempt(false, Ok(()))));
    assert!(device.attempt(true, Err(wrong())).unwrap_err().is_wrong_pin());
    assert!(refused_before(&device.attempt(false, Ok(()))));
    device.attempt(true, Ok(())).unwrap();
    device.attempt(false, Ok(())).unwrap();
}

/// The operator puts the right PIN there while the wrong one is being sent.
#[test]
fn what_is_noted_is_the_version_that_was_sent() {
    let device = Device::new();
    let place = Place::File(device.source.clone());
    let read = || Ok(read_credential(&device.source)?);
    let sent = device.store.try_once("token", &place, false, read, |pin| {
        note(&pin, &Err(wrong()));
        device.put("the right one");
        Err::<(), _>(wrong())
    });
    assert!(sent.unwrap_err().is_wrong_pin());
    device.attempt(false, Ok(())).unwrap();
    // And while it is being read.
    device.put("a wrong one");
    let put = AtomicUsize::new(0);
    let read = || {
        let pin = read_credential(&device.source)?;
        if put.fetch_add(1, Ordering::SeqCst) == 0 {
            device.put("the right one again");
        }
        Ok(pin)
    };
    let sent = device
        .store
        .try_once("token", &place, false, read, |pin| Ok(pin.text().unwrap().to_owned()));
    assert_eq!(sent.unwrap(), "the right one again");
}

#[test]
fn an_error_that_is_not_the_pins_leaves_the_source_good() {
    let device = Device::new();
    let absent = crate::error::DeviceError::NoPkcs11;
    assert!(device.attempt(false, Err(absent.into())).is_err());
    device.attempt(false, Ok(())).unwrap();
}

#[test]
fn a_file_that_was_linked_or_had_its_mode_changed_is_the_same() {
    use std::os::unix::fs::PermissionsExt as _;
    let device = Device::new();
    device.attempt(false, Err(wrong())).unwrap_err();
    fs::hard_link(&device.source, device.source.with_extension("link")).unwrap();
    assert!(refused_before(&device.attempt(false, Ok(()))));
    fs::set_permissions(&device.source, fs::Permissions::from_mode(0o400)).unwrap();
    assert!(refused_before(&device.attempt(false, Ok(()))));
    assert_eq!(device.sent(), 1);
    device.put("the right one");
    device.attempt(false, Ok(())).unwrap();
}

#[test]
fn what_the_device_says_counts_and_not_what_is_made_of_it() {
    let device = Device::new();
    device.attempt_in_silence(&Err(wrong()));
    assert!(refused_before(&device.attempt(false, Ok(()))));
    device.put("right");
    device.attempt_in_silence(&Ok(()));
    assert!(!device.store.refusals_path().exists());
    // One key of a device may refuse what the device has accepted.
    let (pin, answer) = Pin::new("1").watched();
    pin.clone().answer().accepted();
    assert!(answer.was_accepted());
    pin.answer().refused();
    pin.answer().accepted();
    assert!(answer.was_refused() && !answer.was_accepted());
    assert_eq!(format!("{pin:?}"), "Pin { .. }");
}

/// As a handover that is prepared does, which goes on after the PIN was accepted.
#[test]
fn what_is_noted_is_forgotten_while_the_files_are_locked() {
    let device = Device::new();
    device.attempt(false, Err(wrong())).unwrap_err();
    assert!(device.store.refusals_path().exists());
    device.put("the right one");
    let _opened = device.store.lock().unwrap();
    device.attempt(false, Ok(())).unwrap();
    assert!(!device.store.refusals_path().exists());
    device.attempt(false, Err(wrong())).unwrap_err();
    assert!(device.store.refusals_path().exists());
}

/// Whoever takes the lock of the files may meet a note that is just being written.
#[test]
fn a_note_that_was_not_finished_is_swept_by_the_next_note_and_by_nobody_else() {
    let device = Device::new();
    let left = device.store.home().join(format!(".refused.json.{}", "0".repeat(24)));
    fs::write(&left, "").unwrap();
    drop(device.store.lock().unwrap());
    assert!(left.exists());
    device.attempt(false, Err(wrong())).unwrap_err();
    assert!(!left.exists());
}
