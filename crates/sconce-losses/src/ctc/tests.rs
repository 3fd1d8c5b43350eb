use super::*;
use candle_core::{D, DType, Device, Var};
use proptest::prelude::*;
use sconce_core::Error;
use sconce_kernels::simd::{Level, with_level};
use sconce_testkit::golden::{Bound, compare};
use sconce_testkit::property::check_thread_independence;
use sconce_testkit::{GradCheck, Layout, Random};

const REDUCTIONS: [Reduction; 3] = [Reduction::None, Reduction::Mean, Reduction::Sum];

fn log_softmax(x: &Tensor) -> Result<Tensor> {
    let x = x.broadcast_sub(&x.detach().max_keepdim(D::Minus1)?)?;
    x.broadcast_sub(&x.exp()?.sum_keepdim(D::Minus1)?.log()?)
}

fn numbers(tensor: &Tensor) -> Vec<f64> {
    let flat = tensor.flatten_all().unwrap().to_dtype(DType::F64).unwrap();
    flat.to_vec1().unwrap()
}

fn padded(rows: &[&[u32]]) -> Tensor {
    let longest = rows.iter().map(|row| row.len()).max().unwrap();
    let values: Vec<u32> = rows
        .iter()
        .flat_map(|row| row.iter().copied().chain(std::iter::repeat(0)).take(longest))
        .collect();
    Tensor::from_vec(values, (rows.len(), longest), &Device::Cpu).unwrap()
}

/// The definition: the sum over all ways to label the frames.
fn by_enumeration(log_probs: &[Vec<f64>], labels: &[usize], blank: usize) -> f64 {
    let (frames, classes) = (log_probs.len(), log_probs[0].len());
    let mut sum = 0.;
    for path in 0..classes.pow(frames as u32) {
        let path: Vec<usize> = (0..frames)
            .map(|t| path / classes.pow(t as u32) % classes)
            .collect();
        let mut spelt = path.clone();
        spelt.dedup();
        spelt.retain(|class| *class != blank);
        if spelt == labels {
            sum += path
                .iter()
                .zip(log_probs)
                .map(|(&class, frame)| frame[class])
                .sum::<f64>()
                .exp();
        }
    }
    -sum.ln()
}

#[test]
fn it_is_the_sum_over_all_alignments() {
    let mut random = Random::new(1);
    for (frames, labels, blank) in [
        (1, vec![], 0),
        (4, vec![], 1),
        (1, vec![2], 0),
        (5, vec![1, 2], 0),
        (5, vec![1, 1], 0),
        (6, vec![0, 1, 0], 2),
        (5, vec![1, 1, 1], 0),
        (3, vec![1, 1], 0),
        (2, vec![1, 1], 0),
    ] {
        let x = log_softmax(&random.normal((frames, 3), DType::F64).unwrap()).unwrap();
        let expected = by_enumeration(&x.to_vec2().unwrap(), &labels, blank);
        let targets: Vec<i64> = labels.iter().map(|&label| label as i64).collect();
        let targets = Tensor::from_vec(targets, labels.len(), &Device::Cpu).unwrap();
        let cfg = CtcConfig {
            blank,
            ..CtcConfig::default()
        };
        let loss = ctc(&x, &targets, &[frames], &[labels.len()], &cfg, Reduction::None).unwrap();
        assert_eq!(loss.rank(), 0);
        let loss = loss.to_scalar::<f64>().unwrap();
        let near = loss == expected || (loss - expected).abs() < 1e-13 * expected;
        assert!(near, "{frames} frames, {labels:?}: {loss}, not {expected}");
    }
}

