//! What data loading shares with PyTorch and scikit-learn, against theirs.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

// The conformance runner of this workspace reads the same configurations.
#[path = "aids/loading.rs"]
mod loading;

use candle_core::{DType, Tensor};
use sconce_data as data;
use sconce_data::Padded;
use sconce_testkit::golden::Cases;

fn flat(x: &Tensor) -> Vec<f64> {
    let x = x.to_dtype(DType::F64).unwrap().flatten_all().unwrap();
    x.to_vec1().unwrap()
}

#[test]
fn agrees_with_pytorch_and_scikit_learn() {
    let cases = Cases::open(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden"), "samplers").unwrap();
    assert_eq!(cases.len(), 21);
    for case in cases.iter() {
        let config = case.config();
        let input = |k: usize| case.tensor(&format!("in.{k}")).map_err(|error| error.to_string());
        let expected = case.tensor("out").unwrap();
        for seed in 0..3 {
            let result = loading::result(config, input, seed).unwrap();
            assert_eq!(
                (result.dims(), result.dtype()),
                (expected.dims(), expected.dtype()),
                "{config}"
            );
            assert_eq!(flat(&result), flat(&expected), "{config}");
        }
        if case.kind() == "pad_sequence" {
            let lengths = config["lengths"].as_array().unwrap();
            let sequences: Vec<Tensor> = (0..lengths.len()).map(|k| input(k).unwrap()).collect();
            let padded = Padded::new(&sequences, 0.).unwrap();
            assert_eq!(serde_json::json!(padded.lengths), config["lengths"]);
        }
    }
}
