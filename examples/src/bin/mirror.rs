//! Shows what the application was given, on whichever gateway starts it.

gateway_server::main!(gateway_examples::mirror::application);
