//! Reading a process' memory from outside, and finding halves of secrets there.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, File};
use std::ops::Range;
use std::os::unix::fs::FileExt as _;

use super::secret::{Form, Pattern};

/// As many consecutive bytes of a secret are a find, wherever they are.
const HALF: usize = 16;
/// Every half has one of the secret's own words of this length whole in it.
const WORD: usize = 8;
/// The Rust heap of the probe.
const HEAP: Range<u64> = 0x5eed_0000_0000..0x5eee_0000_0000;

/// Where a find is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Place {
    /// Locked, and left out of core dumps.
    Locked,
    /// The Rust heap.
    Heap,
    /// The main thread's stack.
    Stack,
    /// Anywhere else, the heap of C code too.
    Other,
}

pub(crate) struct Find {
    pub(crate) secret: String,
    pub(crate) form: Form,
    /// The secret's bytes that are there.
    pub(crate) bytes: Range<usize>,
    pub(crate) place: Place,
    address: u64,
    mapping: String,
}

impl Find {
    /// 32 bytes as they are.
    pub(crate) fn is_whole_copy(&self) -> bool {
        self.form == Form::Plain && self.bytes == (0..32)
    }

    /// In the heap of C code: that of Rust is in a mapping of its own.
    pub(crate) fn is_in_heap_of_c(&self) -> bool {
        self.place == Place::Other && self.mapping.starts_with("[heap] ")
    }
}

impl fmt::Debug for Find {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { secret, form, bytes, place, address, mapping } = self;
        write!(f, "{secret} {form:?} {bytes:?} at {address:#x} ({place:?}: {mapping})")
    }
}

/// One mapping of `/proc/PID/smaps`.
struct Mapping {
    range: Range<u64>,
    readable: bool,
    name: String,
    flags: String,
}

/// What was read, and what was found in it.
pub(crate) struct Scan {
    pub(crate) finds: Vec<Find>,
    pub(crate) bytes: usize,
}

/// Reads every readable mapping of a process that stands still.
pub(crate) fn scan(process: u32, patterns: &[Pattern]) -> Scan {
    let words = Words::of(patterns);
    let memory = File::open(format!("/proc/{process}/mem"))
        .unwrap_or_else(|error| panic!("the memory of a child cannot be read: {error}"));
    let mut scan = Scan { finds: Vec::new(), bytes: 0 };
    for mapping in mappings(process) {
        // The kernel's own pages, which /proc does not show.
        if !mapping.readable || ["[vvar]", "[vvar_vclock]", "[vsyscall]"].contains(&&*mapping.name)
        {
            continue;
        }
        let length = usize::try_from(mapping.range.end - mapping.range.start).unwrap();
        let mut bytes = vec![0; length];
        memory
            .read_exact_at(&mut bytes, mapping.range.start)
            .unwrap_or_else(|error| panic!("{} cannot be read: {error}", mapping.name));
        scan.bytes += length;
        for (pattern, at, part) in words.find(&bytes, patterns) {
            let address = mapping.range.start + u64::try_from(at).unwrap();
            scan.finds.push(Find {
                secret: pattern.secret.clone(),
                form: pattern.form,
                bytes: part,
                place: mapping.place(),
                address,
                mapping: format!("{} {}", mapping.name, mapping.flags),
            });
        }
    }
    // Less is not even the program itself.
    assert!(scan.bytes > 1 << 20, "only {} bytes", scan.bytes);
    scan
}

impl Mapping {
    fn place(&self) -> Place {
        let flag = |flag| self.flags.split(' ').any(|known| known == flag);
        match &*self.name {
            _ if flag("lo") && flag("dd") => Place::Locked,
            _ if HEAP.contains(&self.range.start) => Place::Heap,
            "[stack]" => Place::Stack,
            _ => Place::Other,
        }
    }
}

