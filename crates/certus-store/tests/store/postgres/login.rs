//! Getting in: passwords, passfiles, TLS, and words for what does not work.

use certus_ca::ports::StoreError;
use certus_store::{StoreUrl, connect};
use certus_testkit::PostgresServer;

use crate::suite::made;

use crate::suite::{tls, unix};

#[tokio::test]
async fn a_password_comes_from_a_passfile_that_others_cannot_read() {
    let mut server = tokio::task::spawn_blocking(PostgresServer::start).await.unwrap().unwrap();
    let text = server.create_database("store").unwrap();
    server.ask("store", "CREATE ROLE ca LOGIN PASSWORD 'two words: and\\a colon'").unwrap();
    server.ask("store", "ALTER DATABASE store OWNER TO ca").unwrap();
    server.ask("store", "ALTER SCHEMA public OWNER TO ca").unwrap();
    server.write_file("pg_hba.conf", "local all certus trust\nlocal all all scram-sha-256\n").unwrap();
    server.restart().unwrap();
    let url: StoreUrl = text.replace("certus@", "ca@").parse().unwrap();

    let directory = tempfile::TempDir::new().unwrap();
    let passfile = directory.path().join("passfile");
    let refused = connect(&url.clone().with_passfile(&passfile)).await;
    assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "there is no passfile yet: {refused:?}");
    std::fs::write(&passfile, "# of this test\nlocalhost:*:store:ca:two words\\: and\\\\a colon\n").unwrap();
    unix::set_mode(&passfile, 0o644);
    let refused = connect(&url.clone().with_passfile(&passfile)).await.unwrap_err();
    let said = std::error::Error::source(&refused).unwrap().to_string();
    assert!(said.contains("chmod 600"), "{said}");
    unix::set_mode(&passfile, 0o600);
    let store = connect(&url.clone().with_passfile(&passfile)).await.unwrap();
    made::kept_account(&*store).await;
    let wrong = url.clone().with_password(certus_store::Password::new("wrong"));
    assert!(matches!(connect(&wrong).await, Err(StoreError::Unavailable { .. })));
    let right = url.with_password(certus_store::Password::new("two words: and\\a colon"));
    connect(&right).await.unwrap();
}

/// TLS is spoken with a server whose certificate the root signed, and with no other.
#[tokio::test]
async fn tls_is_verified_against_the_root_and_the_name() {
    let directory = tempfile::TempDir::new().unwrap();
    let root = tls::root(directory.path(), "root");
    let stranger = tls::root(directory.path(), "stranger");
    let (certificate, key) = tls::server(directory.path(), &root, "localhost");
    let port = tls::free_port();
    let start = move || {
        let mut server = PostgresServer::start_with(&["listen_addresses=127.0.0.1", &format!("port={port}")])?;
        server.write_file("server.crt", &certificate)?;
        server.write_file("server.key", &key)?;
        // Nothing but TLS over TCP.
        server.write_file("pg_hba.conf", "local all all trust\nhostssl all all all trust\n")?;
        server.ask("postgres", "ALTER SYSTEM SET ssl = on")?;
        server.restart()?;
        Ok::<_, std::io::Error>(server)
    };
    let server = tokio::task::spawn_blocking(start).await.unwrap().unwrap();

    let url = |host: &str, root: &std::path::Path| -> StoreUrl {
        let root = root.display();
        format!("postgres://certus@{host}:{port}/postgres?sslmode=verify-full&sslrootcert={root}").parse().unwrap()
    };
    let store = connect(&url("localhost", &root.certificate)).await.unwrap();
    made::kept_account(&*store).await;
    let encrypted = "SELECT count(*) FROM pg_stat_ssl JOIN pg_stat_activity USING (pid) WHERE ssl
        AND application_name = 'certus'";
    assert!(server.ask("postgres", encrypted).unwrap().parse::<i64>().unwrap() >= 1);
    for (host, root) in [("localhost", &stranger.certificate), ("127.0.0.1", &root.certificate)] {
        let refused = connect(&url(host, root)).await;
        assert!(matches!(refused, Err(StoreError::Unavailable { .. })), "{host}: {refused:?}");
    }
    let plain: StoreUrl = format!("postgres://certus@localhost:{port}/postgres?sslmode=disable").parse().unwrap();
    assert!(matches!(connect(&plain).await, Err(StoreError::Unavailable { .. })));
}

#[tokio::test]
async fn what_cannot_be_reached_is_told_in_words() {
    let directory = tempfile::TempDir::new().unwrap();
    let url: StoreUrl = format!("postgres://certus@/store?host={}", directory.path().display()).parse().unwrap();
    match connect(&url).await {
        Err(error @ StoreError::Unavailable { .. }) => {
            assert!(error.to_string().contains("no PostgreSQL server"), "{error}");
        }
        other => panic!("{other:?}"),
    }
}
