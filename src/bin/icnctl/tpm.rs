//! `icnctl tpm check`, `approve` and `install`, `icnctl id reseal`

use std::fmt::Write as _;
use std::path::Path;

use icn_identity::backend::tpm::{Approval, ApprovalRequest, ApproverKey, TpmBackend, TpmCheck};
use icn_identity::backend::{PcrValues, TpmObject};
use icn_identity::home::NewPin;
use icn_identity::keystore::{Header, Storage};
use icn_identity::migrate::Migration;
use icn_identity::{AlgorithmId, Did};
use serde_json::json;

use crate::args::tpm::{ApproveArgs, CheckArgs, InstallArgs, ResealArgs};
use crate::context::Context;
use crate::credential::another_pin;
use crate::error::CliError;
use crate::input;
use crate::output::{self, Format, say};
use crate::show;

/// Whether the identity opens.
pub(crate) fn check(context: &Context, args: &CheckArgs) -> Result<bool, CliError> {
    let (header, backend) = opened(context)?;
    let (key, storage) = objects(&header)?;
    let values = args.pcr_values.as_deref().map(pcr_values).transpose()?;
    let check = backend.check(header.did(), key, storage, values.as_ref())?;
    context.format.print(|| json!(check), || as_text(&check, header.did(), values.is_some()))?;
    Ok(check.opens)
}

/// No TPM is needed, and no identity.
pub(crate) fn approve(context: &Context, args: &ApproveArgs) -> Result<(), CliError> {
    let key = ApproverKey::read(&args.approver_key)?;
    let text = input::read_all(args.request.as_deref(), "the request")?;
    // What `tpm check` prints, or the request in it.
    let mut request = ApprovalRequest::from_json(&text).map_err(|_| CliError::NoRequest)?;
    if let Some(path) = &args.pcr_values {
        let what = || CliError::PcrValues { what: path.display().to_string() };
        request.pcr = request.pcr.overlaid(&pcr_values(path)?).ok_or_else(what)?;
    }
    let approval = Approval::sign(&request, &key)?;
    if context.format == Format::Text {
        let indices: Vec<String> = request.pcr.values.keys().map(ToString::to_string).collect();
        say(&format!(
            "Approved for {}: PCR {} ({}). This cannot be taken back.",
            request.did,
            indices.join(", "),
            request.pcr.bank
        ));
    }
    output::print_json(&json!(approval))
}

pub(crate) fn install(context: &Context, args: &InstallArgs) -> Result<(), CliError> {
    let (header, backend) = opened(context)?;
    let (key, storage) = objects(&header)?;
    // Whatever is in the file.
    backend.takes_approvals(key)?;
    let approval = read_approval(args.approval.as_deref())?;
    backend.install(&approval, header.did(), key, storage)?;
    let check = backend.check(header.did(), key, storage, None)?;
    context.format.print(
        || {
            let mut shown = json!(check);
            if let Some(shown) = shown.as_object_mut() {
                shown.insert("new_backup_needed".into(), true.into());
            }
            shown
        },
        || {
            format!(
                "{}\nBackups that were made before do not have this approval: make a new one now \
                 (`icnctl id backup --recipient age1… -o FILE`), which restores directly. An older one \
                 is restored with the approval beside it: id restore --approval FILE\n",
                as_text(&check, header.did(), false)
            )
        },
    )
}

fn read_approval(path: Option<&Path>) -> Result<Approval, CliError> {
    Ok(Approval::from_json(&input::read_all(path, "the approval")?)?)
}

/// For a backup that was made before it.
pub(crate) fn approval(path: &Path) -> Result<Approval, CliError> {
    read_approval(Some(path))
}

pub(crate) fn reseal(context: &Context, args: &ResealArgs) -> Result<(), CliError> {
    Migration::check_none_before_switch(&context.store())?;
    let (header, _) = opened(context)?;
    let values = args.pcr_values.as_deref().map(pcr_values).transpose()?;
    let home = context.home()?;
    let identity = home.locate()?;
    let wants_pin = context.config.identity.tpm.as_ref().is_none_or(|config| config.pin);
    let of_then = header.tpm().map(of_then).unwrap_or_default();
    let has_pin = header.tpm().is_some_and(|object| object.policy.pin.is_some());
    // Before anybody is asked for a secret.
    identity.check_resealable()?;
    identity.check_approver()?;
    if !wants_pin && (args.new_pin || args.new_pin_file.is_some()) {
        return Err(CliError::NoNewPin { path: context.config_path.clone() });
    }
    let kept = args.new_pin_file.as_deref().map(|file| another_pin(Some(file))).transpose()?;
    let source = context.source_of(&identity);
    let ready = identity.ask(source)?;
    let new_pin = match kept {
        Some(pin) => NewPin::To(pin),
        None if args.new_pin || (wants_pin && !has_pin) => NewPin::To(another_pin(None)?),
        None => NewPin::AsConfigured,
    };
    let header = ready.reseal(&new_pin, values.as_ref())?;
    let (key, _) = objects(&header)?;
    context.format.print(
        || {
            let mut shown = show::as_json(context, &header, &show::Device::JustMade);
            if let Some(shown) = shown.as_object_mut() {
                shown.insert("new_backup_needed".into(), true.into());
            }
            shown
        },
        || {
            let when = match values {
                Some(_) => {
                    "now, and when the PCRs have the values given. Run `icnctl id reseal` again \
                     after the update, so that the present state does not open it for ever"
                }
                None => "now",
            };
            format!(
                "Sealed under {}. Opens {when}.\nBackups that were made before want {of_then} of then: make a new one now (icnctl id backup --recipient age1… -o FILE), and destroy them\n",
                key.policy
            )
        },
    )
}

