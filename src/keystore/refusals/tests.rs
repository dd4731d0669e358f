mod again;
mod devices;
mod doubts;
mod homes;
mod turns;
mod unclear;

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

use super::notes::Notes;
use super::*;
use crate::error::{KeystoreError, Pkcs11Error};
use crate::file::read_credential;
use crate::secret::{NotNoted, WithoutNote};

fn wrong() -> Error {
    Pkcs11Error::WrongPin { token: "t".into(), final_try: false, count_low: true, lockout: None }
        .into()
}

fn token() -> TriedDevice {
    TriedDevice::new("token", PinOwner::Token)
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
        // Less work than a passphrase has.
        let age = crate::config::AgeConfig { work_factor: 10, ..Default::default() };
        let store = IdentityStore::new(home).with_age_config(age);
        let device = Self { store, source, sent: AtomicUsize::new(0), _dir: dir };
        device.put("wrong");
        device
    }

    fn note(&self) -> PathBuf {
        Notes::of(self.store.home()).path()
    }

    fn put(&self, pin: &str) {
        let _ = fs::remove_file(&self.source);
        file::write(&self.source, pin.as_bytes()).unwrap();
    }

    /// What the device answers is noted by it, and kept from whoever sent the PIN.
    fn attempt_in_silence(&self, answer: &Result<(), Error>) {
        let place = Place::File(self.source.clone());
        let read = || Ok(read_credential(&self.source)?);
        let sent = self.store.try_once(&token(), &place, false, read, |pin| {
            note(&pin, answer);
            match answer {
                Ok(()) => Err(crate::error::DeviceError::NoPkcs11.into()),
                Err(_) => Ok(()),
            }
        });
        assert_eq!(sent.is_ok(), answer.is_err());
    }

    fn attempt(&self, again: bool, answer: Result<(), Error>) -> Result<(), Error> {
        self.attempt_at(&self.source, again, answer)
    }

    fn attempt_at(
        &self,
        source: &Path,
        again: bool,
        answer: Result<(), Error>,
    ) -> Result<(), Error> {
        let place = Place::File(source.to_owned());
        let read = || Ok(read_credential(source)?);
        self.store.try_once(&token(), &place, again, read, |pin| {
            self.sent.fetch_add(1, Ordering::SeqCst);
            // Long enough for others to come in between, if they could.
            std::thread::sleep(std::time::Duration::from_millis(30));
            note(&pin, &answer);
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
        Ok(()) => pin.answer().sending(WithoutNote::MayNot).unwrap().accepted(),
        Err(error) if error.is_wrong_pin() => {
            pin.answer().sending(WithoutNote::MayNot).unwrap().refused()
        }
        Err(_) => pin.answer().sending(WithoutNote::MayNot).unwrap().not_sent(),
    }
}

fn refused_before(result: &Result<(), Error>) -> bool {
    matches!(
        result,
        Err(Error::Keystore(
            KeystoreError::RefusedBefore { .. } | KeystoreError::RefusedByNamesake { .. }
        ))
    )
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
    fs::create_dir(device.note()).unwrap();
    let unreadable = device.attempt(false, Err(wrong())).unwrap_err();
    assert!(matches!(unreadable, Error::Keystore(_)) && device.sent() == 0, "{unreadable}");
    fs::remove_dir(device.note()).unwrap();
    // Or has it by the time that the device has answered.
    let place = Place::File(device.source.clone());
    let read = || Ok(read_credential(&device.source)?);
    let sent = device.store.try_once(&token(), &place, false, read, |pin| {
        device.sent.fetch_add(1, Ordering::SeqCst);
        fs::create_dir(device.note()).unwrap();
        pin.answer().refused();
        Err::<(), _>(wrong())
    });
    assert!(sent.unwrap_err().is_wrong_pin());
    fs::remove_dir(device.note()).unwrap();
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
    let sent = device.store.try_once(&token(), &place, false, read, |pin| {
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
        .try_once(&token(), &place, false, read, |pin| Ok(pin.text().unwrap().to_owned()));
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

/// What is compared is the PIN.
#[test]
fn a_refused_pin_is_known_again_wherever_it_comes_from() {
    let device = Device::new();
    let beside = |name: &str| device.source.with_file_name(name);
    device.attempt(false, Err(wrong())).unwrap_err();
    // Written anew, and as another file.
    device.put("wrong");
    assert!(refused_before(&device.attempt(false, Ok(()))));
    file::write(&device.source, b"wrong\n").unwrap();
    assert!(refused_before(&device.attempt(false, Ok(()))));
    // A copy, a hard link and a symbolic one.
    fs::copy(&device.source, beside("copy")).unwrap();
    fs::hard_link(&device.source, beside("hard")).unwrap();
    std::os::unix::fs::symlink(&device.source, beside("soft")).unwrap();
    for name in ["copy", "hard", "soft"] {
        assert!(refused_before(&device.attempt_at(&beside(name), false, Ok(()))), "{name}");
    }
    // A variable. (A test sets none: only its name and what was read there count.)
    let place = Place::Variable("PIN".to_owned());
    let of_variable = |pin: &'static str| {
        let read = || Ok(LockedText::from(pin));
        device.store.try_once(&token(), &place, false, read, |_| Ok(()))
    };
    assert!(refused_before(&of_variable("wrong")));
    assert_eq!(device.sent(), 1);
    // And another one is another one, though nothing else has changed.
    of_variable("another").unwrap();
    let changed = fs::metadata(&device.source).unwrap().modified().unwrap();
    fs::write(&device.source, "other\n").unwrap();
    fs::File::open(&device.source).unwrap().set_modified(changed).unwrap();
    device.attempt(false, Ok(())).unwrap();
    assert_eq!(device.sent(), 2);
}

/// The kubelet writes a directory of another name, and exchanges the link to it.
fn exchange(volume: &Path, version: &str, pin: &str) {
    let directory = volume.join(version);
    fs::create_dir(&directory).unwrap();
    file::write(&directory.join("pin"), pin.as_bytes()).unwrap();
    std::os::unix::fs::symlink(version, volume.join("..data_tmp")).unwrap();
    fs::rename(volume.join("..data_tmp"), volume.join("..data")).unwrap();
}

#[test]
fn a_secret_of_kubernetes_is_the_same_until_another_pin_is_in_it() {
    let device = Device::new();
    let volume = device.source.with_file_name("volume");
    fs::create_dir(&volume).unwrap();
    exchange(&volume, "..2024_01", "wrong");
    std::os::unix::fs::symlink("..data/pin", volume.join("pin")).unwrap();
    let attempt = |answer| device.attempt_at(&volume.join("pin"), false, answer);
    attempt(Err(wrong())).unwrap_err();
    exchange(&volume, "..2024_02", "wrong");
    assert!(refused_before(&attempt(Ok(()))));
    assert_eq!(device.sent(), 1);
    exchange(&volume, "..2024_03", "right");
    attempt(Ok(())).unwrap();
    // What is in doubt has no tag, and is in doubt by its group.
    let (place, read) = (Place::File(volume.join("pin")), || Ok("right".into()));
    let lost = device.store.try_once(&token(), &place, false, read, |pin| {
        drop(pin.answer().sending(WithoutNote::MayNot));
        Err::<(), Error>(wrong())
    });
    lost.unwrap_err();
    exchange(&volume, "..2024_04", "right");
    assert!(in_doubt(&attempt(Ok(()))));
}

#[test]
fn a_pin_in_doubt_may_be_right_and_three_bits_of_it_are_noted() {
    let device = Device::new();
    let noted = || {
        let noted: serde_json::Value =
            serde_json::from_slice(&fs::read(device.note()).unwrap()).unwrap();
        noted["refused"][0].clone()
    };
    let (place, read) = (Place::File(device.source.clone()), || Ok("wrong".into()));
    let sent = device.store.try_once(&token(), &place, false, read, |pin| {
        let sending = pin.answer().sending(WithoutNote::MayNot).unwrap();
        for _ in 0..2 {
            let fields: Vec<_> = noted().as_object().unwrap().keys().cloned().collect();
            assert_eq!(fields, ["at", "group", "id", "in_doubt", "mark", "token"]);
            assert!(noted()["group"].as_u64().unwrap() < 8);
        }
        sending.in_doubt();
        assert_eq!(noted().get("pin"), None);
        Err::<(), Error>(wrong())
    });
    sent.unwrap_err();
    device.attempt(true, Err(wrong())).unwrap_err();
    // The work, 16 bytes of salt, and two of the PIN's hash.
    assert_eq!(noted()["pin"].as_str().unwrap().len(), 3 + 32 + 1 + 4);
    assert_eq!(noted().get("group"), None);
    // As earlier versions have noted it.
    let mut old = noted();
    old.as_object_mut()
        .unwrap()
        .retain(|name, _| ["token", "mark", "at", "pin"].contains(&&**name));
    file::write(&device.note(), serde_json::json!([old]).to_string().as_bytes()).unwrap();
    forget_here(&device);
    assert!(refused_before(&device.attempt(false, Ok(()))));
    device.put("right");
    device.attempt(false, Ok(())).unwrap();
    assert!(!device.note().exists());
}

/// As the next process, which remembers nothing.
fn forget_here(device: &Device) {
    let state = device.store.state.clone().unwrap_or_default();
    let below = fs::read_dir(state).into_iter().flatten().map(|entry| entry.unwrap().path());
    let all: Vec<_> = below.chain([device.store.home().to_owned()]).collect();
    let all: Vec<_> = all.iter().map(|it| fs::canonicalize(it).unwrap()).collect();
    one::forget(&all, |_| true);
}

/// Something else has the name of what the note is written under.
fn cannot_be_noted(device: &Device) {
    fs::create_dir(device.store.home().join(".refused.lock")).unwrap();
}

#[test]
fn what_cannot_be_noted_is_not_sent_unless_the_device_keeps_count_or_an_operator_insists() {
    let device = Device::new();
    cannot_be_noted(&device);
    let (place, read) = (Place::File(device.source.clone()), || Ok("pin".into()));
    let sent = |without_note, again| {
        device.store.try_once(&token(), &place, again, read, |pin| {
            let NotNoted { source, .. } = match pin.answer().sending(without_note) {
                Ok(sending) => {
                    sending.accepted();
                    return Ok(true);
                }
                Err(not_noted) => not_noted,
            };
            assert!(source.downcast_ref::<KeystoreError>().is_some(), "{source}");
            Ok(false)
        })
    };
    assert!(!sent(WithoutNote::MayNot, false).unwrap());
    assert!(sent(WithoutNote::DeviceCounts, false).unwrap());
    assert!(sent(WithoutNote::MayBeSent, false).unwrap());
    assert!(sent(WithoutNote::MayNot, true).unwrap());
    fs::remove_dir(device.store.home().join(".refused.lock")).unwrap();
    assert!(sent(WithoutNote::MayNot, false).unwrap());
}

#[test]
fn what_the_device_says_counts_and_not_what_is_made_of_it() {
    let device = Device::new();
    device.attempt_in_silence(&Err(wrong()));
    assert!(refused_before(&device.attempt(false, Ok(()))));
    device.put("right");
    device.attempt_in_silence(&Ok(()));
    assert!(!device.note().exists());
}

fn in_doubt(result: &Result<(), Error>) -> bool {
    matches!(result, Err(Error::Keystore(KeystoreError::PinInDoubt { .. })))
}

/// A process that is killed says nothing more: what it wrote before is what is left.
#[test]
fn a_pin_that_was_being_tried_when_its_process_was_killed_is_in_doubt() {
    let device = Device::new();
    let (place, read) = (Place::File(device.source.clone()), || Ok("wrong".into()));
    let killed = device.store.try_once(&token(), &place, false, read, |pin| {
        let noted = fs::read_to_string(device.note());
        assert!(noted.is_err(), "nothing was sent yet");
        let sending = pin.answer().sending(WithoutNote::MayNot).unwrap();
        // As the kill leaves it.
        let left = fs::read(device.note()).unwrap();
        sending.accepted();
        assert!(!device.note().exists());
        Ok(left)
    });
    file::write(&device.note(), &killed.unwrap()).unwrap();
    let refused = device.attempt(false, Ok(()));
    assert!(in_doubt(&refused) && device.sent() == 0, "{refused:?}");
    let error = refused.unwrap_err();
    assert!(error.is_wrong_credential() && !error.is_wrong_pin() && !error.is_transient());
    assert!(in_doubt(&device.store.check_source(&token(), &place, &"wrong".into()).map(drop)));
    // What is sent again and not looked at is as much in doubt as before.
    let locked = || Pkcs11Error::PinLocked { token: "t".into(), of_tpm: false };
    let place = Place::File(device.source.clone());
    let again = device.store.try_once(&token(), &place, true, read, |pin| {
        pin.answer().sending(WithoutNote::MayNot).unwrap().not_sent();
        Err::<(), Error>(locked().into())
    });
    assert!(again.is_err() && in_doubt(&device.attempt(false, Ok(()))));
    device.attempt(true, Ok(())).unwrap();
    device.attempt(false, Ok(())).unwrap();
    assert!(!device.note().exists());
}

#[test]
fn a_pin_without_a_clear_answer_is_in_doubt_until_another_one_is_accepted() {
    let device = Device::new();
    let place = Place::File(device.source.clone());
    let read = || Ok(read_credential(&device.source)?);
    for _ in 0..2 {
        let sent = device.store.try_once(&token(), &place, true, read, |pin| {
            pin.answer().sending(WithoutNote::MayNot).unwrap().in_doubt();
            Err::<(), Error>(crate::error::DeviceError::NoPkcs11.into())
        });
        assert!(!sent.unwrap_err().is_wrong_credential());
        assert!(in_doubt(&device.attempt(false, Ok(()))));
    }
    device.put("wrong");
    assert!(in_doubt(&device.attempt(false, Ok(()))), "the same one, written anew");
    device.put("another one");
    device.attempt(false, Ok(())).unwrap();
    device.put("wrong");
    device.attempt(false, Ok(())).unwrap();
}

/// A token that was pulled out and put back, with another PIN, refuses the one that the
/// service still has.
#[test]
fn a_pin_that_is_refused_long_after_it_was_accepted_is_noted_for_the_next_process() {
    let device = Device::new();
    let place = Place::File(device.source.clone());
    let read = || Ok(read_credential(&device.source)?);
    let kept = device.store.try_once(&token(), &place, false, read, |pin| {
        pin.answer().sending(WithoutNote::MayNot).unwrap().accepted();
        Ok(pin)
    });
    let kept = kept.unwrap();
    assert!(!device.note().exists());
    // Nobody is kept waiting, neither for the files nor for another try.
    let _opened = device.store.lock().unwrap();
    let _trying = OneTry::begin(&device.store, &token()).unwrap();
    let begun = std::time::Instant::now();
    kept.clone().answer().sending(WithoutNote::MayNot).unwrap().refused();
    assert!(begun.elapsed() < std::time::Duration::from_secs(5));
    drop(_trying);
    assert!(fs::read_to_string(device.note()).unwrap().contains("/pin"));
    assert!(refused_before(&device.attempt(false, Ok(()))));
    assert_eq!(device.sent(), 0);
}

/// Others may open what is open already.
#[test]
fn who_waits_for_a_try_goes_on_as_soon_as_the_device_has_accepted_it() {
    let device = Device::new();
    let place = Place::File(device.source.clone());
    let read = || Ok(read_credential(&device.source)?);
    let sent = device.store.try_once(&token(), &place, false, read, |pin| {
        pin.answer().sending(WithoutNote::MayNot).unwrap().accepted();
        std::thread::scope(|scope| scope.spawn(|| device.attempt(false, Ok(()))).join().unwrap())
    });
    sent.unwrap();
    assert_eq!(device.sent(), 1);
}

/// A person who types a PIN is not kept from typing another, but one is sent at a time.
#[test]
fn given_pins_are_sent_one_after_the_other_and_not_noted() {
    let device = Device::new();
    let sending = AtomicUsize::new(0);
    let given = || {
        let credentials = Credentials::pin(Pin::new("typed"));
        device.store.try_given(&token(), credentials, false, |credentials| {
            assert_eq!(sending.fetch_add(1, Ordering::SeqCst), 0, "two at a time");
            std::thread::sleep(std::time::Duration::from_millis(10));
            let sent = credentials.pin_for(crate::backend::BackendKind::Pkcs11)?;
            sending.fetch_sub(1, Ordering::SeqCst);
            sent.answer().sending(WithoutNote::MayNot).unwrap().refused();
            Err::<(), Error>(wrong())
        })
    };
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| assert!(given().unwrap_err().is_wrong_pin()));
        }
    });
    assert!(!device.note().exists());
    // One that is accepted shows that there is nothing wrong with the device.
    device.attempt(false, Err(wrong())).unwrap_err();
    let credentials = Credentials::pin(Pin::new("typed"));
    let accepted = device.store.try_given(&token(), credentials, false, |credentials| {
        let pin = credentials.pin_for(crate::backend::BackendKind::Pkcs11)?;
        pin.answer().sending(WithoutNote::MayNot).unwrap().accepted();
        Ok(())
    });
    accepted.unwrap();
    assert!(!device.note().exists());
    device.attempt(false, Ok(())).unwrap();
}

