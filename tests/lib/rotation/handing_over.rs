//! One statement by each key, whoever asks for it, how often, and at the same time.

use std::fs;
use std::sync::Barrier;
use std::thread;

use icn_identity::Error;
use icn_identity::error::KeystoreError;
use icn_identity::keystore::{Credentials, Earlier, Handover, Pinned, Successor};

use super::stored::{Home, passphrase};
use super::*;

fn credentials() -> Credentials {
    Credentials::passphrase(passphrase())
}

fn did(home: &Home) -> Did {
    home.store().header().unwrap().did().clone()
}

fn hand_over(old: &Home, new: &Home, terms: &RotationTerms) -> Result<Handover, Error> {
    let (given, store, backend) = (credentials(), new.store(), new.backend());
    let successor = Successor::new(&store, &backend, Pinned::Nobody, &given);
    old.store().hand_over(&old.backend(), Pinned::Nobody, &given, &successor, terms)
}

/// With a second statement where there is one to another successor.
fn hand_over_again(old: &Home, new: &Home) -> Result<Handover, Error> {
    let (old_backend, new_backend) = (old.backend(), new.backend());
    let old = old.store().locate(&old_backend, Pinned::Nobody)?;
    let new = new.store().locate(&new_backend, Pinned::Nobody)?;
    let to = new.header().did().clone();
    let old = old.prepare_handover(&credentials(), &to, Earlier::NeverGivenOut)?;
    old.to(new, &credentials(), &terms())
}

fn noted(home: &Home) -> Option<RotationChain> {
    home.store().handed_over(&did(home)).unwrap()
}

fn stored(home: &Home) -> Option<RotationChain> {
    home.open().rotation_chain().unwrap()
}

#[track_caller]
fn assert_handed_over_to(refused: &Error, to: &Home) {
    let found = match refused {
        Error::Rotation(RotationError::HandedOver { to, .. }) => to,
        other => panic!("{other:?}"),
    };
    assert_eq!(found, &did(to));
}

#[test]
fn an_identity_hands_over_once_and_says_the_same_again() {
    let (old, new, other) = (Home::new(), Home::new(), Home::new());
    let (before, others) = (old.files(), other.files());
    let made = hand_over(&old, &new, &terms()).unwrap();
    assert!(!made.stated_before);
    assert_eq!(made.chain.follow(&did(&old)).unwrap(), &did(&new));
    // Noted in the old store, stored in the new one; the old one goes on as it was.
    assert_eq!(noted(&old).as_ref(), Some(&made.chain));
    assert_eq!(stored(&new).as_ref(), Some(&made.chain));
    assert_eq!(old.files(), before);
    let files = new.files();
    // The same once more, whenever it is asked for, and nothing is written.
    for terms in [terms(), terms().at(at(NEW_YEAR + 99))] {
        let again = hand_over(&old, &new, &terms).unwrap();
        assert!(again.stated_before);
        assert_eq!(again.chain, made.chain);
    }
    assert_eq!(new.files(), files);
    // No other one.
    let refused = hand_over(&old, &other, &terms()).unwrap_err();
    assert_handed_over_to(&refused, &new);
    assert!(refused.help().unwrap().contains("fork"));
    assert_eq!((other.files(), stored(&other)), (others, None));
    assert_eq!(noted(&old), Some(made.chain.clone()));
    // The next in the row takes over from the successor, and no second time from anybody.
    let next = hand_over(&new, &other, &terms()).unwrap();
    assert_eq!(next.chain.dids().count(), 3);
    next.chain.extends(&made.chain).unwrap();
    let refused = hand_over(&Home::new(), &other, &terms()).unwrap_err();
    assert!(matches!(refused, Error::Rotation(RotationError::AlreadyStored { .. })), "{refused}");
    let refused = hand_over(&old, &old, &terms()).unwrap_err();
    assert!(matches!(refused, Error::Rotation(RotationError::SameKey { .. })), "{refused}");
}

