//! The log on standard error: of this program and its library, and of no other crate.

use tracing_subscriber::filter::{LevelFilter, Targets};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{fmt, registry};

use crate::args::LogFormat;

pub(crate) fn install(format: LogFormat, level: LevelFilter) {
    // Others may log what we would not.
    let ours = Targets::new().with_target("icnd", level).with_target("icn_identity", level);
    let lines = fmt::layer().with_writer(std::io::stderr);
    let installed = match format {
        LogFormat::Text => registry().with(ours).with(lines.with_ansi(false)).try_init(),
        LogFormat::Json => registry().with(ours).with(lines.json()).try_init(),
    };
    // Nothing has been installed before.
    let _ = installed;
}