#[test]
fn gradients_are_right_through_log_softmax() {
    let mut random = Random::new(2);
    let x = random.normal((7, 3, 4), DType::F64).unwrap();
    let targets = padded(&[&[1, 2, 2], &[3], &[1, 3, 1]]);
    for reduction in REDUCTIONS {
        let check = GradCheck {
            layouts: Layout::ALL,
            ..GradCheck::default()
        };
        check.assert(&[("x", &x)], &[], |x| {
            let log_probs = log_softmax(&x[0])?;
            ctc(
                &log_probs,
                &targets,
                &[7, 4, 5],
                &[3, 1, 0],
                &CtcConfig::default(),
                reduction,
            )
        });
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]
    #[test]
    fn kernel_is_composite(
        seed: u64, rows in 1usize..4, frames in 1usize..40, longest in 0usize..12, classes in 2usize..7,
        blank in 0usize..7, reduction in 0usize..3, single: bool,
    ) {
        let (dtype, bound) = if single { (DType::F32, Bound::F32) } else { (DType::F64, Bound::F64) };
        let mut random = Random::new(seed);
        let blank = blank % classes;
        let labels: Vec<u32> = (0..rows * longest)
            .map(|_| ((blank + 1 + random.integer(0, classes - 1)) % classes) as u32)
            .collect();
        let targets = Tensor::from_vec(labels, (rows, longest), &Device::Cpu)?;
        let input_lengths: Vec<usize> = (0..rows).map(|_| random.integer(0, frames + 1)).collect();
        let target_lengths: Vec<usize> = (0..rows).map(|_| random.integer(0, longest + 1)).collect();
        let x = (random.normal((frames, rows, classes), dtype)? * 3.)?;
        let x = Var::from_tensor(&x)?;
        let reduction = REDUCTIONS[reduction];
        let cfg = CtcConfig { blank, zero_infinity: true };
        let batch = Batch::new(&x, &targets, &input_lengths, &target_lengths, blank)?;
        // The oracle is in f64 for both.
        let wide = log_softmax(&x.to_dtype(DType::F64)?)?;
        let oracle = composite::ctc(&wide, &batch, true, reduction)?;
        let expected = oracle.sqr()?.sum_all()?.backward()?;
        for level in Level::available() {
            let (loss, gradients) = with_level(level, || {
                let loss = ctc(&log_softmax(&x)?, &targets, &input_lengths, &target_lengths, &cfg, reduction)?;
                let gradients = loss.sqr()?.sum_all()?.backward()?;
                Ok::<_, candle_core::Error>((loss, gradients))
            })?;
            compare("loss", &loss, &oracle, bound)?;
            compare("gradient", gradients.get(&x).unwrap(), expected.get(&x).unwrap(), bound)?;
        }
    }
}

#[test]
fn the_gradient_is_the_probability_less_the_posterior() {
    // One frame and one label: the posterior of the label is 1.
    let x = Var::new(&[[[0.2f64.ln(), 0.7f64.ln(), 0.1f64.ln()]]], &Device::Cpu).unwrap();
    let targets = Tensor::new(&[[1u8]], &Device::Cpu).unwrap();
    let loss = ctc(&x, &targets, &[1], &[1], &CtcConfig::default(), Reduction::Sum).unwrap();
    let gradient = numbers(loss.backward().unwrap().get(&x).unwrap());
    for (gradient, expected) in gradient.iter().zip([0.2, -0.3, 0.1]) {
        assert!((gradient - expected).abs() < 1e-15);
    }
    // The same from the composite.
    let batch = Batch::new(&x, &targets, &[1], &[1], 0).unwrap();
    let loss = composite::ctc(&x, &batch, false, Reduction::Sum).unwrap();
    let of_composite = numbers(loss.backward().unwrap().get(&x).unwrap());
    for (gradient, expected) in of_composite.iter().zip(gradient) {
        assert!((gradient - expected).abs() < 1e-15);
    }
}

