//! Rates by a function.

use super::{Entry, Moment, Rate, Schedule};
use sconce_core::Result;

type Factor<'a> = Box<dyn Fn(usize, u64) -> f64 + 'a>;

/// The initial rate times what a function gives for the step: ηₜ = η·f(t).
///
/// # Errors
/// A step: the function gives something that isn't a finite number, at least 0.
///
/// # Source
/// `torch.optim.lr_scheduler.LambdaLR`
///
/// # Example
/// ```
/// use sconce_optim::schedule::{LambdaLr, rates};
/// let schedule = LambdaLr::new(|step| 1. / (step + 1) as f64);
/// assert_eq!(rates(&schedule, 6., 3)?, [6., 3., 2.]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct LambdaLr<'a>(Factor<'a>);

impl<'a> LambdaLr<'a> {
    /// The same function for all groups of parameters.
    pub fn new(factor: impl Fn(u64) -> f64 + 'a) -> Self {
        Self::by_group(move |_, step| factor(step))
    }

    /// A function that is told the group's number first.
    pub fn by_group(factor: impl Fn(usize, u64) -> f64 + 'a) -> Self {
        Self(Box::new(factor))
    }
}

impl Schedule for LambdaLr<'_> {
    fn name(&self) -> &'static str {
        "LambdaLR"
    }

    fn next(&self, at: &Moment) -> Result<Rate> {
        Ok(at.with_lr(at.initial * (self.0)(at.group, at.step)))
    }
}

/// Every step multiplies the rate by what a function gives for it: ηₜ = ηₜ₋₁·f(t), from t = 1.
///
/// # Errors
/// A step: the function gives something that isn't a finite number, at least 0.
///
/// # Source
/// `torch.optim.lr_scheduler.MultiplicativeLR`
///
/// # Example
/// ```
/// use sconce_optim::schedule::{MultiplicativeLr, rates};
/// let schedule = MultiplicativeLr::new(|step| if step < 3 { 0.5 } else { 1. });
/// assert_eq!(rates(&schedule, 1., 4)?, [1., 0.5, 0.25, 0.25]);
/// # Ok::<(), sconce_core::Error>(())
/// ```
pub struct MultiplicativeLr<'a>(Factor<'a>);

impl<'a> MultiplicativeLr<'a> {
    /// The same function for all groups of parameters.
    pub fn new(factor: impl Fn(u64) -> f64 + 'a) -> Self {
        Self::by_group(move |_, step| factor(step))
    }

    /// A function that is told the group's number first.
    pub fn by_group(factor: impl Fn(usize, u64) -> f64 + 'a) -> Self {
        Self(Box::new(factor))
    }
}

impl Schedule for MultiplicativeLr<'_> {
    fn name(&self) -> &'static str {
        "MultiplicativeLR"
    }

    /// It knows no way from the start, so in a sequence it goes on from where the schedule before it ended, as in PyTorch.
    fn next(&self, at: &Moment) -> Result<Rate> {
        Ok(match at.entry {
            Entry::Start => at.rate,
            Entry::Restart | Entry::Step => at.with_lr(at.rate.lr * (self.0)(at.group, at.step)),
        })
    }
}
