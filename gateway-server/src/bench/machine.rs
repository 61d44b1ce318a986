//! Where it is measured.

use std::fs;

use super::fleet;
use super::result::Machine;

/// What a reader of figures wants to know of the machine they come from, of which so many cores were used.
pub(super) fn machine(cores: usize) -> Machine {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    Machine {
        cores,
        processor: field(&read("/proc/cpuinfo"), "model name").unwrap_or("unknown").to_owned(),
        memory: field(&read("/proc/meminfo"), "MemTotal").map_or(0, kibibytes),
        kernel: format!("Linux {}", read("/proc/sys/kernel/osrelease").trim()),
        accounting: fleet::accounting().to_owned(),
    }
}

/// The value behind `name :` in a list of lines.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// Bytes of a text such as `1024 kB`.
fn kibibytes(text: &str) -> u64 {
    text.split_whitespace().next().and_then(|number| number.parse::<u64>().ok()).unwrap_or(0).saturating_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_name() {
        let text = "processor\t: 0\nmodel name\t: Some CPU @ 2GHz\nMemTotal:   2048 kB\n";
        assert_eq!(field(text, "model name"), Some("Some CPU @ 2GHz"));
        assert_eq!(field(text, "MemTotal").map(kibibytes), Some(2 << 20));
        assert_eq!(field(text, "Mem"), None);
    }
}
