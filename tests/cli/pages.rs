//! The pages of the repository: every block of commands is run, every other one is read by what
//! reads it, and every command in the prose exists. docs/testing.md says how to write a page.

mod commands;
mod expected;
mod hints;
mod links;
pub(crate) mod markdown;
mod readers;
mod script;
mod session;

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use commands::{Commands, lines_of};
use markdown::{Page, Said, pages};

/// Each block that is not run, by the page and the reason that it gives.
const NOT_RUN: &[(&str, &str, usize)] = &[
    ("README.md", "they are what these commands build and run", 1),
    ("docs/attestation.md", "it needs a YubiHSM 2", 1),
    ("docs/attestation.md", "it needs a YubiKey", 1),
    ("docs/backends/aws-cloudhsm.md", "it needs a cluster of AWS CloudHSM", 1),
    ("docs/backends/cards.md", "it needs a card", 1),
    (
        "docs/backends/opencryptoki.md",
        "it needs the service `pkcsslotd`, which changes the whole machine",
        1,
    ),
    ("docs/backends/p11-kit.md", "it changes the whole machine", 1),
    ("docs/backends/thales-luna.md", "it needs a Luna HSM", 1),
    ("docs/backends/yubihsm2.md", "it needs a YubiHSM 2", 1),
    ("tests/fixtures/legacy/README.md", "it writes the fixtures that they read", 1),
];

/// Options that a page names of another program than ours.
const OF_OTHER_PROGRAMS: &[&str] = &["--features", "--init-pin", "--reset-env"];

/// The whole of one page; for a look at one alone, set `PAGE` to its name.
fn wrong_with(page: &Page) -> Vec<String> {
    let tests = readers::tests();
    let mut wrong = page.complaints.clone();
    for block in page.blocks().filter(|block| !block.is_run()) {
        let complaint = readers::wrong_with(page, block, &tests);
        wrong.extend(complaint.map(|what| format!("{}:{}: {what}", page.name, block.line)));
    }
    wrong.extend(session::run(page));
    wrong
}

#[test]
fn every_block_of_every_page_is_run_or_read() {
    let mut pages = pages();
    if let Ok(one) = std::env::var("PAGE") {
        pages.retain(|page| page.name == one);
    }
    assert!(pages.len() > if std::env::var("PAGE").is_ok() { 0 } else { 20 }, "{}", pages.len());
    let (next, wrong) = (AtomicUsize::new(0), Mutex::new(Vec::new()));
    // Most of the time is waiting for devices.
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| {
                while let Some(page) = pages.get(next.fetch_add(1, Ordering::Relaxed)) {
                    let found = wrong_with(page);
                    wrong.lock().unwrap().extend(found);
                }
            });
        }
    });
    let wrong = wrong.into_inner().unwrap();
    assert!(wrong.is_empty(), "{} complaints\n\n{}", wrong.len(), wrong.join("\n\n"));
}

#[test]
fn what_no_test_runs_is_listed_with_its_reason() {
    let mut found: BTreeMap<(String, String), usize> = BTreeMap::new();
    for page in pages() {
        for block in page.blocks() {
            if let Said::NotRun(reason) = &block.said {
                *found.entry((page.name.clone(), reason.clone())).or_default() += 1;
            }
        }
    }
    let listed = NOT_RUN
        .iter()
        .map(|(page, reason, count)| (((*page).to_owned(), (*reason).to_owned()), *count));
    assert_eq!(found, listed.collect());
}

