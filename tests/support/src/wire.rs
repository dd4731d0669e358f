//! A wire to a TPM that can be listened to, and cut.

use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddrV4, TcpListener, TcpStream};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle, sleep};
use std::time::Duration;

use crate::swtpm::{PATIENCE, Swtpm, listen, next_port, tcti};

const COMMANDS: usize = 0;
const CONTROL: usize = 1;

/// A proxy in front of a [`Swtpm`], which may be restarted meanwhile. Serves one
/// connection at a time on each port, as swtpm does, and queues more. While the
/// TPM is away, connections are not refused but closed at once: a new context
/// can be made, and fails at its first command. With the TPM's own TCTI it
/// cannot be made.
pub struct Wire {
    address: SocketAddrV4,
    state: Arc<Mutex<State>>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    ended: bool,
    cut: Option<Cut>,
    /// The command whose answer is to be lost.
    lose: Option<u32>,
    /// The answer under way is lost.
    deaf: bool,
    /// Answers in the TPM's place.
    refusal: Option<Refusal>,
    /// A command has gone to the TPM, its answer has not come.
    waiting: bool,
    /// Both ends of the present connection of each channel.
    present: [Option<(TcpStream, TcpStream)>; 2],
    streams: usize,
    /// What was said, by connection and direction.
    heard: BTreeMap<usize, Vec<u8>>,
    commands: Vec<u32>,
    /// Commands that got an answer, with its code.
    answered: Vec<(u32, u32)>,
    /// After so many commands, between two connections.
    hook: Option<(usize, Box<dyn FnOnce() + Send>)>,
}

enum Cut {
    Next,
    At(u32),
}

struct Refusal {
    command: u32,
    code: u32,
    times: usize,
}

impl Wire {
    pub fn new(tpm: &Swtpm) -> Self {
        let (address, commands, control) = listen();
        let state = Arc::new(Mutex::new(State::default()));
        let ends = [(COMMANDS, commands, tpm.address), (CONTROL, control, next_port(tpm.address))];
        let threads = ends.map(|(channel, listener, to)| {
            let state = Arc::clone(&state);
            thread::spawn(move || serve(channel, &listener, to, &state))
        });
        Self { address, state, threads: threads.into() }
    }

    /// For TCTI settings, instead of that of the TPM.
    pub fn tcti(&self) -> String {
        tcti(self.address)
    }

    /// The codes of all commands in order, those too that got no answer.
    pub fn commands(&self) -> Vec<u32> {
        lock(&self.state).commands.clone()
    }

    /// The same by name.
    pub fn names(&self) -> Vec<String> {
        self.commands().into_iter().map(command_name).collect()
    }

    /// Those that the TPM has answered, in order, each with the response code.
    pub fn answered(&self) -> Vec<(u32, u32)> {
        lock(&self.state).answered.clone()
    }

    /// Forgets what was heard.
    pub fn clear(&self) {
        let mut state = lock(&self.state);
        state.heard.clear();
        state.commands.clear();
        state.answered.clear();
    }

    /// All that was said on both channels: connection after connection, first
    /// what the client said, then what the TPM said.
    pub fn bytes(&self) -> Vec<u8> {
        lock(&self.state).heard.values().flatten().copied().collect()
    }

    /// Whether one side has said this within one connection.
    pub fn contains(&self, needle: &[u8]) -> bool {
        assert!(!needle.is_empty());
        let state = lock(&self.state);
        state.heard.values().any(|said| said.windows(needle.len()).any(|part| part == needle))
    }

    /// The command under way loses its connection; if there is none, the next
    /// one does before it reaches the TPM. (The TCTI has no connection between
    /// commands that could be cut.) All later commands get through.
    pub fn break_connection(&self) {
        let mut state = lock(&self.state);
        if state.waiting {
            state.hang_up(COMMANDS);
        } else {
            state.cut = Some(Cut::Next);
        }
    }

    /// The same, but the command that is lost is the next one with this code.
    pub fn break_at(&self, code: u32) {
        lock(&self.state).cut = Some(Cut::At(code));
    }

    /// The next command with this code reaches the TPM, and its answer is lost with the
    /// connection.
    pub fn lose_answer_of(&self, code: u32) {
        lock(&self.state).lose = Some(code);
    }

