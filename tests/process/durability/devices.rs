//! A token or TPM of one test's own, which is put back to what it was before each kill.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use support::softhsm::SoftHsm;
use support::swtpm::Swtpm;

use super::trace::Call;

/// The token's label.
pub(crate) const TOKEN: &str = "node-1";

pub(crate) enum Device {
    Token(SoftHsm),
    Tpm(Swtpm),
}

impl Device {
    pub(crate) fn token() -> Self {
        Self::Token(SoftHsm::with_token(TOKEN))
    }

    /// From now on it is put back to what it is now. (A TPM keeps nothing of a try.)
    pub(crate) fn keep(&self, kept: &Path) {
        if let Self::Token(hsm) = self {
            copy(&hsm.tokens(), &kept.join("tokens"));
        }
    }

    pub(crate) fn reset(&self, kept: &Path) {
        if let Self::Token(hsm) = self {
            fs::remove_dir_all(hsm.tokens()).unwrap();
            copy(&kept.join("tokens"), &hsm.tokens());
        }
        self.flush();
    }

    /// What a kernel's resource manager does when its client is gone.
    pub(crate) fn flush(&self) {
        if let Self::Tpm(tpm) = self {
            tpm.flush();
        }
    }

    /// Whether a call changes a file of the token.
    pub(crate) fn is_changed_by(&self, call: &Call) -> bool {
        match self {
            // SoftHSM empties `token.object` before it writes it anew: a kill between costs
            // the whole token, whoever logs in.
            Self::Token(hsm) => {
                call.mutates() && call.names(&hsm.tokens()) && !call.text.contains("/token.object")
            }
            Self::Tpm(_) => false,
        }
    }

    /// `CKA_ID`s on the token, sorted; and what has none is no key.
    pub(crate) fn ids(&self) -> Vec<String> {
        let Self::Token(hsm) = self else { return vec![] };
        let listed = hsm.objects(TOKEN);
        let mut ids = vec![];
        for object in listed.split_inclusive("\n").fold(Vec::<String>::new(), |mut all, line| {
            match (line.starts_with("  "), all.last_mut()) {
                (true, Some(last)) => last.push_str(line),
                _ => all.push(line.to_owned()),
            }
            all
        }) {
            let field = |name: &str| {
                let line = object.lines().find_map(|line| line.trim().strip_prefix(name));
                line.map(str::trim)
                    .filter(|value| !["", "<empty>"].contains(value))
                    .map(str::to_owned)
            };
            match field("ID:") {
                Some(id) => ids.push(id),
                // SoftHSM writes objects attribute by attribute: a shell.
                None => {
                    assert!(field("label:").is_none() && field("EC_POINT:").is_none(), "{object}")
                }
            }
        }
        ids.sort();
        ids
    }
}

/// Whether a TPM is told something.
pub(crate) fn tells_a_tpm(call: &Call) -> bool {
    matches!(call.name.as_str(), "write" | "sendto")
        && ["<TCP", "<socket:"].iter().any(|one| call.text.contains(one))
}

/// Those of the calls that count at which a kill leaves something that no earlier one has
/// left.
pub(crate) fn window(calls: &[Call], counts: impl Fn(&Call) -> bool) -> Vec<&Call> {
    let (mut opened, mut emptied) = (BTreeSet::new(), None);
    let mut last: Option<&Call> = None;
    calls
        .iter()
        .filter(|call| counts(call))
        // A file is made once, and with the mode that it is given then.
        .filter(|call| call.name != "openat" || opened.insert(call.quoted()[0]))
        .filter(|call| call.name != "fchmod")
        .filter(|call| {
            // For each attribute SoftHSM empties an object's file, and writes it anew. As long
            // as nothing else is changed, it leaves the same each time that it is emptied.
            let object = object(call);
            let before = last.replace(call);
            let is_empty = object.is_some()
                && call.name == "write"
                && before
                    .is_some_and(|last| last.name == "ftruncate" && self::object(last) == object);
            if object != emptied {
                emptied = None;
            }
            if is_empty {
                return emptied.replace(object.unwrap_or_default()).is_none();
            }
            true
        })
        .collect()
}

/// The file of an object that is written to.
fn object(call: &Call) -> Option<&str> {
    let file = call.text.split_once('<')?.1.split_once('>')?.0;
    file.ends_with(".object").then_some(file)
}

/// Everything in a directory, or a file, with its mode.
pub(crate) fn copy(from: &Path, to: &Path) {
    if !from.is_dir() {
        fs::copy(from, to).unwrap();
        return;
    }
    fs::create_dir(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        copy(&entry.path(), &to.join(entry.file_name()));
    }
    fs::set_permissions(to, fs::metadata(from).unwrap().permissions()).unwrap();
}
