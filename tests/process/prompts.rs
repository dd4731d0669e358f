//! A prompt on a real terminal: whatever ends it, the terminal is as before, and what
//! was typed is what is used.

mod typed;

use std::os::unix::process::ExitStatusExt as _;

use support::home::{Home, PASSPHRASE};
use support::pty::{Process, Terminal};

const PROMPT: &str = "Passphrase: ";

/// An identity, and a script that signs with it on a terminal.
struct Prompt {
    home: Home,
}

impl Prompt {
    fn new() -> Self {
        let home = Home::new().with("ICN_PASSPHRASE", PASSPHRASE);
        home.ok(&["id", "init"], b"");
        std::fs::write(home.beside("message"), b"hello").unwrap();
        Self { home }
    }

    /// `SIGN` stands for the command, in a shell without a passphrase.
    fn shell(&self, shell: &str, options: &[&str], script: &str) -> Terminal {
        let mut command = self.home.command(&[]);
        command.env_remove("ICN_PASSPHRASE").env("TERM", "dumb");
        let sign = format!(
            "{} sign {}",
            command.get_program().to_str().unwrap(),
            self.home.beside("message").display()
        );
        let script = script.replace("SIGN", &sign);
        Terminal::run(shell, &[options, &["-c", &script]].concat(), &command)
    }

    fn icnctl(&self) -> Process {
        Process::find("icnctl", self.home.beside("message").to_str().unwrap())
    }
}

/// Until the prompt is there and nothing more is shown of what is typed.
fn asked(terminal: &Terminal) {
    terminal.wait_for(PROMPT);
    assert!(!terminal.echoes());
}

/// Every signal by name that ends a program, and of those without a name the first and the
/// last. PIPE is ignored by every program in Rust.
const ENDING: [(&str, i32); 23] = [
    ("HUP", 1),
    ("INT", 2),
    ("QUIT", 3),
    ("ILL", 4),
    ("TRAP", 5),
    ("ABRT", 6),
    ("BUS", 7),
    ("FPE", 8),
    ("USR1", 10),
    ("SEGV", 11),
    ("USR2", 12),
    ("ALRM", 14),
    ("TERM", 15),
    ("STKFLT", 16),
    ("XCPU", 24),
    ("XFSZ", 25),
    ("VTALRM", 26),
    ("PROF", 27),
    ("IO", 29),
    ("PWR", 30),
    ("SYS", 31),
    ("RTMIN", 34),
    ("RTMAX", 64),
];

#[test]
fn a_signal_at_a_prompt_ends_it_and_leaves_the_terminal_as_it_was() {
    let prompt = Prompt::new();
    for (name, signal) in ENDING {
        let script = "SIGN; echo \"ended by $?\"; stty -a";
        let mut terminal = prompt.shell("dash", &[], script);
        asked(&terminal);
        // Half of a passphrase, which is not for the shell.
        terminal.types(b"half");
        prompt.icnctl().send(signal);
        // dash goes on: it did not get the signal itself.
        terminal.wait_for(&format!("ended by {}", 128 + signal));
        terminal.ended();
        assert!(terminal.is_as_before(), "{name}: {}", terminal.seen());
        let seen = terminal.seen();
        for mode in ["echo", "isig", "icanon"] {
            assert!(seen.split_whitespace().any(|word| word == mode), "{name}: {seen}");
        }
        assert!(!seen.contains("half"), "{name}: {seen}");
    }
}

#[test]
fn ctrl_c_at_a_prompt_ends_the_whole_script() {
    let prompt = Prompt::new();
    for key in [b"\x03", b"\x1c"] {
        for script in [
            "SIGN; echo went on",
            "x=$(SIGN); echo \"went on with $x\"",
            "SIGN | cat; echo went on",
            "(SIGN; echo went on)",
        ] {
            for shell in ["dash", "bash"] {
                let mut terminal = prompt.shell(shell, &[], script);
                asked(&terminal);
                let icnctl = prompt.icnctl();
                terminal.types(key);
                icnctl.wait_until(None);
                terminal.ended();
                assert!(terminal.is_as_before(), "{shell} {script}");
                // Of Ctrl-\ bash says that it ignores it for itself.
                if key == b"\x03" {
                    assert!(!terminal.seen().contains("went on"), "{}", terminal.seen());
                }
            }
        }
    }
}

