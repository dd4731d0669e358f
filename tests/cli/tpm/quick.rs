//! What tests ask a TPM before and after every command. (tpm2-tools would take
//! longer for it than `icnctl` does.)

use std::io::{Read as _, Write as _};
use std::net::TcpStream;

use support::swtpm::Swtpm;

const HANDLES: u32 = 1;
const PROPERTIES: u32 = 6;
const LOCKOUT_COUNTER: u32 = 0x20e;

pub(crate) fn lockout_counter(tpm: &Swtpm) -> u32 {
    let told = capability(tpm, PROPERTIES, LOCKOUT_COUNTER, 1);
    assert_eq!((told.len(), told[0]), (2, LOCKOUT_COUNTER));
    told[1]
}

/// How many objects are loaded, and how many sessions are loaded or saved.
pub(crate) fn loaded(tpm: &Swtpm) -> (usize, usize) {
    let [objects, loaded, saved] = [0x8000_0000, 0x0200_0000, 0x0300_0000]
        .map(|first| capability(tpm, HANDLES, first, 100).len());
    (objects, loaded + saved)
}

/// `TPM2_GetCapability`: the list without its length.
fn capability(tpm: &Swtpm, capability: u32, first: u32, count: u32) -> Vec<u32> {
    let words = [0x17a, capability, first, count].map(u32::to_be_bytes);
    let command = [&[0x80, 1, 0, 0, 0, 22], words.as_flattened()].concat();
    let tcti = tpm.tcti();
    let (host, port) = tcti.strip_prefix("swtpm:host=").unwrap().split_once(",port=").unwrap();
    let mut stream = TcpStream::connect((host, port.parse().unwrap())).unwrap();
    stream.write_all(&command).unwrap();
    let mut head = [0; 19];
    stream.read_exact(&mut head).unwrap();
    assert_eq!(head[6..10], [0; 4], "TPM2_GetCapability");
    let size = u32::from_be_bytes(head[2..6].try_into().unwrap());
    let mut list = vec![0; usize::try_from(size).unwrap() - head.len()];
    stream.read_exact(&mut list).unwrap();
    list.as_chunks().0.iter().map(|word| u32::from_be_bytes(*word)).collect()
}
