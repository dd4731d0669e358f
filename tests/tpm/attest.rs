//! What a TPM states of a key: by an AK that is made each time, and that activates.

use icn_identity::DidSigner as _;
use icn_identity::backend::tpm::{EkCertificateIndex, TpmStatements};
use icn_identity::config::TpmConfig;
use ring::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use sha2::{Digest as _, Sha256};
use support::ek_maker::{EkMaker, HIGH_INDEX, P256_INDEX, RSA_INDEX};
use support::maker::rsa_spki;

use super::*;

const DATA: [u8; 32] = [0xa7; 32];

struct Attested {
    node: Node,
    maker: EkMaker,
    config: TpmConfig,
    did: Did,
    locator: Locator,
}

impl Attested {
    fn new(algorithm: AlgorithmId, config: impl FnOnce(&Node) -> TpmConfig) -> Self {
        let (node, maker) = (Node::new(), EkMaker::new());
        maker.endorse(&node.tpm);
        let config = config(&node);
        let (key, locator) = create(&node.open(&config), &config, algorithm);
        let did = key.did().clone();
        Self { node, maker, config, did, locator }
    }

    fn attest_with(&self, pin: &Pin) -> Result<TpmStatements, Error> {
        let backend = self.node.open(&self.config);
        backend.attest(&self.locator, &self.did, &Credentials::pin(pin.clone()), &DATA, None)
    }

    /// Of an identity that is made now.
    fn attest_another(&self) -> TpmStatements {
        let backend = self.node.open(&self.config);
        let (key, locator) = create(&backend, &self.config, AlgorithmId::P256);
        let none = Credentials::pin(Pin::none());
        backend.attest(&locator, key.did(), &none, &DATA, None).unwrap()
    }

    fn attest(&self) -> Result<TpmStatements, Error> {
        self.attest_with(&pin_of(&self.config))
    }
}

fn name(public: &[u8]) -> Vec<u8> {
    [&[0, 0x0b][..], Sha256::digest(public).as_slice()].concat()
}

/// The last two fields of a public part with a point: 32 bytes each, with their length.
fn point(public: &[u8]) -> Vec<u8> {
    let (x, y) = public[public.len() - 68..].split_at(34);
    assert_eq!((&x[..2], &y[..2]), (&[0, 32][..], &[0, 32][..]));
    [&[4], &x[2..], &y[2..]].concat()
}

/// ECDSA with SHA-256, and numbers without leading zeros.
fn raw(sig: &[u8]) -> Vec<u8> {
    assert_eq!(sig[..4], [0, 0x18, 0, 0x0b]);
    let r_length = usize::from(sig[5]);
    let (r, s) = (&sig[6..6 + r_length], &sig[8 + r_length..]);
    [vec![0; 32 - r.len()], r.to_vec(), vec![0; 32 - s.len()], s.to_vec()].concat()
}

#[track_caller]
fn verify(ak: &[u8], statement: &[u8], sig: &[u8]) {
    let key = UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point(ak));
    key.verify(statement, &raw(sig)).unwrap();
    assert_eq!(statement[..4], [0xff, 0x54, 0x43, 0x47]);
}

