//! `icnd`: keeps the key of one identity, and uses it for other programs.

mod accept;
mod args;
mod asked;
mod audit;
mod calls;
mod checkpoint;
mod connection;
mod credential;
mod door;
mod epoch;
mod error;
mod hardening;
mod in_force;
mod instance;
mod issued;
mod line;
mod lines;
mod listener;
mod log;
mod metrics;
mod monitor;
mod peer;
mod peers;
mod pointer;
mod problem;
mod refusals;
mod server;
mod service;
mod sharing;
mod status;
#[allow(dead_code, reason = "of the questions of the command line, one is asked here")]
#[path = "../icnctl/terminal.rs"]
mod terminal;
mod ties;
mod tls;
mod turns;
mod words;

use std::process::ExitCode;

use clap::Parser as _;
use zeroizing_alloc::ZeroAlloc;

/// What is freed is wiped: buffers of requests too, in which a credential was.
#[global_allocator]
static WIPING: ZeroAlloc<std::alloc::System> = ZeroAlloc(std::alloc::System);

fn main() -> ExitCode {
    let args = args::Args::parse();
    log::install(args.log_format, args.log_level);
    hardening::harden();
    match service::run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            error.report();
            ExitCode::from(error.code())
        }
    }
}

#[cfg(test)]
mod tests {
    use icn_identity::backend::AgeKeyStore;
    use icn_identity::keystore::{Credentials, IdentityStore, Pinned};
    use icn_identity::{DidMethod, Passphrase};

    /// How often this thread has touched a page that was not there.
    fn faults() -> u64 {
        let stat = std::fs::read_to_string("/proc/thread-self/stat").unwrap();
        let (_, after_name) = stat.rsplit_once(')').unwrap();
        after_name.split_whitespace().nth(7).unwrap().parse().unwrap()
    }

    /// The allocator wipes what it gets back: what was only asked for must not come from it.
    #[test]
    fn unlocking_touches_the_memory_of_scrypt_and_no_more_of_that_size() {
        let directory = tempfile::tempdir().unwrap();
        let (backend, store) = (
            AgeKeyStore::new(directory.path().join("icn")),
            IdentityStore::new(directory.path().join("icn")),
        );
        let passphrase = Passphrase::new("correct horse battery staple");
        drop(backend.create_identity(DidMethod::Icn, &passphrase).unwrap());
        let credentials = Credentials::passphrase(passphrase);
        let before = faults();
        drop(store.open(&backend, Pinned::Nobody, &credentials).unwrap());
        let touched = (faults() - before) * u64::try_from(rustix::param::page_size()).unwrap();
        // 2^18 blocks of 1 KiB; with huge pages there are fewer faults.
        assert!(touched < 384 << 20, "{touched} bytes");
    }
}