#[test]
fn a_timeout_at_a_prompt_leaves_the_terminal_as_it_was() {
    let prompt = Prompt::new();
    let mut terminal = prompt.shell("dash", &[], "timeout --foreground 2 SIGN; echo \"code $?\"");
    asked(&terminal);
    terminal.wait_for("code 124");
    terminal.ended();
    assert!(terminal.is_as_before());
    // In a group of its own it is in the background, and never has the terminal.
    let mut terminal = prompt.shell("dash", &[], "timeout 1 SIGN; echo \"code $?\"");
    terminal.wait_for("code 124");
    terminal.ended();
    assert!(terminal.is_as_before() && !terminal.seen().contains(PROMPT), "{}", terminal.seen());
}

#[test]
fn a_hangup_of_the_terminal_ends_the_prompt() {
    let prompt = Prompt::new();
    let terminal = prompt.shell("dash", &[], "SIGN; echo went on");
    asked(&terminal);
    let icnctl = prompt.icnctl();
    terminal.close();
    icnctl.wait_until(None);
}

#[test]
fn a_prompt_that_is_stopped_gives_the_terminal_back_and_asks_again() {
    let prompt = Prompt::new();
    // TSTP as Ctrl-Z sends it, and as another process does.
    for by_key in [true, false] {
        // With job control, so that the shell takes the terminal when the job stops.
        let script = "SIGN; stty -a; kill -0 $$; fg; echo \"code $?\"";
        let mut terminal = prompt.shell("bash", &["-m"], script);
        asked(&terminal);
        let icnctl = prompt.icnctl();
        terminal.types(b"half");
        terminal.look_away();
        if by_key {
            terminal.types(b"\x1a")
        } else {
            icnctl.send(20)
        }
        // The shell shows the modes while it is stopped, and then lets it go on.
        terminal.wait_for("isig ");
        terminal.wait_for(PROMPT);
        let seen = terminal.seen();
        let modes = &seen[seen.find("speed").unwrap()..seen.rfind(PROMPT).unwrap()];
        for mode in ["echo", "isig", "icanon"] {
            assert!(modes.split_whitespace().any(|word| word == mode), "{seen}");
        }
        assert!(!terminal.echoes());
        terminal.types(format!("{PASSPHRASE}\n").as_bytes());
        terminal.wait_for("code 0");
        terminal.ended();
        assert!(terminal.is_as_before() && !terminal.seen().contains(PASSPHRASE));
    }
    // STOP cannot be caught; when it goes on, it asks again without an echo.
    let mut terminal = prompt.shell("dash", &[], "SIGN; echo \"code $?\"");
    asked(&terminal);
    let icnctl = prompt.icnctl();
    icnctl.send(19);
    icnctl.wait_until(Some('T'));
    // As shells do when a job has stopped.
    terminal.set_as_before();
    terminal.look_away();
    icnctl.send(18);
    terminal.wait_for(PROMPT);
    terminal.types(format!("{PASSPHRASE}\n").as_bytes());
    terminal.wait_for("code 0");
    terminal.ended();
    assert!(terminal.is_as_before() && !terminal.seen().contains(PASSPHRASE));
}

