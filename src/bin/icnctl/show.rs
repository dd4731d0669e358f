//! `icnctl id show`: from the public header, with a look at the device.

mod attestable;
mod check;
mod claim;
mod device;
mod handover;
pub(crate) mod migration;
mod validity;
mod words;

use std::fmt::Write as _;
use std::path::Path;

use icn_identity::backend::BackendKind;
use icn_identity::bundle::Binding;
use icn_identity::error::{Error, ErrorKind, KeystoreError};
use icn_identity::evidence::Fact;
use icn_identity::keystore::{Header, Storage};
use icn_identity::migrate::Migration;
use icn_identity::rotation::KeyCommitment;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

pub(crate) use self::attestable::Attestable;
use self::check::Check;
use self::claim::Claim;
pub(crate) use self::device::Device;
use self::device::Looked;
use self::handover::Handover;
use self::validity::Validity;
use self::words::{
    assurance_in_words, assurance_word, evidence_in_words, limits_in_words, nobodys_word,
    not_born_there,
};
pub(crate) use self::words::{assurance_warning, in_file_until, provenance_in_words, speaker};
use crate::args::ShowArgs;
use crate::context::Context;
use crate::error::CliError;
use crate::output::{date, hex, one_line, public_key, say};

/// The same where something else is shown: what is wrong is said on standard error.
pub(crate) fn is_fine(context: &Context, args: &ShowArgs) -> Result<bool, CliError> {
    if !args.check {
        return Ok(true);
    }
    let (store, header) = (context.store(), context.header()?);
    let (looked, handover) = (Looked::at(context, &header), Handover::of(&store, &header));
    let config = lost_config(context, &header);
    let check = Check::new(&Validity::of(&header), args.valid_for, &looked, &handover, config);
    check.say();
    Ok(check.is_good())
}

/// Whether nothing is wrong, if that was asked.
pub(crate) fn show(context: &Context, args: &ShowArgs) -> Result<bool, CliError> {
    let header = match context.header() {
        // Nothing else tells what has to be in it.
        Err(CliError::Identity(Error::Keystore(KeystoreError::NoConfiguration {
            backend,
            ..
        }))) => {
            let mut found = context.clone();
            found.config.identity.backend = backend;
            return show(&found, args);
        }
        header => header?,
    };
    let store = context.store();
    if let Ok(home) = context.unlimited_home() {
        context.warn_if_not_pinned(&home, &header);
    }
    // What it says of the keys that others encrypt to is not shown unless true.
    header.did_document()?;
    let looked = Looked::at(context, &header);
    let Looked { device, pin, .. } = &looked;
    // The identity is shown also where its move does not tell how far it is.
    let migration = match Migration::status_by_all(&store, &context.config_path) {
        Err(error) if error.kind() == ErrorKind::Damaged => {
            say(&format!("warning: {error}"));
            None
        }
        known => known?,
    };
    let part = match Migration::part_of(&store) {
        Err(error) if error.kind() == ErrorKind::Damaged => None,
        known => known?,
    };
    let claim = Claim::of(context, &header).seen(looked.makes_up_history);
    let handover = Handover::of(&store, &header);
    let config = lost_config(context, &header);
    let check = Check::new(&Validity::of(&header), args.valid_for, &looked, &handover, config);
    let attestable = Attestable::of(context, &header);
    context.format.print(
        || {
            let mut json = json_of(&header, device, &claim);
            if let Some(fields) = json.as_object_mut() {
                fields.insert("handed_over".into(), handover.as_json());
                fields
                    .insert("migration".into(), json!(migration.as_ref().map(migration::as_json)));
                let part = part.as_ref().map(migration::part_as_json);
                fields.insert("part_of_migration".into(), json!(part));
                fields.insert("pin".into(), json!(pin));
                fields.insert("problems".into(), check.as_json());
                if let Some(told) = attestable.as_json() {
                    fields.insert("attestation".into(), told);
                }
            }
            json
        },
        || {
            let shown = as_text(&header, device, &claim);
            let moved = migration.as_ref().map(|it| format!("\n{}", migration::in_words(it)));
            let moved = moved.unwrap_or_default();
            let part = part.as_ref().map(|it| format!("\n{}", migration::part_in_words(it)));
            let part = part.unwrap_or_default();
            let attestable = attestable.as_text();
            let handover = handover.as_text();
            format!("{shown}{attestable}{handover}{moved}{part}{}", check.as_text(args.check))
        },
    )?;
    Ok(!args.check || check.is_good())
}

/// Of an identity that was just opened or made.
pub(crate) fn as_json(context: &Context, header: &Header, device: &Device) -> Value {
    json_of(header, device, &Claim::of(context, header))
}

