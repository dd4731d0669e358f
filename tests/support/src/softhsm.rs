//! SoftHSM 2 with tokens of one test's own, in a temporary directory.
//!
//! The module reads `SOFTHSM2_CONF` when it is initialised, and stays loaded:
//! so tests that load it run in a process of their own, see [`alone`]. Nothing
//! is skipped: a machine without SoftHSM fails these tests.

use std::env;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::alone;
use crate::home::{Home, Ran, run};

/// One that a YubiHSM would take as well: four hex digits, and a password.
pub const PIN: &str = "0001pin-73519246";
pub const SO_PIN: &str = "so-pin-58213764";

const DIR: &str = "ICN_TEST_SOFTHSM";

/// A directory of tokens.
pub struct SoftHsm {
    dir: PathBuf,
    /// None where another process made it, and will remove it.
    _temp: Option<TempDir>,
}

impl SoftHsm {
    pub fn new() -> Self {
        Self::at(tempfile::tempdir().unwrap())
    }

    /// In a file system in memory, where nothing waits for a disk.
    pub fn in_memory() -> Self {
        Self::at(tempfile::tempdir_in("/dev/shm").unwrap())
    }

    fn at(temp: TempDir) -> Self {
        let hsm = Self { dir: temp.path().to_owned(), _temp: Some(temp) };
        fs::create_dir(hsm.tokens()).unwrap();
        let conf = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            hsm.tokens().display()
        );
        fs::write(hsm.conf(), conf).unwrap();
        hsm
    }

    pub fn with_token(label: &str) -> Self {
        let hsm = Self::new();
        hsm.token(label);
        hsm
    }

    /// With a line more in its configuration. (SoftHSM 2.6.1 overlooks the first
    /// name of a list of mechanisms that are switched off.)
    pub fn configured(self, line: &str) -> Self {
        let text = fs::read_to_string(self.conf()).unwrap();
        fs::write(self.conf(), format!("{text}{line}\n")).unwrap();
        self
    }

    /// What `SOFTHSM2_CONF` must be in processes that use these tokens.
    pub fn conf(&self) -> PathBuf {
        self.path("softhsm2.conf")
    }

    /// A file beside the tokens.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.join(name)
    }

    pub fn tokens(&self) -> PathBuf {
        self.path("tokens")
    }

    /// A new token with [`PIN`]. Make tokens before the module is loaded: it
    /// does not look for new ones.
    pub fn token(&self, label: &str) {
        self.token_with_pin(label, PIN);
    }

    pub fn token_with_pin(&self, label: &str, pin: &str) {
        let init = ["--init-token", "--free", "--label", label];
        self.softhsm2_util(&[&init[..], &["--so-pin", SO_PIN, "--pin", pin]].concat());
    }

    /// A key made by openssl, brought onto a token. Gives the file with it.
    pub fn import(&self, token: &str, label: &str, id: &str) -> PathBuf {
        self.import_made_by(&["ed25519"], token, label, id)
    }

    /// The same, with the algorithm and its options as `openssl genpkey` wants
    /// them.
    pub fn import_made_by(
        &self,
        algorithm: &[&str],
        token: &str,
        label: &str,
        id: &str,
    ) -> PathBuf {
        let file = self.path(&format!("{label}-{id}.pem"));
        let path = file.to_str().unwrap();
        let make = [&["genpkey", "-out", path, "-algorithm"], algorithm].concat();
        self.succeeds("openssl", &make);
        let what = ["--import", path, "--token", token, "--label", label, "--id", id];
        self.softhsm2_util(&[&what[..], &["--pin", PIN]].concat());
        file
    }

    pub fn softhsm2_util(&self, arguments: &[&str]) -> String {
        self.succeeds("softhsm2-util", arguments)
    }

    pub fn run(&self, program: &str, arguments: &[&str]) -> Ran {
        run(Command::new(program).args(arguments).env("SOFTHSM2_CONF", self.conf()), b"")
    }

    fn succeeds(&self, program: &str, arguments: &[&str]) -> String {
        let ran = self.run(program, arguments);
        assert_eq!(ran.code, 0, "{program} {arguments:?}: {}\n{}", ran.out, ran.err);
        ran.out
    }

    /// `pkcs11-tool` on the module, logged in to the only token.
    pub fn pkcs11_tool(&self, arguments: &[&str]) -> Ran {
        let login = ["--module", module(), "--login", "--pin", PIN];
        self.run("pkcs11-tool", &[&login[..], arguments].concat())
    }

    /// The same on one of several, and it has to succeed.
    pub fn pkcs11_tool_on(&self, token: &str, arguments: &[&str]) -> String {
        let login = ["--module", module(), "--token-label", token, "--login", "--pin", PIN];
        self.succeeds("pkcs11-tool", &[&login[..], arguments].concat())
    }

    /// An Ed25519 key that is born there, and wants the PIN for each signature (`always`) or
    /// once.
    pub fn born(&self, token: &str, label: &str, id: &str, always: bool) {
        let make = ["--keypairgen", "--key-type", "EC:edwards25519", "--id", id, "--label", label];
        let always: &[&str] = if always { &["--always-auth"] } else { &[] };
        self.pkcs11_tool_on(token, &[&make[..], always].concat());
    }

    /// What is on a token, private objects too.
    pub fn objects(&self, token: &str) -> String {
        self.pkcs11_tool_on(token, &["--list-objects"])
    }

    /// Takes the tokens away, as if unplugged; `plug_in` brings them back.
    pub fn unplug(&self) {
        fs::rename(self.tokens(), self.path("away")).unwrap();
        fs::create_dir(self.tokens()).unwrap();
    }

    pub fn plug_in(&self) {
        fs::remove_dir(self.tokens()).unwrap();
        fs::rename(self.path("away"), self.tokens()).unwrap();
    }

    /// The fault-injecting module in front of this SoftHSM. A copy: build
    /// directories may be writable by a group.
    pub fn fault_module(&self) -> String {
        let built = env::current_exe().unwrap().with_file_name("libpkcs11_fault.so");
        assert!(built.exists(), "{} was not built", built.display());
        let copy = self.path("fault.so");
        if !copy.exists() {
            fs::copy(&built, &copy).unwrap();
            fs::set_permissions(&copy, fs::Permissions::from_mode(0o644)).unwrap();
        }
        copy.to_str().unwrap().into()
    }

    /// What that module does from now on (see its `script`).
    pub fn script(&self, text: &str) {
        let new = self.path("script.new");
        fs::write(&new, text).unwrap();
        fs::rename(new, self.path("script")).unwrap();
    }

    fn all_calls(&self) -> String {
        fs::read_to_string(self.path("calls")).unwrap_or_default()
    }

    /// The calls that module got while `work` was done: function, answer, and for
    /// logins whose.
    pub fn calls<T>(&self, work: impl FnOnce() -> T) -> (T, Vec<String>) {
        let before = self.all_calls().len();
        let result = work();
        (result, self.all_calls()[before..].lines().map(str::to_owned).collect())
    }

    /// How often a function of that module was called so far.
    pub fn count(&self, function: &str) -> usize {
        let calls: Vec<_> = self.all_calls().lines().map(str::to_owned).collect();
        count(&calls, function)
    }

    /// What processes need to use these tokens, by either module.
    pub(crate) fn variables(&self) -> [(&'static str, String); 4] {
        let text = |path: PathBuf| path.to_str().unwrap().to_owned();
        [
            ("SOFTHSM2_CONF", text(self.conf())),
            ("PKCS11_FAULT_MODULE", module().to_owned()),
            ("PKCS11_FAULT_DIR", text(self.path(""))),
            ("PKCS11_FAULT_PIN", PIN.to_owned()),
        ]
    }

    pub fn home(&self) -> Home {
        let home = Home::new().with("ICN_PIN", PIN);
        self.variables().iter().fold(home, |home, (name, value)| home.with(name, value))
    }

    /// A home with an identity in the token, behind the fault-injecting module.
    pub fn faulty_identity(&self, token: &str) -> Home {
        let home = self.home();
        let module = self.fault_module();
        let args = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", token];
        home.ok(&args, b"");
        home
    }

    /// A home with an identity in the token.
    pub fn identity(&self, token: &str) -> Home {
        let home = self.home();
        home.ok(&self.init(token), b"");
        home
    }

    pub fn init<'a>(&self, token: &'a str) -> Vec<&'a str> {
        vec!["id", "init", "--backend", "pkcs11", "--module", module(), "--token", token]
    }
}