#[test]
fn impossible_rows_and_empty_ones() {
    let mut random = Random::new(3);
    let x = log_softmax(&random.normal((4, 4, 3), DType::F64).unwrap()).unwrap();
    let x = Var::from_tensor(&x).unwrap();
    // Three equal labels need five frames; nothing needs none; a label needs one; and a row that is possible.
    let targets = padded(&[&[1, 1, 1], &[], &[2], &[1, 2]]);
    let (frames, labels) = ([4, 0, 0, 3], [3, 0, 1, 2]);
    let run = |is_composite: bool, zero_infinity: bool| {
        let loss = if is_composite {
            let batch = Batch::new(&x, &targets, &frames, &labels, 0).unwrap();
            composite::ctc(&x, &batch, zero_infinity, Reduction::None)
        } else {
            let cfg = CtcConfig {
                zero_infinity,
                ..CtcConfig::default()
            };
            ctc(&x, &targets, &frames, &labels, &cfg, Reduction::None)
        };
        let loss = loss.unwrap();
        let gradient = loss.sum_all().unwrap().backward().unwrap().remove(&x).unwrap();
        let of_row = |n| numbers(&gradient.narrow(1, n, 1).unwrap());
        (numbers(&loss), [0, 1, 2, 3].map(of_row))
    };
    for is_composite in [false, true] {
        let (losses, gradients) = run(is_composite, false);
        assert_eq!(losses[..3], [f64::INFINITY, 0., f64::INFINITY]);
        assert!(gradients[0].iter().all(|gradient| !gradient.is_finite()));
        assert!(
            [&gradients[1], &gradients[2]]
                .into_iter()
                .flatten()
                .all(|gradient| *gradient == 0.)
        );
        assert!(losses[3].is_finite() && gradients[3].iter().all(|gradient| gradient.is_finite()));
        assert!(
            gradients[3][9..].iter().all(|gradient| *gradient == 0.),
            "past the row's length"
        );

        let (zeroed, of_zeroed) = run(is_composite, true);
        assert_eq!(zeroed, [0., 0., 0., losses[3]]);
        assert!(of_zeroed[..3].iter().flatten().all(|gradient| *gradient == 0.));
        assert_eq!(of_zeroed[3], gradients[3]);
    }
}

/// Not one frame in the whole batch: only what spells nothing is possible.
#[test]
fn a_batch_without_frames() {
    let x = Tensor::zeros((0, 2, 3), DType::F64, &Device::Cpu).unwrap();
    let targets = padded(&[&[1], &[]]);
    let batch = Batch::new(&x, &targets, &[0, 0], &[1, 0], 0).unwrap();
    for zero_infinity in [false, true] {
        let cfg = CtcConfig {
            zero_infinity,
            ..CtcConfig::default()
        };
        let impossible = if zero_infinity { 0. } else { f64::INFINITY };
        for loss in [
            ctc(&x, &targets, &[0, 0], &[1, 0], &cfg, Reduction::None),
            composite::ctc(&x, &batch, zero_infinity, Reduction::None),
        ] {
            assert_eq!(numbers(&loss.unwrap()), [impossible, 0.]);
        }
    }
}

#[test]
fn what_is_impossible_at_a_frame_has_no_gradient_there() {
    let x = Var::new(
        &[
            [f64::NEG_INFINITY, 0.],
            [0.5f64.ln(), 0.5f64.ln()],
            [0., f64::NEG_INFINITY],
        ],
        &Device::Cpu,
    )
    .unwrap();
    let targets = Tensor::new(&[1i64], &Device::Cpu).unwrap();
    let loss = ctc(&x, &targets, &[3], &[1], &CtcConfig::default(), Reduction::Sum).unwrap();
    // 11– and 1––: whatever the second frame says.
    assert_eq!(loss.to_scalar::<f64>().unwrap(), 0.);
    let gradient = loss.backward().unwrap().remove(&x).unwrap();
    assert!(numbers(&gradient).iter().all(|gradient| gradient.abs() < 1e-15));
}

