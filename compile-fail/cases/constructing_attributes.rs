use icn_identity::{evidence::Fact, evidence::Pkcs11Attributes};

fn forge(yes: Fact, no: Fact) -> Pkcs11Attributes {
    Pkcs11Attributes {
        local: yes,
        sensitive: yes,
        always_sensitive: yes,
        extractable: no,
        never_extractable: yes,
    }
}

fn main() {}
