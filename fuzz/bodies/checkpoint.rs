//! Checkpoints, from which a run goes on.

#[path = "pieces.rs"]
mod pieces;

use pieces::pieces;
use safetensors::tensor::{Dtype, TensorView};
use sconce_core::candle_core::{DType, Device, Tensor};
use sconce_core::{Generator, Init, ParamStore, buffer, param};
use sconce_data::TensorDataset;
use sconce_optim::schedule::{LinearLr, ReduceLrOnPlateauConfig};
use sconce_optim::{Adam, AdamConfig, EmaConfig};
use sconce_train::{
    Accuracy, Auroc, CheckpointConfig, ClassScoreConfig, EarlyStopping, EarlyStoppingConfig, Every, F1,
    FitConfig, History, Perplexity, Progress, RankingConfig, TopKAccuracy, Trainer, Validation,
};
use std::collections::{BTreeMap, HashMap};
use std::path::Path;
use std::sync::OnceLock;
use std::time::Duration;

/// How an input begins whose checksum is put right.
const SEALED: &[u8] = b"sealed\n";
/// Between its pieces.
const SEPARATOR: &[u8] = b"\n--\n";
/// How much of a tensor a few bytes may stand for.
const MOST_BYTES: usize = 1 << 16;
const EPOCHS: usize = 2;

/// Dtype, shape and bytes.
type Saved = (Dtype, Vec<usize>, Vec<u8>);

/// Goes on from a checkpoint: the input itself or, if it begins as sealed, the checkpoint of a run that was cut off in its second
/// epoch, with changes, and with the checksum that belongs to them. The first piece is the JSON text, if there is one; each other
/// is a tensor that is put in, as `NAME DTYPE AXIS,AXIS` and its bytes in the next line, or `-NAME`, one that is left out, or
/// `#PLACE VALUE`, a number of the text that is changed.
pub(crate) fn run(data: &[u8]) -> Result<(), String> {
    let place = tempfile::tempdir().unwrap();
    let file = match data.strip_prefix(SEALED) {
        Some(pieces) => sealed(pieces),
        None => data.to_vec(),
    };
    std::fs::write(place.path().join("step-0000000001.safetensors"), file).unwrap();
    let history = fit(place.path(), None)?;
    assert!(
        history.epochs.len() >= EPOCHS || history.end != Default::default(),
        "{history:?}"
    );
    Ok(())
}

/// A run that has everything that a checkpoint can hold.
fn fit(folder: &Path, time_limit: Option<Duration>) -> Result<History, String> {
    train(folder, time_limit).map_err(|error| error.to_string())
}

fn train(folder: &Path, time_limit: Option<Duration>) -> sconce_train::Result<History> {
    let device = Device::Cpu;
    let x = (Tensor::arange(0f64, 20., &device)?.reshape((10, 2))? / 10.)?;
    let data = TensorDataset::new(&x, &Tensor::new(&[0u32, 1, 1, 0, 1, 0, 0, 1, 0, 1], &device)?)?;
    let store = ParamStore::new(DType::F64, &device).seeded(1);
    let w = param(&store.builder(), (2, 2), "w", &Init::Const(0.5))?;
    let steps = buffer(&store.builder(), (), "steps", &Init::Const(0.), DType::F64)?;
    let noise = Generator::new(9);
    let model = |x: &Tensor| {
        let mut draw = [0f64];
        noise.fill_normal(&mut draw, 0., 0.1);
        steps.set(&(steps.tensor() + 1.)?)?;
        (x + draw[0])?.matmul(&w.tensor())
    };
    let one_hot = Tensor::new(&[[1f64, 0.], [0., 1.]], &device)?;
    let loss = |y: &Tensor, target: &Tensor| (y - one_hot.index_select(target, 0)?)?.sqr()?.mean_all();
    let adam = Adam::new(
        &AdamConfig {
            amsgrad: true,
            ..AdamConfig::default()
        },
        &store,
    )?;
    let linear = LinearLr {
        total_iters: 3,
        ..LinearLr::default()
    };
    let mut trainer = Trainer::new(model, &store, Box::new(adam), loss)
        .with_generator("noise", &noise)
        .with_averages(&EmaConfig::default())?
        .with_scheduler(linear, Every::Batch)?
        .with_plateau(&ReduceLrOnPlateauConfig {
            patience: 0,
            ..ReduceLrOnPlateauConfig::default()
        })?
        .with_callback(EarlyStopping::new(&EarlyStoppingConfig::new(2), &store))
        .with_metric(Accuracy::default())
        .with_metric(F1::new(&ClassScoreConfig::default()))
        .with_metric(Auroc::new(&RankingConfig::default()))
        .with_metric(Perplexity::default())
        .with_metric(TopKAccuracy::new(1)?);
    let cfg = FitConfig {
        accumulate: 2,
        train_metrics: true,
        validation: Validation::Set(&data),
        progress: Progress::Quiet,
        time_limit,
        checkpoints: Some(CheckpointConfig {
            resume: true,
            signals: false,
            ..CheckpointConfig::new(folder)
        }),
        ..FitConfig::new(EPOCHS, 2)
    };
    trainer.fit(&data, &cfg)
}

