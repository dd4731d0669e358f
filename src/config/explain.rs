//! What a configuration says, field by field, and where each value comes from.

use std::path::Path;

use toml_edit::{Document, Item, TableLike};

use super::fields::{self, Field, Value};
use super::lines::{line, line_of_key};
use super::{Config, ConfigError};
use crate::encoding::text::after_mark_of;

/// What the text of an `icn.toml` says, field by field.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Explained {
    /// Every table that this crate reads, also those that are not in the text; of a list of
    /// tables each that is in it.
    pub tables: Vec<ExplainedTable>,
    /// What is at the top of the text and belongs to other programs.
    pub others: Vec<Stranger>,
}

/// A table of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct ExplainedTable {
    /// Its name: `identity.tpm`; in a list, with its place from 0: `daemon.client[0]`.
    pub name: String,
    /// The line that it begins in, from 1. `None` where the text does not have it.
    pub line: Option<usize>,
    /// Every field that it can have.
    pub settings: Vec<Setting>,
}

/// A field of the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Setting {
    /// Its name in its table: `pin`.
    pub name: &'static str,
    /// What it is, as TOML writes it: what the text says, else its default. `None` where it
    /// is not set and has no default.
    pub value: Option<String>,
    /// The line of the text that says it, from 1. `None` for a default, and where it is not
    /// set.
    pub line: Option<usize>,
    /// What it takes, after "takes".
    pub takes: &'static str,
    /// What it is for.
    pub meaning: &'static str,
}

/// A table or a value at the top of the text that belongs to another program.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stranger {
    /// Its name.
    pub name: String,
    /// The line that it begins in, from 1.
    pub line: Option<usize>,
    /// The fields and tables of this crate that have the same name: this one may be meant
    /// for one of them, and is not taken for it where it stands.
    pub like: Vec<&'static str>,
}

impl Config {
    /// What a text says, field by field, and by which line.
    ///
    /// ```
    /// use icn_identity::config::Config;
    ///
    /// let explained = Config::explain("[identity.age]\nwork_factor = 16\n")?;
    /// let age = explained.tables.iter().find(|table| table.name == "identity.age");
    /// let [work, most] = &age.unwrap().settings[..] else { panic!() };
    /// assert_eq!((work.value.as_deref(), work.line), (Some("16"), Some(2)));
    /// assert_eq!((most.value.as_deref(), most.line), (Some("20"), None));
    /// # Ok::<(), icn_identity::config::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// As [`Self::parse`].
    pub fn explain(text: &str) -> Result<Explained, ConfigError> {
        Self::parse(text)?;
        let text = after_mark_of(text);
        explain_document(text)
    }

    /// **Blocks** on files. The same of a file; one that does not exist says nothing.
    ///
    /// # Errors
    ///
    /// As [`Self::load`].
    pub fn explain_file(path: &Path) -> Result<Explained, ConfigError> {
        Self::explain(&Self::read(path)?.unwrap_or_default())
    }
}

/// The line of a field of a table, or else of the table, also where the text says what
/// cannot be.
pub(super) fn line_of(text: &str, table: &str, field: Option<&str>) -> Option<usize> {
    let explained = explain_document(text).ok()?;
    let table = explained.tables.into_iter().find(|it| it.name == table)?;
    let line = table.settings.iter().find(|it| Some(it.name) == field).and_then(|it| it.line);
    line.or(table.line)
}

