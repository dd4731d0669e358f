//! `[identity]` and its tables.

use super::{ASSURANCES, BOOLEAN, Field};

pub(super) const FIELDS: &[Field] = &[
    Field::table(
        "identity",
        "a table: [identity]",
        "Where the key is, and whose identity it has to be.",
    ),
    Field::set(
        "identity.backend",
        "\"age\", \"pkcs11\" or \"tpm\"",
        "\"age\"",
        "where the key is: in a file, in a token, or with a TPM",
    ),
    Field::unset(
        "identity.did",
        "a DID, as \"did:icn:z…\" or \"did:key:z…\"",
        "\"did:key:z6MkhaXgBZDvotDkL5257faiztiGiC2QtKLGpbnnEGta2doK\"",
        "whose identity it has to be; another one is refused. Written when the identity is made; \
         without it `Home` opens nothing",
    ),
    Field::table(
        "identity.age",
        "a table: [identity.age]",
        "How much work a passphrase costs, of a software key and of files that a passphrase \
         opens. One more doubles time and memory: 18 are about a second and 256 MiB.",
    ),
    Field::set(
        "identity.age.work_factor",
        "a number from 10 to 22, without quotes",
        "18",
        "log2 of scrypt's work for files that are written",
    ),
    Field::set(
        "identity.age.max_work_factor",
        "a number, not below work_factor, without quotes",
        "20",
        "of a file that asks for more, nothing is tried",
    ),
    Field::table(
        "identity.pkcs11",
        "a table: [identity.pkcs11]",
        "With `backend = \"pkcs11\"`. One of `token`, `serial`, `slot` and `key` names the \
         token; where several do, all have to agree; without any it is the one token that there \
         is.",
    ),
    Field::required(
        "identity.pkcs11.module",
        "the absolute path of a library, in quotes",
        "\"/usr/lib/softhsm/libsofthsm2.so\"",
        "the PKCS#11 module. It runs in the process",
    ),
    Field::unset(
        "identity.pkcs11.init_args",
        "text in quotes",
        "\"configdir='sql:/etc/node/nssdb'\"",
        "what a module wants in `pReserved` of `C_Initialize`, as NSS does. No place for a secret",
    ),
    Field::unset(
        "identity.pkcs11.token",
        "the label of a token, in quotes",
        "\"node-1\"",
        "which token",
    ),
    Field::unset(
        "identity.pkcs11.serial",
        "the serial number of a token, in quotes",
        "\"0123abcd\"",
        "which token; written when the identity is made",
    ),
    Field::unset(
        "identity.pkcs11.key",
        "an RFC 7512 URI, as \"pkcs11:token=LABEL;id=%01\"",
        "\"pkcs11:token=node-1;id=%01\"",
        "the token, or the key on it, as a URI",
    ),
    Field::set(
        "identity.pkcs11.key_shown",
        BOOLEAN,
        "false",
        "the token shows the public key without a login: one that does not gets no PIN. Written \
         when that was seen",
    ),
    Field::unset(
        "identity.pkcs11.slot",
        "the number of a slot, without quotes",
        "0",
        "where neither label nor serial will do: slot numbers change when tokens are added",
    ),
    Field::unset(
        "identity.pkcs11.key_label",
        "the label of a new key, in quotes",
        "\"icn-identity\"",
        "`CKA_LABEL` of a new key; without it `icn-identity`",
    ),
    Field::unset(
        "identity.pkcs11.sessions",
        "a number from 1 to 65535, without quotes",
        "4",
        "most sessions that sign at the same time; without it one for each core, within what the \
         token has",
    ),
    Field::set(
        "identity.pkcs11.verify_after_sign",
        BOOLEAN,
        "true",
        "each signature is verified before it is given out",
    ),
    Field::set(
        "identity.pkcs11.allow_final_try",
        BOOLEAN,
        "false",
        "a PIN is sent although the token says that one try is left",
    ),
    Field::set(
        "identity.pkcs11.allow_unnoted_try",
        BOOLEAN,
        "false",
        "a PIN is sent although no disk takes a note of it, and the token does not show wrong \
         ones, or the disk is full or fails: each start may cost a try (docs/home.md)",
    ),
    Field::set(
        "identity.pkcs11.trust_key_history",
        BOOLEAN,
        "true",
        "what the module says of a key's history counts; if not, keys are `device-held` at most",
    ),
    Field::set(
        "identity.pkcs11.assurance_at_most",
        ASSURANCES,
        "\"claimed\"",
        "what the token is taken for at most",
    ),
    Field::set(
        "identity.pkcs11.make_keys_in_slots",
        BOOLEAN,
        "false",
        "keys may be made on a card where a new one can take the place of one that is there \
         (PIV, OpenPGP)",
    ),
    Field::unset(
        "identity.pkcs11.audit_log",
        "the path of a file, in quotes",
        "\"/var/log/icn/audit.log\"",
        "the audit log, as nodes of ICN name it: the same as `path` in `[audit]`",
    ),
    Field::set(
        "identity.pkcs11.log_all_operations",
        BOOLEAN,
        "false",
        "as nodes of ICN name it: the same as `log_all_operations` in `[audit]`",
    ),
    Field::table(
        "identity.tpm",
        "a table: [identity.tpm]",
        "With `backend = \"tpm\"`. All but `device_path` and `allow_final_try` say how the next \
         objects are made; how a key opens stands in `identity.json`. `platform_binding = false` \
         with `pin = false` is refused, for it would protect nothing.",
    ),
    Field::set(
        "identity.tpm.device_path",
        "a device, as \"/dev/tpmrm0\" or \"swtpm:host=127.0.0.1,port=2321\"",
        "\"/dev/tpmrm0\"",
        "which TPM",
    ),
    Field::unset(
        "identity.tpm.key_handle",
        "a handle from 0x81000000 to 0x81ffffff, with or without quotes",
        "0x81000001",
        "the persistent storage key above new objects; without it, it is made from the owner's \
         seed each time",
    ),
    Field::unset(
        "identity.tpm.parent_name",
        "a Name in hex, in quotes",
        "\"000b4f2a4c7a0d9f3c1e5b6a7d8c9e0f1a2b3c4d5e6f708192a3b4c5d6e7f8091a2b\"",
        "the Name of that storage key; written when the identity is made",
    ),
    Field::set(
        "identity.tpm.platform_binding",
        BOOLEAN,
        "true",
        "a new key opens only under the PCR values of now, or approved ones",
    ),
    Field::set(
        "identity.tpm.pcr_bank",
        "\"sha1\", \"sha256\", \"sha384\" or \"sha512\"",
        "\"sha256\"",
        "which bank of PCRs",
    ),
    Field::set(
        "identity.tpm.pcr_indices",
        "numbers from 0 to 23, as \"0,7\" or [0, 7]; no range: each is written out",
        "\"7\"",
        "which PCRs; 7 is the state of secure boot",
    ),
    Field::set(
        "identity.tpm.pin",
        "true or false, whether there is a PIN; never the PIN",
        "true",
        "a new key has a PIN",
    ),
    Field::set(
        "identity.tpm.policy",
        "\"literal\" or \"authorized\"",
        "\"literal\"",
        "under these PCR values alone, or under others too that an approver signs",
    ),
    Field::unset(
        "identity.tpm.approver",
        "the path of a public key, in quotes",
        "\"/etc/icn/approver.pem\"",
        "the approver's public key (PEM, P-256), for `policy = \"authorized\"`",
    ),
    Field::set(
        "identity.tpm.pin_work_factor",
        "a number from 10 to 20, without quotes",
        "17",
        "log2 of scrypt's work for the PIN of a new key; 17 are half a second and 128 MiB",
    ),
    Field::set(
        "identity.tpm.allow_final_try",
        BOOLEAN,
        "false",
        "a PIN is sent although one more wrong one locks the TPM",
    ),
    Field::set(
        "identity.tpm.allow_unnoted_try",
        BOOLEAN,
        "false",
        "a PIN is sent although no disk takes a note of it, and the TPM has counted wrong ones, or \
         the disk is full or fails: \
         each start may cost a try (docs/home.md)",
    ),
    Field::set(
        "identity.tpm.attestation",
        BOOLEAN,
        "false",
        "`id init` and `id show` say whether this TPM can be attested (docs/attestation.md)",
    ),
];