#[test]
fn a_key_is_certified_by_an_ak_that_activates_with_the_ek_and_nothing_stays_loaded() {
    for with_pin in [false, true] {
        let attested = Attested::new(AlgorithmId::P256, |node| match with_pin {
            true => node.with_pin(),
            false => node.config(),
        });
        let tpm = &attested.node.tpm;
        attested.node.assert_tidy();
        let statements = attested.attest().unwrap();
        attested.node.assert_tidy();
        let TpmStatements { pub_area, cert_info, sig, ak, ek, certificates, quote, .. } =
            &statements;
        verify(ak, cert_info, sig);
        assert!(quote.is_none());
        assert_eq!(*pub_area, object(&attested.locator).public);
        assert_eq!(point(pub_area)[1..33], attested.did.verifying_key().as_bytes()[1..]);
        // The data that was given, and the Name of the very bytes.
        let has = |part: &[u8]| cert_info.windows(part.len()).any(|window| window == part);
        assert!(has(&[&[0, 32], &DATA[..]].concat()) && has(&name(pub_area)));
        // Endorsement primaries: qualified by that hierarchy.
        let qualified = name(&[&[0x40, 0, 0, 0x0b][..], &name(ak)].concat());
        assert_eq!(cert_info[6..42], [&[0, 34], qualified.as_slice()].concat());
        // fixedTPM, fixedParent, sensitiveDataOrigin, userWithAuth, noDA, restricted, sign.
        assert_eq!(ak[4..8], 0x0005_0472_u32.to_be_bytes());
        assert_eq!(ek[4..8], 0x0003_00b2_u32.to_be_bytes());
        // The certificate is that of this EK.
        assert_eq!(certificates.len(), 1);
        let spki = tpm.ek_spki();
        assert!(spki.ends_with(&point(ek)) && certificates[0].windows(65).any(|w| w == point(ek)));
        // Both keys are in one TPM.
        let secret = [0x5e; 32];
        let (credential, encrypted) = tpm.make_credential(ek, &name(ak), &secret);
        let backend = attested.node.open(&attested.config);
        assert_eq!(*backend.answer(&credential, &encrypted).unwrap(), secret);
        attested.node.assert_tidy();
        // The same keys each time.
        let again = attested.attest().unwrap();
        assert_eq!((&again.ak, &again.ek), (ak, ek));
        assert_eq!(tpm.lockout_counter(), 0);
        attested.node.assert_tidy();
    }
}

#[test]
fn an_activation_for_another_key_is_not_answered() {
    let attested = Attested::new(AlgorithmId::P256, Node::config);
    let TpmStatements { pub_area, ak, ek, .. } = attested.attest().unwrap();
    let tpm = &attested.node.tpm;
    let backend = attested.node.open(&attested.config);
    let other = tpm.make_credential(&ek, &name(&pub_area), &[1; 32]);
    let (credential, encrypted) = tpm.make_credential(&ek, &name(&ak), &[1; 32]);
    let mut flipped = credential.clone();
    flipped[9] ^= 1;
    let mut moved = encrypted.clone();
    moved[9] ^= 1;
    let long = vec![0; 4096];
    for (credential, encrypted) in [
        (&other.0, &other.1),
        (&flipped, &encrypted),
        (&credential, &moved),
        (&credential, &other.1),
        (&credential, &long),
        (&long, &encrypted),
        (&credential, &Vec::new()),
        (&Vec::new(), &encrypted),
    ] {
        let error = backend.answer(credential, encrypted).unwrap_err();
        assert_shows(error, &["the activation is for another attestation key"]);
        attested.node.assert_tidy();
    }
    assert_eq!(*backend.answer(&credential, &encrypted).unwrap(), [1; 32]);
}

/// `TPM2_Clear` takes the owner's keys, and leaves those of the endorsement seed (libtpms 0.9).
#[test]
fn a_cleared_tpm_has_the_same_ak_for_its_next_identity() {
    let attested = Attested::new(AlgorithmId::P256, Node::config);
    let before = attested.attest().unwrap();
    let tpm = &attested.node.tpm;
    tpm.clear();
    attested.maker.endorse(tpm);
    assert_shows(attested.attest().unwrap_err(), &["another TPM, or it was cleared"]);
    let after = attested.attest_another();
    assert_eq!((&after.ak, &after.ek), (&before.ak, &before.ek));
    attested.node.assert_tidy();
}

/// As a firmware TPM that is reset.
#[test]
fn a_tpm_with_another_endorsement_seed_has_another_ak_and_answers_no_older_activation() {
    let attested = Attested::new(AlgorithmId::P256, Node::config);
    let before = attested.attest().unwrap();
    let tpm = &attested.node.tpm;
    let (credential, encrypted) = tpm.make_credential(&before.ek, &name(&before.ak), &[1; 32]);
    tpm.tool("tpm2_changeeps", &[]);
    attested.maker.endorse(tpm);
    let backend = attested.node.open(&attested.config);
    let error = backend.answer(&credential, &encrypted).unwrap_err();
    assert_shows(error, &["is for another attestation key", "again: a TPM that was reset"]);
    let after = attested.attest_another();
    assert!(after.ak != before.ak && after.ek != before.ek);
    attested.node.assert_tidy();
}

