//! Values that are known, mid-run restarts, bad options.

use super::*;
use crate::{Adagrad, AdagradConfig, Adam, AdamConfig, Optimize, Sgd, SgdConfig};
use candle_core::{DType, Device, Tensor};
use proptest::prelude::*;
use sconce_core::{Init, ParamStore, param};

fn store() -> ParamStore {
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    for name in ["a.weight", "a.bias"] {
        param(&store.builder(), 1, name, &Init::Const(1.)).unwrap();
    }
    store
}

/// Two groups, at rates 1 and 0.1.
fn adam() -> Adam {
    let cfg = |lr| AdamConfig {
        lr,
        ..AdamConfig::default()
    };
    let adam = Adam::new(&cfg(1.), &store()).unwrap();
    adam.with_group("*.bias", &cfg(0.1)).unwrap()
}

fn all() -> Vec<Box<dyn Schedule>> {
    let one_cycle = OneCycleLr::new([0.5, 0.2], 60);
    let three_phase = OneCycleLr {
        three_phase: true,
        anneal_strategy: Anneal::Linear,
        cycle_momentum: false,
        ..one_cycle.clone()
    };
    let cyclic = CyclicLr {
        step_size_up: 7,
        step_size_down: Some(3),
        mode: CyclicMode::Triangular2,
        ..CyclicLr::new(0.01, [0.5, 0.2])
    };
    let decay = CyclicLr {
        mode: CyclicMode::ExpRange,
        gamma: 0.97,
        cycle_momentum: false,
        ..cyclic.clone()
    };
    let restarts = CosineAnnealingWarmRestarts {
        t_mult: 2,
        ..CosineAnnealingWarmRestarts::new(3)
    };
    vec![
        Box::new(ConstantLr::default()),
        Box::new(LinearLr::default()),
        Box::new(ExponentialLr::new(0.9)),
        Box::new(StepLr::new(7)),
        Box::new(MultiStepLr::new([3, 20, 20])),
        Box::new(LambdaLr::by_group(|group, step| {
            1. / (step + group as u64 + 1) as f64
        })),
        Box::new(MultiplicativeLr::new(|step| if step % 5 == 0 { 0.5 } else { 1. })),
        Box::new(PolynomialLr {
            total_iters: 30,
            power: 2.,
        }),
        Box::new(CosineAnnealingLr {
            eta_min: 0.01,
            ..CosineAnnealingLr::new(9)
        }),
        Box::new(restarts),
        Box::new(NoamLr::new(16, 10)),
        Box::new(WarmUpCosine::new(60)),
        Box::new(SwaLr::new([0.3, 0.05])),
        Box::new(cyclic.clone()),
        Box::new(decay),
        Box::new(one_cycle.clone()),
        Box::new(three_phase),
        Box::new(
            SequentialLr::new(5, LinearLr::default(), StepLr::new(4)).then(20, CosineAnnealingLr::new(6)),
        ),
        Box::new(SequentialLr::new(30, cyclic, one_cycle)),
        Box::new(ChainedScheduler::new(LinearLr::default()).and(ExponentialLr::new(0.95))),
        Box::new(SequentialLr::new(
            4,
            ConstantLr::default(),
            ChainedScheduler::new(LinearLr::default()).and(ExponentialLr::new(0.95)),
        )),
    ]
}

fn bits(rule: &impl Optimize) -> Vec<u64> {
    let rates = rule.learning_rates().into_iter().chain(rule.momenta());
    rates.map(f64::to_bits).collect()
}

/// Whatever the schedule, one that was saved and loaded elsewhere goes on to the bit.
#[test]
fn a_schedule_goes_on_from_a_saved_state() {
    for (i, (schedule, twin)) in all().into_iter().zip(all()).enumerate() {
        let (mut rule, mut other) = (adam(), adam());
        let mut scheduler = Scheduler::new(schedule, &mut rule).unwrap();
        for _ in 0..17 {
            scheduler.step(&mut rule).unwrap();
        }
        let mut resumed = Scheduler::new(twin, &mut other).unwrap();
        resumed.step(&mut other).unwrap();
        let state = scheduler.state(&rule).unwrap();
        resumed.load_state(&state, &mut other).unwrap();
        for step in 17..55 {
            assert_eq!(bits(&rule), bits(&other), "schedule {i} at {step}");
            scheduler.step(&mut rule).unwrap();
            resumed.step(&mut other).unwrap();
        }
        assert_eq!((scheduler.last_epoch(), resumed.last_epoch()), (55, 55));
    }
}

