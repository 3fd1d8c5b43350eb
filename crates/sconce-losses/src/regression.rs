//! Losses of numbers.

mod log_cosh;
mod quantile;

pub use log_cosh::log_cosh;
pub use quantile::quantile;
