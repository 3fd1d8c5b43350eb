//! Likelihoods and divergences of distributions.

mod gaussian_nll;
mod kl_div;
mod poisson_nll;

pub use gaussian_nll::{GaussianNllConfig, gaussian_nll};
pub use kl_div::{KlDivConfig, kl_div};
pub use poisson_nll::{PoissonNllConfig, poisson_nll};
