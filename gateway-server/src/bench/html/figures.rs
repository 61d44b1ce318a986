//! How a number is written for people: digits that matter, a unit, and a dash where nothing is known.
//!
//! Every function takes any `f64`: what is no number is written as [`UNKNOWN`], never as `NaN` or `inf`.

/// Stands where a figure is missing.
pub(crate) const UNKNOWN: &str = "–";

pub(crate) const MEBIBYTE: f64 = 1024.0 * 1024.0;

/// `41,237`; below 100 with as many decimals as make three digits.
pub(crate) fn count(value: f64) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    match value.abs() {
        0.0 => "0".to_owned(),
        size if size >= 99.95 => grouped(value),
        size if size >= 9.995 => format!("{value:.1}"),
        size if size >= 0.005 => format!("{value:.2}"),
        _ => significant(value, 1),
    }
}

/// Things that were counted one by one: `3`.
pub(crate) fn number(things: u64) -> String {
    grouped(things as f64)
}

/// A count in a sentence, where three digits say enough: `41,200`.
pub(crate) fn about(value: f64) -> String {
    if !value.is_finite() || value == 0.0 {
        return count(value);
    }
    let step = 10_f64.powf(value.abs().log10().floor() - 2.0);
    count((value / step).round() * step)
}

/// `0.46×`; below a tenth two digits, above ten none behind the point.
pub(crate) fn ratio(value: f64) -> String {
    if !value.is_finite() {
        return UNKNOWN.to_owned();
    }
    match value.abs() {
        size if size >= 9.95 => format!("{}×", grouped(value)),
        size if size >= 2.995 => format!("{value:.1}×"),
        size if size >= 0.0995 => format!("{value:.2}×"),
        0.0 => "0×".to_owned(),
        _ => format!("{}×", significant(value, 2)),
    }
}

/// Microseconds as a time: `8.2 µs`, `812 µs`, `1.23 ms`, `2.30 s`.
pub(crate) fn time(micros: f64) -> String {
    if !micros.is_finite() {
        return UNKNOWN.to_owned();
    }
    let (value, unit) = match micros.abs() {
        size if size < 999.5 => (micros, "µs"),
        size if size < 999_500.0 => (micros / 1e3, "ms"),
        _ => (micros / 1e6, "s"),
    };
    match value.abs() {
        0.0 => format!("0 {unit}"),
        size if size >= 99.95 => format!("{} {unit}", grouped(value)),
        size if size >= 9.95 => format!("{value:.1} {unit}"),
        size if size < 0.05 => format!("{} {unit}", significant(value, 1)),
        _ if unit == "µs" => format!("{value:.1} {unit}"),
        _ => format!("{value:.2} {unit}"),
    }
}

/// A round time beside an axis, without digits that say nothing: `20 µs`, `1 ms`.
pub(crate) fn round_time(micros: f64) -> String {
    time(micros).replace(".00 ", " ").replace(".0 ", " ")
}

/// Bytes in MiB: `9.8 MiB`.
pub(crate) fn memory(bytes: f64) -> String {
    if bytes.is_finite() { format!("{} MiB", mebibytes(bytes)) } else { UNKNOWN.to_owned() }
}

/// The same without its unit, for a column that names it.
pub(crate) fn mebibytes(bytes: f64) -> String {
    let value = bytes / MEBIBYTE;
    match value.abs() {
        size if !size.is_finite() => UNKNOWN.to_owned(),
        size if size >= 99.95 => grouped(value),
        0.0 => "0".to_owned(),
        _ => format!("{value:.1}"),
    }
}

/// A share of one: `3.2 %`.
pub(crate) fn percent(share: f64) -> String {
    let value = share * 100.0;
    match value.abs() {
        size if !size.is_finite() => UNKNOWN.to_owned(),
        size if size >= 9.95 => format!("{} %", grouped(value)),
        0.0 => "0 %".to_owned(),
        size if size >= 0.095 => format!("{value:.1} %"),
        _ => format!("{} %", significant(value, 1)),
    }
}

/// How often: `1.9 requests a second`, and below one `a request every 4.0 minutes`.
pub(crate) fn pace(per_second: f64) -> String {
    if !per_second.is_finite() || per_second <= 0.0 {
        return UNKNOWN.to_owned();
    }
    if per_second >= 1.0 {
        return format!("{} requests a second", about(per_second));
    }
    let seconds = 1.0 / per_second;
    let (value, unit) = match seconds {
        s if s < 90.0 => (s, "seconds"),
        s if s < 5400.0 => (s / 60.0, "minutes"),
        s if s < 172_800.0 => (s / 3600.0, "hours"),
        s => (s / 86_400.0, "days"),
    };
    format!("a request every {value:.1} {unit}")
}

