//! Values that are kept beside parameters and changed in place.

use crate::kernels::blend::{Blend, blend};
use crate::share;
use candle_core::{DType, Device, Tensor};
use sconce_core::cpu::{self, has_kernel};
use sconce_core::{Error, Result, cast};

/// Takes in a tensor for each of several, small ones in one parallel region.
pub(crate) fn blend_all(blends: Vec<(&mut Held, Blend, Tensor)>) -> Result<()> {
    // candle's operations, on any device, stay on this thread.
    let (kernels, others): (Vec<_>, Vec<_>) =
        (blends.into_iter()).partition(|(held, ..)| !matches!(held.values, Values::Tensor(_)));
    let size = |(_, _, tensor): &(&mut Held, Blend, Tensor)| tensor.elem_count();
    share::each(kernels, size, |(held, how, tensor)| held.blend(how, &tensor))?;
    others
        .into_iter()
        .try_for_each(|(held, how, tensor)| held.blend(how, &tensor))
}

/// A tensor's values in memory of their own; those of half precision in `f32`, in which small changes still count.
pub(crate) struct Held {
    shape: Vec<usize>,
    dtype: DType,
    device: Device,
    values: Values,
}

enum Values {
    F32(Vec<f32>),
    F64(Vec<f64>),
    Tensor(Tensor),
}

impl Held {
    /// A copy.
    pub(crate) fn new(tensor: &Tensor) -> Result<Self> {
        let tensor = tensor.detach();
        let values = match tensor.dtype() {
            DType::F32 if has_kernel(&tensor) => Values::F32(tensor.flatten_all()?.to_vec1()?),
            DType::F64 if has_kernel(&tensor) => Values::F64(tensor.flatten_all()?.to_vec1()?),
            DType::F16 | DType::BF16 => Values::Tensor(tensor.to_dtype(DType::F32)?),
            _ => Values::Tensor(tensor.copy()?),
        };
        Ok(Self {
            shape: tensor.dims().to_vec(),
            dtype: tensor.dtype(),
            device: tensor.device().clone(),
            values,
        })
    }

    /// Values that were kept for a tensor and saved.
    pub(crate) fn like(tensor: &Tensor, saved: &Tensor) -> Result<Self> {
        let kept = match tensor.dtype() {
            DType::F16 | DType::BF16 => DType::F32,
            dtype => dtype,
        };
        let values = cast(saved, kept)?.to_device(tensor.device())?;
        let mut held = Self::new(&values)?;
        if kept != tensor.dtype() {
            held.dtype = tensor.dtype();
            held.values = Values::Tensor(values.copy()?);
        }
        Ok(held)
    }

    /// A copy, times a factor.
    pub(crate) fn multiple(tensor: &Tensor, by: f64) -> Result<Self> {
        let mut held = Self::new(tensor)?;
        match &mut held.values {
            Values::F32(values) => values.iter_mut().for_each(|x| *x *= by as f32),
            Values::F64(values) => values.iter_mut().for_each(|x| *x *= by),
            Values::Tensor(tensor) => *tensor = (&*tensor * by)?,
        }
        Ok(held)
    }

    /// An error unless the tensor has the shape and type of what is held.
    pub(crate) fn check(&self, layer: &str, argument: &'static str, tensor: &Tensor) -> Result<()> {
        if tensor.dims() != self.shape {
            let expected = format!("{:?}, as before", self.shape);
            return Err(Error::shape(layer, argument, expected, tensor.dims()));
        }
        if tensor.dtype() != self.dtype {
            return Err(Error::DType {
                layer: layer.to_string(),
                argument,
                expected: format!("{:?}, as before", self.dtype),
                got: tensor.dtype(),
            });
        }
        Ok(())
    }

    /// Takes in a tensor of the same shape and type.
    fn blend(&mut self, how: Blend, tensor: &Tensor) -> Result<()> {
        let tensor = tensor.detach();
        match &mut self.values {
            Values::F32(kept) if has_kernel(&tensor) && tensor.dtype() == DType::F32 => {
                blend(how, kept, &cpu::slice(&tensor.contiguous()?)?);
            }
            Values::F64(kept) if has_kernel(&tensor) && tensor.dtype() == DType::F64 => {
                blend(how, kept, &cpu::slice(&tensor.contiguous()?)?);
            }
            Values::Tensor(kept) => {
                let new = tensor.to_dtype(kept.dtype())?;
                *kept = match how {
                    Blend::Add(by) => (&*kept + (new * by)?)?,
                    Blend::Towards(weight) => (&*kept + ((new - &*kept)? * weight)?)?,
                };
            }
            _ => {
                let message = "a tensor changed its device or element type";
                return Err(candle_core::Error::Msg(message.into()).into());
            }
        }
        Ok(())
    }

    /// A copy of the values as they are kept.
    pub(crate) fn kept(&self) -> Result<Tensor> {
        let shape = self.shape.as_slice();
        Ok(match &self.values {
            Values::F32(values) => Tensor::from_slice(values, shape, &self.device)?,
            Values::F64(values) => Tensor::from_slice(values, shape, &self.device)?,
            Values::Tensor(tensor) => tensor.copy()?,
        })
    }

    /// The values in the tensor's own type.
    pub(crate) fn tensor(&self) -> Result<Tensor> {
        Ok(self.kept()?.to_dtype(self.dtype)?)
    }

    /// The values by a divisor, in the tensor's own type, and no longer here.
    pub(crate) fn into_divided(self, by: f64) -> Result<Tensor> {
        let divided = match self.values {
            Values::Tensor(tensor) => (tensor / by)?,
            Values::F32(mut values) => {
                values.iter_mut().for_each(|x| *x /= by as f32);
                Tensor::from_vec(values, self.shape, &self.device)?
            }
            Values::F64(mut values) => {
                values.iter_mut().for_each(|x| *x /= by);
                Tensor::from_vec(values, self.shape, &self.device)?
            }
        };
        Ok(divided.to_dtype(self.dtype)?)
    }
}
