//! What each type can do: one function for each cell of the table in `docs/types.md`. The
//! compiler is asked for all of them at once, and the table is what it says: a cell with
//! "yes" compiles, and one with "–" is an error.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::consumer::{ALL, check, project};

/// What is asked of a type, and how: `NAME` is a new one, `TYPE` the type.
const QUESTIONS: [(&str, &str); 14] = [
    ("signs", "pub fn NAME(key: &TYPE) -> &dyn DidSigner { key }"),
    ("in a bundle", "pub fn NAME(_: IdentityBundle<TYPE>) {}"),
    ("secret bytes", "pub fn NAME(key: &TYPE) { fn has<T: ExposeSecret>(_: &T) {} has(key) }"),
    ("to `KeyPair`", "pub fn NAME(key: TYPE) -> KeyPair { key.into() }"),
    ("`Confined`", "pub fn NAME(key: &TYPE) { fn has<T: Confined>(_: &T) {} has(key) }"),
    ("`NeverExposed`", "pub fn NAME(key: &TYPE) { fn has<T: NeverExposed>(_: &T) {} has(key) }"),
    ("to `HardwareBacked`", "pub fn NAME(key: TYPE) { let _ = HardwareBacked::check(key); }"),
    ("`generate`", "pub fn NAME() { let _ = <TYPE>::generate(); }"),
    ("`unlock`", "pub fn NAME(key: TYPE, it: &Passphrase) { let _ = key.unlock(it); }"),
    ("`unseal`", "pub fn NAME(key: TYPE, it: &Pin) { let _ = key.unseal(it); }"),
    ("`lock`", "pub fn NAME(key: TYPE, it: &Passphrase) { let _ = key.lock(it); }"),
    ("`seal`", "pub fn NAME(key: TYPE) { let _ = key.seal(); }"),
    ("to `DidKey`", "pub fn NAME(key: TYPE) -> DidKey { key.into() }"),
    ("from `DidKey`", "pub fn NAME(key: DidKey) -> Option<TYPE> { key.try_into().ok() }"),
];

/// What no type of the table can do. `String` can: so the question is a right one.
const NEVER: [(&str, &str); 6] = [
    ("Clone", "pub fn NAME(it: &TYPE) { fn has<T: Clone>(_: &T) {} has(it) }"),
    ("Default", "pub fn NAME() -> TYPE { Default::default() }"),
    ("Display", "pub fn NAME(it: &TYPE) { fn has<T: std::fmt::Display>(_: &T) {} has(it) }"),
    ("Serialize", "pub fn NAME(it: &TYPE) { fn has<T: serde::Serialize>(_: &T) {} has(it) }"),
    ("Deserialize", "pub fn NAME() { fn has<T: serde::de::DeserializeOwned>() {} has::<TYPE>() }"),
    ("Deref", "pub fn NAME(it: &TYPE) { fn has<T: std::ops::Deref>(_: &T) {} has(it) }"),
];
const CAN_ALL: &str = "String";

/// A way to a daemon, and no key. It may be cloned.
const HANDLE: &str = "RemoteSigner";

/// What holds a key or signs, beside the keys themselves.
const OTHERS: [&str; 11] = [
    "SealedKey",
    "DidKey",
    "HardwareKey",
    "HardwareBacked<DidKey>",
    "HardwareBacked<HardwareKey>",
    "AttestedKey<HardwareKey>",
    "Observed<HardwareKey, Nothing>",
    "IdentityBundle<DidKey>",
    "IdentityBundle<HardwareKey>",
    "RemoteSigner",
    "KeyPair",
];

const PRELUDE: &str = "\
#![allow(unused)]
use icn_identity::{*, attestation::AttestedKey, client::RemoteSigner, key::*};
pub struct Nothing;
impl SigningObserver for Nothing {}
";

const EXISTS: (&str, &str) = ("exists", "pub fn NAME(_: TYPE) {}");

fn keys() -> Vec<String> {
    let mut keys = Vec::new();
    for provenance in ["Software", "TpmSealed", "DeviceHeld", "Hardware", "External"] {
        for state in ["Locked", "Sealed", "Unlocked"] {
            for algorithm in ["", ", P256"] {
                keys.push(format!("Key<{provenance}, {state}{algorithm}>"));
            }
        }
    }
    keys
}

