//! A machine for one page, with devices of its own, and a reader who does what is there and
//! types what programs ask for.

use std::fs;
use std::os::unix::fs::{DirBuilderExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use support::home::{FAST, icnctl};
use support::pty::Terminal;
use support::softhsm::{PIN, SO_PIN, SoftHsm, module};
use support::swtpm::Swtpm;
use tempfile::TempDir;

use super::expected::difference;
use super::markdown::Page;
use super::script::{Step, script};

/// For one page, on a machine that has much else to do.
const PATIENCE: Duration = Duration::from_secs(240);
/// For one question.
const PONDERING: Duration = Duration::from_secs(30);

const PASSPHRASE: &str = "of the reader's own";

struct Machine {
    root: TempDir,
    hsm: SoftHsm,
    tpm: Option<Swtpm>,
}

/// Runs a page; gives what is not as it says.
pub(crate) fn run(page: &Page) -> Vec<String> {
    let (script, steps) = script(page);
    if !steps.iter().any(|step| step.runs) {
        return Vec::new();
    }
    let tpm = steps.iter().any(|step| step.source.contains("tpm"));
    let machine = Machine::new(tpm);
    machine.play(page, &script, &steps)
}

impl Machine {
    fn new(tpm: bool) -> Self {
        let root = tempfile::tempdir().unwrap();
        let this = Self { root, hsm: SoftHsm::new(), tpm: tpm.then(Swtpm::start) };
        for directory in ["bin", "steps", "etc/icn", "var/lib/node", "home/icn", "home/reader"] {
            fs::DirBuilder::new().recursive(true).mode(0o700).create(this.path(directory)).unwrap();
        }
        symlink(icnctl().get_program(), this.path("bin/icnctl")).unwrap();
        symlink(env!("CARGO_BIN_EXE_icnd"), this.path("bin/icnd")).unwrap();
        // Demands that what a page wants installed is there, so that the names are right.
        this.program("apt-get", "[ \"$1\" = install ] && shift && exec dpkg-query -W \"$@\"");
        // Changes nobody. Group and user have to exist.
        this.program("usermod", "[ \"$1\" = -aG ] && getent group \"$2\" && id \"$3\"");
        // What /dev/tpmrm0 does: each program has the TPM's room to itself.
        for name in
            ["createprimary", "evictcontrol", "getcap", "pcrread", "pcrextend", "readpublic"]
        {
            let flushed = format!("/usr/bin/tpm2_{name} \"$@\" && /usr/bin/tpm2_flushcontext -t");
            this.program(&format!("tpm2_{name}"), &flushed);
        }
        let stand_ins: String =
            this.stand_ins().iter().map(|(name, value)| format!("{name}\t{value}\n")).collect();
        fs::write(this.path("stand-ins"), stand_ins).unwrap();
        fs::write(this.path("etc/machine-id"), "0123456789abcdef0123456789abcdef\n").unwrap();
        fs::write(this.path("passphrase"), PASSPHRASE).unwrap();
        this
    }

    fn path(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    fn program(&self, name: &str, body: &str) {
        use std::os::unix::fs::PermissionsExt as _;
        let path = self.path("bin").join(name);
        fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    /// What is here in the place of what pages name.
    fn stand_ins(&self) -> Vec<(&'static str, String)> {
        let below = |place: &str| format!("{}/", self.path(place).display());
        let proxy = support::p11_kit::client();
        let libraries = Path::new(&proxy).ancestors().nth(2).unwrap().to_str().unwrap();
        let mut all = vec![
            ("/usr/lib/softhsm/libsofthsm2.so", module().to_owned()),
            ("/path/of/the/module.so", module().to_owned()),
            ("/usr/lib/x86_64-linux-gnu/", format!("{libraries}/")),
            ("/etc/", below("etc")),
            ("/var/lib/", below("var/lib")),
            ("/home/icn/", below("home/icn")),
        ];
        if let Some(tpm) = &self.tpm {
            all.extend([("/dev/tpmrm0", tpm.tcti()), ("device:/dev/tpmrm0", tpm.tcti())]);
        }
        all
    }

    fn configuration(&self) -> String {
        let device = self.tpm.iter().map(|tpm| format!("device_path = {:?}\n", tpm.tcti()));
        format!("{FAST}[identity.tpm]\npin_work_factor = 10\n{}", device.collect::<String>())
    }

    fn environment(&self) -> Command {
        let path = std::env::var("PATH").unwrap();
        let user = Command::new("id").arg("-un").output().unwrap().stdout;
        let mut like = Command::new("bash");
        like.env("PATH", format!("{}:{path}", self.path("bin").display()))
            .env("HOME", self.path("home/reader"))
            .env("USER", String::from_utf8(user).unwrap().trim())
            .env("ROOT", self.root.path())
            .env("STEPS", self.path("steps"))
            .env("BLOCK", self.path("block"))
            .env("REPOSITORY", super::markdown::root())
            .env("READERS_PIN", PIN)
            .env("READERS_SO_PIN", SO_PIN)
            .env("ICN_TOML", self.configuration())
            .env("SOFTHSM2_CONF", self.hsm.conf())
            .env("LANG", "C.UTF-8")
            .env("TERM", "dumb");
        if let Some(tpm) = &self.tpm {
            like.env("TPM2TOOLS_TCTI", tpm.tcti());
        }
        like
    }

    fn play(&self, page: &Page, script: &str, steps: &[Step]) -> Vec<String> {
        let file = self.path("script");
        fs::write(&file, script).unwrap();
        let args = ["--noprofile", "--norc", file.to_str().unwrap()];
        let mut terminal = Terminal::run("bash", &args, &self.environment());
        let ended = self.attend(&mut terminal);
        let seen = terminal.seen();
        terminal.close();
        let now = fs::read_to_string(self.path("steps/now")).unwrap_or_default();
        let mut complaints = Vec::new();
        let reached = now.trim().parse().unwrap_or(steps.len());
        for (number, step) in steps.iter().enumerate().take(reached) {
            let printed = self.said(number, "out");
            let Some(shown) = &step.shown else { continue };
            if let Some(difference) =
                difference(shown, &printed, self.root.path().to_str().unwrap())
            {
                complaints.push(format!("{}:{}: {difference}", page.name, step.line));
            }
        }
        if now.trim() != "ended" {
            let (line, source) =
                steps.get(reached).map_or((0, ""), |step| (step.line, step.source.as_str()));
            let failed = fs::read_to_string(self.path("steps/failed")).unwrap_or_default();
            complaints.push(format!(
                "{}:{line}: {ended}\nthe block:\n{source}\nthe command: {failed}{}{}\nterminal: {seen}",
                page.name,
                self.said(reached, "out"),
                self.said(reached, "err"),
            ));
        }
        complaints
    }

    fn said(&self, step: usize, way: &str) -> String {
        let bytes = fs::read(self.path("steps").join(format!("{step}.{way}"))).unwrap_or_default();
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// Answers what is asked until the shell ends; tells how it did.
    fn attend(&self, terminal: &mut Terminal) -> String {
        let (begin, mut asked, mut last) = (Instant::now(), Instant::now(), String::new());
        // Up to which byte of which step's output was answered.
        let mut answered = String::new();
        loop {
            if let Some(status) = terminal.end() {
                return format!("the shell ended with {status}");
            }
            if begin.elapsed() > PATIENCE {
                return format!("not done after {PATIENCE:?}");
            }
            let echoes = terminal.echoes();
            let question = if echoes { None } else { self.question(terminal) };
            match question {
                Some((place, line)) if place != answered => {
                    if let Some(answer) = self.answer(&line, &last) {
                        terminal.types(format!("{answer}\n").as_bytes());
                        (answered, last, asked) = (place, answer, Instant::now());
                    } else if asked.elapsed() > PONDERING {
                        return format!("nobody knows the answer to {line:?}");
                    }
                }
                None if echoes => asked = Instant::now(),
                _ if asked.elapsed() > PONDERING => {
                    return "a program waits for a secret".to_owned();
                }
                _ => {}
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// The last line that was written and not ended, and where that is.
    fn question(&self, terminal: &Terminal) -> Option<(String, String)> {
        let now = fs::read_to_string(self.path("steps/now")).unwrap_or_default();
        let step = now.trim().parse().unwrap_or(0);
        let places = [terminal.seen(), self.said(step, "out"), self.said(step, "err")];
        let mut asked = places.iter().enumerate().filter_map(|(place, text)| {
            let line = text.rsplit(['\n', '\r']).next()?.trim();
            let is_question = !line.is_empty() && line.ends_with([':', ')']);
            is_question.then(|| (format!("{step} {place} {}", text.len()), line.to_owned()))
        });
        asked.next()
    }

    /// What the reader types. Who is asked "again" says the same as before.
    fn answer(&self, question: &str, last: &str) -> Option<String> {
        let question = question.to_lowercase();
        let has = |words: &[&str]| words.iter().any(|word| question.contains(word));
        if has(&["so pin", "security officer"]) {
            Some(SO_PIN.to_owned())
        } else if has(&["again", "re-enter", "confirm", "repeat"]) && !last.is_empty() {
            Some(last.to_owned())
        } else if has(&["pin", "password"]) {
            Some(PIN.to_owned())
        } else if has(&["passphrase"]) {
            Some(fs::read_to_string(self.path("passphrase")).unwrap())
        } else {
            None
        }
    }
}