#[test]
fn recursions_agree_with_closed_forms() {
    let check = |schedule: &dyn Fn() -> Box<dyn Schedule>, formula: &dyn Fn(f64) -> f64| {
        for (t, rate) in rates(&schedule(), 0.7, 60).unwrap().into_iter().enumerate() {
            let expected = 0.7 * formula(t as f64);
            assert!((rate - expected).abs() < 1e-13, "{t}: {rate} and {expected}");
        }
    };
    check(&|| Box::new(StepLr::new(7)), &|t| 0.1f64.powf((t / 7.).floor()));
    check(&|| Box::new(ExponentialLr::new(0.9)), &|t| 0.9f64.powf(t));
    check(&|| Box::new(LinearLr::default()), &|t| {
        1. / 3. + 2. / 3. * (t / 5.).min(1.)
    });
    let power = PolynomialLr {
        total_iters: 40,
        power: 3.,
    };
    check(&|| Box::new(power), &|t| (1. - (t / 40.).min(1.)).powf(3.));
    check(&|| Box::new(CosineAnnealingLr::new(13)), &|t| {
        0.5 + 0.5 * (std::f64::consts::PI * t / 13.).cos()
    });
}

/// PyTorch's documented example: patience 2, cooldown 1, a metric that stays 1.
#[test]
fn a_plateau_drops_when_pytorchs_does() {
    let cfg = ReduceLrOnPlateauConfig {
        patience: 2,
        cooldown: 1,
        ..ReduceLrOnPlateauConfig::default()
    };
    let mut rule = adam();
    let mut plateau = ReduceLrOnPlateau::new(&cfg, &rule).unwrap();
    let fell: Vec<bool> = (0..9).map(|_| plateau.step(1., &mut rule).unwrap()).collect();
    let calls: Vec<usize> = (1..=9).filter(|call| fell[call - 1]).collect();
    assert_eq!(calls, [4, 8]);
    assert!((rule.learning_rate() - 0.01).abs() < 1e-15);
    // A NaN is no improvement, and doesn't become the best.
    plateau.step(f64::NAN, &mut rule).unwrap();
    assert_eq!(plateau.best(), 1.);
}

#[test]
fn a_plateau_goes_on_from_a_saved_state() {
    let cfg = ReduceLrOnPlateauConfig {
        factor: 0.5,
        patience: 1,
        cooldown: 2,
        mode: Mode::Max,
        threshold_mode: ThresholdMode::Abs,
        threshold: 0.05,
        min_lr: [0.1, 0.01].into(),
        ..ReduceLrOnPlateauConfig::default()
    };
    let metric = |i: u32| f64::from(i * 7919 % 13) / 13.;
    let (mut rule, mut other) = (adam(), adam());
    let mut plateau = ReduceLrOnPlateau::new(&cfg, &rule).unwrap();
    (0..8).for_each(|i| _ = plateau.step(metric(i), &mut rule).unwrap());
    let mut resumed = ReduceLrOnPlateau::new(&cfg, &other).unwrap();
    resumed
        .load_state(&plateau.state(&rule).unwrap(), &mut other)
        .unwrap();
    for i in 8..40 {
        plateau.step(metric(i), &mut rule).unwrap();
        resumed.step(metric(i), &mut other).unwrap();
        assert_eq!((bits(&rule), &plateau), (bits(&other), &resumed));
    }
    assert_eq!(rule.learning_rates(), [0.1, 0.01]);
}

