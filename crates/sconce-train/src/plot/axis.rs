//! Where an axis has its ticks, and what stands beside them.

/// How values lie along an axis.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// Ticks at whole numbers only.
    Whole,
    /// Equal steps.
    Linear,
    /// Equal factors; only for values above 0.
    Log,
}

/// Greater values would overflow on the way; they count as infinite.
const LARGEST: f64 = 1e300;
/// The least and the greatest power of 10 that is named.
const POWERS: (i32, i32) = (-300, 300);

/// Whether a value can be drawn on such an axis.
pub(super) fn drawable(kind: Kind, value: f64) -> bool {
    value.abs() <= LARGEST && (kind != Kind::Log || value >= 1. / LARGEST)
}

/// The piece of an axis that a chart shows.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) struct Scale {
    kind: Kind,
    /// The ends; of a logarithmic axis, their logarithms to the base of 10.
    low: f64,
    high: f64,
}

impl Scale {
    /// From the least to the greatest of the values that can be drawn, with some air; none if there are none.
    pub(super) fn over(kind: Kind, values: impl Iterator<Item = f64>) -> Option<Self> {
        let values = values.filter(|value| drawable(kind, *value));
        let (low, high) = values
            .map(|value| if kind == Kind::Log { value.log10() } else { value })
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
                (low.min(value), high.max(value))
            });
        if low > high {
            return None;
        }
        let size = low.abs().max(high.abs());
        let air = match kind {
            // Epochs begin at the edge, and one epoch stands in the middle.
            Kind::Whole if high > low => 0.,
            Kind::Whole => (1e-9 * size).max(0.5),
            // What differs in its last digits only is a constant.
            _ if high - low <= (1e-9 * size).max(1e-300) => {
                if size > 1e-290 {
                    0.05 * size
                } else {
                    0.5
                }
            }
            _ => 0.05 * (high - low),
        };
        Some(Self {
            kind,
            low: low - air,
            high: high + air,
        })
    }

    /// How far along the axis a value lies, from 0 to 1.
    pub(super) fn share(&self, value: f64) -> f64 {
        let value = if self.kind == Kind::Log {
            value.log10()
        } else {
            value
        };
        (value - self.low) / (self.high - self.low)
    }

    /// At most so many values to name, with their names.
    pub(super) fn ticks(&self, most: usize) -> Vec<(f64, String)> {
        let most = most.max(2);
        if self.kind == Kind::Log && self.high - self.low >= 1.5 {
            return self.powers(most);
        }
        let (low, high) = match self.kind {
            Kind::Log => (10f64.powf(self.low), 10f64.powf(self.high)),
            _ => (self.low, self.high),
        };
        let step = nice_step((high - low) / most as f64, self.kind == Kind::Whole);
        // Of a step that is lost beside such values there would be no end.
        let (first, last) = ((low / step - 1e-9).ceil(), (high / step + 1e-9).floor());
        if first > last {
            return Vec::new();
        }
        let count = (last - first).clamp(0., most as f64) as usize;
        let values = (0..=count).map(|i| (first + i as f64) * step);
        values.map(|value| (value, label(value, step))).collect()
    }

    /// Powers of 10.
    fn powers(&self, most: usize) -> Vec<(f64, String)> {
        let (first, last) = (self.low.ceil() as i32, self.high.floor() as i32);
        let (first, last) = (first.max(POWERS.0), last.min(POWERS.1));
        let step = ((last - first) as usize / most + 1).max(1);
        let powers = (first..=last).step_by(step);
        powers
            .map(|power| (10f64.powi(power), name_of_power(power)))
            .collect()
    }
}

/// The least of 1, 2 and 5 times a power of 10 that isn't less.
fn nice_step(least: f64, whole: bool) -> f64 {
    let least = if whole {
        least.max(1.)
    } else {
        least.max(f64::MIN_POSITIVE)
    };
    let power = 10f64.powf(least.log10().floor());
    let steps = [1., 2., 5., 10.].map(|digit| digit * power);
    let fitting = steps.into_iter().find(|step| *step >= least * (1. - 1e-9));
    fitting.unwrap_or(10. * power)
}

