//! Rule 6: a state is what was demanded in both halves, registers and values, of the SHA-256 bank.

use sha2::{Digest as _, Sha256};

use super::made::*;
use super::soft_tpm::*;
use super::tpm::{begun, refused};
use crate::attestation::*;
use crate::encoding::hex;
use crate::key::{Key, Software, Unlocked};

const SHA1: u16 = 4;
const SHA256: u16 = 0x0b;
/// PCRs 0 and 7.
const ZERO_AND_SEVEN: &[u8] = &[0x81, 0, 0];

/// The value of a register, made up.
fn value(index: u8) -> [u8; 32] {
    [index + 1; 32]
}

/// As `tpm2_pcrread` prints them.
fn printed(bank: &str, indices: &[u8]) -> String {
    let lines =
        indices.iter().map(|index| format!("    {index} : 0x{}\n", hex::encode(&value(*index))));
    format!("  {bank}:\n{}", lines.collect::<String>())
}

fn policy(indices: &[u8]) -> PcrState {
    PcrState::parse(&printed("sha256", indices)).unwrap()
}

fn digest(indices: &[u8]) -> [u8; 32] {
    Sha256::digest(indices.iter().flat_map(|index| value(*index)).collect::<Vec<_>>()).into()
}

fn registers(bitmap: &[u8]) -> Vec<u8> {
    let all = 0..8 * u8::try_from(bitmap.len()).unwrap();
    all.filter(|index| bitmap[usize::from(index / 8)] >> (index % 8) & 1 == 1).collect()
}

/// The same attestation, with a quote of these registers.
pub(super) fn quoting(tpm: &Tpm, attestation: &Attestation, bitmap: &[u8]) -> Attestation {
    stating(tpm, attestation, &[(SHA256, bitmap)], &digest(&registers(bitmap)))
}

fn stating(
    tpm: &Tpm,
    attestation: &Attestation,
    banks: &[(u16, &[u8])],
    digest: &[u8],
) -> Attestation {
    let quoted = tpm.quoted(banks, digest, &attestation.qualifying_data());
    tpm.changed(attestation, |parts| parts.quote = tpm.quote(quoted))
}

fn as_sent(attestation: &Attestation) -> Attestation {
    let read = Attestation::parse(attestation.to_json().as_bytes()).unwrap();
    assert_eq!(read, *attestation);
    read
}

/// A relying party that demands this state, and believes who has activated the TPM.
struct Party {
    tpm: Tpm,
    endorsement: Endorsement,
    challenge: Challenge,
}

impl Party {
    fn new() -> Self {
        let tpm = Tpm::new();
        let endorsement = tpm.endorsed(&Self::endorser());
        Self { tpm, endorsement, challenge: challenge() }
    }

    fn endorser() -> Key<Software, Unlocked> {
        Key::from_seed(&[21; 32])
    }

    /// Of the TPM, without a quote.
    fn attestation(&self) -> Attestation {
        let endorsement = Some(self.endorsement.clone());
        let made = self.tpm.answering(&self.challenge);
        self.tpm.changed(&made, |parts| parts.endorsement = endorsement)
    }

    fn verdict(
        &self,
        attestation: &Attestation,
        policy: Option<PcrState>,
    ) -> Result<Verdict, AttestationRefusal> {
        let verifier = self.tpm.verifier().endorsed_by(Self::endorser().did().clone());
        let verifier = policy.into_iter().fold(verifier, Verifier::pcr_policy);
        verifier.verify(&as_sent(attestation), Fresh::To(&self.challenge), now())
    }

    fn verified(&self, attestation: &Attestation) -> String {
        refused(self.verdict(attestation, Some(policy(&[0, 7]))))
    }
}

#[test]
fn a_state_is_accepted_where_registers_and_values_are_those_demanded() {
    let party = Party::new();
    let attestation = quoting(&party.tpm, &party.attestation(), ZERO_AND_SEVEN);
    let verdict = party.verdict(&attestation, Some(policy(&[0, 7]))).unwrap();
    let checked = verdict.pcrs().unwrap();
    assert_eq!((checked.to_string(), checked.digest()), ("0,7".into(), &digest(&[0, 7])));
    let attested = verdict.into_hardware().unwrap();
    assert_eq!(attested.clone().pcrs(), Some(&policy(&[0, 7])));
    assert!(format!("{attested:?}").contains("PcrState(0,7: "), "{attested:?}");
    // What was stated and not demanded is nothing that the verdict tells.
    assert!(party.verdict(&attestation, None).unwrap().pcrs().is_none());
    let stated = attestation.unverified_pcrs().unwrap().unwrap();
    assert_eq!(stated, policy(&[0, 7]));
    assert!(party.attestation().unverified_pcrs().is_none());
    // A bit map may be longer or shorter than three bytes.
    for bitmap in [&[0x81][..], &[0x81, 0, 0, 0]] {
        assert_eq!(party.verified(&quoting(&party.tpm, &attestation, bitmap)), "accepted");
    }
}

