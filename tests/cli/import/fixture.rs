//! Older keystores, member by member, from published test keys: how the files
//! in `tests/fixtures/legacy` were made, and what variants are made of.

use std::io::Write as _;
use std::path::PathBuf;

use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest as _, Sha256};

pub(crate) const PASSPHRASE: &str = "an old passphrase";
pub(crate) const FORMATS: [&str; 5] = ["v1", "v2", "v2.1", "v3", "v4"];

/// RFC 8032, section 7.1: secret and public key of TEST 1, 2, 3 and 1024.
pub(crate) const IDENTITY: [&str; 2] = [
    "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
    "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
];
pub(crate) const OTHER: [&str; 2] = [
    "4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
    "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
];
const TLS: [&str; 2] = [
    "c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
    "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
];
const REVOKED: [&str; 2] = [
    "f5e5767cf153319517630f226876b86c8160cc583bc013744c6bf255f5cc0ee5",
    "278117fc144c72340f67d0f2316e8386ceffbf2b2428c9c51fef7c597f1d426e",
];
/// RFC 7748, section 6.1: Alice and Bob.
pub(crate) const ALICE: [&str; 2] = [
    "77076d0a7318a57d3c16c17251b26645df4c2f87ebc0992ab177fba51db92c2a",
    "8520f0098930a754748b7ddcb43ef75a0dbf3a0d26381af4eba4a98eaa9b4e6a",
];
pub(crate) const BOB: [&str; 2] = [
    "5dab087e624a8a4b79e17f8b83800ee66f3bb1292618b6fd1c2f8b27ff88e0eb",
    "de9edb7d7b7dc1b4d35b61c2ece435373f8343c85b78674dadfc7e146f882b4f",
];

/// base58btc of the public key of TEST 1.
pub(crate) const DID: &str = "did:icn:zFVen3X669xLzsi6N2V91DoiyzHzg1uAgqiT8jZ9nS96Z";

pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<char> = hex.chars().collect();
    let pairs = digits.chunks(2).map(|pair| pair.iter().collect::<String>());
    pairs.map(|pair| u8::from_str_radix(&pair, 16).unwrap()).collect()
}

/// As serde writes a byte string: `[157,97,…]`.
pub(crate) fn array(bytes: &[u8]) -> String {
    let numbers: Vec<String> = bytes.iter().map(u8::to_string).collect();
    format!("[{}]", numbers.join(","))
}

fn of_hex(hex: &str) -> String {
    array(&bytes(hex))
}

/// A JSON object as text, member by member.
#[derive(Clone)]
pub(crate) struct Members(pub(crate) Vec<(String, String)>);

impl Members {
    pub(crate) fn with(mut self, name: &str, value: impl Into<String>) -> Self {
        let value = value.into();
        match self.0.iter_mut().find(|(found, _)| found == name) {
            Some((_, old)) => *old = value,
            None => self.0.push((name.into(), value)),
        }
        self
    }

    pub(crate) fn without(mut self, names: &[&str]) -> Self {
        self.0.retain(|(name, _)| !names.contains(&name.as_str()));
        self
    }

    pub(crate) fn and_again(mut self, name: &str, value: &str) -> Self {
        self.0.push((name.into(), value.into()));
        self
    }

    pub(crate) fn text(&self) -> String {
        let members: Vec<String> =
            self.0.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
        format!("{{{}}}", members.join(","))
    }

    pub(crate) fn sealed(&self) -> Vec<u8> {
        seal(self.text().as_bytes(), 10)
    }
}

