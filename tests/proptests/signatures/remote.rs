//! Keys that `icnd` has.

use icn_identity::AlgorithmId;
use support::home::{Home, PASSPHRASE};
use support::softhsm::PIN;
use support::swtpm::Swtpm;

use super::{CONTEXT, Fixture, Signer, round_trip};
use crate::signers::daemon::Daemon;

#[test]
fn what_a_daemon_signs_verifies_everywhere_and_nothing_else_does() {
    let of_file = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    of_file.ok(&["id", "init"], b"");
    let tpm = Swtpm::start();
    let of_tpm = Home::new().with("ICN_PIN", PIN);
    of_tpm.write(
        "icn.toml",
        &format!("[identity.tpm]\ndevice_path = {:?}\npin_work_factor = 10\n", tpm.tcti()),
    );
    let init = ["id", "init", "--backend", "tpm", "--no-platform-binding"];
    of_tpm.ok(&[&init[..], &["--algorithm", "p256"]].concat(), b"");
    let daemons = [of_file, of_tpm].map(|home| Daemon::serve(home, CONTEXT));
    let fixtures: Vec<_> = [AlgorithmId::Ed25519, AlgorithmId::P256]
        .into_iter()
        .zip(&daemons)
        .map(|(algorithm, daemon)| {
            Fixture::new("icnd", algorithm, || Signer::Daemon(daemon.identity().signer()))
        })
        .collect();
    round_trip(&fixtures, 2 * 2 * 9);
}
