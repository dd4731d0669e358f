//! Damaged, truncated and hostile files: always an error, never a panic, an
//! opened identity, or work without bounds.

mod bombs;
mod bytes;
mod contents;
mod victim;
