//! Copies that are left on purpose, each where code that is not careful leaves
//! them.

use std::hint::black_box;

use crate::secrets::{Secrets, unmask};
use crate::stop;

/// Leaks every secret in every way, one after the other.
pub(crate) fn everywhere(secrets: &Secrets) {
    for name in secrets.names() {
        on_the_stack(secrets.masked(name));
        stop(&format!("leaked {name} stack"));
        wipe_the_stack();
        stop(&format!("wiped {name} stack"));
    }
    for name in secrets.names() {
        drop(copy(secrets.masked(name)));
        stop(&format!("leaked {name} freed"));
    }
    for name in secrets.names() {
        let kept = copy(secrets.masked(name));
        stop(&format!("leaked {name} heap"));
        black_box(kept);
    }
}

fn copy(masked: &[u8]) -> Box<[u8]> {
    let mut copy = vec![0; masked.len()].into_boxed_slice();
    unmask(masked, &mut copy);
    copy
}

#[inline(never)]
fn on_the_stack(masked: &[u8]) {
    let mut copy = [0_u8; 64];
    unmask(masked, &mut copy[..masked.len()]);
    // Far enough below for what is called later not to overwrite it.
    let deep = [0_u8; 4096];
    black_box((&copy, &deep));
}

#[inline(never)]
fn wipe_the_stack() {
    black_box(&mut [0_u8; 16 * 1024]);
}
