//! A PIN is sent when it may be, and by nobody else meanwhile: threads, backends, other
//! programs, lost answers.

use std::sync::Barrier;
use std::sync::atomic::{AtomicUsize, Ordering};

use icn_identity::DidSigner as _;
use icn_identity::error::TpmError;
use support::wire::Wire;

use super::*;

const UNSEAL: u32 = 0x15e;
const SIGN: u32 = 0x15d;

const fn command(algorithm: AlgorithmId) -> u32 {
    match algorithm {
        AlgorithmId::P256 => SIGN,
        _ => UNSEAL,
    }
}

fn sent(wire: &Wire, algorithm: AlgorithmId) -> usize {
    wire.commands().iter().filter(|sent| **sent == command(algorithm)).count()
}

fn new(backend: &TpmBackend, config: &TpmConfig, algorithm: AlgorithmId) -> (Locator, Did) {
    let (key, locator) = create(backend, config, algorithm);
    (locator, key.did().clone())
}

/// Other threads may have taken the room: there is no resource manager.
fn unseal(backend: &TpmBackend, key: &(Locator, Did), pin: &str) -> Result<(), Error> {
    loop {
        match find(backend, &key.0, &key.1).unseal(&Pin::new(pin)) {
            Ok(_) => return Ok(()),
            Err(refused) => match Error::from(refused) {
                error if matches!(error.tpm(), Some(TpmError::Full { .. })) => {}
                error => return Err(error),
            },
        }
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
}

fn is_known_wrong(error: &Error) -> bool {
    matches!(error.tpm(), Some(TpmError::PinKnownWrong))
}

/// Four of them locked a TPM of three tries.
#[test]
fn of_threads_with_one_wrong_pin_one_sends_it() {
    for algorithm in BOTH {
        for shared in [true, false] {
            let node = Node::new();
            let config = node.with_pin();
            let one = node.open(&config);
            let key = new(&one, &config, algorithm);
            let (begin, known) = (Barrier::new(4), AtomicUsize::new(0));
            std::thread::scope(|scope| {
                for _ in 0..4 {
                    scope.spawn(|| {
                        let own = (!shared).then(|| node.open(&config));
                        let backend = own.as_ref().unwrap_or(&one);
                        begin.wait();
                        let error = unseal(backend, &key, WRONG).unwrap_err();
                        assert!(error.is_wrong_pin(), "{error}");
                        known.fetch_add(usize::from(is_known_wrong(&error)), Ordering::SeqCst);
                    });
                }
            });
            assert_eq!(node.tpm.lockout_counter(), 1, "{algorithm} {shared}");
            assert_eq!(known.into_inner(), 3);
            unseal(&one, &key, PIN).unwrap();
            node.assert_tidy();
        }
    }
}

/// Whatever the way to the TPM is called, and whichever object of the identity is opened.
#[test]
fn what_was_refused_is_known_to_every_backend_of_the_process() {
    use icn_identity::backend::StorageVault as _;
    use icn_identity::secret::LockedText;
    for algorithm in BOTH {
        let node = Node::new();
        let wire = Wire::new(&node.tpm);
        let config = node.with_pin();
        let backend = node.open(&config);
        let made = create(&backend, &config, algorithm);
        let (key, right) = ((made.1, made.0.did().clone()), Credentials::pin(Pin::new(PIN)));
        let storage = backend.wrap(&key.1, &LockedText::from("AGE-SECRET-KEY-1TEST"), &right);
        let storage = storage.unwrap().unwrap();
        drop(made.0);
        unseal(&backend, &key, WRONG).unwrap_err();
        let mut other_way = config.clone();
        other_way.device_path = wire.tcti();
        for config in [&config, &other_way] {
            let backend = node.open(config);
            assert!(is_known_wrong(&unseal(&backend, &key, WRONG).unwrap_err()));
        }
        assert_eq!(sent(&wire, algorithm), 0);
        assert_eq!(node.tpm.lockout_counter(), 1);
        // The storage key of an identity has its PIN too: it may be asked for first.
        let wrong = Credentials::pin(Pin::new("8-rash-owls"));
        backend.unwrap(&key.1, &storage, &wrong).unwrap_err();
        backend.unwrap(&key.1, &storage, &wrong).unwrap_err();
        assert_eq!(node.tpm.lockout_counter(), 2);
    }
}

/// The count was believed for ten seconds.
#[test]
fn a_try_that_another_program_spends_counts_at_once() {
    for algorithm in BOTH {
        let node = Node::new();
        let spend = node.tpm.other_program();
        node.tpm.set_dictionary_attack(3, 600, 600);
        let config = node.with_pin();
        let backend = node.open(&config);
        let key = new(&backend, &config, algorithm);
        unseal(&backend, &key, PIN).unwrap();
        let (sealed, other) = (find(&backend, &key.0, &key.1), node.open(&config));
        spend();
        spend();
        for refused in [
            sealed.unseal(&Pin::new(PIN)).map(drop).map_err(Error::from),
            unseal(&other, &key, WRONG),
        ] {
            let error = refused.unwrap_err();
            assert!(matches!(error.tpm(), Some(TpmError::FinalTry)), "{error}");
        }
        assert_eq!(node.tpm.lockout_counter(), 2);
        node.tpm.clear_lockout();
        unseal(&backend, &key, PIN).unwrap();
    }
}

/// At whichever command of the unlock that happens: the count is read right before the
/// one that carries the PIN.
#[test]
fn a_try_that_is_spent_during_an_unlock_counts() {
    for algorithm in BOTH {
        let node = Node::new();
        let spend = std::sync::Arc::new(node.tpm.other_program());
        node.tpm.set_dictionary_attack(2, 600, 600);
        let wire = Wire::new(&node.tpm);
        let mut config = node.with_pin();
        config.device_path = wire.tcti();
        let backend = node.open(&config);
        let key = new(&backend, &config, algorithm);
        unseal(&backend, &key, PIN).unwrap();
        let sealed = find(&backend, &key.0, &key.1);
        wire.clear();
        sealed.unseal(&Pin::new(PIN)).unwrap();
        let commands = wire.commands();
        let pin = commands.iter().position(|sent| *sent == command(algorithm)).unwrap();
        assert_eq!(commands[pin - 1], 0x17a, "GetCapability: {commands:x?}");
        for before in 1..pin {
            let sealed = find(&backend, &key.0, &key.1);
            wire.clear();
            let spend = std::sync::Arc::clone(&spend);
            wire.after(before, move || spend());
            let error = Error::from(sealed.unseal(&Pin::new(PIN)).map(drop).unwrap_err());
            assert!(matches!(error.tpm(), Some(TpmError::FinalTry)), "after {before}: {error}");
            assert_eq!(sent(&wire, algorithm), 0, "after {before}");
            node.tpm.clear_lockout();
        }
        unseal(&backend, &key, PIN).unwrap();
        node.assert_tidy();
    }
}

/// A key that is open has a PIN that was taken: it goes on signing on the last try.
#[test]
fn a_pin_that_was_taken_costs_no_try_however_few_are_left() {
    let node = Node::new();
    let spend = node.tpm.other_program();
    node.tpm.set_dictionary_attack(2, 600, 600);
    let config = node.with_pin();
    let (key, _) = create(&node.open(&config), &config, AlgorithmId::P256);
    spend();
    key.sign(b"hello").unwrap();
    // Locked: not even such a PIN is looked at. It opens by itself.
    spend();
    assert_shows(key.sign(b"hello").unwrap_err(), &["the TPM is locked", "at most 600 seconds"]);
    node.tpm.clear_lockout();
    key.sign(b"hello").unwrap();
    assert_eq!(node.tpm.lockout_counter(), 0);
}

/// The connection ends when the TPM has counted, or accepted, what it was sent.
#[test]
fn a_pin_whose_answer_is_lost_is_settled_by_the_count_of_the_tpm() {
    for algorithm in BOTH {
        let node = Node::new();
        node.tpm.set_dictionary_attack(9, 600, 600);
        let wire = Wire::new(&node.tpm);
        let mut config = node.with_pin();
        config.device_path = wire.tcti();
        let backend = node.open(&config);
        let key = new(&backend, &config, algorithm);
        unseal(&backend, &key, PIN).unwrap();
        let lost = |pin: &str| {
            wire.lose_answer_of(command(algorithm));
            let error = unseal(&backend, &key, pin).unwrap_err();
            assert!(!error.is_wrong_credential() && !error.is_transient(), "{error}");
            raw::flush(&node.tpm);
        };
        lost(PIN);
        unseal(&backend, &key, PIN).unwrap();
        assert_eq!(node.tpm.lockout_counter(), 0);
        lost(WRONG);
        assert_eq!(node.tpm.lockout_counter(), 1);
        for backend in [&backend, &node.open(&config)] {
            let error = unseal(backend, &key, WRONG).unwrap_err();
            assert!(matches!(error.tpm(), Some(TpmError::PinInDoubt)), "{error:?}");
            assert!(error.is_wrong_credential() && !error.is_wrong_pin());
            assert_shows(error, &["whether it was refused is not known", "was not sent again"]);
        }
        assert_eq!(node.tpm.lockout_counter(), 1);
        unseal(&backend, &key, PIN).unwrap();
        raw::flush(&node.tpm);
        node.assert_tidy();
    }
}
