//! Random interleavings: threads with several backends and keys, wrong PINs,
//! PINs that are changed, losses, answers that say nothing and flags that cannot be read.
//! The module counts what it is sent: a PIN that it refused once, the last try never; and
//! the right PIN is taken in the end. Those of processes are in [`crate::processes`];
//! `ICN_TEST_INTERLEAVINGS` says how many are run ([`interleavings`]).

use std::collections::BTreeMap;
use std::num::NonZeroU16;
use std::sync::{Arc, Mutex};

use icn_identity::backend::Pkcs11Locator;
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::error::{DeviceError, OpenError, Pkcs11Error};
use icn_identity::{Did, DidKey, DidSigner as _, Error, Pin};
use support::interleavings::{self, Dice};
use support::softhsm::{SoftHsm, alone_with};

use crate::{TOKEN, did_at, faulty, faulty_config, find};

/// In one process; see [`interleavings`].
const PART: u64 = 125;

const SESSIONS: NonZeroU16 = NonZeroU16::new(2).unwrap();

/// How a wrong PIN is answered. The last ones say nothing: the flags do.
const ANSWERS: [&str; 5] = [
    "CKR_PIN_INCORRECT",
    "CKR_PIN_INCORRECT",
    "CKR_PIN_LEN_RANGE",
    "CKR_FUNCTION_FAILED",
    "0x80000042",
];

/// What happens to the token, until something else does.
const LOSSES: [&str; 8] = [
    "on C_SignInit 1 kill-all",
    "on C_SignInit 1 logout",
    "on C_Sign 1 kill-session",
    "on C_GetSessionInfo 1 kill-all",
    "on C_SignInit 1 return CKR_DEVICE_ERROR",
    "on C_Sign 1 sleep 4",
    "on C_Login 1 return CKR_DEVICE_REMOVED",
    "on C_Login 1 sleep 4",
];

/// What a module does that says nothing of a PIN which it has looked at; and flags that
/// cannot be read. Not both: then nobody could know that a PIN was counted.
const SILENCES: [&str; 2] =
    ["on C_Login 1 after CKR_GENERAL_ERROR", "on C_Login 1 after CKR_ARGUMENTS_BAD"];
const UNREADABLE: [&str; 2] = [
    "on C_GetTokenInfo 1..3 return CKR_DEVICE_ERROR",
    "on C_GetTokenInfo 2 return CKR_FUNCTION_FAILED",
];

struct World<'a> {
    hsm: &'a SoftHsm,
    /// Of this interleaving: to the library it is another token than before.
    serial: String,
    answer: &'static str,
    per_session: bool,
    keys: [(Pkcs11Locator, Did); 2],
    now: Mutex<Now>,
    open: Mutex<Vec<Arc<DidKey>>>,
}

struct Now {
    right: String,
    changes: usize,
    fault: &'static str,
}

impl World<'_> {
    fn write(&self, now: &Now) {
        let per_session = if self.per_session { "login-per-session" } else { "" };
        self.hsm.script(&format!(
            "serial {}\npin-is {}\ntries 3\nwrong-pin {}\n{per_session}\n{}",
            self.serial, now.right, self.answer, now.fault
        ));
    }

    fn fault(&self, fault: &'static str) {
        let mut now = self.now.lock().unwrap();
        now.fault = fault;
        self.write(&now);
    }

    fn right(&self) -> String {
        self.now.lock().unwrap().right.clone()
    }

    fn change_pin(&self) {
        let mut now = self.now.lock().unwrap();
        now.changes += 1;
        now.right = format!("right-{}-{}", self.serial, now.changes);
        self.write(&now);
    }

    /// As the security officer does it.
    fn reset(&self) {
        let _ = std::fs::remove_file(self.hsm.path("tries"));
    }

    /// Opens a key by a backend of its own.
    fn open(&self, key: usize, pin: &str) -> Result<Arc<DidKey>, Error> {
        let config = faulty_config(self.hsm).with_sessions(SESSIONS);
        let backend = Pkcs11Backend::open(&config)?;
        let (locator, did) = &self.keys[key];
        Ok(Arc::new(find(&backend, locator, did)?.unseal(&Pin::new(pin))?))
    }

    fn act(&self, random: &mut Dice) {
        match random.below(12) {
            0..=2 => {
                if let Ok(key) = self.open(random.below(2), &self.right()) {
                    self.open.lock().unwrap().push(key);
                }
            }
            3 => {
                let guess = format!("guess-{}-{}", self.serial, random.below(2));
                assert!(self.open(random.below(2), &guess).is_err(), "{guess} was taken");
            }
            4..=7 => {
                let key = {
                    let open = self.open.lock().unwrap();
                    (!open.is_empty()).then(|| Arc::clone(&open[random.below(open.len())]))
                };
                if let Some(key) = key
                    && let Ok(signature) = key.sign(b"hello")
                {
                    key.verifying_key().verify(b"hello", &signature).unwrap();
                }
            }
            8 => {
                let mut open = self.open.lock().unwrap();
                if !open.is_empty() {
                    let at = random.below(open.len());
                    open.swap_remove(at);
                }
            }
            9 if random.below(3) == 0 => self.change_pin(),
            // Where only the count tells of a wrong PIN, nobody else sets it back meanwhile.
            9 if self.answer.starts_with("CKR_PIN") => self.reset(),
            9 => {}
            10 if random.below(3) == 0 => {
                let readable = self.answer.starts_with("CKR_PIN");
                self.fault(random.of(if readable { &UNREADABLE } else { &SILENCES }));
            }
            _ => self.fault(random.of(&LOSSES)),
        }
    }

    /// What holds in the end, when nothing is lost any more.
    fn end(&self, seen: &mut Seen) {
        self.fault("");
        self.reset();
        let open = self.open.lock().unwrap().clone();
        for key in &open {
            // By this a key that wants its PIN each time finds out that it was changed.
            let _ = key.sign(b"hello");
        }
        let always_only = !open.is_empty() && open.iter().all(|key| key.did() == &self.keys[1].1);
        let again = match self.open(0, &self.right()) {
            Ok(again) => again,
            // The login lasts by another PIN, which was changed under it.
            Err(Error::Open(OpenError::Device(DeviceError::Pkcs11(Pkcs11Error::PinDiffers {
                ..
            })))) => {
                seen.differed += 1;
                assert!(!always_only || !self.answer.starts_with("CKR_PIN"));
                self.open.lock().unwrap().clear();
                drop(open);
                let again = self.open(0, &self.right());
                let again =
                    again.unwrap_or_else(|error| panic!("the right PIN is lost: {error:?}"));
                again.sign(b"hello").unwrap();
                return;
            }
            Err(error) => panic!("the right PIN is lost: {error:?}"),
        };
        again.sign(b"hello").unwrap();
        for key in &open {
            key.sign(b"hello").unwrap_or_else(|error| panic!("a key is lost: {error:?}"));
        }
        seen.went_on += open.len();
    }
}

