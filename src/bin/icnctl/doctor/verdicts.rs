//! How doctors write down what they found.

use std::fmt::Write as _;

use icn_identity::backend::doctor::{Outcome, Remedy, Verdict};
use icn_identity::error::in_full;
use serde_json::json;

use crate::context::Context;
use crate::error::CliError;
use crate::help::Help;
use crate::output::one_line;

pub(crate) fn row(text: &mut String, name: &str, value: &str) {
    let (name, value) = (one_line(name), one_line(value));
    let _ = writeln!(text, "  {name:<18} {value}");
}

/// Where a new identity can be made.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum ForNew {
    ThisHome,
    /// In this one is an identity.
    #[cfg_attr(not(feature = "pkcs11"), expect(dead_code, reason = "tokens alone say it"))]
    AnotherHome,
}

/// Adds the option that does what the library advises.
pub(crate) fn name_options(verdicts: &mut [Verdict], home: ForNew) {
    let init = match home {
        ForNew::ThisHome => "icnctl id init",
        ForNew::AnotherHome => "icnctl --home ANOTHER id init",
    };
    for verdict in verdicts {
        if let (Some(advice), Some(remedy)) = (&mut verdict.advice, &verdict.remedy) {
            let _ = match remedy {
                Remedy::Algorithm(algorithm) => write!(advice, ": --algorithm {algorithm}"),
                Remedy::Adopt => write!(
                    advice,
                    ": icnctl backend doctor --probe --key URI; then: {init} --key URI"
                ),
                Remedy::LastingProbe => write!(advice, ": --probe-with-lasting-key"),
                Remedy::NameToken => {
                    write!(advice, "; or by --token LABEL, or --key 'pkcs11:serial=SERIAL'")
                }
                Remedy::WritePublicKey => {
                    write!(
                        advice,
                        ": icnctl id write-public-key (`icnctl id relocate` finds another)"
                    )
                }
                Remedy::RemoveProbeKeys => write!(
                    advice,
                    ": `pkcs11-tool --module MODULE --token-label TOKEN --login --delete-object --label \
                     'icn-identity probe' --type privkey` (then pubkey and secrkey)"
                ),
                Remedy::RecordNotShown { uri } => {
                    write!(advice, ": icnctl id relocate --key '{uri}'")
                }
                Remedy::Relocate => write!(advice, ": icnctl id relocate"),
                _ => Ok(()),
            };
        }
    }
}

pub(crate) fn write_verdicts(text: &mut String, verdicts: &[Verdict], conclusion: &str) {
    text.push_str("\nVerdict\n");
    for verdict in verdicts {
        let sign = match verdict.state {
            Outcome::Ok => "ok",
            Outcome::Warning => "warning",
            _ => "FAIL",
        };
        let advice = verdict.advice.as_deref();
        write_verdict(text, (sign, verdict.requirement), &verdict.found, advice);
    }
    let _ = writeln!(text, "{conclusion}");
}

fn write_verdict(
    text: &mut String,
    (sign, requirement): (&str, &str),
    found: &str,
    advice: Option<&str>,
) {
    let _ = writeln!(text, "  {sign:<8} {requirement:<28} {}", one_line(found));
    if let Some(advice) = advice {
        let _ = writeln!(text, "           try: {advice}");
    }
}

/// What is said where nothing was tried.
pub(crate) const NOTHING_TRIED: &str = "Nothing speaks against an identity here, but nothing was tried: no key was made, nothing was \
     signed, no storage key was kept. Try it with --probe.";

pub(crate) fn worst_of(verdicts: &[Verdict]) -> Outcome {
    verdicts.iter().map(|verdict| verdict.state).max().unwrap_or(Outcome::Ok)
}

/// A report of what could not be examined at all: that it failed, and what to try.
pub(crate) fn not_examined<E: Help + std::error::Error>(
    context: &Context,
    what: &'static str,
    error: &E,
) -> Result<bool, CliError> {
    let found = in_full(error);
    let advice = error.on_the_command_line().unwrap_or_default();
    let conclusion = "No identity works here. Nothing was examined.";
    context.format.print(
        || {
            let verdict = json!({
                "requirement": "it can be examined",
                "state": Outcome::Fail,
                "found": found,
                "advice": advice,
            });
            json!({
                what: null,
                "verdicts": [verdict],
                "verdict": Outcome::Fail,
                "conclusion": conclusion,
            })
        },
        || {
            let mut text = String::from("Verdict\n");
            write_verdict(&mut text, ("FAIL", "it can be examined"), &found, Some(&advice));
            let _ = writeln!(text, "{conclusion}");
            text
        },
    )?;
    Ok(false)
}
