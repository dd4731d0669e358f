//! A model of what may be sent: random interleavings of threads, second backends and lost
//! answers on one TPM, and the TPM's own count after each. What the model says:
//!
//! - a wrong PIN of a key is counted once at most, whoever gives it, and however often;
//! - the last try is never spent;
//! - the right PIN opens, unless nothing may be sent, and always afterwards.
//!
//! Each interleaving is told by its seed, and `ICN_TEST_INTERLEAVINGS` says how many are run
//! (see [`support::interleavings`]); those of processes on one TPM are in [`super::processes`].

use std::collections::BTreeMap;
use std::sync::{Barrier, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use icn_identity::DidSigner as _;
use icn_identity::error::TpmError;
use support::alone::alone_with;
use support::interleavings::{self, Dice};
use support::wire::Wire;

use super::*;

/// In one process; see [`interleavings`].
const PART: u64 = 175;

/// Which PIN of which key; 0 is the right one.
type Pins = (usize, u64);

#[derive(Debug, Clone, Copy)]
struct Step {
    pin: Pins,
    way: Way,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    Shared,
    /// A backend that is opened for it.
    Own,
    /// The TPM by another name, whose connection may be lost.
    Wire,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Came {
    Opened,
    Refused,
    Known,
    LastTry,
    Lost,
    InDoubt,
}

fn came(opened: Result<(), Error>) -> Came {
    let Err(error) = opened else { return Came::Opened };
    match error.tpm() {
        Some(TpmError::WrongPin { .. }) => Came::Refused,
        Some(TpmError::PinKnownWrong) => Came::Known,
        Some(TpmError::FinalTry | TpmError::LockedOut { .. }) => Came::LastTry,
        Some(TpmError::PinInDoubt) => Came::InDoubt,
        Some(TpmError::Command { .. } | TpmError::NoDevice { .. }) => Came::Lost,
        _ => panic!("{error:?}"),
    }
}

struct Model {
    node: Node,
    wire: Wire,
    config: TpmConfig,
    by_wire: TpmConfig,
    keys: [(Locator, Did); 2],
    room: Room,
}

/// Places for those who use the TPM at the same time. Who flushes what a lost command has
/// left behind takes all of them.
#[derive(Default)]
struct Room {
    places: Mutex<Places>,
    freed: Condvar,
}

#[derive(Default)]
struct Places {
    all: usize,
    taken: usize,
}

impl Room {
    fn places(&self) -> MutexGuard<'_, Places> {
        self.places.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits for one place, or for all.
    fn take(&self, all: bool) -> impl Drop + '_ {
        struct Taken<'a>(&'a Room, usize);
        impl Drop for Taken<'_> {
            fn drop(&mut self) {
                self.0.places().taken -= self.1;
                self.0.freed.notify_all();
            }
        }
        let places = |places: &Places| if all { places.all } else { 1 };
        let too_few = |now: &mut Places| now.taken + places(now) > now.all;
        let mut now =
            self.freed.wait_while(self.places(), too_few).unwrap_or_else(PoisonError::into_inner);
        let places = places(&now);
        now.taken += places;
        Taken(self, places)
    }
}

impl Model {
    fn new() -> Self {
        let node = Node::new();
        let wire = Wire::new(&node.tpm);
        // A persistent storage key leaves room for what a lost command leaves behind.
        node.tpm.make_storage_root(0x8100_0001);
        let mut config = node.with_pin();
        config.key_handle = Some(0x8100_0001);
        let mut by_wire = config.clone();
        by_wire.device_path = wire.tcti();
        // Each with a salt of its own.
        let keys = BOTH.map(|algorithm| {
            let (key, locator) = create(&node.open(&config), &config, algorithm);
            (locator, key.did().clone())
        });
        let this = Self { node, wire, config, by_wire, keys, room: Room::default() };
        this.room.places().all = 1;
        // The TPM asks for the first use of a PIN again.
        this.all_open(&this.node.open(&this.config), 0);
        this
    }

    fn unseal(&self, backend: &TpmBackend, (key, number): Pins, seed: u64) -> Result<(), Error> {
        let pin = if number == 0 { PIN.to_owned() } else { format!("wrong-{seed}-{number}") };
        let (locator, did) = &self.keys[key];
        let begun = Instant::now();
        loop {
            let using = self.room.take(false);
            let error = match backend.find(locator, did) {
                Ok(KeyAtRest::Device(key)) => match key.unseal(&Pin::new(pin.as_str())) {
                    Ok(key) => {
                        drop(key);
                        return Ok(());
                    }
                    Err(refused) => refused.into_parts().1.into(),
                },
                Ok(other) => panic!("{other:?}"),
                Err(error) => error,
            };
            drop(using);
            // Others have the room, or a lost command: there is no resource manager.
            if !matches!(error.tpm(), Some(TpmError::Full { .. })) {
                return Err(error);
            }
            assert!(begun.elapsed() < Duration::from_secs(20), "seed {seed}: no room");
            if begun.elapsed() > Duration::from_millis(300) {
                self.flush();
            }
            std::thread::sleep(Duration::from_millis(3));
        }
    }

    fn flush(&self) {
        let _alone = self.room.take(true);
        raw::flush(&self.node.tpm);
    }

    fn all_open(&self, backend: &TpmBackend, seed: u64) {
        (0..self.keys.len()).for_each(|key| self.opens(key, backend, seed));
    }

    fn opens(&self, key: usize, backend: &TpmBackend, seed: u64) {
        let opened = self.unseal(backend, (key, 0), seed);
        assert!(opened.is_ok(), "seed {seed}: the right PIN is lost: {opened:?}");
    }

