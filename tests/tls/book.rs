//! The book of peers: processes, restarts, removals, replays.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use icn_identity::bundle::{BindingNumber, Instance};
use icn_identity::peer::{BookError, Followed, PeerBook, Refusal, Removed};
use icn_identity::rotation::{
    KeyCommitment, RotationChain, RotationError, RotationReason, RotationStatement, RotationTerms,
};
use icn_identity::tls::{
    Highest, PeerError, SequenceError, SequenceStore as _, Server, TlsIdentity,
};
use icn_identity::{Did, DidMethod, Error};

use crate::craft::variant;
use crate::wire::{Ended, handshake};
use crate::{Bundle, anybody, bundle};

struct Shelf(tempfile::TempDir);

impl Shelf {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// As another process opens it: nothing is shared but the files.
    fn book(&self) -> PeerBook {
        PeerBook::open(self.path("")).unwrap()
    }

    fn path(&self, name: &str) -> std::path::PathBuf {
        self.0.path().join("peers").join(name)
    }

    fn list(&self) -> String {
        fs::read_to_string(self.path("peers.json")).unwrap()
    }
}

fn server(book: &PeerBook) -> Server {
    bundle().tls_server(&book.verifier()).unwrap()
}

fn meets(server: &Server, peer: &Bundle) -> Result<(), String> {
    let client = Arc::new(peer.tls_client_config(&anybody()).unwrap());
    match handshake(server, &client) {
        Ok((connection, _)) => {
            assert_eq!(connection.peer().unwrap().did(), peer.did());
            Ok(())
        }
        Err(Ended::ByServer(error)) => Err(variant(&error)),
        Err(other) => panic!("{other:?}"),
    }
}

fn names(book: &PeerBook) -> Vec<(Did, String)> {
    let peers = book.list().unwrap();
    peers.iter().map(|peer| (peer.did().clone(), peer.name().to_owned())).collect()
}

fn rotated(from: &Bundle, to: &Bundle, next: Option<&Bundle>) -> RotationStatement {
    let terms = RotationTerms::new(RotationReason::Scheduled);
    let terms = match next {
        Some(next) => terms.commit_to(KeyCommitment::to(next.did().verifying_key())),
        None => terms,
    };
    RotationStatement::sign_unguarded(from.signer(), to.signer(), None, &terms).unwrap()
}

#[test]
fn a_peer_comes_and_goes_in_every_process_at_the_next_handshake() {
    let (shelf, alice, bob) = (Shelf::new(), bundle(), bundle());
    let books = [shelf.book(), shelf.book(), shelf.book()];
    let servers = [server(&books[1]), server(&books[2])];
    let all = |peer: &Bundle| servers.each_ref().map(|server| meets(server, peer).is_ok());
    assert_eq!([all(&alice), all(&bob)], [[false; 2]; 2]);
    assert!(books[0].allow(alice.did(), "alice").unwrap());
    assert_eq!([all(&alice), all(&bob)], [[true; 2], [false; 2]]);
    assert!(books[1].allow(bob.did(), "").unwrap());
    assert_eq!([all(&alice), all(&bob)], [[true; 2]; 2]);
    // Again: another name, nobody new.
    assert!(!books[2].allow(bob.did(), "bob").unwrap());
    let both = vec![(alice.did().clone(), "alice".into()), (bob.did().clone(), "bob".into())];
    for book in &books {
        assert_eq!(names(book), both);
    }
    let client = Arc::new(alice.tls_client_config(&anybody()).unwrap());
    let (open, _client) = handshake(&servers[0], &client).unwrap();
    assert!(removed(books[2].remove(alice.did()), alice.did()));
    assert!(nobody(books[0].remove(alice.did())));
    assert_eq!([all(&alice), all(&bob)], [[false; 2], [true; 2]]);
    assert_eq!(meets(&servers[0], &alice), Err("NotExpected".into()));
    let refused = open.peer().unwrap_err();
    assert!(matches!(refused, PeerError::Refused(Refusal::NotExpected { .. })), "{refused}");
    assert_eq!(names(&shelf.book()), both[1..]);
}

