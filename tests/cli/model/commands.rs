//! The command for an operation, by what the model says.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use support::home::write_private;
use support::swtpm::Swtpm;

use super::Op;
use super::expected::{Identity, Kind, Mode};
use super::world::{CONFIG, Checked, World};

impl World {
    /// The command, and what has to be there for it. `None` where there is nothing to do.
    pub(super) fn words_of(&mut self, op: Op) -> Checked<Option<Vec<String>>> {
        let words =
            |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>();
        if let Op::Init(kind) = op {
            let number = self.model.next_secret();
            let secret = self.secret(kind, number);
            let option = if kind == Kind::Age { "--passphrase-file" } else { "--pin-file" };
            let to = self.to(kind);
            let label = self.key_label(kind);
            let backend = words(&[option, &secret, "id", "init", "--backend", kind.name()]);
            return Ok(Some([backend, to, label].concat()));
        }
        let Some(now) = self.now_or_none() else { return Ok(None) };
        let opens = self.opens(&now);
        let with = |more: &[&str]| Some([opens.clone(), words(more)].concat());
        Ok(match op {
            Op::ChangeCredential if now.kind == Kind::Token => None,
            Op::ChangeCredential => {
                let number = self.model.next_secret();
                let new = self.secret(now.kind, number);
                match now.kind {
                    Kind::Age => with(&["id", "change-passphrase", "--new-passphrase-file", &new]),
                    _ => with(&["id", "reseal", "--new-pin-file", &new]),
                }
            }
            Op::Renew { all: true } => with(&["id", "renew", "--all-instances"]),
            Op::Renew { all: false } => with(&["id", "renew"]),
            Op::Reseal if now.kind == Kind::Tpm => with(&["id", "reseal"]),
            Op::Rename => {
                self.rename();
                (now.kind == Kind::Token).then(|| with(&["id", "relocate"])).flatten()
            }
            Op::Migrate(to, mode) => self.migration(&now, to, mode),
            Op::RollBack | Op::Finish => Some(self.end(op, &now)),
            Op::Rotate => {
                self.homes += 1;
                let number = self.model.next_secret();
                let secret = self.secret(Kind::Age, number);
                let next = self.beside(&format!("home-{}", self.homes));
                fs::create_dir(&next).unwrap();
                fs::set_permissions(&next, fs::Permissions::from_mode(0o700)).unwrap();
                write_private(&Path::new(&next).join("icn.toml"), CONFIG);
                let init = words(&["--passphrase-file", &secret, "id", "init"]);
                let made = self.icnctl_in(Path::new(&next), &init, b"");
                if made.code != 0 {
                    return Err(format!("no successor: {}", made.err));
                }
                let to =
                    ["id", "rotation", "create", "--successor", &next, "--reason", "scheduled"];
                with(&[&to[..], &["--successor-passphrase-file", &secret]].concat())
            }
            Op::Backup => {
                self.files += 1;
                let key = fs::read_to_string(self.base.beside("recovery.key")).unwrap();
                let recipient = key.lines().find_map(|line| line.strip_prefix("# public key: "));
                let file = self.beside(&format!("backup-{}.age", self.files));
                with(&["id", "backup", "--recipient", recipient.unwrap(), "-o", &file])
            }
            Op::Reseal | Op::Init(_) | Op::RestoreAll | Op::Lose => None,
        })
    }

    fn device(&mut self) -> String {
        self.tpm.get_or_insert_with(Swtpm::start).tcti()
    }

    /// Another label for each key, as a token has no second one of a label.
    fn key_label(&mut self, kind: Kind) -> Vec<String> {
        match kind {
            Kind::Token => vec!["--key-label".into(), format!("key-{}", self.model.next_key())],
            Kind::Age | Kind::Tpm => Vec::new(),
        }
    }

    /// The options of a device.
    fn to(&mut self, kind: Kind) -> Vec<String> {
        let label = format!("label-{}", self.model.label);
        let options = match kind {
            Kind::Age => Vec::new(),
            Kind::Token => vec!["--module", &self.module, "--token", &label],
            Kind::Tpm => {
                let device = self.device();
                return ["--device", &device, "--pcr-indices", "16"].map(str::to_owned).into();
            }
        };
        options.into_iter().map(str::to_owned).collect()
    }

    pub(super) fn rename(&mut self) {
        self.model.label += 1;
        let script = format!("label label-{}\n", self.model.label);
        self.note(&format!("# the tokens are called label-{} now", self.model.label));
        self.hsm.script(&script);
    }

    fn migration(&mut self, now: &Identity, to: Kind, mode: Mode) -> Option<Vec<String>> {
        let old = self.model.old.clone().map(|(old, _)| old);
        let is_done = old.is_some();
        // A second key beside the first one is not in this model.
        if now.kind == to && !is_done {
            return None;
        }
        let number = if is_done { now.secret } else { self.model.next_secret() };
        let (old, pin) = (old.unwrap_or_else(|| now.clone()), self.secret(to, number));
        let option = if old.kind == Kind::Age { "--pin-file" } else { "--to-pin-file" };
        let mut words = self.opens(&old);
        words.extend(["id", "migrate", option, &pin, "--to", to.name()].map(str::to_owned));
        words.extend(["--mode", mode.name(), "--no-backup"].map(str::to_owned));
        let device = self.to(to);
        words.extend(device);
        if !is_done {
            words.extend(self.key_label(to));
        }
        Some(words)
    }

    /// Both credentials, each by its own option.
    pub(super) fn end(&self, op: Op, now: &Identity) -> Vec<String> {
        let end = if matches!(op, Op::Finish) { "--finish" } else { "--roll-back" };
        let mut words = Vec::new();
        match &self.model.old {
            Some((old, _)) if old.kind == Kind::Age => {
                words.extend(self.opens(old));
                words.extend(self.opens(now));
            }
            Some((old, _)) => words.extend(self.opens(old)),
            None => words.extend(self.opens(now)),
        }
        words.extend(["id", "migrate", end, "--yes"].map(str::to_owned));
        if let Some((old, _)) = &self.model.old
            && old.kind != Kind::Age
        {
            words.extend(["--to-pin-file".into(), self.secret(now.kind, now.secret)]);
        }
        words
    }
}
