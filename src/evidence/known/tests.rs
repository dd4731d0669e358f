use super::super::Assurance::{self, Claimed, SoftToken};
use super::super::Word;
use super::super::{
    Attribute, Evidence, Fact, Pkcs11Attributes, ProvenanceKind, TpmAttributes, Trust,
};
use super::*;

fn device(manufacturer: &str, model: &str, library: &str) -> DeviceIdentity {
    DeviceIdentity {
        manufacturer: manufacturer.into(),
        model: model.into(),
        library: library.into(),
        module: String::new(),
        slot: String::new(),
        serial: String::new(),
        label: String::new(),
        firmware: String::new(),
        hardware_slot: true,
    }
}

const BORN_INSIDE: Pkcs11Attributes = Pkcs11Attributes {
    local: Fact::True,
    sensitive: Fact::True,
    always_sensitive: Fact::True,
    extractable: Fact::False,
    never_extractable: Fact::True,
};

const TPM_KEY: TpmAttributes = TpmAttributes {
    sealed: false,
    fixed_tpm: true,
    fixed_parent: true,
    sensitive_data_origin: true,
    user_with_auth: false,
    no_da: false,
    restricted: false,
    decrypt: false,
    sign: true,
};

fn as_token(device: &DeviceIdentity) -> Evidence {
    Evidence::from_pkcs11(device.clone(), BORN_INSIDE, Trust::default()).unwrap()
}

fn as_tpm(device: &DeviceIdentity) -> Evidence {
    Evidence::from_tpm(device.clone(), TPM_KEY).unwrap()
}

const TPM2_PKCS11: &str = "tpm2-software.github.io";
const P11_KIT: &str = "PKCS#11 Kit";

/// One list, whatever is in front of the TPM.
#[test]
fn a_tpm_is_the_same_tpm_behind_every_interface() {
    let table: [(&str, &str, Assurance); 16] = [
        ("IBM", "SW   TPM", SoftToken),
        ("IBM\0", "SW  \0 TPM\0\0", SoftToken),
        ("IBM", "", SoftToken),
        ("MSFT", "xCG fTPM", SoftToken),
        ("GOOG", "vTPM", SoftToken),
        ("AMZN", "NitroTPM", SoftToken),
        ("VMW", "VMware TPM", SoftToken),
        ("QEMU", "TPM", SoftToken),
        ("XYZ", "Virtual TPM", SoftToken),
        ("XYZ", "TPM Simulator", SoftToken),
        ("XYZ", "swtpm", SoftToken),
        ("IFX", "SLB9670", Claimed),
        ("INTC", "Intel", Claimed),
        ("AMD", "AMD", Claimed),
        ("STM", "", Claimed),
        ("NTC", "rls NPCT75x", Claimed),
    ];
    for (manufacturer, model, expected) in table {
        let tpm = as_tpm(&device(manufacturer, model, ""));
        assert_eq!(tpm.assurance(), expected, "{manufacturer} {model}");
        let token = as_token(&device(manufacturer, model, TPM2_PKCS11));
        assert_eq!(token.assurance(), expected, "{manufacturer} {model} behind tpm2-pkcs11");
        // A proxy tells its own name; the model is still the TPM's.
        if Text::of(model).squeezed().contains("tpm") {
            let token = as_token(&device(manufacturer, model, P11_KIT));
            assert_eq!(
                token.assurance(),
                expected.min(Assurance::Unstated),
                "{manufacturer} {model} behind a proxy"
            );
        }
    }
}