#[test]
fn a_wrong_pin_costs_one_try_for_a_statement_and_is_not_sent_again() {
    let attested = Attested::new(AlgorithmId::P256, Node::with_pin);
    let tpm = &attested.node.tpm;
    assert_shows(
        attested.attest_with(&Pin::new(WRONG)).unwrap_err(),
        &["the TPM refused the PIN; it was tried once"],
    );
    assert_eq!(tpm.lockout_counter(), 1);
    attested.node.assert_tidy();
    let again = attested.attest_with(&Pin::new(WRONG)).unwrap_err();
    assert_shows(again, &["was not tried again"]);
    assert_shows(attested.attest_with(&Pin::none()).unwrap_err(), &["wants a PIN"]);
    assert_eq!(tpm.lockout_counter(), 1);
    attested.attest().unwrap();
    assert_eq!(tpm.lockout_counter(), 1);
    // The last try is nobody's.
    let other = tpm.other_program();
    other();
    let error = attested.attest_with(&Pin::new("7-shy-owls")).unwrap_err();
    assert_shows(error, &["one wrong PIN more locks the TPM; the PIN was not sent"]);
    assert_eq!(tpm.lockout_counter(), 2);
}

#[test]
fn what_is_known_before_is_said_before_the_pin_is_sent() {
    let attested = Attested::new(AlgorithmId::P256, Node::with_pin);
    let tpm = &attested.node.tpm;
    tpm.tool("tpm2_nvundefine", &["-C", "o", &format!("{P256_INDEX:#x}")]);
    let wrong = || attested.attest_with(&Pin::new(WRONG)).unwrap_err();
    let backend = attested.node.open(&attested.config);
    assert_eq!(backend.ek_certificates().unwrap(), []);
    assert_shows(
        wrong(),
        &["no certificate of its endorsement key", "tpm2_nvwrite 0x01c0000a -C o -i FILE"],
    );
    tpm.store(RSA_INDEX, &[0x30, 0x82, 0, 1, 0]);
    assert_eq!(backend.ek_certificates().unwrap(), [EkCertificateIndex::Rsa2048]);
    assert_shows(wrong(), &["no certificate of a P-256 endorsement key, only of RSA-2048"]);
    tpm.store(P256_INDEX, &[0xff; 600]);
    assert_shows(wrong(), &["cannot be used as a certificate", "tpm2_nvread 0x01c0000a"]);
    attested.maker.endorse(tpm);
    let found = [EkCertificateIndex::P256, EkCertificateIndex::Rsa2048];
    assert_eq!(backend.ek_certificates().unwrap(), found);
    tpm.tool("tpm2_changeauth", &["-c", "endorsement", "theirs"]);
    let answer = || backend.answer(&[], &[]).unwrap_err();
    for error in [wrong(), answer(), backend.check_attestable().unwrap_err()] {
        assert_shows(error, &["endorsement hierarchy has a password", "tpm2_changeauth"]);
    }
    tpm.tool("tpm2_changeauth", &["-c", "endorsement", "-p", "theirs"]);
    backend.check_attestable().unwrap();
    tpm.tool("tpm2_hierarchycontrol", &["-C", "p", "ehEnable", "clear"]);
    for error in [wrong(), answer(), backend.check_attestable().unwrap_err()] {
        assert_shows(error, &["endorsement hierarchy of the TPM is switched off", "firmware"]);
    }
    assert_eq!(tpm.lockout_counter(), 0);
    attested.node.assert_tidy();
}

