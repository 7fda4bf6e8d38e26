use super::*;
use crate::catalogue::Listing;

const OURS: &str = "https://api.openai.com/v1";

fn variables(of: &[(&str, &str)]) -> Variables {
    of.iter().copied().collect()
}

fn settings(url: Option<&str>, env: &[(&str, &str)]) -> ToolSettings {
    let env = env.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    ToolSettings { url: url.map(str::to_owned), env, ..ToolSettings::default() }
}

/// Which address is asked and with which key.
fn check(settings: &ToolSettings, environment: &[(&str, &str)], base: &str, key: Option<&str>) {
    let account = Account::resolve(&OPENAI, settings, &variables(environment)).unwrap();
    let found = account.key.as_ref().map(Key::expose);
    assert_eq!((account.base.as_str(), found), (base, key), "{settings:?} {environment:?}");
}

#[test]
fn the_settings_come_first_then_the_environment_then_the_public_address() {
    check(&settings(None, &[]), &[], OURS, None);
    check(&settings(None, &[]), &[("OPENAI_API_KEY", "e")], OURS, Some("e"));
    let both = [("OPENAI_API_KEY", "e"), ("OPENAI_BASE_URL", "https://env.example/v1")];
    check(&settings(None, &[]), &both, "https://env.example/v1", Some("e"));
    let set = settings(Some("https://set.example/v1"), &[("OPENAI_API_KEY", "s")]);
    check(&set, &both, "https://set.example/v1", Some("s"));
    let by_variables = settings(None, &[("OPENAI_API_KEY", "s"), ("OPENAI_BASE_URL", "https://set.example/v1")]);
    check(&by_variables, &both, "https://set.example/v1", Some("s"));
}

#[test]
fn a_key_goes_only_to_the_address_that_it_belongs_to() {
    let env_key = [("OPENAI_API_KEY", "e")];
    let env_both = [("OPENAI_API_KEY", "e"), ("OPENAI_BASE_URL", "https://env.example/v1")];
    // A key of the environment is for the environment's address, or the public one.
    check(&settings(Some("https://set.example/v1"), &[]), &env_key, "https://set.example/v1", None);
    check(&settings(Some("https://set.example/v1"), &[]), &env_both, "https://set.example/v1", None);
    check(&settings(Some(OURS), &[]), &env_both, OURS, None);
    check(&settings(Some("https://api.openai.com/v2"), &[]), &env_key, "https://api.openai.com/v2", Some("e"));
    check(&settings(Some("https://env.example/other"), &[]), &env_both, "https://env.example/other", Some("e"));
    // Another port and another scheme are another address.
    check(&settings(Some("https://env.example:8443/"), &[]), &env_both, "https://env.example:8443/", None);
    check(&settings(Some("http://env.example/"), &[]), &env_both, "http://env.example/", None);
    check(&settings(Some("https://env.example.evil/"), &[]), &env_both, "https://env.example.evil/", None);
    // A key of the settings is not for an address of the environment.
    check(&settings(None, &[("OPENAI_API_KEY", "s")]), &env_both, OURS, Some("s"));
}

#[test]
fn a_key_that_is_kept_back_is_named() {
    let account = Account::resolve(
        &OPENAI,
        &settings(Some("http://127.0.0.1:8000/v1"), &[]),
        &variables(&[("OPENAI_API_KEY", "sk-secret")]),
    )
    .unwrap();
    assert_eq!(
        account.sentence(),
        "no key: OPENAI_API_KEY in the environment is for another address; address: http://127.0.0.1:8000/v1 (url in \
         worker.toml)"
    );
}

#[test]
fn a_key_in_a_file_is_one_of_the_settings() {
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "sk-file\n").unwrap();
    let settings = ToolSettings { api_key_file: Some(file.path().to_owned()), ..ToolSettings::default() };
    check(&settings, &[("OPENAI_API_KEY", "e")], OURS, Some("sk-file"));
    std::fs::write(file.path(), " \n").unwrap();
    let empty = Account::resolve(&OPENAI, &settings, &Variables::default()).unwrap_err();
    assert!(matches!(&empty, Obstacle::NeedsLogin(fix) if fix.ends_with("is empty")), "{empty:?}");
    let absent = ToolSettings { api_key_file: Some("/no/such/key".into()), ..ToolSettings::default() };
    assert!(matches!(Account::resolve(&OPENAI, &absent, &Variables::default()), Err(Obstacle::NeedsLogin(_))));
}

