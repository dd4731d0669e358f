//! Notes of refused PINs, by threads and processes in many orders of their steps
//! ([`crate::sync::orders`]). A process is a part of what this one remembers: its threads meet
//! those of the other one in the files alone.

mod excluded;
mod once;

use std::fs;
use std::path::PathBuf;

use super::device::{PinOwner, TriedDevice};
use super::source::Place;
use crate::config::AgeConfig;
use crate::error::{Error, KeystoreError, Pkcs11Error};
use crate::file;
use crate::keystore::IdentityStore;
use crate::secret::{Pin, WithoutNote};
use crate::sync::orders::in_many_orders;
use crate::sync::{Arc, step};

/// A device that refuses every PIN but one, and two homes that share what they note of it.
struct World {
    dir: tempfile::TempDir,
    device: TriedDevice,
    /// What was sent.
    sent: std::sync::Mutex<Vec<String>>,
    /// The PIN that is right.
    right: std::sync::Mutex<&'static str>,
}

/// Runs a test in many orders, in a process of its own.
fn with_device<F: Fn(&World) + Send + Sync + 'static>(owner: PinOwner, test: F) {
    support::alone::alone_as::<F>(move || in_many_orders(move || test(&World::new(owner))));
}

impl World {
    fn new(owner: PinOwner) -> Self {
        // In memory: nothing waits for a disk.
        let dir = tempfile::tempdir_in("/dev/shm").unwrap();
        for name in ["state", "home-0", "home-1"] {
            file::private_dir(&dir.path().join(name)).unwrap();
        }
        let device = TriedDevice::new("device", owner).with_salt(Some(b"one"));
        Self { dir, device, sent: Default::default(), right: "right".into() }
    }

    fn home(&self, number: usize) -> PathBuf {
        self.dir.path().join(format!("home-{number}"))
    }

    fn store(&self, home: usize) -> IdentityStore {
        // Less work than a passphrase has.
        let age = AgeConfig { work_factor: 10, ..Default::default() };
        let state = self.dir.path().join("state");
        IdentityStore::new(self.home(home)).with_age_config(age).with_state_directory(Some(state))
    }

    /// What the device answers, and notes where it came from.
    fn send(&self, pin: &Pin) -> Result<(), Error> {
        let sending = pin.answer().sending(WithoutNote::MayNot).unwrap();
        step();
        let text = pin.text().unwrap().to_owned();
        let is_right = text == *self.right.lock().unwrap();
        self.sent.lock().unwrap().push(text);
        step();
        if is_right {
            sending.accepted();
            return Ok(());
        }
        sending.refused();
        Err(wrong())
    }

    /// Tries a PIN that is kept in a variable of its name.
    fn attempt(&self, home: usize, pin: &'static str) -> Result<Pin, Error> {
        let place = Place::Variable(pin.to_owned());
        self.store(home).try_once(
            &self.device,
            &place,
            false,
            || Ok(pin.into()),
            |given| self.send(&given).map(|()| given),
        )
    }

    fn count(&self, pin: &str) -> usize {
        self.sent.lock().unwrap().iter().filter(|sent| *sent == pin).count()
    }

    /// What says that it was refused, in all files.
    fn noted(&self) -> usize {
        let directories = fs::read_dir(self.dir.path().join("state")).unwrap();
        let directories = directories.map(|entry| entry.unwrap().path());
        let of = |directory: PathBuf| super::notes::Notes::of(&directory).read().unwrap().refused;
        let all = directories.chain([self.home(0), self.home(1)]).flat_map(of);
        all.filter(|noted| !noted.in_doubt).count()
    }
}

fn wrong() -> Error {
    Pkcs11Error::WrongPin { token: "t".into(), final_try: false, count_low: true, lockout: None }
        .into()
}

fn is_refused_before(error: &Error) -> bool {
    matches!(
        error,
        Error::Keystore(
            KeystoreError::RefusedBefore { .. } | KeystoreError::RefusedByNamesake { .. }
        )
    )
}
