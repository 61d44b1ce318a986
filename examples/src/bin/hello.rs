//! The smallest application, on whichever gateway starts it.

gateway_server::main!(gateway_examples::hello::application);
