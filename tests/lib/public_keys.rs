//! Public keys in the forms of other software, compared with OpenSSL.

use std::collections::{BTreeSet, HashSet};
use std::io::Write as _;
use std::process::{Command, Stdio};

use icn_identity::algorithm::InvalidVerifyingKey;
use icn_identity::did::InvalidDid;
use icn_identity::{AlgorithmId, Did, DidMethod, Key, Signature, Software, VerifyingKey};

fn openssl(arguments: &[&str], input: &[u8]) -> Vec<u8> {
    let mut command = Command::new("openssl");
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    child.stdin.take().unwrap().write_all(input).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    output.stdout
}

/// A private key of OpenSSL's making, in PEM.
fn generate(algorithm: AlgorithmId) -> Vec<u8> {
    let curve = ["-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256"];
    let arguments: &[&str] = match algorithm {
        AlgorithmId::Ed25519 => &["-algorithm", "ED25519"],
        _ => &curve,
    };
    openssl(&[&["genpkey"], arguments].concat(), b"")
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap()
}

#[test]
fn openssl_reads_and_writes_the_same_public_keys() {
    for algorithm in [AlgorithmId::Ed25519, AlgorithmId::P256] {
        let private = generate(algorithm);
        let pem = text(openssl(&["pkey", "-pubout"], &private));
        let der = openssl(&["pkey", "-pubout", "-outform", "DER"], &private);
        let key = VerifyingKey::from_public_key_pem(&pem).unwrap();
        assert_eq!(key.algorithm(), algorithm);
        assert_eq!(VerifyingKey::from_spki_der(&der).unwrap(), key);
        assert_eq!(key.to_public_key_pem(), pem);
        assert_eq!(key.to_spki_der(), der);
        assert_eq!(
            openssl(&["pkey", "-pubin"], key.to_public_key_pem().as_bytes()),
            pem.as_bytes()
        );
        let windows = pem.replace('\n', "\r\n");
        assert_eq!(VerifyingKey::from_public_key_pem(&windows).unwrap(), key);
        assert_eq!(VerifyingKey::from_bytes(algorithm, key.as_bytes()).unwrap(), key);
        assert_eq!(VerifyingKey::from_jwk(&key.to_jwk()).unwrap(), key);
    }
}

#[test]
fn a_compressed_point_of_openssl_is_the_same_key() {
    let private = generate(AlgorithmId::P256);
    let compressed = ["pkey", "-pubout", "-ec_conv_form", "compressed"];
    let pem = text(openssl(&compressed, &private));
    let key = VerifyingKey::from_public_key_pem(&pem).unwrap();
    assert_eq!(key.to_spki_der(), openssl(&["pkey", "-pubout", "-outform", "DER"], &private));
    // The whole curve spelt out, which is not taken.
    let explicit = ["pkey", "-pubout", "-ec_param_enc", "explicit"];
    let pem = text(openssl(&explicit, &private));
    let refused = VerifyingKey::from_public_key_pem(&pem).unwrap_err();
    assert!(matches!(refused, InvalidVerifyingKey::Format { .. }), "{refused:?}");
}

#[test]
fn what_openssl_signs_verifies_under_the_key_that_was_read() {
    let private = generate(AlgorithmId::Ed25519);
    let directory = tempfile::tempdir().unwrap();
    let (key_file, message) = (directory.path().join("key"), directory.path().join("message"));
    std::fs::write(&key_file, &private).unwrap();
    std::fs::write(&message, b"hello").unwrap();
    let (key_file, message) = (key_file.to_str().unwrap(), message.to_str().unwrap());
    let sign = ["pkeyutl", "-sign", "-rawin", "-inkey", key_file, "-in", message];
    let signature = openssl(&sign, b"");
    let signature = Signature::from_slice(AlgorithmId::Ed25519, &signature).unwrap();
    let pem = text(openssl(&["pkey", "-pubout"], &private));
    let key = VerifyingKey::from_public_key_pem(&pem).unwrap();
    key.verify(b"hello", &signature).unwrap();
    assert!(key.verify(b"hallo", &signature).is_err());
}

