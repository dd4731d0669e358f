//! Certificates as a TPM keeps them in its non-volatile storage.

/// What a TPM of a PC has in front of a certificate in its NV (TCG PC Client Specific
/// Implementation Specification, section 7.3.2): a tag, a type, a length; and before the whole
/// certificate of one type another tag.
const TAG: &[u8] = &[0x10, 0x01, 0x00];
const FULL: &[u8] = &[0x10, 0x02];

/// The one SEQUENCE, as long as it says that it is: without the header in front, and without the
/// padding of any bytes behind it.
pub(super) fn certificate_in(stored: &[u8]) -> Option<&[u8]> {
    split(stored).map(|(certificate, _)| certificate)
}

/// All that follow one another, up to what is none.
pub(super) fn certificates_in(stored: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut left = stored;
    std::iter::from_fn(move || {
        let (certificate, rest) = split(left)?;
        left = rest;
        Some(certificate)
    })
}

/// The first certificate, and what is behind it.
fn split(stored: &[u8]) -> Option<(&[u8], &[u8])> {
    let der = match stored.strip_prefix(TAG) {
        // Its length is behind the tag; the certificate has one of its own.
        Some(tagged) => {
            let tagged = tagged.get(2..)?;
            tagged.strip_prefix(FULL).unwrap_or(tagged)
        }
        None => stored,
    };
    let [0x30, 0x82, high, low, ..] = der else { return None };
    der.split_at_checked(4 + usize::from(u16::from_be_bytes([*high, *low])))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A certificate in NV, with what is around it in the wild.
    #[test]
    fn the_one_sequence_is_taken_whatever_is_around_it() {
        let mut sequence = vec![0x30, 0x82, 0x01, 0x00];
        sequence.resize(4 + 0x100, 7);
        let padded = |padding: &[u8]| [&sequence, padding].concat();
        let with = |header: &[u8], padding: &[u8]| [header, &padded(padding)].concat();
        for bytes in [
            padded(b""),
            padded(&[0; 300]),
            padded(&[0xff; 431]),
            padded(&[0x11; 192]),
            padded(&sequence),
            with(&[0x10, 0x01, 0x00, 0x01, 0x06, 0x10, 0x02], &[]),
            with(&[0x10, 0x01, 0x00, 0x01, 0x04], &[0; 9]),
        ] {
            assert_eq!(certificate_in(&bytes), Some(sequence.as_slice()));
        }
        for end in 0..sequence.len() {
            assert_eq!(certificate_in(&sequence[..end]), None, "{end}");
        }
        assert_eq!(certificate_in(&[0xff; 400]), None);
        assert_eq!(certificate_in(&with(&[0x10, 0x01, 0x01, 0x01, 0x06], &[])), None);
    }

    #[test]
    fn of_several_in_a_row_each_is_taken_that_is_whole() {
        let certificate = [&[0x30, 0x82, 1, 0][..], &[7; 256]].concat();
        let header = [0x10, 1, 0, 1, 4];
        let all = [&certificate[..], &header, &certificate, &[0xff; 9]].concat();
        let found: Vec<_> = certificates_in(&all).collect();
        assert_eq!(found, [certificate.as_slice(); 2]);
        assert_eq!(certificates_in(&all[..400]).count(), 1);
        assert_eq!(certificates_in(&[]).count(), 0);
    }
}