#[test]
fn long_rows_keep_their_digits_in_single_precision() {
    let mut random = Random::new(4);
    let x = (random.normal((1500, 2, 20), DType::F64).unwrap() * 2.).unwrap();
    let labels: Vec<u32> = (0..2 * 150).map(|_| 1 + random.integer(0, 19) as u32).collect();
    let targets = Tensor::from_vec(labels, (2, 150), &Device::Cpu).unwrap();
    let run = |dtype| {
        let x = Var::from_tensor(&x.to_dtype(dtype).unwrap()).unwrap();
        let log_probs = log_softmax(&x).unwrap();
        let loss = ctc(
            &log_probs,
            &targets,
            &[1500, 1200],
            &[150, 120],
            &CtcConfig::default(),
            Reduction::Sum,
        );
        let gradient = loss.as_ref().unwrap().backward().unwrap().remove(&x).unwrap();
        (loss.unwrap(), gradient)
    };
    let ((loss, gradient), (expected, expected_gradient)) = (run(DType::F32), run(DType::F64));
    let bound = Bound { rtol: 1e-5, atol: 0. };
    compare("loss", &loss, &expected, bound).unwrap();
    compare("gradient", &gradient, &expected_gradient, bound).unwrap();
}

#[test]
fn rows_have_the_same_bits_for_any_number_of_threads() {
    let mut random = Random::new(5);
    let x = Var::from_tensor(&random.normal((200, 9, 12), DType::F32).unwrap()).unwrap();
    let labels: Vec<u32> = (0..9 * 30).map(|_| 1 + random.integer(0, 11) as u32).collect();
    let targets = Tensor::from_vec(labels, (9, 30), &Device::Cpu).unwrap();
    let lengths: Vec<usize> = (0..9).map(|row| 200 - 10 * row).collect();
    check_thread_independence(|| {
        let loss = ctc(
            &x,
            &targets,
            &lengths,
            &[30; 9],
            &CtcConfig::default(),
            Reduction::Mean,
        )?;
        // Twice: the first backward leaves what the second needs.
        let first = loss.backward()?.remove(&x).unwrap_or(x.zeros_like()?);
        let second = loss.backward()?.remove(&x).unwrap_or(x.zeros_like()?);
        assert_eq!(numbers(&first), numbers(&second));
        Ok(vec![loss, first])
    })
    .unwrap();
}

#[test]
fn targets_one_after_the_other_and_half_precision() {
    let mut random = Random::new(6);
    let x = log_softmax(&random.normal((6, 2, 4), DType::F32).unwrap()).unwrap();
    let cfg = CtcConfig::default();
    let one_after_the_other = Tensor::new(&[1u32, 2, 3], &Device::Cpu).unwrap();
    let expected = ctc(
        &x,
        &padded(&[&[1], &[2, 3]]),
        &[6, 5],
        &[1, 2],
        &cfg,
        Reduction::Mean,
    )
    .unwrap();
    let loss = ctc(&x, &one_after_the_other, &[6, 5], &[1, 2], &cfg, Reduction::Mean).unwrap();
    assert_eq!(numbers(&loss), numbers(&expected));
    let half = x.to_dtype(DType::BF16).unwrap();
    let loss = ctc(
        &half,
        &one_after_the_other,
        &[6, 5],
        &[1, 2],
        &cfg,
        Reduction::Mean,
    )
    .unwrap();
    assert_eq!(loss.dtype(), DType::BF16);
    compare("half", &loss, &expected, Bound { rtol: 2e-2, atol: 0. }).unwrap();
}

