//! BLEU: what is refused, and how it is saved. Its figures are tested with those of the other metrics.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{Device, Tensor};
use sconce_train::{BleuConfig, BleuSmoothing, CorpusBleu, bleu};

const TEXTS: [(&str, [&str; 2]); 3] = [
    ("The dog bit the man.", ["The dog bit the man.", "A dog bit him."]),
    (
        "It wasn't surprising.",
        ["It was not surprising.", "No one was surprised."],
    ),
    (
        "The man had just bitten him.",
        ["The man had bitten him first.", "He bit first."],
    ),
];

#[test]
fn the_order_of_texts_does_not_matter() {
    let score = |order: [usize; 3]| {
        let hypotheses = order.map(|i| TEXTS[i].0);
        let references = order.map(|i| TEXTS[i].1.to_vec());
        bleu(&hypotheses, &references).unwrap()
    };
    assert!(score([0, 1, 2]).score > 30.);
    assert_eq!(score([0, 1, 2]), score([2, 0, 1]));
}

#[test]
fn a_saved_corpus_goes_on_to_the_bit() {
    let show = |corpus: &mut CorpusBleu, range: std::ops::Range<usize>| {
        for (hypothesis, references) in &TEXTS[range] {
            corpus.update(hypothesis, references).unwrap();
        }
    };
    let new = || CorpusBleu::new(&BleuConfig::default()).unwrap();
    let (mut straight, mut first, mut second) = (new(), new(), new());
    show(&mut straight, 0..3);
    show(&mut first, 0..1);
    show(&mut second, 0..3);
    second.load_state(&first.state().unwrap()).unwrap();
    show(&mut second, 1..3);
    assert_eq!(straight.bleu(), second.bleu());

    let before = second.bleu();
    let counts = |dims: &[usize]| Tensor::zeros(dims, candle_core::DType::I64, &Device::Cpu).unwrap();
    for (name, dims, expected) in [
        (
            "f1.counts",
            &[3, 4][..],
            "bleu: state is [f1.counts], expected [bleu.counts]",
        ),
        (
            "bleu.counts",
            &[2, 4],
            "bleu: state has shape [2, 4], expected [3, 4]",
        ),
        (
            "bleu.counts",
            &[4, 4],
            "bleu: state has shape [4, 4], expected [3, 4]",
        ),
        (
            "bleu.counts",
            &[12],
            "bleu: state has shape [12], expected [3, 4]",
        ),
    ] {
        let error = second.load_state(&[(name.to_owned(), counts(dims))]).unwrap_err();
        assert_eq!(error.to_string(), expected);
    }
    assert_eq!(second.bleu(), before);
}

#[test]
fn bad_input_is_named() {
    let error = bleu(&["a", "b"], &[vec!["a"]]).unwrap_err().to_string();
    assert_eq!(
        error,
        "bleu: number of references is 1, expected 2, one list for each hypothesis"
    );
    let error = bleu(&["a", "b"], &[vec!["a"], vec![]]).unwrap_err().to_string();
    assert_eq!(
        error,
        "bleu, text 1: number of references is 0, expected at least 1"
    );
    for value in [0., -1., f64::NAN, f64::INFINITY] {
        for smoothing in [BleuSmoothing::Floor(value), BleuSmoothing::AddK(value)] {
            let error = CorpusBleu::new(&BleuConfig {
                smoothing,
                ..BleuConfig::default()
            })
            .unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("bleu: smoothing is {value}, expected a positive number")
            );
        }
    }
    let none = bleu::<&str, &str>(&[], &[]).unwrap();
    assert!(none.score.is_nan());
    assert_eq!((none.brevity_penalty, none.hypothesis_length), (1., 0));
}
