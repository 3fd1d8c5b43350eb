//! Whole networks.

pub(crate) mod lenet;
