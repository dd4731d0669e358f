//! What a chain of rotations says, in words and in JSON.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use icn_identity::rotation::{Fork, RotatedKey, RotationError, RotationStatement, RotationStep};
use icn_identity::{Did, RotationChain};
use serde_json::{Value, json};

use crate::help::Help as _;
use crate::output::one_line;
use crate::output::{date, hex};

/// A little more than clocks differ by.
const CLOCK_SKEW: u64 = 300;

pub(crate) struct Report {
    first: Did,
    pinned: Option<Did>,
    present: Did,
    next_key: Option<String>,
    /// How many statements were followed before; `None` if nothing is known of
    /// that.
    known: Option<usize>,
    steps: Vec<Value>,
    warnings: Vec<String>,
}

impl Report {
    /// Of the whole chain, or from a DID on, which must be in it.
    pub(crate) fn new(
        chain: &RotationChain,
        from: Option<&Did>,
        now: SystemTime,
    ) -> Result<Self, RotationError> {
        let pinned = from.unwrap_or(chain.first_did());
        let present = chain.follow(pinned)?.clone();
        let steps: Vec<_> =
            chain.steps().skip_while(|step| is_before(chain, step, pinned)).collect();
        let next_key = chain.commitment().map(ToString::to_string);
        Ok(Self {
            first: pinned.clone(),
            pinned: from.cloned(),
            present,
            warnings: warnings(&steps, next_key.is_some(), now),
            next_key,
            known: None,
            steps: steps.iter().map(as_json).collect(),
        })
    }

    /// With what is to be said of a chain that comes from others: it extends the
    /// one that was followed before, or there is none.
    pub(crate) fn compared_with(mut self, known: Option<&RotationChain>) -> Self {
        self.known = known.map(|known| known.statements().count());
        if known.is_none() {
            self.warnings.push(format!(
                "compared with no chain that was followed before: as good only as if no commitment \
                 had been made before {}, since whoever has its key can leave that out. Give the \
                 chain that you have kept with --known FILE",
                self.first
            ));
        }
        self
    }

    /// With what is wrong although the chain is valid.
    pub(crate) fn as_json(&self, error: Option<&str>) -> Value {
        json!({
            "valid": error.is_none(),
            "error": error,
            "from": self.pinned,
            "did": self.present,
            "next_key_sha256": self.next_key,
            "known": self.known,
            "steps": self.steps,
            "warnings": self.warnings,
        })
    }

    pub(crate) fn with_chain(&self, chain: &RotationChain) -> Value {
        let mut value = self.as_json(None);
        if let Some(fields) = value.as_object_mut() {
            fields.insert("chain".into(), json!(chain));
        }
        value
    }

    /// And with the older DIDs whose files the successor opens.
    pub(crate) fn with_chain_and_keys(&self, chain: &RotationChain, decrypts_for: &[Did]) -> Value {
        let mut value = self.with_chain(chain);
        if let Some(fields) = value.as_object_mut() {
            fields.insert("decrypts_for".into(), json!(decrypts_for));
        }
        value
    }

    pub(crate) fn as_text(&self) -> String {
        let mut text = String::new();
        for step in &self.steps {
            let word = |name: &str| step.get(name).and_then(Value::as_str).unwrap_or_default();
            let number = step.get("sequence").and_then(Value::as_u64).unwrap_or_default();
            let _ = writeln!(text, "Rotation {number}  {}  {}", word("time"), word("reason"));
            for (label, side) in [("from", "old"), ("to", "new")] {
                let of = |name: &str| {
                    step.pointer(&format!("/{side}/{name}")).and_then(Value::as_str).unwrap_or("")
                };
                let _ = writeln!(text, "  {label:<11}{}", of("did"));
                let (provenance, assurance) = (of("provenance"), of("assurance"));
                let _ =
                    writeln!(text, "  {:<11}said to be {provenance}, assurance {assurance}", "");
            }
            let committed = step.get("committed").and_then(Value::as_bool).unwrap_or_default();
            let words = if committed { "made in advance, and honoured" } else { "none in advance" };
            let _ = writeln!(text, "  commitment {words}");
        }
        if self.steps.is_empty() {
            let _ = writeln!(text, "{} was not rotated.", self.first);
        }
        let _ = writeln!(text, "Present DID  {}", self.present);
        if let Some(next) = &self.next_key {
            let _ = writeln!(text, "Next key     committed to, SHA-256 {next}");
        }
        if let Some(known) = self.known {
            let _ =
                writeln!(text, "Known        goes on from the chain followed before, of {known}");
        }
        for warning in &self.warnings {
            let _ = writeln!(text, "warning: {warning}");
        }
        text
    }
}

