//! What looks at a run before it begins leaves nothing changed.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use sconce_core::candle_core::{DType, Device, ModuleT, Result as CandleResult, Tensor};
use sconce_core::{Buffer, Generator, Init, Param, ParamStore, buffer, default_generator, param};
use sconce_data::TensorDataset;
use sconce_optim::{Adam, AdamConfig, EmaConfig, Sgd, SgdConfig};
use sconce_train::*;
use std::sync::{Mutex, PoisonError};

/// Draws noise and counts its calls in training.
struct Net {
    w: Param,
    calls: Buffer,
    noise: Generator,
}

impl ModuleT for Net {
    fn forward_t(&self, x: &Tensor, train: bool) -> CandleResult<Tensor> {
        let mut x = x.clone();
        if train {
            let mut noise = [0f64; 2];
            self.noise.fill_normal(&mut noise[..1], 0., 0.01);
            default_generator().fill_normal(&mut noise[1..], 0., 0.01);
            x = (x + (noise[0] + noise[1]))?;
            self.calls.set(&(self.calls.tensor() + 1.)?)?;
        }
        x.matmul(&self.w.tensor())
    }
}

fn data() -> TensorDataset {
    let x = Tensor::new(&[[1f64, 0.], [0., 1.], [1., 1.], [2., 1.]], &Device::Cpu).unwrap();
    let y = Tensor::new(&[[1f64], [2.], [3.], [4.]], &Device::Cpu).unwrap();
    TensorDataset::new(&x, &y).unwrap()
}

type Left = (Vec<f64>, Vec<f64>, Vec<f64>, (u64, u64), (u64, u64));

/// A run of a few epochs, a probe, another run: what is left of all.
fn between(probe: impl Fn(&mut Trainer<'_>)) -> Left {
    // The default generator is the process's.
    static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());
    let _alone = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    sconce_core::manual_seed(4);
    let store = ParamStore::new(DType::F64, &Device::Cpu).seeded(2);
    let vb = store.builder();
    let noise = Generator::new(9);
    let w = param(&vb, (2, 1), "w", &Init::Normal { mean: 0., std: 1. }).unwrap();
    let calls = buffer(&vb, (), "calls", &Init::Const(0.), DType::F64).unwrap();
    let net = Net {
        w: w.clone(),
        calls: calls.clone(),
        noise: noise.clone(),
    };
    let adam = AdamConfig {
        lr: 0.05,
        ..AdamConfig::default()
    };
    let adam = Adam::new(&adam, &store).unwrap().with_group("none-*", &adam);
    assert!(adam.is_err());
    let adam = Adam::new(
        &AdamConfig {
            lr: 0.05,
            ..AdamConfig::default()
        },
        &store,
    )
    .unwrap();
    let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all();
    let mut trainer = Trainer::new(net, &store, Box::new(adam), loss)
        .with_metric(Mae)
        .with_generator("noise", &noise)
        .with_averages(&EmaConfig {
            decay: 0.5,
            ..EmaConfig::default()
        })
        .unwrap();
    let cfg = FitConfig {
        progress: Progress::Quiet,
        ..FitConfig::new(2, 2)
    };
    trainer.fit(&data(), &cfg).unwrap();
    probe(&mut trainer);
    trainer.fit(&data(), &cfg).unwrap();
    let averages = trainer.averages().unwrap().tensors().unwrap();
    drop(trainer);
    let flat = |tensor: &Tensor| tensor.flatten_all().unwrap().to_vec1::<f64>().unwrap();
    let place = |generator: &Generator| (generator.seed(), generator.position());
    (
        flat(&w.value()),
        averages.iter().flat_map(|(_, tensor)| flat(tensor)).collect(),
        flat(&calls.tensor()),
        place(&noise),
        place(&default_generator()),
    )
}

#[test]
fn probes_leave_everything_as_it_was() {
    let plain = between(|_| {});
    let checked = between(|trainer| {
        let check = trainer.check_batch(&data(), 3).unwrap();
        assert!(check.is_clean());
        assert_eq!(
            (
                check.features.as_slice(),
                check.targets.as_slice(),
                check.output.as_slice()
            ),
            (&[3, 2][..], &[3, 1][..], &[3, 1][..])
        );
        assert!(check.losses.1 < check.losses.0 && check.metrics[0].1 > 0.);
        let text = check.to_string();
        assert!(
            text.starts_with("features [3, 2], targets [3, 1], output [3, 1]\nloss "),
            "{text}"
        );
        assert!(
            text.contains("\nmae ") && text.ends_with("\nevery parameter has a gradient"),
            "{text}"
        );
    });
    assert_eq!(checked, plain);
    let overfitted = between(|trainer| {
        let losses = trainer.overfit_batch(&data(), 4, 200).unwrap();
        assert_eq!(losses.len(), 200);
        assert!(losses[199] < 0.01 * losses[0], "{losses:?}");
    });
    assert_eq!(overfitted, plain);
    let searched = between(|trainer| {
        let cfg = RateSearchConfig {
            from: 1e-4,
            to: 1e8,
            ..RateSearchConfig::new(4)
        };
        let search = trainer.search_learning_rate(&data(), &cfg).unwrap();
        assert!((10..100).contains(&search.rates.len()), "{search:?}");
        assert_eq!(search.rates[0], 1e-4);
        assert!((search.rates[1] / search.rates[0] / 1e12f64.powf(1. / 99.) - 1.).abs() < 1e-9);
        // The first mean is the first loss, and the last is past four times the least, unless it isn't finite.
        assert!((search.smoothed[0] - search.losses[0]).abs() < 1e-12);
        let least = search.smoothed.iter().copied().fold(f64::INFINITY, f64::min);
        assert!(*search.smoothed.last().unwrap() > 4. * least, "{search:?}");
        assert!((1e-3..10.).contains(&search.suggestion().unwrap()), "{search:?}");
    });
    assert_eq!(searched, plain);
}