/// `bg` lets it on where the terminal is the shell's: it stops again, and asks again when it
/// has the terminal.
#[test]
fn a_prompt_that_is_stopped_and_sent_to_the_background_asks_again_in_the_foreground() {
    let prompt = Prompt::new();
    for end in ["fg; echo \"code $?\"", "kill %1; read x; wait %1; echo \"code $?\""] {
        let script = format!("SIGN; bg; echo sent; read x; {end}");
        let mut terminal = prompt.shell("bash", &["-m"], &script);
        asked(&terminal);
        let icnctl = prompt.icnctl();
        terminal.types(b"\x1a");
        terminal.wait_for("sent");
        icnctl.wait_until(Some('T'));
        terminal.look_away();
        terminal.types(b"a line for the shell\n");
        if end.starts_with("fg") {
            asked(&terminal);
            terminal.types(format!("{PASSPHRASE}\n").as_bytes());
            terminal.wait_for("code 0");
        } else {
            // It is not stopped once more instead. The shell is asked when it is gone: before,
            // it may still hold it for stopped.
            icnctl.wait_until(None);
            terminal.types(b"another line\n");
            terminal.wait_for("code 143");
        }
        terminal.ended();
        let seen = terminal.seen();
        assert!(terminal.is_as_before() && !seen.contains(PASSPHRASE), "{seen}");
        assert!(!seen.contains("no terminal to ask on"), "{seen}");
    }
}

/// It stops, as `cat &` does, and does not touch the terminal before it is let on.
#[test]
fn a_prompt_in_the_background_waits_for_the_foreground() {
    let prompt = Prompt::new();
    let script = "SIGN & wait %1; echo waiting; read x; fg; echo \"code $?\"";
    let mut terminal = prompt.shell("bash", &["-m"], script);
    let icnctl = prompt.icnctl();
    icnctl.wait_until(Some('T'));
    assert!(terminal.is_as_before() && !terminal.seen().contains(PROMPT), "{}", terminal.seen());
    // Let on in the background, it stops again.
    icnctl.send(18);
    icnctl.wait_until(Some('T'));
    assert!(terminal.is_as_before() && !terminal.seen().contains(PROMPT));
    // What is typed is the shell's.
    terminal.types(b"a line for the shell\n");
    asked(&terminal);
    terminal.types(format!("{PASSPHRASE}\n").as_bytes());
    terminal.wait_for("code 0");
    terminal.ended();
    assert!(terminal.is_as_before());
}

/// A shell without job control starts it with Ctrl-C ignored, in its own group.
#[test]
fn a_prompt_in_the_background_without_job_control_ends_with_its_shell() {
    let prompt = Prompt::new();
    let mut terminal = prompt.shell("dash", &[], "SIGN & wait; echo went on");
    asked(&terminal);
    let icnctl = prompt.icnctl();
    terminal.types(b"\x03");
    icnctl.wait_until(None);
    terminal.ended();
    assert!(terminal.is_as_before() && !terminal.seen().contains("went on"), "{}", terminal.seen());
}

/// Nobody could ever let it on: it says so at once.
#[test]
fn a_prompt_in_an_orphaned_background_group_fails() {
    let prompt = Prompt::new();
    let script = "bash -m -c '(sleep 1; SIGN >LOG 2>&1; echo \"code $?\" >>LOG) & exit'; read x";
    let log = prompt.home.beside("log");
    let script = script.replace("LOG", log.to_str().unwrap());
    let terminal = prompt.shell("dash", &[], &script);
    let read = || std::fs::read_to_string(&log).unwrap_or_default();
    let start = std::time::Instant::now();
    while !read().contains("code") {
        assert!(start.elapsed().as_secs() < 60, "{}", read());
        std::thread::sleep(std::time::Duration::from_millis(50));
    }
    let said = read();
    assert!(said.contains("there is no terminal to ask on") && said.contains("code 1"), "{said}");
    assert!(terminal.is_as_before() && !terminal.seen().contains(PROMPT));
    terminal.close();
}

/// The process dies by the signal, and not with a code that looks like it.
#[test]
fn a_prompt_that_a_signal_ends_is_killed_by_it() {
    let prompt = Prompt::new();
    for signal in [1, 2, 3, 14, 15] {
        let mut terminal = prompt.shell("dash", &[], "exec SIGN");
        asked(&terminal);
        prompt.icnctl().send(signal);
        // `setsid --wait` passes it on as a shell does.
        let status = terminal.ended();
        let by_code = status.code() == Some(128 + signal);
        assert!(status.signal() == Some(signal) || by_code, "{signal}: {status}");
        assert!(terminal.is_as_before());
    }
}
