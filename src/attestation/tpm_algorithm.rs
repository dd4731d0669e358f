//! The numbers of algorithms (TCG Algorithm Registry, `TPM_ALG_ID` and `TPM_ECC_CURVE`).

use std::fmt;

pub(super) const RSA: u16 = 0x0001;
pub(super) const SHA1: u16 = 0x0004;
pub(super) const AES: u16 = 0x0006;
pub(super) const KEYEDHASH: u16 = 0x0008;
pub(super) const SHA256: u16 = 0x000b;
pub(super) const NULL: u16 = 0x0010;
pub(super) const RSASSA: u16 = 0x0014;
pub(super) const RSAPSS: u16 = 0x0016;
pub(super) const ECDSA: u16 = 0x0018;
pub(super) const ECDAA: u16 = 0x001a;
pub(super) const SM2: u16 = 0x001b;
pub(super) const ECSCHNORR: u16 = 0x001c;
pub(super) const ECC: u16 = 0x0023;
pub(super) const CFB: u16 = 0x0043;

/// The curve P-256 (`TPM_ECC_NIST_P256`).
pub(super) const P256: u16 = 0x0003;

/// An algorithm of a TPM, by its number in the TCG Algorithm Registry (`TPM_ALG_ID`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TpmAlgorithm(pub(in crate::attestation) u16);

impl TpmAlgorithm {
    /// For the table of errors.
    #[cfg(test)]
    pub(crate) const fn of(number: u16) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for TpmAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            RSA => "RSA",
            SHA1 => "SHA-1",
            AES => "AES",
            KEYEDHASH => "KEYEDHASH",
            SHA256 => "SHA-256",
            0x000c => "SHA-384",
            0x000d => "SHA-512",
            NULL => "NULL",
            0x0012 => "SM3-256",
            RSASSA => "RSASSA",
            RSAPSS => "RSAPSS",
            ECDSA => "ECDSA",
            ECDAA => "ECDAA",
            SM2 => "SM2",
            ECSCHNORR => "ECSCHNORR",
            ECC => "ECC",
            0x0025 => "SYMCIPHER",
            other => return write!(f, "{other:#06x}"),
        })
    }
}

/// A curve of a TPM, by its number in the TCG Algorithm Registry (`TPM_ECC_CURVE`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct TpmCurve(pub(in crate::attestation) u16);

impl TpmCurve {
    /// For the table of errors.
    #[cfg(test)]
    pub(crate) const fn of(number: u16) -> Self {
        Self(number)
    }

    /// Its number.
    #[must_use]
    pub const fn number(self) -> u16 {
        self.0
    }
}

impl fmt::Display for TpmCurve {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.0 {
            0x0001 => "P-192",
            0x0002 => "P-224",
            P256 => "P-256",
            0x0004 => "P-384",
            0x0005 => "P-521",
            0x0020 => "SM2",
            other => return write!(f, "{other:#06x}"),
        })
    }
}
