//! The objects of a TPM as they are read: as JSON objects alone.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{
    Authorized, Owner, PcrBank, PcrValues, PinStretching, TpmObject, TpmParent, TpmPolicy, indices,
};
use crate::encoding::hex;

#[derive(Deserialize)]
#[serde(remote = "TpmObject", deny_unknown_fields)]
pub(super) struct Object {
    parent: TpmParent,
    #[serde(with = "hex")]
    public: Vec<u8>,
    #[serde(with = "hex")]
    private: Vec<u8>,
    policy: TpmPolicy,
}

#[derive(Deserialize)]
#[serde(remote = "TpmParent", deny_unknown_fields)]
pub(super) struct Parent {
    handle: Option<u32>,
    #[serde(with = "hex")]
    name: Vec<u8>,
}

#[derive(Deserialize)]
#[serde(remote = "TpmPolicy", deny_unknown_fields)]
pub(super) struct Policy {
    pcr: Vec<PcrValues>,
    authorized: Option<Authorized>,
    pin: Option<PinStretching>,
}

#[derive(Deserialize)]
#[serde(remote = "PcrValues", deny_unknown_fields)]
pub(super) struct Values {
    bank: PcrBank,
    #[serde(with = "indices")]
    values: BTreeMap<u8, String>,
}

#[derive(Deserialize)]
#[serde(remote = "Authorized", deny_unknown_fields)]
pub(super) struct Approver {
    #[serde(with = "hex")]
    approver: [u8; 33],
    #[serde(with = "hex")]
    policy_ref: [u8; 32],
    #[serde(default)]
    owner: Option<Owner>,
}

#[derive(Deserialize)]
#[serde(remote = "PinStretching", deny_unknown_fields)]
pub(super) struct Stretching {
    #[serde(with = "hex")]
    salt: [u8; 16],
    log_n: u8,
}
