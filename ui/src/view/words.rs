//! Numbers, spans and instants as people read them.

use std::time::Duration;

use swarm_model::Timestamp;

/// Now, and the viewer's offset from UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// The current instant.
    pub now: Timestamp,
    /// Minutes to add to UTC for the viewer's clock.
    pub zone_minutes: i32,
}

const SMALL: [&str; 13] =
    ["no", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven", "twelve"];

/// A count within a sentence: in words up to twelve.
pub fn number(n: u64) -> String {
    usize::try_from(n).ok().and_then(|n| SMALL.get(n)).map_or_else(|| thousands(n), |word| (*word).to_owned())
}

/// The same with a capital, for the beginning of a sentence.
pub fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}

/// A count with its noun: "1 slot", "3 slots".
pub fn counted(n: u64, one: &str, many: &str) -> String {
    format!("{} {}", thousands(n), if n == 1 { one } else { many })
}

/// Digits in groups: "104,812".
pub fn thousands(n: u64) -> String {
    let digits = n.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A span as a stopwatch shows it: "0:07", "6:41", "1:02:03".
pub fn stopwatch(span: Duration) -> String {
    let seconds = span.as_secs();
    let (hours, minutes, seconds) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// A span in its two largest units: "840 ms", "5.7 s", "42 s", "12 min 05 s", "2 h 01 min", "3 d 4 h".
pub fn span(span: Duration) -> String {
    let seconds = span.as_secs();
    let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60);
    match (days, hours, minutes) {
        (0, 0, 0) if seconds == 0 && span.subsec_millis() > 0 => format!("{} ms", span.subsec_millis()),
        (0, 0, 0) if seconds < 10 && span.subsec_millis() > 0 => format!("{:.1} s", span.as_secs_f64()),
        (0, 0, 0) => format!("{seconds} s"),
        (0, 0, _) => format!("{minutes} min {:02} s", seconds % 60),
        (0, _, _) => format!("{hours} h {minutes:02} min"),
        _ => format!("{days} d {hours} h"),
    }
}

/// How long until then, in whole seconds; `None` where it is past.
pub fn left(until: Timestamp, moment: Moment) -> Option<String> {
    let left = (until > moment.now).then(|| until.since(moment.now))?;
    Some(span(Duration::from_secs(left.as_millis().div_ceil(1000).try_into().unwrap_or(u64::MAX))))
}

/// A span in one unit: "now", "4 min", "3 h", "12 d".
pub fn age(span: Duration) -> String {
    match span.as_secs() {
        0..10 => "now".to_owned(),
        seconds @ 10..60 => format!("{seconds} s"),
        seconds @ 60..3600 => format!("{} min", seconds / 60),
        seconds @ 3600..86_400 => format!("{} h", seconds / 3600),
        seconds => format!("{} d", seconds / 86_400),
    }
}

/// A span within a sentence: "40 seconds", "4 minutes", "3 hours".
pub fn spoken(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..90 => counted(seconds.max(1), "second", "seconds"),
        seconds @ 90..5400 => counted((seconds + 30) / 60, "minute", "minutes"),
        seconds @ 5400..129_600 => counted((seconds + 1800) / 3600, "hour", "hours"),
        seconds => counted((seconds + 43_200) / 86_400, "day", "days"),
    }
}

/// An instant by the viewer's clock: "15:31" today, "19 Nov, 21:07" this year, "19 Nov 2025" before.
pub fn clock(at: Timestamp, moment: Moment) -> String {
    let (Some(at), Some(now)) = (local(at, moment.zone_minutes), local(moment.now, moment.zone_minutes)) else {
        return at.to_string();
    };
    let time = format!("{:02}:{:02}", at.hour(), at.minute());
    if at.date() == now.date() {
        time
    } else if at.year() == now.year() {
        format!("{} {}, {time}", at.day(), month(at.month()))
    } else {
        format!("{} {} {}", at.day(), month(at.month()), at.year())
    }
}

/// The time of day with seconds, for a log.
pub fn time_of_day(at: Timestamp, zone_minutes: i32) -> String {
    local(at, zone_minutes)
        .map_or_else(String::new, |at| format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second()))
}

/// The short name of a month, from 1.
pub fn month(month: i8) -> &'static str {
    const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
    usize::try_from(month).ok().and_then(|month| MONTHS.get(month.wrapping_sub(1))).unwrap_or(&"")
}

fn local(at: Timestamp, zone_minutes: i32) -> Option<jiff::civil::DateTime> {
    let instant = jiff::Timestamp::from_microsecond(at.as_micros()).ok()?;
    let offset = jiff::tz::Offset::from_seconds(zone_minutes.checked_mul(60)?).ok()?;
    Some(offset.to_datetime(instant))
}

/// Bytes in one decimal unit: "940 B", "6.2 kB", "14 MB".
pub fn bytes(n: u64) -> String {
    scaled(n, &[" B", " kB", " MB", " GB", " TB"])
}

/// A count that only its size matters of: "940", "165 k", "1.2 M".
pub fn roughly(n: u64) -> String {
    scaled(n, &["", " k", " M", " G"])
}

fn scaled(n: u64, units: &[&str]) -> String {
    let mut value = n as f64;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    let name = units.get(unit).copied().unwrap_or_default();
    if unit == 0 || value >= 9.95 { format!("{value:.0}{name}") } else { format!("{value:.1}{name}") }
}

