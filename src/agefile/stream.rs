//! The payload of an age file: chunks of 64 KiB, encrypted in place
//! (<https://c2sp.org/age>, section "Payload").

use age_core::format::FileKey;
use age_core::primitives::hkdf;
use chacha20poly1305::aead::{AeadInPlace as _, KeyInit as _};
use chacha20poly1305::{ChaCha20Poly1305, Nonce};
use secrecy::ExposeSecret as _;
use zeroize::Zeroizing;

/// Plaintext bytes under one tag.
const CHUNK: usize = 64 * 1024;
const TAG: usize = 16;

/// The random bytes before the first chunk.
pub(super) const NONCE: usize = 16;

/// A chunk is not what was encrypted, or the chunks are not all there.
#[derive(Debug, thiserror::Error)]
#[error("its end is missing, or it was changed")]
pub(super) struct Broken;

fn cipher(file_key: &FileKey, nonce: &[u8; NONCE]) -> ChaCha20Poly1305 {
    let key = Zeroizing::new(hkdf(nonce, b"payload", file_key.expose_secret()));
    ChaCha20Poly1305::new(&(*key).into())
}

/// Appends the encrypted plaintext to a file.
pub(super) fn encrypt(
    file: &mut Vec<u8>,
    file_key: &FileKey,
    nonce: &[u8; NONCE],
    plaintext: &[u8],
) -> Result<(), Broken> {
    let cipher = cipher(file_key, nonce);
    let count = plaintext.len().div_ceil(CHUNK).max(1);
    // At once: growing would leave plaintext behind.
    file.reserve_exact(plaintext.len() + count * TAG);
    for at in 0..count {
        let start = file.len();
        file.extend_from_slice(plaintext.chunks(CHUNK).nth(at).unwrap_or_default());
        let chunk = file.get_mut(start..).unwrap_or_default();
        let nonce = chunk_nonce(at, at + 1 == count);
        let tag = cipher.encrypt_in_place_detached(&nonce, b"", chunk).map_err(|_| Broken)?;
        file.extend_from_slice(&tag);
    }
    Ok(())
}

/// Decrypts what is left of a file after its nonce.
pub(super) fn decrypt(
    file_key: &FileKey,
    nonce: &[u8; NONCE],
    ciphertext: &[u8],
) -> Result<Zeroizing<Vec<u8>>, Broken> {
    let cipher = cipher(file_key, nonce);
    let count = ciphertext.len().div_ceil(CHUNK + TAG);
    let mut plaintext = Zeroizing::new(Vec::with_capacity(ciphertext.len()));
    for (at, chunk) in ciphertext.chunks(CHUNK + TAG).enumerate() {
        let (chunk, tag) = chunk.split_last_chunk::<TAG>().ok_or(Broken)?;
        // Only a file that is empty as a whole ends with an empty chunk.
        if chunk.is_empty() && at > 0 {
            return Err(Broken);
        }
        let start = plaintext.len();
        plaintext.extend_from_slice(chunk);
        let chunk = plaintext.get_mut(start..).unwrap_or_default();
        cipher
            .decrypt_in_place_detached(&chunk_nonce(at, at + 1 == count), b"", chunk, tag.into())
            .map_err(|_| Broken)?;
    }
    if count == 0 { Err(Broken) } else { Ok(plaintext) }
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
