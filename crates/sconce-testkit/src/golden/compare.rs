//! The rule by which two tensors agree.

use candle_core::{DType, Tensor};

/// How far a tensor may be from the expected one: ‖a − b‖ ≤ rtol·‖b‖ + atol.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Bound {
    /// Allowed error, relative to the expected tensor's norm.
    pub rtol: f64,
    /// Allowed error beyond that, for tensors that are zero.
    pub atol: f64,
}

impl Bound {
    /// Agreement of f64 results.
    pub const F64: Self = Self {
        rtol: 1e-10,
        atol: 1e-12,
    };
    /// Agreement of f32 results.
    pub const F32: Self = Self {
        rtol: 1e-5,
        atol: 1e-6,
    };
}

/// Two tensors that should agree and don't.
#[derive(Debug, thiserror::Error)]
#[error("{name}: {difference}")]
pub struct Mismatch {
    /// The tensor's name.
    pub name: String,
    /// In what they differ.
    pub difference: Box<Difference>,
}

/// In what two tensors differ.
#[derive(Debug, thiserror::Error)]
pub enum Difference {
    /// Their shapes.
    #[error("shape {actual:?} instead of {expected:?}")]
    Shape {
        /// The shape that came.
        actual: Vec<usize>,
        /// The shape that was expected.
        expected: Vec<usize>,
    },
    /// The places of NaN or infinities.
    #[error("{actual} instead of {expected} at {index:?}")]
    NotFinite {
        /// Where.
        index: Vec<usize>,
        /// The value that came.
        actual: f64,
        /// The value that was expected.
        expected: f64,
    },
    /// Their values.
    #[error(
        "error {error:.2e} with ‖expected‖ = {norm:.2e}, allowed {allowed:.1e}; \
         worst at {index:?} of {shape:?}: {actual:e} instead of {expected:e}"
    )]
    Values {
        /// ‖actual − expected‖.
        error: f64,
        /// ‖expected‖.
        norm: f64,
        /// The error that would have passed.
        allowed: f64,
        /// The tensors' shape.
        shape: Vec<usize>,
        /// Where they differ most.
        index: Vec<usize>,
        /// The value that came there.
        actual: f64,
        /// The value that was expected there.
        expected: f64,
    },
    /// One of them can't be read.
    #[error("{0}")]
    Unreadable(#[from] candle_core::Error),
}

/// Compares a tensor with the expected one. Whole numbers and masks must be equal.
///
/// # Errors
/// [`Mismatch`]: another shape, NaN or an infinity in another place, or an error above the bound.
///
/// # Example
/// ```
/// use candle_core::{Device, Tensor};
/// use sconce_testkit::golden::{compare, Bound};
///
/// let expected = Tensor::new(&[3f64, 4.], &Device::Cpu)?;
/// let close = Tensor::new(&[3f64, 4. + 1e-11], &Device::Cpu)?;
/// compare("out.0", &close, &expected, Bound::F64)?;
/// let far = Tensor::new(&[3f64, 4.5], &Device::Cpu)?;
/// let message = compare("out.0", &far, &expected, Bound::F64).unwrap_err().to_string();
/// assert!(message.starts_with("out.0: error 5.00e-1 with ‖expected‖ = 5.00e0"));
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn compare(name: &str, actual: &Tensor, expected: &Tensor, bound: Bound) -> Result<(), Mismatch> {
    difference(actual, expected, bound).map_err(|difference| Mismatch {
        name: name.to_owned(),
        difference: Box::new(difference),
    })
}

