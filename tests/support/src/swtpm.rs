//! A TPM of one test's own: swtpm with its state in a temporary directory, on a
//! loopback address of its own, and the tpm2-tools on it. Missing software is a
//! failure, never a skip.
//!
//! What swtpm 0.7 with the TCTI `swtpm` of tss2 3.2 does, as tests may rely on:
//!
//! - swtpm serves one connection at a time on the command port, and one on the
//!   control port. It queues two more; the next would have to wait for a SYN to be
//!   sent again, one second, so its queues are made longer.
//! - The TCTI opens a connection for every single command and closes it when it
//!   has the answer. So an idle ESYS context holds none, several contexts can
//!   take turns, and a context that is made before a power cycle still gets
//!   through afterwards (its handles are gone). A new context first makes an
//!   empty connection to the command port, then sets its locality on the
//!   control port.
//! - There is no resource manager: transient objects and sessions outlive the
//!   connection that made them, until they are flushed or the TPM is restarted.
//!   Most tpm2-tools leave a transient object behind; there is room for three.

use std::collections::hash_map::RandomState;
use std::fs::{self, File};
use std::hash::BuildHasher as _;
use std::io::{self, Read as _, Write as _};
use std::net::{Ipv4Addr, SocketAddrV4, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Output, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use crate::child::inherits_nothing;
use crate::queue;

/// For all that has to happen soon.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

const READ_CLOCK: [u8; 10] = [0x80, 1, 0, 0, 0, 10, 0, 0, 1, 0x81];
/// Transient objects, loaded sessions, saved sessions.
const LEFT: [u32; 3] = [0x8000_0000, 0x0200_0000, 0x0300_0000];
const SHUTDOWN_CLEAR: [u8; 12] = [0x80, 1, 0, 0, 0, 12, 0, 0, 1, 0x45, 0, 0];

/// What PCRs are extended by.
const EXTENSION: &str = "5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a5a";

/// Killed when it is dropped.
pub struct Swtpm {
    dir: TempDir,
    /// Of the commands; the control port is the next one.
    pub(crate) address: SocketAddrV4,
    /// Whether it starts up by itself.
    started: bool,
    /// None while the power is off.
    child: Option<Child>,
}

impl Swtpm {
    /// A new TPM, started up.
    pub fn start() -> Self {
        let dir = tempfile::tempdir().unwrap();
        for name in ["state", "scratch"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        let mut this = Self { dir, address: free_address(), started: true, child: None };
        this.boot(true);
        this
    }

    /// A clean power cycle: PCRs, transient objects and sessions are reset,
    /// persistent objects and seeds remain. The address stays the same.
    pub fn restart(&mut self) {
        self.power_off();
        self.power_on();
    }

    /// Shuts down cleanly and leaves: connections to it are refused.
    pub fn power_off(&mut self) {
        assert!(self.child.is_some(), "it is off already");
        let answer = self.answer(&SHUTDOWN_CLEAR).unwrap_or_else(|error| {
            panic!("no TPM2_Shutdown ({error}): does a client hold the connection?")
        });
        assert_eq!(answer[6..10], [0; 4], "TPM2_Shutdown");
        self.cut_power();
    }

    /// Without a shutdown. When an object with dictionary-attack protection has
    /// been used since the last start, this costs one try.
    pub fn cut_power(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn power_on(&mut self) {
        assert!(self.child.is_none(), "it is on already");
        self.boot(false);
    }

    /// For TCTI settings.
    pub fn tcti(&self) -> String {
        tcti(self.address)
    }

    /// A file in the directory where tools run.
    pub fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join("scratch").join(name)
    }

    /// Runs a program of tpm2-tools and expects success; gives standard output.
    pub fn tool(&self, program: &str, args: &[&str]) -> String {
        let (success, out, err) = self.try_tool(program, args);
        assert!(success, "{program} {args:?}: {out}{err}");
        out
    }

    /// Success, standard output, standard error.
    pub fn try_tool(&self, program: &str, args: &[&str]) -> (bool, String, String) {
        self.try_tool_by(&self.tcti(), program, args)
    }

    /// The same by another way, as by a [`wire::Wire`].
    pub fn try_tool_by(&self, tcti: &str, program: &str, args: &[&str]) -> (bool, String, String) {
        let Output { status, stdout, stderr } = inherits_nothing(program)
            .args(args)
            .env("TPM2TOOLS_TCTI", tcti)
            .current_dir(self.path(""))
            .stdin(Stdio::null())
            .output()
            .unwrap_or_else(|error| needed(program, &error));
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (status.success(), text(&stdout), text(&stderr))
    }

    /// Extends a PCR of the SHA-256 bank by a fixed value.
    pub fn extend_pcr(&self, index: u32) {
        self.tool("tpm2_pcrextend", &[&format!("{index}:sha256={EXTENSION}")]);
    }

    /// Does the same when it is called, wherever that is.
    pub fn extender(&self, index: u32) -> impl FnOnce() + Send + 'static {
        let (tcti, extension) = (self.tcti(), format!("{index}:sha256={EXTENSION}"));
        move || {
            let mut command = inherits_nothing("tpm2_pcrextend");
            let done = command.arg(extension).env("TPM2TOOLS_TCTI", tcti).status();
            assert!(done.is_ok_and(|status| status.success()), "tpm2_pcrextend");
        }
    }

    /// Of the SHA-256 bank, in lower-case hex.
    pub fn read_pcr(&self, index: u32) -> String {
        let out = self.tool("tpm2_pcrread", &[&format!("sha256:{index}")]);
        let (_, value) = out.split_once("0x").unwrap_or_else(|| panic!("{out}"));
        value.trim().to_ascii_lowercase()
    }

    pub fn lockout_counter(&self) -> u32 {
        let out = self.tool("tpm2_getcap", &["properties-variable"]);
        let value = out.lines().find_map(|line| line.strip_prefix("TPM2_PT_LOCKOUT_COUNTER: 0x"));
        u32::from_str_radix(value.unwrap_or_else(|| panic!("{out}")).trim(), 16).unwrap()
    }

    /// Tries until lock-out, seconds until a try is given back, and seconds until
    /// the lock-out authorization can be used again after a failure.
    pub fn set_dictionary_attack(&self, tries: u32, recovery: u32, lockout_recovery: u32) {
        let [tries, recovery, lockout] = [tries, recovery, lockout_recovery].map(|n| n.to_string());
        self.tool("tpm2_dictionarylockout", &["-s", "-n", &tries, "-t", &recovery, "-l", &lockout]);
    }

    /// Takes back all failed tries.
    pub fn clear_lockout(&self) {
        self.tool("tpm2_dictionarylockout", &["-c"]);
    }

    /// Another program that gives a wrong password each time it is called, which
    /// counts. It needs room for one object.
    pub fn other_program(&self) -> impl Fn() + Send + Sync + 'static {
        const HANDLE: &str = "0x81000f00";
        std::fs::write(self.path("other"), "theirs").unwrap();
        let step = |program: &str, args: &[&str]| {
            self.tool(program, args);
            self.tool("tpm2_flushcontext", &["-t"]);
        };
        step("tpm2_createprimary", &["-Q", "-C", "o", "-c", "other.ctx"]);
        let create = ["-Q", "-C", "other.ctx", "-i", "other", "-p", "theirs"];
        step("tpm2_create", &[&create[..], &["-u", "o.pub", "-r", "o.priv"]].concat());
        let load = ["-Q", "-C", "other.ctx", "-u", "o.pub", "-r", "o.priv", "-c", "o.ctx"];
        step("tpm2_load", &load);
        step("tpm2_evictcontrol", &["-Q", "-C", "o", "-c", "o.ctx", HANDLE]);
        // What the TPM notes when such an object is used for the first time.
        self.tool("tpm2_unseal", &["-Q", "-c", HANDLE, "-p", "theirs", "-o", "other"]);
        let tcti = self.tcti();
        move || {
            let mut unseal = inherits_nothing("tpm2_unseal");
            unseal.args(["-Q", "-c", HANDLE, "-p", "wrong"]).env("TPM2TOOLS_TCTI", &tcti);
            let done = unseal.stdin(Stdio::null()).stderr(Stdio::null()).status();
            assert!(done.is_ok_and(|status| !status.success()), "tpm2_unseal");
        }
    }

    /// Of all objects and sessions that clients have left.
    pub fn flush(&self) {
        for first in LEFT {
            // TPM2_GetCapability: up to 32 handles.
            let mut ask = vec![0x80, 1, 0, 0, 0, 22, 0, 0, 1, 0x7a, 0, 0, 0, 1];
            ask.extend(first.to_be_bytes());
            ask.extend(32_u32.to_be_bytes());
            let answer = self.answer(&ask).unwrap();
            assert_eq!(answer[6..10], [0; 4], "TPM2_GetCapability: {answer:?}");
            for handle in answer[19..].chunks(4) {
                let flush = [&[0x80, 1, 0, 0, 0, 14, 0, 0, 1, 0x65][..], handle].concat();
                let answer = self.answer(&flush).unwrap();
                assert_eq!(answer[6..], [0; 4], "TPM2_FlushContext: {handle:?}");
            }
        }
    }

    /// A new owner: new storage seed, no objects of the old one.
    pub fn clear(&self) {
        self.tool("tpm2_clear", &[]);
    }

    /// Makes a P-256 storage root persistent (template H-2: AES-128-CFB, empty
    /// unique, noDA), and leaves nothing else behind.
    pub fn make_storage_root(&self, handle: u32) {
        let before = self.handles("transient");
        let attributes =
            "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda|restricted|decrypt";
        let key = ["-g", "sha256", "-G", "ecc256:null:aes128cfb", "-a", attributes];
        self.tool("tpm2_createprimary", &[&["-Q", "-C", "o", "-c", "root.ctx"], &key[..]].concat());
        self.tool("tpm2_evictcontrol", &["-C", "o", "-c", "root.ctx", &format!("{handle:#x}")]);
        for left in self.handles("transient") {
            if !before.contains(&left) {
                self.tool("tpm2_flushcontext", &[&left]);
            }
        }
    }

    /// How many objects are loaded, persistent ones apart.
    pub fn transients(&self) -> usize {
        self.handles("transient").len()
    }

    /// How many sessions are loaded or saved.
    pub fn sessions(&self) -> usize {
        self.handles("loaded-session").len() + self.handles("saved-session").len()
    }

    /// Handles of a kind, as tpm2_getcap names it: `transient`, `persistent`, ...
    pub fn handles(&self, kind: &str) -> Vec<String> {
        let out = self.tool("tpm2_getcap", &[&format!("handles-{kind}")]);
        out.lines().filter_map(|line| line.strip_prefix("- ")).map(str::to_owned).collect()
    }

    /// A power cycle after which nobody sends `TPM2_Startup`.
    pub fn restart_without_startup(&mut self) {
        self.power_off();
        self.started = false;
        self.power_on();
        self.started = true;
    }

    fn boot(&mut self, anywhere: bool) {
        let deadline = Instant::now() + PATIENCE;
        self.child = Some(self.spawn());
        while !self.answers() {
            let ended = self.child.as_mut().unwrap().try_wait().unwrap();
            assert!(Instant::now() < deadline, "swtpm does not start ({ended:?}): {}", self.log());
            if ended.is_some() {
                // Somebody else has got the port.
                if anywhere {
                    self.address = free_address();
                }
                self.child = Some(self.spawn());
            }
            sleep(Duration::from_millis(5));
        }
        self.child.as_ref().into_iter().for_each(queue::lengthen);
    }

    fn spawn(&self) -> Child {
        let log = File::options().create(true).append(true).open(self.log_path()).unwrap();
        let at = |port: u16| format!("type=tcp,port={port},bindaddr={}", self.address.ip());
        inherits_nothing("swtpm")
            .args(["socket", "--tpm2", "--flags"])
            .arg(if self.started { "not-need-init,startup-clear" } else { "not-need-init" })
            .args(["--tpmstate", &format!("dir={}", self.dir.path().join("state").display())])
            .args(["--server", &at(self.address.port())])
            .args(["--ctrl", &at(self.address.port() + 1)])
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .unwrap_or_else(|error| needed("swtpm", &error))
    }

    fn answers(&self) -> bool {
        let control = next_port(self.address);
        TcpStream::connect_timeout(&control.into(), PATIENCE).is_ok()
            && self.answer(&READ_CLOCK).is_ok_and(|answer| {
                // TPM_RC_INITIALIZE
                answer[6..10] == if self.started { [0; 4] } else { [0, 0, 1, 0] }
            })
    }

    /// The answer to a raw command.
    pub(crate) fn answer(&self, command: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect_timeout(&self.address.into(), PATIENCE)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.write_all(command)?;
        let mut answer = vec![0; 10];
        stream.read_exact(&mut answer)?;
        let length = answer[2..6].iter().fold(0, |length, byte| length << 8 | usize::from(*byte));
        answer.resize(length, 0);
        stream.read_exact(&mut answer[10..])?;
        Ok(answer)
    }

    fn log_path(&self) -> PathBuf {
        self.dir.path().join("swtpm.log")
    }

    fn log(&self) -> String {
        fs::read_to_string(self.log_path()).unwrap_or_default()
    }
}

