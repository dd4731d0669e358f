//! Signing and unlocking from async code, on a runtime of one thread: were it blocked,
//! these tests would not end.

use std::num::NonZeroUsize;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};

use icn_identity::backend::NewKey;
use icn_identity::error::{ErrorKind, SignError};
use icn_identity::home::{CredentialSource, HomeOptions, PromptError};
use icn_identity::nonblocking::{AsyncHome, AsyncSigner};
use icn_identity::{Did, DidSigner, Key, Signature, Software, Unlocked, VerifyingKey};

/// Tells which messages it has begun, and signs each when it is let.
struct Slow {
    key: Key<Software, Unlocked>,
    begun: Mutex<Sender<Vec<u8>>>,
    let_go: Mutex<Receiver<()>>,
}

impl DidSigner for Slow {
    fn did(&self) -> &Did {
        self.key.did()
    }
    fn verifying_key(&self) -> &VerifyingKey {
        self.key.verifying_key()
    }
    fn sign(&self, message: &[u8]) -> Result<Signature, SignError> {
        self.begun.lock().unwrap().send(message.to_vec()).unwrap();
        self.let_go.lock().unwrap().recv().unwrap();
        assert_ne!(message, b"panic", "as it was told");
        self.key.sign(message)
    }
}

struct Scene {
    signer: AsyncSigner<Slow>,
    begun: Receiver<Vec<u8>>,
    let_go: Sender<()>,
}

impl Scene {
    fn new(at_once: usize) -> Self {
        let ((tell, begun), (let_go, wait)) = (channel(), channel());
        let key = Key::generate().unwrap();
        let slow = Slow { key, begun: Mutex::new(tell), let_go: Mutex::new(wait) };
        let at_once = NonZeroUsize::new(at_once).unwrap();
        Self { signer: AsyncSigner::new(slow, at_once).unwrap(), begun, let_go }
    }

    fn sign(&self, message: &[u8]) -> tokio::task::JoinHandle<Result<Signature, SignError>> {
        let (signer, message) = (self.signer.clone(), message.to_vec());
        tokio::spawn(async move { signer.sign(message).await })
    }

    /// Blocks no longer than until a thread of the pool, not of the runtime, has begun.
    fn next_begun(&self) -> Vec<u8> {
        self.begun.recv().unwrap()
    }
}

/// All that can go on without being let goes on.
async fn settle() {
    for _ in 0..100 {
        tokio::task::yield_now().await;
    }
}

