//! The script: one statement a line, words separated by blanks, `#` comments.
//!
//! `on FUNCTION WHEN EFFECT…` is a rule. WHEN counts the calls of the function
//! since the script was loaded: `3`, `2..4`, `all`, or `random 1/200 seed 7
//! gap 300` (each with that probability, but not within `gap` calls of any
//! function after the last random rule that held). EFFECT: `return CKR` (nothing real is called), `after CKR`,
//! `abort` and `abort-after` (the program ends before or after the real call),
//! `kill-session`, `kill-all`, `logout`, `remove-token`, `finalize`, `sleep MS`,
//! `die` (the process ends at once), `flip`, `zero` and `length N` (all of a signature).
//!
//! Everything else holds as long as the script does, see [`Script`].

use std::collections::BTreeSet;

use cryptoki_sys::{CK_ATTRIBUTE_TYPE, CK_MECHANISM_TYPE, CK_RV, CK_ULONG};

use crate::codes;

#[derive(Default)]
pub(crate) struct Script {
    pub(crate) rules: Vec<Rule>,
    /// `token removed`: no slot has a token, and no session lives.
    pub(crate) token_removed: bool,
    /// `flag NAME`: of the token or its PIN.
    pub(crate) flags: BTreeSet<String>,
    /// `tries N`: so many wrong PINs lock the token.
    pub(crate) tries: Option<u32>,
    /// `point raw|octet|bit`: how CKA_EC_POINT is encoded.
    pub(crate) point: Option<String>,
    /// `hide ATTRIBUTE`
    pub(crate) hidden: BTreeSet<CK_ATTRIBUTE_TYPE>,
    /// `say ATTRIBUTE true|false`
    pub(crate) said: Vec<(CK_ATTRIBUTE_TYPE, bool)>,
    /// `duplicate`: objects are found twice.
    pub(crate) duplicate: bool,
    /// `swap HEX HEX`: who looks for the first CKA_ID finds the second.
    pub(crate) swap: Option<(Vec<u8>, Vec<u8>)>,
    /// `short-id`: of the CKA_ID of a new object the first byte is kept.
    pub(crate) short_id: bool,
    /// `slot-ids`: who looks for a CKA_ID of 16 bytes finds that of one byte, 07.
    pub(crate) slot_ids: bool,
    /// `refuse ATTRIBUTE CKR`: no key is made with it.
    pub(crate) refused: Vec<(CK_ATTRIBUTE_TYPE, CK_RV)>,
    /// `takes-no-key CKR`: no private key is created, and this is the answer.
    pub(crate) takes_no_key: Option<CK_RV>,
    /// `unwraps-cbc` and `unwraps-wrapped`, see [`crate::unwrap`].
    pub(crate) unwraps_cbc: bool,
    pub(crate) unwraps_wrapped: bool,
    /// `curve oid|printable|luna`: the only form of CKA_EC_PARAMS of Ed25519 that is taken.
    pub(crate) curve: Option<String>,
    /// `private-only`: no key is made but as a private object.
    pub(crate) private_only: bool,
    /// `login-to-see`: without a login no object is found, and that is no error.
    pub(crate) login_to_see: bool,
    /// `no-null-sign`: C_Sign without a buffer is an error.
    pub(crate) no_null_sign: bool,
    /// `read-only-makes-nothing`: keys are made in a writing session only, those too that
    /// go with it.
    pub(crate) read_only_makes_nothing: bool,
    /// `writing-sessions CKR`: none are opened, and this is the answer.
    pub(crate) writing_sessions: Option<CK_RV>,
    /// `session-objects CKR`: none are made, and this is the answer.
    pub(crate) session_objects: Option<CK_RV>,
    /// `session-objects last`: they are made as lasting ones.
    pub(crate) session_objects_last: bool,
    /// `lasting-objects CKR`: none are made, and this is the answer.
    pub(crate) lasting_objects: Option<CK_RV>,
    /// `lasting-objects pass`: they are made as those of a session.
    pub(crate) lasting_objects_pass: bool,
    /// `pairs-are-one`: who destroys one half of a pair has destroyed the other.
    pub(crate) pairs_are_one: bool,
    /// `lie HEX`: of keys with this CKA_ID everything is said that is good of a key.
    pub(crate) lie: Option<Vec<u8>>,
    /// `no-mechanism CKM`
    pub(crate) no_mechanism: BTreeSet<CK_MECHANISM_TYPE>,
    /// `max-sessions N`
    pub(crate) max_sessions: Option<CK_ULONG>,
    /// `hide-max-sessions`: the limit is not told.
    pub(crate) hide_max_sessions: bool,
    /// `reuse-handles`: a new session gets the lowest free number.
    pub(crate) reuse_handles: bool,
    /// `serial TEXT`, or `serial` for none
    pub(crate) serial: Option<String>,
    /// `hardware`: the token calls itself hardware, of another maker.
    pub(crate) hardware: bool,
    /// `manufacturer TEXT`: of the token. `_` stands for a blank, here and below.
    pub(crate) manufacturer: Option<String>,
    /// `model TEXT`: of the token.
    pub(crate) model: Option<String>,
    /// `slot TEXT`: the description of every slot.
    pub(crate) slot: Option<String>,
    /// `label TEXT`: of every token.
    pub(crate) label: Option<String>,
    /// `one-slot`: slots without an initialised token are not shown.
    pub(crate) one_slot: bool,
    /// `clock TEXT`: the token has a clock that shows this.
    pub(crate) clock: Option<String>,
    /// `wrong-pin CKR`: how a wrong PIN is answered.
    pub(crate) wrong_pin: Option<CK_RV>,
    /// `pin-is TEXT`, see [`crate::pin`].
    pub(crate) pin: Option<String>,
    /// `login-per-session`, see [`crate::per_session`].
    pub(crate) login_per_session: bool,
    /// `list-per-call`, see [`crate::lists`].
    pub(crate) list_per_call: bool,
    /// `strict-lengths`, `short-gcm` and `init-args TEXT`, see [`crate::strict`].
    pub(crate) strict_lengths: bool,
    pub(crate) short_gcm: bool,
    pub(crate) init_args: Option<String>,
    /// `library TEXT`: the manufacturer of the module itself.
    pub(crate) library: Option<String>,
}

