//! The smallest application as a plain CGI program: gateway-cgi alone, no event loop, no choice of gateway.

fn main() -> std::process::ExitCode {
    gateway_cgi::serve(&gateway_examples::hello::application)
}
