//! The numeric loops of these layers, built from sconce-kernels' safe functions.

pub(crate) mod batch_norm;
pub(crate) mod dropout;
pub(crate) mod embedding;
pub(crate) mod layer_norm;
pub(crate) mod linear;
pub(crate) mod pointwise;
pub(crate) mod softmax;
