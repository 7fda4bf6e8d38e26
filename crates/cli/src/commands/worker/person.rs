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
async fn by_name(named: &str, status: &AgentStatus, context: &Context) -> Result<(Grantee, Option<String>), Failure> {
    let named = plain(named);
    let Some(worker_id) = status.worker_id else {
        return Err(Failure::new(
            Exit::Refused,
            format!("who \"{named}\" is cannot be asked before this machine has joined"),
        )
        .advise("give the id of the person, or `everyone`"));
    };
    let client = context.client().map_err(|_| {
        Failure::new(
            Exit::NoAccess,
            format!("who \"{named}\" is only the coordinator knows, where you are not signed in here"),
        )
        .advise("give the id of the person, which `garageswarm worker share` printed, or `everyone`")
    })?;
    let shares = client.shares(worker_id).await?;
    let share = shares.into_iter().find(|share| share.username.eq_ignore_ascii_case(&named));
    let share = share.ok_or_else(|| {
        Failure::new(Exit::Refused, format!("this machine is not shared with \"{named}\""))
            .advise(format!("first `garageswarm worker share {worker_id} {named}`, or give the id of the person"))
    })?;
    Ok((Grantee::User(share.user_id), Some(share.username)))
}
