//! Means of differences: absolute, squared and their root.

use super::{Accumulator, Metric, inputs, state};
use candle_core::{Device, Result, Tensor};

/// The mean absolute error, over all elements of the set.
///
/// # Shapes
/// output and target the same
///
/// # Errors
/// `update`: two shapes.
///
/// # Source
/// `sklearn.metrics.mean_absolute_error`
///
/// # Example
/// ```
/// use sconce_train::{Mae, Metric, candle_core::{Device, Tensor}};
/// let mut mae = Mae.start();
/// mae.update(&Tensor::new(&[1f32, 2.], &Device::Cpu)?, &Tensor::new(&[2f32, 5.], &Device::Cpu)?)?;
/// assert_eq!(mae.value(), 2.);
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Mae;

/// The mean squared error, over all elements of the set.
///
/// # Shapes
/// output and target the same
///
/// # Errors
/// `update`: two shapes.
///
/// # Source
/// `sklearn.metrics.mean_squared_error`
///
/// # Example
/// ```
/// use sconce_train::{Metric, Mse, candle_core::{Device, Tensor}};
/// let mut mse = Mse.start();
/// mse.update(&Tensor::new(&[1f32, 2.], &Device::Cpu)?, &Tensor::new(&[2f32, 5.], &Device::Cpu)?)?;
/// assert_eq!(mse.value(), 5.);
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Mse;

/// The root of the mean squared error over all elements of the set, in the targets' unit. Where there are several outputs, it is
/// one root for all of them (scikit-learn takes the mean of their roots).
///
/// # Shapes
/// output and target the same
///
/// # Errors
/// `update`: two shapes.
///
/// # Source
/// `sklearn.metrics.root_mean_squared_error` of one output
///
/// # Example
/// ```
/// use sconce_train::{Metric, Rmse, candle_core::{Device, Tensor}};
/// let mut rmse = Rmse.start();
/// rmse.update(&Tensor::new(&[1f32, 2.], &Device::Cpu)?, &Tensor::new(&[2f32, 3.], &Device::Cpu)?)?;
/// assert_eq!(rmse.value(), 1.);
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Rmse;

impl Metric for Mae {
    fn name(&self) -> &'static str {
        "mae"
    }

    fn start(&self) -> Box<dyn Accumulator> {
        Mean::start("mae", f64::abs, |mean| mean)
    }
}

impl Metric for Mse {
    fn name(&self) -> &'static str {
        "mse"
    }

    fn start(&self) -> Box<dyn Accumulator> {
        Mean::start("mse", |difference| difference * difference, |mean| mean)
    }
}

impl Metric for Rmse {
    fn name(&self) -> &'static str {
        "rmse"
    }

    fn start(&self) -> Box<dyn Accumulator> {
        Mean::start("rmse", |difference| difference * difference, f64::sqrt)
    }
}

/// A mean over differences.
struct Mean {
    name: &'static str,
    term: fn(f64) -> f64,
    finish: fn(f64) -> f64,
    sum: Sum,
    count: u64,
}

impl Mean {
    fn start(name: &'static str, term: fn(f64) -> f64, finish: fn(f64) -> f64) -> Box<dyn Accumulator> {
        Box::new(Self {
            name,
            term,
            finish,
            sum: Sum::default(),
            count: 0,
        })
    }
}

impl Accumulator for Mean {
    fn update(&mut self, output: &Tensor, target: &Tensor) -> Result<()> {
        inputs::same_shape(self.name, output, target)?;
        let (output, target) = (inputs::values(output)?, inputs::values(target)?);
        self.count += output.len() as u64;
        for (y, target) in output.into_iter().zip(target) {
            self.sum.add((self.term)(y - target));
        }
        Ok(())
    }

    fn value(&self) -> f64 {
        (self.finish)(self.sum.value() / self.count as f64)
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let count = state::from_counts(vec![self.count], &[1])?;
        Ok(state::named(
            self.name,
            [("sum", self.sum.tensor()?), ("count", count)],
        ))
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        let [sum, count] = state::fields(self.name, ["sum", "count"], state)?;
        let sum = Sum::from_tensor(self.name, sum)?;
        [self.count] = state::to_counts_of(self.name, count)?;
        self.sum = sum;
        Ok(())
    }
}

/// A sum that keeps what rounding takes away (Neumaier's), so that a million small terms after a large one aren't lost.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Sum {
    sum: f64,
    lost: f64,
}

impl Sum {
    pub(super) fn add(&mut self, term: f64) {
        let sum = self.sum + term;
        self.lost += if self.sum.abs() >= term.abs() {
            (self.sum - sum) + term
        } else {
            (term - sum) + self.sum
        };
        self.sum = sum;
    }

    pub(super) fn value(&self) -> f64 {
        // What an infinite sum has lost is NaN.
        if self.sum.is_finite() {
            self.sum + self.lost
        } else {
            self.sum
        }
    }

    pub(super) fn tensor(&self) -> Result<Tensor> {
        Tensor::new(&[self.sum, self.lost], &Device::Cpu)
    }

    pub(super) fn from_tensor(metric: &str, tensor: &Tensor) -> Result<Self> {
        let [sum, lost] = state::real_of(metric, tensor)?;
        Ok(Self { sum, lost })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_terms_are_not_lost() {
        let mut sum = Sum::default();
        for term in [1., 1e100, 1., -1e100] {
            sum.add(term);
        }
        assert_eq!(sum.value(), 2.);
        sum.add(f64::INFINITY);
        assert_eq!(sum.value(), f64::INFINITY);
    }
}
