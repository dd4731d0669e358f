use super::*;
use crate::algorithm::P256VerifyingKey;
use crate::encoding::hex;

/// Computed once by another implementation (Python: hashlib, hmac, OpenSSL ECDH and AES). Not compared
/// with a TPM.
#[test]
fn a_credential_is_that_of_another_implementation() {
    let blob = concat!(
        "0020a1a0305d8ba0dd47ab63b103f20ce558be795e72e434dd36f723021b5f88c264a16edbd162df",
        "76dba8488bcc342b83d9482fb336a079058bba1072108f5d3b3f1f11",
    );
    let encrypted = concat!(
        "0020209c317b637935dd3da1c54f63495dfb31f97d293df085710320595c9aacb83f0020dde4c69f",
        "c17a0c74c20cc692662f049892ba37a4ba47d2c70cd8a99986391f9b",
    );
    let [ek, ours] = [3, 11].map(|seed| SecretKey::from_slice(&[seed; 32]).unwrap());
    let ek = ek.public_key().to_sec1_point(false).as_bytes().try_into().unwrap();
    let ek = P256VerifyingKey::from_uncompressed(&ek).unwrap();
    let ek = EndorsementKey { key: ek, x: ek.to_uncompressed()[1..33].to_vec() };
    let mut ak = [0; 34];
    ak[1] = 0x0b;
    ak[2..].iter_mut().zip(0..).for_each(|(byte, number)| *byte = number);
    let made = Credential::with(&ek, &ak, &[7; 32], &ours);
    assert_eq!(
        (hex::encode(&made.blob), hex::encode(&made.encrypted)),
        (blob.into(), encrypted.into())
    );
}