/// Each by a book of its own, as processes have it.
#[test]
fn no_change_of_several_writers_is_lost() {
    let shelf = Shelf::new();
    let dids: Vec<Did> = (0..24).map(|_| bundle().did().clone()).collect();
    std::thread::scope(|scope| {
        for part in dids.chunks(6) {
            let book = shelf.book();
            scope.spawn(move || {
                for did in part {
                    book.allow(did, "one of many").unwrap();
                }
                assert!(removed(book.remove(&part[0]), &part[0]));
            });
        }
    });
    let book = shelf.book();
    let kept = book.list().unwrap().len();
    assert_eq!(kept, 20);
    for (at, did) in dids.iter().enumerate() {
        assert_eq!(book.contains(did).unwrap(), at % 6 != 0);
    }
}

#[test]
fn numbers_of_several_writers_are_compared_and_remembered_in_one_step() {
    let (shelf, did, shared) =
        (Shelf::new(), bundle().did().clone(), Instance::from_bytes([1; 16]));
    let admitted = AtomicU64::new(0);
    std::thread::scope(|scope| {
        for start in 0..4 {
            let (book, did, shared, admitted) = (shelf.book(), &did, &shared, &admitted);
            scope.spawn(move || {
                for step in (start..80_u64).step_by(4) {
                    let before = admitted.load(Ordering::SeqCst);
                    let number = BindingNumber { epoch: step / 10, sequence: step };
                    match book.admit(did, shared, number) {
                        Ok(()) => {
                            assert!(step >= before, "{step} after {before}");
                            admitted.fetch_max(step, Ordering::SeqCst);
                        }
                        Err(SequenceError::Store(error)) => panic!("{error}"),
                        Err(_) => {}
                    }
                }
            });
        }
    });
    assert_eq!(admitted.into_inner(), 79);
    assert_eq!(shelf.book().highest(&did, &shared).unwrap(), Highest::new(7, Some(79)));
}

/// A stolen TLS key stays of no use: after a restart, in another process, and after the
/// peer was removed and allowed again.
#[test]
fn what_was_seen_survives_restarts_and_removals() {
    let (shelf, alice) = (Shelf::new(), bundle());
    let book = shelf.book();
    book.allow(alice.did(), "alice").unwrap();
    let stolen = TlsIdentity::fixed(&alice);
    let stolen = Arc::new(stolen.client_config(&anybody()).unwrap());
    let uses = |server: &Server| match handshake(server, &stolen) {
        Ok(_) => Ok(()),
        Err(Ended::ByServer(error)) => Err(variant(&error)),
        Err(other) => panic!("{other:?}"),
    };
    let (one, two) = (server(&book), server(&shelf.book()));
    uses(&one).unwrap();
    alice.renew().unwrap();
    uses(&two).unwrap();
    meets(&one, &alice).unwrap();
    assert_eq!(uses(&two), Err("Superseded".into()));
    drop((one, book));
    assert_eq!(uses(&server(&shelf.book())), Err("Superseded".into()));
    let book = shelf.book();
    assert!(removed(book.remove(alice.did()), alice.did()));
    assert_eq!(uses(&two), Err("NotExpected".into()));
    assert!(book.allow(alice.did(), "again").unwrap());
    assert_eq!(uses(&two), Err("Superseded".into()));
    meets(&two, &alice).unwrap();
    // And an epoch.
    alice.renew_all_instances().unwrap();
    meets(&two, &alice).unwrap();
    assert!(removed(book.remove(alice.did()), alice.did()));
    book.allow(alice.did(), "again").unwrap();
    assert_eq!(uses(&server(&shelf.book())), Err("EarlierEpoch".into()));
    // Only who says that it is to be forgotten has it so.
    assert!(removed(book.forget(alice.did()), alice.did()));
    assert!(nobody(book.forget(alice.did())));
    book.allow(alice.did(), "").unwrap();
    uses(&two).unwrap();
}

#[test]
fn numbers_that_are_forgotten_without_a_peer_are_told() {
    let (shelf, alice) = (Shelf::new(), bundle());
    let book = shelf.book();
    book.allow(alice.did(), "").unwrap();
    meets(&server(&book), &alice).unwrap();
    // The list is lost, and the numbers are not.
    fs::remove_file(shelf.path("peers.json")).unwrap();
    assert!(removed(book.forget(alice.did()), alice.did()));
    assert!(nobody(book.forget(alice.did())));
}

