//! What the benches measure: ratios against a baseline of the same run, each with its limit.

mod report;
mod table;

use std::fmt;

pub use report::{Report, past};
pub use table::RATIOS;

/// What a ratio may be at most, or has to be at least.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Limit {
    AtMost(f64),
    AtLeast(f64),
}

/// One row of the table.
#[derive(Debug)]
pub struct Ratio {
    pub name: &'static str,
    /// The bench that measures it.
    pub bench: &'static str,
    /// What is divided by what.
    pub what: &'static str,
    pub limit: Limit,
    /// What it means for somebody who uses the library.
    pub means: &'static str,
    pub missed: Option<Missed>,
}

/// A goal that is not reached, and why it is left at that.
#[derive(Debug)]
pub struct Missed {
    pub goal: Limit,
    /// What the time is spent on.
    pub buys: &'static str,
    /// What it would take to reach the goal.
    pub costs: &'static str,
}

impl Limit {
    /// Never, where nothing sensible was measured.
    #[must_use]
    pub fn is_met(self, measured: f64) -> bool {
        measured.is_finite()
            && measured > 0.0
            && match self {
                Self::AtMost(limit) => measured <= limit,
                Self::AtLeast(limit) => measured >= limit,
            }
    }

    /// How much of the limit is used up: more than 1 is past it.
    #[must_use]
    pub fn used_by(self, measured: f64) -> f64 {
        match self {
            Self::AtMost(limit) => measured / limit,
            Self::AtLeast(limit) => limit / measured,
        }
    }
}

impl fmt::Display for Limit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::AtMost(limit) => write!(f, "at most {limit:.2}"),
            Self::AtLeast(limit) => write!(f, "at least {limit:.2}"),
        }
    }
}

impl Ratio {
    /// # Panics
    ///
    /// If no row has this name.
    #[must_use]
    pub fn named(name: &str) -> &'static Self {
        let row = RATIOS.iter().find(|ratio| ratio.name == name);
        row.unwrap_or_else(|| panic!("no ratio is called {name:?}: add it to ratios/table.rs"))
    }
}
