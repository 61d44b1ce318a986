//! A client of HTTP/2 over TLS, by libraries, that answers in the same terms as the strict one of HTTP/1.1.
//!
//! Holds one connection for a row of requests, bodies streaming both ways. What HTTP/2 has no word for, such as a reason phrase, is
//! made up.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use h2::client::SendRequest;
use h2::{RecvStream, SendStream};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};
use tokio_rustls::TlsConnector;

use super::content::pattern_blocks;
use super::response::Framing;
use super::{Broken, Content, Payload, Request, Response};

/// How long one answer may take; a server that needs longer hangs.
const LIMIT: Duration = Duration::from_secs(60);

/// Asks one request after the other on one connection, under TLS with a certificate for `localhost` that stands in that file.
///
/// # Panics
/// If there is no connection, or HTTP/2 is not what it carries.
pub fn exchange(address: SocketAddr, certificate: &Path, requests: &[Request]) -> Vec<Result<Response, Broken>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let mut client = connect(address, certificate).await;
        let mut answers = Vec::new();
        for request in requests {
            let answer = tokio::time::timeout(LIMIT, ask(&mut client, request)).await;
            answers.push(answer.unwrap_or(Err(Broken::NoAnswer)));
        }
        answers
    })
}

async fn connect(address: SocketAddr, certificate: &Path) -> SendRequest<Bytes> {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(certificate).expect("a certificate")).expect("a certificate");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let mut config = versions.expect("versions").with_root_certificates(roots).with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec()];
    let socket = tokio::net::TcpStream::connect(address).await.expect("a connection");
    let name = ServerName::try_from("localhost").expect("a name");
    let stream = TlsConnector::from(Arc::new(config)).connect(name, socket).await.expect("a handshake");
    assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
    let (client, connection) = h2::client::Builder::new()
        .initial_window_size(1 << 20)
        .initial_connection_window_size(4 << 20)
        .handshake(stream)
        .await
        .expect("HTTP/2");
    tokio::spawn(connection);
    client
}

async fn ask(client: &mut SendRequest<Bytes>, request: &Request) -> Result<Response, Broken> {
    let mut head =
        http::Request::builder().method(request.method.as_str()).uri(format!("https://localhost{}", request.target));
    for (name, value) in &request.fields {
        head = head.header(name, value);
    }
    if let Some(length) = request.body.declared_length() {
        head = head.header("content-length", length);
    }
    let head = head.body(()).map_err(|error| Broken::Head(error.to_string()))?;
    *client = client.clone().ready().await.map_err(|error| broken(&error))?;
    let (response, body) = client.send_request(head, request.body.is_empty()).map_err(|error| broken(&error))?;
    let sending = async {
        if !request.body.is_empty() {
            // The server may answer without having read everything; what counts is its answer.
            let _ = send(body, &request.body).await;
        }
        std::future::pending::<()>().await;
    };
    tokio::select! {
        () = sending => Err(Broken::NoAnswer),
        answer = async { receive(response.await.map_err(|error| broken(&error))?).await } => answer,
    }
}

async fn send(mut body: SendStream<Bytes>, payload: &Payload) -> Result<(), h2::Error> {
    let blocks: Box<dyn Iterator<Item = Vec<u8>> + Send> = match payload {
        Payload::None => Box::new(std::iter::empty()),
        Payload::Bytes(bytes) => Box::new(std::iter::once(bytes.clone())),
        Payload::Pattern(length) | Payload::Chunked(length) | Payload::Short(_, length) => {
            Box::new(pattern_blocks(*length))
        }
    };
    for block in blocks {
        let mut left = Bytes::from(block);
        while !left.is_empty() {
            body.reserve_capacity(left.len());
            match std::future::poll_fn(|cx| body.poll_capacity(cx)).await {
                Some(room) => body.send_data(left.split_to(room?.min(left.len())), false)?,
                None => return Ok(()),
            }
        }
    }
    body.send_data(Bytes::new(), true)
}

async fn receive(response: http::Response<RecvStream>) -> Result<Response, Broken> {
    let (head, mut body) = response.into_parts();
    let fields = head.headers.iter();
    let fields: Vec<_> = fields
        .map(|(name, value)| (name.as_str().to_owned(), String::from_utf8_lossy(value.as_bytes()).into_owned()))
        .collect();
    let length = fields.iter().find(|(name, _)| name == "content-length").and_then(|(_, value)| value.parse().ok());
    let framing = length.map_or(Framing::Chunked, Framing::Length);
    let mut content = Content::empty();
    while let Some(piece) = body.data().await {
        match piece {
            Ok(piece) => {
                let _ = body.flow_control().release_capacity(piece.len());
                content.add(&piece);
            }
            Err(_) => {
                content.complete = false;
                break;
            }
        }
    }
    Ok(Response { minor_version: 1, status: head.status.as_u16(), fields, content, framing })
}

fn broken(error: &h2::Error) -> Broken {
    Broken::Head(error.to_string())
}
