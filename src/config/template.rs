//! A configuration to begin with: every field, none of them set.

use super::Config;
use super::fields::{self, Field, Value};

/// Columns of a line.
const WIDTH: usize = 96;

const HEAD: &str = "\
icn.toml: every field, with its meaning, what it takes and its default.

Nothing is set here. To set a field, remove the # before it, and the # before the table that \
it is in. A field that is misspelt, or in another table, is refused. PINs and passphrases never \
go into this file.";

/// The only table that is not commented out: a field that is set above all tables would
/// be one of another program, and left alone.
const LIVE: &str = "identity";

impl Config {
    /// The text of an `icn.toml` that names every field with its meaning, what it takes and
    /// its default, each commented out: as it is, it is the default configuration.
    #[must_use]
    pub fn template() -> String {
        let mut text = String::new();
        comment(&mut text, HEAD);
        for field in fields::all() {
            text.push('\n');
            match field.value {
                Value::Table => header(&mut text, field, "[", "]"),
                Value::Tables => header(&mut text, field, "[[", "]]"),
                Value::Default(value) => line(&mut text, field, "Takes", value),
                Value::Unset(value) => line(&mut text, field, "Not set by default. Takes", value),
                Value::Required(value) => {
                    line(&mut text, field, "Required in this table. Takes", value);
                }
            }
        }
        text
    }
}

fn header(text: &mut String, field: &Field, begin: &str, end: &str) {
    comment(text, field.meaning);
    let mark = if field.path == LIVE { "" } else { "#" };
    text.push_str(&format!("{mark}{begin}{}{end}\n", field.path));
}

fn line(text: &mut String, field: &Field, takes: &str, value: &str) {
    comment(text, &sentence(field.meaning));
    comment(text, &format!("{takes} {}.", field.takes));
    text.push_str(&format!("#{} = {value}\n", field.name()));
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first = letters.next().map(|first| first.to_uppercase().to_string());
    format!("{}{}.", first.unwrap_or_default(), letters.as_str())
}

/// Lines of at most [`WIDTH`] columns, where words allow it.
fn comment(text: &mut String, prose: &str) {
    for paragraph in prose.split('\n') {
        let mut column = 1;
        text.push('#');
        for word in paragraph.split(' ').filter(|word| !word.is_empty()) {
            let length = word.chars().count();
            if column > 1 && column + 1 + length > WIDTH {
                text.push_str("\n#");
                column = 1;
            }
            text.push(' ');
            text.push_str(word);
            column += 1 + length;
        }
        text.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A line of the template that is a field or a table, without its mark.
    fn set(line: &str) -> Option<&str> {
        line.strip_prefix('#').filter(|rest| !rest.is_empty() && !rest.starts_with(' '))
    }

    /// The fields as somebody sees them who reads the template, each with its line.
    fn fields_in(template: &str) -> Vec<(String, String)> {
        let mut table = "";
        let mut found = Vec::new();
        for line in template.lines() {
            let line = set(line).unwrap_or(line);
            if line.starts_with('[') {
                table = line.trim_matches(['[', ']']);
            } else if let Some((name, _)) =
                line.split_once(" = ").filter(|_| !line.starts_with('#'))
            {
                found.push((format!("{table}.{name}"), line.to_owned()));
            }
        }
        found
    }

    #[test]
    fn the_template_sets_nothing_and_has_every_field_with_what_it_takes() {
        let template = Config::template();
        assert_eq!(Config::parse(&template).unwrap(), Config::default());
        let known: Vec<&str> =
            fields::all().filter(|field| !field.is_table()).map(|field| field.path).collect();
        let found = fields_in(&template);
        assert_eq!(found.iter().map(|(path, _)| path.as_str()).collect::<Vec<_>>(), known);
        let words = |text: &str| text.replace("\n#", "").replace('\n', " ");
        let prose = words(&template);
        for field in fields::all() {
            assert!(prose.contains(field.meaning.get(1..).unwrap()), "{}", field.path);
            assert!(field.is_table() || prose.contains(&format!("akes {}.", field.takes)));
        }
        assert!(template.lines().all(|line| line.chars().count() <= 100), "{template}");
    }

    /// What a line makes no sense without.
    fn wanted_beside(path: &str) -> &'static str {
        match path {
            "daemon.client.uid" => "gid = 1\n",
            "daemon.client.may" => "uid = 1\ncontexts = [\"a\"]\n",
            path if path.starts_with("daemon.client.") => "uid = 1\n",
            _ => "",
        }
    }

    #[test]
    fn each_line_of_the_template_is_valid_by_itself_and_all_of_them_together() {
        let template = Config::template();
        let whole: String =
            template.lines().map(|line| format!("{}\n", set(line).unwrap_or(line))).collect();
        Config::parse(&whole).unwrap();
        for (path, line) in fields_in(&template) {
            let field = fields::all().find(|field| field.path == path).unwrap();
            let others = |header: &str, line: &str| {
                let required = fields_in(&template).into_iter().filter(|(other, _)| {
                    *other != path
                        && other.rsplit_once('.').map(|(table, _)| table)
                            == path.rsplit_once('.').map(|(table, _)| table)
                        && fields::all().any(|field| {
                            field.path == *other && matches!(field.value, Value::Required(_))
                        })
                });
                let required: String = required.map(|(_, line)| line + "\n").collect();
                let beside = wanted_beside(&path);
                Config::parse(&format!("{header}\n{required}{beside}{line}\n"))
            };
            let table = path.rsplit_once('.').unwrap().0;
            let lists =
                fields::all().any(|field| field.path == table && field.value == Value::Tables);
            let header = if lists { format!("[[{table}]]") } else { format!("[{table}]") };
            let with = others(&header, &line).unwrap_or_else(|error| panic!("{line}: {error}"));
            match field.value {
                Value::Default(_) => assert_eq!(with, others(&header, "").unwrap(), "{line}"),
                Value::Unset(_) => assert_ne!(with, others(&header, "").unwrap(), "{line}"),
                _ => {}
            }
        }
    }

    /// Where a mark is removed and not that of its table, nothing is taken for a field
    /// of another program.
    #[test]
    fn a_field_without_its_table_is_refused() {
        let template = Config::template();
        for (path, line) in fields_in(&template) {
            let is_set = template.replace(&format!("\n#{line}\n"), &format!("\n{line}\n"));
            let is_live = path.rsplit_once('.').unwrap().0 == LIVE;
            assert_eq!(Config::parse(&is_set).is_ok(), is_live, "{path}");
        }
    }
}
