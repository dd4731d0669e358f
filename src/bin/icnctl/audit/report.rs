//! What is said of a log and of its lines.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use icn_identity::audit::{AuditError, Record, Verified};
use serde_json::{Value, json};

use crate::context::Context;
use crate::error::CliError;
use crate::output;
use crate::safe::one_line;

pub(super) fn valid(
    context: &Context,
    files: &[PathBuf],
    verified: &Verified,
    checkpoint: Option<&Path>,
) -> Result<(), CliError> {
    context.format.print(
        || {
            let torn: Vec<Value> = verified
                .torn
                .iter()
                .map(|torn| json!({ "file": torn.path, "line": torn.line, "bytes": torn.bytes }))
                .collect();
            json!({
                "valid": true,
                "did": verified.did,
                "dids": verified.dids,
                "chain": verified.chain(),
                "files": files,
                "lines": verified.lines,
                "first": verified.first(),
                "last": verified.last(),
                "last_at": verified.last_at(),
                "whole": verified.is_whole,
                "torn": torn,
                "checkpoint": checkpoint.is_some(),
            })
        },
        || {
            let mut text = format!(
                "valid: {} lines, seq {} to {}, the last of {}\n",
                verified.lines,
                verified.first(),
                verified.last(),
                one_line(verified.last_at())
            );
            if let [_, _, ..] = &verified.dids[..] {
                let _ = writeln!(
                    text,
                    "its lines are about the keys of {} identities:",
                    verified.dids.len()
                );
                for did in &verified.dids {
                    let _ = writeln!(text, "    {}", one_line(did));
                }
            }
            for torn in &verified.torn {
                let path = torn.path.display().to_string();
                let (path, line, bytes) = (one_line(&path), torn.line, torn.bytes);
                // A string takes everything.
                let _ =
                    writeln!(text, "{path}, line {line}: a writer was cut off after {bytes} bytes");
            }
            text
        },
    )?;
    if !verified.is_whole {
        let before = verified.first().saturating_sub(1);
        output::say(&format!("note: earlier files, up to seq {before}, were not named"));
    }
    if checkpoint.is_none() {
        output::say(
            "note: who can write to the log can write it anew; a checkpoint that is kept elsewhere \
             shows that: --checkpoint FILE",
        );
    }
    Ok(())
}

pub(super) fn not_valid(context: &Context, error: &AuditError) -> Result<(), CliError> {
    context.format.print(
        || {
            let (file, line) = match error {
                AuditError::Broken { path, line, .. } => (json!(path), json!(line)),
                _ => (Value::Null, Value::Null),
            };
            json!({
                "valid": false,
                "file": file,
                "line": line,
                "error": error.to_string(),
                "help": advice(error),
            })
        },
        || format!("not valid: {}\n", one_line(&error.to_string())),
    )?;
    if context.format == output::Format::Text {
        output::advise(&advice(error));
    }
    Ok(())
}

fn advice(error: &AuditError) -> String {
    error.help().unwrap_or_default()
}

/// What it says, and the very line.
pub(super) fn as_json(record: &Record) -> Value {
    let mut shown = json!({
        "intact": record.is_intact(),
        "seq": record.seq(),
        "at": record.at(),
        "event": record.event(),
        "did": record.did(),
        "result": record.result(),
        "reason": record.reason(),
        "request": record.request(),
        "client": record.client(),
        "uid": record.uid(),
        "gid": record.gid(),
        "pid": record.pid(),
        "exe": record.exe(),
        "unit": record.unit(),
        "context": record.context(),
        "message": record.message(),
        "length": record.length(),
        "count": record.count(),
        "instance": record.instance(),
        "tls_key": record.tls_key(),
        "line": record.text(),
    });
    if let Some(members) = shown.as_object_mut() {
        members.retain(|_, value| !value.is_null());
    }
    shown
}

/// `17  2026-11-28T10:00:00.123Z  sign  allowed  payments@coop.example  uid 1001 …`
pub(super) fn as_text(record: &Record) -> String {
    let (Some(seq), Some(at), Some(event)) = (record.seq(), record.at(), record.event()) else {
        return format!("not a line: {}\n", one_line(record.text()));
    };
    let mut text = format!("{seq}  {}  {}", one_line(at), one_line(event));
    let named = [
        ("", record.result()),
        ("", record.reason()),
        ("for ", record.context()),
        ("client ", record.client()),
        ("unit ", record.unit()),
        ("exe ", record.exe()),
        ("message ", record.message()),
        ("instance ", record.instance()),
        ("tls key ", record.tls_key()),
    ];
    let numbers = [
        ("count ", record.count()),
        ("uid ", record.uid().map(u64::from)),
        ("gid ", record.gid().map(u64::from)),
        ("pid ", record.pid().map(u64::from)),
    ];
    for (name, value) in named {
        if let Some(value) = value {
            // A string takes everything.
            let _ = write!(text, "  {name}{}", quoted(value));
        }
    }
    for (name, value) in numbers {
        if let Some(value) = value {
            let _ = write!(text, "  {name}{value}");
        }
    }
    text.push('\n');
    text
}

/// In quotes, where it could be taken for several values: a context or a program can be
/// called `x  uid 0`.
fn quoted(value: &str) -> String {
    let is_one = |character: char| !character.is_whitespace() && !"\"\\".contains(character);
    if !value.is_empty() && value.chars().all(is_one) {
        return one_line(value);
    }
    let value = value.replace('\\', r"\\").replace('"', "\\\"");
    format!("\"{}\"", one_line(&value))
}
