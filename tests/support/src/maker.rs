//! A maker of devices of the test's own: certificates in DER, each field as the test wants it.

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, KeyPair as _,
};

/// 2017-01-01 and 2071-10-05, as Yubico's certificates have it.
pub const FROM: &str = "20170101000000Z";
pub const UNTIL: &str = "20711005000000Z";
/// 2026-11-29, within.
pub const NOW: u64 = 1_795_910_400;

const P256: &str = "1.2.840.10045.3.1.7";
const P384: &str = "1.3.132.0.34";
pub const ECDSA_SHA256: &str = "1.2.840.10045.4.3.2";
pub const ECDSA_SHA384: &str = "1.2.840.10045.4.3.3";
pub const RSA_SHA1: &str = "1.2.840.113549.1.1.5";

/// One value in DER.
pub fn tlv(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = u16::try_from(content.len()).unwrap().to_be_bytes();
    let header = match (content.len(), length) {
        (0..0x80, [_, low]) => vec![tag, low],
        (0x80..0x100, [_, low]) => vec![tag, 0x81, low],
        (_, [high, low]) => vec![tag, 0x82, high, low],
    };
    [header.as_slice(), content].concat()
}

/// An OBJECT IDENTIFIER.
pub fn oid(dotted: &str) -> Vec<u8> {
    let mut numbers = dotted.split('.').map(|number| number.parse::<u32>().unwrap());
    let first = numbers.next().unwrap() * 40 + numbers.next().unwrap();
    let mut content = Vec::new();
    for number in std::iter::once(first).chain(numbers) {
        let groups: Vec<u8> =
            (0..5).map(|at| (number >> (7 * at) & 0x7f).to_le_bytes()[0]).collect();
        let last = groups.iter().rposition(|group| *group != 0).unwrap_or(0);
        for at in (0..=last).rev() {
            content.push(groups[at] | if at == 0 { 0 } else { 0x80 });
        }
    }
    tlv(6, &content)
}

fn name(common: &str) -> Vec<u8> {
    let attribute = [oid("2.5.4.3"), tlv(0x0c, common.as_bytes())].concat();
    tlv(0x30, &tlv(0x31, &tlv(0x30, &attribute)))
}

/// A `SubjectPublicKeyInfo` of a curve, or whatever is given for it.
pub fn spki(curve: &str, point: &[u8]) -> Vec<u8> {
    let algorithm = tlv(0x30, &[oid("1.2.840.10045.2.1"), oid(curve)].concat());
    tlv(0x30, &[algorithm, tlv(3, &[&[0], point].concat())].concat())
}

/// An RSA key of so many bits, with a modulus that nobody has factors of.
pub fn rsa_spki(bits: usize) -> Vec<u8> {
    rsa_spki_as("1.2.840.113549.1.1.1", bits)
}

/// The same with this type of key: as id-RSAES-OAEP (1.2.840.113549.1.1.7) older TPMs have theirs.
pub fn rsa_spki_as(algorithm: &str, bits: usize) -> Vec<u8> {
    let modulus = [&[0, 0x80][..], &vec![1; bits / 8 - 1]].concat();
    let key = tlv(0x30, &[tlv(2, &modulus), tlv(2, &[1, 0, 1])].concat());
    let algorithm = tlv(0x30, &[oid(algorithm), tlv(5, &[])].concat());
    tlv(0x30, &[algorithm, tlv(3, &[&[0], key.as_slice()].concat())].concat())
}

/// A key that signs certificates.
pub struct Signer {
    pair: EcdsaKeyPair,
    curve: &'static str,
    algorithm: &'static str,
}

impl Signer {
    pub fn p256() -> Self {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, &SystemRandom::new());
        let pair = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P256_SHA256_ASN1_SIGNING,
            document.unwrap().as_ref(),
            &SystemRandom::new(),
        );
        Self { pair: pair.unwrap(), curve: P256, algorithm: ECDSA_SHA256 }
    }

    pub fn p384() -> Self {
        let document =
            EcdsaKeyPair::generate_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, &SystemRandom::new());
        let pair = EcdsaKeyPair::from_pkcs8(
            &ECDSA_P384_SHA384_ASN1_SIGNING,
            document.unwrap().as_ref(),
            &SystemRandom::new(),
        );
        Self { pair: pair.unwrap(), curve: P384, algorithm: ECDSA_SHA384 }
    }

    pub fn spki(&self) -> Vec<u8> {
        spki(self.curve, self.pair.public_key().as_ref())
    }
}