/// One thing, or several: `1 worker`, `3 workers`.
pub(crate) fn plural(number: usize, one: &str) -> String {
    let end = if number == 1 { "" } else { "s" };
    format!("{} {one}{end}", grouped(number as f64))
}

/// A whole number with a comma before each three digits.
fn grouped(value: f64) -> String {
    let digits = format!("{:.0}", value.abs());
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0.0 && digits != "0" { format!("−{text}") } else { text }
}

/// So many digits from the first that is not zero: `0.017`.
fn significant(value: f64, digits: usize) -> String {
    let before = value.abs().log10().floor();
    // A number so small is shown as what it is: next to nothing.
    let decimals = (1_usize..=9).find(|&n| n as f64 >= digits as f64 - 1.0 - before).unwrap_or(9);
    format!("{value:.decimals$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_have_the_digits_that_matter() {
        let table = [
            (0.0, "0"),
            (0.004, "0.004"),
            (0.5, "0.50"),
            (9.996, "10.0"),
            (12.34, "12.3"),
            (676.4, "676"),
            (41_237.0, "41,237"),
            (-1_234_567.0, "−1,234,567"),
            (f64::NAN, UNKNOWN),
            (f64::INFINITY, UNKNOWN),
        ];
        for (value, expected) in table {
            assert_eq!(count(value), expected, "{value}");
        }
    }

    #[test]
    fn a_sentence_has_three_digits_of_a_count() {
        assert_eq!(about(41_237.0), "41,200");
        assert_eq!(about(702.4), "702");
        assert_eq!(about(999.9), "1,000");
        assert_eq!(about(0.0), "0");
        assert_eq!(about(f64::NAN), UNKNOWN);
    }

    #[test]
    fn ratios_keep_two_digits_when_they_are_small() {
        let table =
            [(1.0, "1.00×"), (0.463, "0.46×"), (0.0172, "0.017×"), (0.1, "0.10×"), (64.3, "64×"), (3.25, "3.2×")];
        for (value, expected) in table {
            assert_eq!(ratio(value), expected, "{value}");
        }
        assert_eq!(ratio(0.0), "0×");
        assert_eq!(ratio(f64::NAN), UNKNOWN);
    }

    #[test]
    fn times_change_their_unit() {
        let table = [
            (0.0, "0 µs"),
            (0.04, "0.04 µs"),
            (8.21, "8.2 µs"),
            (812.3, "812 µs"),
            (999.6, "1.00 ms"),
            (1_234.0, "1.23 ms"),
            (35_210.0, "35.2 ms"),
            (2_300_000.0, "2.30 s"),
            (f64::INFINITY, UNKNOWN),
        ];
        for (value, expected) in table {
            assert_eq!(time(value), expected, "{value}");
        }
    }

    #[test]
    fn times_beside_an_axis_are_short() {
        let table =
            [(0.0, "0 µs"), (20.0, "20 µs"), (100.0, "100 µs"), (1000.0, "1 ms"), (10_000.0, "10 ms"), (2e6, "2 s")];
        for (value, expected) in table {
            assert_eq!(round_time(value), expected);
        }
        assert_eq!(round_time(1500.0), "1.50 ms");
    }

    #[test]
    fn memory_is_in_mebibytes() {
        assert_eq!(memory(10_276_045.0), "9.8 MiB");
        assert_eq!(memory(0.0), "0 MiB");
        assert_eq!(memory(f64::NAN), UNKNOWN);
    }

    #[test]
    fn shares_are_percent() {
        assert_eq!(percent(0.032), "3.2 %");
        assert_eq!(percent(0.5), "50 %");
        assert_eq!(percent(0.000_04), "0.004 %");
        assert_eq!(percent(f64::NAN), UNKNOWN);
    }

    #[test]
    fn a_slow_pace_is_told_as_a_time_between_requests() {
        assert_eq!(pace(676.4), "676 requests a second");
        assert_eq!(pace(1.93), "1.93 requests a second");
        assert_eq!(pace(0.25), "a request every 4.0 seconds");
        assert_eq!(pace(1.0 / 240.0), "a request every 4.0 minutes");
        assert_eq!(pace(1.0 / 86_400.0), "a request every 24.0 hours");
        assert_eq!(pace(0.0), UNKNOWN);
    }
}
