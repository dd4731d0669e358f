//! `[daemon]` and its clients.

use super::{BOOLEAN, Field};

pub(super) const FIELDS: &[Field] = &[
    Field::table("daemon", "a table: [daemon]", "Where the daemon listens, and how much it bears."),
    Field::unset(
        "daemon.socket",
        "the absolute path of a socket, in quotes",
        "\"/run/icnd/icnd.sock\"",
        "where it listens; without it, `icnd.sock` in `$RUNTIME_DIRECTORY`, else in the home",
    ),
    Field::set(
        "daemon.socket_mode",
        "an octal mode in quotes, from \"0600\" to \"0666\"",
        "\"0666\"",
        "who can connect at all; who may have anything done is said by `[[daemon.client]]`",
    ),
    Field::unset(
        "daemon.owner",
        "the name of a user in quotes, or their number",
        "\"icnd\"",
        "for clients: whose the daemon and its socket are, if they are neither the client's own \
         user's nor root's; the daemon itself does not look at it",
    ),
    Field::set(
        "daemon.start_locked",
        BOOLEAN,
        "false",
        "it starts without a credential, and waits until a client with \"admin\" unlocks it",
    ),
    Field::set(
        "daemon.verify_interval",
        "seconds, from 1 to 86400, without quotes",
        "300",
        "how often it proves to itself that the key is there; never by a PIN",
    ),
    Field::set(
        "daemon.checkpoint_interval",
        "seconds, from 1 to 604800, without quotes",
        "3600",
        "how often it signs a checkpoint of the audit log, in a file beside it",
    ),
    Field::set(
        "daemon.max_connections",
        "a number from 1 to 65536, without quotes",
        "1024",
        "at so many, the user with most of them gives one up for a new one: the one that is idle for longest; a client that has none gets one beyond them, where all are at work",
    ),
    Field::set(
        "daemon.max_queued",
        "a number from 1 to 65536, without quotes",
        "256",
        "most requests that wait for the key; at so many, the user with most of them gives one up for another user, or the new one is refused until later",
    ),
    Field::unset(
        "daemon.monitor",
        "an address of this machine alone, as \"127.0.0.1:9464\"",
        "\"127.0.0.1:9464\"",
        "where any program of this machine reads its health (`/livez`, `/readyz`) and its \
         metrics (`/metrics`)",
    ),
    Field::unset(
        "daemon.tls",
        "an address, as \"0.0.0.0:7443\"",
        "\"0.0.0.0:7443\"",
        "where peers read what is public (`/health`, `/.well-known/did.json`, `/rotation-chain`), by \
         mutual TLS bound to DIDs",
    ),
    Field::set(
        "daemon.tls_peers",
        "\"any\" or \"book\"",
        "\"any\"",
        "which peers may read there: whoever shows a DID, or those in the book of peers of the home",
    ),
    Field::tables(
        "daemon.client",
        "a table: [[daemon.client]], once for each client",
        "One for each program that may have the key used, known by what the kernel says of its \
         process. Nobody else may have anything done, root neither. Of several that fit, the \
         first counts.",
    ),
    Field::required(
        "daemon.client.name",
        "1 to 64 letters, digits, `.`, `_` and `-`, in quotes",
        "\"payments\"",
        "who it is in the audit log",
    ),
    Field::unset(
        "daemon.client.uid",
        "the number of a user, without quotes",
        "1001",
        "the effective user of its process. This, `gid`, or both, which have to agree then",
    ),
    Field::unset(
        "daemon.client.gid",
        "the number of a group, without quotes",
        "1001",
        "the effective group of its process; those that it has beside that do not count",
    ),
    Field::unset(
        "daemon.client.may",
        "a list of \"sign\", \"sign-raw\", \"decrypt\", \"tls\" and \"admin\"",
        "[\"sign\"]",
        "what it may have done; with none, it reads what is public",
    ),
    Field::unset(
        "daemon.client.contexts",
        "a list of contexts; one may end in `*`, but not begin with \"icn-identity\" then",
        "[\"payments@coop.example\", \"receipts-*\"]",
        "for which contexts it may have signed, with \"sign\". A `*` never stands for `git` or \
         what begins with `icn-identity`: those are named whole",
    ),
    Field::unset(
        "daemon.client.rate",
        "so many a second, minute or hour: \"100/s\", \"60/min\" or \"1000/h\"",
        "\"100/s\"",
        "how often it may ask; without it, as often as it likes",
    ),
    Field::set(
        "daemon.client.instances",
        "a number from 1 to 31, without quotes",
        "4",
        "with \"tls\": as how many instances it may have certificates at a time; all clients \
         together may have 31",
    ),
];