#[test]
fn a_verified_did_equals_the_did_that_was_proven_and_no_other() {
    let (shelf, alice) = (Shelf::new(), bundle());
    let book = shelf.book();
    book.allow(alice.did(), "").unwrap();
    let client = Arc::new(alice.tls_client_config(&anybody()).unwrap());
    let (connection, _) = handshake(&server(&book), &client).unwrap();
    let peer = connection.peer().unwrap();
    assert!(*peer.did() == *alice.did());
    assert!(*peer.did() != *bundle().did());
    assert!(*peer.did() != as_did_key(&alice));
}

/// A number that is known costs no write and no lock.
#[test]
fn a_peer_that_shows_the_same_certificate_again_changes_no_file() {
    let (shelf, alice, bob) = (Shelf::new(), bundle(), bundle());
    let book = shelf.book();
    book.allow(alice.did(), "").unwrap();
    book.allow(bob.did(), "").unwrap();
    let server = server(&book);
    meets(&server, &alice).unwrap();
    let file = shelf.path(&format!("seen/{}.json", alice.did()));
    let inode = |path: &Path| std::os::unix::fs::MetadataExt::ino(&fs::metadata(path).unwrap());
    let before = inode(&file);
    let lock = fs::File::open(shelf.path(".lock")).unwrap();
    lock.lock().unwrap();
    meets(&server, &alice).unwrap();
    lock.unlock().unwrap();
    assert_eq!(inode(&file), before);
    meets(&server, &bob).unwrap();
    assert_eq!(fs::read_dir(shelf.path("seen")).unwrap().count(), 2);
}

/// What cannot be remembered is not accepted: the number would be forgotten.
#[test]
fn a_number_that_cannot_be_written_is_refused() {
    let (shelf, alice) = (Shelf::new(), bundle());
    let book = shelf.book();
    book.allow(alice.did(), "").unwrap();
    let server = server(&book);
    meets(&server, &alice).unwrap();
    alice.renew().unwrap();
    // A directory where its file should be: nobody can write that, root neither.
    let file = shelf.path(&format!("seen/{}.json", alice.did()));
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    assert_eq!(meets(&server, &alice), Err("Sequences".into()));
    fs::remove_dir(&file).unwrap();
    meets(&server, &alice).unwrap();
}

#[test]
fn a_book_that_is_damaged_newer_or_open_to_others_accepts_nobody() {
    let (shelf, alice) = (Shelf::new(), bundle());
    let book = shelf.book();
    book.allow(alice.did(), "").unwrap();
    let server = server(&book);
    meets(&server, &alice).unwrap();
    let (path, good) = (shelf.path("peers.json"), shelf.list());
    let newer = good.replace("\"version\": 1", "\"version\": 2");
    let twice = {
        let mut json: serde_json::Value = serde_json::from_str(&good).unwrap();
        let entry = json["peers"][0].clone();
        json["peers"].as_array_mut().unwrap().push(entry);
        json.to_string()
    };
    let extra = good.replace("\"version\": 1", "\"version\": 1, \"more\": 1");
    let old = good.replace("\"version\": 1", "\"version\": 0");
    for (text, told) in [
        (newer.as_str(), "the book of peers has version 2; this program reads up to version 1"),
        (&twice, "is not valid"),
        (&extra, "is not valid"),
        (&old, "is not valid"),
        (&good[..good.len() / 2], "is not valid"),
        ("", "is not valid"),
    ] {
        fs::write(&path, text).unwrap();
        assert_eq!(meets(&server, &alice), Err("Book".into()), "{text}");
        let error = Error::from(book.allow(alice.did(), "").unwrap_err());
        assert!(error.to_string().contains(told), "{error}");
        assert!(error.help().is_some());
        // What is not understood is not written over.
        assert_eq!(shelf.list(), text);
        assert!(PeerBook::open(shelf.path("")).is_err());
    }
    fs::write(&path, &good).unwrap();
    meets(&server, &alice).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o644)).unwrap();
    assert_eq!(meets(&server, &alice), Err("Book".into()));
    fs::set_permissions(&path, Permissions::from_mode(0o600)).unwrap();
    // What was seen.
    let seen = shelf.path(&format!("seen/{}.json", alice.did()));
    let good = fs::read_to_string(&seen).unwrap();
    let other = good.replace(alice.did().as_str(), bundle().did().as_str());
    for text in [&other, &good.replace("\"version\":1", "\"version\":2"), "{}"] {
        fs::write(&seen, text).unwrap();
        assert_eq!(meets(&server, &alice), Err("Sequences".into()), "{text}");
    }
    fs::write(&seen, &good).unwrap();
    meets(&server, &alice).unwrap();
    // Without the list nobody is in it; what was seen stays.
    fs::remove_file(&path).unwrap();
    assert_eq!(meets(&server, &alice), Err("NotExpected".into()));
    assert!(seen.is_file());
}