    fn run(&self, seed: u64) -> BTreeMap<&'static str, usize> {
        let mut dice = Dice(seed);
        let most = 2 + u32::try_from(dice.roll(4)).unwrap();
        raw::allow(&self.node.tpm, most);
        let loses = dice.roll(3) == 0;
        let way = |dice: &mut Dice| match dice.roll(if loses { 4 } else { 3 }) {
            0 => Way::Shared,
            1 => Way::Own,
            _ => Way::Wire,
        };
        let threads: Vec<Vec<Step>> = (0..2 + dice.roll(3))
            .map(|_| {
                let step = |dice: &mut Dice| {
                    let key = usize::try_from(dice.roll(2)).unwrap();
                    Step { pin: (key, dice.roll(3)), way: way(dice) }
                };
                (0..1 + dice.roll(3)).map(|_| step(&mut dice)).collect()
            })
            .collect();
        if loses {
            // The command is lost, or its answer.
            let command = if dice.roll(2) == 0 { 0x15e } else { 0x15d };
            match dice.roll(3) {
                0 => self.wire.break_at(command),
                _ => self.wire.lose_answer_of(command),
            }
        }
        let shared = self.node.open(&self.config);
        let by_wire = self.node.open(&self.by_wire);
        // The TPM itself has room for two; with more, some find none.
        self.room.places().all = if dice.roll(4) == 0 { threads.len() } else { 2 };
        let begin = Barrier::new(threads.len());
        let came: Vec<(Step, Came)> = std::thread::scope(|scope| {
            let running: Vec<_> = threads
                .iter()
                .map(|steps| {
                    let (shared, by_wire, begin) = (&shared, &by_wire, &begin);
                    scope.spawn(move || {
                        begin.wait();
                        let one = |step: &Step| {
                            let own = (step.way == Way::Own).then(|| self.node.open(&self.config));
                            let backend = match step.way {
                                Way::Shared | Way::Own => own.as_ref().unwrap_or(shared),
                                Way::Wire => by_wire,
                            };
                            (*step, came(self.unseal(backend, step.pin, seed)))
                        };
                        steps.iter().map(one).collect::<Vec<_>>()
                    })
                })
                .collect();
            running.into_iter().flat_map(|thread| thread.join().unwrap()).collect()
        });
        self.wire.clear();
        // None has this code.
        self.wire.lose_answer_of(0);
        self.wire.break_at(0);
        self.judge(seed, most, loses, &came);
        raw::clear(&self.node.tpm);
        if came.iter().any(|(_, came)| *came == Came::Lost) {
            self.flush();
        }
        self.opens(dice.below(self.keys.len()), &shared, seed);
        let mut seen = BTreeMap::new();
        for (_, came) in came {
            let name = match came {
                Came::Opened => "opened",
                Came::Refused => "refused",
                Came::Known => "known",
                Came::LastTry => "last try",
                Came::Lost => "lost",
                Came::InDoubt => "in doubt",
            };
            *seen.entry(name).or_default() += 1;
        }
        seen
    }

    fn judge(&self, seed: u64, most: u32, loses: bool, came: &[(Step, Came)]) {
        let counted = raw::counted(&self.node.tpm);
        let what = || format!("seed {seed}, {most} tries, {counted} counted: {came:?}");
        assert!(counted < most, "the last try was spent: {}", what());
        let mut refused = BTreeMap::<Pins, u32>::new();
        let mut lost = 0;
        for (step, came) in came {
            let right = step.pin.1 == 0;
            match came {
                Came::Opened => assert!(right, "{}", what()),
                Came::Refused => {
                    assert!(!right, "{}", what());
                    *refused.entry(step.pin).or_default() += 1;
                }
                Came::Known | Came::InDoubt => assert!(!right, "the right PIN: {}", what()),
                Came::LastTry => assert_eq!(counted, most - 1, "there was another: {}", what()),
                Came::Lost => {
                    assert!(loses, "{}", what());
                    lost += 1;
                }
            }
        }
        assert!(refused.values().all(|times| *times == 1), "sent twice: {}", what());
        let told = u32::try_from(refused.len()).unwrap();
        assert!((told..=told + lost).contains(&counted) && lost <= 1, "{}", what());
        // What was lost and counted is not sent again, and refused by no second answer.
        let tried: std::collections::BTreeSet<Pins> =
            came.iter().map(|(step, _)| step.pin).filter(|(_, number)| *number > 0).collect();
        assert!(counted <= u32::try_from(tried.len()).unwrap(), "sent twice: {}", what());
    }
}

#[test]
#[allow(clippy::print_stderr, reason = "which one it was")]
fn of_random_interleavings_none_sends_a_refused_pin_twice_or_spends_the_last_try() {
    let work = || {
        let (seeds, whole) = interleavings::these(PART);
        let (model, begun) = (Model::new(), Instant::now());
        let mut seen = BTreeMap::<&str, usize>::new();
        for seed in seeds {
            for (what, times) in model.run(seed) {
                *seen.entry(what).or_default() += times;
            }
        }
        eprintln!("{:.1} s: {seen:?}", begun.elapsed().as_secs_f64());
        if whole {
            for what in ["opened", "refused", "known", "last try", "lost"] {
                assert!(seen.contains_key(what), "no {what}: {seen:?}");
            }
        }
        model.node.assert_tidy();
    };
    interleavings::run(PART, |variables| alone_with(variables, work));
}
