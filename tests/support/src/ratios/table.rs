//! The table itself. docs/performance.md shows it.

use super::Limit::{AtLeast, AtMost};
use super::{Missed, Ratio};

/// Every ratio that a bench measures.
pub const RATIOS: &[Ratio] = &[
    Ratio {
        name: "software-sign",
        bench: "software",
        what: "`Key<Software, Unlocked>::sign` over bare `ed25519-dalek`",
        limit: AtMost(1.02),
        means: "The type of a key costs nothing when it signs.",
        missed: None,
    },
    Ratio {
        name: "software-sign-expanded",
        bench: "software",
        what: "`Key<Software, Unlocked>::sign` over `ed25519-dalek` from the seed each time",
        limit: AtMost(0.60),
        means: "The key is expanded once, when it is unlocked, and not for each signature.",
        missed: None,
    },
    Ratio {
        name: "unlock",
        bench: "unlock",
        what: "opening an identity of the age backend over decryption of the same file by `age`",
        limit: AtMost(1.10),
        means: "What is checked around the file costs little beside scrypt.",
        missed: None,
    },
    Ratio {
        name: "token-sign",
        bench: "pkcs11",
        what: "signing with a key in SoftHSM2, without verification, over `C_SignInit` and `C_Sign`",
        limit: AtMost(1.05),
        means: "A signature is two calls to the module, and no search.",
        missed: None,
    },
    Ratio {
        name: "token-sign-verified",
        bench: "pkcs11",
        what: "signing with a key in SoftHSM2 (the default: each signature is verified) over \
               `C_SignInit` and `C_Sign`",
        limit: AtMost(1.35),
        means: "No wrong signature of a token gets out. `verify_after_sign = false` switches \
                that off.",
        missed: None,
    },
    Ratio {
        name: "slow-token-2-threads",
        bench: "pkcs11",
        what: "signatures of two threads over one thread, on a token that takes 2 ms for each",
        limit: AtLeast(1.70),
        means: "Threads do not wait for each other in our code: each has a session of its own.",
        missed: None,
    },
    Ratio {
        name: "slow-token-8-threads",
        bench: "pkcs11",
        what: "signatures of eight threads over one thread, on a token that takes 2 ms for each",
        limit: AtLeast(6.00),
        means: "The same, with as many sessions as are configured.",
        missed: None,
    },
    Ratio {
        name: "crowded-sign",
        bench: "crowded",
        what: "signing while the token has 1,000 other key pairs over signing while it has none",
        limit: AtMost(1.10),
        means: "The key is searched for once, and not for each signature.",
        missed: None,
    },
    Ratio {
        name: "crowded-open",
        bench: "crowded",
        what: "opening a key that was found, among 1,000 others, over one raw `C_FindObjects`",
        limit: AtMost(1.15),
        means: "Opening a key is one search on the token.",
        missed: None,
    },
    Ratio {
        name: "crowded-find",
        bench: "crowded",
        what: "finding and opening a key, among 1,000 others, over one raw `C_FindObjects`",
        limit: AtMost(2.10),
        means: "The first time there are two searches.",
        missed: Some(Missed {
            goal: AtMost(1.30),
            buys: "The public key is searched for without a login and compared with the DID \
                   before a PIN is sent; the private key shows itself only after the login.",
            costs: "The PIN would be sent before it is known whether the key is there.",
        }),
    },
    Ratio {
        name: "tpm-sign",
        bench: "tpm",
        what: "signing with a key that is sealed to a TPM over signing with a software key",
        limit: AtMost(1.05),
        means: "The TPM is used once, when the key is opened.",
        missed: None,
    },
    Ratio {
        name: "tpm-open",
        bench: "tpm",
        what: "opening a key that is sealed to a TPM under PCR values over the same commands by \
               bare `tss-esapi`",
        limit: AtMost(1.15),
        means: "No TPM command is sent that is not needed.",
        missed: None,
    },
    Ratio {
        name: "attestation-verify",
        bench: "attestation",
        what: "verifying a device maker's attestation over the signature checks alone that are in it",
        limit: AtMost(1.20),
        means: "Reading the certificates and checking what they say costs little.",
        missed: None,
    },
    Ratio {
        name: "tls-first",
        bench: "handshake",
        what: "mutual TLS of two who have never met over plain rustls with pinned certificates",
        limit: AtMost(1.65),
        means: "What a connection costs after a restart, or after the peer has renewed.",
        missed: Some(Missed {
            goal: AtMost(1.25),
            buys: "Each side verifies two signatures more, strictly: the certificate's own, and \
                   that of the DID over what the certificate says.",
            costs: "To leave out the certificate's own signature: the handshake covers the \
                    certificate, but one that was read without a handshake would be unproven. \
                    Or to remember certificates over a restart, in a file that has to be trusted.",
        }),
    },
    Ratio {
        name: "tls-repeated",
        bench: "handshake",
        what: "mutual TLS of two who have met over plain rustls with pinned certificates",
        limit: AtMost(1.00),
        means: "What a connection costs otherwise.",
        missed: None,
    },
    Ratio {
        name: "tls-named",
        bench: "handshake",
        what: "the same by `Server` and `Client`, where both ask who the other is, over plain \
               rustls",
        limit: AtMost(1.00),
        means: "Asking for the peer costs nothing.",
        missed: None,
    },
    Ratio {
        name: "icnctl-sign",
        bench: "process",
        what: "`icnctl sign` with a key in SoftHSM2 over a signature by `pkcs11-tool`, as whole \
               processes, by their processor time",
        limit: AtMost(1.75),
        means: "What a script pays for each signature.",
        missed: Some(Missed {
            goal: AtMost(1.20),
            buys: "Before the PIN is sent, a note that it was is written and synced in the home and \
                   in the state directory, so that a wrong PIN is sent once, also after a crash. \
                   The files are checked and decrypted by the token, and the signature is verified.",
            costs: "A PIN that was refused could be sent again by the next process. A script that \
                    signs often has `icnd` do it, which opens the key once.",
        }),
    },
    Ratio {
        name: "icnd-sign",
        bench: "daemon",
        what: "processor time of a signature for one of 8 clients of `icnd` with a key in SoftHSM2, \
               its own and the client's, over that of one of 8 threads in one process",
        limit: AtMost(1.80),
        means: "What the door costs: HTTP, policy, a line of the audit log, fair turns. Where all \
                processors are busy, the rate of signatures is divided by this.",
        missed: Some(Missed {
            goal: AtMost(1.25),
            buys: "Each request is read and answered on one thread, and written down and signed on \
                   another one, so that nobody waits for a device but who uses it; its line is on \
                   the disk, in one chain with those of other processes, before the key is used.",
            costs: "A socket of our own framing in the place of HTTP and JSON, which every language \
                    speaks; or lines that are written after the answer has left.",
        }),
    },
    Ratio {
        name: "icnd-start",
        bench: "daemon",
        what: "processor time from the start of `icnd` to `READY` with a key in a file over that of \
               opening the identity",
        limit: AtMost(1.20),
        means: "How long a service waits after a restart. What `icnd` frees is wiped.",
        missed: None,
    },
];
