//! What a trainer refuses, and what it says of it.

use super::*;

#[test]
fn bad_input_is_named() {
    let none = TensorDataset::new(
        &Tensor::zeros((0, 1), DType::F64, &Device::Cpu).unwrap(),
        &Tensor::zeros((0, 1), DType::F64, &Device::Cpu).unwrap(),
    )
    .unwrap();
    let last = |fraction| FitConfig {
        validation: Validation::Last(fraction),
        ..quiet(1, 2)
    };
    let empty = FitConfig {
        validation: Validation::Set(&none),
        ..quiet(1, 2)
    };
    let cases = [
        (&none, quiet(1, 2), "the training set is empty"),
        (&line(4), empty, "the validation set is empty"),
        (&line(4), quiet(1, 0), "batch_size is 0, expected at least 1"),
        (
            &line(4),
            last(1.5),
            "fraction is 1.5, expected above 0 and below 1",
        ),
        (&line(4), last(0.), "fraction is 0, expected above 0 and below 1"),
    ];
    for (data, cfg, message) in cases {
        assert_eq!(fit(data, 0.1, &cfg).0.unwrap_err().to_string(), message);
    }
    let (store, w, _) = store();
    let model = |x: &Tensor| x.matmul(&w.tensor());
    let trainer = Trainer::new(model, &store, sgd(&store, 0.1), |y: &Tensor, _: &Tensor| {
        Ok(y.clone())
    });
    let error = trainer.evaluate(&line(4), 2).unwrap_err().to_string();
    assert_eq!(
        error,
        "Trainer: loss has shape [2, 1], expected one element: reduce it with a mean"
    );
    for (result, message) in [
        (trainer.evaluate(&none, 2).err(), "the evaluation set is empty"),
        (
            trainer.predict(none.features(), 2).err(),
            "the prediction set is empty",
        ),
        (
            trainer.predict(line(3).features(), 0).err(),
            "predict: batch_size is 0, expected at least 1",
        ),
    ] {
        assert_eq!(result.unwrap().to_string(), message);
    }
}

#[test]
fn parameters_without_a_gradient_are_named() {
    let (store, w, b) = store();
    let lost = |x: &Tensor| x.matmul(&w.value())?.broadcast_add(&b.tensor());
    let mut trainer = Trainer::new(lost, &store, sgd(&store, 0.1), squares);
    let error = trainer.fit(&line(5), &quiet(1, 2)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "these parameters get no gradient and would not be trained: w; if that is meant, freeze \
         them or let `missing_gradients` warn"
    );
    let before = b.value().to_vec1::<f64>().unwrap();
    assert_eq!(before, [0.], "the step was taken in spite of the error");
    let cfg = FitConfig {
        missing_gradients: MissingGradients::Warn,
        ..quiet(1, 2)
    };
    trainer.fit(&line(5), &cfg).unwrap();
    assert_ne!(b.value().to_vec1::<f64>().unwrap(), before);
    store.freeze("w").unwrap();
    trainer.fit(&line(5), &quiet(1, 2)).unwrap();
}

#[test]
fn a_turn_without_gradients_is_refused_and_its_loss_is_reported() {
    let (store, w, b) = store();
    let other = ParamStore::new(DType::F64, &Device::Cpu);
    let v = param(&other.builder(), 1, "v", &Init::Const(1.)).unwrap();
    let model = |x: &Tensor| x.matmul(&w.tensor())?.broadcast_add(&b.tensor());
    let run = |objective: &dyn Fn() -> candle_core::Result<Tensor>| {
        Trainer::new(model, &store, sgd(&store, 0.1), squares)
            .with_turn(Turn::new("second", &other, sgd(&other, 0.1), |_, _| objective()))
            .fit(&line(20), &quiet(1, 10))
    };
    param(&other.builder(), 1, "unused", &Init::Const(1.)).unwrap();
    let error = run(&|| v.tensor().sum_all()).unwrap_err();
    assert!(
        error
            .to_string()
            .starts_with("turn second: these parameters get no gradient and would not be trained: unused"),
        "{error}"
    );
    other.freeze("unused").unwrap();
    // v = 1, then 1 − 0.1·2 = 0.8: the mean of 1 and 0.64.
    let history = run(&|| v.tensor().sqr()?.sum_all()).unwrap();
    assert_eq!(
        history.epochs[0].turns,
        [("second".to_string(), (1. + 0.8f64.powi(2)) / 2.)]
    );
}

#[test]
fn what_would_have_no_effect_is_refused() {
    let (store, w, b) = store();
    let model = |x: &Tensor| x.matmul(&w.tensor())?.broadcast_add(&b.tensor());
    let plain = || Trainer::new(model, &store, sgd(&store, 0.1), squares);
    let turn = |name| Turn::new(name, &store, sgd(&store, 0.1), squares);
    let gathering = FitConfig {
        accumulate: 2,
        ..quiet(1, 2)
    };
    let twice = |step: &mut TrainingStep<'_, '_>, x: &Tensor, target: &Tensor| {
        let loss = step.loss(&step.forward(x)?, target)?;
        step.apply(&loss)?;
        step.apply(&loss)?;
        Ok(loss)
    };
    let plateau = plain().with_schedule(|_| 0.1).with_plateau(&Default::default());
    for (mut trainer, cfg, expected) in [
        (
            plateau.unwrap(),
            quiet(1, 2),
            "schedule is a function of one's own and ReduceLROnPlateau, expected one of them",
        ),
        (
            plain()
                .with_metric(Accuracy::default())
                .with_metric(Accuracy { ignore_index: 7 }),
            quiet(1, 2),
            "metric is accuracy, expected a name of its own for each",
        ),
        (
            plain().with_turn(turn("train")),
            quiet(1, 2),
            "turn is train, expected a name that stands for nothing else",
        ),
        (
            plain().with_turn(turn("gan/d")),
            quiet(1, 2),
            "turn is gan/d, expected a name without /",
        ),
        (
            plain().with_training_step(twice),
            gathering,
            "apply is called twice, expected one loss a batch where gradients are gathered",
        ),
    ] {
        let error = trainer.fit(&line(8), &cfg).unwrap_err().to_string();
        assert!(error.contains(expected), "{error}");
    }
}
