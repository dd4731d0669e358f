//! `icnctl id migrate`, killed at each call that changes something: by the ordinary commands
//! the old identity opens, or the new one; run again, it is done; rolled back, there is the
//! old one only; and no key is on the token that nothing names.

mod ended;
mod full;
mod judged;
mod killed;
mod node;
