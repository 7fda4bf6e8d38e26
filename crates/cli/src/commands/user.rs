//! `garageswarm user`: the people of a swarm, for its admins.

use clap::{Args, Subcommand, ValueEnum};
use swarm_client::Client;
use swarm_model::rights::InstanceRole;
use swarm_model::{Timestamp, TokenId, UserId};
use swarm_proto::auth::{ChangeUser, CreateInvitation, OpenInvitation, User};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::table::{Table, styled};
use crate::readable::{DIM, ERROR, GOOD, NORMAL, ago, plain, until};

#[derive(Debug, Subcommand)]
pub(crate) enum UserCommand {
    /// Everybody.
    List,
    /// Make a link by which one person joins.
    Invite(InviteArgs),
    /// The invitations, open and used.
    Invitations,
    /// End an invitation that was not used.
    Uninvite(UninviteArgs),
    /// Let somebody go: sessions, keys and the machines that they enrolled end at once; their tasks are cancelled.
    Deactivate(OneUser),
    /// Let somebody in again.
    Activate(OneUser),
    /// Make somebody an admin, or no longer.
    Role(RoleArgs),
    /// Take somebody's password away and get a link by which they set a new one.
    ResetPassword(OneUser),
}

#[derive(Debug, Args)]
pub(crate) struct InviteArgs {
    /// Makes them an admin.
    #[arg(long)]
    admin: bool,
    /// Hours until it ends; 72 unless said otherwise.
    #[arg(long, value_name = "N")]
    hours: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct UninviteArgs {
    /// The invitation's id.
    invitation: TokenId,
}

#[derive(Debug, Args)]
pub(crate) struct OneUser {
    /// Their name or id.
    user: String,
}

#[derive(Debug, Args)]
pub(crate) struct RoleArgs {
    /// Their name or id.
    user: String,
    /// The role.
    #[arg(value_enum)]
    role: Role,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// Manages people, machines and settings; does not read other people's texts.
    Admin,
    /// Has tasks and machines of their own.
    Member,
}

pub(crate) async fn run(command: UserCommand, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        UserCommand::List => {
            let users = client.users().await?;
            context.output.object(&users, |users| list(users, context.now()))
        }
        UserCommand::Invite(args) => invite(args, context, &client).await,
        UserCommand::Invitations => {
            let invitations = client.invitations().await?;
            context.output.object(&invitations, |invitations| invitation_list(invitations, context.now()))
        }
        UserCommand::Uninvite(args) => {
            client.revoke_invitation(args.invitation).await?;
            context.output.remark("the invitation is over");
            Ok(())
        }
        UserCommand::Deactivate(args) => {
            let change = ChangeUser { is_active: Some(false), ..ChangeUser::default() };
            apply(&client, &args.user, change, "is deactivated: everything they had open has ended", context).await
        }
        UserCommand::Activate(args) => {
            let change = ChangeUser { is_active: Some(true), ..ChangeUser::default() };
            apply(&client, &args.user, change, "may sign in again; their machines join anew", context).await
        }
        UserCommand::Role(args) => {
            let (role, done) = match args.role {
                Role::Admin => (InstanceRole::Admin, "is an admin"),
                Role::Member => (InstanceRole::Member, "is a member"),
            };
            apply(&client, &args.user, ChangeUser { role: Some(role), ..ChangeUser::default() }, done, context).await
        }
        UserCommand::ResetPassword(args) => {
            let user = find(&client, &args.user).await?;
            let reset = client.reset_password(user.user_id).await?;
            context.output.object(&reset, |reset| reset.link.clone())?;
            let end = until(context.now(), reset.expires_at);
            context.output.remark(&format!(
                "This is shown once; it works once and ends {end}. Hand it to {} yourself: whoever has it is them.",
                plain(&user.username)
            ));
            Ok(())
        }
    }
}

async fn invite(args: InviteArgs, context: &Context, client: &Client) -> Result<(), Failure> {
    let role = args.admin.then_some(InstanceRole::Admin);
    let invitation = client.invite(&CreateInvitation { hours: args.hours, role }).await?;
    context.output.object(&invitation, |invitation| invitation.link.clone())?;
    let end = until(context.now(), invitation.expires_at);
    context.output.remark(&format!(
        "This is shown once; one person can join with it, and it ends {end}. In a browser it opens the page for that; in a terminal:\n  garageswarm login --invitation LINK"
    ));
    Ok(())
}

async fn apply(client: &Client, named: &str, change: ChangeUser, done: &str, context: &Context) -> Result<(), Failure> {
    let user = find(client, named).await?;
    let user = client.change_user(user.user_id, &change).await?;
    context.output.object(&user, |user| format!("{} {done}", plain(&user.username)))
}

/// The person that is meant by a name or an id.
async fn find(client: &Client, named: &str) -> Result<User, Failure> {
    let by_id = named.parse::<UserId>().ok();
    let is_meant = |user: &User| Some(user.user_id) == by_id || user.username.to_lowercase() == named.to_lowercase();
    client.users().await?.into_iter().find(is_meant).ok_or_else(|| {
        Failure::new(Exit::Refused, format!("nobody here is called \"{}\"", plain(named)))
            .advise("`garageswarm user list` shows everybody")
    })
}

fn list(users: &[User], now: Timestamp) -> String {
    let mut table = Table::new(&["NAME", "ROLE", "STATE", "SIGNS IN", "LAST SIGN-IN", "HERE SINCE"]);
    for user in users {
        let (state, style) = if user.is_active { ("active", GOOD) } else { ("deactivated", ERROR) };
        table.row([
            styled(plain(&user.username), NORMAL),
            styled(user.role.as_str(), NORMAL),
            styled(state, style),
            styled(if user.has_password { "by password" } else { "by link" }, NORMAL),
            styled(user.last_login.map_or_else(|| "never".to_owned(), |at| ago(now, at)), DIM),
            styled(ago(now, user.created_at), DIM),
        ]);
    }
    table.or("nobody is here yet")
}

fn invitation_list(invitations: &[OpenInvitation], now: Timestamp) -> String {
    let mut table = Table::new(&["INVITATION", "ROLE", "STATE", "MADE"]);
    for invitation in invitations {
        let (state, style) = if invitation.is_open {
            (format!("open, ends {}", until(now, invitation.expires_at)), GOOD)
        } else {
            ("used or over".to_owned(), DIM)
        };
        table.row([
            styled(invitation.invitation_id, DIM),
            styled(invitation.role.as_str(), NORMAL),
            styled(state, style),
            styled(ago(now, invitation.created_at), DIM),
        ]);
    }
    table.or("no invitations: `garageswarm user invite` makes one")
}
