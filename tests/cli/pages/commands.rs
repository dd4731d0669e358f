//! Commands of `icnctl` that stand in a text exist, with the options that they have there.

use std::collections::{BTreeMap, BTreeSet};

use support::home::Home;

/// Every command with its options, by what `--help` lists.
pub(crate) struct Commands {
    options: BTreeMap<Vec<String>, BTreeSet<String>>,
    /// The lines of `--help` that show a command to type.
    pub(crate) examples: BTreeMap<Vec<String>, Vec<String>>,
}

impl Commands {
    pub(crate) fn ask() -> Self {
        let mut this = Self { options: BTreeMap::new(), examples: BTreeMap::new() };
        this.look_at(&Home::new(), &[]);
        this
    }

    fn look_at(&mut self, home: &Home, of: &[String]) {
        let args: Vec<&str> = of.iter().map(String::as_str).chain(["--help"]).collect();
        let text = home.ok(&args, b"");
        // What an option is for is set in further than the option.
        let begins = |line: &&str| line.starts_with("  ") && line.trim_start().starts_with('-');
        let options = text.lines().filter(begins).flat_map(|line| {
            let names = line.trim_start().split("  ").next().unwrap();
            let names = names.split([' ', ',', '=', '[', '.']).filter(|word| word.starts_with('-'));
            names.map(str::to_owned).collect::<Vec<_>>()
        });
        self.options.insert(of.to_vec(), options.collect());
        let shown = |line: &&str| line.starts_with("  icnctl ") || line.starts_with("  age");
        let examples: Vec<String> =
            text.lines().filter(shown).map(|line| line.trim().into()).collect();
        if !examples.is_empty() {
            self.examples.insert(of.to_vec(), examples);
        }
        let Some((_, list)) = text.split_once("\nCommands:\n") else { return };
        let list = list.split("\n\n").next().unwrap();
        let names = list.lines().filter(|line| line.starts_with("  ") && !line.starts_with("   "));
        for name in names.map(|line| line.split_whitespace().next().unwrap()) {
            if name != "help" {
                self.look_at(home, &[of, &[name.to_owned()]].concat());
            }
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.options.len()
    }

    /// Whether any command has this option.
    pub(crate) fn has_option(&self, option: &str) -> bool {
        self.options.values().any(|options| options.contains(option))
    }

    fn has(&self, path: &[String]) -> bool {
        self.options.contains_key(path)
    }

    /// Whether what stands behind our name is a command, and no prose.
    pub(crate) fn begins(&self, line: &str) -> bool {
        let first = line.split(' ').next().unwrap_or_default();
        first.starts_with("--") && first.len() > 2 || self.has(&[first.to_owned()])
    }

    /// Whether a text in backticks is meant as a command of ours, without its name.
    pub(crate) fn is_one(&self, text: &str) -> bool {
        let words: Vec<String> = text.split_whitespace().take(2).map(str::to_owned).collect();
        match words.as_slice() {
            [first, second] => {
                self.has(std::slice::from_ref(first))
                    && (self.has(&words) || second.starts_with('-') && second.len() > 1)
            }
            _ => false,
        }
    }

    /// What is wrong with a command line, which stands behind `icnctl`.
    pub(crate) fn wrong_with(&self, line: &str) -> Option<String> {
        let words = words(line);
        let mut path: Vec<String> = Vec::new();
        let mut ours = true;
        for word in &words {
            if word.len() > 2 && word.starts_with("--") {
                let option = word.split('=').next().unwrap_or(word);
                if !self.options.get(&path).is_some_and(|of| of.contains(option)) {
                    return Some(format!("`icnctl {}` has no option {option}", path.join(" ")));
                }
            } else if word.len() == 2 && word.starts_with('-') {
                if !self.options.get(&path).is_some_and(|of| of.contains(word)) {
                    return Some(format!("`icnctl {}` has no option {word}", path.join(" ")));
                }
            } else if ours {
                let next = [path.as_slice(), std::slice::from_ref(word)].concat();
                let has_more = self
                    .options
                    .keys()
                    .any(|known| known.len() > path.len() && known.starts_with(&path));
                if self.has(&next) {
                    path = next;
                } else if has_more && !is_value(word) {
                    return Some(format!("no command `icnctl {}`", next.join(" ")));
                } else if !has_more {
                    ours = false;
                }
            }
        }
        None
    }
}

/// What is the value of an option of every command, and no command: `--format json id show`.
fn is_value(word: &str) -> bool {
    word.starts_with(|first: char| !first.is_ascii_lowercase())
        || word.contains(['.', ':', '/', '$', '"', '…'])
        || ["json", "text", "did-document", "old"].contains(&word)
}

/// Of one simple command; what is quoted, substituted or behind it is none of ours.
fn words(line: &str) -> Vec<String> {
    let line = line.split(" #").next().unwrap_or_default();
    let mut words = vec![String::new()];
    let (mut quote, mut depth) = (None, 0_usize);
    let mut letters = line.chars().peekable();
    while let Some(letter) = letters.next() {
        let word = words.last_mut().unwrap();
        match letter {
            _ if quote == Some(letter) => quote = None,
            '\'' | '"' if quote.is_none() && depth == 0 => {
                quote = Some(letter);
                word.push('"');
            }
            '$' | '<' if letters.peek() == Some(&'(') => {
                letters.next();
                depth += 1;
                word.push('$');
            }
            ')' if depth > 0 => depth -= 1,
            _ if depth > 0 || quote.is_some() => {}
            '|' | ';' | '&' | '>' | '<' | ')' => break,
            ' ' | '\n' | '\\' | '\t' => words.push(String::new()),
            // Options that may be left out are in brackets.
            '[' | ']' => {}
            letter => word.push(letter),
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The command lines of `icnctl` in a text: each from behind its name.
pub(crate) fn lines_of(text: &str) -> Vec<String> {
    let text = text.replace("\\\n", " ");
    let lines = text.lines().filter(|line| !line.trim_start().starts_with('#'));
    lines
        .flat_map(|line| {
            let begins = line.match_indices("icnctl ").filter(|(at, _)| {
                line[..*at].chars().next_back().is_none_or(|before| " (`$;|&{".contains(before))
            });
            begins.map(|(at, name)| line[at + name.len()..].to_owned()).collect::<Vec<_>>()
        })
        .collect()
}

#[test]
fn commands_that_are_not_there_are_found() {
    let commands = Commands::ask();
    assert!(commands.len() > 30, "{}", commands.len());
    for right in [
        "id init --backend tpm --key-handle 0x81000001",
        "--home /home/icn/now id rotation create --successor DIR -o chain.json",
        "--format json id show | jq --raw-output .did",
        "sign --context \"$(cat --not-ours)\" message > message.sig",
        "verify --did did:icn:z… --signature \"$(icnctl sign --bogus m)\" m && other --bogus",
        "id restore FILE --check   # --not-an-option",
        "id export --public-key=jwk",
    ] {
        assert_eq!(commands.wrong_with(right), None, "{right}");
    }
    for wrong in ["id make", "id init --bogus", "sing m", "id rotation", "sign -o m", "tpm chek"] {
        let is_group = wrong == "id rotation";
        assert_eq!(commands.wrong_with(wrong).is_none(), is_group, "{wrong}");
    }
    assert_eq!(lines_of("x | icnctl sign m\n# icnctl no\nicnctl a \\\n  b"), ["sign m", "a    b"]);
}
