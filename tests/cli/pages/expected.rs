//! Whether a command printed what its page shows.

/// What differs, if something does. `…` in a line of the page stands for anything in it, and a
/// line of it alone for any lines. DIDs, recipients and times are one as good as another.
pub(crate) fn difference(shown: &[String], printed: &str, root: &str) -> Option<String> {
    let printed = printed.replace(root, "");
    let lines: Vec<String> = printed.lines().map(variable).collect();
    let wanted: Vec<String> = shown.iter().map(|line| variable(line)).collect();
    let wanted: Vec<&str> = wanted.iter().map(String::as_str).collect();
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    if all(&wanted, &lines) {
        return None;
    }
    Some(format!("the page shows\n{}\nand it prints\n{printed}", shown.join("\n")))
}

fn all(wanted: &[&str], lines: &[&str]) -> bool {
    match wanted.split_first() {
        None => lines.is_empty(),
        Some((&"…", rest)) => (0..=lines.len()).any(|skipped| all(rest, &lines[skipped..])),
        Some((line, rest)) => lines
            .split_first()
            .is_some_and(|(printed, more)| fits(line, printed) && all(rest, more)),
    }
}

fn fits(wanted: &str, printed: &str) -> bool {
    let Some((before, after)) = wanted.split_once('…') else { return wanted == printed };
    let Some(rest) = printed.strip_prefix(before) else { return false };
    rest.char_indices().map(|(at, _)| at).chain([rest.len()]).any(|at| fits(after, &rest[at..]))
}

/// A line with one word for each part that is another at each run.
fn variable(line: &str) -> String {
    // Spaces are kept: columns are part of what is shown.
    let words = line.split(' ').map(|word| {
        for (begins, stands) in [("did:icn:z", "DID"), ("did:key:z", "DID"), ("age1", "RECIPIENT")]
        {
            let bare = word.trim_end_matches(['.', ',', ':', ')']);
            let rest = bare.strip_prefix(begins);
            if rest.is_some_and(|rest| rest == "…" || rest.len() > 30) {
                return word.replace(bare, stands);
            }
        }
        let shape: String =
            word.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect();
        match shape.trim_end_matches(['.', ',', ':', ')']) {
            "0000-00-00" | "0000-00-00T00:00:00Z" | "00:00:00" | "00:00" => shape,
            _ => word.to_owned(),
        }
    });
    words.collect::<Vec<_>>().join(" ")
}

#[test]
fn a_page_is_compared_with_what_was_printed() {
    let differs = |shown: &str, printed: &str| {
        let shown: Vec<String> = shown.lines().map(str::to_owned).collect();
        difference(&shown, printed, "/tmp/somewhere").is_some()
    };
    let did = "did:icn:zd32tpsivvrQ9pekFpCxhEo94XzhnDxbWWDH8G1uUycq";
    assert!(!differs("valid", "valid\n"));
    assert!(differs("valid", "not valid\n"));
    assert!(differs("valid", ""));
    assert!(differs("", "valid\n"));
    assert!(differs("valid", "valid\nmore\n"));
    assert!(!differs("valid\n…", "valid\nmore\n"));
    assert!(!differs("…\nvalid\n…\nend", "a\nb\nvalid\nend\n"));
    assert!(differs("…\nvalid\n…\nend", "a\nb\nend\n"));
    assert!(!differs("DID  did:icn:z…", &format!("DID  {did}\n")));
    assert!(differs("DID  did:icn:z…", "DID  did:icn:zz\n"));
    assert!(differs("DID  did:icn:z…", &format!("DID {did}\n")));
    assert!(!differs("until 2026-01-01T00:00:00Z.", "until 2031-12-31T23:59:59Z.\n"));
    assert!(differs("until 2026-01-01T00:00:00Z", "until never\n"));
    assert!(!differs("of … MiB, … left", "of 5 MiB, 3 left\n"));
    assert!(differs("of … MiB, … left", "of 5 MiB\n"));
    assert!(!differs("in /home/reader/.icn", "in /tmp/somewhere/home/reader/.icn\n"));
}
