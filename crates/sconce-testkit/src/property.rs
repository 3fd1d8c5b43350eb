//! Laws that layers obey: what property tests need, whatever framework draws their cases.
//!
//! Random shapes and tensors come from [`Random`], layouts of the same values from [`Layout`](crate::Layout).

use candle_core::{DType, Result, Tensor};

use crate::Random;

/// A law that does not hold.
#[derive(Debug, thiserror::Error)]
pub enum Broken {
    /// Two tensors that should have the same bits differ.
    #[error("{what}: {left} and {right} at flat position {position}")]
    Bits {
        /// What was compared.
        what: String,
        /// The first position that differs.
        position: usize,
        /// The value on the left.
        left: String,
        /// The value on the right.
        right: String,
    },
    /// Two tensors that should have the same bits have another shape or type.
    #[error("{what}: {left} and {right}")]
    Form {
        /// What was compared.
        what: String,
        /// Type and shape on the left.
        left: String,
        /// Type and shape on the right.
        right: String,
    },
    /// The function failed.
    #[error("the function failed: {0}")]
    Function(#[from] candle_core::Error),
    /// No pool with this number of threads could be started.
    #[error("cannot start {threads} threads: {reason}")]
    Threads {
        /// How many were asked for.
        threads: usize,
        /// The system's reason.
        reason: String,
    },
}

/// Checks that two tensors have the same shape, type and bits. NaN equals a NaN of the same bits; 0 and −0 differ.
///
/// # Errors
/// [`Broken::Bits`] names the first element that differs; [`Broken::Form`] if shape or type do.
///
/// # Example
/// ```
/// use candle_core::{Device, Tensor};
/// use sconce_testkit::property::check_same_bits;
///
/// let x = Tensor::new(&[1f32, 2.], &Device::Cpu)?;
/// check_same_bits("a copy", &x, &x.copy()?)?;
/// assert!(check_same_bits("another", &x, &(&x + 1e-7)?).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check_same_bits(what: &str, left: &Tensor, right: &Tensor) -> std::result::Result<(), Broken> {
    if left.dims() != right.dims() || left.dtype() != right.dtype() {
        let form = |x: &Tensor| format!("{:?} {:?}", x.dtype(), x.dims());
        return Err(Broken::Form {
            what: what.to_owned(),
            left: form(left),
            right: form(right),
        });
    }
    let (a, b) = (bits(left)?, bits(right)?);
    match a.iter().zip(&b).position(|(a, b)| a != b) {
        None => Ok(()),
        Some(position) => {
            let show = |x: &Tensor| -> Result<String> {
                let value = x
                    .flatten_all()?
                    .get(position)?
                    .to_dtype(DType::F64)?
                    .to_scalar::<f64>()?;
                Ok(format!("{value:e}"))
            };
            let (left, right) = (show(left)?, show(right)?);
            Err(Broken::Bits {
                what: what.to_owned(),
                position,
                left,
                right,
            })
        }
    }
}

fn bits(x: &Tensor) -> Result<Vec<u64>> {
    let x = x.flatten_all()?;
    Ok(match x.dtype() {
        DType::F64 => x.to_vec1::<f64>()?.into_iter().map(f64::to_bits).collect(),
        DType::F32 => x
            .to_vec1::<f32>()?
            .into_iter()
            .map(|v| u64::from(v.to_bits()))
            .collect(),
        DType::U8 => x.to_vec1::<u8>()?.into_iter().map(u64::from).collect(),
        DType::U32 => x.to_vec1::<u32>()?.into_iter().map(u64::from).collect(),
        DType::I64 => x.to_vec1::<i64>()?.into_iter().map(|v| v as u64).collect(),
        // Every narrower float is exact in f32.
        _ => x
            .to_dtype(DType::F32)?
            .to_vec1::<f32>()?
            .into_iter()
            .map(|v| u64::from(v.to_bits()))
            .collect(),
    })
}

/// The samples of `x` along its first axis in a random order, with that order (u32): `y[i] = x[order[i]]`.
///
/// # Errors
/// `x` is a scalar.
pub fn permute_batch(x: &Tensor, random: &mut Random) -> Result<(Tensor, Tensor)> {
    let order: Vec<u32> = random
        .permutation(x.dim(0)?)
        .into_iter()
        .map(|i| i as u32)
        .collect();
    let order = Tensor::new(order, x.device())?;
    Ok((x.index_select(&order, 0)?, order))
}

/// Checks that a function treats each sample (first axis) by itself: samples in another order give the same bits in that
/// order.
///
/// # Errors
/// [`Broken`] with the first difference.
///
/// # Example
/// ```
/// use candle_core::{DType, D};
/// use sconce_testkit::{property::check_batch_order, Random};
///
/// let mut random = Random::new(1);
/// let x = random.normal((4, 3), DType::F32)?;
/// check_batch_order(&x, &mut random, |x| x.tanh())?;
/// assert!(check_batch_order(&x, &mut random, |x| x.cumsum(0)).is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check_batch_order(
    x: &Tensor,
    random: &mut Random,
    f: impl Fn(&Tensor) -> Result<Tensor>,
) -> std::result::Result<(), Broken> {
    let (permuted, order) = permute_batch(x, random)?;
    let expected = f(x)?.index_select(&order, 0)?;
    check_same_bits("the batch in another order", &f(&permuted)?, &expected)
}

