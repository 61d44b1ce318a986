//! When each model is the right one, worked out from the figures.

use super::super::super::result::{Measured, Report};
use super::super::figures::{memory, pace, percent, ratio, time};
use super::super::reading::{Reading, compare, waited};

/// Machines are usually rented with about so much memory for each core; that makes memory and processor time one sum.
pub(in super::super) const MEMORY_OF_A_CORE: f64 = 2.0 * 1024.0 * 1024.0 * 1024.0;

/// A price is small if it is at most this share of what is bought.
const SMALL: f64 = 0.1;

/// What a model costs.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub(in super::super) struct Costs {
    /// Microseconds of processor time for each request.
    pub(in super::super) cpu: Option<f64>,
    /// Bytes kept while nobody asks.
    pub(in super::super) idle: Option<f64>,
    /// Requests a second.
    pub(in super::super) rate: Option<f64>,
    /// Microseconds that one request takes that is alone.
    pub(in super::super) alone: Option<f64>,
    /// Microseconds to the first answer.
    pub(in super::super) cold_start: Option<f64>,
}

impl Costs {
    fn of<'a>(reading: &Reading<'a>, measured: &'a Measured) -> Self {
        let known = |value: f64| (value.is_finite() && value > 0.0).then_some(value);
        let point = reading.point(measured).filter(|point| point.requests > 0);
        Costs {
            cpu: point.and_then(|point| known(point.cpu.total())),
            idle: known(measured.memory.idle.total()),
            rate: point.and_then(|point| known(point.rate)),
            alone: measured.timeline.as_ref().and_then(|timeline| known(waited(timeline))),
            cold_start: known(measured.cold_start_us),
        }
    }
}

/// Advice for each way to run an application: heading, and sentences.
pub(in super::super) fn choice(report: &Report) -> Vec<(&'static str, Vec<String>)> {
    let reading = Reading::of(report);
    let of = |measured: Option<&Measured>| measured.map(|measured| Costs::of(&reading, measured));
    let (in_process, fastcgi, cgi) = (of(reading.in_process()), of(reading.fastcgi()), of(reading.cgi()));
    let mut advice = Vec::new();
    if let Some(costs) = cgi {
        advice.push(("CGI", for_cgi(costs, fastcgi)));
    }
    if let Some(costs) = fastcgi {
        advice.push(("FastCGI", for_fastcgi(costs, in_process, cgi)));
    }
    if let Some(costs) = in_process {
        advice.push(("In-process", for_in_process(costs, fastcgi)));
    }
    advice.push(("Cold start", cold_starts(in_process, fastcgi, cgi).into_iter().collect()));
    advice.retain(|(_, sentences)| !sentences.is_empty());
    advice
}

fn for_cgi(cgi: Costs, fastcgi: Option<Costs>) -> Vec<String> {
    let mut sentences = vec![
        "Right for what is asked rarely: nothing of the application is there between two requests, each starts clean, \
         and a new version is there with the next one."
            .to_owned(),
    ];
    if let Some(cpu) = cgi.cpu {
        let rate = 1e6 / cpu;
        sentences.push(format!(
            "A request costs {} of processor time: {} keep one whole core busy, and one a second takes {} of a core.",
            time(cpu),
            pace(rate),
            percent(1.0 / rate)
        ));
    }
    if let Some(trade) = fastcgi.and_then(|fastcgi| Trade::between(cgi, fastcgi)) {
        sentences.push(trade.sentence());
    }
    if let Some(idle) = cgi.idle {
        sentences.push(format!("While nobody asks, only the listener is there: {}.", memory(idle)));
    }
    sentences
}

/// CGI against FastCGI, by what both cost: processor time for each request against memory that is kept.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Trade {
    /// CGI costs more for each request and keeps less: cheaper below this rate.
    CgiBelow { rate: f64, extra: f64, kept: f64 },
    /// FastCGI costs less for each request and keeps no more.
    FastCgi,
    /// CGI costs no more for each request and keeps no more.
    Cgi,
    /// CGI costs less for each request and keeps more: cheaper above this rate.
    CgiAbove { rate: f64 },
}

