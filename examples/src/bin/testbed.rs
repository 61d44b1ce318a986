//! What tests and measurements ask, on whichever gateway starts it.

gateway_server::main!(gateway_examples::testbed::application);
