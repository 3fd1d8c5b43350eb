//! Where epochs begin and end, and what is told of them.

use super::*;

#[test]
fn an_epoch_may_end_anywhere_and_the_next_goes_on_there() {
    let (store, w) = model();
    let order = |cfg: &FitConfig<'_>| {
        let seen = RefCell::new(Vec::new());
        let mut trainer = plain(&store, &w, 0.).with_training_loss(|x, y| {
            seen.borrow_mut().push(y.flatten_all()?.to_vec1::<f64>()?);
            squares(&x.matmul(&w.tensor())?, y)
        });
        let history = trainer.fit(&data(), cfg).unwrap();
        drop(trainer);
        (history.epochs.len(), seen.into_inner())
    };
    // Six batches in each time through the set.
    let (_, plain) = order(&quiet(3, 4));
    let steps = |steps_per_epoch, epochs, accumulate| FitConfig {
        steps_per_epoch: Some(steps_per_epoch),
        accumulate,
        ..quiet(epochs, 4)
    };
    assert_eq!(order(&steps(4, 4, 1)), (4, plain[..16].to_vec()));
    assert_eq!(order(&steps(9, 2, 1)), (2, plain.clone()));
    assert_eq!(order(&steps(2, 3, 3)), (3, plain));
}

#[test]
fn workers_change_nothing() {
    let run = |workers, steps_per_epoch| {
        let (mut history, w) = fit(&FitConfig {
            workers,
            steps_per_epoch,
            ..quiet(3, 4)
        });
        history.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.);
        (history, w)
    };
    for steps in [None, Some(4)] {
        assert_eq!(run(2, steps), run(0, steps));
    }
}

#[test]
fn a_sampler_makes_the_batches() {
    /// Each sample alone, from the last on.
    #[derive(Debug)]
    struct Backwards;
    impl BatchSampler for Backwards {
        fn check(&self, _: usize) -> sconce_data::Result<()> {
            Ok(())
        }
        fn batches(&self, samples: usize, _: u64) -> Batches {
            Batches::of_size((0..samples).rev().collect(), 1, false)
        }
    }
    let (store, w) = model();
    let seen = RefCell::new(Vec::new());
    let set = data();
    let mut trainer = plain(&store, &w, 0.).with_training_loss(|x, y| {
        seen.borrow_mut().extend(y.flatten_all()?.to_vec1::<f64>()?);
        squares(&x.matmul(&w.tensor())?, y)
    });
    let cfg = FitConfig {
        sampler: Some(Arc::new(Backwards)),
        ..quiet(1, 4)
    };
    trainer.fit(&set, &cfg).unwrap();
    let mut expected = set.targets().flatten_all().unwrap().to_vec1::<f64>().unwrap();
    expected.reverse();
    assert_eq!(*seen.borrow(), expected);
}

#[test]
fn epochs_without_a_validation_are_passed_over() {
    let set = data();
    let cfg = FitConfig {
        validation: Validation::Set(&set),
        validate_every: 3,
        ..quiet(8, 8)
    };
    let validated = |history: &History| {
        let epochs = history.epochs.iter();
        epochs
            .filter(|epoch| epoch.validation.is_some())
            .map(|epoch| epoch.epoch)
            .collect::<Vec<_>>()
    };
    // The last one has its validation too.
    assert_eq!(validated(&fit(&cfg).0), [3, 6, 8]);

    // A threshold of 1: nothing counts as better. And nothing is better than the first for early stopping.
    let (store, w) = model();
    let plateau = ReduceLrOnPlateauConfig {
        patience: 0,
        threshold: 1.,
        ..ReduceLrOnPlateauConfig::default()
    };
    let stop = EarlyStoppingConfig {
        min_delta: 1e9,
        ..EarlyStoppingConfig::new(2)
    };
    let mut trainer = plain(&store, &w, 0.1)
        .with_plateau(&plateau)
        .unwrap()
        .with_callback(EarlyStopping::new(&stop, &store));
    let history = trainer.fit(&set, &FitConfig { epochs: 40, ..cfg }).unwrap();
    assert_eq!((history.end, history.epochs.len()), (End::Stopped, 9));
    let rates: Vec<f64> = history.epochs.iter().map(|epoch| epoch.learning_rate).collect();
    near(&rates, &[0.1, 0.1, 0.1, 0.01, 0.01, 0.01, 0.001, 0.001, 0.001]);
}

#[test]
fn what_is_watched_must_be_there_from_the_start() {
    let (store, w) = model();
    let calls = RefCell::new(0);
    let model = |x: &Tensor| {
        *calls.borrow_mut() += 1;
        x.matmul(&w.tensor())
    };
    let stop = EarlyStopping::new(&EarlyStoppingConfig::new(2), &store);
    let mut trainer = Trainer::new(model, &store, sgd(&store, 0.1), squares).with_callback(stop);
    let error = trainer.fit(&data(), &quiet(3, 8)).unwrap_err().to_string();
    assert!(error.contains("there is no validation loss to watch"), "{error}");
    assert_eq!(*calls.borrow(), 0);
    let place = tempfile::tempdir().unwrap();
    let cfg = FitConfig {
        checkpoints: Some(CheckpointConfig {
            best: Some(Watched::ValidationLoss),
            ..CheckpointConfig::new(place.path())
        }),
        ..quiet(3, 8)
    };
    let mut trainer = Trainer::new(model, &store, sgd(&store, 0.1), squares);
    let error = trainer.fit(&data(), &cfg).unwrap_err().to_string();
    assert!(error.contains("there is no validation loss to watch"), "{error}");
}

