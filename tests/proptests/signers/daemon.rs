//! Keys that `icnd` has.

use std::process::{Child, Command, Stdio};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use icn_identity::Did;
use icn_identity::client::RemoteIdentity;
use support::child::inherits_nothing;
use support::home::Home;

/// Killed when it is dropped.
pub(crate) struct Daemon {
    home: Home,
    did: Did,
    child: Mutex<Child>,
}

impl Daemon {
    /// Of the identity in this home, with the tests as a client that may sign anything.
    pub(crate) fn serve(home: Home, context: &str) -> Self {
        let uid = rustix::process::getuid().as_raw();
        let client = format!(
            "[[daemon.client]]\nname = \"tests\"\nuid = {uid}\nmay = [\"sign\", \"sign-raw\", \"tls\"]\n\
             contexts = [\"{context}\"]\n"
        );
        let config = home.read("icn.toml");
        home.write("icn.toml", &format!("{config}[daemon]\n{client}"));
        // Asked before it starts: two processes at once may be too many for a TPM.
        let did = Did::parse(home.show()["did"].as_str().unwrap()).unwrap();
        let mut command: Command = inherits_nothing(env!("CARGO_BIN_EXE_icnd"));
        let variables = home.command(&[]);
        let variables = variables.get_envs().filter_map(|(name, value)| Some((name, value?)));
        command.env_clear().envs(variables);
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let child = child.spawn().unwrap();
        Self { home, did, child: Mutex::new(child) }
    }

    pub(crate) fn identity(&self) -> RemoteIdentity {
        let begun = Instant::now();
        loop {
            match RemoteIdentity::connect(self.home.path("icnd.sock"), self.did.clone()) {
                Ok(identity) => return identity,
                Err(error) if begun.elapsed() > Duration::from_secs(60) => panic!("{error}"),
                Err(_) => std::thread::sleep(Duration::from_millis(20)),
            }
        }
    }

    /// As by SIGKILL.
    pub(crate) fn kill(&self) {
        let mut child = self.child.lock().unwrap_or_else(PoisonError::into_inner);
        let _ = child.kill();
        let _ = child.wait();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.kill();
    }
}
