//! How doctors write down what they found.

use std::fmt::Write as _;

use icn_identity::backend::doctor::{Outcome, Remedy, Verdict};

use crate::output::one_line;

pub(crate) fn row(text: &mut String, name: &str, value: &str) {
    let (name, value) = (one_line(name), one_line(value));
    let _ = writeln!(text, "  {name:<18} {value}");
}

/// Adds the option that does what the library advises.
pub(crate) fn name_options(verdicts: &mut [Verdict]) {
    for verdict in verdicts {
        if let (Some(advice), Some(remedy)) = (&mut verdict.advice, verdict.remedy) {
            let _ = match remedy {
                Remedy::Algorithm(algorithm) => write!(advice, ": --algorithm {algorithm}"),
                Remedy::Adopt => write!(
                    advice,
                    ": icnctl backend doctor --probe --key URI, then icnctl id init --key URI"
                ),
                Remedy::LastingProbe => write!(advice, ": --probe-with-lasting-key"),
                Remedy::NameToken => {
                    write!(advice, "; or by --token LABEL, or --key 'pkcs11:serial=SERIAL'")
                }
                Remedy::WritePublicKey => {
                    write!(
                        advice,
                        ": icnctl id write-public-key (icnctl id relocate finds another)"
                    )
                }
                Remedy::RemoveProbeKeys => write!(
                    advice,
                    ": `pkcs11-tool --module MODULE --token-label TOKEN --login --delete-object --label \
                     'icn-identity probe' --type privkey` (then pubkey and secrkey)"
                ),
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
        let _ =
            writeln!(text, "  {sign:<8} {:<28} {}", verdict.requirement, one_line(&verdict.found));
        if let Some(advice) = &verdict.advice {
            let _ = writeln!(text, "           try: {advice}");
        }
    }
    let _ = writeln!(text, "{conclusion}");
}

/// What is said where nothing was tried.
pub(crate) const NOTHING_TRIED: &str = "Nothing speaks against an identity here, but nothing was tried: no key was made, nothing was \
     signed, no storage key was kept. Try it with --probe.";

pub(crate) fn worst_of(verdicts: &[Verdict]) -> Outcome {
    verdicts.iter().map(|verdict| verdict.state).max().unwrap_or(Outcome::Ok)
}
