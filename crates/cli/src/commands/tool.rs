//! `garageswarm tool`: the tools of this machine. Everything goes through the agent that runs, over its local socket;
//! only looking works without one.

mod words;

use std::sync::Arc;

use clap::{Args, Subcommand};
use swarm_agent::{AgentControl as _, Host, SecretText, Settings, ToolChange, ToolHere, tools_of_folder};
use swarm_model::ToolName;
use swarm_tools::{GuardBinary, Registry, Variables};

use super::account::ask;
use super::worker::local::{Folder, find, folders, refused};
use crate::context::Context;
use crate::failure::{Exit, Failure, with_causes};
use crate::kept::KeptHost;

#[derive(Debug, Subcommand)]
pub(crate) enum ToolCommand {
    /// Every tool: its version, how it is, whose account it uses, whether it may be used, what runs.
    List(Folder),
    /// One tool: all that was found, its models, what is set.
    Show(OneTool),
    /// Change settings of a tool, all or none; `KEY=` brings one back to its default. They count at once.
    #[command(after_help = "Examples:
  garageswarm tool set openai-api url=http://192.168.1.20:8000/v1 model=qwen3-coder
  garageswarm tool set claude-code max_concurrent=2 args=--max-turns=40
  garageswarm tool set codex enabled=false
docs/tools.md says what can be set.")]
    Set(SetArgs),
    /// Give a key to a tool: read from standard input, checked at its provider, kept in the keychain.
    #[command(after_help = "Examples:
  garageswarm tool login anthropic-api
  pass show openai | garageswarm tool login openai-api
  garageswarm tool login claude-code --key")]
    Login(LoginArgs),
    /// Take back the key that was given to a tool.
    Logout(OneTool),
}

#[derive(Debug, Args)]
pub(crate) struct OneTool {
    /// Which.
    tool: ToolName,
    #[command(flatten)]
    folder: Folder,
}

#[derive(Debug, Args)]
pub(crate) struct SetArgs {
    /// Which.
    tool: ToolName,
    /// What, and to what.
    #[arg(required = true, value_name = "KEY=VALUE", allow_hyphen_values = true, value_parser = change)]
    changes: Vec<ToolChange>,
    #[command(flatten)]
    folder: Folder,
}

#[derive(Debug, Args)]
pub(crate) struct LoginArgs {
    /// Which.
    tool: ToolName,
    /// Give a key to a tool that has a login of its own.
    #[arg(long)]
    key: bool,
    /// Keep the key without asking its provider.
    #[arg(long)]
    no_check: bool,
    /// Take back the key instead, as `logout` does.
    #[arg(long, conflicts_with_all = ["key", "no_check"])]
    remove: bool,
    #[command(flatten)]
    folder: Folder,
}

fn change(text: &str) -> Result<ToolChange, String> {
    let (key, value) = text.split_once('=').ok_or("it is of the form KEY=VALUE, or KEY= for the default")?;
    let key = key.trim();
    if key.is_empty() {
        return Err("it names no setting before the =".to_owned());
    }
    Ok(ToolChange { key: key.to_owned(), value: Some(value.to_owned()).filter(|value| !value.is_empty()) })
}

/// Carries out what is asked of the tools of this machine.
pub(crate) async fn run(command: ToolCommand, context: &Context) -> Result<(), Failure> {
    match command {
        ToolCommand::List(folder) => {
            let tools = look(&folder, context).await?;
            context.output.object(&tools, |tools| words::list(tools))
        }
        ToolCommand::Show(OneTool { tool, folder }) => {
            let tool = pick(look(&folder, context).await?, &tool)?;
            context.output.object(&tool, words::show)
        }
        ToolCommand::Set(SetArgs { tool, changes, folder }) => {
            let worker = find(&folder, context).await?;
            let changed = worker.set_tool(tool, changes).await.map_err(refused)?;
            context.output.object(&changed, words::line)
        }
        ToolCommand::Login(LoginArgs { tool, folder, remove: true, .. })
        | ToolCommand::Logout(OneTool { tool, folder }) => {
            let worker = find(&folder, context).await?;
            let changed = worker.log_out(tool).await.map_err(refused)?;
            context.output.object(&changed, |tool| format!("the key is forgotten; {}", words::line(tool)))
        }
        ToolCommand::Login(args) => login(args, context).await,
    }
}

async fn login(args: LoginArgs, context: &Context) -> Result<(), Failure> {
    let LoginArgs { tool, key: wants_key, no_check, folder, .. } = args;
    let worker = find(&folder, context).await?;
    let found = pick(worker.tools().await.map_err(refused)?, &tool)?;
    if let (Some(how), false) = (&found.own_login, wants_key) {
        context.output.object(&found, |found| words::own_login(found, how))?;
        context.output.remark(&format!("to give it a key instead: `garageswarm tool login {tool} --key`"));
        return Ok(());
    }
    let key = ask(&format!("Key for {tool}"), true)?;
    let login = worker.log_in(tool, SecretText::new(key.trim()), !no_check).await.map_err(refused)?;
    context.output.object(&login, words::login)?;
    if !login.tool.enabled {
        context
            .output
            .remark(&format!("{0} is off here: `garageswarm tool set {0} enabled=true`", login.tool.info.name));
    }
    Ok(())
}

/// The tools as the agent finds them; where none runs, as one would that this command line starts.
async fn look(folder: &Folder, context: &Context) -> Result<Vec<ToolHere>, Failure> {
    match find(folder, context).await {
        Ok(worker) => return worker.tools().await.map_err(refused),
        Err(failure) if failure.exit != Exit::NoAccess => return Err(failure),
        Err(_) => {}
    }
    let known: Vec<_> = Registry::standard(&Variables::default()).names().cloned().collect();
    let places = folders(folder, context)?;
    let mut found = None;
    for data_dir in &places {
        let read = Settings::read(data_dir, &known).map_err(|error| Failure::new(Exit::Fault, with_causes(&error)))?;
        if let Some(settings) = read {
            found = Some((settings, data_dir.clone()));
            break;
        }
    }
    let first = || places.first().cloned().unwrap_or_default();
    let (settings, data_dir) = found.unwrap_or_else(|| (Settings::default(), first()));
    context.output.remark("no worker runs here: this is what one would find that is started from this shell");
    let host = KeptHost::new(data_dir, GuardBinary(std::path::PathBuf::new()), context.vault, context.output);
    let host: Arc<dyn Host> = Arc::new(host.looking());
    Ok(tools_of_folder(settings, host, &Variables::of_process()).await)
}

fn pick(tools: Vec<ToolHere>, named: &ToolName) -> Result<ToolHere, Failure> {
    let names: Vec<_> = tools.iter().map(|tool| tool.info.name.to_string()).collect();
    tools.into_iter().find(|tool| tool.info.name == *named).ok_or_else(|| {
        Failure::new(Exit::Refused, format!("there is no tool \"{named}\"; there are {}", names.join(", ")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_read_as_people_write_it() {
        let read = |text: &str| change(text).map(|change| (change.key, change.value));
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(read("model=a=b"), Ok(("model".to_owned(), some("a=b"))));
        assert_eq!(read("model="), Ok(("model".to_owned(), None)));
        assert!(read("model").is_err() && read("=x").is_err());
    }
}
