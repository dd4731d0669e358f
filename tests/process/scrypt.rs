//! What scrypt costs: memory that is asked for, and time that is explained.

use std::process::Command;

use support::home::{FAST, Home, PASSPHRASE, Ran, on_a_terminal, run};
use support::swtpm::Swtpm;

/// A home whose passphrase costs what it costs.
fn costly() -> Home {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.write("icn.toml", "");
    home
}

/// With so many KiB of address space.
fn within(kib: u32, home: &Home, args: &[&str]) -> Ran {
    let command = home.command(args);
    let mut sh = Command::new("sh");
    sh.args(["-c", &format!("ulimit -v {kib}; exec \"$0\" \"$@\"")]);
    sh.arg(command.get_program()).args(command.get_args()).env_clear();
    sh.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
    run(&mut sh, b"x")
}

fn told(ran: &Ran, texts: &[&str]) {
    assert_eq!(ran.code, 1, "{}", ran.err);
    for text in texts {
        assert!(ran.err.contains(text), "wanted {text:?} in: {}", ran.err);
    }
    assert!(ran.out.is_empty(), "{}", ran.out);
}

/// It was an abort by a signal, and a backtrace.
#[test]
fn scrypt_without_its_memory_is_an_error_that_names_it() {
    let texts = ["needs 256 MiB", "`work_factor`", "ulimit -v"];
    for kib in [100_000, 200_000, 250_000] {
        let home = costly();
        told(&within(kib, &home, &["id", "init"]), &texts);
        assert!(!home.path("identity.json").exists() && !home.path("identity.age").exists());
    }
    let home = costly();
    home.ok(&["id", "init"], b"");
    let payload = || std::fs::read(home.path("identity.age")).unwrap();
    let before = payload();
    for args in [&["sign"][..], &["id", "renew"], &["sign", "--context", "a"]] {
        told(&within(100_000, &home, args), &texts);
    }
    assert_eq!(payload(), before);
    let ran = within(600_000, &home, &["sign"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
}

#[test]
fn a_recovery_key_without_memory_for_its_passphrase_is_told() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let recipient = "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p";
    let backup = home.beside("backup.age");
    let backup = backup.to_str().unwrap();
    home.ok(&["id", "backup", "--recipient", recipient, "-o", backup], b"");
    let mut work = age::scrypt::Recipient::new("x".to_owned().into());
    work.set_work_factor(18);
    let key = home.beside("key.age");
    let sealed = age::encrypt(&work, b"AGE-SECRET-KEY-1").unwrap();
    support::home::write_private(&key, "");
    std::fs::write(&key, sealed).unwrap();
    let home = home.with("ICN_RECOVERY_PASSPHRASE", "x");
    let check = ["id", "restore", backup, "--identity-file", key.to_str().unwrap(), "--check"];
    told(&within(150_000, &home, &check), &["needs 256 MiB", "ulimit -v"]);
}

#[test]
fn a_pin_without_memory_to_stretch_it_is_told_and_not_sent() {
    let tpm = Swtpm::start();
    let home = Home::new().with("ICN_PIN", "123456");
    home.write("icn.toml", &format!("{FAST}\n[identity.tpm]\ndevice_path = \"{}\"\n", tpm.tcti()));
    let init = ["id", "init", "--backend", "tpm", "--no-platform-binding"];
    let texts = ["needs 128 MiB", "it was not sent", "`pin_work_factor`"];
    told(&within(150_000, &home, &init), &texts);
    home.ok(&init, b"");
    told(&within(150_000, &home, &["sign"]), &texts);
    assert_eq!(tpm.lockout_counter(), 0);
    home.ok(&["sign"], b"x");
}

/// A moment needs no words, and a file is no person.
#[test]
fn a_long_wait_is_explained_on_a_terminal() {
    let told = "Waiting for scrypt (work 2^18, 256 MiB of memory)";
    let home = costly();
    let ran = on_a_terminal(&home.command(&["id", "init"]), "");
    assert!(ran.code == 0 && ran.out.contains(told), "{}", ran.out);
    let ran = on_a_terminal(&home.command(&["sign", "/dev/null"]), "");
    assert!(ran.code == 0 && ran.out.contains(told), "{}", ran.out);
    let ran = home.icnctl(&["sign"], b"x");
    assert!(ran.code == 0 && !ran.err.contains("Waiting"), "{}", ran.err);

    let quick = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    let ran = on_a_terminal(&quick.command(&["id", "init"]), "");
    assert!(ran.code == 0 && !ran.out.contains("scrypt (work"), "{}", ran.out);
    // Who is asked takes as long as they like.
    let mut asked = quick.command(&["sign", "/dev/null"]);
    asked.env_remove("ICN_PASSPHRASE");
    let terminal = support::pty::Terminal::run(
        "sh",
        &["-c", &format!("{} sign /dev/null", asked.get_program().to_str().unwrap())],
        &asked,
    );
    terminal.wait_for("Passphrase: ");
    std::thread::sleep(std::time::Duration::from_millis(800));
    assert!(!terminal.seen().contains("Waiting"), "{}", terminal.seen());
    terminal.close();
}

#[test]
fn a_wait_for_another_process_is_explained() {
    let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
    home.ok(&["id", "init"], b"");
    let lock = home.path(".lock");
    let mut other = Command::new("flock")
        .arg(&lock)
        .args(["sh", "-c", "echo; sleep 2"])
        .stdout(std::process::Stdio::piped())
        .spawn()
        .unwrap();
    // Until it has it.
    let mut line = [0];
    std::io::Read::read_exact(other.stdout.as_mut().unwrap(), &mut line).unwrap();
    let ran = on_a_terminal(&home.command(&["id", "renew"]), "");
    assert!(ran.code == 0, "{}", ran.out);
    assert!(
        ran.out.contains("Waiting for another process that uses the same files"),
        "{}",
        ran.out
    );
    assert!(other.wait().unwrap().success());
}

/// How many of these processes have the memory of a scrypt now.
fn computing(pids: &[u32]) -> usize {
    let resident = |pid: &u32| {
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<u64>().ok()).unwrap_or(0)
    };
    pids.iter().filter(|pid| resident(pid) > 150 * 1024).count()
}

