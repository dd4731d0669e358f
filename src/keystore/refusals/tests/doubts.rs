//! PINs of which nobody knows whether they were refused.

use super::*;

fn variable(name: &str) -> Place {
    Place::Variable(name.to_owned())
}

/// Sends it, and hears nothing; gives whether it was sent.
fn loses(device: &Device, tried: &TriedDevice, place: &Place, pin: &'static str) -> bool {
    let mut sent = false;
    let lost = device.store.try_once(
        tried,
        place,
        false,
        || Ok(pin.into()),
        |pin| {
            sent = true;
            drop(pin.answer().sending(WithoutNote::MayNot));
            Err::<(), Error>(crate::error::DeviceError::NoPkcs11.into())
        },
    );
    // As the next process.
    forget_here(device);
    assert!(sent || in_doubt(&lost), "{lost:?}");
    sent
}

fn takes(device: &Device, tried: &TriedDevice, place: &Place, pin: &'static str) {
    let sent = device.store.try_once(
        tried,
        place,
        true,
        || Ok(pin.into()),
        |pin| {
            pin.answer().sending(WithoutNote::MayNot).unwrap().accepted();
            Ok(())
        },
    );
    sent.unwrap();
    forget_here(device);
}

/// A secret that is fetched into a new file at each start, with a token that is lost at each.
#[test]
fn a_pin_in_doubt_is_not_sent_again_wherever_it_comes_from() {
    for owner in [PinOwner::Token, PinOwner::TokenOfTpm, PinOwner::KeyOfTpm, PinOwner::Unknown] {
        let device = Device::new();
        let tried = TriedDevice::new("device", owner).with_salt(Some(b"one"));
        let beside = |name: &str| device.source.with_file_name(name);
        let copy = |name: &str| {
            fs::copy(&device.source, beside(name)).unwrap();
            Place::File(beside(name))
        };
        let lost = |place: &Place| loses(&device, &tried, place, "wrong");
        assert!(lost(&Place::File(device.source.clone())));
        assert!(!lost(&copy("copied")), "{owner:?}");
        fs::hard_link(&device.source, beside("linked")).unwrap();
        assert!(!lost(&Place::File(beside("linked"))), "{owner:?}");
        fs::rename(&device.source, beside("renamed")).unwrap();
        assert!(!lost(&Place::File(beside("renamed"))), "{owner:?}");
        device.put("wrong");
        assert!(!lost(&Place::File(device.source.clone())), "{owner:?}: written anew");
        assert!(!lost(&variable("PIN")) && !lost(&variable("OTHER")), "{owner:?}");
        let kept: serde_json::Value =
            serde_json::from_slice(&fs::read(device.note()).unwrap()).unwrap();
        assert_eq!(kept["refused"].as_array().unwrap().len(), 1, "{kept}");
        // Whoever is asked for it has said so.
        let given =
            device.store.try_given(&tried, Credentials::pin(Pin::new("wrong")), false, |_| Ok(()));
        given.unwrap();
        takes(&device, &tried, &variable("PIN"), "wrong");
        assert!(!device.note().exists(), "{owner:?}");
    }
}

#[test]
fn of_one_variable_each_pin_that_is_in_doubt_stays_so() {
    for owner in [PinOwner::Token, PinOwner::KeyOfTpm] {
        let device = Device::new();
        let tried = TriedDevice::new("device", owner).with_salt(Some(b"one"));
        for pin in ["wrong", "right", "another one"] {
            assert!(loses(&device, &tried, &variable("PIN"), pin), "{owner:?} {pin}");
        }
        for pin in ["wrong", "right", "another one"] {
            assert!(!loses(&device, &tried, &variable("PIN"), pin), "{owner:?} {pin}");
        }
        // The one that a TPM takes says nothing of the others; a token begins to count anew.
        takes(&device, &tried, &variable("PIN"), "right");
        assert_eq!(
            loses(&device, &tried, &variable("COPY"), "wrong"),
            owner == PinOwner::Token,
            "{owner:?}"
        );
    }
}

/// Notes of earlier versions have no group.
#[test]
fn a_doubt_without_a_group_goes_by_its_source_and_one_that_cannot_be_is_not_understood() {
    let device = Device::new();
    let of_source = Place::File(device.source.clone());
    assert!(loses(&device, &token(), &of_source, "wrong"));
    let kept = || -> serde_json::Value {
        serde_json::from_slice(&fs::read(device.note()).unwrap()).unwrap()
    };
    let mut old = kept();
    old["refused"][0].as_object_mut().unwrap().remove("group");
    file::write(&device.note(), old.to_string().as_bytes()).unwrap();
    assert!(!loses(&device, &token(), &of_source, "whatever"));
    assert!(loses(&device, &token(), &variable("PIN"), "wrong"));
    let mut odd = kept();
    odd["refused"][0]["group"] = 8.into();
    file::write(&device.note(), odd.to_string().as_bytes()).unwrap();
    let not_understood = device.attempt(false, Ok(())).unwrap_err();
    let Error::Keystore(KeystoreError::Refusals { .. }) = not_understood else {
        panic!("{not_understood:?}")
    };
}

/// A service that has the device open sends its PIN once more, without a turn.
#[test]
fn who_comes_while_a_pin_is_on_its_way_waits_for_what_comes_of_it() {
    let device = Device::new();
    let place = Place::File(device.source.clone());
    let (read, attempt) = (|| Ok("wrong".into()), || device.attempt(false, Ok(())));
    let kept = device.store.try_once(&token(), &place, false, read, |pin| {
        pin.answer().sending(WithoutNote::MayNot).unwrap().accepted();
        Ok(pin)
    });
    let on_its_way = kept.unwrap().answer().sending(WithoutNote::MayNot).unwrap();
    assert!(device.note().exists());
    std::thread::scope(|scope| {
        let waits = scope.spawn(attempt);
        std::thread::sleep(std::time::Duration::from_millis(100));
        on_its_way.accepted();
        waits.join().unwrap().unwrap();
    });
}
