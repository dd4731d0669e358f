//! Who is at the other end: certificate, time, policy, sequence number.

mod asked;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::Duration;

use rustls::client::danger::ServerCertVerified;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::{CertificateError, DigitallySignedStruct, Error, OtherError, SignatureScheme};
use sha2::{Digest as _, Sha256};

use super::policy::Policy;
use crate::algorithm::Signature;
#[cfg(feature = "attestation")]
use crate::attestation::{Attestable, AttestedPeers};
use crate::binding::Binding;
use crate::did::Did;
use crate::peer::{
    Certificate, MemorySequences, PeerBook, Proven, Recent, Refusal, Role, SequenceError,
    SequenceStore,
};
use crate::rotation::{RotationChain, RotationError};

/// How far clocks may differ unless said otherwise: 300 seconds.
pub const DEFAULT_CLOCK_SKEW: Duration = Duration::from_secs(300);

/// The longest validity of a binding that is accepted unless said otherwise: 31
/// days. Whoever steals a TLS key, or has once had a binding signed, can pose as the
/// DID for no longer. (A binding for 30 days begins 300 seconds before it is made.)
pub const DEFAULT_LONGEST_VALIDITY: Duration = Duration::from_secs(31 * 24 * 60 * 60);

/// How many certificates are remembered whose signatures were verified, and
/// whose key has signed a handshake.
const REMEMBERED: usize = 1024;

/// How many are remembered from when they are shown until the handshake is
/// signed. Whoever shows others' certificates displaces these only, which costs
/// the displaced a verification more.
const SHOWN: usize = 256;

/// Verifies peers by their DIDs, on both sides of a connection.
///
/// Checked at every handshake: the peer sent one certificate, strictly of our
/// form, which its own key signed; the DID in it signed for this TLS key, X25519
/// key, validity, sequence number, instance and epoch; the time; that the DID is
/// accepted; that no later epoch of it was seen, and no later binding of this
/// instance; that the handshake was signed with the
/// certificate's key. See [`Refusal`] for each reason, and
/// [`refusal_of`](super::refusal_of) for how to get at it.
///
/// That the signatures in a certificate verify does not change, so certificates
/// of accepted peers are remembered by their SHA-256, and only the signatures
/// in them are not verified again. A certificate that is shown by somebody who
/// does not have its key changes nothing: its number counts as seen when the
/// handshake was signed.
///
/// A pin of `did:icn:z…` does not accept the `did:key:z…` of the same key.
pub struct DidVerifier {
    policy: RwLock<Policy>,
    clock_skew: Duration,
    longest_validity: Duration,
    sequences: Arc<dyn SequenceStore>,
    remembered: Mutex<Certificates>,
    shown: Mutex<Certificates>,
}

/// By their SHA-256. That the signatures in them verify does not change.
type Certificates = Recent<[u8; 32], Arc<Proven>>;

impl DidVerifier {
    /// Accepts one DID. Nothing is known of what its holder committed to before:
    /// where there is a chain that ends in it, [`Self::following`].
    #[must_use]
    pub fn pinned(did: Did) -> Self {
        Self::by(Policy::Pinned(did, None))
    }

    /// Accepts the DID that the one which is pinned has become, by a chain of
    /// rotations; the pinned one may be the present one. The chain is held:
    /// [`Self::follow`] takes none then that does not extend it, as a thief's who
    /// leaves out what was committed to.
    ///
    /// Keep the chain and give it here again when the process starts anew. Who
    /// keeps only [`RotationChain::current`] has no protection from a commitment.
    ///
    /// # Errors
    ///
    /// [`RotationError::NotInChain`]: the chain is no reason to trust another
    /// DID then.
    pub fn following(pinned: &Did, chain: &RotationChain) -> Result<Self, RotationError> {
        let mut policy = Policy::Pinned(pinned.clone(), None);
        policy.follow(chain)?;
        Ok(Self::by(policy))
    }

    /// Accepts whom a connection is to, and nobody else: for a [`Client`](super::Client)
    /// alone, whose connections each name a DID. Those who call are all refused.
    #[must_use]
    pub fn named() -> Self {
        Self::by(Policy::Named)
    }

    /// Accepts the peers in a book, and remembers in it what was seen of them. Whoever is
    /// added, removed or followed there, by any process, is so at the next handshake.
    ///
    /// [`PeerBook::verifier`] is short for it.
    #[must_use]
    pub fn booked(book: &PeerBook) -> Self {
        Self::by(Policy::Booked(book.clone())).with_sequences(Arc::new(book.clone()))
    }

    /// Accepts each of these DIDs. Where chains lead to some of them, give each to
    /// [`Self::follow`] as well, at every start: they are held from then on.
    #[must_use]
    pub fn allowed(dids: impl IntoIterator<Item = Did>) -> Self {
        Self::by(Policy::Allowed(Arc::new(dids.into_iter().map(|did| (did, None)).collect())))
    }

