//! A command that is killed: afterwards the identity opens as before or as after, and the command
//! that is run again does what is left.

use std::process::Command;

use serde_json::Value;
use support::home::run;

use super::expected::{Identity, Kind, Mode};
use super::world::{Checked, World, tally};
use super::{Crash, Op};

impl World {
    /// Killed there, looked at, and brought to its end.
    pub(super) fn crashes(&mut self, op: Op, words: &[String], crash: Crash) -> Checked {
        let before = self.model.now.clone();
        let header = std::fs::read_to_string(self.home.join("identity.json"));
        self.salt_before = header.map(|header| salt(&header)).unwrap_or_default();
        if self.is_killed(words, crash)? {
            tally(op, "done");
            return self.done(op, words);
        }
        tally(op, "killed");
        // As the manager of a TPM would, which has no handle of a process that is gone.
        if let Some(tpm) = &self.tpm {
            tpm.flush();
        }
        if let Some(before) = &before {
            self.opens_one_way(before)?;
        }
        match op {
            Op::Migrate(..) if self.model.old.is_none() => self.goes_on(op, words, crash),
            Op::RollBack | Op::Finish => {
                if !self.status()?.is_null() {
                    self.does(words)?;
                }
                self.done(op, words)
            }
            Op::Init(_) => {
                let home = self.home.clone();
                if !home.join("identity.age").exists() {
                    self.does(words)?;
                }
                self.done(op, words)
            }
            Op::ChangeCredential => {
                let mut new = before.clone().unwrap_or_else(|| panic!("nothing was there"));
                new.secret = self.model.secrets;
                if !self.is_changed(&new)? {
                    self.does(words)?;
                }
                self.done(op, words)
            }
            Op::Backup => {
                let at = words.iter().position(|word| word == "-o").unwrap();
                if !std::path::Path::new(&words[at + 1]).exists() {
                    self.does(words)?;
                }
                self.done(op, words)
            }
            _ => {
                self.does(words)?;
                self.done(op, words)
            }
        }
    }

