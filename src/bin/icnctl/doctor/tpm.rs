//! `icnctl backend doctor --backend tpm`

use std::fmt::Write as _;

use icn_identity::backend::doctor::Outcome;
use icn_identity::backend::tpm::doctor::{TpmReport, examine};
use icn_identity::config::TpmConfig;
use serde_json::json;

use super::verdicts::{
    ForNew, NOTHING_TRIED, name_options, not_examined, row, worst_of, write_verdicts,
};
use crate::args::DoctorArgs;
use crate::context::Context;
use crate::error::CliError;

/// Prints the report; whether an identity works here.
pub(crate) fn doctor(context: &Context, args: &DoctorArgs) -> Result<bool, CliError> {
    let mut config = context.config.identity.tpm.clone().unwrap_or_default();
    if let Some(device) = &args.device {
        config.device_path.clone_from(device);
    }
    let report = match examine(&config, args.probes()) {
        Ok(report) => report,
        Err(error) => return not_examined(context, "tpm", &error),
    };
    let mut verdicts = report.verdicts(&config);
    name_options(&mut verdicts, ForNew::ThisHome);
    let worst = worst_of(&verdicts);
    let is_only_locked =
        verdicts.iter().all(|it| it.state != Outcome::Fail || it.requirement == "PIN tries");
    let conclusion = match (worst, args.probes()) {
        (Outcome::Fail, _) if is_only_locked => {
            "The TPM is locked: no identity with a PIN works here until it takes one again; one without a \
             PIN does."
        }
        (Outcome::Fail, _) => "No identity works here.",
        (_, false) => NOTHING_TRIED,
        (Outcome::Ok, true) => "An identity works here.",
        _ => "An identity works here, with the restrictions above.",
    };
    context.format.print(
        || json!({ "tpm": report, "verdicts": verdicts, "verdict": worst, "conclusion": conclusion }),
        || {
            let mut text = as_text(&report, &config);
            write_verdicts(&mut text, &verdicts, conclusion);
            text
        },
    )?;
    Ok(worst != Outcome::Fail)
}

fn as_text(report: &TpmReport, config: &TpmConfig) -> String {
    let mut text = String::new();
    let _ = writeln!(text, "TPM {}", report.device);
    row(&mut text, "Made by", &format!("{}, {}", report.manufacturer, report.model));
    row(&mut text, "Firmware", &report.firmware);
    row(&mut text, "Assurance", report.assurance.as_str());
    let storage_key = report.storage_key.as_ref().map(|key| &key.name);
    let storage_key = storage_key.or(report.storage_key_error.as_ref());
    row(&mut text, "Storage key", storage_key.map_or("none", String::as_str));
    let binding = match config.platform_binding {
        true => format!("{}:{}", config.pcr_bank, config.pcr_indices),
        false => "none".to_owned(),
    };
    row(&mut text, "PCRs", &binding);
    if let Some(latency) = &report.latency {
        text.push_str("\nProbe (nothing of it is left)\n");
        for step in latency {
            row(&mut text, step.step, &format!("{:.2} ms", step.milliseconds));
        }
    }
    text
}
