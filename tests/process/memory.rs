//! What is left of a secret in a process, seen from outside: a program built in
//! release (`memory-probe`) works with secrets and stops at every step, and this
//! one reads all of its memory there.

mod icnctl;
mod probe;
mod scan;
mod secret;
mod software;
mod token;
#[cfg(feature = "tpm")]
mod tpm;