#[test]
fn two_schedulers_multiply_as_in_pytorch() {
    let mut rule = adam();
    let mut a = Scheduler::new(ExponentialLr::new(0.5), &mut rule).unwrap();
    let mut b = Scheduler::new(StepLr::new(2), &mut rule).unwrap();
    for _ in 0..4 {
        a.step(&mut rule).unwrap();
        b.step(&mut rule).unwrap();
    }
    assert!((rule.learning_rates()[0] - 0.0625 * 0.01).abs() < 1e-18);
}

#[test]
fn bad_options_are_named() {
    let nan = f64::NAN;
    let refused: Vec<(Box<dyn Schedule>, &str)> = vec![
        (
            Box::new(ConstantLr {
                factor: 1.5,
                total_iters: 1,
            }),
            "ConstantLR: factor is 1.5",
        ),
        (
            Box::new(LinearLr {
                start_factor: 0.,
                ..LinearLr::default()
            }),
            "LinearLR: start_factor is 0",
        ),
        (
            Box::new(LinearLr {
                end_factor: 2.,
                ..LinearLr::default()
            }),
            "LinearLR: end_factor is 2",
        ),
        (
            Box::new(LinearLr {
                total_iters: 0,
                ..LinearLr::default()
            }),
            "LinearLR: total_iters is 0",
        ),
        (Box::new(ExponentialLr::new(nan)), "ExponentialLR: gamma is NaN"),
        (Box::new(StepLr::new(0)), "StepLR: step_size is 0"),
        (
            Box::new(StepLr {
                gamma: -1.,
                ..StepLr::new(1)
            }),
            "StepLR: gamma is -1",
        ),
        (
            Box::new(MultiStepLr {
                gamma: nan,
                ..MultiStepLr::new([1])
            }),
            "MultiStepLR: gamma is NaN",
        ),
        (
            Box::new(PolynomialLr {
                total_iters: 0,
                power: 1.,
            }),
            "PolynomialLR: total_iters is 0",
        ),
        (
            Box::new(CosineAnnealingLr::new(0)),
            "CosineAnnealingLR: t_max is 0",
        ),
        (
            Box::new(CosineAnnealingWarmRestarts::new(0)),
            "CosineAnnealingWarmRestarts: t_0 is 0",
        ),
        (
            Box::new(CosineAnnealingWarmRestarts {
                t_mult: 0,
                ..CosineAnnealingWarmRestarts::new(1)
            }),
            "CosineAnnealingWarmRestarts: t_mult is 0",
        ),
        (Box::new(NoamLr::new(0, 1)), "NoamLR: d_model is 0"),
        (
            Box::new(WarmUpCosine {
                warm_up: 0.,
                ..WarmUpCosine::new(3)
            }),
            "WarmUpCosine: warm_up is 0",
        ),
        (
            Box::new(SwaLr::new([1., 2., 3.])),
            "SWALR: swa_lr is [1.0, 2.0, 3.0], expected one number, or one for each of the 2",
        ),
        (Box::new(CyclicLr::new(-1., 1.)), "CyclicLR: base_lr is -1"),
        (
            Box::new(CyclicLr {
                step_size_up: 0,
                ..CyclicLr::new(0., 1.)
            }),
            "CyclicLR: step_size_up is 0",
        ),
        (Box::new(OneCycleLr::new(1., 0)), "OneCycleLR: total_steps is 0"),
        (
            Box::new(OneCycleLr {
                pct_start: 1.5,
                ..OneCycleLr::new(1., 5)
            }),
            "OneCycleLR: pct_start is 1.5",
        ),
        (
            Box::new(OneCycleLr {
                div_factor: 0.,
                ..OneCycleLr::new(1., 5)
            }),
            "OneCycleLR: div_factor is 0",
        ),
        (
            Box::new(OneCycleLr {
                pct_start: 0.1,
                ..OneCycleLr::new(1., 10)
            }),
            "OneCycleLR: pct_start is 0.1",
        ),
        (
            Box::new(SequentialLr::from_lists(vec![], vec![])),
            "SequentialLR: schedules is []",
        ),
        (
            Box::new(SequentialLr::from_lists(vec![Box::new(StepLr::new(1))], vec![3])),
            "SequentialLR: milestones is [3], expected one between any two of the 1",
        ),
        (
            Box::new(SequentialLr::new(4, StepLr::new(1), StepLr::new(1)).then(3, StepLr::new(1))),
            "SequentialLR: milestones is [4, 3], expected rising",
        ),
        (
            Box::new(SequentialLr::new(4, StepLr::new(1), StepLr::new(0))),
            "StepLR: step_size is 0",
        ),
        (
            Box::new(ChainedScheduler::from(vec![])),
            "ChainedScheduler: schedules is []",
        ),
        (
            Box::new(ChainedScheduler::new(StepLr::new(0))),
            "StepLR: step_size is 0",
        ),
        (
            Box::new(LambdaLr::new(|_| -1.)),
            "LambdaLR: lr is -1, expected a finite number, at least 0, at step 0 of group 0",
        ),
    ];
    for (schedule, words) in refused {
        let (mut rule, before) = (adam(), bits(&adam()));
        let error = Scheduler::new(schedule, &mut rule)
            .map(|_| ())
            .unwrap_err()
            .to_string();
        assert!(error.starts_with(words), "{error}");
        assert_eq!(bits(&rule), before);
    }
}

