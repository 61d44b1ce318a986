//! A small real application on SQLite, on whichever gateway starts it.

gateway_server::main!(gateway_examples::guestbook::application);
