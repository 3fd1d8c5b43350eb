//! Any arguments: a loss of the right shape, or an error.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{DType, Device, Result, Tensor};
use proptest::prelude::*;
use sconce_core::{Init, ParamStore, param};
use sconce_losses::{
    BceConfig, BceWithLogitsConfig, CrossEntropyConfig, CtcConfig, NllConfig, Reduction, bce,
    bce_with_logits, cross_entropy_with, ctc, elastic_net, huber, l1, l1_penalty, l2_penalty, mse, nll,
    smooth_l1,
};
use sconce_testkit::Random;

const TYPES: [DType; 8] = [
    DType::F32,
    DType::F64,
    DType::BF16,
    DType::F16,
    DType::U8,
    DType::U32,
    DType::I64,
    DType::F64,
];

type Checked = std::result::Result<(), TestCaseError>;

fn reductions() -> impl Strategy<Value = Reduction> {
    prop::sample::select(vec![Reduction::None, Reduction::Mean, Reduction::Sum])
}

/// Axes of any length, zero too.
fn shapes() -> impl Strategy<Value = Vec<usize>> {
    prop::collection::vec(0usize..4, 0..5)
}

fn options() -> impl Strategy<Value = f64> {
    prop::sample::select(vec![0., 0.5, 1., 2., -1., f64::NAN, f64::INFINITY])
}

fn types() -> impl Strategy<Value = DType> {
    prop::sample::select(TYPES.to_vec())
}

/// Values between 0 and 3, as integers some classes, and as logits any.
fn tensor(random: &mut Random, shape: &[usize], dtype: DType) -> Tensor {
    random
        .uniform(shape, 0., 3., DType::F64)
        .unwrap()
        .to_dtype(dtype)
        .unwrap()
}

