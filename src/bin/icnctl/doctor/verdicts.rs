//! How doctors write down what they found.

use std::fmt::Write as _;

use icn_identity::backend::doctor::{Outcome, Verdict};

use crate::output::one_line;

pub(crate) fn row(text: &mut String, name: &str, value: &str) {
    let (name, value) = (one_line(name), one_line(value));
    let _ = writeln!(text, "  {name:<18} {value}");
}

/// Adds the option that does what the library advises.
pub(crate) fn name_options(verdicts: &mut [Verdict]) {
    for verdict in verdicts {
        if let (Some(advice), Some(algorithm)) = (&mut verdict.advice, verdict.instead) {
            let _ = write!(advice, ": --algorithm {algorithm}");
        }
    }
}

pub(crate) fn write_verdicts(text: &mut String, verdicts: &[Verdict], worst: Outcome) {
    text.push_str("\nVerdict\n");
    for verdict in verdicts {
        let sign = match verdict.state {
            Outcome::Ok => "ok",
            Outcome::Warning => "warning",
            _ => "FAIL",
        };
        let _ =
            writeln!(text, "  {sign:<8} {:<28} {}", verdict.requirement, one_line(&verdict.found));
        if let Some(advice) = &verdict.advice {
            let _ = writeln!(text, "           try: {advice}");
        }
    }
    text.push_str(match worst {
        Outcome::Ok => "An identity works here.\n",
        Outcome::Warning => "An identity works here, with the restrictions above.\n",
        _ => "No identity works here.\n",
    });
}
