//! What another process was told of the PIN since it was accepted bars sending it again, as it
//! bars an opening: of services with one state directory one sends a PIN that was changed.

use super::*;

/// The token has another PIN by now, and each process loses its login.
const CHANGED: &str = "pin-is right-elsewhere\ntries 3\nwrong-pin CKR_PIN_INCORRECT\n\
                       on C_SignInit 1 kill-all\n";
const LOST: &str = "on C_SignInit 1 kill-all\n";

const REFUSED: &str = "refused";
const REFUSED_BEFORE: &str = "refused before";
const IN_DOUBT: &str = "in doubt";
const UNREADABLE: &str = "unreadable";

/// What came of a signature. What bars it is the same as of an opening, and its advice too.
fn came(signed: Result<(), Error>) -> String {
    let Err(error) = signed else { return DONE.to_owned() };
    let Some(DeviceError::Pkcs11(Pkcs11Error::PinNotSentAgain { source, .. })) = error.device()
    else {
        let told = if error.is_wrong_credential() { REFUSED } else { "something else" };
        return if error.is_wrong_pin() { told.to_owned() } else { format!("{error:?}") };
    };
    let barred = source.downcast_ref::<KeystoreError>().unwrap();
    assert_eq!(error.help(), barred.help());
    assert_eq!(error.kind(), barred.kind());
    match barred {
        KeystoreError::RefusedBefore { .. } if error.is_wrong_credential() => REFUSED_BEFORE,
        KeystoreError::PinInDoubt { .. } if error.is_wrong_credential() => IN_DOUBT,
        KeystoreError::Refusals { .. } => UNREADABLE,
        _ => panic!("{error:?}"),
    }
    .to_owned()
}

/// If this is one: keeps one home open, and signs when it is told to.
fn is_one(hsm: &SoftHsm) -> bool {
    let kept = RefCell::new(None);
    serve(|line| match line.split_once(' ') {
        Some(("open", home)) => {
            came(open(hsm, (home, "right"), |sign| *kept.borrow_mut() = Some(sign)))
        }
        Some(("given", home)) => {
            let options = HomeOptions::new().with_state_directory(hsm.path("state"));
            let home = options.open(hsm.path(home)).unwrap();
            let opened = home.unlock(CredentialSource::given(RIGHT.to_owned())).unwrap();
            let sign = move || Ok(opened.bundle.sign(b"hello").map(drop)?);
            let signed = sign();
            *kept.borrow_mut() = Some(Box::new(sign));
            came(signed)
        }
        _ => came(kept.borrow().as_ref().unwrap()()),
    })
}

fn start(test: &str, how: &str) -> Worker {
    let worker = Worker::start(&format!("sent_again::since::{test}"), &[]);
    assert_eq!(worker.ask(how).as_deref(), Some(DONE));
    worker
}

fn signs(service: &Worker) -> String {
    service.ask("sign").unwrap()
}

/// From here on what is sent is written down.
fn begins(hsm: &SoftHsm, script: &str) {
    let _ = fs::remove_file(hsm.path("pins"));
    hsm.script(script);
}

#[test]
fn what_another_service_was_refused_is_not_sent_again() {
    alone(|hsm| {
        if is_one(hsm) {
            return;
        }
        made(hsm);
        let name = "what_another_service_was_refused_is_not_sent_again";
        let services = ["open one", "open two", "given two"].map(|how| start(name, how));
        begins(hsm, CHANGED);
        assert_eq!(signs(&services[0]), REFUSED);
        for service in services[1..].iter().chain(&services[1..]) {
            assert_eq!(signs(service), REFUSED_BEFORE);
        }
        assert_eq!(sent(hsm), [(false, 3)]);
        // It was changed back, and an operator has said so: they go on by themselves.
        hsm.script(TOKEN_IS);
        assert_eq!(signs(&services[1]), REFUSED_BEFORE);
        let options = HomeOptions::new().with_state_directory(hsm.path("state")).retry_refused();
        let home = options.open(hsm.path("one")).unwrap();
        home.unlock(CredentialSource::file(hsm.path("right"))).unwrap();
        for service in &services[1..] {
            assert_eq!(signs(service), DONE);
        }
        assert!(sent(hsm)[1..].iter().all(|(right, _)| *right));
    });
}

#[test]
fn what_a_command_was_refused_a_service_does_not_send_again() {
    alone(|hsm| {
        if is_one(hsm) {
            return;
        }
        made(hsm);
        let name = "what_a_command_was_refused_a_service_does_not_send_again";
        let service = start(name, "open one");
        // Of another PIN that says nothing.
        write_private(&hsm.path("wrong"), WRONG[0]);
        begins(hsm, &format!("{TOKEN_IS}{LOST}"));
        assert!(open(hsm, ("two", "wrong"), drop).unwrap_err().is_wrong_pin());
        assert_eq!(signs(&service), DONE);
        begins(hsm, CHANGED);
        fs::remove_file(hsm.path("tries")).unwrap();
        assert!(open(hsm, ("two", "right"), drop).unwrap_err().is_wrong_pin());
        assert_eq!([signs(&service), signs(&service)], [REFUSED_BEFORE; 2]);
        assert_eq!(sent(hsm), [(false, 3)]);
    });
}

