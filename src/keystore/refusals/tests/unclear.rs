//! Notes by which it cannot be told whether a PIN was refused.

use super::*;

/// As it is said, and nothing is sent.
fn not_sent(device: &Device, says: &[&str]) -> KeystoreError {
    let before = device.sent();
    let Err(Error::Keystore(error)) = device.attempt(false, Ok(())) else { panic!("sent") };
    assert_eq!(device.sent(), before);
    let because = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    let said = format!("{error}: {because}; {}", error.help().unwrap());
    for part in says.iter().chain(&["retry_refused"]) {
        assert!(said.contains(part), "no {part} in {said}");
    }
    error
}

fn noted(device: &Device) -> serde_json::Value {
    serde_json::from_slice(&fs::read(device.note()).unwrap()).unwrap()
}

#[test]
fn a_file_that_is_not_understood_has_no_pin_sent_until_somebody_says_so() {
    let device = Device::new();
    device.attempt(false, Err(wrong())).unwrap_err();
    let good = noted(&device);
    device.put("another one");
    let with = |name: &str, value: serde_json::Value| {
        let mut all = good.clone();
        all["refused"][0][name] = value;
        all.to_string()
    };
    let times = |count: usize| {
        let mut many = good.clone();
        many["refused"].as_array_mut().unwrap().resize(count, good["refused"][0].clone());
        many.to_string()
    };
    let whole = good.to_string();
    for damaged in [
        with("new_field", 1.into()),
        with("at", (-1).into()),
        with("mark", serde_json::json!({"source": "card", "name": "x"})),
        with("pin", "18:00112233445566778899aabbccddeeff:0000".into()),
        with("pin", "no tag".into()),
        whole[..whole.len() / 2].to_owned(),
        "{}".to_owned(),
        String::new(),
        times(1025),
        times(9000),
    ] {
        file::write(&device.note(), damaged.as_bytes()).unwrap();
        forget_here(&device);
        let note = device.note();
        let remove = format!("rm -f {}", note.display());
        let error = not_sent(&device, &["cannot be understood", &remove]);
        assert!(matches!(error, KeystoreError::Refusals { .. }), "{error:?}: {damaged:.200}");
        // A refusal changes nothing of that, and what the device takes does.
        device.attempt(true, Err(wrong())).unwrap_err();
        assert_eq!(fs::read(device.note()).unwrap(), damaged.as_bytes());
        forget_here(&device);
        not_sent(&device, &[]);
        device.attempt(true, Ok(())).unwrap();
        device.attempt(false, Ok(())).unwrap();
        assert!(!device.note().exists());
    }
}

/// There was no memory for scrypt.
#[test]
fn after_a_refusal_without_a_tag_no_pin_is_sent_until_somebody_says_so() {
    let device = Device::new();
    device.attempt(false, Err(wrong())).unwrap_err();
    let mut untagged = noted(&device);
    untagged["refused"][0].as_object_mut().unwrap().remove("pin");
    file::write(&device.note(), untagged.to_string().as_bytes()).unwrap();
    forget_here(&device);
    assert!(refused_before(&device.attempt(false, Ok(()))));
    device.put("another one");
    let error = not_sent(&device, &["may be one that", "tells it from others"]);
    assert!(matches!(error, KeystoreError::PinNotCompared { .. }), "{error:?}");
    assert_eq!(error.kind(), crate::error::ErrorKind::WrongCredential);
    device.attempt(true, Ok(())).unwrap();
    device.attempt(false, Ok(())).unwrap();
}