#[test]
fn a_book_in_a_directory_that_others_can_write_is_not_opened() {
    let (shelf, alice) = (Shelf::new(), bundle());
    shelf.book().allow(alice.did(), "").unwrap();
    for name in ["", "seen"] {
        let directory = shelf.path(name);
        fs::set_permissions(&directory, Permissions::from_mode(0o777)).unwrap();
        let error = PeerBook::open(shelf.path("")).unwrap_err();
        let told = Error::from(error).to_string();
        assert!(told.contains(directory.to_str().unwrap().trim_end_matches('/')), "{told}");
        fs::set_permissions(&directory, Permissions::from_mode(0o700)).unwrap();
    }
    assert!(shelf.book().contains(alice.did()).unwrap());
}

#[test]
fn a_peer_whose_chain_leads_to_another_did_is_not_given() {
    let [one, two, other] = std::array::from_fn(|_| bundle());
    let shelf = Shelf::new();
    let book = shelf.book();
    book.allow(one.did(), "").unwrap();
    book.follow(&RotationChain::verify([rotated(&one, &two, None)]).unwrap()).unwrap();
    assert_eq!(book.find(two.did()).unwrap().unwrap().did(), two.did());
    let mut json: serde_json::Value = serde_json::from_str(&shelf.list()).unwrap();
    json["peers"][0]["did"] = other.did().as_str().into();
    fs::write(shelf.path("peers.json"), json.to_string()).unwrap();
    for error in [book.find(other.did()).unwrap_err(), book.list().unwrap_err()] {
        assert!(matches!(error, BookError::Damaged { .. }), "{error}");
        let source = std::error::Error::source(&error).unwrap().to_string();
        assert!(source.contains("does not lead to it"), "{source}");
    }
}

#[test]
fn a_peer_is_found_by_each_did_it_had_until_it_is_removed() {
    let [alice, one, two] = std::array::from_fn(|_| bundle());
    let shelf = Shelf::new();
    let book = shelf.book();
    book.allow(alice.did(), "alice").unwrap();
    book.allow(one.did(), "bank").unwrap();
    book.follow(&RotationChain::verify([rotated(&one, &two, None)]).unwrap()).unwrap();
    let name = |did: &Did| book.find(did).unwrap().map(|peer| peer.name().to_owned());
    assert_eq!(name(alice.did()).as_deref(), Some("alice"));
    assert_eq!(name(one.did()).as_deref(), Some("bank"));
    assert_eq!(name(two.did()).as_deref(), Some("bank"));
    assert_eq!(name(bundle().did()), None);
    assert!(removed(book.remove(two.did()), two.did()));
    assert_eq!((name(one.did()), name(two.did())), (None, None));
}

#[test]
fn files_of_a_book_are_private_and_what_a_killed_writer_left_is_swept_away() {
    let (shelf, alice) = (Shelf::new(), bundle());
    let book = shelf.book();
    book.allow(alice.did(), "").unwrap();
    meets(&server(&book), &alice).unwrap();
    let seen = format!("seen/{}.json", alice.did());
    for (name, mode) in [("", 0o700), ("seen", 0o700), ("peers.json", 0o600), (&seen, 0o600)] {
        let metadata = fs::metadata(shelf.path(name)).unwrap();
        assert_eq!(metadata.permissions().mode() & 0o7777, mode, "{name}");
    }
    let left =
        [".peers.json.0123456789abcdef01234567", "seen/.did:icn:z1.json.0123456789abcdef01234567"];
    for name in left {
        fs::write(shelf.path(name), "half").unwrap();
    }
    let other = shelf.path("seen/notes.txt");
    fs::write(&other, "mine").unwrap();
    drop(shelf.book());
    assert!(left.iter().all(|name| !shelf.path(name).exists()));
    assert!(other.exists() && shelf.path(&seen).exists());
}

