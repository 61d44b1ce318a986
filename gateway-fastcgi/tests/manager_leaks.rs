//! What a manager leaves behind. One test alone in its process, because it counts descriptors and children.
#![cfg(feature = "manager")]
#![allow(clippy::unwrap_used, clippy::expect_used)]

use std::time::Duration;

use gateway_fastcgi::manager::{Config, Workers};

fn entries(path: &str) -> usize {
    std::fs::read_dir(path).unwrap().count()
}

fn children() -> String {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap();
    // A thread that ends meanwhile has none any more.
    tasks.filter_map(|task| std::fs::read_to_string(task.unwrap().path().join("children")).ok()).collect()
}

#[tokio::test]
async fn fcgi_123_stop_and_drop_leave_no_process_no_descriptor_and_no_file() {
    let directory = tempfile::tempdir().unwrap();
    let place = directory.path().to_str().unwrap();
    let config =
        || Config::default().socket_directory(place).stable_after(Duration::ZERO).stop_timeout(Duration::from_secs(20));
    let before = entries("/proc/self/fd");
    for round in 0..4 {
        // One that stays, and one that is replaced all the time.
        let staying = Workers::spawn("/bin/sleep", ["1000"], 3, config()).unwrap();
        let dying = Workers::spawn("/bin/sh", ["-c", "exit 1"], 2, config()).unwrap();
        dying.wait_until(|status| status.starts > 6).await;
        assert!(!children().is_empty());
        if round % 2 == 0 {
            staying.stop().await;
            dying.stop().await;
        } else {
            drop((staying, dying));
        }
        assert_eq!(children(), "");
        // The tasks of dropped workers end when the runtime gets to them.
        let ended = async {
            while entries("/proc/self/fd") > before || entries(place) > 0 {
                tokio::task::yield_now().await;
            }
        };
        let _ = tokio::time::timeout(Duration::from_secs(30), ended).await;
        assert_eq!((entries("/proc/self/fd"), entries(place)), (before, 0));
    }
}