#[test]
fn bad_plateaus_are_named() {
    let refused = |cfg: ReduceLrOnPlateauConfig, words: &str| {
        let error = ReduceLrOnPlateau::new(&cfg, &adam()).unwrap_err().to_string();
        assert!(error.starts_with(words), "{error}");
    };
    let default = ReduceLrOnPlateauConfig::default;
    refused(
        ReduceLrOnPlateauConfig {
            factor: 1.,
            ..default()
        },
        "ReduceLROnPlateau: factor is 1",
    );
    refused(
        ReduceLrOnPlateauConfig {
            threshold: -1.,
            ..default()
        },
        "ReduceLROnPlateau: threshold is -1",
    );
    refused(
        ReduceLrOnPlateauConfig {
            eps: f64::NAN,
            ..default()
        },
        "ReduceLROnPlateau: eps is NaN",
    );
    refused(
        ReduceLrOnPlateauConfig {
            min_lr: [0., 0., 0.].into(),
            ..default()
        },
        "ReduceLROnPlateau: min_lr is",
    );
}

#[test]
fn momenta_are_cycled_only_where_there_are_some() {
    let mut rule = Adagrad::new(&AdagradConfig::default(), &store()).unwrap();
    let error = Scheduler::new(OneCycleLr::new(1., 10), &mut rule)
        .map(|_| ())
        .unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("OneCycleLR: cycle_momentum is true"),
        "{error}"
    );
    let without = OneCycleLr {
        cycle_momentum: false,
        ..OneCycleLr::new(1., 10)
    };
    assert!(Scheduler::new(without, &mut rule).is_ok());
    let mut sgd = Sgd::new(&SgdConfig::default(), &store()).unwrap();
    assert!(Scheduler::new(OneCycleLr::new(1., 10), &mut sgd).is_ok());
    assert_eq!(sgd.momenta(), [0.95]);
}

#[test]
fn one_cycle_ends() {
    let mut rule = adam();
    let mut scheduler = Scheduler::new(OneCycleLr::new(1., 10), &mut rule).unwrap();
    (0..10).for_each(|_| scheduler.step(&mut rule).unwrap());
    let before = bits(&rule);
    let error = scheduler.step(&mut rule).unwrap_err().to_string();
    assert_eq!(error, "OneCycleLR: step is 11, expected at most total_steps = 10");
    assert_eq!((bits(&rule), scheduler.last_epoch()), (before, 10));
}

