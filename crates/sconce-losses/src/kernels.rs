//! The losses' numeric loops.

mod axes;
mod bce_with_logits;
mod cross_entropy;
mod ctc;
mod differences;
mod factor;
mod lanes;
mod terms;

pub(crate) use axes::Axes;
pub(crate) use bce_with_logits::{ByInput, ByPosWeight, ByTarget, Loss};
pub(crate) use cross_entropy::{Blend, Softmax, cross_entropy, cross_entropy_gradient};
pub(crate) use ctc::{Trellis, ctc, ctc_gradient};
pub(crate) use differences::{
    AboveMean, Absolute, Bent, Curve, Square, Weighted, WeightedSlope, of_differences, slopes_of_differences,
    sum_of_differences,
};
pub(crate) use factor::Factor;
pub(crate) use terms::{Terms, map_terms, sum_of_weights, sum_terms};
