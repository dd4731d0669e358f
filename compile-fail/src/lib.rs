//! The twins, compiled once together and not one by one: each differs from its
//! case by the fix. The project in which the cases must fail depends on this
//! crate: it takes these with the same features, or no case is tried.
#![allow(dead_code, missing_docs, unused, reason = "they are to compile, not to run")]
#![allow(clippy::all, clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "the same")]
#![allow(unnameable_types, unreachable_pub, unused_qualifications, reason = "the same")]
#![allow(clippy::exhaustive_enums, clippy::exhaustive_structs, clippy::indexing_slicing)]
#![allow(clippy::print_stdout, clippy::must_use_candidate, clippy::return_self_not_must_use)]

macro_rules! twins {
    ($($name:ident),+ $(,)?) => {
        $(
            // A doctest of the case: it is built with the features of this crate's
            // dependencies, which may be all; the suite has the default ones.
            #[cfg_attr(doctest, doc = concat!(
                "```compile_fail\n", include_str!(concat!("../cases/", stringify!($name), ".rs")), "```"
            ))]
            mod $name {
                include!(concat!("../pass/", stringify!($name), ".rs"));
            }
        )+

        /// Of all twins.
        pub const NAMES: &[&str] = &[$(stringify!($name)),+];
    };
}

twins! {
    building_a_sealed_external_key,
    bundle_over_a_sealed_key,
    bundle_over_a_sealed_p256_key,
    calling_the_evidence_hook,
    calling_the_seed_hook,
    calling_the_statement_hook,
    changing_a_verified_peer,
    changing_an_evidence_summary,
    cloning_a_key,
    constructing_a_rotation_chain,
    constructing_a_verified_did,
    constructing_a_verified_peer,
    constructing_attributes,
    constructing_evidence,
    constructing_evidence_from_a_tpm,
    constructing_evidence_from_its_source,
    constructing_tpm_attributes,
    defaulting_a_key,
    deserializing_a_binding,
    deserializing_a_header,
    deserializing_a_rotated_key,
    deserializing_a_rotation_chain,
    deserializing_a_rotation_statement,
    deserializing_a_verified_did,
    deserializing_an_evidence_summary,
    deserializing_evidence,
    device_held_bundle_where_never_exposed_is_demanded,
    device_held_by_unknown_facts_where_never_exposed_is_demanded,
    device_held_key_into_a_hardware_key,
    device_held_key_into_key_pair_by_from,
    device_held_key_where_never_exposed_is_demanded,
    device_held_p256_key_where_never_exposed_is_demanded,
    did_into_a_verified_did,
    erased_key_where_confined_is_demanded,
    exporting_a_tpm_sealed_key,
    external_key_into_key_pair_by_from,
    external_key_where_confined_is_demanded,
    external_p256_key_where_confined_is_demanded,
    forging_a_locked_state_of_hardware_keys,
    forging_a_provenance,
    forging_a_state,
    forging_a_state_of_hardware_keys,
    forging_an_algorithm,
    forging_confined_for_a_trait_object,
    forging_confined_for_an_own_type,
    forging_expose_secret_for_an_own_type,
    forging_never_exposed_for_a_foreign_key,
    forging_never_exposed_for_a_trait_object,
    forging_never_exposed_for_an_own_type,
    generating_a_hardware_key,
    hardware_key_into_key_pair_by_from,
    hardware_key_into_key_pair_by_into,
    hardware_key_into_key_pair_by_try_from,
    hardware_key_where_a_secret_is_demanded,
    hardware_key_where_hardware_backed_is_demanded,
    hardware_p256_key_into_key_pair_by_from,
    hardware_p256_key_where_a_secret_is_demanded,
    holding_a_key_of_any_provenance,
    holding_a_locked_hardware_key,
    holding_a_locked_tpm_sealed_key,
    holding_a_software_p256_key,
    holding_a_tpm_sealed_p256_key,
    issuing_a_statement_from_a_bundle,
    making_a_hardware_key_from_a_seed,
    making_a_p256_key_from_a_seed,
    making_a_sealed_key_from_an_own_device,
    naming_a_material,
    naming_the_private_module,
    opening_a_material,
    opening_a_material_in_generic_code,
    opening_a_sealed_seed_material,
    opening_without_saying_whose,
    optional_key_where_a_signer_is_demanded,
    overriding_custody,
    overriding_the_evidence_hook,
    overriding_the_evidence_hook_generically,
    overriding_the_statement_hook,
    overriding_the_verification_hook,
    own_type_where_a_signer_is_demanded,
    p256_key_where_ed25519_is_demanded,
    parsing_a_verified_did,
    passing_a_sealed_software_key,
    printing_a_key,
    promoting_a_sealed_key_without_a_check,
    promoting_an_erased_key_without_a_check,
    retyping_behind_a_mutable_reference,
    sealed_key_where_a_signer_is_demanded,
    sealed_key_where_never_exposed_is_demanded,
    sealed_p256_key_where_never_exposed_is_demanded,
    secret_bytes_of_device_held_key,
    secret_bytes_of_external_key,
    secret_bytes_of_hardware_key,
    secret_bytes_of_hardware_key_as_pkcs8,
    secret_bytes_of_hardware_p256_key,
    secret_bytes_of_locked_key,
    secret_bytes_of_sealed_key,
    secret_bytes_of_sealed_tpm_sealed_key,
    secret_bytes_of_tpm_sealed_key,
    serializing_a_key,
    signing_with_a_key_that_is_only_held,
    signing_with_a_locked_key,
    signing_with_a_material,
    signing_with_a_sealed_key,
    signing_with_a_sealed_p256_key,
    signing_with_a_sealed_tpm_key,
    software_key_as_hardware_backed,
    software_key_where_never_exposed_is_demanded,
    telling_a_rotation_its_provenance,
    tpm_sealed_key_into_key_pair_by_from,
    tpm_sealed_key_into_key_pair_by_into,
    tpm_sealed_key_where_confined_is_demanded,
    tpm_sealed_key_where_never_exposed_is_demanded,
    tpm_sealed_where_a_provenance_of_p256_is_demanded,
    unlocking_with_a_pin,
    using_a_key_after_it_was_sealed,
    using_a_p256_key_after_it_was_sealed,
    writing_a_key_as_a_literal,
    writing_custody_as_a_literal,
    writing_hardware_backed_as_a_literal,
}