/// The text and the tensors of a checkpoint between two steps of the second epoch, of whose batches 3 of 5 are done.
fn whole() -> &'static (String, BTreeMap<String, Saved>) {
    static WHOLE: OnceLock<(String, BTreeMap<String, Saved>)> = OnceLock::new();
    WHOLE.get_or_init(|| {
        let place = tempfile::tempdir().unwrap();
        for _ in 0..8 {
            // A batch, and no time for another.
            fit(place.path(), Some(Duration::ZERO)).unwrap();
        }
        let files = std::fs::read_dir(place.path()).unwrap();
        let newest = files.map(|file| file.unwrap().path()).max().unwrap();
        let bytes = std::fs::read(newest).unwrap();
        let file = safetensors::SafeTensors::deserialize(&bytes).unwrap();
        let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
        let text = &header.metadata().as_ref().unwrap()["sconce"];
        let text: serde_json::Value = serde_json::from_str(text).unwrap();
        let tensors = file.tensors().into_iter();
        let saved = |view: TensorView<'_>| (view.dtype(), view.shape().to_vec(), view.data().to_vec());
        let tensors = tensors.map(|(name, view)| (name, saved(view))).collect();
        (text["content"].as_str().unwrap().to_string(), tensors)
    })
}

/// The file that these pieces make of the whole one.
fn sealed(data: &[u8]) -> Vec<u8> {
    let (mut text, mut tensors) = whole().clone();
    for (i, piece) in pieces(SEPARATOR, data).into_iter().enumerate() {
        if i == 0 {
            if !piece.is_empty() {
                text = String::from_utf8_lossy(piece).into_owned();
            }
        } else if let Some(name) = piece.strip_prefix(b"-") {
            tensors.remove(&*String::from_utf8_lossy(name));
        } else if let Some(change) = piece.strip_prefix(b"#") {
            text = renumbered(text, &String::from_utf8_lossy(change));
        } else if let Some((name, saved)) = tensor(piece) {
            tensors.insert(name, saved);
        }
    }
    let mut crc = crc32fast::Hasher::new();
    let mut hash = |bytes: &[u8]| {
        crc.update(&(bytes.len() as u64).to_le_bytes());
        crc.update(bytes);
    };
    hash(text.as_bytes());
    for (name, (dtype, shape, bytes)) in &tensors {
        hash(name.as_bytes());
        hash(format!("{dtype:?}").as_bytes());
        hash(format!("{shape:?}").as_bytes());
        hash(bytes);
    }
    let checksum = format!("crc32:{:08x}", crc.finalize());
    let sealed = serde_json::json!({ "checksum": checksum, "content": text }).to_string();
    let view = |(dtype, shape, bytes): &'_ Saved| (*dtype, shape.clone(), bytes.clone());
    let views = tensors.iter().map(|(name, saved)| (name, view(saved)));
    let views: Vec<_> = views.collect();
    let views = views
        .iter()
        .map(|(name, (dtype, shape, bytes))| (name, TensorView::new(*dtype, shape.clone(), bytes).unwrap()));
    safetensors::serialize(views, Some(HashMap::from([("sconce".to_string(), sealed)]))).unwrap()
}

/// A text in which the number at a place, of all numbers, is another.
fn renumbered(text: String, change: &str) -> String {
    let (place, value) = change.split_once(' ').unwrap_or_default();
    let place = place.parse::<usize>().ok();
    match place.and_then(|place| numbers(&text).get(place).copied()) {
        Some((start, number)) => [&text[..start], value, &text[start + number.len()..]].concat(),
        None => text,
    }
}