#[test]
fn a_token_is_soft_by_its_name_and_not_by_its_makers_initials() {
    let table = [
        ("SoftHSM project", "SoftHSM v2", "SoftHSM", SoftToken),
        ("Acme", "softhsm2", "Acme", SoftToken),
        ("Acme", "SOFTHSMv3", "Acme", SoftToken),
        ("softhsm", "", "", SoftToken),
        ("Kryoptic Project", "v1", "Kryoptic", SoftToken),
        ("Mozilla Foundation", "NSS 3", "Mozilla Foundation", SoftToken),
        ("Mozilla Foundation", "anything", "", SoftToken),
        ("Acme", "NSS 3", "", SoftToken),
        ("Acme", "NSS3.101", "", SoftToken),
        ("Network Security Services", "", "", SoftToken),
        ("IBM", "Soft", "IBM", SoftToken),
        ("IBM Corp.", "IBM SoftTok", "IBM", SoftToken),
        ("IBM Corp.", "IBM ICA", "IBM", SoftToken),
        ("IBM", "ICA", "IBM openCryptoki", SoftToken),
        ("Gnome Keyring", "1.0", "GNOME Keyring", SoftToken),
        ("GNOME-KEYRING", "1.0", "", SoftToken),
        ("wolfpkcs11", "wolfpkcs11", "wolfpkcs11", SoftToken),
        ("craton", "craton-hsm", "", SoftToken),
        ("BouncyHsm", "BouncyHsm Token", "BouncyHsm", SoftToken),
        ("Acme", "HSM", "BouncyHsm BouncyHsm.Pkcs11Lib", SoftToken),
        ("Pkcs11Interop Project", "Mock token", "Pkcs11Interop Project Mock module", SoftToken),
        ("google", "software", "google", SoftToken),
        ("Eracom Technologies", "SW:SWEMUL", "SafeNet Inc.", SoftToken),
        ("SafeNet Inc.", "PSI-E2:PL220", "SafeNet Inc.", Claimed),
        ("Heimdal hx509 SoftToken (token)", "Heimdal hx509 So", "Acme", SoftToken),
        ("Acme", "HSM", "Heimdal hx509 SoftToken Heimdal hx509 SoftToken", SoftToken),
        ("Fortanix", "Fortanix DSM", "Fortanix", Claimed),
        ("Acme", "Software Token 4", "Acme", SoftToken),
        ("Acme Soft-Token", "v1", "Acme", SoftToken),
        ("Software", "HSM 3000", "Acme", SoftToken),
        ("Acme", "SoftToken", "Acme", SoftToken),
        ("Acme", "HSM Simulator", "Acme", SoftToken),
        ("Acme", "CryptoServerSimulator", "Acme", SoftToken),
        ("Acme", "Virtual HSM", "Acme", SoftToken),
        ("Acme", "VirtualToken2", "Acme", SoftToken),
        ("Acme", "Virtual", "Acme", SoftToken),
        ("VMware, Inc.", "vHSM", "", SoftToken),
        ("SafeNet", "LunaVirtual", "Chrystoki", Claimed),
        ("SafeNet", "Luna Virtual", "Chrystoki", Claimed),
        ("SafeNet, Inc.", "LunaSA 7.4.0", "Chrystoki", Claimed),
        // Parts of words, and letters of two words.
        ("L3 Communications Security", "KOV-21", "L3", Claimed),
        ("Siemens SICRYPT", "SICRYPT Base", "Siemens", Claimed),
        ("Siemens", "CardOS", "Siemens", Claimed),
        ("CryptoSoft", "CS-100", "CryptoSoft", Claimed),
        ("Microsoft Corporation", "HSM", "Microsoft", Claimed),
        ("Aktiv-Soft", "Rutoken ECP", "Aktiv Co.", Claimed),
        ("Aktiv Co.", "Rutoken ECP", "Aktiv Co.", Claimed),
        ("Acme Software GmbH", "HSM 3000", "Acme", Claimed),
        ("Softing AG", "SM1", "Softing", Claimed),
        ("NSS Security", "Token", "NSS", Claimed),
        ("Transsys", "ONSS 3", "", Claimed),
        ("Virtualia", "HSM", "", Claimed),
        ("nCipher Corp. Ltd", "nShield softcard", "nCipher", Claimed),
        ("piv_II", "PKCS#15 emulated", "OpenSC Project", Claimed),
        ("Utimaco IS GmbH", "CryptoServer", "Utimaco", Claimed),
        ("Thales", "Luna K7", "SafeNet", Claimed),
        ("AWS", "CloudHSM", "Amazon", Claimed),
        // A coprocessor behind openCryptoki.
        ("IBM", "4767", "IBM", Claimed),
        ("IBM", "CCA", "IBM", Claimed),
        ("IBM", "EP11", "IBM", Claimed),
        ("Yubico (www.yubico.com)", "YubiHSM", "Yubico", Claimed),
        ("Yubico (www.yubico.com)", "YubiKey YK5", "Yubico", Claimed),
        ("www.CardContact.de", "PKCS#15 emulated", "OpenSC Project", Claimed),
        ("Acme", "HSM", "Acme", Claimed),
    ];
    for (manufacturer, model, library, expected) in table {
        let found = as_token(&device(manufacturer, model, library)).assurance();
        assert_eq!(found, expected, "{manufacturer} {model} {library}");
        // As a field of `CK_TOKEN_INFO` is filled up, and in other letters.
        let padded = device(
            &format!("{:<32}\0", manufacturer.to_uppercase()),
            &format!("{:<16}\0", model.to_uppercase()),
            library,
        );
        assert_eq!(as_token(&padded).assurance(), expected, "{manufacturer} {model} {library}");
    }
}

