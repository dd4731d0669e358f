//! Right PINs and wrong ones that take turns.

use super::*;

struct Turns {
    device: Device,
    tried: TriedDevice,
}

impl Turns {
    fn at(owner: PinOwner) -> Self {
        let device = Device::new();
        Self { device, tried: TriedDevice::new("device", owner).with_salt(Some(b"one")) }
    }

    /// The device takes `right`, and refuses any other one.
    fn attempt(&self, place: &Place, pin: &'static str, again: bool) -> Result<(), Error> {
        self.attempt_of(place, pin, "right", again)
    }

    fn attempt_of(
        &self,
        place: &Place,
        pin: &'static str,
        right: &str,
        again: bool,
    ) -> Result<(), Error> {
        self.device.store.try_once(
            &self.tried,
            place,
            again,
            || Ok(pin.into()),
            |given| {
                self.device.sent.fetch_add(1, Ordering::SeqCst);
                let answer = if pin == right { Ok(()) } else { Err(wrong()) };
                note(&given, &answer);
                answer
            },
        )
    }
}

fn variable(name: &str) -> Place {
    Place::Variable(name.to_owned())
}

#[test]
fn a_right_pin_takes_back_nothing_that_a_tpm_has_counted() {
    for owner in [PinOwner::KeyOfTpm, PinOwner::TokenOfTpm, PinOwner::Token] {
        let turns = Turns::at(owner);
        for round in 0..3 {
            turns.attempt(&variable("A"), "right", false).unwrap();
            let refused = turns.attempt(&variable("B"), "wrong", false);
            let is_first = round == 0 || owner == PinOwner::Token;
            assert_eq!(refused_before(&refused), !is_first, "{owner:?}, {round}: {refused:?}");
        }
    }
}

/// All of it has one name: of the same variable, credential or volume only the content
/// changes.
#[test]
fn of_one_variable_each_pin_that_was_refused_stays_so() {
    for owner in [PinOwner::KeyOfTpm, PinOwner::Unknown] {
        let turns = Turns::at(owner);
        for pin in ["wrong", "wrong too"] {
            assert!(turns.attempt(&variable("A"), pin, false).unwrap_err().is_wrong_pin());
        }
        for pin in ["wrong", "wrong too"] {
            assert!(refused_before(&turns.attempt(&variable("A"), pin, false)), "{pin}");
        }
        assert_eq!(turns.device.sent(), 2);
    }
    let turns = Turns::at(PinOwner::KeyOfTpm);
    for _ in 0..2 {
        let _ = turns.attempt(&variable("A"), "wrong", false);
        turns.attempt(&variable("A"), "right", false).unwrap();
    }
    assert_eq!(turns.device.sent(), 3);
    // Nor does this process remember it alone.
    assert!(turns.device.note().exists());
}

#[test]
fn a_key_that_was_sealed_with_another_pin_has_not_refused_that_one() {
    let mut turns = Turns::at(PinOwner::KeyOfTpm);
    assert!(turns.attempt(&variable("A"), "early", false).unwrap_err().is_wrong_pin());
    turns.attempt(&variable("B"), "right", false).unwrap();
    assert!(refused_before(&turns.attempt(&variable("A"), "early", false)));
    turns.tried = turns.tried.with_salt(Some(b"two"));
    turns.attempt_of(&variable("A"), "early", "early", false).unwrap();
    assert!(turns.attempt_of(&variable("B"), "right", "early", false).unwrap_err().is_wrong_pin());
}

/// One of 65,536 PINs has the tag of a refused one.
#[test]
fn a_pin_that_is_taken_after_all_is_refused_no_more_wherever_it_comes_from() {
    let turns = Turns::at(PinOwner::KeyOfTpm);
    for place in ["A", "B"] {
        let refused = turns.attempt_of(&variable(place), "other", "right", true);
        assert!(refused.unwrap_err().is_wrong_pin());
    }
    turns.attempt_of(&variable("C"), "other", "other", true).unwrap();
    for place in ["A", "B", "C"] {
        turns.attempt_of(&variable(place), "other", "other", false).unwrap();
    }
}
