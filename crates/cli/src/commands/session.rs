//! `garageswarm session` and `garageswarm password`: where one is signed in, and with what.

use clap::{Args, Subcommand};
use swarm_model::{Timestamp, TokenId};
use swarm_proto::auth::{ChangePassword, OpenSession, SessionKind};

use super::account::ask;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::table::{Table, styled};
use crate::readable::{DIM, GOOD, NORMAL, ago, plain, until};

#[derive(Debug, Subcommand)]
pub(crate) enum SessionCommand {
    /// Where you are signed in.
    List,
    /// End a session of yours, or all others.
    End(EndArgs),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub(crate) struct EndArgs {
    /// The session's id.
    session: Option<TokenId>,
    /// Every session but this command line's.
    #[arg(long)]
    others: bool,
}

pub(crate) async fn run(command: SessionCommand, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        SessionCommand::List => {
            let sessions = client.sessions().await?;
            context.output.object(&sessions, |sessions| list(sessions, context.now()))
        }
        SessionCommand::End(EndArgs { session: Some(session), .. }) => {
            client.end_session(session).await?;
            context.output.remark("the session has ended");
            Ok(())
        }
        SessionCommand::End(EndArgs { session: None, .. }) => {
            client.end_other_sessions().await?;
            context.output.remark("every other session has ended");
            Ok(())
        }
    }
}

/// Sets a password, or a new one. Both are asked for without showing them, or are lines of standard input.
pub(crate) async fn password(context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let current_password = if client.me().await?.has_password { Some(ask("Current password", true)?) } else { None };
    let new_password = ask("New password (10 characters at least)", true)?;
    client.change_password(&ChangePassword { current_password, new_password }).await?;
    context.output.remark("the password is set; every other session has ended");
    Ok(())
}

fn list(sessions: &[OpenSession], now: Timestamp) -> String {
    let mut table = Table::new(&["SESSION", "WHERE", "STATE", "LAST USED", "SINCE"]);
    for session in sessions {
        let kind = match session.kind {
            SessionKind::Browser => "browser",
            SessionKind::Cli => "command line",
        };
        let name = plain(&session.name);
        let place = if name.starts_with(kind) { name } else { format!("{kind}: {name}") };
        let (state, style) = match (session.is_current, session.expires_at) {
            (true, _) => ("this one".to_owned(), GOOD),
            (false, Some(end)) => (format!("ends {}", until(now, end)), NORMAL),
            (false, None) => ("open".to_owned(), NORMAL),
        };
        table.row([
            styled(session.session_id, DIM),
            styled(place, NORMAL),
            styled(state, style),
            styled(session.last_used_at.map_or_else(|| "-".to_owned(), |at| ago(now, at)), DIM),
            styled(ago(now, session.created_at), DIM),
        ]);
    }
    table.or("you are signed in nowhere")
}
