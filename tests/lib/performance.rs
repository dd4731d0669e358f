//! Every bench has its limits, every limit its bench, and the page says what was measured.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::process::ExitCode;
use std::time::Duration;

use support::performance::{Run, page, plot};
use support::ratios::{Limit, RATIOS, Ratio, Report, past};

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The literals that stand as the first argument of a call.
fn arguments_of<'s>(source: &'s str, call: &'s str) -> impl Iterator<Item = &'s str> {
    let after = source.split(call).skip(1).filter_map(|rest| rest.trim_start().strip_prefix('"'));
    after.map(|rest| rest.split('"').next().unwrap())
}

fn measured_by(bench: &str, source: &str) -> BTreeSet<(String, String)> {
    let names = ["report.time(", "report.rate("].into_iter();
    let names = names.flat_map(|call| arguments_of(source, call));
    names.map(|name| (bench.to_owned(), name.to_owned())).collect()
}

#[test]
fn each_bench_measures_the_ratios_of_the_table_and_no_others() {
    let mut measured = BTreeSet::new();
    let mut benches = BTreeSet::new();
    for entry in fs::read_dir(root().join("benches")).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let bench = path.file_stem().unwrap().to_str().unwrap();
        let source = fs::read_to_string(&path).unwrap();
        let reports: Vec<_> = arguments_of(&source, "Report::of(").collect();
        assert_eq!(reports, [bench], "{bench} reports for itself");
        assert!(source.contains("report.end()"), "{bench} does not end with its report");
        measured.extend(measured_by(bench, &source));
        benches.insert(bench.to_owned());
    }
    let table: BTreeSet<_> =
        RATIOS.iter().map(|ratio| (ratio.bench.to_owned(), ratio.name.to_owned())).collect();
    assert_eq!(measured, table);
    assert_eq!(table.len(), RATIOS.len(), "a name stands twice");
    let manifest = fs::read_to_string(root().join("Cargo.toml")).unwrap();
    let run: BTreeSet<_> =
        arguments_of(&manifest, "[[bench]]\nname =").map(str::to_owned).collect();
    assert_eq!(run, benches, "what `cargo bench` runs");
}

#[test]
fn a_ratio_past_its_limit_or_without_a_value_is_named() {
    let (at_most, at_least) = (Limit::AtMost(1.25), Limit::AtLeast(0.8));
    assert!(at_most.is_met(1.25) && at_most.is_met(0.5) && !at_most.is_met(1.251));
    assert!(at_least.is_met(0.8) && at_least.is_met(2.0) && !at_least.is_met(0.799));
    for nothing in [f64::NAN, f64::INFINITY, 0.0, -1.0] {
        assert!(!at_most.is_met(nothing) && !at_least.is_met(nothing), "{nothing}");
    }
    let within = |ratio: &Ratio| match ratio.limit {
        Limit::AtMost(limit) | Limit::AtLeast(limit) => (ratio.name, limit),
    };
    let all: Vec<_> = RATIOS.iter().map(within).collect();
    assert_eq!(past(None, &all), [""; 0]);
    for (place, (ratio, limit)) in
        RATIOS.iter().zip(&all).map(|(ratio, all)| (ratio, all.1)).enumerate()
    {
        let beyond = match ratio.limit {
            Limit::AtMost(_) => limit * 1.1,
            Limit::AtLeast(_) => limit * 0.9,
        };
        let mut measured = all.clone();
        measured[place].1 = beyond;
        let said = format!(
            "{} is past its limit: measured {beyond:.3}, expected {}",
            ratio.name, ratio.limit
        );
        assert_eq!(past(None, &measured), [said]);
        measured.remove(place);
        assert_eq!(past(None, &measured), [format!("{} was not measured", ratio.name)]);
        measured.extend([all[place], all[place]]);
        assert_eq!(past(None, &measured), [format!("{} was measured twice", ratio.name)]);
    }
}

#[test]
fn a_bench_past_a_limit_ends_with_an_error() {
    let ended = |ours: u64| {
        let mut report = Report::of("unlock");
        report.time("unlock", Duration::from_millis(ours), Duration::from_millis(100));
        report.end()
    };
    let is = |one: ExitCode, other: ExitCode| format!("{one:?}") == format!("{other:?}");
    assert!(is(ended(100), ExitCode::SUCCESS));
    assert!(is(ended(200), ExitCode::FAILURE));
    assert!(is(Report::of("unlock").end(), ExitCode::FAILURE), "nothing was measured");
}

/// A goal that was reached, or is no stricter than the limit, was not missed.
#[test]
fn a_missed_goal_is_missed_and_says_why() {
    let run = Run::read(&root().join("benches/results.jsonl"));
    for ratio in RATIOS {
        assert!(!ratio.what.is_empty() && !ratio.means.is_empty(), "{}", ratio.name);
        let Some(missed) = &ratio.missed else { continue };
        assert!(missed.buys.len() > 20 && missed.costs.len() > 20, "{}", ratio.name);
        let measured = run.measured.iter().find(|measured| measured.name == ratio.name);
        let is_met = measured.is_some_and(|measured| missed.goal.is_met(measured.ratio));
        assert!(!is_met, "{}: take its goal as limit", ratio.name);
    }
}

#[test]
fn the_page_shows_what_was_measured_and_all_of_it_is_within_its_limits() {
    let run = Run::read(&root().join("benches/results.jsonl"));
    // What the last run has left out stands in the page as that, and `scripts/bench` fails.
    let past: Vec<_> =
        run.past().into_iter().filter(|what| !what.ends_with(" was not measured")).collect();
    assert_eq!(past, [""; 0]);
    assert!(run.measured.len() * 2 > RATIOS.len(), "{} ratios", run.measured.len());
    let names: Vec<_> = run.conditions.iter().map(|(name, _)| name.as_str()).collect();
    for name in ["date", "processor", "load before the run"] {
        assert!(names.contains(&name), "{name} is missing: {names:?}");
    }
    for (file, made) in [("performance.md", page(&run)), ("performance.svg", plot(&run))] {
        let text = fs::read_to_string(root().join("docs").join(file)).unwrap();
        assert!(text == made, "docs/{file} is older than its results: scripts/bench page");
    }
}
