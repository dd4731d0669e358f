//! A page as one script of bash: its blocks in order, in one shell.

use super::markdown::{Page, Piece, Said};

/// What the script does of a page.
#[derive(Debug)]
pub(crate) struct Step {
    pub(crate) line: usize,
    pub(crate) source: String,
    /// Not only kept for what comes after it.
    pub(crate) runs: bool,
    /// What the page shows of its output.
    pub(crate) shown: Option<Vec<String>>,
}

/// What pages find in their shell; see docs/testing.md.
const PRELUDE: &str = include_str!("prelude.bash");

pub(crate) fn script(page: &Page) -> (String, Vec<Step>) {
    let mut script = format!("{PRELUDE}\n");
    let mut steps: Vec<Step> = Vec::new();
    let mut add = |script: &mut String, way: &str, line: usize, source: &str, shown| {
        let end = "END_OF_WHAT_THE_PAGE_HAS";
        let source = source.trim_end_matches('\n');
        *script += &format!("{way} {} <<'{end}'\n{source}\n{end}\n", steps.len());
        steps.push(Step { line, source: source.into(), runs: way != "save", shown });
    };
    for piece in &page.pieces {
        let block = match piece {
            Piece::Hidden { line, shell } => {
                add(&mut script, "hidden", *line, shell, None);
                continue;
            }
            Piece::Block(block) => block,
        };
        match &block.said {
            Said::Nothing if block.is_console() => {
                for (line, command, shown) in commands(block.line, &block.text) {
                    add(&mut script, "console", line, &command, Some(shown));
                }
            }
            Said::Nothing if block.is_run() => {
                add(&mut script, "block", block.line, &block.text, None)
            }
            Said::CheckedBy(shell) => {
                add(&mut script, "save", block.line, &block.text, None);
                add(&mut script, "hidden", block.line, shell, None);
            }
            Said::Nothing if block.language() != "rust" => {
                add(&mut script, "save", block.line, &block.text, None);
            }
            Said::Nothing | Said::NotRun(_) | Said::TestedBy(_) => {}
        }
    }
    script += "ended\n";
    (script, steps)
}

/// The commands of a block that shows what they print, by line.
fn commands(fence: usize, text: &str) -> Vec<(usize, String, Vec<String>)> {
    let mut commands: Vec<(usize, String, Vec<String>)> = Vec::new();
    for (at, line) in text.lines().enumerate() {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((fence + 1 + at, command.to_owned(), Vec::new())),
            (None, Some((_, command, _))) if command.ends_with('\\') => {
                *command += &format!("\n{line}")
            }
            (None, Some((_, _, shown))) => shown.push(line.to_owned()),
            (None, None) => {}
        }
    }
    commands
}