#[test]
fn the_jwks_of_the_rfcs_are_read_and_written() {
    // RFC 8037, appendix A.2, and its thumbprint in A.3.
    let x = "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo";
    let jwk = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    let key = VerifyingKey::from_jwk(&jwk).unwrap();
    assert_eq!(key.to_jwk(), jwk);
    let digest = openssl(&["dgst", "-sha256", "-binary"], key.to_jwk().as_bytes());
    let thumbprint = text(openssl(&["base64", "-A"], &digest));
    assert_eq!(thumbprint, "kPrK/qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k=");
    // RFC 7517, appendix A.1.
    let jwk = r#"{"kty":"EC","crv":"P-256","x":"MKBCTNIcKUSDii11ySs3526iDZ8AiTo7Tu6KPAqv7D4",
        "y":"4Etl6SRW2YiLUrN5vfvVHuhp7x8PxltmWWlbbM4IFyM","use":"enc","kid":"1"}"#;
    let key = VerifyingKey::from_jwk(jwk).unwrap();
    assert_eq!(key.algorithm(), AlgorithmId::P256);
    assert!(key.to_jwk().starts_with(r#"{"crv":"P-256","kty":"EC","x":"MKBCTNIcKUSD"#));
    assert_eq!(VerifyingKey::from_jwk(&key.to_jwk()).unwrap(), key);
}

#[test]
fn private_keys_are_refused_as_public_ones_and_not_repeated() {
    let private = generate(AlgorithmId::Ed25519);
    let pem = text(private);
    let refused = VerifyingKey::from_public_key_pem(&pem).unwrap_err();
    assert_eq!(refused, InvalidVerifyingKey::PrivateKey);
    let jwk = r#"{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A",
        "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}"#;
    let refused = VerifyingKey::from_jwk(jwk).unwrap_err();
    assert_eq!(refused, InvalidVerifyingKey::PrivateKey);
    assert!(!format!("{refused:?} {refused}").contains("nWGx"));
}

#[test]
fn what_is_no_public_key_is_refused() {
    let key = *Key::<Software, _>::generate().unwrap().verifying_key();
    let is_format = |result: Result<VerifyingKey, InvalidVerifyingKey>| {
        assert!(matches!(result, Err(InvalidVerifyingKey::Format { .. })), "{result:?}");
    };
    let der = key.to_spki_der();
    is_format(VerifyingKey::from_spki_der(&[der.as_slice(), &[0]].concat()));
    is_format(VerifyingKey::from_spki_der(&der[..der.len() - 1]));
    is_format(VerifyingKey::from_spki_der(b""));
    let pem = key.to_public_key_pem();
    for wrong in [
        String::new(),
        pem.replace("PUBLIC", "OTHER"),
        pem.replace("-----END", "=-----END"),
        format!("{pem}{pem}"),
        pem.replace("\n-----END", &format!("{}\n-----END", "\n".repeat(20_000))),
    ] {
        is_format(VerifyingKey::from_public_key_pem(&wrong));
    }
    let jwk = key.to_jwk();
    for wrong in [
        "",
        "{}",
        &jwk.replace("OKP", "EC"),
        &jwk.replace("Ed25519", "X25519"),
        &jwk.replace("\"}", "=\"}"),
        &jwk.replace("\"}", "\",\"y\":\"AA\"}"),
        &jwk.replace("\"x\"", "\"x\":\"AA\",\"x\""),
    ] {
        is_format(VerifyingKey::from_jwk(wrong));
    }
    let refused = VerifyingKey::from_bytes(AlgorithmId::P256, key.as_bytes()).unwrap_err();
    assert_eq!(refused, InvalidVerifyingKey::Length { found: 32, expected: 33 });
    // y is at least p: the same checks as of a DID's key.
    let mut bad = der;
    bad[12..].fill(0xff);
    assert!(VerifyingKey::from_spki_der(&bad).is_err());
}

/// `alg` of a JWT is known from the key, and `kid` from the DID.
#[test]
fn a_did_names_its_key_for_others() {
    let key = Key::<Software, _>::generate().unwrap();
    for method in [DidMethod::Icn, DidMethod::Key] {
        let did = Did::from_key(method, key.verifying_key()).unwrap();
        let multibase = key.verifying_key().to_multibase();
        assert_eq!(did.verification_method(), format!("{did}#{multibase}"));
        assert_eq!(did.method().to_string().parse(), Ok(method));
        assert!(did.as_str().starts_with(&format!("did:{method}:")));
    }
    let did = Did::from_key(DidMethod::Key, key.verifying_key()).unwrap();
    assert_eq!(did.as_str(), format!("did:key:{}", key.verifying_key().to_multibase()));
}

#[test]
fn a_p256_key_does_not_silently_get_a_did_of_another_method() {
    let pem = text(openssl(&["pkey", "-pubout"], &generate(AlgorithmId::P256)));
    let key = VerifyingKey::from_public_key_pem(&pem).unwrap();
    let refused = Did::from_key(DidMethod::Icn, &key).unwrap_err();
    let expected = InvalidDid::NoSuchDid { method: DidMethod::Icn, algorithm: AlgorithmId::P256 };
    assert_eq!(refused, expected);
    assert!(Did::from_key(DidMethod::Key, &key).unwrap().as_str().starts_with("did:key:zDn"));
}

#[test]
fn dids_keys_and_signatures_go_into_sets_and_maps() {
    let keys: Vec<_> = (0..9).map(|_| Key::<Software, _>::generate().unwrap()).collect();
    let dids: BTreeSet<Did> = keys.iter().map(|key| key.did().clone()).collect();
    let mut texts: Vec<&str> = keys.iter().map(|key| key.did().as_str()).collect();
    texts.sort_unstable();
    assert!(dids.iter().map(Did::as_str).eq(texts));
    let sorted: BTreeSet<VerifyingKey> = keys.iter().map(|key| *key.verifying_key()).collect();
    let mut bytes: Vec<&[u8]> = keys.iter().map(|key| key.verifying_key().as_bytes()).collect();
    bytes.sort_unstable();
    assert!(sorted.iter().map(VerifyingKey::as_bytes).eq(bytes));
    let signatures: HashSet<Signature> =
        keys.iter().map(|key| key.sign(b"hello").unwrap()).collect();
    assert_eq!(signatures.len(), keys.len());
    let one = keys[0].sign(b"hello").unwrap();
    assert_eq!(Signature::try_from((AlgorithmId::Ed25519, one.as_ref())).unwrap(), one);
    assert!(Signature::from_slice(AlgorithmId::Ed25519, &one.as_bytes()[1..]).is_err());
}
