//! What a start needs from the system, before anybody is accepted.

use std::net::SocketAddr;
use std::sync::Arc;

use icn_identity::config::DaemonConfig;
use icn_identity::tls::DidVerifier;
use tokio::net::TcpListener;

use crate::accept::Accepting;
use crate::connection::Connections;
use crate::door::Door;
use crate::error::{Key, StartError};
use crate::hardening::most_connections;
use crate::listener::Listener;
use crate::peers::verifier;

/// All of it is there before the first connection is accepted.
pub(super) struct Opened {
    pub(super) accepting: Accepting,
    pub(super) connections: Arc<Connections>,
    pub(super) monitor: Option<TcpListener>,
    pub(super) peers: Option<(TcpListener, Arc<DidVerifier>)>,
}

impl Opened {
    pub(super) async fn open(
        door: &Arc<Door>,
        listener: &Listener,
        config: &DaemonConfig,
    ) -> Result<Self, StartError> {
        let monitor = match config.monitor {
            Some(address) => {
                let listener = bound("monitor", address, door).await?;
                tracing::info!("is monitored on {}", local("monitor", &listener)?);
                Some(listener)
            }
            None => None,
        };
        let peers = match config.tls {
            Some(address) => {
                let verifier = verifier(config.tls_peers, door)?;
                let listener = bound("tls", address, door).await?;
                tracing::info!("serves peers on {}", local("tls", &listener)?);
                Some((listener, verifier))
            }
            None => None,
        };
        let system = |what| move |source| StartError::System { what, source };
        let socket = listener.socket.try_clone().map_err(system("use the socket"))?;
        let connections = Connections::new(most_connections(config.max_connections));
        // Whoever was accepted is served to the end: nothing may fail from here on.
        let accepting = Accepting::start(socket, door.clone(), connections.clone())
            .map_err(system("accept connections"))?;
        Ok(Self { accepting, connections, monitor, peers })
    }
}

fn local(key: &'static str, listener: &TcpListener) -> Result<SocketAddr, StartError> {
    let what =
        if key == "tls" { "use the address of `tls`" } else { "use the address of `monitor`" };
    listener.local_addr().map_err(|source| StartError::System { what, source })
}

/// Listens on the address that a key of `[daemon]` names.
async fn bound(
    key: &'static str,
    address: SocketAddr,
    door: &Door,
) -> Result<TcpListener, StartError> {
    TcpListener::bind(address).await.map_err(|source| {
        let key = Key::of(key, &door.place.config);
        StartError::Address { key, address, source }
    })
}
