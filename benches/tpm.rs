//! A key sealed to a TPM against software, and its unlock against the same
//! steps by bare `tss-esapi`. On swtpm, started by the bench.
#![allow(missing_docs, clippy::print_stdout, clippy::indexing_slicing, clippy::unwrap_used)]
#![allow(clippy::panic, clippy::expect_used, dead_code)]

use std::hint::black_box;
use std::process::ExitCode;

use icn_identity::backend::tpm::TpmBackend;
use icn_identity::backend::{Backend as _, Credentials, KeyAtRest, Locator, NewKey, TpmObject};
use icn_identity::config::{PcrIndices, TpmConfig};
use icn_identity::{
    AlgorithmId, Did, DidMethod, DidSigner as _, Key, Pin, Software, TpmSealed, Unlocked,
};
use support::medians;
use support::ratios::Report;
use support::swtpm::Swtpm;
use tss_esapi::attributes::SessionAttributesBuilder;
use tss_esapi::constants::SessionType;
use tss_esapi::interface_types::algorithm::HashingAlgorithm;
use tss_esapi::interface_types::resource_handles::Hierarchy;
use tss_esapi::interface_types::session_handles::{AuthSession, PolicySession};
use tss_esapi::structures::{
    Digest, PcrSelectionListBuilder, PcrSlot, Private, Public, SymmetricDefinition,
};
use tss_esapi::traits::UnMarshall as _;
use tss_esapi::{Context, handles::SessionHandle};

#[path = "../tests/tpm/h2.rs"]
mod h2;

fn main() -> ExitCode {
    let mut report = Report::of("tpm");
    let tpm = Swtpm::start();
    let home = tempfile::tempdir().unwrap();
    let mut config = TpmConfig::new(tpm.tcti());
    config.pin = false;
    config.pcr_indices = PcrIndices::new([7]).unwrap();
    let backend = TpmBackend::open(home.path(), &config).unwrap();
    let make = |algorithm| {
        let request = NewKey::new(DidMethod::Key).with_algorithm(algorithm);
        backend.create(&request, &Credentials::pin(Pin::none())).unwrap()
    };
    let made = make(AlgorithmId::Ed25519);
    let did = made.key.did().clone();
    let sealed: Key<TpmSealed, Unlocked> = made.key.try_into().unwrap();
    signing(&sealed, &mut report);
    drop(sealed);

    let Locator::Tpm(object) = &made.locator else { panic!("{:?}", made.locator) };
    let mut context = Context::new(tpm.tcti().parse().unwrap()).unwrap();
    let [ours, bare] = medians::medians(
        150,
        1,
        [
            &mut || {
                drop(black_box(unlock(&backend, &made.locator, &did)));
            },
            &mut || bare_unlock(&mut context, object, &did),
        ],
    );
    report.time("tpm-open", ours, bare);

    let born = make(AlgorithmId::P256).key;
    let [in_chip] = medians::medians(
        100,
        1,
        [&mut || {
            black_box(born.sign(&[0x17; 64]).unwrap());
        }],
    );
    report.figure(
        "a P-256 signature in swtpm (published for chips: 50 to 200 ms)",
        &format!("{in_chip:.2?}"),
    );
    report.end()
}

fn signing(sealed: &Key<TpmSealed, Unlocked>, report: &mut Report) {
    let message = [0x17_u8; 64];
    let software = Key::<Software, Unlocked>::from_seed(&[0x42; 32]);
    let [ours, baseline] = medians::medians_of_processor(
        600,
        50,
        [
            &mut || {
                black_box(sealed.sign(black_box(&message)).unwrap());
            },
            &mut || {
                black_box(software.sign(black_box(&message)).unwrap());
            },
        ],
    );
    report.time("tpm-sign", ours, baseline);
}

fn unlock(backend: &TpmBackend, locator: &Locator, did: &Did) -> icn_identity::DidKey {
    match backend.find(locator, did).unwrap() {
        KeyAtRest::Device(key) => key.unseal(&Pin::none()).unwrap(),
        other => panic!("{other:?}"),
    }
}

/// The same steps, as somebody would write them who trusts everything: storage
/// root, salted session, PCR policy, load, unseal, sign and verify once, flush.
fn bare_unlock(context: &mut Context, object: &TpmObject, did: &Did) {
    let root = context
        .execute_with_session(Some(AuthSession::Password), |context| {
            context.create_primary(Hierarchy::Owner, h2::template(), None, None, None, None)
        })
        .unwrap()
        .key_handle;
    let session = context
        .start_auth_session(
            Some(root),
            None,
            None,
            SessionType::Policy,
            SymmetricDefinition::AES_128_CFB,
            HashingAlgorithm::Sha256,
        )
        .unwrap()
        .unwrap();
    let (attributes, mask) = SessionAttributesBuilder::new().with_encrypt(true).build();
    context.tr_sess_set_attributes(session, attributes, mask).unwrap();
    let selection = PcrSelectionListBuilder::new()
        .with_selection(HashingAlgorithm::Sha256, &[PcrSlot::Slot7])
        .build()
        .unwrap();
    let policy = PolicySession::try_from(session).unwrap();
    context.policy_pcr(policy, Digest::default(), selection).unwrap();
    let private = Private::try_from(object.private.clone()).unwrap();
    let public = Public::unmarshall(&object.public).unwrap();
    let loaded = context
        .execute_with_session(Some(AuthSession::Password), |context| {
            context.load(root, private, public)
        })
        .unwrap();
    let seed = context.execute_with_session(Some(session), |context| context.unseal(loaded.into()));
    let seed: [u8; 32] = seed.unwrap().value().try_into().unwrap();
    context.flush_context(loaded.into()).unwrap();
    context.flush_context(SessionHandle::from(session).into()).unwrap();
    context.flush_context(root.into()).unwrap();
    let key = Key::<Software, Unlocked>::from_seed(&seed);
    assert_eq!(key.verifying_key(), did.verifying_key());
    let signature = key.sign(b"challenge").unwrap();
    key.verifying_key().verify(b"challenge", &signature).unwrap();
}
