use icn_identity::evidence::TpmAttributes;

fn forge() -> TpmAttributes {
    TpmAttributes {
        sealed: false,
        fixed_tpm: true,
        fixed_parent: true,
        sensitive_data_origin: true,
        user_with_auth: false,
        no_da: false,
        restricted: false,
        decrypt: false,
        sign: true,
    }
}

fn main() {}