/// Of a slot that has the flag of hardware; without it nothing claims to be that.
#[test]
fn a_slot_that_names_a_program_is_not_hardware() {
    for (slot, expected) in [
        ("SoftHSM slot ID 0x1c9b5a32", SoftToken),
        ("Sun Crypto Softtoken", SoftToken),
        ("Acme CryptoSoft reader 00 00", Claimed),
        ("Net Token Slot", Claimed),
        ("Virtual Slot 1", Claimed),
    ] {
        let token = DeviceIdentity { slot: slot.into(), ..device("Acme", "HSM", "Acme") };
        assert_eq!(as_token(&token).assurance(), expected, "{slot}");
        let unflagged = DeviceIdentity { hardware_slot: false, ..token };
        assert_eq!(as_token(&unflagged).assurance(), Assurance::Unstated, "{slot}");
    }
}

/// Which gives its own name in place of the library's. What is known of a token there is
/// what its module writes into it.
#[test]
fn a_token_of_tpm2_pkcs11_is_recognised_behind_p11_kit_and_never_claims_hardware() {
    let token = |manufacturer: &str, model: &str, library: &str, module: &str, serial: &str| {
        DeviceIdentity {
            serial: serial.into(),
            module: module.into(),
            ..device(manufacturer, model, library)
        }
    };
    let zeros = "0000000000000000";
    for module in ["p11-kit-proxy.so", "p11-kit-client.so"] {
        for (manufacturer, model, serial, is_one, expected) in [
            ("IBM", "SW   TPM", zeros, true, SoftToken),
            ("IBM", "", zeros, true, SoftToken),
            ("MSFT", "xCG", zeros, true, SoftToken),
            ("GOOG", "v", zeros, true, SoftToken),
            ("IFX", "SLB9670", zeros, true, Assurance::Unstated),
            ("STM", "", zeros, true, Assurance::Unstated),
            // A coprocessor, and others with that serial number.
            ("IBM", "CCA", "DV123456", false, Assurance::Unstated),
            ("Acme", "HSM", zeros, false, Assurance::Unstated),
        ] {
            let token = token(manufacturer, model, P11_KIT, module, serial);
            assert_eq!(token.is_of_tpm2_pkcs11(), is_one, "{manufacturer} {model}");
            let evidence = as_token(&token);
            assert_eq!(evidence.assurance(), expected, "{manufacturer} {model}");
            assert_eq!(evidence.provenance(), ProvenanceKind::DeviceHeld);
        }
    }
    // Not behind such a module: the letters are a maker's.
    assert!(!token("IBM", "CCA", "IBM", "PKCS11_API.so", zeros).is_of_tpm2_pkcs11());
    assert!(token("IBM", "", TPM2_PKCS11, "x.so", "").is_of_tpm2_pkcs11());
}

