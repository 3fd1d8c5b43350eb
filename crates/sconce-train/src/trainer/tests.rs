mod refused;

use super::*;
use crate::{
    Accuracy, ClassScoreConfig, Decision, EarlyStopping, EarlyStoppingConfig, Error, F1, Mae, Watched,
};
use crate::{EpochRecord, Progress};
use candle_core::DType;
use candle_nn::func_t;
use sconce_core::{Init, Param, ParamStore, is_grad_enabled, param};
use sconce_data::TensorDataset;
use sconce_optim::{Lbfgs, LbfgsConfig, Sgd, SgdConfig};
use std::cell::{Cell, RefCell};
use std::ops::ControlFlow;
use std::panic::{AssertUnwindSafe, catch_unwind};

fn quiet(epochs: usize, batch_size: usize) -> FitConfig<'static> {
    FitConfig {
        progress: Progress::Quiet,
        ..FitConfig::new(epochs, batch_size)
    }
}

/// n points of y = 2x + 1.
fn line(n: usize) -> TensorDataset {
    let x: Vec<f64> = (0..n).map(|i| i as f64 / n as f64 - 0.5).collect();
    let x = Tensor::from_vec(x, (n, 1), &Device::Cpu).unwrap();
    TensorDataset::new(&x, &((&x * 2.).unwrap() + 1.).unwrap()).unwrap()
}

fn store() -> (ParamStore, Param, Param) {
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(3);
    let vb = store.builder();
    let w = param(&vb, (1, 1), "w", &Init::Uniform { lo: -1., hi: 1. }).unwrap();
    let b = param(&vb, 1, "b", &Init::Const(0.)).unwrap();
    (store, w, b)
}

fn sgd(store: &ParamStore, lr: f64) -> Box<dyn Optimize> {
    let cfg = SgdConfig {
        lr,
        ..SgdConfig::default()
    };
    Box::new(Sgd::new(&cfg, store).unwrap())
}

fn squares(y: &Tensor, target: &Tensor) -> candle_core::Result<Tensor> {
    (y - target)?.sqr()?.mean_all()
}

fn fit(data: &TensorDataset, lr: f64, cfg: &FitConfig<'_>) -> (Result<History>, Vec<f64>) {
    let (store, w, b) = store();
    let model = |x: &Tensor| x.matmul(&w.tensor())?.broadcast_add(&b.tensor());
    let history = Trainer::new(model, &store, sgd(&store, lr), squares).fit(data, cfg);
    let value = |p: &Param| p.value().flatten_all().unwrap().to_vec1::<f64>().unwrap()[0];
    (history, vec![value(&w), value(&b)])
}

fn figures(history: &History) -> Vec<(usize, f64, Option<f64>)> {
    let figures = |e: &EpochRecord| (e.epoch, e.train_loss, e.validation.as_ref().map(|v| v.loss));
    history.epochs.iter().map(figures).collect()
}

#[test]
fn a_line_is_found_and_the_seed_decides_all() {
    let data = line(50);
    let cfg = FitConfig {
        validation: Validation::Last(0.2),
        ..quiet(40, 8)
    };
    let (history, values) = fit(&data, 0.5, &cfg);
    let history = history.unwrap();
    assert!(
        (values[0] - 2.).abs() < 1e-3 && (values[1] - 1.).abs() < 1e-3,
        "{values:?}"
    );
    assert_eq!(history.epochs.len(), 40);
    let last = &history.epochs[39];
    assert!(last.train_loss < 1e-6 && last.validation.as_ref().unwrap().loss < 1e-5);
    assert_eq!((last.epoch, last.learning_rate), (40, 0.5));

    let (again, same_values) = fit(&data, 0.5, &cfg);
    assert_eq!(figures(&again.unwrap()), figures(&history));
    assert_eq!(same_values, values);
    let other = FitConfig {
        shuffle: Some(1),
        ..cfg
    };
    assert_ne!(figures(&fit(&data, 0.5, &other).0.unwrap()), figures(&history));
}

