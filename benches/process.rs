//! `icnctl sign` as a whole process, against `pkcs11-tool --sign`.
#![allow(missing_docs, clippy::print_stdout, clippy::unwrap_used, clippy::expect_used)]
#![allow(clippy::indexing_slicing)]

use std::path::Path;
use std::process::{Command, ExitCode};
use support::medians;
use support::ratios::Report;
use support::softhsm::{PIN, module};

fn main() -> ExitCode {
    if let Some(ended) = medians::in_a_token_of_our_own() {
        return ended;
    }
    let mut report = Report::of("process");
    let dir = std::env::var_os("ICN_BENCH_CHILD").unwrap();
    let dir = Path::new(&dir);
    let (home, module) = (dir.join("home"), module());
    let message = dir.join("message");
    std::fs::write(&message, [0x17; 64]).unwrap();
    let icnctl = || {
        let mut command = Command::new(env!("CARGO_BIN_EXE_icnctl"));
        command.env("ICN_HOME", &home).env("ICN_PIN", PIN);
        command
    };
    let init = ["id", "init", "--backend", "pkcs11", "--token", "bench", "--module"];
    run(icnctl().args(init).arg(module));
    let shown = icnctl().args(["--format", "json", "id", "show"]).output().unwrap();
    let shown: serde_json::Value = serde_json::from_slice(&shown.stdout).unwrap();
    let locator = shown["locator"].as_str().unwrap();
    let id: String = locator.split(";id=").nth(1).unwrap().chars().filter(|c| *c != '%').collect();
    let id = id.split(';').next().unwrap().to_owned();

    // Notes of a PIN that is tried are synced, in the home and in the state directory.
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
    let on_disk = |name: &str| disk.path().join(name);
    let copied = Command::new("cp").arg("-a").arg(&home).arg(on_disk("home")).status().unwrap();
    assert!(copied.success());
    let [by_the_clock] = medians::medians(
        20,
        1,
        [&mut || {
            let mut icnctl = icnctl();
            icnctl.env("ICN_HOME", on_disk("home")).env("XDG_STATE_HOME", on_disk("state"));
            run(icnctl.arg("sign").arg(&message));
        }],
    );
    let [ours, theirs] = medians::medians_of_processor(
        40,
        1,
        [&mut || run(icnctl().arg("sign").arg(&message)), &mut || {
            let mut tool = Command::new("pkcs11-tool");
            tool.arg("--module").arg(module).args(["--token-label", "bench", "--id", &id]);
            tool.args(["--login", "--pin", PIN, "--sign", "--mechanism", "EDDSA"]);
            tool.arg("--input-file").arg(&message);
            run(tool.arg("--output-file").arg(dir.join("signature")));
        }],
    );
    report.time("icnctl-sign", ours, theirs);
    let what = "`icnctl sign` with its home on the disk, by the clock";
    report.figure(what, &format!("{by_the_clock:.2?}"));
    report.end()
}

fn run(command: &mut Command) {
    let ran = command.output().expect("pkcs11-tool is needed: apt-get install opensc");
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
}
