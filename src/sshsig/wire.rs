//! The encoding of `PROTOCOL.sshsig`: strings with their length before them (RFC
//! 4251, section 5), keys and signatures as SSH has them (RFC 8709; RFC 5656,
//! section 3.1).

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{Hash, InvalidSshSignature, SshSignature, is_context};
use crate::algorithm::{
    AlgorithmId, Ed25519VerifyingKey, P256VerifyingKey, Signature, VerifyingKey,
};
use crate::encoding::text::after_mark_of;
use crate::statement::SSHSIG;

const BEGIN: &str = "-----BEGIN SSH SIGNATURE-----";
const END: &str = "-----END SSH SIGNATURE-----";

/// Letters of base64 in a line.
const LINE: usize = 70;

const ED25519: &[u8] = b"ssh-ed25519";
const P256: &[u8] = b"ecdsa-sha2-nistp256";
const CURVE: &[u8] = b"nistp256";

/// The fields as they are encoded.
pub(super) struct Blob {
    key: Vec<u8>,
    context: Vec<u8>,
    hash: Vec<u8>,
    signature: Vec<u8>,
}

impl Blob {
    pub(super) fn of(signature: &SshSignature) -> Self {
        Self {
            key: key_blob(&signature.key),
            context: signature.context.clone().into_bytes(),
            hash: signature.hash.name().into(),
            signature: signature_blob(&signature.signature),
        }
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = SSHSIG.to_vec();
        bytes.extend(1_u32.to_be_bytes());
        for field in [&self.key[..], &self.context, b"", &self.hash, &self.signature] {
            put_string(&mut bytes, field);
        }
        bytes
    }

    pub(super) fn from_bytes(bytes: &[u8]) -> Result<Self, InvalidSshSignature> {
        let rest = bytes.strip_prefix(SSHSIG).ok_or(InvalidSshSignature::Encoding)?;
        let mut rest = Reader(rest);
        match rest.number()? {
            1 => {}
            found => return Err(InvalidSshSignature::Version { found }),
        }
        let [key, context, _reserved, hash, signature] = rest.strings()?;
        Ok(Self { key, context, hash, signature })
    }

    pub(super) fn read(self) -> Result<SshSignature, InvalidSshSignature> {
        let key = read_key(&self.key)?;
        let hash = match self.hash.as_slice() {
            b"sha256" => Hash::Sha256,
            b"sha512" => Hash::Sha512,
            _ => return Err(InvalidSshSignature::Hash),
        };
        let context = String::from_utf8(self.context).ok().filter(|context| is_context(context));
        let context = context.ok_or(InvalidSshSignature::Encoding)?;
        let signature = read_signature(key.algorithm(), &self.signature)?;
        Ok(SshSignature { key, context, hash, signature })
    }
}

pub(super) fn put_string(bytes: &mut Vec<u8>, field: &[u8]) {
    let length = u32::try_from(field.len()).unwrap_or(u32::MAX);
    bytes.extend(length.to_be_bytes());
    bytes.extend_from_slice(field);
}

fn strings(fields: &[&[u8]]) -> Vec<u8> {
    let mut bytes = Vec::new();
    fields.iter().for_each(|field| put_string(&mut bytes, field));
    bytes
}

struct Reader<'a>(&'a [u8]);

impl Reader<'_> {
    fn number(&mut self) -> Result<u32, InvalidSshSignature> {
        let (number, rest) = self.0.split_first_chunk().ok_or(InvalidSshSignature::Encoding)?;
        self.0 = rest;
        Ok(u32::from_be_bytes(*number))
    }

    fn string(&mut self) -> Result<Vec<u8>, InvalidSshSignature> {
        let length = usize::try_from(self.number()?).unwrap_or(usize::MAX);
        let (field, rest) = self.0.split_at_checked(length).ok_or(InvalidSshSignature::Encoding)?;
        self.0 = rest;
        Ok(field.to_vec())
    }

    /// So many strings and nothing behind them.
    fn strings<const N: usize>(mut self) -> Result<[Vec<u8>; N], InvalidSshSignature> {
        let mut fields = [const { Vec::new() }; N];
        for field in &mut fields {
            *field = self.string()?;
        }
        if self.0.is_empty() { Ok(fields) } else { Err(InvalidSshSignature::Encoding) }
    }
}

