//! What stands once everything was checked, and only then.

use std::fmt;
use std::marker::PhantomData;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use super::{Device, PcrState, RootCertificate};
use crate::algorithm::VerifyingKey;
use crate::did::Did;
use crate::evidence::ProvenanceKind;
use crate::key::{DeviceHeld, Hardware};
use crate::peer::VerifiedDid;
use crate::private::Closed;

/// What the maker of a device can attest of a key.
///
/// # Sealed
///
/// [`Hardware`] and [`DeviceHeld`].
#[diagnostic::on_unimplemented(
    message = "no maker of a device attests that a key is `{Self}`",
    label = "only `Attested<Hardware>` and `Attested<DeviceHeld>` exist",
    note = "a TPM vouches that sealed data exists, not for what is in it: nobody can attest a \
            `TpmSealed` key. Use a P-256 key of the TPM, and rotate to it",
    note = "a `Software` key is in memory, and nothing is known of an `External` one"
)]
pub trait Attestable: Closed {}

impl Attestable for Hardware {}
impl Attestable for DeviceHeld {}

/// Whose word joins the attested key to the maker.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Root {
    /// The maker's alone: its certificates lead to the key, from the [`RootCertificate`] that is
    /// believed.
    Maker,
    /// One's own: the TPM has told a secret that was encrypted for the maker's key and the
    /// attestation key.
    Activated,
    /// That of a DID which did so and says so.
    Endorsed(Did),
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Maker => f.write_str("its maker"),
            Self::Activated => f.write_str("its maker; attestation key activated by us"),
            Self::Endorsed(did) => write!(f, "its maker; attestation key vouched for by {did}"),
        }
    }
}

/// What the certificates of a device say of a key. **No proof that anybody has the key**:
/// whoever has seen them can show them. That takes an [`Attestation`](super::Attestation).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CertifiedKey {
    pub(super) key: VerifyingKey,
    pub(super) provenance: ProvenanceKind,
    pub(super) device: Device,
    pub(super) root: RootCertificate,
    pub(super) has_expired: bool,
}

impl CertifiedKey {
    /// The key.
    #[must_use]
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.key
    }

    /// `Hardware`, or `DeviceHeld` if the key was imported.
    #[must_use]
    pub const fn provenance(&self) -> ProvenanceKind {
        self.provenance
    }

    /// The device that has it.
    #[must_use]
    pub const fn device(&self) -> &Device {
        &self.device
    }

    /// The root that its certificates lead to.
    #[must_use]
    pub const fn root_certificate(&self) -> &RootCertificate {
        &self.root
    }

    /// Whether the key's own certificate has ended, which was
    /// [allowed](super::Verifier::allow_expired).
    #[must_use]
    pub const fn certificate_has_expired(&self) -> bool {
        self.has_expired
    }
}

/// A DID whose key was proved to be in a device, by the device's maker.
///
/// Made by [`Verifier::verify`](super::Verifier::verify) only: there is no constructor, no
/// `Default`, no `Deserialize` and no `From`. It equals a
/// [`VerifiedDid`](crate::peer::VerifiedDid) of the same DID. It tells of one moment, and does
/// not end: whoever keeps it decides for how long.
pub struct Attested<P: Attestable = Hardware> {
    did: Did,
    certified: CertifiedKey,
    root: Root,
    at: u64,
    pcrs: Option<PcrState>,
    provenance: PhantomData<fn() -> P>,
}

impl<P: Attestable> Attested<P> {
    /// For the verifier, of what it has found.
    pub(super) fn new(did: &Did, certified: CertifiedKey, root: Root, at: u64) -> Self {
        Self { did: did.clone(), certified, root, at, pcrs: None, provenance: PhantomData }
    }

    /// The same, where this state was demanded and found.
    pub(super) fn with_pcrs(mut self, pcrs: Option<PcrState>) -> Self {
        self.pcrs = pcrs;
        self
    }

    /// The DID.
    #[must_use]
    pub const fn did(&self) -> &Did {
        &self.did
    }

    /// The attested key, which is the DID's.
    #[must_use]
    pub const fn verifying_key(&self) -> &VerifyingKey {
        &self.certified.key
    }

    /// The device that has it.
    #[must_use]
    pub const fn device(&self) -> &Device {
        &self.certified.device
    }

    /// Whose word joins the key to the maker.
    #[must_use]
    pub const fn root(&self) -> &Root {
        &self.root
    }

