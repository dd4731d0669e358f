//! age files as far as they are read here: the header, and the armor around.

use std::io::Write as _;

use ::age::armor::{ArmoredWriter, Format};

use super::{EncryptedFile, EncryptedHeader, unarmored};

/// The header of a whole file.
pub(crate) fn file(bytes: &[u8]) -> Option<Vec<u8>> {
    let file = EncryptedFile::read(bytes).ok()?;
    let header = file.header().to_owned();
    let nonce = [0; 16];
    assert!(header.starts_with("age-encryption.org/v1\n"));
    Some([header.as_bytes(), &nonce].concat())
}

/// A header alone, as a client gives it to a daemon.
pub(crate) fn header(bytes: &[u8]) -> Option<Vec<u8>> {
    Some(EncryptedHeader::parse(bytes).ok()?.as_text().as_bytes().to_vec())
}

/// What is in armor, armored again.
pub(crate) fn armor(bytes: &[u8]) -> Option<Vec<u8>> {
    let binary = unarmored(bytes).ok()?;
    let mut text = Vec::new();
    let mut writer = ArmoredWriter::wrap_output(&mut text, Format::AsciiArmor).ok()?;
    writer.write_all(&binary).ok()?;
    writer.finish().ok()?;
    Some(text)
}
