//! Functions that are forwarded as they are.

/// Functions of a session: the handle is translated, the rest is passed on.
macro_rules! forward {
    ($($name:ident($($argument:ident: $type:ty),*);)+) => {$(
        pub(crate) unsafe extern "C" fn $name(
            session: cryptoki_sys::CK_SESSION_HANDLE,
            $($argument: $type),*
        ) -> cryptoki_sys::CK_RV {
            $crate::effects::on_session(stringify!($name), session, |real, session, _| {
                match real.$name {
                    // SAFETY: the caller's own arguments, under the same contract.
                    Some(function) => unsafe { function(session, $($argument),*) },
                    None => cryptoki_sys::CKR_FUNCTION_NOT_SUPPORTED,
                }
            })
        }
    )+};
}

/// Functions without a session.
macro_rules! forward_plain {
    ($($name:ident($($argument:ident: $type:ty),*);)+) => {$(
        pub(crate) unsafe extern "C" fn $name($($argument: $type),*) -> cryptoki_sys::CK_RV {
            $crate::effects::without_session(stringify!($name), |real| match real.$name {
                // SAFETY: the caller's own arguments, under the same contract.
                Some(function) => unsafe { function($($argument),*) },
                None => cryptoki_sys::CKR_FUNCTION_NOT_SUPPORTED,
            })
        }
    )+};
}

pub(crate) use {forward, forward_plain};
