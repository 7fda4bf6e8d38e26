//! `garageswarm audit`: who changed which right, key, setting or worker.

use clap::Args;
use swarm_model::Timestamp;
use swarm_proto::audit::{AuditEvent, ListAudit};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::table::{Table, styled};
use crate::readable::{DIM, NORMAL, ago, plain};

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    /// The newest so many.
    #[arg(short = 'n', long, value_name = "N", default_value = "30", value_parser = clap::value_parser!(u16).range(1..=500))]
    limit: u16,
    /// Done by, as `user:ID`, `key:ID`, `worker:ID` or `system`.
    #[arg(long)]
    actor: Option<String>,
    /// What was done, as `key_revoked`.
    #[arg(long)]
    action: Option<String>,
    /// To what, as `worker:ID`.
    #[arg(long)]
    subject: Option<String>,
}

pub(crate) async fn run(args: AuditArgs, context: &Context) -> Result<(), Failure> {
    let query = ListAudit {
        cursor: None,
        limit: Some(args.limit.into()),
        actor: args.actor,
        action: args.action,
        subject: args.subject,
    };
    let page = context.client()?.audit(&query).await?;
    context.output.object(&page, |page| list(&page.items, context.now()))
}

fn list(events: &[AuditEvent], now: Timestamp) -> String {
    let mut table = Table::new(&["WHEN", "WHO", "DID", "TO WHAT", "FROM", "DETAIL"]);
    for event in events {
        let who = event.actor_name.as_deref().unwrap_or(&event.actor);
        let detail = event.detail.as_ref().map(ToString::to_string).unwrap_or_default();
        table.row([
            styled(ago(now, event.at), DIM),
            styled(plain(who), NORMAL),
            styled(event.action.replace('_', " "), NORMAL),
            styled(plain(&event.subject), DIM),
            styled(event.from_address.as_deref().unwrap_or("-"), DIM),
            styled(plain(&detail), DIM),
        ]);
    }
    table.or("nothing fits")
}