/// A tensor from a line of name, dtype and axes and its bytes, which are cut off or filled up to fit.
fn tensor(piece: &[u8]) -> Option<(String, Saved)> {
    let end = piece.iter().position(|&byte| byte == b'\n')?;
    let line = String::from_utf8_lossy(&piece[..end]).into_owned();
    let mut words = line.split(' ');
    let (name, dtype, axes) = (words.next()?, words.next()?, words.next()?);
    let dtype: Dtype = serde_json::from_value(dtype.into()).ok()?;
    let axes = axes.split(',').filter(|axis| !axis.is_empty());
    let shape = axes
        .map(|axis| axis.parse().ok())
        .collect::<Option<Vec<usize>>>()?;
    let bits = shape
        .iter()
        .try_fold(dtype.bitsize(), |bits, &axis| bits.checked_mul(axis))?;
    let size = (bits / 8 <= MOST_BYTES && bits % 8 == 0).then_some(bits / 8)?;
    let mut bytes = piece[end + 1..].to_vec();
    bytes.resize(size, 0);
    Some((name.to_string(), (dtype, shape, bytes)))
}

/// An input with this text, or that of the whole one, and these pieces.
#[cfg(test)]
pub(crate) fn input(text: &str, changes: &[Vec<u8>]) -> Vec<u8> {
    let pieces = [text.as_bytes()]
        .into_iter()
        .chain(changes.iter().map(Vec::as_slice));
    [SEALED, &pieces.collect::<Vec<_>>().join(SEPARATOR)].concat()
}

/// A piece that puts a tensor in.
#[cfg(test)]
pub(crate) fn put(name: &str, dtype: Dtype, shape: &[usize], bytes: &[u8]) -> Vec<u8> {
    let axes: Vec<String> = shape.iter().map(usize::to_string).collect();
    [format!("{name} {dtype:?} {}\n", axes.join(",")).as_bytes(), bytes].concat()
}

/// Inputs by the names of their files, among them one for each number of the text and each tensor, with an extreme value.
#[cfg(test)]
pub(crate) fn seeds() -> Vec<(String, Vec<u8>)> {
    let (text, tensors) = whole();
    let mut seeds = vec![
        ("good-as-it-was".to_string(), input("", &[])),
        ("good-text".to_string(), input(text, &[])),
        ("bad-empty".to_string(), Vec::new()),
        ("bad-text".to_string(), input("{}", &[])),
    ];
    let raw = sealed(b"");
    seeds.push(("bad-cut-short".to_string(), raw[..raw.len() - 1].to_vec()));
    for i in 0..numbers(text).len() {
        for value in ["18446744073709551615", "9007199254740991"] {
            let change = format!("#{i} {value}").into_bytes();
            seeds.push((format!("number-{i:02}-{}", value.len()), input("", &[change])));
        }
    }
    for (i, (name, (dtype, shape, bytes))) in tensors.iter().enumerate() {
        let extremes = [
            f64::NAN.to_le_bytes(),
            1e300f64.to_le_bytes(),
            i64::MAX.to_le_bytes(),
            i64::MIN.to_le_bytes(),
        ];
        let extremes = extremes
            .iter()
            .map(|extreme| extreme.repeat(bytes.len().div_ceil(8)));
        let mut changes: Vec<_> = extremes.map(|bytes| put(name, *dtype, shape, &bytes)).collect();
        changes.push(put(name, Dtype::U8, &[0], &[]));
        changes.push(put(name, Dtype::F64, &[1, 2], &[]));
        changes.push(put(name, Dtype::F8_E4M3, shape, &[]));
        changes.push([b"-", name.as_bytes()].concat());
        for (k, change) in changes.into_iter().enumerate() {
            seeds.push((format!("tensor-{i:02}-{k}"), input("", &[change])));
        }
    }
    seeds
}

/// Where numbers stand in a text.
fn numbers(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut start = 0;
    while let Some(begin) = text[start..].find(|c: char| c.is_ascii_digit()) {
        let begin = start + begin;
        let rest = &text[begin..];
        let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
        found.push((begin, &rest[..end]));
        start = begin + end;
    }
    found
}
