//! Commands by hand: a tool for each would take most of the time of a thousand interleavings.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use super::*;

const TRANSIENT: u32 = 0x8000_0000;
const LOADED_SESSIONS: u32 = 0x0200_0000;

/// With the empty password of the lock-out hierarchy (part 3, section 25).
pub(crate) fn lockout(tpm: &Swtpm, code: u32, parameters: &[u32]) {
    let password = [0x40, 0, 0, 9, 0, 0, 0, 0, 0];
    let mut body = [code, 0x4000_000a, 9].map(u32::to_be_bytes).concat();
    body.extend(password);
    body.extend(parameters.iter().flat_map(|word| word.to_be_bytes()));
    let length = u32::try_from(body.len() + 6).unwrap().to_be_bytes();
    let command = [&[0x80, 2][..], &length, &body].concat();
    assert_eq!(ask(tpm, &command)[6..10], [0; 4], "{code:#x}");
}

/// So many wrong ones lock it; none is given back while a test runs.
pub(crate) fn allow(tpm: &Swtpm, tries: u32) {
    lockout(tpm, 0x13a, &[tries, 6000, 6000]);
}

/// Takes back all that is counted.
pub(crate) fn clear(tpm: &Swtpm) {
    lockout(tpm, 0x139, &[]);
}

pub(crate) fn counted(tpm: &Swtpm) -> u32 {
    let answer = get_capability(tpm, 6, 0x20e, 1);
    u32::from_be_bytes(answer[23..27].try_into().unwrap())
}

/// As a resource manager does when a connection ends.
pub(crate) fn flush(tpm: &Swtpm) {
    for first in [TRANSIENT, LOADED_SESSIONS] {
        let answer = get_capability(tpm, 1, first, 64);
        for handle in answer[19..].chunks_exact(4) {
            let command = [&[0x80, 1, 0, 0, 0, 14, 0, 0, 1, 0x65], handle].concat();
            // Who made it may have flushed it meanwhile.
            ask(tpm, &command);
        }
    }
}

fn get_capability(tpm: &Swtpm, capability: u32, first: u32, count: u32) -> Vec<u8> {
    let words = [0x17a, capability, first, count].map(u32::to_be_bytes);
    ask(tpm, &[&[0x80, 1, 0, 0, 0, 22], words.as_flattened()].concat())
}

fn ask(tpm: &Swtpm, command: &[u8]) -> Vec<u8> {
    let tcti = tpm.tcti();
    let (host, port) = tcti.strip_prefix("swtpm:host=").unwrap().split_once(",port=").unwrap();
    let mut stream = TcpStream::connect((host, port.parse().unwrap())).unwrap();
    stream.write_all(command).unwrap();
    let mut answer = vec![0; 10];
    stream.read_exact(&mut answer).unwrap();
    let size = u32::from_be_bytes(answer[2..6].try_into().unwrap());
    answer.resize(usize::try_from(size).unwrap(), 0);
    stream.read_exact(&mut answer[10..]).unwrap();
    answer
}