#[test]
fn bad_arguments() {
    let device = &Device::Cpu;
    let x = Tensor::zeros((5, 2, 3), DType::F32, device).unwrap();
    let good = padded(&[&[1, 2], &[2, 1]]);
    let wrong = |values: [i64; 4]| Tensor::from_vec(values.to_vec(), (2, 2), device).unwrap();
    type Lengths = &'static [usize];
    let table: Vec<(Tensor, Tensor, Lengths, Lengths, usize, &str)> = vec![
        (
            x.get(0).unwrap().get(0).unwrap(),
            good.clone(),
            &[5, 5],
            &[2, 2],
            0,
            "ctc: log_probs has shape [3], expected [frames, batch, classes] or [frames, classes]",
        ),
        (
            x.to_dtype(DType::I64).unwrap(),
            good.clone(),
            &[5, 5],
            &[2, 2],
            0,
            "ctc: log_probs has dtype I64, expected a floating-point type",
        ),
        (
            x.clone(),
            good.clone(),
            &[5, 5],
            &[2, 2],
            3,
            "ctc: blank is 3, expected a class, below 3",
        ),
        (
            x.clone(),
            good.clone(),
            &[5],
            &[2, 2],
            0,
            "ctc: input_lengths has shape [1], expected [batch = 2]",
        ),
        (
            x.clone(),
            good.clone(),
            &[5, 5],
            &[2, 2, 2],
            0,
            "ctc: target_lengths has shape [3], expected [batch = 2]",
        ),
        (
            x.clone(),
            good.clone(),
            &[5, 6],
            &[2, 2],
            0,
            "ctc: input_lengths[1] is 6, expected at most 5, the number of frames",
        ),
        (
            x.clone(),
            good.clone(),
            &[5, 5],
            &[3, 2],
            0,
            "ctc: target_lengths[0] is 3, expected at most 2, the targets' second axis",
        ),
        (
            x.clone(),
            good.to_dtype(DType::F32).unwrap(),
            &[5, 5],
            &[2, 2],
            0,
            "ctc: targets has dtype F32, expected u8, u32 or i64",
        ),
        (
            x.clone(),
            good.flatten_all().unwrap(),
            &[5, 5],
            &[2, 1],
            0,
            "ctc: targets has shape [4], expected [batch = 2, longest] or [3], the sum of target_lengths",
        ),
        (
            x.clone(),
            wrong([1, 2, 3, 1]),
            &[5, 5],
            &[2, 2],
            0,
            "ctc: targets[2] is 3, expected a class, at least 0 and below 3, that isn't the blank, 0",
        ),
        (
            x.clone(),
            wrong([1, 2, 1, -1]),
            &[5, 5],
            &[2, 2],
            0,
            "ctc: targets[3] is -1, expected a class, at least 0 and below 3, that isn't the blank, 0",
        ),
        (
            x.clone(),
            wrong([1, 0, 0, 1]),
            &[5, 5],
            &[2, 2],
            1,
            "ctc: targets[0] is 1, expected a class, at least 0 and below 3, that isn't the blank, 1",
        ),
    ];
    for (x, targets, input_lengths, target_lengths, blank, message) in table {
        let cfg = CtcConfig {
            blank,
            ..CtcConfig::default()
        };
        let error = ctc(&x, &targets, input_lengths, target_lengths, &cfg, Reduction::Mean).unwrap_err();
        assert_eq!(Error::from(error).to_string(), message);
    }
    // Beyond a row's length anything may stand.
    assert!(
        ctc(
            &x,
            &wrong([1, -1, 2, 7]),
            &[5, 5],
            &[1, 1],
            &CtcConfig::default(),
            Reduction::Mean
        )
        .is_ok()
    );
}

/// Wherever on the way a NaN stands, in whichever of the three states that a step comes from, the row's loss is NaN, and no
/// other row's.
#[test]
fn a_nan_stays_in_its_row() {
    for dtype in [DType::F32, DType::F64] {
        for (frame, class) in [(1, 0), (1, 1), (1, 2), (2, 0), (2, 1), (2, 2)] {
            let mut values = vec![-1.1f64; 4 * 2 * 3];
            values[(frame * 2) * 3 + class] = f64::NAN;
            let log_probs = Tensor::from_vec(values, (4, 2, 3), &Device::Cpu).unwrap();
            let log_probs = log_probs.to_dtype(dtype).unwrap();
            let targets = Tensor::new(&[[1i64, 2], [1, 2]], &Device::Cpu).unwrap();
            let losses = ctc(
                &log_probs,
                &targets,
                &[4, 4],
                &[2, 2],
                &CtcConfig::default(),
                Reduction::None,
            );
            let losses = numbers(&losses.unwrap());
            assert!(
                losses[0].is_nan() && losses[1].is_finite(),
                "{frame} {class}: {losses:?}"
            );
        }
    }
}
