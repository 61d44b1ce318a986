//! Reports with invented, plausible figures.

use super::super::model::{Model, Way, ours, peers};
use super::super::result::{
    Cpu, Errors, Latency, Machine, Measured, Memory, Parts, Point, Report, Sample, Settings, Stage, Timeline,
};

const MIB: f64 = 1024.0 * 1024.0;

/// All models of our own, three numbers of connections, three workloads, both loops, all timelines.
pub(crate) fn full() -> Report {
    let models = ours(2).into_iter().map(|model| measured(&model, 1.0)).collect();
    Report {
        version: "0.1.0".to_owned(),
        began: "2026-03-01T10:20:30Z".to_owned(),
        seconds: 312.0,
        machine: Machine {
            cores: 2,
            processor: "Example Processor 9000 @ 2.50GHz".to_owned(),
            memory: 4 << 30,
            kernel: "Linux 6.1.0".to_owned(),
            accounting: "cgroup v2".to_owned(),
        },
        settings: Settings {
            app: "hello".to_owned(),
            quick: false,
            workloads: ["hello", "db", "download"].map(str::to_owned).to_vec(),
            concurrency: vec![1, 8, 64],
            seconds_per_point: 4.5,
            load_threads: 1,
            server_cores: 1,
            apart: true,
            rate: Some(2000.0),
        },
        models,
        left_out: vec!["apache-cgi: Apache is not installed".to_owned()],
        empty_process_us: Some(580.0),
    }
}

/// The same with servers of others.
pub(crate) fn with_peers() -> Report {
    let mut report = full();
    report.models.extend(peers(2).iter().map(|model| measured(model, 1.3)));
    report
}

/// One model, one point, nothing else.
pub(crate) fn minimal() -> Report {
    let mut report = full();
    report.models.retain(|measured| measured.model.way == Way::Cgi);
    for model in &mut report.models {
        model.closed.retain(|point| point.workload == "hello" && point.concurrency == 64);
        model.open.clear();
        model.timeline = None;
    }
    report.settings.rate = None;
    report.left_out.clear();
    report.empty_process_us = None;
    report
}

/// All models, and no right answer from any.
pub(crate) fn all_errors() -> Report {
    let mut report = full();
    for model in &mut report.models {
        for point in model.closed.iter_mut().chain(&mut model.open) {
            point.rate = 0.0;
            point.requests = 0;
            point.errors = Errors { connect: 1, broken: 2, wrong: 3, timeout: 4 };
            point.latency = Latency::default();
            point.cpu = Cpu { kernel: f64::NAN, ..Cpu::default() };
            for sample in &mut point.samples {
                sample.requests = 0;
            }
        }
    }
    report
}

/// Rates over 64 connections, CPU by part and for the kernel, idle memory by part.
struct Plan {
    rate: f64,
    user: Parts,
    kernel: f64,
    idle: Parts,
    loaded: Parts,
}

fn parts(server: f64, workers: f64, children: f64) -> Parts {
    Parts { server, workers, children }
}

fn plan(model: &Model, slower: f64) -> Plan {
    let workers = model.workers as f64;
    match model.way {
        Way::InProcess => Plan {
            rate: 41_237.0,
            user: parts(8.0, 0.0, 0.0),
            kernel: 15.0,
            idle: parts(5.1 * MIB, 0.0, 0.0),
            loaded: parts(6.8 * MIB, 0.0, 0.0),
        },
        Way::FastCgiUnix | Way::FastCgiTcp => {
            let tcp = if model.way == Way::FastCgiTcp { 0.88 } else { 1.0 };
            Plan {
                rate: (17_900.0 + 600.0 * workers) * tcp / slower,
                user: parts(14.0 * slower, 9.0, 0.0),
                kernel: 27.0 / tcp,
                idle: parts(4.9 * MIB * slower, 2.4 * MIB * workers, 0.0),
                loaded: parts(7.4 * MIB * slower, 3.1 * MIB * workers, 0.0),
            }
        }
        Way::Cgi => Plan {
            rate: 702.4 / slower,
            user: parts(55.0 * slower, 0.0, 430.0),
            kernel: 995.0,
            idle: parts(4.4 * MIB * slower, 0.0, 0.0),
            loaded: parts(6.0 * MIB * slower, 0.0, 9.5 * MIB),
        },
    }
}

