//! The page.

use std::fmt::Write as _;

use super::{Measured, Run};
use crate::ratios::{RATIOS, Ratio};

const BEGIN: &str = "\
# What it costs

`scripts/bench` runs the benches, writes their results to `benches/results.jsonl`, and makes this page and
its plot of them. Nothing here is written by hand. Every number is a ratio against a baseline that runs in
turn with it, in the same minutes on the same machine, so that it means about the same on another one: the
median of many rounds, or for rates the best of five. What waits for nothing is measured by the time that its
thread has had a processor. Files are in memory, unless it says otherwise: how long a disk syncs is its own
affair. `cargo bench` ends with an error if a ratio is past its limit. Limits are what a quiet machine of two
cores meets, with some percent to spare; whatever else uses the processors then can make a ratio pass its limit.
The table is in `tests/support/src/ratios/table.rs`.

";

/// The whole of it.
#[must_use]
pub fn page(run: &Run) -> String {
    let mut text = BEGIN.to_owned();
    for (name, value) in &run.conditions {
        let _ = writeln!(text, "- {name}: {value}");
    }
    text += "\n## Ratios\n\n![each ratio as a part of its limit](performance.svg)\n\n";
    text += "| ratio | measured | limit | the two values |\n|---|---|---|---|\n";
    for row in RATIOS {
        let (name, limit) = (row.name, row.limit);
        let _ = match of(run, row) {
            Some(Measured { ratio, values, .. }) => {
                writeln!(text, "| `{name}` | {ratio:.2} | {limit} | {values} |")
            }
            None => writeln!(text, "| `{name}` | not in the last run | {limit} | – |"),
        };
    }
    text += "\n## What each of them means\n\n";
    text += "| ratio | is | means |\n|---|---|---|\n";
    for row in RATIOS {
        let _ = writeln!(text, "| `{}` | {} | {} |", row.name, row.what, row.means);
    }
    text += "\n## Goals that are not reached\n\n";
    text +=
        "| ratio | goal | measured | what the time buys | what reaching the goal would cost |\n";
    text += "|---|---|---|---|---|\n";
    for row in RATIOS {
        if let Some(missed) = &row.missed {
            let (goal, buys, costs) = (missed.goal, missed.buys, missed.costs);
            let measured = of(run, row).map_or("–".to_owned(), |it| format!("{:.2}", it.ratio));
            let _ = writeln!(text, "| `{}` | {goal} | {measured} | {buys} | {costs} |", row.name);
        }
    }
    text += "\n## Figures\n\nThese depend on the machine, so they have no limit.\n\n";
    text += "| what | measured |\n|---|---|\n";
    for (what, value) in &run.figures {
        let _ = writeln!(text, "| {what} | {value} |");
    }
    text
}

fn of<'r>(run: &'r Run, row: &Ratio) -> Option<&'r Measured> {
    run.measured.iter().find(|measured| measured.name == row.name)
}
