//! Ended by the module, right before and right after each call that it gets.

use support::softhsm::SoftHsm;

use super::judged::Judged;
use super::node::{Deed, Node};
use crate::durability::devices::{Device, TOKEN};
use crate::durability::repeats::{dice, every_call_is_wanted};
use crate::durability::shares;

/// The calls by which something on the token is changed.
const CHANGE: [&str; 5] =
    ["C_Login", "C_GenerateKeyPair", "C_GenerateKey", "C_CreateObject", "C_DestroyObject"];

/// Those by which it is opened or used, which leave the same on it before and after.
const USE: [&str; 6] =
    ["C_SignInit", "C_Sign", "C_Encrypt", "C_Decrypt", "C_OpenSession", "C_CloseSession"];

const EFFECTS: [&str; 2] = ["abort", "abort-after"];

/// The program ends as often as it makes each of those calls: this one, or the one that it
/// starts. Where a call leaves what was there, it ends before one and after the next in turn,
/// unless each call is asked for.
fn aborted_at_every_call(deed: Deed) {
    let [first, second] = EFFECTS;
    let in_turn = if dice().roll(2) == 0 { [first, second] } else { [second, first] };
    let both = |call| EFFECTS.map(|effect| (call, [effect; 2]));
    let mut cases: Vec<(&str, [&str; 2])> = CHANGE.into_iter().flat_map(both).collect();
    if every_call_is_wanted() {
        cases.extend(USE.into_iter().flat_map(both));
    } else {
        cases.extend(USE.map(|call| (call, in_turn)));
    }
    let node = || {
        let hsm = SoftHsm::with_token(TOKEN);
        let fault = hsm.fault_module();
        Node::on(deed, Device::Token(hsm), fault)
    };
    let judged = Judged::default();
    let ends = shares::for_each(&cases, node, |node, (call, effects)| {
        aborted_at(node, &judged, call, effects)
    });
    let old: Vec<bool> = ends.into_iter().flatten().collect();
    let count = old.iter().filter(|old| **old).count();
    let (times, states) = (old.len(), judged.count());
    println!("{deed:?}: aborted {times} times, in {states} states; {count} times the old one");
    assert!(old.len() > 20, "{old:?}");
}

/// Of each time whether it was the old one.
fn aborted_at(node: &Node, judged: &Judged, call: &str, effects: &[&str; 2]) -> Vec<bool> {
    let Device::Token(hsm) = &node.device else { return vec![] };
    let words = node.deed();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let mut old = vec![];
    for nth in 1.. {
        node.reset();
        let effect = effects[nth % 2];
        hsm.script(&format!("on {call} {nth} {effect}\n"));
        let ran = node.icnctl(&words);
        hsm.script("");
        if ran.code == 0 {
            break;
        }
        let what = format!("{:?}: {effect} at {call} {nth}: {}", node.deed, ran.err);
        // Itself, or the process that it has started.
        assert!(ran.code == -1 || ran.err.contains("a new process did not"), "{what}");
        old.push(node.judge(judged, &what, nth / 2 % 2 == 0, false));
    }
    old
}

#[test]
fn a_migration_into_a_token_that_ends_at_any_call_of_its_module_leaves_one_that_opens() {
    aborted_at_every_call(Deed::Token);
}

#[test]
fn an_import_into_a_token_that_ends_at_any_call_of_its_module_leaves_one_that_opens() {
    aborted_at_every_call(Deed::Import);
}