/// A value with as many digits as its neighbours need to differ.
fn label(value: f64, step: f64) -> String {
    if value.abs() < step / 2. {
        return "0".to_string();
    }
    let power = (step.log10() + 1e-9).floor() as i32;
    let magnitude = value.abs().log10().floor() as i32;
    if magnitude >= 6 || power < -5 {
        let digits = (magnitude - power).clamp(0, 15) as usize;
        return format!("{value:.digits$e}");
    }
    format!("{value:.*}", (-power).max(0) as usize)
}

fn name_of_power(power: i32) -> String {
    match power {
        -4..=-1 => format!("{:.*}", power.unsigned_abs() as usize, 10f64.powi(power)),
        0..=5 => format!("{}", 10f64.powi(power)),
        _ => format!("1e{power}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn names(kind: Kind, values: &[f64], most: usize) -> Vec<String> {
        let scale = Scale::over(kind, values.iter().copied()).expect("values");
        scale.ticks(most).into_iter().map(|(_, name)| name).collect()
    }

    #[test]
    fn ticks_are_round_and_epochs_whole() {
        assert_eq!(names(Kind::Linear, &[0., 1.], 5), ["0", "0.5", "1.0"]);
        assert_eq!(
            names(Kind::Linear, &[0.5, 0.52], 5),
            ["0.500", "0.505", "0.510", "0.515", "0.520"]
        );
        assert_eq!(
            names(Kind::Linear, &[-40., 60.], 6),
            ["-40", "-20", "0", "20", "40", "60"]
        );
        assert_eq!(names(Kind::Linear, &[2e7, 4e7], 4), ["2e7", "3e7", "4e7"]);
        assert_eq!(names(Kind::Linear, &[1e-8, 3e-8], 4), ["1e-8", "2e-8", "3e-8"]);
        assert_eq!(names(Kind::Whole, &[1., 3.], 10), ["1", "2", "3"]);
        assert_eq!(names(Kind::Whole, &[7.], 10), ["7"]);
        assert_eq!(
            names(Kind::Whole, &[1., 250.], 8),
            ["50", "100", "150", "200", "250"]
        );
        assert_eq!(
            names(Kind::Log, &[1e-3, 10.], 8),
            ["0.001", "0.01", "0.1", "1", "10"]
        );
        assert_eq!(
            names(Kind::Log, &[1e-7, 1e7], 5),
            ["1e-7", "0.0001", "0.1", "100", "100000"]
        );
        assert_eq!(names(Kind::Log, &[2., 4.], 3), ["2", "3", "4"]);
    }

    #[test]
    fn what_cannot_be_drawn_is_left_out() {
        assert_eq!(
            Scale::over(Kind::Linear, [f64::NAN, f64::INFINITY].into_iter()),
            None
        );
        assert_eq!(Scale::over(Kind::Log, [0., -1., 1e-310].into_iter()), None);
        let scale = Scale::over(Kind::Linear, [f64::MAX, 1., 3.].into_iter()).unwrap();
        assert_eq!((scale.low, scale.high), (0.9, 3.1));
        // A constant lies in the middle.
        for constant in [0., -5., 1e-300, 1e290] {
            let scale = Scale::over(Kind::Linear, [constant].into_iter()).unwrap();
            assert!((scale.share(constant) - 0.5).abs() < 1e-9, "{constant}");
        }
        let scale = Scale::over(Kind::Log, [0.01, 1., 0.].into_iter()).unwrap();
        assert!((scale.share(0.1) - 0.5).abs() < 1e-9);
    }

    proptest! {
        #[test]
        fn any_values_have_few_ticks_within(
            bits in prop::collection::vec(any::<u64>(), 1..4),
            kind in prop::sample::select(vec![Kind::Linear, Kind::Log]),
            most in 2usize..12,
        ) {
            let values: Vec<f64> = bits.into_iter().map(f64::from_bits).collect();
            if let Some(scale) = Scale::over(kind, values.iter().copied()) {
                let ticks = scale.ticks(most);
                prop_assert!(ticks.len() <= most + 1, "{ticks:?}");
                for (at, _) in ticks {
                    let share = scale.share(at);
                    prop_assert!((-1e-6..=1. + 1e-6).contains(&share), "{share}");
                }
                for value in values.into_iter().filter(|value| drawable(kind, *value)) {
                    prop_assert!((0. ..=1.).contains(&scale.share(value)));
                }
            }
        }
    }
}
