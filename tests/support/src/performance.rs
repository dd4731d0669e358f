//! `docs/performance.md` and its plot, from what the benches have measured.

mod page;
mod plot;

use std::path::Path;

use serde_json::Value;

use crate::ratios::past;

pub use page::page;
pub use plot::plot;

/// One run of all benches.
#[derive(Debug)]
pub struct Run {
    /// On which machine and when: names and values.
    pub conditions: Vec<(String, String)>,
    /// By the name of the ratio.
    pub measured: Vec<Measured>,
    /// What has no limit.
    pub figures: Vec<(String, String)>,
}

#[derive(Debug)]
pub struct Measured {
    pub name: String,
    pub ratio: f64,
    /// The two values, with their units.
    pub values: String,
}

impl Run {
    /// Reads lines of JSON, each a condition, a ratio or a figure.
    ///
    /// # Panics
    ///
    /// If the file cannot be read, or a line is none of these.
    #[must_use]
    pub fn read(path: &Path) -> Self {
        let text = std::fs::read_to_string(path)
            .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let mut run = Self { conditions: Vec::new(), measured: Vec::new(), figures: Vec::new() };
        for line in text.lines() {
            let line: Value = serde_json::from_str(line).unwrap();
            let text = |key: &str| line[key].as_str().map(str::to_owned);
            if let (Some(name), Some(value)) = (text("condition"), text("value")) {
                run.conditions.push((name, value));
            } else if let (Some(name), Some(value)) = (text("figure"), text("value")) {
                run.figures.push((name, value));
            } else if let (Some(name), Some(values)) = (text("ratio"), text("values")) {
                let ratio = line["measured"].as_f64().unwrap_or(f64::NAN);
                run.measured.push(Measured { name, ratio, values });
            } else {
                panic!("{}: a line that is no result: {line}", path.display());
            }
        }
        run
    }

    /// Each ratio that is past its limit, missing, or there twice.
    #[must_use]
    pub fn past(&self) -> Vec<String> {
        let measured: Vec<_> =
            self.measured.iter().map(|one| (one.name.as_str(), one.ratio)).collect();
        past(None, &measured)
    }
}
