//! What was judged already: two kills that leave the same are judged once.
//!
//! The same means: equal but for what is random or of the clock. A program that is started on
//! either does the same.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Mutex;

/// How each state ended that was judged, for all threads of a test.
#[derive(Default)]
pub(crate) struct Judged(Mutex<HashMap<(String, bool, bool), bool>>);

impl Judged {
    /// Judges a state, unless an equal one was judged in the same way.
    pub(crate) fn once(
        &self,
        state: String,
        goes_on: bool,
        thoroughly: bool,
        judge: impl FnOnce() -> bool,
    ) -> bool {
        let key = (state, goes_on, thoroughly);
        if let Some(ended) = self.0.lock().unwrap().get(&key) {
            return *ended;
        }
        let ended = judge();
        self.0.lock().unwrap().insert(key, ended);
        ended
    }

    /// How many differed.
    pub(crate) fn count(&self) -> usize {
        self.0.lock().unwrap().len()
    }
}

/// What is in a place: names, modes and texts of files, in which each random value is a
/// number by the order in which it comes first, and about the sizes of what is no text. The
/// objects that a device lists are taken in the same way, in whatever order.
pub(crate) fn state(place: &Path, objects: &str) -> String {
    let mut state = State::default();
    state.add(place, 0);
    let mut listed: Vec<String> = vec![];
    for line in objects.split_inclusive('\n') {
        match listed.last_mut().filter(|_| line.starts_with(' ')) {
            Some(object) => object.push_str(line),
            None => listed.push(line.to_owned()),
        }
    }
    listed.sort_by_cached_key(|object| State::default().without_values(object));
    for object in listed {
        let object = state.without_values(&object);
        state.text.push_str(&object);
    }
    state.text
}

#[derive(Default)]
struct State {
    text: String,
    /// Values that are random, or of the clock.
    values: Vec<String>,
}

impl State {
    fn add(&mut self, path: &Path, depth: usize) {
        let Ok(metadata) = fs::symlink_metadata(path) else { return };
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        // A lock that is held by nobody is as one that is not there.
        if name.contains(".lock") {
            return;
        }
        let name = if depth == 0 { String::new() } else { self.without_values(&name) };
        let mode = metadata.permissions().mode();
        let _ = write!(self.text, "{:depth$}{name} {mode:o}", "");
        if metadata.is_dir() {
            self.text.push('\n');
            let entries = fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
            let mut entries: Vec<_> = entries.map(|path| (sorted_by(&path), path)).collect();
            entries.sort();
            for (_, entry) in entries {
                self.add(&entry, depth + 1);
            }
        } else if metadata.is_symlink() {
            let target = fs::read_link(path).unwrap();
            let target = self.without_values(&target.to_string_lossy());
            let _ = writeln!(self.text, " -> {target}");
        } else {
            let bytes = fs::read(path).unwrap();
            let content = match String::from_utf8(bytes) {
                Ok(text) => self.without_values(&text),
                Err(binary) => format!("{} KiB", binary.as_bytes().len().div_ceil(1024)),
            };
            let _ = writeln!(self.text, ": {content}");
        }
    }

    fn without_values(&mut self, text: &str) -> String {
        let is_word = |c: char| c.is_ascii_alphanumeric() || "+/=_:-.~%".contains(c);
        let mut written = String::new();
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let end = rest.find(|c| is_word(c) != is_word(first)).unwrap_or(rest.len());
            let (run, after) = rest.split_at(end);
            if is_word(first) && varies(run) {
                let known = self.values.iter().position(|value| value == run);
                let at = known.unwrap_or_else(|| {
                    self.values.push(run.to_owned());
                    self.values.len() - 1
                });
                let _ = write!(written, "<{at}>");
            } else {
                written.push_str(run);
            }
            rest = after;
        }
        written
    }
}

/// A word that another run has otherwise: a key, a time, a number of a file or of a process.
fn varies(word: &str) -> bool {
    let digits = word.chars().filter(char::is_ascii_digit).count();
    word.len() >= 20 || digits >= 5 || word.contains(".tmp")
}

/// In an order that does not depend on random names.
fn sorted_by(path: &Path) -> (bool, String, u64) {
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let size = fs::symlink_metadata(path).map_or(0, |metadata| metadata.len());
    if varies(&name) { (true, String::new(), size) } else { (false, name, size) }
}

#[test]
fn two_states_are_the_same_only_if_they_differ_in_random_values_alone() {
    let dir = tempfile::tempdir().unwrap();
    let made = |name: &str, files: &[(&str, &[u8])]| {
        let home = dir.path().join(name);
        fs::create_dir(&home).unwrap();
        for (name, content) in files {
            fs::write(home.join(name), content).unwrap();
        }
        state(&home, "")
    };
    let one = "did:icn:zGmaDrppBC7P5ARKV8g3djiwP89vz1jLK23V2GBjuAEGB";
    let other = "did:icn:zCHmKKz3G4rDZ4sqmV5AHCsMiLVuwUKWpwFGYJmWEm7L8";
    let text =
        |first: &str, second: &str| format!("{{\"did\": \"{first}\", \"at\": \"{second}\"}}");
    let kept = made("a", &[("h.json", text(one, one).as_bytes()), ("k", &[255, 1, 2])]);
    let same = [made("b", &[("h.json", text(other, other).as_bytes()), ("k", &[255, 3, 4])])];
    for same in same {
        assert_eq!(kept, same);
    }
    let differ = [
        made("c", &[("h.json", text(one, other).as_bytes()), ("k", &[255, 1, 2])]),
        made("d", &[("h.json", text(one, one).as_bytes())]),
        made("e", &[("h.json", text(one, one).as_bytes()), ("k", &[255; 2000])]),
        made("f", &[("h.json", text(one, one).as_bytes()), ("l", &[255, 1, 2])]),
        made("g", &[("h.json", text(one, "").as_bytes()), ("k", &[255, 1, 2])]),
        made("h", &[("h.json", text(one, one).to_uppercase().as_bytes()), ("k", &[255, 1, 2])]),
    ];
    for other in differ {
        assert_ne!(kept, other);
    }
}
