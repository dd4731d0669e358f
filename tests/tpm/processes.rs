//! Random interleavings of threads and processes on two homes of one TPM: wrong PINs and
//! right ones from files, and processes that are killed meanwhile. The wire says what the
//! TPM was sent and answered: each wrong PIN of a home once, whatever right ones are taken
//! meanwhile, the last try never; and the right PIN is taken in the end.
//!
//! Those of threads and lost answers are in [`super::model`].

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Barrier;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use icn_identity::backend::BackendKind;
use icn_identity::config::Config;
use icn_identity::error::{KeystoreError, TpmError};
use icn_identity::home::{CredentialSource, HomeOptions};
use support::alone::alone_with;
use support::home::write_private;
use support::interleavings::{self, Dice};
use support::wire::Wire;
use support::workers::{Worker, serve};

use super::*;

/// In one process; see [`interleavings`].
const PART: u64 = 75;
const NAME: &str =
    "processes::of_random_interleavings_of_processes_none_sends_a_refused_pin_twice_to_a_tpm";

/// Beside the threads of the process that judges.
const WORKERS: usize = 2;
const UNSEAL: u32 = 0x15e;
/// `TPM_RC_LOCKOUT`; and `TPM_RC_AUTH_FAIL` without the number of the session.
const LOCKOUT: u32 = 0x921;
const AUTH_FAIL: u32 = 0x8e;

/// What came of an attempt.
const OPENED: &str = "opened";
const REFUSED: &str = "refused";
const KNOWN: &str = "known";
const IN_DOUBT: &str = "in doubt";
const LAST_TRY: &str = "last try";
const KILLED: &str = "killed";

fn attempt(directory: &Path, home: &str, file: &str, insists: bool) -> &'static str {
    let begun = Instant::now();
    loop {
        let options = HomeOptions::new().with_state_directory(directory.join("state"));
        let options = if insists { options.retry_refused() } else { options };
        let opened = options
            .open(directory.join(home))
            .and_then(|home| home.unlock(CredentialSource::file(directory.join(file))).map(drop));
        let Err(error) = opened else { return OPENED };
        match (&error, error.tpm()) {
            (Error::Keystore(KeystoreError::RefusedBefore { .. }), _)
            | (_, Some(TpmError::PinKnownWrong)) => return KNOWN,
            (Error::Keystore(KeystoreError::PinInDoubt { .. }), _)
            | (_, Some(TpmError::PinInDoubt)) => return IN_DOUBT,
            (_, Some(TpmError::WrongPin { .. })) => return REFUSED,
            (_, Some(TpmError::FinalTry | TpmError::LockedOut { .. })) => return LAST_TRY,
            // Others have the room: there is no resource manager.
            (_, Some(TpmError::Full { .. })) if begun.elapsed() < Duration::from_secs(20) => {
                std::thread::sleep(Duration::from_millis(3));
            }
            _ => panic!("{error:?}"),
        }
    }
}

/// A home, and a file with the PIN of this number: 0 is right.
#[derive(Debug, Clone)]
struct Step {
    home: &'static str,
    pin: u64,
    file: String,
}

struct Model {
    node: Node,
    wire: Wire,
    workers: Vec<Worker>,
    seen: BTreeMap<&'static str, usize>,
    /// Another PIN than the refused one has the same tag: one in 65,536.
    by_chance: usize,
}

impl Model {
    fn new() -> Self {
        let node = Node::new();
        let wire = Wire::new(&node.tpm);
        node.tpm.make_storage_root(0x8100_0001);
        for home in ["one", "two"] {
            let mut config = Config::default();
            config.identity.backend = BackendKind::Tpm;
            config.identity.age.work_factor = 10;
            let mut tpm = node.with_pin();
            tpm.key_handle = Some(0x8100_0001);
            tpm.device_path = wire.tcti();
            config.identity.tpm = Some(tpm);
            let options = HomeOptions::new().with_config(config);
            let mut home = options.open(node.home().join(home)).unwrap();
            drop(home.create(&NewKey::default(), CredentialSource::given(PIN)).unwrap());
        }
        let workers = (0..WORKERS).map(|_| Worker::start(NAME, &[])).collect();
        let this = Self { node, wire, workers, seen: BTreeMap::new(), by_chance: 0 };
        this.write("pin-0-0", PIN);
        // The TPM asks for the first use of a PIN again.
        for home in ["one", "two"] {
            assert_eq!(attempt(this.node.home(), home, "pin-0-0", false), OPENED);
        }
        this
    }

