//! WebSocket without another server: an application on our contract that takes its connection over and speaks through tokio-tungstenite,
//! alone and behind a proxy mount. The client is tokio-tungstenite too.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use futures_util::{SinkExt, StreamExt};
use gateway_fastcgi::net::{Address, ListenOptions, Listener};
use gateway_server::mount::{Proxy, ProxyConfig};
use gateway_server::serve::{Server, ServerHandle, Upgrade};
use gateway_spec::{AppError, AsyncApplication, AsyncResponse, Environ, InputStream, StatusCode, headers};
use tokio::net::TcpStream;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tokio_tungstenite::tungstenite::protocol::Role;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Gives back each message in upper case.
struct Chat;

impl AsyncApplication for Chat {
    async fn call(&self, environ: Environ, _: InputStream) -> Result<AsyncResponse, AppError> {
        let upgrade = environ.extensions.get::<Upgrade>().filter(|upgrade| upgrade.offers("websocket"));
        let (Some(upgrade), Some(key)) = (upgrade, environ.header("sec-websocket-key")) else {
            return Ok(AsyncResponse::new(StatusCode::UPGRADE_REQUIRED, headers!["upgrade" => "websocket"], ""));
        };
        let accept = headers!["sec-websocket-accept" => derive_accept_key(&key)];
        Ok(upgrade.accept("websocket", accept, async |connection| {
            let mut socket = WebSocketStream::from_raw_socket(connection, Role::Server, None).await;
            while let Some(Ok(message)) = socket.next().await {
                if let Message::Text(text) = message
                    && socket.send(Message::text(text.to_uppercase())).await.is_err()
                {
                    return;
                }
            }
        })?)
    }
}

/// Serves until the handle says stop.
async fn serve(server: Server) -> (Address, ServerHandle, tokio::task::JoinHandle<std::io::Result<()>>) {
    let listener = Listener::bind(&Address::tcp("127.0.0.1", 0), &ListenOptions::default()).await.unwrap();
    let (address, handle) = (listener.address().clone(), server.handle());
    (address, handle, tokio::spawn(server.serve(vec![listener])))
}

async fn connect(address: &Address) -> Result<WebSocketStream<TcpStream>, Error> {
    let Address::Tcp { host, port } = address else { panic!("{address}") };
    let stream = TcpStream::connect((host.as_str(), *port)).await.unwrap();
    tokio_tungstenite::client_async(format!("ws://{host}:{port}/"), stream).await.map(|(socket, _)| socket)
}

async fn check(address: &Address) {
    let mut socket = connect(address).await.unwrap();
    let long = "abcdefgh".repeat(100_000);
    for said in ["hello", &long, ""] {
        socket.send(Message::text(said)).await.unwrap();
        assert_eq!(socket.next().await.unwrap().unwrap(), Message::text(said.to_uppercase()));
    }
    socket.send(Message::Ping("you".into())).await.unwrap();
    assert_eq!(socket.next().await.unwrap().unwrap(), Message::Pong("you".into()));
    socket.close(None).await.unwrap();
    while let Some(Ok(message)) = socket.next().await {
        assert!(message.is_close(), "{message:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn http_130_an_application_speaks_web_socket_alone_and_behind_a_proxy() {
    let (chat, stop_chat, chat_served) = serve(Server::asynchronous(Chat)).await;
    let upstream = chat.to_string().replace("tcp:", "http://").parse().unwrap();
    let proxy = Proxy::new(upstream, ProxyConfig::default());
    let (front, stop_front, front_served) = serve(Server::asynchronous(proxy)).await;
    check(&chat).await;
    check(&front).await;
    // The end of the application's server is the end of the tunnel.
    let mut socket = connect(&front).await.unwrap();
    stop_front.stop();
    stop_chat.stop();
    socket.close(None).await.unwrap();
    while let Some(Ok(_)) = socket.next().await {}
    // The other half of the tunnel is the client's to end.
    drop(socket);
    front_served.await.unwrap().unwrap();
    chat_served.await.unwrap().unwrap();
}