/// Checks that a sample's result doesn't depend on the rest of its batch: each sample alone gives the bits that it gives among
/// the others.
///
/// # Errors
/// [`Broken`] with the first difference.
pub fn check_batch_independence(
    x: &Tensor,
    f: impl Fn(&Tensor) -> Result<Tensor>,
) -> std::result::Result<(), Broken> {
    let together = f(x)?;
    for i in 0..x.dim(0)? {
        let alone = f(&x.narrow(0, i, 1)?)?;
        check_same_bits(
            &format!("sample {i} alone and in its batch"),
            &alone,
            &together.narrow(0, i, 1)?,
        )?;
    }
    Ok(())
}

/// Checks that a computation gives the same bits with 1, 2 and 3 threads of rayon.
///
/// It runs inside a pool of each size, so everything that splits its work by rayon's current pool is covered.
///
/// # Errors
/// [`Broken`] with the first difference.
///
/// # Example
/// ```
/// use candle_core::DType;
/// use sconce_testkit::{property::check_thread_independence, Random};
///
/// let x = Random::new(1).normal((64, 64), DType::F32)?;
/// check_thread_independence(|| Ok(vec![x.matmul(&x)?]))?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub fn check_thread_independence(
    f: impl Fn() -> Result<Vec<Tensor>> + Sync,
) -> std::result::Result<(), Broken> {
    let mut first: Option<Vec<Tensor>> = None;
    for threads in 1..=3 {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(threads)
            .build()
            .map_err(|e| Broken::Threads {
                threads,
                reason: e.to_string(),
            })?;
        let outputs = pool.install(&f)?;
        match &first {
            None => first = Some(outputs),
            Some(expected) => {
                for (k, (actual, expected)) in outputs.iter().zip(expected).enumerate() {
                    check_same_bits(
                        &format!("output {k} with {threads} threads and with one"),
                        actual,
                        expected,
                    )?;
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use candle_core::Device;

    type Check = std::result::Result<(), Box<dyn std::error::Error>>;

    fn message(result: std::result::Result<(), Broken>) -> String {
        result.expect_err("the law must be broken").to_string()
    }

    #[test]
    fn bits_are_compared() -> Check {
        let device = &Device::Cpu;
        let x = Tensor::new(&[0f32, 1., f32::NAN], device)?;
        check_same_bits("itself", &x, &x)?;
        let negative = Tensor::new(&[-0f32, 1., f32::NAN], device)?;
        assert_eq!(
            message(check_same_bits("zeros", &x, &negative)),
            "zeros: 0e0 and -0e0 at flat position 0"
        );
        let long = Tensor::new(&[0f32], device)?;
        assert_eq!(
            message(check_same_bits("sizes", &x, &long)),
            "sizes: F32 [3] and F32 [1]"
        );
        assert!(message(check_same_bits("types", &x, &x.to_dtype(DType::F64)?)).contains("F64"));
        for dtype in [
            DType::F64,
            DType::BF16,
            DType::F16,
            DType::U8,
            DType::U32,
            DType::I64,
        ] {
            let one = Tensor::new(&[1f32, 2.], device)?.to_dtype(dtype)?;
            let two = Tensor::new(&[1f32, 3.], device)?.to_dtype(dtype)?;
            check_same_bits("itself", &one, &one)?;
            assert!(
                message(check_same_bits("others", &one, &two)).contains("2e0 and 3e0 at flat position 1")
            );
        }
        Ok(())
    }

    #[test]
    fn a_function_that_mixes_its_batch_is_caught() -> Check {
        let mut random = Random::new(1);
        let x = random.normal((5, 3), DType::F64)?;
        let centre = |x: &Tensor| x.broadcast_sub(&x.mean_keepdim(0)?);
        check_batch_independence(&x, |x| x.exp()?.cumsum(1))?;
        assert!(message(check_batch_independence(&x, centre)).starts_with("sample 0 alone and in its batch"));
        check_batch_order(&x, &mut random, |x| x.exp()?.cumsum(1))?;
        let by_position = |x: &Tensor| x.broadcast_mul(&Tensor::arange(0f64, 5., x.device())?.unsqueeze(1)?);
        assert!(
            message(check_batch_order(&x, &mut random, by_position))
                .starts_with("the batch in another order")
        );
        Ok(())
    }

    #[test]
    fn a_result_that_depends_on_threads_is_caught() -> Check {
        check_thread_independence(|| Ok(vec![Tensor::ones((4, 4), DType::F32, &Device::Cpu)?.sum_all()?]))?;
        let threads = || {
            Ok(vec![Tensor::new(
                rayon::current_num_threads() as u32,
                &Device::Cpu,
            )?])
        };
        let expected = "output 0 with 2 threads and with one: 2e0 and 1e0 at flat position 0";
        assert_eq!(message(check_thread_independence(threads)), expected);
        Ok(())
    }
}
