//! An identity behind a daemon.

mod options;
mod signer;

use std::fmt;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use serde::Serialize;
use sha2::{Digest as _, Sha512};
use zeroize::Zeroizing;

pub use self::options::RemoteOptions;
pub use self::signer::RemoteSigner;
use super::answers::{Decrypted, SignedFor, SignedRaw, State, ToldStatus};
use super::connection::{Answer, Connection, Deadline, Lost, read};
use super::{ClientError, FileKey, Problem, Status, server};
use crate::algorithm::{Signature, VerifyingKey};
use crate::daemon::ProblemCode;
use crate::did::{Did, DidDocument};
use crate::encoding::{base64, hex};
use crate::fault::SignError;
use crate::rotation::RotationChain;
use crate::secret::LockedText;
use crate::signer::refuse_reserved;
use crate::sshsig::{self, Hash, SshSignature};

/// Of a longer message its hash is sent.
const WHOLE: usize = 32 * 1024;
/// So much shows whether a message is longer.
const WHOLE_AND_ONE: u64 = 32 * 1024 + 1;

/// Connections that are kept open for the next call.
const KEPT: usize = 8;

/// An identity whose key a daemon has.
///
/// Clones share their connections. Calls of several threads go over a connection each.
#[derive(Clone)]
pub struct RemoteIdentity(Arc<Inner>);

struct Inner {
    options: RemoteOptions,
    idle: Mutex<Vec<Connection>>,
}

/// Whether the daemon has to show first that it has the key. One that is locked cannot.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Proof {
    Demanded,
    /// It has to say that it has the DID.
    Said,
    OfOwner,
}

impl RemoteIdentity {
    /// **Blocks** on the daemon. The identity with this DID, by the daemon at this socket,
    /// which belongs to the user of this process or to root; see [`RemoteOptions`].
    ///
    /// # Errors
    ///
    /// As [`RemoteOptions::connect`].
    pub fn connect(socket: impl Into<PathBuf>, did: Did) -> Result<Self, ClientError> {
        RemoteOptions::new(socket, did).connect()
    }

    pub(super) fn new(options: RemoteOptions) -> Self {
        Self(Arc::new(Inner { options, idle: Mutex::default() }))
    }

    /// The DID.
    #[must_use]
    pub fn did(&self) -> &Did {
        &self.0.options.did
    }

