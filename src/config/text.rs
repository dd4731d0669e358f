//! The text of an `icn.toml`, changed value by value: comments, order, and what
//! belongs to other programs stay.

use toml_edit::{DocumentMut, Item, Table, TableLike, Value};

use super::{Config, ConfigError};
use crate::encoding::text::after_mark_of;
use crate::locator::BackendKind;

impl Config {
    /// The text of an `icn.toml` that says this. What is at its default is left
    /// out, where that is not a choice that a later version could make otherwise.
    ///
    /// # Errors
    ///
    /// [`ConfigError::NotText`] if TOML cannot hold a value: a path that is not
    /// UTF-8, a slot of more than 63 bits.
    pub fn to_toml(&self) -> Result<String, ConfigError> {
        let values = values(self)?;
        let mut document = DocumentMut::new();
        merge(document.as_table_mut(), &Table::new(), values.as_table())?;
        Ok(document.to_string())
    }

    /// The text with some values changed. Only these lines are written anew, with
    /// the comments beside them; all others stay as they are.
    ///
    /// ```
    /// use icn_identity::config::Config;
    ///
    /// let text = "[identity.age]\nwork_factor = 16 # a slow machine\n\n[network]\nport = 1\n";
    /// let edited = Config::edit(text, |config| config.identity.age.work_factor = 17)?;
    /// assert_eq!(edited, text.replace("16", "17"));
    /// # Ok::<(), icn_identity::config::ConfigError>(())
    /// ```
    ///
    /// # Errors
    ///
    /// [`ConfigError`] if the text is not valid, or would not be; as
    /// [`Self::to_toml`].
    pub fn edit(text: &str, change: impl FnOnce(&mut Self)) -> Result<String, ConfigError> {
        let before = Self::parse(text)?;
        let mut after = before.clone();
        change(&mut after);
        let (before, after) = (values(&before)?, values(&after)?);
        let mut text = ConfigText::parse(text)?;
        merge(text.0.as_table_mut(), before.as_table(), after.as_table())?;
        let text = text.to_string();
        Self::parse(&text)?;
        Ok(text)
    }
}

/// What a configuration says, each value in the one form that it is written in.
fn values(config: &Config) -> Result<DocumentMut, ConfigError> {
    toml_edit::ser::to_document(config).map_err(|_| ConfigError::NotText)
}

/// Writes what differs between two into a table.
fn merge(
    into: &mut Table,
    before: &dyn TableLike,
    after: &dyn TableLike,
) -> Result<(), ConfigError> {
    let (empty, same) = (Table::new(), |one: &Item, other: &Item| {
        one.to_string().trim() == other.to_string().trim()
    });
    for (name, new) in after.iter() {
        match (new.as_table_like(), before.get(name)) {
            (_, Some(old)) if same(old, new) => {}
            (Some(new), old) => {
                let old = old.and_then(Item::as_table_like).unwrap_or(&empty);
                merge(table(into, name).ok_or(ConfigError::NotATable)?, old, new)?;
            }
            (None, _) if is_tables(new) => {
                if let Ok(tables) = new.clone().into_array_of_tables() {
                    into.insert(name, Item::ArrayOfTables(tables));
                }
            }
            (None, _) => {
                if let Some(value) = new.as_value() {
                    let mut value = value.clone();
                    value.decor_mut().clear();
                    set(into, name, value);
                }
            }
        }
    }
    for (name, _) in before.iter().filter(|(name, _)| !after.contains_key(name)) {
        into.remove(name);
    }
    Ok(())
}

/// Whether a value is a list of tables, which are written one under the other: `[[name]]`.
fn is_tables(item: &Item) -> bool {
    item.as_array().is_some_and(|list| !list.is_empty() && list.iter().all(Value::is_inline_table))
}

/// A text that is edited.
pub(crate) struct ConfigText(DocumentMut);

impl ConfigText {
    /// Nothing of what the TOML parser says is repeated: it could quote.
    pub(crate) fn parse(text: &str) -> Result<Self, ConfigError> {
        Config::parse(text)?;
        after_mark_of(text).parse().map(Self).map_err(|_| ConfigError::NotATable)
    }

    /// One without anything in it.
    pub(crate) fn empty() -> Self {
        Self(DocumentMut::new())
    }

    /// `[identity]`, made where it is missing.
    pub(crate) fn identity(&mut self) -> Result<&mut Table, ConfigError> {
        table(self.0.as_table_mut(), "identity").ok_or(ConfigError::NotATable)
    }

    /// With `[identity]` of another text in the place of its own.
    pub(crate) fn take_identity(&mut self, other: Self) {
        let mut other = other.0;
        if let Some(identity) = other.remove("identity") {
            self.0.insert("identity", identity);
        }
    }

    /// Without the tables of other programs.
    pub(crate) fn retain_identity(&mut self) {
        self.0.retain(|name, _| name == "identity");
    }

    /// Without the tables of other programs, and of services of this machine.
    pub(crate) fn retain_for_backup(&mut self) {
        self.0.retain(|name, _| ["identity", "audit"].contains(&name));
    }

    /// Without what is about the devices of other backends.
    pub(crate) fn retain_backend(&mut self, backend: BackendKind) -> Result<(), ConfigError> {
        if self.0.contains_key("identity") {
            self.identity()?.retain(|name, _| match name {
                "pkcs11" => backend == BackendKind::Pkcs11,
                "tpm" => backend == BackendKind::Tpm,
                _ => true,
            });
        }
        Ok(())
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl std::fmt::Display for ConfigText {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}

/// The text of a configuration for a backup: what is about the devices of another
/// backend than the identity's (which library to load, which socket to talk to) is none of
/// its business, now or when it is restored elsewhere.
pub(crate) fn for_backup(text: &str, backend: BackendKind) -> Result<String, ConfigError> {
    let mut text = ConfigText::parse(text)?;
    text.retain_for_backup();
    text.retain_backend(backend)?;
    Ok(text.to_string())
}

/// Sets a value, and keeps the comments around the one that was there.
pub(crate) fn set(table: &mut Table, name: &str, new: impl Into<Value>) {
    let mut new = new.into();
    match table.get_mut(name).and_then(Item::as_value_mut) {
        Some(old) => {
            *new.decor_mut() = old.decor().clone();
            *old = new;
        }
        None => {
            table.insert(name, Item::Value(new));
        }
    }
}

/// The table of that name, made where it is missing; an inline one
/// (`identity = { … }`) becomes a table of its own.
pub(crate) fn table<'a>(parent: &'a mut Table, name: &str) -> Option<&'a mut Table> {
    let item = parent.entry(name).or_insert_with(|| Item::Table(Table::new()));
    if !item.is_table() {
        *item = Item::Table(std::mem::take(item).into_table().ok()?);
    }
    item.as_table_mut()
}

#[cfg(test)]
#[path = "text/tests.rs"]
mod tests;
