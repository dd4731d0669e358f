//! p11-kit's server with one token, and its client's library. Missing software is a
//! failure, never a skip.

use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::child::inherits_nothing;
use crate::home::Home;
use crate::swtpm::PATIENCE;

/// Killed when it is dropped.
pub struct P11KitServer {
    directory: TempDir,
    child: Child,
}

impl P11KitServer {
    /// Serves a token of a module, which reads these variables.
    pub fn start<'a>(
        module: &str,
        token: &str,
        variables: impl IntoIterator<Item = (&'a str, String)>,
    ) -> Self {
        let directory = tempfile::tempdir().unwrap();
        let mut server = inherits_nothing("p11-kit");
        server
            .args(["server", "--foreground", "--name"])
            .arg(directory.path().join("socket"))
            .args(["--provider", module, &format!("pkcs11:token={token}")])
            .envs(variables)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            // What a module behind it says of its device.
            .stderr(Stdio::null());
        let child = server.spawn().expect("p11-kit is missing: apt-get install p11-kit");
        let this = Self { directory, child };
        let start = Instant::now();
        while !this.socket().exists() {
            assert!(start.elapsed() < PATIENCE, "p11-kit server does not begin");
            sleep(Duration::from_millis(10));
        }
        this
    }

    fn socket(&self) -> PathBuf {
        self.directory.path().join("socket")
    }

    /// A home whose client finds this server, and nothing else of the token.
    pub fn home(&self) -> Home {
        let address = format!("unix:path={}", self.socket().display());
        Home::new().with("P11_KIT_SERVER_ADDRESS", &address)
    }
}

impl Drop for P11KitServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Where the client's library is.
pub fn client() -> String {
    let directories = std::fs::read_dir("/usr/lib").unwrap();
    let place = |directory: PathBuf| directory.join("pkcs11/p11-kit-client.so");
    let found = directories.filter_map(Result::ok).map(|entry| place(entry.path()));
    let found = found.chain([place("/usr/lib64".into())]).find(|path: &PathBuf| path.exists());
    let found = found
        .unwrap_or_else(|| panic!("p11-kit-client.so is missing: apt-get install p11-kit-modules"));
    Path::to_str(&found).unwrap().to_owned()
}