#[test]
fn the_validation_set_is_not_trained_on() {
    // The last fifth has another slope; what is trained on the rest doesn't know it.
    let x = Tensor::ones((10, 1), DType::F64, &Device::Cpu).unwrap();
    let y: Vec<f64> = (0..10).map(|i| if i < 8 { 1. } else { 100. }).collect();
    let data = TensorDataset::new(&x, &Tensor::from_vec(y, (10, 1), &Device::Cpu).unwrap()).unwrap();
    let cfg = FitConfig {
        validation: Validation::Last(0.2),
        ..quiet(50, 4)
    };
    let (history, values) = fit(&data, 0.2, &cfg);
    assert!((values[0] + values[1] - 1.).abs() < 1e-6, "{values:?}");
    let last = history.unwrap().epochs.pop().unwrap();
    assert!((last.validation.unwrap().loss - 99. * 99.).abs() < 1e-3);
    let own = line(5);
    let cfg = FitConfig {
        validation: Validation::Set(&own),
        ..quiet(1, 4)
    };
    assert!(fit(&data, 0.2, &cfg).0.unwrap().epochs[0].validation.is_some());
}

/// Where training is as it should be, the run goes on.
#[test]
fn a_validation_loss_that_is_not_finite_is_a_figure() {
    let data = line(8);
    let x = Tensor::new(&[[0.5f64], [f64::NAN]], &Device::Cpu).unwrap();
    let odd = TensorDataset::new(&x, &Tensor::new(&[[0f64], [0.]], &Device::Cpu).unwrap()).unwrap();
    let cfg = FitConfig {
        validation: Validation::Set(&odd),
        ..quiet(2, 4)
    };
    let (store, w, b) = store();
    let model = |x: &Tensor| x.matmul(&w.tensor())?.broadcast_add(&b.tensor());
    let mut trainer = Trainer::new(model, &store, sgd(&store, 0.1), squares)
        .with_metric(F1::new(&ClassScoreConfig {
            decision: Decision::Above(0.5),
            per_class: true,
            ..ClassScoreConfig::default()
        }))
        .with_metric(Mae);
    let scores = trainer
        .fit(&data, &cfg)
        .unwrap()
        .epochs
        .pop()
        .unwrap()
        .validation
        .unwrap();
    let nan = |name| scores.metric(name).unwrap().is_nan();
    assert!(scores.loss.is_nan() && nan("f1") && nan("mae"));
    // A metric that a finite loss goes with is told.
    let labels = TensorDataset::new(
        line(4).features(),
        &Tensor::ones((4, 1), DType::F64, &Device::Cpu).unwrap(),
    );
    assert!(
        trainer
            .evaluate(&labels.unwrap(), 2)
            .unwrap()
            .metric("f1")
            .unwrap()
            .is_finite()
    );
    // So is one that an infinite loss goes with, if there is nothing wrong with the outputs.
    let far = TensorDataset::new(data.features(), &(data.targets() * 1e300).unwrap()).unwrap();
    let error = trainer.evaluate(&far, 4).unwrap_err().to_string();
    assert!(error.starts_with("f1: target[1] is "), "{error}");
    let error = trainer.evaluate(&data, 4).unwrap_err().to_string();
    assert!(
        error.starts_with("f1: target[1] is 0.25, expected 0 or 1"),
        "{error}"
    );
}

/// Whoever catches it, in a notebook say, goes on from what was trained.
#[test]
fn a_callback_that_panics_leaves_the_training_s_values() {
    let (store, w, b) = store();
    let model = |x: &Tensor| x.matmul(&w.tensor())?.broadcast_add(&b.tensor());
    let mut trainer = Trainer::new(model, &store, sgd(&store, 0.1), squares)
        .with_averages(&EmaConfig::default())
        .unwrap()
        .with_callback(|_: &EpochRecord| panic!("callback"));
    let fitted = catch_unwind(AssertUnwindSafe(|| trainer.fit(&line(8), &quiet(1, 4))));
    assert!(fitted.is_err());
    assert_eq!(trainer.averages().unwrap().n_averaged(), 2);
    let (other, v, c) = self::store();
    let model = |x: &Tensor| x.matmul(&v.tensor())?.broadcast_add(&c.tensor());
    let mut trainer = Trainer::new(model, &other, sgd(&other, 0.1), squares);
    trainer.fit(&line(8), &quiet(1, 4)).unwrap();
    let value = |p: &Param| p.value().flatten_all().unwrap().to_vec1::<f64>().unwrap();
    assert_eq!((value(&w), value(&b)), (value(&v), value(&c)));
}

