//! Several axes as one.

use candle_core::{Module, Result, Tensor};
use sconce_core::{Error, function};

/// Joins the axes from `start_dim` to `end_dim` into one; by default all but the first.
///
/// # Shapes
/// input `[*before, *joined, *after]`, output `[*before, product of joined, *after]`
/// # Errors
/// `forward`: the input lacks these axes.
/// # Source
/// `torch.nn.Flatten`
/// # Example
/// ```
/// use sconce_core::candle_core::{DType, Device, Module, Tensor};
/// use sconce_nn::Flatten;
/// let x = Tensor::zeros((2, 3, 4, 5), DType::F32, &Device::Cpu)?;
/// assert_eq!(Flatten::default().forward(&x)?.dims(), [2, 60]);
/// assert_eq!(Flatten { start_dim: 2, end_dim: -1 }.forward(&x)?.dims(), [2, 3, 20]);
/// # Ok::<(), sconce_core::candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flatten {
    /// The first joined axis.
    pub start_dim: usize,
    /// The last joined axis; negative numbers count from the end.
    pub end_dim: isize,
}

impl Default for Flatten {
    fn default() -> Self {
        Self {
            start_dim: 1,
            end_dim: -1,
        }
    }
}

impl Module for Flatten {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let dims = x.dims();
        let end = if self.end_dim < 0 {
            self.end_dim + dims.len() as isize
        } else {
            self.end_dim
        };
        let joined = usize::try_from(end)
            .ok()
            .and_then(|end| dims.get(self.start_dim..=end));
        let (Some(joined), Some(before)) = (joined, dims.get(..self.start_dim)) else {
            let expected = format!("axes {} to {}", self.start_dim, self.end_dim);
            return Err(Error::shape("Flatten", "input", expected, dims).into());
        };
        let after = dims.get(self.start_dim + joined.len()..).unwrap_or(&[]);
        let shape = [before, &[joined.iter().product()], after].concat();
        function::reshape(x, shape)
    }
}
