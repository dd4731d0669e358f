//! What a client is told of the daemon, and of what it may have done.

use std::time::{SystemTime, UNIX_EPOCH};

use icn_identity::DidSignerExt as _;
use icn_identity::config::ClientRule;
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::door::Door;

pub(crate) fn of(door: &Door, rule: Option<&ClientRule>) -> Value {
    let open = door.opened();
    let evidence = open.as_ref().and_then(|open| open.bundle.evidence());
    let not_after = open.as_ref().map(|open| open.bundle.binding().not_after());
    let epoch = open.as_ref().map(|open| open.bundle.binding().epoch());
    json!({
        "state": if open.is_some() { "unlocked" } else { "locked" },
        "did": door.did,
        "algorithm": door.did.verifying_key().algorithm(),
        "backend": door.backend,
        "provenance": evidence.map(|evidence| evidence.provenance()),
        "certificate_not_after": not_after.and_then(date_of_unix),
        "epoch": epoch,
        "verified_at": door.verified_at().and_then(date),
        "reload_failed_at": door.reload_failed_at().and_then(date),
        "taking_over": door.is_taking_over(),
        "version": env!("CARGO_PKG_VERSION"),
        "pid": std::process::id(),
        "client": rule.map(|rule| &rule.name),
        "may": rule.map(|rule| &rule.may),
        "contexts": rule.map(|rule| &rule.contexts),
    })
}

/// RFC 3339, in whole seconds.
pub(crate) fn date(at: SystemTime) -> Option<String> {
    date_of_unix(at.duration_since(UNIX_EPOCH).ok()?.as_secs())
}

pub(crate) fn date_of_unix(seconds: u64) -> Option<String> {
    let at = OffsetDateTime::from_unix_timestamp(i64::try_from(seconds).ok()?).ok()?;
    at.format(&Rfc3339).ok()
}
