use super::*;
use candle_core::{DType, Device, Var};
use proptest::prelude::*;
use sconce_core::Error;
use sconce_kernels::simd::{Level, with_level};
use sconce_testkit::golden::{Bound, compare};
use sconce_testkit::property::check_thread_independence;
use sconce_testkit::{GradCheck, Layout, Random};

const REDUCTIONS: [Reduction; 3] = [Reduction::None, Reduction::Mean, Reduction::Sum];

#[test]
fn gradients_are_right_for_both_arguments() {
    let mut random = Random::new(1);
    let x = random.normal((3, 5), DType::F64).unwrap();
    let y = random.normal((3, 5), DType::F64).unwrap();
    for reduction in REDUCTIONS {
        let check = GradCheck {
            layouts: Layout::ALL,
            ..GradCheck::default()
        };
        check.assert(&[("input", &x), ("target", &y)], &[], |t| {
            mse(&t[0], &t[1], reduction)
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(32))]
    #[test]
    fn kernel_is_composite(seed: u64, rank in 0usize..4, reduction in 0usize..3, single: bool) {
        let (dtype, bound) = if single { (DType::F32, Bound::F32) } else { (DType::F64, Bound::F64) };
        let mut random = Random::new(seed);
        let shape = random.shape(rank, 9);
        let x = Var::from_tensor(&random.normal(shape.clone(), dtype)?)?;
        let y = Var::from_tensor(&random.normal(shape, dtype)?)?;
        let reduction = REDUCTIONS[reduction];
        let oracle = composite(&x, &y, reduction)?;
        let expected = oracle.sqr()?.sum_all()?.backward()?;
        for level in Level::available() {
            let (loss, gradients) = with_level(level, || {
                let loss = mse(&x, &y, reduction)?;
                let gradients = loss.sqr()?.sum_all()?.backward()?;
                Ok::<_, candle_core::Error>((loss, gradients))
            })?;
            compare("loss", &loss, &oracle, bound)?;
            for var in [&x, &y] {
                compare("gradient", gradients.get(var).unwrap(), expected.get(var).unwrap(), bound)?;
            }
        }
    }
}

#[test]
fn many_elements_have_the_same_bits_for_any_number_of_threads() {
    let mut random = Random::new(2);
    let x = Var::from_tensor(&random.normal(200_003, DType::F32).unwrap()).unwrap();
    let y = random.normal(200_003, DType::F32).unwrap();
    check_thread_independence(|| {
        let loss = mse(&x, &y, Reduction::Mean)?;
        let gradient = loss.backward()?.remove(&x).unwrap_or(x.zeros_like()?);
        Ok(vec![loss, mse(&x, &y, Reduction::None)?, gradient])
    })
    .unwrap();
    let expected = composite(
        &x.to_dtype(DType::F64).unwrap(),
        &y.to_dtype(DType::F64).unwrap(),
        Reduction::Mean,
    )
    .unwrap();
    compare(
        "mean",
        &mse(&x, &y, Reduction::Mean).unwrap(),
        &expected,
        Bound { rtol: 1e-6, atol: 0. },
    )
    .unwrap();
}

#[test]
fn only_what_is_tracked_gets_a_gradient() {
    let x = Var::new(&[1f32, 2.], &Device::Cpu).unwrap();
    let y = Tensor::new(&[3f32, 2.], &Device::Cpu).unwrap();
    let gradients = mse(&y, &x, Reduction::Sum).unwrap().backward().unwrap();
    assert_eq!(gradients.get(&x).unwrap().to_vec1::<f32>().unwrap(), [-4., 0.]);
    assert!(gradients.get(&y).is_none());
    assert!(!mse(&y, &y, Reduction::Sum).unwrap().track_op());
}

#[test]
fn nothing_and_bad_arguments() {
    let device = &Device::Cpu;
    let none = Tensor::zeros((0, 3), DType::F32, device).unwrap();
    assert!(
        mse(&none, &none, Reduction::Mean)
            .unwrap()
            .to_scalar::<f32>()
            .unwrap()
            .is_nan()
    );
    assert_eq!(
        mse(&none, &none, Reduction::Sum)
            .unwrap()
            .to_scalar::<f32>()
            .unwrap(),
        0.
    );
    let x = Tensor::zeros((2, 3), DType::F32, device).unwrap();
    for (target, message) in [
        (
            Tensor::zeros((2, 1), DType::F32, device),
            "mse: target has shape [2, 1], expected [2, 3], the input's",
        ),
        (
            Tensor::zeros((2, 3), DType::F64, device),
            "mse: target has dtype F64, expected F32, the input's",
        ),
    ] {
        let error = mse(&x, &target.unwrap(), Reduction::Mean).unwrap_err();
        assert_eq!(Error::from(error).to_string(), message);
    }
}
