//! A treasury that pays by orders that keys in hardware have signed: `cargo run --example attested_peers
//! --features tls,attestation`. The device's maker is made up, by `openssl`.
#![allow(clippy::print_stdout, reason = "an example shows what it does")]

use std::error::Error;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use std::{fs, thread};

use icn_identity::attestation::{
    Anchors, Attestation, Attested, AttestedPeers, Challenge, DeviceCertificates, DeviceClass,
    Fresh, Verifier,
};
use icn_identity::peer::VerifiedDid;
use icn_identity::tls::{DidVerifier, Server, accept, connect};
use icn_identity::{Hardware, IdentityBundle, Key, Software, SshSignature, Unlocked};

type Node = IdentityBundle<Key<Software, Unlocked>>;

const CONTEXT: &str = "treasury@coop.example";

/// Acts by an order that the attested key has signed. A connection shows no more than who has the
/// TLS key of a DID, which is in memory, whatever has the key of the DID.
fn treasury(
    from: &VerifiedDid,
    proof: &Attested<Hardware>,
    order: &[u8],
    signature: &SshSignature,
) -> Result<String, &'static str> {
    if proof != from {
        return Err("this is another peer's proof");
    }
    let signed = proof.verifying_key().verify_for(CONTEXT, order, signature);
    signed.map_err(|_| "the attested key has not signed this order")?;
    // Here the order's number would be looked up: each is for once.
    Ok(format!("paid, by order of a key in {}\n", proof.device()))
}

fn main() -> Result<(), Box<dyn Error>> {
    let (bank, alice) = (Node::issue(Key::generate()?)?, Node::issue(Key::generate()?)?);
    let mallory = Node::issue(Key::generate()?)?;

    // Before anything else: the bank asks, alice answers with what her device has certified, and
    // the bank believes that for a day.
    let maker = tempfile::tempdir()?;
    fs::write(maker.path().join("key.pem"), alice.verifying_key().to_public_key_pem())?;
    let made =
        std::process::Command::new("sh").args(["-ec", MAKER]).current_dir(&maker).output()?;
    let read = |name: &str| fs::read(maker.path().join(name));
    let leaf = read("leaf.pem").map_err(|_| String::from_utf8_lossy(&made.stderr).into_owned())?;
    let (to_answer, believed) = (Duration::from_secs(600), Duration::from_secs(86_400));
    let now = SystemTime::now();
    let challenge = Challenge::fresh("treasury@coop.example", to_answer, now)?;
    let shown = DeviceCertificates::parse(&leaf, &[&read("device.pem")?])?;
    let answer = Attestation::create(&alice, &challenge, shown, now)?.to_json();

    // This maker alone. A real treasury: `Anchors::yubico()`, and more by `load("/etc/icn/anchors")`.
    let mut anchors = Anchors::none();
    anchors.add(DeviceClass::YubiHsm, &read("root.pem")?)?;
    let answer = Attestation::parse(answer.as_bytes())?;
    let verdict = Verifier::new(anchors).verify(&answer, Fresh::To(&challenge), now)?;
    drop(challenge); // Used once: forgotten, so that nobody can show the bank this answer again.
    let peers = AttestedPeers::believed_for(believed);
    peers.hold(verdict.into_hardware().ok_or("the key was imported")?);

    // TLS admits nobody else; and who is admitted has a proof.
    let server = bank.tls_server(&Arc::new(DidVerifier::attested(&peers)))?;
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    let known = peers.clone();
    thread::spawn(move || {
        for socket in listener.incoming().flatten() {
            if let Err(error) = serve(socket, &server, &known) {
                println!("the bank: {error}");
            }
        }
    });
    let order = |node: &Node, signer: &Node| -> Result<String, Box<dyn Error>> {
        let client = node.tls_client(&Arc::new(DidVerifier::named()))?;
        let mut stream = connect(TcpStream::connect(address)?, &client, bank.did())?;
        let order = "order 1: 100 to Ada";
        let signature = signer.sign_for(CONTEXT, order.as_bytes())?;
        stream.write_all(format!("{order}\n{signature}").as_bytes())?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        if answer.is_empty() { Err("no answer".into()) } else { Ok(answer) }
    };
    print!("alice: {}", order(&alice, &alice)?);
    println!("mallory: {}", order(&mallory, &mallory).err().ok_or("mallory was admitted")?);
    // Whoever has stolen no more than a TLS key.
    println!("alice: {}", order(&alice, &mallory).err().ok_or("TLS was enough")?);
    peers.forget(alice.did());
    println!("alice: {}", order(&alice, &alice).err().ok_or("alice is still believed")?);
    Ok(())
}

fn serve(
    socket: TcpStream,
    server: &Server,
    peers: &AttestedPeers<Hardware>,
) -> Result<(), Box<dyn Error>> {
    let mut stream = accept(socket, server)?;
    let (mut order, mut signature) = (String::new(), String::new());
    let mut lines = BufReader::new((&mut stream).take(4096));
    lines.read_line(&mut order)?;
    while !signature.contains("-----END") && lines.read_line(&mut signature)? > 0 {}
    let proof = peers.proof_of(stream.did()).ok_or("the proof is no longer believed")?;
    let order = order.trim_end().as_bytes();
    let answer = treasury(stream.did(), &proof, order, &signature.parse()?)?;
    stream.write_all(answer.as_bytes())?;
    stream.close()?;
    Ok(())
}

/// A root, a device with serial number and firmware, and the certificate of a key in it, with the
/// extensions of a YubiHSM 2.
const MAKER: &str = r#"
ec() { openssl ecparam -name prime256v1 -genkey -noout -out "$1.key"; }
ca='basicConstraints=critical,CA:TRUE'; arc=1.3.6.1.4.1.41482.4
device="$arc.1=DER:0403020400\n$arc.2=DER:020401e2f279\n"
key="$arc.3=DER:03020001\n$arc.4=DER:0303000001\n$arc.5=DER:0309000000000000000180\n$arc.6=DER:02027e57\n"
ec root; ec device
printf "$ca\n" >root.ext
printf "$ca\n$device" >device.ext
printf "$device$key$arc.9=DER:0c036b6579\n" >leaf.ext
openssl req -new -key root.key -subj /CN=root -out root.csr
openssl x509 -req -sha256 -days 30 -in root.csr -signkey root.key -extfile root.ext -out root.pem
openssl req -new -key device.key -subj /CN=device -out device.csr
openssl x509 -req -sha256 -days 30 -in device.csr -CA root.pem -CAkey root.key -CAcreateserial -extfile device.ext -out device.pem
openssl x509 -new -force_pubkey key.pem -subj /CN=key -CA device.pem -CAkey device.key -CAcreateserial -sha256 -days 30 -extfile leaf.ext -out leaf.pem
"#;
