//! The house in layers: a room uses only rooms below it, and no modules go round
//! in a circle. Tests and comments may look anywhere.

mod house;
mod made_up;
mod source;
mod waits;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use self::house::{House, Module};

/// From the ground up. What is in one line does not use each other.
const ROOMS: [&[&str]; 18] = [
    &["encoding", "clock", "statement", "private", "sync", "waiting"],
    &["kind"],
    &["evidence"],
    &["locator", "algorithm"],
    &["secret", "did", "sshsig"],
    &["fault"],
    &["file", "agefile", "signer", "binding"],
    &["config", "rotation", "key"],
    &["peer", "daemon"],
    &["attestation"],
    &["bundle", "client"],
    &["tls", "audit"],
    &["error"],
    &["backend"],
    &["keystore"],
    &["home"],
    &["migrate"],
    &["nonblocking"],
];

/// One idea in two halves: they may use each other.
const ONE_IDEA: [[&str; 2]; 1] = [["backend::pkcs11::connection", "backend::pkcs11::pool"]];

/// What points up or sideways.
fn climbing(house: &House) -> Vec<String> {
    let height = |room: &str| ROOMS.iter().position(|rooms| rooms.contains(&room));
    let mut found = Vec::new();
    for (module, file) in &house.files {
        let Some(from) = module.first() else { continue };
        let Some(floor) = height(from) else {
            found.push(format!("{}: `{from}` has no place in the order of rooms", file.path));
            continue;
        };
        for used in &file.uses {
            // `crate::Did` is of the room that has it.
            let target = match used.path.first() {
                Some(room) if house.files.contains_key(&vec![room.clone()]) => used.path.clone(),
                _ => house.file_of(&used.path),
            };
            let Some(to) = target.first() else { continue };
            if to != from && height(to).is_some_and(|height| height >= floor) {
                let (path, line) = (&file.path, used.line);
                found.push(format!("{path}:{line}: `{from}` uses `{to}`, which is not below it"));
            }
        }
    }
    found
}

/// What goes round in a circle: of the modules in one module, each with all
/// that is in it. A module and what is in it may use each other.
fn circles(house: &House) -> Vec<String> {
    // From whom to whom, and where.
    let mut ways: BTreeMap<(Module, Module), String> = BTreeMap::new();
    for (module, file) in &house.files {
        for used in &file.uses {
            let to = house.file_of(&used.path);
            let same = module.iter().zip(&to).take_while(|(one, other)| one == other).count();
            if let (Some(from), Some(to)) = (module.get(..=same), to.get(..=same)) {
                let place = || format!("{}:{}", file.path, used.line);
                ways.entry((from.to_vec(), to.to_vec())).or_insert_with(place);
            }
        }
    }
    let reached = |start: &Module| {
        let (mut reached, mut open) = (BTreeSet::new(), vec![start]);
        while let Some(from) = open.pop() {
            for (_, to) in ways.keys().filter(|(of, _)| of == from) {
                if reached.insert(to) {
                    open.push(to);
                }
            }
        }
        reached
    };
    let starts: BTreeSet<&Module> = ways.keys().map(|(from, _)| from).collect();
    let reached: BTreeMap<&Module, BTreeSet<&Module>> =
        starts.into_iter().map(|start| (start, reached(start))).collect();
    let returns = |from: &Module, to: &Module| reached.get(to).is_some_and(|to| to.contains(from));
    let allowed = |from: &Module, to: &Module| {
        let pair = [from.join("::"), to.join("::")];
        ONE_IDEA.iter().any(|idea| idea.iter().all(|name| pair.iter().any(|one| one == name)))
    };
    let in_circle = ways.iter().filter(|((from, to), _)| returns(from, to) && !allowed(from, to));
    in_circle
        .map(|((from, to), place)| {
            format!("{place}: `{}` uses `{}`, which uses it", from.join("::"), to.join("::"))
        })
        .collect()
}

fn sources(directory: &str) -> Vec<(String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut found = Vec::new();
    for entry in fs::read_dir(root.join(directory)).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let path = format!("{directory}/{name}");
        if root.join(&path).is_dir() {
            found.extend(sources(&path));
        } else if path.ends_with(".rs") {
            let text = fs::read_to_string(root.join(&path)).unwrap();
            found.push((path, text));
        }
    }
    found
}

fn house() -> House {
    let mut sources = sources("src");
    sources.retain(|(path, _)| !path.starts_with("src/bin/"));
    House::new("src/lib.rs", &sources)
}

fn nothing(found: &[String]) {
    assert!(found.is_empty(), "{} in all:\n{}", found.len(), found.join("\n"));
}

#[test]
fn a_room_uses_only_rooms_below_it() {
    let house = house();
    let there: BTreeSet<&str> =
        house.files.keys().filter_map(|module| module.first()).map(String::as_str).collect();
    assert_eq!(there, ROOMS.concat().into_iter().collect(), "the rooms that there are");
    nothing(&climbing(&house));
}

#[test]
fn no_modules_of_the_library_go_round_in_a_circle() {
    nothing(&circles(&house()));
}

#[test]
fn no_modules_of_the_command_line_go_round_in_a_circle() {
    let house = House::new("src/bin/icnctl/main.rs", &sources("src/bin/icnctl"));
    assert!(house.files.len() > 30, "only {} files", house.files.len());
    nothing(&circles(&house));
}

#[test]
fn no_modules_of_the_daemon_go_round_in_a_circle() {
    let house = House::new("src/bin/icnd/main.rs", &sources("src/bin/icnd"));
    assert!(house.files.len() > 10, "only {} files", house.files.len());
    nothing(&circles(&house));
}
