//! Invented requests and marks, for each way.

use super::super::model::{Front, Model, Way};
use super::super::result::{Stage, Timeline};
use super::TimelineError;
use super::join::{Asked, join};
use super::moments::Moment;
use crate::marks::NAMES;

fn model(front: Front, way: Way) -> Model {
    Model { key: "x".to_owned(), title: "X".to_owned(), front, way, workers: 1 }
}

/// Marks from their text, in microseconds: `10 accepted 20 received`.
fn moments(text: &str) -> Vec<Moment> {
    let words: Vec<&str> = text.split_whitespace().collect();
    let moment = |pair: &[&str]| {
        let name = NAMES.into_iter().find(|name| *name == pair[1]).unwrap();
        Moment { at: micros(pair[0].parse().unwrap()), name }
    };
    let mut moments: Vec<Moment> = words.chunks(2).map(moment).collect();
    moments.sort_unstable();
    moments
}

fn micros(at: u64) -> u64 {
    at * 1000
}

fn asked(times: &[(u64, u64)]) -> Vec<Asked> {
    times.iter().map(|(began, ended)| Asked { began: micros(*began), ended: micros(*ended) }).collect()
}

/// One request from 0 to 100 µs.
#[track_caller]
fn check(front: Front, way: Way, marks: &str, stages: &[(Stage, f64)], afterwards: f64) {
    let timeline = join(&model(front, way), &asked(&[(0, 100)]), &moments(marks)).unwrap();
    assert_eq!(timeline, Timeline { requests: 1, stages: stages.to_vec(), afterwards_us: afterwards });
}

const LISTENER: &str = "1 accepted 10 received 12 parsed 15 dispatched";

#[test]
fn in_process_the_application_is_between_called_and_finished() {
    let marks = format!("{LISTENER} 16 called 50 finished 51 answered 99 written");
    let stages = [
        (Stage::Accept, 10.0),
        (Stage::Parse, 2.0),
        (Stage::Queue, 4.0),
        (Stage::Application, 34.0),
        (Stage::Write, 50.0),
    ];
    check(Front::Application, Way::InProcess, &marks, &stages, 0.0);
    let stages = [
        (Stage::Accept, 10.0),
        (Stage::Parse, 2.0),
        (Stage::Queue, 3.0),
        (Stage::Application, 36.0),
        (Stage::Write, 49.0),
    ];
    check(Front::Application, Way::InProcess, &format!("{LISTENER} 51 answered 99 written"), &stages, 0.0);
}

#[test]
fn fastcgi_connects_only_where_no_connection_was_kept() {
    for way in [Way::FastCgiUnix, Way::FastCgiTcp] {
        let worker = "40 called 60 finished 70 output 71 answered 90 written 95 ended";
        let new = format!("{LISTENER} 17 connecting 25 connected 30 sent {worker}");
        let mut stages = [
            (Stage::Accept, 10.0),
            (Stage::Parse, 2.0),
            (Stage::Queue, 5.0),
            (Stage::Connect, 8.0),
            (Stage::ApplicationStart, 15.0),
            (Stage::Application, 20.0),
            (Stage::Write, 40.0),
        ];
        check(Front::Gateway, way, &new, &stages, 0.0);
        let kept = format!("{LISTENER} 30 sent {worker}");
        stages[2].1 = 3.0;
        stages[3].1 = 0.0;
        stages[4].1 = 25.0;
        check(Front::Gateway, way, &kept, &stages, 0.0);
    }
}

const SPAWN: &str = "20 spawning 40 spawned 50 main 53 called 55 finished 60 output 61 answered";

/// As far as the application's end.
const CGI: [(Stage, f64); 7] = [
    (Stage::Accept, 10.0),
    (Stage::Parse, 2.0),
    (Stage::Queue, 8.0),
    (Stage::ForkExec, 20.0),
    (Stage::Loader, 10.0),
    (Stage::ApplicationStart, 3.0),
    (Stage::Application, 2.0),
];

#[test]
fn a_cgi_program_whose_answer_has_a_length_ends_afterwards() {
    let marks = format!("{LISTENER} {SPAWN} 55 saving 59 saved 99 written 140 closed 150 reaped");
    // Without the 4 that the program took to write its marks.
    let stages = [&CGI[..], &[(Stage::Write, 41.0), (Stage::Exit, 0.0)]].concat();
    check(Front::Gateway, Way::Cgi, &marks, &stages, 50.0);
}

#[test]
fn a_cgi_program_whose_answer_has_no_length_is_waited_for() {
    let marks = format!("{LISTENER} {SPAWN} 65 written 66 saving 71 saved 85 closed 90 reaped 98 written");
    // 55 to 65 and 90 to 100; 65 to 90 without the 5 for the marks.
    let stages = [&CGI[..], &[(Stage::Write, 20.0), (Stage::Exit, 20.0)]].concat();
    check(Front::Gateway, Way::Cgi, &marks, &stages, 0.0);
}

#[test]
fn a_cgi_program_that_ends_while_a_slow_client_reads_is_not_waited_for() {
    let marks = format!("{LISTENER} {SPAWN} 65 written 85 closed 90 reaped");
    let stages = [&CGI[..], &[(Stage::Write, 45.0), (Stage::Exit, 0.0)]].concat();
    check(Front::Gateway, Way::Cgi, &marks, &stages, 0.0);
}