fn json_of(header: &Header, device: &Device, claim: &Claim) -> Value {
    let evidence = &claim.evidence;
    let facts: serde_json::Map<String, Value> = evidence
        .facts()
        .iter()
        .map(|(name, fact)| {
            let fact = match fact {
                Fact::True => Value::Bool(true),
                Fact::False => Value::Bool(false),
                fact => Value::String(fact.to_string()),
            };
            (name.clone(), fact)
        })
        .collect();
    let device = match device {
        // Where it was made there is no device.
        Device::JustMade if header.backend() == BackendKind::Age => &Device::None,
        device => device,
    };
    let (state, detail) = match device {
        Device::None => ("none", None),
        Device::JustMade | Device::Present => ("present", None),
        Device::NotSeen => ("not-seen", None),
        Device::NotShown { reason, .. } => ("not-shown", Some(reason)),
        Device::Unreachable(detail) => ("unreachable", Some(detail)),
        Device::Missing(detail) => ("missing", Some(detail)),
        Device::Wrong(detail) => ("wrong", Some(detail)),
        Device::Closed { reason, .. } => ("present", Some(reason)),
    };
    let (binding, validity) = (header.binding(), Validity::of(header));
    let seen = match device {
        Device::JustMade => Some("private-key"),
        // Of a TPM its storage key: the key itself is in the header.
        Device::Present if header.tpm().is_none() => Some("public-key"),
        _ => None,
    };
    json!({
        "did": header.did(),
        "algorithm": header.algorithm(),
        "backend": header.backend(),
        "provenance": evidence.provenance(),
        "assurance": claim.assurance,
        "hardware_backed": claim.hardware_backed,
        // Settings that take the device for less than it says.
        "limited_by": claim.limits,
        "public_key": public_key(header.did().verifying_key()),
        "key_sha256": commitment(header),
        "locator": locator(header),
        "key_id": header.locator().map(|key| hex(&key.id)),
        "tpm": header.tpm().map(|object| json!({
            "parent_handle": object.parent.handle.map(|handle| format!("{handle:#010x}")),
            "parent_name": hex(&object.parent.name),
            "policy": object.policy,
        })),
        "evidence": facts,
        "assurance_word": assurance_word(claim.assurance, header.tpm().is_some()),
        "evidence_word": evidence.words(),
        "device": {
            "state": state,
            "seen": seen,
            // Of a TPM, as far as that shows without a PIN.
            "opens": header.tpm().and_then(|_| device.opens()),
            "detail": detail,
            "model": evidence.device(),
        },
        // Of a key that was imported: copies may exist.
        "in_file_until": header.in_file_until().map(date),
        "source": "header",
        "generation": header.generation(),
        "tls": {
            "sequence": binding.as_ref().map(Binding::sequence),
            "instance": binding.as_ref().and_then(Binding::instance),
            "epoch": binding.as_ref().map(Binding::epoch),
            "certificate_sha256": hex(&Sha256::digest(header.certificate())),
            "not_before": validity.not_before().map(date),
            "not_after": date(validity.not_after()),
            "status": validity.status(),
            "expired": validity.is_expired(),
            "clock_set": validity.clock_is_set(),
        },
        "storage": header.storage().kind(),
        "encryption": {
            "public_key": hex(header.x25519_public_key().as_bytes()),
            "age_recipient": header.x25519_public_key().to_string(),
            "signed": header.did_document().is_ok_and(|document| document.is_some()),
        },
    })
}

