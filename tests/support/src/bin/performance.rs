//! Makes docs/performance.md and its plot from benches/results.jsonl, and prints all ratios in
//! one table; ends with an error if one of them is past its limit, or missing.

use std::path::Path;
use std::process::ExitCode;

use support::performance::{Run, page, plot};
use support::ratios::RATIOS;

fn main() -> ExitCode {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let run = Run::read(&root.join("benches/results.jsonl"));
    std::fs::write(root.join("docs/performance.md"), page(&run)).unwrap();
    std::fs::write(root.join("docs/performance.svg"), plot(&run)).unwrap();
    for row in RATIOS {
        if let Some(measured) = run.measured.iter().find(|measured| measured.name == row.name) {
            let limit = row.limit.to_string();
            println!("{:24} {:8.3}  {limit:14}  {}", row.name, measured.ratio, measured.values);
        }
    }
    let past = run.past();
    for what in &past {
        eprintln!("{what}");
    }
    if past.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
