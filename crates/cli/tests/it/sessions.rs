//! Nobody is signed out who did nothing for it.

use serde_json::Value;

use crate::account::with_input;
use crate::home::{Home, said};
use crate::plain_http::{cookie, http, post};

const PASSWORD: &str = "correct horse battery";

fn refresh(listen: &str, cookie: &str) -> String {
    let request =
        "POST /api/v1/auth/refresh HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nContent-Length: 0\r\nCookie: ";
    http(listen, &format!("{request}{cookie}\r\n\r\n"))
}

fn signed_in(home: &Home, listen: &str) -> String {
    let set = with_input(home, &["password"], &format!("{PASSWORD}\n"));
    assert_eq!(set.code, Some(0), "{set:?}");
    let credentials = format!("{{\"username\":\"ada\",\"password\":\"{PASSWORD}\"}}");
    cookie(&post(listen, "/auth/login", None, &credentials))
}

/// The coordinator had exchanged the cookie when it died, and the browser never heard of it: what it still has is good.
#[test]
fn a_crash_between_the_exchange_and_its_answer_signs_nobody_out() {
    let home = Home::new();
    let up = home.up(&["--no-worker"]);
    let listen = up.listen();
    let first = signed_in(&home, &listen);
    let lost = refresh(&listen, &first);
    assert!(lost.starts_with("HTTP/1.1 200"), "{lost}");
    up.kill();
    let _up = home.up_at(&listen, &["--no-worker"]);
    let again = refresh(&listen, &first);
    assert!(again.starts_with("HTTP/1.1 200"), "{again}");
    assert_eq!(cookie(&again), cookie(&lost), "the same successor, so that whoever got the answer goes on too");
    assert!(refresh(&listen, &cookie(&again)).starts_with("HTTP/1.1 200"));
}

#[test]
fn ten_commands_at_once_are_one_person() {
    let home = Home::new();
    let _up = home.up(&["--no-worker"]);
    let all: Vec<_> = std::thread::scope(|scope| {
        let ask = || scope.spawn(|| said(home.command(&["whoami", "--json"])));
        let asked: Vec<_> = (0..10).map(|_| ask()).collect();
        asked.into_iter().map(|command| command.join().unwrap()).collect()
    });
    for one in &all {
        assert_eq!(one.code, Some(0), "{one:?}");
        let me: Value = serde_json::from_str(&one.stdout).unwrap();
        assert_eq!(me["username"], "ada");
    }
    home.ok(&["whoami"]);
}