#[test]
fn a_name_is_one_short_line_and_a_full_book_takes_no_more() {
    let (shelf, alice) = (Shelf::new(), bundle());
    let book = shelf.book();
    for name in ["two\nlines", "\u{1b}[2J", &"x".repeat(257)] {
        let error = book.allow(alice.did(), name).unwrap_err();
        assert!(matches!(error, BookError::Name { limit: 256 }), "{error}");
    }
    assert!(!shelf.path("peers.json").exists());
    let longest = "x".repeat(256);
    book.allow(alice.did(), &longest).unwrap();
    let one = shelf.list().len();
    let second = bundle_did();
    book.allow(&second, &longest).unwrap();
    let around = shelf.list().len() - one - second.to_string().len();
    // Nearly as many as fit, by hand: each of ours is read and synced. DIDs differ in length.
    let mut json: serde_json::Value = serde_json::from_str(&shelf.list()).unwrap();
    let (mut peers, mut length) = (Vec::new(), one);
    while length < 768 * 1024 - 1200 {
        let did = bundle_did().to_string();
        length += around + did.len();
        peers.push(serde_json::json!({ "did": did, "name": longest, "allowed": true }));
    }
    json["peers"] = peers.into();
    let text = serde_json::to_string(&json).unwrap();
    assert!(text.len() < 768 * 1024);
    fs::write(shelf.path("peers.json"), &text).unwrap();
    let mut last = Ok(true);
    for _ in 0..6 {
        last = book.allow(&bundle_did(), &longest);
        if last.is_err() {
            break;
        }
    }
    let error = last.unwrap_err();
    assert!(matches!(error, BookError::Full { limit: 786_432 }), "{error}");
    // What is there is still read, and can be made less.
    let first = book.list().unwrap()[0].did().clone();
    assert!(removed(book.forget(&first), &first));
    book.allow(&bundle_did(), "").unwrap();
}

fn bundle_did() -> Did {
    let key = icn_identity::Key::<icn_identity::Software, icn_identity::Unlocked>::generate();
    key.unwrap().did().clone()
}

#[test]
fn a_pin_in_the_book_follows_a_chain_and_keeps_it() {
    let [one, two, three, other, thief] = std::array::from_fn(|_| bundle());
    let shelf = Shelf::new();
    let (book, elsewhere) = (shelf.book(), shelf.book());
    book.allow(one.did(), "the bank").unwrap();
    book.allow(other.did(), "other").unwrap();
    let server = server(&elsewhere);
    let first = rotated(&one, &two, Some(&three));
    let chain = RotationChain::verify([first.clone()]).unwrap();
    let strange = RotationChain::verify([rotated(&bundle(), &bundle(), None)]).unwrap();
    assert_eq!(book.follow(&strange).unwrap(), Followed::Nobody);
    assert_eq!(book.follow_statement(first).unwrap(), Followed::Moved { to: two.did().clone() });
    assert_eq!(book.follow(&chain).unwrap(), Followed::Unchanged);
    let all = |peers: [&Bundle; 4]| peers.map(|peer| meets(&server, peer).is_ok());
    assert_eq!(all([&one, &two, &three, &other]), [false, true, false, true]);
    let named = vec![(two.did().clone(), "the bank".into()), (other.did().clone(), "other".into())];
    assert_eq!(names(&elsewhere), named);
    assert_eq!(elsewhere.list().unwrap()[0].chain(), Some(&chain));
    for did in [&one, &two].map(|peer| peer.did()) {
        assert_eq!(elsewhere.find(did).unwrap().unwrap().did(), two.did());
    }
    assert_eq!(elsewhere.find(three.did()).unwrap(), None);
    // The old key is not taken back by mistake.
    let error = book.allow(one.did(), "").unwrap_err();
    assert!(matches!(&error, BookError::Replaced { present, .. } if present == two.did()));

    // After a restart the chain is still known: a thief of the key of `two` who leaves out
    // what was committed to leads nowhere, and nothing is changed.
    let evil = RotationChain::verify([rotated(&two, &thief, None)]).unwrap();
    let before = shelf.list();
    let error = shelf.book().follow(&evil).unwrap_err();
    let BookError::Rotation(error) = &error else { panic!("{error}") };
    assert!(matches!(error, RotationError::CommitmentBroken { .. }), "{error}");
    assert!(shelf.book().follow_statement(rotated(&two, &thief, None)).is_err());
    assert_eq!(shelf.list(), before);
    // Nor when the peer was removed in between.
    assert!(removed(book.remove(two.did()), two.did()));
    assert!(shelf.book().follow(&evil).is_err());
    assert!(book.allow(one.did(), "").is_err());
    // Its own next step is followed, and does not let it in again.
    let terms = RotationTerms::new(RotationReason::Scheduled);
    let next =
        RotationStatement::sign_unguarded(two.signer(), three.signer(), Some(&chain), &terms)
            .unwrap();
    assert_eq!(book.follow_statement(next).unwrap(), Followed::Moved { to: three.did().clone() });
    assert_eq!(all([&one, &two, &three, &other]), [false, false, false, true]);
    book.allow(three.did(), "the bank again").unwrap();
    assert_eq!(all([&one, &two, &three, &other]), [false, false, true, true]);
}

