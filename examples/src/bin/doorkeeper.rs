//! The Authorizer of the examples, as a program for Apache, lighttpd and nginx.

gateway_server::main!(authorizer = gateway_examples::doorkeeper::Doorkeeper::from_environment());
