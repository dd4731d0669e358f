//! Random sequences of commands, some of them killed at a random system call, against a small model
//! of what must be on disk, and of which keys must sign. A sequence that fails is shrunk, and printed
//! as commands.
//!
//! `ICN_TEST_SEQUENCES` says how many are run for each backend that they begin with (default 10); each
//! time others. What has failed once is in [`KEPT`] for ever.

#![allow(clippy::unwrap_in_result, reason = "what is no finding of the model")]

mod commands;
mod crash;
mod expected;
mod restoring;
mod world;

use std::env;

use proptest::prelude::*;
use proptest::sample::select;
use proptest::test_runner::{Config, TestCaseError, TestError, TestRunner};

use self::expected::{Kind, Mode};
use self::world::World;

/// One command, or a few that belong together. What it does follows from the model.
#[derive(Debug, Clone, Copy)]
enum Op {
    Init(Kind),
    /// Another passphrase, or another PIN of a TPM.
    ChangeCredential,
    Renew {
        all: bool,
    },
    /// The tokens get another label, and the identity in use is found again.
    Rename,
    Reseal,
    Migrate(Kind, Mode),
    RollBack,
    Finish,
    /// Hands over to another identity, which is used from then on.
    Rotate,
    Backup,
    /// Each backup, into another directory.
    RestoreAll,
    /// The files are lost, and come from the last backup of the same key.
    Lose,
}

/// An operation, and where it is killed.
#[derive(Debug, Clone, Copy)]
struct Step {
    op: Op,
    crash: Option<Crash>,
}

/// At the nth call of this kind, and how it goes on.
#[derive(Debug, Clone, Copy)]
struct Crash {
    call: &'static str,
    nth: u16,
    /// A move is undone then, and not gone on with.
    back: bool,
    /// The tokens get another label before that.
    renamed: bool,
}

fn ops() -> impl Strategy<Value = Op> {
    let kind = || select(vec![Kind::Age, Kind::Token, Kind::Tpm]);
    let device = select(vec![Kind::Token, Kind::Tpm]);
    let mode = select(vec![Mode::Rotate, Mode::Import]);
    prop_oneof![
        1 => kind().prop_map(Op::Init),
        2 => Just(Op::ChangeCredential),
        2 => any::<bool>().prop_map(|all| Op::Renew { all }),
        2 => Just(Op::Rename),
        1 => Just(Op::Reseal),
        10 => (device, mode).prop_map(|(to, mode)| Op::Migrate(to, mode)),
        1 => Just(Op::RollBack),
        2 => Just(Op::Finish),
        1 => Just(Op::Rotate),
        2 => Just(Op::Backup),
        1 => Just(Op::RestoreAll),
        1 => Just(Op::Lose),
    ]
}

fn steps() -> impl Strategy<Value = Step> {
    let calls = vec!["rename", "rename", "rename", "fsync", "unlink", "write", "openat", "flock"];
    let crash = (select(calls), 1u16..45, any::<bool>(), any::<bool>());
    let crash = crash.prop_map(|(call, nth, back, renamed)| Crash { call, nth, back, renamed });
    (ops(), prop::option::weighted(0.4, crash)).prop_map(|(op, crash)| Step { op, crash })
}

/// Runs one sequence, in devices of its own.
fn run(begin: Kind, steps: &[Step]) -> Result<(), String> {
    let mut world = World::new();
    let done = world.run(Step { op: Op::Init(begin), crash: None });
    let done = done.and_then(|()| steps.iter().try_for_each(|step| world.run(*step)));
    done.map_err(|problem| format!("{problem}\n\nby these commands:\n{}", world.commands()))
}

fn sequences_from(begin: Kind) {
    for (kind, steps) in KEPT.iter().filter(|(kind, _)| *kind == begin) {
        run(*kind, steps).unwrap_or_else(|problem| panic!("{steps:?}\n{problem}"));
    }
    let cases = env::var("ICN_TEST_SEQUENCES").ok().and_then(|text| text.parse().ok());
    let config = Config {
        cases: cases.unwrap_or(10),
        max_shrink_iters: 60,
        failure_persistence: None,
        ..Config::default()
    };
    let sequence = prop::collection::vec(steps(), 1..10);
    let tried = TestRunner::new(config)
        .run(&sequence, |steps| run(begin, &steps).map_err(TestCaseError::fail));
    match tried {
        #[allow(clippy::print_stdout, reason = "what a run at length has covered")]
        Ok(()) => println!("{}", world::told()),
        // As it is kept.
        Err(TestError::Fail(problem, steps)) => panic!("(Kind::{begin:?}, &{steps:?})\n{problem}"),
        Err(error) => panic!("{error}"),
    }
}

/// Killed there.
const fn killed(op: Op, call: &'static str, nth: u16, back: bool, renamed: bool) -> Step {
    Step { op, crash: Some(Crash { call, nth, back, renamed }) }
}

const fn done(op: Op) -> Step {
    Step { op, crash: None }
}

/// What has failed once, if only in the model, and what each run is to have.
const KEPT: &[(Kind, &[Step])] = &[
    // The tokens are renamed where nothing was begun yet.
    (Kind::Age, &[killed(Op::Migrate(Kind::Token, Mode::Rotate), "write", 1, false, true)]),
    (Kind::Token, &[killed(Op::Migrate(Kind::Tpm, Mode::Rotate), "write", 1, false, true)]),
    // And where nearly all was done, in each direction.
    (Kind::Age, &[killed(Op::Migrate(Kind::Token, Mode::Rotate), "rename", 31, false, true)]),
    (Kind::Age, &[killed(Op::Migrate(Kind::Token, Mode::Import), "rename", 20, true, true)]),
    (
        Kind::Tpm,
        &[
            done(Op::Backup),
            done(Op::ChangeCredential),
            killed(Op::Migrate(Kind::Token, Mode::Rotate), "rename", 26, false, true),
            done(Op::Backup),
            killed(Op::Finish, "unlink", 2, false, false),
            done(Op::RestoreAll),
            done(Op::Rotate),
            done(Op::RestoreAll),
        ],
    ),
    (
        Kind::Token,
        &[
            done(Op::Backup),
            killed(Op::Migrate(Kind::Tpm, Mode::Rotate), "rename", 30, false, true),
            killed(Op::Finish, "unlink", 3, false, false),
            done(Op::RestoreAll),
        ],
    ),
];

#[test]
fn random_sequences_from_a_file_leave_what_the_model_says() {
    sequences_from(Kind::Age);
}

#[test]
fn random_sequences_from_a_token_leave_what_the_model_says() {
    sequences_from(Kind::Token);
}

#[test]
fn random_sequences_from_a_tpm_leave_what_the_model_says() {
    sequences_from(Kind::Tpm);
}