/// The compiler's answer to each question about each type.
struct Answers(BTreeMap<(String, &'static str), bool>);

impl Answers {
    fn of_the_compiler() -> Self {
        let mut lines: Vec<String> = PRELUDE.lines().map(str::to_owned).collect();
        let mut asked = BTreeMap::new();
        let types = keys().into_iter().chain(OTHERS.map(str::to_owned));
        for of in types.chain([CAN_ALL.to_owned()]) {
            for (what, how) in [EXISTS].into_iter().chain(QUESTIONS).chain(NEVER) {
                let name = format!("line_{}", lines.len() + 1);
                lines.push(how.replace("NAME", &name).replace("TYPE", &of));
                asked.insert(lines.len(), (of.clone(), what));
            }
        }
        let dependency = format!(
            "icn-identity = {{ path = {:?}, features = [{ALL}] }}\nserde = \"1\"",
            root().display().to_string()
        );
        let directory = project("matrix", &dependency, &lines.join("\n"));
        let output = check(&directory).args(["--message-format", "json"]).output().unwrap();
        let refused = refused_lines(std::str::from_utf8(&output.stdout).unwrap());
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(refused.len() > 100, "{} errors in {}: {said}", refused.len(), directory.display());
        for line in &refused {
            assert!(asked.contains_key(line), "an error in {}:{line}", directory.display());
        }
        Self(asked.into_iter().map(|(line, of)| (of, !refused.contains(&line))).collect())
    }

    fn is(&self, of: &str, what: &'static str) -> bool {
        self.0[&(of.to_owned(), what)]
    }

    fn row(&self, of: &str) -> String {
        let cells = QUESTIONS.map(|(what, _)| if self.is(of, what) { "yes" } else { "–" });
        format!("| `{of}` | {} |", cells.join(" | "))
    }

    fn page(&self) -> String {
        let keys = keys();
        let (there, not_there): (Vec<_>, Vec<_>) =
            keys.iter().partition(|of| self.is(of, EXISTS.0));
        let head = QUESTIONS.map(|(what, _)| what).join(" | ");
        let mut page = format!("| type | {head} |\n|---|{}\n", "---|".repeat(QUESTIONS.len()));
        for of in there.iter().map(|of| of.as_str()).chain(OTHERS) {
            page.push_str(&self.row(of));
            page.push('\n');
        }
        page.push_str("\nThere is no ");
        page.push_str(&not_there.iter().map(|of| format!("`{of}`")).collect::<Vec<_>>().join(", "));
        page.push_str(".\n");
        page
    }
}

/// Lines with an error that the compiler has for what a type cannot do.
fn refused_lines(messages: &str) -> BTreeSet<usize> {
    let mut lines = BTreeSet::new();
    for message in messages.lines().map(|line| serde_json::from_str::<Value>(line).unwrap()) {
        let message = &message["message"];
        if message["level"] != "error" {
            continue;
        }
        let spans = message["spans"].as_array().unwrap();
        let Some(primary) = spans.iter().find(|span| span["is_primary"] == true) else { continue };
        let code = message["code"]["code"].as_str().unwrap_or("none");
        // A bound that is not met, or no such method. All else is a mistake in the question.
        assert!(["E0277", "E0599"].contains(&code), "{}", message["rendered"].as_str().unwrap());
        lines.insert(usize::try_from(primary["line_start"].as_u64().unwrap()).unwrap());
    }
    lines
}

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(page: &str) -> String {
    fs::read_to_string(root().join(page)).unwrap()
}

#[test]
fn what_each_type_can_do_is_what_the_compiler_says() {
    let answers = Answers::of_the_compiler();
    let page = answers.page();
    let written = read("docs/types.md");
    assert!(written.contains(&page), "docs/types.md has another table than this:\n\n{page}");
    // Each question can be answered with yes, so none has a mistake in it.
    for (what, _) in QUESTIONS {
        assert!(answers.0.iter().any(|((_, asked), yes)| *asked == what && *yes), "{what}");
    }
    for (what, _) in NEVER {
        let can = |(of, asked): &(String, &str)| *asked == what && of != HANDLE;
        let can: Vec<_> = answers.0.iter().filter(|(of, yes)| **yes && can(of)).collect();
        assert_eq!(can, [(&(CAN_ALL.to_owned(), what), &true)], "{what}");
        assert_eq!(answers.is(HANDLE, what), what == "Clone", "{what}");
        assert!(written.contains(&format!("`{what}`")), "{what}");
    }
    for page in ["README.md", "src/key.rs"] {
        the_short_table_says_the_same(&answers, page);
    }
}

/// Of each provenance: secret bytes, `Confined`, `NeverExposed`, by its states.
fn the_short_table_says_the_same(answers: &Answers, page: &str) {
    let text = read(page);
    let mut rows = 0;
    for line in text.lines().map(|line| line.trim_start_matches("//! ")) {
        let cells: Vec<&str> = line.split('|').map(str::trim).collect();
        let [_, of, _, secret, confined, never, _] = cells[..] else { continue };
        let of = of.trim_matches(['`', '[', ']']);
        let of = of.strip_prefix("Key<").map_or(of, |rest| rest.split(',').next().unwrap());
        if !["Software", "TpmSealed", "DeviceHeld", "Hardware", "External"].contains(&of) {
            continue;
        }
        rows += 1;
        let asked = ["secret bytes", "`Confined`", "`NeverExposed`"].into_iter();
        for (what, cell) in asked.zip([secret, confined, never]) {
            let unlocked = answers.is(&format!("Key<{of}, Unlocked>"), what);
            assert_eq!(unlocked, !cell.contains("no"), "{page}: {of}, {what}: {cell:?}");
            for state in ["Locked", "Sealed"] {
                assert!(!answers.is(&format!("Key<{of}, {state}>"), what), "{of}, {state}: {what}");
            }
        }
    }
    assert_eq!(rows, 5, "{page}");
}