#[test]
fn a_state_that_does_not_fit_changes_nothing() {
    let mut rule = adam();
    let mut scheduler = Scheduler::new(StepLr::new(2), &mut rule).unwrap();
    let good = scheduler.state(&rule).unwrap();
    let with = |name: &str, values: &[f64]| {
        let mut state = good.clone();
        state.retain(|(other, _)| other != name);
        state.push((name.to_string(), Tensor::new(values, &Device::Cpu).unwrap()));
        state
    };
    let before = bits(&rule);
    for (state, words) in [
        (good[..2].to_vec(), "lr in it"),
        (with("last_epoch", &[-1.]), "last_epoch is -1"),
        (with("last_epoch", &[1., 2.]), "last_epoch has shape [2]"),
        (with("initial_lr", &[1.]), "one for each of the 2 groups"),
        (with("initial_lr", &[1., f64::NAN]), "initial_lr is NaN"),
        (with("lr", &[1.]), "one for each of the 2 groups"),
        (with("lr", &[1., f64::NAN]), "lr is NaN"),
        (with("momentum", &[0.5, 2.]), "betas.0 is 2"),
        (with("other", &[1.]), "state is other"),
        ([good.clone(), good[..1].to_vec()].concat(), "each name once"),
    ] {
        let error = scheduler.load_state(&state, &mut rule).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
        assert_eq!((bits(&rule), scheduler.last_epoch()), (before.clone(), 0));
    }
}

#[test]
fn groups_that_came_later_are_an_error() {
    let mut rule = Adam::new(&AdamConfig::default(), &store()).unwrap();
    let mut scheduler = Scheduler::new(StepLr::new(2), &mut rule).unwrap();
    let mut plateau = ReduceLrOnPlateau::new(&ReduceLrOnPlateauConfig::default(), &rule).unwrap();
    rule.add_group("*.bias", &AdamConfig::default()).unwrap();
    let errors = [
        scheduler.step(&mut rule).unwrap_err().to_string(),
        plateau.step(1., &mut rule).unwrap_err().to_string(),
    ];
    assert!(
        errors
            .iter()
            .all(|error| error.contains("groups is 2, expected 1")),
        "{errors:?}"
    );
}

proptest! {
    /// Any options give rates or an error, and never more than the highest that they name.
    #[test]
    fn any_options_give_rates_or_an_error(
        (counts, factors) in (prop::array::uniform4(0u64..12), prop::array::uniform3(-0.1f64..1.3)),
        lr in 0f64..2.,
    ) {
        let ([a, b, c, d], [f, g, h]) = (counts, factors);
        let schedules: Vec<Box<dyn Schedule>> = vec![
            Box::new(ConstantLr { factor: f, total_iters: a }),
            Box::new(LinearLr { start_factor: f, end_factor: g, total_iters: a }),
            Box::new(StepLr { step_size: a, gamma: f.min(1.) }),
            Box::new(MultiStepLr { milestones: vec![a, b, c, d], gamma: g.min(1.) }),
            Box::new(PolynomialLr { total_iters: a, power: f }),
            Box::new(CosineAnnealingLr { t_max: a, eta_min: f }),
            Box::new(CosineAnnealingWarmRestarts { t_0: a, t_mult: b, eta_min: g }),
            Box::new(NoamLr::new(a, b)),
            Box::new(WarmUpCosine { total_steps: a, warm_up: f }),
            Box::new(SwaLr { anneal_epochs: a, ..SwaLr::new(f) }),
            Box::new(CyclicLr { step_size_up: a, step_size_down: Some(b), ..CyclicLr::new(f, g) }),
            Box::new(OneCycleLr { pct_start: h, three_phase: d > 6, ..OneCycleLr::new(f, a) }),
            Box::new(SequentialLr::new(b, LinearLr { start_factor: f, end_factor: g, total_iters: a }, CosineAnnealingLr::new(c))),
        ];
        for schedule in schedules {
            let highest = [lr, f, g].into_iter().fold(0., f64::max) + 1e-9;
            match rates(&schedule, lr, 40) {
                Ok(rates) => prop_assert!(rates.iter().all(|rate| (0. ..=highest).contains(rate)), "{} {rates:?}", schedule.name()),
                Err(error) => prop_assert!(error.to_string().contains("expected"), "{error}"),
            }
        }
    }
}
