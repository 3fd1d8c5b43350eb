//! What must not be lost, mixed up or done to the wrong thing.

use super::*;
use sconce_optim::schedule::{CosineAnnealingLr, StepLr};
use sconce_optim::{Lbfgs, LbfgsConfig, LineSearch, Lion, LionConfig};

fn checkpoints(folder: &Path) -> Option<CheckpointConfig> {
    Some(CheckpointConfig {
        resume: true,
        signals: false,
        ..CheckpointConfig::new(folder)
    })
}

/// A turn that learns y = x·w too.
fn critic<'a>(store: &'a ParamStore, w: &'a Param) -> Turn<'a> {
    Turn::new("critic", store, sgd(store, 0.1), |x: &Tensor, y: &Tensor| {
        squares(&x.matmul(&w.tensor())?, y)
    })
}

fn message<T: std::fmt::Debug>(result: Result<T>) -> String {
    result.unwrap_err().to_string()
}

/// A run that broke off between the batches of a step leaves nothing to the next.
#[test]
fn gathered_gradients_are_those_of_one_run() {
    let run = |breaks_off: bool| {
        let (store, w) = model();
        let before = values(&w);
        let mut trainer = plain(&store, &w, 0.1);
        let cfg = FitConfig {
            accumulate: 4,
            ..quiet(1, 4)
        };
        if breaks_off {
            let short = FitConfig {
                time_limit: Some(Duration::ZERO),
                ..cfg.clone()
            };
            assert_eq!(trainer.fit(&data(), &short).unwrap().end, End::TimeLimit);
            assert_eq!(values(&w), before);
        }
        trainer.fit(&data(), &cfg).unwrap();
        values(&w)
    };
    assert_eq!(run(true), run(false));
}

/// What a callback freezes or has trained is the checkpoint's, not the program's beginning.
#[test]
fn what_is_frozen_is_part_of_a_checkpoint() {
    let set = data();
    let run = |cfg: &FitConfig<'_>| {
        let (store, w) = model();
        let b = param(&store.builder(), 1, "b", &Init::Const(0.1)).unwrap();
        store.freeze("b").unwrap();
        let adam = Adam::new(&AdamConfig::default(), &store).unwrap();
        let model = |x: &Tensor| x.matmul(&w.tensor())?.broadcast_add(&b.tensor());
        let thaw = |record: &EpochRecord| {
            if record.epoch == 1 {
                store.unfreeze("b")?;
                store.freeze("w")?;
            }
            Ok(ControlFlow::Continue(()))
        };
        let mut trainer = Trainer::new(model, &store, Box::new(adam), squares).with_callback(thaw);
        let history = trainer.fit(&set, cfg).unwrap();
        drop(trainer);
        (history, [values(&w), values(&b)].concat())
    };
    let (_, whole) = run(&quiet(3, 4));
    let place = tempfile::tempdir().unwrap();
    let (_, pieces) = pieces::in_pieces(&quiet(3, 4), place.path(), run);
    assert_eq!(pieces, whole);
}

#[test]
fn the_best_checkpoint_has_the_parameters_that_were_judged() {
    let (set, place) = (data(), tempfile::tempdir().unwrap());
    let (store, w) = model();
    let mut trainer = plain(&store, &w, 0.1)
        .with_averages(&EmaConfig {
            decay: 0.9,
            ..EmaConfig::default()
        })
        .unwrap();
    let best = CheckpointConfig {
        best: Some(Watched::ValidationLoss),
        ..checkpoints(place.path()).unwrap()
    };
    let cfg = FitConfig {
        validation: Validation::Set(&set),
        checkpoints: Some(best),
        ..quiet(1, 4)
    };
    let history = trainer.fit(&set, &cfg).unwrap();
    let last = values(&w);
    load_model(place.path().join("best.safetensors"), &store).unwrap();
    assert_ne!(values(&w), last);
    let judged = history.epochs[0].validation.as_ref().unwrap().loss;
    assert_eq!(trainer.evaluate(&set, 4).unwrap().loss, judged);

    let other = ParamStore::new(DType::F64, &Device::Cpu);
    param(&other.builder(), (3, 1), "v", &Init::Const(0.)).unwrap();
    let error = message(load_model(place.path().join("best.safetensors"), &other));
    assert!(error.contains("it has w"), "{error}");
}

