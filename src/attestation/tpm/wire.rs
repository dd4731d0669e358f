//! What a TPM marshals: numbers big-endian, a `TPM2B` as a 16-bit length and as many bytes
//! (TPM 2.0 Library, part 2, section 4).

/// Reads from the front, and never more than there is.
pub(super) struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    pub(super) const fn new(bytes: &'a [u8]) -> Self {
        Self(bytes)
    }

    pub(super) fn bytes(&mut self, length: usize) -> Option<&'a [u8]> {
        let (read, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(read)
    }

    pub(super) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        self.bytes(N)?.try_into().ok()
    }

    pub(super) fn u8(&mut self) -> Option<u8> {
        self.array().map(u8::from_be_bytes)
    }

    pub(super) fn u16(&mut self) -> Option<u16> {
        self.array().map(u16::from_be_bytes)
    }

    pub(super) fn u32(&mut self) -> Option<u32> {
        self.array().map(u32::from_be_bytes)
    }

    pub(super) fn u64(&mut self) -> Option<u64> {
        self.array().map(u64::from_be_bytes)
    }

    /// A `TPM2B` of at most this many bytes.
    pub(super) fn sized(&mut self, limit: usize) -> Option<&'a [u8]> {
        let length = usize::from(self.u16()?);
        if length > limit { None } else { self.bytes(length) }
    }

    /// Whether nothing follows.
    pub(super) const fn is_at_end(&self) -> bool {
        self.0.is_empty()
    }

    /// That nothing follows.
    pub(super) fn end(self) -> Option<()> {
        self.0.is_empty().then_some(())
    }
}

/// A `TPM2B`.
pub(super) fn put_sized(to: &mut Vec<u8>, bytes: &[u8]) {
    to.extend(u16::try_from(bytes.len()).unwrap_or(u16::MAX).to_be_bytes());
    to.extend_from_slice(bytes);
}