/// Both halves, and each by its name.
#[test]
fn another_selection_or_another_digest_is_not_the_state_that_is_demanded() {
    let party = Party::new();
    let attestation = party.attestation();
    assert_eq!(party.verified(&attestation), "NoQuote");
    let quoting = |bitmap: &[u8]| quoting(&party.tpm, &attestation, bitmap);
    for bitmap in [&[0x80, 0, 0][..], &[0x01, 0, 0], &[0x85, 0, 0], &[0x81, 0, 1], &[0x81, 0, 0, 1]]
    {
        assert_eq!(party.verified(&quoting(bitmap)), "PcrSelection", "{bitmap:?}");
    }
    // The digest of the state that is demanded, of other registers: those of one that is reset have
    // any value.
    let of_others =
        |bitmap: &[u8]| stating(&party.tpm, &attestation, &[(SHA256, bitmap)], &digest(&[0, 7]));
    for bitmap in [&[0, 0, 0x81][..], &[0x83, 0, 0], &[0x80, 0, 0]] {
        assert_eq!(party.verified(&of_others(bitmap)), "PcrSelection", "{bitmap:?}");
    }
    let state =
        |digest: &[u8]| stating(&party.tpm, &attestation, &[(SHA256, ZERO_AND_SEVEN)], digest);
    for bit in 0..256 {
        let mut other = digest(&[0, 7]);
        other[bit / 8] ^= 1 << (bit % 8);
        assert_eq!(party.verified(&state(&other)), "PcrDigest", "{bit}");
    }
    assert_eq!(party.verified(&state(&digest(&[7, 0]))), "PcrDigest");
    let refusal = party.verdict(&state(&[9; 32]), Some(policy(&[0, 7]))).unwrap_err();
    let expected = format!(
        "the PCRs 0,7 have the digest {}; expected {}",
        "09".repeat(32),
        hex::encode(&digest(&[0, 7]))
    );
    assert_eq!(refusal.to_string(), expected);
    // Whether or not a state is demanded.
    for length in [0, 20, 31, 33, 48] {
        let refusal = party.verdict(&state(&vec![1; length]), None);
        assert_eq!(refused(refusal), "Malformed", "{length}");
    }
}

#[test]
fn registers_of_another_bank_of_several_or_of_none_are_refused_by_name() {
    let party = Party::new();
    let attestation = party.attestation();
    let digest = digest(&[0, 7]);
    for (banks, expected) in [
        (&[][..], "NoPcr"),
        (&[(SHA256, &[0, 0, 0][..])], "NoPcr"),
        (&[(SHA256, &[][..])], "NoPcr"),
        (&[(SHA1, ZERO_AND_SEVEN)], "PcrBank"),
        (&[(0x0c, ZERO_AND_SEVEN)], "PcrBank"),
        (&[(SHA1, &[0, 0, 0][..])], "PcrBank"),
        (&[(SHA256, ZERO_AND_SEVEN), (SHA1, ZERO_AND_SEVEN)], "PcrBanks"),
        (&[(SHA1, &[0, 0, 0][..]), (SHA256, ZERO_AND_SEVEN)], "PcrBanks"),
        (&[(SHA256, &[1, 0, 0][..]), (SHA256, &[0x80, 0, 0])], "PcrBanks"),
    ] {
        let stated = stating(&party.tpm, &attestation, banks, &digest);
        assert_eq!(party.verified(&stated), expected, "{banks:?}");
        assert_eq!(refused(party.verdict(&stated, None)), expected, "{banks:?}");
        assert!(stated.unverified_pcrs().unwrap().is_err(), "{banks:?}");
    }
}

