//! `icnctl id rotation verify --known`: who kept the chain is not led off.

use super::*;

struct Peer {
    /// The chain that was followed: to `two`, which commits to `three`.
    known: String,
    two: Home,
    three: Home,
}

fn peer() -> Peer {
    let [one, two, three] = [PASSPHRASE, OTHER, OTHER].map(identity);
    let known = rotated(&one, &two, &["--commit-next", &did(&three)]);
    Peer { known, two, three }
}

/// `home`, as a thief of its key has it: without the chain.
fn robbed(home: &Home) -> Home {
    let stolen = Home::new().with("ICN_PASSPHRASE", OTHER);
    for name in ["icn.toml", "identity.json", "identity.age"] {
        std::fs::copy(home.path(name), stolen.path(name)).unwrap();
    }
    older::edit_payload(&stolen, OTHER, |payload| {
        payload["rotation_chain"] = Vec::<u8>::new().into()
    });
    stolen
}

#[test]
fn a_thief_who_leaves_the_commitment_out_is_refused_by_who_kept_the_chain() {
    let peer = peer();
    let thief = identity(OTHER);
    let evil = rotated(&robbed(&peer.two), &thief, &[]);
    let (two, thief) = (did(&peer.two), did(&thief));
    let home = Home::new();
    let verify = |args: &[&str]| home.icnctl(&[&["id", "rotation", "verify"], args].concat(), b"");

    // Who kept the DID only cannot tell, and is told so.
    let ran = verify(&[&evil, "--from", &two]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    let told = format!("as good only as if no commitment had been made before {two}");
    assert!(ran.out.contains(&told) && ran.out.contains("with --known FILE"), "{}", ran.out);

    let ran = verify(&[&evil, "--from", &two, "--known", &peer.known]);
    assert_eq!(ran.code, 1);
    let told = format!("rotates to {thief}, and its old key had committed to another key");
    assert!(
        ran.out.starts_with("not valid: statement 1 ") && ran.out.contains(&told),
        "{}",
        ran.out
    );
    let ran = verify(&[&evil, "--known", &peer.known, "--format", "json"]);
    let report: Value = serde_json::from_str(&ran.out).unwrap();
    assert_eq!((ran.code, &report["valid"]), (1, &false.into()));

    let owners = rotated(&peer.two, &peer.three, &[]);
    let ran = verify(&[&owners, "--from", &two, "--known", &peer.known]);
    assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    assert!(ran.out.contains("goes on from the chain followed before, of 1"), "{}", ran.out);
    assert!(!ran.out.contains("--known"), "{}", ran.out);
    let ran = verify(&[&evil, "--known", &owners]);
    assert_eq!(ran.code, 1);
    assert!(ran.out.contains(&format!("the chain forks at {two}")), "{}", ran.out);
    // Cut short, and a stranger's.
    let strangers = [PASSPHRASE, OTHER].map(identity);
    let strange = rotated(&strangers[0], &strangers[1], &[]);
    for file in [&peer.known, &strange] {
        let ran = verify(&[file, "--known", &owners]);
        assert_eq!(ran.code, 1);
        assert!(ran.out.contains(&format!("{} is not in the chain", did(&peer.three))));
    }
}

#[test]
fn a_known_chain_that_is_bad_tells_nothing() {
    let peer = peer();
    let bad = peer.three.beside("bad.json");
    let changed = std::fs::read_to_string(&peer.known).unwrap().replace("scheduled", "upgrade");
    for (text, told) in [("{", "this is no rotation statement"), (&changed, "was not signed by")] {
        std::fs::write(&bad, text).unwrap();
        let verify = ["id", "rotation", "verify", &peer.known, "--known", bad.to_str().unwrap()];
        let ran = Home::new().icnctl(&verify, b"");
        assert_eq!((ran.code, ran.out.as_str()), (2, ""), "{}", ran.err);
        assert!(ran.err.contains("the chain that was followed before, "), "{}", ran.err);
        assert!(ran.err.contains(told) && ran.err.contains("  try: "), "{}", ran.err);
    }
}
