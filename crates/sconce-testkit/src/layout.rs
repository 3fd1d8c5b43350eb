//! The same values in other memory layouts.

use std::fmt;

use candle_core::{Result, Tensor};

/// A memory layout in which a tensor can be handed to the function under test.
///
/// [`Layout::apply`] keeps shape and values and is made of differentiable candle operations, so that gradients flow through
/// it. A broadcast layout can't keep the values: expand an input of size one inside the function instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// Row-major, from offset 0.
    Contiguous,
    /// The last two axes swapped in memory; a vector gets stride 2. Scalars stay as they are.
    Transposed,
    /// A part of a larger tensor: an offset, and gaps along the last axis. Scalars stay as they are.
    Narrowed,
}

impl Layout {
    /// Every layout.
    pub const ALL: &'static [Self] = &[Self::Contiguous, Self::Transposed, Self::Narrowed];

    /// A tensor of the same shape and values in this layout.
    ///
    /// # Errors
    /// None but candle's own, for instance out of memory.
    ///
    /// # Example
    /// ```
    /// use candle_core::{Device, Tensor};
    /// use sconce_testkit::Layout;
    ///
    /// let x = Tensor::new(&[[1f64, 2., 3.], [4., 5., 6.]], &Device::Cpu)?;
    /// let y = Layout::Transposed.apply(&x)?;
    /// assert!(!y.is_contiguous());
    /// assert_eq!(y.to_vec2::<f64>()?, x.to_vec2::<f64>()?);
    /// # Ok::<(), candle_core::Error>(())
    /// ```
    pub fn apply(self, x: &Tensor) -> Result<Tensor> {
        let rank = x.rank();
        match self {
            _ if rank == 0 => Ok(x.clone()),
            Self::Contiguous => x.contiguous(),
            Self::Transposed if rank == 1 => {
                let padded = Tensor::stack(&[x, &x.zeros_like()?], 1)?;
                padded.narrow(1, 0, 1)?.squeeze(1)
            }
            Self::Transposed => {
                let (last, before) = (rank - 1, rank - 2);
                x.transpose(before, last)?.contiguous()?.transpose(before, last)
            }
            Self::Narrowed => {
                let last = rank - 1;
                x.pad_with_zeros(last, 1, 2)?.narrow(last, 1, x.dim(last)?)
            }
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Contiguous => "contiguous",
            Self::Transposed => "transposed",
            Self::Narrowed => "narrowed",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Random;
    use candle_core::DType;

    #[test]
    fn values_stay_and_strides_change() -> Result<()> {
        let mut random = Random::new(3);
        for shape in [vec![], vec![5], vec![3, 4], vec![2, 3, 4], vec![2, 3, 2, 5]] {
            let x = random.normal(shape.as_slice(), DType::F64)?;
            let expected = x.flatten_all()?.to_vec1::<f64>()?;
            for layout in Layout::ALL {
                let y = layout.apply(&x)?;
                assert_eq!(y.dims(), x.dims(), "{layout} {shape:?}");
                assert_eq!(y.flatten_all()?.to_vec1::<f64>()?, expected, "{layout} {shape:?}");
                // A narrowed vector has an offset, but no gaps.
                let gaps = match layout {
                    Layout::Contiguous => false,
                    Layout::Transposed => !shape.is_empty(),
                    Layout::Narrowed => shape.len() > 1,
                };
                assert_eq!(y.is_contiguous(), !gaps, "{layout} {shape:?}");
                let offset = *layout == Layout::Narrowed && !shape.is_empty();
                assert_eq!(y.layout().start_offset() > 0, offset, "{layout} {shape:?}");
            }
        }
        Ok(())
    }
}