    /// The next commands with this code are answered with a response code, and do
    /// not reach the TPM.
    pub fn refuse(&self, command: u32, code: u32, times: usize) {
        lock(&self.state).refusal = Some(Refusal { command, code, times });
    }

    /// Does something when so many commands were answered, before the next one
    /// reaches the TPM. By then nobody is connected to it.
    pub fn after(&self, commands: usize, hook: impl FnOnce() + Send + 'static) {
        lock(&self.state).hook = Some((commands, Box::new(hook)));
    }

    /// Whether a break is still to come.
    pub fn break_pending(&self) -> bool {
        lock(&self.state).cut.is_some()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        let mut state = lock(&self.state);
        state.ended = true;
        state.hang_up(COMMANDS);
        state.hang_up(CONTROL);
        drop(state);
        // Those who wait for a connection wake up by one.
        let _ = TcpStream::connect_timeout(&self.address.into(), PATIENCE);
        let _ = TcpStream::connect_timeout(&next_port(self.address).into(), PATIENCE);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl State {
    /// Gives the number of the stream from the client; that from the TPM is the
    /// next one.
    fn begin(&mut self, channel: usize, client: &TcpStream, tpm: &TcpStream) -> usize {
        self.present[channel] = Some((client.try_clone().unwrap(), tpm.try_clone().unwrap()));
        self.streams += 2;
        self.streams - 2
    }

    fn hang_up(&self, channel: usize) {
        if let Some((client, tpm)) = &self.present[channel] {
            close(client, tpm);
        }
    }

    fn end(&mut self, channel: usize) {
        self.present[channel] = None;
        if channel == COMMANDS {
            self.waiting = false;
        }
    }

    fn take_hook(&mut self) -> Option<Box<dyn FnOnce() + Send>> {
        let (commands, _) = self.hook.as_ref()?;
        if *commands > self.commands.len() {
            return None;
        }
        self.hook.take().map(|(_, hook)| hook)
    }

    fn hear(&mut self, stream: usize, bytes: &[u8]) {
        self.heard.entry(stream).or_default().extend(bytes);
    }

    /// The answer to this command, if it is not to come from the TPM (part 3,
    /// section 5.5: tag, size, code).
    fn refused(&mut self, command: &[u8]) -> Option<[u8; 10]> {
        let refusal = self.refusal.as_mut()?;
        if refusal.times == 0 || refusal.command != big_endian(&command[6..10]) {
            return None;
        }
        refusal.times -= 1;
        let mut answer = [0x80, 0x01, 0, 0, 0, 10, 0, 0, 0, 0];
        answer[6..].copy_from_slice(&refusal.code.to_be_bytes());
        Some(answer)
    }

    /// Whether this command may go to the TPM.
    fn pass(&mut self, command: &[u8]) -> bool {
        let code = big_endian(&command[6..10]);
        self.commands.push(code);
        let cut = match self.cut {
            Some(Cut::Next) => true,
            Some(Cut::At(at)) => at == code,
            None => false,
        };
        if cut {
            self.cut = None;
        }
        self.deaf = !cut && self.lose == Some(code);
        if self.deaf {
            self.lose = None;
        }
        self.waiting = !cut;
        !cut
    }
}

fn serve(channel: usize, listener: &TcpListener, to: SocketAddrV4, state: &Mutex<State>) {
    loop {
        let accepted = listener.accept();
        if lock(state).ended {
            return;
        }
        let Ok((client, _)) = accepted else {
            sleep(Duration::from_millis(10));
            continue;
        };
        let Ok(tpm) = TcpStream::connect_timeout(&to.into(), PATIENCE) else { continue };
        // Or small packets wait for the acknowledgement of the last one.
        let _ = client.set_nodelay(true);
        let _ = tpm.set_nodelay(true);
        let stream = {
            let mut state = lock(state);
            if state.ended {
                return;
            }
            state.begin(channel, &client, &tpm)
        };
        thread::scope(|scope| {
            scope.spawn(|| answers(channel, stream + 1, &tpm, &client, state));
            requests(channel, stream, &client, &tpm, state);
        });
        let hook = {
            let mut state = lock(state);
            state.end(channel);
            if channel == COMMANDS { state.take_hook() } else { None }
        };
        drop((client, tpm));
        if let Some(hook) = hook {
            hook();
        }
    }
}

fn requests(
    channel: usize,
    stream: usize,
    mut client: &TcpStream,
    mut tpm: &TcpStream,
    state: &Mutex<State>,
) {
    // On the command port there are bare TPM commands, without a frame.
    let mut pending = Vec::new();
    while let Some(bytes) = read(client) {
        lock(state).hear(stream, &bytes);
        pending.extend(bytes);
        let sent = if channel == CONTROL {
            tpm.write_all(&std::mem::take(&mut pending)).is_ok()
        } else {
            loop {
                let Some(command) = take_command(&mut pending) else { break true };
                let pass = lock(state).pass(&command);
                let refused = lock(state).refused(&command);
                if let Some(answer) = refused {
                    if client.write_all(&answer).is_err() {
                        break false;
                    }
                    continue;
                }
                if !pass || tpm.write_all(&command).is_err() {
                    break false;
                }
            }
        };
        if !sent {
            return close(client, tpm);
        }
    }
    // Perhaps it still waits for an answer.
    let _ = tpm.write_all(&pending);
    let _ = tpm.shutdown(Shutdown::Write);
}

fn answers(
    channel: usize,
    stream: usize,
    tpm: &TcpStream,
    mut client: &TcpStream,
    state: &Mutex<State>,
) {
    while let Some(bytes) = read(tpm) {
        {
            let mut state = lock(state);
            state.hear(stream, &bytes);
            if channel == COMMANDS {
                if std::mem::take(&mut state.waiting)
                    && let (Some(command), Some(code)) = (state.commands.last(), bytes.get(6..10))
                {
                    let answer = (*command, big_endian(code));
                    state.answered.push(answer);
                }
                if std::mem::take(&mut state.deaf) {
                    break;
                }
            }
        }
        if client.write_all(&bytes).is_err() {
            break;
        }
    }
    close(client, tpm);
}

/// None at the end, be it good or bad.
fn read(mut stream: &TcpStream) -> Option<Vec<u8>> {
    let mut buffer = [0; 4096];
    let length = stream.read(&mut buffer).ok()?;
    (length > 0).then(|| buffer[..length].to_vec())
}

/// A whole command, off the front of what has come.
fn take_command(pending: &mut Vec<u8>) -> Option<Vec<u8>> {
    let size = usize::try_from(big_endian(pending.get(2..6)?)).unwrap().max(10);
    (pending.len() >= size).then(|| pending.drain(..size).collect())
}

fn big_endian(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes.try_into().unwrap())
}

fn close(one: &TcpStream, other: &TcpStream) {
    let _ = one.shutdown(Shutdown::Both);
    let _ = other.shutdown(Shutdown::Both);
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

/// For messages of assertions.
pub fn command_name(code: u32) -> String {
    let name = match code {
        0x120 => "EvictControl",
        0x126 => "Clear",
        0x131 => "CreatePrimary",
        0x139 => "DictionaryAttackLockReset",
        0x144 => "Startup",
        0x145 => "Shutdown",
        0x148 => "Certify",
        0x14a => "CertifyCreation",
        0x151 => "PolicySecret",
        0x153 => "Create",
        0x157 => "Load",
        0x15d => "Sign",
        0x15e => "Unseal",
        0x161 => "ContextLoad",
        0x162 => "ContextSave",
        0x165 => "FlushContext",
        0x167 => "LoadExternal",
        0x16a => "PolicyAuthorize",
        0x16b => "PolicyAuthValue",
        0x16c => "PolicyCommandCode",
        0x171 => "PolicyOR",
        0x173 => "ReadPublic",
        0x176 => "StartAuthSession",
        0x177 => "VerifySignature",
        0x17a => "GetCapability",
        0x17b => "GetRandom",
        0x17e => "PCR_Read",
        0x17f => "PolicyPCR",
        0x181 => "ReadClock",
        0x182 => "PCR_Extend",
        0x189 => "PolicyGetDigest",
        0x18a => "TestParms",
        0x191 => "CreateLoaded",
        _ => return format!("{code:#x}"),
    };
    name.to_owned()
}
