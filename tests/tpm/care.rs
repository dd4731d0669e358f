//! What the TPM holds for us is given back, and a connection that broke is
//! replaced.

use std::sync::Arc;

use icn_identity::DidSigner as _;
use support::wire::Wire;

use super::*;

#[test]
fn an_open_p256_key_holds_one_object_and_one_session() {
    let node = Node::new();
    let config = node.config();
    let backend = node.open(&config);
    let (key, _) = create(&backend, &config, AlgorithmId::P256);
    for _ in 0..5 {
        key.sign(b"hello").unwrap();
        assert_eq!((node.tpm.transients(), node.tpm.sessions()), (1, 1));
    }
    drop(key);
    node.assert_tidy();
    let (key, _) = create(&backend, &config, AlgorithmId::Ed25519);
    key.sign(b"hello").unwrap();
    node.assert_tidy();
}

#[test]
fn a_tpm_that_was_restarted_under_an_open_key_is_used_on() {
    let mut node = Node::new();
    let config = node.with_pin();
    let backend = node.open(&config);
    let (key, locator) = create(&backend, &config, AlgorithmId::P256);
    let did = key.did().clone();
    key.sign(b"before").unwrap();
    node.tpm.restart();
    key.sign(b"after").unwrap();
    assert_eq!(node.tpm.lockout_counter(), 0);
    node.tpm.power_off();
    assert_shows(key.sign(b"away").unwrap_err(), &["could not sign"]);
    node.tpm.power_on();
    key.sign(b"again").unwrap();
    drop(key);
    node.assert_tidy();
    node.tpm.power_off();
    let refused = find_result(&backend, &locator, &did).unwrap_err();
    assert_shows(refused, &["TPM"]);
    let gone = TpmBackend::open(node.home(), &config).unwrap_err();
    assert_shows(gone, &["there is no TPM at", "device_path"]);
    node.tpm.power_on();
    find(&backend, &locator, &did).unseal(&Pin::new(PIN)).unwrap();
    node.assert_tidy();
}

fn find_result(backend: &TpmBackend, locator: &Locator, did: &Did) -> Result<(), Error> {
    backend.find(locator, did).map(drop)
}

/// Whatever command is lost, the next attempt works, and no try was spent.
#[test]
fn a_command_that_is_lost_breaks_one_attempt_at_most() {
    for algorithm in BOTH {
        for pin in [false, true] {
            let node = Node::new();
            let wire = Wire::new(&node.tpm);
            let mut config = node.config();
            config.pin = pin;
            config.device_path = wire.tcti();
            let backend = node.open(&config);
            let (key, locator) = create(&backend, &config, algorithm);
            let did = key.did().clone();
            drop(key);
            wire.clear();
            find(&backend, &locator, &did).unseal(&pin_of(&config)).unwrap();
            let mut commands = wire.commands();
            commands.sort_unstable();
            commands.dedup();
            for command in commands {
                wire.break_at(command);
                let broken = find_result(&backend, &locator, &did).and_then(|()| {
                    Ok(find(&backend, &locator, &did).unseal(&pin_of(&config)).map(drop)?)
                });
                assert!(!wire.break_pending(), "{command:#x} was not sent");
                if pin && command == 0x15e {
                    assert_shows(broken.unwrap_err(), &["unseal"]);
                }
                // What had been loaded over the connection that broke. (A resource
                // manager flushes it when the connection ends.)
                node.tpm.try_tool("tpm2_flushcontext", &["-t"]);
                node.tpm.try_tool("tpm2_flushcontext", &["-l"]);
                find(&backend, &locator, &did).unseal(&pin_of(&config)).unwrap();
                assert_eq!(node.tpm.lockout_counter(), 0);
            }
        }
    }
}

/// `TPM_RC_PCR_CHANGED` and `TPM_RC_RETRY` are tried again, so often and no more;
/// a refused PIN never is, nor anything else that the TPM says.
#[test]
fn only_what_the_tpm_asks_for_is_tried_again() {
    const UNSEAL: u32 = 0x15e;
    const SIGN: u32 = 0x15d;
    let node = Node::new();
    let wire = Wire::new(&node.tpm);
    let mut config = node.with_pin();
    config.device_path = wire.tcti();
    let backend = node.open(&config);
    for (algorithm, command, name) in
        [(AlgorithmId::Ed25519, UNSEAL, "Unseal"), (AlgorithmId::P256, SIGN, "Sign")]
    {
        // With a salt of its own, so that no PIN is known to be wrong.
        let new = || {
            let (key, locator) = create(&node.open(&config), &config, algorithm);
            let did = key.did().clone();
            drop(key);
            (locator, did)
        };
        let (locator, did) = new();
        // The TPM itself asks for the first use of a PIN again.
        find(&backend, &locator, &did).unseal(&Pin::new(PIN)).unwrap();
        let sent = |(locator, did): &(Locator, Did), code, times| {
            let sealed = find(&backend, locator, did);
            wire.clear();
            wire.refuse(command, code, times);
            let opened = sealed.unseal(&Pin::new(PIN)).map(drop);
            wire.refuse(command, 0, 0);
            let count = |wanted| wire.names().iter().filter(|name| *name == wanted).count();
            (opened, count(name), count("StartAuthSession"))
        };
        let one = (locator, did);
        // PCR_CHANGED: everything anew.
        let (opened, commands, sessions) = sent(&one, 0x128, 1);
        opened.unwrap();
        assert_eq!((commands, sessions), (2, 2), "{algorithm}");
        let (opened, commands, _) = sent(&one, 0x128, 100);
        assert_shows(opened.unwrap_err(), &["TPM_RC_PCR_CHANGED"]);
        assert_eq!(commands, 4, "{algorithm}");
        // RETRY: the same command, by the library.
        let (opened, commands, sessions) = sent(&one, 0x922, 1);
        opened.unwrap();
        assert_eq!((commands, sessions), (2, 1), "{algorithm}");
        let (opened, ..) = sent(&one, 0x922, 1000);
        assert_shows(opened.unwrap_err(), &["TPM_RC_RETRY"]);
        // AUTH_FAIL, FAILURE, LOCKOUT: once.
        for (code, text) in [(0x98e, "refused the PIN"), (0x101, "0x101"), (0x921, "locked")] {
            let one = new();
            let (opened, commands, _) = sent(&one, code, 100);
            assert_shows(opened.unwrap_err(), &[text]);
            assert_eq!(commands, 1, "{algorithm} {code:#x}");
            // Only the first says that the PIN is wrong.
            let again = find(&backend, &one.0, &one.1).unseal(&Pin::new(PIN));
            assert_eq!(again.is_err(), code == 0x98e, "{algorithm} {code:#x}");
        }
        assert_eq!(node.tpm.lockout_counter(), 0);
        node.assert_tidy();
    }
}

