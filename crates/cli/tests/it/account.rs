//! As whom the command line acts.

use std::io::Write as _;
use std::process::Stdio;

use crate::home::{Home, Running, Said};

/// Runs a command that reads this from its standard input.
pub(crate) fn with_input(home: &Home, args: &[&str], input: &str) -> Said {
    let mut command = home.command(args);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    Said {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

#[test]
fn up_signs_its_person_in() {
    let home = Home::new();
    let up = home.up(&["--no-worker"]);
    let me = home.json(&["whoami"]);
    assert_eq!((&me["username"], &me["role"], &me["has_password"]), (&"ada".into(), &"admin".into(), &false.into()));
    assert!(home.ok(&["whoami"]).contains(&up.url()));

    // The link of `up` signs another machine in, once.
    let link = up.stdout().split_whitespace().find(|word| word.contains("/signin#")).unwrap().to_owned();
    let elsewhere = Home::new();
    let first = with_input(&elsewhere, &["login", "--link", "-"], &link);
    assert_eq!(first.code, Some(0), "{first:?}");
    assert_eq!(elsewhere.json(&["whoami"])["user_id"], me["user_id"]);
    assert_eq!(elsewhere.run(&["login", "--link", &link]).code, Some(3), "it works once");

    elsewhere.ok(&["logout"]);
    assert_eq!(elsewhere.run(&["whoami"]).code, Some(3));
    assert_eq!(home.run(&["whoami"]).code, Some(0), "the other one stays signed in");
}

#[test]
fn who_has_the_set_up_token_owns_what_serve_began() {
    let home = Home::new();
    let mut serve = Running::start(home.command(&["serve", "--listen", "127.0.0.1:0"]));
    serve.wait_for("--invitation ");
    let url = serve.url();
    let token = serve.stdout().split_whitespace().skip_while(|word| *word != "--invitation").nth(1).unwrap().to_owned();

    let login = ["login", "--coordinator", &url, "--user", "grace"];
    let made = with_input(&home, &[&login[..], &["--invitation", &token]].concat(), "correct horse battery\n");
    assert_eq!(made.code, Some(0), "{made:?}");
    let me = home.json(&["whoami"]);
    assert_eq!((&me["username"], &me["role"]), (&"grace".into(), &"admin".into()));
    let spent = with_input(&Home::new(), &[&login[..], &["--invitation", &token]].concat(), "correct horse battery\n");
    assert_eq!(spent.code, Some(3), "{spent:?}");

    let elsewhere = Home::new();
    let wrong = with_input(&elsewhere, &login, "wrong horse battery\n");
    assert_eq!(wrong.code, Some(3), "{wrong:?}");
    let right = with_input(&elsewhere, &login, "correct horse battery\n");
    assert_eq!(right.code, Some(0), "{right:?}");
    assert!(!right.stdout.contains("horse") && !right.stderr.contains("horse"), "{right:?}");
}

#[test]
fn programs_are_told_where_an_owner_is_made() {
    let home = Home::new();
    let mut serve = Running::start(home.command(&["serve", "--listen", "127.0.0.1:0", "--json"]));
    serve.wait_for("}\n");
    let ready: serde_json::Value = serde_json::from_str(serve.stdout().lines().next().unwrap()).unwrap();
    let (url, token) = (ready["url"].as_str().unwrap(), ready["setup_token"].as_str().unwrap());
    assert_eq!(ready["setup_link"], format!("{url}/register#{token}"));

    let login = ["login", "--coordinator", url, "--user", "grace", "--invitation", token];
    assert_eq!(with_input(&home, &login, "correct horse battery\n").code, Some(0));
    drop(serve);
    let mut owned = Running::start(home.command(&["serve", "--listen", "127.0.0.1:0", "--json"]));
    owned.wait_for("}\n");
    assert!(!owned.stdout().contains("setup"), "somebody owns it: {}", owned.stdout());
}

#[test]
fn programs_bring_their_own_token() {
    let home = Home::new();
    let up = home.up(&["--no-worker"]);
    let secret = home.ok(&["key", "create", "--kind", "api", "--name", "script"]);
    let program = Home::new();
    let with_token = |args: &[&str], token: &str| {
        let mut command = program.command(args);
        command.env("GARAGESWARM_TOKEN", token).env("GARAGESWARM_URL", up.url());
        crate::home::said(command)
    };
    assert_eq!(with_token(&["status"], secret.trim()).code, Some(0));
    home.ok(&["key", "revoke", "script"]);
    let revoked = with_token(&["status"], secret.trim());
    assert_eq!(revoked.code, Some(3), "{revoked:?}");
}

#[cfg(unix)]
#[test]
fn nobody_else_reads_what_is_kept() {
    use std::os::unix::fs::PermissionsExt as _;
    let home = Home::new();
    let _up = home.up(&["--no-worker"]);
    let mode = |path: std::path::PathBuf| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(home.path("config").join("sign-ins.json")), 0o600);
    assert_eq!(mode(home.path("data")), 0o700);
}