    /// The root that its certificates lead to: who the maker is.
    #[must_use]
    pub const fn root_certificate(&self) -> &RootCertificate {
        &self.certified.root
    }

    /// When it was attested, by the clock of who has the key.
    #[must_use]
    pub fn at(&self) -> SystemTime {
        UNIX_EPOCH.checked_add(Duration::from_secs(self.at)).unwrap_or(UNIX_EPOCH)
    }

    /// [`Self::at`] in Unix seconds.
    #[must_use]
    pub const fn at_unix(&self) -> u64 {
        self.at
    }

    /// The state of PCRs that was [demanded](super::Verifier::pcr_policy), and that the TPM stated
    /// to be in at that time. `None` where none was demanded, also if the TPM stated one: nobody
    /// has compared that.
    #[must_use]
    pub const fn pcrs(&self) -> Option<&PcrState> {
        self.pcrs.as_ref()
    }

    /// The value of the type: `Hardware` or `DeviceHeld`.
    #[must_use]
    pub const fn provenance(&self) -> ProvenanceKind {
        self.certified.provenance
    }

    /// Whether the key's own certificate had ended, which the verifier was told to
    /// [allow](super::Verifier::allow_expired).
    #[must_use]
    pub const fn certificate_has_expired(&self) -> bool {
        self.certified.has_expired
    }
}

impl<P: Attestable> Clone for Attested<P> {
    fn clone(&self) -> Self {
        Self::new(&self.did, self.certified.clone(), self.root.clone(), self.at)
            .with_pcrs(self.pcrs.clone())
    }
}

impl<P: Attestable> PartialEq<VerifiedDid> for Attested<P> {
    fn eq(&self, other: &VerifiedDid) -> bool {
        self.did == *other.as_did()
    }
}

impl<P: Attestable> PartialEq<Attested<P>> for VerifiedDid {
    fn eq(&self, other: &Attested<P>) -> bool {
        *self.as_did() == other.did
    }
}

impl<P: Attestable> fmt::Debug for Attested<P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attested")
            .field("did", &self.did)
            .field("provenance", &self.provenance())
            .field("device", &self.certified.device)
            .field("root", &self.root)
            .field("pcrs", &self.pcrs)
            .finish_non_exhaustive()
    }
}

/// What was proved of a key.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Verdict {
    /// It was made in the device and cannot leave it.
    Hardware(Attested<Hardware>),
    /// It was imported into the device, and cannot leave it now: copies may exist.
    DeviceHeld(Attested<DeviceHeld>),
}

/// The same of either.
macro_rules! either {
    ($verdict:expr, $attested:ident => $value:expr) => {
        match $verdict {
            Verdict::Hardware($attested) => $value,
            Verdict::DeviceHeld($attested) => $value,
        }
    };
}

impl Verdict {
    /// The DID.
    #[must_use]
    pub const fn did(&self) -> &Did {
        either!(self, attested => attested.did())
    }

    /// The device that has its key.
    #[must_use]
    pub const fn device(&self) -> &Device {
        either!(self, attested => attested.device())
    }

    /// Whose word joins the key to the maker.
    #[must_use]
    pub const fn root(&self) -> &Root {
        either!(self, attested => attested.root())
    }

    /// The root that its certificates lead to: who the maker is.
    #[must_use]
    pub const fn root_certificate(&self) -> &RootCertificate {
        either!(self, attested => attested.root_certificate())
    }

    /// When it was attested, in Unix seconds.
    #[must_use]
    pub const fn at_unix(&self) -> u64 {
        either!(self, attested => attested.at_unix())
    }

    /// The state of PCRs that was demanded and found: see [`Attested::pcrs`].
    #[must_use]
    pub const fn pcrs(&self) -> Option<&PcrState> {
        either!(self, attested => attested.pcrs())
    }

    /// Which of both it is.
    #[must_use]
    pub const fn provenance(&self) -> ProvenanceKind {
        either!(self, attested => attested.provenance())
    }

    /// Whether the key's own certificate had ended.
    #[must_use]
    pub const fn certificate_has_expired(&self) -> bool {
        either!(self, attested => attested.certificate_has_expired())
    }

    /// The stronger proof, if it is that.
    #[must_use]
    pub fn into_hardware(self) -> Option<Attested<Hardware>> {
        match self {
            Self::Hardware(attested) => Some(attested),
            Self::DeviceHeld(_) => None,
        }
    }
}