impl Drop for Swtpm {
    fn drop(&mut self) {
        self.cut_power();
    }
}

fn needed(program: &str, error: &io::Error) -> ! {
    panic!(
        "{program} is needed ({error}): \
         apt-get install swtpm swtpm-tools tpm2-tools libtss2-tcti-swtpm0"
    )
}

pub(crate) fn tcti(address: SocketAddrV4) -> String {
    format!("swtpm:host={},port={}", address.ip(), address.port())
}

pub(crate) fn next_port(address: SocketAddrV4) -> SocketAddrV4 {
    SocketAddrV4::new(*address.ip(), address.port() + 1)
}

fn free_address() -> SocketAddrV4 {
    listen().0
}

/// Two neighbouring ports on a random loopback address.
pub(crate) fn listen() -> (SocketAddrV4, TcpListener, TcpListener) {
    for _ in 0..100 {
        let [a, b, c, ..] =
            RandomState::new().hash_one(0_u8).to_be_bytes().map(|byte| byte.clamp(1, 254));
        let first = TcpListener::bind((Ipv4Addr::new(127, a, b, c), 0)).unwrap();
        let std::net::SocketAddr::V4(address) = first.local_addr().unwrap() else { continue };
        if address.port() == u16::MAX {
            continue;
        }
        if let Ok(second) = TcpListener::bind(next_port(address)) {
            return (address, first, second);
        }
    }
    panic!("no two free ports")
}
