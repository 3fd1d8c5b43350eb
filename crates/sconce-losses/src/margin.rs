//! Losses that ask for a margin between right and wrong.

mod hinge;
mod multi_margin;
mod multilabel_margin;
mod multilabel_soft_margin;
mod soft_margin;

pub use hinge::hinge;
pub(crate) use hinge::positive_part;
pub use multi_margin::{MultiMarginConfig, MultiMarginNorm, multi_margin};
pub use multilabel_margin::multilabel_margin;
pub use multilabel_soft_margin::multilabel_soft_margin;
pub use soft_margin::soft_margin;
