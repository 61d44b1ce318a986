//! From a value to a place, linear or logarithmic, and the ticks beside it.

/// How values are spread over a stretch of the picture.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    kind: Kind,
    /// Values at both ends.
    values: (f64, f64),
    /// Places of both ends.
    places: (f64, f64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Linear,
    Logarithmic,
}

impl Scale {
    pub(super) fn linear(values: (f64, f64), places: (f64, f64)) -> Self {
        let (low, high) = values;
        let high = if high > low { high } else { low + 1.0 };
        Scale { kind: Kind::Linear, values: (low, high), places }
    }

    pub(super) fn logarithmic(values: (f64, f64), places: (f64, f64)) -> Self {
        let low = values.0.max(f64::MIN_POSITIVE);
        let high = if values.1 > low { values.1 } else { low * 10.0 };
        Scale { kind: Kind::Logarithmic, values: (low, high), places }
    }

    pub(super) fn place(&self, value: f64) -> f64 {
        let (low, high) = self.values;
        let share = match self.kind {
            Kind::Linear => (value - low) / (high - low),
            Kind::Logarithmic => (value.max(low) / low).ln() / (high / low).ln(),
        };
        let (from, to) = self.places;
        from + share * (to - from)
    }

    /// Round values between both ends, few enough to be read.
    pub(super) fn ticks(&self) -> Vec<f64> {
        match self.kind {
            Kind::Linear => linear_ticks(self.values),
            Kind::Logarithmic => logarithmic_ticks(self.values),
        }
    }
}

/// Three to six steps of 1, 2 or 5 times a power of ten.
fn linear_ticks((low, high): (f64, f64)) -> Vec<f64> {
    let rough = (high - low) / 4.0;
    let power = 10_f64.powf(rough.log10().floor());
    let step = [1.0, 2.0, 5.0, 10.0].into_iter().map(|n| n * power).find(|step| *step >= rough * 0.99).unwrap_or(rough);
    let first = (low / step).ceil();
    let ticks = (0..12).map(|n| (first + f64::from(n)) * step);
    ticks.take_while(|tick| *tick <= high * (1.0 + 1e-9)).collect()
}

/// Powers of ten, and between them 2 and 5 where there are few powers.
fn logarithmic_ticks((low, high): (f64, f64)) -> Vec<f64> {
    let decades = (high / low).log10();
    let between: &[f64] = if decades > 3.0 { &[1.0] } else { &[1.0, 2.0, 5.0] };
    let first = low.log10().floor();
    let powers = (0..20).map(|n| 10_f64.powf(first + f64::from(n)));
    let ticks = powers.flat_map(|power| between.iter().map(move |factor| factor * power));
    ticks.filter(|tick| *tick >= low * 0.999 && *tick <= high * 1.001).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ends_are_where_they_belong() {
        for scale in [Scale::linear((2.0, 200.0), (10.0, 110.0)), Scale::logarithmic((2.0, 200.0), (10.0, 110.0))] {
            assert!((scale.place(2.0) - 10.0).abs() < 1e-9);
            assert!((scale.place(200.0) - 110.0).abs() < 1e-9);
        }
        assert!((Scale::logarithmic((1.0, 100.0), (0.0, 100.0)).place(10.0) - 50.0).abs() < 1e-9);
    }

    #[test]
    fn a_range_without_width_still_has_places() {
        for scale in [Scale::linear((0.0, 0.0), (0.0, 100.0)), Scale::logarithmic((0.0, 0.0), (0.0, 100.0))] {
            assert!(scale.place(0.0).is_finite());
        }
    }

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(Scale::linear((0.0, 41_237.0), (0.0, 1.0)).ticks(), [0.0, 20_000.0, 40_000.0]);
        assert_eq!(Scale::linear((0.0, 9.0), (0.0, 1.0)).ticks(), [0.0, 5.0]);
        assert_eq!(Scale::logarithmic((100.0, 1_000_000.0), (0.0, 1.0)).ticks().len(), 5);
        assert_eq!(Scale::logarithmic((1.0, 100.0), (0.0, 1.0)).ticks().len(), 7);
    }
}