#[test]
fn two_pins_of_one_chain_become_one_and_a_removed_one_stays_so() {
    let [one, two] = std::array::from_fn(|_| bundle());
    let chain = RotationChain::verify([rotated(&one, &two, None)]).unwrap();
    let shelf = Shelf::new();
    let book = shelf.book();
    book.allow(two.did(), "").unwrap();
    book.allow(one.did(), "old").unwrap();
    assert_eq!(book.follow(&chain).unwrap(), Followed::Moved { to: two.did().clone() });
    assert_eq!(names(&book), [(two.did().clone(), "old".into())]);

    let shelf = Shelf::new();
    let book = shelf.book();
    book.allow(one.did(), "").unwrap();
    book.allow(two.did(), "").unwrap();
    assert!(removed(book.remove(two.did()), two.did()));
    book.follow(&chain).unwrap();
    assert_eq!(book.list().unwrap(), []);
}

/// The other DID of a bundle's key.
fn as_did_key(bundle: &Bundle) -> Did {
    let did = Did::from_key(DidMethod::Key, bundle.did().verifying_key()).unwrap();
    assert_ne!(did, *bundle.did());
    did
}

/// `did:icn` and `did:key` of one key are two DIDs, and a key that was handed over is one.
#[test]
fn a_key_that_was_handed_over_is_not_accepted_by_its_other_did() {
    let [one, two, other] = std::array::from_fn(|_| bundle());
    let chain = RotationChain::verify([rotated(&one, &two, None)]).unwrap();
    let (was, now) = (as_did_key(&one), as_did_key(&two));
    // In the book before, it goes with its key.
    let shelf = Shelf::new();
    let book = shelf.book();
    for (did, name) in [(one.did(), "the bank"), (&was, "its other DID"), (other.did(), "other")] {
        book.allow(did, name).unwrap();
    }
    assert_eq!(book.follow(&chain).unwrap(), Followed::Moved { to: two.did().clone() });
    let names_now = [(two.did().clone(), "the bank; its other DID".into())];
    assert_eq!(names(&book)[..1], names_now);
    assert!(!book.contains(&was).unwrap() && book.contains(other.did()).unwrap());
    // Nor is it taken in afterwards, in any process, or when the peer was removed.
    for book in [&book, &shelf.book()] {
        let error = book.allow(&was, "").unwrap_err();
        assert!(matches!(&error, BookError::Replaced { present, .. } if present == two.did()));
    }
    assert_eq!(book.follow(&chain).unwrap(), Followed::Unchanged);
    // Whoever means the key by its other DID means the peer.
    assert!(removed(book.remove(&was), two.did()));
    assert!(book.allow(&was, "").is_err());
    assert!(!book.contains(two.did()).unwrap());
    // The present key has not handed over: its other DID is another peer, as ever.
    assert!(book.allow(&now, "").unwrap());

    // A list of DIDs in memory, the same.
    let allowed = [one.did(), &was, other.did()].map(Clone::clone);
    let client = icn_identity::tls::DidVerifier::allowed(allowed);
    assert!(client.follow(&chain).unwrap());
    let shown = format!("{client:?}");
    assert!(shown.contains("Allowed(2 DIDs)"), "{shown}");
}

/// None is lost: not by a chain, and not by who lets it in once more.
#[test]
fn a_peer_keeps_its_name() {
    let [one, two] = std::array::from_fn(|_| bundle());
    let chain = RotationChain::verify([rotated(&one, &two, None)]).unwrap();
    let long = "n".repeat(256);
    for (before, present, expected) in [
        ("the bank", "", "the bank"),
        ("", "the bank", "the bank"),
        ("the bank", "the bank", "the bank"),
        ("the bank", "its new key", "its new key; the bank"),
        (&long, "new", "new"),
        ("old", &long, &long),
    ] {
        let shelf = Shelf::new();
        let book = shelf.book();
        book.allow(one.did(), before).unwrap();
        book.allow(two.did(), present).unwrap();
        book.follow(&chain).unwrap();
        assert_eq!(names(&book), [(two.did().clone(), expected.to_owned())]);
        book.allow(two.did(), "").unwrap();
        assert_eq!(names(&book), [(two.did().clone(), expected.to_owned())]);
        book.allow(two.did(), "another").unwrap();
        assert_eq!(names(&book), [(two.did().clone(), "another".into())]);
    }
}