/// By a module whose sessions want a login each, and of a key that wants one for each signature.
#[test]
fn a_key_with_a_pin_for_each_signature_does_not_send_what_was_refused() {
    alone(|hsm| {
        if is_one(hsm) {
            return;
        }
        made_with_a_pin_each_time(hsm);
        let name = "a_key_with_a_pin_for_each_signature_does_not_send_what_was_refused";
        let service = start(name, "open one");
        begins(hsm, &CHANGED.replace(LOST, ""));
        assert!(open(hsm, ("two", "right"), drop).unwrap_err().is_wrong_pin());
        assert_eq!([signs(&service), signs(&service)], [REFUSED_BEFORE; 2]);
        assert_eq!(sent(hsm), [(false, 3)]);
    });
}

#[test]
fn of_services_that_lose_their_logins_at_once_one_sends_a_pin_that_was_changed() {
    alone(|hsm| {
        if is_one(hsm) {
            return;
        }
        made(hsm);
        let name = "of_services_that_lose_their_logins_at_once_one_sends_a_pin_that_was_changed";
        // Of one home, too.
        let homes = ["open one", "open two", "open one", "given two"];
        let services = homes.map(|how| start(name, how));
        begins(hsm, &format!("{CHANGED}on C_Login 1 sleep 300\n"));
        let barrier = Barrier::new(services.len());
        let mut all: Vec<_> = std::thread::scope(|scope| {
            let signs = |service| {
                barrier.wait();
                signs(service)
            };
            let running: Vec<_> =
                services.iter().map(|service| scope.spawn(move || signs(service))).collect();
            running.into_iter().map(|one| one.join().unwrap()).collect()
        });
        // Whoever has it by hand notes nothing, and is not told twice.
        all.sort();
        let by_hand = sent(hsm).len() - 1;
        assert!(by_hand <= 1, "{:?}", sent(hsm));
        assert!(all.iter().filter(|came| *came == REFUSED).count() == 1 + by_hand, "{all:?}");
        let before = sent(hsm).len();
        for service in &services {
            assert!([REFUSED, REFUSED_BEFORE].contains(&signs(service).as_str()));
        }
        assert_eq!(sent(hsm).len(), before);
    });
}

/// The last try is not even near.
#[test]
fn three_services_spend_one_of_three_tries() {
    alone(|hsm| {
        if is_one(hsm) {
            return;
        }
        hsm.token(TOKEN);
        hsm.script("");
        home_with(hsm, "three", "third").create(&NewKey::default(), given()).unwrap();
        home_with(hsm, "one", "first").create(&NewKey::default(), given()).unwrap();
        with_second(hsm);
        let name = "three_services_spend_one_of_three_tries";
        let services = ["open one", "open two", "open three"].map(|how| start(name, how));
        begins(hsm, CHANGED);
        assert_eq!(services.each_ref().map(signs), [REFUSED, REFUSED_BEFORE, REFUSED_BEFORE]);
        assert_eq!(sent(hsm), [(false, 3)]);
    });
}

/// Threads of one process, with several homes open.
#[test]
fn threads_with_several_homes_send_what_a_command_was_refused_no_more() {
    alone(|hsm| {
        if is_one(hsm) {
            return;
        }
        made(hsm);
        let name = "threads_with_several_homes_send_what_a_command_was_refused_no_more";
        let other = start(name, "open two");
        let all = ["one", "two"].map(|home| open(hsm, (home, "right"), |sign| sign).unwrap());
        begins(hsm, CHANGED);
        assert_eq!(signs(&other), REFUSED);
        for sign in all.iter().chain(&all) {
            assert_eq!(came(sign()), REFUSED_BEFORE);
        }
        assert_eq!(sent(hsm), [(false, 3)]);
    });
}

/// Where the token shows that wrong ones were counted, nothing tells whether this one was.
#[test]
fn what_a_kill_has_left_in_doubt_is_not_sent_again_by_itself() {
    alone(|hsm| {
        if is_one(hsm) {
            return;
        }
        made(hsm);
        let name = "what_a_kill_has_left_in_doubt_is_not_sent_again_by_itself";
        let killed = ["open one", "open one"].map(|how| start(name, how));
        let service = start(name, "open two");
        for (killed, (counted, expected)) in killed.iter().zip([("0", DONE), ("1", IN_DOUBT)]) {
            fs::write(hsm.path("tries"), counted).unwrap();
            hsm.script(&format!("{TOKEN_IS}{LOST}on C_Login 1 sleep 60000\n"));
            std::thread::scope(|scope| {
                scope.spawn(|| killed.ask("sign"));
                wait_for_note(&hsm.path("one"));
                killed.kill();
            });
            begins(hsm, &format!("{TOKEN_IS}{LOST}"));
            assert_eq!(signs(&service), expected, "{counted}");
            assert_eq!(sent(hsm).len(), usize::from(expected == DONE), "{counted}");
            let options =
                HomeOptions::new().with_state_directory(hsm.path("state")).retry_refused();
            let home = options.open(hsm.path("one")).unwrap();
            home.unlock(CredentialSource::file(hsm.path("right"))).unwrap();
            assert_eq!(signs(&service), DONE, "{counted}");
        }
    });
}

#[test]
fn a_note_that_is_not_understood_keeps_a_pin_from_being_sent_again() {
    alone(|hsm| {
        if is_one(hsm) {
            return;
        }
        made(hsm);
        let name = "a_note_that_is_not_understood_keeps_a_pin_from_being_sent_again";
        let service = start(name, "open one");
        begins(hsm, &format!("{TOKEN_IS}{LOST}"));
        let note = hsm.path("one/refused.json");
        write_private(&note, "{");
        assert_eq!(signs(&service), UNREADABLE);
        assert!(sent(hsm).is_empty());
        fs::remove_file(note).unwrap();
        assert_eq!(signs(&service), DONE);
        assert_eq!(sent(hsm), [(true, 3)]);
    });
}
