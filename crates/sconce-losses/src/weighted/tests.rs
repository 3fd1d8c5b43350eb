use crate::weighted::{MeanOver, composed};
use crate::{Reduction, huber, huber_weighted, l1, l1_weighted, mse, mse_weighted};
use candle_core::{DType, Device, Result, Tensor, Var};
use proptest::prelude::*;
use sconce_core::Error;
use sconce_kernels::simd::{Level, with_level};
use sconce_testkit::golden::{Bound, compare};
use sconce_testkit::property::check_thread_independence;
use sconce_testkit::{GradCheck, Layout, Random};

const REDUCTIONS: [Reduction; 3] = [Reduction::None, Reduction::Mean, Reduction::Sum];

/// The losses by number, and their names.
const NAMES: [&str; 3] = ["mse_weighted", "l1_weighted", "huber_weighted"];

fn loss(kind: usize, x: &Tensor, y: &Tensor, w: &Tensor, reduction: Reduction) -> Result<Tensor> {
    match kind {
        0 => mse_weighted(x, y, w, reduction),
        1 => l1_weighted(x, y, w, reduction),
        _ => huber_weighted(x, y, w, 0.7, reduction),
    }
}

/// The same from candle operations.
fn composite(kind: usize, x: &Tensor, y: &Tensor, w: &Tensor, reduction: Reduction) -> Result<Tensor> {
    let d = (x - y)?;
    match kind {
        0 => composed(&d.sqr()?, w, MeanOver::Weights, reduction),
        1 => composed(&crate::l1::absolute(&d)?, w, MeanOver::Weights, reduction),
        _ => composed(&crate::huber::bent(&d, 0.7)?, w, MeanOver::Elements, reduction),
    }
}

fn weights(random: &mut Random, shape: &[usize], dtype: DType) -> Tensor {
    random.uniform(shape, 0.1, 2., dtype).unwrap()
}

