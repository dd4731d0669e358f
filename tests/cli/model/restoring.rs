//! Backups, where nothing is, and where the files are lost.

use std::fs;
use std::path::{Path, PathBuf};

use support::home::Ran;

use super::Op;
use super::expected::{BackedUp, Identity, Kind};
use super::world::{Checked, World, tally};

impl World {
    pub(super) fn restore_all(&mut self) -> Checked {
        for backup in self.model.backups.clone() {
            self.homes += 1;
            let home = PathBuf::from(self.beside(&format!("restored-{}", self.homes)));
            let (restored, ran) = self.restore(&home, &backup);
            tally(Op::RestoreAll, if ran.code == 0 { "done" } else { "refused" });
            match (ran.code == 0, self.model.restores(&backup)) {
                (true, true) => self.signs(&home, &restored, &[])?,
                // It may be found by its serial number, too.
                (true, false) if self.model.on_token.contains(&backup.of.key) => {}
                (false, false) => {}
                (is, must) => {
                    return Err(format!("restored: {is}, and not {must}: {backup:?}: {}", ran.err));
                }
            }
        }
        Ok(())
    }

    fn restore(&mut self, home: &Path, backup: &BackedUp) -> (Identity, Ran) {
        let mut restored = backup.of.clone();
        if restored.kind == Kind::Age {
            restored.secret = self.model.next_secret();
        }
        let (file, key) = (backup.file.to_str().unwrap().to_owned(), self.beside("recovery.key"));
        let restore = ["id", "restore", &file, "--identity-file", &key, "--did", &restored.did];
        let mut words = [self.opens(&restored), restore.map(str::to_owned).to_vec()].concat();
        if restored.kind == Kind::Token {
            words.extend(["--module".to_owned(), self.module.clone()]);
        }
        let ran = self.icnctl_in(home, &words, b"");
        (restored, ran)
    }

    /// Of an identity that is not being moved, and of the key that it has now.
    pub(super) fn lose(&mut self) -> Checked {
        let Some(now) = self.now_or_none() else { return Ok(()) };
        let is_of = |of: &Identity| (of.did == now.did) && of.kind == now.kind && of.key == now.key;
        let backup = self.model.backups.iter().rev().find(|backup| is_of(&backup.of)).cloned();
        let Some(backup) = backup.filter(|backup| self.model.restores(backup)) else {
            return Ok(());
        };
        if self.model.old.is_some() {
            return Ok(());
        }
        let home = self.home.clone();
        self.note(&format!("rm {0}/identity.json {0}/identity.age", home.display()));
        for name in ["identity.json", "identity.age"] {
            fs::remove_file(home.join(name)).unwrap();
        }
        let (restored, ran) = self.restore(&home, &backup);
        if ran.code != 0 {
            return Err(format!("not restored: {}", ran.err));
        }
        tally(Op::Lose, "done");
        self.unswept = false;
        // That is written beside it.
        self.model.now = Some(Identity { handed_over: now.handed_over, ..restored });
        Ok(())
    }
}
