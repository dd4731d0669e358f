//! `icnctl backend doctor --backend pkcs11`

use std::fmt::Write as _;

use icn_identity::Did;
use icn_identity::backend::BackendKind;
use icn_identity::backend::doctor::Outcome;
use icn_identity::backend::pkcs11::doctor::{
    ModuleReport, ProbeReport, TokenReport, examine, probe,
};
use icn_identity::config::Pkcs11Config;
use serde_json::json;

use super::verdicts::{name_options, row, write_verdicts};
use crate::args::DoctorArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::output::one_line;

/// Prints the report; whether an identity works here.
pub(crate) fn doctor(context: &Context, args: &DoctorArgs) -> Result<bool, CliError> {
    let config = configured(context, args)?;
    let report = examine(&config)?;
    let mut verdicts = vec![report.selection()];
    verdicts.extend(report.selected().into_iter().flat_map(TokenReport::verdicts));
    let usable = verdicts.iter().all(|verdict| verdict.state != Outcome::Fail);
    let probed = if args.probe && usable {
        let probed = tried_out(context, &config)?;
        verdicts.extend(probed.verdicts());
        Some(probed)
    } else {
        None
    };
    name_options(&mut verdicts);
    let worst = verdicts.iter().map(|verdict| verdict.state).max().unwrap_or(Outcome::Ok);
    let ours = context.pinned().did().cloned().or_else(|| {
        let header = context.store().header().ok()?;
        Some(header.did().clone())
    });
    let left = context.store().unfinished()?.and_then(|left| left.objects());
    context.format.print(
        || {
            json!({
                "module": report,
                "probe": probed,
                "identity": ours,
                "unfinished": left,
                "verdicts": verdicts,
                "verdict": worst,
            })
        },
        || {
            let mut text = String::new();
            write_module(&mut text, &report, ours.as_ref());
            if let Some(probed) = &probed {
                write_probe(&mut text, probed);
            }
            if let Some(left) = &left {
                let left = one_line(left);
                let _ = writeln!(
                    text,
                    "\nAn `id init` that was cut off may have left objects on {left}.\nThe next one \
                     with that token removes them."
                );
            }
            write_verdicts(&mut text, &verdicts, worst);
            if args.probe && probed.is_none() {
                text.push_str("Not probed: first mend what failed.\n");
            }
            text
        },
    )?;
    Ok(worst != Outcome::Fail)
}

fn configured(context: &Context, args: &DoctorArgs) -> Result<Pkcs11Config, CliError> {
    let mut config = context.pkcs11(args.module.as_deref())?;
    if let Some(token) = &args.token {
        // Another token than the configured one has another serial number.
        config.serial = None;
        config.token = Some(token.clone());
    }
    Ok(config)
}

fn tried_out(context: &Context, config: &Pkcs11Config) -> Result<ProbeReport, CliError> {
    let mut context = context.clone();
    context.config.identity.backend = BackendKind::Pkcs11;
    context.config.identity.pkcs11 = Some(config.clone());
    let home = context.home()?;
    let source = context.source(home.wants_for_new()?.pin());
    Ok(home.with_pin(source, |pin| probe(config, pin))?)
}

fn write_module(text: &mut String, report: &ModuleReport, ours: Option<&Did>) {
    let _ = writeln!(text, "Module {}", one_line(&report.path));
    let library = format!("{}, {} {}", report.description, report.manufacturer, report.version);
    row(text, "Library", &library);
    row(text, "Interface", &format!("PKCS#11 {}", report.interface));
    for token in &report.tokens {
        write_token(text, token, ours);
    }
}

fn write_token(text: &mut String, token: &TokenReport, ours: Option<&Did>) {
    let selected = if token.selected { "" } else { " (not the configured one)" };
    let _ = writeln!(text, "\nToken {}{selected}", one_line(&token.label));
    row(text, "URI", &token.uri);
    row(text, "Made by", &format!("{}, {}", token.manufacturer, token.model));
    row(text, "Serial, firmware", &format!("{}, {}", token.serial, token.firmware));
    row(text, "Assurance", token.assurance.as_str());
    let limit = token.max_sessions.map_or("no limit named".to_owned(), |limit| limit.to_string());
    row(text, "Sessions", &limit);
    let pin = &token.pin;
    let flags = [
        (pin.initialized, "set"),
        (pin.count_low, "wrong tries"),
        (pin.final_try, "one try left"),
        (pin.locked, "locked"),
        (pin.to_be_changed, "to be changed"),
        (pin.pin_pad, "PIN pad"),
    ];
    let flags: Vec<_> = flags.iter().filter(|(on, _)| *on).map(|(_, name)| *name).collect();
    row(text, "User PIN", &if flags.is_empty() { "not set".into() } else { flags.join(", ") });
    let elliptic: Vec<_> = token
        .mechanisms
        .iter()
        .filter(|name| ["_EC_", "_ECD", "EDDSA", "AES_GCM"].iter().any(|part| name.contains(part)))
        .map(String::as_str)
        .collect();
    let count = token.mechanisms.len();
    row(text, "Mechanisms", &format!("{count}, of them {}", elliptic.join(", ")));
    if let Some(error) = &token.keys_error {
        row(text, "Keys", &format!("cannot be listed: {error}"));
    } else if token.keys.is_empty() {
        row(text, "Keys", "no Ed25519 or P-256 key is shown without a login");
    }
    for key in &token.keys {
        let whose = match (&key.did, &key.problem) {
            (Some(did), _) if Some(did) == ours => format!("{did} (this identity)"),
            (Some(did), _) => did.to_string(),
            (None, problem) => problem.clone().unwrap_or_default(),
        };
        row(text, &format!("Key {:?}", key.label), &whose);
        row(text, "", &key.uri);
    }
}

fn write_probe(text: &mut String, probed: &ProbeReport) {
    let _ = writeln!(text, "\nProbe (with keys that went with their session)");
    row(text, "Algorithm", probed.algorithm.as_str());
    row(text, "CKA_EC_PARAMS", probed.curve);
    row(text, "Template", probed.template);
    row(text, "CKA_EC_POINT", probed.point);
    let latency = &probed.latency;
    let times = format!(
        "p50 {} us, p99 {} us, of {} signatures",
        latency.p50_us, latency.p99_us, latency.signatures
    );
    row(text, "Signing", &times);
    let scaling = probed.two_thread_scaling;
    let scaling = scaling.map_or("not measurable".into(), |ratio| format!("{ratio:.2} times one"));
    row(text, "Two threads", &scaling);
    let limit = probed.session_limit.map_or("more than 64".into(), |limit| limit.to_string());
    row(text, "Sessions", &limit);
    let told = &probed.evidence;
    row(text, "Born inside", &told.born_inside.to_string());
    row(text, "Written in", &told.written_in.to_string());
    row(text, "Once extractable", &told.once_extractable.to_string());
}
