//! Threads share a key, a login and a pool of sessions.

use std::num::NonZeroU16;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use icn_identity::backend::Backend as _;
use icn_identity::backend::pkcs11::Pkcs11Backend;
use icn_identity::error::{DeviceError, Pkcs11Error, SignError};
use icn_identity::{Hardware, Key, Pin, Unlocked};
use support::softhsm::{PIN, SoftHsm, alone, count};

use crate::ed25519::generate;
use crate::{TOKEN, assert_shows, faulty, faulty_config};

fn with_sessions(hsm: &SoftHsm, sessions: u16) -> Pkcs11Backend {
    let config = faulty_config(hsm).with_sessions(NonZeroU16::new(sessions).unwrap());
    Pkcs11Backend::open(&config).unwrap()
}

/// `signatures` by each of `threads`, every one of another message; all must
/// verify, and each under its own message only.
fn sign_by_threads(key: &Key<Hardware, Unlocked>, threads: usize, signatures: usize) -> usize {
    let made = AtomicUsize::new(0);
    thread::scope(|scope| {
        for thread in 0..threads {
            let made = &made;
            scope.spawn(move || {
                for number in 0..signatures {
                    let message = format!("thread {thread}, message {number}");
                    let signature = key.sign(message.as_bytes()).unwrap();
                    key.verifying_key().verify(message.as_bytes(), &signature).unwrap();
                    made.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
    });
    made.into_inner()
}

/// How many sessions were open at once, by the log of calls.
fn most_open(calls: &[String]) -> usize {
    let (mut open, mut most) = (0_usize, 0);
    for call in calls {
        match call.as_str() {
            "C_OpenSession 0x0" => open += 1,
            "C_CloseSession 0x0" => open -= 1,
            _ => {}
        }
        most = most.max(open);
    }
    most
}

#[test]
fn eight_threads_sign_while_sessions_die_at_random() {
    alone(|hsm| sessions_die(hsm, ""));
}

/// A new session may get the number of a dead one of another thread's.
#[test]
fn eight_threads_sign_while_sessions_die_and_their_numbers_come_again() {
    alone(|hsm| sessions_die(hsm, "reuse-handles\n"));
}

/// How many signatures each of eight threads makes while sessions die: some twenty losses in all.
/// `ICN_TEST_SIGNATURES` says another number; `scripts/test-long` has more of them.
fn signatures() -> usize {
    std::env::var("ICN_TEST_SIGNATURES").map_or(2500, |number| number.parse().unwrap())
}

fn sessions_die(hsm: &SoftHsm, handles: &str) {
    hsm.token(TOKEN);
    let (key, _) = generate(&with_sessions(hsm, 8));
    // A signature is retried once: two losses in one would be an error, rightly.
    // So they keep a distance, of more calls than the others make while one
    // thread has to wait for its retry.
    hsm.script(&format!(
        "{handles}\
         on C_SignInit random 1/200 seed 17 gap 2000 kill-session\n\
         on C_SignInit random 1/200 seed 5 gap 2000 kill-all\n\
         on C_SignInit random 1/200 seed 11 gap 2000 logout"
    ));
    let each = signatures();
    let (made, calls) = hsm.calls(|| sign_by_threads(&key, 8, each));
    assert_eq!(made, 8 * each);
    let answered = |answer: &str| calls.iter().filter(|call| *call == answer).count();
    let (logins, dead) = (count(&calls, "C_Login"), answered("C_SignInit 0xb3"));
    // A loss in some 1,000; about two of three lose the login as well. Of fewer, chance makes
    // more of a difference.
    let most = made / 1000 + made / 8000;
    assert!((made / 4000..=most).contains(&logins), "{logins} logins");
    assert_eq!(answered("C_Login 0x0 user"), logins);
    let least = if made < 40_000 { made / 5000 } else { made / 2000 };
    assert!(dead > least, "{dead} dead sessions");
    assert!(count(&calls, "C_Sign") < made + made / 40);
}

#[test]
fn the_pool_keeps_to_its_size() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = with_sessions(hsm, 3);
        let ((), calls) = hsm.calls(|| {
            let (key, _) = generate(&backend);
            assert_eq!(sign_by_threads(&key, 8, 50), 400);
        });
        // One more keeps the login, one searches.
        assert!(most_open(&calls) <= 5, "{}", most_open(&calls));
        assert_eq!(count(&calls, "C_Login"), 1);
    });
}

#[test]
fn the_pool_has_a_session_for_each_core_where_nothing_is_said() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let cores = thread::available_parallelism().unwrap().get();
        let (key, _) = generate(&faulty(hsm));
        // All of them wait in the token at once, so that each needs a session.
        hsm.script("on C_Sign all sleep 20");
        let (made, calls) = hsm.calls(|| sign_by_threads(&key, 3 * cores, 3));
        assert_eq!(made, 9 * cores);
        // The first is there since the key was made.
        assert_eq!(count(&calls, "C_OpenSession"), cores - 1, "{calls:?}");
    });
}

