//! Which device it is, as its certificates say.

use std::fmt;
use std::str::FromStr;

use super::TpmModel;
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
    /// A TPM 2.0 whose endorsement key (EK) its maker certifies.
    Tpm,
    /// A TPM 2.0 whose attestation key (AK) somebody certifies: its maker, the maker of the machine,
    /// or an authority that has activated it.
    TpmAk,
}

const NAMES: &[&str] = &["yubihsm", "yubikey-piv", "tpm", "tpm-ak"];

impl DeviceClass {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::YubiHsm, Self::YubiKeyPiv, Self::Tpm, Self::TpmAk];

    /// Its name in JSON, and that of its folder for `Anchors::load` (feature `keystore`):
    /// `yubihsm`, `yubikey-piv`, `tpm`, `tpm-ak`.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::YubiHsm => "yubihsm",
            Self::YubiKeyPiv => "yubikey-piv",
            Self::Tpm => "tpm",
            Self::TpmAk => "tpm-ak",
        }
    }

    /// What people call it.
    #[must_use]
    pub const fn product(self) -> &'static str {
        match self {
            Self::YubiHsm => "YubiHSM 2",
            Self::YubiKeyPiv => "YubiKey PIV",
            Self::Tpm | Self::TpmAk => "TPM",
        }
    }

    /// The first firmware without the fault that gave keys away (Yubico's advisory
    /// YSA-2024-03): an ECDSA key could be computed from measurements, a device's attestation
    /// key too. Of a TPM none is demanded: 0.0.0.
    #[must_use]
    pub const fn default_firmware(self) -> Firmware {
        match self {
            Self::YubiHsm => Firmware::new(2, 4, 0),
            Self::YubiKeyPiv => Firmware::new(5, 7, 0),
            Self::Tpm | Self::TpmAk => Firmware::new(0, 0, 0),
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

/// The version of a device's firmware: `2.4.0`, or of a TPM `7.85.4555.0`. Later is greater.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Firmware([u16; 4]);

impl Firmware {
    /// Of its three numbers.
    #[must_use]
    pub const fn new(major: u16, minor: u16, patch: u16) -> Self {
        Self([major, minor, patch, 0])
    }

    pub(super) fn from_numbers(numbers: [u8; 3]) -> Self {
        let [major, minor, patch] = numbers.map(u16::from);
        Self::new(major, minor, patch)
    }

    /// As a TPM states it (`TPMS_ATTEST.firmwareVersion`): four numbers of 16 bits.
    pub(super) fn of_tpm(version: u64) -> Self {
        let [a, b, c, d, e, f, g, h] = version.to_be_bytes();
        Self([[a, b], [c, d], [e, f], [g, h]].map(u16::from_be_bytes))
    }
}

impl fmt::Display for Firmware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [major, minor, patch, last] = self.0;
        write!(f, "{major}.{minor}.{patch}")?;
        if last == 0 { Ok(()) } else { write!(f, ".{last}") }
    }
}

impl FromStr for Firmware {
    type Err = UnknownName;

    fn from_str(text: &str) -> Result<Self, UnknownName> {
        let unknown = || UnknownName::new("a firmware version", &["three numbers, like 2.4.0"]);
        let mut numbers = text.split('.').map(|number| {
            // One spelling: no sign, no zeros before it.
            number.parse::<u16>().ok().filter(|read| read.to_string() == number)
        });
        let firmware = [numbers.next(), numbers.next(), numbers.next()].map(Option::flatten);
        // A fourth number of 0 is not written.
        let last = numbers.next().map_or(Some(0), |last| last.filter(|number| *number != 0));
        match (firmware, last, numbers.next()) {
            ([Some(major), Some(minor), Some(patch)], Some(last), None) => {
                Ok(Self([major, minor, patch, last]))
            }
            _ => Err(unknown()),
        }
    }
}

/// The device that has an attested key, as its certificates say.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Device {
    class: DeviceClass,
    firmware: Firmware,
    mark: Mark,
}

/// What tells it from others of its class.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Mark {
    Serial(u32),
    Tpm { model: TpmModel, certificate: [u8; 32] },
}

impl Device {
    pub(super) const fn new(class: DeviceClass, serial: u32, firmware: Firmware) -> Self {
        Self { class, firmware, mark: Mark::Serial(serial) }
    }

    pub(super) const fn of_tpm(
        class: DeviceClass,
        model: TpmModel,
        certificate: [u8; 32],
        firmware: Firmware,
    ) -> Self {
        Self { class, firmware, mark: Mark::Tpm { model, certificate } }
    }

    /// Which sort of device, and so whose word it is.
    #[must_use]
    pub const fn class(&self) -> DeviceClass {
        self.class
    }

    /// Who makes it: `Yubico`, or a TPM's manufacturer by its letters in TCG's registry, like `STM`.
    #[must_use]
    pub fn maker(&self) -> &str {
        match &self.mark {
            Mark::Serial(_) => "Yubico",
            Mark::Tpm { model, .. } => model.manufacturer(),
        }
    }

    /// Its serial number, of a device of Yubico's. A lasting mark of this device: whoever is shown it
    /// can recognise the device again.
    #[must_use]
    pub const fn serial(&self) -> Option<u32> {
        match &self.mark {
            Mark::Serial(serial) => Some(*serial),
            Mark::Tpm { .. } => None,
        }
    }

    /// Which TPM it is, if it is one.
    #[must_use]
    pub const fn tpm(&self) -> Option<&TpmModel> {
        match &self.mark {
            Mark::Serial(_) => None,
            Mark::Tpm { model, .. } => Some(model),
        }
    }

    /// The SHA-256 of the certificate, in DER, of a TPM's endorsement key; of its attestation key in
    /// the class [`DeviceClass::TpmAk`]. A lasting mark of this TPM, as a serial number is.
    #[must_use]
    pub const fn certificate_sha256(&self) -> Option<&[u8; 32]> {
        match &self.mark {
            Mark::Serial(_) => None,
            Mark::Tpm { certificate, .. } => Some(certificate),
        }
    }

    /// Its firmware: of a TPM what it states now.
    #[must_use]
    pub const fn firmware(&self) -> Firmware {
        self.firmware
    }
}

impl fmt::Display for Device {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { class, firmware, mark } = self;
        let (maker, product) = (self.maker(), class.product());
        write!(f, "{maker} {product}")?;
        match mark {
            Mark::Serial(serial) => write!(f, ", serial {serial}")?,
            Mark::Tpm { model, .. } => write!(f, " {}", model.model())?,
        }
        write!(f, ", firmware {firmware}")
    }
}
