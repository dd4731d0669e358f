//! A table or a key that is in the text twice: which, and where the first one is.

use toml_edit::{Document, Item, TableLike};

use super::fields;
use super::lines::{line as line_at, line_of_key};

pub(super) struct Twice {
    /// The line of the second one, from 1.
    pub(super) line: usize,
    /// The line of the first one.
    pub(super) first: usize,
    /// `[daemon]`, or a key in it.
    pub(super) what: String,
}

/// What is said of the second one, which begins at this place. `None` where it is written in a
/// way that does not tell which table it is in.
pub(super) fn twice(text: &str, place: usize) -> Option<Twice> {
    let start = text.get(..place)?.rfind('\n').map_or(0, |end| end + 1);
    let (before, rest) = text.split_at_checked(start)?;
    let line = rest.lines().next()?;
    let document = Document::parse(before).ok()?;
    let (table, name) = match header(line) {
        Some(mut path) => {
            let name = path.pop()?;
            (path, name)
        }
        None => (before.lines().rev().find_map(header).unwrap_or_default(), key(line)?),
    };
    let top: &dyn TableLike = document.as_table();
    let inside = table.iter().try_fold(top, |inside, name| {
        let item = inside.get(name)?;
        let list = item.as_array_of_tables();
        list.and_then(|list| list.iter().last())
            .map(|last| -> &dyn TableLike { last })
            .or_else(|| item.as_table_like())
    })?;
    let item = inside.get(&name)?;
    let first = match item {
        Item::ArrayOfTables(list) => list.iter().find_map(toml_edit::Table::span),
        _ => None,
    };
    let first = match first {
        Some(span) => line_at(before, span.start),
        None => line_of_key(before, inside, &name, item)?,
    };
    let path = [&table[..], std::slice::from_ref(&name)].concat().join(".");
    // Somebody may have put a PIN where a name should be.
    let is_known = fields::all().any(|field| field.path == path);
    let what = match (is_known, header(line).is_some()) {
        (true, true) => format!("[{path}]"),
        (true, false) => format!("`{name}` in [{}]", table.join(".")),
        (false, true) => "[…], this table,".to_owned(),
        (false, false) => "this key".to_owned(),
    };
    Some(Twice { line: line_at(text, place), first, what })
}

/// The names in `[a.b]` or `[[a.b]]`.
fn header(line: &str) -> Option<Vec<String>> {
    let line = line.trim_start();
    if !line.starts_with('[') {
        return None;
    }
    let document = Document::parse(line).ok()?;
    let mut path = Vec::new();
    let mut table: &dyn TableLike = document.as_table();
    while let Some((name, item)) = table.iter().next() {
        path.push(name.to_owned());
        match item.as_table_like() {
            Some(inner) => table = inner,
            None => break,
        }
    }
    Some(path).filter(|path| !path.is_empty())
}

/// The name in `name = …`.
fn key(line: &str) -> Option<String> {
    let (name, _) = line.split_once('=')?;
    let document = format!("{name} = 0").parse::<toml_edit::DocumentMut>().ok()?;
    let (name, item) = document.iter().next()?;
    item.is_integer().then(|| name.to_owned())
}

#[cfg(test)]
mod tests {
    use crate::config::Config;

    fn said(text: &str) -> String {
        let error = Config::parse(text).unwrap_err();
        format!("{error}; {}", error.help().unwrap())
    }

    #[test]
    fn a_table_or_key_that_is_there_twice_is_named_with_both_lines() {
        for (text, parts) in [
            (
                "[daemon]\ntls = \"1.2.3.4:1\"\n\n[daemon]\nsocket = \"/s\"\n",
                &["line 4: [daemon] is there already, in line 1", "below line 1", "second header"]
                    [..],
            ),
            (
                "# c\n[daemon]\ntls = \"1.2.3.4:1\"\nmonitor = \"127.0.0.1:1\"\ntls = \"1.2.3.4:2\"\n",
                &["line 5: `tls` in [daemon] is there already, in line 3", "keep one of both"],
            ),
            (
                "[identity.tpm]\npin = true\n[network]\n[identity.tpm]\n",
                &["line 4: [identity.tpm] is there already, in line 1"],
            ),
            (
                "[[daemon.client]]\nname = \"a\"\nuid = 1\n[[daemon.client]]\nname = \"b\"\nuid = 2\nuid = 3\n",
                &["line 7: `uid` in [daemon.client] is there already, in line 6"],
            ),
            (
                "[[daemon.client]]\nname = \"a\"\nuid = 1\n\n[daemon]\n\n[daemon]\n",
                &["line 7: [daemon] is there already, in line 5"],
            ),
            (
                "daemon = { tls = \"1.2.3.4:1\" }\n[daemon]\n",
                &["line 2: [daemon] is there already, in line 1"],
            ),
        ] {
            let said = said(text);
            for part in parts {
                assert!(said.contains(part), "{part}: {said}");
            }
            assert!(!said.contains("1.2.3.4"), "{said}");
        }
    }

    #[test]
    fn a_name_that_is_no_field_is_not_repeated() {
        for text in [
            "[identity]\n98765432 = 1\n98765432 = 2\n",
            "[98765432]\n[98765432]\n",
            "[daemon]\nclient = [{ 98765432 = 1, 98765432 = 2 }]\n",
        ] {
            let said = said(text);
            assert!(!said.contains("98765432") && said.contains("line "), "{said}");
        }
    }
}