#[allow(clippy::result_large_err, reason = "boxed by its only caller")]
fn difference(actual: &Tensor, expected: &Tensor, bound: Bound) -> Result<(), Difference> {
    if actual.dims() != expected.dims() {
        return Err(Difference::Shape {
            actual: actual.dims().to_vec(),
            expected: expected.dims().to_vec(),
        });
    }
    let flat = |x: &Tensor| x.flatten_all()?.to_dtype(DType::F64)?.to_vec1::<f64>();
    let (a, b) = (flat(actual)?, flat(expected)?);
    let exact = !actual.dtype().is_float() || !expected.dtype().is_float();
    let (mut error, mut norm) = (0.0, 0.0);
    let mut worst = (0, 0.0, 0.0);
    let mut most = -1.0;
    for (position, (&actual_value, &expected_value)) in a.iter().zip(&b).enumerate() {
        if !actual_value.is_finite() || !expected_value.is_finite() {
            let both_nan = actual_value.is_nan() && expected_value.is_nan();
            if actual_value != expected_value && !both_nan {
                let index = unravel(position, actual.dims());
                return Err(Difference::NotFinite {
                    index,
                    actual: actual_value,
                    expected: expected_value,
                });
            }
            continue;
        }
        let distance = (actual_value - expected_value).abs();
        error += distance * distance;
        norm += expected_value * expected_value;
        if distance > most {
            most = distance;
            worst = (position, actual_value, expected_value);
        }
    }
    let (error, norm) = (error.sqrt(), norm.sqrt());
    let allowed = if exact {
        0.0
    } else {
        bound.rtol * norm + bound.atol
    };
    if error <= allowed {
        return Ok(());
    }
    let (position, actual_value, expected_value) = worst;
    Err(Difference::Values {
        error,
        norm,
        allowed,
        shape: actual.dims().to_vec(),
        index: unravel(position, actual.dims()),
        actual: actual_value,
        expected: expected_value,
    })
}

fn unravel(mut position: usize, dims: &[usize]) -> Vec<usize> {
    let mut index: Vec<usize> = Vec::with_capacity(dims.len());
    for size in dims.iter().rev() {
        index.push(position % size);
        position /= size;
    }
    index.reverse();
    index
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    type Check = std::result::Result<(), Box<dyn std::error::Error>>;

    #[test]
    fn agreement_is_by_norm() -> Check {
        let nan = f64::NAN;
        let inf = f64::INFINITY;
        // expected, actual, the beginning of the message (empty: they agree)
        let table: &[(&[f64], &[f64], &str)] = &[
            (&[3., 4.], &[3., 4. + 4e-10], ""),
            (
                &[3., 4.],
                &[3., 4. + 6e-10],
                "t: error 6.00e-10 with ‖expected‖ = 5.00e0, allowed 5.0e-10; worst at [1] of [2]",
            ),
            (&[0., 0.], &[0., 1e-13], ""),
            (&[0., 0.], &[0., 1e-11], "t: error 1.00e-11"),
            (&[1., 1e6], &[1. + 1e-5, 1e6], ""),
            (&[nan, inf, -inf, 1.], &[nan, inf, -inf, 1.], ""),
            (&[nan, 1.], &[0., 1.], "t: 0 instead of NaN at [0]"),
            (&[1., 1.], &[1., nan], "t: NaN instead of 1 at [1]"),
            (&[inf, 1.], &[-inf, 1.], "t: -inf instead of inf at [0]"),
            (&[1., 1.], &[1.], "t: shape [1] instead of [2]"),
            (&[], &[], ""),
        ];
        for (expected, actual, start) in table {
            let tensor = |v: &[f64]| Tensor::from_slice(v, v.len(), &Device::Cpu);
            let message = match compare("t", &tensor(actual)?, &tensor(expected)?, Bound::F64) {
                Ok(()) => String::new(),
                Err(mismatch) => mismatch.to_string(),
            };
            assert_eq!(
                message.is_empty(),
                start.is_empty(),
                "{actual:?} for {expected:?}: {message}"
            );
            assert!(message.starts_with(start), "{message}");
        }
        Ok(())
    }

    #[test]
    fn whole_numbers_must_be_equal() -> Check {
        let expected = Tensor::new(&[1_000_000i64, 2], &Device::Cpu)?;
        compare("count", &expected, &expected, Bound::F32)?;
        let off = Tensor::new(&[1_000_001i64, 2], &Device::Cpu)?;
        assert!(compare("count", &off, &expected, Bound::F32).is_err());
        assert!(compare("count", &off.to_dtype(DType::F64)?, &expected, Bound::F32).is_err());
        let single = Tensor::new(&[1f32 / 3.], &Device::Cpu)?;
        compare(
            "third",
            &single,
            &Tensor::new(&[1f64 / 3.], &Device::Cpu)?,
            Bound::F32,
        )?;
        Ok(())
    }
}