    /// Whether it was done before that call was reached.
    fn is_killed(&mut self, words: &[String], Crash { call, nth, .. }: Crash) -> Checked<bool> {
        let inner = self.prepared(&self.home.clone(), words);
        self.note(&format!("= killed by strace -f -e inject={call}:signal=SIGKILL:when={nth}"));
        let mut strace = Command::new("strace");
        let (trace, inject) =
            (format!("trace={call}"), format!("inject={call}:signal=SIGKILL:when={nth}"));
        strace.args(["-f", "-qq", "-o", "/dev/null", "-e", &trace, "-e", &inject]);
        strace.arg(inner.get_program()).args(inner.get_args()).env_clear();
        strace.envs(inner.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let ran = run(&mut strace, b"");
        self.unswept = true;
        match ran.code {
            0 => Ok(true),
            // Killed itself, or the process that it has started.
            -1 | 1 | 77 | 137 => {
                self.note(&format!("= {}", ran.err.lines().next().unwrap_or_default()));
                Ok(false)
            }
            code => Err(format!("{words:?} under strace: {code} {}", ran.err)),
        }
    }

    /// By the ordinary command: as before, or as it would be afterwards.
    fn opens_one_way(&mut self, before: &Identity) -> Checked {
        let shown = self.show()?;
        let did = shown["did"].as_str().unwrap_or_default().to_owned();
        let kind = [Kind::Age, Kind::Token, Kind::Tpm]
            .into_iter()
            .find(|kind| shown["backend"] == kind.name())
            .unwrap();
        let home = self.home.clone();
        // Its token may have another name now.
        let recorded = shown["locator"].as_str().unwrap_or_default().to_owned();
        if kind == Kind::Token && !recorded.contains(&format!("label-{};", self.model.label)) {
            return Ok(());
        }
        let old = self.model.old.clone().map(|(old, _)| old);
        let [mut found, mut after] = [before.clone(), before.clone()];
        for one in [&mut found, &mut after] {
            (one.did, one.kind) = (did.clone(), kind);
        }
        after.secret = self.model.secrets;
        if let Some(old) = old.filter(|old| old.kind == kind && kind != before.kind) {
            found.secret = old.secret;
        } else if kind != before.kind {
            found.secret = self.model.secrets;
        }
        if kind != Kind::Age || found.secret == after.secret {
            // A wrong PIN would be counted.
            if kind == Kind::Tpm && kind == before.kind && found.secret != after.secret {
                let is_new = self.is_changed(&after)?;
                return self.signs(&home, if is_new { &after } else { &found }, &[]);
            }
            return self.signs(&home, &found, &[]);
        }
        match self.signs(&home, &found, &[]) {
            Ok(()) => Ok(()),
            Err(_) => self.signs(&home, &after, &[]),
        }
    }

    /// Whether the identity has another passphrase or PIN than before.
    fn is_changed(&mut self, new: &Identity) -> Checked<bool> {
        let home = self.home.clone();
        match new.kind {
            Kind::Tpm => {
                // Of a TPM a wrong PIN is counted: another one has another salt.
                let header = std::fs::read_to_string(home.join("identity.json")).unwrap();
                Ok(self.salt_before != salt(&header))
            }
            _ => Ok(self.signs(&home, new, &[]).is_ok()),
        }
    }

    fn status(&mut self) -> Checked<Value> {
        let words = ["--format", "json", "id", "migrate", "--status"].map(str::to_owned);
        let told = self.does(&words)?;
        let mut told: Value = serde_json::from_str(&told).map_err(|error| error.to_string())?;
        Ok(told["migration"].take())
    }

    /// A move is done by the same command, or undone.
    fn goes_on(&mut self, op: Op, words: &[String], crash: Crash) -> Checked {
        if crash.renamed {
            self.rename();
        }
        let status = self.status()?;
        let Op::Migrate(kind, mode) = op else { return Ok(()) };
        let state = status["state"].as_str().unwrap_or_default().to_owned();
        if crash.back {
            if status.is_null() {
                return self.relocate_if_renamed();
            }
            let Some(old) = self.model.now.clone() else { return Ok(()) };
            let made = Identity { kind, secret: self.model.secrets, ..old.clone() };
            self.model.old = Some((old.clone(), mode));
            let back = self.end(Op::RollBack, &made);
            self.model.old = None;
            self.does(&back)?;
            // Nobody was given anything before the switch.
            let was_in_use = state == "switched" && mode == Mode::Rotate;
            if was_in_use {
                self.model.now.as_mut().unwrap().handed_over = true;
            }
            return self.relocate_if_renamed();
        }
        if status.is_null() {
            self.relocate_if_renamed()?;
        }
        let mut words = words.to_vec();
        if !self.home.join("migration/unfinished.json").exists()
            && let Some(at) = words.iter().position(|word| word == "--token")
        {
            // Nothing was begun on the token, which is not known by its serial number yet.
            words[at + 1] = format!("label-{}", self.model.label);
        }
        let is_switched = state == "switched";
        if is_switched && crash.renamed {
            let made =
                Identity { kind, secret: self.model.secrets, ..self.model.now.clone().unwrap() };
            if kind == Kind::Token {
                let words = [self.opens(&made), vec!["id".into(), "relocate".into()]].concat();
                self.does(&words)?;
            }
        } else {
            self.does(&words)?;
        }
        let before = self.model.now.clone();
        self.done(op, &words)?;
        // The old one as it was written down, unless the move has followed its token.
        if crash.renamed
            && !is_switched
            && before.is_some_and(|before| before.kind == Kind::Token)
            && let Some((old, _)) = &mut self.model.old
        {
            old.label = self.model.label;
        }
        Ok(())
    }
}

/// Of the PIN of a key in a TPM.
pub(super) fn salt(header: &str) -> String {
    let header: Value = serde_json::from_str(header).unwrap_or_default();
    header.pointer("/locator/policy/pin/salt").map(ToString::to_string).unwrap_or_default()
}