#[test]
fn metrics_of_training_are_over_the_whole_epoch() {
    let (store, w) = model();
    let set = data();
    let mut trainer = plain(&store, &w, 0.).with_metric(Mae);
    let expected = trainer.evaluate(&set, 8).unwrap().metric("mae").unwrap();
    let cfg = FitConfig {
        train_metrics: true,
        ..quiet(2, 8)
    };
    let history = trainer.fit(&set, &cfg).unwrap();
    for epoch in &history.epochs {
        assert_eq!(epoch.train_metrics.len(), 1);
        assert_eq!(epoch.train_metrics[0].0, "mae");
        near(&[epoch.train_metrics[0].1], &[expected]);
    }
    assert!(
        trainer.fit(&set, &quiet(1, 8)).unwrap().epochs[0]
            .train_metrics
            .is_empty()
    );
}

#[test]
fn averages_are_what_is_validated_and_kept() {
    let set = data();
    let (store, w) = model();
    let seen = RefCell::new(Vec::new());
    let best = EarlyStopping::new(&EarlyStoppingConfig::new(100), &store);
    let mut trainer = plain(&store, &w, 0.05)
        .with_averages(&EmaConfig {
            decay: 0.5,
            ..EmaConfig::default()
        })
        .unwrap()
        .with_callback(|_: &EpochRecord| {
            seen.borrow_mut().push(values(&w));
            Ok(ControlFlow::Continue(()))
        });
    let cfg = FitConfig {
        validation: Validation::Set(&set),
        ..quiet(4, SAMPLES)
    };
    let history = trainer.fit(&set, &cfg).unwrap();
    let averages = trainer.averages().unwrap().tensors().unwrap();
    drop(trainer);
    // The run without averages: its parameters after each epoch, of which the averages are made.
    let after: Vec<Vec<f64>> = (1..5).map(|epochs| fit(&quiet(epochs, SAMPLES)).1).collect();
    let mut expected = after[0].clone();
    for (epoch, after) in after.iter().enumerate() {
        let mean = |(mean, new): (&f64, &f64)| (mean + new) / 2.;
        if epoch > 0 {
            expected = expected.iter().zip(after).map(mean).collect();
        }
        near(&seen.borrow()[epoch], &expected);
    }
    near(&values(&w), &after[3]);
    near(
        &averages[0].1.flatten_all().unwrap().to_vec1::<f64>().unwrap(),
        &expected,
    );
    // The last epoch's validation is that of the averages.
    store.set("w", &averages[0].1).unwrap();
    let trainer = plain(&store, &w, 0.);
    let validation = history.epochs[3].validation.as_ref().unwrap().loss;
    near(&[trainer.evaluate(&set, SAMPLES).unwrap().loss], &[validation]);
    drop((trainer, best));

    // What early stopping puts back are the averages of the best epoch.
    let (store, w) = model();
    let mut trainer = plain(&store, &w, 0.05)
        .with_averages(&EmaConfig {
            decay: 0.5,
            ..EmaConfig::default()
        })
        .unwrap()
        .with_callback(EarlyStopping::new(&EarlyStoppingConfig::new(100), &store));
    trainer.fit(&set, &cfg).unwrap();
    near(&values(&w), &expected);
}

#[test]
fn options_out_of_range_are_named() {
    let bad = |cfg: FitConfig<'static>| {
        let (store, w) = model();
        let mut trainer = plain(&store, &w, 0.1);
        trainer.fit(&data(), &cfg).unwrap_err().to_string()
    };
    for (cfg, words) in [
        (
            FitConfig {
                accumulate: 0,
                ..quiet(1, 2)
            },
            "accumulate is 0, expected at least 1",
        ),
        (
            FitConfig {
                steps_per_epoch: Some(0),
                ..quiet(1, 2)
            },
            "steps_per_epoch is 0, expected at least 1",
        ),
        (
            FitConfig {
                validate_every: 0,
                ..quiet(1, 2)
            },
            "validate_every is 0, expected at least 1",
        ),
        (
            FitConfig {
                clip: Some(Clip::Norm(0.)),
                ..quiet(1, 2)
            },
            "clip is 0, expected a finite number above 0",
        ),
        (
            FitConfig {
                clip: Some(Clip::Value(f64::NAN)),
                ..quiet(1, 2)
            },
            "clip is NaN, expected a finite number above 0",
        ),
        (
            FitConfig {
                drop_last: true,
                ..quiet(1, 23)
            },
            "batches is none, of 22 samples, expected at least one batch",
        ),
    ] {
        let error = bad(cfg);
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn what_a_rule_that_evaluates_the_loss_itself_can_not_do_is_refused() {
    use sconce_optim::{Lbfgs, LbfgsConfig};
    let (store, w) = model();
    let before = values(&w);
    let trainer = || {
        let lbfgs = Box::new(Lbfgs::new(&LbfgsConfig::default(), &store).unwrap());
        Trainer::minimizing(|x: &Tensor| x.matmul(&w.tensor()), &store, lbfgs, squares)
    };
    for (cfg, words) in [
        (
            FitConfig {
                accumulate: 2,
                ..quiet(1, 8)
            },
            "accumulate is 2, expected none of it",
        ),
        (
            FitConfig {
                clip: Some(Clip::Norm(1.)),
                ..quiet(1, 8)
            },
            "clip is Norm(1.0), expected none of it",
        ),
    ] {
        let error = trainer().fit(&data(), &cfg).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let mut own = trainer().with_training_step(|step, x, target| {
        let loss = step.loss(&step.forward(x)?, target)?;
        step.apply(&loss)?;
        Ok(loss)
    });
    let error = own.fit(&data(), &quiet(1, 8)).unwrap_err().to_string();
    assert!(error.contains("expected one that steps by gradients"), "{error}");
    assert_eq!(values(&w), before);
}
