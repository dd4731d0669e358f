//! What to try next with a TPM.

use super::super::scrypt_memory;
use super::TpmError;

impl TpmError {
    /// What to try next.
    #[must_use]
    pub fn help(&self) -> Option<String> {
        let help = match self {
            Self::NoDevice { device, .. } if device.starts_with("swtpm") => {
                "start swtpm, or correct `device_path` under [identity.tpm]; if it runs, its control has \
                 to be on the next port and on no Unix socket: `type=tcp,port=N` for its server, \
                 `type=tcp,port=N+1` for its ctrl"
            }
            Self::NoDevice { .. } => {
                "enable the TPM in the firmware's setup, load its driver, or correct `device_path` \
                 under [identity.tpm]"
            }
            Self::BadDevice { .. } => {
                "set `device_path` under [identity.tpm] to /dev/tpmrm0, or to \
                 swtpm:host=ADDRESS,port=PORT"
            }
            Self::NoPermission { .. } => {
                "add the user to the group that owns the device (`usermod -aG tss USER`; `ls -l \
                 /dev/tpmrm0` shows it), and log in again; a service or a container has to be \
                 given the device too (`DeviceAllow=` in a unit)"
            }
            Self::Busy { device } if device.starts_with("swtpm") => {
                "end what else is connected: swtpm serves one program at a time"
            }
            Self::Busy { .. } => "use the kernel's resource manager: device_path = \"/dev/tpmrm0\"",
            Self::NotReady { state, .. } => state.advice(),
            Self::OwnerPassword { .. } => {
                "have the owner make a persistent storage key, and name it by `key_handle` under \
                 [identity.tpm]"
            }
            Self::NoHierarchy { .. } => {
                "switch the storage hierarchy on in the firmware's setup, or name a persistent \
                 storage key by `key_handle` under [identity.tpm]"
            }
            Self::EndorsementPassword { .. } => {
                "have the owner take the password of the endorsement hierarchy off while this runs \
                 (`tpm2_changeauth -c endorsement -p PASSWORD`), and set it again afterwards"
            }
            Self::NoEndorsementHierarchy { .. } => {
                "switch the endorsement hierarchy on in the firmware's setup; if a program has switched \
                 it off since the start, start the machine anew"
            }
            Self::NoEkCertificate => {
                "get the certificate of its P-256 endorsement key in DER, as the server of its maker gives \
                 it, and have the owner store it: \
                 `tpm2_nvdefine 0x01c0000a -C o -s SIZE -a 'ownerread|ownerwrite|authread|no_da'` with its \
                 length in bytes, then `tpm2_nvwrite 0x01c0000a -C o -i FILE`; older Intel and AMD firmware \
                 TPMs leave it on that server, which is not asked here"
            }
            Self::OtherEkCertificate { .. } => {
                "use a TPM that has a P-256 endorsement key with a certificate, as those of recent years; \
                 other keys are not used here"
            }
            Self::EkCertificateUnreadable { index, .. } => {
                return Some(format!(
                    "have the maker's tool write the certificate again, or ask the maker; \
                     `tpm2_nvread {index:#010x}` shows what is there"
                ));
            }
            Self::EkCertificateGuarded { index, .. } => {
                return Some(format!(
                    "look at its attributes: `tpm2_nvreadpublic {index:#010x}`. With `platformcreate`, only the \
                     maker's platform tool changes it; else have the owner remove it \
                     (`tpm2_nvundefine {index:#010x} -C o`) and store the certificate anew: \
                     `tpm2_nvdefine {index:#010x} -C o -s SIZE -a 'ownerread|ownerwrite|authread|no_da'` with its \
                     length in bytes, then `tpm2_nvwrite {index:#010x} -C o -i FILE`"
                ));
            }
            Self::ForeignEkCertificate { .. } => {
                "ask the maker of the machine for the certificate of this TPM: a firmware TPM whose \
                 endorsement seed was changed has another endorsement key than the one that was certified"
            }
            Self::NotAttestable => {
                "make an identity with a P-256 key, which is born in the TPM, and hand over to it by a \
                 rotation"
            }
            Self::OtherActivation { .. } => {
                "make a new attestation with this TPM, and have the relying party activate and endorse it \
                 again: a TPM that was reset or exchanged has another attestation key"
            }
            Self::NoTcti { .. } => {
                "install it: libtss2-tcti-device0 for devices, libtss2-tcti-swtpm0 for swtpm"
            }
            Self::PcrMismatch { authorized: true, .. } => {
                "if firmware or boot loader were updated, have these values approved \
                 (`Approval::sign`, then `TpmBackend::install`); if nothing was, find out what has \
                 changed"
            }
            Self::PcrMismatch { .. } => {
                "boot the state that the key was made for; a P-256 key has its policy for good: where states \
                 are to change, make it with policy = \"authorized\". Before the next update have an Ed25519 \
                 key sealed for the coming values too (`IdentityStore::reseal`), or use policy = \
                 \"authorized\". If nothing was updated, find out what has changed"
            }
            Self::PcrMoved { .. } => {
                "nothing was written; make the identity again when the machine has started up"
            }
            Self::NoBank { .. } => {
                "choose a `pcr_bank` under [identity.tpm] that the TPM has (`TpmReport` lists them)"
            }
            Self::NotQuoted { .. } => {
                "switch the SHA-256 bank on in the firmware's setup and boot anew, or quote PCRs that \
                 this TPM has"
            }
            Self::WrongPin { tries_left: Some(1), .. } => {
                "do not guess: the next wrong PIN locks the TPM for every program"
            }
            Self::WrongPin { tries_left: Some(0), .. } => {
                "wait, with the machine running, or have the owner reset the count \
                 (`tpm2_dictionarylockout -c`); then check the PIN"
            }
            Self::WrongPin { .. } => "check the PIN; it is never retried for you",
            Self::PinKnownWrong => "give another PIN",
            Self::PinInDoubt => {
                "make sure of the PIN, and look at how many tries are left (that uses no PIN); then have \
                 it tried once more (`HomeOptions::retry_refused`, or another process)"
            }
            Self::PinNotNoted { repair, .. } => {
                return Some(format!(
                    "{repair}; or, if that is to stay so, have the count of wrong PINs reset \
                     (`tpm2_dictionarylockout -c`), or make sure of the PIN and set \
                     `allow_unnoted_try = true` under [identity.tpm]: a wrong one costs a try at \
                     each start then"
                ));
            }
            Self::PinMissing => "give the PIN of this key; no try was spent",
            Self::PinUnusable { .. } => "give a PIN of at least one character",
            Self::NoMemory { log_n } => {
                return Some(format!(
                    "allow this process {} more (`ulimit -v`, or `MemoryMax=` of its service); or \
                     make the identity with a lower `pin_work_factor` under [identity.tpm]: each \
                     step less halves the memory, and what guessing costs",
                    scrypt_memory(*log_n)
                ));
            }
            Self::FinalTry => {
                "make sure of the PIN, then allow the last try with `allow_final_try = true` under \
                 [identity.tpm], or have the owner reset the count (`tpm2_dictionarylockout -c`), or \
                 wait: the TPM forgets wrong PINs one by one (a look at the TPM, which uses no PIN, says after how many seconds)"
            }
            Self::NoSpareTry { allowed: 0 } => {
                "have the owner allow more tries (`tpm2_dictionarylockout -s -n 10 -t 600 -l 86400`)"
            }
            Self::NoSpareTry { .. } => {
                "have the owner allow more tries (`tpm2_dictionarylockout -s -n 10 -t 600 -l 86400`), \
                 or make sure of the PIN and allow the last try with `allow_final_try = true` under \
                 [identity.tpm]; waiting changes nothing"
            }
            Self::LockedOut { .. } => {
                "wait, with the machine running, or have the owner reset the count \
                 (`tpm2_dictionarylockout -c`); trying earlier changes nothing"
            }
            Self::OtherTpm { .. } => {
                "nothing was sent to it: use the machine that the identity was made on, or restore \
                 it there from a backup; a cleared TPM has lost its keys for good; for a new \
                 identity on this TPM remove `parent_name` under [identity.tpm]"
            }
            Self::NotConfiguredParent { .. } => {
                "restore the one that was changed: `parent_name` under [identity.tpm], or \
                 identity.json (with identity.age). Which one it is tells the doctor: the storage key \
                 of this TPM has the right Name. Nothing was sent to it"
            }
            Self::ParentChanged { .. } | Self::NoParent { .. } | Self::NotAParent { .. } => {
                "nothing was sent to it: make the storage key at that handle again, by the commands \
                 that made it; the same TPM makes the same key (tpm2_createprimary and \
                 tpm2_evictcontrol, docs/backends/tpm.md, \"Set-up\"). For a new identity, correct \
                 `key_handle` under [identity.tpm]; to move an Ed25519 identity to another storage \
                 key, remove `parent_name` there and seal it anew (`IdentityStore::reseal`). Only if \
                 the TPM was cleared or exchanged, its keys are lost"
            }
            Self::Damaged { .. } | Self::ForeignPolicy { .. } => {
                "restore identity.json (with identity.age) from a backup"
            }
            Self::Full { .. } => {
                "use the kernel's resource manager (device_path = \"/dev/tpmrm0\"), or flush what \
                 other programs left: objects by `tpm2_flushcontext -t`, sessions by \
                 `tpm2_flushcontext -l` and `tpm2_flushcontext -s`"
            }
            Self::PolicyRefused { .. } => {
                "this should not be: report it, with the TPM's code and the doctor's `TpmReport`"
            }
            Self::NotResealable => {
                "for another PIN make another identity, and hand over to it; where its policy is \
                 \"authorized\", an approver can sign other PCR values for it"
            }
            Self::NoSuchPolicy { .. } => {
                "see [identity.tpm] in docs/configuration.md for what there is"
            }
            Self::Attributes { .. } => "make a new key in the TPM",
            Self::TakesNoApproval => {
                "set `policy = \"authorized\"` and `approver` under [identity.tpm], and seal an Ed25519 \
                 key anew under it (`Ready::reseal`); a P-256 key has its policy for good: make another \
                 identity"
            }
            Self::Approval { .. } => {
                "make it anew from the `ApprovalRequest` that `TpmBackend::check` gives on this node"
            }
            Self::OtherApprover => {
                "sign with the key whose public key the node names as `approver` under [identity.tpm]"
            }
            Self::ApproverKey { .. } => {
                "the approver's machine signs with the private key, as `openssl genpkey -algorithm EC \
                 -pkeyopt ec_paramgen_curve:P-256 -out FILE` makes it; nodes have the public one, as \
                 `openssl pkey -in FILE -pubout` prints it"
            }
            Self::Command { .. } => {
                "see what the TPM says (it is the source of this error), and whether `tpm2_selftest` \
                 and `tpm2_getcap properties-variable` answer; a PIN that was sent may have been \
                 counted"
            }
        };
        Some(help.to_owned())
    }
}
