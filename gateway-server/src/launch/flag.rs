//! The flags of a program made with `main!`: how each is called, and what its value looks like.
//!
//! Does not hold what they set (`flags`), or the text of `--help`.

/// One flag.
#[derive(Debug, Clone, Copy)]
pub(super) enum Flag {
    Http,
    FastCgi,
    Model,
    TlsCert,
    TlsKey,
    Threads,
    SocketMode,
    SocketOwner,
    AllowUser,
    AllowGroup,
    Request,
    Header,
    Body,
    Explain,
    Help,
    Version,
}

impl Flag {
    const ALL: [Flag; 16] = [
        Flag::Http,
        Flag::FastCgi,
        Flag::TlsCert,
        Flag::TlsKey,
        Flag::Model,
        Flag::Threads,
        Flag::SocketMode,
        Flag::SocketOwner,
        Flag::AllowUser,
        Flag::AllowGroup,
        Flag::Request,
        Flag::Header,
        Flag::Body,
        Flag::Explain,
        Flag::Help,
        Flag::Version,
    ];

    pub(super) fn named(name: &str) -> Option<Flag> {
        match name {
            "-h" => Some(Flag::Help),
            "-V" => Some(Flag::Version),
            name => Flag::ALL.into_iter().find(|flag| flag.name() == name),
        }
    }

    pub(super) fn name(self) -> &'static str {
        match self {
            Flag::Http => "--http",
            Flag::FastCgi => "--fastcgi",
            Flag::Model => "--model",
            Flag::TlsCert => "--tls-cert",
            Flag::TlsKey => "--tls-key",
            Flag::Threads => "--threads",
            Flag::SocketMode => "--socket-mode",
            Flag::SocketOwner => "--socket-owner",
            Flag::AllowUser => "--allow-user",
            Flag::AllowGroup => "--allow-group",
            Flag::Request => "--request",
            Flag::Header => "--header",
            Flag::Body => "--body",
            Flag::Explain => "--explain-gateway",
            Flag::Help => "--help",
            Flag::Version => "--version",
        }
    }

    /// What its value looks like, if it takes one.
    pub(super) fn expects(self) -> Option<&'static str> {
        match self {
            Flag::Http => Some("HOST:PORT or unix:PATH"),
            Flag::FastCgi => Some("unix:PATH or tcp:HOST:PORT"),
            Flag::Model => Some("MODEL"),
            Flag::TlsCert | Flag::TlsKey => Some("FILE"),
            Flag::Threads => Some("N"),
            Flag::SocketMode => Some("MODE"),
            Flag::SocketOwner => Some("USER[:GROUP]"),
            Flag::AllowUser => Some("USER"),
            Flag::AllowGroup => Some("GROUP"),
            Flag::Request => Some("'GET /path'"),
            Flag::Header => Some("'Name: value'"),
            Flag::Body => Some("TEXT or @FILE"),
            Flag::Explain | Flag::Help | Flag::Version => None,
        }
    }
}
