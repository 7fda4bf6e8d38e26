//! `garageswarm worker disk`: what the worker of this machine keeps, and what of it may go.

use clap::Args;
use swarm_agent::{AgentControl as _, DiskItem, DiskKind, DiskReport, DiskState};
use swarm_model::Timestamp;

use super::local::{Folder, find, refused};
use crate::context::Context;
use crate::failure::Failure;
use crate::output::table::{Table, styled};
use crate::readable::{DIM, NORMAL, WARN, ago, bytes, plain};

#[derive(Debug, Args)]
#[command(
    after_help = "By itself it removes what is older than `keep` says, and over `max_disk_mb` the oldest first:\n  garageswarm worker prefs set max_disk_mb 20000\n  garageswarm worker prefs set keep.hours 48"
)]
pub(crate) struct DiskArgs {
    /// Free what the list says may go.
    #[arg(long)]
    free: bool,
    #[command(flatten)]
    folder: Folder,
}

pub(crate) async fn disk(args: DiskArgs, context: &Context) -> Result<(), Failure> {
    let report = find(&args.folder, context).await?.disk(args.free).await.map_err(refused)?;
    context.output.object(&report, |report| words(report, context.now()))
}

fn words(report: &DiskReport, now: Timestamp) -> String {
    let mut table = Table::new(&["KIND", "WHAT", "STATE", "SINCE", "SIZE", "MAY GO", "WHY"]).numbers(4);
    for item in &report.items {
        let DiskItem { kind, name, state, at, bytes: size, frees, why, path: _ } = item;
        table.row([
            styled(kind_word(*kind), DIM),
            styled(plain(name), NORMAL),
            styled(state_word(*state), NORMAL),
            styled(at.map_or_else(String::new, |at| ago(now, at)), DIM),
            styled(bytes(*size), NORMAL),
            styled(if *frees { "yes" } else { "no" }, if *frees { WARN } else { NORMAL }),
            styled(plain(why), DIM),
        ]);
    }
    let quota = report.max_bytes.map(|max| format!(" of {}", bytes(max))).unwrap_or_default();
    let volume = report.volume_free_bytes.map(|free| format!("; {} free on the volume", bytes(free)));
    let end = match (report.freed_bytes, report.would_free_bytes) {
        (Some(freed), _) => format!("{} freed", bytes(freed)),
        (None, 0) => "nothing may go now".to_owned(),
        (None, would) => format!("{} may go: `garageswarm worker disk --free`", bytes(would)),
    };
    format!(
        "{}\n\n{}{quota} used{}\n{end}",
        table.or("the worker keeps nothing yet"),
        bytes(report.used_bytes),
        volume.unwrap_or_default()
    )
}

fn kind_word(kind: DiskKind) -> &'static str {
    match kind {
        DiskKind::Run => "run",
        DiskKind::Mirror => "mirror",
        DiskKind::ToolState => "tool",
    }
}

fn state_word(state: DiskState) -> &'static str {
    match state {
        DiskState::Running => "running",
        DiskState::Undelivered => "undelivered",
        DiskState::Interrupted => "interrupted",
        DiskState::Ended => "ended",
        DiskState::Failed => "failed",
        DiskState::InUse => "in use",
        DiskState::Unused => "unused",
        DiskState::Kept => "kept",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_says_what_may_go_and_why() {
        let item = |kind, name: &str, state, at: Option<&str>, bytes, frees, why: &str| DiskItem {
            kind,
            name: name.to_owned(),
            state,
            at: at.map(|at| at.parse().unwrap()),
            bytes,
            path: "/w".into(),
            frees,
            why: why.to_owned(),
        };
        let mut report = DiskReport {
            items: vec![
                item(DiskKind::Run, "#7, attempt 1, codex", DiskState::Running, None, 5_000_000, false, "it runs"),
                item(
                    DiskKind::Run,
                    "#6, attempt 2, codex",
                    DiskState::Ended,
                    Some("2026-11-20T09:00:00Z"),
                    70_000_000,
                    true,
                    "the coordinator has its result",
                ),
            ],
            used_bytes: 75_000_000,
            max_bytes: Some(1_000_000_000),
            volume_free_bytes: Some(50_000_000_000),
            would_free_bytes: 70_000_000,
            freed_bytes: None,
        };
        let told = |report: &DiskReport| {
            anstream::adapter::strip_str(&words(report, "2026-11-20T12:00:00Z".parse().unwrap())).to_string()
        };
        let lines: Vec<_> =
            told(&report).lines().map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        let expected = [
            "KIND WHAT STATE SINCE SIZE MAY GO WHY",
            "run #7, attempt 1, codex running 5.0 MB no it runs",
            "run #6, attempt 2, codex ended 3h ago 70.0 MB yes the coordinator has its result",
            "",
            "75.0 MB of 1.0 GB used; 50.0 GB free on the volume",
            "70.0 MB may go: `garageswarm worker disk --free`",
        ];
        assert_eq!(lines, expected);
        report.freed_bytes = Some(70_000_000);
        assert!(told(&report).ends_with("freed"));
    }
}
