//! Tokens that are not at this machine: services, and modules that pass calls on.

use super::super::DeviceIdentity;
use super::Strings;

/// Services that keep keys elsewhere, by a name in manufacturer, model or library.
///
/// `aws_kms_pkcs11` (`aws_kms_pkcs11.cpp`: the token's manufacturer; its `CK_INFO` is
/// empty, as is that of the next), `azure-keyvault-pkcs11` (`azure-keyvault-pkcs11.cpp`:
/// the token's model), Google's `libkmsp11` (`kmsp11/provider.cc`, `kmsp11/token.cc`),
/// Cosmian's KMS (`crate/clients/pkcs11/provider/src/backend.rs`), Keyfactor's SignServer
/// (`pkcs11.c`).
pub(super) const SERVICES: [&str; 5] =
    ["awskms", "azurekeyvault", "cloudkms", "cosmian", "signserver"];

/// The same, by a part of the module's file name: of one the strings are not known
/// (HashiCorp Vault's; Oracle Solaris' `pkcs11_kmip.so`, by its manual page), others may be
/// given new ones.
pub(super) const SERVICE_FILES: [&str; 7] = [
    "awskmspkcs11",
    "azurekeyvaultpkcs11",
    "kmsp11",
    "cosmianpkcs11",
    "signserverpkcs11",
    "vaultpkcs11",
    "pkcs11kmip",
];

/// Modules that pass each call on to another machine or process, and its answers back,
/// by a part of their file name: SUNET's pkcs11-proxy, pkcs11-proxy-ng, Caml Crush,
/// p11-kit's client. Where the token is, and whether it is what it says, cannot be seen.
/// OpenSC's `pkcs11-spy` passes them on to a module that a variable names.
pub(super) const FORWARDERS: [&str; 5] =
    ["pkcs11proxy", "p11client", "p11clnt", "p11kitclient", "pkcs11spy"];

/// Name in the strings of p11-kit's proxy and client (`CK_INFO`).
pub(super) const PROXY: &str = "pkcs11kit";

/// The model of openCryptoki's token that keeps its keys on z/OS, behind LDAP
/// (`usr/lib/icsf_stdll/icsf_specific.c`), and its maker.
const ICSF: (&str, &str) = ("icsf", "ibm");

/// Whether a token is a service elsewhere.
pub(in super::super) fn is_remote_service(device: &DeviceIdentity) -> bool {
    let Strings { manufacturer, model, library, module, .. } = Strings::of(device);
    let is_icsf =
        model.squeezed() == ICSF.0 && (manufacturer.names(ICSF.1) || library.names("opencryptoki"));
    let (fields, file) = ([manufacturer, model, library], module.squeezed());
    is_icsf
        || SERVICES.iter().any(|name| fields.iter().any(|field| field.names(name)))
        || SERVICE_FILES.iter().any(|part| file.contains(part))
}

/// Whether its module passes calls on to somewhere else: by its file name, or since it
/// is p11-kit's, which hides the module behind it and may reach it on another machine.
pub(in super::super) fn is_somewhere_else(device: &DeviceIdentity) -> bool {
    let Strings { module, library, .. } = Strings::of(device);
    let file = module.squeezed();
    FORWARDERS.iter().any(|part| file.contains(part)) || library.names(PROXY)
}
