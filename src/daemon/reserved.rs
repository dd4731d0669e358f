//! Messages that are not signed for a client that chooses the bytes: signed, they could be
//! presented as something else.

use std::fmt;

use crate::statement::{PREFIX, SSHSIG};

/// What a message could be taken for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ReservedForm {
    /// A statement of this crate ([`crate::statement`]).
    Statement,
    /// What is signed for a context ([`crate::sshsig`]).
    SshSignature,
    /// What a side of a TLS 1.3 handshake signs (RFC 8446, section 4.4.3), or an exported
    /// authenticator (RFC 9261).
    Tls,
    /// 32 or 64 bytes, as bare digests are: a certificate's, by which older versions of ICN bind
    /// a TLS key, and those of a document, by which its Data Integrity proof is made.
    Digest,
    /// What a user of SSH signs to log in (RFC 4252, sections 7 and 9, and OpenSSH's
    /// host-bound form).
    SshLogin,
}

impl fmt::Display for ReservedForm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Statement => "a statement of this library",
            Self::SshSignature => "a signature for a context (SSHSIG)",
            Self::Tls => "the signature of a TLS 1.3 handshake",
            Self::Digest => "a bare digest, as of a certificate or a DID document",
            Self::SshLogin => "the signature of an SSH login",
        })
    }
}

/// RFC 8446, section 4.4.3.
const TLS: [u8; 64] = [b' '; 64];

/// `SSH_MSG_USERAUTH_REQUEST`
const USERAUTH_REQUEST: u8 = 50;

/// What a message could be taken for, if it could.
#[must_use]
pub fn reserved_form(message: &[u8]) -> Option<ReservedForm> {
    if message.starts_with(PREFIX) {
        Some(ReservedForm::Statement)
    } else if message.starts_with(SSHSIG) {
        Some(ReservedForm::SshSignature)
    } else if message.starts_with(&TLS) {
        Some(ReservedForm::Tls)
    } else if is_ssh_login(message) {
        Some(ReservedForm::SshLogin)
    } else {
        matches!(message.len(), 32 | 64).then_some(ReservedForm::Digest)
    }
}

/// Whether it is the identifier of a session and a request to log in by a key, to the last
/// byte.
fn is_ssh_login(message: &[u8]) -> bool {
    // What cannot be read to its end is none.
    login(Fields(message)).is_some_and(|rest| rest.0.is_empty())
}

/// Reads one, and gives what comes after it.
fn login(mut message: Fields<'_>) -> Option<Fields<'_>> {
    let _session = message.string()?;
    if message.byte()? != USERAUTH_REQUEST {
        return None;
    }
    let (_user, _service, method) = (message.string()?, message.string()?, message.string()?);
    let strings = match method {
        b"hostbased" => 4,
        method if method.starts_with(b"publickey") => {
            message.byte()?;
            // Host-bound, the key of the host is there as well.
            if method == b"publickey" { 2 } else { 3 }
        }
        _ => return None,
    };
    for _ in 0..strings {
        message.string()?;
    }
    Some(message)
}

/// RFC 4251, section 5.
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn byte(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn string(&mut self) -> Option<&'a [u8]> {
        let (length, rest) = self.0.split_first_chunk::<4>()?;
        let length = usize::try_from(u32::from_be_bytes(*length)).ok()?;
        let (string, rest) = rest.split_at_checked(length)?;
        self.0 = rest;
        Some(string)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn string(bytes: &[u8]) -> Vec<u8> {
        let length = u32::try_from(bytes.len()).unwrap().to_be_bytes();
        [&length[..], bytes].concat()
    }

    fn login(method: &[u8], flag: Option<u8>, strings: &[&[u8]]) -> Vec<u8> {
        let mut message = string(&[9; 32]);
        message.push(USERAUTH_REQUEST);
        for field in [b"ada", &b"ssh-connection"[..], method] {
            message.extend(string(field));
        }
        message.extend(flag);
        for field in strings {
            message.extend(string(field));
        }
        message
    }

    #[test]
    fn what_begins_like_a_protocol_that_separates_itself_is_reserved() {
        let tls = |role: &str| {
            [&TLS[..], format!("TLS 1.3, {role} CertificateVerify\0").as_bytes(), &[1; 32]].concat()
        };
        for (message, form) in [
            (b"icn-identity/".to_vec(), ReservedForm::Statement),
            (b"icn-identity/binding/v1\0 and so on".to_vec(), ReservedForm::Statement),
            (b"SSHSIG".to_vec(), ReservedForm::SshSignature),
            (b"SSHSIG\0\0\0\x03git".to_vec(), ReservedForm::SshSignature),
            (tls("client"), ReservedForm::Tls),
            (tls("server"), ReservedForm::Tls),
            (TLS.to_vec(), ReservedForm::Tls),
            ([&TLS[..], b"Exported Authenticator\0"].concat(), ReservedForm::Tls),
        ] {
            assert_eq!(reserved_form(&message), Some(form), "{message:?}");
        }
        for message in
            [&b""[..], b"icn-identity", b"SSHSI", &TLS[..63], b" icn-identity/", b"sshsig"]
        {
            assert_eq!(reserved_form(message), None, "{message:?}");
        }
    }

    #[test]
    fn what_is_as_long_as_a_digest_is_reserved_whatever_it_is() {
        for length in 0..200 {
            let form = [32, 64].contains(&length).then_some(ReservedForm::Digest);
            assert_eq!(reserved_form(&vec![7; length]), form, "{length}");
        }
    }

    #[test]
    fn an_ssh_login_is_reserved_to_the_last_byte_and_nothing_near_it() {
        let key: &[u8] = &string(b"ssh-ed25519");
        let pair: &[&[u8]] = &[b"ssh-ed25519", key];
        let host: &[&[u8]] = &[b"ssh-ed25519", key, key];
        let based: &[&[u8]] = &[b"ssh-ed25519", key, b"host.example", b"ada"];
        for (method, flag, strings) in [
            (&b"publickey"[..], Some(1), pair),
            // Whatever is not zero is true, and a server that takes no heed takes zero.
            (b"publickey", Some(0xff), pair),
            (b"publickey", Some(0), pair),
            (b"publickey-hostbound-v00@openssh.com", Some(1), host),
            (b"hostbased", None, based),
        ] {
            let message = login(method, flag, strings);
            assert_eq!(reserved_form(&message), Some(ReservedForm::SshLogin), "{message:?}");
            // One byte more or less is no login: no server builds it.
            let longer = [&message[..], b"\0"].concat();
            assert_eq!(reserved_form(&longer), None);
            for end in (0..message.len()).filter(|end| ![32, 64].contains(end)) {
                assert_eq!(reserved_form(&message[..end]), None, "{end}");
            }
        }
        // Of any session, user and service: also of none.
        let mut empty = string(b"");
        empty.push(USERAUTH_REQUEST);
        empty.extend([string(b""), string(b""), string(b"publickey"), vec![1]].concat());
        empty.extend([string(b""), string(b"")].concat());
        assert_eq!(reserved_form(&empty), Some(ReservedForm::SshLogin));
        // Another message of SSH, and another method.
        let mut other = login(b"publickey", Some(1), pair);
        other[36] = 51;
        assert_eq!(reserved_form(&other), None);
        assert_eq!(reserved_form(&login(b"password", Some(0), &[b"secret"])), None);
        // A length that is longer than all there is.
        assert_eq!(reserved_form(&[0xff; 65]), None);
    }
}
