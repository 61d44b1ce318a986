//! What tests ask, as a plain CGI program: it must behave as the one that chooses its gateway.
#![cfg_attr(not(test), no_main)]

gateway_cgi::main!(gateway_examples::testbed::application);