#[tokio::test(flavor = "current_thread")]
async fn the_runtime_goes_on_while_a_signer_waits() {
    let scene = Scene::new(1);
    let signing = scene.sign(b"hello");
    settle().await;
    assert_eq!(scene.next_begun(), b"hello");
    assert!(!signing.is_finished());
    // The one thread of the runtime lets the signer go.
    scene.let_go.send(()).unwrap();
    let signature = signing.await.unwrap().unwrap();
    scene.signer.verifying_key().verify(b"hello", &signature).unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn no_more_is_begun_at_once_than_was_said_and_the_rest_in_its_order() {
    let scene = Scene::new(2);
    let calls: Vec<_> = (0..6).map(|number| scene.sign(&[number])).collect();
    settle().await;
    let mut first = [scene.next_begun(), scene.next_begun()];
    first.sort();
    assert_eq!(first, [[0], [1]]);
    for number in 2..6 {
        settle().await;
        assert!(scene.begun.try_recv().is_err(), "there is no thread for more than two");
        scene.let_go.send(()).unwrap();
        // Its place is given on by the thread, and taken by the runtime.
        let begun = loop {
            tokio::task::yield_now().await;
            if let Ok(begun) = scene.begun.try_recv() {
                break begun;
            }
        };
        assert_eq!(begun, [number]);
    }
    scene.let_go.send(()).unwrap();
    scene.let_go.send(()).unwrap();
    for call in calls {
        call.await.unwrap().unwrap();
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_call_that_is_dropped_before_its_turn_is_never_begun() {
    let scene = Scene::new(1);
    let first = scene.sign(b"first");
    settle().await;
    assert_eq!(scene.next_begun(), b"first");
    let second = scene.sign(b"second");
    settle().await;
    second.abort();
    assert!(second.await.unwrap_err().is_cancelled());
    let third = scene.sign(b"third");
    scene.let_go.send(()).unwrap();
    scene.let_go.send(()).unwrap();
    first.await.unwrap().unwrap();
    third.await.unwrap().unwrap();
    assert_eq!(scene.next_begun(), b"third");
}

#[tokio::test(flavor = "current_thread")]
async fn a_call_that_is_dropped_while_it_is_signed_keeps_its_thread_until_then() {
    let scene = Scene::new(1);
    let first = scene.sign(b"first");
    settle().await;
    assert_eq!(scene.next_begun(), b"first");
    first.abort();
    assert!(first.await.unwrap_err().is_cancelled());
    let second = scene.sign(b"second");
    settle().await;
    assert!(scene.begun.try_recv().is_err(), "the first is still being signed");
    scene.let_go.send(()).unwrap();
    scene.let_go.send(()).unwrap();
    second.await.unwrap().unwrap();
    assert_eq!(scene.next_begun(), b"second");
}

#[tokio::test(flavor = "current_thread")]
async fn a_panic_of_the_signer_is_one_of_the_caller_and_others_go_on() {
    let scene = Scene::new(1);
    let panicked = scene.sign(b"panic");
    let other = scene.sign(b"other");
    scene.let_go.send(()).unwrap();
    scene.let_go.send(()).unwrap();
    let error = panicked.await.unwrap_err();
    assert!(error.is_panic(), "{error}");
    other.await.unwrap().unwrap();
}

#[tokio::test(flavor = "current_thread")]
async fn an_async_signer_refuses_what_its_signer_does() {
    let at_once = NonZeroUsize::MIN;
    let key: Arc<dyn DidSigner> = Arc::new(Key::<Software, Unlocked>::generate().unwrap());
    let signer = AsyncSigner::shared(key, at_once).unwrap();
    let refused = signer.sign(*b"icn-identity/binding/v1\0").await.unwrap_err();
    assert!(matches!(refused, SignError::Reserved), "{refused:?}");
    let signature = signer.sign_for("greetings@coop.example", "hello").await.unwrap();
    signer.verifying_key().verify_for("greetings@coop.example", b"hello", &signature).unwrap();
    let did = signer.with(|signer| signer.did().clone()).await;
    assert_eq!(did, *signer.did());
}

/// Dropping the last clone does not wait for a device that hangs.
#[test]
fn dropping_an_async_signer_waits_for_nobody() {
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let scene = Scene::new(1);
    runtime.block_on(async {
        let call = scene.sign(b"hello");
        settle().await;
        call.abort();
        assert!(call.await.unwrap_err().is_cancelled());
    });
    assert_eq!(scene.next_begun(), b"hello");
    let Scene { signer, begun, let_go } = scene;
    drop(signer);
    // Only now the thread can end, and with it the signer.
    let_go.send(()).unwrap();
    assert!(begun.recv().is_err(), "the thread has let the signer go");
}

async fn home(directory: &tempfile::TempDir) -> AsyncHome {
    let (path, config) = (directory.path().join("icn"), directory.path().join("icn.toml"));
    if !config.exists() {
        std::fs::write(&config, "[identity.age]\nwork_factor = 10\n").unwrap();
    }
    AsyncHome::open(path, HomeOptions::new().with_config_file(config)).await.unwrap()
}

#[tokio::test(flavor = "current_thread")]
async fn the_runtime_goes_on_while_a_person_is_asked() {
    let directory = tempfile::tempdir().unwrap();
    let home = home(&directory).await;
    let made = home.create(NewKey::default(), CredentialSource::given("horse")).await.unwrap();
    assert!(home.wants().await.is_ok());
    let ((ask, asked), (answer, answered)) = (channel(), channel::<String>());
    let prompt = CredentialSource::prompt(move |_| {
        ask.send(()).unwrap();
        answered.recv().map_err(|_| PromptError::from("nobody answers"))
    });
    let unlocking = tokio::spawn({
        let home = home.clone();
        async move { home.unlock(prompt).await }
    });
    settle().await;
    asked.recv().unwrap();
    assert!(!unlocking.is_finished());
    answer.send("horse".into()).unwrap();
    let opened = unlocking.await.unwrap().unwrap();
    assert_eq!(opened.bundle.did(), made.bundle.did());
    let refused = home.unlock(CredentialSource::given("wrong")).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::WrongCredential);
}

#[tokio::test(flavor = "current_thread")]
async fn a_panic_of_a_prompt_leaves_the_home_usable() {
    let directory = tempfile::tempdir().unwrap();
    let home = home(&directory).await;
    drop(home.create(NewKey::default(), CredentialSource::given("horse")).await.unwrap());
    let prompt = CredentialSource::prompt(|_| -> Result<String, PromptError> { panic!("as told") });
    let unlocking = tokio::spawn({
        let home = home.clone();
        async move { home.unlock(prompt).await.map(drop) }
    });
    assert!(unlocking.await.unwrap_err().is_panic());
    drop(home.unlock(CredentialSource::given("horse")).await.unwrap());
}
