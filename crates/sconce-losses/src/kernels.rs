//! The losses' numeric loops.

mod axes;
mod bce_with_logits;
mod cross_entropy;
mod ctc;
mod differences;
mod factor;
mod lanes;

pub(crate) use axes::Axes;
pub(crate) use bce_with_logits::{ByInput, ByPosWeight, ByTarget, Loss, Terms, bce_sum, bce_terms};
pub(crate) use cross_entropy::{Blend, Softmax, cross_entropy, cross_entropy_gradient};
pub(crate) use ctc::{Trellis, ctc, ctc_gradient};
pub(crate) use differences::{
    Absolute, Bent, Curve, Square, of_differences, slopes_of_differences, sum_of_differences,
};
pub(crate) use factor::Factor;
