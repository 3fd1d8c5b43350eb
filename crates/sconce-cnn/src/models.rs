//! Whole networks.

pub(crate) mod lenet;
pub(crate) mod resnet;
pub(crate) mod unet;