#[test]
fn a_schedule_sees_every_step() {
    let seen = RefCell::new(Vec::new());
    let (store, w, b) = store();
    let model = |x: &Tensor| x.matmul(&w.tensor())?.broadcast_add(&b.tensor());
    let mut trainer = Trainer::new(model, &store, sgd(&store, 9.), squares).with_schedule(|at| {
        seen.borrow_mut().push((at.epoch, at.step, at.steps));
        0.1 / (1 + at.step) as f64
    });
    let history = trainer.fit(&line(5), &quiet(2, 2)).unwrap();
    assert_eq!(
        *seen.borrow(),
        [(0, 0, 6), (0, 1, 6), (0, 2, 6), (1, 3, 6), (1, 4, 6), (1, 5, 6)]
    );
    assert_eq!(history.epochs[1].learning_rate, 0.1 / 6.);
}

#[test]
fn a_callback_sees_every_epoch_and_can_stop() {
    let (store, w, b) = store();
    let model = |x: &Tensor| x.matmul(&w.tensor())?.broadcast_add(&b.tensor());
    let calls = Cell::new(0);
    let mut trainer =
        Trainer::new(model, &store, sgd(&store, 0.1), squares).with_callback(|e: &EpochRecord| {
            calls.set(calls.get() + 1);
            assert_eq!(e.epoch, calls.get());
            Ok(if e.epoch == 3 {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            })
        });
    assert_eq!(trainer.fit(&line(5), &quiet(9, 2)).unwrap().epochs.len(), 3);
    assert_eq!(calls.get(), 3);
}

#[test]
fn a_loss_that_is_not_finite_stops_before_the_step() {
    let x = Tensor::new(&[[1f64], [1.], [f64::NAN], [1.]], &Device::Cpu).unwrap();
    let data = TensorDataset::new(&x, &x).unwrap();
    let cfg = FitConfig {
        shuffle: None,
        ..quiet(5, 1)
    };
    let (result, values) = fit(&data, 0.1, &cfg);
    let error = result.unwrap_err();
    assert!(
        matches!(
            error,
            Error::NotFinite {
                epoch: 1,
                step: 3,
                ..
            }
        ),
        "{error}"
    );
    assert!(
        error
            .to_string()
            .starts_with("the loss is NaN in epoch 1, step 3: ")
    );
    assert!(values.iter().all(|value| value.is_finite()), "{values:?}");
    assert!(matches!(
        fit(&line(8), 1e30, &quiet(9, 2)).0,
        Err(Error::NotFinite { .. })
    ));
}

/// Metrics are shown outputs before the step, and refuse what is NaN.
#[test]
fn a_metric_that_outputs_upset_is_named_only_if_the_loss_is_finite() {
    let x = Tensor::new(&[[1f64], [f64::NAN]], &Device::Cpu).unwrap();
    let data = TensorDataset::new(&x, &Tensor::new(&[0u32, 0], &Device::Cpu).unwrap()).unwrap();
    let cfg = FitConfig {
        shuffle: None,
        train_metrics: true,
        ..quiet(1, 1)
    };
    let (store, w, b) = store();
    let model = |x: &Tensor| x.matmul(&w.tensor())?.broadcast_add(&b.tensor());
    let square = |y: &Tensor, _: &Tensor| y.sqr()?.mean_all();
    let number = |_: &Tensor, _: &Tensor| b.tensor().sum_all()? + w.tensor().sum_all()?;
    let evaluates = || Box::new(Lbfgs::new(&LbfgsConfig::default(), &store).unwrap());
    let (lost, upset) = (
        "the loss is NaN in epoch 1, step 2: ",
        "accuracy: output[0] is NaN, expected a number",
    );
    for (trainer, expected) in [
        (Trainer::new(model, &store, sgd(&store, 0.1), square), lost),
        (Trainer::new(model, &store, sgd(&store, 0.1), number), upset),
        (Trainer::minimizing(model, &store, evaluates(), square), lost),
        (Trainer::minimizing(model, &store, evaluates(), number), upset),
    ] {
        let mut trainer = trainer.with_metric(Accuracy::default());
        let error = trainer.fit(&data, &cfg).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{error}");
    }
}

