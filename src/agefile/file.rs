//! An age v1 file, encrypted and decrypted without leaving plaintext behind.
//!
//! `age` collects what it encrypts in a buffer that it does not wipe, and
//! decrypts into one that is made shorter, which may move it. So `age` makes and
//! reads the stanzas, checks the header, and gives the file key; the payload is
//! encrypted and decrypted in place here (see [`stream`](super::stream)).

use std::cell::OnceCell;
use std::io;

use age::{DecryptError, Decryptor, EncryptError, Identity, Recipient};
use age_core::format::{FILE_KEY_BYTES, FileKey, Stanza};
use age_core::primitives::hkdf;
use hkdf::Hkdf;
use secrecy::ExposeSecret as _;
use sha2::Sha256;
use zeroize::Zeroizing;

use super::stream::{self, NONCE};
use crate::fault::OpenError;

/// Encrypts to each of the recipients.
pub(super) fn seal(plaintext: &[u8], recipients: &[&dyn Recipient]) -> Result<Vec<u8>, OpenError> {
    let random = |key: &mut [u8; FILE_KEY_BYTES]| crate::secret::fill_random(key);
    let file_key = FileKey::try_init_with_mut(random)?;
    let mut file = header(&wrap(&file_key, recipients)?, &file_key);
    let mut nonce = [0_u8; NONCE];
    crate::secret::fill_random(&mut nonce)?;
    file.extend_from_slice(&nonce);
    stream::encrypt(&mut file, &file_key, &nonce, plaintext)
        .map_err(|error| OpenError::Encrypt(error.into()))?;
    Ok(file)
}

fn wrap(file_key: &FileKey, recipients: &[&dyn Recipient]) -> Result<Vec<Stanza>, OpenError> {
    let mut all = Vec::new();
    let mut first = None;
    for recipient in recipients {
        let (stanzas, labels) =
            recipient.wrap_file_key(file_key).map_err(|error| OpenError::Encrypt(error.into()))?;
        // A passphrase stands alone: its label is unlike any other.
        if *first.get_or_insert_with(|| labels.clone()) != labels {
            return Err(OpenError::Encrypt(
                EncryptError::IncompatibleRecipients {
                    l_labels: first.unwrap_or_default(),
                    r_labels: labels,
                }
                .into(),
            ));
        }
        all.extend(stanzas);
    }
    if all.is_empty() {
        return Err(OpenError::Encrypt(EncryptError::MissingRecipients.into()));
    }
    Ok(all)
}

/// Decrypts with what the first fitting identity opens.
pub(super) fn open<'a>(
    file: &[u8],
    identities: impl Iterator<Item = &'a dyn Identity>,
) -> Result<Zeroizing<Vec<u8>>, DecryptError> {
    let broken = |error: stream::Broken| io::Error::new(io::ErrorKind::InvalidData, error);
    let mut ciphertext = file;
    let decryptor = Decryptor::new_buffered(&mut ciphertext)?;
    let file_key = OnceCell::new();
    let noting: Vec<_> =
        identities.map(|identity| Noting { identity, file_key: &file_key }).collect();
    // Checks the header under the file key. Nothing of the payload is read.
    let mut asked = noting.iter().map(|identity| -> &dyn Identity { identity });
    drop(decryptor.decrypt(&mut asked)?);
    let start = file.len() - ciphertext.len();
    let nonce = file.get(..start).and_then(|header| header.last_chunk::<NONCE>());
    let (Some(file_key), Some(nonce)) = (file_key.get(), nonce) else {
        return Err(broken(stream::Broken).into());
    };
    Ok(stream::decrypt(file_key, nonce, ciphertext).map_err(broken)?)
}

/// An identity that notes the file key that it opened.
struct Noting<'a> {
    identity: &'a dyn Identity,
    file_key: &'a OnceCell<FileKey>,
}

impl Identity for Noting<'_> {
    fn unwrap_stanza(&self, stanza: &Stanza) -> Option<Result<FileKey, DecryptError>> {
        self.unwrap_stanzas(std::slice::from_ref(stanza))
    }

    fn unwrap_stanzas(&self, stanzas: &[Stanza]) -> Option<Result<FileKey, DecryptError>> {
        let opened = self.identity.unwrap_stanzas(stanzas)?;
        if let Ok(key) = &opened {
            let copy = |copy: &mut [u8; FILE_KEY_BYTES]| copy.copy_from_slice(key.expose_secret());
            // `age` asks no other identity after one that opens.
            let _ = self.file_key.set(FileKey::init_with_mut(copy));
        }
        Some(opened)
    }
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

#[cfg(test)]
mod tests {
    use std::io::{Read as _, Write as _};

    use super::*;

    /// Around the ends of chunks.
    const LENGTHS: [usize; 9] = [0, 1, 2000, 65_535, 65_536, 65_537, 131_071, 131_072, 200_000];

    fn plaintext(length: usize) -> Vec<u8> {
        (0..=250).cycle().take(length).collect()
    }

    fn opened_here(file: &[u8], identity: &dyn Identity) -> Option<Vec<u8>> {
        open(file, std::iter::once(identity)).ok().map(|opened| opened.to_vec())
    }

    fn opened_by_age(file: &[u8], identity: &dyn Identity) -> Option<Vec<u8>> {
        let decryptor = Decryptor::new(file).ok()?;
        let mut opened = Vec::new();
        decryptor.decrypt(std::iter::once(identity)).ok()?.read_to_end(&mut opened).ok()?;
        Some(opened)
    }

    fn sealed_by_age(plaintext: &[u8], recipient: &dyn Recipient) -> Vec<u8> {
        let encryptor = age::Encryptor::with_recipients(std::iter::once(recipient)).unwrap();
        let mut writer = encryptor.wrap_output(Vec::new()).unwrap();
        writer.write_all(plaintext).unwrap();
        writer.finish().unwrap()
    }

    #[test]
    fn age_opens_what_is_sealed_here_and_the_other_way_round() {
        let identity = age::x25519::Identity::generate();
        for length in LENGTHS {
            let text = plaintext(length);
            let file = seal(&text, &[&identity.to_public()]).unwrap();
            assert!(opened_by_age(&file, &identity).is_some_and(|opened| opened == text));
            let file = sealed_by_age(&text, &identity.to_public());
            assert!(opened_here(&file, &identity).is_some_and(|opened| opened == text));
        }
    }

    #[test]
    fn chunks_that_are_changed_cut_off_or_in_another_order_are_refused() {
        let identity = age::x25519::Identity::generate();
        let text = plaintext(2 * 65_536);
        let file = seal(&text, &[&identity.to_public()]).unwrap();
        let start = file.len() - 2 * (65_536 + 16);
        let refused = |file: &[u8]| {
            assert!(opened_by_age(file, &identity).is_none());
            let opened = open(file, std::iter::once::<&dyn Identity>(&identity));
            assert!(matches!(opened, Err(DecryptError::Io(_))));
        };
        for end in [start, start + 1, start + 16, start + 65_536 + 16, file.len() - 1] {
            refused(&file[..end]);
        }
        let (head, chunks) = file.split_at(start);
        let (first, second) = chunks.split_at(65_536 + 16);
        refused(&[head, second, first].concat());
        refused(&[head, first, second, second].concat());
        refused(&[&file[..], &[0; 16]].concat());
        for at in [start, start + 65_536, file.len() - 1] {
            let mut changed = file.clone();
            changed[at] ^= 1;
            refused(&changed);
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