fn as_text(header: &Header, device: &Device, claim: &Claim) -> String {
    let evidence = &claim.evidence;
    let mut lines: Vec<(&str, String)> = vec![
        ("DID", header.did().to_string()),
        ("Algorithm", header.algorithm().to_string()),
        ("Backend", header.backend().to_string()),
        ("Provenance", provenance_in_words(evidence.provenance(), speaker(evidence))),
        ("Assurance", assurance_in_words(claim.assurance, header.tpm().is_some())),
    ];
    let (label, what) = if header.tpm().is_some() { ("TPM", "TPM") } else { ("Token", "token") };
    if let Some(locator) = locator(header) {
        lines.push((label, evidence.device().unwrap_or_default().to_owned()));
        lines.push(("Key", locator));
        if let Some(key) = header.locator() {
            lines.push(("Key id", hex(&key.id)));
        }
        lines.push(("Evidence", evidence_in_words(evidence)));
    }
    if let Some(until) = header.in_file_until() {
        lines.push(("History", in_file_until(until)));
    } else if let Some(history) = not_born_there(header.claimed_evidence()) {
        lines.push(("History", history.into()));
    }
    lines.push(("Storage", storage_in_words(header)));
    lines.push(("Public key", header.did().verifying_key().to_multibase()));
    lines.push(("Key SHA-256", commitment(header)));
    lines.push(("OpenSSH", header.did().verifying_key().to_openssh()));
    lines.push(("TLS", Validity::of(header).in_words()));
    lines.push(("Instance", instance(header)));
    lines.push(("Encryption", encryption(header)));
    let mut text = String::new();
    for (name, value) in lines {
        let _ = writeln!(text, "{name:<11} {}", one_line(&value));
    }
    text.push_str(&nobodys_word(claim).unwrap_or_default());
    text.push_str(&limits_in_words(claim).unwrap_or_default());
    match device {
        Device::None => {}
        Device::JustMade | Device::Present if header.tpm().is_some() => {
            text.push_str(
                "\nThe TPM is present: it is the one of this identity, its PCRs are as the policy wants \
                 them, and it is not locked. No PIN was tried. `icnctl tpm check` tells whether it \
                 opens this identity with other PCR values too.\n",
            );
        }
        Device::Closed { reason, .. } => {
            let _ = write!(
                text,
                "\nWARNING, the TPM does not open this identity now: {}. `icnctl tpm check` tells \
                 more.\n",
                one_line(reason)
            );
        }
        Device::JustMade => {
            text.push_str("\nThe token has the key. Its evidence above was read just now.\n");
        }
        Device::Present => {
            text.push_str(
                "\nThe token is present and shows the public key of this identity. Whether the private \
                 key is there, it shows within a login only: sign something to see (`icnctl sign`). \
                 The evidence above was read at the last write.\n",
            );
        }
        Device::NotSeen => {
            text.push_str(
                "\nThe token is present. It does not show this key without a login, so it was not \
                 seen. Sign something to see whether it is there: `icnctl sign`.\n",
            );
        }
        Device::NotShown { reason, takes_none: Some(uri) } => {
            let _ = write!(
                text,
                "\nWARNING, the token does not show this key: {}. It takes no public key back. If it \
                 has the private key, have it recorded that it does not show the key, which sends \
                 the PIN: `icnctl id relocate --key '{uri}'`. If the key is on another token now: \
                 `icnctl id relocate`.\n",
                one_line(reason)
            );
        }
        Device::NotShown { reason, takes_none: None } => {
            let _ = write!(
                text,
                "\nWARNING, the token does not show this key: {}. If it has the private key, write \
                 the public key back: `icnctl id write-public-key`. If the key is on another token \
                 now: `icnctl id relocate`. If it is gone, put the token's own backup back.\n",
                one_line(reason)
            );
        }
        Device::Unreachable(reason) => {
            let _ = write!(
                text,
                "\nFrom the public header only; the {what} could not be asked: {}\n",
                one_line(reason)
            );
        }
        Device::Missing(reason) => {
            let _ = write!(text, "\nWARNING, the key is not there: {}\n", one_line(reason));
        }
        Device::Wrong(reason) => {
            let _ = write!(text, "\nWARNING, do not use this {what}: {}\n", one_line(reason));
        }
    }
    text
}

/// By which a rotation names the key in advance.
fn commitment(header: &Header) -> String {
    KeyCommitment::to(header.did().verifying_key()).to_string()
}

/// What opens the files beside the key.
pub(crate) fn storage_in_words(header: &Header) -> String {
    let words = match header.storage() {
        Storage::Passphrase {} if header.backend() == BackendKind::Age => {
            "of identity.age, and of the key in it"
        }
        Storage::Passphrase {} => "a passphrase beside the PIN: the device keeps no storage key",
        _ => "a storage key that the device keeps",
    };
    format!("{} ({words})", header.storage().kind())
}

/// Which holder of the DID it is, as peers see it.
fn instance(header: &Header) -> String {
    let binding = header.binding();
    match binding.as_ref().and_then(|binding| Some((binding, binding.instance()?))) {
        Some((binding, instance)) => {
            format!("{instance}, epoch {}, number {}", binding.epoch(), binding.sequence())
        }
        None => "none yet: the certificate is of an older version, and peers refuse it until any \
                 command that opens the identity has renewed it"
            .into(),
    }
}

/// `age1…`, and whether the DID's key has signed for it.
fn encryption(header: &Header) -> String {
    let recipient = header.x25519_public_key();
    match header.did_document() {
        Ok(Some(_)) => format!("{recipient} (signed by the DID's key)"),
        // An invalid one was refused before.
        _ => format!("{recipient} (not signed yet: the identity has no DID document)"),
    }
}

/// Where the key is, for keys in devices.
fn locator(header: &Header) -> Option<String> {
    let tpm = header.tpm().map(ToString::to_string);
    header.locator().map(ToString::to_string).or(tpm)
}

/// The configuration, where a key in a device has none.
fn lost_config<'a>(context: &'a Context, header: &Header) -> Option<&'a Path> {
    let is_lost = header.backend() != BackendKind::Age && !context.config_path.exists();
    is_lost.then_some(context.config_path.as_path())
}