/// The same whole words, of services and of what libraries make up.
#[test]
fn a_maker_whose_letters_hold_a_known_name_is_not_taken_for_it() {
    for (manufacturer, model, library) in [
        ("Designserver GmbH", "HSM", "Acme"),
        ("Laws KMS", "HSM", "Acme"),
        ("Acme", "HSM", "Acme Open Scout"),
        ("Acme", "HSM", "Acme cardcontacts"),
    ] {
        let evidence = as_token(&device(manufacturer, model, library));
        assert_eq!(evidence.assurance(), Claimed, "{manufacturer} {library}");
        assert_eq!(evidence.provenance(), ProvenanceKind::Hardware, "{manufacturer} {library}");
    }
}

/// As vsmartcard names it. The card in it says what it likes.
#[test]
fn a_card_in_a_virtual_reader_is_soft() {
    let card = |slot: &str| DeviceIdentity {
        slot: slot.into(),
        ..device("piv_II", "PKCS#15 emulated", "OpenSC Project")
    };
    let soft = as_token(&card("Virtual PCD 00 00 Virtual Smart Card Architecture"));
    assert_eq!(soft.assurance(), SoftToken);
    let real = as_token(&card("Yubico YubiKey OTP+FIDO+CCID 00 00 Yubico"));
    assert_eq!(real.assurance(), Claimed);
}

fn history(evidence: &Evidence) -> Vec<Attribute> {
    let names = ["local", "always_sensitive", "never_extractable"];
    evidence.facts().filter(|fact| names.contains(&fact.name)).collect()
}

/// As tokens and libraries name themselves, and a key that claims everything.
#[test]
fn what_a_library_makes_up_is_nobodys_word_and_never_hardware() {
    use Word::{Device, Module, Nobody};
    let yubico = "Yubico (www.yubico.com)";
    let opencryptoki = "IBM openCryptoki";
    let table = [
        ("piv_II", "PKCS#15 emulated", "OpenSC Project OpenSC smartcard framework", Nobody),
        ("OpenSC Project", "PKCS#15", "OpenSC Project", Nobody),
        ("any", "any", "opensc (smartcards)", Nobody),
        ("CardContact", "SC-HSM", "CardContact (www.cardcontact.de)", Nobody),
        ("IFX", "SLB9670", TPM2_PKCS11, Nobody),
        ("Nitrokey GmbH", "NetHSM", "Nitrokey Nitrokey NetHsm PKCS#11 library", Nobody),
        ("Mozilla Foundation", "NSS 3", "Mozilla Foundation NSS Internal Crypto Services", Nobody),
        ("Acme", "NSS 3", P11_KIT, Nobody),
        ("Acme", "HSM", "Mozilla Foundation", Nobody),
        ("Acme", "ONSS 3", "Acme", Module),
        ("IBM", "CCA", opencryptoki, Nobody),
        ("IBM", "EP11", opencryptoki, Nobody),
        ("IBM", "Soft", opencryptoki, Module),
        (yubico, "YubiKey YK5", "Yubico (www.yubico.com) PKCS#11 PIV Library", Device),
        (yubico, "YubiHSM", "Yubico (www.yubico.com) YubiHSM PKCS#11 Library", Device),
        ("SoftHSM project", "SoftHSM v2", "SoftHSM Implementation of PKCS11", Device),
        ("Kryoptic Project", "v1", "Kryoptic Kryoptic PKCS11 Module", Device),
        ("Acme", "HSM", "Acme", Module),
        // Behind a proxy, which gives its own name: who is known counts, who is not may
        // have a library that makes things up.
        ("piv_II", "PKCS#15 emulated", P11_KIT, Nobody),
        ("www.CardContact.de", "any", P11_KIT, Nobody),
        ("SoftHSM project", "SoftHSM v2", P11_KIT, Module),
        (yubico, "YubiHSM", P11_KIT, Module),
        (yubico, "YubiKey YK5", P11_KIT, Module),
        ("Acme", "HSM", P11_KIT, Nobody),
    ];
    for (manufacturer, model, library, word) in table {
        let evidence = as_token(&device(manufacturer, model, library));
        let device = evidence.device().unwrap();
        assert_eq!(device.makes_up_history(), word == Nobody, "{manufacturer} {model} {library}");
        let local = history(&evidence)[0];
        let expected = if word == Nobody { Fact::Unknown } else { Fact::True };
        assert_eq!((local.name, local.fact, local.word), ("local", expected, word), "{model}");
        for fact in evidence.facts() {
            assert_eq!(fact.fact == Fact::Unknown, fact.word == Nobody, "{model} {fact:?}");
            if word != Nobody {
                assert_ne!(fact.word, Nobody, "{model} {fact:?}");
            }
        }
        let hardware = evidence.provenance() == ProvenanceKind::Hardware;
        assert_eq!(hardware, word != Nobody, "{manufacturer} {model} {library}");
    }
}