impl Trade {
    fn between(cgi: Costs, fastcgi: Costs) -> Option<Trade> {
        let extra = cgi.cpu? - fastcgi.cpu?;
        let kept = fastcgi.idle? - cgi.idle?;
        // Cores that the memory is worth, over core seconds for each request.
        let rate = (kept / MEMORY_OF_A_CORE) / (extra / 1e6);
        Some(match (extra > 0.0, kept > 0.0) {
            (true, true) => Trade::CgiBelow { rate, extra, kept },
            (true, false) => Trade::FastCgi,
            (false, false) if extra < 0.0 && kept < 0.0 => Trade::CgiAbove { rate },
            (false, _) => Trade::Cgi,
        })
    }

    fn sentence(self) -> String {
        let exchange = format!("one core is worth {} of memory, as machines are usually rented", gibibytes());
        match self {
            Trade::CgiBelow { rate, extra, kept } => format!(
                "FastCGI keeps {} more in memory and saves {} of processor time a request; if {exchange}, both weigh the same at {}: below that \
                 CGI is the cheaper one, above it FastCGI is.",
                memory(kept),
                time(extra),
                pace(rate)
            ),
            Trade::FastCgi => {
                "FastCGI cost less processor time and kept no more memory here, so CGI saves nothing at any rate."
                    .to_owned()
            }
            Trade::Cgi => {
                "CGI cost no more than FastCGI here, neither in processor time nor in memory, at any rate: look \
                           twice before you believe it."
                    .to_owned()
            }
            Trade::CgiAbove { rate } => format!(
                "CGI kept more memory here and used less processor time; if {exchange}, it is the cheaper one above {}: \
                 look twice before you believe it.",
                pace(rate)
            ),
        }
    }
}

fn gibibytes() -> String {
    format!("{} GiB", MEMORY_OF_A_CORE / (1024.0 * 1024.0 * 1024.0))
}

fn for_fastcgi(fastcgi: Costs, in_process: Option<Costs>, cgi: Option<Costs>) -> Vec<String> {
    let mut sentences = vec![
        "Right where the application must not take the listener with it: workers may crash, leak, be written in another \
         language or run as another user, and are replaced while the listener stays."
            .to_owned(),
    ];
    sentences.extend(in_process.and_then(|in_process| wall(fastcgi, in_process)));
    let gain = cgi.and_then(|cgi| compare(fastcgi.rate?, cgi.rate?));
    sentences.extend(gain.map(|times| {
        if times > 1.0 {
            format!("It answered {} as many requests a second as CGI, as no process is started for them.", ratio(times))
        } else {
            format!("It answered {} as many requests a second as CGI: here the workers gain nothing.", ratio(times))
        }
    }));
    sentences
}

/// What the wall between listener and application costs.
fn wall(fastcgi: Costs, in_process: Costs) -> Option<String> {
    let cpu = fastcgi.cpu? - in_process.cpu?;
    let price = if cpu > 0.0 {
        let work = cpu / SMALL;
        format!(
            "That wall costs {} of processor time a request; for an application whose own work takes more than {} it is \
             less than {} on top.",
            time(cpu),
            time(work),
            percent(SMALL)
        )
    } else {
        "That wall cost no processor time here, compared with in-process.".to_owned()
    };
    let wait = fastcgi.alone.zip(in_process.alone).map(|(one, other)| one - other);
    Some(match wait {
        Some(wait) if wait > 0.0 => format!("{price} A lone request waits {} longer.", time(wait)),
        _ => price,
    })
}

fn for_in_process(in_process: Costs, fastcgi: Option<Costs>) -> Vec<String> {
    let mut sentences = vec![
        "Right where every microsecond counts and the application is trusted: a request is a function call, and a crash is \
         everybody's crash."
            .to_owned(),
    ];
    let Some(fastcgi) = fastcgi else { return sentences };
    if let Some(times) = in_process.rate.zip(fastcgi.rate).and_then(|(one, other)| compare(one, other)) {
        sentences.push(if times > 1.0 {
            format!("It answered {} as many requests a second as FastCGI.", ratio(times))
        } else {
            format!(
                "It answered {} as many requests a second as FastCGI: here it gains nothing in throughput.",
                ratio(times)
            )
        });
    }
    if let Some((one, other)) = in_process.cpu.zip(fastcgi.cpu).filter(|(one, other)| one < other) {
        let saved = other - one;
        sentences.push(format!(
            "It saves {} of processor time a request: at 1,000 requests a second {} of a core.",
            time(saved),
            percent(saved * 1000.0 / 1e6)
        ));
    }
    if let Some(less) = in_process.idle.zip(fastcgi.idle).map(|(one, other)| other - one).filter(|less| *less > 0.0) {
        sentences.push(format!("It keeps {} less while nobody asks.", memory(less)));
    }
    sentences
}

