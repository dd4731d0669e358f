//! Works with secrets, and stops at every step until it is told to go on, so
//! that the test that started it can look into its memory from outside.
//!
//! Secrets come masked on standard input, a name and hex on each line up to an
//! empty one; the mask keeps the pipe and its buffers from being copies. Every
//! block of the Rust heap is in one mapping of its own and is never used again
//! (see `arena`), so that whatever is not wiped is found.

mod arena;
mod leak;
mod secrets;
mod software;
mod token;
#[cfg(feature = "tpm")]
mod tpm;

use std::io::{self, BufRead as _, Write as _};

use secrets::Secrets;

#[global_allocator]
static HEAP: arena::Arena = arena::Arena;

fn main() {
    let case = std::env::args().nth(1).expect("the name of a case");
    let secrets = Secrets::read();
    match case.as_str() {
        "seed" => software::seed(&secrets),
        "generated" => software::generated(&secrets),
        "file" => software::file(&secrets),
        "identity" => software::identity(&secrets),
        "credential" => software::credential(&secrets),
        "token" => token::token(&secrets),
        "import" => token::import(&secrets),
        #[cfg(feature = "tpm")]
        "tpm import" => tpm::import(&secrets),
        "refused" => token::refused(&secrets),
        other => panic!("no case {other}"),
    }
    // What was looked for is found where it is: nothing of the above was blind.
    leak::everywhere(&secrets);
}

/// Says where we are, and waits to be told to go on.
pub(crate) fn stop(at: &str) {
    let mut out = io::stdout().lock();
    writeln!(out, "{at}").expect("the parent listens");
    out.flush().expect("the parent listens");
    let mut line = String::new();
    assert!(io::stdin().lock().read_line(&mut line).expect("the parent speaks") > 0);
}
