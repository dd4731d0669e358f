//! Random interleavings of threads and processes on two homes of one token: wrong
//! PINs and right ones from files, losses, answers that say nothing, flags that cannot be
//! read, and processes that are killed while they send. The module writes down what it is
//! sent: a refused PIN once (until a right one is taken), the last try never; and the right
//! PIN is never taken for a refused one, and taken in the end. Services with an open identity
//! lose their login after the PIN was changed: of them one sends the old one, too.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use icn_identity::Error;
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::backend::{BackendKind, NewKey};
use icn_identity::config::Config;
use icn_identity::error::{DeviceError, ErrorKind, KeystoreError, Pkcs11Error};
use icn_identity::home::{CredentialSource, HomeOptions};
use support::home::write_private;
use support::interleavings::{self, Dice};
use support::softhsm::{PIN, SoftHsm, alone_with};
use support::workers::{Worker, serve};

use crate::{TOKEN, faulty_config};

/// In one process; see [`interleavings`].
const PART: u64 = 125;
const NAME: &str = "processes::of_random_interleavings_of_processes_none_sends_a_refused_pin_twice";

/// What a process is told first.
const BEGIN: &str = "begin";

/// In each quarter, beside the threads of the process that judges.
const WORKERS: usize = 2;

/// How a wrong PIN is answered. The last one says nothing: the flags do.
const ANSWERS: [&str; 4] =
    ["CKR_PIN_INCORRECT", "CKR_PIN_INCORRECT", "CKR_PIN_LEN_RANGE", "0x80000042"];

/// What happens at the token, once in each process.
const FAULTS: [&str; 6] = [
    LOSS,
    "on C_Login 1 after CKR_GENERAL_ERROR",
    "on C_Login 1 return CKR_DEVICE_REMOVED",
    "on C_Sign 1 kill-all",
    "on C_GetTokenInfo 2 return CKR_FUNCTION_FAILED",
    "on C_SignInit 1 return CKR_DEVICE_ERROR",
];

/// Each process loses its login, and so do services that have opened before.
const LOSS: &str = "on C_SignInit 1 kill-all";

/// What a service is told before the PIN is changed, and after that.
const KEEP: &str = "keep";
const AGAIN: &str = "again";

/// The one that is changed.
const OLD: usize = 9;

/// What came of an attempt.
const OPENED: &str = "opened";
const REFUSED: &str = "refused";
const KNOWN: &str = "known";
const IN_DOUBT: &str = "in doubt";
const LAST_TRY: &str = "last try";
/// The process has the token open with another PIN.
const DIFFERS: &str = "differs";
const OTHER: &str = "other";
const KILLED: &str = "killed";

fn attempt(hsm: &SoftHsm, home: &str, file: &str, insists: bool) -> &'static str {
    let begun = Instant::now();
    loop {
        match attempt_once(hsm, home, file, insists) {
            // SoftHSM2 empties the file of its token while another process logs in, and
            // shows no token or one that cannot be read. Nothing was sent to it.
            Err(Error::Device(DeviceError::Pkcs11(
                Pkcs11Error::NoToken { .. } | Pkcs11Error::OutOfReach { .. },
            ))) if begun.elapsed() < Duration::from_secs(5) => {
                std::thread::sleep(Duration::from_millis(1));
            }
            came => return outcome_of(came),
        }
    }
}

/// While nobody logs in: a module that begins while the token is being written never sees it.
fn begin(hsm: &SoftHsm) {
    let backend = Pkcs11Backend::open(&faulty_config(hsm)).unwrap();
    assert!(backend.shows_a_key().unwrap());
}

fn attempt_once(hsm: &SoftHsm, home: &str, file: &str, insists: bool) -> Result<(), Error> {
    let options = HomeOptions::new().with_state_directory(hsm.path("state"));
    let options = if insists { options.retry_refused() } else { options };
    let opened = options.open(hsm.path(home))?.unlock(CredentialSource::file(hsm.path(file)))?;
    Ok(opened.bundle.sign(b"hello").map(drop)?)
}

/// Signs with the identity that is open from now on.
fn keep(hsm: &SoftHsm, home: &str) -> impl Fn() -> Result<(), Error> + use<> {
    let options = HomeOptions::new().with_state_directory(hsm.path("state"));
    let file = CredentialSource::file(hsm.path("pin-old"));
    let opened = options.open(hsm.path(home)).unwrap().unlock(file).unwrap();
    opened.bundle.sign(b"hello").unwrap();
    move || Ok(opened.bundle.sign(b"hello").map(drop)?)
}

