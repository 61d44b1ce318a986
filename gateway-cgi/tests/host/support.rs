//! A directory of scripts, a host over it, and what can be seen of its processes.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use gateway_cgi::host::{Cgi, Config};
use gateway_spec::{
    AppError, AsyncApplication, AsyncResponse, Bytes, Environ, ErrorSink, ErrorStream, GatewayError, InputStream,
};

/// No test takes as long as this unless something hangs.
pub(crate) const HANGS: Duration = Duration::from_secs(20);

/// A directory of scripts that goes away with the test.
pub(crate) struct Site {
    directory: tempfile::TempDir,
    log: Arc<Log>,
}

#[derive(Default)]
struct Log(Mutex<String>);

impl ErrorSink for Log {
    fn write(&self, text: &str) {
        self.0.lock().unwrap().push_str(text);
    }
}

impl Site {
    pub(crate) fn new() -> Self {
        let site = Site { directory: tempfile::tempdir().unwrap(), log: Arc::default() };
        fs::create_dir(site.path("cgi")).unwrap();
        site
    }

    /// A site with one script, called `script`.
    pub(crate) fn with(text: &str) -> Self {
        let site = Site::new();
        site.script("script", text);
        site
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub(crate) fn script(&self, name: &str, text: &str) {
        let path = self.path("cgi").join(name);
        let text = if text.starts_with("#!") { text.to_owned() } else { format!("#!/bin/sh\n{text}") };
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
    }

    pub(crate) fn host(&self, config: Config) -> Cgi {
        Cgi::directory(self.path("cgi"), config).unwrap()
    }

    /// Standard error of the scripts so far.
    pub(crate) fn log(&self) -> String {
        self.log.0.lock().unwrap().clone()
    }

    pub(crate) fn environ(&self, method: &str, path: &str) -> Environ {
        let mut environ = Environ::example(method, path);
        environ.errors = ErrorStream::new(self.log.clone());
        environ
    }

    /// GET of a path with the default configuration.
    pub(crate) async fn get(&self, path: &str) -> Result<Answer, AppError> {
        self.call(Config::new(), self.environ("GET", path), InputStream::empty()).await
    }

    pub(crate) async fn call(&self, config: Config, environ: Environ, input: InputStream) -> Result<Answer, AppError> {
        whole(&self.host(config), environ, input).await
    }

    /// Waits until no process runs any more that was started with a file of this site, also no zombie.
    pub(crate) async fn wait_for_silence(&self) {
        let marker = self.path("cgi");
        let silent = async {
            while running(&marker) > 0 || zombies() > 0 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        let waited = tokio::time::timeout(HANGS, silent).await;
        assert!(waited.is_ok(), "{} processes and {} zombies are left", running(&marker), zombies());
    }

    /// Waits until a script has made this file, and returns its content.
    pub(crate) async fn wait_for_file(&self, name: &str) -> String {
        let path = self.path(name);
        let appeared = async {
            loop {
                match fs::read_to_string(&path) {
                    Ok(text) if text.ends_with('\n') => return text,
                    _ => tokio::time::sleep(Duration::from_millis(5)).await,
                }
            }
        };
        tokio::time::timeout(HANGS, appeared).await.expect("the script has come to its mark")
    }
}

/// A whole answer.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) fields: Vec<(String, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(field, _)| field == name).map(|(_, value)| value.as_str())
    }
}

/// Calls the host and reads the answer to its end.
pub(crate) async fn whole(cgi: &Cgi, environ: Environ, input: InputStream) -> Result<Answer, AppError> {
    let answer = async {
        let response = cgi.call(environ, input).await?;
        let fields = response.headers.iter();
        let fields = fields.map(|(name, value)| (name.to_string(), String::from_utf8_lossy(value.as_bytes()).into()));
        let (status, fields) = (response.status.as_u16(), fields.collect());
        Ok(Answer { status, fields, body: String::from_utf8_lossy(&rest(response).await?).into_owned() })
    };
    tokio::time::timeout(HANGS, answer).await.expect("an answer in time")
}

/// Reads the body to its end.
pub(crate) async fn rest(mut response: AsyncResponse) -> Result<Bytes, AppError> {
    let mut body = Vec::new();
    while let Some(chunk) = response.body.next().await {
        body.extend_from_slice(&chunk?);
    }
    Ok(body.into())
}

#[track_caller]
pub(crate) fn assert_fails(result: Result<Answer, AppError>, status: u16, reason: &str) {
    let error = match result {
        Ok(answer) => panic!("a whole answer came: {answer:?}"),
        Err(error) => error,
    };
    let error = error.downcast::<GatewayError>().expect("an error with a status");
    assert_eq!(error.status().as_u16(), status, "{error}");
    assert!(error.to_string().contains(reason), "{error}");
}

/// How many processes have this path on their command line or as their working directory.
fn running(marker: &Path) -> usize {
    let marker = marker.as_os_str().as_encoded_bytes();
    let holds = |bytes: &[u8]| bytes.windows(marker.len()).any(|window| window == marker);
    processes()
        .filter(|process| {
            let cwd = fs::read_link(process.join("cwd")).unwrap_or_default();
            let command = fs::read(process.join("cmdline")).unwrap_or_default();
            holds(cwd.as_os_str().as_encoded_bytes()) || holds(&command)
        })
        .count()
}

/// How many children of this process have ended and were not reaped.
fn zombies() -> usize {
    let parent = std::process::id().to_string();
    processes()
        .filter(|process| {
            let status = fs::read_to_string(process.join("stat")).unwrap_or_default();
            let fields: Vec<&str> = status.rsplit(')').next().unwrap_or_default().split_whitespace().collect();
            fields.first() == Some(&"Z") && fields.get(1) == Some(&parent.as_str())
        })
        .count()
}

fn processes() -> impl Iterator<Item = PathBuf> {
    let is_number = |path: &PathBuf| path.file_name().is_some_and(|name| name.to_string_lossy().parse::<u32>().is_ok());
    fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path())).filter(is_number)
}
