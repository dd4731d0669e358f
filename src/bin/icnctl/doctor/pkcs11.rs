//! `icnctl backend doctor --backend pkcs11`

mod identity;

use std::fmt::Write as _;

use icn_identity::Did;
use icn_identity::backend::doctor::{Outcome, Verdict};
use icn_identity::backend::pkcs11::doctor::{
    KnownKey, MadeReport, ModuleReport, ProbeOptions, ProbeReport, TokenReport, by_its_identity,
    examine, probe, unfinished,
};
use icn_identity::backend::{BackendKind, Pkcs11Uri};
use icn_identity::config::Pkcs11Config;
use serde_json::json;

use self::identity::Ours;
use super::verdicts::{
    ForNew, NOTHING_TRIED, name_options, not_examined, row, worst_of, write_verdicts,
};
use crate::args::DoctorArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::output::one_line;

/// Prints the report; whether an identity works here.
pub(crate) fn doctor(context: &Context, args: &DoctorArgs) -> Result<bool, CliError> {
    let config = configured(context, args)?;
    let report = match examine(&config) {
        Ok(report) => report,
        Err(error) => return not_examined(context, "module", &error),
    };
    let mut verdicts = vec![report.selection()];
    verdicts.extend(report.selected().into_iter().flat_map(TokenReport::verdicts));
    let ours = Ours::find(context, args, &config, &report)?;
    verdicts.extend(ours.verdict);
    let usable = worst_of(&verdicts) != Outcome::Fail;
    let probed = if args.probes() && usable {
        let probed = tried_out(context, &config, args, (ours.known, ours.hidden))?;
        Verdict::put_in_place(&mut verdicts, probed.verdicts());
        Some(probed)
    } else {
        None
    };
    let left = context.store().unfinished()?.and_then(|left| left.objects());
    verdicts.extend(left.as_ref().map(|left| unfinished(left)));
    let home = match ours.is_made {
        true => {
            ours.did.iter().for_each(|did| by_its_identity(&mut verdicts, did));
            ForNew::AnotherHome
        }
        false => ForNew::ThisHome,
    };
    name_options(&mut verdicts, home);
    let worst = worst_of(&verdicts);
    let not_tried = probed.as_ref().map_or_else(everything, ProbeReport::not_tried);
    let conclusion = conclusion(&verdicts, probed.as_ref(), left.is_some());
    context.format.print(
        || {
            json!({
                "module": report,
                "probe": probed,
                "identity": ours.did,
                "unfinished": left,
                "verdicts": verdicts,
                "verdict": worst,
                "not_tried": not_tried,
                "conclusion": conclusion,
            })
        },
        || {
            let mut text = String::new();
            write_module(&mut text, &report, ours.did.as_ref());
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
            write_verdicts(&mut text, &verdicts, &conclusion);
            if args.probes() && probed.is_none() {
                text.push_str("Not probed: first mend what failed.\n");
            }
            text
        },
    )?;
    Ok(worst != Outcome::Fail)
}

fn everything() -> Vec<&'static str> {
    vec!["making a key", "signing", "keeping the storage key"]
}

