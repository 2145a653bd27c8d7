//! Settings that cannot be used are refused at the start.

use certus_validate::{Config, ConfigError, Validators};

#[test]
fn unusable_settings_are_refused() {
    for (config, expected) in [
        (Config { user_agent: "a\r\nX: y".to_owned(), ..Config::default() }, "user agent"),
        (Config { http_port: 0, ..Config::default() }, "port 0"),
        (Config { https_port: 0, ..Config::default() }, "port 0"),
        (Config { tls_alpn_port: 0, ..Config::default() }, "port 0"),
    ] {
        let error: ConfigError = Validators::new(config).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(Validators::new(Config::default()).is_ok());
}

// conformance: 8555-8.3-03
#[test]
fn the_ports_are_80_and_443_unless_set() {
    let config = Config::default();
    assert_eq!((config.http_port, config.https_port, config.tls_alpn_port), (80, 443, 443));
    assert!(config.permit.is_empty() && config.deny.is_empty() && config.own_listeners.is_empty());
}
