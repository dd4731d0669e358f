//! Keys that `icnd` has.

use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use icn_identity::client::RemoteIdentity;
use icn_identity::{AlgorithmId, Did};
use support::child::inherits_nothing;
use support::home::{Home, PASSPHRASE};
use support::softhsm::PIN;
use support::swtpm::Swtpm;

use super::{CONTEXT, Fixture, Signer, round_trip};

/// Killed when it is dropped.
struct Daemon {
    home: Home,
    child: Child,
}

impl Daemon {
    /// Of the identity in this home, with the tests as a client that may sign anything.
    fn serve(home: Home) -> Self {
        let uid = rustix::process::getuid().as_raw();
        let client = format!(
            "[[daemon.client]]\nname = \"tests\"\nuid = {uid}\nmay = [\"sign\", \"sign-raw\"]\n\
             contexts = [\"{CONTEXT}\"]\n"
        );
        let config = home.read("icn.toml");
        home.write("icn.toml", &format!("{config}[daemon]\n{client}"));
        let mut command: Command = inherits_nothing(env!("CARGO_BIN_EXE_icnd"));
        let variables = home.command(&[]);
        let variables = variables.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.env_clear().envs(variables);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = child.spawn().unwrap();
        Self { home, child }
    }

    fn identity(&self) -> RemoteIdentity {
        let did = Did::parse(self.home.show()["did"].as_str().unwrap()).unwrap();
        let begun = Instant::now();
        loop {
            match RemoteIdentity::connect(self.home.path("icnd.sock"), did.clone()) {
                Ok(identity) => return identity,
                Err(error) if begun.elapsed() > Duration::from_secs(60) => panic!("{error}"),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

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
    let daemons = [Daemon::serve(of_file), Daemon::serve(of_tpm)];
    let fixtures: Vec<_> = [AlgorithmId::Ed25519, AlgorithmId::P256]
        .into_iter()
        .zip(&daemons)
        .map(|(algorithm, daemon)| {
            Fixture::new("icnd", algorithm, || Signer::Daemon(daemon.identity().signer()))
        })
        .collect();
    round_trip(&fixtures, 2 * 2 * 9);
}