fn explain_document(text: &str) -> Result<Explained, ConfigError> {
    let document = Document::parse(text).map_err(|_| ConfigError::NotATable)?;
    let top: &dyn TableLike = document.as_table();
    let mut tables = Vec::new();
    for field in fields::all() {
        match field.value {
            Value::Table => {
                let found = table_at(top, field.path);
                tables.push(explained(text, field, field.path.to_owned(), found));
            }
            Value::Tables => {
                for (place, found) in list_at(top, field.path).into_iter().enumerate() {
                    let name = format!("{}[{place}]", field.path);
                    tables.push(explained(text, field, name, Some(found)));
                }
            }
            _ => {}
        }
    }
    let ours = |name: &str| fields::all().any(|field| field.path == name);
    let others = top.iter().filter(|(name, _)| !ours(name));
    let others = others.map(|(name, item)| Stranger {
        name: name.to_owned(),
        line: line_of_key(text, top, name, item),
        like: fields::all().filter(|field| field.name() == name).map(|it| it.path).collect(),
    });
    Ok(Explained { tables, others: others.collect() })
}

/// A table and where it begins.
type Found<'a> = (&'a dyn TableLike, Option<usize>);

fn explained(text: &str, table: &Field, name: String, found: Option<Found<'_>>) -> ExplainedTable {
    let of_table = |field: &&Field| {
        !field.is_table() && field.path.rsplit_once('.').is_some_and(|(of, _)| of == table.path)
    };
    let settings: Vec<Setting> = fields::all()
        .filter(of_table)
        .map(|field| {
            let written = found.and_then(|(found, _)| {
                let item = found.get(field.name())?;
                let value = item.span().and_then(|span| text.get(span));
                Some((value?.trim().to_owned(), line_of_key(text, found, field.name(), item)))
            });
            let (value, line) = match (written, field.value) {
                (Some((value, line)), _) => (Some(value), line),
                (None, Value::Default(value)) => (Some(value.to_owned()), None),
                (None, _) => (None, None),
            };
            let Field { takes, meaning, .. } = *field;
            Setting { name: field.name(), value, line, takes, meaning }
        })
        .collect();
    let begins = found.and_then(|(_, place)| place).map(|place| line(text, place));
    let line = begins.or_else(|| settings.iter().filter_map(|setting| setting.line).min());
    ExplainedTable { name, line, settings }
}

fn table_at<'a>(top: &'a dyn TableLike, path: &str) -> Option<Found<'a>> {
    path.split('.').try_fold((top, None), |(table, _), name| {
        let item = table.get(name)?;
        Some((item.as_table_like()?, item.span().map(|span| span.start)))
    })
}

