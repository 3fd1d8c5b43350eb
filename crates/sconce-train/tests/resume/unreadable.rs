//! Data that can't be read for a while costs no step that was taken before.

use super::*;
use sconce_data::{Dataset, Sample};

/// Samples that are drawn, of which the one that is asked for at this moment can't be read.
struct Failing(AtomicU64, Generator);

/// Never.
const READABLE: u64 = u64::MAX;

impl Failing {
    fn at(asked: u64) -> Self {
        Self(AtomicU64::new(asked), Generator::new(5))
    }
}

impl Dataset for Failing {
    fn len(&self) -> usize {
        6
    }

    fn get(&self, _: usize) -> CandleResult<Sample> {
        if self.0.fetch_sub(1, Ordering::SeqCst) == 0 {
            sconce_core::candle_core::bail!("the disk is away");
        }
        let mut drawn = [0f64];
        self.1.fill_normal(&mut drawn, 1., 1.);
        let drawn = Tensor::new(&drawn, &Device::Cpu)?;
        Ok((drawn.clone(), drawn))
    }
}

/// A model that draws, in evaluation too, and is judged by averages.
fn train(set: &Failing, validation: &Failing, folder: Option<&Path>) -> Result<(History, Vec<f64>)> {
    let store = ParamStore::new(DType::F64, &Device::Cpu);
    let w = param(&store.builder(), (1, 1), "w", &Init::Const(0.))?;
    let sgd = SgdConfig {
        lr: 0.05,
        ..SgdConfig::default()
    };
    let noise = Generator::new(4);
    let model = |x: &Tensor| {
        let mut drawn = [0f64];
        noise.fill_normal(&mut drawn, 0., 1.);
        (x + drawn[0])?.matmul(&w.tensor())
    };
    let loss = |y: &Tensor, target: &Tensor| (y - target)?.sqr()?.mean_all();
    let mut trainer = Trainer::new(model, &store, Box::new(Sgd::new(&sgd, &store)?), loss)
        .with_generator("noise", &noise)
        .with_generator("samples", &set.1)
        .with_generator("validation samples", &validation.1)
        .with_averages(&EmaConfig::default())?;
    let cfg = FitConfig {
        validation: Validation::Set(validation),
        progress: Progress::Quiet,
        checkpoints: folder.map(|folder| CheckpointConfig {
            every: None,
            ..resuming(folder)
        }),
        ..FitConfig::new(3, 2)
    };
    let mut history = trainer.fit(set, &cfg)?;
    drop(trainer);
    history.epochs.iter_mut().for_each(|epoch| epoch.seconds = 0.);
    Ok((history, w.value().flatten_all()?.to_vec1()?))
}

fn newest(folder: &Path) -> Option<String> {
    let names = std::fs::read_dir(folder).unwrap();
    let names = names.map(|entry| entry.unwrap().file_name().into_string().unwrap());
    names.filter(|name| name.ends_with(".safetensors")).max()
}

#[test]
fn the_steps_before_are_saved() {
    let whole = train(&Failing::at(READABLE), &Failing::at(READABLE), None).unwrap();
    for (training, validation, expected) in [
        // The second batch of the second epoch, and of its evaluation.
        (9, READABLE, "step-0000000004.safetensors"),
        (READABLE, 9, "step-0000000006.safetensors"),
    ] {
        let place = tempfile::tempdir().unwrap();
        let result = train(
            &Failing::at(training),
            &Failing::at(validation),
            Some(place.path()),
        );
        let error = result.unwrap_err().to_string();
        assert!(error.contains("the disk is away"), "{error}");
        assert_eq!(newest(place.path()).unwrap(), expected);
        // Still away: what was saved stays as it is.
        let first = match training {
            READABLE => (READABLE, 0),
            _ => (0, READABLE),
        };
        let again = train(&Failing::at(first.0), &Failing::at(first.1), Some(place.path()));
        assert!(again.is_err());
        assert_eq!(newest(place.path()).unwrap(), expected);
        let readable = train(&Failing::at(READABLE), &Failing::at(READABLE), Some(place.path()));
        assert_eq!(readable.unwrap(), whole, "{expected}");
    }
    let place = tempfile::tempdir().unwrap();
    assert!(train(&Failing::at(0), &Failing::at(READABLE), Some(place.path())).is_err());
    assert_eq!(newest(place.path()), None, "nothing was trained");
}
