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

fn passphrase_home(work_factor: u8) -> Home {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.write("icn.toml", &format!("[identity.age]\nwork_factor = {work_factor}\n"));
    home.ok(&["id", "init"], b"");
    home
}

/// Memory that a process has now, in KiB.
fn resident(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(0)
}

/// Stopped in the middle of its scrypt, which has 128 MiB by then.
#[test]
fn a_reader_does_not_wait_for_the_scrypt_of_another() {
    let home = passphrase_home(17);
    let mut first = home.command(&["sign"]);
    let first = first.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut first = first.spawn().unwrap();
    drop(first.stdin.take());
    let start = Instant::now();
    while resident(first.id()) < 40 * 1024 {
        assert!(start.elapsed() < Duration::from_secs(60) && first.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(2));
    }
    let send = |signal: &str| {
        let sent = run(Command::new("kill").args([signal, &first.id().to_string()]), b"");
        assert_eq!(sent.code, 0, "{}", sent.err);
    };
    send("-STOP");
    home.ok(&["sign"], b"hello");
    home.ok(&["id", "renew"], b"");
    send("-CONT");
    // It finds that the identity was written meanwhile, and opens the one that is there.
    let ran = first.wait_with_output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}

/// The passphrase that it was started with is that of the file it was reading.
#[test]
fn a_passphrase_that_was_changed_meanwhile_is_told_by_the_file_that_is_there_now() {
    let home = passphrase_home(17);
    write_private(&home.beside("new"), "another passphrase");
    let mut first = home.command(&["sign"]);
    let first = first.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut first = first.spawn().unwrap();
    drop(first.stdin.take());
    let start = Instant::now();
    while resident(first.id()) < 40 * 1024 {
        assert!(start.elapsed() < Duration::from_secs(60) && first.try_wait().unwrap().is_none());
        std::thread::sleep(Duration::from_millis(2));
    }
    let process = first.id().to_string();
    let send = |signal: &str| run(Command::new("kill").args([signal, &process]), b"").code;
    assert_eq!(send("-STOP"), 0);
    let new = home.beside("new");
    home.ok(&["id", "change-passphrase", "--new-passphrase-file", new.to_str().unwrap()], b"");
    assert_eq!(send("-CONT"), 0);
    let ran = first.wait_with_output().unwrap();
    assert_eq!(ran.status.code(), Some(77), "{}", String::from_utf8_lossy(&ran.stderr));
}

#[test]
fn thirty_signers_at_once_all_sign() {
    let home = passphrase_home(15);
    std::thread::scope(|scope| {
        let all: Vec<_> = (0..30).map(|_| scope.spawn(|| home.icnctl(&["sign"], b"m"))).collect();
        for one in all {
            let ran = one.join().unwrap();
            assert_eq!(ran.code, 0, "{}", ran.err);
        }
    });
}

/// A number that a process has in its container means nothing outside of it, and the
/// other way round.
#[test]
fn the_holder_of_a_lock_is_named_by_a_number_of_the_readers_own() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let lock = std::fs::File::options().write(true).open(home.path(".lock")).unwrap();
    lock.try_lock().unwrap();
    let ours = std::process::id();
    std::fs::write(home.path(".lock"), format!("icnd (process {ours})\n")).unwrap();
    home.fails(&["sign"], b"m", &[&format!("in use by icnd (process {ours})")]);
    // From inside of a namespace of its own nothing outside is seen.
    let sign = home.command(&["sign"]);
    let mut inside = Command::new("unshare");
    inside.args(["--user", "--map-root-user", "--pid", "--fork", "--mount-proc"]);
    inside.arg(sign.get_program()).args(sign.get_args()).env_clear();
    inside.envs(sign.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let ran = run(&mut inside, b"m");
    assert_eq!(ran.code, 1, "{}{}", ran.out, ran.err);
    assert!(
        ran.err.contains("in use by icnd, in another container or on another machine"),
        "{}",
        ran.err
    );
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