#[test]
fn figures_are_over_the_whole_set() {
    // Five samples in batches of 3 and 2: accuracies 3/3 and 0/2 are 3/5 together, not the mean of 1 and 0.
    let x = Tensor::new(
        &[[0f64, 1.], [0., 1.], [0., 1.], [0., 1.], [0., 1.]],
        &Device::Cpu,
    )
    .unwrap();
    let y = Tensor::new(&[1u32, 1, 1, 0, 0], &Device::Cpu).unwrap();
    let data = TensorDataset::new(&x, &y).unwrap();
    let (store, w, _) = store();
    let seen = RefCell::new(Vec::new());
    let model = func_t(|x, train| {
        assert!(!is_grad_enabled() && !train);
        x * (w.tensor().sum_all()?.to_scalar::<f64>()? * 0. + 1.)
    });
    let loss = |_: &Tensor, y: &Tensor| {
        seen.borrow_mut().push(y.dims()[0]);
        y.to_dtype(DType::F64)?.mean_all()
    };
    let trainer = Trainer::new(model, &store, sgd(&store, 0.1), loss).with_metric(Accuracy::default());
    let scores = trainer.evaluate(&data, 3).unwrap();
    assert_eq!(scores.metric("accuracy"), Some(0.6));
    assert!((scores.loss - 0.6).abs() < 1e-12);
    assert_eq!(*seen.borrow(), [3, 2]);
    assert_eq!(scores.metric("recall"), None);
    let output = trainer.predict(&x, 2).unwrap();
    assert_eq!(output.to_vec2::<f64>().unwrap(), x.to_vec2::<f64>().unwrap());
}

