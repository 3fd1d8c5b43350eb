//! Coefficient of determination.

use super::{Accumulator, Metric, inputs, state};
use candle_core::{Device, Result, Tensor};
use sconce_core::Error;

const NAME: &str = "r2";

/// How much of the targets' variance the outputs explain: 1 − Σ (t − y)² / Σ (t − t̄)², with the mean t̄ over the whole
/// set. Of several outputs, it is the mean of theirs.
///
/// Targets that are all equal have no variance: then it is 1 if the outputs are right and 0 if not, as in scikit-learn. Of fewer
/// than two samples it is NaN.
///
/// # Shapes
/// output and target `[batch, *outputs]`
///
/// # Errors
/// `update`: two shapes, no batch axis, or other outputs than those before.
///
/// # Source
/// `sklearn.metrics.r2_score`; the variance by Welford, "Note on a method for calculating corrected sums of squares and
/// products", 1962
///
/// # Example
/// ```
/// use sconce_train::{Metric, R2, candle_core::{Device, Tensor}};
/// let mut r2 = R2.start();
/// let output = Tensor::new(&[2.5f32, 0., 2., 8.], &Device::Cpu)?;
/// r2.update(&output, &Tensor::new(&[3f32, -0.5, 2., 7.], &Device::Cpu)?)?;
/// assert!((r2.value() - (1. - 1.5 / 29.1875)).abs() < 1e-12);
/// # Ok::<(), sconce_train::Error>(())
/// ```
#[derive(Debug, Clone, Copy)]
pub struct R2;

impl Metric for R2 {
    fn name(&self) -> &'static str {
        NAME
    }

    fn start(&self) -> Box<dyn Accumulator> {
        Box::new(Variances::default())
    }
}

/// One output's sums.
#[derive(Debug, Clone, Copy, Default)]
struct Variance {
    /// The first target, from which the others are measured: they lie closer to it than to 0.
    first: f64,
    /// The mean of what is measured so.
    mean: f64,
    /// Σ (t − t̄)²
    total: f64,
    /// Σ (t − y)²
    residual: f64,
}

impl Variance {
    /// Takes in sample `count`, from 1.
    fn add(&mut self, y: f64, target: f64, count: f64) {
        if count == 1. {
            self.first = target;
        }
        let measured = target - self.first;
        let before = measured - self.mean;
        self.mean += before / count;
        self.total += before * (measured - self.mean);
        self.residual += (target - y) * (target - y);
    }

    fn r2(&self) -> f64 {
        match (self.residual, self.total) {
            (0., 0.) => 1.,
            (_, 0.) => 0.,
            (residual, total) => 1. - residual / total,
        }
    }
}

#[derive(Default)]
struct Variances {
    samples: u64,
    outputs: Vec<Variance>,
}

impl Accumulator for Variances {
    fn update(&mut self, output: &Tensor, target: &Tensor) -> Result<()> {
        inputs::same_shape(NAME, output, target)?;
        let outputs: usize = match output.dims() {
            [_, outputs @ ..] => outputs.iter().product(),
            [] => return Err(Error::shape(NAME, "output", "[batch, *outputs]", &[]).into()),
        };
        if self.samples > 0 && outputs != self.outputs.len() {
            let expected = format!("[batch, *outputs] with {} outputs", self.outputs.len());
            return Err(Error::shape(NAME, "output", expected, output.dims()).into());
        }
        let (output, target) = (inputs::values(output)?, inputs::values(target)?);
        self.outputs.resize(outputs, Variance::default());
        let rows = output
            .chunks_exact(outputs.max(1))
            .zip(target.chunks_exact(outputs.max(1)));
        for (output, target) in rows {
            self.samples += 1;
            let samples = self.samples as f64;
            for ((variance, &y), &target) in self.outputs.iter_mut().zip(output).zip(target) {
                variance.add(y, target, samples);
            }
        }
        Ok(())
    }

    fn value(&self) -> f64 {
        if self.samples < 2 {
            return f64::NAN;
        }
        let sum: f64 = self.outputs.iter().map(Variance::r2).sum();
        sum / self.outputs.len() as f64
    }

    fn state(&self) -> Result<Vec<(String, Tensor)>> {
        let sums = |v: &Variance| [v.first, v.mean, v.total, v.residual];
        let sums: Vec<f64> = self.outputs.iter().flat_map(sums).collect();
        let sums = Tensor::from_vec(sums, (self.outputs.len(), 4), &Device::Cpu)?;
        let samples = state::from_counts(vec![self.samples], &[1])?;
        Ok(state::named(NAME, [("sums", sums), ("samples", samples)]))
    }

    fn load_state(&mut self, state: &[(String, Tensor)]) -> Result<()> {
        let [sums, samples] = state::fields(NAME, ["sums", "samples"], state)?;
        if !matches!(sums.dims(), [_, 4]) {
            return Err(Error::shape(NAME, "state", "[outputs, 4]", sums.dims()).into());
        }
        let sums = state::real(NAME, sums)?;
        [self.samples] = state::to_counts_of(NAME, samples)?;
        let (outputs, _) = sums.as_chunks();
        let variance = |&[first, mean, total, residual]: &[f64; 4]| Variance {
            first,
            mean,
            total,
            residual,
        };
        self.outputs = outputs.iter().map(variance).collect();
        Ok(())
    }
}
