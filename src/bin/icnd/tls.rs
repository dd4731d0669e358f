//! Certificates for TLS keys of clients.

use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use axum::Extension;
use axum::body::Bytes;
use axum::extract::State;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use icn_identity::audit::Event;
use icn_identity::bundle::{BundleError, Renewal};
use icn_identity::config::MOST_INSTANCES;
use icn_identity::daemon::{Call, ProblemCode, TlsRequest};
use icn_identity::error::in_full;
use serde_json::json;

use crate::asked::{Answer, Asked, json_of};
use crate::door::Door;
use crate::issued::NotGiven;
use crate::problem::Problem;
use crate::status::{date, date_of_unix};
use crate::words::of_operator;

/// No key of the client is shown to be its own here: what it is given is a certificate without
/// its last part, the signature by that very key, which peers want to see.
pub(crate) async fn tls(
    State(door): State<Arc<Door>>,
    Extension(asked): Extension<Asked>,
    body: Bytes,
) -> Answer {
    let TlsRequest { spki, instance, .. } =
        TlsRequest::parse(&body).map_err(|error| Problem::invalid(&error))?;
    let described = |line: crate::line::Line| line.with_tls_key(instance, &spki);
    let line = door.permit_described(&asked, Event::Tls, &Call::Tls, described).await?;
    let open = door.key(&line).await?;
    let checked = open.bundle.check_tls_key(&spki, &instance).map_err(|error| refused(&error));
    let checked = match checked {
        Ok(()) => door.check_not_handed_over().await,
        refused => refused,
    };
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let taken = checked.and_then(|()| {
        let most = asked.policy.client(asked.peer.uid, asked.peer.gid);
        let most = most.map_or(0, |client| client.instances());
        let taken = door.issued.take(instance, line.client(), most, now);
        taken.map_err(no_instance)
    });
    let taken = match taken {
        Ok(taken) => taken,
        Err(problem) => {
            door.refuse(&line, &problem).await?;
            return Err(problem);
        }
    };
    let made = door.use_key(open, &line, move |open| {
        // An epoch that was begun a moment ago has ended what would be made in the last one.
        if open.bundle.take_over_renewed()? == Renewal::TakenOver {
            tracing::info!("uses the certificate that another process has made");
        }
        let made = open.bundle.bind_tls_key(&spki, instance, taken.number)?;
        // On disk before it is given out.
        taken.keep(made.binding().not_before(), made.binding().not_after())?;
        Ok(made)
    });
    let made = made.await?;
    let binding = made.binding();
    Ok(json_of(&json!({
        "did": door.did,
        "instance": instance,
        "sequence": binding.sequence(),
        "epoch": binding.epoch(),
        "not_before": date_of_unix(binding.not_before()),
        "not_after": date_of_unix(binding.not_after()),
        "renewal_due_at": date(binding.renewal_due_at()),
        "to_be_signed": STANDARD.encode(made.to_be_signed()),
        "certificate_start": STANDARD.encode(made.start()),
    })))
}

/// Why an instance is not to be had.
fn no_instance(not_given: NotGiven) -> Problem {
    match not_given {
        NotGiven::OtherClients => {
            Problem::new(ProblemCode::InstanceInUse, "another client has this instance")
                .with_help("give 16 random bytes, which the program keeps for its next key")
        }
        NotGiven::TooMany { own, until } => {
            let own: Vec<String> = own.iter().map(ToString::to_string).collect();
            let until = until.and_then(date_of_unix);
            let until = until.map_or_else(String::new, |until| format!(" before {until}"));
            let detail = format!(
                "this client has {} instances, and may have no other one{until}: {}",
                own.len(),
                own.join(", ")
            );
            Problem::new(ProblemCode::TooManyInstances, detail).with_help(
                "give one of these again, which ends its certificates; or raise `instances` of this \
                 client in icn.toml, then reload icnd",
            )
        }
        NotGiven::AllTaken => {
            let detail = format!("all clients together have {MOST_INSTANCES} instances");
            Problem::new(ProblemCode::TooManyInstances, detail).with_help(
                "give an instance again that this client has had; those of clients that were taken \
                 out count for two weeks",
            )
        }
    }
}

/// Why a key or an instance is none for which there is a certificate.
fn refused(error: &BundleError) -> Problem {
    let code = match error {
        BundleError::OwnInstance => ProblemCode::InstanceInUse,
        _ => ProblemCode::Malformed,
    };
    let problem = Problem::new(code, in_full(error));
    match error.help() {
        Some(help) => problem.with_help(of_operator(&help)),
        None => problem,
    }
}
