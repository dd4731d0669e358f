//! `[audit]`.

use super::{BOOLEAN, Field};

pub(super) const FIELDS: &[Field] = &[
    Field::table(
        "audit",
        "a table: [audit]",
        "Where it is written down who had the key do what. Wherever there is a log, each use of \
         the key and each refusal has a line.",
    ),
    Field::unset(
        "audit.path",
        "the path of a file, in quotes",
        "\"/var/log/icn/audit.log\"",
        "the log; a relative path begins in the home. Its directory has to be writable. Without \
         it, the daemon writes `audit.log` in the home, and others write that where it is there",
    ),
    Field::set(
        "audit.log_all_operations",
        BOOLEAN,
        "false",
        "the daemon writes down also what needs no key: who asked for status and documents",
    ),
];
