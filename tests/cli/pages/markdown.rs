//! What a page has in it: blocks, what is said of each, and what only the tests read.

use std::path::{Path, PathBuf};

#[derive(Debug)]
pub(crate) struct Page {
    /// From the root of the repository.
    pub(crate) name: String,
    pub(crate) pieces: Vec<Piece>,
    /// Code in the prose, by line.
    pub(crate) inline: Vec<(usize, String)>,
    /// What cannot be read as a page.
    pub(crate) complaints: Vec<String>,
}

#[derive(Debug)]
pub(crate) enum Piece {
    /// `<!-- test: SHELL -->`: run here, shown to nobody.
    Hidden {
        line: usize,
        shell: String,
    },
    Block(Block),
}

#[derive(Debug)]
pub(crate) struct Block {
    pub(crate) line: usize,
    /// `sh`, `rust,no_run` …
    pub(crate) info: String,
    pub(crate) text: String,
    pub(crate) said: Said,
}

/// What is said right above a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Said {
    Nothing,
    /// In the prose: `Not run by our tests: REASON.`
    NotRun(String),
    /// `<!-- checked by: SHELL -->`, which finds the block in the file `$BLOCK`.
    CheckedBy(String),
    /// `<!-- tested by: NAME -->`, the name of a test.
    TestedBy(String),
}

pub(crate) const NOT_RUN: &str = "Not run by our tests: ";

pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Every page of the repository.
pub(crate) fn pages() -> Vec<Page> {
    let mut found = Vec::new();
    find(root(), &mut found);
    found.sort();
    let name = |path: &Path| path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
    let read = |path: &PathBuf| Page::parse(&name(path), &std::fs::read_to_string(path).unwrap());
    found.iter().map(read).collect()
}

fn find(directory: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(directory).unwrap().map(Result::unwrap) {
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_str().unwrap();
        if entry.file_type().unwrap().is_dir() {
            // Other people's pages are in what is built, and in what has a dot.
            if !name.starts_with('.') && name != "target" {
                find(&path, found);
            }
        } else if name.ends_with(".md") {
            found.push(path);
        }
    }
}

impl Page {
    pub(crate) fn parse(name: &str, text: &str) -> Self {
        let mut page = Self {
            name: name.into(),
            pieces: Vec::new(),
            inline: Vec::new(),
            complaints: Vec::new(),
        };
        let lines: Vec<&str> = text.lines().collect();
        let (mut at, mut said, mut paragraph) = (0, Said::Nothing, String::new());
        let mut together: Vec<(usize, String)> = Vec::new();
        while let Some(line) = lines.get(at) {
            let number = at + 1;
            if line.trim().is_empty() || line.starts_with('#') || fence(line).is_some() {
                page.look_for_code(&std::mem::take(&mut together));
            }
            if let Some((fence, info)) = fence(line) {
                let inside = lines[number..].iter().position(|line| line.trim() == fence);
                let Some(length) = inside else {
                    page.complain(number, "the block has no end");
                    break;
                };
                let indent = line.len() - line.trim_start().len();
                let inside = lines[number..number + length].iter();
                let inside = inside.map(|line| line.get(indent..).unwrap_or_default());
                let text = inside.map(|line| format!("{line}\n")).collect();
                if let Some((_, reason)) = paragraph.split_once(NOT_RUN) {
                    let reason = reason.trim().trim_end_matches(['.', ':', ')']).to_owned();
                    said = Said::NotRun(reason);
                }
                let said = std::mem::replace(&mut said, Said::Nothing);
                let info = info.to_owned();
                page.pieces.push(Piece::Block(Block { line: number, info, text, said }));
                (at, paragraph) = (number + length + 1, String::new());
                continue;
            }
            let (mut prose, mut rest) = (String::new(), (*line).to_owned());
            while let Some((before, comment)) = rest.split_once("<!--") {
                prose += before;
                if prose.matches('`').count() % 2 == 1 {
                    // Code that shows how a comment is written.
                    prose += "<!--";
                    rest = comment.to_owned();
                    continue;
                }
                let mut comment = comment.to_owned();
                while !comment.contains("-->") && at + 1 < lines.len() {
                    at += 1;
                    comment = format!("{comment}\n{}", lines[at]);
                }
                let Some((comment, after)) = comment.split_once("-->") else {
                    page.complain(number, "the comment has no end");
                    break;
                };
                match page.comment(number, comment.trim()) {
                    Said::Nothing => {}
                    of_the_block => said = of_the_block,
                }
                rest = after.to_owned();
            }
            prose += &rest;
            if prose.trim().is_empty() {
                // A comment alone is no end of a paragraph, an empty line is one.
                if line.trim().is_empty()
                    && lines.get(at + 1).is_none_or(|next| fence(next).is_none())
                {
                    paragraph.clear();
                }
            } else {
                if !matches!(said, Said::Nothing) && !line.contains("<!--") {
                    page.complain(number, "the comment above belongs right above a block");
                    said = Said::Nothing;
                }
                paragraph = format!("{paragraph} {}", prose.trim());
                let code =
                    prose.split('`').skip(1).step_by(2).map(|code| (number, code.to_owned()));
                page.inline.extend(code);
            }
            at += 1;
        }
        page.look_for_code(&together);
        page
    }

    /// Code can go on in the next line of a paragraph.
    fn look_for_code(&mut self, paragraph: &[(usize, String)]) {
        let mut code: Option<(usize, String)> = None;
        for (line, text) in paragraph {
            for (at, part) in text.split('`').enumerate() {
                if at > 0 {
                    code = match code.take() {
                        None => Some((*line, String::new())),
                        Some(code) => {
                            self.inline.push(code);
                            None
                        }
                    };
                }
                if let Some((_, code)) = &mut code {
                    let space = if at == 0 { " " } else { "" };
                    *code += &format!("{space}{part}");
                }
            }
        }
    }

    fn comment(&mut self, line: usize, comment: &str) -> Said {
        let Some((what, rest)) = comment.split_once(':') else {
            self.complain(line, "a comment that is none of the tests'");
            return Said::Nothing;
        };
        let rest = rest.trim().to_owned();
        match what {
            "test" => self.pieces.push(Piece::Hidden { line, shell: rest }),
            "checked by" => return Said::CheckedBy(rest),
            "tested by" => return Said::TestedBy(rest),
            _ => self.complain(line, "a comment that is none of the tests'"),
        }
        Said::Nothing
    }

    pub(crate) fn complain(&mut self, line: usize, what: &str) {
        self.complaints.push(format!("{}:{line}: {what}", self.name));
    }

    pub(crate) fn blocks(&self) -> impl Iterator<Item = &Block> {
        self.pieces.iter().filter_map(|piece| match piece {
            Piece::Block(block) => Some(block),
            Piece::Hidden { .. } => None,
        })
    }
}

impl Block {
    /// `sh`, `rust` …
    pub(crate) fn language(&self) -> &str {
        self.info.split(',').next().unwrap_or_default().trim()
    }

    /// Shows commands, and what they print.
    pub(crate) fn is_console(&self) -> bool {
        matches!(self.language(), "console" | "text") && self.text.starts_with("$ ")
    }

    /// Whether a shell runs it.
    pub(crate) fn is_run(&self) -> bool {
        (self.language() == "sh" || self.is_console()) && self.said == Said::Nothing
    }
}

/// The marks that begin a block, and what it says it is.
fn fence(line: &str) -> Option<(&'static str, &str)> {
    let line = line.trim_start();
    ["```", "~~~"].into_iter().find_map(|fence| Some((fence, line.strip_prefix(fence)?.trim())))
}
