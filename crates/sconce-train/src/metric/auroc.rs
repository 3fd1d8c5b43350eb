//! Area under the receiver operating characteristic.

use super::ranking::{Ranking, Sorted, steps};
use super::{Accumulator, Metric, RankingConfig};

const NAME: &str = "auroc";

/// How likely it is that a positive scores higher than a negative, equal scores counting half: the area under the curve of the
/// true positives' rate over the false positives'. All scores and targets of the set are kept.
///
/// Of labels or several classes it is the mean over them, each against the rest; of two classes, that of class 1. A class of
/// which there is no positive, or nothing but positives, has none: then it is NaN, and so is the mean, as in scikit-learn.
///
/// # Shapes
/// - labels: output `[batch, labels, *positions]`, or `[batch]` for a single one; target the same, 0 or 1
/// - classes: output `[batch, classes, *positions]`; target `[batch, *positions]`, class numbers
///
/// # Errors
/// `update`: shapes that don't fit each other or the batches before; a target that is no class, or neither 0 nor 1, and isn't
/// `ignore_index`; an output that is NaN where the target counts.
///
/// # Source
/// Hanley and McNeil, "The meaning and use of the area under a receiver operating characteristic (ROC) curve", 1982;
/// `sklearn.metrics.roc_auc_score` with `multi_class="ovr"`
///
/// # Example
/// ```
/// use sconce_train::{Auroc, Metric, candle_core::{Device, Tensor}};
/// let mut auroc = Auroc::default().start();
/// let logits = Tensor::new(&[0.1f32, 0.4, 0.35, 0.8], &Device::Cpu)?;
/// auroc.update(&logits, &Tensor::new(&[0f32, 0., 1., 1.], &Device::Cpu)?)?;
/// assert_eq!(auroc.value(), 0.75);
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy, Default)]
pub struct Auroc {
    cfg: RankingConfig,
}

impl Auroc {
    /// With these options.
    pub fn new(cfg: &RankingConfig) -> Self {
        Self { cfg: *cfg }
    }
}

impl Metric for Auroc {
    fn name(&self) -> &'static str {
        NAME
    }

    fn start(&self) -> Box<dyn Accumulator> {
        Ranking::start(NAME, area, self.cfg)
    }
}

/// In whole numbers until the last division, so that no order of the sums can show.
fn area(sorted: &Sorted) -> f64 {
    let (mut above, mut negatives, mut twice) = (0u64, 0u64, 0u128);
    for (positive, negative) in steps(sorted) {
        twice += u128::from(negative) * u128::from(2 * above + positive);
        above += positive;
        negatives += negative;
    }
    twice as f64 / (2. * above as f64 * negatives as f64)
}