fn measured(model: &Model, slower: f64) -> Measured {
    let plan = plan(model, slower);
    let mut closed = Vec::new();
    for (workload, weight) in [("hello", 1.0), ("db", 1.8), ("download", 9.0)] {
        for (concurrency, share) in [(1, 0.34), (8, 0.81), (64, 1.0)] {
            closed.push(point(workload, concurrency, plan.rate * share / weight, &plan, weight));
        }
    }
    let mut open = point("hello", 64, plan.rate.min(2000.0), &plan, 1.0);
    open.latency = latency(if plan.rate < 2000.0 { 900_000.0 } else { 4e6 / plan.rate }, 10_000);
    // One model fails now and then.
    if let Some(last) = closed.last_mut().filter(|_| model.key == "cgi") {
        last.errors = Errors { timeout: 2, broken: 1, ..Errors::default() };
    }
    Measured {
        model: model.clone(),
        cold_start_us: 21_000.0 + 9_000.0 * model.workers as f64,
        memory: Memory { idle: plan.idle, loaded: plan.loaded },
        closed,
        open: vec![open],
        timeline: Some(timeline(model)),
    }
}

fn point(workload: &str, concurrency: usize, rate: f64, plan: &Plan, weight: f64) -> Point {
    let samples = [0.98, 1.0, 1.02].map(|share| {
        let requests = whole(rate * share * 1.5);
        Sample { seconds: 1.5, requests, errors: 0, cpu_us: 20.0 }
    });
    let requests = whole(rate * 4.5);
    Point {
        workload: workload.to_owned(),
        concurrency,
        samples: samples.to_vec(),
        rate,
        requests,
        errors: Errors::default(),
        latency: latency(concurrency as f64 / rate * 1e6, requests),
        cpu: Cpu {
            user: parts(plan.user.server * weight, plan.user.workers * weight, plan.user.children * weight),
            kernel: plan.kernel * weight,
        },
        load_cpu_us: 6.2,
        behind_us: 0.0,
    }
}

/// A distribution around a median with a long tail.
fn latency(median: f64, requests: u64) -> Latency {
    let at = |rarity: f64| median * 0.6 * (1.0 + 0.9 * rarity.powf(1.6)).max(1.0);
    let mut counts = Vec::new();
    let mut left = requests as f64;
    let mut rarity: f64 = 0.02;
    while left > 1.0 && rarity < 6.0 {
        let next = requests as f64 / 10_f64.powf(rarity);
        // Rounded where they are added up, so that none is lost.
        counts.push((at(rarity), whole(left) - whole(next)));
        left = next;
        rarity += 0.03;
    }
    counts.retain(|(_, requests)| *requests > 0);
    Latency {
        mean_us: at(0.4),
        p50_us: at(0.301),
        p90_us: at(1.0),
        p99_us: at(2.0),
        p999_us: at(3.0),
        max_us: at(4.5),
        counts,
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "invented figures are small")]
fn whole(value: f64) -> u64 {
    value.round() as u64
}

fn timeline(model: &Model) -> Timeline {
    let mut stages = vec![(Stage::Accept, 38.0), (Stage::Parse, 2.1), (Stage::Queue, 5.4)];
    let afterwards_us = match model.way {
        Way::InProcess => {
            stages.extend([(Stage::Application, 1.9), (Stage::Write, 27.0)]);
            0.0
        }
        Way::FastCgiUnix | Way::FastCgiTcp => {
            let connect = if model.way == Way::FastCgiTcp { 22.0 } else { 0.0 };
            let more = [(Stage::Connect, connect), (Stage::ApplicationStart, 34.0), (Stage::Application, 2.0)];
            stages.extend(more);
            stages.push((Stage::Write, 41.0));
            0.0
        }
        Way::Cgi => {
            stages.extend([(Stage::ForkExec, 214.0), (Stage::Loader, 538.0), (Stage::ApplicationStart, 61.0)]);
            stages.extend([(Stage::Application, 3.2), (Stage::Write, 66.0), (Stage::Exit, 50.0)]);
            210.0
        }
    };
    Timeline { requests: 200, stages, afterwards_us }
}
