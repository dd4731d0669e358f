//! SoftHSM 2 with tokens of one test's own.
//!
//! The module reads `SOFTHSM2_CONF` when it is initialised, and stays loaded:
//! so tests that load it run in a process of their own, see [`alone`]. Nothing
//! is skipped: a machine without SoftHSM fails these tests.

use std::any::type_name;
use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use tempfile::TempDir;

pub(crate) const PIN: &str = "pin-73519246";
pub(crate) const SO_PIN: &str = "so-pin-58213764";

const DIR: &str = "ICN_TEST_SOFTHSM";

/// A directory of tokens.
pub(crate) struct SoftHsm {
    dir: PathBuf,
    _temp: Option<TempDir>,
}

impl SoftHsm {
    pub(crate) fn new() -> Self {
        let temp = tempfile::tempdir().unwrap();
        let hsm = Self { dir: temp.path().to_owned(), _temp: Some(temp) };
        fs::create_dir(hsm.path("tokens")).unwrap();
        let conf = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            hsm.path("tokens").display()
        );
        fs::write(hsm.conf(), conf).unwrap();
        hsm
    }

    /// What `SOFTHSM2_CONF` must be in processes that use these tokens.
    pub(crate) fn conf(&self) -> PathBuf {
        self.path("softhsm2.conf")
    }

    /// A file beside the tokens.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    /// A new token with [`PIN`]. Make tokens before the module is loaded: it
    /// does not look for new ones.
    pub(crate) fn token(&self, label: &str) {
        let util = ["--init-token", "--free", "--label", label];
        self.softhsm2_util(&[&util[..], &["--so-pin", SO_PIN, "--pin", PIN]].concat());
    }

    /// A key made by openssl, brought onto a token. Gives the file with it.
    pub(crate) fn import(&self, token: &str, label: &str, id: &str) -> PathBuf {
        self.import_made_by(&["ed25519"], token, label, id)
    }

    /// The same, with the algorithm and its options as `openssl genpkey` wants
    /// them.
    pub(crate) fn import_made_by(
        &self,
        algorithm: &[&str],
        token: &str,
        label: &str,
        id: &str,
    ) -> PathBuf {
        let file = self.path(&format!("{label}-{id}.pem"));
        let path = file.to_str().unwrap();
        let make = [&["genpkey", "-out", path, "-algorithm"], algorithm].concat();
        run("openssl", &self.conf(), &make);
        let what = ["--import", path, "--token", token, "--label", label, "--id", id];
        self.softhsm2_util(&[&what[..], &["--pin", PIN]].concat());
        file
    }

    pub(crate) fn softhsm2_util(&self, arguments: &[&str]) -> String {
        run("softhsm2-util", &self.conf(), arguments)
    }

    /// `pkcs11-tool`, logged in to a token.
    pub(crate) fn pkcs11_tool(&self, token: &str, arguments: &[&str]) -> String {
        let module = module();
        let to = ["--module", module.to_str().unwrap(), "--token-label", token];
        let login = ["--login", "--pin", PIN];
        run("pkcs11-tool", &self.conf(), &[&to[..], &login, arguments].concat())
    }

    /// What the fault-injecting module does from now on (see its `script`).
    pub(crate) fn script(&self, text: &str) {
        let new = self.path("script.new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path("script")).unwrap();
    }

    /// The calls that the fault-injecting module got while `work` was done:
    /// function, answer, and for logins whose.
    pub(crate) fn calls<T>(&self, work: impl FnOnce() -> T) -> (T, Vec<String>) {
        let read = || fs::read_to_string(self.path("calls")).unwrap_or_default();
        let before = read().len();
        let result = work();
        (result, read()[before..].lines().map(str::to_owned).collect())
    }

    /// What is on a token, private objects too.
    pub(crate) fn objects(&self, token: &str) -> String {
        self.pkcs11_tool(token, &["--list-objects"])
    }
}

/// The fault-injecting module in front of SoftHSM. A copy: build directories
/// may be writable by a group.
pub(crate) fn fault_module(hsm: &SoftHsm) -> PathBuf {
    let built = env::current_exe().unwrap().with_file_name("libpkcs11_fault.so");
    assert!(built.exists(), "{} was not built", built.display());
    let copy = hsm.path("fault.so");
    if !copy.exists() {
        fs::copy(&built, &copy).unwrap();
        fs::set_permissions(&copy, PermissionsExt::from_mode(0o644)).unwrap();
    }
    copy
}

/// How often a function was called.
pub(crate) fn count(calls: &[String], function: &str) -> usize {
    calls.iter().filter(|call| call.split(' ').next() == Some(function)).count()
}

/// Where SoftHSM's module is.
pub(crate) fn module() -> PathBuf {
    let path = env::var_os("SOFTHSM2_MODULE").map_or_else(
        || {
            let places = [
                "/usr/lib/softhsm/libsofthsm2.so",
                "/usr/lib64/pkcs11/libsofthsm2.so",
                "/usr/local/lib/softhsm/libsofthsm2.so",
            ];
            places.iter().find(|place| Path::new(place).exists()).unwrap_or(&places[0]).into()
        },
        PathBuf::from,
    );
    assert!(
        path.exists(),
        "{} is missing: install SoftHSM 2 (Debian: softhsm2), or set SOFTHSM2_MODULE",
        path.display()
    );
    path
}

fn run(program: &str, conf: &Path, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).env("SOFTHSM2_CONF", conf).output();
    let output = output.unwrap_or_else(|error| {
        panic!("{program} cannot be run ({error}): install it (Debian: softhsm2, opensc, openssl)")
    });
    assert!(output.status.success(), "{program} {arguments:?}: {}", text(&output));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn text(output: &Output) -> String {
    let lossy = String::from_utf8_lossy;
    format!("{}\n{}", lossy(&output.stdout), lossy(&output.stderr))
}

/// Runs the body of a test in a process of its own, with tokens of its own.
pub(crate) fn alone<F: FnOnce(&SoftHsm)>(body: F) {
    alone_with(&[], body);
}

/// The same, with more variables in the environment.
pub(crate) fn alone_with<F: FnOnce(&SoftHsm)>(variables: &[(&str, &str)], body: F) {
    if let Some(dir) = env::var_os(DIR) {
        return body(&SoftHsm { dir: dir.into(), _temp: None });
    }
    // `crate::module::test::{{closure}}`
    let name = type_name::<F>().trim_end_matches("::{{closure}}");
    let (_, name) = name.split_once("::").unwrap();
    let hsm = SoftHsm::new();
    let output = Command::new(env::current_exe().unwrap())
        .args([name, "--exact", "--nocapture", "--test-threads=1"])
        .env(DIR, &hsm.dir)
        .env("SOFTHSM2_CONF", hsm.conf())
        .env("PKCS11_FAULT_MODULE", module())
        .env("PKCS11_FAULT_DIR", &hsm.dir)
        .env("PKCS11_FAULT_PIN", PIN)
        .env("PKCS11SPY_OUTPUT", hsm.path("spy.log"))
        .envs(variables.iter().copied())
        .output()
        .unwrap();
    let text = text(&output);
    assert!(output.status.success(), "{text}");
    assert!(text.contains("1 passed"), "{name} did not run: {text}");
}
