//! What a program may change when it goes on, and what makes it another run.

use super::*;
use std::collections::BTreeMap;

struct Plan {
    lr: f64,
    momentum: f64,
    schedule: bool,
    /// That of a function of one's own.
    rate: Option<f64>,
    progress: Progress,
    settings: &'static [(&'static str, &'static str)],
}

const PLAN: Plan = Plan {
    lr: 0.1,
    momentum: 0.5,
    schedule: false,
    rate: None,
    progress: Progress::Quiet,
    settings: &[],
};

fn train(epochs: usize, folder: &Path, plan: &Plan) -> Result<History> {
    let x = Tensor::ones((6, 1), DType::F64, &Device::Cpu)?;
    let data = TensorDataset::new(&x, &x)?;
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    let w = param(&store.builder(), (1, 1), "w", &Init::Const(0.))?;
    let sgd = SgdConfig {
        lr: plan.lr,
        momentum: plan.momentum,
        ..SgdConfig::default()
    };
    let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all();
    let sgd = Box::new(Sgd::new(&sgd, &store)?);
    let mut trainer = Trainer::new(|x: &Tensor| x.matmul(&w.tensor()), &store, sgd, loss);
    if plan.schedule {
        trainer = trainer.with_scheduler(CosineAnnealingLr::new(4), Every::Epoch)?;
    }
    if let Some(rate) = plan.rate {
        trainer = trainer.with_schedule(move |_| rate);
    }
    let settings = plan.settings.iter().copied();
    let settings: BTreeMap<String, String> = settings.map(|(k, v)| (k.into(), v.into())).collect();
    trainer.fit(
        &data,
        &FitConfig {
            progress: plan.progress,
            checkpoints: Some(CheckpointConfig {
                every: None,
                settings,
                ..resuming(folder)
            }),
            ..FitConfig::new(epochs, 2)
        },
    )
}

#[test]
fn a_program_may_go_on_with_other_rates() {
    let place = tempfile::tempdir().unwrap();
    train(1, place.path(), &PLAN).unwrap();
    let slower = Plan { lr: 0.01, ..PLAN };
    let history = train(3, place.path(), &slower).unwrap();
    let rates: Vec<f64> = history.epochs.iter().map(|epoch| epoch.learning_rate).collect();
    assert_eq!(rates, [0.1, 0.01, 0.01]);
    // It is that run from then on, and the momentum's buffer is still there.
    let place = tempfile::tempdir().unwrap();
    train(1, place.path(), &PLAN).unwrap();
    let heavier = Plan {
        momentum: 0.9,
        ..PLAN
    };
    let other = train(2, place.path(), &heavier).unwrap();
    let same = tempfile::tempdir().unwrap();
    let same = train(2, same.path(), &PLAN).unwrap();
    assert_eq!(other.epochs[0].train_loss, same.epochs[0].train_loss);
    assert_ne!(other.epochs[1].train_loss, same.epochs[1].train_loss);
}

const TOLD: &str = "SCONCE_TEST_TOLD_CHILD";

/// What a child process does: a run that goes on with another learning rate.
#[test]
fn told_child() {
    let Ok(own) = std::env::var(TOLD) else { return };
    let place = tempfile::tempdir().unwrap();
    let plan = Plan {
        rate: (own == "own").then_some(0.02),
        ..PLAN
    };
    train(1, place.path(), &plan).unwrap();
    let slower = Plan {
        lr: 0.01,
        progress: Progress::Notices,
        ..plan
    };
    let history = train(2, place.path(), &slower).unwrap();
    assert_eq!(history.epochs[1].learning_rate, plan.rate.unwrap_or(0.01));
}

/// Where a function of one's own gives the rate, what the rule was given may count or not.
#[test]
fn other_rates_are_told() {
    for (own, decides) in [
        ("rule", ""),
        ("own", ", as far as the function of with_schedule goes by them"),
    ] {
        let child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "options::told_child"])
            .env(TOLD, own)
            .output()
            .unwrap();
        let text = String::from_utf8(child.stdout).unwrap();
        assert!(
            child.status.success() && text.contains("resumed at step: 3"),
            "{text}"
        );
        let line = format!("learning rates [0.01] from here on, no longer [0.1]{decides}\n");
        assert!(text.contains(&line), "{own}: {text}");
    }
}

