//! The disk is full at each call that makes or writes a file of the home.

use super::judged::Judged;
use super::node::{Deed, Node};
use crate::durability::repeats::some_of_each_name_and_file;
use crate::durability::shares;
use crate::durability::trace::Call;

fn full_everywhere(deed: Deed) {
    let node = Node::new(deed);
    let calls = node.undisturbed();
    let names = ["openat", "write", "fsync", "rename", "mkdir"];
    let window: Vec<&Call> = calls
        .iter()
        .filter(|call| names.contains(&call.name.as_str()) && call.names(node.dir.path()))
        .filter(|call| !call.failed() && !call.text.contains(".lock"))
        .filter(|call| call.name != "openat" || call.mutates())
        .collect();
    assert!(window.len() > 40, "{window:#?}");
    // Told by the same lines at whatever step.
    let window = some_of_each_name_and_file(&window);
    let cases: Vec<(&Call, bool)> =
        window.iter().enumerate().map(|(at, call)| (*call, at % 2 == 0)).collect();
    let judged = Judged::default();
    let told = shares::for_each(
        &cases,
        || Node::new(deed),
        |node, (call, goes_on)| full_at(node, &judged, call, *goes_on),
    );
    let told = told.into_iter().filter(|told| *told).count();
    println!(
        "{deed:?}: full at {} calls, in {} states; {told} times it was told",
        window.len(),
        judged.count()
    );
    assert!(told > 20 && told * 2 > window.len(), "{told}");
}

/// Whether it was told.
fn full_at(node: &Node, judged: &Judged, call: &Call, goes_on: bool) -> bool {
    node.reset();
    let ran = node.traced(&call.failing("ENOSPC"));
    let what = format!("{:?}, on: {goes_on}: full at {}: {}", node.deed, call.text, ran.err);
    assert!(ran.code == 0 || (ran.code == 1 && ran.err.contains("try: ")), "{what}");
    node.judge(judged, &what, goes_on, false);
    ran.code != 0
}

#[test]
fn a_disk_that_is_full_at_any_write_of_a_migration_is_told_and_leaves_one_that_opens() {
    full_everywhere(Deed::Token);
}
