//! Class numbers as vectors.

use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};

/// Turns class numbers into vectors of 0 with a 1 at the class.
///
/// # Shapes
/// labels `[*]`, `u8`, `u32`, `i16`, `i32` or `i64`; output `[*, num_classes]`, `f32`, on the labels' device
///
/// # Errors
/// Labels of another type, or a label that isn't from 0 to `num_classes` − 1.
///
/// # Source
/// `torch.nn.functional.one_hot`, whose output is `i64`
///
/// # Example
/// ```
/// use sconce_data::{candle_core::{Device, Tensor}, transforms::one_hot};
/// let labels = Tensor::new(&[2u32, 0], &Device::Cpu)?;
/// assert_eq!(one_hot(&labels, 3)?.to_vec2::<f32>()?, [[0., 0., 1.], [1., 0., 0.]]);
/// # Ok::<(), sconce_data::Error>(())
/// ```
pub fn one_hot(labels: &Tensor, num_classes: usize) -> Result<Tensor> {
    if labels.dtype().is_float() {
        let value = format!("of {:?}", labels.dtype());
        return Err(Error::config("labels", value, "of whole numbers"));
    }
    let classes = labels.flatten_all()?.to_dtype(DType::I64)?.to_vec1::<i64>()?;
    let mut vectors = vec![0f32; 0];
    let size = classes
        .len()
        .checked_mul(num_classes)
        .filter(|&size| vectors.try_reserve_exact(size).is_ok());
    let Some(size) = size else {
        return Err(Error::config(
            "num_classes",
            num_classes,
            "few enough for the memory",
        ));
    };
    vectors.resize(size, 0.);
    for (index, class) in classes.into_iter().enumerate() {
        let place = usize::try_from(class).ok().filter(|&class| class < num_classes);
        match place.and_then(|class| vectors.get_mut(index * num_classes + class)) {
            Some(place) => *place = 1.,
            None => {
                let expected = format!("below num_classes = {num_classes}, from 0 on");
                return Err(Error::config("labels", format!("{class} at {index}"), expected));
            }
        }
    }
    let mut dims = labels.dims().to_vec();
    dims.push(num_classes);
    Ok(Tensor::from_vec(vectors, dims, &Device::Cpu)?.to_device(labels.device())?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_shape_and_whole_type() {
        let labels = Tensor::new(&[[0u32, 1], [3, 1]], &Device::Cpu).unwrap();
        for dtype in [DType::U8, DType::U32, DType::I16, DType::I32, DType::I64] {
            let vectors = one_hot(&labels.to_dtype(dtype).unwrap(), 4).unwrap();
            let expected = [
                [[1., 0., 0., 0.], [0., 1., 0., 0.]],
                [[0., 0., 0., 1.], [0., 1., 0., 0.]],
            ];
            assert_eq!(vectors.to_vec3::<f32>().unwrap(), expected, "{dtype:?}");
        }
        let scalar = Tensor::new(1u8, &Device::Cpu).unwrap();
        assert_eq!(one_hot(&scalar, 2).unwrap().to_vec1::<f32>().unwrap(), [0., 1.]);
    }

    #[test]
    fn what_is_no_class_is_an_error() {
        let labels = Tensor::new(&[0i64, 3, -1], &Device::Cpu).unwrap();
        for (classes, message) in [
            (3, "labels is 3 at 1, expected below num_classes = 3, from 0 on"),
            (4, "labels is -1 at 2, expected below num_classes = 4, from 0 on"),
            (0, "labels is 0 at 0, expected below num_classes = 0, from 0 on"),
        ] {
            assert_eq!(one_hot(&labels, classes).unwrap_err().to_string(), message);
        }
        assert!(one_hot(&labels, usize::MAX).is_err());
        let floats = labels.to_dtype(DType::F32).unwrap();
        assert_eq!(
            one_hot(&floats, 4).unwrap_err().to_string(),
            "labels is of F32, expected of whole numbers"
        );
    }
}
