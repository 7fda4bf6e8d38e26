//! Who is meant by PERSON, where this machine is opened to somebody.

use swarm_agent::{AgentStatus, Grantee};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::readable::plain;

/// The person behind an id, a name, or `everyone`, with the name that is written beside the grant.
pub(super) async fn find(
    named: &str,
    status: &AgentStatus,
    context: &Context,
) -> Result<(Grantee, Option<String>), Failure> {
    if let Ok(grantee) = named.parse::<Grantee>() {
        return Ok((grantee, None));
    }
    // Somebody who has a grant already is known here by the name beside it.
    let granted: Vec<_> = status.grants.iter().filter(|grant| grant.name.as_deref() == Some(named)).collect();
    if let Some(grant) = granted.first()
        && granted.iter().all(|other| other.user == grant.user)
    {
        return Ok((grant.user, grant.name.clone()));
    }
    by_name(named, status, context).await
}

/// Asks the coordinator with whom this worker is shared.
#[expect(clippy::unused_async, reason = "the coordinator is asked here once it tells with whom a worker is shared")]
async fn by_name(named: &str, _status: &AgentStatus, _context: &Context) -> Result<(Grantee, Option<String>), Failure> {
    Err(Failure::new(
        Exit::Refused,
        format!("\"{}\" is not the id of a person, and names are not looked up yet", plain(named)),
    )
    .advise("give the id of the person (`garageswarm whoami --json` shows one's own), or `everyone`"))
}
