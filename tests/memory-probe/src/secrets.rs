//! Secrets as they come in: masked, and unmasked byte by byte where they are
//! wanted.

use std::io::{self, BufRead as _};
use std::ptr;

use icn_identity::secret::LockedText;
use zeroize::Zeroize as _;

const MASK: u8 = 0xa5;

pub(crate) struct Secrets(Vec<(String, Vec<u8>)>);

impl Secrets {
    pub(crate) fn read() -> Self {
        let lines = io::stdin().lock().lines().map(|line| line.expect("the parent speaks"));
        let masked = lines.take_while(|line| !line.is_empty()).map(|line| {
            let (name, hex) = line.split_once(' ').expect("a name and hex");
            let pairs =
                hex.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).expect("hex"));
            let bytes = pairs.map(|pair| u8::from_str_radix(pair, 16).expect("hex")).collect();
            (name.to_owned(), bytes)
        });
        Self(masked.collect())
    }

    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.as_str())
    }

    pub(crate) fn masked(&self, name: &str) -> &[u8] {
        let found = self.0.iter().find(|(known, _)| known == name);
        found.map(|(_, bytes)| bytes.as_slice()).unwrap_or_else(|| panic!("no {name} was given"))
    }

    /// 32 bytes, for as long as `work` takes.
    pub(crate) fn with_bytes<T>(&self, name: &str, work: impl FnOnce(&[u8; 32]) -> T) -> T {
        let mut bytes = Box::new([0_u8; 32]);
        unmask(self.masked(name), bytes.as_mut_slice());
        let done = work(&bytes);
        bytes.zeroize();
        done
    }

    pub(crate) fn text(&self, name: &str) -> LockedText {
        let masked = self.masked(name);
        let mut bytes = vec![0; masked.len()];
        unmask(masked, &mut bytes);
        LockedText::from(String::from_utf8(bytes).expect("text"))
    }
}

/// One byte at a time, so that no register ever holds more of it.
pub(crate) fn unmask(masked: &[u8], into: &mut [u8]) {
    assert_eq!(masked.len(), into.len());
    for (from, to) in masked.iter().zip(into) {
        // SAFETY: both are references to bytes.
        unsafe { ptr::write_volatile(to, ptr::read_volatile(from) ^ MASK) };
    }
}

/// Hex of the masked bytes, to be told to the parent.
pub(crate) fn masked_hex(secret: &[u8; 32]) -> String {
    let mut masked = [0_u8; 32];
    unmask(secret, &mut masked);
    masked.iter().map(|byte| format!("{byte:02x}")).collect()
}
