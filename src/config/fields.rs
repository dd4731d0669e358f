//! Each field of `icn.toml`: what it takes, its default and what it means. Told to whoever
//! wrote something else, and written into the template.

mod audit;
mod daemon;
mod identity;
#[cfg(test)]
#[path = "fields/tests.rs"]
mod tests;

use toml_edit::{Document, Item, TableLike};

/// Every field, in the order of docs/configuration.md.
const GROUPS: [&[Field]; 3] = [identity::FIELDS, daemon::FIELDS, audit::FIELDS];

/// One field, or a table of them.
#[derive(Debug)]
pub(super) struct Field {
    /// `identity.tpm.pin`
    pub(super) path: &'static str,
    /// What it takes, after "takes".
    pub(super) takes: &'static str,
    pub(super) value: Value,
    /// As docs/configuration.md says it.
    pub(super) meaning: &'static str,
}

/// What a field is where nobody writes it. Values are written as in TOML.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Value {
    /// A table of fields.
    Table,
    /// A list of tables, each with the same fields.
    Tables,
    /// Its default.
    Default(&'static str),
    /// It is not set, and something like this can be written.
    Unset(&'static str),
    /// Its table is not valid without it; something like this.
    Required(&'static str),
}

impl Field {
    const fn table(path: &'static str, takes: &'static str, meaning: &'static str) -> Self {
        Self { path, takes, value: Value::Table, meaning }
    }

    const fn tables(path: &'static str, takes: &'static str, meaning: &'static str) -> Self {
        Self { path, takes, value: Value::Tables, meaning }
    }

    const fn set(
        path: &'static str,
        takes: &'static str,
        default: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { path, takes, value: Value::Default(default), meaning }
    }

    const fn unset(
        path: &'static str,
        takes: &'static str,
        example: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { path, takes, value: Value::Unset(example), meaning }
    }

    const fn required(
        path: &'static str,
        takes: &'static str,
        example: &'static str,
        meaning: &'static str,
    ) -> Self {
        Self { path, takes, value: Value::Required(example), meaning }
    }

    /// Of `identity.tpm.pin`: `pin`.
    pub(super) fn name(&self) -> &'static str {
        self.path.rsplit('.').next().unwrap_or(self.path)
    }

    pub(super) const fn is_table(&self) -> bool {
        matches!(self.value, Value::Table | Value::Tables)
    }
}

pub(super) fn all() -> impl Iterator<Item = &'static Field> {
    GROUPS.iter().flat_map(|fields| fields.iter())
}

const BOOLEAN: &str = "true or false, without quotes";
pub(super) const ASSURANCES: &str =
    "\"soft-token\", \"remote-service\", \"unstated\" or \"claimed\"";

/// Which field a place in the text belongs to, and what it takes: never what stands there.
pub(super) fn expected_at(text: &str, place: usize) -> Option<(&'static str, &'static str)> {
    let document = Document::parse(text).ok()?;
    let path = path_to(document.as_table(), place)?;
    all().find(|field| field.path == path).map(|field| (field.path, field.takes))
}

/// `identity.tpm.pcr_indices`: the innermost field that a place is in. One of several tables
/// of a name has the path of them all.
fn path_to(table: &dyn TableLike, place: usize) -> Option<String> {
    table.iter().find_map(|(name, item)| {
        if let Some(inner) = tables_in(item).into_iter().find_map(|inner| path_to(inner, place)) {
            return Some(format!("{name}.{inner}"));
        }
        item.span().is_some_and(|span| span.contains(&place)).then(|| name.to_owned())
    })
}

/// `[name]`, each `[[name]]`, or each of `name = [{ … }]`.
fn tables_in(item: &Item) -> Vec<&dyn TableLike> {
    if let Some(table) = item.as_table_like() {
        return vec![table];
    }
    if let Some(tables) = item.as_array_of_tables() {
        return tables.iter().map(|table| -> &dyn TableLike { table }).collect();
    }
    let list = item.as_array().into_iter().flatten();
    let inline = list.filter_map(toml_edit::Value::as_inline_table);
    inline.map(|table| -> &dyn TableLike { table }).collect()
}
