//! What data loading shares with PyTorch and scikit-learn, against theirs.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{DType, Device, Tensor};
use sconce_data::{Dataset, Distributed, Padded, Sampler, Sequential, TensorDataset};
use sconce_testkit::golden::{Case, Cases};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn size(case: &Case<'_>, key: &str) -> usize {
    case.config()[key].as_u64().unwrap() as usize
}

fn sizes(case: &Case<'_>, key: &str) -> Vec<usize> {
    let list = case.config()[key].as_array().unwrap().iter();
    list.map(|n| n.as_u64().unwrap() as usize).collect()
}

fn ranks(case: &Case<'_>) -> Result<()> {
    let world = size(case, "world");
    let orders = (0..world).map(|rank| {
        let mut sampler = Distributed::new(Sequential, rank, world)?;
        if case.config()["drop_last"] == true {
            sampler = sampler.with_drop_last();
        }
        let order = sampler.order(size(case, "samples"), 0);
        assert_eq!(sampler.count(size(case, "samples"))?, order.len());
        Ok(order.into_iter().map(|index| index as i64).collect())
    });
    let orders: Vec<Vec<i64>> = orders.collect::<Result<_>>()?;
    assert_eq!(orders, case.tensor("out")?.to_vec2::<i64>()?, "{}", case.config());
    Ok(())
}

fn stratified(case: &Case<'_>) -> Result<()> {
    let counts = sizes(case, "classes");
    let classes = counts
        .iter()
        .enumerate()
        .flat_map(|(class, &n)| vec![class as u32; n]);
    let classes: Vec<u32> = classes.collect();
    let fraction = case.config()["fraction"].as_f64().unwrap();
    let x = Tensor::new(classes.as_slice(), &Device::Cpu)?;
    for seed in 0..3 {
        let (rest, drawn) = TensorDataset::new(&x, &x)?.split_stratified(&classes, fraction, seed)?;
        let count = |indices: &[usize]| {
            let mut of = vec![0i64; counts.len()];
            indices.iter().for_each(|&index| of[classes[index] as usize] += 1);
            of
        };
        let got = [count(rest.indices()), count(drawn.indices())];
        assert_eq!(
            got[..],
            case.tensor("out")?.to_vec2::<i64>()?,
            "{}",
            case.config()
        );
    }
    Ok(())
}

fn padded(case: &Case<'_>) -> Result<()> {
    let lengths = sizes(case, "lengths");
    let sequences = (0..lengths.len()).map(|k| case.tensor(&format!("in.{k}")));
    let sequences: Vec<Tensor> = sequences.collect::<std::result::Result<_, _>>()?;
    let padded = Padded::new(&sequences, case.config()["value"].as_f64().unwrap())?;
    let out = case.tensor("out")?;
    assert_eq!(
        (padded.values.dims(), padded.values.dtype()),
        (out.dims(), out.dtype())
    );
    let flat = |x: &Tensor| x.to_dtype(DType::F64)?.flatten_all()?.to_vec1::<f64>();
    assert_eq!(flat(&padded.values)?, flat(&out)?, "{}", case.config());
    assert_eq!(padded.lengths, lengths);
    Ok(())
}

#[test]
fn agrees_with_pytorch_and_scikit_learn() -> Result<()> {
    let cases = Cases::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"), "samplers")?;
    assert_eq!(cases.len(), 21);
    for case in cases.iter() {
        match case.kind() {
            "DistributedSampler" => ranks(&case)?,
            "StratifiedShuffleSplit" => stratified(&case)?,
            "pad_sequence" => padded(&case)?,
            kind => panic!("no test for {kind}"),
        }
    }
    Ok(())
}
