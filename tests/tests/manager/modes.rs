//! How many workers there are, and the status page that tells.

use gateway_tests::client::{Request, send};

use crate::load::{Load, check_all_answered};
use crate::setup::{Managed, pids};

#[test]
fn ondemand_grows_from_none_and_shrinks_back() {
    let workers = Managed::testbed(&["--mode", "ondemand", "--workers", "3", "--process-idle-timeout", "300ms"]);
    assert_eq!(workers.figure("starts"), 0);
    let front = workers.front("");
    let load = Load::of(front.address, 8, &[Request::get("/app/sleep/20")]);
    workers.wait("as many as may be", |status| pids(status).len() == 3 && status["max_children_reached"] != 0);
    check_all_answered(&load.end(), &(front.logs() + &workers.process.log()));
    workers.wait("none again", |status| pids(status).is_empty());
    assert_eq!(send(front.address, &Request::get("/app/hello")).unwrap().status, 200);
}

#[test]
fn dynamic_keeps_its_spares() {
    let flags = ["--mode", "dynamic", "--workers", "6", "--start-workers", "2", "--min-spare", "2", "--max-spare", "3"];
    let workers = Managed::testbed(&flags);
    workers.wait("two at first", |status| status["idle"] == 2 && pids(status).len() == 2);
    let front = workers.front("");
    let load = Load::of(front.address, 3, &[Request::get("/app/sleep/200")]);
    workers.wait("spares beside the busy", |status| pids(status).len() > 2 && status["busy"] != 0);
    check_all_answered(&load.end(), &(front.logs() + &workers.process.log()));
    workers.wait("no more spares than may be", |status| {
        status["idle"].as_u64() <= Some(3) && status["idle"].as_u64() >= Some(2) && status["busy"] == 0
    });
}

#[test]
fn the_status_page_answers_when_all_workers_are_busy() {
    let workers = Managed::testbed(&["--workers", "2"]);
    let front = workers.front("");
    let load = Load::of(front.address, 8, &[Request::get("/app/sleep/300")]);
    let status = workers.wait("all busy", |status| status["busy"] == 2);
    let request = status["processes"].as_array().unwrap().iter().find_map(|one| one["request"]["path"].as_str());
    assert_eq!(request, Some("/app/sleep/300"), "{status}");
    assert_eq!(workers.ask_page("/ping").text(), "pong\n");
    let text = workers.ask_page("/status").text();
    assert!(text.contains("mode:                 static") && text.contains(" GET /app/sleep/300 "), "{text}");
    let metrics = workers.ask_page("/metrics");
    assert!(metrics.field("content-type").unwrap().starts_with("application/openmetrics-text"));
    let metrics = metrics.text();
    assert!(metrics.contains("# TYPE gateway_workers_requests counter\n") && metrics.ends_with("# EOF\n"), "{metrics}");
    assert!(metrics.contains("gateway_workers_busy{pool=") && metrics.contains("gateway_workers_requests_total{pool="));
    assert_eq!(workers.ask_page("/other").status, 404);
    // php-fpm has these.
    for form in ["/status?xml", "/status?full", "/status?json&full"] {
        let answer = workers.ask_page(form);
        assert!(answer.status == 400 && answer.text().contains("/status?openmetrics"), "{form}: {}", answer.text());
    }
    check_all_answered(&load.end(), &front.logs());
}
