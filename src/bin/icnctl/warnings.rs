//! Warnings of the library, on standard error.

use log::{Level, LevelFilter, Log, Metadata, Record};

use crate::output::say;

struct Stderr;

impl Log for Stderr {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        // Ours only: other crates may log what we would not.
        metadata.level() <= Level::Warn && metadata.target().starts_with("icn_identity")
    }

    fn log(&self, record: &Record<'_>) {
        if self.enabled(record.metadata()) {
            say(&format!("warning: {}", record.args()));
        }
    }

    fn flush(&self) {}
}

pub(crate) fn install() {
    if log::set_logger(&Stderr).is_ok() {
        log::set_max_level(LevelFilter::Warn);
    }
}
