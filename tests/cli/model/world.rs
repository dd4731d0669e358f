//! The commands, and what is seen of them.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Mutex;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use icn_identity::{Did, Signature};
use serde_json::Value;
use support::home::{Home, Ran, run, write_private};
use support::softhsm::{PIN, SoftHsm};
use support::swtpm::Swtpm;

use super::expected::{BackedUp, Identity, Kind, Mode, Model};
use super::{Crash, Op, Step};

/// With scrypt work that tests can afford.
pub(super) const CONFIG: &str =
    "[identity.age]\nwork_factor = 10\n[identity.tpm]\npin_work_factor = 10\n";

/// May be there, whatever was done.
const BESIDE: [&str; 5] =
    [".lock", ".migration.lock", ".refused.lock", "refused.json", "given-up.json"];

pub(super) type Checked<T = ()> = Result<T, String>;

pub(super) struct World {
    pub(super) hsm: SoftHsm,
    pub(super) module: String,
    /// Started when it is first wanted.
    pub(super) tpm: Option<Swtpm>,
    pub(super) base: Home,
    /// The directory of the identity in use.
    pub(super) home: PathBuf,
    pub(super) model: Model,
    pub(super) homes: usize,
    pub(super) files: usize,
    log: String,
    /// What a killed process has left is there until the next one that writes.
    pub(super) unswept: bool,
    /// Of the PIN of the key in a TPM, before the last command that was killed.
    pub(super) salt_before: String,
    /// A PIN of a TPM that is none any more was sent.
    has_tried_older: bool,
}

impl World {
    pub(super) fn new() -> Self {
        let hsm = SoftHsm::with_token("label-0");
        let module = hsm.fault_module();
        let base = hsm.home();
        let home = base.path("");
        base.write("icn.toml", CONFIG);
        write_private(&base.beside("token-pin"), PIN);
        let made = run(Command::new("age-keygen").arg("-o").arg(base.beside("recovery.key")), b"");
        assert_eq!(made.code, 0, "{}", made.err);
        let (model, log) = (Model::default(), String::new());
        Self {
            hsm,
            module,
            tpm: None,
            base,
            home,
            model,
            homes: 0,
            files: 0,
            log,
            unswept: false,
            salt_before: String::new(),
            has_tried_older: false,
        }
    }

    pub(super) fn commands(&self) -> &str {
        &self.log
    }

    pub(super) fn note(&mut self, what: &str) {
        let _ = writeln!(self.log, "  {what}");
    }

    pub(super) fn beside(&self, name: &str) -> String {
        self.base.beside(name).to_str().unwrap().to_owned()
    }

    /// The file of a secret; it is written when it is first named.
    pub(super) fn secret(&self, kind: Kind, number: usize) -> String {
        match kind {
            Kind::Token => self.beside("token-pin"),
            Kind::Age | Kind::Tpm => {
                let file = self.beside(&format!("secret-{number}"));
                write_private(Path::new(&file), &format!("secret number {number}, long enough"));
                file
            }
        }
    }

    /// The options by which an identity opens.
    pub(super) fn opens(&self, identity: &Identity) -> Vec<String> {
        let option = if identity.kind == Kind::Age { "--passphrase-file" } else { "--pin-file" };
        vec![option.into(), self.secret(identity.kind, identity.secret)]
    }

    pub(super) fn prepared(&mut self, home: &Path, words: &[String]) -> Command {
        let home = home.to_str().unwrap().trim_end_matches('/').to_owned();
        let words: Vec<&str> =
            ["--home", &home].into_iter().chain(words.iter().map(String::as_str)).collect();
        self.note(&format!("icnctl {}", words.join(" ")));
        self.base.command(&words)
    }

    pub(super) fn icnctl_in(&mut self, home: &Path, words: &[String], stdin: &[u8]) -> Ran {
        let mut command = self.prepared(home, words);
        let ran = run(&mut command, stdin);
        if ran.code != 0 {
            self.note(&format!("= {}: {}", ran.code, ran.err.lines().next().unwrap_or_default()));
        }
        ran
    }

    pub(super) fn icnctl(&mut self, words: &[String]) -> Ran {
        self.icnctl_in(&self.home.clone(), words, b"")
    }

    /// It has to do it; where a process was killed with a PIN on its way, that is said.
    pub(super) fn does(&mut self, words: &[String]) -> Checked<String> {
        let mut ran = self.icnctl(words);
        if ran.code == 77 && ran.err.contains("--retry-pin") && self.unswept {
            ran = self.icnctl(&[vec!["--retry-pin".to_owned()], words.to_vec()].concat());
        }
        match ran.code {
            0 => Ok(ran.out),
            code => Err(format!("{words:?} ended with {code}: {}", ran.err)),
        }
    }

    pub(super) fn now(&self) -> Identity {
        self.model.now.clone().unwrap()
    }

