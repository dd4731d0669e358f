//! Encrypting to an age v1 file without leaving the plaintext behind.
//!
//! `age` itself collects the plaintext in a buffer that it does not wipe. So
//! the header's stanzas come from `age`, and what they open is encrypted here,
//! in place (<https://c2sp.org/age>).

use age::Recipient;
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use age_core::primitives::hkdf;
use chacha20poly1305::aead::{AeadInPlace as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use hkdf::Hkdf;
use secrecy::ExposeSecret as _;
use sha2::Sha256;
use zeroize::Zeroizing;

use crate::error::OpenError;

/// Plaintext bytes under one tag.
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;

/// Encrypts to one recipient.
pub(super) fn seal(plaintext: &[u8], recipient: &dyn Recipient) -> Result<Vec<u8>, OpenError> {
    let file_key =
        FileKey::try_init_with_mut(|key: &mut [u8; FILE_KEY_BYTES]| getrandom::fill(key))
            .map_err(OpenError::NoRandomness)?;
    let (stanzas, _) =
        recipient.wrap_file_key(&file_key).map_err(|error| OpenError::Encrypt(error.into()))?;
    let mut file = header(&stanzas, &file_key);

    let mut nonce = [0_u8; 16];
    getrandom::fill(&mut nonce).map_err(OpenError::NoRandomness)?;
    file.extend_from_slice(&nonce);
    let key = Zeroizing::new(hkdf(&nonce, b"payload", file_key.expose_secret()));
    let cipher = ChaCha20Poly1305::new(&(*key).into());
    let chunks = plaintext.len().div_ceil(CHUNK).max(1);
    // In one allocation: growing would leave plaintext behind.
    file.reserve_exact(plaintext.len() + chunks * TAG);
    for at in 0..chunks {
        let chunk = plaintext.chunks(CHUNK).nth(at).unwrap_or_default();
        let start = file.len();
        file.extend_from_slice(chunk);
        let nonce = chunk_nonce(at, at + 1 == chunks);
        let tag = cipher
            .encrypt_in_place_detached(&nonce, b"", file.get_mut(start..).unwrap_or_default())
            .map_err(|_| OpenError::Encrypt("the payload is too long".into()))?;
        file.extend_from_slice(&tag);
    }
    Ok(file)
}

/// The version, the stanzas, and their authentication code.
fn header(stanzas: &[Stanza], file_key: &FileKey) -> Vec<u8> {
    use base64::{Engine as _, engine::general_purpose::STANDARD_NO_PAD};
    let mut text = String::from("age-encryption.org/v1\n");
    for stanza in stanzas {
        text.push_str("-> ");
        text.push_str(&stanza.tag);
        for argument in &stanza.args {
            text.push(' ');
            text.push_str(argument);
        }
        // 48 bytes are a line of 64 characters; the last line is a shorter one.
        for line in stanza.body.chunks(48) {
            text.push('\n');
            text.push_str(&STANDARD_NO_PAD.encode(line));
        }
        text.push_str(if stanza.body.len().is_multiple_of(48) { "\n\n" } else { "\n" });
    }
    text.push_str("---");
    let key = Zeroizing::new(hkdf(&[], b"header", file_key.expose_secret()));
    // The extraction of HKDF is HMAC-SHA256 (RFC 5869, section 2.2).
    let (code, _) = Hkdf::<Sha256>::extract(Some(key.as_slice()), text.as_bytes());
    text.push(' ');
    text.push_str(&STANDARD_NO_PAD.encode(code));
    text.push('\n');
    text.into_bytes()
}

/// 11 bytes that count, and one that marks the last chunk.
fn chunk_nonce(at: usize, last: bool) -> Nonce {
    let mut nonce = [0_u8; 12];
    let counter = u64::try_from(at).unwrap_or(u64::MAX).to_be_bytes();
    for (byte, counted) in nonce.iter_mut().skip(3).zip(counter) {
        *byte = counted;
    }
    nonce[11] = u8::from(last);
    nonce.into()
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    /// `age` is the judge: no chunk, part of one, exactly one, more.
    #[test]
    fn age_opens_what_is_sealed_here() {
        let identity = age::x25519::Identity::generate();
        for length in [0, 1, CHUNK - 1, CHUNK, CHUNK + 1, 2 * CHUNK, 3 * CHUNK + 5] {
            let plaintext: Vec<u8> = (0..=250).cycle().take(length).collect();
            let file = seal(&plaintext, &identity.to_public()).unwrap();
            let decryptor = age::Decryptor::new(file.as_slice()).unwrap();
            let identity: &dyn age::Identity = &identity;
            let mut opened = Vec::new();
            let mut reader = decryptor.decrypt(std::iter::once(identity)).unwrap();
            reader.read_to_end(&mut opened).unwrap();
            assert!(opened == plaintext, "{length} bytes");
        }
    }

    /// Bodies of stanzas whose last line would be full.
    #[test]
    fn a_full_line_is_followed_by_an_empty_one() {
        let key = FileKey::new(Box::new([7; FILE_KEY_BYTES]));
        let stanza =
            |bytes| Stanza { tag: "t".into(), args: vec!["a".into()], body: vec![0; bytes] };
        let text = |bytes| String::from_utf8(header(&[stanza(bytes)], &key)).unwrap();
        let line = "A".repeat(64);
        assert!(text(48).starts_with(&format!("age-encryption.org/v1\n-> t a\n{line}\n\n--- ")));
        assert!(text(49).starts_with(&format!("age-encryption.org/v1\n-> t a\n{line}\nAA\n--- ")));
        assert!(text(0).starts_with("age-encryption.org/v1\n-> t a\n\n--- "));
    }
}
