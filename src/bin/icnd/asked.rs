//! A request of a client: whether it may be done, and how it is answered.

use std::sync::Arc;
use std::time::Instant;

use axum::body::Body;
use axum::http::Response;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use icn_identity::audit::{Event, RequestId};
use icn_identity::config::ClientRule;
use icn_identity::daemon::Call;
use serde_json::Value;

use crate::door::{Door, Open};
use crate::in_force::InForce;
use crate::line::Line;
use crate::peer::Peer;
use crate::problem::Problem;

pub(crate) type Answer = Result<Response<Body>, Problem>;

/// A request of a client.
#[derive(Clone)]
pub(crate) struct Asked {
    pub(crate) peer: Arc<Peer>,
    pub(crate) policy: Arc<InForce>,
    pub(crate) request: RequestId,
    /// Until then it is answered.
    pub(crate) deadline: tokio::time::Instant,
}

impl Asked {
    fn line(&self, event: Event, rule: &ClientRule) -> Line {
        let line = Line::new(event, self.request, self.peer.clone()).with_client(&rule.name);
        line.with_decided_by(self.policy.clone())
    }
}

impl Door {
    /// Whether the client may have this done; if not, that is written down.
    pub(crate) async fn permit(
        &self,
        asked: &Asked,
        event: Event,
        call: &Call<'_>,
    ) -> Result<Line, Problem> {
        self.permit_described(asked, event, call, |line| line).await
    }

    /// The same, with what else the lines of the request say.
    pub(crate) async fn permit_described(
        &self,
        asked: &Asked,
        event: Event,
        call: &Call<'_>,
        described: impl FnOnce(Line) -> Line,
    ) -> Result<Line, Problem> {
        let (uid, gid) = (asked.peer.uid, asked.peer.gid);
        let denied = |denied| Problem::denied(&denied, uid, gid);
        let client = asked.policy.client(uid, gid).map_err(denied)?;
        let mut line = described(asked.line(event, client.rule()));
        if let Call::Sign { context } = call {
            line = line.with_context(context);
        }
        match client.check(call, Instant::now()).map_err(denied) {
            Ok(()) => Ok(line),
            Err(problem) => {
                self.refuse(&line, &problem).await?;
                Err(problem)
            }
        }
    }

    /// The key, if it is open; if not, that is written down.
    pub(crate) async fn key(&self, line: &Line) -> Result<Arc<Open>, Problem> {
        let Some(open) = self.opened() else {
            let problem = Problem::locked();
            self.refuse(line, &problem).await?;
            return Err(problem);
        };
        Ok(open)
    }
}

pub(crate) fn json_of(value: &Value) -> Response<Body> {
    text(value.to_string())
}

/// JSON that is written already.
pub(crate) fn text(json: String) -> Response<Body> {
    ([(CONTENT_TYPE, "application/json")], json).into_response()
}