    pub(super) fn run(&mut self, step: Step) -> Checked {
        let Step { op, crash } = step;
        self.note(&format!("# {op:?} {}", crash.map(|it| format!("{it:?}")).unwrap_or_default()));
        match op {
            Op::RestoreAll => self.restore_all()?,
            Op::Lose => self.lose()?,
            _ => match self.words_of(op)? {
                Some(words) if self.is_refused(op) => {
                    tally(op, "refused");
                    self.refuses(&words)?;
                }
                Some(words) => self.step(op, &words, crash)?,
                None => return Ok(()),
            },
        }
        self.check()?;
        match op {
            Op::Init(_) | Op::Migrate(..) | Op::RollBack | Op::Finish => self.check_token(),
            _ => Ok(()),
        }
    }

    /// No key is on the token but those of the model, and all of these.
    fn check_token(&self) -> Checked {
        let list = self.hsm.pkcs11_tool_on("label-0", &["--list-objects", "--type", "privkey"]);
        let (found, expected) = (list.matches("ID:").count(), self.model.on_token.len());
        match found == expected {
            true => Ok(()),
            false => Err(format!("{found} keys on the token, and not {expected}")),
        }
    }

    fn step(&mut self, op: Op, words: &[String], crash: Option<Crash>) -> Checked {
        let before = self.now_or_none();
        match crash {
            Some(crash) => self.crashes(op, words, crash)?,
            None => {
                self.does(words)?;
                tally(op, "done");
                self.unswept = false;
                self.done(op, words)?;
            }
        }
        // Where something was changed, it does not open as it did.
        if let (Op::ChangeCredential, Some(before), Some(now)) = (op, before, self.now_or_none())
            && now.secret != before.secret
            // A TPM counts them.
            && (now.kind == Kind::Age || !std::mem::replace(&mut self.has_tried_older, true))
        {
            let older = [self.opens(&before), vec!["sign".into()]].concat();
            let ran = self.icnctl(&older);
            if ran.code != 77 {
                return Err(format!("by an older credential: {} {}", ran.code, ran.err));
            }
        }
        Ok(())
    }

    pub(super) fn now_or_none(&self) -> Option<Identity> {
        self.model.now.clone()
    }

    /// What the model says that is not done now.
    fn is_refused(&self, op: Op) -> bool {
        let Some(now) = &self.model.now else { return false };
        let is_moving = self.model.old.is_some();
        match op {
            Op::Init(_) => true,
            Op::ChangeCredential => is_moving && now.kind == Kind::Age,
            Op::Rotate => is_moving || now.handed_over,
            Op::RollBack | Op::Finish => !is_moving,
            Op::Migrate(to, mode) => match &self.model.old {
                // Asked once more, it is done.
                Some((_, was)) => now.kind != to || *was != mode,
                None => {
                    (mode == Mode::Rotate && now.handed_over)
                        || (mode == Mode::Import && now.kind != Kind::Age)
                }
            },
            Op::Renew { .. } | Op::Rename | Op::Reseal | Op::Backup | Op::RestoreAll | Op::Lose => {
                false
            }
        }
    }

    /// Nothing is changed by what is refused.
    fn refuses(&mut self, words: &[String]) -> Checked {
        let before = contents(&self.home);
        let ran = self.icnctl(words);
        if ran.code == 0 {
            return Err(format!("{words:?} was done, and had to be refused: {}", ran.out));
        }
        match contents(&self.home) == before {
            true => Ok(()),
            false => Err(format!("{words:?} was refused, and has changed something: {}", ran.err)),
        }
    }

    /// What the model is after an operation that was done.
    pub(super) fn done(&mut self, op: Op, words: &[String]) -> Checked {
        let (label, key, secret) = (self.model.label, self.model.keys, self.model.secrets);
        let made = |did, kind| Identity { did, kind, secret, label, key, handed_over: false };
        match op {
            Op::Init(kind) => {
                self.model.now = Some(made(self.did()?, kind));
                self.model.made(kind);
            }
            Op::ChangeCredential => self.model.now.as_mut().unwrap().secret = secret,
            Op::Rename => self.model.now.as_mut().unwrap().label = label,
            Op::Migrate(..) if self.model.old.is_some() => {}
            Op::Migrate(kind, mode) => {
                let mut old = self.now();
                let new = made(self.did()?, kind);
                if (new.did == old.did) != (mode == Mode::Import) {
                    return Err(format!("{mode:?} from {} to {}", old.did, new.did));
                }
                old.handed_over |= mode == Mode::Rotate;
                // It goes along with the DID.
                let handed_over = mode == Mode::Import && old.handed_over;
                self.model.now = Some(Identity { handed_over, ..new });
                self.model.made(kind);
                self.model.old = Some((old, mode));
            }
            Op::RollBack => {
                let given_up = self.now();
                let (old, _) = self.model.old.take().unwrap();
                self.model.destroyed(&given_up);
                self.model.now = Some(old);
                self.relocate_if_renamed()?;
            }
            Op::Finish => {
                let (old, _) = self.model.old.take().unwrap();
                self.model.destroyed(&old);
            }
            Op::Rotate => {
                let at = words.iter().position(|word| word == "--successor").unwrap();
                self.home = PathBuf::from(&words[at + 1]);
                self.model.now = Some(made(self.did()?, Kind::Age));
            }
            Op::Backup => {
                let at = words.iter().position(|word| word == "-o").unwrap();
                let (file, of) = (PathBuf::from(&words[at + 1]), self.now());
                self.model.backups.push(BackedUp { file, of });
            }
            Op::Renew { .. } | Op::Reseal | Op::RestoreAll | Op::Lose => {}
        }
        Ok(())
    }