/// What bars a PIN that would be sent again.
fn bars(error: &Error) -> Option<&KeystoreError> {
    match error.device() {
        Some(DeviceError::Pkcs11(Pkcs11Error::PinNotSentAgain { source, .. })) => {
            source.downcast_ref()
        }
        _ => None,
    }
}

fn outcome_of(opened: Result<(), Error>) -> &'static str {
    match opened {
        Ok(()) => OPENED,
        Err(Error::Keystore(KeystoreError::RefusedBefore { .. })) => KNOWN,
        Err(Error::Keystore(KeystoreError::PinInDoubt { .. })) => IN_DOUBT,
        Err(error) if bars(&error).is_some() => match bars(&error).unwrap() {
            KeystoreError::RefusedBefore { .. } => KNOWN,
            KeystoreError::PinInDoubt { .. } => IN_DOUBT,
            _ => panic!("{error:?}"),
        },
        Err(error) if error.is_wrong_pin() => REFUSED,
        Err(error) if error.kind() == ErrorKind::LockedOut => LAST_TRY,
        Err(error) if error.kind() == ErrorKind::WrongCredential => DIFFERS,
        Err(error @ Error::Keystore(_)) => panic!("{error:?}"),
        Err(_) => OTHER,
    }
}

/// A home and a file with the PIN of this number: 0 is right.
#[derive(Debug, Clone)]
struct Step {
    home: &'static str,
    pin: usize,
    file: String,
}

struct Model<'a> {
    hsm: &'a SoftHsm,
    workers: Vec<Worker>,
    seen: BTreeMap<&'static str, usize>,
    /// Another PIN than the refused one has the same tag: one in 65,536.
    by_chance: usize,
}

impl<'a> Model<'a> {
    fn new(hsm: &'a SoftHsm) -> Self {
        hsm.token(TOKEN);
        hsm.script("");
        for (home, label) in [("one", "first"), ("two", "second")] {
            let mut config = Config::default();
            config.identity.backend = BackendKind::Pkcs11;
            config.identity.age.work_factor = 10;
            let mut token = faulty_config(hsm);
            token.key_label = Some(label.to_owned());
            config.identity.pkcs11 = Some(token);
            let mut home = HomeOptions::new().with_config(config).open(hsm.path(home)).unwrap();
            home.create(&NewKey::default(), CredentialSource::given(PIN.to_owned())).unwrap();
        }
        let workers = (0..WORKERS).map(|_| Self::worker()).collect();
        Self { hsm, workers, seen: BTreeMap::new(), by_chance: 0 }
    }

    fn worker() -> Worker {
        let worker = Worker::start(NAME, &[]);
        assert_eq!(worker.ask(BEGIN).as_deref(), Some(BEGIN));
        worker
    }

    fn notes(&self) -> Vec<PathBuf> {
        let shared = fs::read_dir(self.hsm.path("state")).into_iter().flatten();
        let shared = shared.map(|entry| entry.unwrap().path());
        let homes = ["one", "two"].map(|home| self.hsm.path(home));
        shared.chain(homes).map(|directory| directory.join("refused.json")).collect()
    }

    fn reset(&self) {
        let _ = fs::remove_file(self.hsm.path("tries"));
    }

    /// What the module was sent: PIN, tries that were left, whether it is right.
    fn sent(&self) -> Vec<(String, i64, bool)> {
        let lines = fs::read_to_string(self.hsm.path("pins")).unwrap_or_default();
        let parse = |line: &str| {
            let mut words = line.rsplit(' ');
            let right = words.next()? == "true";
            let left = words.next()?.parse().ok()?;
            Some((words.next()?.to_owned(), left, right))
        };
        lines.lines().map(|line| parse(line).unwrap_or_else(|| panic!("{line:?}"))).collect()
    }

    fn pin(seed: u64, number: usize) -> String {
        let kind = if number == 0 { "right" } else { "wrong" };
        format!("{kind}-{seed:x}-{number}")
    }

