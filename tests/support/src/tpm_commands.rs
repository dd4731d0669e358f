//! Commands of a TPM as they go over the wire (TPM 2.0 Library, part 3): for what tools do not do, or
//! not with the bytes that a test needs. Passwords are empty.

use crate::swtpm::Swtpm;

pub const OWNER: u32 = 0x4000_0001;
pub const NULL: u32 = 0x4000_0007;
pub const ENDORSEMENT: u32 = 0x4000_000b;

const NO_SESSIONS: u16 = 0x8001;
const SESSIONS: u16 = 0x8002;
/// The handle of the empty password, and its lengths.
const PASSWORD: [u8; 9] = [0x40, 0, 0, 9, 0, 0, 0, 0, 0];

/// A key that is loaded, and its `TPMT_PUBLIC`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Loaded {
    pub handle: u32,
    pub public: Vec<u8>,
}

/// A `TPM2B`.
pub fn sized(bytes: &[u8]) -> Vec<u8> {
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes(), bytes].concat()
}

/// The first `TPM2B` of an answer, and what is behind it.
fn take(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let length = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    (bytes[2..2 + length].to_vec(), &bytes[2 + length..])
}

fn number(bytes: &[u8]) -> u32 {
    u32::from_be_bytes(bytes[..4].try_into().unwrap())
}

impl Swtpm {
    /// What a command gives: handles and parameters; or its code.
    fn run(
        &self,
        code: u32,
        handles: &[u32],
        sessions: &[&[u8]],
        parameters: &[u8],
    ) -> Result<Vec<u8>, u32> {
        let tag = if sessions.is_empty() { NO_SESSIONS } else { SESSIONS };
        let mut body: Vec<u8> = handles.iter().flat_map(|handle| handle.to_be_bytes()).collect();
        if !sessions.is_empty() {
            let all = sessions.concat();
            body.extend(u32::try_from(all.len()).unwrap().to_be_bytes());
            body.extend(all);
        }
        body.extend_from_slice(parameters);
        let length = u32::try_from(10 + body.len()).unwrap();
        let head = [&tag.to_be_bytes()[..], &length.to_be_bytes(), &code.to_be_bytes()].concat();
        let command = [head, body].concat();
        loop {
            let answer = self.answer(&command).unwrap();
            match number(&answer[6..]) {
                0 => return Ok(answer[10..].to_vec()),
                // TPM_RC_RETRY, as before its first use of an algorithm, which it tests then.
                0x922 => {}
                code => return Err(code),
            }
        }
    }

    /// The parameters of a command with empty passwords that gives no handle.
    fn by_password(
        &self,
        code: u32,
        handles: &[u32],
        passwords: usize,
        parameters: &[u8],
    ) -> Result<Vec<u8>, u32> {
        let passwords = vec![&PASSWORD[..]; passwords];
        let answer = self.run(code, handles, &passwords, parameters)?;
        let length = usize::try_from(number(&answer)).unwrap();
        Ok(answer[4..4 + length].to_vec())
    }

    /// `TPM2_CreatePrimary`, of a template.
    pub fn create_primary(&self, hierarchy: u32, template: &[u8]) -> Result<Loaded, u32> {
        let sensitive = [0, 4, 0, 0, 0, 0];
        let parameters = [&sensitive[..], &sized(template), &[0, 0], &[0; 4]].concat();
        let answer = self.run(0x131, &[hierarchy], &[&PASSWORD], &parameters)?;
        // The handle, and the length of the parameters.
        Ok(Loaded { handle: number(&answer), public: take(&answer[8..]).0 })
    }

    /// `TPM2_LoadExternal` of a key on P-256 with its private part.
    pub fn load_external(&self, public: &[u8], private: &[u8]) -> Result<Loaded, u32> {
        let parameters =
            [sized(&sensitive(private)), sized(public), NULL.to_be_bytes().to_vec()].concat();
        let answer = self.run(0x167, &[], &[], &parameters)?;
        Ok(Loaded { handle: number(&answer), public: public.to_vec() })
    }

    /// The same of a public part alone.
    pub fn load_public(&self, public: &[u8]) -> Result<Loaded, u32> {
        let parameters = [vec![0, 0], sized(public), NULL.to_be_bytes().to_vec()].concat();
        let answer = self.run(0x167, &[], &[], &parameters)?;
        Ok(Loaded { handle: number(&answer), public: public.to_vec() })
    }

