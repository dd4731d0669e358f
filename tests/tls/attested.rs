//! Peers whose keys are attested by their device's maker, and nobody else.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use icn_identity::Hardware;
use icn_identity::attestation::{
    Anchors, Attestation, Attested, AttestedPeers, Challenge, DeviceCertificates, DeviceClass,
    Fresh, Verifier,
};
use icn_identity::tls::{DidVerifier, PeerError, Server};
use support::maker::Maker;

use crate::craft::variant;
use crate::wire::{Ended, handshake};
use crate::{Bundle, anybody, bundle};

fn proof(of: &Bundle) -> Attested<Hardware> {
    let (maker, now) = (Maker::yubihsm(), SystemTime::now());
    let leaf = Maker::yubihsm_leaf(&of.verifying_key().to_spki_der()).sign(&maker.device_key);
    let issuers = [&maker.device[..], &maker.sub];
    let certificates = DeviceCertificates::parse(&leaf, &issuers).unwrap();
    let challenge =
        Challenge::fresh("treasury@coop.example", Duration::from_secs(60), now).unwrap();
    let attestation = Attestation::create(of, &challenge, certificates, now).unwrap();
    let mut anchors = Anchors::none();
    anchors.add(DeviceClass::YubiHsm, &maker.root).unwrap();
    let verdict = Verifier::new(anchors).verify(&attestation, Fresh::To(&challenge), now);
    verdict.unwrap().into_hardware().unwrap()
}

/// What the server says, and whether it has a proof of who is there.
fn meets(server: &Server, peer: &Bundle, peers: &AttestedPeers) -> Result<bool, String> {
    let client = Arc::new(peer.tls_client_config(&anybody()).unwrap());
    match handshake(server, &client) {
        Ok((connection, _)) => {
            let from = connection.peer().unwrap();
            let proof = peers.proof_of(from.did());
            Ok(proof.is_some_and(|proof| proof == *from.did()))
        }
        Err(Ended::ByServer(error)) => Err(variant(&error)),
        Err(other) => panic!("{other:?}"),
    }
}

#[test]
fn peers_are_admitted_while_their_proof_is_believed_and_nobody_else_is() {
    let (bank, alice, mallory) = (bundle(), bundle(), bundle());
    let hour = Duration::from_secs(3600);
    let peers = AttestedPeers::believed_for(hour);
    let server = bank.tls_server(&Arc::new(DidVerifier::attested(&peers))).unwrap();
    let refused = Err("NotExpected".to_owned());
    assert_eq!(meets(&server, &alice, &peers), refused);
    peers.hold(proof(&alice));
    assert_eq!(meets(&server, &alice, &peers), Ok(true));
    assert_eq!(meets(&server, &mallory, &peers), refused);
    // At the next handshake, of a server that runs; and on a connection that is open.
    let client = Arc::new(alice.tls_client_config(&anybody()).unwrap());
    let (open, _) = handshake(&server, &client).unwrap_or_else(|_| panic!("refused"));
    assert_eq!(open.peer().unwrap().did(), alice.did());
    peers.forget(alice.did());
    assert!(matches!(open.peer(), Err(PeerError::Refused { .. })));
    assert_eq!(meets(&server, &alice, &peers), refused);
    peers.hold_at(proof(&alice), SystemTime::now() - hour - Duration::from_secs(60));
    assert_eq!(meets(&server, &alice, &peers), refused);
    peers.hold(proof(&alice));
    assert_eq!(meets(&server, &alice, &peers), Ok(true));
}
