use clap::CommandFactory as _;

use super::*;

#[test]
fn the_words_fit_together() {
    Cli::command().debug_assert();
}

/// Every command's help, so that a change of words is seen.
#[test]
fn the_help_of_every_command() {
    fn collect(command: &mut clap::Command, path: &str, into: &mut Vec<(String, String)>) {
        let help = command.clone().term_width(100).disable_help_subcommand(true).render_help().to_string();
        into.push((path.to_owned(), help));
        for sub in command.get_subcommands_mut().filter(|sub| !sub.is_hide_set() && sub.get_name() != "help") {
            let name = sub.get_name().to_owned();
            let mut sub = sub.clone().bin_name(format!("{path} {name}"));
            collect(&mut sub, &format!("{path} {name}"), into);
        }
    }
    let mut pages = Vec::new();
    let mut command = Cli::command();
    command.build();
    collect(&mut command, "garageswarm", &mut pages);
    for (path, help) in pages {
        insta::assert_snapshot!(path.replace(' ', "_"), help);
    }
}

#[test]
fn every_shell_gets_its_script() {
    use clap_complete::Shell;
    for shell in [Shell::Bash, Shell::Zsh, Shell::Fish, Shell::PowerShell, Shell::Elvish] {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Cli::command(), "garageswarm", &mut script);
        let script = String::from_utf8(script).unwrap();
        for word in ["task", "submit", "idempotency-key", "doctor"] {
            assert!(script.contains(word), "{shell} knows {word}");
        }
    }
}

fn parsed(words: &[&str]) -> Result<Cli, clap::error::ErrorKind> {
    Cli::try_parse_from([&["garageswarm"], words].concat()).map_err(|error| error.kind())
}

#[test]
fn options_for_everything_may_stand_anywhere() {
    for words in [
        &["--json", "--coordinator", "127.0.0.1:1", "task", "show", "#12"][..],
        &["task", "show", "12", "--json", "--coordinator", "http://127.0.0.1:1"],
    ] {
        let cli = parsed(words).unwrap();
        assert!(cli.global.json);
        assert_eq!(cli.global.coordinator.unwrap().to_string(), "http://127.0.0.1:1");
    }
}

#[test]
fn what_makes_no_sense_is_refused_before_anything_happens() {
    for words in [
        &["task", "show", "twelve"][..],
        &["task", "cancel"],
        &["task", "list", "--status", "sleeping"],
        &["task", "list", "--limit", "501"],
        &["worker", "run", "--slots", "0"],
        &["up", "--listen", "8420"],
        &["serve", "--database", "mysql://x"],
        &["login", "--link", "x", "--user", "ada"],
        &["--coordinator", "ftp://x", "status"],
    ] {
        assert!(parsed(words).is_err(), "{words:?}");
    }
}
