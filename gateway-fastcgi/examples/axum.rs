//! A program made with axum, of which one part is answered by FastCGI workers:
//! `cargo run -p gateway-fastcgi --features client --example axum -- 127.0.0.1:8080 unix:/run/php/php-fpm.sock /srv/www`.

use std::error::Error;

use axum::Router;
use axum::routing::get;
use gateway_fastcgi::client::{Client, Config};
use gateway_spec::tower::AppService;

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [listen, worker, root] = arguments.as_slice() else { return Err("needs: LISTEN WORKER ROOT".into()) };
    let client = Client::new(worker.parse()?, Config::default().root(root));
    let site = Router::new()
        .route("/", get(|| async { "This is axum; /php is PHP.\n" }))
        .nest_service("/php", AppService::new(client).script_name("/php"));
    axum::serve(tokio::net::TcpListener::bind(listen).await?, site).await?;
    Ok(())
}
