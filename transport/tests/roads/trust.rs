//! Certificates, and which road is taken.

use std::time::{Duration, Instant};

use wavetile_transport::client::{ConnectOptions, Road, RoadChoice};
use wavetile_transport::road::RoadKind;
use wavetile_transport::road::{RoadError, RoadLimits};
use wavetile_transport::server::RoadsConfig;
use wavetile_transport::tls::{Certificate, Fingerprint, Identity, Trust};

use crate::support::{Running, both, loopback, text};
use wavetile_testing::running::Folder;

fn options(trust: Trust) -> ConnectOptions {
    ConnectOptions::default().trust(trust).timeout(Duration::from_secs(3))
}

#[tokio::test]
async fn only_the_right_certificate_is_accepted() {
    let server = Running::start(&both());
    let fingerprint = server.fingerprint.unwrap();
    let mut wrong = fingerprint;
    wrong.0[31] ^= 1;
    for kind in [RoadKind::Http3.into(), RoadChoice::Auto] {
        let address = server.address(kind);
        for distrusted in [Trust::Fingerprint(wrong), Trust::WebPki] {
            let start = Instant::now();
            let error = Road::connect(&address, &options(distrusted)).await.err();
            // With `Auto` in particular there is no falling back to HTTP/1.1, although it is there.
            assert!(matches!(error, Some(RoadError::Untrusted { .. })), "{error:?}");
            assert!(start.elapsed() < Duration::from_secs(2));
        }
        for trusted in [Trust::Fingerprint(fingerprint), Trust::Insecure] {
            let road = Road::connect(&address, &options(trusted)).await.unwrap();
            assert_eq!(road.kind(), RoadKind::Http3);
            assert_eq!(text(road.request("/echo?x").await.unwrap().1).await, "x");
            road.close().await;
        }
    }
}

#[tokio::test]
async fn certificate_files_serve_both_sides() {
    let directory = Folder::new("roads");
    let key = rcgen::KeyPair::generate_for(&rcgen::PKCS_ECDSA_P256_SHA256).unwrap();
    let parameters = rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned()]).unwrap();
    let leaf = parameters.self_signed(&key).unwrap();
    let (chain_file, key_file) = (directory.join("chain.pem"), directory.join("key.pem"));
    std::fs::write(&chain_file, leaf.pem()).unwrap();
    std::fs::write(&key_file, key.serialize_pem()).unwrap();
    let certificate = Certificate::Files { chain: chain_file.clone(), key: key_file.clone() };

    let server = Running::start(&both().certificate(certificate.clone()));
    assert_eq!(server.fingerprint, Some(Fingerprint::of(leaf.der())));
    let addresses = [RoadKind::Http3, RoadKind::WebTransport].map(|kind| server.address(kind));
    for address in &addresses {
        let road = Road::connect(address, &options(Trust::Authorities(chain_file.clone()))).await.unwrap();
        assert_eq!(text(road.request("/echo?x").await.unwrap().1).await, "x");
        // Another name than the certificate's.
        let elsewhere =
            wavetile_transport::client::Address { host: "localhost".to_owned(), ..address.clone() };
        let error = Road::connect(&elsewhere, &options(Trust::Authorities(chain_file.clone()))).await.err();
        assert!(matches!(error, Some(RoadError::Untrusted { .. })), "{error:?}");
    }
    // Another authority.
    let other = Identity::load(&Certificate::SelfSigned, None).unwrap();
    std::fs::write(&chain_file, other.leaf_pem()).unwrap();
    for address in &addresses {
        let error = Road::connect(address, &options(Trust::Authorities(chain_file.clone()))).await.err();
        assert!(matches!(error, Some(RoadError::Untrusted { .. })), "{error:?}");
    }
    // A chain and a key that do not belong together.
    assert!(wavetile_transport::server::Roads::bind(&both().certificate(certificate)).is_err());
}

#[tokio::test]
async fn without_http3_the_client_falls_back_unless_that_would_prove_nothing() {
    let server = Running::start(&RoadsConfig::default().http1(loopback()));
    let address = server.address(RoadChoice::Auto);
    let start = Instant::now();
    let road = Road::connect(&address, &options(Trust::WebPki)).await.unwrap();
    assert_eq!(road.kind(), RoadKind::Http1);
    assert!(start.elapsed() < Duration::from_secs(1), "{:?}", start.elapsed());
    assert_eq!(text(road.request("/echo?x").await.unwrap().1).await, "x");

    let short = options(Trust::Fingerprint(Fingerprint::of(b"anything"))).timeout(Duration::from_millis(600));
    let error = Road::connect(&address, &short).await.err();
    assert!(matches!(error, Some(RoadError::Unreachable { .. })), "{error:?}");
}

#[tokio::test]
async fn nobody_there_is_said_soon() {
    let server = Running::start(&RoadsConfig::default().http1(loopback()));
    let address = server.address(RoadKind::Http1);
    server.stop().await;
    let start = Instant::now();
    let error = Road::connect(&address, &options(Trust::WebPki)).await.err();
    assert!(matches!(error, Some(RoadError::Unreachable { .. })), "{error:?}");
    assert!(start.elapsed() < Duration::from_secs(1));
}

#[tokio::test]
async fn a_certificate_that_is_replaced_on_disk_is_shown_without_a_new_start() {
    let folder = Folder::new("replaced");
    let [chain, key] = ["chain.pem", "key.pem"].map(|name| folder.join(name));
    let write = |identity: &Identity| {
        std::fs::write(&key, identity.key_pem()).unwrap();
        std::fs::write(&chain, identity.leaf_pem()).unwrap();
    };
    let [first, second] = [(); 2].map(|()| Identity::load(&Certificate::SelfSigned, None).unwrap());
    write(&first);
    let server = Running::start(
        &RoadsConfig::default()
            .http3(loopback())
            .http1(loopback())
            .certificate(Certificate::Files { chain: chain.clone(), key: key.clone() })
            .limits(RoadLimits::default().certificate_refresh(Duration::from_millis(20))),
    );
    for kind in [RoadKind::Http3, RoadKind::Http1, RoadKind::Http2] {
        write(&first);
        let mut address = server.address(kind);
        address.secure = true;
        for identity in [&first, &second] {
            write(identity);
            let trust = Trust::Fingerprint(identity.fingerprint());
            let options = ConnectOptions::default().road(kind.into()).trust(trust);
            // What is shown at the moment may still be the one before.
            let trusted = async {
                loop {
                    match Road::connect(&address, &options).await {
                        Ok(road) => break road,
                        Err(RoadError::Untrusted { .. }) => {
                            tokio::time::sleep(Duration::from_millis(10)).await
                        }
                        Err(error) => panic!("{error}"),
                    }
                }
            };
            let road = tokio::time::timeout(Duration::from_secs(20), trusted).await.unwrap();
            assert_eq!(road.request("/echo?x").await.unwrap().0.status, 200);
        }
    }
    server.stop().await;
}
