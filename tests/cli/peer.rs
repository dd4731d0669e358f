//! `icnctl peer`: the book of peers, beside the services that use it.

use icn_identity::peer::PeerBook;
use icn_identity::rotation::{RotationReason, RotationTerms};
use icn_identity::{Did, Key, RotationChain, RotationStatement, Software, Unlocked};
use support::home::Home;

fn key() -> Key<Software, Unlocked> {
    Key::generate().unwrap()
}

fn json(home: &Home, args: &[&str]) -> serde_json::Value {
    serde_json::from_str(&home.ok(&[&["--format", "json", "peer"], args].concat(), b"")).unwrap()
}

#[test]
fn peers_are_allowed_listed_followed_and_removed() {
    let home = Home::new();
    let (old, new, other) = (key(), key(), key());
    let [one, two, three] = [&old, &new, &other].map(|key| key.did().as_str());
    let listed = home.icnctl(&["peer", "list"], b"");
    assert_eq!((listed.code, listed.out.as_str()), (0, ""));
    assert!(listed.err.contains("nobody is in the book of peers"), "{}", listed.err);
    let told = home.ok(&["peer", "allow", one, "--name", "the bank"], b"");
    let place = home.path("peers").display().to_string();
    assert_eq!(told, format!("{one} is accepted, by the book in {place}.\n"));
    assert_eq!(json(&home, &["allow", one])["book"], place);
    assert_eq!(json(&home, &["allow", three])["new"], true);
    assert_eq!(json(&home, &["allow", three])["new"], false);
    // The book of a service, which has it open.
    let book = PeerBook::open(home.path("peers")).unwrap();
    assert!(book.contains(old.did()).unwrap());
    assert_eq!(home.ok(&["peer", "list"], b""), format!("{one}  the bank\n{three}  \n"));

    let terms = RotationTerms::new(RotationReason::Scheduled);
    let statement = RotationStatement::sign_unguarded(&old, &new, None, &terms).unwrap();
    let chain = RotationChain::verify([statement]).unwrap();
    std::fs::write(home.beside("chain.json"), chain.to_json()).unwrap();
    let file = home.beside("chain.json");
    let told = home.ok(&["peer", "follow", file.to_str().unwrap()], b"");
    assert!(told.starts_with(&format!("{two} is accepted in the place")), "{told}");
    let told = json(&home, &["follow", file.to_str().unwrap()]);
    assert_eq!((&told["did"], &told["moved"]), (&two.into(), &false.into()));
    let listed = json(&home, &["list"]);
    assert_eq!(listed[0], serde_json::json!({ "did": two, "name": "the bank", "before": [one] }));
    assert!(!book.contains(old.did()).unwrap() && book.contains(new.did()).unwrap());
    let refused = home.fails(&["peer", "allow", one], b"", &[&format!("has become {two}")]);
    assert!(refused.err.contains("try: "), "{}", refused.err);

    // By its earlier DID it is removed as well, and it is said who that is now.
    let told = home.ok(&["peer", "remove", one], b"");
    assert_eq!(
        told,
        format!("{one} has become {two}, which is refused from the next handshake on.\n")
    );
    assert!(!book.contains(new.did()).unwrap());
    home.ok(&["peer", "allow", two, "--name", "the bank"], b"");
    let told = json(&home, &["remove", one]);
    assert_eq!(told, serde_json::json!({ "did": two, "given": one, "forgotten": false }));
    home.ok(&["peer", "allow", two], b"");
    let told = home.ok(&["peer", "remove", two], b"");
    assert_eq!(told, format!("{two} is refused from the next handshake on.\n"));
    assert!(!book.contains(new.did()).unwrap());
    let told = ["is not in the book of peers", "icnctl peer list"];
    home.fails(&["peer", "remove", two], b"", &told);
    // Also what was removed is known, until it is to be forgotten.
    home.fails(&["peer", "allow", one], b"", &["has become"]);
    let told = json(&home, &["remove", "--forget", one]);
    assert_eq!(told, serde_json::json!({ "did": two, "given": one, "forgotten": true }));
    home.ok(&["peer", "allow", one], b"");
}

#[test]
fn what_is_no_peer_is_refused_before_a_book_is_made() {
    let home = Home::new();
    home.fails(&["peer", "allow", "did:web:example"], b"", &["try: give a DID like"]);
    assert!(!home.path("peers").exists());
    let stranger = key();
    let terms = RotationTerms::new(RotationReason::Manual);
    let statement = RotationStatement::sign_unguarded(&stranger, &key(), None, &terms).unwrap();
    let chain = RotationChain::verify([statement]).unwrap().to_json();
    home.fails(&["peer", "follow", "-"], &chain, &["nobody in the book", "icnctl peer list"]);
    home.fails(&["peer", "follow", "-"], b"[]", &["there is no rotation statement"]);
    home.fails(&["peer", "allow", stranger.did().as_str(), "--name", "a\u{7}b"], b"", &["name"]);
    // Another book than that of the home.
    let elsewhere = home.beside("book");
    let book = elsewhere.to_str().unwrap();
    home.ok(&["peer", "--book", book, "allow", stranger.did().as_str()], b"");
    assert!(PeerBook::open(&elsewhere).unwrap().contains(stranger.did()).unwrap());
    assert_eq!(home.ok(&["peer", "list"], b""), "");
}

/// By processes at the same time: no change is lost, each is seen by who has the book open.
#[test]
fn processes_that_write_at_the_same_time_lose_nothing() {
    let home = Home::new();
    let book = PeerBook::open(home.path("peers")).unwrap();
    let dids: Vec<Did> = (0..12).map(|_| key().did().clone()).collect();
    std::thread::scope(|scope| {
        for did in &dids {
            scope.spawn(|| home.ok(&["peer", "allow", did.as_str(), "--name", "one of many"], b""));
        }
        for _ in 0..4 {
            // In this process, by the lock between its threads.
            scope.spawn(|| book.allow(key().did(), "here").unwrap());
        }
    });
    assert!(dids.iter().all(|did| book.contains(did).unwrap()));
    assert_eq!(book.list().unwrap().len(), 16);
}

/// A book that no service reads lets nobody in.
#[test]
fn a_home_that_is_none_gets_no_book() {
    let home = Home::new();
    let did = key().did().to_string();
    let missing = home.beside("missing").to_str().unwrap().to_owned();
    for command in [&["peer", "allow", &did][..], &["peer", "list"]] {
        home.fails(
            &[&["--home", &missing][..], command].concat(),
            b"",
            &["there is no identity in", "--home", "--book"],
        );
        home.fails(
            &[&["--home", "/usr"][..], command].concat(),
            b"",
            &["/usr is not safe to use: there is no identity in it"],
        );
        assert!(!home.beside("missing").exists());
        assert!(!std::path::Path::new("/usr/peers").exists());
        home.chmod("", 0o755);
        home.fails(command, b"", &["its mode is 0755", "chmod 700"]);
        home.chmod("", 0o700);
        home.icnctl(command, b"");
    }
    let listed = home.icnctl(&["peer", "list"], b"");
    assert_eq!((listed.code, listed.out.lines().count()), (0, 1));
}
