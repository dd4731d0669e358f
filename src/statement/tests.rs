use std::error::Error as StdError;
use std::sync::Arc;

use signature::Signer as _;

use super::*;
use crate::algorithm::{Ed25519VerifyingKey, Signature, VerifyingKey};
use crate::bundle::IdentityBundle;
use crate::fault::SignError;
use crate::key::{
    DidKey, External, ExternalSigner, Key, Observed, SigningObserver, Software, Unlocked,
};
use crate::signer::{AsSigner, DidSigner, sign_statement};

#[test]
fn fields_cannot_run_into_each_other() {
    let one = Statement::new(Purpose::Binding).field(b"ab").field(b"c").into_bytes();
    let other = Statement::new(Purpose::Binding).field(b"a").field(b"bc").into_bytes();
    assert_ne!(one, other);
    assert!(one.starts_with(b"icn-identity/binding/v1\0\0\0\0\0\0\0\0\x02ab"));
    assert!(is_reserved(&one));
    assert!(!is_reserved(b"icn-identit"));
}

/// The statement after this one. A new purpose does not compile until it has its
/// place here, and with it in the tests below.
const fn next(purpose: Purpose) -> Option<Purpose> {
    match purpose {
        Purpose::Open => Some(Purpose::Binding),
        Purpose::Binding => Some(Purpose::EncryptionKey),
        Purpose::EncryptionKey => Some(Purpose::Rotation),
        Purpose::Rotation => Some(Purpose::TpmApproval),
        Purpose::TpmApproval => Some(Purpose::Backup),
        Purpose::Backup => Some(Purpose::Daemon),
        Purpose::Daemon => Some(Purpose::Attestation),
        Purpose::Attestation => Some(Purpose::AttestationEndorsement),
        Purpose::AttestationEndorsement => None,
    }
}

fn statements() -> Vec<Vec<u8>> {
    let purposes = std::iter::successors(Some(Purpose::Open), |purpose| next(*purpose));
    let mut all: Vec<_> =
        purposes.map(|purpose| Statement::new(purpose).field(b"anything").into_bytes()).collect();
    // And what may become one: a purpose of a later version, and the prefix alone.
    all.push(b"icn-identity/binding/v2\0".to_vec());
    all.push(PREFIX.to_vec());
    // And signatures for a context.
    all.push(crate::sshsig::signed_bytes("payments", b"100 to Ada"));
    all.push(b"SSHSIG".to_vec());
    all
}

/// A signer written elsewhere, which signs whatever it is given.
struct Obedient(ed25519_dalek::SigningKey);

impl ExternalSigner for Obedient {
    fn verifying_key(&self) -> VerifyingKey {
        Ed25519VerifyingKey::from_bytes(self.0.verifying_key().as_bytes()).unwrap().into()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, Box<dyn StdError + Send + Sync>> {
        Ok(Signature::from_ed25519_bytes(self.0.sign(message).to_bytes()))
    }
}

fn software() -> Key<Software, Unlocked> {
    Key::generate().unwrap()
}

fn external() -> Key<External, Unlocked> {
    Key::<External, Unlocked>::from_external(Obedient(ed25519_dalek::SigningKey::from_bytes(
        &[7; 32],
    )))
    .unwrap()
}

fn refuses<S: DidSigner + ?Sized>(signer: &S) {
    for statement in statements() {
        let told = signer.sign(&statement);
        assert!(matches!(told, Err(SignError::Reserved)), "{statement:?}: {told:?}");
        // The crate's own way is open through every wrapper.
        let signature = sign_statement(signer, &statement).unwrap();
        signer.verifying_key().verify(&statement, &signature).unwrap();
    }
    signer.sign(b"").unwrap();
    signer.sign(b"icn-identity").unwrap();
    signer.sign(b" icn-identity/open/v1\0").unwrap();
    signer.sign_for("payments", b"100 to Ada").unwrap();
    adapter_refuses(signer);
}

fn adapter_refuses<S: DidSigner + ?Sized>(signer: &S) {
    let sign = |message: &[u8]| -> Result<ed25519_dalek::Signature, _> {
        AsSigner::new(signer).try_sign(message)
    };
    for statement in statements() {
        let error = sign(&statement).expect_err("a statement");
        let told = error.source().and_then(|source| source.downcast_ref());
        assert!(matches!(told, Some(SignError::Reserved)), "{statement:?}: {error:?}");
    }
    sign(b"icn-identity").unwrap();
}

#[cfg(feature = "tokio")]
fn async_refuses<S: DidSigner + 'static>(signer: S) {
    let signer = crate::nonblocking::AsyncSigner::new(signer, std::num::NonZeroUsize::MIN).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    runtime.block_on(async {
        for statement in statements() {
            let told = signer.sign(statement.as_slice()).await;
            assert!(matches!(told, Err(SignError::Reserved)), "{statement:?}: {told:?}");
            signer.with(move |signer| sign_statement(signer, &statement)).await.unwrap();
        }
        signer.sign(b"icn-identity").await.unwrap();
        signer.sign_for("payments", b"100 to Ada").await.unwrap();
    });
}

