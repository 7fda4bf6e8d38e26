//! `garageswarm key`: one's own keys.

use clap::{Args, Subcommand, ValueEnum};
use swarm_client::Client;
use swarm_model::rights::Scope;
use swarm_model::{KeyId, Timestamp};
use swarm_proto::keys::{CreateKey, CreatedKey, Key, KeyKind};

use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::table::{Table, styled};
use crate::readable::{DIM, ERROR, GOOD, NORMAL, ago, plain, until};

#[derive(Debug, Subcommand)]
pub(crate) enum KeyCommand {
    /// Make a key. Its secret is shown once.
    Create(CreateArgs),
    /// Your keys.
    List,
    /// End a key, and the machines that it enrolled with it.
    Revoke(RevokeArgs),
}

#[derive(Debug, Args)]
pub(crate) struct CreateArgs {
    /// What it is good for.
    #[arg(long, value_enum, default_value = "worker")]
    kind: Kind,
    /// What to call it.
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// What an api key may do for you: tasks:read, tasks:write, workers:read, workers:write, swarm:write. The first
    /// three unless said otherwise; may be given several times.
    #[arg(long = "scope", value_name = "SCOPE")]
    scopes: Vec<Scope>,
    /// How many machines a worker key enrols; 0 for any number until it ends.
    #[arg(long, value_name = "N")]
    uses: Option<u32>,
    /// Hours until it ends; 24 for a worker key, never for an api key, unless said otherwise.
    #[arg(long, value_name = "N")]
    hours: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct RevokeArgs {
    /// The key's id or name.
    key: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Enrols machines.
    Worker,
    /// Acts for you in programs, as GARAGESWARM_TOKEN.
    Api,
}

pub(crate) async fn run(command: KeyCommand, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        KeyCommand::Create(args) => create(args, context, &client).await,
        KeyCommand::List => {
            let keys = client.keys().await?;
            context.output.object(&keys, |keys| list(keys, context.now()))
        }
        KeyCommand::Revoke(args) => {
            let key = find(&client, &args.key).await?;
            client.revoke_key(key.key_id).await?;
            context.output.remark(&format!("the key \"{}\" is revoked", plain(&key.name)));
            Ok(())
        }
    }
}

async fn create(args: CreateArgs, context: &Context, client: &Client) -> Result<(), Failure> {
    let kind = match args.kind {
        Kind::Worker => KeyKind::Worker,
        Kind::Api => KeyKind::Api,
    };
    let name = args.name.unwrap_or_else(|| format!("{} key", kind.as_str()));
    let scopes = (!args.scopes.is_empty()).then_some(args.scopes);
    let created = client.create_key(&CreateKey { kind, name, scopes, uses: args.uses, hours: args.hours }).await?;
    context.output.object(&created, |created| created.secret.clone())?;
    context.output.remark(&advice(&created, &client.address().to_string(), context.now()));
    Ok(())
}

fn advice(created: &CreatedKey, address: &str, now: Timestamp) -> String {
    let end = created.key.expires_at.map_or_else(String::new, |end| format!(" It ends {}.", until(now, end)));
    match created.key.kind {
        KeyKind::Worker => format!(
            "This is shown once.{end} On the machine to add:\n  garageswarm worker run --coordinator {address} --key KEY"
        ),
        KeyKind::Api => {
            format!("This is shown once.{end} Programs give it as GARAGESWARM_TOKEN, or as a bearer token.")
        }
    }
}

fn list(keys: &[Key], now: Timestamp) -> String {
    let mut table = Table::new(&["KEY", "KIND", "NAME", "STATE", "MAY", "LAST USED"]);
    for key in keys {
        let is_over = key.expires_at.is_some_and(|end| end <= now) || key.uses_left == Some(0);
        let (state, style) = match (key.revoked_at, key.expires_at) {
            (Some(_), _) => ("revoked".to_owned(), ERROR),
            (None, _) if is_over => ("over".to_owned(), DIM),
            (None, Some(end)) => (format!("ends {}", until(now, end)), GOOD),
            (None, None) => ("valid".to_owned(), GOOD),
        };
        let may = match (key.kind, key.uses_left) {
            (KeyKind::Worker, Some(1)) => "enrol 1 machine".to_owned(),
            (KeyKind::Worker, Some(uses)) => format!("enrol {uses} machines"),
            (KeyKind::Worker, None) => "enrol any number of machines".to_owned(),
            (KeyKind::Api, _) => key.scopes.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(" "),
        };
        table.row([
            styled(key.key_id, DIM),
            styled(key.kind.as_str(), NORMAL),
            styled(plain(&key.name), NORMAL),
            styled(state, style),
            styled(may, NORMAL),
            styled(key.last_used_at.map_or_else(|| "never".to_owned(), |at| ago(now, at)), DIM),
        ]);
    }
    table.or("no keys yet: `garageswarm key create` makes one")
}

async fn find(client: &Client, named: &str) -> Result<Key, Failure> {
    let keys = client.keys().await?;
    let by_id = named.parse::<KeyId>().ok();
    let mut found =
        keys.into_iter().filter(|key| Some(key.key_id) == by_id || (key.name == named && key.revoked_at.is_none()));
    match (found.next(), found.next()) {
        (Some(key), None) => Ok(key),
        (None, _) => Err(Failure::new(Exit::Refused, format!("you have no key \"{}\"", plain(named)))
            .advise("`garageswarm key list` shows them")),
        (Some(_), Some(_)) => Err(Failure::new(Exit::Refused, format!("several keys are called \"{}\"", plain(named)))
            .advise("give the id of one: `garageswarm key list` shows them")),
    }
}
