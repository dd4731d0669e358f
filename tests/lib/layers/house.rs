//! Files, and what each of them uses.

use std::collections::{BTreeMap, BTreeSet};

use super::source::{self, Token};

/// `["keystore", "header"]`; the root has none.
pub(super) type Module = Vec<String>;

#[derive(Debug)]
pub(super) struct Use {
    pub(super) line: usize,
    /// From the root on.
    pub(super) path: Module,
    /// The name that a `use` gives it here.
    name: Option<String>,
}

#[derive(Debug)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) uses: Vec<Use>,
}

/// The files of one crate.
#[derive(Debug, Default)]
pub(super) struct House {
    pub(super) files: BTreeMap<Module, File>,
}

impl House {
    /// Of paths and texts; `root` is the file of the crate's root.
    pub(super) fn new(root: &str, sources: &[(String, String)]) -> Self {
        let directory = root.rsplit_once('/').map_or("", |(directory, _)| directory);
        let (mut files, mut tests) = (BTreeMap::new(), BTreeSet::new());
        for (path, text) in sources {
            let Some(module) = module_of(directory, root, path) else { continue };
            let (tokens, test_modules) = source::product(text);
            let below = |name: String| module.iter().cloned().chain([name]).collect::<Module>();
            tests.extend(test_modules.into_iter().map(below));
            files.insert(module, (path.clone(), tokens));
        }
        files.retain(|module, _| !tests.iter().any(|test| module.starts_with(test)));
        let modules: BTreeSet<Module> = files.keys().cloned().collect();
        let files = files.into_iter().map(|(module, (path, tokens))| {
            let mut reader = Reader { modules: &modules, here: module.clone(), uses: Vec::new() };
            reader.read(&tokens);
            (module, File { path, uses: reader.uses })
        });
        Self { files: files.collect() }
    }

    /// The file that has what a path names, where the path goes through
    /// re-exports too.
    pub(super) fn file_of(&self, path: &[String]) -> Module {
        self.follow(path, 0)
    }

    fn follow(&self, path: &[String], depth: usize) -> Module {
        let mut module = Module::new();
        for (at, name) in path.iter().enumerate() {
            module.push(name.clone());
            if self.files.contains_key(&module) {
                continue;
            }
            module.pop();
            let imported = self
                .files
                .get(&module)
                .and_then(|file| file.uses.iter().find(|used| used.name.as_ref() == Some(name)));
            // A `use` of itself is none.
            return match imported {
                Some(used) if depth < 8 => {
                    let rest = path.get(at + 1..).unwrap_or_default();
                    self.follow(&[used.path.as_slice(), rest].concat(), depth + 1)
                }
                _ => module,
            };
        }
        module
    }
}

fn module_of(directory: &str, root: &str, path: &str) -> Option<Module> {
    if path == root {
        return Some(Module::new());
    }
    let inside = path.strip_prefix(directory)?.strip_prefix('/')?.strip_suffix(".rs")?;
    Some(inside.split('/').map(str::to_owned).collect())
}

struct Reader<'a> {
    modules: &'a BTreeSet<Module>,
    here: Module,
    uses: Vec<Use>,
}

impl Reader<'_> {
    fn read(&mut self, tokens: &[Token]) {
        let word = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
        let mut at = 0;
        while at < tokens.len() {
            match word(at) {
                // `pub(in crate::…)` uses nothing.
                "pub" if word(at + 1) == "(" => at += 1 + source::closed(&tokens[at + 1..]),
                "use" => at = self.tree(tokens, at + 1, &Module::new(), true),
                "mod" if word(at + 2) == "{" => {
                    let length = source::closed(&tokens[at + 2..]);
                    self.here.push(word(at + 1).to_owned());
                    self.read(&tokens[at + 3..at + 2 + length]);
                    self.here.pop();
                    at += 2 + length;
                }
                "crate" | "super" | "self" if word(at + 1) == "::" => {
                    at = self.tree(tokens, at, &Module::new(), false);
                }
                _ => at += 1,
            }
        }
    }

    /// Reads `a::b`, and `a::{b, c::d}`; gives where it ends.
    fn tree(&mut self, tokens: &[Token], mut at: usize, before: &Module, is_use: bool) -> usize {
        let word = |at: usize| tokens.get(at).map_or("", |token| token.text.as_str());
        let line = tokens.get(at).map_or(0, |token| token.line);
        let mut path = before.clone();
        loop {
            match word(at) {
                "{" => {
                    let end = at + source::closed(&tokens[at..]);
                    at += 1;
                    while at + 1 < end {
                        at = self.tree(tokens, at, &path, is_use);
                        at += usize::from(word(at) == ",");
                    }
                    return end;
                }
                // A path of another crate: `::age`.
                "::" if path.is_empty() => return at + 1,
                "*" => {
                    self.add(line, &path, None);
                    return at + 1;
                }
                name => path.push(name.to_owned()),
            }
            at += 1;
            if word(at) != "::" {
                break;
            }
            at += 1;
            if !is_use && !word(at).starts_with(|char: char| char.is_alphabetic() || char == '_') {
                break;
            }
        }
        if path.len() > 1 && path.last().is_some_and(|last| last == "self") {
            path.pop();
        }
        let mut name = path.last().cloned();
        if word(at) == "as" {
            name = Some(word(at + 1).to_owned());
            at += 2;
        }
        self.add(line, &path, name.filter(|_| is_use));
        at
    }

    fn add(&mut self, line: usize, path: &[String], name: Option<String>) {
        if let Some(path) = self.absolute(path)
            && !path.is_empty()
        {
            self.uses.push(Use { line, path, name });
        }
    }

    /// None for what is of another crate.
    fn absolute(&self, path: &[String]) -> Option<Module> {
        let (mut from, mut rest) = (self.here.clone(), path);
        match path.first()?.as_str() {
            "crate" => {
                from.clear();
                rest = path.get(1..)?;
            }
            "self" => rest = path.get(1..)?,
            "super" => {}
            name => {
                let child: Module = from.iter().cloned().chain([name.to_owned()]).collect();
                if !self.modules.contains(&child) {
                    return None;
                }
            }
        }
        while rest.first().is_some_and(|name| name == "super") {
            from.pop();
            rest = rest.get(1..)?;
        }
        from.extend(rest.iter().cloned());
        Some(from)
    }
}