/// Whether a step leads to the DID or to one before it.
fn is_before(chain: &RotationChain, step: &RotationStep<'_>, pinned: &Did) -> bool {
    let place = chain.dids().position(|did| did == pinned);
    let end = chain.dids().position(|did| did == step.statement().new_key().did());
    end <= place
}

fn as_json(step: &RotationStep<'_>) -> Value {
    let statement = step.statement();
    let key = |key: &RotatedKey| {
        json!({
            "did": key.did(),
            "provenance": key.claimed_provenance(),
            "assurance": key.claimed_assurance(),
        })
    };
    json!({
        "sequence": statement.sequence(),
        "time": date(statement.time()),
        "reason": statement.reason(),
        "old": key(statement.old()),
        "new": key(statement.new_key()),
        "committed": step.was_committed(),
        "next_key_sha256": statement.next_key().map(ToString::to_string),
        "sha256": hex(statement.sha256()),
    })
}

fn warnings(steps: &[RotationStep<'_>], commits: bool, now: SystemTime) -> Vec<String> {
    let mut warnings = Vec::new();
    let open: Vec<_> = steps
        .iter()
        .filter(|step| !step.was_committed())
        .map(|step| step.statement().sequence().to_string())
        .collect();
    if !open.is_empty() {
        warnings.push(format!(
            "no commitment was made before rotation {}: a thief of the old key could have made it \
             as well as its owner",
            open.join(", ")
        ));
    }
    if !commits {
        warnings.push(
            "the present key commits to no next one: a thief of it can rotate as well as its owner"
                .into(),
        );
    }
    let future = |step: &&RotationStep<'_>| is_to_come(step.statement(), now);
    for step in steps.iter().filter(future) {
        let (sequence, time) = (step.statement().sequence(), date(step.statement().time()));
        warnings.push(format!("rotation {sequence} is dated {time}, which is still to come"));
    }
    warnings
}

/// That the statement after the last one has to take its time.
pub(crate) fn ahead(chain: &RotationChain) -> Option<String> {
    let last = chain.statements().last().filter(|last| is_to_come(last, SystemTime::now()))?;
    Some(format!(
        "rotation {} is dated {}, which is still to come, and no later one may be earlier: this one \
         is given the same time. Check the clock of this machine, and of the one it was made on",
        last.sequence(),
        date(last.time())
    ))
}

fn is_to_come(statement: &RotationStatement, now: SystemTime) -> bool {
    let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    statement.time() > now + CLOCK_SKEW
}

pub(crate) fn none(did: &Did) -> Value {
    json!({
        "valid": true, "from": null, "did": did, "next_key_sha256": null, "known": null,
        "steps": [], "warnings": [], "chain": [],
    })
}

pub(crate) fn not_valid(error: &RotationError) -> Value {
    let fork = match error {
        RotationError::Fork(fork) => Some(fork_as_json(fork)),
        _ => None,
    };
    json!({ "valid": false, "error": error.to_string(), "help": error.on_the_command_line(), "fork": fork })
}

fn fork_as_json(fork: &Fork) -> Value {
    let branches: Vec<_> = fork
        .branches()
        .iter()
        .map(|branch| {
            json!({
                "did": branch.new_did(),
                "sequence": branch.sequence(),
                "time": date(branch.time()),
                "reason": branch.reason(),
                "sha256": hex(branch.sha256()),
                "honours_commitment": branch.honours_commitment(),
            })
        })
        .collect();
    json!({ "did": fork.old(), "branches": branches })
}

pub(crate) fn not_valid_text(error: &RotationError) -> String {
    let mut text = match error {
        RotationError::Fork(fork) => {
            let mut text = format!("not valid: the chain forks at {}\n", fork.old());
            for branch in fork.branches() {
                let words = match branch.honours_commitment() {
                    Some(true) => "as committed to in advance",
                    Some(false) => "AGAINST the commitment made in advance",
                    None => "no commitment in advance",
                };
                let _ = writeln!(
                    text,
                    "  to {}\n     {}  {}  {words}\n     statement {}",
                    branch.new_did(),
                    date(branch.time()),
                    branch.reason(),
                    hex(branch.sha256()),
                );
            }
            text
        }
        error => format!("not valid: {}\n", one_line(&error.to_string())),
    };
    if let Some(help) = error.on_the_command_line() {
        let _ = writeln!(text, "  try: {help}");
    }
    text
}