/// What opens an object, in a backup that was made with it.
fn of_then(object: &TpmObject) -> &'static str {
    match (object.policy.pcr.is_empty(), object.policy.pin.is_some()) {
        (false, true) => "the PCR values and the PIN",
        (false, false) => "the PCR values",
        (true, _) => "the PIN",
    }
}

fn opened(context: &Context) -> Result<(Header, TpmBackend), CliError> {
    let header = context.header()?;
    if header.tpm().is_none() {
        return Err(CliError::OnlyForTpm { backend: header.backend() });
    }
    Ok((header, context.tpm()?))
}

/// The objects of the key and of the storage key.
fn objects(header: &Header) -> Result<(&TpmObject, &TpmObject), CliError> {
    match (header.tpm(), header.storage()) {
        (Some(key), Storage::TpmSealed { object }) => Ok((key, object)),
        _ => Err(CliError::OnlyForTpm { backend: header.backend() }),
    }
}

fn pcr_values(path: &Path) -> Result<PcrValues, CliError> {
    let text = input::read_all(Some(path), "the PCR values")?;
    String::from_utf8(text)
        .ok()
        .and_then(|text| PcrValues::parse(&text).ok())
        .ok_or_else(|| CliError::PcrValues { what: path.display().to_string() })
}

/// That no PIN is taken, and for how long.
pub(crate) fn lock(check: &TpmCheck) -> String {
    let wait = check.recovery_seconds.map_or_else(String::new, |seconds| {
        format!("; it takes one more in at most {seconds} seconds")
    });
    format!("the TPM takes no PIN now, after too many wrong ones{wait}")
}

fn as_text(check: &TpmCheck, did: &Did, given: bool) -> String {
    let mut text = String::new();
    let with = if given { "with the values given" } else { "now" };
    let is_shut = check.locked && check.objects.iter().any(|object| object.wants_pin);
    if is_shut {
        let _ = writeln!(text, "{:<12} {}", "LOCKED", lock(check));
    }
    for object in &check.objects {
        let name = if object.object == "key" { "Key" } else { "Storage key" };
        let pin = match object.wants_pin {
            true if check.locked => ", with its PIN, when the TPM is no longer locked",
            true => ", with its PIN",
            false => "",
        };
        let _ = match (object.opens, object.by) {
            (true, Some("approval")) => {
                writeln!(text, "{name:<12} opens {with}{pin} (approved values)")
            }
            (true, Some("no-pcr")) => writeln!(text, "{name:<12} opens{pin}"),
            (true, _) => writeln!(text, "{name:<12} opens {with}{pin} (values as sealed)"),
            (false, _) => writeln!(text, "{name:<12} does NOT open {with}"),
        };
        for difference in &object.differences {
            let _ = writeln!(text, "{:<12} {difference}", "");
        }
    }
    if check.objects.iter().any(|object| object.wants_pin) {
        let _ = match check.tries_left {
            Some(0) => writeln!(text, "{:<12} none: the TPM is locked", "PIN tries"),
            Some(tries) => {
                let wait = check.recovery_seconds.map_or_else(String::new, |seconds| {
                    format!("; one more in at most {seconds} seconds")
                });
                writeln!(text, "{:<12} {tries} until the TPM locks{wait}", "PIN tries")
            }
            None => writeln!(text, "{:<12} not told, or not counted, by the TPM", "PIN tries"),
        };
    }
    if !check.opens {
        text.push_str(match check.request {
            _ if check.objects.iter().all(|object| object.opens) => {
                "try: wait, with the machine running, or have the owner reset the count \
                 (tpm2_dictionarylockout -c)\n"
            }
            None if did.verifying_key().algorithm() == AlgorithmId::P256 => {
                "try: boot the state in which the key was made: a P-256 key with a literal policy \
                 opens in no other\n"
            }
            None if given => {
                "try: have it sealed for these values too, while it still opens: icnctl id reseal \
                 --pcr-values FILE\n"
            }
            Some(_) => {
                "try: have these values approved: icnctl --format json tpm check > request.json, \
                 then `icnctl tpm approve` on the approver's machine\n"
            }
            None => {
                "try: boot the state in which the key was sealed; before the next update have it \
                 sealed for the coming values too (`icnctl id reseal --pcr-values FILE`)\n"
            }
        });
    }
    text
}
