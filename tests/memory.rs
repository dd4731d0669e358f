//! What is left of a secret in a process, seen from outside: a program built in
//! release (`memory-probe`) works with secrets and stops at every step, and this
//! one reads all of its memory there.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "tests")]
#![allow(clippy::indexing_slicing, reason = "tests")]

#[path = "memory/icnctl.rs"]
mod icnctl;
#[path = "memory/probe.rs"]
mod probe;
#[path = "memory/scan.rs"]
mod scan;
#[path = "memory/secret.rs"]
mod secret;
#[path = "memory/software.rs"]
mod software;
#[path = "memory/token.rs"]
mod token;
