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
use sconce_losses::*;
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
        if let Some(weight) = &weight {
            check(mse_weighted(&x, &y, weight, reduction), &shape, reduction, good)?;
            check(l1_weighted(&x, &y, weight, reduction), &shape, reduction, good)?;
            check(huber_weighted(&x, &y, weight, option, reduction), &shape, reduction, good && positive)?;
        }
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
    fn losses_of_distributions_and_margins(
        seed: u64, shape in shapes(), other in shapes(), same in 0..4, dtype in types(), second in types(),
        reduction in reductions(), option in options(), flag: bool, signed: bool,
    ) {
        let mut random = Random::new(seed);
        let (other, second) = if same > 0 { (&shape, dtype) } else { (&other, second) };
        let x = tensor(&mut random, &shape, dtype);
        let y = tensor(&mut random, other, second);
        let fits = shape == *other && dtype.is_float();
        let good = fits && dtype == second;
        let finite = option.is_finite();
        let at_least_0 = option >= 0. && finite;
        check(log_cosh(&x, &y, reduction), &shape, reduction, good)?;
        check(quantile(&x, &y, option, reduction), &shape, reduction, good && option > 0. && option < 1.)?;
        let cfg = PoissonNllConfig { log_input: flag, full: signed, eps: option };
        check(poisson_nll(&x, &y, &cfg, reduction), &shape, reduction, good && at_least_0)?;
        let cfg = GaussianNllConfig { full: flag, eps: option };
        check(gaussian_nll(&x, &y, &y, &cfg, reduction), &shape, reduction, good && at_least_0)?;
        let cfg = KlDivConfig { log_target: flag, batchmean: signed };
        check(kl_div(&x, &y, &cfg, reduction), &shape, reduction, good)?;
        let cfg = SigmoidFocalConfig { alpha: flag.then_some(option), gamma: 2. };
        check(sigmoid_focal(&x, &y, &cfg, reduction), &shape, reduction, false)?;
        let rows = shape.iter().copied().take(shape.len().saturating_sub(1)).collect::<Vec<_>>();
        let weight = flag.then(|| tensor(&mut random, other, second));
        let loss = multilabel_soft_margin(&x, &y, weight.as_ref(), reduction);
        check(loss, &rows, reduction, good && shape.last().is_some_and(|&n| n > 0))?;
        // Labels of 1 and −1, or any.
        let labels = match signed {
            true => (random.normal(other.as_slice(), DType::F64)?.ge(0.)?.to_dtype(DType::F64)? * 2.)?.affine(1., -1.)?,
            false => y.to_dtype(DType::F64)?,
        };
        let good = fits && signed;
        check(hinge(&x, &labels, reduction), &shape, reduction, good)?;
        check(soft_margin(&x, &labels, reduction), &shape, reduction, good)?;
        check(hinge_embedding(&x, &labels, option, reduction), &shape, reduction, good && finite)?;
        check(margin_ranking(&x, &x, &labels, option, reduction), &shape, reduction, good && finite)?;
        let target = labels.flatten_all()?;
        let batch = shape.first().copied().unwrap_or(0).min(target.dims1()?);
        let target = if shape.len() == 1 { target.sum_all()?.ones_like()? } else { target.narrow(0, 0, batch)? };
        let expected = if shape.len() == 2 { vec![batch] } else { vec![] };
        let good = shape.len() == 1 && dtype.is_float() && finite;
        let loss = cosine_embedding(&x, &x, &target, option, reduction);
        check(loss, &expected, reduction, good)?;
    }

    #[test]
    fn losses_of_embeddings_and_regions(
        seed: u64, shape in shapes(), other in shapes(), same in 0..4, dtype in types(), second in types(),
        reduction in reductions(), option in options(), flag: bool,
    ) {
        let mut random = Random::new(seed);
        let (other, second) = if same > 0 { (&shape, dtype) } else { (&other, second) };
        let x = tensor(&mut random, &shape, dtype);
        let y = tensor(&mut random, other, second);
        let good = shape == *other && dtype == second && dtype.is_float();
        let positive = option > 0. && option.is_finite();
        let mut rows = shape.clone();
        let features = rows.pop().unwrap_or(0);
        let cfg = TripletMarginConfig { margin: 1., p: option, eps: 1e-6, swap: flag };
        let loss = triplet_margin(&x, &y, &x, &cfg, reduction);
        check(loss, &rows, reduction, good && features > 0 && option > 0.)?;
        let first = |x: &Tensor, y: &Tensor| (x - y)?.flatten_all()?.sum(0);
        let loss = triplet_margin_with_distance(&x, &y, &x, first, option, flag, reduction);
        check(loss, &[], reduction, good && positive)?;
        let pairs = good && positive && shape.len() == 2 && shape.iter().all(|&n| n > 0);
        let twice: Vec<usize> = rows.iter().map(|n| 2 * n).collect();
        check(nt_xent(&x, &y, option, reduction), &twice, reduction, pairs)?;
        for negatives in [None, Some(y.clone())] {
            let cfg = InfoNceConfig { temperature: option, negatives };
            check(info_nce(&x, &y, &cfg, reduction), &rows, reduction, pairs)?;
        }
        if dtype.is_float() && second.is_float() {
            let (x, y) = ((x / 3.)?, (y / 3.)?);
            let good = good && shape.len() >= 2 && option >= 0. && option.is_finite();
            let axes = if flag { 1..2 } else { 0..2 };
            let kept = shape.get(axes).unwrap_or_default();
            let cfg = DiceConfig { smooth: option, squared: flag, batch: flag };
            check(dice(&x, &y, &cfg, reduction), kept, reduction, good)?;
            let cfg = IouConfig { smooth: option, batch: flag };
            check(iou(&x, &y, &cfg, reduction), kept, reduction, good)?;
            let cfg = SigmoidFocalConfig { alpha: None, gamma: option };
            let loss = sigmoid_focal(&x, &y, &cfg, reduction);
            let good = shape == *other && dtype == second && option >= 0. && option.is_finite();
            check(loss, &shape, reduction, good)?;
        }
    }

    #[test]
    fn losses_of_several_classes(
        seed: u64, shape in shapes(), other in shapes(), kind in 0..4, dtype in types(), second in types(),
        reduction in reductions(), option in options(), weights in prop::option::of(0usize..4), flag: bool,
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
            _ => random.indices(rows.clone(), classes).unwrap(),
        };
        let weight = weights.map(|n| tensor(&mut random, &[n], dtype));
        let good = kind > 0 && classes > 0 && dtype.is_float() && weights.is_none_or(|n| n == classes);
        let cfg = SoftmaxFocalConfig { weight: weight.clone(), gamma: option, ignore_index: 1 };
        let loss = softmax_focal(&x, &y, &cfg, reduction);
        check(loss, &rows, reduction, good && option >= 0. && option.is_finite())?;
        let p = if flag { MultiMarginNorm::One } else { MultiMarginNorm::Two };
        let cfg = MultiMarginConfig { p, margin: option, weight };
        let loss = multi_margin(&x, &y, &cfg, reduction);
        check(loss, &rows, reduction, good && option.is_finite() && shape.len() <= 2)?;
        let labels = match kind {
            0 => y,
            _ => (random.indices(shape.clone(), classes + 1).unwrap().to_dtype(DType::F64)? - 1.)?.to_dtype(DType::I64)?,
        };
        let loss = multilabel_margin(&x, &labels, reduction);
        let good = kind > 0 && classes > 0 && dtype.is_float() && shape.len() <= 2;
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
        let labels = Tensor::zeros((0, 3), DType::I64, &Device::Cpu).unwrap();
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
                log_cosh(&x, &x, reduction),
                quantile(&x, &x, 0.5, reduction),
                poisson_nll(&x, &x, &PoissonNllConfig::default(), reduction),
                gaussian_nll(&x, &x, &x, &GaussianNllConfig::default(), reduction),
                kl_div(&x, &x, &KlDivConfig::default(), reduction),
                sigmoid_focal(&x, &x, &SigmoidFocalConfig::default(), reduction),
                softmax_focal(&x, &classes, &SoftmaxFocalConfig::default(), reduction),
                hinge(&x, &x, reduction),
                soft_margin(&x, &x, reduction),
                hinge_embedding(&x, &x, 1., reduction),
                margin_ranking(&x, &x, &x, 0., reduction),
                cosine_embedding(&x, &x, &classes, 0., reduction),
                multi_margin(&x, &classes, &MultiMarginConfig::default(), reduction),
                multilabel_margin(&x, &labels, reduction),
                multilabel_soft_margin(&x, &x, None, reduction),
                triplet_margin(&x, &x, &x, &TripletMarginConfig::default(), reduction),
                dice(&x, &x, &DiceConfig::default(), reduction),
                iou(&x, &x, &IouConfig::default(), reduction),
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