/// By another key, for another answer, of another boot, or another statement in its place.
#[test]
fn a_quote_is_one_by_the_key_that_certified_and_for_the_same_answer() {
    let party = Party::new();
    let attestation = quoting(&party.tpm, &party.attestation(), ZERO_AND_SEVEN);
    assert_eq!(party.verified(&attestation), "accepted");
    let data = attestation.qualifying_data();
    let with = |quote: Option<evidence::Quote>| {
        party.verified(&party.tpm.changed(&attestation, |parts| parts.quote = quote))
    };
    let bank = [(SHA256, ZERO_AND_SEVEN)];
    let state = |tpm: &Tpm, data: &[u8]| tpm.quoted(&bank, &digest(&[0, 7]), data);
    let mut other = Tpm::new();
    other.ak = p256::SecretKey::from_slice(&[6; 32]).unwrap();
    assert_eq!(with(other.quote(state(&other, &data))), "Signature");
    assert_eq!(with(other.quote(state(&party.tpm, &data))), "Signature");
    assert_eq!(with(party.tpm.quote(state(&party.tpm, &[7; 32]))), "QualifyingData");
    assert_eq!(with(party.tpm.quote(state(&party.tpm, &data[..31]))), "QualifyingData");
    assert_eq!(with(party.tpm.quote(state(&party.tpm, &[]))), "QualifyingData");
    let mut elsewhere = Tpm::new();
    elsewhere.hierarchy = 0x4000_0001;
    assert_eq!(with(party.tpm.quote(state(&elsewhere, &data))), "Hierarchy");
    let mut later = Tpm::new();
    later.resets += 1;
    assert_eq!(with(party.tpm.quote(state(&later, &data))), "TwoBoots");
    // Each statement in the place of the other, and without the first bytes of a TPM's.
    let evidence::Evidence::Tpm2Certify(parts) = &attestation.evidence else { panic!() };
    let certify = evidence::Quote { quoted: parts.cert_info.clone(), sig: parts.sig.clone() };
    assert_eq!(with(Some(certify)), "Statement");
    let quote = parts.quote.clone().unwrap();
    let exchanged = party.tpm.changed(&attestation, |parts| {
        (parts.cert_info, parts.sig) = (quote.quoted.clone(), quote.sig.clone());
    });
    assert_eq!(party.verified(&exchanged), "Statement");
    let mut forged = quote.quoted.0;
    forged[0] ^= 1;
    assert_eq!(with(party.tpm.quote(forged)), "Magic");
    // The DID's key signs it as well.
    let mut without = attestation.clone();
    let evidence::Evidence::Tpm2Certify(parts) = &mut without.evidence else { panic!() };
    parts.quote = None;
    assert_eq!(refused(party.verdict(&without, None)), "Possession");
}

/// In each way to a verdict.
#[test]
fn the_state_is_demanded_of_an_activation_and_of_other_devices_too() {
    let tpm = Tpm::new();
    let (attestation, challenge) = tpm.attestation();
    let fresh = Fresh::To(&challenge);
    let demanding = |indices: &[u8]| tpm.verifier().pcr_policy(policy(indices));
    let begun_with =
        |attestation: &Attestation| match demanding(&[0, 7]).begin(attestation, fresh, now()) {
            Err(AttestationError::Refused(refusal)) => refused::<()>(Err(*refusal)),
            other => refused(Ok(other.unwrap())),
        };
    assert_eq!(begun(&tpm, &attestation, &challenge), "accepted");
    assert_eq!(begun_with(&attestation), "NoQuote");
    let attestation = quoting(&tpm, &attestation, ZERO_AND_SEVEN);
    assert_eq!(begun_with(&attestation), "accepted");
    let (activation, request) = demanding(&[0, 7]).begin(&attestation, fresh, now()).unwrap();
    let answer = tpm.activate(&request).unwrap();
    let kept = activation.to_secret_json();
    let kept = || Activation::from_secret_json(kept.as_bytes()).unwrap();
    let finish = |indices| demanding(indices).finish(kept(), &answer, &attestation, fresh, now());
    assert_eq!(refused(finish(&[0])), "PcrSelection");
    let verdict = finish(&[0, 7]).unwrap().into_verdict();
    assert_eq!(verdict.pcrs(), Some(&policy(&[0, 7])));
    // A device that has no registers.
    let maker = support::maker::Maker::yubihsm();
    let (attestation, challenge) = super::made::attestation(&maker);
    let verifier = verifier(&maker).pcr_policy(policy(&[0, 7]));
    assert_eq!(refused(verifier.verify(&attestation, Fresh::To(&challenge), now())), "NoQuote");
}