    /// Its public key.
    #[must_use]
    pub fn verifying_key(&self) -> &VerifyingKey {
        self.did().verifying_key()
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> &Path {
        &self.0.options.path
    }

    /// A signer for code that takes one.
    #[must_use]
    pub fn signer(&self) -> RemoteSigner {
        RemoteSigner::new(self.clone())
    }

    /// **Blocks** on the daemon. Has it show that it has the key, if it has not yet.
    ///
    /// # Errors
    ///
    /// [`ClientError`] if it does not.
    pub fn check(&self) -> Result<(), ClientError> {
        let deadline = Deadline::after(self.0.options.timeout);
        let mut connection = self.connection(&deadline)?;
        if let Err(lost) = server::prove(&mut connection, self.did(), &deadline) {
            return Err(failed(lost));
        }
        self.keep(connection);
        Ok(())
    }

    /// **Blocks** on the daemon. Signs exactly these bytes. The daemon refuses those that
    /// could be another protocol's; a client needs the permission `sign-raw`.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; [`SignError::Reserved`] in it for what begins like a statement of this
    /// crate, which is not sent.
    pub fn sign_raw(&self, message: &[u8]) -> Result<Signature, ClientError> {
        refuse_reserved(message).map_err(ClientError::Sign)?;
        #[derive(Serialize)]
        struct Request {
            message: String,
        }
        let request = Request { message: base64::encode(message) };
        let signed: SignedRaw = self.post("/v1/sign-raw", &request)?.read()?;
        self.is_of_did(&signed.did)?;
        let signature = signed.signature.of(self.did()).ok_or_else(|| self.bad_signature())?;
        self.verifying_key().verify(message, &signature).map_err(|_| self.bad_signature())?;
        Ok(signature)
    }

    /// **Blocks** on the daemon. Signs a message for one context; of a long one the hash is
    /// sent. A client needs the permission `sign`, and the context.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; [`SignError::InvalidContext`] in it, without the daemon being asked.
    pub fn sign_for(&self, context: &str, message: &[u8]) -> Result<SshSignature, ClientError> {
        if message.len() > WHOLE {
            return self.sign_digest_for(context, &Sha512::digest(message).into());
        }
        let text = base64::encode(message);
        let signature = self.signed_for(context, ("message", &text))?;
        match self.verifying_key().verify_for(context, message, &signature) {
            Ok(()) => Ok(signature),
            Err(_) => Err(self.bad_signature()),
        }
    }

    /// **Blocks** on what is read, and on the daemon. As [`Self::sign_for`], of a message of
    /// any length: it is read to its end before the daemon is asked.
    ///
    /// # Errors
    ///
    /// As there; [`SignError::Unread`] in it if it cannot be read.
    pub fn sign_read_for(
        &self,
        context: &str,
        mut message: impl Read,
    ) -> Result<SshSignature, ClientError> {
        let unread = |error| ClientError::Sign(SignError::Unread(error));
        if !sshsig::is_context(context) {
            return Err(ClientError::Sign(SignError::InvalidContext));
        }
        let mut chunk = Vec::new();
        let read = |message: &mut dyn Read, chunk: &mut Vec<u8>| {
            chunk.clear();
            message.take(WHOLE_AND_ONE).read_to_end(chunk).map_err(unread)
        };
        read(&mut message, &mut chunk)?;
        if chunk.len() <= WHOLE {
            return self.sign_for(context, &chunk);
        }
        let mut hash = Sha512::new();
        while !chunk.is_empty() {
            hash.update(&chunk);
            read(&mut message, &mut chunk)?;
        }
        self.sign_digest_for(context, &hash.finalize().into())
    }

    /// **Blocks** on the daemon. As [`Self::sign_for`], of a message of which there is the
    /// SHA-512.
    ///
    /// # Errors
    ///
    /// As there.
    pub fn sign_digest_for(
        &self,
        context: &str,
        sha512: &[u8; 64],
    ) -> Result<SshSignature, ClientError> {
        let signature = self.signed_for(context, ("sha512", &hex::encode(sha512)))?;
        let signed = sshsig::bytes_of_hash(context, Hash::Sha512, sha512);
        let verified = signature.verify_bytes(self.verifying_key(), context, &signed);
        verified.map_err(|_| self.bad_signature())?;
        Ok(signature)
    }

    fn signed_for(&self, context: &str, of: (&str, &str)) -> Result<SshSignature, ClientError> {
        if !sshsig::is_context(context) {
            return Err(ClientError::Sign(SignError::InvalidContext));
        }
        let request = serde_json::json!({ "context": context, of.0: of.1 });
        let signed: SignedFor = self.post("/v1/sign", &request)?.read()?;
        self.is_of_did(&signed.did)?;
        signed.signature.parse().map_err(|_| self.bad_signature())
    }

    /// **Blocks** on the daemon. What opens an age file that was encrypted to this identity,
    /// by the file's header: its first lines, to the one that begins with `---`. The file
    /// itself stays here. A client needs the permission `decrypt`.
    ///
    /// # Errors
    ///
    /// [`ClientError`]; [`ProblemCode::NotARecipient`] in it if it was not encrypted to this
    /// identity.
    pub fn file_key(&self, header: &str) -> Result<FileKey, ClientError> {
        #[derive(Serialize)]
        struct Request<'a> {
            header: &'a str,
        }
        let decrypted: Decrypted = self.post("/v1/decrypt", &Request { header })?.read()?;
        self.is_of_did(&decrypted.did)?;
        let retired = decrypted.retired.map(|did| Did::parse(&did)).transpose();
        let malformed = |_| ClientError::Malformed { expected: "`retired`: a DID" };
        Ok(FileKey::new(decrypted.file_key.0, retired.map_err(malformed)?))
    }