/// Known by its own name behind p11-kit or another forwarder, whatever that is called.
#[test]
fn what_is_passed_on_is_the_modules_word_at_most() {
    let tokens = [
        ("SoftHSM project", "SoftHSM v2"),
        ("Kryoptic Project", "v1"),
        ("Yubico (www.yubico.com)", "YubiHSM"),
        ("Yubico (www.yubico.com)", "YubiKey YK5"),
        ("piv_II", "PKCS#15 emulated"),
        ("Acme", "HSM"),
    ];
    for (library, module) in [
        (P11_KIT, "p11-kit-client.so"),
        (P11_KIT, "p11-kit-proxy.so"),
        ("Acme", "libpkcs11-proxy.so.0"),
        ("Acme", "pkcs11-spy.so"),
    ] {
        for (manufacturer, model) in tokens {
            let token =
                DeviceIdentity { module: module.into(), ..device(manufacturer, model, library) };
            for fact in as_token(&token).facts() {
                assert_ne!(fact.word, Word::Device, "{model} by {module}: {fact:?}");
            }
        }
    }
    let direct = as_token(&device("SoftHSM project", "SoftHSM v2", "SoftHSM"));
    assert!(direct.facts().all(|fact| fact.word == Word::Device));
}

/// Services elsewhere, and modules that pass calls on, however their strings are.
#[test]
fn a_token_that_is_not_here_does_not_count_as_hardware() {
    use Assurance::{RemoteService, Unstated};
    let table = [
        ("Google", "Cloud KMS Token", "Google Cryptoki Library for Cloud KMS", "", RemoteService),
        ("aws_kms", "0", "", "", RemoteService),
        ("Microsoft", "Azure Key Vault", "", "", RemoteService),
        ("Cosmian", "hsm", "Cosmian Cosmian KMS PKCS#11 provider", "", RemoteService),
        ("Keyfactor SignServer", "Multi SignServer", "", "", RemoteService),
        ("IBM", "ICSF", "IBM openCryptoki", "PKCS11_API.so", RemoteService),
        ("IBM", "ICSF", "Acme", "libacme.so", RemoteService),
        ("Acme", "ICSF", "IBM openCryptoki", "PKCS11_API.so", RemoteService),
        ("Acme", "ICSF", "Acme", "libacme.so", Claimed),
        ("Acme", "HSM", "Acme", "libvault-pkcs11.so", RemoteService),
        ("Acme", "HSM", "Acme", "libkmsp11.so", RemoteService),
        ("Acme", "HSM", "Acme", "pkcs11_kmip.so.1", RemoteService),
        ("Acme", "HSM", "Acme", "kmip2pkcs11.so", Claimed),
        ("Acme", "HSM", "Acme", "libpkcs11-proxy.so.0", Unstated),
        ("Acme", "HSM", "Acme", "libpkcs11_proxy_ng_shim.so", Unstated),
        ("Acme", "HSM", P11_KIT, "p11-kit-client.so", Unstated),
        ("Acme", "HSM", P11_KIT, "p11-kit-proxy.so", Unstated),
        ("IBM", "ICA", P11_KIT, "p11-kit-proxy.so", SoftToken),
        ("Acme", "HSM", "Acme", "libacme.so", Claimed),
        ("SoftHSM project", "SoftHSM v2", P11_KIT, "p11-kit-client.so", SoftToken),
    ];
    for (manufacturer, model, library, module, expected) in table {
        let device =
            DeviceIdentity { module: module.into(), ..device(manufacturer, model, library) };
        assert_eq!(as_token(&device).assurance(), expected, "{manufacturer} {model} {module}");
    }
}

