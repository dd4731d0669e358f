//! A DID that a configuration pins is not replaced, whoever has pinned it.

use std::time::{Duration, Instant};

use support::home::{FAST, Home, PASSPHRASE, run};

fn home() -> Home {
    Home::new().with("ICN_PASSPHRASE", PASSPHRASE)
}

fn shared(home: &Home) -> String {
    let config = home.beside("shared.toml");
    std::fs::write(&config, FAST).unwrap();
    config.to_str().unwrap().to_owned()
}

#[test]
fn two_homes_with_one_configuration_get_one_identity() {
    for _ in 0..3 {
        let homes = [home(), home()];
        let config = shared(&homes[0]);
        let init = ["--config", &config, "id", "init"];
        let ran = std::thread::scope(|scope| {
            let threads = homes.each_ref().map(|home| scope.spawn(|| home.icnctl(&init, b"")));
            threads.map(|thread| thread.join().unwrap())
        });
        let made = ran.iter().position(|ran| ran.code == 0).unwrap();
        let refused = &ran[1 - made];
        assert_eq!(refused.code, 1, "both have made one");
        assert!(refused.err.contains("shared.toml pins did:icn:z"), "{}", refused.err);
        homes[made].ok(&["--config", &config, "sign"], b"hello");
        let left = &homes[1 - made];
        assert!(!left.path("identity.json").exists() && !left.path("unfinished.json").exists());
    }
}

/// Stands still before it takes the lock, when it has read the configuration.
#[test]
fn a_did_that_is_pinned_while_init_runs_is_not_replaced() {
    let home = home();
    let init = home.command(&["id", "init"]);
    let mut strace = std::process::Command::new("strace");
    strace.args(["-f", "-qq", "-o", "/dev/null", "-e", "trace=flock"]);
    strace.args(["-e", "inject=flock:delay_enter=3s:when=1"]);
    strace.arg(init.get_program()).args(init.get_args()).env_clear();
    strace.envs(init.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let pinned = format!("{FAST}[identity]\ndid = \"{OTHER}\"\n");
    let ran = std::thread::scope(|scope| {
        let init = scope.spawn(|| run(&mut strace, b""));
        let start = Instant::now();
        while !home.path(".lock").exists() {
            assert!(start.elapsed() < Duration::from_secs(60), "no lock was taken");
            std::thread::sleep(Duration::from_millis(20));
        }
        home.write("icn.toml", &pinned);
        init.join().unwrap()
    });
    assert_eq!(ran.code, 1, "{}", ran.err);
    assert!(ran.err.contains(&format!("pins {OTHER}")), "{}", ran.err);
    assert_eq!(home.read("icn.toml"), pinned);
    assert!(!home.path("identity.json").exists() && !home.path("unfinished.json").exists());
}

const OTHER: &str = "did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK";

/// Whoever can write to the home can leave a note there, and cannot unpin by it
/// what a file elsewhere pins.
#[test]
fn a_note_frees_no_did_that_is_pinned_outside_of_its_home() {
    let home = home();
    let config = shared(&home);
    let command = |args: &[&str]| home.icnctl(&[&["--config", &config][..], args].concat(), b"x");
    assert_eq!(command(&["id", "init"]).code, 0);
    let did = home.show()["did"].as_str().unwrap().to_owned();
    let pinned = std::fs::read_to_string(&config).unwrap();
    for name in ["identity.json", "identity.age"] {
        std::fs::remove_file(home.path(name)).unwrap();
    }
    let note = format!(
        "{{\"format\": \"icn-identity-unfinished\", \"version\": 1, \"dids\": [\"{did}\"]}}"
    );
    home.write("unfinished.json", &note);
    let ran = command(&["id", "init"]);
    assert_eq!(ran.code, 1, "{}", ran.err);
    for text in [&format!("pins {did}"), "unfinished.json", "remove `did`", "shared.toml"] {
        assert!(ran.err.contains(text), "wanted {text:?} in:\n{}", ran.err);
    }
    assert_eq!(std::fs::read_to_string(&config).unwrap(), pinned);
    assert!(!home.path("identity.age").exists());
    // Nor by a link in the home to that file.
    std::fs::remove_file(home.path("icn.toml")).unwrap();
    std::os::unix::fs::symlink(&config, home.path("icn.toml")).unwrap();
    home.fails(&["id", "init"], b"", &["unfinished.json"]);
    assert_eq!(std::fs::read_to_string(&config).unwrap(), pinned);
    // One in the home itself is as good as the note.
    std::fs::remove_file(home.path("icn.toml")).unwrap();
    home.write("icn.toml", &pinned);
    home.ok(&["id", "init"], b"");
    assert_ne!(home.show()["did"], did);
}

#[test]
fn where_the_configuration_cannot_be_written_init_says_how_to_go_on() {
    let home = home();
    let missing = home.beside("missing/icn.toml");
    let init = ["--config", missing.to_str().unwrap(), "id", "init"];
    let texts = ["missing/icn.toml cannot be written, and so nothing else was", "--config FILE"];
    home.fails(&init, b"", &texts);
    assert!(!home.path("identity.json").exists() && !home.path("unfinished.json").exists());
}
