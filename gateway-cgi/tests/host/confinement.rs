//! Programs that may do less than the host: what they find, and that nothing runs which could not be confined.

use gateway_cgi::host::{Config, Confinement, Resource};

use gateway_spec::{AppError, InputStream};
use std::os::unix::fs::PermissionsExt;

use crate::support::{Answer, Site, assert_fails};

/// What the site's script answers when it is run with `confinement`.
async fn ask(site: &Site, confinement: Confinement) -> Result<Answer, AppError> {
    // Temporary directories are their owner's alone; the user of a mount has to get in.
    for folder in [site.path(""), site.path("cgi")] {
        std::fs::set_permissions(folder, std::fs::Permissions::from_mode(0o755)).unwrap();
    }
    let config = Config::new().confinement(confinement);
    site.call(config, site.environ("GET", "/script"), InputStream::empty()).await
}

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

/// What a script that is run with `confinement` says.
async fn says(confinement: Confinement, script: &str) -> String {
    let site = Site::with(&format!("echo Content-Type: text/plain; echo; {{ {script}; }} 2>&1"));
    ask(&site, confinement).await.unwrap().body
}

#[tokio::test]
async fn cgi_158_a_program_runs_as_the_user_of_the_mount_with_its_groups_only() {
    let site = Site::with("echo Content-Type: text/plain; echo; id -un; id -G; id -u -r");
    let answer = ask(&site, Confinement::new().user("nobody").unwrap()).await;
    if is_root() {
        let id = |flag| std::process::Command::new("id").args([flag, "nobody"]).output().unwrap().stdout;
        let wanted = [b"nobody\n".to_vec(), id("-G"), id("-u")].concat();
        assert_eq!(answer.unwrap().body, String::from_utf8(wanted).unwrap());
    } else {
        // Only root may change the user. Then nothing runs.
        assert_fails(answer, 500, "setting the supplementary groups failed");
    }
}

#[tokio::test]
async fn cgi_158_a_file_that_the_user_may_not_execute_is_403() {
    let site = Site::with("echo Content-Type: text/plain; echo; echo ran");
    std::fs::set_permissions(site.path("cgi/script"), std::fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!(ask(&site, Confinement::new()).await.unwrap().body, "ran\n");
    let answer = ask(&site, Confinement::new().user("nobody").unwrap()).await;
    if is_root() {
        assert_fails(answer, 403, "not executable");
    } else {
        assert_fails(answer, 500, "setting the supplementary groups failed");
    }
}

#[tokio::test]
async fn limits_are_set_and_cannot_be_raised() {
    let confinement = Confinement::new()
        .limit(Resource::CpuSeconds, 7)
        .limit(Resource::MemoryBytes, 512 << 20)
        .limit(Resource::Files, 32)
        .limit(Resource::FileBytes, 1 << 20);
    let said = says(confinement, "ulimit -t; ulimit -v; ulimit -n; ulimit -f; ulimit -H -n").await;
    // The shell counts memory in KiB and files in blocks of 512 bytes.
    assert_eq!(said, format!("7\n{}\n32\n{}\n32\n", 512 << 10, (1 << 20) / 512));
}

#[tokio::test]
async fn a_program_that_uses_up_its_processor_time_is_ended_and_502() {
    let site = Site::with("while :; do :; done");
    let answer = ask(&site, Confinement::new().limit(Resource::CpuSeconds, 1)).await;
    assert_fails(answer, 502, "killed by signal");
}

#[tokio::test]
async fn umask_and_directory_are_the_operators() {
    let folder = tempfile::tempdir().unwrap();
    let place = folder.path().canonicalize().unwrap();
    let confinement = Confinement::new().umask(0o027).directory(&place);
    assert_eq!(says(confinement, "umask; pwd").await, format!("0027\n{}\n", place.display()));
}

#[tokio::test]
async fn a_directory_that_is_not_there_is_an_error_that_says_so() {
    let site = Site::with("echo Content-Type: text/plain; echo");
    let answer = ask(&site, Confinement::new().directory("/nonexistent")).await;
    assert_fails(answer, 500, "changing to its directory");
}

#[tokio::test]
async fn no_new_privileges_is_in_force_when_it_was_asked_for() {
    let script = "grep NoNewPrivs /proc/self/status | tr -d '[:space:]'";
    assert_eq!(says(Confinement::new(), script).await, "NoNewPrivs:0");
    assert_eq!(says(Confinement::new().no_new_privileges(), script).await, "NoNewPrivs:1");
}

#[tokio::test]
async fn a_read_only_program_writes_where_it_may_and_nowhere_else() {
    let folder = tempfile::tempdir().unwrap();
    let (open, closed) = (folder.path().join("open"), folder.path().join("closed"));
    for place in [&open, &closed] {
        std::fs::create_dir(place).unwrap();
        std::fs::write(place.join("old"), "as it was").unwrap();
    }
    let confinement = match Confinement::new().read_only([&open]) {
        Ok(confinement) => confinement,
        Err(error) => {
            // A kernel without Landlock: it is refused, and the message says why.
            assert!(error.to_string().contains("Landlock"), "{error}");
            return;
        }
    };
    let script = format!(
        "cd {0}; for p in {0} {1}; do (echo x > $p/new) 2>/dev/null && echo new; (: > $p/old) 2>/dev/null && echo emptied; \
         (rm $p/old) 2>/dev/null && echo removed; done; echo x > /dev/null && echo null",
        open.display(),
        closed.display()
    );
    assert_eq!(says(confinement, &script).await, "new\nemptied\nremoved\nnull\n");
    assert_eq!(std::fs::read_to_string(closed.join("old")).unwrap(), "as it was");
    assert!(!closed.join("new").exists() && open.join("new").exists());
}

#[tokio::test]
async fn cgi_177_signals_are_as_the_system_sets_them_and_none_is_blocked() {
    // The test's own process ignores SIGPIPE, as every Rust program does.
    let said = says(Confinement::new(), "grep -E '^Sig(Blk|Ign)' /proc/self/status | tr -d '[:space:]'").await;
    assert_eq!(said, "SigBlk:0000000000000000SigIgn:0000000000000000");
}