/// A list, written as `[[…]]` or in one value.
fn list_at<'a>(top: &'a dyn TableLike, path: &str) -> Vec<Found<'a>> {
    let (of, name) = path.rsplit_once('.').unwrap_or(("", path));
    let of = if of.is_empty() { Some(top) } else { table_at(top, of).map(|(table, _)| table) };
    match of.and_then(|of| of.get(name)) {
        Some(Item::ArrayOfTables(tables)) => {
            let start = |table: &toml_edit::Table| table.span().map(|span| span.start);
            tables.iter().map(|table| -> Found<'a> { (table, start(table)) }).collect()
        }
        Some(Item::Value(toml_edit::Value::Array(tables))) => {
            let inline = tables.iter().filter_map(toml_edit::Value::as_inline_table);
            inline
                .map(|table| -> Found<'a> { (table, table.span().map(|span| span.start)) })
                .collect()
        }
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table<'a>(explained: &'a Explained, name: &str) -> &'a ExplainedTable {
        explained.tables.iter().find(|table| table.name == name).unwrap()
    }

    fn setting<'a>(
        explained: &'a Explained,
        of: &str,
        name: &str,
    ) -> (Option<&'a str>, Option<usize>) {
        let setting = table(explained, of).settings.iter().find(|it| it.name == name).unwrap();
        (setting.value.as_deref(), setting.line)
    }

    /// However TOML lets a value be written.
    #[test]
    fn each_value_is_told_as_it_is_written_with_its_line() {
        for (text, line) in [
            ("\n[identity.tpm]\npcr_indices = [0, 7] # both\n", 3),
            ("\u{feff}[identity]\n\ntpm = { pcr_indices = [0, 7] }\n", 3),
            ("identity.tpm.pcr_indices = [0, 7]", 1),
            ("# one\nidentity = { tpm = { pcr_indices = [0, 7] } }", 2),
            ("[identity]\r\ntpm.pcr_indices = [0, 7]\r\n", 2),
        ] {
            let explained = Config::explain(text).unwrap();
            let found = setting(&explained, "identity.tpm", "pcr_indices");
            assert_eq!(found, (Some("[0, 7]"), Some(line)), "{text}");
            assert!(table(&explained, "identity.tpm").line.is_some(), "{text}");
            assert_eq!(setting(&explained, "identity.tpm", "pin"), (Some("true"), None));
            assert_eq!(setting(&explained, "identity.tpm", "approver"), (None, None));
            assert_eq!(table(&explained, "identity.pkcs11").line, None);
        }
        let lines = Config::explain("[identity.tpm]\npcr_indices = [\n  0,\n  7,\n]\n").unwrap();
        assert_eq!(setting(&lines, "identity.tpm", "pcr_indices").0, Some("[\n  0,\n  7,\n]"));
    }

    #[test]
    fn each_table_of_a_list_is_explained_by_itself() {
        let client = |name: &str| {
            format!("name = {name:?}, uid = {}, may = [\"admin\"]", name.as_bytes()[0])
        };
        let tables =
            |name: &str| format!("[[daemon.client]]\n{}\n", client(name).replace(", ", "\n"));
        let inline = format!("[daemon]\nclient = [{{ {} }},\n{{ {} }}]", client("a"), client("b"));
        for (text, lines) in [(tables("a") + &tables("b"), [2, 6]), (inline, [2, 3])] {
            let explained = Config::explain(&text).unwrap();
            for (place, (name, line)) in ["\"a\"", "\"b\""].into_iter().zip(lines).enumerate() {
                let table = format!("daemon.client[{place}]");
                assert_eq!(setting(&explained, &table, "name"), (Some(name), Some(line)), "{text}");
                assert_eq!(setting(&explained, &table, "rate"), (None, None));
            }
        }
    }

    /// Whatever the text has or has not.
    #[test]
    fn every_field_is_explained_once() {
        for text in ["", "[identity.age]\nwork_factor = 12\n", "[network]\nport = 1\n"] {
            let explained = Config::explain(text).unwrap();
            let found: Vec<String> = explained
                .tables
                .iter()
                .flat_map(|table| {
                    table.settings.iter().map(|it| format!("{}.{}", table.name, it.name))
                })
                .collect();
            // Those in a list are told for each that is in it.
            let in_list = |field: &Field| {
                fields::all().any(|list| {
                    list.value == Value::Tables
                        && field.path.starts_with(&format!("{}.", list.path))
                })
            };
            let known: Vec<&str> = fields::all()
                .filter(|field| !field.is_table() && !in_list(field))
                .map(|field| field.path)
                .collect();
            assert_eq!(found, known);
        }
    }

    #[test]
    fn what_belongs_to_others_is_named_with_what_it_may_be_meant_for() {
        let text = "backend = \"pkcs11\"\n[network]\nport = 1\n[tpm]\npin = false\n[[peers]]\n";
        let explained = Config::explain(text).unwrap();
        let others: Vec<_> = explained
            .others
            .iter()
            .map(|it| (it.name.as_str(), it.line, it.like.clone()))
            .collect();
        assert_eq!(
            others,
            [
                ("backend", Some(1), vec!["identity.backend"]),
                ("network", Some(2), vec![]),
                ("tpm", Some(4), vec!["identity.tpm"]),
                ("peers", Some(6), vec![]),
            ]
        );
    }

    #[test]
    fn a_text_that_is_not_valid_is_refused_as_by_parse() {
        for text in ["[identity]\nbakend = 1\n", "[identity", "[identity.age]\nwork_factor = 9\n"] {
            let (explained, parsed) = (Config::explain(text), Config::parse(text));
            assert_eq!(explained.unwrap_err().to_string(), parsed.unwrap_err().to_string());
        }
    }
}