/// Of every library, trusted or not.
#[test]
fn an_operator_can_distrust_a_history_and_cannot_make_one_count() {
    for (library, counts) in [("Acme", true), ("Acme soft", true), ("OpenSC Project", false)] {
        for trusted in [true, false] {
            let trust = Trust { history: trusted, ..Trust::default() };
            let device = device("Acme", "HSM", library);
            let evidence = Evidence::from_pkcs11(device, BORN_INSIDE, trust).unwrap();
            let hardware = evidence.provenance() == ProvenanceKind::Hardware;
            assert_eq!(hardware, counts && trusted, "{library} {trusted}");
            let nobodys = history(&evidence).iter().all(|fact| fact.word == Word::Nobody);
            assert_eq!(nobodys, !hardware, "{library} {trusted}");
        }
    }
}

/// What is asked directly speaks for itself.
#[test]
fn a_tpm_that_is_asked_directly_gives_its_own_word() {
    let evidence = as_tpm(&device("IFX", "SLB9670", ""));
    assert!(evidence.facts().all(|fact| fact.word == Word::Device));
    assert_eq!(evidence.facts().count(), 5);
}

/// Its token may be called anything.
#[test]
fn a_library_that_is_a_soft_token_is_known_by_its_own_name_and_file() {
    for (library, file) in [
        ("SoftHSM Implementation of PKCS11", ""),
        ("Mozilla Foundation NSS Internal Crypto Services", ""),
        ("Kryoptic", ""),
        ("Acme", "libsofthsm2.so"),
        ("Acme", "libsoftokn3.so"),
        ("Acme", "libkryoptic_pkcs11.so"),
        ("SafeNet Inc.", "libctsw.so"),
    ] {
        let mut soft = device("Acme", "HSM", library);
        soft.module = file.into();
        assert_eq!(as_token(&soft).assurance(), SoftToken, "{library} {file}");
    }
    for (library, file) in [("Acme", "libacme.so"), ("IBM openCryptoki", "libopencryptoki.so")] {
        let mut other = device("Acme", "HSM", library);
        other.module = file.into();
        assert_eq!(as_token(&other).assurance(), Claimed, "{library} {file}");
    }
    // What a forwarder passes on is somebody else's word.
    let mut spy = device("Acme", "HSM", "Acme");
    spy.module = "pkcs11-spy.so".into();
    assert_eq!(as_token(&spy).assurance(), Assurance::Unstated);
}

/// By a link, a file has two names.
#[test]
fn each_name_of_a_module_counts() {
    let mut service = device("Acme", "HSM", "Acme");
    service.module = "real.so.1.2, libvault-pkcs11.so".into();
    assert_eq!(as_token(&service).assurance(), Assurance::RemoteService);
}

/// So that an operator can look up what the key behind a module counts as.
#[test]
fn each_known_service_and_forwarder_stands_on_the_page_of_pkcs11() {
    let page = include_str!("../../../docs/backends/pkcs11.md");
    let table = page.split("## Known services and soft tokens").nth(1).unwrap();
    let table = table.split("\n## ").next().unwrap();
    let squeezed: String =
        table.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>().to_lowercase();
    for name in place::SERVICES.iter().chain(&place::SERVICE_FILES).chain(&place::FORWARDERS) {
        assert!(squeezed.contains(name), "{name} stands on no page");
    }
}

/// By the serial number a token is found again, so one that others have as well tells nothing.
#[test]
fn a_serial_number_that_others_have_is_not_a_tokens_own() {
    let of = |serial: &str, library: &str| DeviceIdentity {
        serial: serial.into(),
        ..device("Acme", "HSM", library)
    };
    for (serial, library, expected) in [
        ("1c9b5a3200000001", "Acme", true),
        ("0000000000000000", "Acme", false),
        ("", "Acme", false),
        ("1c9b5a3200000001", TPM2_PKCS11, false),
    ] {
        let device = of(serial, library);
        assert_eq!(device.has_own_serial(), expected, "{serial} {library}");
        assert_eq!(device.takes_no_public_key(), library == TPM2_PKCS11, "{serial} {library}");
    }
}