/// The members of a keystore of this format.
pub(crate) fn members(format: &str) -> Members {
    let mut members = Members(Vec::new());
    if matches!(format, "v3" | "v4") {
        members = members.with("version", &format[1..]);
    }
    members = members
        .with("secret_bytes", of_hex(IDENTITY[0]))
        .with("public_bytes", of_hex(IDENTITY[1]))
        .with("did", format!("\"{DID}\""));
    if format == "v1" {
        return members;
    }
    let certificate = tls::certificate();
    members = members
        .with("tls_cert_der", array(&certificate))
        .with("tls_key_der", array(&tls::private_key()))
        .with("tls_binding_sig", array(&binding(IDENTITY[0], &certificate)))
        .with("created_at", "1700000000");
    if format == "v2" {
        return members;
    }
    members =
        members.with("x25519_secret", of_hex(ALICE[0])).with("x25519_public", of_hex(ALICE[1]));
    if format == "v2.1" {
        return members;
    }
    members = members
        .with(
            "did_document",
            format!("{{\"id\":\"{DID}\",\"verificationMethod\":[],\"updated\":1.5e3}}"),
        )
        .with("device_id", "\"device-1\"")
        .with(
            "rotation_chain",
            "[{\"old_did\":\"did:icn:zOld\",\"reason\":\"Scheduled\",\"at\":1690000000}]",
        );
    if format == "v3" {
        return members;
    }
    let counting: Vec<u8> = (0..=63).collect();
    let bundle = |version: u32, key: [&str; 2], x25519: [&str; 2], more: &str| {
        format!(
            "{{\"version\":{version},\"classical_secret\":{},\"classical_public\":{},\
             \"pq_secret\":{},\"pq_public\":{},\"bundle_x25519_secret\":{},\
             \"bundle_x25519_public\":{},\"issued_at\":1700000000{more}}}",
            of_hex(key[0]),
            of_hex(key[1]),
            array(&counting),
            array(&counting),
            of_hex(x25519[0]),
            of_hex(x25519[1]),
        )
    };
    let bundles = [
        bundle(1, REVOKED, ALICE, ",\"expires_at\":1710000000,\"revoked_at\":1705000000"),
        bundle(2, OTHER, BOB, ",\"expires_at\":1800000000"),
    ];
    members
        .with("anchor", "{\"vui_commitment\":[1,2,3],\"pathway\":\"Test\"}")
        .with("keybundles", format!("[{}]", bundles.join(",")))
        .with("current_keybundle_version", "2")
        .with("pq_secret", array(&counting))
        .with("pq_public", array(&counting))
        .with("kem_pq_secret", array(&counting))
        .with("kem_pq_public", array(&counting))
        .with("is_hybrid", "true")
}

/// The old binding: a signature over SHA-256 of the certificate, and nothing
/// before it.
pub(crate) fn binding(secret: &str, certificate: &[u8]) -> [u8; 64] {
    let key = SigningKey::from_bytes(&bytes(secret).try_into().unwrap());
    key.sign(&Sha256::digest(certificate)).to_bytes()
}

pub(crate) fn seal(plaintext: &[u8], work_factor: u8) -> Vec<u8> {
    let mut recipient = age::scrypt::Recipient::new(PASSPHRASE.to_owned().into());
    recipient.set_work_factor(work_factor);
    let recipients = std::iter::once::<&dyn age::Recipient>(&recipient);
    let encryptor = age::Encryptor::with_recipients(recipients).unwrap();
    let mut writer = encryptor.wrap_output(Vec::new()).unwrap();
    writer.write_all(plaintext).unwrap();
    writer.finish().unwrap()
}

pub(crate) fn unseal(file: &[u8], passphrase: &str) -> String {
    let identity = age::scrypt::Identity::new(passphrase.to_owned().into());
    let decryptor = age::Decryptor::new_buffered(file).unwrap();
    let identity = std::iter::once::<&dyn age::Identity>(&identity);
    std::io::read_to_string(decryptor.decrypt(identity).unwrap()).unwrap()
}

pub(crate) fn path(format: &str) -> PathBuf {
    let directory = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/legacy");
    directory.join(format!("{format}.age"))
}

/// A self-signed certificate of the TLS key, the same each time.
mod tls {
    use ed25519_dalek::{Signer as _, SigningKey};
    use rcgen::{CertificateParams, PKCS_ED25519, PublicKeyData, SignatureAlgorithm};

    use super::{TLS, bytes};

    struct Key(SigningKey, Vec<u8>);

    impl PublicKeyData for Key {
        fn der_bytes(&self) -> &[u8] {
            &self.1
        }
        fn algorithm(&self) -> &'static SignatureAlgorithm {
            &PKCS_ED25519
        }
    }

    impl rcgen::SigningKey for Key {
        fn sign(&self, message: &[u8]) -> Result<Vec<u8>, rcgen::Error> {
            Ok(self.0.sign(message).to_bytes().to_vec())
        }
    }

    pub(super) fn certificate() -> Vec<u8> {
        let key = SigningKey::from_bytes(&bytes(TLS[0]).try_into().unwrap());
        assert_eq!(key.verifying_key().to_bytes().to_vec(), bytes(TLS[1]));
        let mut params = CertificateParams::default();
        params.serial_number = Some(rcgen::SerialNumber::from_slice(&[1]));
        params.key_identifier_method = rcgen::KeyIdMethod::PreSpecified(vec![1]);
        params.not_before = rcgen::date_time_ymd(2023, 11, 14);
        params.not_after = rcgen::date_time_ymd(2024, 11, 14);
        params.self_signed(&Key(key, bytes(TLS[1]))).unwrap().der().to_vec()
    }

    /// PKCS#8 v1 (RFC 8410).
    pub(super) fn private_key() -> Vec<u8> {
        [bytes("302e020100300506032b657004220420"), bytes(TLS[0])].concat()
    }
}