    /// **Blocks** on the daemon. How it is, also when it is locked: then nothing shows that it
    /// has the key, but that it belongs to whom it should.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn status(&self) -> Result<Status, ClientError> {
        let answer = self.call(Proof::OfOwner, "GET", "/v1/status", None)?;
        let told: ToldStatus = answer.read()?;
        self.is_of_did(&told.did)?;
        told.into_status()
    }

    /// **Blocks** on the daemon. The identity's DID document, verified.
    ///
    /// # Errors
    ///
    /// [`ClientError`], also if there is none yet ([`ProblemCode::NotFound`]).
    pub fn did_document(&self) -> Result<DidDocument, ClientError> {
        let answer = self.call(Proof::Demanded, "GET", "/v1/did-document", None)?;
        let document = DidDocument::parse(&answer.body()?).map_err(ClientError::Document)?;
        self.is_of_did(document.did().as_str())?;
        Ok(document)
    }

    /// **Blocks** on the daemon. The chain of keys that this one has taken over from, verified;
    /// `None` if it has taken over from none.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn rotation_chain(&self) -> Result<Option<RotationChain>, ClientError> {
        let answer = self.call(Proof::Demanded, "GET", "/v1/rotation-chain", None)?;
        let body = match answer.body() {
            Ok(body) => body,
            Err(error) if error.is(ProblemCode::NotFound) => return Ok(None),
            Err(error) => return Err(error),
        };
        let chain = RotationChain::from_json(&body).map_err(ClientError::Rotation)?;
        self.is_of_did(chain.current().as_str())?;
        Ok(Some(chain))
    }

    /// **Blocks** on the daemon. Has it drop its keys. A client needs the permission `admin`.
    ///
    /// # Errors
    ///
    /// [`ClientError`].
    pub fn lock(&self) -> Result<(), ClientError> {
        let answer = self.call(Proof::Said, "POST", "/v1/lock", Some(b"{}"))?;
        is_now(answer, "locked")
    }

    /// **Blocks** on the daemon, and on its device. Has it open its key by a PIN, or by a
    /// passphrase where there is no PIN; and by both where both are wanted. It is sent once.
    /// A client needs the permission `admin`.
    ///
    /// A locked daemon has no key to show: the credential goes to whoever listens at a socket
    /// of the right owner, and says that it is of the DID. One that says another is sent
    /// nothing.
    ///
    /// # Errors
    ///
    /// [`ClientError`]. Of the kind [`WrongCredential`](crate::ErrorKind::WrongCredential) it
    /// was refused: never send it again. [`ClientError::NotToldWhetherOpened`] if it was sent
    /// and not answered, or by an answer that does not say what came of it (too late, an error
    /// of its own, or no code of ours): see [`Self::status`] before it is sent again.
    pub fn unlock(
        &self,
        credential: &LockedText,
        passphrase: Option<&LockedText>,
    ) -> Result<(), ClientError> {
        #[derive(Serialize)]
        struct Request<'a> {
            credential: &'a str,
            #[serde(skip_serializing_if = "Option::is_none")]
            passphrase: Option<&'a str>,
        }
        let request = Request {
            credential: credential.expose_secret(),
            passphrase: passphrase.map(LockedText::expose_secret),
        };
        // No letter takes more than six bytes, so that nothing is moved.
        let letters = request.credential.len() + request.passphrase.map_or(0, str::len);
        let mut body = Zeroizing::new(Vec::with_capacity(64 + 6 * letters));
        serde_json::to_writer(&mut *body, &request)
            .map_err(|error| ClientError::Io(error.into()))?;
        let deadline = Deadline::after(self.0.options.timeout);
        let mut connection = self.connection(&deadline)?;
        // On the connection on which the rest is sent.
        self.says_its_did(&mut connection, &deadline).map_err(failed)?;
        let answered = connection.exchange("POST", "/v1/unlock", Some(&body), &deadline);
        let opened = answered.map_err(failed).and_then(|answer| {
            self.keep(connection);
            is_now(answer, "unlocked")
        });
        opened.map_err(|error| match error {
            // Here it was not sent.
            ClientError::RequestTooLong { .. } => error,
            ClientError::Problem(ref problem) if says_what_came_of_it(problem) => error,
            error => ClientError::NotToldWhetherOpened(error.into()),
        })
    }

    pub(super) fn post(&self, path: &str, request: &impl Serialize) -> Result<Answer, ClientError> {
        let body = serde_json::to_vec(request).map_err(|error| ClientError::Io(error.into()))?;
        self.call(Proof::Demanded, "POST", path, Some(&body))
    }

    fn call(
        &self,
        proof: Proof,
        method: &str,
        path: &str,
        body: Option<&[u8]>,
    ) -> Result<Answer, ClientError> {
        let deadline = Deadline::after(self.0.options.timeout);
        loop {
            // One that was idle may have been closed; and after a credential that is not known:
            // it would be sent again.
            let idle = if proof == Proof::Said { None } else { self.idle() };
            let (mut connection, is_new) = match idle {
                Some(connection) => (connection, false),
                None => (self.connection(&deadline)?, true),
            };
            let proven = match proof {
                Proof::Demanded if !connection.is_proven => {
                    server::prove(&mut connection, self.did(), &deadline)
                }
                // On the connection on which the rest is sent.
                Proof::Said if !connection.is_proven => {
                    self.says_its_did(&mut connection, &deadline)
                }
                _ => Ok(()),
            };
            match proven.and_then(|()| connection.exchange(method, path, body, &deadline)) {
                Ok(answer) => {
                    self.keep(connection);
                    return Ok(answer);
                }
                // Closed while it was idle: nothing was done. There is one more, or a new one.
                Err(Lost::Idle) if !is_new => {}
                Err(lost) => return Err(failed(lost)),
            }
        }
    }

    fn says_its_did(&self, connection: &mut Connection, deadline: &Deadline) -> Result<(), Lost> {
        let told: ToldStatus = connection.exchange("GET", "/v1/status", None, deadline)?.read()?;
        Ok(self.is_of_did(&told.did)?)
    }

    fn connection(&self, deadline: &Deadline) -> Result<Connection, ClientError> {
        server::connected(&self.0.options.path, self.0.options.owner, deadline)
    }

    fn idle(&self) -> Option<Connection> {
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner).pop()
    }

    fn keep(&self, connection: Connection) {
        let mut idle = self.0.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if connection.is_open && idle.len() < KEPT {
            idle.push(connection);
        }
    }

    pub(super) fn is_of_did(&self, did: &str) -> Result<(), ClientError> {
        match did == self.did().as_str() {
            true => Ok(()),
            false => Err(ClientError::OtherDid { expected: self.did().clone() }),
        }
    }

    fn bad_signature(&self) -> ClientError {
        ClientError::BadSignature { did: self.did().clone() }
    }
}

fn failed(lost: Lost) -> ClientError {
    match lost {
        Lost::Idle => ClientError::Closed,
        Lost::Failed(error) => error,
    }
}

/// Whether it is known by this answer that a credential was refused or sent nowhere. Not one that
/// came too late, nor an error of the daemon's own; nor one without a code of ours, which may be of
/// somebody in between or of a later version.
const fn says_what_came_of_it(problem: &Problem) -> bool {
    !matches!(problem.code, None | Some(ProblemCode::Deadline | ProblemCode::Internal))
}

fn is_now(answer: Answer, state: &str) -> Result<(), ClientError> {
    let told: State = read(&answer.body()?)?;
    match told.state == state {
        true => Ok(()),
        false => Err(ClientError::Malformed { expected: "the state that was asked for" }),
    }
}

impl fmt::Debug for RemoteIdentity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RemoteIdentity")
            .field("did", self.did())
            .field("socket", &self.socket())
            .finish_non_exhaustive()
    }
}
