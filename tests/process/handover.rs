//! Handing over, cut off at every step, and by two processes at once.

use std::process::Command;

use icn_identity::RotationChain;
use serde_json::Value;
use support::home::{FAST, Home, PASSPHRASE, run, write_private};
use support::kill::{self, Nth};

use crate::durability::shares;

fn identity() -> Home {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.write("icn.toml", FAST);
    home.ok(&["id", "init"], b"");
    write_private(&home.beside("passphrase"), PASSPHRASE);
    home
}

/// The command by which one hands over to another; the chain goes into a new file.
fn rotate(old: &Home, new: &Home, output: &str) -> Command {
    let text = |path: std::path::PathBuf| path.to_str().unwrap().to_owned();
    let [to, file, output] = [new.path(""), new.beside("passphrase"), new.beside(output)].map(text);
    let words = ["id", "rotation", "create", "--reason", "scheduled", "--successor", &to];
    old.command(&[&words[..], &["--successor-passphrase-file", &file, "-o", &output]].concat())
}

fn chain(json: &[u8]) -> RotationChain {
    RotationChain::from_json(json).unwrap()
}

fn noted(old: &Home) -> Option<RotationChain> {
    std::fs::read(old.path("handed-over.json")).ok().map(|json| chain(&json))
}

fn published(new: &Home, output: &str) -> Option<RotationChain> {
    std::fs::read(new.beside(output)).ok().map(|json| chain(&json))
}

fn stored(new: &Home) -> Option<RotationChain> {
    let shown = new.ok(&["--format", "json", "id", "rotation", "show"], b"");
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert!(shown["chain"].is_array(), "{shown}");
    (shown["chain"] != serde_json::json!([])).then(|| chain(shown["chain"].to_string().as_bytes()))
}

/// A key makes one statement, wherever it is cut off: what is noted, what is stored, what
/// was given out and what a second try gives are the same.
#[test]
fn a_handover_killed_at_any_step_goes_on_with_the_same_statement() {
    let names = ["fsync", "rename", "unlink", "link"];
    let left = shares::for_each(&names, || (), |(), name| killed_at_each(name)).concat();
    // Before the statement, between the stores, and before it is given out.
    for expected in [(false, false, false), (true, false, false), (true, true, false)] {
        assert!(left.contains(&expected), "{expected:?} is not in {left:?}");
    }
    assert!(left.len() >= 12, "{left:?}");
}

/// Of each kill whether it was noted, stored and given out.
fn killed_at_each(name: &str) -> Vec<(bool, bool, bool)> {
    let mut left = vec![];
    for nth in 1.. {
        let (old, new, other) = (identity(), identity(), identity());
        let log = old.beside("log");
        let (ran, killed) = kill::command(&rotate(&old, &new, "chain.json"), Nth(name, nth), &log);
        if !killed {
            assert_eq!(ran.code, 0, "{name} {nth}: {}", ran.err);
            break;
        }
        let (note, given) = (noted(&old), published(&new, "chain.json"));
        // Nothing is anywhere that is not noted.
        let kept = stored(&new);
        for seen in [&kept, &given].into_iter().flatten() {
            assert_eq!(Some(seen), note.as_ref(), "{name} {nth}");
        }
        left.push((note.is_some(), kept.is_some(), given.is_some()));
        if note.is_some() {
            let refused = run(&mut rotate(&old, &other, "other.json"), b"");
            assert_eq!(refused.code, 1, "{name} {nth}");
            assert!(refused.err.contains("has handed over to"), "{}", refused.err);
            assert_eq!(published(&other, "other.json"), None);
        }
        let ran = run(&mut rotate(&old, &new, "again.json"), b"");
        assert_eq!(ran.code, 0, "{name} {nth}: {}", ran.err);
        assert_eq!(ran.err.contains("was stated before"), note.is_some(), "{name} {nth}");
        let again = published(&new, "again.json").unwrap();
        if let Some(note) = note {
            assert_eq!(again, note, "{name} {nth}");
        }
        assert_eq!(noted(&old), Some(again.clone()));
        assert_eq!(stored(&new), Some(again));
    }
    left
}

/// They ask at the same time, for two successors, and each twice.
#[test]
fn of_processes_that_hand_over_to_two_one_is_heard() {
    for _ in 0..3 {
        let (old, successors) = (identity(), [identity(), identity()]);
        let spawn = |at: usize| {
            let output = format!("chain-{}.json", at / 2);
            let mut command = rotate(&old, &successors[at % 2], &output);
            let piped = std::process::Stdio::piped;
            command.stdin(std::process::Stdio::null()).stdout(piped()).stderr(piped());
            command.spawn().unwrap()
        };
        let running: Vec<_> = (0..4).map(spawn).collect();
        let ended: Vec<_> =
            running.into_iter().map(|child| child.wait_with_output().unwrap()).collect();
        let note = noted(&old).unwrap();
        let winner = (0..2).find(|at| successors[*at].show()["did"] == note.current().as_str());
        let winner = winner.unwrap();
        for (at, ended) in ended.iter().enumerate() {
            let told = String::from_utf8_lossy(&ended.stderr);
            assert_eq!(ended.status.success(), at % 2 == winner, "{at}: {told}");
            assert!(ended.status.success() || told.contains("has handed over to"), "{told}");
            let output = format!("chain-{}.json", at / 2);
            let given = published(&successors[at % 2], &output);
            assert_eq!(given, (at % 2 == winner).then(|| note.clone()));
        }
        assert_eq!(stored(&successors[winner]), Some(note));
        assert_eq!(stored(&successors[1 - winner]), None);
    }
}
