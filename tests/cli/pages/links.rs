//! Where pages and sources send their readers, there is something.

use std::path::{Component, Path, PathBuf};

use super::hints::sources;
use super::markdown::{pages, root};

/// Without `..`, so that it can be compared.
fn resolved(path: &Path) -> PathBuf {
    path.components().fold(PathBuf::new(), |mut so_far, part| {
        match part {
            Component::ParentDir => drop(so_far.pop()),
            part => so_far.push(part),
        }
        so_far
    })
}

/// As GitHub makes it of a heading.
fn anchor(heading: &str) -> String {
    let heading = heading.trim_start_matches('#').trim().to_lowercase();
    let kept = heading.chars().filter(|letter| letter.is_alphanumeric() || " -_".contains(*letter));
    kept.map(|letter| if letter == ' ' { '-' } else { letter }).collect()
}

/// What is wrong with a link in a page.
fn wrong_with(page: &str, link: &str) -> Option<String> {
    let (file, place) = link.split_once('#').unwrap_or((link, ""));
    let beside = Path::new(page).parent().unwrap_or(Path::new(""));
    let file = if file.is_empty() { page.into() } else { resolved(&beside.join(file)) };
    if !root().join(&file).exists() {
        return Some(format!("{page}: no {link}"));
    }
    let text = std::fs::read_to_string(root().join(&file)).unwrap_or_default();
    let headings = text.lines().filter(|line| line.starts_with('#')).map(anchor);
    let is_there = place.is_empty() || headings.into_iter().any(|heading| heading == place);
    (!is_there).then(|| format!("{page}: no heading {link}"))
}

/// `docs/….md` in a text.
fn named(text: &str) -> Vec<&str> {
    let begins = text.match_indices("docs/").map(|(at, _)| at);
    let ends = |rest: &str| {
        rest.find(|letter: char| !letter.is_ascii_alphanumeric() && !"/-_.".contains(letter))
    };
    let names =
        begins.map(|at| text.split_at(at).1).map(|rest| &rest[..ends(rest).unwrap_or(rest.len())]);
    let names = names.filter_map(|name| Some(&name[..name.find(".md")? + 3]));
    names.collect()
}

#[test]
fn every_link_and_every_page_that_is_named_leads_somewhere() {
    assert_eq!(wrong_with("docs/backup.md", "tls.md"), None);
    assert_eq!(wrong_with("docs/backends/nss.md", "pkcs11.md#tested-configurations"), None);
    assert!(wrong_with("docs/backup.md", "../tls.md").is_some());
    assert!(wrong_with("docs/backup.md", "tls.md#nothing-of-that-name").is_some());
    assert_eq!(named("see docs/tls.md, and docs/a/b-c.md."), ["docs/tls.md", "docs/a/b-c.md"]);

    let (mut wrong, mut seen) = (Vec::new(), 0);
    for page in pages() {
        let text = std::fs::read_to_string(root().join(&page.name)).unwrap();
        let links = text.split("](").skip(1).map(|rest| rest.split(')').next().unwrap_or_default());
        for link in links.filter(|link| !link.starts_with("http") && !link.contains(' ')) {
            seen += 1;
            wrong.extend(wrong_with(&page.name, link));
        }
        let missing = named(&text).into_iter().filter(|name| !root().join(name).exists());
        wrong.extend(missing.map(|name| format!("{}: no {name}", page.name)));
    }
    for (place, text) in sources() {
        let missing = named(&text).into_iter().filter(|name| !root().join(name).exists());
        wrong.extend(missing.map(|name| format!("{place}: no {name}")));
    }
    assert!(seen > 60, "{seen}");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
