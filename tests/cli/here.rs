//! Commands that are printed act on the identity that the call was about.

use std::path::Path;
use std::process::Command;

use support::home::{FAST, Home, PASSPHRASE, Ran, icnctl, run};

/// Two identities: one where calls without options find it, and another.
struct Two {
    first: Home,
    other: String,
}

impl Two {
    fn new() -> Self {
        let first = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
        first.ok(&["id", "init"], b"");
        let other = first.beside("o'hara's home");
        std::fs::create_dir(&other).unwrap();
        private(&other);
        std::fs::write(other.join("icn.toml"), FAST).unwrap();
        let other = other.to_str().unwrap().to_owned();
        let this = Self { first, other };
        this.ok(&["id", "init"]);
        this
    }

    /// On the other one.
    fn run(&self, args: &[&str]) -> Ran {
        self.first.icnctl(&[&["--home", &self.other], args].concat(), b"hello")
    }

    fn ok(&self, args: &[&str]) -> String {
        let ran = self.run(args);
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.err);
        ran.out
    }

    /// As a printed command begins.
    fn named(&self) -> String {
        format!("icnctl --home '{}'", self.other.replace('\'', r"'\''"))
    }

    /// Types it.
    fn type_in(&self, command: &str) -> Ran {
        let ours = icnctl();
        let directory = Path::new(ours.get_program()).parent().unwrap().display().to_string();
        let mut shell = Command::new("sh");
        shell.args(["-c", command]).env_clear();
        shell.envs(self.first.command(&[]).get_envs().filter_map(|(name, it)| Some((name, it?))));
        shell.env("PATH", format!("{directory}:{}", std::env::var("PATH").unwrap()));
        run(&mut shell, b"hello")
    }
}

fn private(path: &Path) {
    let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
    std::fs::set_permissions(path, private).unwrap();
}

#[test]
fn an_epoch_is_begun_of_the_identity_that_was_restored_and_of_no_other() {
    let two = Two::new();
    let key = two.first.beside("recovery.key").to_str().unwrap().to_owned();
    assert_eq!(run(Command::new("age-keygen").args(["-o", &key]), b"").code, 0);
    let recipient = run(Command::new("age-keygen").args(["-y", &key]), b"").out;
    let backup = two.first.beside("the backup.age").to_str().unwrap().to_owned();
    let made = two.ok(&["id", "backup", "--recipient", recipient.trim(), "-o", &backup]);
    // The drill, as it is printed.
    let drill = made.lines().find(|line| line.contains("--check")).unwrap().trim();
    assert!(drill.starts_with(&two.named()) && drill.contains(&format!("'{backup}'")), "{drill}");
    let drilled = two.type_in(&drill.replace("KEYFILE", &key));
    assert_eq!(drilled.code, 0, "{}", drilled.err);

    let did = two.ok(&["id", "export", "--did-only"]);
    for name in ["identity.json", "identity.age"] {
        std::fs::remove_file(Path::new(&two.other).join(name)).unwrap();
    }
    let restore = ["id", "restore", &backup, "--identity-file", &key, "--did", did.trim()];
    let said = two.ok(&restore);
    let command = said.split("end it now: ").nth(1).unwrap().lines().next().unwrap();
    assert_eq!(command, format!("{} id renew --all-instances", two.named()));
    let before = two.first.show();
    let renewed = two.type_in(command);
    assert_eq!(renewed.code, 0, "{}", renewed.err);
    assert_eq!(two.first.show()["tls"], before["tls"]);
    // What is for other machines names nothing of this one.
    assert!(renewed.out.contains("\n    icnctl id renew --epoch "), "{}", renewed.out);
}

#[test]
fn a_successor_is_backed_up_as_it_is_printed() {
    let two = Two::new();
    let passphrase = two.first.beside("passphrase").to_str().unwrap().to_owned();
    support::home::write_private(Path::new(&passphrase), PASSPHRASE);
    let create = ["id", "rotation", "create", "--successor", &two.other, "--reason", "scheduled"];
    let more = ["--carry-decryption-key", "--successor-passphrase-file", &passphrase];
    let said = two.first.ok(&[&create[..], &more].concat(), b"");
    let show = format!("{} id rotation show -o FILE", two.named());
    assert!(said.contains(&show), "{said}");
    let backup = format!("{} id backup --recipient age1… -o FILE", two.named());
    assert!(said.contains(&backup), "{said}");
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    for (command, file) in [(show, "chain"), (backup, "backup")] {
        let file = two.first.beside(file).display().to_string();
        let ran = two.type_in(&command.replace("FILE", &file).replace("age1…", recipient));
        assert_eq!(ran.code, 0, "{command}: {}", ran.err);
        assert!(Path::new(&file).exists());
    }
}

#[test]
fn home_and_configuration_are_in_advice_and_in_json_too() {
    let two = Two::new();
    let config = two.first.beside("a b.toml");
    std::fs::write(&config, FAST).unwrap();
    let config = config.to_str().unwrap();
    let missing = two.first.beside("missing").to_str().unwrap().to_owned();
    let at = ["--home", &missing, "--config", config, "sign"];
    let named = format!("icnctl --home {missing} --config '{config}' id init");
    two.first.fails(&at, b"x", &[&named]);
    let alone = two.first.fails(&["--home", &missing, "sign"], b"x", &["id init"]);
    assert!(!alone.err.contains("--config"), "{}", alone.err);
    // A certificate that has expired.
    let check = ["--home", &two.other, "--format", "json", "id", "show", "--check"];
    let command = two.first.command(&check);
    let mut later = Command::new("faketime");
    later.args(["-f", "+8d"]).arg(command.get_program()).args(command.get_args()).env_clear();
    later.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = run(&mut later, b"");
    let shown: serde_json::Value = serde_json::from_str(&ran.out).unwrap();
    let problem = shown["problems"][0].as_str().unwrap();
    assert!(problem.contains(&format!("`{} id renew`", two.named())), "{problem}");
}
