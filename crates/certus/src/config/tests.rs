//! What a settings file may say, and how it is told what it may not.

use std::path::Path;

use certus_validate::Dnssec;

use super::*;

fn minimal() -> String {
    r#"version = 1
[authority]
external_url = "https://ca.example"
pki_url = "http://ca.example"
listen = "127.0.0.1:443"
pki_listen = "127.0.0.1:80"
[authority.issuers.one]
chain = "a.pem"
key = "/keys/a.key"
"#
    .to_owned()
}

fn parse(text: &str) -> Result<Config, ConfigError> {
    Config::parse(Path::new("/etc/certus"), text)
}

fn sample() -> String {
    let external_url = ExternalUrl::parse("https://ca.example").unwrap();
    let pki_url = PkiUrl::parse("http://ca.example").unwrap();
    sample::text(&sample::Choices {
        external_url: &external_url,
        pki_url: &pki_url,
        listen: "127.0.0.1:443".parse().unwrap(),
        pki_listen: "127.0.0.1:80".parse().unwrap(),
        issuer: "issuing-1",
        passphrase: String::new(),
        store_secret: String::new(),
        store: "sqlite",
    })
}

/// The sample with every setting uncommented: prose goes on after "# ", settings and tables stand right after "#".
fn uncommented() -> String {
    let line = |line: &str| match line.strip_prefix('#') {
        Some(setting) if setting.starts_with(|c: char| c.is_ascii_lowercase() || c == '[') => setting.to_owned(),
        _ => line.to_owned(),
    };
    sample().lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn the_sample_is_read_and_its_comments_are_the_defaults() {
    let config = parse(&sample()).unwrap();
    // Not every part can be compared, but each prints all of itself. That DNSSEC is spoken of counts in laboratories alone.
    let said = Config { dnssec_said: config.dnssec_said, ..parse(&uncommented()).unwrap() };
    assert_eq!(format!("{said:#?}"), format!("{config:#?}"));
    assert_eq!(config.profiles.keys().collect::<Vec<_>>(), ["classic", "shortlived"]);
    assert_eq!(config.profiles["classic"].lifetime, Duration::from_secs(90 * 86_400));
    assert_eq!(config.profiles["shortlived"].ecdsa, "issuing-1");
    assert_eq!(config.root, Path::new("/etc/certus/state/root.pem"));
}

#[test]
fn every_setting_is_in_the_sample() {
    // A setting that were missing from the sample would be found by nobody.
    let text = uncommented();
    for key in [
        "root",
        "default_profile",
        "crl_shards",
        "profiles",
        "validation",
        "http_port",
        "https_port",
        "tls_alpn_port",
        "resolvers",
        "permit",
        "deny",
        "timeout",
        "max_redirects",
        "max_body",
        "enabled",
        "new_accounts_per_address",
        "new_accounts_per_network",
        "new_orders_per_account",
        "certificates_per_registered_domain",
        "certificates_per_exact_set",
        "failed_validations_per_account_and_name",
        "consecutive_failures_per_account_and_name",
        "level",
        "format",
        "policies",
        "url",
        "alternate_chains",
        "permit_names",
        "deny_names",
        "internal_domains",
        "permit_addresses",
        "deny_addresses",
        "public_only",
        "caa",
        "identities",
        "dnssec",
        "trust_anchors",
        "passphrase_file",
        "credential",
        "passfile",
        "password_file",
    ] {
        assert!(text.contains(key), "{key}");
    }
}

#[test]
fn paths_begin_at_the_file() {
    let config = parse(&minimal()).unwrap();
    assert_eq!(config.issuers["one"].chain, Path::new("/etc/certus/a.pem"));
    assert_eq!(config.issuers["one"].key, Path::new("/keys/a.key"));
    let text = minimal().replace("chain = \"a.pem\"", "chain = \"a.pem\"\nalternate_chains = [\"b.pem\", \"/c.pem\"]");
    let alternates = &parse(&text).unwrap().issuers["one"].alternate_chains;
    assert_eq!(alternates.as_slice(), [Path::new("/etc/certus/b.pem"), Path::new("/c.pem")]);
}

#[test]
fn the_authority_is_its_host_in_caa_records_unless_it_says_otherwise() {
    let identities = |text: &str| {
        let config = parse(text).unwrap();
        config.service.caa_identities.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    assert_eq!(identities(&minimal()), ["ca.example"]);
    assert_eq!(identities(&minimal().replace("ca.example", "192.0.2.1")), [""; 0]);
    let set = format!("{}[authority.caa]\nidentities = [\"CA.example.net\", \"ca.example.org\"]\n", minimal());
    assert_eq!(identities(&set), ["ca.example.net", "ca.example.org"]);
}

#[test]
fn dnssec_is_on_unless_it_is_said_to_be_off() {
    let dnssec = |text: &str| parse(text).unwrap().validation.dnssec;
    assert!(matches!(dnssec(&minimal()), Dnssec::Validate(_)));
    assert!(matches!(dnssec(&format!("{}[authority.validation]\ntimeout = \"9s\"\n", minimal())), Dnssec::Validate(_)));
    assert!(matches!(dnssec(&format!("{}[authority.validation]\ndnssec = \"off\"\n", minimal())), Dnssec::Off));
    let internal = format!("{}[authority.identifiers]\ninternal_domains = [\"corp\"]\n", minimal());
    assert_eq!(parse(&internal).unwrap().validation.internal_domains[0].as_str(), "corp");
}

#[test]
fn a_profile_without_a_description_says_how_long_it_lasts() {
    let profile = format!("{}[authority.profiles.classic]\nlifetime = \"48h\"\n", minimal());
    assert_eq!(parse(&profile).unwrap().profiles["classic"].description, "certificates valid for 2d");
}

#[test]
fn other_roles_tables_are_left_alone() {
    parse(&format!("{}[agent]\nanything = 1\n[serve.deep]\nx = []\n", minimal())).unwrap();
}

#[test]
fn what_is_wrong_is_named_with_its_line() {
    let minimal = minimal();
    for (text, expected) in [
        (format!("{minimal}pasphrase = 1\n"), "line 10: unknown field `pasphrase`"),
        (minimal.replace("listen = \"127.0.0.1:443\"", "lissten = 1"), "line 5: unknown field `lissten`"),
        (format!("{minimal}[database]\n"), "line 10: unknown field `database`"),
        (format!("{minimal}[store]\nurl = \"sqlite\"\nsize = 1\n"), "line 12: unknown field `size`"),
        (format!("{minimal}[authority.validation]\ntimeout = \"10\"\n"), "line 11: \"10\" is not a duration"),
        (format!("{minimal}[authority.validation]\nmax_body = \"1 kb\"\n"), "line 11: \"1 kb\" is not a size"),
        (minimal.replace("https://", "http://"), "line 3: \"http://ca.example\" does not begin with https://"),
        (minimal.replace("https://ca.example", "https://ca.example/acme"), "line 3: "),
        (minimal.replace(":80", ":443"), "listen = 127.0.0.1:443 and pki_listen = 127.0.0.1:443 are one"),
        (
            minimal.replace("[authority.issuers", "crl_shards = 4000000000\n[authority.issuers"),
            "crl_shards must be 1 to",
        ),
        (format!("{minimal}[log]\nlevel = \"bogus==\"\n"), "is not a level"),
        (format!("{minimal}[authority.validation]\ntimeout = \"0s\"\n"), "with a timeout of 0"),
        (format!("{minimal}[authority.validation]\nmax_body = \"0 B\"\n"), "max_body must be 128 B"),
        (minimal.replace("\"127.0.0.1:443\"", "127.0.0.1:443"), "line 5: this is not TOML"),
        (minimal.replace("\"127.0.0.1:443\"", "127.0.0.1:443"), "text stands in quotes"),
        (minimal.replace("version = 1", "version = 2"), "version = 2 is not known"),
        (minimal.replace("version = 1\n", ""), "missing field `version`"),
        (format!("{minimal}passphrase_file = \"a\"\ncredential = \"b\"\n"), "[authority.issuers.one]: give a file or"),
        (format!("{minimal}[authority.profiles.short]\nlifetime = \"1h\"\n"), "[authority.profiles.short]: a certif"),
        (format!("{minimal}[authority.profiles.Big]\nlifetime = \"9d\"\n"), "[authority.profiles.Big]: a profile's"),
        (format!("{minimal}[authority.profiles.a]\nlifetime = \"9d\"\nbackdate = \"3d\"\n"), "over 48h"),
        (format!("{minimal}[authority.profiles.a]\nlifetime = \"9d\"\n"), "no profile here; set it to one of: a"),
        (
            format!("{minimal}[authority.identifiers]\ndeny_names = [\"*.a.example\"]\n"),
            "[authority.identifiers]: deny_names \"*.a.example\"",
        ),
        (format!("{minimal}[authority.validation]\ntimeout = 10\n"), "whole number and its unit: \"30s\""),
        (
            format!("{minimal}[authority.profiles.classic]\nlifetime = \"9d\"\ncaa = \"never\"\n"),
            "[authority.profiles.classic]: caa is \"all\" or \"except-internal\", not \"never\"",
        ),
        (format!("{minimal}[authority.caa]\nidentities = [\"a b\"]\n"), "[authority.caa]: identities \"a b\""),
        (format!("{minimal}[authority.validation]\ndnssec = \"no\"\n"), "unknown variant `no`"),
        (
            format!("{minimal}[authority.validation]\ndnssec = \"off\"\ntrust_anchors = \"root.key\"\n"),
            "of no use with dnssec = \"off\"",
        ),
        (
            format!("{minimal}[authority.validation]\ntrust_anchors = \"nowhere.key\"\n"),
            "trust_anchors /etc/certus/nowhere.key: ",
        ),
        (
            format!("{minimal}[authority.profiles.classic]\nlifetime = \"9d\"\npolicies = [\"one\"]\n"),
            "\"one\" is no object identifier",
        ),
        (
            format!(
                "{minimal}[authority.profiles.classic]\nlifetime = \"9d\"\nissuers = {{ ecdsa = \"two\", rsa = \"one\" }}\n"
            ),
            "there is no issuer \"two\"",
        ),
        (format!("{minimal}[authority.issuers.two]\nchain = \"b\"\nkey = \"b\"\n"), "there are several issuers"),
        (minimal.replace("[authority.issuers.one]", "crl_shards = 0\n[authority.issuers.one]"), "crl_shards"),
        ("version = 1\n[authority".to_owned(), "line 2: "),
    ] {
        let error = parse(&text).unwrap_err().to_string();
        assert!(error.starts_with("/etc/certus/certus.toml"), "{error}");
        assert!(error.contains(expected), "{error}\n{text}");
    }
}