#[test]
fn a_cgi_program_that_ends_before_its_host_comes_to_send_the_answer_is_not_waited_for() {
    let marks = format!("{LISTENER} {SPAWN} 66 closed 68 reaped 98 written");
    let stages = [&CGI[..], &[(Stage::Write, 45.0), (Stage::Exit, 0.0)]].concat();
    check(Front::Gateway, Way::Cgi, &marks, &stages, 0.0);
}

#[test]
fn of_a_program_without_marks_the_first_output_is_known() {
    let marks = format!("{LISTENER} 20 spawning 40 spawned 60 output 61 answered 99 written 140 closed 150 reaped");
    let stages = [&CGI[..4], &[(Stage::Application, 20.0), (Stage::Write, 40.0), (Stage::Exit, 0.0)]].concat();
    check(Front::Gateway, Way::Cgi, &marks, &stages, 50.0);
    let marks = format!("{LISTENER} 20 connecting 30 connected 35 sent 60 output 61 answered 95 ended 99 written");
    let fastcgi = [(Stage::Connect, 10.0), (Stage::Application, 30.0), (Stage::Write, 40.0)];
    check(Front::Gateway, Way::FastCgiUnix, &marks, &[&CGI[..3], &fastcgi].concat(), 0.0);
}

#[test]
fn another_server_is_one_stage_up_to_the_program() {
    for front in [Front::Nginx, Front::Apache, Front::Lighttpd] {
        let stages = [(Stage::Server, 40.0), (Stage::Application, 20.0), (Stage::Write, 40.0)];
        check(front, Way::FastCgiUnix, "40 called 60 finished", &stages, 0.0);
        let start = [(Stage::Server, 40.0), (Stage::ApplicationStart, 5.0), (Stage::Application, 15.0)];
        let program = "40 main 45 called 60 finished";
        let cgi = |write: f64| [&start[..], &[(Stage::Write, write)]].concat();
        check(front, Way::Cgi, program, &cgi(40.0), 0.0);
        check(front, Way::Cgi, &format!("{program} 70 saving 80 saved"), &cgi(30.0), 0.0);
        check(front, Way::Cgi, "", &[(Stage::Server, 100.0)], 0.0);
    }
}

#[test]
fn a_mark_that_was_set_late_does_not_make_a_stage_negative() {
    // The host came to run again when the program was at work, and the worker when the client had read everything.
    let marks =
        format!("{LISTENER} 20 spawning 54 spawned 50 main 53 called 155 finished 60 output 99 written 190 reaped");
    let stages = [
        (Stage::Accept, 10.0),
        (Stage::Parse, 2.0),
        (Stage::Queue, 8.0),
        (Stage::ForkExec, 30.0),
        (Stage::Loader, 0.0),
        (Stage::ApplicationStart, 3.0),
        (Stage::Application, 47.0),
        (Stage::Write, 0.0),
        (Stage::Exit, 0.0),
    ];
    check(Front::Gateway, Way::Cgi, &marks, &stages, 90.0);
}

/// Requests of these lengths, each with an application that took all but 20 µs.
fn in_process(lengths: &[u64]) -> (Vec<Asked>, Vec<Moment>) {
    let (mut times, mut marks) = (Vec::new(), "0 main 1 called 2 finished".to_owned());
    let mut began = 1000;
    for length in lengths {
        let at = |after: u64| began + after;
        let (called, finished) = (at(10), at(length - 10));
        marks += &format!(" {} received {} parsed {called} called {finished} finished", at(1), at(2));
        times.push((began, at(*length)));
        began += 1000;
    }
    (asked(&times), moments(&marks))
}

#[test]
fn the_means_are_over_the_middle_half_and_add_up() {
    let (asked, moments) = in_process(&[900, 110, 100, 120, 800, 30, 20, 130]);
    let timeline = join(&model(Front::Application, Way::InProcess), &asked, &moments).unwrap();
    assert_eq!(timeline.requests, 8);
    let total: f64 = timeline.stages.iter().map(|(_, took)| took).sum();
    assert!((total - (100.0 + 110.0 + 120.0 + 130.0) / 4.0).abs() < 1e-9, "{timeline:?}");
    assert!(timeline.stages.contains(&(Stage::Application, 95.0)), "{timeline:?}");
}

#[test]
fn requests_without_a_mark_are_left_out_unless_they_are_most() {
    let (asked, mut moments) = in_process(&[100, 100, 100, 100]);
    let model = model(Front::Application, Way::InProcess);
    let mut without_parsed = |times: usize| {
        for _ in 0..times {
            let last = moments.iter().rposition(|moment| moment.name == "parsed").unwrap();
            moments.remove(last);
        }
        join(&model, &asked, &moments)
    };
    assert_eq!(without_parsed(2).unwrap().requests, 2);
    let error = without_parsed(1).unwrap_err();
    assert!(matches!(error, TimelineError::Missing { mark: "parsed", missing: 3, requests: 4 }), "{error}");
    assert_eq!(error.to_string(), "the mark \"parsed\" is missing in 3 of 4 requests");
}

#[test]
fn a_program_that_nobody_saw_ending_is_told() {
    let model = model(Front::Gateway, Way::Cgi);
    let error = join(&model, &asked(&[(0, 100)]), &moments(&format!("{LISTENER} {SPAWN} 99 written"))).unwrap_err();
    assert!(matches!(error, TimelineError::Missing { mark: "reaped", .. }), "{error}");
}

#[test]
fn without_requests_there_is_no_timeline() {
    let error = join(&model(Front::Application, Way::InProcess), &[], &[]).unwrap_err();
    assert!(matches!(error, TimelineError::Nothing), "{error}");
}