#[test]
fn a_certificate_of_another_key_is_said_before_the_pin_is_sent() {
    let attested = Attested::new(AlgorithmId::P256, Node::with_pin);
    let (tpm, maker) = (&attested.node.tpm, &attested.maker);
    let backend = attested.node.open(&attested.config);
    for (spki, found) in [
        (maker.sub_key.spki(), "`ek` is not the key of the first certificate"),
        (tpm.high_ek_spki(), "`ek` is not the key of the first certificate"),
        (rsa_spki(2048), "is that of an RSA key"),
        (maker.root_key.spki(), "a key of another kind"),
    ] {
        tpm.store(P256_INDEX, &EkMaker::ek(&spki).sign(&maker.sub_key));
        let wrong = attested.attest_with(&Pin::new(WRONG)).unwrap_err();
        for error in [wrong, backend.check_attestable().unwrap_err()] {
            let wanted = "NV index 0x01c0000a is not that of the endorsement key of this TPM";
            assert_shows(error, &[wanted, found, "ask the maker"]);
        }
    }
    // More than a way to a root has.
    maker.endorse(tpm);
    let chain = [&maker.sub[..], &maker.root].concat();
    (0..3).for_each(|at| tpm.store(0x01c0_0100 + at, &chain));
    let error = attested.attest_with(&Pin::new(WRONG)).unwrap_err();
    assert_shows(error, &["there are 7 certificates", "at most 6"]);
    tpm.store(0x01c0_0102, &[0xff; 9]);
    assert_eq!(backend.check_attestable().unwrap().count(), 5);
    assert_eq!(tpm.lockout_counter(), 0);
    attested.node.assert_tidy();
}

/// An index with a password and without `no_da` counts wrong ones as wrong PINs.
#[test]
fn an_index_is_read_only_where_that_costs_no_try() {
    let attested = Attested::new(AlgorithmId::P256, Node::config);
    let tpm = &attested.node.tpm;
    let ek = EkMaker::ek(&tpm.ek_spki()).sign(&attested.maker.sub_key);
    let backend = attested.node.open(&attested.config);
    for (attributes, password, refused) in [
        ("ownerread|ownerwrite", "", None),
        ("ownerread|ownerwrite|authread", "theirs", None),
        ("ownerread|ownerwrite|authread|no_da", "theirs", None),
        ("ownerwrite|authread|no_da", "", None),
        ("ownerwrite|authread|no_da", "theirs", Some("has a password")),
        ("ownerwrite|authread", "theirs", Some("no attribute `no_da` and no `ownerread`")),
        ("ownerwrite|authread", "", Some("no attribute `no_da` and no `ownerread`")),
        ("ownerwrite|policyread", "", Some("neither of the attributes `authread` and `ownerread`")),
    ] {
        tpm.store_as(P256_INDEX, &ek, attributes, password);
        match (backend.check_attestable(), refused) {
            (Ok(found), None) => assert_eq!(found.iter().next(), Some(&ek[..]), "{attributes}"),
            (Err(error), Some(reason)) => {
                assert_shows(error, &["0x01c0000a", "was not read", reason, "tpm2_nvreadpublic"]);
            }
            (found, _) => panic!("{attributes}: {found:?}"),
        }
        assert_eq!(tpm.lockout_counter(), 0, "{attributes} {password}");
    }
    // Where the owner has a password too, which is not tried at the index's cost.
    tpm.store_as(P256_INDEX, &ek, "ownerread|ownerwrite|authread", "theirs");
    tpm.tool("tpm2_changeauth", &["-c", "owner", "owners"]);
    let error = backend.check_attestable().unwrap_err();
    assert_shows(error, &["has a password, as its owner has"]);
    tpm.tool("tpm2_changeauth", &["-c", "owner", "-p", "owners"]);
    // There, and empty; and locked.
    let index = format!("{P256_INDEX:#x}");
    tpm.tool("tpm2_nvundefine", &["-C", "o", &index]);
    let attributes = "ownerread|ownerwrite|authread|no_da|read_stclear";
    let define = ["-Q", &index, "-C", "o", "-s", "512", "-a", attributes];
    tpm.tool("tpm2_nvdefine", &define);
    assert_shows(backend.check_attestable().unwrap_err(), &["was never written"]);
    tpm.store_as(P256_INDEX, &ek, attributes, "");
    tpm.tool("tpm2_nvreadlock", &["-C", "o", &index]);
    assert_shows(backend.check_attestable().unwrap_err(), &["is locked against reading"]);
    // Issuers are others' to find, from such an index on.
    attested.maker.endorse(tpm);
    tpm.store(0x01c0_0100, &attested.maker.sub);
    tpm.store_as(0x01c0_0101, &attested.maker.root, "ownerwrite|authread", "theirs");
    tpm.store(0x01c0_0102, &attested.maker.root);
    let found = backend.check_attestable().unwrap();
    assert_eq!(found.iter().nth(1), Some(attested.maker.sub.as_slice()));
    assert_eq!((found.count(), tpm.lockout_counter()), (2, 0));
    attested.node.assert_tidy();
}

