//! What a step is made of: batches, gradients, weights.

use super::*;
use sconce_data::{BatchSize, Bucketed, BucketedConfig};

#[test]
fn gathered_batches_are_one_batch() {
    let in_order = |batch_size, accumulate| FitConfig {
        shuffle: None,
        accumulate,
        ..quiet(3, batch_size)
    };
    let (whole, w) = fit(&in_order(8, 1));
    // 22 samples are 8, 8 and 6; and 4, 4 | 4, 4 | 4, 2.
    let (parts, same) = fit(&in_order(4, 2));
    near(&w, &same);
    near(&losses(&whole), &losses(&parts));
    // 16 and 6: the last step has fewer batches.
    let (_, w) = fit(&in_order(16, 1));
    near(&w, &fit(&in_order(4, 4)).1);
    near(&fit(&in_order(22, 1)).1, &fit(&in_order(1, 100)).1);
}

#[test]
fn schedules_count_the_optimisers_steps() {
    let (store, w) = model();
    let seen = RefCell::new(Vec::new());
    let mut trainer = plain(&store, &w, 0.05).with_schedule(|at| {
        seen.borrow_mut().push((at.epoch, at.step, at.steps));
        0.01
    });
    let cfg = FitConfig {
        accumulate: 2,
        ..quiet(2, 8)
    };
    trainer.fit(&data(), &cfg).unwrap();
    let expected = [(0, 0, 4), (0, 0, 4), (0, 1, 4), (1, 2, 4), (1, 2, 4), (1, 3, 4)];
    assert_eq!(*seen.borrow(), expected);
}

#[test]
fn gradients_are_clipped() {
    let step = |clip| {
        let (store, w) = model();
        let before = values(&w);
        let mut trainer = plain(&store, &w, 1.);
        trainer
            .fit(
                &data(),
                &FitConfig {
                    clip,
                    ..quiet(1, SAMPLES)
                },
            )
            .unwrap();
        values(&w)
            .iter()
            .zip(before)
            .map(|(after, before)| before - after)
            .collect::<Vec<_>>()
    };
    let free = step(None);
    let norm = free.iter().map(|x| x * x).sum::<f64>().sqrt();
    assert!(norm > 1.);
    let clipped: Vec<f64> = free.iter().map(|x| x * 0.5 / (norm + 1e-6)).collect();
    near(&step(Some(Clip::Norm(0.5))), &clipped);
    near(&step(Some(Clip::Norm(1e3))), &free);
    let cut: Vec<f64> = free.iter().map(|x| x.clamp(-0.25, 0.25)).collect();
    near(&step(Some(Clip::Value(0.25))), &cut);
}

#[test]
fn weights_of_samples_count() {
    let set = data();
    let run = |weights: Vec<f64>, cfg: &FitConfig<'_>| {
        let (store, w) = model();
        let per_sample = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.flatten_all();
        let mut trainer = plain(&store, &w, 0.05).with_sample_weights(weights, per_sample)?;
        let history = trainer.fit(&set, cfg)?;
        drop(trainer);
        Ok::<_, Error>((losses(&history), values(&w)))
    };
    let (history, w) = fit(&quiet(2, 4));
    let (same, same_w) = run(vec![1.; SAMPLES], &quiet(2, 4)).unwrap();
    near(&losses(&history), &same);
    near(&w, &same_w);
    // Weights of 2 and 0: as if the second half weren't there, at the same size of steps.
    let half: Vec<f64> = (0..SAMPLES)
        .map(|i| if i < SAMPLES / 2 { 2. } else { 0. })
        .collect();
    let (store, w) = model();
    let mut trainer = plain(&store, &w, 0.05);
    let first = Dataset::split_last(&set, 0.5).unwrap().0;
    trainer.fit(&first, &quiet(5, SAMPLES)).unwrap();
    near(&run(half.clone(), &quiet(5, SAMPLES)).unwrap().1, &values(&w));
    // Part of the set is kept for validation; the weights are still those of the whole set.
    let cfg = FitConfig {
        validation: Validation::Last(0.5),
        ..quiet(5, SAMPLES)
    };
    let doubled = run(vec![2.; SAMPLES], &cfg).unwrap().1;
    near(&run(half, &cfg).unwrap().1, &doubled);

    for (weights, words) in [
        (
            vec![1.; 3],
            "sample_weights is 3 numbers, expected one for each of the 22 samples",
        ),
        (
            vec![-1.; SAMPLES],
            "sample_weights is -1 at 0, expected finite numbers, at least 0",
        ),
        (vec![f64::NAN], "sample_weights is NaN at 0"),
    ] {
        let error = run(weights, &quiet(1, 4)).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    let (store, w) = model();
    let mut trainer = plain(&store, &w, 0.05)
        .with_sample_weights([1.; SAMPLES], squares)
        .unwrap();
    let error = trainer.fit(&set, &quiet(1, 4)).unwrap_err().to_string();
    assert!(
        error.contains("losses of samples has shape [], expected [4]"),
        "{error}"
    );
}

