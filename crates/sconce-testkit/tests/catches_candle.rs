//! candle 0.11.1 has operations whose gradient is wrong or missing. The check must find each of them.

use candle_core::{CpuStorage, CustomOp1, DType, Layout, Result, Shape, Tensor};
use sconce_testkit::gradcheck::Problem;
use sconce_testkit::{Random, check_gradients};

type Check = std::result::Result<(), Box<dyn std::error::Error>>;

#[test]
fn max_pool2d_has_a_wrong_gradient() -> Check {
    let x = Random::new(1).normal((2, 3, 4, 6), DType::F64)?;
    let error = check_gradients(&[("x", &x)], |x| x[0].max_pool2d(2))
        .err()
        .ok_or("candle's gradient passed")?;
    let Some(Problem::Wrong { name, worst, .. }) = error.problems.first() else {
        return Err(format!("another problem: {error}").into());
    };
    assert_eq!(name, "x");
    // It is divided by the number of cells in a window.
    assert!((worst.numeric / worst.analytic - 4.0).abs() < 1e-6, "{error}");
    Ok(())
}

#[test]
fn conv1d_has_a_wrong_weight_gradient() -> Check {
    let mut random = Random::new(2);
    let x = random.normal((3, 2, 7), DType::F64)?;
    let w = random.normal((4, 2, 3), DType::F64)?;
    let error = check_gradients(&[("x", &x), ("w", &w)], |t| t[0].conv1d(&t[1], 1, 1, 1, 1))
        .err()
        .ok_or("candle's gradient passed")?;
    let wrong: Vec<&str> = error
        .problems
        .iter()
        .filter_map(|p| {
            if let Problem::Wrong { name, .. } = p {
                Some(name.as_str())
            } else {
                None
            }
        })
        .collect();
    assert!(wrong.contains(&"w"), "{error}");
    assert!(!wrong.contains(&"x"), "{error}");
    Ok(())
}

/// A fused operation as candle_nn has several: forward alone, and nothing said about backward.
struct FusedDouble;

impl CustomOp1 for FusedDouble {
    fn name(&self) -> &'static str {
        "fused-double"
    }

    fn cpu_fwd(&self, storage: &CpuStorage, layout: &Layout) -> Result<(CpuStorage, Shape)> {
        let values = storage.as_slice::<f64>()?;
        Ok((
            CpuStorage::F64(values.iter().map(|x| 2.0 * x).collect()),
            layout.shape().clone(),
        ))
    }
}

#[test]
fn a_gradient_dropped_in_silence_is_named() -> Check {
    let mut random = Random::new(3);
    let (x, w) = (
        random.normal((2, 3), DType::F64)?,
        random.normal((3, 4), DType::F64)?,
    );
    let before = |t: &[Tensor]| t[0].matmul(&t[1].contiguous()?.apply_op1_no_bwd(&FusedDouble)?);
    let error = check_gradients(&[("x", &x), ("w", &w)], before)
        .err()
        .ok_or("the check passed")?;
    let missing: Vec<&str> = error
        .problems
        .iter()
        .filter_map(|p| {
            if let Problem::Missing { name, .. } = p {
                Some(name.as_str())
            } else {
                None
            }
        })
        .collect();
    assert!(
        !missing.is_empty() && missing.iter().all(|name| *name == "w"),
        "{error}"
    );
    Ok(())
}

#[test]
fn what_candle_has_right_passes() -> Check {
    let mut random = Random::new(4);
    let x = random.normal((2, 3, 6, 5), DType::F64)?;
    let w = random.normal((4, 3, 3, 2), DType::F64)?;
    check_gradients(&[("x", &x), ("w", &w)], |t| t[0].conv2d(&t[1], 1, 1, 1, 1))?;
    let (a, b) = (
        random.normal((2, 3, 4), DType::F64)?,
        random.normal((2, 4, 5), DType::F64)?,
    );
    check_gradients(&[("a", &a), ("b", &b)], |t| t[0].matmul(&t[1])?.tanh())?;
    let row = random.normal((1, 4), DType::F64)?;
    // A broadcast input: one row seen three times.
    check_gradients(&[("row", &row)], |t| t[0].broadcast_as((3, 4))?.exp()?.cumsum(1))?;
    check_gradients(&[("a", &a), ("row", &row)], |t| t[0].broadcast_mul(&t[1])?.silu())?;
    Ok(())
}
