//! Cross-entropies in which what is easy counts little.

mod sigmoid;
mod softmax;

pub use sigmoid::{SigmoidFocalConfig, sigmoid_focal};
pub use softmax::{SoftmaxFocalConfig, softmax_focal};
