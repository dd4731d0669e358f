//! What a checkpoint finds.

use super::*;
use crate::error::SignError;
use crate::signer::DidSigner;

fn checkpoint(home: &Home) -> (SignedCheckpoint, Checkpoint) {
    let signed = home.open().checkpoint().unwrap().sign(&home.key).unwrap();
    let read: SignedCheckpoint = signed.to_string().parse().unwrap();
    assert_eq!(read, signed);
    let verified = read.verify(home.did()).unwrap();
    (signed, verified)
}

#[test]
fn a_checkpoint_finds_an_end_that_was_cut_off_wherever() {
    let home = Home::with_lines(4);
    let (_, checkpoint) = checkpoint(&home);
    assert_eq!(checkpoint.seq(), 5);
    let lines = home.lines();
    std::fs::remove_file(home.beside("audit.log.head")).unwrap();
    for left in 1..lines.len() {
        std::fs::write(home.path(), lines[..left].concat()).unwrap();
        home.verify().unwrap();
        let (path, line, found) = fault(verify(&[home.path()], Some(&checkpoint)));
        let last = u64::try_from(left).unwrap();
        assert_eq!((path, line), (home.path(), last + 1));
        assert_eq!(found, Fault::EndsEarly { last, known: 5 });
    }
    // And what came after does not hide it.
    std::fs::write(home.path(), lines[..3].concat()).unwrap();
    home.append(9);
    let (_, line, found) = fault(verify(&[home.path()], Some(&checkpoint)));
    assert_eq!((line, found), (5, Fault::NotThatOfCheckpoint { number: 5 }));
}

#[test]
fn a_checkpoint_finds_a_log_that_was_written_anew() {
    let home = Home::with_lines(4);
    let (_, checkpoint) = checkpoint(&home);
    verify(&[home.path()], Some(&checkpoint)).unwrap();
    home.append(3);
    verify(&[home.path()], Some(&checkpoint)).unwrap();
    for name in ["audit.log", "audit.log.head"] {
        std::fs::remove_file(home.beside(name)).unwrap();
    }
    home.append(10);
    home.verify().unwrap();
    assert_eq!(fault(verify(&[home.path()], Some(&checkpoint))).2, Fault::OtherLog);
}

#[test]
fn a_checkpoint_is_looked_for_in_all_files_and_between_them() {
    let home = Home::with_lines(2);
    let (_, at_end) = checkpoint(&home);
    let old = home.beside("audit.log.1");
    std::fs::rename(home.path(), &old).unwrap();
    home.append(2);
    let (_, later) = checkpoint(&home);
    for known in [&at_end, &later] {
        verify(&[old.clone(), home.path()], Some(known)).unwrap();
        verify(&[home.path()], Some(known)).unwrap();
    }
    assert_eq!(
        fault(verify(std::slice::from_ref(&old), Some(&later))).2,
        Fault::EndsEarly { last: 3, known: 6 }
    );
    std::fs::rename(home.path(), home.beside("audit.log.2")).unwrap();
    home.append(0);
    let (path, line, found) = fault(verify(&[home.path()], Some(&at_end)));
    assert_eq!((path, line), (home.path(), 1));
    assert_eq!(found, Fault::BeginsLater { checkpoint: 3 });
}

#[test]
fn a_checkpoint_that_was_changed_or_is_of_another_did_says_nothing() {
    let home = Home::with_lines(1);
    let (signed, _) = checkpoint(&home);
    let text = signed.to_string();
    let other = Key::<Software, Unlocked>::generate().unwrap();
    let error = signed.verify(other.did()).unwrap_err();
    assert!(matches!(error, AuditError::NotSignedBy { .. }), "{error}");
    for place in 0..text.len() {
        if !text.is_char_boundary(place) || text.as_bytes()[place] > 0x7e {
            continue;
        }
        let mut changed = text.clone().into_bytes();
        changed[place] ^= 1;
        let Ok(changed) = String::from_utf8(changed) else { continue };
        let read = changed.parse::<SignedCheckpoint>();
        assert!(read.is_err() || read.unwrap().verify(home.did()).is_err(), "{place}: {changed}");
    }
    // The same key by its other name is another DID.
    let same = Did::fitting(crate::DidMethod::Key, home.did().verifying_key());
    assert!(signed.verify(&same).is_err());
    let error = home.open().checkpoint().unwrap().sign(&other).unwrap_err();
    assert!(matches!(error, AuditError::NotSignedBy { .. }), "{error}");
}

/// A client that may have anything signed cannot have one of these.
#[test]
fn the_text_of_a_checkpoint_is_signed_for_nobody() {
    let home = Home::with_lines(1);
    let (signed, _) = checkpoint(&home);
    let text = signed.to_string();
    let (text, _) = text.split_once("\n\n").unwrap();
    let message = format!("{text}\n");
    assert!(matches!(home.key.sign(message.as_bytes()), Err(SignError::Reserved)));
    assert!(home.key.sign_for("a", message.as_bytes()).is_ok());
}

/// A key of a P-256 DID, as a device would hold it.
struct Foreign(p256::ecdsa::SigningKey, Did);

impl DidSigner for Foreign {
    fn did(&self) -> &Did {
        &self.1
    }
    fn verifying_key(&self) -> &crate::VerifyingKey {
        self.1.verifying_key()
    }
    fn sign(&self, message: &[u8]) -> Result<crate::Signature, SignError> {
        use p256::ecdsa::signature::Signer as _;
        let signature: p256::ecdsa::Signature = self.0.sign(message);
        Ok(crate::Signature::from_p256_bytes(signature.normalize_s().to_bytes().into()))
    }
}

#[test]
fn a_p256_did_signs_as_ecdsa_notes_are_signed() {
    let secret = p256::ecdsa::SigningKey::from_slice(&[5; 32]).unwrap();
    let point = secret.verifying_key().to_sec1_point(true);
    let key = crate::VerifyingKey::from_bytes(crate::AlgorithmId::P256, point.as_bytes()).unwrap();
    let did = Did::fitting(crate::DidMethod::Key, &key);
    let home = Home::new();
    let log = AuditLog::open(home.path(), &did).unwrap();
    let signer = Foreign(secret.clone(), did.clone());
    let signed = log.checkpoint().unwrap().sign(&signer).unwrap();
    signed.verify(&did).unwrap();
    let text = signed.to_string();
    let (text, line) = text.split_once("\n\n").unwrap();
    let encoded = line.trim_end().rsplit_once(' ').unwrap().1;
    let bytes = crate::encoding::base64::decode(encoded).unwrap();
    use p256::ecdsa::signature::Verifier as _;
    let signature = p256::ecdsa::Signature::from_der(&bytes[4..]).unwrap();
    secret.verifying_key().verify(format!("{text}\n").as_bytes(), &signature).unwrap();
}