    /// What comes back may have been written down before its token was renamed.
    pub(super) fn relocate_if_renamed(&mut self) -> Checked {
        let now = self.now();
        if now.kind == Kind::Token && now.label != self.model.label {
            let words = [self.opens(&now), vec!["id".into(), "relocate".into()]].concat();
            self.does(&words)?;
            self.model.now.as_mut().unwrap().label = self.model.label;
        }
        Ok(())
    }

    pub(super) fn show(&mut self) -> Checked<Value> {
        let shown = self.does(&["--format", "json", "id", "show"].map(str::to_owned))?;
        serde_json::from_str(&shown).map_err(|error| format!("{error}: {shown}"))
    }

    pub(super) fn did(&mut self) -> Checked<String> {
        Ok(self.show()?["did"].as_str().unwrap_or_default().to_owned())
    }

    /// Whether the identity in a directory opens by these options, and signs as its DID.
    pub(super) fn signs(&mut self, home: &Path, identity: &Identity, more: &[String]) -> Checked {
        let words = [self.opens(identity), more.to_vec(), vec!["sign".to_owned()]].concat();
        let mut ran = self.icnctl_in(home, &words, b"hello");
        if ran.code == 77 && ran.err.contains("--retry-pin") && self.unswept {
            ran = self.icnctl_in(home, &[vec!["--retry-pin".into()], words].concat(), b"hello");
        }
        if ran.code != 0 {
            return Err(format!("{} does not sign: {} {}", identity.did, ran.code, ran.err));
        }
        let did = Did::parse(&identity.did).unwrap();
        let bytes = BASE64_STANDARD.decode(ran.out.trim()).map_err(|error| error.to_string())?;
        let key = did.verifying_key();
        let signature = Signature::try_from((key.algorithm(), bytes.as_slice()));
        let verified = signature.map(|signature| key.verify(b"hello", &signature));
        match verified {
            Ok(Ok(())) => Ok(()),
            problem => Err(format!("{} has not signed: {problem:?}", identity.did)),
        }
    }

    /// All that the model says of the home.
    fn check(&mut self) -> Checked {
        let Some(now) = self.now_or_none() else { return Ok(()) };
        let shown = self.show()?;
        if shown["did"] != now.did.as_str() || shown["backend"] != now.kind.name() {
            return Err(format!("{now:?}, and there is {} in {}", shown["did"], shown["backend"]));
        }
        let home = self.home.clone();
        self.signs(&home, &now, &[])?;
        if let Some((old, _)) = self.model.old.clone()
            && (old.kind != Kind::Token || old.label == self.model.label)
        {
            self.signs(&home.join("previous"), &old, &[])?;
        }
        let mut found: Vec<_> = fs::read_dir(&home)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .filter(|name| !BESIDE.contains(&name.as_str()) && !name.starts_with(".scrypt."))
            // What undoes the move, until its end.
            .filter(|name| name != "migration" || self.model.old.is_none())
            .filter(|name| !self.unswept || !name.starts_with('.'))
            .collect();
        found.sort();
        let mut expected = self.model.files();
        expected.sort_unstable();
        match found == expected {
            true => Ok(()),
            false => Err(format!("the files {found:?}, and not {expected:?}")),
        }
    }
}

/// What was run, of all sequences: `--nocapture` shows it.
static TALLY: Mutex<BTreeMap<String, usize>> = Mutex::new(BTreeMap::new());

pub(super) fn tally(op: Op, what: &str) {
    let name = format!("{op:?}");
    let name = name.split([' ', '(']).next().unwrap_or_default();
    *TALLY.lock().unwrap().entry(format!("{name} {what}")).or_default() += 1;
}

pub(super) fn told() -> String {
    format!("{:?}", TALLY.lock().unwrap())
}

/// All files, but for locks and what was noted of wrong PINs.
pub(super) fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(directory).into_iter().flatten().flatten() {
        let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
        if path.is_dir() {
            found.append(&mut contents(&path));
        } else if !name.starts_with('.') && name != "refused.json" {
            found.insert(path.clone(), fs::read(&path).unwrap_or_default());
        }
    }
    found
}