/// The loss must have this shape before a reduction, or be an error; with good arguments it must be a loss.
fn check(loss: Result<Tensor>, shape: &[usize], reduction: Reduction, good: bool) -> Checked {
    match loss {
        Ok(loss) if reduction == Reduction::None => prop_assert_eq!(loss.dims(), shape),
        Ok(loss) => prop_assert_eq!(loss.rank(), 0),
        Err(error) => prop_assert!(!good, "{error}"),
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn losses_of_two_tensors(
        seed: u64, shape in shapes(), other in shapes(), same in 0..4, dtype in types(), second in types(),
        reduction in reductions(), option in options(), weighted: bool,
    ) {
        let mut random = Random::new(seed);
        let (other, second) = if same > 0 { (&shape, dtype) } else { (&other, second) };
        let x = tensor(&mut random, &shape, dtype);
        let y = tensor(&mut random, other, second);
        let good = shape == *other && dtype == second && dtype.is_float();
        check(mse(&x, &y, reduction), &shape, reduction, good)?;
        check(l1(&x, &y, reduction), &shape, reduction, good)?;
        let positive = option > 0. && option.is_finite();
        check(huber(&x, &y, option, reduction), &shape, reduction, good && positive)?;
        check(smooth_l1(&x, &y, option, reduction), &shape, reduction, good && (positive || option == 0.))?;
        let shape_of_weight = other.iter().copied().skip(1).collect::<Vec<_>>();
        let weight = weighted.then(|| tensor(&mut random, &shape_of_weight, second));
        let cfg = BceWithLogitsConfig { weight: weight.clone(), pos_weight: weight.clone() };
        check(bce_with_logits(&x, &y, &cfg, reduction), &shape, reduction, good)?;
        let loss = bce(&x, &y, &BceConfig { weight: weight.clone() }, reduction);
        check(loss, &shape, reduction, false)?;
        if dtype.is_float() && second.is_float() {
            let loss = bce(&(x / 3.)?, &(y / 3.)?, &BceConfig { weight }, reduction);
            check(loss, &shape, reduction, good)?;
        }
    }

    #[test]
    fn losses_of_classes(
        seed: u64, shape in shapes(), other in shapes(), kind in 0..4, dtype in types(), second in types(),
        reduction in reductions(), option in options(), weights in prop::option::of(0usize..4),
        ignore_index in prop::sample::select(vec![-100i64, 0, 1]),
    ) {
        let mut random = Random::new(seed);
        let x = tensor(&mut random, &shape, dtype);
        let mut rows = shape.clone();
        let classes = match shape.len() {
            0 => 0,
            1 => rows.remove(0),
            _ => rows.remove(1),
        };
        let y = match kind {
            0 => tensor(&mut random, &other, second),
            1 => tensor(&mut random, &shape, dtype),
            _ => random.indices(rows.clone(), classes).unwrap(),
        };
        let weight = weights.map(|n| tensor(&mut random, &[n], dtype));
        let good = kind > 1 && classes > 0 && dtype.is_float() && weights.is_none_or(|n| n == classes);
        let cfg = NllConfig { weight: weight.clone(), ignore_index };
        check(nll(&x, &y, &cfg, reduction), &rows, reduction, good)?;
        let cfg = CrossEntropyConfig { weight, ignore_index, label_smoothing: option };
        let good_option = (0. ..=1.).contains(&option);
        let loss = cross_entropy_with(&x, &y, &cfg, reduction);
        check(loss, &rows, reduction, good && good_option)?;
    }

    #[test]
    fn connectionist_temporal_classification(
        seed: u64, shape in shapes(), targets in shapes(), dtype in types(), second in types(), good in 0..3,
        blank in 0usize..4, mut lengths in prop::array::uniform2(prop::collection::vec(0usize..4, 0..4)),
        reduction in reductions(), zero_infinity: bool,
    ) {
        let mut random = Random::new(seed);
        let x = tensor(&mut random, &shape, dtype);
        let (frames, batch, classes) = match shape[..] {
            [frames, classes] => (frames, 1, classes),
            [frames, batch, classes] => (frames, batch, classes),
            _ => (0, 0, 0),
        };
        let mut y = tensor(&mut random, &targets, second);
        // Sometimes what nothing is wrong with, if the shape of x allows it.
        let good = good > 0 && dtype.is_float() && matches!(shape.len(), 2 | 3) && classes > 1;
        let blank = if good { 0 } else { blank };
        if good {
            for lengths in &mut lengths {
                lengths.resize(batch, 1);
            }
            lengths[0].iter_mut().for_each(|length| *length = (*length).min(frames));
            y = (random.indices((batch, 3), classes - 1)? + 1.)?;
        }
        let cfg = CtcConfig { blank, zero_infinity };
        let loss = ctc(&x, &y, &lengths[0], &lengths[1], &cfg, reduction);
        let rows = if shape.len() == 2 { vec![] } else { vec![batch] };
        check(loss, &rows, reduction, good)?;
    }

    #[test]
    fn penalties(
        sizes in prop::collection::vec(0usize..4, 0..4), dtype in types(), l1 in options(), l2 in options(),
        glob in prop::sample::select(vec!["*", "p0", "q*", "[", ""]),
    ) {
        if dtype.is_float() {
            let store = ParamStore::new(dtype, &Device::Cpu).seeded(0);
            for (i, size) in sizes.iter().enumerate() {
                param(&store.builder(), (*size, 2), &format!("p{i}"), &Init::Uniform { lo: -1., hi: 1. })?;
            }
            let good = |x: f64| x >= 0. && x.is_finite();
            let matches = !sizes.is_empty() && ["*", "p0"].contains(&glob);
            let total = Reduction::Sum;
            check(l1_penalty(&store, glob, l1), &[], total, matches && good(l1))?;
            check(l2_penalty(&store, glob, l2), &[], total, matches && good(l2))?;
            check(elastic_net(&store, glob, l1, l2), &[], total, matches && good(l1) && good(l2))?;
        }
    }
}

/// Zero rows: the mean is that of nothing.
#[test]
fn no_rows_at_all() {
    for dtype in [DType::F32, DType::F64, DType::BF16] {
        let x = Tensor::zeros((0, 3), dtype, &Device::Cpu).unwrap();
        let classes = Tensor::zeros(0, DType::I64, &Device::Cpu).unwrap();
        let all = |reduction| {
            let cross = CrossEntropyConfig::default();
            [
                mse(&x, &x, reduction),
                l1(&x, &x, reduction),
                huber(&x, &x, 1., reduction),
                smooth_l1(&x, &x, 1., reduction),
                bce(&x, &x, &BceConfig::default(), reduction),
                bce_with_logits(&x, &x, &BceWithLogitsConfig::default(), reduction),
                nll(&x, &classes, &NllConfig::default(), reduction),
                ctc(
                    &x.reshape((2, 0, 3)).unwrap(),
                    &classes,
                    &[],
                    &[],
                    &CtcConfig::default(),
                    reduction,
                ),
                cross_entropy_with(&x, &classes, &cross, reduction),
                cross_entropy_with(&x, &x, &cross, reduction),
            ]
            .map(|loss| {
                loss.unwrap()
                    .to_dtype(DType::F64)
                    .unwrap()
                    .to_scalar::<f64>()
                    .unwrap()
            })
        };
        assert!(all(Reduction::Mean).iter().all(|mean| mean.is_nan()));
        assert!(all(Reduction::Sum).iter().all(|sum| *sum == 0.));
    }
}
