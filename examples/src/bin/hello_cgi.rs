//! The smallest application as a plain CGI program: gateway-cgi alone, no event loop, no choice of gateway.
#![cfg_attr(not(test), no_main)]

gateway_cgi::main!(gateway_examples::hello::application);
