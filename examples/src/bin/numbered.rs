//! The Filter of the examples, as a FastCGI worker.

gateway_server::main!(filter = gateway_examples::numbered::filter);
