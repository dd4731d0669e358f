//! The alerts of the page ask for what there is: of a wrong name or label Prometheus says
//! nothing, and no alert ever comes.

use std::collections::BTreeSet;

use support::softhsm::SoftHsm;
use support::swtpm::Swtpm;

use crate::monitor::{get, monitored};
use crate::node::Node;
use crate::page::block_with;

/// Each series that an expression asks for: its name, and each value of its label.
fn asked(expression: &str) -> BTreeSet<(String, Option<String>)> {
    let is_name = |letter: char| letter.is_ascii_lowercase() || letter == '_';
    let mut found = BTreeSet::new();
    for (at, _) in expression.match_indices("icnd_") {
        let text = &expression[at..];
        let (name, rest) = text.split_at(text.find(|c| !is_name(c)).unwrap_or(text.len()));
        let Some((matcher, _)) = rest.strip_prefix('{').and_then(|rest| rest.split_once('}'))
        else {
            found.insert((name.to_owned(), None));
            continue;
        };
        let (label, values) = matcher.split_once('=').unwrap();
        let values = values.trim_start_matches('~').trim_matches('"');
        for value in values.split('|') {
            found.insert((name.to_owned(), Some(format!("{label}=\"{value}\""))));
        }
    }
    found
}

/// What is missing of an expression in what is measured.
fn missing(expression: &str, metrics: &str) -> Vec<String> {
    let mut missing = Vec::new();
    for (name, label) in asked(expression) {
        let series = match &label {
            Some(label) => format!("\n{name}{{{label}}} "),
            None => format!("\n{name} "),
        };
        if !metrics.contains(&series) {
            missing.push(series.trim().to_owned());
        }
        // `increase` is for what only grows.
        let is_counter = name.ends_with("_total");
        let whole = label.map_or_else(|| name.clone(), |_| format!("{name}{{"));
        if is_counter != expression.contains(&format!("increase({whole}")) {
            missing.push(format!("{name} is no number that grows, or is one"));
        }
    }
    missing
}

#[test]
fn the_alerts_of_the_page_ask_for_what_is_measured() {
    let (hsm, tpm) = (SoftHsm::with_token("node"), Swtpm::start());
    let mut metrics = String::new();
    for node in [Node::of(hsm.identity("node")), Node::sealed_to(&tpm)] {
        let (_daemon, address) = monitored(&node);
        metrics += &get(address, "/metrics").1;
    }
    let rules = block_with("- alert: ");
    let expressions: Vec<&str> =
        rules.lines().filter_map(|line| line.trim().strip_prefix("expr: ")).collect();
    let count = |what: &str| rules.matches(what).count();
    assert!(expressions.len() >= 6);
    assert_eq!(count("- alert: "), expressions.len());
    assert_eq!(count("summary: "), expressions.len());
    for expression in expressions {
        assert!(!asked(expression).is_empty(), "{expression}");
        assert_eq!(missing(expression, &metrics), Vec::<String>::new(), "{expression}");
    }
    // It finds what is wrong.
    for wrong in [
        "icnd_unlockd == 0",
        "increase(icnd_key_errors_total{code=\"away\"}[5m]) > 0",
        "increase(icnd_problems_total{code=~\"not-a-client|reserved\"}[5m]) > 0",
        "increase(icnd_key_errors_total{reason=\"device-away\"}[5m]) > 0",
        "icnd_audit_errors_total > 0",
        "increase(icnd_unlocked[5m]) > 0",
    ] {
        assert!(!missing(wrong, &metrics).is_empty(), "{wrong}");
    }
}
