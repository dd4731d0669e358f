//! A SoftHSM2 of one test's own: its configuration and its tokens are in a
//! temporary directory. Missing software is a failure, never a skip.

use std::path::PathBuf;
use std::process::Command;

use tempfile::TempDir;

use crate::home::{Home, Ran, run};

pub(crate) const PIN: &str = "73915842";
pub(crate) const SO_PIN: &str = "so-86420";

pub(crate) fn module() -> String {
    let path = std::env::var("SOFTHSM2_MODULE")
        .unwrap_or_else(|_| "/usr/lib/softhsm/libsofthsm2.so".into());
    assert!(
        std::path::Path::new(&path).exists(),
        "SoftHSM2 is missing ({path}): install it with `apt-get install softhsm2 opensc`"
    );
    path
}

pub(crate) struct SoftHsm {
    dir: TempDir,
}

impl SoftHsm {
    pub(crate) fn new() -> Self {
        let this = Self { dir: tempfile::tempdir().unwrap() };
        std::fs::create_dir(this.tokens()).unwrap();
        let text = format!(
            "directories.tokendir = {}\nobjectstore.backend = file\nlog.level = ERROR\n",
            this.tokens().display()
        );
        std::fs::write(this.conf(), text).unwrap();
        this
    }

    pub(crate) fn with_token(label: &str) -> Self {
        let this = Self::new();
        this.add_token(label);
        this
    }

    /// With a line more in its configuration. (SoftHSM 2.6.1 overlooks the first
    /// name of a list of mechanisms that are switched off.)
    pub(crate) fn configured(self, line: &str) -> Self {
        let text = std::fs::read_to_string(self.conf()).unwrap();
        std::fs::write(self.conf(), format!("{text}{line}\n")).unwrap();
        self
    }

    pub(crate) fn add_token(&self, label: &str) {
        let ran = self.run(
            "softhsm2-util",
            &["--init-token", "--free", "--label", label, "--so-pin", SO_PIN, "--pin", PIN],
        );
        assert_eq!(ran.code, 0, "{} {}", ran.out, ran.err);
    }

    pub(crate) fn tokens(&self) -> PathBuf {
        self.dir.path().join("tokens")
    }

    fn conf(&self) -> PathBuf {
        self.dir.path().join("softhsm2.conf")
    }

    pub(crate) fn run(&self, program: &str, args: &[&str]) -> Ran {
        run(Command::new(program).args(args).env("SOFTHSM2_CONF", self.conf()), b"")
    }

    /// `pkcs11-tool` on the module, logged in.
    pub(crate) fn pkcs11_tool(&self, args: &[&str]) -> Ran {
        let module = module();
        let base = ["--module", &module, "--login", "--pin", PIN];
        self.run("pkcs11-tool", &[&base[..], args].concat())
    }

    /// Takes the tokens away, as if unplugged; `plug_in` brings them back.
    pub(crate) fn unplug(&self) {
        std::fs::rename(self.tokens(), self.dir.path().join("away")).unwrap();
        std::fs::create_dir(self.tokens()).unwrap();
    }

    pub(crate) fn plug_in(&self) {
        std::fs::remove_dir(self.tokens()).unwrap();
        std::fs::rename(self.dir.path().join("away"), self.tokens()).unwrap();
    }

    pub(crate) fn home(&self) -> Home {
        Home::new()
            .with("SOFTHSM2_CONF", self.conf().to_str().unwrap())
            .with("ICN_PIN", PIN)
            .with("PKCS11_FAULT_MODULE", &module())
            .with("PKCS11_FAULT_DIR", self.dir.path().to_str().unwrap())
            .with("PKCS11_FAULT_PIN", PIN)
    }

    /// The fault-injecting module in front of this SoftHSM. A copy: build
    /// directories may be writable by a group.
    pub(crate) fn fault_module(&self) -> String {
        use std::os::unix::fs::PermissionsExt as _;
        let built = std::env::current_exe().unwrap().with_file_name("libpkcs11_fault.so");
        assert!(built.exists(), "{} was not built", built.display());
        let copy = self.dir.path().join("fault.so");
        if !copy.exists() {
            std::fs::copy(&built, &copy).unwrap();
            let mode = std::fs::Permissions::from_mode(0o644);
            std::fs::set_permissions(&copy, mode).unwrap();
        }
        copy.to_str().unwrap().into()
    }

    /// What that module does from now on.
    pub(crate) fn script(&self, text: &str) {
        let new = self.dir.path().join("script.new");
        std::fs::write(&new, text).unwrap();
        std::fs::rename(new, self.dir.path().join("script")).unwrap();
    }

    /// How often a function of that module was called so far.
    pub(crate) fn count(&self, function: &str) -> usize {
        let calls = std::fs::read_to_string(self.dir.path().join("calls")).unwrap_or_default();
        calls.lines().filter(|call| call.split(' ').next() == Some(function)).count()
    }

    /// A home with an identity in the token, behind the fault-injecting module.
    pub(crate) fn faulty_identity(&self, token: &str) -> Home {
        let home = self.home();
        let module = self.fault_module();
        let args = ["id", "init", "--backend", "pkcs11", "--module", &module, "--token", token];
        home.ok(&args, b"");
        home
    }

    /// A home with an identity in the token.
    pub(crate) fn identity(&self, token: &str) -> Home {
        let home = self.home();
        home.ok(&self.init(token), b"");
        home
    }

    pub(crate) fn init<'a>(&self, token: &'a str) -> Vec<&'a str> {
        let module: &'static str = Box::leak(module().into_boxed_str());
        vec!["id", "init", "--backend", "pkcs11", "--module", module, "--token", token]
    }
}
