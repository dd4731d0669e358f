//! What tells a PIN in doubt from most others, and next to nothing of it.
//!
//! It may be right, so no tag is made of it, which would leave a thief fifteen of a million.
//! All PINs are in eight groups: a PIN is always in the same one, whatever the device and
//! wherever it comes from, so many notes tell no more than one, and of a million they leave
//! 125,000. One in eight others is taken for the one in doubt, and waits for somebody to say
//! that it may be sent.

use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::secret::{LockedText, leaving_no_trace_of_much};

/// How many there are.
const GROUPS: u8 = 8;

const DOMAIN: &[u8] = b"icn-identity/pin-group/v1\0";

pub(super) fn of(pin: &LockedText) -> u8 {
    leaving_no_trace_of_much(|| {
        let hash = Sha256::new().chain_update(DOMAIN).chain_update(pin.expose_secret().as_bytes());
        let hash = Zeroizing::new(<[u8; 32]>::from(hash.finalize()));
        let [first, ..] = *hash;
        first % GROUPS
    })
}

/// Whether it is one.
pub(super) const fn is_one(group: u8) -> bool {
    group < GROUPS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_tells_three_bits_of_a_pin() {
        let mut sizes = [0_usize; 8];
        for pin in 0..4000 {
            let pin = LockedText::from(format!("{pin:06}").as_str());
            assert_eq!(of(&pin), of(&pin));
            sizes[usize::from(of(&pin))] += 1;
        }
        assert!(sizes.iter().all(|size| (400..600).contains(size)), "{sizes:?}");
        assert!(is_one(7) && !is_one(8));
    }
}