/// A run whose validation loss falls until the model passes the truth, and then grows: the parameter moves at a constant pace.
fn past_the_truth(stop: EarlyStoppingConfig, epochs: usize) -> (Result<History>, f64, Option<usize>) {
    let (store, w, b) = store();
    store
        .set("w", &Tensor::zeros((1, 1), DType::F64, &Device::Cpu).unwrap())
        .unwrap();
    store.freeze("b").unwrap();
    let model = |x: &Tensor| x.matmul(&w.tensor())?.broadcast_add(&b.tensor());
    let mut stop = EarlyStopping::new(&stop, &store);
    let history = {
        let seen = RefCell::new(&mut stop);
        struct Shared<'a, 'b>(&'a RefCell<&'a mut EarlyStopping<'b>>);
        impl Callback for Shared<'_, '_> {
            fn on_fit_start(&mut self) -> Result<()> {
                self.0.borrow_mut().on_fit_start()
            }
            fn on_epoch_end(&mut self, record: &EpochRecord) -> Result<ControlFlow<()>> {
                self.0.borrow_mut().on_epoch_end(record)
            }
            fn on_fit_end(&mut self) -> Result<()> {
                self.0.borrow_mut().on_fit_end()
            }
        }
        let mut trainer = Trainer::new(model, &store, sgd(&store, 0.1), squares)
            .with_training_loss(|_, _| w.tensor().mean_all()? * -5.)
            .with_callback(Shared(&seen));
        let cfg = FitConfig {
            validation: Validation::Last(0.5),
            ..quiet(epochs, 25)
        };
        trainer.fit(&line(50), &cfg)
    };
    let w = w.value().flatten_all().unwrap().to_vec1::<f64>().unwrap()[0];
    (history, w, stop.best_epoch())
}

#[test]
fn early_stopping_waits_and_goes_back() {
    // w grows by 0.5 an epoch. On the last half of the line, y = 2x + 1 is fitted best without b by some w above 2.
    let (all, ..) = past_the_truth(EarlyStoppingConfig::new(1000), 40);
    let losses: Vec<f64> = figures(&all.unwrap()).into_iter().filter_map(|f| f.2).collect();
    let best = (0..40).min_by(|&i, &j| losses[i].total_cmp(&losses[j])).unwrap();
    assert!((5..30).contains(&best), "{losses:?}");
    for patience in [1, 3] {
        let (history, w, epoch) = past_the_truth(EarlyStoppingConfig::new(patience), 40);
        assert_eq!(history.unwrap().epochs.len(), best + 1 + patience);
        assert_eq!(epoch, Some(best + 1));
        assert!((w - 0.5 * (best + 1) as f64).abs() < 1e-12, "{w}");
    }
    let stay = EarlyStoppingConfig {
        restore_best: false,
        ..EarlyStoppingConfig::new(3)
    };
    let (_, w, _) = past_the_truth(stay, 40);
    assert!((w - 0.5 * (best + 4) as f64).abs() < 1e-12, "{w}");
    // An improvement too small to count is none: the first epoch stays the best.
    let coarse = EarlyStoppingConfig {
        min_delta: 1e6,
        ..EarlyStoppingConfig::new(2)
    };
    assert_eq!(past_the_truth(coarse, 40).2, Some(1));
}

#[test]
fn what_early_stopping_watches_must_be_there() {
    let missing = EarlyStoppingConfig {
        watched: Watched::Metric {
            name: "accuracy",
            more_is_better: true,
        },
        ..EarlyStoppingConfig::new(3)
    };
    let error = past_the_truth(missing, 3).0.unwrap_err();
    assert!(error.to_string().contains("no accuracy to watch"), "{error}");
}

#[test]
fn schedules_go_by_batches_and_by_epochs() {
    use sconce_optim::schedule::{ExponentialLr, StepLr};
    let (data, (store, w, b)) = (line(12), store());
    let model = |x: &Tensor| x.matmul(&w.tensor())?.broadcast_add(&b.tensor());
    let mut trainer = Trainer::new(model, &store, sgd(&store, 0.1), squares)
        .with_scheduler(ExponentialLr::new(0.5), Every::Batch)
        .and_then(|trainer| trainer.with_scheduler(StepLr::new(2), Every::Epoch))
        .unwrap();
    let rates = |history: History| history.epochs.iter().map(|e| e.learning_rate).collect::<Vec<_>>();
    // Three batches an epoch; the rate is that of the last of them. A second run goes on.
    let mut ours = rates(trainer.fit(&data, &quiet(2, 4)).unwrap());
    ours.extend(rates(trainer.fit(&data, &quiet(1, 4)).unwrap()));
    let expected = [(2, 0.1), (5, 0.1), (8, 0.01)].map(|(halved, lr)| lr * 0.5f64.powi(halved));
    for (ours, expected) in ours.iter().zip(expected) {
        assert!((ours - expected).abs() < 1e-12, "{ours} {expected}");
    }
    assert!(
        Trainer::new(model, &store, sgd(&store, 0.1), squares)
            .with_scheduler(StepLr::new(0), Every::Batch)
            .is_err()
    );
}

#[test]
fn a_plateau_watches_the_validation() {
    use sconce_optim::schedule::ReduceLrOnPlateauConfig;
    let (data, (store, w, b)) = (line(12), store());
    let model = |x: &Tensor| x.matmul(&w.tensor())?.broadcast_add(&b.tensor());
    let cfg = ReduceLrOnPlateauConfig {
        patience: 0,
        threshold: 1.,
        ..ReduceLrOnPlateauConfig::default()
    };
    let mut trainer = Trainer::new(model, &store, sgd(&store, 0.1), squares)
        .with_plateau(&cfg)
        .unwrap();
    let validated = FitConfig {
        validation: Validation::Set(&data),
        ..quiet(3, 4)
    };
    let history = trainer.fit(&data, &validated).unwrap();
    // By a threshold of 1 nothing counts as better, not even the first value.
    let rates: Vec<f64> = history.epochs.iter().map(|e| e.learning_rate).collect();
    for (ours, expected) in rates.iter().zip([0.1, 0.01, 0.001]) {
        assert!((ours - expected).abs() < 1e-12, "{rates:?}");
    }
}