pub(crate) struct Rule {
    pub(crate) function: String,
    pub(crate) when: When,
    pub(crate) effect: Effect,
    /// Calls of the function so far.
    pub(crate) calls: u64,
}

pub(crate) enum When {
    Between(u64, u64),
    Random { one_in: u64, gap: u64, seed: u64 },
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Abort,
    AbortAfter,
    Return(CK_RV),
    After(CK_RV),
    KillSession,
    KillAll,
    Logout,
    RemoveToken,
    Finalize,
    Die,
    Sleep(u64),
    Flip,
    Zero,
    Length(CK_ULONG),
    /// Somebody changes the PIN that `pin-is` has set.
    ChangePin,
}

impl Script {
    pub(crate) fn parse(text: &str) -> Result<Self, String> {
        let mut script = Self::default();
        for line in text.lines() {
            let words = line.split_whitespace().take_while(|word| !word.starts_with('#'));
            let words: Vec<&str> = words.collect();
            script.statement(&words).map_err(|error| format!("{line}: {error}"))?;
        }
        Ok(script)
    }

    fn statement(&mut self, words: &[&str]) -> Result<(), String> {
        match words {
            [] => {}
            ["on", function, rest @ ..] => self.rules.push(rule(function, rest)?),
            ["token", "removed"] => self.token_removed = true,
            ["flag", name] => {
                let known = [
                    "pin-locked",
                    "final-try",
                    "count-low",
                    "to-be-changed",
                    "protected-path",
                    "pin-uninitialized",
                    "error-state",
                    "write-protected",
                ];
                if !known.contains(name) {
                    return Err("no such flag".into());
                }
                self.flags.insert((*name).into());
            }
            ["tries", count] => self.tries = Some(number(count)? as u32),
            ["point", form @ ("raw" | "octet" | "bit")] => self.point = Some((*form).into()),
            ["hide", name] => {
                self.hidden.insert(codes::attribute(name)?);
            }
            ["say", name, value] => {
                let value = value.parse().map_err(|_| "true or false")?;
                self.said.push((codes::attribute(name)?, value));
            }
            ["duplicate"] => self.duplicate = true,
            ["swap", one, other] => self.swap = Some((hex(one)?, hex(other)?)),
            ["refuse", name, code] => {
                self.refused.push((codes::attribute(name)?, codes::code(code)?));
            }
            ["takes-no-key", code] => self.takes_no_key = Some(codes::code(code)?),
            ["unwraps-cbc"] => self.unwraps_cbc = true,
            ["unwraps-wrapped"] => self.unwraps_wrapped = true,
            ["curve", form @ ("oid" | "printable" | "luna")] => self.curve = Some((*form).into()),
            ["private-only"] => self.private_only = true,
            ["login-to-see"] => self.login_to_see = true,
            ["no-null-sign"] => self.no_null_sign = true,
            ["read-only-makes-nothing"] => self.read_only_makes_nothing = true,
            ["writing-sessions", code] => self.writing_sessions = Some(codes::code(code)?),
            ["session-objects", "last"] => self.session_objects_last = true,
            ["session-objects", code] => self.session_objects = Some(codes::code(code)?),
            ["lasting-objects", "pass"] => self.lasting_objects_pass = true,
            ["lasting-objects", code] => self.lasting_objects = Some(codes::code(code)?),
            ["short-id"] => self.short_id = true,
            ["slot-ids"] => self.slot_ids = true,
            ["pairs-are-one"] => self.pairs_are_one = true,
            ["lie", id] => self.lie = Some(hex(id)?),
            ["no-mechanism", name] => {
                self.no_mechanism.insert(codes::mechanism(name)?);
            }
            ["max-sessions", count] => self.max_sessions = Some(number(count)?),
            ["hide-max-sessions"] => self.hide_max_sessions = true,
            ["reuse-handles"] => self.reuse_handles = true,
            ["serial"] => self.serial = Some(String::new()),
            ["serial", text] => self.serial = Some((*text).into()),
            ["hardware"] => self.hardware = true,
            ["manufacturer", text] => self.manufacturer = Some(text.replace('_', " ")),
            ["model", text] => self.model = Some(text.replace('_', " ")),
            ["slot", text] => self.slot = Some(text.replace('_', " ")),
            ["label", text] => self.label = Some(text.replace('_', " ")),
            ["one-slot"] => self.one_slot = true,
            ["clock", text] => self.clock = Some((*text).into()),
            ["wrong-pin", code] => self.wrong_pin = Some(codes::code(code)?),
            ["pin-is", text] => self.pin = Some((*text).into()),
            ["login-per-session"] => self.login_per_session = true,
            ["list-per-call"] => self.list_per_call = true,
            ["strict-lengths"] => self.strict_lengths = true,
            ["short-gcm"] => self.short_gcm = true,
            ["init-args", text] => self.init_args = Some((*text).into()),
            ["library", text] => self.library = Some(text.replace('_', " ")),
            _ => return Err("no such statement".into()),
        }
        Ok(())
    }
}