#[test]
fn an_endorsement_key_of_the_high_range_is_used_where_there_is_no_other() {
    let attested = Attested::new(AlgorithmId::P256, Node::config);
    let (tpm, maker) = (&attested.node.tpm, &attested.maker);
    let high = EkMaker::ek(&tpm.high_ek_spki()).sign(&maker.sub_key);
    tpm.store(HIGH_INDEX, &high);
    let backend = attested.node.open(&attested.config);
    let found = [EkCertificateIndex::P256, EkCertificateIndex::P256High];
    assert_eq!(backend.ek_certificates().unwrap(), found);
    assert_ne!(attested.attest().unwrap().certificates[0], high);
    tpm.tool("tpm2_nvundefine", &["-C", "o", &format!("{P256_INDEX:#x}")]);
    let TpmStatements { ek, ak, certificates, .. } = attested.attest().unwrap();
    assert_eq!((ek[4..8].to_vec(), certificates), (vec![0, 3, 0, 0xf2], vec![high]));
    let (credential, encrypted) = tpm.make_credential(&ek, &name(&ak), &[1; 32]);
    assert_eq!(*backend.answer(&credential, &encrypted).unwrap(), [1; 32]);
    let (other, _) = tpm.make_credential(&ek, &name(&ek), &[1; 32]);
    let error = backend.answer(&other, &encrypted).unwrap_err();
    assert_shows(error, &["the activation is for another attestation key"]);
    attested.node.assert_tidy();
}

#[test]
fn an_ed25519_key_is_refused_with_the_reason() {
    let attested = Attested::new(AlgorithmId::Ed25519, Node::with_pin);
    let error = attested.attest_with(&Pin::new(WRONG)).unwrap_err();
    assert_shows(error, &["sealed data", "not for what is in it", "P-256", "rotation"]);
    assert_eq!(attested.node.tpm.lockout_counter(), 0);
}

#[test]
fn the_object_of_another_key_is_refused_before_the_pin_is_sent() {
    let attested = Attested::new(AlgorithmId::P256, Node::with_pin);
    let backend = attested.node.open(&attested.config);
    let (other, _) = create(&backend, &attested.config, AlgorithmId::P256);
    let pin = Credentials::pin(Pin::new(WRONG));
    let error = backend.attest(&attested.locator, other.did(), &pin, &DATA, None).unwrap_err();
    assert_eq!(error.kind(), icn_identity::ErrorKind::OtherIdentity);
    assert_eq!(attested.node.tpm.lockout_counter(), 0);
}

#[test]
fn a_certificate_is_read_in_pieces_and_its_header_and_padding_are_cut_off() {
    let attested = Attested::new(AlgorithmId::P256, Node::config);
    let tpm = &attested.node.tpm;
    let ek = EkMaker::ek(&tpm.ek_spki()).sign(&attested.maker.sub_key);
    let length = u16::try_from(ek.len()).unwrap().to_be_bytes();
    let header = [&[0x10, 1, 0][..], &length].concat();
    for stored in [
        [&ek[..], &[0xff; 900]].concat(),
        [&header[..], &ek, &[0x11; 64]].concat(),
        [&header[..], &[0x10, 2], &ek].concat(),
    ] {
        tpm.store(P256_INDEX, &stored);
        assert_eq!(attested.attest().unwrap().certificates, std::slice::from_ref(&ek));
    }
    // Issuers, as an on-die authority leaves them: over two indices.
    let chain = [&attested.maker.sub[..], &attested.maker.root].concat();
    let (first, second) = chain.split_at(700);
    tpm.store(0x01c0_0100, first);
    tpm.store(0x01c0_0101, second);
    let found = attested.attest().unwrap().certificates;
    assert_eq!(found, [ek, attested.maker.sub.clone(), attested.maker.root.clone()]);
}

