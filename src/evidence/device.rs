//! Who a device says it is.

/// Who a device says it is: for a token the fields of `CK_TOKEN_INFO`; for a
/// TPM its manufacturer, vendor strings (`model`) and firmware version, with
/// the configured device as `label` and no serial number.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeviceIdentity {
    /// `manufacturerID`, trimmed.
    pub manufacturer: String,
    /// `model`, trimmed.
    pub model: String,
    /// `serialNumber`, trimmed.
    pub serial: String,
    /// `label`, trimmed.
    pub label: String,
    /// `firmwareVersion`, `major.minor`.
    pub firmware: String,
    /// `manufacturerID` and `libraryDescription` of the library in front of it
    /// (`CK_INFO`), trimmed; empty for a TPM that is asked directly.
    pub library: String,
    /// File name of that library; empty for a TPM that is asked directly.
    pub module: String,
    /// `slotDescription` and `manufacturerID` of its slot (`CK_SLOT_INFO`), trimmed: for
    /// a card, its reader. Empty for a TPM that is asked directly.
    pub slot: String,
    /// Whether the slot carries `CKF_HW_SLOT`; true for every TPM.
    pub hardware_slot: bool,
}
