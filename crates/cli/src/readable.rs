//! What people read: colours, spans of time, short texts, names of states.
//!
//! Text from strangers (prompts, names, output of tools) goes through [`plain`] before it reaches a terminal:
//! an escape sequence in it must not move the cursor or change the window's title.

use std::time::Duration;

use anstyle::{AnsiColor, Style};
use swarm_model::tool::ToolHealth;
use swarm_model::{TaskStatus, Timestamp, WorkerStatus};

pub(crate) const ERROR: Style = AnsiColor::Red.on_default().bold();
pub(crate) const GOOD: Style = AnsiColor::Green.on_default();
pub(crate) const ACTIVE: Style = AnsiColor::Cyan.on_default();
pub(crate) const WARN: Style = AnsiColor::Yellow.on_default();
pub(crate) const DIM: Style = Style::new().dimmed();
pub(crate) const BOLD: Style = Style::new().bold();
pub(crate) const NORMAL: Style = Style::new();
/// Light blocks on dark, whatever the terminal's own colours are.
pub(crate) const QR: Style = AnsiColor::BrightWhite.on_default().bg_color(Some(anstyle::Color::Ansi(AnsiColor::Black)));

/// The colours of `--help`.
pub(crate) const STYLES: clap::builder::Styles =
    clap::builder::Styles::styled().header(BOLD).usage(BOLD).literal(AnsiColor::Cyan.on_default()).placeholder(DIM);

/// What the exit codes mean, for the end of `--help`.
pub(crate) fn exit_codes() -> String {
    format!(
        "{BOLD}Exit codes:{BOLD:#}\n  \
         0    done; with --wait or --follow, the task is completed\n  \
         1    the task failed or was cancelled; doctor found something missing\n  \
         2    the command line or the request makes no sense\n  \
         3    the coordinator cannot be reached, or you are not signed in\n  \
         4    the coordinator says no: not found, not allowed, or the state forbids it\n  \
         5    something is broken here or in the coordinator\n  \
         130  interrupted"
    )
}

/// Text without escape sequences and control characters. Lines stay.
pub(crate) fn plain(text: &str) -> String {
    let stripped = anstream::adapter::strip_str(text).to_string();
    stripped.chars().filter(|c| !c.is_control() || matches!(c, '\n' | '\t')).collect()
}

/// The first line of a text, cut to so many characters.
pub(crate) fn cut(text: &str, most: usize) -> String {
    let text = plain(text);
    let mut lines = text.trim().lines();
    let line = lines.next().unwrap_or_default().replace('\t', " ");
    let is_whole = lines.next().is_none() && line.chars().count() <= most;
    if is_whole { line } else { line.chars().take(most.saturating_sub(1)).chain(['…']).collect() }
}

/// A span in its two largest units: `4m 12s`.
pub(crate) fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds < 10 => format!("{:.1}s", span.as_secs_f64()),
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, _) => format!("{minutes}m {:02}s", seconds % 60),
        (0, _, _) => format!("{hours}h {minutes:02}m"),
        _ => format!("{days}d {hours:02}h"),
    }
}

/// How long ago: `5m ago`; a day after some weeks.
pub(crate) fn ago(now: Timestamp, then: Timestamp) -> String {
    let seconds = now.since(then).as_secs();
    match seconds {
        0..=1 => "just now".to_owned(),
        2..=59 => format!("{seconds}s ago"),
        60..=3599 => format!("{}m ago", seconds / 60),
        3600..=86_399 => format!("{}h ago", seconds / 3600),
        86_400..=1_209_599 => format!("{}d ago", seconds / 86_400),
        _ => then.to_string().chars().take(10).collect(),
    }
}

/// How long until: `in 5m`; `over` where it is past.
pub(crate) fn until(now: Timestamp, then: Timestamp) -> String {
    if then <= now { "over".to_owned() } else { format!("in {}", span(then.since(now))) }
}

/// Money, from millionths of a US dollar: `$0.0042`, `$12.30`.
pub(crate) fn dollars(microusd: u64) -> String {
    let dollars = microusd as f64 / 1e6;
    if microusd < 1_000_000 { format!("${dollars:.4}") } else { format!("${dollars:.2}") }
}

/// A count: `999`, `12,345`, `1.23 M`.
pub(crate) fn count(count: u64) -> String {
    match count {
        0..=999 => count.to_string(),
        1_000..=999_999 => format!("{},{:03}", count / 1_000, count % 1_000),
        1_000_000..=999_999_999 => format!("{:.2} M", count as f64 / 1e6),
        _ => format!("{:.2} G", count as f64 / 1e9),
    }
}