#[test]
fn a_probe_that_fails_leaves_everything_too() {
    let plain = between(|_| {});
    let failed = between(|trainer| {
        // The second step is of other shapes than the first, in which the parameters were changed.
        let x = Tensor::ones((2, 3), DType::F64, &Device::Cpu).unwrap();
        let bad = TensorDataset::new(&x, &x).unwrap();
        assert!(trainer.overfit_batch(&bad, 2, 3).is_err());
        assert!(trainer.check_batch(&bad, 2).is_err());
        assert!(
            trainer
                .search_learning_rate(&bad, &RateSearchConfig::new(2))
                .is_err()
        );
    });
    assert_eq!(failed, plain);
}

#[test]
fn findings_are_named() {
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    let vb = store.builder();
    let one = |name| param(&vb, 1, name, &Init::Const(-1.)).unwrap();
    let (used, dead, _unused) = (one("used"), one("dead"), one("unused"));
    let model = |x: &Tensor| {
        let sum = x.sum_keepdim(1)?;
        sum.broadcast_mul(&used.tensor())?
            .broadcast_add(&dead.tensor().relu()?)
    };
    let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all();
    let adam = Adam::new(&AdamConfig::default(), &store).unwrap();
    let mut trainer = Trainer::new(model, &store, Box::new(adam), loss);
    let check = trainer.check_batch(&data(), 4).unwrap();
    assert!(!check.is_clean());
    assert_eq!(
        (
            check.gradients[0].missing.as_slice(),
            check.gradients[0].zero.as_slice()
        ),
        (&["unused".to_string()][..], &["dead".to_string()][..])
    );
    assert!(
        check
            .to_string()
            .ends_with("no gradient: unused\na gradient of zeros: dead"),
        "{check}"
    );
}

#[test]
fn options_of_a_search_out_of_range_are_named() {
    let good = RateSearchConfig::new(2);
    for (cfg, words) in [
        (
            RateSearchConfig { from: 0., ..good },
            "from is 0, expected a finite number above 0",
        ),
        (
            RateSearchConfig { to: 1e-8, ..good },
            "to is 0.00000001, expected a finite number above `from`",
        ),
        (
            RateSearchConfig { steps: 1, ..good },
            "steps is 1, expected at least 2",
        ),
        (
            RateSearchConfig {
                smoothing: 1.,
                ..good
            },
            "smoothing is 1, expected at least 0 and below 1",
        ),
        (
            RateSearchConfig { give_up: 1., ..good },
            "give_up is 1, expected above 1",
        ),
        (
            RateSearchConfig {
                batch_size: 0,
                ..good
            },
            "batch_size is 0",
        ),
    ] {
        between(|trainer| {
            let error = trainer
                .search_learning_rate(&data(), &cfg)
                .unwrap_err()
                .to_string();
            assert!(error.contains(words), "{error}");
        });
    }
}

/// A likelihood's losses may lie below 0 from the start.
#[test]
fn a_rate_is_found_where_losses_are_below_0() {
    let search = |shift: f64| {
        let store = ParamStore::new(DType::F64, &Device::Cpu);
        let w = param(&store.builder(), (3, 1), "w", &Init::Const(0.)).unwrap();
        let x = Tensor::ones((8, 3), DType::F64, &Device::Cpu).unwrap();
        let set = TensorDataset::new(&x, &Tensor::ones((8, 1), DType::F64, &Device::Cpu).unwrap()).unwrap();
        let sgd = Sgd::new(&SgdConfig::default(), &store).unwrap();
        let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all()? - shift;
        let mut trainer = Trainer::new(|x: &Tensor| x.matmul(&w.tensor()), &store, Box::new(sgd), loss);
        let cfg = RateSearchConfig::new(4);
        trainer.search_learning_rate(&set, &cfg).unwrap()
    };
    let (above, below) = (search(0.), search(20.));
    assert!(below.rates.len() >= above.rates.len(), "{below:?}");
    let [above, below] = [above, below].map(|search| search.suggestion().unwrap());
    assert!((0.5..2.).contains(&(below / above)), "{above} {below}");
}