    fn interleave(&mut self, seed: u64) {
        let mut random = Dice(seed);
        let killing = random.below(6) == 0;
        let fault = if !killing && random.below(3) == 0 { random.of(&FAULTS) } else { "" };
        if fault == LOSS {
            self.open_services(seed, &mut random);
        }
        let script =
            format!("pin-is {}\ntries 3\nwrong-pin {}\n", Self::pin(seed, 0), random.of(&ANSWERS));
        self.hsm.script(&format!("{script}{fault}"));
        self.reset();
        // As an operator does: one of eight PINs is in the group of one that was in doubt.
        for file in self.notes().into_iter().chain([self.hsm.path("pins")]) {
            let _ = fs::remove_file(file);
        }
        for number in 0..3 {
            for copy in 0..3 {
                write_private(
                    &self.hsm.path(&format!("pin-{number}-{copy}")),
                    &Self::pin(seed, number),
                );
            }
        }
        let mut steps = |wrong: bool| -> Vec<Step> {
            let mut step = |wrong: bool| {
                let pin = if wrong { 1 + random.below(2) } else { random.below(3) };
                let file = format!("pin-{pin}-{}", random.below(3));
                Step { home: random.of(&["one", "two"]), pin, file }
            };
            let first = step(wrong);
            let more = step(false);
            if first.pin == more.pin { vec![first] } else { vec![first, more] }
        };
        let threads = [steps(false), steps(false)];
        let mut of_workers: Vec<_> = (0..WORKERS).map(|at| steps(killing && at == 0)).collect();
        if fault == LOSS {
            let again = || Step { home: AGAIN, pin: OLD, file: "pin-old".to_owned() };
            of_workers.iter_mut().for_each(|steps| steps.insert(0, again()));
        }
        let came = self.run(seed, &threads, &of_workers, killing);
        self.hsm.script(&script);
        let disturbed = killing || !fault.is_empty();
        self.judge(seed, &came, disturbed);
        self.end(seed, random.of(&[None, Some(0), Some(1)]), disturbed);
        if killing {
            self.workers[0] = Self::worker();
        }
        for (_, came) in came {
            *self.seen.entry(came).or_default() += 1;
        }
    }

    /// With the PIN that is changed then.
    fn open_services(&self, seed: u64, random: &mut Dice) {
        let old = Self::pin(seed, OLD);
        self.hsm.script(&format!("pin-is {old}\ntries 3\n"));
        self.reset();
        for file in self.notes() {
            let _ = fs::remove_file(file);
        }
        write_private(&self.hsm.path("pin-old"), &old);
        for worker in &self.workers {
            let home = random.of(&["one", "two"]);
            assert_eq!(worker.ask(&format!("{KEEP} {home}")).as_deref(), Some(OPENED));
        }
    }

