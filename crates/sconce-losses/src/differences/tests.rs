use crate::{Reduction, huber, l1, smooth_l1};
use candle_core::{DType, Device, Result, Tensor, Var};
use proptest::prelude::*;
use sconce_kernels::simd::{Level, with_level};
use sconce_testkit::golden::{Bound, compare};
use sconce_testkit::property::check_thread_independence;
use sconce_testkit::{Layout, Random};

const REDUCTIONS: [Reduction; 3] = [Reduction::None, Reduction::Mean, Reduction::Sum];

/// The loss of two tensors, and the same from candle operations.
fn both(kind: usize, x: &Tensor, y: &Tensor, reduction: Reduction) -> [Result<Tensor>; 2] {
    match kind {
        0 => [l1(x, y, reduction), crate::l1::composite(x, y, reduction)],
        1 => [
            huber(x, y, 0.7, reduction),
            crate::huber::composite(x, y, 0.7, reduction),
        ],
        _ => {
            let beta = if kind == 2 { 0. } else { 0.7 };
            [
                smooth_l1(x, y, beta, reduction),
                crate::smooth_l1::composite(x, y, beta, reduction),
            ]
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn kernels_are_composites(
        seed: u64, rank in 0usize..4, kind in 0usize..4, reduction in 0usize..3, single: bool, strided: bool,
    ) {
        let (dtype, bound) = if single { (DType::F32, Bound::F32) } else { (DType::F64, Bound::F64) };
        let mut random = Random::new(seed);
        let shape = random.shape(rank, 9);
        let layout = if strided { Layout::Transposed } else { Layout::Contiguous };
        let mut variable = || Var::from_tensor(&random.normal(shape.clone(), dtype)?);
        let (x, y) = (variable()?, variable()?);
        let reduction = REDUCTIONS[reduction];
        let arranged = |x: &Var| layout.apply(x);
        let [_, oracle] = both(kind, &x, &y, reduction);
        let oracle = oracle?;
        let expected = oracle.sqr()?.sum_all()?.backward()?;
        for level in Level::available() {
            let (loss, gradients) = with_level(level, || {
                let [loss, _] = both(kind, &arranged(&x)?, &arranged(&y)?, reduction);
                let loss = loss?;
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
    // More than what goes past the cache.
    let x = Var::from_tensor(&random.normal(2_200_003, DType::F32).unwrap()).unwrap();
    let y = random.normal(2_200_003, DType::F32).unwrap();
    for kind in 0..4 {
        check_thread_independence(|| {
            let [mean, _] = both(kind, &x, &y, Reduction::Mean);
            let [each, _] = both(kind, &x, &y, Reduction::None);
            let mean = mean?;
            let gradient = mean.backward()?.remove(&x).unwrap_or(x.zeros_like()?);
            Ok(vec![mean, each?, gradient])
        })
        .unwrap();
    }
}

/// What lies among whole vectors and past them: PyTorch's slope of a NaN is one, but for L1, whose is 0.
#[test]
fn a_nan_stays_in_its_place() {
    for dtype in [DType::F32, DType::F64] {
        for place in [0, 5, 16, 18] {
            let mut values = [0.1f64; 19];
            values[place] = f64::NAN;
            let x = Tensor::new(&values, &Device::Cpu)
                .unwrap()
                .to_dtype(dtype)
                .unwrap();
            let x = Var::from_tensor(&x).unwrap();
            let y = x.zeros_like().unwrap();
            for kind in 0..4 {
                for level in Level::available() {
                    let (losses, slopes) = with_level(level, || {
                        let [losses, _] = both(kind, &x, &y, Reduction::None);
                        let losses = losses.unwrap();
                        let slopes = losses.backward().unwrap().remove(&x).unwrap();
                        (losses, slopes)
                    });
                    let nans = |x: Tensor| {
                        let values = x.to_dtype(DType::F64).unwrap().to_vec1::<f64>().unwrap();
                        values.iter().map(|value| value.is_nan()).collect::<Vec<_>>()
                    };
                    let expected = |there: bool| (0..19).map(|i| there && i == place).collect::<Vec<_>>();
                    assert_eq!(nans(losses), expected(true), "{kind} {level:?}");
                    // L1, and smooth L1 without a tip.
                    assert_eq!(
                        nans(slopes),
                        expected(![0, 2].contains(&kind)),
                        "{kind} {level:?}"
                    );
                }
            }
        }
    }
}
