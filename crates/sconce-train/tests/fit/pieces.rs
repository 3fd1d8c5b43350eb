//! Stopped after every batch.

use super::*;
use sconce_data::{BatchSize, Bucketed, BucketedConfig};

/// A run that is stopped after every batch, each time by its time limit, until it is done.
pub(super) fn in_pieces(
    cfg: &FitConfig<'_>,
    folder: &Path,
    run: impl Fn(&FitConfig<'_>) -> (History, Vec<f64>),
) -> (History, Vec<f64>) {
    let piece = FitConfig {
        time_limit: Some(Duration::ZERO),
        checkpoints: Some(CheckpointConfig {
            resume: true,
            signals: false,
            ..CheckpointConfig::new(folder)
        }),
        ..cfg.clone()
    };
    for _ in 0..1000 {
        let (history, w) = run(&piece);
        if history.end != End::TimeLimit {
            return (history, w);
        }
    }
    panic!("it doesn't come to its end")
}

#[test]
fn a_run_in_pieces_is_the_whole_run_with_every_option() {
    let set = data();
    let run = |cfg: &FitConfig<'_>| {
        let (store, w) = model();
        let adam = Adam::new(
            &AdamConfig {
                lr: 0.05,
                ..AdamConfig::default()
            },
            &store,
        )
        .unwrap();
        let mut trainer = Trainer::new(
            |x: &Tensor| x.matmul(&w.tensor()),
            &store,
            Box::new(adam),
            squares,
        )
        .with_metric(Mae)
        .with_metric(R2)
        .with_averages(&EmaConfig {
            decay: 0.9,
            ..EmaConfig::default()
        })
        .unwrap();
        let mut history = trainer.fit(&set, cfg).unwrap();
        let averages = trainer.averages().unwrap().tensors().unwrap();
        drop(trainer);
        history.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.);
        let mut all = values(&w);
        // Before the first step there are none.
        for (_, average) in averages {
            all.extend(average.flatten_all().unwrap().to_vec1::<f64>().unwrap());
        }
        (history, all)
    };
    for steps_per_epoch in [None, Some(5)] {
        for accumulate in [1, 3] {
            let cfg = FitConfig {
                accumulate,
                steps_per_epoch,
                clip: Some(Clip::Norm(1.)),
                train_metrics: true,
                validation: Validation::Set(&set),
                validate_every: 2,
                workers: 1,
                ..quiet(3, 4)
            };
            let place = tempfile::tempdir().unwrap();
            let (whole, w) = run(&cfg);
            let (pieces, same) = in_pieces(&cfg, place.path(), run);
            assert_eq!(pieces, whole);
            assert_eq!(same, w);
            // With other options it would be another run.
            let other = FitConfig {
                accumulate: 2,
                ..cfg.clone()
            };
            let (store, w) = model();
            let mut trainer = plain(&store, &w, 0.1);
            let other = FitConfig {
                checkpoints: Some(CheckpointConfig {
                    resume: true,
                    ..CheckpointConfig::new(place.path())
                }),
                ..other
            };
            let error = trainer.fit(&set, &other).unwrap_err().to_string();
            assert!(
                error.contains(&format!(
                    "is of a run with accumulate {accumulate}, and this one has 2"
                )),
                "{error}"
            );
        }
    }
}

/// A step and a turn of one's own, noise from a generator of one's own, buckets of samples or of tokens, and all that goes by
/// figures.
#[test]
fn a_run_in_pieces_is_the_whole_run_with_parts_of_ones_own() {
    let set = data();
    let lengths: Vec<usize> = (0..SAMPLES).map(|i| 1 + (i * 7) % 5).collect();
    let run = |cfg: &FitConfig<'_>| {
        let ((store, w), (others, v)) = (model(), model());
        let noise = Generator::new(4);
        let adam = |store: &ParamStore| Box::new(Adam::new(&AdamConfig::default(), store).unwrap());
        let model = |x: &Tensor| x.matmul(&w.tensor());
        let turn = Turn::new("critic", &others, adam(&others), |x: &Tensor, y: &Tensor| {
            let level = w.value().sum_all()?;
            squares(&x.matmul(&v.tensor())?.broadcast_sub(&level)?, y)
        });
        let noisy = |step: &mut TrainingStep<'_, '_>, x: &Tensor, y: &Tensor| {
            let mut draws = vec![0f64; x.elem_count()];
            noise.fill_normal(&mut draws, 0., 0.1);
            let x = (x + Tensor::from_vec(draws, x.dims(), &Device::Cpu)?)?;
            let output = step.forward(&x)?;
            step.observe(&output, y)?;
            let loss = step.loss(&output, y)?;
            step.apply(&loss)?;
            Ok(loss)
        };
        let plateau = ReduceLrOnPlateauConfig {
            patience: 0,
            ..ReduceLrOnPlateauConfig::default()
        };
        let mut trainer = Trainer::new(model, &store, adam(&store), squares)
            .with_generator("noise", &noise)
            .with_averages(&EmaConfig::default())
            .unwrap()
            .with_plateau(&plateau)
            .unwrap()
            .with_callback(EarlyStopping::new(&EarlyStoppingConfig::new(2), &store))
            .with_turn(turn)
            .with_training_step(noisy)
            .with_metric(Mae);
        let mut history = trainer.fit(&set, cfg).unwrap();
        drop(trainer);
        history.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.);
        (history, [values(&w), values(&v)].concat())
    };
    for (size, steps_per_epoch, accumulate) in [
        (BatchSize::Samples(4), None, 1),
        (BatchSize::Samples(4), Some(4), 2),
        (BatchSize::Tokens(12), None, 3),
    ] {
        let buckets = BucketedConfig {
            pool: Some(8),
            ..BucketedConfig::new(size)
        };
        let cfg = FitConfig {
            sampler: Some(Arc::new(Bucketed::new(lengths.clone(), &buckets).unwrap())),
            steps_per_epoch,
            accumulate,
            workers: 2,
            train_metrics: true,
            validation: Validation::Set(&set),
            ..quiet(4, 4)
        };
        let place = tempfile::tempdir().unwrap();
        assert_eq!(in_pieces(&cfg, place.path(), run), run(&cfg));
    }
}

