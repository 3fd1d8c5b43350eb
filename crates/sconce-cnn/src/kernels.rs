//! The layers' loops on slices.

pub(crate) mod along;
pub(crate) mod avg_pool2d;
mod border;
pub(crate) mod conv2d;
mod correlate;
mod fused;
pub(crate) mod max_along;
pub(crate) mod max_pool2d;
mod multiply;
mod planes;
mod split;
mod unfold;
