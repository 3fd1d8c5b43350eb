//! Losses for candle, and the penalties that are added to them.
//!
//! A loss is a function of predictions and targets with a [`Reduction`] as its last argument. Names, defaults and semantics
//! are those of `torch.nn.functional`.
//!
//! | predictions | targets | loss |
//! |---|---|---|
//! | logits of classes | class numbers or probabilities | [`cross_entropy()`], [`cross_entropy_with`], [`softmax_focal`] |
//! | logarithmic probabilities of classes | class numbers | [`nll()`] |
//! | logarithmic probabilities of classes, frame by frame | class numbers, unaligned | [`ctc()`] |
//! | logarithmic probabilities | a distribution | [`kl_div`] |
//! | scores of classes | class numbers | [`multi_margin`] |
//! | scores or logits of classes, several of them right | lists of classes; 0 and 1 | [`multilabel_margin`]; [`multilabel_soft_margin`] |
//! | logits of yes or no | between 0 and 1 | [`bce_with_logits()`], [`sigmoid_focal`] |
//! | probabilities of yes | between 0 and 1 | [`bce()`] |
//! | scores of two classes | 1 and −1 | [`hinge`], [`soft_margin`] |
//! | numbers | numbers | [`mse()`], [`l1()`], [`smooth_l1()`], [`huber()`], [`log_cosh`], [`quantile`] |
//! | numbers | numbers that count by weights | [`mse_weighted`], [`l1_weighted`], [`huber_weighted`] |
//! | means and variances | numbers | [`gaussian_nll`] |
//! | rates | counts | [`poisson_nll`] |
//! | distances, or pairs of vectors or scores | 1 and −1 | [`hinge_embedding`], [`cosine_embedding`], [`margin_ranking`] |
//! | vectors of anchors | vectors near and far | [`triplet_margin`], [`triplet_margin_with_distance`] |
//! | vectors | vectors of the same things | [`info_nce`], [`nt_xent`] |
//! | regions | regions | [`dice`], [`iou`] |
//!
//! [`l1_penalty`], [`l2_penalty`] and [`elastic_net`] are scalars of a store's parameters, chosen by name.
//!
//! On the CPU, in `f32` and `f64`, cross-entropy with class numbers, the binary one of logits, CTC, and the absolute, squared and
//! Huber errors are each one node of the graph with a backward of its own, which keeps nothing of the input's size but the input
//! (CTC: a number for each frame and state); the others are composed of candle operations, everywhere.
//!
//! ```
//! use sconce_core::candle_core::{Device, Tensor, Var};
//! use sconce_losses::{Reduction, cross_entropy};
//!
//! let logits = Var::new(&[[2f32, 0., 0.], [0., 3., 0.]], &Device::Cpu)?;
//! let classes = Tensor::new(&[0u32, 1], &Device::Cpu)?;
//! let loss = cross_entropy(&logits, &classes, Reduction::Mean)?;
//! assert!(loss.to_scalar::<f32>()? < 0.2);
//! let gradient = loss.backward()?.remove(&logits).unwrap();
//! assert_eq!(gradient.dims(), [2, 3]);
//! # Ok::<(), sconce_core::candle_core::Error>(())
//! ```

mod bce;
mod bce_with_logits;
mod check;
mod cross_entropy;
mod ctc;
mod differences;
mod elementwise;
mod focal;
mod huber;
#[allow(
    clippy::indexing_slicing,
    reason = "numeric loops over slices of checked length"
)]
mod kernels;
mod l1;
mod likelihood;
mod margin;
mod metric;
mod mse;
mod nll;
mod penalty;
mod reduction;
mod regression;
mod rows;
mod segmentation;
mod smooth_l1;
mod stable;
mod weighted;

pub use bce::{BceConfig, bce};
pub use bce_with_logits::{BceWithLogitsConfig, bce_with_logits};
pub use cross_entropy::{CrossEntropyConfig, cross_entropy, cross_entropy_with};
pub use ctc::{CtcConfig, ctc};
pub use focal::{SigmoidFocalConfig, SoftmaxFocalConfig, sigmoid_focal, softmax_focal};
pub use huber::{huber, huber_weighted};
pub use l1::{l1, l1_weighted};
pub use likelihood::{GaussianNllConfig, KlDivConfig, PoissonNllConfig, gaussian_nll, kl_div, poisson_nll};
pub use margin::{
    MultiMarginConfig, MultiMarginNorm, hinge, multi_margin, multilabel_margin, multilabel_soft_margin,
    soft_margin,
};
pub use metric::{
    InfoNceConfig, TripletMarginConfig, cosine_embedding, hinge_embedding, info_nce, margin_ranking, nt_xent,
    triplet_margin, triplet_margin_with_distance,
};
pub use mse::{mse, mse_weighted};
pub use nll::{NllConfig, nll};
pub use penalty::{elastic_net, l1_penalty, l2_penalty};
pub use reduction::Reduction;
pub use regression::{log_cosh, quantile};
pub use segmentation::{DiceConfig, IouConfig, dice, iou};
pub use smooth_l1::smooth_l1;