#[test]
fn a_step_of_ones_own_keeps_the_rest_of_the_run() {
    let (expected, w) = fit(&quiet(3, 4));
    let (store, own) = model();
    let cfg = FitConfig {
        train_metrics: true,
        ..quiet(3, 4)
    };
    let steps = RefCell::new(Vec::new());
    let mut trainer = plain(&store, &own, 0.05)
        .with_metric(Mse)
        .with_training_step(|step, x, target| {
            steps.borrow_mut().push(step.position().step);
            assert_eq!(step.optimizer().learning_rate(), 0.05);
            let output = step.forward(x)?;
            step.observe(&output, target)?;
            let loss = step.loss(&output, target)?;
            step.apply(&loss)?;
            Ok(loss)
        });
    let history = trainer.fit(&data(), &cfg).unwrap();
    assert_eq!(*steps.borrow(), (0..18).collect::<Vec<_>>());
    near(&losses(&expected), &losses(&history));
    near(&w, &values(&own));
    near(
        &[history.epochs[2].train_metrics[0].1],
        &[history.epochs[2].train_loss],
    );
}

#[test]
fn gradients_that_are_not_finite_are_named_and_change_nothing() {
    for clip in [None, Some(Clip::Norm(1.)), Some(Clip::Value(1.))] {
        for accumulate in [1, 2] {
            let store = ParamStore::new(DType::F64, &Device::Cpu);
            let v = param(&store.builder(), 2, "v", &Init::Const(1.)).unwrap();
            let w = param(&store.builder(), 2, "w", &Init::Const(0.25)).unwrap();
            let calls = RefCell::new(0);
            let mut trainer = Trainer::new(|x: &Tensor| Ok(x.clone()), &store, sgd(&store, 0.1), squares)
                .with_training_loss(|_, _| {
                    *calls.borrow_mut() += 1;
                    // √0 is 0, and its slope is infinite.
                    let shift = if *calls.borrow() == 5 { 0.25 } else { 0. };
                    let w = (w.tensor() - w.value())? + (0.25 - shift);
                    w?.sqrt()?.sum_all()? + v.tensor().sum_all()?
                });
            let cfg = FitConfig {
                clip,
                accumulate,
                ..quiet(2, 6)
            };
            let error = trainer.fit(&data(), &cfg).unwrap_err();
            let Error::GradientNotFinite {
                epoch, step, names, ..
            } = &error
            else {
                panic!("{error}");
            };
            // Four batches an epoch; of two that are gathered, the first's own.
            assert_eq!((*epoch, *step), (2, 1));
            assert_eq!(names, &["w (inf at [0])"]);
            assert!(
                error.to_string().contains("the gradients of w (inf at [0])"),
                "{error}"
            );
            drop(trainer);
            assert!(values(&v).iter().chain(&values(&w)).all(|x| x.is_finite()));
        }
    }
}

/// Of two that are gathered, each uses one of the parameters.
#[test]
fn a_first_step_is_all_of_its_batches() {
    for accumulate in [1, 2] {
        let store = ParamStore::new(DType::F64, &Device::Cpu);
        let [a, b] = ["a", "b"].map(|name| param(&store.builder(), (), name, &Init::Const(1.)).unwrap());
        let calls = RefCell::new(0);
        let mut trainer = Trainer::new(|x: &Tensor| Ok(x.clone()), &store, sgd(&store, 0.1), squares)
            .with_training_loss(|_, _| {
                *calls.borrow_mut() += 1;
                let used = if *calls.borrow() % 2 == 1 { &a } else { &b };
                used.tensor().sqr()
            });
        let cfg = FitConfig {
            accumulate,
            ..quiet(1, 6)
        };
        match (trainer.fit(&data(), &cfg), accumulate) {
            (Err(Error::MissingGradients { names }), 1) => assert_eq!(names, ["b"]),
            (result, 2) => assert!(result.is_ok(), "{result:?}"),
            (result, _) => panic!("{result:?}"),
        }
    }
}

