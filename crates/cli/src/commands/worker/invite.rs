//! `garageswarm worker invite`: a link with which one machine joins.

use std::io::IsTerminal as _;

use clap::Args;
use fast_qr::{ECL, QRBuilder};
use swarm_proto::workers::{InviteWorker, WorkerInvitation};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::table::Facts;
use crate::readable::{BOLD, DIM, QR, until};

#[derive(Debug, Args)]
#[command(
    after_help = "The coordinator must be reached from the other machine: `garageswarm up --lan`, or a public name.\nThe link works once and for ten minutes. Whoever has it can join a machine as yours: do not post it."
)]
pub(crate) struct InviteArgs {
    /// What to call it in `garageswarm key list`.
    #[arg(long)]
    name: Option<String>,
    /// Draw the link as a picture, also where no terminal shows it.
    #[arg(long)]
    qr: bool,
}

pub(crate) async fn invite(args: InviteArgs, context: &Context) -> Result<(), Failure> {
    let invitation = context.client()?.invite_worker(&InviteWorker { name: args.name }).await?;
    let draws = args.qr || std::io::stdout().is_terminal();
    context.output.object(&invitation, |invitation| words(invitation, draws, context))
}

fn words(invitation: &WorkerInvitation, draws: bool, context: &Context) -> String {
    let picture = if draws { picture(&invitation.link) } else { None };
    let mut facts = Facts::default();
    facts
        .maybe(
            "words",
            invitation.words.as_ref().map(|words| {
                format!(
                    "{BOLD}{words}{BOLD:#}\n{DIM}the other machine shows the same, or it talks to somebody else{DIM:#}"
                )
            }),
        )
        .fact("coordinator", invitation.addresses.join("\n"))
        .fact("good", format!("for one machine; ends {}", until(context.now(), invitation.expires_at)));
    format!(
        "{}on the other machine:\n\n  {BOLD}garageswarm worker run --join '{}'{BOLD:#}\n\n{}",
        picture.unwrap_or_default(),
        invitation.link,
        facts.text()
    )
}

/// The link as a picture of half blocks, two rows in a line, in colours that a camera understands on any terminal.
fn picture(link: &str) -> Option<String> {
    const QUIET: usize = 2;
    // A link that is too long for a picture can still be pasted.
    let code = QRBuilder::new(link).ecl(ECL::L).build().ok()?;
    let is_light = |row: usize, column: usize| {
        let inside = QUIET..code.size + QUIET;
        let is_dark = inside.contains(&row) && inside.contains(&column) && code[row - QUIET][column - QUIET].value();
        !is_dark
    };
    let size = code.size + 2 * QUIET;
    let line = |row: usize| {
        let block = |column| match (is_light(row, column), row + 1 >= size || is_light(row + 1, column)) {
            (true, true) => '█',
            (true, false) => '▀',
            (false, true) => '▄',
            (false, false) => ' ',
        };
        let blocks: String = (0..size).map(block).collect();
        format!("{QR}{blocks}{QR:#}")
    };
    let lines: Vec<_> = (0..size).step_by(2).map(line).collect();
    Some(format!("{}\n\n", lines.join("\n")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_picture_is_square_with_a_quiet_rim() {
        let drawn = picture("garageswarm://join?address=https%3A%2F%2F192.168.1.5%3A8421&code=gs_join_1").unwrap();
        let plain = anstream::adapter::strip_str(&drawn).to_string();
        let lines: Vec<_> = plain.trim_end().lines().collect();
        let width = lines[0].chars().count();
        assert_eq!(lines.len(), width.div_ceil(2));
        assert!(
            lines.iter().all(|line| line.chars().count() == width && line.starts_with("██") && line.ends_with("██"))
        );
        assert!(lines[0].chars().all(|c| c == '█'));
        assert!(picture(&"x".repeat(9000)).is_none());
    }
}