/// Mebibytes of memory as machines are sold: "16 GB".
pub fn memory(mebibytes: u64) -> String {
    if mebibytes < 1024 { format!("{mebibytes} MB") } else { format!("{:.0} GB", mebibytes as f64 / 1024.0) }
}

/// Millionths of a dollar: "$0.31", "$0.0004".
pub fn money(microusd: u64) -> String {
    let dollars = microusd as f64 / 1e6;
    if microusd > 0 && microusd < 10_000 { format!("${dollars:.4}") } else { format!("${dollars:.2}") }
}

/// The same where it is accounted for, as the command line writes it: "$12.30", "$0.3100".
pub fn dollars(microusd: u64) -> String {
    let dollars = microusd as f64 / 1e6;
    if microusd < 1_000_000 { format!("${dollars:.4}") } else { format!("${dollars:.2}") }
}

/// What a stranger's program wrote, without what would steer a terminal. Lines stay.
pub fn plain(raw: &str) -> String {
    let mut reader = super::log::ansi::Reader::default();
    let lines: Vec<_> = raw.lines().map(|line| reader.line(line).text).collect();
    lines.join("\n")
}

/// What a task is called: the first line of its prompt that says something.
pub fn title(description: &str) -> String {
    const LONGEST: usize = 160;
    let line = description.lines().map(str::trim).find(|line| !line.is_empty()).unwrap_or_default();
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", line.get(..end).unwrap_or(line).trim_end()),
        None => line.to_owned(),
    }
}

/// A tool's name as people write it.
pub fn tool(name: &str) -> String {
    match name {
        "claude-code" => "Claude Code".to_owned(),
        "gemini-cli" => "Gemini CLI".to_owned(),
        "anthropic-api" => "Claude API".to_owned(),
        "openai-api" => "OpenAI API".to_owned(),
        "gemini-api" => "Gemini API".to_owned(),
        other => capital(&other.replace('-', " ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOMENT: Moment = Moment { now: Timestamp::from_micros(1_795_188_667_000_000), zone_minutes: 60 };

    fn before(seconds: i64) -> Timestamp {
        Timestamp::from_micros(MOMENT.now.as_micros() - seconds * 1_000_000)
    }

    #[test]
    fn numbers() {
        assert_eq!(number(0), "no");
        assert_eq!(number(12), "twelve");
        assert_eq!(number(13), "13");
        assert_eq!(thousands(104_812), "104,812");
        assert_eq!(thousands(999), "999");
        assert_eq!(counted(1, "slot", "slots"), "1 slot");
        assert_eq!(capital("é"), "É");
        assert_eq!(capital(""), "");
    }

    #[test]
    fn spans() {
        let seconds = Duration::from_secs;
        assert_eq!(stopwatch(seconds(401)), "6:41");
        assert_eq!(stopwatch(seconds(3723)), "1:02:03");
        assert_eq!([3, 44, 61, 7200, 200_000].map(|s| age(seconds(s))), ["now", "44 s", "1 min", "2 h", "2 d"]);
        assert_eq!(
            [9, 42, 725, 7_260, 273_600].map(|s| span(seconds(s))),
            ["9 s", "42 s", "12 min 05 s", "2 h 01 min", "3 d 4 h"]
        );
        assert_eq!([840, 5_661].map(|ms| span(Duration::from_millis(ms))), ["840 ms", "5.7 s"]);
        assert_eq!(left(Timestamp::from_micros(MOMENT.now.as_micros() + 1_200_000), MOMENT).as_deref(), Some("2 s"));
        assert_eq!(left(MOMENT.now, MOMENT), None);
        assert_eq!(spoken(seconds(0)), "1 second");
        assert_eq!(spoken(seconds(3540)), "59 minutes");
        assert_eq!(spoken(seconds(90_000)), "25 hours");
    }

    #[test]
    fn instants_are_shorter_the_nearer_they_are() {
        assert_eq!(MOMENT.now.to_string(), "2026-11-20T15:31:07.000000Z");
        assert_eq!(clock(MOMENT.now, MOMENT), "16:31");
        assert_eq!(clock(before(86_400), MOMENT), "19 Nov, 16:31");
        assert_eq!(clock(before(86_400 * 400), MOMENT), "16 Oct 2025");
        assert_eq!(time_of_day(MOMENT.now, -60), "14:31:07");
    }

    #[test]
    fn amounts() {
        assert_eq!([940, 6_200, 14_200_000, 999_700].map(bytes), ["940 B", "6.2 kB", "14 MB", "1.0 MB"]);
        assert_eq!([940, 165_320, 1_240_000].map(roughly), ["940", "165 k", "1.2 M"]);
        assert_eq!([310_000, 400, 0].map(money), ["$0.31", "$0.0004", "$0.00"]);
        assert_eq!([12_300_000, 310_000, 4_200].map(dollars), ["$12.30", "$0.3100", "$0.0042"]);
        assert_eq!([512, 15_900].map(memory), ["512 MB", "16 GB"]);
    }

    #[test]
    fn a_title_is_one_line_and_not_endless() {
        assert_eq!(title("\n  \n  Port the parser \nto serde"), "Port the parser");
        assert_eq!(title(""), "");
        let long = title(&"ß".repeat(300));
        assert_eq!(long.chars().count(), 161);
        assert!(long.ends_with('…'));
    }

    #[test]
    fn tools() {
        assert_eq!(["claude-code", "ollama", "demo-two"].map(tool), ["Claude Code", "Ollama", "Demo two"]);
    }
}
