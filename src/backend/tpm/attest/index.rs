//! Where a TPM keeps its maker's certificates of endorsement keys.

use std::fmt;

use super::endorsement::EkTemplate;

/// Certificates of endorsement keys, as a TPM can hold them: by the type of the key and its place
/// in NV (TCG EK Credential Profile 2.5, sections 2.2.1.4 and 2.2.1.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum EkCertificateIndex {
    /// P-256, template L-2: the one that is used here, if it is there.
    P256,
    /// P-256, template H-2: the one that is used where the other is not.
    P256High,
    /// RSA, 2048 bits, template L-1.
    Rsa2048,
    /// RSA, 2048 bits, template H-1.
    Rsa2048High,
    /// P-384.
    P384,
    /// P-521.
    P521,
    /// SM2.
    Sm2,
    /// RSA, 3072 bits.
    Rsa3072,
    /// RSA, 4096 bits.
    Rsa4096,
}

impl EkCertificateIndex {
    pub(super) const ALL: [Self; 9] = [
        Self::P256,
        Self::P256High,
        Self::Rsa2048,
        Self::Rsa2048High,
        Self::P384,
        Self::P521,
        Self::Sm2,
        Self::Rsa3072,
        Self::Rsa4096,
    ];

    /// The NV index.
    #[must_use]
    pub const fn index(self) -> u32 {
        match self {
            Self::P256 => 0x01c0_000a,
            Self::P256High => 0x01c0_0014,
            Self::Rsa2048 => 0x01c0_0002,
            Self::Rsa2048High => 0x01c0_0012,
            Self::P384 => 0x01c0_0016,
            Self::P521 => 0x01c0_0018,
            Self::Sm2 => 0x01c0_001a,
            Self::Rsa3072 => 0x01c0_001c,
            Self::Rsa4096 => 0x01c0_001e,
        }
    }

    /// The type of the key: `P-256`, `RSA-2048` and so on.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::P256 | Self::P256High => "P-256",
            Self::Rsa2048 | Self::Rsa2048High => "RSA-2048",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
            Self::Sm2 => "SM2",
            Self::Rsa3072 => "RSA-3072",
            Self::Rsa4096 => "RSA-4096",
        }
    }

    /// How the key is made that it is of, if that is done here.
    pub(super) const fn template(self) -> Option<EkTemplate> {
        match self {
            Self::P256 => Some(EkTemplate::L2),
            Self::P256High => Some(EkTemplate::H2),
            _ => None,
        }
    }
}

impl fmt::Display for EkCertificateIndex {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
