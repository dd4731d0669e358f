//! The library's texts: they name its configuration and its API, and no command
//! line, which a service that uses the library does not have.

use std::fs;

use super::ledger::files;

/// Each string literal of a file, with the line that it begins in. Comments are
/// not: the documentation may say how the command does it.
fn literals(source: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut rest = source;
    while let Some(first) = rest.chars().next() {
        let line = || source[..source.len() - rest.len()].lines().count().max(1);
        let token = if rest.starts_with("//") {
            rest.find('\n').unwrap_or(rest.len())
        } else if rest.starts_with("/*") {
            rest.find("*/").unwrap() + 2
        } else if let Some(length) = character(rest) {
            length
        } else if rest.starts_with("r\"") || rest.starts_with("r#") {
            let marks = rest[1..].chars().take_while(|mark| *mark == '#').count();
            let (begin, end) = (marks + 2, format!("\"{}", "#".repeat(marks)));
            match rest.get(begin - 1..).filter(|text| text.starts_with('"')) {
                Some(_) => {
                    let length = rest[begin..].find(&end).unwrap();
                    found.push((line(), rest[begin..begin + length].to_owned()));
                    begin + length + end.len()
                }
                // A raw identifier.
                None => 2,
            }
        } else if first == '"' {
            let mut escaped = false;
            let ends = |mark: char| {
                let is_end = mark == '"' && !escaped;
                escaped = mark == '\\' && !escaped;
                is_end
            };
            let length = rest[1..].find(ends).unwrap();
            found.push((line(), rest[1..=length].to_owned()));
            length + 2
        } else {
            first.len_utf8()
        };
        rest = &rest[token..];
    }
    found
}

/// How long a character literal is, if there is one; `'a` is a lifetime.
fn character(text: &str) -> Option<usize> {
    let inner = text.strip_prefix('\'')?;
    let length = match inner.strip_prefix('\\') {
        Some(escaped) => 1 + escaped.get(1..)?.find('\'')? + 1,
        None => inner.chars().next()?.len_utf8(),
    };
    inner.get(length..)?.starts_with('\'').then_some(length + 2)
}

/// Without what is said of other programs, like `` `age --decrypt` ``.
fn ours(literal: &str) -> String {
    let others = ["age ", "pkcs11-tool "];
    let parts = literal.split('`').enumerate().filter(|(place, part)| {
        place % 2 == 0 || !others.iter().any(|program| part.starts_with(program))
    });
    parts.map(|(_, part)| part).collect::<Vec<_>>().join("`")
}

/// `--flag`
fn names_an_option(literal: &str) -> bool {
    literal
        .match_indices("--")
        .any(|(at, _)| literal[at + 2..].starts_with(|after: char| after.is_ascii_lowercase()))
}

#[test]
fn no_text_of_the_library_names_the_command_line() {
    let mut wrong = Vec::new();
    let mut read = 0;
    for path in files("src").into_iter().filter(|path| !path.iter().any(|part| part == "bin")) {
        for (line, literal) in literals(&fs::read_to_string(&path).unwrap()) {
            read += 1;
            let text = ours(&literal);
            if text.contains("icnctl") || text.contains("ICN_") || names_an_option(&text) {
                wrong.push(format!("{}:{line}: {literal:?}", path.display()));
            }
        }
    }
    assert!(read > 1000, "only {read} texts were found");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn texts_are_found_and_comments_are_not() {
    let source = r##"
        // "a comment"
        /* "another" */
        /// `icnctl "x"`
        fn f<'a>(mark: char) -> &'a str {
            let _ = (b'"', '\'', '\u{1b}', '"', r#"raw "text""#, r"raw");
            "say \"--this\" \
             and that"
        }
    "##;
    let found: Vec<String> = literals(source).into_iter().map(|(_, text)| text).collect();
    assert_eq!(found[..2], ["raw \"text\"", "raw"]);
    assert!(found[2].contains("--this") && found[2].contains("and that"), "{found:?}");
    assert_eq!(found.len(), 3);
    assert!(names_an_option(&ours("run it with --this")));
    assert!(!names_an_option(&ours("run `age --decrypt` -- or not")));
    assert!(names_an_option(&ours("run `age --decrypt` with --this")));
}