/// An extension: object identifier, critical or not, value.
pub type Extension = (String, bool, Vec<u8>);

pub fn extension(oid: &str, value: &[u8]) -> Extension {
    (oid.to_owned(), false, value.to_vec())
}

/// basicConstraints of an authority, critical.
pub fn authority(path_length: Option<u8>) -> Extension {
    let limit = path_length.map(|limit| tlv(2, &[limit])).unwrap_or_default();
    ("2.5.29.19".into(), true, tlv(0x30, &[tlv(1, &[0xff]), limit].concat()))
}

/// keyUsage, by its first byte: 0x04 is keyCertSign, 0x80 digitalSignature.
pub fn key_usage(bits: u8) -> Extension {
    let unused = u8::try_from(bits.trailing_zeros()).unwrap();
    ("2.5.29.15".into(), true, tlv(3, &[unused, bits]))
}

/// A certificate to be signed, each field to be changed.
#[derive(Clone)]
pub struct Form {
    pub version: u8,
    pub subject: String,
    pub issuer: String,
    pub from: String,
    pub until: String,
    pub spki: Vec<u8>,
    pub extensions: Vec<Extension>,
    /// In place of the signer's.
    pub algorithm: Option<&'static str>,
    /// In place of the same as inside.
    pub outer_algorithm: Option<&'static str>,
}

impl Form {
    pub fn new(subject: &str, issuer: &str, spki: Vec<u8>) -> Self {
        Self {
            version: 2,
            subject: subject.into(),
            issuer: issuer.into(),
            from: FROM.into(),
            until: UNTIL.into(),
            spki,
            extensions: Vec::new(),
            algorithm: None,
            outer_algorithm: None,
        }
    }

    pub fn with(mut self, extension: Extension) -> Self {
        self.extensions.push(extension);
        self
    }

    pub fn without(mut self, oid: &str) -> Self {
        let before = self.extensions.len();
        self.extensions.retain(|(found, ..)| found != oid);
        assert!(self.extensions.len() < before, "{oid} is not there");
        self
    }

    /// With another value of an extension that is there.
    pub fn having(self, oid: &str, value: &[u8]) -> Self {
        self.without(oid).with(extension(oid, value))
    }

    pub fn sign(&self, signer: &Signer) -> Vec<u8> {
        let algorithm = |oid_: &str| tlv(0x30, &oid(oid_));
        let inner = self.algorithm.unwrap_or(signer.algorithm);
        let extensions: Vec<Vec<u8>> = self
            .extensions
            .iter()
            .map(|(id, critical, value)| {
                let critical = if *critical { tlv(1, &[0xff]) } else { Vec::new() };
                tlv(0x30, &[oid(id), critical, tlv(4, value)].concat())
            })
            .collect();
        let extensions = match extensions.as_slice() {
            [] => Vec::new(),
            some => tlv(0xa3, &tlv(0x30, &some.concat())),
        };
        let time = |text: &str| tlv(0x18, text.as_bytes());
        let signed = [
            tlv(0xa0, &tlv(2, &[self.version])),
            tlv(2, &[1, 2, 3, 4]),
            algorithm(inner),
            name(&self.issuer),
            tlv(0x30, &[time(&self.from), time(&self.until)].concat()),
            name(&self.subject),
            self.spki.clone(),
            extensions,
        ];
        let signed = tlv(0x30, &signed.concat());
        let signature = signer.pair.sign(&SystemRandom::new(), &signed).unwrap();
        let outer = algorithm(self.outer_algorithm.unwrap_or(inner));
        let signature = tlv(3, &[&[0], signature.as_ref()].concat());
        tlv(0x30, &[signed, outer, signature].concat())
    }
}

pub const SERIAL: u32 = 31_650_425;

/// A maker with a root, a sub-authority, and one device.
pub struct Maker {
    pub root_key: Signer,
    pub sub_key: Signer,
    pub device_key: Signer,
    pub root: Vec<u8>,
    pub sub: Vec<u8>,
    pub device: Vec<u8>,
}