#[test]
fn a_token_with_few_sessions_is_shared() {
    alone(|hsm| few_sessions(hsm, "max-sessions 4"));
}

#[test]
fn a_token_that_does_not_tell_its_few_sessions_is_shared() {
    alone(|hsm| few_sessions(hsm, "max-sessions 4\nhide-max-sessions"));
}

fn few_sessions(hsm: &SoftHsm, script: &str) {
    hsm.token(TOKEN);
    hsm.script(script);
    let backend = with_sessions(hsm, 8);
    let (key, locator) = generate(&backend);
    assert_eq!(sign_by_threads(&key, 8, 50), 400);
    // Work beside the pool finds room, too.
    backend
        .vault()
        .unwrap()
        .wrap(key.did(), &"a storage key".into(), &crate::pin())
        .unwrap()
        .unwrap();
    backend.public_key(&locator).unwrap();
    assert_eq!(sign_by_threads(&key, 8, 50), 400);
}

#[test]
fn a_token_without_a_free_session_says_so() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let (key, _) = generate(&faulty(hsm));
        let sealed = key.seal();
        // Two will do: one keeps the login, one signs.
        hsm.script("max-sessions 2");
        let key = sealed.unseal(&Pin::new(PIN)).unwrap();
        assert_eq!(sign_by_threads(&key, 4, 10), 40);
        let sealed = key.seal();
        hsm.script("max-sessions 1");
        let (_, reason) = sealed.unseal(&Pin::new(PIN)).unwrap_err().into_parts();
        assert_shows(reason, &["C_OpenSession failed", "CKR_SESSION_COUNT", "sessions"]);
    });
}

/// One thread's signature takes long; the other's does not wait for it.
#[test]
fn a_slow_signature_holds_nobody_up() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = with_sessions(hsm, 2);
        let (key, _) = generate(&backend);
        hsm.script("on C_Sign 1 sleep 3000");
        thread::scope(|scope| {
            let slow = scope.spawn(|| key.sign(b"slow").unwrap());
            while !fs_calls(hsm).contains("C_SignInit") {
                thread::yield_now();
            }
            thread::sleep(std::time::Duration::from_millis(300));
            for _ in 0..10 {
                key.sign(b"quick").unwrap();
            }
            assert!(!slow.is_finished(), "the quick ones waited");
            slow.join().unwrap();
        });
    });
}

fn fs_calls(hsm: &SoftHsm) -> String {
    std::fs::read_to_string(hsm.path("calls")).unwrap()
}

#[test]
fn many_threads_open_one_token_by_one_login() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        let (key, locator) = generate(&backend);
        let did = key.did().clone();
        drop(key);
        let ((), calls) = hsm.calls(|| {
            let keys: Vec<_> = thread::scope(|scope| {
                let open = || {
                    let sealed =
                        crate::find(&backend, &locator, &did).unwrap().demand_hardware().unwrap();
                    sealed.unseal(&Pin::new(PIN)).unwrap()
                };
                let threads: Vec<_> = (0..8).map(|_| scope.spawn(open)).collect();
                threads.into_iter().map(|thread| thread.join().unwrap()).collect()
            });
            drop(keys);
        });
        assert_eq!(count(&calls, "C_Login"), 1, "{calls:?}");
        assert_eq!(count(&calls, "C_Logout"), 1, "{calls:?}");
    });
}