/// They count from the rates that they were given.
#[test]
fn schedules_go_on_from_their_own_rates() {
    let place = tempfile::tempdir().unwrap();
    let plan = Plan {
        schedule: true,
        ..PLAN
    };
    train(1, place.path(), &plan).unwrap();
    let error = train(3, place.path(), &Plan { lr: 0.01, ..plan }).unwrap_err();
    let error = error.to_string();
    assert!(
        error.contains(
            "is of a run whose schedules start from learning rates [0.1], and this one's from [0.01]"
        ),
        "{error}"
    );
    train(3, place.path(), &plan).unwrap();
}

#[test]
fn other_settings_are_another_run() {
    let place = tempfile::tempdir().unwrap();
    let plan = Plan {
        settings: &[("heads", "4"), ("seed", "0")],
        ..PLAN
    };
    train(1, place.path(), &plan).unwrap();
    train(2, place.path(), &plan).unwrap();
    for (settings, expected) in [
        (
            &[("heads", "2"), ("seed", "0")][..],
            "heads 4, and this one has 2",
        ),
        (&[("heads", "4")], "seed 0, and this one has none"),
        (
            &[("depth", "1"), ("heads", "4"), ("seed", "0")],
            "depth none, and this one has 1",
        ),
    ] {
        let error = train(3, place.path(), &Plan { settings, ..PLAN }).unwrap_err();
        let error = error.to_string();
        assert!(error.contains(&format!("is of a run with {expected}")), "{error}");
    }
}

/// Though their epochs took as long as they liked.
#[test]
fn equal_runs_have_equal_checkpoints() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    for (place, wait) in [(&one, Duration::ZERO), (&other, Duration::from_millis(1))] {
        let cfg = CheckpointConfig {
            best: Some(Watched::ValidationLoss),
            ..resuming(place.path())
        };
        run("adam", Some(cfg), None, wait).unwrap();
    }
    for name in [
        "best.safetensors",
        "step-0000000017.safetensors",
        "step-0000000018.safetensors",
    ] {
        let [a, b] = [&one, &other].map(|place| std::fs::read(place.path().join(name)).unwrap());
        assert!(a == b, "{name}");
    }
}

/// It is known before anything is written, and a callback that has begun comes to its end.
#[test]
fn a_run_that_does_not_begin_leaves_no_trace() {
    struct Seen<'a>(&'a AtomicU64, bool);
    impl Callback for Seen<'_> {
        fn on_fit_start(&mut self) -> Result<()> {
            self.0.fetch_add(1, Ordering::SeqCst);
            match self.1 {
                true => Err(sconce_core::candle_core::Error::Msg("no".into()).into()),
                false => Ok(()),
            }
        }

        fn on_epoch_end(&mut self, _: &EpochRecord) -> Result<ControlFlow<()>> {
            Ok(ControlFlow::Continue(()))
        }

        fn on_fit_end(&mut self) -> Result<()> {
            self.0.fetch_add(100, Ordering::SeqCst);
            Ok(())
        }
    }
    let place = tempfile::tempdir().unwrap();
    train(1, place.path(), &PLAN).unwrap();
    let begin = |batch_size, fails| {
        let x = Tensor::ones((6, 1), DType::F64, &Device::Cpu).unwrap();
        let data = TensorDataset::new(&x, &x).unwrap();
        let store = ParamStore::new(DType::F64, &Device::Cpu);
        let w = param(&store.builder(), (1, 1), "w", &Init::Const(0.)).unwrap();
        let sgd = SgdConfig {
            lr: PLAN.lr,
            momentum: PLAN.momentum,
            ..SgdConfig::default()
        };
        let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all();
        let sgd = Box::new(Sgd::new(&sgd, &store).unwrap());
        let seen = AtomicU64::new(0);
        let mut trainer = Trainer::new(|x: &Tensor| x.matmul(&w.tensor()), &store, sgd, loss)
            .with_callback(Seen(&seen, false))
            .with_callback(Seen(&seen, fails));
        let cfg = FitConfig {
            progress: Progress::Quiet,
            checkpoints: Some(resuming(place.path())),
            ..FitConfig::new(1, batch_size)
        };
        let result = trainer.fit(&data, &cfg);
        drop(trainer);
        (result.is_ok(), seen.into_inner())
    };
    assert_eq!(begin(3, false), (false, 0), "a checkpoint of another run");
    assert_eq!(begin(2, true), (false, 102));
    assert_eq!(begin(2, false), (true, 202));
}
