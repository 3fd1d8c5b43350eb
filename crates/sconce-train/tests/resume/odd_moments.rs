//! Moments at which nothing must be lost: before the first epoch's own checkpoint, and while a run evaluates.

use super::*;
use std::time::Instant;

const BEST: &str = "SCONCE_TEST_BEST_CHILD";

fn keeping_the_best(folder: &Path) -> CheckpointConfig {
    CheckpointConfig {
        every: None,
        best: Some(Watched::ValidationLoss),
        ..resuming(folder)
    }
}

/// What a child process does: a run that is ended right after its best epoch's first checkpoint.
#[test]
fn best_child() {
    let Ok(folder) = std::env::var(BEST) else { return };
    watch_stages(|stage| {
        if stage == Stage::Renamed {
            std::process::abort();
        }
    });
    run(
        "adamw",
        Some(keeping_the_best(Path::new(&folder))),
        None,
        Duration::ZERO,
    )
    .unwrap();
}

#[test]
fn a_run_that_left_nothing_but_its_best_epoch_starts_afresh() {
    let place = tempfile::tempdir().unwrap();
    let status = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "odd_moments::best_child"])
        .env(BEST, place.path())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap();
    assert!(!status.success());
    let names: Vec<_> = std::fs::read_dir(place.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".safetensors"))
        .collect();
    assert_eq!(names, ["best.safetensors"]);
    // Another run's would be written over.
    let error = run("sgd", Some(keeping_the_best(place.path())), None, Duration::ZERO);
    assert!(error.unwrap_err().to_string().contains("there from another run"));
    let whole = run("adamw", None, None, Duration::ZERO).unwrap();
    let again = run(
        "adamw",
        Some(keeping_the_best(place.path())),
        None,
        Duration::ZERO,
    );
    assert_eq!(again.unwrap(), whole);
}

/// A model that draws in evaluation too, and does something before each batch of it.
fn evaluating(cfg: FitConfig<'_>, before: impl Fn() + Send + Sync) -> (History, Vec<f64>) {
    let x = Tensor::ones((6, 1), DType::F64, &Device::Cpu).unwrap();
    let data = TensorDataset::new(&x, &x).unwrap();
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    let w = param(&store.builder(), (1, 1), "w", &Init::Const(0.)).unwrap();
    let sgd = SgdConfig {
        lr: 0.05,
        ..SgdConfig::default()
    };
    let noise = Generator::new(4);
    let model = candle_nn::func_t(|x: &Tensor, train| {
        if !train {
            before();
        }
        let mut drawn = [0f64];
        noise.fill_normal(&mut drawn, 0., 1.);
        (x + drawn[0])?.matmul(&w.tensor())
    });
    let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all();
    let mut trainer = Trainer::new(model, &store, Box::new(Sgd::new(&sgd, &store).unwrap()), loss)
        .with_generator("noise", &noise)
        .with_averages(&EmaConfig::default())
        .unwrap();
    let cfg = FitConfig {
        validation: Validation::Set(&data),
        progress: Progress::Quiet,
        ..cfg
    };
    let mut history = trainer.fit(&data, &cfg).unwrap();
    drop(trainer);
    history.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.);
    (history, w.value().flatten_all().unwrap().to_vec1().unwrap())
}

/// It is saved as it was before, and evaluates again when it goes on.
#[test]
fn a_run_whose_time_is_up_while_it_evaluates_goes_on_with_the_same_bits() {
    let whole = evaluating(FitConfig::new(3, 2), || ());
    let place = tempfile::tempdir().unwrap();
    // The second epoch's evaluation takes too long.
    let batches = AtomicU64::new(0);
    let slow = || {
        if batches.fetch_add(1, Ordering::SeqCst) == 4 {
            std::thread::sleep(Duration::from_secs(2));
        }
    };
    let cfg = |limit| FitConfig {
        time_limit: limit,
        checkpoints: Some(CheckpointConfig {
            every: None,
            ..resuming(place.path())
        }),
        ..FitConfig::new(3, 2)
    };
    let (history, _) = evaluating(cfg(Some(Duration::from_secs(1))), slow);
    assert_eq!((history.epochs.len(), history.end), (1, End::TimeLimit));
    assert_eq!(batches.load(Ordering::SeqCst), 5);
    // However short its time is, it gets on.
    let (history, _) = evaluating(cfg(Some(Duration::ZERO)), || ());
    assert_eq!((history.epochs.len(), history.end), (2, End::TimeLimit));
    assert_eq!(evaluating(cfg(None), || ()), whole);
}

#[cfg(unix)]
#[test]
fn a_signal_ends_an_evaluation_and_a_late_one_is_told() {
    let place = tempfile::tempdir().unwrap();
    let whole = evaluating(FitConfig::new(2, 2), || ());
    let cfg = || FitConfig {
        checkpoints: Some(CheckpointConfig {
            every: None,
            signals: true,
            ..resuming(place.path())
        }),
        ..FitConfig::new(2, 2)
    };
    // Each process has its handlers once, so both signals come to this one, one after the other.
    let batches = AtomicU64::new(0);
    let asks_in = |batch: u64| {
        batches.store(0, Ordering::SeqCst);
        let batches = &batches;
        move || {
            if batches.fetch_add(1, Ordering::SeqCst) + 1 == batch {
                let id = std::process::id().to_string();
                let asked = Command::new("kill").args(["-TERM", &id]).status().unwrap();
                assert!(asked.success());
                let start = Instant::now();
                while start.elapsed() < Duration::from_millis(50) {
                    std::thread::yield_now();
                }
            }
        }
    };
    let (history, _) = evaluating(cfg(), asks_in(2));
    assert_eq!((history.epochs.len(), history.end), (0, End::Interrupted));
    assert_eq!(batches.load(Ordering::SeqCst), 2);
    // In the very last batch: all is done, and whoever asked hears that he was heard.
    let (mut history, w) = evaluating(cfg(), asks_in(6));
    assert_eq!(history.end, End::Interrupted);
    history.end = End::Completed;
    assert_eq!((history, w), whole);
    let (history, w) = evaluating(cfg(), || ());
    assert_eq!((history, w), whole);
}
