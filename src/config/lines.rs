//! In which line of a text something stands.

use toml_edit::{Item, TableLike};

/// The line of a key, or else of its value.
pub(super) fn line_of_key(
    text: &str,
    table: &dyn TableLike,
    name: &str,
    item: &Item,
) -> Option<usize> {
    let key = table.get_key_value(name).and_then(|(key, _)| key.span());
    key.or_else(|| item.span()).map(|span| line(text, span.start))
}

/// Of a place in it, from 1.
pub(super) fn line(text: &str, place: usize) -> usize {
    text.get(..place).unwrap_or_default().matches('\n').count() + 1
}
