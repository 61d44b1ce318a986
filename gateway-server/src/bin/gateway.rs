//! The `gateway` command; everything it does is in [`gateway_server::cli`].

fn main() -> std::process::ExitCode {
    gateway_server::cli::main()
}
