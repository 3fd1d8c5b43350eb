//! Softmax, log-softmax and softmin as layers.

use super::{log_softmax, softmax};
use candle_core::{Module, Result, Tensor};
use sconce_core::Error;

/// The axis `dim`, or PyTorch's choice where none is given.
fn axis(layer: &str, dim: Option<isize>, x: &Tensor) -> Result<usize> {
    let rank = x.rank();
    let default = isize::from(!matches!(rank, 0 | 1 | 3));
    let dim = dim.unwrap_or(default);
    crate::axis(dim, rank)
        .ok_or_else(|| Error::shape(layer, "input", format!("an axis {dim}"), x.dims()).into())
}

macro_rules! along_module {
    ($layer:ident, $x:ident, $axis:ident, $result:expr) => {
        impl Module for $layer {
            fn forward(&self, $x: &Tensor) -> Result<Tensor> {
                let $axis = axis(stringify!($layer), self.dim, $x)?;
                $result
            }
        }
    };
}

/// exp(x) over its sum along one axis.
///
/// # Shapes
/// input `[*]` of one axis or more, output the same
/// # Errors
/// `forward`: the input lacks the axis.
/// # Source
/// `torch.nn.Softmax`
/// # Example
/// ```
/// use sconce_nn::{Softmax, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[[0f64, 0., f64::NEG_INFINITY]], &Device::Cpu)?;
/// assert_eq!(Softmax { dim: Some(-1) }.forward(&x)?.to_vec2::<f64>()?, [[0.5, 0.5, 0.]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Softmax {
    /// The axis; negative numbers count from the end. `None` is PyTorch's old rule: axis 0 of one or three axes, else 1.
    pub dim: Option<isize>,
}

along_module!(Softmax, x, axis, softmax(x, axis));

/// x − log Σ exp(x) along one axis, computed without overflow.
///
/// # Shapes
/// input `[*]` of one axis or more, output the same
/// # Errors
/// `forward`: the input lacks the axis.
/// # Source
/// `torch.nn.LogSoftmax`
/// # Example
/// ```
/// use sconce_nn::{LogSoftmax, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[[1e4f64, 1e4]], &Device::Cpu)?;
/// let y = LogSoftmax { dim: Some(1) }.forward(&x)?.to_vec2::<f64>()?;
/// assert!((y[0][0] + 2f64.ln()).abs() < 1e-15);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct LogSoftmax {
    /// The axis, as [`Softmax::dim`].
    pub dim: Option<isize>,
}

along_module!(LogSoftmax, x, axis, log_softmax(x, axis));

/// exp(−x) over its sum along one axis.
///
/// # Shapes
/// input `[*]` of one axis or more, output the same
/// # Errors
/// `forward`: the input lacks the axis.
/// # Source
/// `torch.nn.Softmin`
/// # Example
/// ```
/// use sconce_nn::{Softmin, candle_core::{Device, Module, Tensor}};
/// let x = Tensor::new(&[[0f64, 0., f64::INFINITY]], &Device::Cpu)?;
/// assert_eq!(Softmin { dim: Some(-1) }.forward(&x)?.to_vec2::<f64>()?, [[0.5, 0.5, 0.]]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Softmin {
    /// The axis, as [`Softmax::dim`].
    pub dim: Option<isize>,
}

along_module!(Softmin, x, axis, {
    let x = &crate::input("Softmin", x)?;
    softmax(&x.neg()?, axis)
});

/// [`Softmax`] over the channels of each pixel.
///
/// # Shapes
/// input `[batch, channels, height, width]` or `[channels, height, width]`, output the same
/// # Errors
/// `forward`: another number of axes.
/// # Source
/// `torch.nn.Softmax2d`
/// # Example
/// ```
/// use sconce_nn::{Softmax2d, candle_core::{DType, Device, Module, Tensor}};
/// let x = Tensor::zeros((1, 4, 2, 2), DType::F32, &Device::Cpu)?;
/// assert_eq!(Softmax2d.forward(&x)?.flatten_all()?.to_vec1::<f32>()?, [0.25; 16]);
/// # Ok::<(), candle_core::Error>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Softmax2d;

impl Module for Softmax2d {
    fn forward(&self, x: &Tensor) -> Result<Tensor> {
        match x.rank() {
            3 => softmax(x, 0),
            4 => softmax(x, 1),
            _ => {
                let expected = "[batch, channels, height, width] or [channels, height, width]";
                Err(Error::shape("Softmax2d", "input", expected, x.dims()).into())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::{DType, Device};

    /// Each of a slice's equal values is 1 over its length, which tells the axis.
    #[test]
    fn the_default_axis_is_pytorchs() {
        for (shape, length) in [
            (&[5][..], 5.),
            (&[5, 7], 7.),
            (&[5, 7, 3], 5.),
            (&[5, 7, 3, 2], 7.),
            (&[1, 5, 2, 3, 1], 5.),
        ] {
            let x = Tensor::zeros(shape, DType::F64, &Device::Cpu).unwrap();
            let y = Softmax::default().forward(&x).unwrap().flatten_all().unwrap();
            assert_eq!(
                y.get(0).unwrap().to_scalar::<f64>().unwrap(),
                1. / length,
                "{shape:?}"
            );
        }
    }

    #[test]
    fn a_missing_axis_is_named() {
        let x = Tensor::zeros((2, 3), DType::F32, &Device::Cpu).unwrap();
        let scalar = Tensor::zeros((), DType::F32, &Device::Cpu).unwrap();
        let message = |result: Result<Tensor>| Error::from(result.unwrap_err()).to_string();
        assert_eq!(
            message(Softmax { dim: Some(2) }.forward(&x)),
            "Softmax: input has shape [2, 3], expected an axis 2"
        );
        assert_eq!(
            message(LogSoftmax { dim: Some(-3) }.forward(&x)),
            "LogSoftmax: input has shape [2, 3], expected an axis -3"
        );
        assert_eq!(
            message(Softmin::default().forward(&scalar)),
            "Softmin: input has shape [], expected an axis 0"
        );
        assert!(message(Softmax2d.forward(&x)).starts_with("Softmax2d: input has shape [2, 3]"));
    }
}