    fn write(&self, name: &str, pin: &str) {
        write_private(&self.node.home().join(name), pin);
    }

    /// By a thread, or by one of the workers.
    fn try_by(&self, worker: Option<usize>, home: &str, file: &str) -> &'static str {
        let Some(worker) = worker else { return attempt(self.node.home(), home, file, false) };
        let line = format!("{} {home} {file}", self.node.home().display());
        let all = [OPENED, REFUSED, KNOWN, IN_DOUBT, LAST_TRY];
        self.workers[worker].ask(&line).map_or(KILLED, |answer| {
            all.into_iter().find(|it| *it == answer).unwrap_or_else(|| panic!("{answer:?}"))
        })
    }

    /// As an operator does: no more are sent once so many were refused.
    fn forget(&self) {
        let state = self.node.home().join("state");
        let shared = std::fs::read_dir(state).unwrap().map(|entry| entry.unwrap().path());
        let homes = ["one", "two"].map(|home| self.node.home().join(home));
        for directory in shared.chain(homes) {
            let _ = std::fs::remove_file(directory.join("refused.json"));
        }
    }

    fn interleave(&mut self, seed: u64) {
        let mut dice = Dice(seed);
        let most = 2 + u32::try_from(dice.roll(6)).unwrap();
        raw::allow(&self.node.tpm, most);
        self.forget();
        // After so many commands.
        let kill = (dice.roll(5) == 0).then(|| 1 + usize::try_from(dice.roll(60)).unwrap());
        let wrong_ones = 1 + dice.roll(2);
        let with_right = dice.roll(3) == 0;
        for copy in 0..2 {
            self.write(&format!("pin-0-{copy}"), PIN);
            for pin in 1..=wrong_ones {
                self.write(&format!("pin-{pin}-{copy}"), &format!("wrong-{seed}-{pin}"));
            }
        }
        let threads = vec![None; 1 + dice.below(2)];
        let actors: Vec<(Option<usize>, Vec<Step>)> = threads
            .into_iter()
            .chain((0..WORKERS).map(Some))
            .map(|worker| {
                // Who is killed has wrong ones: a right one would be in doubt.
                let is_wrong = !with_right || (kill.is_some() && worker == Some(0));
                let step = |dice: &mut Dice| {
                    let pin = if is_wrong {
                        1 + dice.roll(wrong_ones)
                    } else {
                        dice.roll(2) * (1 + dice.roll(wrong_ones))
                    };
                    let home = if dice.roll(2) == 0 { "one" } else { "two" };
                    Step { home, pin, file: format!("pin-{pin}-{}", dice.roll(2)) }
                };
                (worker, (0..=dice.roll(2)).map(|_| step(&mut dice)).collect())
            })
            .collect();
        self.wire.clear();
        let came = self.run(&actors, kill);
        self.judge(seed, most, &came, kill.is_some());
        raw::clear(&self.node.tpm);
        if kill.is_some() {
            self.workers[0].kill();
            self.workers[0] = Worker::start(NAME, &[]);
            raw::flush(&self.node.tpm);
        }
        self.write("pin-end", PIN);
        let (home, worker) = dice.of(&[("one", None), ("two", Some(0)), ("one", Some(1))]);
        let mut last = self.try_by(worker, home, "pin-end");
        // One of its group may be in doubt.
        let is_doubted = last == IN_DOUBT && kill.is_some();
        if last == KNOWN || is_doubted {
            self.by_chance += usize::from(!is_doubted);
            last = attempt(self.node.home(), home, "pin-end", true);
        }
        assert_eq!(last, OPENED, "seed {seed}: the right PIN is lost, by {worker:?}");
        for (_, came) in came {
            *self.seen.entry(came).or_default() += 1;
        }
    }

    fn run(
        &self,
        actors: &[(Option<usize>, Vec<Step>)],
        kill: Option<usize>,
    ) -> Vec<(Step, &'static str)> {
        let (begin, ended) = (Barrier::new(actors.len()), AtomicBool::new(false));
        std::thread::scope(|scope| {
            let running: Vec<_> = actors
                .iter()
                .map(|(worker, steps)| {
                    let begin = &begin;
                    scope.spawn(move || {
                        begin.wait();
                        let one = |step: &Step| {
                            (step.clone(), self.try_by(*worker, step.home, &step.file))
                        };
                        steps.iter().map(one).collect::<Vec<_>>()
                    })
                })
                .collect();
            if let Some(commands) = kill {
                let ended = &ended;
                scope.spawn(move || {
                    while !ended.load(Ordering::SeqCst) {
                        if self.wire.commands().len() >= commands {
                            return self.workers[0].kill();
                        }
                        std::thread::sleep(Duration::from_micros(300));
                    }
                });
            }
            let came = running.into_iter().map(|one| one.join()).collect::<Vec<_>>();
            ended.store(true, Ordering::SeqCst);
            came.into_iter().flat_map(|came| came.unwrap()).collect()
        })
    }

    fn judge(&mut self, seed: u64, most: u32, came: &[(Step, &'static str)], killed: bool) {
        let counted = raw::counted(&self.node.tpm);
        let answered = self.wire.answered();
        let sent: Vec<u32> =
            answered.into_iter().filter(|(code, _)| *code == UNSEAL).map(|(_, rc)| rc).collect();
        let what = || format!("seed {seed}, {most} tries, {counted} counted: {came:?}, {sent:x?}");
        assert!(counted < most, "the last try was spent, {}", what());
        assert!(!sent.contains(&LOCKOUT), "a PIN was sent to a TPM that is locked, {}", what());
        let wrong_ones: std::collections::BTreeSet<_> =
            came.iter().filter(|(step, _)| step.pin > 0).map(|(s, _)| (s.home, s.pin)).collect();
        let all = sent.iter().filter(|code| **code & 0xbf == AUTH_FAIL).count();
        // What a killed process has sent may have no answer.
        let counted_ones = usize::try_from(counted).unwrap();
        assert!(killed || all == counted_ones, "{all} were refused, {}", what());
        assert!(counted_ones <= wrong_ones.len(), "one was sent again, {}", what());
        let mut by_chance = 0;
        let mut refused = BTreeMap::new();
        for (step, _) in came.iter().filter(|(_, came)| *came == REFUSED) {
            *refused.entry((step.home, step.pin)).or_insert(0_u32) += 1;
        }
        // Each sending is somebody's.
        assert!(killed || refused.values().sum::<u32>() == counted, "{}", what());
        assert!(refused.values().all(|times| *times == 1), "one was sent again, {}", what());
        for (step, came) in came {
            match (step.pin, *came) {
                (0, OPENED) | (1.., REFUSED | KNOWN) => {}
                (0, KNOWN) => by_chance += 1,
                (_, LAST_TRY) => {
                    assert_eq!(counted, most - 1, "there was another, {}", what());
                }
                (_, IN_DOUBT) | (1.., KILLED) => assert!(killed, "{came}, {}", what()),
                _ => panic!("{came}, {}", what()),
            }
        }
        self.by_chance += by_chance;
    }
}

#[test]
#[allow(clippy::print_stderr, reason = "which one it was")]
fn of_random_interleavings_of_processes_none_sends_a_refused_pin_twice_to_a_tpm() {
    let work = || {
        let is_worker = serve(|line| {
            let [directory, home, file] = line.split(' ').collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            attempt(&PathBuf::from(directory), home, file, false).to_owned()
        });
        if is_worker {
            return;
        }
        let (seeds, whole) = interleavings::these(PART);
        let (mut model, begun) = (Model::new(), Instant::now());
        seeds.for_each(|seed| model.interleave(seed));
        let (seen, took) = (&model.seen, begun.elapsed().as_secs_f64());
        eprintln!("{took:.1} s: {seen:?}");
        if whole {
            for came in [OPENED, REFUSED, KNOWN, LAST_TRY, KILLED] {
                assert!(seen.contains_key(came), "no {came}: {seen:?}");
            }
        }
        // One shows for as long as nobody insists.
        assert!(model.by_chance <= 6, "{} by chance", model.by_chance);
        model.node.assert_tidy();
    };
    interleavings::run(PART, |variables| alone_with(variables, work));
}
