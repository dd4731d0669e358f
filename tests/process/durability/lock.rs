//! The lock: it names its holder, and frees itself when that is killed.

use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::home::{Home, PASSPHRASE, run, write_private};

#[test]
fn a_killed_holder_is_named_while_it_lives_and_holds_nothing_afterwards() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    write_private(&home.beside("new"), "another passphrase");
    // Stands still for a minute before its first sync, with the lock.
    let new = home.beside("new");
    let change =
        home.command(&["id", "change-passphrase", "--new-passphrase-file", new.to_str().unwrap()]);
    let mut holder = Command::new("strace")
        .args(["-f", "-o", "/dev/null", "-e", "trace=fsync"])
        .args(["-e", "inject=fsync:delay_enter=60s:when=1"])
        .arg(change.get_program())
        .args(change.get_args())
        .env_clear()
        .env("ICN_HOME", home.path(""))
        .env("ICN_PASSPHRASE", PASSPHRASE)
        .env("PATH", std::env::var_os("PATH").unwrap())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("strace is needed: apt-get install strace");
    let temporary = || {
        let names = std::fs::read_dir(home.path("")).unwrap();
        let mut names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
        names.any(|name| name.starts_with(".identity.json.prev."))
    };
    let start = Instant::now();
    while !temporary() {
        assert!(start.elapsed() < Duration::from_secs(60), "no lock was taken");
        std::thread::sleep(Duration::from_millis(20));
    }
    let lock = home.read(".lock");
    let process = lock.trim().strip_prefix("icnctl (process ").unwrap().trim_end_matches(')');
    home.fails(
        &["sign"],
        b"hello",
        &[&format!("in use by icnctl (process {process})"), "try: wait", "frees itself"],
    );
    let killed = run(Command::new("sh").args(["-c", &format!("kill -KILL {process}")]), b"");
    assert_eq!(killed.code, 0, "{}", killed.err);
    // It would wait for the rest of its minute.
    holder.kill().unwrap();
    holder.wait().unwrap();
    assert!(temporary(), "the writer was killed in the middle");
    home.ok(&["sign"], b"hello");
    assert!(!temporary(), "what it left is swept away");
}

#[test]
fn only_temporary_files_of_ours_are_swept_away() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let random = "0123456789abcdef01234567";
    let ours = [
        format!(".identity.age.{random}"),
        format!(".identity.json.{random}"),
        format!(".identity.age.prev.{random}"),
        format!(".icn.toml.{random}"),
    ];
    let others = [
        format!(".notes.{random}"),
        ".identity.age.swp".to_owned(),
        format!("identity.age.{random}"),
        format!(".identity.age.{}", &random[1..]),
        format!(".identity.age.{}", random.to_uppercase()),
        "identity.age.bak".to_owned(),
    ];
    for name in ours.iter().chain(&others) {
        home.write(name, "something");
    }
    home.ok(&["sign"], b"hello");
    for name in &ours {
        assert!(!home.path(name).exists(), "{name}");
    }
    for name in &others {
        assert!(home.path(name).exists(), "{name}");
    }
}

/// A configuration outside of the home: its own, and no others.
#[test]
fn what_a_killed_writer_left_of_a_configuration_is_swept_away() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    let config = home.beside("node.toml");
    std::fs::write(&config, support::home::FAST).unwrap();
    let random = "0123456789abcdef01234567";
    let left = home.beside(&format!(".node.toml.{random}"));
    let others = [".icn.toml.", ".identity.age.", ".other.toml."]
        .map(|name| home.beside(&format!("{name}{random}")));
    for path in others.iter().chain([&left]) {
        write_private(path, "something");
    }
    home.ok(&["--config", config.to_str().unwrap(), "id", "init"], b"");
    assert!(!left.exists());
    assert!(others.iter().all(|path| path.exists()), "{others:?}");
}

/// It is opened for writing: what it is, and whose, counts.
#[test]
fn a_lock_that_is_another_file_is_not_written_to() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    std::fs::remove_file(home.path(".lock")).unwrap();
    write_private(&home.beside("precious"), "precious");
    std::fs::hard_link(home.beside("precious"), home.path(".lock")).unwrap();
    home.fails(&["sign"], b"hello", &[".lock is not safe", "hard link"]);
    std::fs::remove_file(home.path(".lock")).unwrap();
    std::os::unix::fs::symlink(home.beside("precious"), home.path(".lock")).unwrap();
    home.fails(&["sign"], b"hello", &[".lock", "symbolic link"]);
    assert_eq!(std::fs::read_to_string(home.beside("precious")).unwrap(), "precious");
}