#[test]
fn another_rule_and_other_schedules_are_refused() {
    let set = data();
    let run = |folder: &Path, lion: bool, step: bool| {
        let (store, w) = model();
        let rule: Box<dyn Optimize> = match lion {
            true => Box::new(Lion::new(&LionConfig::default(), &store).unwrap()),
            false => sgd(&store, 0.1),
        };
        let trainer = Trainer::new(|x: &Tensor| x.matmul(&w.tensor()), &store, rule, squares);
        let mut trainer = match step {
            true => trainer.with_scheduler(StepLr::new(2), Every::Batch),
            false => trainer.with_scheduler(CosineAnnealingLr::new(5), Every::Batch),
        }
        .unwrap();
        let cfg = FitConfig {
            checkpoints: checkpoints(folder),
            ..quiet(1, 4)
        };
        trainer.fit(&set, &cfg)
    };
    let place = tempfile::tempdir().unwrap();
    run(place.path(), false, true).unwrap();
    for (lion, step, words) in [
        (
            true,
            true,
            "is of a run with optimizer Sgd, and this one has Lion",
        ),
        (
            false,
            false,
            "is of a run with schedules StepLR, and this one has CosineAnnealingLR",
        ),
    ] {
        let error = message(run(place.path(), lion, step));
        assert!(error.contains(words), "{error}");
    }
}

/// What is refused has changed nothing, the best epoch's parameters among it that early stopping would put back.
#[test]
fn a_refused_checkpoint_changes_nothing() {
    let (set, place) = (data(), tempfile::tempdir().unwrap());
    let run = |store: &ParamStore, w: &Param, averages: bool| {
        let mut trainer =
            plain(store, w, 0.1).with_callback(EarlyStopping::new(&EarlyStoppingConfig::new(2), store));
        if averages {
            trainer = trainer.with_averages(&EmaConfig::default()).unwrap();
        }
        let cfg = FitConfig {
            validation: Validation::Set(&set),
            checkpoints: checkpoints(place.path()),
            ..quiet(2, 4)
        };
        trainer.fit(&set, &cfg)
    };
    let (store, w) = model();
    run(&store, &w, true).unwrap();
    let (store, w) = model();
    let before = values(&w);
    let error = message(run(&store, &w, false));
    assert!(error.contains("it has averages"), "{error}");
    assert_eq!(values(&w), before);
}

#[test]
fn a_figure_that_will_not_be_there_is_refused_at_the_start() {
    let (set, steps) = (data(), std::cell::Cell::new(0));
    let (store, w) = model();
    for (name, known) in [("acuracy", false), ("mae", true)] {
        let watched = Watched::Metric {
            name,
            more_is_better: false,
        };
        let place = tempfile::tempdir().unwrap();
        let mut trainer = plain(&store, &w, 0.1).with_metric(Mae).with_schedule(|at| {
            steps.set(at.step + 1);
            0.1
        });
        let best = CheckpointConfig {
            best: Some(watched),
            ..checkpoints(place.path()).unwrap()
        };
        let cfg = FitConfig {
            validation: Validation::Set(&set),
            checkpoints: Some(best),
            ..quiet(1, 4)
        };
        let result = trainer.fit(&set, &cfg);
        assert_eq!((result.is_ok(), steps.get() > 0), (known, known));
        if let Err(error) = result {
            assert!(error.to_string().contains("acuracy"), "{error}");
        }
    }
}

