//! `icnctl lock`, `icnctl unlock` and `icnctl status`

use std::fmt::Write as _;

use icn_identity::ProvenanceKind;
use icn_identity::client::{ClientError, RemoteIdentity, Status};
use serde_json::json;

use crate::context::Context;
use crate::daemon_error::{DaemonError, is_nobody};
use crate::error::CliError;
use crate::instance::Instance;
use crate::output::one_line;

/// What a client may that locks and unlocks.
const ADMIN: &str = "admin";

pub(crate) fn lock(context: &Context) -> Result<(), CliError> {
    let daemon = context.daemon_as_it_is()?;
    done(context, &daemon, daemon.lock())?;
    told(context, &daemon, "locked", "is locked: it has dropped its keys")
}

/// Nobody is asked for a credential that would not be sent.
pub(crate) fn unlock(context: &Context) -> Result<(), CliError> {
    let daemon = context.daemon_as_it_is()?;
    let status = done(context, &daemon, daemon.status())?;
    if !status.is_locked {
        return told(context, &daemon, "unlocked", "was unlocked already; it was sent nothing");
    }
    if !status.may.iter().any(|may| may == ADMIN) {
        return Err(CliError::NoAdmin { client: status.client });
    }
    let for_whom = format!("of {}, for icnd at {}", daemon.did(), daemon.socket().display());
    let (credential, passphrase) = context.credentials_for_daemon(&for_whom)?;
    done(context, &daemon, daemon.unlock(&credential, passphrase.as_ref()))?;
    told(context, &daemon, "unlocked", "is unlocked")
}

pub(crate) fn status(context: &Context) -> Result<(), CliError> {
    let daemon = context.daemon_as_it_is()?;
    let status = done(context, &daemon, daemon.status())?;
    // One that is unlocked shows that it has the key.
    if !status.is_locked {
        done(context, &daemon, daemon.check())?;
    }
    context.format.print(
        || {
            json!({
                "socket": daemon.socket(),
                "did": daemon.did(),
                "state": state(&status),
                "backend": status.reported_backend,
                "provenance": status.reported_provenance.map(ProvenanceKind::as_str),
                "certificate_not_after": status.certificate_not_after,
                "verified_at": status.verified_at,
                "reload_failed_at": status.reload_failed_at,
                "taking_over": status.is_taking_over,
                "version": status.version,
                "client": status.client,
                "may": status.may,
                "contexts": status.contexts,
            })
        },
        || as_text(&daemon, &status),
    )
}

fn as_text(daemon: &RemoteIdentity, status: &Status) -> String {
    let or_none = |text: &Option<String>| text.clone().unwrap_or_else(|| "–".into());
    let list = |names: &[String]| match names {
        [] => "–".to_owned(),
        names => names.join(", "),
    };
    let key = match status.reported_provenance {
        Some(kind) => format!("{}, {kind}", status.reported_backend),
        None => status.reported_backend.clone(),
    };
    let configuration = match &status.reload_failed_at {
        Some(at) => format!("an older one is in force: the reload at {at} has failed"),
        None if status.is_taking_over => {
            "in force; the identity is still read anew: its certificate may be an older one".into()
        }
        None => "in force".to_owned(),
    };
    let mut text = String::new();
    for (name, value) in [
        ("Socket", daemon.socket().display().to_string()),
        ("DID", daemon.did().to_string()),
        ("State", state(status).to_owned()),
        ("Key", key),
        ("Certificate", or_none(&status.certificate_not_after)),
        ("Verified", or_none(&status.verified_at)),
        ("Config", configuration),
        ("Version", status.version.clone()),
        ("Client", status.client.clone()),
        ("May", list(&status.may)),
        ("Contexts", list(&status.contexts)),
    ] {
        // A string takes everything.
        let _ = writeln!(text, "{name:<12}{}", one_line(&value));
    }
    text
}

const fn state(status: &Status) -> &'static str {
    if status.is_locked { "locked" } else { "unlocked" }
}

fn told(
    context: &Context,
    daemon: &RemoteIdentity,
    state: &str,
    what: &str,
) -> Result<(), CliError> {
    let socket = daemon.socket();
    context.format.print(
        || json!({ "socket": socket, "did": daemon.did(), "state": state }),
        || format!("icnd at {} {what}.\n", socket.display()),
    )
}

/// One that runs and is not found is not to be started.
fn done<T>(
    context: &Context,
    daemon: &RemoteIdentity,
    done: Result<T, ClientError>,
) -> Result<T, CliError> {
    done.map_err(|source| {
        let socket = daemon.socket().to_owned();
        match (&source, Instance::daemon(&context.home)) {
            (ClientError::Connect { source, .. }, Some(number)) if is_nobody(source) => {
                CliError::DaemonElsewhere { number, socket, is_use_of_key: false }
            }
            _ => DaemonError::of_itself(socket, source).into(),
        }
    })
}
