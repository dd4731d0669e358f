//! What can go wrong with a token and its PKCS#11 module.

mod help;
mod module;
mod pin_problem;
mod words;

use std::error::Error as StdError;
use std::path::PathBuf;

pub use self::module::ModuleProblem;
pub use self::pin_problem::PinProblem;
use self::words::{list, locked, of, seen, spoken, tries};
use crate::algorithm::AlgorithmId;
use crate::did::Did;
use crate::evidence::Lockout;
use crate::kind::ErrorKind;
use crate::locator::Pkcs11Locator;

/// Why a PKCS#11 module or a token did not do what was asked.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Pkcs11Error {
    /// The module cannot be used as it lies on disk.
    #[error("the PKCS#11 module {} cannot be used: {problem}", path.display())]
    Module {
        /// Where it was looked for.
        path: PathBuf,
        /// What is wrong.
        problem: ModuleProblem,
        /// The file that names it, where one does.
        configured_in: Option<Box<PathBuf>>,
        /// The cause, where there is one.
        #[source]
        source: Option<Box<dyn StdError + Send + Sync>>,
    },
    /// No token matches.
    #[error("no token matches {wanted}; present: {}", list(present))]
    NoToken {
        /// What was looked for.
        wanted: String,
        /// What is there.
        present: Vec<String>,
        /// The label of a token that is there, and is the wanted one but for its label.
        renamed: Option<String>,
    },
    /// No token matches, and one that is there has the wanted label, and another serial number:
    /// it is another one, or was initialised anew.
    #[error("no token matches {wanted}; present: {}", list(present))]
    OtherSerial {
        /// What was looked for.
        wanted: String,
        /// What is there.
        present: Vec<String>,
    },
    /// No token matches, and something between the module and a device does not
    /// answer.
    #[error("no token matches {wanted}; out of reach: {}", list(slots))]
    OutOfReach {
        /// What was looked for.
        wanted: String,
        /// The slots whose device is not reached, as the module describes them.
        slots: Vec<String>,
    },
    /// The configuration means another token than the identity's header.
    #[error("no token matches both {wanted}; present: {}", list(present))]
    NotConfiguredToken {
        /// What the configuration says, and where the header says that the key is.
        wanted: String,
        /// What is there.
        present: Vec<String>,
        /// The label of a token that is there, and is the configured one but for its
        /// label.
        renamed: Option<String>,
    },
    /// More than one token matches.
    #[error("more than one token matches {wanted}: {}", list(candidates))]
    AmbiguousToken {
        /// What was looked for.
        wanted: String,
        /// What matches.
        candidates: Vec<String>,
        /// The field under `[identity.pkcs11]` by which they differ.
        differ_by: &'static str,
    },
    /// The token cannot generate or use keys of an algorithm.
    #[error("token {token} has no {} ({missing}); it has {}", spoken(*algorithm), list(mechanisms))]
    NoMechanism {
        /// The token.
        token: String,
        /// The algorithm.
        algorithm: AlgorithmId,
        /// The mechanism that it lacks.
        missing: &'static str,
        /// Elliptic-curve mechanisms that it has.
        mechanisms: Vec<String>,
        /// An algorithm of which it can make and use keys.
        instead: Option<AlgorithmId>,
    },
    /// No key matches.
    #[error("token {token} has no key {wanted}")]
    NoKey {
        /// The token.
        token: String,
        /// What was looked for.
        wanted: String,
    },
    /// The token has the private half of a pair, and not the public one.
    #[error("token {token} has the private key {key}, and not its public key")]
    NoPublicKey {
        /// The token.
        token: String,
        /// `with id …`, or how else it was looked for.
        key: String,
        /// It was looked for as that of an identity, whose header knows the public key.
        of_identity: bool,
    },
    /// A token that is not where the key was has the private half of what may be its pair, and
    /// not the public one. Only seen within a login.
    #[error("token {token} has the private key {key}, and not its public key")]
    HalfElsewhere {
        /// The token.
        token: String,
        /// `with id …`
        key: String,
        /// What names it.
        uri: String,
    },
    /// The token has the public half of a pair, and not the private one. Only seen
    /// within a login.
    #[error("token {token} has the public key {key}, and not its private key")]
    NoPrivateKey {
        /// The token.
        token: String,
        /// `with id …`
        key: String,
    },
    /// What lies there is no key that an identity can have.
    #[error(
        "on token {token}, {key} is {found}, and not an Ed25519 or P-256 key; an identity has no key \
         of another kind"
    )]
    OtherKind {
        /// The token.
        token: String,
        /// `the object with id …`, or how else it was looked for.
        key: String,
        /// What it is: `an RSA key`.
        found: String,
    },
    /// More than one key matches.
    #[error("token {token} has {count} keys {wanted}, and one is needed: {}", list(candidates))]
    AmbiguousKey {
        /// The token.
        token: String,
        /// What was looked for.
        wanted: String,
        /// How many there are.
        count: usize,
        /// Label and id of each.
        candidates: Vec<String>,
    },
    /// The configuration means another key than the identity's header.
    #[error("the configuration means the key {configured}, the header {found}")]
    NotConfiguredKey {
        /// What the configuration says.
        configured: String,
        /// Where the header says that the key is.
        found: String,
    },
    /// No token of the module has the key; or the one that was logged in to has not.
    #[error("no token has the key of {did}{}; looked at {}", seen(*logged_in), list(tokens))]
    NotFound {
        /// Whose key was looked for.
        did: Did,
        /// Where it was looked for.
        tokens: Vec<String>,
        /// It was looked for within a login, which shows every key.
        logged_in: bool,
    },
    /// Several tokens, or several places of one, have the key.
    #[error("the key of {did} is in several places: {}", list(candidates))]
    FoundTwice {
        /// Whose key was looked for.
        did: Did,
        /// The URI of each.
        candidates: Vec<String>,
    },
    /// The label is taken.
    #[error("token {token} already has a key labelled {label:?}{}", of(keys))]
    LabelTaken {
        /// The token.
        token: String,
        /// The label.
        label: String,
        /// The keys of that label that could be an identity's, as far as they are shown.
        keys: Vec<(Did, Pkcs11Locator)>,
    },
    /// Another key lies where the identity's key should be. Seen before any
    /// PIN was sent.
    #[error("the key {key} on token {token} is that of {found}, not of {expected}")]
    KeyReplaced {
        /// The token.
        token: String,
        /// Label and id of the key.
        key: String,
        /// Whose key was expected.
        expected: Did,
        /// Whose key is there.
        found: Did,
    },
    /// The token shows no public key without a login, where the identity's has shown it: it
    /// is another token of the same names, or has lost the public key. No PIN was sent.
    #[error(
        "token {token} does not show the public key {key}, which it showed without a login before; no \
         PIN was sent"
    )]
    KeyNotShown {
        /// The token.
        token: String,
        /// `with id …`
        key: String,
    },
    /// The token has the public key, and shows it within a login only: it is a private object
    /// (`CKA_PRIVATE`), or the token hides all. It has shown it without a login before, so
    /// without that no PIN is sent there.
    #[error("token {token} has the public key {key}, and shows it within a login only")]
    PublicKeyHidden {
        /// The token.
        token: String,
        /// `with id …`
        key: String,
    },
    /// Another private key lies where that of a DID should be, although its public key may
    /// still be beside it.
    #[error("the private key {key} on token {token} is not that of {did}, but {found}")]
    OtherPrivateKey {
        /// The token.
        token: String,
        /// `with id …`
        key: String,
        /// Whose key was expected.
        did: Did,
        /// What it is: `an RSA key`, `another one of its kind`.
        found: &'static str,
    },
    /// The public key is in no encoding that is known, or no acceptable point.
    #[error("the public key on token {token} cannot be read: {reason}")]
    PublicKey {
        /// The token.
        token: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The PIN was refused. It was tried once.
    #[error("token {token} refused the PIN; it was tried once{}", tries(*final_try, *count_low, *lockout))]
    WrongPin {
        /// The token.
        token: String,
        /// The token says that the next wrong PIN locks it.
        final_try: bool,
        /// The token says that wrong PINs have been entered.
        count_low: bool,
        /// What they lead to, where that is known.
        lockout: Option<Lockout>,
    },
    /// This PIN was refused before in this process, and is not tried again.
    #[error("this PIN was refused by token {token} before and was not tried again")]
    PinKnownWrong {
        /// The token.
        token: String,
    },
    /// A process that was killed has sent this PIN, and the token does not show that it was not
    /// counted. It was not sent.
    #[error("the PIN may be one that token {token} has counted as wrong; it was not sent")]
    PinInDoubt {
        /// The token.
        token: String,
    },
    /// The PIN differs from the one that the token accepted earlier.
    #[error("token {token} is open with another PIN")]
    PinDiffers {
        /// The token.
        token: String,
    },
    /// Nothing would tell the next process that the PIN was sent, neither a note on a disk
    /// nor what the token says of itself: a wrong one would be sent at each start.
    #[error("the PIN was not sent to token {token}, since it could not be noted that it is tried")]
    PinNotNoted {
        /// What to do so that it can be noted.
        repair: String,
        /// The token.
        token: String,
        /// Why not.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Since the token accepted this PIN it was noted that it has refused it, or that nobody
    /// knows what came of it: another process has sent it, of this home or of one that shares a
    /// state directory with it. It was not sent again.
    #[error("the PIN that opened token {token} was not sent to it again")]
    PinNotSentAgain {
        /// What to do about it.
        repair: String,
        /// The token.
        token: String,
        /// What bars it, as it bars an opening: mostly [`KeystoreError::RefusedBefore`] or
        /// [`KeystoreError::PinInDoubt`].
        ///
        /// [`KeystoreError::RefusedBefore`]: crate::error::KeystoreError::RefusedBefore
        /// [`KeystoreError::PinInDoubt`]: crate::error::KeystoreError::PinInDoubt
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// Another process or thread sends a PIN to this token, and the one that it had accepted
    /// was not sent again meanwhile.
    #[error(
        "{holder} is sending a PIN to token {token}, which has not answered yet; this one was not \
         sent"
    )]
    PinBeingTried {
        /// The token.
        token: String,
        /// Who sends it.
        holder: String,
    },
    /// The next wrong PIN would lock the token.
    #[error("token {token} has one PIN try left; the PIN was not sent")]
    FinalTry {
        /// The token.
        token: String,
    },
    /// The PIN is locked. Where the TPM behind a token is, it takes none now, the right one
    /// neither: wrong ones were entered, for this token or by another program.
    #[error("{}", locked(token, *of_tpm))]
    PinLocked {
        /// The token.
        token: String,
        /// It is the TPM behind the token that is locked.
        of_tpm: bool,
    },
    /// The token wants something else than this PIN.
    #[error("token {token} does not take this PIN: {problem}")]
    PinUnusable {
        /// The token.
        token: String,
        /// What it wants.
        problem: PinProblem,
    },
    /// The PIN was sent, once, and nobody is logged in: it has expired, or something else
    /// is in its way.
    #[error("token {token} was sent the PIN once and does not log in with it: {problem}")]
    PinNotTaken {
        /// The token.
        token: String,
        /// Why not, by its answer.
        problem: PinProblem,
    },
    /// The key wants its PIN for each signature (`CKA_ALWAYS_AUTHENTICATE`), and the
    /// module has no way for it.
    #[error(
        "the key on token {token} wants its PIN for each signature, which cannot be given through \
         {}", module.display()
    )]
    PinPerSignature {
        /// The token.
        token: String,
        /// The module.
        module: PathBuf,
    },
    /// No key of the token is open, or the token has forgotten the login.
    #[error("token {token} is not open")]
    NotOpen {
        /// The token.
        token: String,
    },
    /// After the token was lost, the key on it is not the one that was open.
    #[error("the key on token {token} is not what it was before the token was lost")]
    NotReopened {
        /// The token.
        token: String,
        /// What is different: an [`OpenError`](super::OpenError).
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// This process was forked from the one that opened the token.
    #[error("this process was forked from one that uses a PKCS#11 module")]
    Forked,
    /// A key could not be made, and not be removed either.
    #[error("the key was not made, and what was begun is still on token {token}, with CKA_ID {id}")]
    LeftBehind {
        /// The token.
        token: String,
        /// `CKA_ID` of the objects, hex, separated by commas; or `unknown`.
        id: String,
        /// It is the id that they were given, by which the next attempt removes them.
        by_their_id: bool,
        /// Why the key was not made.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// What a probe has made could not be removed.
    #[error("what a probe has made is still on token {token}, with CKA_ID {}", list(ids))]
    ProbeLeft {
        /// The token.
        token: String,
        /// Each `CKA_ID` of the objects, hex; or `unknown`, if they show none.
        ids: Vec<String>,
        /// Why it could not be removed; or what went wrong before.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The module says that a key which was written into the token was made there
    /// (`CKA_LOCAL`). What it says of any key is worth nothing then. The key was removed.
    #[error(
        "token {token} says that it has made a key which was written into it (CKA_LOCAL is true): its \
         module tells lies; the key was removed"
    )]
    ClaimsBirth {
        /// The token.
        token: String,
    },
    /// The token takes no private key that was made elsewhere.
    #[error("token {token} takes no key that was made elsewhere")]
    TakesNoKey {
        /// The token.
        token: String,
        /// What it answered to the last way that was tried.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The token takes no public key. The identity's private key is there, and has signed.
    #[error("token {token} has the private key of the identity, and takes no public key")]
    TakesNoPublicKey {
        /// The token.
        token: String,
        /// Its URI.
        uri: String,
        /// The private key shows its public key within a login, and works so.
        shown_by_private: bool,
        /// What the token answered.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
    /// The token has a fixed number of places for keys, and a new one may take the
    /// place of one that is there.
    #[error("a key made on token {token} may take the place of one that is there; none was made")]
    KeysInSlots {
        /// The token.
        token: String,
    },
    /// A call into the module failed.
    #[error("{call} failed on token {token}")]
    Call {
        /// The function of the module.
        call: &'static str,
        /// The token, or the module before one is chosen.
        token: String,
        /// What the answer means for the program.
        kind: ErrorKind,
        /// A TPM is behind the module: one answer for whatever is wrong with it.
        of_tpm: bool,
        /// What the module said.
        #[source]
        source: Box<dyn StdError + Send + Sync>,
    },
}