    /// Accepts the DIDs of which `decide` says so, which is asked at every
    /// handshake, after the DID was proven. It should not take long: the
    /// handshake waits.
    #[must_use]
    pub fn deciding(decide: impl Fn(&Did) -> bool + Send + Sync + 'static) -> Self {
        Self::by(Policy::Decided(Arc::new(decide)))
    }

    /// Accepts the peers of which there is a proof that their key is in a device, while it is
    /// believed: whose time is over, or who is forgotten, is refused at the next handshake, and on a
    /// connection that is open by [`Connection::peer`](super::Connection::peer). What such a peer
    /// sends is not by its device: the TLS key is in memory.
    #[cfg(feature = "attestation")]
    #[must_use]
    pub fn attested<P: Attestable + 'static>(peers: &AttestedPeers<P>) -> Self {
        let peers = peers.clone();
        Self::deciding(move |did| peers.has(did))
    }

    fn by(policy: Policy) -> Self {
        Self {
            policy: RwLock::new(policy),
            clock_skew: DEFAULT_CLOCK_SKEW,
            longest_validity: DEFAULT_LONGEST_VALIDITY,
            sequences: Arc::new(MemorySequences::new()),
            remembered: Mutex::new(Recent::new(REMEMBERED)),
            shown: Mutex::new(Recent::new(SHOWN)),
        }
    }

    /// How far clocks may differ: a binding is accepted this long before it
    /// begins and after it ends, in whole seconds.
    #[must_use]
    pub const fn with_clock_skew(mut self, skew: Duration) -> Self {
        self.clock_skew = skew;
        self
    }

    /// Refuses bindings that are valid for longer, in whole seconds; unless said otherwise, for longer
    /// than [`DEFAULT_LONGEST_VALIDITY`]. (Ours begin 300 seconds before they are
    /// made, which counts.)
    #[must_use]
    pub const fn with_longest_validity(mut self, longest: Duration) -> Self {
        self.longest_validity = longest;
        self
    }

    /// Where the latest epochs and highest sequence numbers are remembered. Verifiers that
    /// share a store refuse together. Otherwise [`MemorySequences`].
    #[must_use]
    pub fn with_sequences(mut self, sequences: Arc<dyn SequenceStore>) -> Self {
        self.sequences = sequences;
        self
    }

    /// From the next handshake on, accepts the present DID of a chain of
    /// rotations in the place of each earlier one that is pinned or in the list,
    /// and refuses the earlier ones. Gives whether other DIDs are accepted than
    /// before. What a callback decides is not changed: it has to keep chains of
    /// its own, and ask [`RotationChain::extends`]. Nor is a book: it follows by itself
    /// ([`PeerBook::follow`]). Connections that are open are left alone: ask
    /// [`Connection::peer`](super::Connection::peer) about them again.
    ///
    /// The chain is held beside the DID, also where that was the present one
    /// already, and from then on only a chain that extends it leads on from there.
    /// The first chain that is given for a bare DID is taken as it is: a thief of
    /// the key can make one that leaves out what the owner committed to before.
    /// Chains are held in memory; keep them, for [`Self::following`].
    ///
    /// # Errors
    ///
    /// [`RotationError::NotInChain`] if the pinned DID is not in the chain;
    /// [`RotationError::Fork`], [`RotationError::CommitmentBroken`] or
    /// [`RotationError::NotAContinuation`] if it does not extend the one that is
    /// held, of the pinned DID or of any in the list. All stays as it was.
    pub fn follow(&self, chain: &RotationChain) -> Result<bool, RotationError> {
        self.policy.write().unwrap_or_else(PoisonError::into_inner).follow(chain)
    }

    /// Everything but the handshake's signature. Nothing is believed of who
    /// shows the certificate, so no number is remembered.
    fn accept(
        &self,
        end_entity: &[u8],
        intermediates: &[CertificateDer<'_>],
        role: Role,
        named: Option<&Did>,
        now: UnixTime,
    ) -> Result<(), Refusal> {
        if !intermediates.is_empty() {
            return Err(Refusal::Intermediates { count: intermediates.len() });
        }
        self.check(end_entity, Some(role), named, now.as_secs()).map(drop)
    }

    pub(super) fn check(
        &self,
        certificate: &[u8],
        role: Option<Role>,
        named: Option<&Did>,
        now: u64,
    ) -> Result<Arc<Proven>, Refusal> {
        let digest: [u8; 32] = Sha256::digest(certificate).into();
        let known = self.recall(&digest);
        let proven = match &known {
            Some(proven) => proven.clone(),
            None => Arc::new(Certificate::read(certificate)?.prove()?),
        };
        if let Some(role) = role {
            proven.check_role(role)?;
        }
        let binding = proven.binding();
        self.check_time(binding, now)?;
        // A copy, so that no lock is held while a caller's code decides.
        let policy = self.policy.read().unwrap_or_else(PoisonError::into_inner).clone();
        policy.check(binding.did(), named)?;
        // Last, so that nothing is asked about those who are not accepted.
        self.check_number(&proven)?;
        if known.is_none() {
            remember(&self.shown, digest, &proven);
        }
        Ok(proven)
    }

    /// As a verifier of rustls does it.
    pub(super) fn accept_server(
        &self,
        end_entity: &[u8],
        intermediates: &[CertificateDer<'_>],
        named: Option<&Did>,
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        self.accept(end_entity, intermediates, Role::Server, named, now).map_err(refused)?;
        Ok(ServerCertVerified::assertion())
    }

    fn check_time(&self, binding: &Binding, now: u64) -> Result<(), Refusal> {
        let (did, skew) = (|| binding.did().clone(), self.clock_skew.as_secs());
        let (begin, end) = (binding.not_before(), binding.not_after());
        if now.saturating_add(skew) < begin {
            return Err(Refusal::NotYetValid { did: did(), wait: begin - now });
        }
        if now > end.saturating_add(skew) {
            return Err(Refusal::Expired { did: did(), ago: now - end });
        }
        let seconds = end.saturating_sub(begin);
        let limit = self.longest_validity.as_secs();
        if seconds > limit {
            return Err(Refusal::ValidForTooLong { did: did(), seconds, limit });
        }
        Ok(())
    }

    fn check_number(&self, proven: &Proven) -> Result<(), Refusal> {
        let binding = proven.binding();
        let highest = self.sequences.highest(binding.did(), proven.instance());
        highest
            .and_then(|highest| highest.check(binding.number()))
            .map_err(|error| not_admitted(proven, error))
    }

    /// The handshake was signed with the key of this certificate, which
    /// [`Self::accept`] has accepted. Now its number counts as seen.
    fn check_handshake(
        &self,
        message: &[u8],
        certificate: &[u8],
        signed: &DigitallySignedStruct,
    ) -> Result<(), Refusal> {
        let digest: [u8; 32] = Sha256::digest(certificate).into();
        // Shown a moment ago, unless hundreds of others came between.
        let proven = match self.recall(&digest) {
            Some(proven) => proven,
            None => Arc::new(Certificate::read(certificate)?.prove()?),
        };
        let signature = <[u8; 64]>::try_from(signed.signature());
        match (signed.scheme, signature) {
            (SignatureScheme::ED25519, Ok(signature)) => proven
                .tls_key()
                .verify_strict(message, &Signature::from_ed25519_bytes(signature))
                .map_err(|_| Refusal::HandshakeSignature)?,
            _ => return Err(Refusal::HandshakeSignature),
        }
        let binding = proven.binding();
        self.sequences
            .admit(binding.did(), proven.instance(), binding.number())
            .map_err(|error| not_admitted(&proven, error))?;
        if recall(&self.remembered, &digest).is_none() {
            remember(&self.remembered, digest, &proven);
        }
        Ok(())
    }

    fn recall(&self, digest: &[u8; 32]) -> Option<Arc<Proven>> {
        recall(&self.remembered, digest).or_else(|| recall(&self.shown, digest))
    }
}

fn recall(certificates: &Mutex<Certificates>, digest: &[u8; 32]) -> Option<Arc<Proven>> {
    let mut certificates = certificates.lock().unwrap_or_else(PoisonError::into_inner);
    certificates.used(digest).map(|proven| proven.clone())
}

fn remember(certificates: &Mutex<Certificates>, digest: [u8; 32], proven: &Arc<Proven>) {
    let mut certificates = certificates.lock().unwrap_or_else(PoisonError::into_inner);
    certificates.insert(digest, proven.clone());
}

fn not_admitted(proven: &Proven, error: SequenceError) -> Refusal {
    let (did, number) = (proven.binding().did().clone(), proven.binding().number());
    match error {
        SequenceError::EarlierEpoch { highest } => {
            Refusal::EarlierEpoch { did, shown: number.epoch, highest }
        }
        SequenceError::Lower { highest } => {
            let (instance, shown) = (*proven.instance(), number.sequence);
            Refusal::Superseded { did, instance, shown, highest }
        }
        SequenceError::Store(source) => Refusal::Sequences(source),
    }
}

/// The reason stays with the error: [`super::refusal_of`].
fn refused(reason: Refusal) -> Error {
    Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(reason))))
}

impl PeerBook {
    /// Accepts the peers in this book: [`DidVerifier::booked`], with its other defaults.
    #[must_use]
    pub fn verifier(&self) -> Arc<DidVerifier> {
        Arc::new(DidVerifier::booked(self))
    }
}

impl fmt::Debug for DidVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DidVerifier")
            .field("policy", &self.policy)
            .field("clock_skew", &self.clock_skew)
            .field("longest_validity", &self.longest_validity)
            .finish_non_exhaustive()
    }
}