#[test]
fn every_command_and_option_in_a_text_exists() {
    let commands = Commands::ask();
    let (mut wrong, mut strangers, mut seen) = (Vec::new(), Vec::new(), 0);
    let mut look = |place: String, line: &str| {
        seen += 1;
        let complaint = commands.wrong_with(line);
        wrong.extend(complaint.map(|what| format!("{place}: {what} (`icnctl {line}`)")));
    };
    for page in pages() {
        for (line, code) in &page.inline {
            let place = format!("{}:{line}", page.name);
            let lines = lines_of(code);
            if lines.is_empty() && commands.is_one(code) {
                look(place, code);
            } else {
                lines.iter().for_each(|line| look(place.clone(), line));
            }
            let option = code.split([' ', '=']).next().unwrap();
            if option.len() > 2
                && option.starts_with("--")
                && !commands.has_option(option)
                && !OF_OTHER_PROGRAMS.contains(&option)
            {
                strangers.push(format!("{}:{line}: no command has `{option}`", page.name));
            }
        }
        for block in page.blocks().filter(|block| block.language() != "rust") {
            let place = format!("{}:{}", page.name, block.line);
            lines_of(&block.text).iter().for_each(|line| look(place.clone(), line));
        }
    }
    assert!(seen > 150, "{seen}");
    wrong.extend(strangers);
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// A page that somebody might write, and what is said against it.
fn against(page: &str) -> String {
    wrong_with(&Page::parse("made-up.md", page)).join("\n")
}

#[test]
fn a_block_that_does_not_do_what_its_page_says_is_told_by_its_line() {
    for right in [
        "```sh\nicnctl id init\n```\n```console\n$ icnctl id export --did-only\ndid:icn:z…\n```",
        "```sh\ncd /tmp\nfound=$(pwd)\n```\ntext\n```console\n$ echo $found\n/tmp\n```",
        "<!-- test: exits 3 '(exit 3)' -->\n```sh\n(exit 3)\necho on\n```",
        "<!-- checked by: jq -e .a \"$BLOCK\" -->\n```json\n{\"a\": 1}\n```",
        "<!-- tested by: the_readme_quotes_the_compiler -->\n```text\nsomething\n```",
        "Not run by our tests: it needs a moon.\n\n```sh\nexit 1\n```",
        "```toml\n[identity.age]\nwork_factor = 10\n```",
    ] {
        assert_eq!(against(right), "", "{right}");
    }
    for (wrong, line, why) in [
        ("a\n```sh\nicnctl id show\n```", 2, "there is no identity"),
        ("```sh\ntrue\n```\n```sh\ntrue\nfalse\ntrue\n```", 4, "the command: false"),
        ("```sh\nfalse | cat\n```", 1, "the command: "),
        ("```sh\nsed s/a/b/ … x\n```", 1, "what is …"),
        ("```console\n$ echo a\na\n$ echo b\na\n```", 4, "and it prints\nb"),
        ("```console\n$ echo a\n```", 2, "and it prints\na"),
        ("<!-- test: exits 3 '(exit 4)' -->\n```sh\n(exit 4)\n```", 2, "the shell ended"),
        (
            "<!-- checked by: jq -e .b \"$BLOCK\" -->\n```json\n{\"a\": 1}\n```",
            2,
            "the shell ended",
        ),
        ("<!-- tested by: nothing_of_that_name -->\n```text\na\n```", 2, "no test"),
        ("<!-- tested: by me -->", 1, "none of the tests'"),
        ("<!-- checked by: true -->\nprose", 2, "right above a block"),
        ("Not run by our tests: lazy.\n\n```sh\ntrue\n```", 3, "the reason is missing"),
        (
            "Not run by our tests: it needs a moon.\n\nMore.\n\n```json\n{}\n```",
            5,
            "nothing runs or reads",
        ),
        ("```text\nsomething\n```", 1, "nothing runs or reads"),
        ("```\nicnctl id init\n```", 1, "nothing runs or reads"),
        ("~~~yaml\na: 1\n~~~", 1, "nothing runs or reads"),
        ("```sh\ntrue\n", 1, "has no end"),
        ("```toml\n[identity.age]\nwork = 10\n```", 1, "work"),
        ("```toml\n[other]\nwork = 10\n```", 1, "nothing here reads"),
        ("```toml\n[profile.dev.package]\nage.opt-level = 3\n```", 1, "not in Cargo.toml"),
        ("```rust\nfn main() {}\n```", 1, "src/lib.rs does not include"),
        ("```rust,ignore\nfn main() {}\n```", 1, "`ignore`"),
    ] {
        let told = against(wrong);
        let place = format!("made-up.md:{line}: ");
        assert!(told.starts_with(&place) && told.contains(why), "{wrong}\n\n{told}");
    }
}

/// What the program and the library's documentation advise.
#[test]
fn every_command_in_a_help_text_exists() {
    let commands = Commands::ask();
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for (place, text) in hints::sources() {
        for (_, after) in
            text.match_indices("icnctl ").map(|(at, name)| text.split_at(at + name.len()))
        {
            // In backticks or not, to the end of the text or sentence.
            let line = after.split(['`', '"', '\\', ')', ';']).next().unwrap();
            let line =
                [". ", ", ", ": "].iter().fold(line, |line, end| line.split(end).next().unwrap());
            if commands.begins(line) {
                seen += 1;
                let complaint = commands.wrong_with(line);
                wrong.extend(complaint.map(|what| format!("{place}: {what} (`icnctl {line}`)")));
            }
        }
    }
    assert!(seen > 50, "{seen}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// The commands that `--help` shows, with what they take for granted.
#[test]
fn the_examples_in_the_help_of_commands_work() {
    let before = |command: &[String]| match command.join(" ").as_str() {
        "verify" => {
            "icnctl id init; echo hello > message.txt\nstands_for DID \"$(icnctl id export --did-only)\""
        }
        "id backup" => "",
        command => panic!("what does the help of `icnctl {command}` take for granted?"),
    };
    let examples = Commands::ask().examples;
    assert_eq!(examples.values().map(Vec::len).sum::<usize>(), 5, "{examples:?}");
    for (command, lines) in examples {
        let page = format!("<!-- test: {} -->\n```sh\n{}\n```", before(&command), lines.join("\n"));
        assert_eq!(against(&page), "", "{command:?}");
    }
}