impl Maker {
    /// Of YubiHSMs, as far as certificates go.
    pub fn yubihsm() -> Self {
        Self::new(&[
            extension("1.3.6.1.4.1.41482.4.1", &[4, 3, 2, 4, 0]),
            extension("1.3.6.1.4.1.41482.4.2", &[2, 4, 1, 0xe2, 0xf2, 0x79]),
        ])
    }

    /// Of YubiKeys.
    pub fn yubikey() -> Self {
        Self::new(&[extension("1.3.6.1.4.1.41482.3.3", &[5, 7, 1])])
    }

    fn new(of_device: &[Extension]) -> Self {
        let (root_key, sub_key, device_key) = (Signer::p384(), Signer::p256(), Signer::p256());
        let root = Form::new("Root", "Root", root_key.spki())
            .with(authority(Some(2)))
            .with(key_usage(0x04))
            .sign(&root_key);
        let sub = Form::new("Sub", "Root", sub_key.spki())
            .with(authority(Some(1)))
            .with(key_usage(0x04))
            .sign(&root_key);
        let mut device = Form::new("Device", "Sub", device_key.spki()).with(authority(Some(0)));
        device.extensions.extend_from_slice(of_device);
        let device = device.sign(&sub_key);
        Self { root_key, sub_key, device_key, root, sub, device }
    }

    /// The certificate of a key that was made in a YubiHSM and may sign.
    pub fn yubihsm_leaf(spki: &[u8]) -> Form {
        Form::new("YubiHSM Attestation id:0x7e57", "Device", spki.to_vec())
            .with(extension("1.3.6.1.4.1.41482.4.1", &[4, 3, 2, 4, 0]))
            .with(extension("1.3.6.1.4.1.41482.4.2", &[2, 4, 1, 0xe2, 0xf2, 0x79]))
            .with(extension("1.3.6.1.4.1.41482.4.3", &[3, 2, 0, 1]))
            .with(extension("1.3.6.1.4.1.41482.4.4", &[3, 3, 0, 0, 1]))
            .with(extension("1.3.6.1.4.1.41482.4.5", &[3, 9, 0, 0, 0, 0, 0, 0, 0, 1, 0x80]))
            .with(extension("1.3.6.1.4.1.41482.4.6", &[2, 2, 0x7e, 0x57]))
            .with(extension("1.3.6.1.4.1.41482.4.9", b"\x0c\x03key"))
    }

    /// The certificate of a key that was made in a YubiKey.
    pub fn yubikey_leaf(spki: &[u8]) -> Form {
        Form::new("YubiKey PIV Attestation 9a", "Device", spki.to_vec())
            .with(extension("1.3.6.1.4.1.41482.3.3", &[5, 7, 1]))
            .with(extension("1.3.6.1.4.1.41482.3.7", &[2, 4, 0, 0xf0, 0x0f, 0x14]))
            .with(extension("1.3.6.1.4.1.41482.3.8", &[2, 1]))
            .with(extension("1.3.6.1.4.1.41482.3.9", &[4]))
    }
}

/// A certificate as PEM.
pub fn pem(der: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let text = STANDARD.encode(der);
    let lines: Vec<&str> =
        text.as_bytes().chunks(64).map(|line| std::str::from_utf8(line).unwrap()).collect();
    format!("-----BEGIN CERTIFICATE-----\n{}\n-----END CERTIFICATE-----\n", lines.join("\n"))
}

/// What a TPM's certificate is for: `2.23.133.8.1` of endorsement keys, `2.23.133.8.3` of
/// attestation keys.
pub fn purpose(dotted: &str) -> Extension {
    extension("2.5.29.37", &tlv(0x30, &oid(dotted)))
}

/// The TPM that a certificate names, critical: each attribute in a set of its own, or all in one.
pub fn tpm_model(manufacturer: &str, model: &str, version: &str, one_set: bool) -> Extension {
    let values =
        [("2.23.133.2.1", manufacturer), ("2.23.133.2.2", model), ("2.23.133.2.3", version)];
    let attributes =
        values.map(|(id, value)| tlv(0x30, &[oid(id), tlv(0x0c, value.as_bytes())].concat()));
    let names = match one_set {
        true => tlv(0x31, &attributes.concat()),
        false => attributes.map(|attribute| tlv(0x31, &attribute)).concat(),
    };
    ("2.5.29.17".into(), true, tlv(0x30, &tlv(0xa4, &tlv(0x30, &names))))
}
