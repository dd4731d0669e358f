//! A model of what may be sent: random interleavings of threads, second backends and lost
//! answers on one TPM, and the TPM's own count after each. What the model says:
//!
//! - a wrong PIN of a key is counted once at most, whoever gives it, and however often;
//! - the last try is never spent;
//! - the right PIN opens, unless nothing may be sent, and always afterwards.
//!
//! Six hundred interleavings, a quarter of them in each of four processes with a TPM of
//! their own; four hundred more, of processes on one TPM, are in [`super::processes`]. Each is told by its seed: `ICN_TEST_SEED` runs one again, or as many from it on as
//! `ICN_TEST_INTERLEAVINGS` says.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::{Barrier, PoisonError, RwLock};
use std::time::{Duration, Instant};

use icn_identity::DidSigner as _;
use icn_identity::error::TpmError;
use support::wire::Wire;

use super::*;

const SEED: &str = "ICN_TEST_SEED";
/// The first one of a quarter.
const FIRST: &str = "ICN_TEST_FIRST_SEED";
const QUARTER: u64 = 150;

/// Not random enough for anything but this (SplitMix64).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % sides
    }
}

/// Commands with the empty password of the lock-out hierarchy (part 3, section 25), by
/// hand: a tool for each would take most of the time.
pub(crate) fn lockout(tpm: &Swtpm, code: u32, parameters: &[u32]) {
    let password = [0x40, 0, 0, 9, 0, 0, 0, 0, 0];
    let mut body = [code, 0x4000_000a, 9].map(u32::to_be_bytes).concat();
    body.extend(password);
    body.extend(parameters.iter().flat_map(|word| word.to_be_bytes()));
    let length = u32::try_from(body.len() + 6).unwrap().to_be_bytes();
    let command = [&[0x80, 2][..], &length, &body].concat();
    let answer = ask(tpm, &command);
    assert_eq!(answer[6..10], [0; 4], "{code:#x}");
}

pub(crate) fn counted(tpm: &Swtpm) -> u32 {
    let words = [0x17a, 6, 0x20e, 1].map(u32::to_be_bytes);
    let answer = ask(tpm, &[&[0x80, 1, 0, 0, 0, 22], words.as_flattened()].concat());
    u32::from_be_bytes(answer[23..27].try_into().unwrap())
}

fn ask(tpm: &Swtpm, command: &[u8]) -> Vec<u8> {
    let tcti = tpm.tcti();
    let (host, port) = tcti.strip_prefix("swtpm:host=").unwrap().split_once(",port=").unwrap();
    let mut stream = TcpStream::connect((host, port.parse().unwrap())).unwrap();
    stream.write_all(command).unwrap();
    let mut answer = vec![0; 10];
    stream.read_exact(&mut answer).unwrap();
    let size = u32::from_be_bytes(answer[2..6].try_into().unwrap());
    answer.resize(usize::try_from(size).unwrap(), 0);
    stream.read_exact(&mut answer[10..]).unwrap();
    answer
}

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
    /// Held alone by who flushes what a lost command has left behind.
    using: RwLock<()>,
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
        let this = Self { node, wire, config, by_wire, keys, using: RwLock::new(()) };
        // The TPM asks for the first use of a PIN again.
        this.all_open(&this.node.open(&this.config), 0);
        this
    }

    fn unseal(&self, backend: &TpmBackend, (key, number): Pins, seed: u64) -> Result<(), Error> {
        let pin = if number == 0 { PIN.to_owned() } else { format!("wrong-{seed}-{number}") };
        let (locator, did) = &self.keys[key];
        let begun = Instant::now();
        loop {
            let using = self.using.read().unwrap_or_else(PoisonError::into_inner);
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

    /// As a resource manager does when a connection ends.
    fn flush(&self) {
        let _alone = self.using.write().unwrap();
        self.node.tpm.try_tool("tpm2_flushcontext", &["-t"]);
        self.node.tpm.try_tool("tpm2_flushcontext", &["-l"]);
    }

    fn all_open(&self, backend: &TpmBackend, seed: u64) {
        for key in 0..self.keys.len() {
            let opened = self.unseal(backend, (key, 0), seed);
            assert!(opened.is_ok(), "seed {seed}: the right PIN is lost: {opened:?}");
        }
    }

    fn run(&self, seed: u64) -> BTreeMap<&'static str, usize> {
        let mut dice = Dice(seed);
        let most = 2 + u32::try_from(dice.roll(4)).unwrap();
        lockout(&self.node.tpm, 0x13a, &[most, 6000, 6000]);
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
        lockout(&self.node.tpm, 0x139, &[]);
        if came.iter().any(|(_, came)| *came == Came::Lost) {
            self.flush();
        }
        self.all_open(&shared, seed);
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
        let counted = counted(&self.node.tpm);
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

pub(crate) fn number(variable: &str) -> Option<u64> {
    std::env::var(variable).ok()?.parse().ok()
}

#[test]
#[allow(clippy::print_stderr, reason = "which one it was")]
fn of_random_interleavings_none_sends_a_refused_pin_twice_or_spends_the_last_try() {
    let work = || {
        let wanted = number("ICN_TEST_INTERLEAVINGS").unwrap_or(1);
        let (first, count) = match (number(SEED), number(FIRST)) {
            (Some(seed), _) => (seed, wanted),
            (None, Some(first)) => (first, QUARTER),
            (None, None) => unreachable!(),
        };
        let (model, begun) = (Model::new(), Instant::now());
        let mut seen = BTreeMap::<&str, usize>::new();
        for seed in first..first + count {
            for (what, times) in model.run(seed) {
                *seen.entry(what).or_default() += times;
            }
        }
        eprintln!("{count} interleavings in {:.1} s: {seen:?}", begun.elapsed().as_secs_f64());
        if count >= QUARTER {
            for what in ["opened", "refused", "known", "last try", "lost"] {
                assert!(seen.contains_key(what), "no {what} among {count}: {seen:?}");
            }
        }
        model.node.assert_tidy();
    };
    if number(SEED).or(number(FIRST)).is_some() {
        return support::alone::alone(work);
    }
    // Each time others.
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let now = u64::try_from(now.unwrap().as_millis()).unwrap() * 1000;
    std::thread::scope(|scope| {
        for quarter in 0..4 {
            let first = (now + quarter * QUARTER).to_string();
            scope.spawn(move || support::alone::alone_with(&[(FIRST, &first)], work));
        }
    });
}
