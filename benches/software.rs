//! `Key<Software, Unlocked>::sign` against bare `ed25519-dalek`.
#![allow(missing_docs, clippy::print_stdout, clippy::indexing_slicing, clippy::unwrap_used)]

use std::hint::black_box;

use ed25519_dalek::{Signer as _, SigningKey};
use icn_identity::{Key, Software, Unlocked};
use support::medians;

fn main() {
    let seed = [0x42; 32];
    let message = [0x17_u8; 64];
    let key = Key::<Software, Unlocked>::from_seed(&seed);
    let bare = SigningKey::from_bytes(&seed);
    let [ours, dalek, rebuilt] = medians::medians(
        600,
        50,
        [
            &mut || {
                black_box(key.sign(black_box(&message)).unwrap());
            },
            &mut || {
                black_box(bare.sign(black_box(&message)));
            },
            &mut || {
                let key = SigningKey::from_bytes(black_box(&seed));
                {
                    black_box(key.sign(black_box(&message)));
                };
            },
        ],
    );
    medians::report("software sign over bare ed25519-dalek", ours, dalek, 1.02);
    medians::report("software sign over rebuilding the key each time", ours, rebuilt, 0.6);
}
