//! A process that is killed while its PIN is on its way: what the token shows tells whether that
//! was counted, where it shows each wrong one.

use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use support::home::{run, write_private};

use super::*;

const WRONG: &str = "0001pin-11112222";

/// Killed by a signal while the token takes its time over the login.
fn killed(home: &Home, hsm: &SoftHsm, script: &str, signal: &str, sign: &[&str]) {
    let before = hsm.count("C_Login");
    hsm.script(&format!("on C_Login 1 sleep 60000\n{script}"));
    let mut process = home.command(sign);
    let mut process =
        process.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !home.path("refused.json").exists() {
        assert!(begun.elapsed() < Duration::from_secs(30), "no PIN is sent");
        thread::sleep(Duration::from_millis(10));
    }
    thread::sleep(Duration::from_millis(300));
    let id = process.id().to_string();
    assert_eq!(run(Command::new("kill").args([signal, &id]), b"").code, 0);
    assert!(!process.wait().unwrap().success());
    hsm.script(script);
    assert!(hsm.count("C_Login") <= before + 1);
}

fn as_file(home: &Home, name: &str, pin: &str) -> String {
    write_private(&home.beside(name), pin);
    home.beside(name).to_str().unwrap().to_owned()
}

/// Somebody else, by another program.
fn logs_in(hsm: &SoftHsm, pin: &str) {
    let with = ["--token-label", "node-1", "--login", "--pin", pin, "--list-objects"];
    assert_eq!(hsm.pkcs11_tool(&with).code == 0, pin == PIN);
}

#[test]
fn a_login_that_a_signal_ends_leaves_no_right_pin_in_doubt_on_a_token_that_shows_each_wrong_one() {
    for signal in ["-TERM", "-HUP", "-KILL"] {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.faulty_identity("node-1");
        let right = as_file(&home, "right", PIN);
        let sign = ["--pin-file", right.as_str(), "sign"];
        killed(&home, &hsm, "", signal, &sign);
        // As it is started again, by many at once.
        let sent = hsm.count("C_Login");
        thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| home.ok(&sign, b"hello"));
            }
        });
        assert_eq!(hsm.count("C_Login") - sent, 4, "{signal}");
        assert!(!home.path("refused.json").exists());
    }
}

#[test]
fn a_wrong_pin_whose_login_a_signal_has_ended_is_counted_once_whoever_starts_again() {
    let hsm = SoftHsm::with_token("node-1");
    let home = hsm.faulty_identity("node-1");
    let wrong = as_file(&home, "wrong", WRONG);
    let copy = as_file(&home, "copy", WRONG);
    killed(&home, &hsm, "", "-TERM", &["--pin-file", &wrong, "sign"]);
    let sent = hsm.count("C_Login");
    let ran: Vec<_> = thread::scope(|scope| {
        let threads: Vec<_> = (0..8)
            .map(|turn| {
                let file = if turn % 2 == 0 { &wrong } else { &copy };
                scope.spawn(|| home.icnctl(&["--pin-file", file, "sign"], b"hello"))
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    });
    assert!(ran.iter().all(|ran| ran.code == 77), "{ran:?}");
    let tried = ran.iter().filter(|ran| ran.err.contains("tried once")).count();
    assert_eq!((hsm.count("C_Login") - sent, tried), (1, 1), "{ran:?}");
    // Nothing is in doubt any more: another one of its group is tried.
    let noted = home.read("refused.json");
    assert!(!noted.contains("in_doubt"), "{noted}");
    home.ok(&["--pin-file", &as_file(&home, "right", PIN), "sign"], b"hello");
}

/// It may have been this one that was counted; or nothing would show it.
#[test]
fn a_pin_stays_in_doubt_where_the_token_shows_a_wrong_one_or_need_not_show_it() {
    type Between = fn(&SoftHsm);
    let cases: [(&str, Between, Between); 4] = [
        ("", |_| {}, |hsm| logs_in(hsm, WRONG)),
        ("", |hsm| logs_in(hsm, WRONG), |_| {}),
        // One was counted before, and may have been forgotten for another reason since.
        ("", |hsm| logs_in(hsm, WRONG), |hsm| logs_in(hsm, PIN)),
        ("manufacturer Some_Works\n", |_| {}, |_| {}),
    ];
    for (number, (script, before, after)) in cases.into_iter().enumerate() {
        let hsm = SoftHsm::with_token("node-1");
        let home = hsm.faulty_identity("node-1");
        for pin in [PIN, WRONG] {
            let file = as_file(&home, "file", pin);
            let sign = ["--pin-file", file.as_str(), "sign"];
            before(&hsm);
            killed(&home, &hsm, script, "-TERM", &sign);
            after(&hsm);
            let sent = hsm.count("C_Login");
            for _ in 0..2 {
                let texts = ["whether it was refused is not known", "--retry-pin"];
                home.refused(&sign, b"hello", &texts);
            }
            assert_eq!(hsm.count("C_Login"), sent, "{number}: {pin}");
            logs_in(&hsm, PIN);
            let right = as_file(&home, "right", PIN);
            home.ok(&["--retry-pin", "--pin-file", &right, "sign"], b"hello");
            assert!(!home.path("refused.json").exists(), "{number}");
        }
    }
}
