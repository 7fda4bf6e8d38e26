use super::*;

fn sound() -> ServerConfig {
    let mut config = ServerConfig::default();
    config.storage.data_dir = "data".into();
    config
}

#[test]
fn the_defaults_with_a_folder_are_sound() {
    assert_eq!(sound().validate(), []);
}

#[test]
fn all_problems_are_told_at_once() {
    let mut config = ServerConfig::default();
    config.server.listen = ([0, 0, 0, 0], 8420).into();
    config.server.tls_cert = Some("cert.pem".into());
    config.server.tls_listen = Some(config.server.listen);
    config.server.public_url = Some("swarm.example.org".to_owned());
    config.server.allowed_origins = vec!["https://a.example/path".to_owned()];
    config.server.allowed_hosts = vec!["a b".to_owned()];
    config.limits = Limits {
        body_bytes: 1,
        waiting_tasks: 0,
        batch_tasks: 0,
        viewer_sockets: 0,
        log_bytes_per_second: 0,
        keys: 0,
        connections: 0,
        ..Limits::default()
    };
    config.metrics.token = Some(Redacted::new("short".to_owned()));
    config.log.filter = "swarm_server=loud".to_owned();
    let settings: Vec<_> = config.validate().iter().map(|problem| problem.setting).collect();
    assert_eq!(
        settings,
        [
            "server.listen",
            "server.tls_cert",
            "server.tls_listen",
            "server.public_url",
            "server.allowed_origins",
            "server.allowed_hosts",
            "storage.data_dir",
            "limits.body_bytes",
            "limits.waiting_tasks",
            "limits.batch_tasks",
            "limits.connections",
            "limits.viewer_sockets",
            "limits.log_bytes_per_second",
            "limits.keys",
            "metrics.token",
            "log.filter",
        ]
    );
}

#[test]
fn plain_http_beyond_this_machine_is_a_choice() {
    let mut config = sound();
    config.server.listen = ([192, 168, 1, 4], 8420).into();
    assert_eq!(config.validate().len(), 1);
    config.server.insecure_http = true;
    assert_eq!(config.validate(), []);
    config.server.insecure_http = false;
    config.server.trusted_proxies = vec![Ipv4Addr::LOCALHOST.into()];
    assert_eq!(config.validate(), []);
}

#[test]
fn a_typing_mistake_is_refused() {
    let error =
        serde_json::from_value::<ServerConfig>(serde_json::json!({ "server": { "lissten": "x" } })).unwrap_err();
    assert!(error.to_string().contains("lissten"), "{error}");
}

#[test]
fn what_is_printed_holds_no_secret() {
    let text = r#"{
        "metrics": { "token": "s3cret-s3cret-s3cret" },
        "storage": { "data_dir": "data", "database": "postgres://ann:s3cret@db/swarm" }
    }"#;
    let config: ServerConfig = serde_json::from_str(text).unwrap();
    assert_eq!(config.metrics.token.as_ref().unwrap().expose(), "s3cret-s3cret-s3cret");
    let printed = format!("{config:?} {}", serde_json::to_string(&config).unwrap());
    assert!(!printed.contains("s3cret"), "{printed}");
}

#[test]
fn links_are_made_from_the_configuration() {
    let mut config = sound();
    assert_eq!(config.base_url(), "http://127.0.0.1:8420");
    config.server.listen = ([0, 0, 0, 0], 9000).into();
    assert_eq!(config.base_url(), "http://127.0.0.1:9000");
    config.server.public_url = Some("https://swarm.example.org/".to_owned());
    assert_eq!(config.base_url(), "https://swarm.example.org");
}
