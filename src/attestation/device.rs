//! Which device it is, as its certificates say.

use std::fmt;
use std::str::FromStr;

use crate::encoding::UnknownName;

/// The devices whose makers attest keys, each with certificate authorities of its own: those
/// of one class vouch for nothing of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[non_exhaustive]
pub enum DeviceClass {
    /// Yubico's YubiHSM 2.
    YubiHsm,
    /// The PIV application of Yubico's YubiKey.
    YubiKeyPiv,
}

const NAMES: &[&str] = &["yubihsm", "yubikey-piv"];

impl DeviceClass {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::YubiHsm, Self::YubiKeyPiv];

    /// Its name in JSON, and that of its folder for `Anchors::load` (feature `keystore`):
    /// `yubihsm`, `yubikey-piv`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::YubiHsm => "yubihsm",
            Self::YubiKeyPiv => "yubikey-piv",
        }
    }

    /// What people call it.
    #[must_use]
    pub const fn product(self) -> &'static str {
        match self {
            Self::YubiHsm => "YubiHSM 2",
            Self::YubiKeyPiv => "YubiKey PIV",
        }
    }

    /// Who makes it.
    #[must_use]
    pub const fn maker(self) -> &'static str {
        match self {
            Self::YubiHsm | Self::YubiKeyPiv => "Yubico",
        }
    }

    /// The first firmware without the fault that gave keys away (Yubico's advisory
    /// YSA-2024-03): an ECDSA key could be computed from measurements, a device's attestation
    /// key too.
    #[must_use]
    pub const fn default_firmware(self) -> Firmware {
        match self {
            Self::YubiHsm => Firmware::new(2, 4, 0),
            Self::YubiKeyPiv => Firmware::new(5, 7, 0),
        }
    }
}

impl fmt::Display for DeviceClass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for DeviceClass {
    type Err = UnknownName;

    fn from_str(name: &str) -> Result<Self, UnknownName> {
        let class = Self::ALL.into_iter().find(|class| class.as_str() == name);
        class.ok_or(UnknownName::new("a class of devices", NAMES))
    }
}

/// The version of a device's firmware: `2.4.0`. Later is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Firmware([u8; 3]);

impl Firmware {
    /// Of its three numbers.
    #[must_use]
    pub const fn new(major: u8, minor: u8, patch: u8) -> Self {
        Self([major, minor, patch])
    }

    pub(super) const fn from_numbers(numbers: [u8; 3]) -> Self {
        Self(numbers)
    }
}

impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch] = self.0;
        write!(f, "{major}.{minor}.{patch}")
    }
}

impl FromStr for Firmware {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let unknown = || UnknownName::new("a firmware version", &["three numbers, like 2.4.0"]);
        let mut numbers = text.split('.').map(|number| {
            // One spelling: no sign, no zeros before it.
            number.parse::<u8>().ok().filter(|read| read.to_string() == number)
        });
        let firmware = [numbers.next(), numbers.next(), numbers.next()].map(Option::flatten);
        match (firmware, numbers.next()) {
            ([Some(major), Some(minor), Some(patch)], None) => Ok(Self::new(major, minor, patch)),
            _ => Err(unknown()),
        }
    }
}

/// The device that has an attested key, as its certificates say.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Device {
    class: DeviceClass,
    serial: u32,
    firmware: Firmware,
}

impl Device {
    pub(super) const fn new(class: DeviceClass, serial: u32, firmware: Firmware) -> Self {
        Self { class, serial, firmware }
    }

    /// Which sort of device, and so whose word it is.
    #[must_use]
    pub const fn class(&self) -> DeviceClass {
        self.class
    }

    /// Its serial number. A lasting mark of this device: whoever is shown it can recognise the
    /// device again.
    #[must_use]
    pub const fn serial(&self) -> u32 {
        self.serial
    }

    /// Its firmware.
    #[must_use]
    pub const fn firmware(&self) -> Firmware {
        self.firmware
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class, serial, firmware } = self;
        let (maker, product) = (class.maker(), class.product());
        write!(f, "{maker} {product}, serial {serial}, firmware {firmware}")
    }
}