#[test]
fn a_turns_gradients_are_named_as_its_own() {
    let (store, w) = model();
    let other = ParamStore::new(DType::F64, &Device::Cpu);
    let v = param(&other.builder(), 1, "v", &Init::Const(0.)).unwrap();
    let run = |objective: fn(&Param) -> CandleResult<Tensor>| {
        let turn = Turn::new("second", &other, sgd(&other, 0.1), |_, _| objective(&v));
        let mut trainer = plain(&store, &w, 0.1).with_turn(turn);
        trainer.fit(&data(), &quiet(1, 22)).unwrap_err().to_string()
    };
    // √0 is 0, and its slope is infinite.
    let error = run(|v| v.tensor().sqrt()?.sum_all());
    assert!(
        error.starts_with("not finite in epoch 1, step 1 of turn second are the gradients of v (inf at [0])"),
        "{error}"
    );
    let error = run(|v| v.value().sum_all());
    assert!(error.starts_with("turn second: backward: "), "{error}");
}

/// The gradient is finite, and the step isn't.
#[test]
fn parameters_that_a_step_leaves_infinite_stop_the_run_before_they_are_saved() {
    let place = tempfile::tempdir().unwrap();
    let checkpoints = CheckpointConfig {
        every: Some(1),
        signals: false,
        ..CheckpointConfig::new(place.path())
    };
    for checkpoints in [None, Some(checkpoints)] {
        let (store, w) = model();
        let mut trainer = plain(&store, &w, 0.1).with_schedule(|at| if at.step == 3 { 1e308 } else { 0.1 });
        let cfg = FitConfig {
            checkpoints: checkpoints.clone(),
            ..quiet(2, 6)
        };
        let error = trainer.fit(&data(), &cfg).unwrap_err().to_string();
        assert!(
            error.starts_with("not finite in epoch 1 after step 4 are values of w: "),
            "{error}"
        );
    }
    let saved = std::fs::read_dir(place.path()).unwrap();
    let saved = saved.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    let newest = saved.filter(|name| name.starts_with("step-")).max();
    assert_eq!(newest.as_deref(), Some("step-0000000003.safetensors"));
}

/// Sequences of different lengths, whose sum is to be learnt.
struct Ragged;

impl Dataset for Ragged {
    fn len(&self) -> usize {
        24
    }

    fn get(&self, index: usize) -> CandleResult<(Tensor, Tensor)> {
        let length = 1 + index % 5;
        let x = (Tensor::arange(0, length as u32, &Device::Cpu)?.to_dtype(DType::F64)? / 5.)?;
        Ok((x.clone(), (x.sum_all()? * 2.)?))
    }
}

#[test]
fn sequences_are_trained_on_in_buckets() {
    let lengths = (0..24).map(|i| 1 + i % 5).collect();
    let buckets = BucketedConfig::new(BatchSize::Tokens(10));
    let set = Ragged.padded(Some(0.), None);
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    let w = param(&store.builder(), (), "w", &Init::Const(0.)).unwrap();
    let mut trainer = Trainer::new(
        |x: &Tensor| x.sum(1)?.broadcast_mul(&w.tensor()),
        &store,
        sgd(&store, 0.1),
        squares,
    );
    let cfg = FitConfig {
        sampler: Some(Arc::new(Bucketed::new(lengths, &buckets).unwrap())),
        validation: Validation::Set(&set),
        ..quiet(30, 4)
    };
    let history = trainer.fit(&set, &cfg).unwrap();
    assert!(history.epochs[29].validation.as_ref().unwrap().loss < 1e-6);
    assert!(trainer.evaluate(&set, 7).unwrap().loss < 1e-6);
    near(&values(&w), &[2.]);
    // Of different lengths, they are no batch.
    assert!(trainer.fit(&Ragged, &quiet(1, 4)).is_err());
}