/// A child of `fork` has the parent's sessions in its memory, and must not use
/// or end them.
#[test]
fn a_forked_child_is_refused_and_does_no_harm() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = faulty(hsm);
        let (key, _) = generate(&backend);
        let config = faulty_config(hsm);
        let (child_said, calls) = hsm.calls(|| {
            in_a_fork(move || {
                let refused = matches!(
                    key.sign(b"x"),
                    Err(SignError::Device(DeviceError::Pkcs11(Pkcs11Error::Forked)))
                );
                let opened = Pkcs11Backend::open(&config);
                let text = format!("{:?}", opened.unwrap_err());
                drop(key);
                refused && text.contains("Forked")
            })
        });
        assert!(child_said);
        assert_eq!(calls, Vec::<String>::new());
        key_still_works(&backend);
    });
}

fn key_still_works(backend: &Pkcs11Backend) {
    let locator = backend.find_by_label("icn-identity").unwrap();
    let did = crate::did_at(backend, &locator);
    let sealed = crate::find(backend, &locator, &did).unwrap();
    sealed.unseal(&Pin::new(PIN)).unwrap();
}

/// Whether `body` says yes in a child process. Nothing of it is dropped here.
#[allow(unsafe_code, clippy::mem_forget, reason = "fork is what is tested")]
fn in_a_fork<F: FnOnce() -> bool>(body: F) -> bool {
    // SAFETY: the child runs on its one thread, and leaves by `_exit`.
    match unsafe { libc::fork() } {
        -1 => panic!("fork failed"),
        0 => {
            let code = if body() { 0 } else { 1 };
            // SAFETY: never returns.
            unsafe { libc::_exit(code) }
        }
        child => {
            std::mem::forget(body);
            let mut status = -1;
            // SAFETY: the child of ours, and a place for its status.
            assert_eq!(unsafe { libc::waitpid(child, &raw mut status, 0) }, child);
            libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0
        }
    }
}

/// Opening is not tried again by itself: it may fail when a session dies under
/// it, by a typed error. But nothing hangs, and nothing is left locked.
#[test]
fn keys_are_opened_and_closed_by_threads_while_sessions_die() {
    alone(|hsm| {
        hsm.token(TOKEN);
        let backend = with_sessions(hsm, 4);
        let (key, locator) = generate(&backend);
        let did = key.did().clone();
        drop(key);
        hsm.script(
            "reuse-handles\n\
             on C_SignInit random 1/30 seed 17 gap 300 kill-session\n\
             on C_FindObjectsInit random 1/30 seed 5 gap 300 kill-all\n\
             on C_OpenSession random 1/30 seed 23 gap 300 return CKR_DEVICE_ERROR\n\
             on C_GetAttributeValue random 1/60 seed 11 gap 300 logout",
        );
        let (send, done) = std::sync::mpsc::channel();
        let (opened, failed) = (AtomicUsize::new(0), AtomicUsize::new(0));
        thread::scope(|scope| {
            for thread in 0..6 {
                let (send, backend, locator, did) = (send.clone(), &backend, &locator, &did);
                let (opened, failed) = (&opened, &failed);
                scope.spawn(move || {
                    for round in 0..60 {
                        let made = crate::find(backend, locator, did).and_then(|sealed| {
                            let key = sealed.demand_hardware().unwrap().unseal(&Pin::new(PIN))?;
                            let message = format!("{thread} {round}");
                            let signature = key.sign(message.as_bytes())?;
                            key.verifying_key().verify(message.as_bytes(), &signature).unwrap();
                            Ok(())
                        });
                        let count = if made.is_ok() { opened } else { failed };
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                    send.send(()).unwrap();
                });
            }
            for _ in 0..6 {
                if done.recv_timeout(std::time::Duration::from_secs(120)).is_err() {
                    // A scope would wait for ever.
                    std::process::abort();
                }
            }
        });
        let (opened, failed) = (opened.into_inner(), failed.into_inner());
        assert_eq!(opened + failed, 360);
        assert!(opened > 180, "{opened} opened, {failed} failed");
        assert!(failed > 0, "the faults did nothing");
        hsm.script("");
        let key = crate::find(&backend, &locator, &did).unwrap().demand_hardware().unwrap();
        let key = key.unseal(&Pin::new(PIN)).unwrap();
        assert_eq!(sign_by_threads(&key, 4, 20), 80);
    });
}