#[test]
fn no_key_goes_unencrypted_beyond_this_machine() {
    let with_key = |url: &str| settings(Some(url), &[("OPENAI_API_KEY", "s")]);
    let resolve = |settings: &ToolSettings| Account::resolve(&OPENAI, settings, &Variables::default());
    for url in ["http://10.0.0.7:8000/v1", "http://vllm.example/v1"] {
        let refused = resolve(&with_key(url)).unwrap_err();
        assert!(matches!(&refused, Obstacle::Missing(fix) if fix.contains("insecure_http")), "{refused:?}");
        assert!(resolve(&ToolSettings { insecure_http: Some(true), ..with_key(url) }).is_ok());
        assert!(resolve(&settings(Some(url), &[])).is_ok(), "nothing to steal");
    }
    for url in ["http://127.0.0.1:8000/v1", "http://localhost:1234", "https://10.0.0.7/v1"] {
        assert!(resolve(&with_key(url)).is_ok(), "{url}");
    }
}

#[test]
fn only_the_public_address_is_known_to_want_a_key() {
    let resolve = |url: Option<&str>| {
        Account::resolve(&OPENAI, &settings(url, &[]), &Variables::default())
            .and_then(|account| account.with_key_for(&OPENAI, "openai-api"))
    };
    let Err(Obstacle::NeedsLogin(fix)) = resolve(None) else { panic!("no key is needed") };
    assert!(fix.contains("garageswarm tool login openai-api") && fix.contains("OPENAI_API_KEY"), "{fix}");
    assert!(resolve(Some("http://127.0.0.1:8000/v1")).is_ok());
}

#[test]
fn each_key_has_its_header() {
    let header = |provider: &Provider, name: &str| {
        let account = Account::resolve(provider, &settings(None, &[]), &variables(&[(name, "k")])).unwrap();
        let (name, value) = account.header().unwrap();
        assert!(value.is_sensitive());
        (name.to_string(), value.to_str().unwrap().to_owned())
    };
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    assert_eq!(header(&ANTHROPIC, "ANTHROPIC_API_KEY"), pair("x-api-key", "k"));
    assert_eq!(header(&ANTHROPIC, "ANTHROPIC_AUTH_TOKEN"), pair("authorization", "Bearer k"));
    assert_eq!(header(&OPENAI, "OPENAI_API_KEY"), pair("authorization", "Bearer k"));
    assert_eq!(header(&GEMINI, "GOOGLE_API_KEY"), pair("x-goog-api-key", "k"));
}

#[test]
fn no_key_shows() {
    let variables =
        variables(&[("OPENAI_API_KEY", "sk-secret"), ("OPENAI_BASE_URL", "https://ann:sk-secret@x.example")]);
    let account = Account::resolve(&OPENAI, &settings(None, &[]), &variables).unwrap();
    let shown = format!("{:?} {} {:?}", account.key, account.sentence(), account.header().unwrap().1);
    assert!(!shown.contains("sk-secret"), "{shown}");
    assert_eq!(account.without_key("wrong key sk-secret!".to_owned()), "wrong key (the key)!");
    let with_password = settings(Some("https://ann:sk-secret@x.example"), &[("OPENAI_API_KEY", "sk-secret")]);
    assert!(!format!("{with_password:?}").contains("sk-secret"), "{with_password:?}");
    let broken = Account::resolve(&OPENAI, &settings(Some("sk-secret"), &[]), &Variables::default()).unwrap_err();
    assert!(!format!("{broken:?}").contains("sk-secret"), "{broken:?}");
    let control =
        Account::resolve(&OPENAI, &settings(None, &[("OPENAI_API_KEY", "sk-\u{1}secret")]), &Variables::default());
    assert!(matches!(&control, Err(Obstacle::NeedsLogin(fix)) if !fix.contains("secret")), "{control:?}");
}

/// Settings with a key that the worker keeps, and the address that it was given for.
fn keeping(url: Option<&str>, env: &[(&str, &str)], address: &str) -> ToolSettings {
    let kept_key = Some(KeptKey::new(&http::address(address).unwrap(), "k"));
    ToolSettings { kept_key, ..settings(url, env) }
}