/// Runs these until all have ended; gives how they ended, and how many did scrypt at once.
fn all_at_once(commands: Vec<Command>, mut kill_one: bool) -> (Vec<Option<i32>>, usize) {
    let mut running: Vec<_> = commands.into_iter().map(|mut run| run.spawn().unwrap()).collect();
    let pids: Vec<u32> = running.iter().map(std::process::Child::id).collect();
    let mut most = 0;
    let mut ended = vec![None; running.len()];
    while ended.iter().any(Option::is_none) {
        most = most.max(computing(&pids));
        for (child, ended) in running.iter_mut().zip(&mut ended) {
            if kill_one && most > 0 && computing(&[child.id()]) == 1 {
                kill_one = false;
                child.kill().unwrap();
            }
            if ended.is_none() {
                *ended = child.try_wait().unwrap().map(|status| status.code());
            }
        }
        std::thread::sleep(std::time::Duration::from_millis(10));
    }
    (ended.into_iter().flatten().collect(), most)
}

fn signers(home: &Home, count: usize, wrap: Option<&str>) -> Vec<Command> {
    let one = || {
        let sign = home.command(&["sign", "/dev/null"]);
        let mut command = match wrap {
            None => return silent(sign),
            Some(script) => {
                let mut sh = Command::new("unshare");
                let is_root =
                    std::os::unix::fs::MetadataExt::uid(&std::fs::metadata("/proc/self").unwrap())
                        == 0;
                sh.args(if is_root { &["-m"][..] } else { &["-U", "-r", "-m"] });
                sh.args(["sh", "-c", &format!("{script} && exec \"$0\" \"$@\"")]);
                sh
            }
        };
        command.arg(sign.get_program()).args(sign.get_args()).env_clear();
        command.envs(sign.get_envs().filter_map(|(name, value)| Some((name, value?))));
        silent(command)
    };
    (0..count).map(|_| one()).collect()
}

fn silent(mut command: Command) -> Command {
    command.stdin(std::process::Stdio::null()).stdout(std::process::Stdio::null());
    command
}

/// Each takes 256 MiB, and they took it all at the same time.
#[test]
fn of_many_signers_no_more_do_scrypt_at_once_than_there_are_cores() {
    let home = costly();
    home.ok(&["id", "init"], b"");
    let cores = std::thread::available_parallelism().unwrap().get();
    let count = cores + 5;
    // One is killed; whose turn it was does not matter.
    let (ended, most) = all_at_once(signers(&home, count, None), true);
    assert_eq!(ended.iter().filter(|code| **code == Some(0)).count(), count - 1, "{ended:?}");
    assert!((1..=cores).contains(&most), "{most} at once");
    // A home that nobody can write to, and that never had a turn: one.
    for turn in 1..=cores {
        let _ = std::fs::remove_file(home.path(&format!(".scrypt.{turn}")));
    }
    let directory = home.path("");
    let directory = directory.to_str().unwrap();
    let read_only =
        format!("mount --bind {directory} {directory} && mount -o remount,bind,ro {directory}");
    let (ended, most) = all_at_once(signers(&home, 3, Some(&read_only)), false);
    assert_eq!((ended, most), (vec![Some(0); 3], 1));
}
