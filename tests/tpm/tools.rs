//! What tpm2-tools say of keys that we made.

use icn_identity::DidSigner as _;

use super::*;

/// Loads an object by tpm2-tools; `NAME.ctx` is its context then. Gives what
/// `tpm2_load` printed.
pub(crate) fn load_by_tools(node: &Node, object: &TpmObject, name: &str) -> String {
    let path = |name: &str| node.tpm.path(name).to_str().unwrap().to_owned();
    let sized = |bytes: &[u8]| {
        let length = u16::try_from(bytes.len()).unwrap().to_be_bytes();
        [&length[..], bytes].concat()
    };
    std::fs::write(path("object.pub"), sized(&object.public)).unwrap();
    std::fs::write(path("object.priv"), sized(&object.private)).unwrap();
    let root = path("root.ctx");
    let attributes =
        "restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda";
    // An empty unique value, as the template has it.
    std::fs::write(path("unique"), [0_u8; 4]).unwrap();
    let unique = path("unique");
    node.tpm.tool(
        "tpm2_createprimary",
        &["-C", "o", "-G", "ecc256:aes128cfb", "-a", attributes, "-u", &unique, "-c", &root],
    );
    let context = path(&format!("{name}.ctx"));
    let loaded = node.tpm.tool(
        "tpm2_load",
        &["-C", &root, "-u", &path("object.pub"), "-r", &path("object.priv"), "-c", &context],
    );
    node.tpm.tool("tpm2_flushcontext", &["-t"]);
    loaded
}

#[test]
fn tpm2_readpublic_and_verifysignature_agree_with_us_about_a_p256_key() {
    let node = Node::new();
    for config in [node.config(), node.with_pin()] {
        let (key, locator) = create(&node.open(&config), &config, AlgorithmId::P256);
        let message = b"what tools say";
        let signature = key.sign(message).unwrap();
        let verifying_key = *key.verifying_key();
        drop(key);
        let loaded = load_by_tools(&node, object(&locator), "key");
        let path = |name: &str| node.tpm.path(name).to_str().unwrap().to_owned();
        let key_ctx = path("key.ctx");
        let told = node.tpm.tool("tpm2_readpublic", &["-c", &key_ctx]);
        let icn_identity::VerifyingKey::P256(public) = verifying_key else {
            panic!("{verifying_key:?}")
        };
        let point = public.to_uncompressed();
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        assert!(told.contains(&format!("x: {}", hex(&point[1..33]))), "{told}");
        assert!(told.contains(&format!("y: {}", hex(&point[33..]))), "{told}");
        let attributes = told
            .lines()
            .skip_while(|line| !line.starts_with("attributes"))
            .find_map(|line| line.trim().strip_prefix("value: "))
            .unwrap();
        let no_da = if config.pin { "" } else { "|noda" };
        assert_eq!(attributes, format!("fixedtpm|fixedparent|sensitivedataorigin{no_da}|sign"));
        let policy = told.lines().find_map(|line| line.strip_prefix("authorization policy: "));
        let policy = policy.unwrap().to_lowercase();
        assert!(hex(&object(&locator).public).contains(&policy), "{policy}");
        let name = loaded.lines().find_map(|line| line.strip_prefix("name: ")).unwrap();
        use sha2::Digest as _;
        let ours = hex(&sha2::Sha256::digest(&object(&locator).public));
        assert_eq!(name, format!("000b{ours}"));

        // r ‖ s as the TPM's own format: scheme, hash, two sized numbers.
        let (r, s) = signature.as_bytes().split_at(32);
        let mut tpm_format = vec![0x00, 0x18, 0x00, 0x0b];
        for number in [r, s] {
            tpm_format.extend([0, 32]);
            tpm_format.extend(number);
        }
        std::fs::write(path("message"), message).unwrap();
        std::fs::write(path("signature"), &tpm_format).unwrap();
        let verify =
            ["-c", &key_ctx, "-g", "sha256", "-m", &path("message"), "-s", &path("signature")];
        node.tpm.tool("tpm2_verifysignature", &verify);
        *tpm_format.last_mut().unwrap() ^= 1;
        std::fs::write(path("signature"), &tpm_format).unwrap();
        assert!(!node.tpm.try_tool("tpm2_verifysignature", &verify).0);
        node.tpm.tool("tpm2_flushcontext", &["-t"]);
    }
}

/// The policy digests that we compute are those of a trial session.
#[test]
fn a_trial_session_arrives_at_our_policy() {
    let node = Node::new();
    let (_, public) = node.approver("approver");
    let path = |name: &str| node.tpm.path(name).to_str().unwrap().to_owned();
    let mut config = node.with_pin();
    config.pcr_indices = PcrIndices::new([0, 7, 16]).unwrap();
    let (key, locator) = create(&node.open(&config), &config, AlgorithmId::Ed25519);
    drop(key);
    let session = path("trial.ctx");
    node.tpm.tool("tpm2_startauthsession", &["-S", &session]);
    node.tpm.tool("tpm2_policypcr", &["-S", &session, "-l", "sha256:0,7,16"]);
    let digest = node.tpm.tool("tpm2_policyauthvalue", &["-S", &session]);
    node.tpm.tool("tpm2_flushcontext", &[&session]);
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let digest = digest.trim();
    assert_eq!(digest.len(), 64);
    assert!(hex(&object(&locator).public).contains(digest), "{digest}");

    // An authorized one: PolicyOR of the literal policy and PolicyAuthorize.
    let mut config = node.authorized(&public);
    config.pcr_indices = PcrIndices::new([16]).unwrap();
    let (key, locator) = create(&node.open(&config), &config, AlgorithmId::P256);
    drop(key);
    let authorized = object(&locator).policy.authorized.clone().unwrap();
    node.tpm.tool("tpm2_startauthsession", &["-S", &session]);
    node.tpm.tool("tpm2_policypcr", &["-S", &session, "-l", "sha256:16", "-L", &path("literal")]);
    node.tpm.tool("tpm2_flushcontext", &[&session]);
    std::fs::write(path("ref"), authorized.policy_ref).unwrap();
    let pem = public.to_str().unwrap();
    let attributes = "sign|userwithauth";
    let load = ["-C", "o", "-G", "ecc:ecdsa-sha256", "-a", attributes, "-u", pem];
    node.tpm.tool(
        "tpm2_loadexternal",
        &[&load[..], &["-c", &path("approver.ctx"), "-n", &path("approver.name")]].concat(),
    );
    node.tpm.tool("tpm2_startauthsession", &["-S", &session]);
    node.tpm.tool(
        "tpm2_policyauthorize",
        &[
            "-S",
            &session,
            "-n",
            &path("approver.name"),
            "-q",
            &path("ref"),
            "-i",
            &path("literal"),
            "-L",
            &path("authorized"),
        ],
    );
    node.tpm.tool("tpm2_flushcontext", &[&session]);
    node.tpm.tool("tpm2_startauthsession", &["-S", &session]);
    let list = format!("sha256:{},{}", path("literal"), path("authorized"));
    let digest = node.tpm.tool("tpm2_policyor", &["-S", &session, &list]);
    node.tpm.tool("tpm2_flushcontext", &[&session]);
    let digest = digest.trim();
    assert!(hex(&object(&locator).public).contains(digest), "{digest}");
}