    fn run(
        &self,
        seed: u64,
        threads: &[Vec<Step>],
        of_workers: &[Vec<Step>],
        killing: bool,
    ) -> Vec<(Step, &'static str)> {
        let begin = Barrier::new(threads.len() + of_workers.len());
        let ended = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let mut running = Vec::new();
            for steps in threads {
                let begin = &begin;
                running.push(scope.spawn(move || {
                    begin.wait();
                    let one = |step: &Step| {
                        (step.clone(), attempt(self.hsm, step.home, &step.file, false))
                    };
                    steps.iter().map(one).collect::<Vec<_>>()
                }));
            }
            for (worker, steps) in self.workers.iter().zip(of_workers) {
                let begin = &begin;
                running.push(scope.spawn(move || {
                    begin.wait();
                    let one = |step: &Step| {
                        let answer = worker.ask(&format!("{} {}", step.home, step.file));
                        (step.clone(), answer.map_or(KILLED, |answer| outcome(&answer)))
                    };
                    steps.iter().map(one).collect()
                }));
            }
            if killing {
                // While it sends a wrong PIN: a kill within a login that succeeds can cost
                // SoftHSM its token.
                let (wrong, ended) = (Self::pin(seed, of_workers[0][0].pin), &ended);
                scope.spawn(move || {
                    while !ended.load(Ordering::SeqCst) {
                        let sent = fs::read_to_string(self.hsm.path("pins")).unwrap_or_default();
                        if sent.contains(&wrong) {
                            return self.workers[0].kill();
                        }
                        std::thread::sleep(Duration::from_micros(200));
                    }
                });
            }
            let came = running.into_iter().flat_map(|one| one.join().unwrap()).collect();
            ended.store(true, Ordering::SeqCst);
            came
        })
    }

    fn judge(&mut self, seed: u64, came: &[(Step, &'static str)], disturbed: bool) {
        let sent = self.sent();
        let read = |file: PathBuf| fs::read_to_string(file).unwrap_or_default();
        let noted: Vec<_> = self.notes().into_iter().map(read).collect();
        let what = || format!("seed {seed}: {came:?}, sent {sent:?}, noted {noted:?}");
        let mut wrong = BTreeMap::<&str, Vec<_>>::new();
        let killed = came.iter().any(|(_, came)| *came == KILLED);
        for (at, (pin, left, right)) in sent.iter().enumerate() {
            assert!(*left > 1, "{pin} was sent on the last try, {}", what());
            if *right {
                // The token has begun to count anew, and what was noted is forgotten.
                wrong.clear();
            } else {
                let before = wrong.entry(pin).or_default();
                // One that a kill has cut off before it was counted: the token shows as many
                // tries to who comes next, whatever that one sends.
                let was_not_counted = |first: usize| sent[first].1 == sent[first + 1].1;
                assert!(
                    before.is_empty()
                        || (killed && before.len() == 1 && was_not_counted(before[0])),
                    "{pin} was sent again, {}",
                    what()
                );
                before.push(at);
            }
        }
        for (step, came) in came {
            match (step.pin, *came) {
                (0, OPENED) | (1.., REFUSED | KNOWN | DIFFERS) => {}
                (0, KNOWN) => self.by_chance += 1,
                (_, LAST_TRY) => {
                    let left = sent.iter().map(|(_, left, _)| *left).min();
                    assert_eq!(left, Some(2), "{came}: there was another, {}", what());
                }
                (_, IN_DOUBT | DIFFERS | OTHER | KILLED) => {
                    assert!(disturbed, "{came}, {}", what())
                }
                _ => panic!("{came}, {}", what()),
            }
        }
    }

    /// In the end the right PIN opens, by a process that was left.
    fn end(&mut self, seed: u64, by: Option<usize>, disturbed: bool) {
        self.reset();
        write_private(&self.hsm.path("pin-end"), &Self::pin(seed, 0));
        let home = if by == Some(0) { "two" } else { "one" };
        let opened = match by {
            None => attempt(self.hsm, home, "pin-end", false),
            Some(worker) => self.workers[worker]
                .ask(&format!("{home} pin-end"))
                .map_or(KILLED, |answer| outcome(&answer)),
        };
        match opened {
            OPENED | KILLED => {}
            // Itself, or one of its group: somebody has to say so.
            IN_DOUBT if disturbed => {
                assert_eq!(attempt(self.hsm, home, "pin-end", true), OPENED, "seed {seed}");
            }
            KNOWN => {
                self.by_chance += 1;
                assert_eq!(attempt(self.hsm, home, "pin-end", true), OPENED, "seed {seed}");
            }
            came => panic!("seed {seed}: the right PIN is lost: {came} by {by:?}"),
        }
    }
}

fn outcome(answer: &str) -> &'static str {
    let all = [OPENED, REFUSED, KNOWN, IN_DOUBT, LAST_TRY, DIFFERS, OTHER];
    all.into_iter().find(|it| *it == answer).unwrap_or_else(|| panic!("{answer:?}"))
}

#[test]
fn of_random_interleavings_of_processes_none_sends_a_refused_pin_twice() {
    let work = |hsm: &SoftHsm| {
        let kept = RefCell::new(None);
        let is_worker = serve(|line| {
            if line == BEGIN {
                begin(hsm);
                return BEGIN.to_owned();
            }
            let came = match line.split_once(' ').unwrap() {
                (KEEP, home) => {
                    *kept.borrow_mut() = Some(keep(hsm, home));
                    OPENED
                }
                (AGAIN, _) => {
                    let sign = kept.take().unwrap();
                    outcome_of(sign())
                }
                (home, file) => attempt(hsm, home, file, false),
            };
            came.to_owned()
        });
        if is_worker {
            return;
        }
        let (seeds, whole) = interleavings::these(PART);
        let mut model = Model::new(hsm);
        for seed in seeds {
            eprintln!("seed {seed}");
            model.interleave(seed);
        }
        let seen = &model.seen;
        eprintln!("{seen:?}");
        if whole {
            for came in [OPENED, REFUSED, KNOWN, IN_DOUBT, LAST_TRY, OTHER, KILLED] {
                assert!(seen.contains_key(came), "no {came}: {seen:?}");
            }
            assert!(model.by_chance <= 2, "{} by chance", model.by_chance);
        }
    };
    interleavings::run(PART, |variables| alone_with(variables, work));
}