fn cold_starts(in_process: Option<Costs>, fastcgi: Option<Costs>, cgi: Option<Costs>) -> Option<String> {
    let all = [(in_process, "in-process"), (fastcgi, "with FastCGI"), (cgi, "with CGI")];
    let parts: Vec<String> =
        (all.into_iter()).filter_map(|(costs, name)| Some(format!("{} {name}", time(costs?.cold_start?)))).collect();
    let text = super::joined(&parts);
    (!parts.is_empty()).then(|| {
        format!(
            "From the start of the first process to the first right answer it took {text}: what a restart, or a \
                 machine that sleeps while nobody asks, costs the first visitor."
        )
    })
}

#[cfg(test)]
mod tests {
    use super::super::super::fixture;
    use super::*;

    const MIB: f64 = 1024.0 * 1024.0;

    fn costs(cpu: f64, idle: f64) -> Costs {
        Costs { cpu: Some(cpu), idle: Some(idle), rate: Some(1e6 / cpu), ..Costs::default() }
    }

    #[test]
    fn the_break_even_weighs_memory_against_processor_time() {
        // 8 MiB are 1/256 of 2 GiB; 1 ms a request: 3.906 requests a second.
        let trade = Trade::between(costs(1050.0, 4.0 * MIB), costs(50.0, 12.0 * MIB)).unwrap();
        let Trade::CgiBelow { rate, .. } = trade else { panic!("{trade:?}") };
        assert!((rate - 3.906).abs() < 0.001, "{rate}");
        let text = trade.sentence();
        assert!(text.contains("8.0 MiB more in memory") && text.contains("3.91 requests a second"), "{text}");
        assert!(text.contains("2 GiB"), "{text}");
    }

    #[test]
    fn each_outcome_has_its_own_sentence() {
        assert_eq!(Trade::between(costs(1000.0, 9.0 * MIB), costs(50.0, 8.0 * MIB)), Some(Trade::FastCgi));
        assert_eq!(Trade::between(costs(40.0, 4.0 * MIB), costs(50.0, 8.0 * MIB)), Some(Trade::Cgi));
        let above = Trade::between(costs(40.0, 9.0 * MIB), costs(50.0, 8.0 * MIB)).unwrap();
        assert!(matches!(above, Trade::CgiAbove { rate } if rate > 0.0), "{above:?}");
        for trade in [Trade::FastCgi, Trade::Cgi, above] {
            assert!(!trade.sentence().contains("below that"), "{}", trade.sentence());
        }
    }

    #[test]
    fn unknown_costs_are_not_weighed() {
        assert_eq!(Trade::between(Costs::default(), costs(1.0, 1.0)), None);
        assert_eq!(for_cgi(Costs::default(), None).len(), 1);
    }

    #[test]
    fn a_whole_core_is_told_as_a_rate() {
        let text = for_cgi(costs(1480.0, 4.0 * MIB), None).join(" ");
        assert!(text.contains("676 requests a second keep one whole core busy"), "{text}");
        assert!(text.contains("one a second takes 0.1 % of a core"), "{text}");
    }

    #[test]
    fn a_wall_that_costs_nothing_is_not_called_a_price() {
        let text = wall(costs(20.0, MIB), costs(30.0, MIB)).unwrap();
        assert!(text.contains("cost no processor time"), "{text}");
        let text = wall(costs(50.0, MIB), costs(20.0, MIB)).unwrap();
        assert!(text.contains("costs 30.0 µs") && text.contains("more than 300 µs"), "{text}");
    }

    #[test]
    fn in_process_that_is_slower_gains_nothing() {
        let text = for_in_process(costs(60.0, 9.0 * MIB), Some(costs(50.0, 8.0 * MIB))).join(" ");
        assert!(text.contains("gains nothing") && !text.contains("saves") && !text.contains("less while"), "{text}");
    }

    #[test]
    fn advice_is_given_only_for_what_was_measured() {
        let heads = |report: &Report| choice(report).iter().map(|(head, _)| *head).collect::<Vec<_>>();
        assert_eq!(heads(&fixture::full()), ["CGI", "FastCGI", "In-process", "Cold start"]);
        assert_eq!(heads(&fixture::minimal()), ["CGI", "Cold start"]);
        let mut none = fixture::full();
        none.models.clear();
        assert!(choice(&none).is_empty());
    }
}
