use super::*;
use crate::tests::{Check, assert_same};
use candle_core::{DType, Device, Var};
use sconce_testkit::golden::Bound;
use sconce_testkit::property::check_thread_independence;
use sconce_testkit::{GradCheck, Layout, Random};

fn gradient(x: &Tensor, f: impl Fn(&Tensor) -> Result<Tensor>) -> Result<Vec<Tensor>> {
    let x = Var::from_tensor(x)?;
    let y = f(&x)?;
    // Only the gradient's own weights, so that a NaN in the output doesn't spread.
    let weights = Random::new(6).normal(y.shape(), y.dtype())?;
    let loss = y.eq(&y)?.where_cond(&(&y * &weights)?, &y.zeros_like()?)?;
    let grads = loss.sum_all()?.backward()?;
    Ok(vec![
        y.detach(),
        grads.get(&x).cloned().unwrap_or(x.zeros_like()?),
    ])
}

/// Few different values, so that there are many ties, with NaN among them.
#[test]
fn maxima_equal_composites() -> Check {
    for seed in 0..60 {
        let mut random = Random::new(seed);
        let shape = [(); 3].map(|()| random.integer(1, 8));
        let values: Vec<f64> = (0..shape.iter().product())
            .map(|_| match random.integer(0, 12) {
                0 => f64::NAN,
                1 => f64::NEG_INFINITY,
                n => n as f64,
            })
            .collect();
        let x = Tensor::from_vec(values, shape.as_slice(), &Device::Cpu)?;
        for (dim, length) in shape.into_iter().enumerate() {
            let ranges = of(length, random.integer(1, 10));
            let kernel = gradient(&x, |x| max_along(x, dim, ranges.clone()))?;
            let oracle = gradient(&x, |x| max_along_composite(x, dim, &ranges))?;
            assert_same(&kernel, &oracle, Bound::F64);
        }
    }
    Ok(())
}

fn gradcheck<const N: usize>(size: [usize; N], output_size: [Option<usize>; N]) -> Check {
    let cfg = AdaptivePoolConfig { output_size };
    let (avg, max) = (AdaptiveAvgPool::new(&cfg)?, AdaptiveMaxPool::new(&cfg)?);
    let mut shape = vec![2, 3];
    shape.extend(size);
    let x = Random::new(4).normal(shape, DType::F64)?;
    let check = GradCheck {
        layouts: Layout::ALL,
        ..GradCheck::default()
    };
    check.check(&[("x", &x)], &[], |x: &[Tensor]| avg.forward(&x[0]))?;
    check.check(&[("x", &x)], &[], |x: &[Tensor]| max.forward(&x[0]))?;
    for (axis, wanted) in output_size.iter().enumerate() {
        assert_eq!(avg.forward(&x)?.dim(axis + 2)?, wanted.unwrap_or(size[axis]));
    }
    Ok(())
}

#[test]
fn gradients() -> Check {
    gradcheck([7], [Some(3)])?;
    gradcheck([3], [Some(5)])?;
    gradcheck([5, 6], [Some(1), Some(1)])?;
    gradcheck([5, 4], [None, Some(3)])?;
    gradcheck([3, 4, 5], [Some(2), None, Some(7)])
}

#[test]
fn the_first_of_equals_in_row_major_order_takes_the_whole_gradient() -> Check {
    let x = Var::from_tensor(&Tensor::new(
        &[[[[1f32, 7., 7.], [7., 7., 3.], [7., 0., 7.]]]],
        &Device::Cpu,
    )?)?;
    let pool = AdaptiveMaxPool2d::new(&AdaptivePoolConfig::new(1))?;
    let grads = pool.forward(&x)?.sum_all()?.backward()?;
    let got = grads.get(&x).ok_or("no gradient")?.flatten_all()?;
    assert_eq!(got.to_vec1::<f32>()?, [0., 1., 0., 0., 0., 0., 0., 0., 0.]);
    Ok(())
}

#[test]
fn threads_do_not_change_a_bit() -> Check {
    let x = Random::new(2).normal((9, 20, 33, 31), DType::F32)?;
    let cfg = AdaptivePoolConfig::new((7, 5));
    let (avg, max) = (AdaptiveAvgPool2d::new(&cfg)?, AdaptiveMaxPool2d::new(&cfg)?);
    check_thread_independence(|| gradient(&x, |x| avg.forward(x)))?;
    Ok(check_thread_independence(|| gradient(&x, |x| max.forward(x)))?)
}

#[test]
fn bad_options_and_shapes_are_named() -> Check {
    let error = AdaptiveAvgPool2d::new(&AdaptivePoolConfig::new((3, 0)));
    assert_eq!(
        error.err().ok_or("accepted")?.to_string(),
        "AdaptiveAvgPool2d: output_size is [Some(3), Some(0)], expected at least 1 on every axis"
    );
    let pool = AdaptiveMaxPool3d::new(&AdaptivePoolConfig::new(2))?;
    for (dims, expected) in [
        (vec![2, 3, 4, 4], "[batch, channels, depth, height, width]"),
        (vec![2, 3, 4, 0, 4], "a height of at least 1"),
    ] {
        let x = Tensor::zeros(dims.as_slice(), DType::F32, &Device::Cpu)?;
        let error = Error::from(pool.forward(&x).err().ok_or("accepted")?);
        assert_eq!(
            error.to_string(),
            format!("AdaptiveMaxPool3d: input has shape {dims:?}, expected {expected}")
        );
    }
    let none = Tensor::zeros((0, 3, 4, 4, 4), DType::F32, &Device::Cpu)?;
    assert_eq!(pool.forward(&none)?.dims(), [0, 3, 2, 2, 2]);
    Ok(())
}