/// Whether its note is there or not, and whichever of the two is missing.
#[test]
fn a_rotation_that_was_stated_on_other_terms_is_refused_with_what_was_stated() {
    let (old, new, other) = (Home::new(), Home::new(), Home::new());
    let next = did(&other);
    let stated = committing_to(&next);
    let before = new.files();
    let made = hand_over(&old, &new, &stated).unwrap().chain;
    let files = new.files();
    let commitment = *made.commitment().unwrap();
    let refused = |terms: &RotationTerms| {
        let error = hand_over(&old, &new, terms).unwrap_err();
        let Error::Rotation(RotationError::StatedBefore { to, reason, next_key, .. }) = &error
        else {
            panic!("{error:?}");
        };
        assert_eq!((to, *reason), (&did(&new), RotationReason::Scheduled));
        assert_eq!(*next_key, Some(commitment));
        let said = error.to_string();
        assert!(said.contains("scheduled") && said.contains(&commitment.to_string()), "{said}");
    };
    let manual = RotationTerms::new(RotationReason::Manual);
    let others = [
        terms(),
        committing_to(&did(&old)),
        manual.clone().commit_to(commitment),
        manual.commit_to(KeyCommitment::from_bytes([7; 32])),
    ];
    let all_refused = |others: &[RotationTerms]| others.iter().for_each(refused);
    all_refused(&others);
    assert_eq!(new.files(), files);
    // Noted, and not stored.
    fs::write(new.path().join("identity.json"), &before[0]).unwrap();
    fs::write(new.path().join("identity.age"), &before[1]).unwrap();
    all_refused(&others);
    assert_eq!(new.files(), before);
    assert_eq!(hand_over(&old, &new, &stated).unwrap().chain, made);
    // Stored, and not noted.
    fs::remove_file(old.path().join("handed-over.json")).unwrap();
    all_refused(&others);
    assert_eq!(hand_over(&old, &new, &stated).unwrap().chain, made);
}