/// Whoever removes a peer by a DID that it had means the peer: it must not stay accepted.
#[test]
fn a_peer_is_removed_by_an_earlier_did_of_its_chain_too() {
    let [one, two, three] = std::array::from_fn(|_| bundle());
    let first = RotationChain::verify([rotated(&one, &two, None)]).unwrap();
    let terms = RotationTerms::new(RotationReason::Scheduled);
    let next =
        RotationStatement::sign_unguarded(two.signer(), three.signer(), Some(&first), &terms)
            .unwrap();
    let chain = first.continued(next).unwrap();
    for earlier in [one.did(), two.did()] {
        let shelf = Shelf::new();
        let book = shelf.book();
        book.allow(one.did(), "the bank").unwrap();
        let server = server(&shelf.book());
        meets(&server, &one).unwrap();
        book.follow(&chain).unwrap();
        meets(&server, &three).unwrap();
        assert!(removed(book.remove(earlier), three.did()));
        assert!(nobody(book.remove(earlier)));
        assert_eq!(meets(&server, &three), Err("NotExpected".into()));
        assert!(!book.contains(three.did()).unwrap());
        assert_eq!(book.find(earlier).unwrap(), None);
        // What was seen of it is forgotten by any of its DIDs, too, under each of them.
        let seen = [&one, &three].map(|peer| shelf.path(&format!("seen/{}.json", peer.did())));
        assert!(seen.iter().all(|seen| seen.exists()));
        assert!(removed(book.forget(earlier), three.did()));
        assert!(seen.iter().all(|seen| !seen.exists()));
        assert!(nobody(book.forget(earlier)) && nobody(book.forget(three.did())));
        // Nothing is known of the chain any more.
        assert!(book.allow(one.did(), "").unwrap());
        assert!(nobody(book.remove(two.did())));
    }
}

/// Whichever is first, the peer is not accepted when both are done.
#[test]
fn a_removal_beside_a_process_that_follows_is_not_lost() {
    for _ in 0..24 {
        let [one, two] = std::array::from_fn(|_| bundle());
        let chain = RotationChain::verify([rotated(&one, &two, None)]).unwrap();
        let shelf = Shelf::new();
        shelf.book().allow(one.did(), "the bank").unwrap();
        let start = std::sync::Barrier::new(2);
        let removed = std::thread::scope(|scope| {
            let follows = scope.spawn(|| {
                let book = shelf.book();
                start.wait();
                book.follow(&chain).unwrap()
            });
            let book = shelf.book();
            start.wait();
            let removed = book.remove(one.did()).unwrap();
            assert_eq!(follows.join().unwrap(), Followed::Moved { to: two.did().clone() });
            removed
        });
        let at_the_time = [one.did(), two.did()];
        assert!(at_the_time.into_iter().any(|did| was(&removed, did)), "{removed:?}");
        assert_eq!(shelf.book().list().unwrap(), []);
    }
}

fn filled(shelf: &Shelf, peers: &[serde_json::Value], length: usize) {
    // As the book writes it: what it writes again is not longer by that.
    let book = |peers: Vec<serde_json::Value>| {
        let list = serde_json::json!({ "version": 1, "peers": peers });
        serde_json::to_string_pretty(&list).unwrap() + "\n"
    };
    let mut all = peers.to_vec();
    let entry = |name: usize| {
        let name = "x".repeat(name);
        serde_json::json!({ "did": bundle_did(), "name": name, "allowed": true })
    };
    let missing = |all: &[serde_json::Value]| length - book(all.to_vec()).len();
    // An entry is shorter than 400 bytes; DIDs are not all of one length.
    while missing(&all) > 1000 {
        let many = (missing(&all) - 600) / 400;
        all.extend((0..many.max(1)).map(|_| entry(256)));
    }
    // Three whose names fill the rest to the byte.
    let short = all.len();
    all.extend((0..3).map(|_| entry(1)));
    let mut rest = missing(&all);
    for entry in &mut all[short..] {
        let more = rest.min(255);
        rest -= more;
        entry["name"] = "x".repeat(1 + more).into();
    }
    let text = book(all);
    assert_eq!(text.len(), length);
    support::home::write_private(&shelf.path("peers.json"), &text);
}

