//! Gated linear unit.

use super::Sigmoid;
use candle_core::{Module, Result, Tensor};
use sconce_core::{Error, graph};

/// The first half of an axis times the sigmoid of the second.
///
/// y = a·σ(b), where a and b are the halves of x along `dim`.
///
/// # Shapes
/// input `[*before, 2·n, *after]`, output `[*before, n, *after]`, with the halved axis at `dim`
/// # Errors
/// `forward`: the input lacks the axis, or its length is odd.
/// # Source
/// Dauphin et al., "Language Modeling with Gated Convolutional Networks", 2016; `torch.nn.GLU`
/// # Example
/// ```
/// use sconce_nn::{Glu, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[[3f32, 5., 0., f32::INFINITY]], &Device::Cpu)?;
/// assert_eq!(Glu::default().forward(&x)?.to_vec2::<f32>()?, [[1.5, 5.]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Glu {
    /// The axis that is halved; negative numbers count from the end. PyTorch's default is the last.
    pub dim: isize,
}

impl Default for Glu {
    fn default() -> Self {
        Self { dim: -1 }
    }
}

impl Module for Glu {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        let x = &crate::input("Glu", x)?;
        let axis = crate::axis(self.dim, x.rank());
        let length = axis.and_then(|axis| x.dims().get(axis).copied());
        let (Some(axis), Some(length)) = (axis, length.filter(|length| length % 2 == 0)) else {
            let expected = format!("an axis {} of even length", self.dim);
            return Err(Error::shape("Glu", "input", expected, x.dims()).into());
        };
        let half = length / 2;
        let gate = Sigmoid.forward(&x.narrow(axis, half, half)?)?;
        let y = (x.narrow(axis, 0, half)? * &gate)?;
        graph::note("glu", &[x, &gate], std::slice::from_ref(&y));
        Ok(y)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    #[test]
    fn bad_axes_are_named() {
        for (dim, shape, fits) in [
            (-1, &[2, 4][..], true),
            (0, &[2, 3], true),
            (-2, &[2, 3], true),
            (1, &[3, 0], true),
            (-1, &[2, 3], false),
            (2, &[2, 2], false),
            (-3, &[2, 2], false),
            (-1, &[], false),
            (isize::MIN, &[2], false),
        ] {
            let x = Tensor::zeros(shape, DType::F32, &Device::Cpu).unwrap();
            let y = Glu { dim }.forward(&x);
            match y {
                Ok(y) => assert!(fits && 2 * y.elem_count() == x.elem_count()),
                Err(error) => {
                    let error = Error::from(error).to_string();
                    let expected =
                        format!("Glu: input has shape {shape:?}, expected an axis {dim} of even length");
                    assert!(!fits && error == expected, "{error}");
                }
            }
        }
    }
}