#[test]
fn names_that_a_checkpoint_goes_by_are_different() {
    let set = data();
    let ((store, w), (first, v), (second, u)) = (model(), model(), model());
    let mut trainer = plain(&store, &w, 0.1)
        .with_turn(critic(&first, &v))
        .with_turn(critic(&second, &u));
    assert_eq!(
        message(trainer.fit(&set, &quiet(1, 4))),
        "Trainer: turn is critic, expected a name of its own for each"
    );
    let generator = Generator::new(1);
    for names in [["noise", "noise"], ["noise", "default"]] {
        let mut trainer = plain(&store, &w, 0.1);
        for name in names {
            trainer = trainer.with_generator(name, &generator);
        }
        let error = message(trainer.fit(&set, &quiet(1, 4)));
        assert!(error.contains("Trainer: generator is "), "{error}");
    }
}

#[test]
fn of_two_ways_to_train_none_is_dropped_in_silence() {
    let (store, w) = model();
    let trainer = plain(&store, &w, 0.1).with_training_loss(|x: &Tensor, y: &Tensor| squares(x, y));
    let weights = vec![1.; SAMPLES];
    let mut trainer = trainer
        .with_sample_weights(weights, |y: &Tensor, target: &Tensor| (y - target)?.sqr())
        .unwrap();
    let error = message(trainer.fit(&data(), &quiet(1, 4)));
    assert!(
        error.starts_with("Trainer: objective is a training loss and sample weights, expected one"),
        "{error}"
    );
}

#[test]
fn a_turn_whose_loss_is_lost_is_named() {
    let ((store, w), (others, v)) = (model(), model());
    let turn = Turn::new("critic", &others, sgd(&others, 0.1), |x: &Tensor, y: &Tensor| {
        squares(&x.matmul(&v.tensor())?, y)? * f64::NAN
    });
    let mut trainer = plain(&store, &w, 0.1).with_turn(turn);
    let error = message(trainer.fit(&data(), &quiet(1, 4)));
    assert!(
        error.starts_with("the loss of turn critic is NaN in epoch 1, step 1: lower"),
        "{error}"
    );
}

#[test]
fn parameters_that_are_lost_are_named_with_the_loss() {
    let (store, w) = model();
    let b = param(&store.builder(), 1, "b", &Init::Const(f64::INFINITY)).unwrap();
    let model = |x: &Tensor| x.matmul(&w.tensor())?.broadcast_add(&b.tensor());
    let mut trainer = Trainer::new(model, &store, sgd(&store, 0.1), squares);
    let error = message(trainer.fit(&data(), &quiet(1, 4)));
    assert!(
        error.starts_with("the loss is inf in epoch 1, step 1; so are values of b: lower"),
        "{error}"
    );
}

/// √b at 0 has a finite value and an infinite slope, and below it none.
#[test]
fn a_search_that_loses_its_way_leaves_the_parameters() {
    for line_search in [LineSearch::Fixed, LineSearch::StrongWolfe] {
        let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(1);
        let w = param(&store.builder(), (3, 1), "w", &Init::Const(0.1)).unwrap();
        let b = param(&store.builder(), 1, "b", &Init::Const(0.)).unwrap();
        let cfg = LbfgsConfig {
            line_search,
            ..LbfgsConfig::default()
        };
        let rule = || Box::new(Lbfgs::new(&cfg, &store).unwrap());
        let model = |x: &Tensor| x.matmul(&w.tensor());
        let root = |y: &Tensor, target: &Tensor| squares(y, target)? + b.tensor().sqrt()?.sum_all()?;
        let mut trainer = Trainer::minimizing(model, &store, rule(), root);
        let error = message(trainer.fit(&data(), &quiet(3, SAMPLES)));
        assert!(
            error.starts_with("not finite in epoch 1, step 1 are the gradients of b (inf at [0])"),
            "{error}"
        );
        assert_eq!((values(&w), values(&b)), (vec![0.1; 3], vec![0.]));

        // One step on, the root is of less than nothing; a search along the line comes back.
        let falls =
            |y: &Tensor, target: &Tensor| squares(y, target)? + (b.tensor() + 0.01)?.sqrt()?.sum_all()?;
        let mut trainer = Trainer::minimizing(model, &store, rule(), falls);
        let result = trainer.fit(&data(), &quiet(1, SAMPLES));
        if line_search == LineSearch::Fixed {
            let error = message(result);
            assert!(error.starts_with("the loss is NaN in epoch 1, step 1"), "{error}");
            assert_eq!((values(&w), values(&b)), (vec![0.1; 3], vec![0.]));
        } else {
            result.unwrap();
            assert!(
                values(&w)
                    .iter()
                    .chain(&values(&b))
                    .all(|value| value.is_finite())
            );
        }
    }
}

