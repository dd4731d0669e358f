//! Reads rustdoc's JSON as far as it says whose types are in public signatures.

use std::collections::{BTreeSet, HashSet};
use std::fmt;
use std::fs;
use std::path::Path;

use serde_json::Value;

/// A type or trait of another crate, and where it is public.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Use {
    /// The item of ours, without the name of the crate.
    pub(super) place: String,
    pub(super) krate: String,
    pub(super) path: String,
}

impl fmt::Display for Use {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.path)
    }
}

pub(super) struct Api(Value);

impl Api {
    pub(super) fn read(json: &Path) -> Self {
        Self(serde_json::from_slice(&fs::read(json).unwrap()).unwrap())
    }

    /// Of all that can be reached from outside, each once.
    pub(super) fn uses(&self) -> BTreeSet<Use> {
        let mut walk = Walk { api: &self.0, seen: HashSet::new(), found: BTreeSet::new() };
        walk.item(&self.0["root"], "");
        walk.found
    }
}

struct Walk<'a> {
    api: &'a Value,
    seen: HashSet<String>,
    found: BTreeSet<Use>,
}

impl Walk<'_> {
    /// Notes a type or trait by its id, if it is of another crate.
    fn note(&mut self, id: &Value, place: &str) {
        let path = &self.api["paths"][id.to_string()];
        let krate = match path["crate_id"].as_u64() {
            None | Some(0) => return,
            Some(number) => &self.api["external_crates"][number.to_string()]["name"],
        };
        let names = path["path"].as_array().unwrap();
        let path: Vec<&str> = names.iter().filter_map(Value::as_str).collect();
        self.found.insert(Use {
            place: place.to_owned(),
            krate: krate.as_str().unwrap().to_owned(),
            path: path.join("::"),
        });
    }

    /// Whatever is named in a signature.
    fn signature(&mut self, value: &Value, place: &str) {
        match value {
            Value::Object(fields) => {
                if fields.get("path").is_some_and(Value::is_string)
                    && let Some(id) = fields.get("id")
                {
                    self.note(id, place);
                }
                fields.values().for_each(|value| self.signature(value, place));
            }
            Value::Array(values) => values.iter().for_each(|value| self.signature(value, place)),
            _ => {}
        }
    }

    fn all(&mut self, ids: &Value, place: &str) {
        for id in ids.as_array().into_iter().flatten().filter(|id| !id.is_null()) {
            self.item(id, place);
        }
    }

    fn item(&mut self, id: &Value, above: &str) {
        let item = &self.api["index"][id.to_string()];
        if item["crate_id"] != 0 || !self.seen.insert(id.to_string()) {
            return;
        }
        let (kind, inner) = item["inner"].as_object().unwrap().iter().next().unwrap();
        let name = item["name"].as_str().unwrap_or_default();
        let is_root = *id == self.api["root"];
        let place = match (above, name) {
            _ if is_root => String::new(),
            ("", name) => name.to_owned(),
            (above, name) => format!("{above}::{name}"),
        };
        match kind.as_str() {
            "module" => self.all(&inner["items"], &place),
            "use" => {
                let name = inner["name"].as_str().unwrap_or_default();
                let separator = if above.is_empty() { "" } else { "::" };
                self.note(&inner["id"], &format!("{above}{separator}{name} (re-export)"));
                self.item(&inner["id"], above);
            }
            "impl" if inner["is_synthetic"] == true || !inner["blanket_impl"].is_null() => {}
            "impl" => {
                let of = inner["trait"]["path"].as_str();
                let this = of.map_or(above.to_owned(), |of| format!("{above} (impl {of})"));
                for part in ["generics", "trait", "for"] {
                    self.signature(&inner[part], &this);
                }
                self.all(&inner["items"], above);
            }
            "struct" => {
                self.signature(&inner["generics"], &place);
                self.all(&inner["kind"]["tuple"], &place);
                self.all(&inner["kind"]["plain"]["fields"], &place);
                self.all(&inner["impls"], &place);
            }
            "enum" => {
                self.signature(&inner["generics"], &place);
                self.all(&inner["variants"], &place);
                self.all(&inner["impls"], &place);
            }
            "variant" => {
                self.all(&inner["kind"]["tuple"], &place);
                self.all(&inner["kind"]["struct"]["fields"], &place);
            }
            "trait" => {
                self.signature(&inner["generics"], &place);
                self.signature(&inner["bounds"], &place);
                self.all(&inner["items"], &place);
            }
            _ => self.signature(inner, &place),
        }
    }
}
