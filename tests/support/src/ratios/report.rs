//! What one bench has measured: it ends with an error if a ratio is past its limit, or missing.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::process::ExitCode;
use std::time::Duration;

use serde_json::{Value, json};

use super::{RATIOS, Ratio};

/// Names the file that results are appended to, as lines of JSON.
const RESULTS: &str = "ICN_BENCH_RESULTS";

#[derive(Debug)]
pub struct Report {
    bench: &'static str,
    measured: Vec<(&'static Ratio, f64)>,
    results: Option<File>,
}

impl Report {
    /// # Panics
    ///
    /// If the table has no ratio of this bench, or the results cannot be written.
    #[must_use]
    pub fn of(bench: &'static str) -> Self {
        assert!(RATIOS.iter().any(|ratio| ratio.bench == bench), "{bench} has no limit");
        let results = std::env::var_os(RESULTS)
            .map(|path| OpenOptions::new().append(true).create(true).open(path).unwrap());
        Self { bench, measured: Vec::new(), results }
    }

    /// Of two times.
    pub fn time(&mut self, name: &str, ours: Duration, baseline: Duration) {
        let times = format!("{ours:.2?} over {baseline:.2?}");
        self.ratio(name, ours.as_secs_f64() / baseline.as_secs_f64(), &times);
    }

    /// Of two rates, each in a second.
    pub fn rate(&mut self, name: &str, ours: f64, baseline: f64) {
        self.ratio(name, ours / baseline, &format!("{ours:.0} over {baseline:.0} a second"));
    }

    fn ratio(&mut self, name: &str, measured: f64, values: &str) {
        let ratio = Ratio::named(name);
        assert_eq!(ratio.bench, self.bench, "{name} is of another bench");
        self.measured.push((ratio, measured));
        let verdict = if ratio.limit.is_met(measured) { "ok" } else { "PAST THE LIMIT" };
        println!("{name}: {measured:.3} ({}: {verdict}); {values}", ratio.limit);
        self.write(&json!({ "ratio": name, "measured": measured, "values": values }));
    }

    /// What has no limit, since it depends on the machine alone.
    pub fn figure(&mut self, what: &str, value: &str) {
        println!("{what}: {value}");
        self.write(&json!({ "figure": what, "value": value }));
    }

    fn write(&mut self, line: &Value) {
        if let Some(file) = &mut self.results {
            writeln!(file, "{line}").unwrap();
        }
    }

    /// What the bench ends with.
    #[must_use]
    pub fn end(self) -> ExitCode {
        let measured: Vec<_> =
            self.measured.iter().map(|(ratio, measured)| (ratio.name, *measured)).collect();
        let wrong = past(Some(self.bench), &measured);
        for what in &wrong {
            eprintln!("bench {}: {what}", self.bench);
        }
        if wrong.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
    }
}

/// What is wrong with the results of one bench, or of all: each ratio that is past its limit,
/// was not measured, or was measured twice.
#[must_use]
pub fn past(bench: Option<&str>, measured: &[(&str, f64)]) -> Vec<String> {
    let rows = RATIOS.iter().filter(|ratio| bench.is_none_or(|bench| ratio.bench == bench));
    let complaint = |ratio: &Ratio| {
        let mut of_it = measured.iter().filter(|(name, _)| *name == ratio.name);
        match (of_it.next(), of_it.next()) {
            (None, _) => Some(format!("{} was not measured", ratio.name)),
            (Some(_), Some(_)) => Some(format!("{} was measured twice", ratio.name)),
            (Some((_, measured)), None) if ratio.limit.is_met(*measured) => None,
            (Some((_, measured)), None) => Some(format!(
                "{} is past its limit: measured {measured:.3}, expected {}",
                ratio.name, ratio.limit
            )),
        }
    };
    rows.filter_map(complaint).collect()
}