#[test]
fn a_tpm_without_room_says_so() {
    let node = Node::new();
    let config = node.config();
    let backend = node.open(&config);
    let (key, locator) = create(&backend, &config, AlgorithmId::Ed25519);
    let did = key.did().clone();
    drop(key);
    for index in 0..3 {
        let context = node.tpm.path(&format!("full-{index}.ctx"));
        node.tpm
            .tool("tpm2_createprimary", &["-C", "o", "-G", "ecc", "-c", context.to_str().unwrap()]);
    }
    assert_eq!(node.tpm.transients(), 3);
    let refused = find(&backend, &locator, &did).unseal(&Pin::none()).unwrap_err();
    assert_shows(refused, &["no room for another object", "/dev/tpmrm0", "TPM_RC_OBJECT_MEMORY"]);
    assert_eq!((node.tpm.transients(), node.tpm.sessions()), (3, 0));
    node.tpm.tool("tpm2_flushcontext", &["-t"]);
    find(&backend, &locator, &did).unseal(&Pin::none()).unwrap();
    node.assert_tidy();
}

#[test]
fn a_tpm_without_room_for_sessions_says_so() {
    use tss_esapi::constants::SessionType;
    use tss_esapi::interface_types::algorithm::HashingAlgorithm;
    use tss_esapi::structures::SymmetricDefinition;
    let node = Node::new();
    let config = node.config();
    let backend = node.open(&config);
    let (key, locator) = create(&backend, &config, AlgorithmId::Ed25519);
    let did = key.did().clone();
    drop(key);
    let mut other = tss_esapi::Context::new(node.tpm.tcti().parse().unwrap()).unwrap();
    for _ in 0..3 {
        let symmetric = SymmetricDefinition::AES_128_CFB;
        let hash = HashingAlgorithm::Sha256;
        other.start_auth_session(None, None, None, SessionType::Hmac, symmetric, hash).unwrap();
    }
    let refused = find(&backend, &locator, &did).unseal(&Pin::none()).unwrap_err();
    assert_shows(refused, &["no room for another session", "/dev/tpmrm0"]);
    assert_eq!((node.tpm.transients(), node.tpm.sessions()), (0, 3));
    drop(other);
    find(&backend, &locator, &did).unseal(&Pin::none()).unwrap();
    node.assert_tidy();
}

#[test]
fn threads_share_a_tpm() {
    let node = Node::new();
    let config = node.config();
    let backend = Arc::new(node.open(&config));
    let (key, _) = create(&backend, &config, AlgorithmId::P256);
    let (other, _) = create(&backend, &config, AlgorithmId::Ed25519);
    std::thread::scope(|scope| {
        for thread in 0..4_u8 {
            let (key, other, backend, config) = (&key, &other, &backend, &config);
            scope.spawn(move || {
                for round in 0..10_u8 {
                    let message = [thread, round];
                    for key in [key, other] {
                        let signature = key.sign(&message).unwrap();
                        key.verifying_key().verify_strict(&message, &signature).unwrap();
                    }
                    if round % 5 == 0 {
                        create(backend, config, AlgorithmId::Ed25519);
                    }
                }
            });
        }
    });
    drop((key, other));
    node.assert_tidy();
}

/// Else a TPM would wait for the end of a connection that a stranger's child
/// has inherited: tests of one process would block each other.
#[test]
fn what_tests_start_holds_no_connection_of_theirs() {
    use std::io::Read as _;
    use std::os::fd::AsRawFd as _;
    let (mut ours, theirs) = std::os::unix::net::UnixStream::pair().unwrap();
    ours.set_read_timeout(Some(std::time::Duration::from_secs(10))).unwrap();
    // As the TCTI makes its sockets.
    rustix::io::fcntl_setfd(&theirs, rustix::io::FdFlags::empty()).unwrap();
    let number = theirs.as_raw_fd();
    let tpm = Swtpm::start();
    drop(theirs);
    let mut none = [0];
    assert_eq!(ours.read(&mut none).unwrap(), 0, "swtpm has inherited file {number}");
    drop(tpm);
}