fn mappings(process: u32) -> Vec<Mapping> {
    let text = fs::read_to_string(format!("/proc/{process}/smaps")).unwrap();
    let mut mappings: Vec<Mapping> = Vec::new();
    for line in text.lines() {
        let mut words = line.split_ascii_whitespace();
        let first = words.next().unwrap();
        if let Some(flags) = line.strip_prefix("VmFlags:") {
            mappings.last_mut().unwrap().flags = flags.trim().to_owned();
        } else if !first.ends_with(':') {
            let (start, end) = first.split_once('-').unwrap();
            let number = |text| u64::from_str_radix(text, 16).unwrap();
            mappings.push(Mapping {
                range: number(start)..number(end),
                readable: words.next().unwrap().starts_with('r'),
                name: words.skip(3).collect::<Vec<_>>().join(" "),
                flags: String::new(),
            });
        }
    }
    mappings
}

/// The words that halves are found by.
struct Words {
    /// Of the first two bytes.
    starts: Vec<bool>,
    /// Pattern and offset in it.
    known: HashMap<[u8; WORD], Vec<(usize, usize)>>,
}

impl Words {
    fn of(patterns: &[Pattern]) -> Self {
        let mut this = Self { starts: vec![false; 1 << 16], known: HashMap::new() };
        for (index, pattern) in patterns.iter().enumerate() {
            assert!(pattern.bytes.len().is_multiple_of(4) && pattern.bytes.len() >= HALF);
            for (at, word) in pattern.bytes.as_chunks::<WORD>().0.iter().enumerate() {
                this.starts[usize::from(u16::from_le_bytes([word[0], word[1]]))] = true;
                this.known.entry(*word).or_default().push((index, at * WORD));
            }
        }
        this
    }

    /// Every run of at least [`HALF`] bytes of a pattern: where it begins, and
    /// which bytes of the pattern it has.
    fn find<'a>(
        &self,
        memory: &[u8],
        patterns: &'a [Pattern],
    ) -> Vec<(&'a Pattern, usize, Range<usize>)> {
        let mut found: Vec<(&Pattern, usize, Range<usize>)> = Vec::new();
        let mut at = 0;
        while at + WORD <= memory.len() {
            // Most memory is zeros.
            if memory[at] == 0 && memory[at + 1..].starts_with(&[0; 256]) {
                at += 256;
                continue;
            }
            if self.starts[usize::from(u16::from_le_bytes([memory[at], memory[at + 1]]))]
                && let Some(known) = self.known.get(&memory[at..at + WORD])
            {
                for (index, offset) in known {
                    let run = run(memory, at, &patterns[*index].bytes, *offset);
                    let begins = at + run.start - offset;
                    let here = (&patterns[*index], begins, run.clone());
                    let same = |(pattern, place, _): &(&Pattern, usize, Range<usize>)| {
                        std::ptr::eq(*pattern, here.0) && *place == begins
                    };
                    if run.len() >= HALF && !found.iter().any(same) {
                        found.push(here);
                    }
                }
            }
            at += 1;
        }
        found
    }
}

/// How far memory and pattern are the same, on both sides of a common byte.
fn run(memory: &[u8], at: usize, pattern: &[u8], offset: usize) -> Range<usize> {
    let before = memory[..at].iter().rev().zip(pattern[..offset].iter().rev());
    let after = memory[at..].iter().zip(&pattern[offset..]);
    let same = |pair: &(&u8, &u8)| pair.0 == pair.1;
    offset - before.take_while(same).count()..offset + after.take_while(same).count()
}

/// Every half is found, at every place, and nothing shorter.
#[test]
fn every_half_of_a_secret_is_found() {
    let secret: Vec<u8> = (100..132).collect();
    let pattern = Pattern { secret: "s".into(), form: Form::Plain, bytes: secret.clone() };
    let patterns = [pattern];
    let words = Words::of(&patterns);
    for length in 1..=32 {
        for from in 0..=32 - length {
            for place in [0, 1, 7, 8, 300, 1000 - length] {
                let mut memory = vec![0; 1000];
                memory[place..place + length].copy_from_slice(&secret[from..from + length]);
                let found = words.find(&memory, &patterns);
                if length < HALF {
                    assert!(found.is_empty(), "{length} bytes");
                } else {
                    let [(_, at, part)] = &found[..] else { panic!("{length} bytes from {from}") };
                    assert_eq!((*at, part.clone()), (place, from..from + length));
                }
            }
        }
    }
}
