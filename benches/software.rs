//! `Key<Software, Unlocked>::sign` against bare `ed25519-dalek`.
#![allow(missing_docs, clippy::print_stdout, clippy::indexing_slicing, clippy::unwrap_used)]

use std::hint::black_box;
use std::process::ExitCode;

use ed25519_dalek::{Signer as _, SigningKey};
use icn_identity::{Key, Software, Unlocked};
use support::medians;
use support::ratios::Report;

fn main() -> ExitCode {
    let mut report = Report::of("software");
    let seed = [0x42; 32];
    let message = [0x17_u8; 64];
    let key = Key::<Software, Unlocked>::from_seed(&seed);
    let bare = SigningKey::from_bytes(&seed);
    let [ours, dalek, rebuilt] = medians::medians_of_processor(
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
    report.time("software-sign", ours, dalek);
    report.time("software-sign-expanded", ours, rebuilt);
    report.end()
}