/// Bytes: `4.2 MB`.
pub(crate) fn bytes(count: u64) -> String {
    let units = ["B", "kB", "MB", "GB", "TB"];
    let mut value = count as f64;
    let mut unit = 0;
    while value >= 1000.0 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    if unit == 0 { format!("{count} B") } else { format!("{value:.1} {}", units[unit]) }
}

/// The colour of a task's state.
pub(crate) fn task_style(status: TaskStatus) -> Style {
    match status {
        TaskStatus::Queued => NORMAL,
        TaskStatus::Assigned | TaskStatus::Running => ACTIVE,
        TaskStatus::Waiting | TaskStatus::Cancelled => WARN,
        TaskStatus::Completed => GOOD,
        TaskStatus::Failed => ERROR,
    }
}

/// The colour of a worker's state.
pub(crate) fn worker_style(status: WorkerStatus) -> Style {
    match status {
        WorkerStatus::Online => GOOD,
        WorkerStatus::Busy => ACTIVE,
        WorkerStatus::Paused | WorkerStatus::Draining | WorkerStatus::Suspended => WARN,
        WorkerStatus::Offline => DIM,
    }
}

/// The state of a tool, and what to do about it.
pub(crate) fn tool_state(health: &ToolHealth) -> (&'static str, Option<&str>) {
    match health {
        ToolHealth::Ready => ("ready", None),
        ToolHealth::NeedsLogin { fix } => ("needs login", Some(fix)),
        ToolHealth::Missing { fix } => ("missing", Some(fix)),
        ToolHealth::NotAllowed => ("not allowed", None),
    }
}

/// Reads a span as people write it: `90`, `90s`, `10m`, `1h30m`, `2d`.
pub(crate) fn read_span(text: &str) -> Result<Duration, String> {
    let wrong = || format!("\"{text}\" is not a time such as 90s, 10m or 2h");
    let mut total = 0_u64;
    let mut digits = String::new();
    for c in text.trim().chars() {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        let unit = match c {
            's' => 1,
            'm' => 60,
            'h' => 3600,
            'd' => 86_400,
            _ => return Err(wrong()),
        };
        let count: u64 = digits.parse().map_err(|_| wrong())?;
        digits.clear();
        total = count.checked_mul(unit).and_then(|span| total.checked_add(span)).ok_or_else(wrong)?;
    }
    if !digits.is_empty() {
        let is_bare = digits.len() == text.trim().len();
        let seconds: u64 = if is_bare { digits.parse().map_err(|_| wrong())? } else { return Err(wrong()) };
        total = seconds;
    }
    if total == 0 { Err(wrong()) } else { Ok(Duration::from_secs(total)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stranger_does_not_steer_the_terminal() {
        assert_eq!(plain("\x1b]0;owned\x07a\x1b[2Jb\x1b[31mc\x1b[0m\u{9b}31md\r\n\te\x08"), "abc31md\n\te");
    }

    #[test]
    fn long_prompts_are_cut() {
        assert_eq!(cut("  short  ", 10), "short");
        assert_eq!(cut("one\ntwo", 10), "one…");
        assert_eq!(cut("ärger über alles", 6), "ärger…");
    }

    #[test]
    fn spans_are_read_as_they_are_written() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("10m", 600), ("1h30m", 5400), ("2d", 172_800)] {
            assert_eq!(read_span(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "0", "m", "10x", "1h30", "-5", "99999999999999999999d"] {
            assert!(read_span(text).is_err(), "{text}");
        }
    }

    #[test]
    fn spans_show_two_units() {
        let shown = [0, 12, 252, 7_260, 180_000].map(|seconds| span(Duration::from_secs(seconds)));
        assert_eq!(shown, ["0.0s", "12s", "4m 12s", "2h 01m", "2d 02h"]);
    }

    #[test]
    fn the_past_is_told_from_now() {
        let now = Timestamp::from_micros(1_800_000_000_000_000);
        let shown = [0, 30, 300, 7_300, 200_000, 9_000_000].map(|s| ago(now, now.minus(Duration::from_secs(s))));
        assert_eq!(shown, ["just now", "30s ago", "5m ago", "2h ago", "2d ago", "2026-10-03"]);
    }

    #[test]
    fn counts_and_money_are_short() {
        assert_eq!([7, 12_345, 1_234_567, 2_000_000_000].map(count), ["7", "12,345", "1.23 M", "2.00 G"]);
        assert_eq!([0, 4_200, 12_300_000].map(dollars), ["$0.0000", "$0.0042", "$12.30"]);
    }

    #[test]
    fn sizes_are_short() {
        assert_eq!([999, 1000, 4_210_000].map(bytes), ["999 B", "1.0 kB", "4.2 MB"]);
    }
}
