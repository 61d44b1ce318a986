//! Numbers of workers that do not fit together.
//!
//! Holds the rules, which are those of php-fpm: what an operator has written is refused and not silently made to fit. Does not hold
//! the modes themselves (`gateway_fastcgi::manager`).

use super::{ModeName, PoolOptions};
use crate::cli::rules::Problem;

impl PoolOptions {
    /// Each number that does not fit the mode or the others, by its key.
    pub(in crate::cli) fn misfits(&self) -> impl Iterator<Item = (&'static str, Problem)> {
        let mode = self.mode.unwrap_or(ModeName::Static);
        let mut found = Vec::new();
        let spares = [("start_workers", self.start), ("min_spare", self.min_spare), ("max_spare", self.max_spare)];
        let given = spares.into_iter().filter_map(|(key, value)| Some((key, value?)));
        if mode == ModeName::Dynamic {
            found.extend(self.misfits_of_dynamic());
        } else {
            let alone =
                |(key, value): (_, usize)| (key, Problem::refused(value, "means something with mode = dynamic only"));
            found.extend(given.map(alone));
        }
        found.into_iter()
    }

    fn misfits_of_dynamic(&self) -> Option<(&'static str, Problem)> {
        let most = self.most();
        let (min, max) = self.spares();
        let refused = |key, value: usize, why: String| Some((key, Problem::refused(value, why)));
        if min > most {
            return refused("min_spare", min, format!("is more than workers, which is {most}"));
        }
        if max > most {
            return refused("max_spare", max, format!("is more than workers, which is {most}"));
        }
        if max < min {
            return refused("max_spare", max, format!("is less than min_spare, which is {min}"));
        }
        let start = self.start.filter(|start| !(min..=max).contains(start))?;
        refused("start_workers", start, format!("is not between min_spare and max_spare, which are {min} and {max}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(mode: ModeName, [workers, start, min_spare, max_spare]: [Option<usize>; 4], wanted: &[&str]) {
        let pool = PoolOptions { mode: Some(mode), workers, start, min_spare, max_spare, ..PoolOptions::default() };
        let found: Vec<_> = pool.misfits().map(|(key, problem)| format!("{key}: {problem}")).collect();
        assert_eq!(found, wanted);
    }

    #[test]
    fn numbers_that_fit_are_taken_with_their_defaults() {
        check(ModeName::Static, [Some(1), None, None, None], &[]);
        check(ModeName::OnDemand, [None; 4], &[]);
        for workers in [None, Some(1), Some(2), Some(9)] {
            check(ModeName::Dynamic, [workers, None, None, None], &[]);
        }
        check(ModeName::Dynamic, [Some(9), None, Some(9), None], &[]);
        check(ModeName::Dynamic, [Some(9), Some(3), Some(2), Some(4)], &[]);
    }

    #[test]
    fn numbers_that_do_not_fit_are_refused() {
        let only = |key: &str, value: usize| format!("{key}: \"{value}\": means something with mode = dynamic only");
        let three = [only("start_workers", 1), only("min_spare", 2), only("max_spare", 3)];
        let three: Vec<&str> = three.iter().map(String::as_str).collect();
        for mode in [ModeName::Static, ModeName::OnDemand] {
            check(mode, [Some(9), Some(1), Some(2), Some(3)], &three);
        }
        let dynamic = |numbers, wanted: &str| check(ModeName::Dynamic, numbers, &[wanted]);
        dynamic([Some(4), None, Some(5), None], "min_spare: \"5\": is more than workers, which is 4");
        dynamic([Some(4), None, None, Some(5)], "max_spare: \"5\": is more than workers, which is 4");
        dynamic([Some(9), None, Some(5), Some(4)], "max_spare: \"4\": is less than min_spare, which is 5");
        let between = "is not between min_spare and max_spare, which are 2 and 4";
        for start in [1, 5] {
            let wanted = format!("start_workers: \"{start}\": {between}");
            dynamic([Some(9), Some(start), Some(2), Some(4)], &wanted);
        }
    }
}