/// How often a function was called.
pub fn count(calls: &[String], function: &str) -> usize {
    calls.iter().filter(|call| call.split(' ').next() == Some(function)).count()
}

/// Where SoftHSM's module is.
pub fn module() -> &'static str {
    static MODULE: OnceLock<String> = OnceLock::new();
    MODULE.get_or_init(|| {
        let places = [
            "/usr/lib/softhsm/libsofthsm2.so",
            "/usr/lib64/pkcs11/libsofthsm2.so",
            "/usr/local/lib/softhsm/libsofthsm2.so",
        ];
        let there = || places.iter().find(|place| Path::new(place).exists()).unwrap_or(&places[0]);
        let path = env::var("SOFTHSM2_MODULE").unwrap_or_else(|_| (*there()).to_owned());
        assert!(
            Path::new(&path).exists(),
            "{path} is missing: install SoftHSM 2 (Debian: softhsm2), or set SOFTHSM2_MODULE"
        );
        path
    })
}

/// Runs the body of a test in a process of its own, with tokens of its own.
pub fn alone<F: FnOnce(&SoftHsm)>(body: F) {
    alone_with(&[], body);
}

/// The same, with more variables in the environment.
pub fn alone_with<F: FnOnce(&SoftHsm)>(variables: &[(&str, &str)], body: F) {
    run_alone::<F>(variables, |hsm| body(&hsm));
}

/// The same, where the body of the test is wrapped by another: `T` is its own closure, by
/// which the test is known.
pub fn alone_as<T>(body: impl FnOnce(SoftHsm)) {
    run_alone::<T>(&[], body);
}

fn run_alone<T>(variables: &[(&str, &str)], body: impl FnOnce(SoftHsm)) {
    if let Some(dir) = env::var_os(DIR) {
        return body(SoftHsm { dir: dir.into(), _temp: None });
    }
    let hsm = SoftHsm::new();
    alone::again(&alone::name::<T>(), |command| {
        command
            .env(DIR, &hsm.dir)
            .env("PKCS11SPY_OUTPUT", hsm.path("spy.log"))
            .envs(hsm.variables())
            .envs(variables.iter().copied());
    });
}
