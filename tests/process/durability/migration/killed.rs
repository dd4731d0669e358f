//! Killed before each call that makes a difference.

use super::judged::Judged;
use super::node::{Deed, Node};
use crate::durability::repeats::{dice, every_call_is_wanted, some_of_each_row};
use crate::durability::shares;
use crate::durability::trace::Call;

fn killed_everywhere(deed: Deed) {
    let node = Node::new(deed);
    let calls = node.undisturbed();
    let window = some_of_each_row(&node.kills(&calls));
    assert!(window.len() > 8, "{window:#?}");
    let first = dice().roll(2) == 0;
    let cases: Vec<(&Call, bool)> = window
        .iter()
        .enumerate()
        .flat_map(|(at, call)| {
            // One way each, by chance; where the journal takes its place, which says how far it
            // is, both, and if each call is asked for, where any file does.
            let is_step = call.quoted().last().is_some_and(|to| to.ends_with("/migration.json"));
            let both = call.name == "rename" && (is_step || every_call_is_wanted());
            [true, false].map(|on| (both || on == (first == (at % 2 == 0))).then_some((*call, on)))
        })
        .flatten()
        .collect();
    let judged = Judged::default();
    let ends = shares::for_each(
        &cases,
        || Node::new(deed),
        |node, (call, goes_on)| killed_at(node, &judged, call, *goes_on),
    );
    let old: Vec<bool> = ends.iter().copied().flatten().collect();
    assert!(old.len() + 3 >= ends.len(), "{ends:?}");
    let count = old.iter().filter(|old| **old).count();
    let (times, states) = (old.len(), judged.count());
    println!("{deed:?}: killed {times} times, in {states} states; {count} times the old one");
    match deed {
        Deed::Finish => assert_eq!(count, 0),
        _ => assert!(count > 0 && count < old.len()),
    }
}

fn killed_at(node: &Node, judged: &Judged, call: &Call, goes_on: bool) -> Option<bool> {
    node.reset();
    let (ran, killed) = node.killed_before(call);
    let what = format!("{:?}, on: {goes_on}: killed at {}", node.deed, call.text);
    if !killed {
        // How much it prints differs, on a machine that has more to do.
        assert!(call.name == "write" && ran.code == 0, "not {what}: {}", ran.err);
        return None;
    }
    Some(node.judge(judged, &what, goes_on, call.name == "rename"))
}

#[test]
fn a_migration_into_a_token_that_is_killed_leaves_the_old_identity_or_the_new_one() {
    killed_everywhere(Deed::Token);
}

#[test]
fn a_migration_into_a_tpm_that_is_killed_leaves_the_old_identity_or_the_new_one() {
    killed_everywhere(Deed::Tpm);
}

#[test]
fn an_import_into_a_token_that_is_killed_leaves_the_old_identity_or_the_new_one() {
    killed_everywhere(Deed::Import);
}

#[test]
fn an_import_into_a_tpm_that_is_killed_leaves_the_old_identity_or_the_new_one() {
    killed_everywhere(Deed::TpmImport);
}

#[test]
fn a_migration_from_a_token_that_is_killed_leaves_the_old_identity_or_the_new_one() {
    killed_everywhere(Deed::Between);
}

#[test]
fn a_rollback_that_is_killed_leaves_the_old_identity_or_the_new_one() {
    killed_everywhere(Deed::Back);
}

#[test]
fn the_end_of_a_migration_that_is_killed_leaves_the_new_identity() {
    killed_everywhere(Deed::Finish);
}