#[test]
fn a_policy_is_what_tpm2_pcrread_prints_or_json_of_the_sha256_bank() {
    let state = policy(&[0, 7]);
    assert_eq!((state.to_string(), state.digest()), ("0,7".into(), &digest(&[0, 7])));
    let values = format!(r#""7":"{}","0":"{}""#, hex::encode(&value(7)), hex::encode(&value(0)));
    let json = |bank: &str, values: &str| format!(r#"{{"bank":"{bank}","values":{{{values}}}}}"#);
    assert_eq!(PcrState::parse(&json("sha256", &values)).unwrap(), state);
    assert_eq!(
        PcrState::parse(
            &printed("sha256", &[0, 7]).to_uppercase().replace("SHA", "sha").replace('X', "x")
        )
        .unwrap(),
        state
    );
    assert_ne!(policy(&[0]), state);
    let name = |text: &str| {
        let shown = format!("{:?}", PcrState::parse(text).unwrap_err());
        shown.chars().take_while(char::is_ascii_alphanumeric).collect::<String>()
    };
    let mut more = json("sha256", &values);
    more.insert_str(1, r#""more":1,"#);
    for (text, expected) in [
        (String::new(), "Pcrs"),
        ("PCRs are fine".into(), "Pcrs"),
        (more, "Pcrs"),
        (printed("sha1", &[0, 7]), "PcrBank"),
        (printed("sha384", &[0, 7]), "PcrBank"),
        (printed("sha256", &[0]) + &printed("sha1", &[0]), "Pcrs"),
        (printed("sha256", &[]), "NoPcr"),
        (json("sha256", ""), "NoPcr"),
        (printed("sha256", &[0, 24]), "Pcrs"),
        ("sha256:\n  7 : 0x00\n".into(), "PcrValue"),
        (format!("sha256:\n  7 : 0x{}\n", "0g".repeat(32)), "PcrValue"),
        (printed("sha256", &[7]) + &" ".repeat(MAX_FILE_LEN), "TooLong"),
    ] {
        assert_eq!(name(&text), expected, "{text}");
    }
}

/// With a quote, the bytes that the DID's key signs go on as the documentation of the module says.
#[test]
fn the_hash_of_evidence_with_a_quote_is_as_documented() {
    let tpm = Tpm::new();
    let (plain, _) = tpm.attestation();
    let length = |bytes: &[u8]| u64::try_from(bytes.len()).unwrap().to_be_bytes();
    let documented = |attestation: &Attestation| {
        let evidence::Evidence::Tpm2Certify(parts) = &attestation.evidence else { panic!() };
        let field = |bytes: &[u8]| [&length(bytes)[..], bytes].concat();
        let mut all = field(b"tpm2-certify");
        for part in [&parts.pub_area, &parts.cert_info, &parts.sig, &parts.ak] {
            all.extend(field(&part.0));
        }
        all.push(1);
        all.extend(field(&parts.ek.as_ref().unwrap().0));
        all.extend(u64::try_from(parts.x5c.len()).unwrap().to_be_bytes());
        parts.x5c.iter().for_each(|der| all.extend(field(&der.0)));
        all.push(0);
        match &parts.quote {
            None => all.push(0),
            Some(quote) => {
                all.push(1);
                all.extend([field(&quote.quoted.0), field(&quote.sig.0)].concat());
            }
        }
        <[u8; 32]>::from(Sha256::digest(&all))
    };
    for attestation in [quoting(&tpm, &plain, ZERO_AND_SEVEN), plain] {
        assert_eq!(attestation.evidence.sha256(), documented(&attestation));
    }
}

/// In the file: an object of two fields, and nothing else.
#[test]
fn a_quote_stands_in_a_file_as_an_object_of_its_two_fields() {
    let tpm = Tpm::new();
    let quoting = quoting(&tpm, &tpm.attestation().0, ZERO_AND_SEVEN);
    let good: serde_json::Value = serde_json::from_str(&quoting.to_json()).unwrap();
    let quote = &good["evidence"]["quote"];
    assert_eq!(quote.as_object().unwrap().len(), 2);
    let parses = |value: serde_json::Value| {
        let mut changed = good.clone();
        changed["evidence"]["quote"] = value;
        Attestation::parse(changed.to_string().as_bytes()).is_ok()
    };
    assert!(parses(quote.clone()));
    let mut more = quote.clone();
    more["more"] = 1.into();
    let mut without = quote.clone();
    without.as_object_mut().unwrap().remove("sig");
    let array = serde_json::json!([quote["quoted"], quote["sig"]]);
    for wrong in [more, without, array, serde_json::json!({}), serde_json::json!("AA"), 1.into()] {
        assert!(!parses(wrong.clone()), "{wrong}");
    }
}