/// A service has the token open, and others give the right PIN, which is compared: the
/// token does not begin to count anew.
#[test]
fn a_pin_that_was_not_sent_has_nothing_forgotten_but_what_was_noted_of_it() {
    let device = Device::new();
    device.attempt(false, Err(wrong())).unwrap_err();
    let other = device.source.with_file_name("other");
    file::write(&other, b"right").unwrap();
    let (place, read) = (Place::File(other.clone()), || Ok("right".into()));
    for answer in [
        |pin: Pin| drop(pin.answer().sending(WithoutNote::MayNot)),
        |pin: Pin| {
            pin.answer().compared();
        },
    ] {
        let tried = device.store.try_once(&token(), &place, true, read, |pin| {
            answer(pin);
            Ok(())
        });
        tried.unwrap();
    }
    assert!(refused_before(&device.attempt(false, Ok(()))));
    device.attempt_at(&other, false, Ok(())).unwrap();
    assert_eq!(device.sent(), 2);
    device.attempt(false, Err(wrong())).unwrap_err();
}

/// As a handover that is prepared does, which goes on after the PIN was accepted.
#[test]
fn what_is_noted_is_forgotten_while_the_files_are_locked() {
    let device = Device::new();
    device.attempt(false, Err(wrong())).unwrap_err();
    assert!(device.note().exists());
    device.put("the right one");
    let _opened = device.store.lock().unwrap();
    device.attempt(false, Ok(())).unwrap();
    assert!(!device.note().exists());
    device.attempt(false, Err(wrong())).unwrap_err();
    assert!(device.note().exists());
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