struct LooksOn;

impl SigningObserver for LooksOn {}

#[test]
fn sign_refuses_every_statement_through_every_wrapper() {
    refuses(&software());
    refuses(&external());
    refuses(&DidKey::from(software()));
    refuses(&DidKey::from(external()));
    refuses(&&software());
    let boxed: Box<dyn DidSigner> = Box::new(software());
    refuses(boxed.as_ref());
    let shared: Arc<dyn DidSigner> = Arc::new(boxed);
    refuses(shared.as_ref());
    refuses(&shared);
    refuses(&Box::new(DidKey::from(external())));
    refuses(&Observed::new(software(), LooksOn));
}

/// In the `sign` of a signer written elsewhere there is no code of ours: what is around it
/// refuses by itself.
#[test]
fn an_observed_signer_refuses_every_statement_whoever_it_is() {
    refuses(&Observed::new(foreign(), LooksOn));
    let boxed: Box<dyn DidSigner> = Box::new(foreign());
    refuses(&Observed::new(boxed, LooksOn));
    refuses(&Observed::new(&Observed::new(foreign(), LooksOn), LooksOn));
}

#[test]
fn an_adapter_refuses_every_statement_whoever_its_signer_is() {
    adapter_refuses(&foreign());
    adapter_refuses(&Arc::new(foreign()));
}

#[cfg(feature = "tokio")]
#[test]
fn an_async_signer_refuses_every_statement_whoever_its_signer_is() {
    async_refuses(software());
    async_refuses(foreign());
    let shared: Arc<dyn DidSigner> = Arc::new(foreign());
    async_refuses(shared);
    async_refuses(Observed::new(foreign(), LooksOn));
}

fn bundle_refuses<S: DidSigner>(signer: S) {
    let bundle = IdentityBundle::issue(signer).unwrap();
    for statement in statements() {
        let told = bundle.sign(&statement);
        assert!(matches!(told, Err(SignError::Reserved)), "{statement:?}: {told:?}");
        bundle.sign_statement(&statement).unwrap();
    }
    bundle.sign(b"hello").unwrap();
}

/// As a `DidSigner` of its own there is no code of ours in its `sign`.
struct Foreign(crate::did::Did, Obedient);

impl DidSigner for Foreign {
    fn did(&self) -> &crate::did::Did {
        &self.0
    }
    fn verifying_key(&self) -> &VerifyingKey {
        self.0.verifying_key()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        self.1.sign(message).map_err(SignError::External)
    }
}

fn foreign() -> Foreign {
    let obedient = Obedient(ed25519_dalek::SigningKey::from_bytes(&[9; 32]));
    let did = crate::did::Did::fitting(Default::default(), &obedient.verifying_key());
    Foreign(did, obedient)
}

#[test]
fn a_bundle_refuses_every_statement_whoever_its_signer_is() {
    bundle_refuses(software());
    bundle_refuses(external());
    bundle_refuses(DidKey::from(software()));
    let boxed: Box<dyn DidSigner> = Box::new(software());
    bundle_refuses(boxed);
    bundle_refuses(foreign());
    bundle_refuses(Observed::new(foreign(), LooksOn));
}

/// A service that signs for others is not made to sign for this crate: neither as a
/// signer of a bundle nor behind `from_external`.
#[test]
fn a_wrapper_around_our_key_gets_no_statement_out_of_it() {
    struct Wrapper(Key<Software, Unlocked>);
    impl DidSigner for Wrapper {
        fn did(&self) -> &crate::did::Did {
            self.0.did()
        }
        fn verifying_key(&self) -> &VerifyingKey {
            self.0.verifying_key()
        }
        fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
            self.0.sign(message)
        }
    }
    impl ExternalSigner for Wrapper {
        fn verifying_key(&self) -> VerifyingKey {
            *self.0.verifying_key()
        }
        fn sign(&self, message: &[u8]) -> Result<Signature, Box<dyn StdError + Send + Sync>> {
            Ok(self.0.sign(message)?)
        }
    }
    let refused = IdentityBundle::issue(Wrapper(software())).unwrap_err();
    let error = crate::error::Error::from(refused);
    assert!(error.help().unwrap().contains("pass the key itself"), "{error:?}");
    let refused = Key::<External, Unlocked>::from_external(Wrapper(software())).unwrap_err();
    let mut cause: &dyn StdError = refused.reason();
    while let Some(source) = cause.source() {
        cause = source;
    }
    assert!(matches!(cause.downcast_ref(), Some(SignError::Reserved)), "{cause}");
}
