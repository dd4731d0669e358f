//! What a TPM says of itself: who it is, and how near it is to a lock-out.

use tss_esapi::Context;
use tss_esapi::constants::{CapabilityType, PropertyTag};
use tss_esapi::structures::CapabilityData;

use super::failure::{Doing as _, Failed};
use crate::backend::PinState;
use crate::error::TpmError;
use crate::evidence::DeviceIdentity;

/// Numbers of properties, each asked for with its neighbours only: the crate
/// refuses a list in which it does not know one.
fn numbers(
    context: &mut Context,
    first: PropertyTag,
    count: u32,
) -> Result<impl Fn(PropertyTag) -> Option<u32> + use<>, Failed> {
    let asked = context.execute_without_session(|context| {
        context.get_capability(CapabilityType::TpmProperties, first.into(), count)
    });
    let list = match asked.doing("tell its properties")? {
        (CapabilityData::TpmProperties(list), _) => Some(list),
        _ => None,
    };
    Ok(move |tag| list.as_ref()?.find(tag).map(|property| property.value()))
}

/// One number, if it tells that.
#[cfg(feature = "attestation")]
pub(super) fn number(context: &mut Context, tag: PropertyTag) -> Result<Option<u32>, Failed> {
    Ok(numbers(context, tag, 1)?(tag))
}

/// Objects and sessions that it has room for, at least.
pub(super) fn free_slots(context: &mut Context) -> Result<(Option<u32>, Option<u32>), Failed> {
    let objects = numbers(context, PropertyTag::HrTransientAvail, 1)?;
    let sessions = numbers(context, PropertyTag::HrLoadedAvail, 1)?;
    Ok((objects(PropertyTag::HrTransientAvail), sessions(PropertyTag::HrLoadedAvail)))
}

/// Who the TPM says it is. There is no serial number to read without the
/// endorsement key; the device's name stands for it.
pub(super) fn identity(context: &mut Context, device: &str) -> Result<DeviceIdentity, Failed> {
    let told = numbers(context, PropertyTag::Manufacturer, 8)?;
    let vendor: Vec<u8> = [
        PropertyTag::VendorString1,
        PropertyTag::VendorString2,
        PropertyTag::VendorString3,
        PropertyTag::VendorString4,
    ]
    .into_iter()
    .filter_map(&told)
    .flat_map(u32::to_be_bytes)
    .collect();
    let firmware = [PropertyTag::FirmwareVersion1, PropertyTag::FirmwareVersion2].map(&told);
    let [first, second] = firmware.map(Option::unwrap_or_default);
    Ok(DeviceIdentity {
        manufacturer: text(&told(PropertyTag::Manufacturer).unwrap_or_default().to_be_bytes()),
        model: text(&vendor),
        library: String::new(),
        module: String::new(),
        slot: String::new(),
        serial: String::new(),
        label: device.to_owned(),
        firmware: format!(
            "{}.{}.{}.{}",
            first >> 16,
            first & 0xffff,
            second >> 16,
            second & 0xffff
        ),
        hardware_slot: true,
    })
}

/// Four letters to a number, padded with blanks or NUL.
fn text(bytes: &[u8]) -> String {
    let text: String = bytes
        .iter()
        .map(|byte| char::from(*byte))
        .filter(|letter| letter.is_ascii() && !letter.is_ascii_control())
        .collect();
    text.trim().to_owned()
}

/// The protection against dictionary attacks. It is one for the whole TPM:
/// other programs' wrong PINs count as well.
#[derive(Debug, Clone, Copy)]
pub(super) struct Lockout {
    /// Wrong authValues so far.
    pub(super) counter: Option<u32>,
    /// How many lock it.
    pub(super) max_tries: Option<u32>,
    /// Seconds after which one is forgotten. With 0 there is no protection
    /// (part 3, `TPM2_DictionaryAttackParameters`).
    pub(super) interval: Option<u32>,
}

impl Lockout {
    pub(super) fn read(context: &mut Context) -> Result<Self, Failed> {
        let told = numbers(context, PropertyTag::LockoutCounter, 3)?;
        Ok(Self {
            counter: told(PropertyTag::LockoutCounter),
            max_tries: told(PropertyTag::MaxAuthFail),
            interval: told(PropertyTag::LockoutInterval),
        })
    }

    /// How many more wrong PINs it takes before it is locked; `None` if it does
    /// not tell, or does not lock.
    pub(super) const fn tries_left(self) -> Option<u32> {
        match self {
            Self { interval: Some(0), .. } => None,
            Self { counter: Some(counter), max_tries: Some(most), .. } => {
                Some(most.saturating_sub(counter))
            }
            _ => None,
        }
    }

    /// Whether no wrong PIN is counted, and there is a second try after one that would be;
    /// or none is ever counted.
    pub(super) fn is_clear(self) -> bool {
        self.interval == Some(0)
            || (self.counter == Some(0) && self.tries_left().is_some_and(|left| left > 1))
    }

    /// Whether one wrong PIN was counted since then, and not more.
    pub(super) fn has_one_more_than(self, before: Self) -> bool {
        let more = before.counter.and_then(|counter| counter.checked_add(1));
        more.is_some() && self.counter == more
    }

    /// Refuses to send a PIN that could lock the TPM, or that it would not
    /// look at.
    pub(super) fn check(self, allow_final_try: bool) -> Result<(), TpmError> {
        match self.tries_left() {
            Some(0) if self.max_tries == Some(0) => Err(TpmError::NoSpareTry { allowed: 0 }),
            Some(1) if self.max_tries == Some(1) && !allow_final_try => {
                Err(TpmError::NoSpareTry { allowed: 1 })
            }
            Some(0) => Err(TpmError::LockedOut { recovery_seconds: self.interval, source: None }),
            Some(1) if !allow_final_try => Err(TpmError::FinalTry),
            _ => Ok(()),
        }
    }

    pub(super) fn pin_state(self, has_pin: bool) -> PinState {
        PinState {
            initialized: has_pin,
            count_low: self.counter.is_some_and(|counter| counter > 0),
            final_try: self.tries_left() == Some(1),
            locked: self.tries_left() == Some(0),
            to_be_changed: false,
            pin_pad: false,
            silent: false,
            lockout: None,
            tries_left: self.tries_left(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_time_does_not_change_is_told_apart_from_what_it_does() {
        let checked = |counter, most, allowed| {
            let (counter, max_tries) = (Some(counter), Some(most));
            Lockout { counter, max_tries, interval: Some(600) }.check(allowed)
        };
        for allowed in [false, true] {
            for free in [(0, 2), (1, 3)] {
                assert!(checked(free.0, free.1, allowed).is_ok());
            }
            assert!(matches!(checked(0, 0, allowed), Err(TpmError::NoSpareTry { allowed: 0 })));
            for locked in [(1, 1), (3, 3)] {
                let error = checked(locked.0, locked.1, allowed);
                assert!(matches!(error, Err(TpmError::LockedOut { .. })), "{error:?}");
            }
        }
        assert!(matches!(checked(1, 2, false), Err(TpmError::FinalTry)));
        assert!(matches!(checked(0, 1, false), Err(TpmError::NoSpareTry { allowed: 1 })));
        assert!(checked(1, 2, true).is_ok() && checked(0, 1, true).is_ok());
    }
}
