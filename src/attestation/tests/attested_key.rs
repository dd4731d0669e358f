//! Without a device: what evidence can be attested, and what takes it away again.

use crate::evidence::{
    Assurance, DeviceIdentity, Evidence, Fact, Pkcs11Attributes, ProvenanceKind, Requirement,
    Trust, Unmet,
};

fn evidence(manufacturer: &str, hardware_slot: bool, trust: Trust) -> Evidence {
    let device = DeviceIdentity {
        manufacturer: manufacturer.into(),
        model: String::new(),
        library: String::new(),
        module: String::new(),
        slot: String::new(),
        serial: String::new(),
        label: String::new(),
        firmware: String::new(),
        hardware_slot,
    };
    let attributes = Pkcs11Attributes {
        local: Fact::True,
        sensitive: Fact::True,
        always_sensitive: Fact::True,
        extractable: Fact::False,
        never_extractable: Fact::True,
    };
    Evidence::from_pkcs11(device, attributes, trust).unwrap()
}

#[test]
fn what_is_known_to_be_software_or_elsewhere_is_not_attested() {
    let shown = |maker, flag| evidence(maker, flag, Trust::default());
    for (evidence, expected) in [
        (shown("Acme", true), true),
        (shown("Acme", false), true),
        (shown("SoftHSM", true), false),
        (shown("aws_kms", true), false),
        (Evidence::software(), false),
        (
            evidence("Acme", true, Trust { at_most: Assurance::SoftToken, ..Trust::default() }),
            false,
        ),
        (evidence("Acme", true, Trust { at_most: Assurance::Unstated, ..Trust::default() }), false),
        (evidence("Acme", true, Trust { at_most: Assurance::Attested, ..Trust::default() }), true),
    ] {
        let before = evidence.assurance();
        assert!(before < Assurance::Attested, "{evidence:?}");
        let attested = evidence.attested();
        assert_eq!(attested.is_some(), expected, "{evidence:?}");
        let Some(attested) = attested else { continue };
        assert_eq!(attested.assurance(), Assurance::Attested);
        // Facts and provenance stay the device's word.
        assert_eq!(attested.provenance(), evidence.provenance());
        assert!(attested.facts().eq(evidence.facts()));
        assert!(Requirement::any().attested().met_by(Some(&attested)).is_ok());
        let (required, found) = (Assurance::Attested, before);
        let unmet = Requirement::any().attested().met_by(Some(&evidence)).unwrap_err();
        assert_eq!(unmet, Unmet::Assurance { required, found });
        // Each change of the evidence takes it away.
        assert_eq!(attested.clone().of_imported().assurance(), before);
        assert_eq!(attested.clone().remembering(|_| None).0.assurance(), before);
        assert_eq!(attested.of_imported().provenance(), ProvenanceKind::DeviceHeld);
    }
}

/// Nobody's text makes it: not a header, a statement or a configuration.
#[test]
fn attested_is_written_and_never_read() {
    assert_eq!(Assurance::Attested.to_string(), "attested");
    assert_eq!(serde_json::to_string(&Assurance::Attested).unwrap(), "\"attested\"");
    assert!("attested".parse::<Assurance>().is_err());
    assert!(serde_json::from_str::<Assurance>("\"attested\"").is_err());
    let error = "attested".parse::<Assurance>().unwrap_err().to_string();
    assert!(error.ends_with("none, soft-token, remote-service, unstated, claimed"), "{error}");
    assert!(Assurance::Attested > Assurance::Claimed);
    assert_eq!(Assurance::Attested.told(), Assurance::Claimed);
    assert_eq!(Assurance::Unstated.told(), Assurance::Unstated);
}
