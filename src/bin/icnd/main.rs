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
mod instance;
mod issued;
mod line;
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
