//! What a line says: who had the key do what, and what came of it.

use std::fmt;

use sha2::{Digest as _, Sha256};

use super::cut::cut;
use super::key::MessageTag;
use super::requester::Requester;
use crate::binding::Instance;
use crate::encoding::hex;
use crate::secret::{NoRandomness, fill_random};

/// What was done, or asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Event {
    /// A service has started.
    Start,
    /// A service ends.
    Stop,
    /// A service has read its configuration anew.
    Reload,
    /// The keys were opened by their passphrase or PIN.
    Unlock,
    /// The keys were dropped.
    Lock,
    /// It was looked whether the key is there: a challenge of our own was signed.
    Verify,
    /// It was shown to a client that the key is there: its challenge was signed.
    Challenge,
    /// A message was signed for a context.
    Sign,
    /// Bytes were signed as they are.
    SignRaw,
    /// A file, or its header, was decrypted.
    Decrypt,
    /// A certificate was made for another program's TLS key.
    Tls,
    /// The TLS key and certificate were renewed.
    Renew,
    /// A statement of a rotation was signed.
    Rotate,
    /// A backup was made and signed.
    Backup,
    /// A private key was given out.
    Export,
    /// A checkpoint of the log was signed.
    Checkpoint,
    /// It was attested to somebody where the key is.
    Attest,
    /// The identity was changed otherwise: its passphrase, its device, what it keeps.
    Change,
    /// The identity was made.
    Init,
    /// The identity was restored from a backup.
    Restore,
    /// The identity was imported from an older keystore.
    Import,
    /// Somebody connected who is no client.
    Connect,
    /// Something was read that needs no key.
    Read,
}

impl Event {
    /// Its name in a line: `sign`, `sign-raw`, …
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Reload => "reload",
            Self::Unlock => "unlock",
            Self::Lock => "lock",
            Self::Verify => "verify",
            Self::Challenge => "challenge",
            Self::Sign => "sign",
            Self::SignRaw => "sign-raw",
            Self::Decrypt => "decrypt",
            Self::Tls => "tls",
            Self::Renew => "renew",
            Self::Rotate => "rotate",
            Self::Backup => "backup",
            Self::Export => "export",
            Self::Checkpoint => "checkpoint",
            Self::Attest => "attest",
            Self::Change => "change",
            Self::Init => "init",
            Self::Restore => "restore",
            Self::Import => "import",
            Self::Connect => "connect",
            Self::Read => "read",
        }
    }
}

impl fmt::Display for Event {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Outcome {
    Allowed,
    Refused(&'static str),
    Failed(&'static str),
}

impl Outcome {
    pub(super) const fn as_str(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::Refused(_) => "refused",
            Self::Failed(_) => "failed",
        }
    }

    pub(super) const fn reason(self) -> Option<&'static str> {
        match self {
            Self::Allowed => None,
            Self::Refused(reason) | Self::Failed(reason) => Some(reason),
        }
    }
}

/// What joins the lines of one request: 8 random bytes, shown in hex.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RequestId([u8; 8]);

impl RequestId {
    /// A new one.
    ///
    /// # Errors
    ///
    /// [`NoRandomness`] only.
    pub fn fresh() -> Result<Self, NoRandomness> {
        let mut bytes = [0; 8];
        fill_random(&mut bytes)?;
        Ok(Self(bytes))
    }
}

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        hex::write(f, &self.0)
    }
}

/// What one line says, but for its number and its time.
///
/// There is no place in it for a message, a secret or a text of an error: a reason is a
/// code that the program chose.
///
/// ```
/// use icn_identity::audit::{Entry, Event, RequestId, Requester};
///
/// let entry = Entry::allowed(Event::Sign)
///     .with_request(RequestId::fresh()?)
///     .with_client("payments")
///     .with_requester(&Requester::ours())
///     .with_context("payments@coop.example");
/// # Ok::<(), icn_identity::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use = "nothing is written until it is appended to a log"]
pub struct Entry {
    pub(super) event: Event,
    pub(super) outcome: Outcome,
    pub(super) request: Option<RequestId>,
    pub(super) client: Option<String>,
    pub(super) requester: Option<Requester>,
    pub(super) context: Option<String>,
    pub(super) message: Option<MessageTag>,
    pub(super) length: Option<u64>,
    pub(super) count: Option<u64>,
    pub(super) instance: Option<Instance>,
    pub(super) tls_key: Option<[u8; 32]>,
}

impl Entry {
    /// Something that is about to be done: its line is written first.
    pub const fn allowed(event: Event) -> Self {
        Self::new(event, Outcome::Allowed)
    }

    /// Something that was not done, since it must not be. `reason` is a code, like
    /// `context-not-allowed`.
    pub const fn refused(event: Event, reason: &'static str) -> Self {
        Self::new(event, Outcome::Refused(reason))
    }

    /// Something that was allowed and then did not succeed. `reason` is a code, like
    /// [`ErrorKind::as_str`](crate::ErrorKind::as_str).
    pub const fn failed(event: Event, reason: &'static str) -> Self {
        Self::new(event, Outcome::Failed(reason))
    }

    const fn new(event: Event, outcome: Outcome) -> Self {
        Self {
            event,
            outcome,
            request: None,
            client: None,
            requester: None,
            context: None,
            message: None,
            length: None,
            count: None,
            instance: None,
            tls_key: None,
        }
    }

    /// Of this request.
    pub const fn with_request(mut self, request: RequestId) -> Self {
        self.request = Some(request);
        self
    }

    /// For a client of this name.
    pub fn with_client(mut self, name: &str) -> Self {
        self.client = Some(cut(name));
        self
    }

    /// For this process.
    pub fn with_requester(mut self, requester: &Requester) -> Self {
        self.requester = Some(requester.clone());
        self
    }

    /// For this context. What is longer than 1024 bytes is cut off.
    pub fn with_context(mut self, context: &str) -> Self {
        self.context = Some(cut(context));
        self
    }

    /// About this message, whose tag is written ([`AuditKey::tag`](super::AuditKey::tag))
    /// and never the message.
    pub const fn with_message(mut self, tag: MessageTag) -> Self {
        self.message = Some(tag);
        self
    }

    /// For so many at once, of which none has a line of its own.
    pub const fn with_count(mut self, count: u64) -> Self {
        self.count = Some(count);
        self
    }

    /// About a message of so many bytes.
    pub const fn with_length(mut self, bytes: u64) -> Self {
        self.length = Some(bytes);
        self
    }

    /// About a TLS key of this instance: the SHA-256 of its SubjectPublicKeyInfo is written,
    /// by which it is found again in a certificate that a peer was shown.
    pub fn with_tls_key(mut self, instance: &Instance, spki: &[u8]) -> Self {
        self.instance = Some(*instance);
        self.tls_key = Some(Sha256::digest(spki).into());
        self
    }
}
