//! Average precision.

use super::ranking::{Ranking, Sorted, steps};
use super::{Accumulator, Metric, RankingConfig};

const NAME: &str = "average precision";

/// The precision at each threshold, weighted by how much the recall grows there: Σₙ (Rₙ − Rₙ₋₁) Pₙ. All scores and
/// targets of the set are kept.
///
/// Of labels or several classes it is the mean over them, each against the rest; of two classes, that of class 1. A class of
/// which there is no positive has 0, as in scikit-learn.
///
/// # Shapes
/// - labels: output `[batch, labels, *positions]`, or `[batch]` for a single one; target the same, 0 or 1
/// - classes: output `[batch, classes, *positions]`; target `[batch, *positions]`, class numbers
///
/// # Errors
/// As those of [`Auroc`](crate::Auroc).
///
/// # Source
/// `sklearn.metrics.average_precision_score`
///
/// # Example
/// ```
/// use sconce_train::{AveragePrecision, Metric, candle_core::{Device, Tensor}};
/// let mut average_precision = AveragePrecision::default().start();
/// let logits = Tensor::new(&[0.1f32, 0.4, 0.35, 0.8], &Device::Cpu)?;
/// average_precision.update(&logits, &Tensor::new(&[0f32, 0., 1., 1.], &Device::Cpu)?)?;
/// assert_eq!(average_precision.value(), 0.5 * 1. + 0.5 * 2. / 3.);
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct AveragePrecision {
    cfg: RankingConfig,
}

impl AveragePrecision {
    /// With these options.
    pub fn new(cfg: &RankingConfig) -> Self {
        Self { cfg: *cfg }
    }
}

impl Metric for AveragePrecision {
    fn name(&self) -> &'static str {
        NAME
    }

    fn start(&self) -> Box<dyn Accumulator> {
        Ranking::start(NAME, mean_precision, self.cfg)
    }
}

fn mean_precision(sorted: &Sorted) -> f64 {
    let positives = sorted.iter().filter(|(_, positive)| *positive).count() as f64;
    if positives == 0. {
        return 0.;
    }
    let (mut above, mut all, mut sum) = (0., 0., 0.);
    for (positive, negative) in steps(sorted) {
        above += positive as f64;
        all += (positive + negative) as f64;
        sum += positive as f64 / positives * (above / all);
    }
    sum
}