#[test]
fn a_kept_key_stands_between_the_settings_and_the_environment_and_goes_only_to_its_address() {
    let env_both = [("OPENAI_API_KEY", "e"), ("OPENAI_BASE_URL", "https://env.example/v1")];
    check(&keeping(None, &[], OURS), &env_both, OURS, Some("k"));
    check(&keeping(None, &[], "https://kept.example/v1"), &env_both, "https://kept.example/v1", Some("k"));
    check(&keeping(None, &[("OPENAI_API_KEY", "s")], OURS), &env_both, OURS, Some("s"));
    // Where the settings name another address, the key stays here, and the environment's counts for its own.
    check(&keeping(Some("https://set.example/v1"), &[], OURS), &env_both, "https://set.example/v1", None);
    check(&keeping(Some("https://env.example/v2"), &[], OURS), &env_both, "https://env.example/v2", Some("e"));
    check(
        &keeping(Some("https://kept.example/v2"), &[], "https://kept.example/v1"),
        &[],
        "https://kept.example/v2",
        Some("k"),
    );
    let sentence =
        |settings: &ToolSettings| Account::resolve(&OPENAI, settings, &Variables::default()).unwrap().sentence();
    assert_eq!(
        sentence(&keeping(None, &[], OURS)),
        format!("key: what `garageswarm tool login` kept; address: {OURS} (the provider's own)")
    );
    assert_eq!(
        sentence(&keeping(Some("https://set.example/v1"), &[], OURS)),
        "no key: what `garageswarm tool login` kept is for another address; address: https://set.example/v1 (url in \
         worker.toml)"
    );
    let open = keeping(None, &[], "http://far.example/v1");
    assert!(matches!(Account::resolve(&OPENAI, &open, &Variables::default()), Err(Obstacle::Missing(_))));
}

#[test]
fn a_kept_key_is_read_back_and_one_out_of_reach_is_told_and_not_passed_over() {
    let kept = KeptKey::new(&http::address(OURS).unwrap(), "sk-secret");
    let secret = kept.to_secret().unwrap();
    assert_eq!(KeptKey::from_secret(&secret), kept);
    assert!(!format!("{kept:?}").contains("sk-secret"));
    let environment = variables(&[("OPENAI_API_KEY", "e")]);
    for gone in [KeptKey::out_of_reach("the keychain is locked"), KeptKey::from_secret("nonsense")] {
        let settings = ToolSettings { kept_key: Some(gone), ..ToolSettings::default() };
        let refused = Account::resolve(&OPENAI, &settings, &environment);
        assert!(matches!(&refused, Err(Obstacle::NeedsLogin(fix)) if fix.contains("tool login")), "{refused:?}");
    }
}

#[tokio::test]
async fn a_key_is_taken_for_the_address_that_counts_and_only_where_the_provider_knows_it() {
    let taken = async |settings: &ToolSettings, environment: &[(&str, &str)], says: Option<Listing>| {
        let ask = says.map(|says| async move |_account: Account| says);
        take(&OPENAI, " sk-new\n", settings, &variables(environment), ask).await
    };
    let models = || Some(Listing::Models(vec!["a".to_owned()]));
    let plain = ToolSettings::default();
    let key = taken(&plain, &[], models()).await.unwrap();
    assert_eq!((key.address.as_str(), key.models), (OURS, Some(1)));
    assert_eq!(key.key, KeptKey::new(&http::address(OURS).unwrap(), "sk-new"));
    let there = [("OPENAI_BASE_URL", "https://env.example/v1"), ("OPENAI_API_KEY", "e")];
    assert_eq!(taken(&plain, &there, None).await.unwrap().address, "https://env.example/v1");
    let set = settings(Some("https://set.example/v1"), &[]);
    assert_eq!(taken(&set, &there, None).await.unwrap().address, "https://set.example/v1");

    let refused = taken(&plain, &[], Some(Listing::KeyRefused("no".to_owned()))).await;
    assert!(matches!(refused, Err(KeyError::Refused { .. })), "{refused:?}");
    let away = taken(&plain, &[], Some(Listing::Unreachable("down".to_owned()))).await.unwrap_err();
    assert!(away.to_string().contains("--no-check"), "{away}");
    for unusable in [
        settings(None, &[("OPENAI_API_KEY", "s")]),
        settings(Some("http://far.example/v1"), &[]),
        ToolSettings { own_login: Some(true), ..ToolSettings::default() },
    ] {
        let refused = taken(&unusable, &[], models()).await;
        assert!(matches!(refused, Err(KeyError::Unusable(_))), "{unusable:?} {refused:?}");
    }
    let broken = take(
        &OPENAI,
        "sk-\u{1}secret",
        &plain,
        &Variables::default(),
        None::<fn(Account) -> std::future::Ready<Listing>>,
    )
    .await;
    assert!(matches!(&broken, Err(KeyError::Unusable(words)) if !words.contains("secret")), "{broken:?}");
}
