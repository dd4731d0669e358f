//! Commands that are printed act on the identity that this call was about.
//!
//! Whatever we print goes through [`commands`] (see [`crate::output`]): a command that
//! stands in it gets the `--home` and the `--config` that this call was given. Typed as it
//! stands, it would act on the identity of whoever reads it otherwise.

use std::sync::OnceLock;

use serde_json::Value;

use crate::args::Args;
use crate::safe::word;

/// ` --home /srv/icn`, as this call was given it.
static GIVEN: OnceLock<String> = OnceLock::new();

const NAME: &str = "icnctl ";

/// How our commands begin; what else stands behind our name is prose.
const BEGINNINGS: [&str; 13] = [
    "attestation ",
    "audit ",
    "id ",
    "backend ",
    "tpm ",
    "peer ",
    "config ",
    "sign",
    "decrypt",
    "lock",
    "unlock",
    "status",
    "--format ",
];

/// What needs no identity, or is said for another machine.
const ELSEWHERE: [&str; 10] = [
    "attestation challenge",
    "attestation activate",
    "attestation verify",
    "attestation show",
    "verify",
    "id verify-document",
    "id rotation verify",
    "id renew --epoch",
    "tpm approve",
    "config template",
];

/// Before anything is printed.
pub(crate) fn remember(args: &Args) {
    let given = [("--home", &args.home), ("--config", &args.config)];
    let given = given.into_iter().filter_map(|(option, path)| {
        Some(format!(" {option} {}", word(&path.as_ref()?.to_string_lossy())))
    });
    let _ = GIVEN.set(given.collect());
}

/// A text, with the options of this call in each command of ours.
pub(crate) fn commands(text: &str) -> String {
    with(text, GIVEN.get().map_or("", String::as_str))
}

/// The same for each text in JSON, but for what others call themselves.
pub(crate) fn commands_in(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::String(commands(text)),
        Value::Array(values) => values.iter().map(commands_in).collect(),
        Value::Object(members) => members
            .iter()
            .map(|(name, value)| {
                let ours = if name == "name" { value.clone() } else { commands_in(value) };
                (name.clone(), ours)
            })
            .collect(),
        value => value.clone(),
    }
}

fn with(text: &str, given: &str) -> String {
    let mut done = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once(NAME) {
        done.push_str(before);
        let is_word = done.chars().next_back().is_none_or(|it| !it.is_alphanumeric() && it != '/');
        done.push_str(NAME.trim_end());
        if is_word && is_of_home(after) {
            done.push_str(given);
        }
        done.push(' ');
        rest = after;
    }
    done.push_str(rest);
    done
}

/// Whether what stands behind our name acts on the home of this call.
fn is_of_home(command: &str) -> bool {
    let bare = command.strip_prefix("--format ").and_then(|it| it.split_once(' '));
    let bare = bare.map_or(command, |(_, rest)| rest);
    BEGINNINGS.iter().any(|begin| command.starts_with(begin))
        && !ELSEWHERE.iter().any(|begin| bare.starts_with(begin))
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use clap::Parser as _;

    use super::*;

    const GIVEN: &str = " --home /srv/icn --config /etc/icn.toml";

    /// Named as what has done or will do something, with no options: nobody types them so.
    const NAMED: [&str; 3] = ["id backup", "tpm approve", "id restore"];

    fn rooms(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
            let path = entry.path();
            // What `--help` says is said for every home.
            if path.is_dir() && !path.ends_with("args") {
                rooms(&path, found);
            } else if path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs") {
                found.push(path);
            }
        }
    }

    /// Each command in the texts of a source, without our name; and whether it is in
    /// backticks.
    fn commands_of(source: &str) -> Vec<(String, bool)> {
        let source = source.split("#[cfg(test)]\nmod tests {").next().unwrap();
        let lines = source.lines().filter(|line| !line.trim_start().starts_with("//"));
        let text = lines.map(str::trim).collect::<Vec<_>>().join("\n").replace("\\\n", "");
        let mut found = Vec::new();
        for (at, _) in text.match_indices(NAME) {
            let (before, after) = text.split_at(at);
            let after = after.strip_prefix(NAME).unwrap();
            let is_quoted = before.ends_with('`');
            let ends: &[&str] = match is_quoted {
                true => &["`"],
                false => &["; ", ")", ". ", ", ", " (", "\\n", "\"", "\n", " > ", " < "],
            };
            let end = ends.iter().filter_map(|end| after.find(end)).min().unwrap_or(after.len());
            found.push((after[..end].trim_end_matches('.').to_owned(), is_quoted));
        }
        found
    }

    fn parsed(command: &str) -> Result<Args, String> {
        let command = command.split(" > ").next().unwrap_or(command);
        let words = command.split_whitespace().map(|word| match word {
            "{epoch}" => "1",
            word if word.contains('{') => "X",
            word => word,
        });
        let args = Args::try_parse_from(std::iter::once("icnctl").chain(words));
        args.map_err(|error| error.to_string())
    }

    #[test]
    fn each_printed_command_parses_as_it_stands_and_carries_the_home_of_the_call() {
        let mut sources = Vec::new();
        rooms(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/bin/icnctl"), &mut sources);
        let (mut checked, mut wrong) = (0, Vec::new());
        for path in sources {
            let source = std::fs::read_to_string(&path).unwrap();
            for (command, is_quoted) in commands_of(&source) {
                let is_begun = command.starts_with("--home {}") && command.len() < 12;
                let is_prose = command.starts_with('…') || command.is_empty() || is_begun;
                if is_prose || is_quoted && NAMED.contains(&command.as_str()) {
                    continue;
                }
                checked += 1;
                let is_elsewhere = command.starts_with("--home")
                    || ELSEWHERE.iter().any(|begin| command.starts_with(begin));
                let printed = with(&format!("try: icnctl {command}"), GIVEN);
                let printed = printed.strip_prefix("try: icnctl ").unwrap();
                match parsed(printed) {
                    Err(error) => wrong.push(format!("{}: {command}: {error}", path.display())),
                    Ok(args) if !is_elsewhere => {
                        let home = args.home.as_deref() == Some(Path::new("/srv/icn"));
                        let config = args.config.as_deref() == Some(Path::new("/etc/icn.toml"));
                        if !home || !config {
                            wrong.push(format!("{}: another home: {printed}", path.display()));
                        }
                    }
                    Ok(_) => assert_eq!(printed, command),
                }
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
        assert!(checked > 90, "{checked}");
    }

    #[test]
    fn what_is_no_command_stays_as_it_is() {
        for text in [
            "icnctl … < FILE",
            "the icnctl of the node",
            "see /usr/bin/icnctl id",
            "icnctl --home /x id show",
            "run\n    icnctl id renew --epoch 3",
            "`icnctl --format json verify FILE`",
        ] {
            assert_eq!(with(text, GIVEN), text);
        }
        assert_eq!(
            with("(icnctl id show; icnctl sign)", " -h"),
            "(icnctl -h id show; icnctl -h sign)"
        );
        let json = serde_json::json!({ "name": "icnctl id show", "next": ["x"], "a": { "b": 1 } });
        assert_eq!(commands_in(&json), json);
    }
}