/// A last batch that is left out, and samples that count differently.
#[test]
fn a_run_in_pieces_is_the_whole_run_with_weights() {
    let set = data();
    let run = |cfg: &FitConfig<'_>| {
        let (store, w) = model();
        let weights: Vec<f64> = (0..SAMPLES).map(|i| (i % 3) as f64).collect();
        let mut trainer = plain(&store, &w, 0.05)
            .with_sample_weights(weights, |y: &Tensor, target: &Tensor| {
                (y - target)?.sqr()?.flatten_all()
            })
            .unwrap();
        let mut history = trainer.fit(&set, cfg).unwrap();
        drop(trainer);
        history.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.);
        (history, values(&w))
    };
    let cfg = FitConfig {
        drop_last: true,
        ..quiet(3, 4)
    };
    let place = tempfile::tempdir().unwrap();
    assert_eq!(in_pieces(&cfg, place.path(), run), run(&cfg));
}

#[test]
fn every_schedule_goes_on_where_it_was() {
    use sconce_optim::schedule::*;
    let own = || CosineAnnealingWarmRestarts {
        t_0: 3,
        t_mult: 2,
        eta_min: 0.001,
    };
    // With a function of a run's own: a closure can't be cloned.
    let schedules: Vec<Box<dyn Fn() -> Box<dyn Schedule>>> = vec![
        Box::new(|| {
            Box::new(ConstantLr {
                factor: 0.5,
                total_iters: 4,
            })
        }),
        Box::new(|| Box::new(LambdaLr::new(|step| 1. / (step + 1) as f64))),
        Box::new(|| Box::new(MultiplicativeLr::new(|_| 0.9))),
        Box::new(|| {
            Box::new(StepLr {
                gamma: 0.5,
                ..StepLr::new(2)
            })
        }),
        Box::new(|| {
            Box::new(MultiStepLr {
                milestones: vec![1, 4, 4],
                gamma: 0.5,
            })
        }),
        Box::new(|| Box::new(LinearLr::default())),
        Box::new(|| Box::new(ExponentialLr::new(0.8))),
        Box::new(|| {
            Box::new(PolynomialLr {
                total_iters: 7,
                power: 2.,
            })
        }),
        Box::new(|| Box::new(CosineAnnealingLr::new(5))),
        Box::new(move || Box::new(own())),
        Box::new(|| {
            Box::new(CyclicLr {
                step_size_up: 2,
                ..CyclicLr::new(0.01, 0.05)
            })
        }),
        Box::new(|| Box::new(OneCycleLr::new(0.05, 30))),
        Box::new(|| Box::new(NoamLr::new(4, 4))),
        Box::new(|| {
            Box::new(WarmUpCosine {
                total_steps: 30,
                warm_up: 0.1,
            })
        }),
        Box::new(|| Box::new(SwaLr::new(0.01))),
        Box::new(move || Box::new(SequentialLr::new(3, LinearLr::default(), own()))),
        Box::new(|| Box::new(ChainedScheduler::new(LinearLr::default()).and(ExponentialLr::new(0.9)))),
    ];
    let set = data();
    for make in &schedules {
        for every in [Every::Batch, Every::Epoch] {
            let run = |cfg: &FitConfig<'_>| {
                let (store, w) = model();
                let sgd = SgdConfig {
                    lr: 0.05,
                    momentum: 0.5,
                    ..SgdConfig::default()
                };
                let sgd = Box::new(Sgd::new(&sgd, &store).unwrap());
                let mut trainer = Trainer::new(|x: &Tensor| x.matmul(&w.tensor()), &store, sgd, squares)
                    .with_scheduler(make(), every)
                    .unwrap();
                let mut history = trainer.fit(&set, cfg).unwrap();
                drop(trainer);
                history.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.);
                (history, values(&w))
            };
            let (cfg, place) = (quiet(4, 8), tempfile::tempdir().unwrap());
            let name = make().name();
            assert_eq!(in_pieces(&cfg, place.path(), run), run(&cfg), "{name} {every:?}");
        }
    }
}