pub(super) fn public_line(key: &VerifyingKey) -> String {
    let name = match key {
        VerifyingKey::Ed25519(_) => "ssh-ed25519",
        VerifyingKey::P256(_) => "ecdsa-sha2-nistp256",
    };
    format!("{name} {}", STANDARD.encode(key_blob(key)))
}

fn key_blob(key: &VerifyingKey) -> Vec<u8> {
    match key {
        VerifyingKey::Ed25519(key) => strings(&[ED25519, key.as_bytes()]),
        VerifyingKey::P256(key) => strings(&[P256, CURVE, &key.to_uncompressed()]),
    }
}

fn read_key(blob: &[u8]) -> Result<VerifyingKey, InvalidSshSignature> {
    let name = Reader(blob).string()?;
    if name == ED25519 {
        let [_, key] = Reader(blob).strings()?;
        let key = key.try_into().map_err(|_| InvalidSshSignature::Key)?;
        let key = Ed25519VerifyingKey::from_bytes(&key);
        return key.map(Into::into).map_err(|_| InvalidSshSignature::Key);
    }
    if name == P256 {
        let [_, curve, point] = Reader(blob).strings()?;
        let point = point.try_into().map_err(|_| InvalidSshSignature::Key)?;
        let key = P256VerifyingKey::from_uncompressed(&point);
        let key = key.ok().filter(|_| curve == CURVE).ok_or(InvalidSshSignature::Key)?;
        return Ok(key.into());
    }
    Err(InvalidSshSignature::Key)
}

fn signature_blob(signature: &Signature) -> Vec<u8> {
    let bytes = signature.as_bytes();
    match signature.algorithm() {
        AlgorithmId::Ed25519 => strings(&[ED25519, bytes]),
        AlgorithmId::P256 => {
            let (r, s) = bytes.split_at(32);
            strings(&[P256, &strings(&[&mpint(r), &mpint(s)])])
        }
    }
}

fn read_signature(algorithm: AlgorithmId, blob: &[u8]) -> Result<Signature, InvalidSshSignature> {
    let [name, value] = Reader(blob).strings()?;
    let bytes = match algorithm {
        AlgorithmId::Ed25519 if name == ED25519 => {
            value.try_into().map_err(|_| InvalidSshSignature::Encoding)?
        }
        AlgorithmId::P256 if name == P256 => {
            let [r, s] = Reader(&value).strings()?;
            let mut bytes = [0; 64];
            let (first, second) = bytes.split_at_mut(32);
            from_mpint(&r, first)?;
            from_mpint(&s, second)?;
            bytes
        }
        _ => return Err(InvalidSshSignature::Encoding),
    };
    Ok(Signature::from_bytes(algorithm, bytes))
}

/// A positive number without leading zeros, but one where its first bit is set.
fn mpint(number: &[u8]) -> Vec<u8> {
    let digits: Vec<u8> = number.iter().copied().skip_while(|byte| *byte == 0).collect();
    match digits.first() {
        Some(first) if first & 0x80 != 0 => [&[0], digits.as_slice()].concat(),
        _ => digits,
    }
}

/// Into 32 bytes. What [`mpint`] does not make is refused.
fn from_mpint(encoded: &[u8], place: &mut [u8]) -> Result<(), InvalidSshSignature> {
    let digits = encoded.strip_prefix(&[0]).unwrap_or(encoded);
    let start = place.len().checked_sub(digits.len()).ok_or(InvalidSshSignature::Encoding)?;
    let (zeros, rest) = place.split_at_mut_checked(start).ok_or(InvalidSshSignature::Encoding)?;
    zeros.fill(0);
    rest.copy_from_slice(digits);
    if mpint(place) == encoded { Ok(()) } else { Err(InvalidSshSignature::Encoding) }
}

pub(super) fn armored(bytes: &[u8]) -> String {
    let encoded = STANDARD.encode(bytes);
    let mut text = format!("{BEGIN}\n");
    for line in encoded.as_bytes().chunks(LINE) {
        text.push_str(&String::from_utf8_lossy(line));
        text.push('\n');
    }
    text.push_str(END);
    text.push('\n');
    text
}

pub(super) fn from_armored(text: &str) -> Result<Vec<u8>, InvalidSshSignature> {
    let inner =
        after_mark_of(text).trim().strip_prefix(BEGIN).and_then(|rest| rest.strip_suffix(END));
    let inner = inner.ok_or(InvalidSshSignature::Armor)?;
    let encoded: String = inner.split_ascii_whitespace().collect();
    STANDARD.decode(encoded).map_err(|_| InvalidSshSignature::Armor)
}
