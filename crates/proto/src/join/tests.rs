use proptest::prelude::*;

use super::*;

fn read(text: &str) -> Result<JoinLink, JoinLinkError> {
    text.parse()
}

fn pin() -> String {
    "0a".repeat(32)
}

#[test]
fn a_link_says_where_what_and_with_which_code() {
    let text = format!(
        "garageswarm://join?address=https%3A%2F%2F192.168.1.5%3A8421&address=https%3A%2F%2F%5Bfd00%3A%3A5%5D%3A8421&fingerprint={}&code=gs_join_1",
        pin()
    );
    let link = read(&format!("  {text}\n")).unwrap();
    assert_eq!(link.addresses(), ["https://192.168.1.5:8421", "https://[fd00::5]:8421"]);
    assert_eq!(link.fingerprint().unwrap().to_string(), pin());
    assert_eq!(link.code(), "gs_join_1");
    assert_eq!(link.to_string(), text);
    // As a person writes it.
    let by_hand = read(&format!("garageswarm://join?address=https://192.168.1.5:8421&fingerprint={}&code=x", pin()));
    assert_eq!(by_hand.unwrap().addresses(), ["https://192.168.1.5:8421"]);
}

#[test]
fn what_is_not_whole_is_refused() {
    let refused = [
        ("", JoinLinkError::NotALink),
        ("https://example.org/join?code=1", JoinLinkError::NotALink),
        ("garageswarm://leave?code=1&address=https://a", JoinLinkError::NotALink),
        ("garageswarm://join/x?code=1&address=https://a", JoinLinkError::NotALink),
        ("garageswarm://join?code=1", JoinLinkError::Missing("address")),
        ("garageswarm://join?address=https://a", JoinLinkError::Missing("code")),
        ("garageswarm://join?address=https://a&code=", JoinLinkError::Code),
        ("garageswarm://join?address=https://a&code=a%0Ab", JoinLinkError::Code),
        ("garageswarm://join?address=https://a&code=1&code=2", JoinLinkError::Twice("code")),
        ("garageswarm://join?address=https://a&code=1&fingerprint=ab", JoinLinkError::Fingerprint),
        ("garageswarm://join?address=https://a&code=1&run=rm", JoinLinkError::Unknown("run".to_owned())),
        ("garageswarm://join?address=ftp://a&code=1", JoinLinkError::Address("ftp://a".to_owned())),
        ("garageswarm://join?address=https://u:p@a&code=1", JoinLinkError::Address("https://u:p@a".to_owned())),
        ("garageswarm://join?address=https://a/path&code=1", JoinLinkError::Address("https://a/path".to_owned())),
    ];
    for (text, error) in refused {
        assert_eq!(read(text), Err(error), "{text}");
    }
    let many = "address=https://a&".repeat(17);
    assert_eq!(read(&format!("garageswarm://join?{many}code=1")), Err(JoinLinkError::TooMany));
}

#[test]
fn plain_http_is_for_this_machine_alone() {
    for here in ["http://127.0.0.1:8420", "http://localhost:8420", "http://[::1]:8420"] {
        assert!(read(&format!("garageswarm://join?address={here}&code=1")).is_ok(), "{here}");
    }
    for beyond in ["http://192.168.1.5:8420", "http://attic.local:8420", "http://localhost.evil.example"] {
        let error = read(&format!("garageswarm://join?address=https://a&address={beyond}&code=1")).unwrap_err();
        assert_eq!(error, JoinLinkError::PlainHttp(beyond.to_owned()));
    }
}

#[test]
fn it_is_not_shown() {
    let link = JoinLink::new(vec!["https://a:1".to_owned()], None, "gs_join_canary".to_owned()).unwrap();
    assert!(!format!("{link:?}").contains("canary"));
    let error = read("garageswarm://join?code=gs_join_canary&address=https://a&code=x").unwrap_err();
    assert!(!format!("{error:?} {error}").contains("canary"));
}

proptest! {
    #[test]
    fn a_link_is_read_as_it_is_written(
        addresses in proptest::collection::vec(("https://[a-z0-9]{1,9}", 1..=65535_u16), 1..6),
        pin: Option<[u8; 32]>,
        code in "[A-Za-z0-9_-]{1,90}",
    ) {
        let addresses = addresses.into_iter().map(|(host, port)| format!("{}:{port}", host.replace("https://", "https://h"))).collect();
        let link = JoinLink::new(addresses, pin.map(Fingerprint::new), code).unwrap();
        prop_assert_eq!(link.to_string().parse(), Ok(link));
    }

    #[test]
    fn nothing_that_is_read_panics(text in ".{0,200}", query in "[ -~]{0,100}") {
        drop(read(&text));
        drop(read(&format!("garageswarm://join?{query}")));
    }
}