/// A checkpoint holds its best weights wider than they are.
#[test]
fn early_stopping_and_turns_remember_eight_bits() {
    let device = Device::Cpu;
    let place = tempfile::tempdir().unwrap();
    let run = |epochs| {
        let other = ParamStore::new(DType::F32, &device);
        let v = param(&other.builder(), 1, "v", &Init::Const(1.)).unwrap();
        sconce_core::buffer(&other.builder(), 3, "scale", &Init::Const(0.5), DType::F8E4M3).unwrap();
        // What is trained may be of eight bits too, as long as nothing comes of it.
        param(
            &other.builder().to_dtype(DType::F8E4M3),
            2,
            "idle",
            &Init::Const(0.5),
        )
        .unwrap();
        let store = ParamStore::new(DType::F32, &device);
        let vb = store.builder();
        let w = param(&vb, (3, 1), "w", &Init::Const(0.5)).unwrap();
        let table = sconce_core::buffer(&vb, 3, "table", &Init::Const(0.5), DType::F8E4M3).unwrap();
        let sgd = SgdConfig {
            lr: 0.01,
            ..SgdConfig::default()
        };
        let sgd = Box::new(Sgd::new(&sgd, &store).unwrap());
        let model = |x: &Tensor| x.to_dtype(DType::F32)?.matmul(&w.tensor());
        let loss = |y: &Tensor, target: &Tensor| (y - target.to_dtype(DType::F32)?)?.sqr()?.mean_all();
        let stopping = EarlyStopping::new(&EarlyStoppingConfig::new(2), &store);
        let turn = |_: &Tensor, _: &Tensor| v.tensor().sqr()?.sum_all();
        let turn = Turn::new("second", &other, self::sgd(&other, 0.1), turn);
        let mut trainer = Trainer::new(model, &store, sgd, loss)
            .with_callback(stopping)
            .with_turn(turn);
        let set = data();
        let cfg = FitConfig {
            missing_gradients: MissingGradients::Warn,
            validation: Validation::Set(&set),
            checkpoints: Some(CheckpointConfig {
                resume: true,
                signals: false,
                ..CheckpointConfig::new(place.path())
            }),
            ..quiet(epochs, 4)
        };
        let done = trainer.fit(&set, &cfg).unwrap().epochs.len();
        drop(trainer);
        (done, table.tensor().dtype())
    };
    assert_eq!(run(1), (1, DType::F8E4M3));
    assert_eq!(run(2), (2, DType::F8E4M3));
}

#[test]
fn early_stopping_wants_a_number() {
    let (store, w) = model();
    let cfg = EarlyStoppingConfig {
        watched: Watched::TrainLoss,
        min_delta: f64::NAN,
        ..EarlyStoppingConfig::new(2)
    };
    let mut trainer = plain(&store, &w, 0.1).with_callback(EarlyStopping::new(&cfg, &store));
    let error = trainer.fit(&data(), &quiet(1, 4)).unwrap_err().to_string();
    assert_eq!(error, "EarlyStopping: min_delta is NaN, expected a number");
}