/// Each thread has its own idea of who comes next.
#[test]
fn of_threads_that_hand_over_to_several_one_is_heard() {
    let old = Home::new();
    let successors: [Home; 4] = std::array::from_fn(|_| Home::new());
    let start = Barrier::new(8);
    // Two ask for each.
    let said: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0_u8..8)
            .map(|at| {
                let (old, new, start) = (&old, &successors[usize::from(at / 2)], &start);
                scope.spawn(move || {
                    start.wait();
                    hand_over(old, new, &terms().at(super::at(NEW_YEAR + 1 + u64::from(at))))
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    let chain = noted(&old).unwrap();
    let winner = successors.iter().position(|it| did(it) == *chain.current()).unwrap();
    for (at, said) in said.iter().enumerate() {
        match said {
            Ok(handover) => {
                assert_eq!(at / 2, winner);
                assert_eq!(handover.chain, chain);
            }
            Err(refused) => {
                assert_ne!(at / 2, winner);
                assert_handed_over_to(refused, &successors[winner]);
            }
        }
    }
    let made = said.iter().flatten().filter(|handover| !handover.stated_before).count();
    assert_eq!((said.iter().flatten().count(), made), (2, 1));
    for (at, successor) in successors.iter().enumerate() {
        assert_eq!(stored(successor), (at == winner).then(|| chain.clone()));
    }
}

/// Whatever is missing on one side is put right from the other.
#[test]
fn a_handover_that_was_cut_off_goes_on_with_the_same_statement() {
    let (old, new, other) = (Home::new(), Home::new(), Home::new());
    let [header, payload] = new.files();
    let made = hand_over(&old, &new, &terms()).unwrap().chain;
    let note = old.path().join("handed-over.json");
    // Noted, and not stored.
    fs::write(new.path().join("identity.json"), header).unwrap();
    fs::write(new.path().join("identity.age"), payload).unwrap();
    assert_eq!(stored(&new), None);
    let refused = hand_over(&old, &other, &terms()).unwrap_err();
    assert_handed_over_to(&refused, &new);
    let again = hand_over(&old, &new, &terms().at(at(NEW_YEAR + 7))).unwrap();
    assert!(again.stated_before);
    assert_eq!(again.chain, made);
    assert_eq!(stored(&new).as_ref(), Some(&made));
    // Stored, and the note is lost, as in a copy of the old identity that was put back.
    fs::remove_file(&note).unwrap();
    let again = hand_over(&old, &new, &terms()).unwrap();
    assert!(again.stated_before);
    assert_eq!(again.chain, made);
    assert_eq!(noted(&old), Some(made));
    let refused = hand_over(&old, &other, &terms()).unwrap_err();
    assert_handed_over_to(&refused, &new);
    // A note that somebody changed is no reason to state anything.
    let text = fs::read_to_string(&note).unwrap();
    fs::write(&note, text.replace("scheduled", "upgrade")).unwrap();
    let refused = hand_over(&old, &other, &terms()).unwrap_err();
    let unreadable = |error: &Error| {
        matches!(error, Error::Keystore(KeystoreError::HandedOverUnreadable { .. }))
    };
    assert!(unreadable(&refused), "{refused}");
}

#[test]
fn what_is_refused_is_neither_noted_nor_stored() {
    let (one, two, three) = (Home::new(), Home::new(), Home::new());
    let _ = hand_over(&one, &two, &committing_to(&did(&three))).unwrap();
    let other = Home::new();
    let refused = hand_over(&two, &other, &terms()).unwrap_err();
    assert!(
        matches!(refused, Error::Rotation(RotationError::CommitmentBroken { .. })),
        "{refused}"
    );
    assert_eq!((noted(&two), stored(&other)), (None, None));
    let _ = hand_over(&two, &three, &terms()).unwrap();
    // The wrong passphrase of either.
    let (old, new) = (Home::new(), Home::new());
    let wrong = Credentials::passphrase(icn_identity::Passphrase::new("wrong"));
    let given = credentials();
    for (olds, news) in [(&wrong, &given), (&given, &wrong)] {
        let (store, backend) = (new.store(), new.backend());
        let successor = Successor::new(&store, &backend, Pinned::Nobody, news);
        let refused =
            old.store().hand_over(&old.backend(), Pinned::Nobody, olds, &successor, &terms());
        assert!(refused.unwrap_err().is_wrong_credential());
        assert_eq!((noted(&old), stored(&new)), (None, None));
    }
    // Another identity than the one that it was prepared for.
    let (old_backend, new_backend) = (old.backend(), new.backend());
    let located = old.store().locate(&old_backend, Pinned::Nobody).unwrap();
    let prepared = located.prepare_handover(&given, &did(&other), Earlier::Binds).unwrap();
    let located = new.store().locate(&new_backend, Pinned::Nobody).unwrap();
    let refused = prepared.to(located, &given, &terms()).unwrap_err();
    assert!(matches!(refused, Error::Rotation(RotationError::NotThisIdentity { .. })), "{refused}");
    assert_eq!((noted(&old), stored(&new)), (None, None));
}

/// Only who says that nobody has seen the first statement makes a second one.
#[test]
fn a_second_statement_is_made_only_where_the_first_was_never_given_out() {
    let (old, one, two) = (Home::new(), Home::new(), Home::new());
    let first = hand_over(&old, &one, &terms()).unwrap().chain;
    // For the same successor it is the same one, all the same.
    let again = hand_over_again(&old, &one).unwrap();
    assert_eq!((again.chain, again.stated_before), (first.clone(), true));
    let second = hand_over_again(&old, &two).unwrap();
    assert!(!second.stated_before);
    assert_eq!(noted(&old).as_ref(), Some(&second.chain));
    // What that means for those who see both.
    let both = first.statements().chain(second.chain.statements()).cloned();
    let fork = RotationChain::verify(both).unwrap_err();
    assert!(matches!(fork, RotationError::Fork(_)), "{fork}");
}

/// A program that has the successor open renews its files, and knows of no rotation.
#[test]
fn a_carried_decryption_key_outlives_a_renewal_by_whoever_has_it_open() {
    let (old, new) = (Home::new(), Home::new());
    let open = new.open().bundle;
    assert!(open.retired_decryption_keys().is_empty());
    let (given, store, backend) = (credentials(), new.store(), new.backend());
    let successor = Successor::new(&store, &backend, Pinned::Nobody, &given);
    let successor = successor.carrying_decryption_key();
    let hand_over = || {
        old.store().hand_over(&old.backend(), Pinned::Nobody, &given, &successor, &terms()).unwrap()
    };
    assert_eq!(hand_over().decrypts_for, [did(&old)]);
    let files = new.files();
    let again = hand_over();
    assert!(again.stated_before && again.decrypts_for == [did(&old)]);
    assert_eq!(new.files(), files, "nothing was to be written");
    open.renew().unwrap();
    let bundle = new.open().bundle;
    let [key] = bundle.retired_decryption_keys() else { panic!("{bundle:?}") };
    assert_eq!(key.did(), &did(&old));
    assert_eq!(key.public_key(), old.open().bundle.x25519_public_key());
    let stated = again.chain.steps().last().unwrap().statement().time();
    assert_eq!(key.retired_at(), UNIX_EPOCH + Duration::from_secs(stated));
    // Neither what is signed nor what is agreed on has anything of it.
    assert_ne!(bundle.x25519_public_key(), key.public_key());
    assert_eq!(bundle.binding().x25519_public_key(), bundle.x25519_public_key());
    assert!(!format!("{bundle:?} {key:?}").contains("secret"));
}