    /// `TPM2_Import` of a key on P-256 that is not encrypted, and `TPM2_Load`, under a storage key.
    pub fn import(&self, parent: &Loaded, public: &[u8], private: &[u8]) -> Result<Loaded, u32> {
        let duplicate = sized(&sized(&sensitive(private)));
        let no_cipher = [0, 0x10];
        let parameters = [&[0, 0][..], &sized(public), &duplicate, &[0, 0], &no_cipher].concat();
        let answer = self.by_password(0x156, &[parent.handle], 1, &parameters)?;
        let (imported, _) = take(&answer);
        let parameters = [sized(&imported), sized(public)].concat();
        let answer = self.run(0x157, &[parent.handle], &[&PASSWORD], &parameters)?;
        Ok(Loaded { handle: number(&answer), public: public.to_vec() })
    }

    /// `TPM2_Certify`: the statement and the signature.
    pub fn certify(
        &self,
        key: &Loaded,
        ak: &Loaded,
        data: &[u8],
    ) -> Result<(Vec<u8>, Vec<u8>), u32> {
        let parameters = [&sized(data)[..], &[0, 0x10]].concat();
        let answer = self.by_password(0x148, &[key.handle, ak.handle], 2, &parameters)?;
        let (statement, signature) = take(&answer);
        Ok((statement, signature.to_vec()))
    }

    /// `TPM2_Quote` of PCR 0.
    pub fn quote(&self, ak: &Loaded, data: &[u8]) -> Result<(Vec<u8>, Vec<u8>), u32> {
        let selection = [0, 0, 0, 1, 0, 0x0b, 3, 1, 0, 0];
        let parameters = [&sized(data)[..], &[0, 0x10], &selection].concat();
        let answer = self.by_password(0x158, &[ak.handle], 1, &parameters)?;
        let (statement, signature) = take(&answer);
        Ok((statement, signature.to_vec()))
    }

    /// `TPM2_Hash` and `TPM2_Sign` with SHA-256, of bytes that a restricted key may sign too: the
    /// `TPMT_SIGNATURE`.
    pub fn sign_hashed(&self, key: &Loaded, bytes: &[u8]) -> Result<Vec<u8>, u32> {
        let parameters = [&sized(bytes)[..], &[0, 0x0b], &ENDORSEMENT.to_be_bytes()].concat();
        let hashed = self.run(0x17d, &[], &[], &parameters)?;
        let (digest, ticket) = take(&hashed);
        let parameters = [&sized(&digest)[..], &[0, 0x18, 0, 0x0b], ticket].concat();
        self.by_password(0x15d, &[key.handle], 1, &parameters)
    }

    /// `TPM2_ActivateCredential` with an endorsement key of template L-2, and the Name of the
    /// attestation key, whatever that is.
    pub fn activate_credential(
        &self,
        ak: &Loaded,
        ek: &Loaded,
        blob: &[u8],
        secret: &[u8],
    ) -> Result<Vec<u8>, u32> {
        // A policy session, with SHA-256.
        let start = [&sized(&[7; 16])[..], &[0, 0], &[1], &[0, 0x10], &[0, 0x0b]].concat();
        let session = number(&self.run(0x176, &[NULL, NULL], &[], &start)?);
        let none = [&[0; 6][..], &[0; 4]].concat();
        self.by_password(0x151, &[ENDORSEMENT, session], 1, &none)?;
        let by_policy = [&session.to_be_bytes()[..], &[0, 0, 1, 0, 0]].concat();
        let parameters = [sized(blob), sized(secret)].concat();
        let handles = [ak.handle, ek.handle];
        let answer = self.run(0x147, &handles, &[&PASSWORD, &by_policy], &parameters);
        self.flush_handle(session);
        Ok(take(&answer?[4..]).0)
    }

    /// `TPM2_FlushContext`.
    pub fn flush_handle(&self, handle: u32) {
        self.run(0x165, &[], &[], &handle.to_be_bytes()).unwrap();
    }
}

/// `TPMT_SENSITIVE` of a key on P-256 without a password.
fn sensitive(private: &[u8]) -> Vec<u8> {
    [&[0, 0x23, 0, 0, 0, 0][..], &sized(private)].concat()
}
