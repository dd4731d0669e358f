//! A maker of TPMs of the test's own: it certifies the endorsement key of an swtpm, and writes the
//! certificate to where TPMs have it.

use crate::maker::{ECDSA_SHA256, Extension, Form, Signer, authority, key_usage, oid, tlv};
use crate::swtpm::Swtpm;

/// The NV index of the certificate of a P-256 EK, and of an RSA-2048 one.
pub const P256_INDEX: u32 = 0x01c0_000a;
pub const RSA_INDEX: u32 = 0x01c0_0002;
/// That of a P-256 EK of template H-2.
pub const HIGH_INDEX: u32 = 0x01c0_0014;

/// `id:53544D20`, as ST writes itself.
pub const MANUFACTURER: &str = "id:53544D20";

/// A root and a sub-authority.
pub struct EkMaker {
    pub root_key: Signer,
    pub sub_key: Signer,
    pub root: Vec<u8>,
    pub sub: Vec<u8>,
}

impl EkMaker {
    #[expect(clippy::new_without_default, reason = "each is another maker")]
    pub fn new() -> Self {
        let (root_key, sub_key) = (Signer::p384(), Signer::p256());
        let root = Form::new("TPM Root", "TPM Root", root_key.spki())
            .with(authority(None))
            .with(key_usage(0x04))
            .sign(&root_key);
        let sub = Form::new("TPM Sub", "TPM Root", sub_key.spki())
            .with(authority(Some(0)))
            .with(key_usage(0x04))
            .sign(&root_key);
        Self { root_key, sub_key, root, sub }
    }

    /// The certificate of an EK, to be changed and signed by `sub_key`.
    pub fn ek(spki: &[u8]) -> Form {
        Self::ek_by(MANUFACTURER, spki)
    }

    /// The same, by a manufacturer of this name.
    pub fn ek_by(manufacturer: &str, spki: &[u8]) -> Form {
        let mut form = Form::new("EK", "TPM Sub", spki.to_vec())
            .with(key_usage(0x08))
            .with(device_names(manufacturer))
            .with(extended_key_usage("2.23.133.8.1"));
        form.algorithm = Some(ECDSA_SHA256);
        form
    }

    /// Certifies the EK of a TPM.
    pub fn endorse(&self, tpm: &Swtpm) {
        let certificate = Self::ek(&tpm.ek_spki()).sign(&self.sub_key);
        tpm.store(P256_INDEX, &certificate);
    }
}

/// Manufacturer, model and version (TCG EK Credential Profile, section 3.2.9).
fn device_names(manufacturer: &str) -> Extension {
    let attribute = |id: &str, text: &str| {
        tlv(0x31, &tlv(0x30, &[oid(id), tlv(0x0c, text.as_bytes())].concat()))
    };
    let names = [
        attribute("2.23.133.2.1", manufacturer),
        attribute("2.23.133.2.2", "TEST TPM"),
        attribute("2.23.133.2.3", "id:00010002"),
    ];
    let directory = tlv(0xa4, &tlv(0x30, &names.concat()));
    ("2.5.29.17".into(), true, tlv(0x30, &directory))
}

pub fn extended_key_usage(id: &str) -> Extension {
    ("2.5.29.37".into(), false, tlv(0x30, &oid(id)))
}

impl Swtpm {
    /// The public key of its P-256 EK, as a `SubjectPublicKeyInfo` in DER.
    pub fn ek_spki(&self) -> Vec<u8> {
        self.tool(
            "tpm2_createek",
            &["-Q", "-G", "ecc", "-c", "ek.ctx", "-u", "ek.der", "-f", "der"],
        );
        self.flush();
        std::fs::read(self.path("ek.der")).unwrap()
    }

    /// That of its P-256 EK of the high range, template H-2 (EK Credential Profile 2.5, section B.4.5).
    pub fn high_ek_spki(&self) -> Vec<u8> {
        // Policy B.
        let policy = "ca3d0a99a2b93906f7a3342414efcfb3a385d44cd1fd459089d19b5071c0b7a0";
        let policy: Vec<u8> = (0..32)
            .map(|at| u8::from_str_radix(&policy[2 * at..2 * at + 2], 16).unwrap())
            .collect();
        std::fs::write(self.path("policy-b"), policy).unwrap();
        let attributes = "fixedtpm|fixedparent|sensitivedataorigin|userwithauth|adminwithpolicy|restricted|decrypt";
        let key =
            ["-g", "sha256", "-G", "ecc256:null:aes128cfb", "-L", "policy-b", "-a", attributes];
        self.tool("tpm2_createprimary", &[&["-Q", "-C", "e", "-c", "high.ctx"], &key[..]].concat());
        self.tool("tpm2_readpublic", &["-Q", "-c", "high.ctx", "-f", "der", "-o", "high.der"]);
        self.flush();
        std::fs::read(self.path("high.der")).unwrap()
    }

    /// Stores bytes at an NV index, as a maker does with certificates, in place of what is there.
    pub fn store(&self, index: u32, bytes: &[u8]) {
        self.store_as(index, bytes, "ownerread|ownerwrite|authread|no_da", "");
    }

    /// The same with these attributes and this password.
    pub fn store_as(&self, index: u32, bytes: &[u8], attributes: &str, password: &str) {
        let (index, size) = (format!("{index:#x}"), bytes.len().to_string());
        let _ = self.try_tool("tpm2_nvundefine", &["-C", "o", &index]);
        let define = ["-Q", &index, "-C", "o", "-s", &size, "-a", attributes, "-p", password];
        self.tool("tpm2_nvdefine", &define);
        std::fs::write(self.path("stored"), bytes).unwrap();
        self.tool("tpm2_nvwrite", &["-Q", &index, "-C", "o", "-i", "stored"]);
    }

    /// `TPM2_MakeCredential` by a tool: the contents of a `TPM2B_ID_OBJECT` and of a
    /// `TPM2B_ENCRYPTED_SECRET`, for a secret, a Name and the public part of an EK.
    pub fn make_credential(&self, ek: &[u8], name: &[u8], secret: &[u8]) -> (Vec<u8>, Vec<u8>) {
        let sized =
            |bytes: &[u8]| [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat();
        std::fs::write(self.path("ek.pub"), sized(ek)).unwrap();
        std::fs::write(self.path("secret"), secret).unwrap();
        let name: String = name.iter().map(|byte| format!("{byte:02x}")).collect();
        let args = ["-Q", "-u", "ek.pub", "-s", "secret", "-n", &name, "-o", "credential"];
        self.tool("tpm2_makecredential", &[&["-T", "none"], &args[..]].concat());
        let made = std::fs::read(self.path("credential")).unwrap();
        // A magic number and a version.
        let (credential, rest) = take(&made[8..]);
        let (secret, _) = take(rest);
        (credential, secret)
    }
}

fn take(bytes: &[u8]) -> (Vec<u8>, &[u8]) {
    let length = usize::from(u16::from_be_bytes([bytes[0], bytes[1]]));
    (bytes[2..2 + length].to_vec(), &bytes[2 + length..])
}