/// That the interleavings were worth their name.
#[derive(Default, Debug)]
struct Seen {
    went_on: usize,
    differed: usize,
    wrong: usize,
    right: usize,
}

impl Seen {
    /// What the module was sent in one interleaving.
    fn judge(&mut self, sent: &[&str], serial: &str) {
        let mut wrong = BTreeMap::<&str, usize>::new();
        for line in sent {
            let [of, pin, left, right] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            assert_eq!(of, serial);
            assert!(left.parse::<i64>().unwrap() > 1, "{pin} was sent on the last try");
            match right {
                "true" => self.right += 1,
                _ => *wrong.entry(pin).or_default() += 1,
            }
        }
        for (pin, times) in wrong {
            self.wrong += 1;
            assert_eq!(times, 1, "{pin} was refused and sent again: {sent:#?}");
        }
    }
}

fn interleave(hsm: &SoftHsm, seed: u64, keys: &[(Pkcs11Locator, Did); 2], seen: &mut Seen) {
    let mut random = Dice(seed);
    let serial = format!("{seed:016x}");
    let keys = keys.clone().map(|(mut locator, did)| {
        locator.serial.clone_from(&serial);
        (locator, did)
    });
    let right = format!("right-{serial}-0");
    let world = World {
        hsm,
        answer: random.of(&ANSWERS),
        per_session: random.below(4) == 0,
        keys,
        now: Mutex::new(Now { right, changes: 0, fault: "" }),
        open: Mutex::default(),
        serial,
    };
    world.reset();
    world.fault("");
    let path = hsm.path("pins");
    let _ = std::fs::remove_file(&path);
    std::thread::scope(|scope| {
        for _ in 0..2 + random.below(3) {
            let mut random = random.fork();
            let world = &world;
            scope.spawn(move || {
                for _ in 0..2 + random.below(4) {
                    world.act(&mut random);
                }
            });
        }
    });
    world.end(seen);
    seen.judge(&std::fs::read_to_string(path).unwrap().lines().collect::<Vec<_>>(), &world.serial);
}

#[test]
fn of_random_interleavings_none_sends_a_refused_pin_twice_or_the_last_try_or_loses_the_right_one() {
    let work = |hsm: &SoftHsm| {
        let keys = keys_of_all(hsm);
        let mut seen = Seen::default();
        let (seeds, whole) = interleavings::these(PART);
        for seed in seeds {
            eprintln!("seed {seed}");
            interleave(hsm, seed, &keys, &mut seen);
        }
        eprintln!("{seen:?}");
        if whole {
            assert!(seen.wrong > 40 && seen.right > 125 && seen.went_on > 40, "{seen:?}");
        }
    };
    interleavings::run(PART, |variables| alone_with(variables, work));
}

/// One key that wants its PIN once, and one that wants it each time.
fn keys_of_all(hsm: &SoftHsm) -> [(Pkcs11Locator, Did); 2] {
    hsm.token(TOKEN);
    hsm.born(TOKEN, "plain", "0a", false);
    hsm.born(TOKEN, "always", "0b", true);
    hsm.script("");
    let backend = faulty(hsm);
    ["plain", "always"].map(|label| {
        let locator = backend.find_by_label(label).unwrap();
        let did = did_at(&backend, &locator);
        (locator, did)
    })
}
