//! What was found, as it is printed.

use icn_identity::config::{ExplainedTable, Setting};
use serde_json::{Value, json};

use super::check::{Checked, Place, by_option, is_used};
use crate::context::Context;
use crate::output::one_line;

/// Columns of a value, where others are not longer.
const WIDE: usize = 58;

/// A field as it would be used.
struct Used<'a> {
    setting: &'a Setting,
    value: Option<String>,
    from: From,
}

enum From {
    Line(usize),
    Option,
    Default,
    Nowhere,
}

fn used<'a>(context: &Context, table: &'a ExplainedTable) -> Vec<Used<'a>> {
    let by_option = if table.name == "identity.pkcs11" { by_option(context) } else { Vec::new() };
    let used = |setting: &'a Setting| {
        let option = by_option.iter().find(|(name, _)| *name == setting.name);
        let (value, from) = match (option, &setting.value, setting.line) {
            (Some((_, value)), _, _) => (Some(value.clone()), From::Option),
            (None, Some(value), Some(line)) => (Some(value.clone()), From::Line(line)),
            (None, Some(value), None) => (Some(value.clone()), From::Default),
            (None, None, _) => (None, From::Nowhere),
        };
        Used { setting, value, from }
    };
    table.settings.iter().map(used).collect()
}

pub(super) fn as_json(context: &Context, checked: &Checked) -> Value {
    let place =
        |place: &Place| json!({ "path": place.path, "from": place.from, "exists": place.exists });
    let backend = context.config.identity.backend;
    let field = |used: &Used<'_>| {
        json!({
            "name": used.setting.name,
            "value": used.value,
            "from": match used.from {
                From::Line(_) => "file",
                From::Option => "--key",
                From::Default => "default",
                From::Nowhere => "not set",
            },
            "line": match used.from {
                From::Line(line) => Some(line),
                _ => None,
            },
            "takes": used.setting.takes,
            "meaning": used.setting.meaning,
        })
    };
    let table = |table: &ExplainedTable| {
        json!({
            "table": table.name,
            "line": table.line,
            "used": is_used(table, backend),
            "fields": used(context, table).iter().map(field).collect::<Vec<_>>(),
        })
    };
    let others = checked.explained.others.iter();
    json!({
        "home": place(&checked.home),
        "file": place(&checked.file),
        "state_directory": checked.state.as_ref().map(place),
        "audit_log": place(&checked.audit),
        "socket": place(&checked.socket),
        "backend": backend,
        "did": context.config.identity.did,
        "tables": checked.explained.tables.iter().map(table).collect::<Vec<_>>(),
        "passphrase": { "from": checked.passphrase },
        "pin": checked.pin.as_ref().map(|from| json!({ "from": from })),
        "others": others
            .map(|other| json!({ "name": other.name, "line": other.line, "like": other.like }))
            .collect::<Vec<_>>(),
        "notes": checked.notes,
        "problems": checked
            .problems
            .iter()
            .map(|problem| json!({ "problem": problem.what, "help": problem.help }))
            .collect::<Vec<_>>(),
    })
}

pub(super) fn as_text(context: &Context, checked: &Checked) -> String {
    let mut text = String::new();
    let mut place = |name: &str, place: &Place| {
        let there = if place.exists { "" } else { ", which is not there" };
        text.push_str(&format!("{name:<12}{} ({}){there}\n", one_line(&place.path), place.from));
    };
    place("Home", &checked.home);
    place("File", &checked.file);
    if let Some(state) = &checked.state {
        place("State", state);
    }
    place("Audit log", &checked.audit);
    place("Socket", &checked.socket);
    text.push_str(&format!("{:<12}{}\n", "Passphrase", one_line(&checked.passphrase)));
    let pin = checked.pin.as_deref().unwrap_or("none is wanted: the backend is age");
    text.push_str(&format!("{:<12}{}\n", "PIN", one_line(pin)));
    let backend = context.config.identity.backend;
    for table in checked.explained.tables.iter().filter(|table| is_used(table, backend)) {
        let used = used(context, table);
        text.push_str(&format!("\n[{}]\n", table.name));
        let value = |used: &Used<'_>| one_line(used.value.as_deref().unwrap_or("–"));
        let widths = used.iter().map(|used| value(used).chars().count());
        let wide = widths.filter(|width| *width <= WIDE).max().unwrap_or(0);
        let names = used.iter().map(|used| used.setting.name.len()).max().unwrap_or(0);
        for used in &used {
            let from = match used.from {
                From::Line(line) => format!("line {line}"),
                From::Option => "--key".into(),
                From::Default => "default".into(),
                From::Nowhere => "not set".into(),
            };
            let (name, value) = (used.setting.name, value(used));
            text.push_str(&format!("  {name:<names$}  {value:<wide$}  {from}\n"));
        }
    }
    text.push('\n');
    for note in &checked.notes {
        text.push_str(&format!("note: {}\n", one_line(note)));
    }
    for problem in &checked.problems {
        text.push_str(&format!("PROBLEM: {}\n", one_line(&problem.what)));
        if let Some(help) = &problem.help {
            text.push_str(&format!("  try: {help}\n"));
        }
    }
    if checked.problems.is_empty() {
        text.push_str("No problem was found; no device was asked.\n");
    }
    text
}