#[test]
fn a_full_book_still_refuses_whom_it_is_told_to() {
    const ALLOWED: usize = 786_432;
    const FOLLOWED: usize = 983_040;
    const LONGEST: usize = 1_048_576;
    for length in [ALLOWED, FOLLOWED, LONGEST] {
        let [one, two, three] = std::array::from_fn(|_| bundle());
        let chain = RotationChain::verify([rotated(&one, &two, None)]).unwrap();
        let entry = |bundle: &Bundle, name: &str| {
            let did = bundle.did();
            if name.is_empty() {
                return serde_json::json!({ "did": did, "allowed": true });
            }
            serde_json::json!({ "did": did, "name": name, "allowed": true })
        };
        let shelf = Shelf::new();
        let book = shelf.book();
        filled(&shelf, &[entry(&one, "short"), entry(&three, "")], length);
        assert!(book.contains(one.did()).unwrap() && book.contains(three.did()).unwrap());
        // Nobody more, and no longer name; what makes it no longer is taken.
        for (did, name) in [(&bundle_did(), ""), (one.did(), "longer")] {
            let error = book.allow(did, name).unwrap_err();
            assert!(matches!(error, BookError::Full { limit: ALLOWED }), "{error}");
        }
        assert!(!book.allow(one.did(), "other").unwrap());
        // A peer goes on under another key as long as there is room for removals.
        match book.follow(&chain) {
            Ok(followed) => {
                assert_eq!(length, ALLOWED);
                assert_eq!(followed, Followed::Moved { to: two.did().clone() });
            }
            Err(BookError::Full { limit: FOLLOWED }) => assert_ne!(length, ALLOWED),
            Err(error) => panic!("{error}"),
        }
        // A removal is for ever possible. This one has no name to drop, and is longer.
        assert!(removed(book.remove(three.did()), three.did()));
        assert!(!shelf.book().contains(three.did()).unwrap());
        let present = if length == ALLOWED { two.did() } else { one.did() };
        assert!(removed(book.remove(one.did()), present));
        let others: Vec<Did> =
            book.list().unwrap().iter().take(3).map(|peer| peer.did().clone()).collect();
        for other in &others {
            assert!(removed(book.remove(other), other));
            assert!(!shelf.book().contains(other).unwrap());
        }
        // The names of those who were removed are gone, their DIDs are known.
        let list = shelf.list();
        assert!(!list.contains("\"other\"") && list.contains(others[0].as_str()));
        assert!(list.len() <= LONGEST);
    }
}

/// As many instances of a DID as in memory, and the one that renewed least recently goes.
#[test]
fn a_did_cannot_fill_the_book_with_instances() {
    let (shelf, did) = (Shelf::new(), bundle_did());
    let book = shelf.book();
    let instance = |at: u8| Instance::from_bytes([at; 16]);
    let number = |sequence| BindingNumber { epoch: 1, sequence };
    for at in 0..80 {
        book.admit(&did, &instance(at), number(u64::MAX - u64::from(at))).unwrap();
    }
    let known = |at: u8| book.highest(&did, &instance(at)).unwrap() != Highest::new(1, None);
    assert_eq!((0..80).filter(|at| known(*at)).collect::<Vec<_>>(), (16..80).collect::<Vec<_>>());
    let file = shelf.path(&format!("seen/{did}.json"));
    assert!(fs::metadata(file).unwrap().len() < 8192);
    // The epoch is not forgotten with them.
    let earlier = BindingNumber { epoch: 0, sequence: u64::MAX };
    let refused = book.admit(&did, &instance(0), earlier).unwrap_err();
    assert!(matches!(refused, SequenceError::EarlierEpoch { highest: 1 }), "{refused}");
}

fn was(removed: &Removed, did: &Did) -> bool {
    *removed == Removed::Peer { did: did.clone() }
}

fn removed(result: Result<Removed, BookError>, did: &Did) -> bool {
    was(&result.unwrap(), did)
}

fn nobody(result: Result<Removed, BookError>) -> bool {
    result.unwrap() == Removed::Nobody
}