#[test]
fn when_as_many_were_refused_as_are_noted_no_other_one_is_sent_until_somebody_says_so() {
    for owner in [PinOwner::Token, PinOwner::KeyOfTpm] {
        let device = Device::new();
        let tried = TriedDevice::new("token", owner).with_salt(Some(b"salt"));
        let (place, sent) = (Place::Variable("PIN".to_owned()), AtomicUsize::new(0));
        let attempt = |pin: String, again| {
            let read = || Ok(LockedText::from(pin.clone()));
            let came = device.store.try_once(&tried, &place, again, read, |given| {
                sent.fetch_add(1, Ordering::SeqCst);
                let answer = if pin == "right" { Ok(()) } else { Err(wrong()) };
                note(&given, &answer);
                answer
            });
            forget_here(&device);
            came
        };
        let of = |number: usize| format!("wrong {number}");
        // One of 65,536 is taken for another one.
        let mut number = 0;
        while noted_ones(&device) < notes::MOST {
            let _ = attempt(of(number), false);
            number += 1;
        }
        let before = sent.load(Ordering::SeqCst);
        assert_eq!(before, notes::MOST);
        for known in 0..number {
            assert!(refused_before(&attempt(of(known), false)), "{known}");
        }
        for unknown in ["right", "a new one"] {
            let came = attempt(unknown.to_owned(), false);
            let Err(Error::Keystore(error)) = &came else { panic!("{came:?}") };
            assert!(error.kind() == crate::error::ErrorKind::WrongCredential, "{error:?}");
            assert!(error.help().unwrap().contains("retry_refused"), "{error:?}");
        }
        assert_eq!(sent.load(Ordering::SeqCst), before);
        // A wrong one takes the place of the oldest, but of a device that would count that again,
        // and a right one makes room.
        attempt("a new one".to_owned(), true).unwrap_err();
        assert!(refused_before(&attempt("a new one".to_owned(), false)));
        let stay = if owner == PinOwner::Token { 0 } else { 1 };
        assert_eq!(noted_ones(&device), notes::MOST + stay);
        attempt("right".to_owned(), true).unwrap();
        attempt("right".to_owned(), false).unwrap();
        if owner == PinOwner::Token {
            assert!(!device.note().exists());
            continue;
        }
        // A TPM counts each of them again: they stay, and others beside them.
        let before = sent.load(Ordering::SeqCst);
        assert!(refused_before(&attempt("a new one".to_owned(), false)));
        // Each of those before, also the oldest.
        for known in 0..number {
            assert!(refused_before(&attempt(of(known), false)), "{known}");
        }
        assert_eq!(sent.load(Ordering::SeqCst), before);
        attempt("one more".to_owned(), false).unwrap_err();
        assert_eq!(noted_ones(&device), notes::MOST + 2);
        for known in ["one more", "a new one"] {
            assert!(refused_before(&attempt(known.to_owned(), false)), "{known}");
        }
        attempt("right".to_owned(), false).unwrap();
        assert_eq!(sent.load(Ordering::SeqCst), before + 2);
    }
}

fn noted_ones(device: &Device) -> usize {
    if !device.note().exists() {
        return 0;
    }
    noted(device)["refused"].as_array().unwrap().len()
}

/// A person is told what is known already.
#[test]
fn a_pin_that_is_given_by_hand_is_compared_too() {
    let device = Device::new();
    device.attempt(false, Err(wrong())).unwrap_err();
    let sent = AtomicUsize::new(0);
    let given = |pin: &str, again| {
        device.store.try_given(&token(), Credentials::pin(Pin::new(pin)), again, |_| {
            sent.fetch_add(1, Ordering::SeqCst);
            Ok(())
        })
    };
    assert!(refused_before(&given("wrong", false)));
    assert_eq!(sent.load(Ordering::SeqCst), 0);
    given("another one", false).unwrap();
    given("wrong", true).unwrap();
    assert_eq!(sent.load(Ordering::SeqCst), 2);
    // What cannot be compared is neither, and is put right by one that the device takes.
    file::write(&device.note(), b"{}").unwrap();
    let came = given("another one", false);
    assert!(matches!(came, Err(Error::Keystore(KeystoreError::Refusals { .. }))), "{came:?}");
    let taken = |pin: &str| {
        device.store.try_given(&token(), Credentials::pin(Pin::new(pin)), true, |given| {
            let pin = given.pin_for(crate::backend::BackendKind::Pkcs11)?;
            pin.answer().sending(WithoutNote::MayNot).unwrap().accepted();
            Ok(())
        })
    };
    taken("another one").unwrap();
    given("another one", false).unwrap();
    assert!(!device.note().exists());
}

/// `pass show` asks for its own PIN.
#[test]
fn while_a_pin_is_being_read_nobody_waits_for_its_turn() {
    let device = Device::new();
    let place = Place::Variable("PIN".to_owned());
    let read = || {
        device.put("right");
        device.attempt(false, Ok(()))?;
        Ok("right".into())
    };
    device.store.try_once(&token(), &place, false, read, |_| Ok(())).unwrap();
    assert_eq!(device.sent(), 1);
}