/// A daemon has its key and a session there all the time; there is room for three.
#[test]
fn it_is_done_beside_a_key_that_is_open() {
    for with_pin in [false, true] {
        let attested = Attested::new(AlgorithmId::P256, |node| match with_pin {
            true => node.with_pin(),
            false => node.config(),
        });
        let backend = attested.node.open(&attested.config);
        let key = find(&backend, &attested.locator, &attested.did);
        let key = key.unseal(&pin_of(&attested.config)).unwrap();
        key.sign(b"before").unwrap();
        let there = (attested.node.tpm.transients(), attested.node.tpm.sessions());
        let statements = attested.attest().unwrap();
        let (credential, encrypted) =
            attested.node.tpm.make_credential(&statements.ek, &name(&statements.ak), &[1; 32]);
        attested.node.open(&attested.config).answer(&credential, &encrypted).unwrap();
        assert_eq!((attested.node.tpm.transients(), attested.node.tpm.sessions()), there);
        key.sign(b"after").unwrap();
        drop(key);
        attested.node.assert_tidy();
    }
}

/// The PCRs that the key is bound to are no matter to a statement; those that are quoted are.
#[test]
fn a_quote_is_of_the_pcrs_as_they_are() {
    let attested = Attested::new(AlgorithmId::P256, Node::config);
    let backend = attested.node.open(&attested.config);
    let none = Credentials::pin(Pin::none());
    let pcrs = PcrIndices::new([0, 16]).unwrap();
    let quote = || {
        let made = backend.attest(&attested.locator, &attested.did, &none, &DATA, Some(&pcrs));
        let made = made.unwrap();
        let quote = made.quote.unwrap();
        verify(&made.ak, &quote.info, &quote.sig);
        verify(&made.ak, &made.cert_info, &made.sig);
        quote.info
    };
    let digest = || {
        let values = [0, 16].map(|index| attested.node.tpm.read_pcr(index));
        let values: Vec<u8> = values
            .concat()
            .as_bytes()
            .chunks(2)
            .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
            .collect();
        // One bank, SHA-256, the bits of 0 and 16, and the digest.
        let end = [&[0, 0, 0, 1, 0, 0x0b, 3, 1, 0, 1, 0, 32][..], &Sha256::digest(values)];
        end.concat()
    };
    let before = digest();
    assert!(quote().ends_with(&before));
    attested.node.tpm.extend_pcr(16);
    assert_ne!(digest(), before);
    assert!(quote().ends_with(&digest()));
    attested.node.assert_tidy();
}

/// What it quotes is what it was asked for; else it is told before a PIN is sent.
#[test]
fn a_bank_that_is_off_is_told_before_a_pin_is_sent() {
    let mut attested = Attested::new(AlgorithmId::P256, Node::with_pin);
    attested.node.tpm.tool("tpm2_pcrallocate", &["sha1:all+sha256:none+sha384:none+sha512:none"]);
    attested.node.tpm.restart();
    let before = attested.node.tpm.lockout_counter();
    let backend = attested.node.open(&attested.config);
    let (wrong, pcrs) = (Credentials::pin(Pin::new(WRONG)), PcrIndices::new([0, 7]).unwrap());
    let refused =
        backend.attest(&attested.locator, &attested.did, &wrong, &DATA, Some(&pcrs)).unwrap_err();
    assert_shows(refused, &["does not quote the PCRs 0,7 of its SHA-256 bank", "bank on"]);
    assert_eq!(attested.node.tpm.lockout_counter(), before);
    attested.node.assert_tidy();
}