fn rule(function: &str, words: &[&str]) -> Result<Rule, String> {
    let (when, effect) = match words {
        ["random", chance, "seed", seed, "gap", gap, effect @ ..] => {
            let one_in = number(chance.strip_prefix("1/").ok_or("1/N")?)?.max(1);
            (When::Random { one_in, gap: number(gap)?, seed: number(seed)? | 1 }, effect)
        }
        ["all", effect @ ..] => (When::Between(1, u64::MAX), effect),
        [when, effect @ ..] => {
            let (from, to) = when.split_once("..").unwrap_or((when, when));
            (When::Between(number(from)?, number(to)?), effect)
        }
        [] => return Err("when?".into()),
    };
    let effect = match effect {
        ["return", code] => Effect::Return(codes::code(code)?),
        ["after", code] => Effect::After(codes::code(code)?),
        ["abort"] => Effect::Abort,
        ["abort-after"] => Effect::AbortAfter,
        ["kill-session"] => Effect::KillSession,
        ["kill-all"] => Effect::KillAll,
        ["logout"] => Effect::Logout,
        ["remove-token"] => Effect::RemoveToken,
        ["finalize"] => Effect::Finalize,
        ["die"] => Effect::Die,
        ["sleep", time] => Effect::Sleep(number(time)?),
        ["flip"] => Effect::Flip,
        ["zero"] => Effect::Zero,
        ["length", length] => Effect::Length(number(length)?),
        ["change-pin"] => Effect::ChangePin,
        _ => return Err("no such effect".into()),
    };
    Ok(Rule { function: function.into(), when, effect, calls: 0 })
}

fn number(text: &str) -> Result<u64, String> {
    text.parse().map_err(|_| format!("{text} is no number"))
}

fn hex(text: &str) -> Result<Vec<u8>, String> {
    let pairs = text.as_bytes().chunks(2).map(|pair| std::str::from_utf8(pair).unwrap_or("?"));
    pairs.map(|pair| u8::from_str_radix(pair, 16).map_err(|error| error.to_string())).collect()
}

impl Rule {
    /// Counts a call, and tells whether the rule holds for it. `now` counts
    /// the calls of any function, `last` is when a random rule held last.
    pub(crate) fn holds(&mut self, now: u64, last: &mut u64) -> bool {
        self.calls += 1;
        match &mut self.when {
            When::Between(from, to) => (*from..=*to).contains(&self.calls),
            When::Random { one_in, gap, seed } => {
                // xorshift64
                *seed ^= *seed << 13;
                *seed ^= *seed >> 7;
                *seed ^= *seed << 17;
                let holds = now - *last >= *gap && seed.is_multiple_of(*one_in);
                if holds {
                    *last = now;
                }
                holds
            }
        }
    }
}