/// Says that something works only where it was tried.
fn conclusion(verdicts: &[Verdict], probed: Option<&ProbeReport>, left: bool) -> String {
    let failed = verdicts.iter().filter(|verdict| verdict.state == Outcome::Fail);
    let failed: Vec<_> = failed.map(|verdict| verdict.requirement).collect();
    if !failed.is_empty() {
        return match () {
            () if failed.iter().all(|it| it.starts_with("the identity's ")) => {
                "This identity does not work here.".into()
            }
            () if failed == ["the key that is there"] => {
                "No identity with this key works here.".into()
            }
            () => "No identity works here.".into(),
        };
    }
    if left {
        return "Not yet: what an `id init` that was cut off has left is removed first.".into();
    }
    let Some(probed) = probed else { return NOTHING_TRIED.into() };
    let not_tried = probed.not_tried().join(", ");
    let restricted = match worst_of(verdicts) {
        Outcome::Ok => "",
        _ => ", with the restrictions above",
    };
    let used = probed.known.as_ref().filter(|_| probed.uses_known_key());
    let works = match (&probed.made, used) {
        (Some(made), _) if made.lasting => "An identity works here",
        (_, Some(known)) if known.is_identitys => "This identity works here",
        (_, Some(_)) => "An identity with this key works here",
        (Some(_), None) if probed.may_make_one() => {
            return format!(
                "Nothing speaks against an identity here{restricted}. Tried with a key that went \
                 with its session. Not tried: {not_tried}, as an identity needs one: \
                 --probe-with-lasting-key"
            );
        }
        (None, None) if probed.may_make_one() => {
            return format!("Nothing speaks against an identity. Not tried: {not_tried}.");
        }
        // Else nothing would work here.
        (_, None) => {
            let none = "No new key can be made here. Nothing speaks against an identity with a key \
                        that is there, which was not tried: --probe --key URI.";
            return match not_tried.is_empty() {
                true => none.into(),
                false => format!("{none} Not tried: {not_tried}."),
            };
        }
    };
    match not_tried.is_empty() {
        true => format!("{works}{restricted}."),
        false => format!("{works}{restricted}. Not tried: {not_tried}."),
    }
}

fn configured(context: &Context, args: &DoctorArgs) -> Result<Pkcs11Config, CliError> {
    let mut config = context.pkcs11(args.module.as_deref())?;
    if let Some(token) = &args.token {
        // Another token than the configured one has another serial number.
        config.serial = None;
        config.key_shown = false;
        config.token = Some(token.clone());
    }
    Ok(config)
}

fn tried_out(
    context: &Context,
    config: &Pkcs11Config,
    args: &DoctorArgs,
    (known, hidden): (Option<KnownKey>, Option<Pkcs11Uri>),
) -> Result<ProbeReport, CliError> {
    let mut options = ProbeOptions::default().with_lasting_key(args.probe_with_lasting_key);
    if let Some(known) = known {
        options = options.with_known_key(known);
    }
    if let Some(uri) = hidden {
        options = options.with_hidden_key(uri);
    }
    let mut context = context.clone();
    context.config.identity.backend = BackendKind::Pkcs11;
    context.config.identity.pkcs11 = Some(config.clone());
    let home = context.home()?;
    let source = context.source(home.wants_for_new()?.pin());
    Ok(home.with_pin(source, |pin| probe(config, pin, &options))?)
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
    let left = if probed.stays_loaded { " on the token" } else { "" };
    let _ = writeln!(text, "\nProbe (nothing of it is left{left})");
    if let Some(made) = &probed.made {
        write_made(text, made);
    }
    let limit = probed.session_limit.map_or("more than 64".into(), |limit| limit.to_string());
    row(text, "Sessions", &limit);
    row(text, "Keys", &format!("{} that an identity can have, within a login", probed.keys));
}

fn write_made(text: &mut String, made: &MadeReport) {
    row(text, "Algorithm", made.algorithm.as_str());
    row(
        text,
        "Keys made",
        if made.lasting { "lasted, and removed" } else { "gone with their session" },
    );
    row(text, "CKA_EC_PARAMS", made.curve);
    row(text, "Template", made.template);
    row(text, "CKA_EC_POINT", made.point);
    let latency = &made.latency;
    let times = format!(
        "p50 {} us, p99 {} us, of {} signatures",
        latency.p50_us, latency.p99_us, latency.signatures
    );
    row(text, "Signing", &times);
    let scaling = made.two_thread_scaling;
    let scaling = scaling.map_or("not measurable".into(), |ratio| format!("{ratio:.2} times one"));
    row(text, "Two threads", &scaling);
    let told = &made.evidence;
    row(text, "Born inside", &told.born_inside.to_string());
    row(text, "Written in", &told.written_in.to_string());
    row(text, "Once extractable", &told.once_extractable.to_string());
    row(text, "Not seen", "a lie about one key that the probe has not made");
}