#[test]
fn gradients_are_right_for_every_argument() {
    let mut random = Random::new(1);
    let x = random.normal((3, 5), DType::F64).unwrap();
    let y = random.normal((3, 5), DType::F64).unwrap();
    for kind in 0..3 {
        for shape in [&[3, 5][..], &[3, 1], &[5], &[1, 1], &[]] {
            let w = weights(&mut random, shape, DType::F64);
            for reduction in REDUCTIONS {
                // A mean over the weights doesn't depend on a weight that all share.
                if w.elem_count() == 1 && kind < 2 && reduction == Reduction::Mean {
                    continue;
                }
                let check = GradCheck {
                    layouts: Layout::ALL,
                    ..GradCheck::default()
                };
                let inputs = [("input", &x), ("target", &y), ("weight", &w)];
                check.assert(&inputs, &[], |t| loss(kind, &t[0], &t[1], &t[2], reduction));
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(96))]
    #[test]
    fn kernels_are_composites(
        seed: u64, rank in 0usize..4, kind in 0usize..3, reduction in 0usize..3, single: bool, strided: bool,
        short in 0usize..8, left_out in 0usize..4,
    ) {
        let (dtype, bound) = if single { (DType::F32, Bound::F32) } else { (DType::F64, Bound::F64) };
        let mut random = Random::new(seed);
        let shape = random.shape(rank, 9);
        // Some of the weight's axes are 1, and some of the first aren't there.
        let axis = |(i, &length): (usize, &usize)| if short >> i & 1 == 1 { 1 } else { length };
        let of_weight: Vec<usize> = shape.iter().enumerate().map(axis).skip(left_out).collect();
        let layout = if strided { Layout::Transposed } else { Layout::Contiguous };
        let mut variable = || Var::from_tensor(&random.normal(shape.clone(), dtype)?);
        let (x, y) = (variable()?, variable()?);
        let w = Var::from_tensor(&weights(&mut random, &of_weight, dtype))?;
        let reduction = REDUCTIONS[reduction];
        // The oracle is in f64 for both.
        let [wide_x, wide_y, wide_w] = [&x, &y, &w].map(|var| var.to_dtype(DType::F64));
        let (wide_x, wide_y, wide_w) = (wide_x?, wide_y?, wide_w?);
        let oracle = composite(kind, &wide_x, &wide_y, &wide_w, reduction)?;
        let expected = oracle.sqr()?.sum_all()?.backward()?;
        // By a weight, the slope of a mean over weights is a difference: the element's loss less the mean, which may be next to
        // nothing. Each of the two has the type's error; this is their size, over the weight's elements together.
        let size = if kind < 2 && reduction == Reduction::Mean {
            let losses = composite(kind, &wide_x, &wide_y, &wide_w.ones_like()?, Reduction::Sum)?;
            let weights = wide_w.broadcast_as(shape.clone())?.sum_all()?;
            (2. * oracle.to_scalar::<f64>()?) * (losses / weights)?.to_scalar::<f64>()?
        } else {
            0.
        };
        for level in Level::available() {
            let (loss, gradients) = with_level(level, || {
                let [x, y, w] = [&x, &y, &w].map(|var| layout.apply(var));
                let loss = loss(kind, &x?, &y?, &w?, reduction)?;
                let gradients = loss.sqr()?.sum_all()?.backward()?;
                Ok::<_, candle_core::Error>((loss, gradients))
            })?;
            compare("loss", &loss, &oracle, bound)?;
            for (var, size) in [(&x, 0.), (&y, 0.), (&w, size)] {
                let (actual, expected) = (gradients.get(var).unwrap(), expected.get(var).unwrap());
                let bound = Bound { atol: bound.atol + bound.rtol * size, ..bound };
                compare("gradient", actual, expected, bound)?;
            }
        }
    }
}

#[test]
fn without_weights_it_is_the_plain_loss() {
    let mut random = Random::new(2);
    let x = random.normal((4, 3), DType::F64).unwrap();
    let y = random.normal((4, 3), DType::F64).unwrap();
    // The mean over weights forgets a factor that all have.
    for (scale, of_huber) in [(1., 1.), (3., 3.)] {
        let w = Tensor::full(scale, (4, 1), &Device::Cpu).unwrap();
        for (kind, name) in NAMES.into_iter().enumerate() {
            let (plain, factor) = match kind {
                0 => (mse(&x, &y, Reduction::Mean), 1.),
                1 => (l1(&x, &y, Reduction::Mean), 1.),
                _ => (huber(&x, &y, 0.7, Reduction::Mean), of_huber),
            };
            let expected = (plain.unwrap() * factor).unwrap();
            let actual = loss(kind, &x, &y, &w, Reduction::Mean).unwrap();
            compare(name, &actual, &expected, Bound::F64).unwrap();
        }
    }
}

#[test]
fn elements_without_weight_count_for_nothing() {
    let x = Var::new(&[1f64, 2., 5.], &Device::Cpu).unwrap();
    let y = Tensor::new(&[0f64, 0., 4.5], &Device::Cpu).unwrap();
    let w = Tensor::new(&[0f64, 0., 4.], &Device::Cpu).unwrap();
    // mean, slope by the last element
    for (kind, mean, slope) in [(0, 0.25, 1.), (1, 0.5, 1.), (2, 0.5 / 3., 2. / 3.)] {
        for loss in [loss, composite] {
            let loss = loss(kind, &x, &y, &w, Reduction::Mean).unwrap();
            assert!((loss.to_scalar::<f64>().unwrap() - mean).abs() < 1e-15);
            let gradient = loss
                .backward()
                .unwrap()
                .remove(&x)
                .unwrap()
                .to_vec1::<f64>()
                .unwrap();
            assert_eq!(gradient[..2], [0., 0.]);
            assert!((gradient[2] - slope).abs() < 1e-15, "{gradient:?}");
        }
    }
}

/// As in PyTorch: nothing over nothing, and an infinite loss whose weight is 0.
#[test]
fn where_nothing_counts_the_mean_is_nan() {
    let x = Tensor::new(&[1f32, 2.], &Device::Cpu).unwrap();
    let zeros = x.zeros_like().unwrap();
    let none = Tensor::zeros((0, 2), DType::F32, &Device::Cpu).unwrap();
    let infinite = Tensor::new(&[f32::INFINITY, 2.], &Device::Cpu).unwrap();
    let value = |loss: Result<Tensor>| loss.unwrap().to_scalar::<f32>().unwrap();
    for loss in [loss, composite] {
        for kind in 0..3 {
            let mean = value(loss(kind, &x, &zeros, &zeros, Reduction::Mean));
            assert!(if kind == 2 { mean == 0. } else { mean.is_nan() }, "{mean}");
            assert_eq!(value(loss(kind, &x, &zeros, &zeros, Reduction::Sum)), 0.);
            assert!(value(loss(kind, &none, &none, &x, Reduction::Mean)).is_nan());
            assert_eq!(value(loss(kind, &none, &none, &x, Reduction::Sum)), 0.);
            assert!(value(loss(kind, &infinite, &zeros, &zeros, Reduction::Sum)).is_nan());
        }
    }
}

#[test]
fn half_precision_is_computed_in_single() {
    for dtype in [DType::BF16, DType::F16] {
        let ones = Tensor::ones(3000, dtype, &Device::Cpu).unwrap();
        let x = Var::from_tensor(&ones).unwrap();
        let (y, w) = (ones.zeros_like().unwrap(), (&ones * 0.5).unwrap());
        for (kind, mean) in [(0, 1.), (1, 1.), (2, 0.5 * 0.455)] {
            let loss = loss(kind, &x, &y, &w, Reduction::Mean).unwrap();
            assert_eq!(loss.dtype(), dtype);
            let value = loss.to_dtype(DType::F32).unwrap().to_scalar::<f32>().unwrap();
            assert!((value - mean).abs() < 1e-3, "{dtype:?} {kind}: {value}");
            let gradient = loss.backward().unwrap().remove(&x).unwrap();
            assert_eq!(gradient.dtype(), dtype);
        }
    }
}

#[test]
fn many_elements_have_the_same_bits_for_any_number_of_threads() {
    let mut random = Random::new(3);
    let x = Var::from_tensor(&random.normal((3, 70_001), DType::F32).unwrap()).unwrap();
    let y = random.normal((3, 70_001), DType::F32).unwrap();
    let w = Var::from_tensor(&weights(&mut random, &[3, 70_001], DType::F32)).unwrap();
    for kind in 0..3 {
        check_thread_independence(|| {
            let mean = loss(kind, &x, &y, &w, Reduction::Mean)?;
            let gradients = mean.backward()?;
            let each = loss(kind, &x, &y, &w, Reduction::None)?;
            let gradient = |var: &Var| {
                Ok::<_, candle_core::Error>(gradients.get(var).cloned().unwrap_or(var.zeros_like()?))
            };
            Ok(vec![mean, each, gradient(&x)?, gradient(&w)?])
        })
        .unwrap();
        let wide = |x: &Tensor| x.to_dtype(DType::F64).unwrap();
        let expected = composite(kind, &wide(&x), &wide(&y), &wide(&w), Reduction::Mean).unwrap();
        let actual = loss(kind, &x, &y, &w, Reduction::Mean).unwrap();
        compare("mean", &actual, &expected, Bound { rtol: 1e-6, atol: 0. }).unwrap();
    }
}

#[test]
fn bad_arguments_are_named() {
    let device = &Device::Cpu;
    for dtype in [DType::F32, DType::F64, DType::BF16] {
        let x = Tensor::zeros((2, 3), dtype, device).unwrap();
        let ones = |shape: &[usize]| Tensor::ones(shape, dtype, device).unwrap();
        let with = |value: f64| {
            let mut all = vec![1.; 6];
            all[4] = value;
            Tensor::from_vec(all, (2, 3), device)
                .unwrap()
                .to_dtype(dtype)
                .unwrap()
        };
        let other = if dtype == DType::F64 {
            DType::F32
        } else {
            DType::F64
        };
        for (kind, name) in NAMES.into_iter().enumerate() {
            let says = |x: &Tensor, y: &Tensor, w: &Tensor, message: String| {
                let error = loss(kind, x, y, w, Reduction::Mean).unwrap_err();
                assert_eq!(Error::from(error).to_string(), format!("{name}: {message}"));
            };
            let shape = |w: &str| {
                format!("weight has shape {w}, expected one that broadcasts to [2, 3], the input's")
            };
            says(&x, &x, &ones(&[2]), shape("[2]"));
            says(&x, &x, &ones(&[4, 2, 3]), shape("[4, 2, 3]"));
            let message = format!("weight has dtype {other:?}, expected {dtype:?}, the input's");
            says(&x, &x, &ones(&[3]).to_dtype(other).unwrap(), message);
            for value in [-0.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
                says(
                    &x,
                    &x,
                    &with(value),
                    format!("weight[4] is {value}, expected a finite number, at least 0"),
                );
            }
            let message = "target has shape [3], expected [2, 3], the input's";
            says(&x, &ones(&[3]), &ones(&[3]), message.to_owned());
            let message = format!("target has dtype {other:?}, expected {dtype:?}, the input's");
            says(&x, &x.to_dtype(other).unwrap(), &ones(&[3]), message);
            let whole = x.to_dtype(DType::I64).unwrap();
            let message = "input has dtype I64, expected a floating-point type";
            says(&whole, &whole, &whole, message.to_owned());
        }
        for delta in [0., -1., f64::NAN, f64::INFINITY] {
            let error = huber_weighted(&x, &x, &ones(&[3]), delta, Reduction::Mean).unwrap_err();
            let expected = format!("huber_weighted: delta is {delta}, expected a finite number above 0");
            assert_eq!(Error::from(error).to_string(), expected);
        }
    }
}

/// The first bad weight of many, whichever thread sees another before it.
#[test]
fn the_first_of_several_bad_weights_is_named() {
    let mut values = vec![1f32; 200_000];
    values[150_000] = -1.;
    values[190_001] = f32::NAN;
    let w = Tensor::new(values, &Device::Cpu).unwrap();
    let error = mse_weighted(&w, &w, &w, Reduction::Mean).unwrap_err();
    let expected = "mse_weighted: weight[150000] is -1, expected a finite number, at least 0";
    assert_eq!(Error::from(error).to_string(), expected);
}
