use super::*;
use proptest::prelude::*;

const CORPUS: [&str; 4] = [
    "the quick brown fox jumps over the lazy dog",
    "the lazy dog sleeps; the quick fox doesn't",
    "",
    "Être ou ne pas être: the fox, the dog",
];

fn bpe() -> Tokenizer {
    Tokenizer::train_bpe(CORPUS, &TrainConfig::new(300)).unwrap()
}

fn wordpiece() -> Tokenizer {
    Tokenizer::train_wordpiece(CORPUS, &TrainConfig::new(90)).unwrap()
}

fn json(tokenizer: &Tokenizer) -> String {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    tokenizer.save(&path).unwrap();
    std::fs::read_to_string(path).unwrap()
}

fn from_json(text: impl AsRef<[u8]>) -> Result<Tokenizer> {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("tokenizer.json");
    std::fs::write(&path, text).unwrap();
    Tokenizer::from_file(path)
}

#[test]
fn batches_are_filled_up_and_masked() {
    let tokenizer = wordpiece();
    let special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"];
    assert_eq!(
        special.map(|token| tokenizer.token_to_id(token)),
        [0, 1, 2, 3, 4].map(Some)
    );
    let the = tokenizer.token_to_id("the").unwrap();
    let fox = tokenizer.token_to_id("fox").unwrap();
    let texts = ["The FOX", "the", "the 漢 fox fox"];
    let batch = tokenizer.encode_batch(&texts, &EncodeConfig::default()).unwrap();
    let expected = [
        [2, the, fox, 3, 0, 0],
        [2, the, 3, 0, 0, 0],
        [2, the, 1, fox, fox, 3],
    ];
    assert_eq!(batch.ids.to_vec2::<u32>().unwrap(), expected);
    let expected = [[1u8, 1, 1, 1, 0, 0], [1, 1, 1, 0, 0, 0], [1; 6]];
    assert_eq!(batch.mask.to_vec2::<u8>().unwrap(), expected);
    assert_eq!(
        tokenizer.decode_batch(&batch.ids, true).unwrap(),
        ["the fox", "the", "the fox fox"]
    );
    assert_eq!(
        tokenizer.decode(&[2, the, 3, 0], false).unwrap(),
        "[CLS] the [SEP] [PAD]"
    );

    let bare = EncodeConfig {
        add_special_tokens: false,
        pad_token: Some("[MASK]".into()),
        ..EncodeConfig::default()
    };
    let batch = tokenizer.encode_batch(&texts[..2], &bare).unwrap();
    assert_eq!(batch.ids.to_vec2::<u32>().unwrap(), [[the, fox], [the, 4]]);
    assert_eq!(tokenizer.encode("the", true).unwrap(), [2, the, 3]);
    let words: Vec<String> = ["fox".to_string()].into();
    assert_eq!(tokenizer.encode_batch(&words, &bare).unwrap().ids.dims(), [1, 1]);
}

#[test]
fn an_embedding_has_rows_for_gaps_too() {
    let tokenizer = from_json(
        r#"{"version": "1.0", "truncation": null, "padding": null, "added_tokens": [], "normalizer": null,
        "pre_tokenizer": null, "post_processor": null, "decoder": null,
        "model": {"type": "WordLevel", "vocab": {"a": 0, "b": 2, "c": 7}, "unk_token": "a"}}"#,
    );
    let tokenizer = tokenizer.unwrap();
    assert_eq!(tokenizer.encode("c", true).unwrap(), [7]);
    assert_eq!(tokenizer.vocab_size(), 8);
}

#[test]
fn texts_are_cut_with_what_is_added_to_them() {
    let tokenizer = wordpiece();
    let [the, fox] = ["the", "fox"].map(|token| tokenizer.token_to_id(token).unwrap());
    let cut = |max_length, add_special_tokens| {
        let cfg = EncodeConfig {
            max_length: Some(max_length),
            add_special_tokens,
            pad_token: None,
        };
        tokenizer
            .encode_batch(&["the fox the fox", "the"], &cfg)
            .map(|batch| batch.ids.to_vec2::<u32>().unwrap())
    };
    assert_eq!(cut(4, true).unwrap(), [[2, the, fox, 3], [2, the, 3, 0]]);
    assert_eq!(cut(3, false).unwrap(), [[the, fox, the], [the, 0, 0]]);
    assert_eq!(cut(50, false).unwrap(), [[the, fox, the, fox], [the, 0, 0, 0]]);
    for (max_length, special, message) in [
        (
            2,
            true,
            "max_length is 2, expected at least 3, since 2 tokens are added to a text",
        ),
        (
            0,
            false,
            "max_length is 0, expected at least 1, since 0 tokens are added to a text",
        ),
    ] {
        assert_eq!(cut(max_length, special).unwrap_err().to_string(), message);
    }
}

#[test]
fn what_a_file_says_of_padding_is_heeded_and_kept() {
    let text = json(&wordpiece())
        .replace("\"padding\": null", "\"padding\": {\"strategy\": \"BatchLongest\", \"direction\": \"Left\", \"pad_to_multiple_of\": null, \"pad_id\": 4, \"pad_type_id\": 0, \"pad_token\": \"[MASK]\"}")
        .replace("\"truncation\": null", "\"truncation\": {\"direction\": \"Left\", \"max_length\": 3, \"strategy\": \"LongestFirst\", \"stride\": 0}");
    let tokenizer = from_json(&text).unwrap();
    let [the, fox] = ["the", "fox"].map(|token| tokenizer.token_to_id(token).unwrap());
    let batch = tokenizer
        .encode_batch(&["the", "the fox"], &EncodeConfig::default())
        .unwrap();
    assert_eq!(
        batch.ids.to_vec2::<u32>().unwrap(),
        [[4, 2, the, 3], [2, the, fox, 3]]
    );
    assert_eq!(batch.mask.to_vec2::<u8>().unwrap(), [[0, 1, 1, 1], [1; 4]]);
    let cfg = EncodeConfig {
        max_length: Some(3),
        ..EncodeConfig::default()
    };
    let batch = tokenizer.encode_batch(&["the fox"], &cfg).unwrap();
    assert_eq!(batch.ids.to_vec2::<u32>().unwrap(), [[2, fox, 3]]);
    let saved = json(&tokenizer);
    assert!(saved.contains("\"direction\": \"Left\"") && saved.contains("\"max_length\": 3"));
}

#[test]
fn training_is_the_same_every_time() {
    assert_eq!(json(&bpe()), json(&bpe()));
    // Each word's number of tokens goes by what was merged first among pairs as frequent, so also the rest is compared.
    for size in [60, 70, 80] {
        let cfg = TrainConfig {
            min_frequency: 1,
            ..TrainConfig::new(size)
        };
        let train = || json(&Tokenizer::train_wordpiece(CORPUS, &cfg).unwrap());
        assert_eq!(train(), train());
    }
}

#[test]
fn what_was_trained_is_loaded() {
    for tokenizer in [bpe(), wordpiece()] {
        let loaded = from_json(json(&tokenizer)).unwrap();
        assert_eq!(loaded.vocab_size(), tokenizer.vocab_size());
        for text in CORPUS {
            assert_eq!(
                loaded.encode(text, true).unwrap(),
                tokenizer.encode(text, true).unwrap()
            );
        }
        assert_eq!(json(&loaded), json(&tokenizer));
    }
}

#[test]
fn the_size_and_the_special_tokens_are_as_asked() {
    let cfg = TrainConfig {
        special_tokens: vec!["<|end|>".into()],
        ..TrainConfig::new(270)
    };
    let tokenizer = Tokenizer::train_bpe(CORPUS, &cfg).unwrap();
    assert_eq!(tokenizer.vocab_size(), 270);
    assert_eq!(
        (tokenizer.token_to_id("<pad>"), tokenizer.token_to_id("<|end|>")),
        (Some(0), Some(1))
    );
    let ids = tokenizer.encode("fox<|end|>", true).unwrap();
    assert_eq!(
        (ids.last(), tokenizer.decode(&ids, true).unwrap().as_str()),
        (Some(&1), "fox")
    );
    assert_eq!(tokenizer.id_to_token(1).as_deref(), Some("<|end|>"));
    assert_eq!(tokenizer.id_to_token(270), None);
    let rare = TrainConfig {
        min_frequency: 1000,
        ..TrainConfig::new(300)
    };
    assert_eq!(Tokenizer::train_bpe(CORPUS, &rare).unwrap().vocab_size(), 257);
}

#[test]
fn what_makes_no_sense_is_an_error() {
    let none: [&str; 0] = [];
    for error in [
        Tokenizer::train_bpe(none, &TrainConfig::new(300)).err(),
        Tokenizer::train_wordpiece(["", " "], &TrainConfig::new(300)).err(),
    ] {
        let message = "texts is without any text, expected something to train on";
        assert_eq!(error.unwrap().to_string(), message);
    }
    let small = Tokenizer::train_bpe(CORPUS, &TrainConfig::new(256))
        .unwrap_err()
        .to_string();
    assert_eq!(
        small,
        "vocab_size is 256, expected at least 256 bytes and 1 special tokens"
    );
    let small = Tokenizer::train_wordpiece(CORPUS, &TrainConfig::new(20))
        .unwrap_err()
        .to_string();
    assert!(
        small.starts_with("vocab_size is 20, expected at least ") && small.ends_with("characters"),
        "{small}"
    );
    for size in [1 << 32, usize::MAX] {
        let cfg = TrainConfig::new(size);
        for result in [
            Tokenizer::train_bpe(CORPUS, &cfg),
            Tokenizer::train_wordpiece(CORPUS, &cfg),
        ] {
            let error = result.unwrap_err().to_string();
            assert_eq!(error, format!("vocab_size is {size}, expected at most 4194304"));
        }
    }
    let tokenizer = wordpiece();
    assert!(tokenizer.encode_batch(&none, &EncodeConfig::default()).is_err());
    let cfg = EncodeConfig {
        pad_token: Some("none".into()),
        ..EncodeConfig::default()
    };
    let error = tokenizer
        .encode_batch(&["the", "the fox"], &cfg)
        .unwrap_err()
        .to_string();
    assert_eq!(
        error,
        "pad_token is \"none\", expected a token that the tokenizer has"
    );
    let unpadded = from_json(json(&bpe()).replace("<pad>", "<other>")).unwrap();
    assert!(unpadded.encode_batch(&["fox"], &EncodeConfig::default()).is_ok());
    let error = unpadded
        .encode_batch(&["fox", "the quick fox"], &EncodeConfig::default())
        .unwrap_err()
        .to_string();
    assert!(
        error.starts_with("pad_token is None, expected the name of one"),
        "{error}"
    );
    let floats = Tensor::zeros((1, 2), candle_core::DType::F32, &Device::Cpu).unwrap();
    assert!(tokenizer.decode_batch(&floats, true).is_err());

    let whole = json(&tokenizer);
    for text in [
        "",
        "{}",
        "[]",
        &whole[..whole.len() / 2],
        &whole.replace("WordPiece", "Word"),
    ] {
        let error = from_json(text).unwrap_err().to_string();
        assert!(
            error.contains("tokenizer.json: not a tokenizer.json that can be read ("),
            "{error}"
        );
    }
    // Wherever a file is cut, the place is told.
    let compact = whole.replace(['\n', ' '], "");
    for end in (0..compact.len() - 1).step_by(23) {
        let error = from_json(&compact[..end]).unwrap_err().to_string();
        assert!(error.contains("at line 1 column "), "{end}: {error}");
    }
    let error = Tokenizer::from_file("/no/such/tokenizer.json")
        .unwrap_err()
        .to_string();
    assert!(error.starts_with("/no/such/tokenizer.json: "), "{error}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn bytes_decode_to_what_they_were(text in "\\PC{0,40}") {
        let tokenizer = bpe();
        let ids = tokenizer.encode(&text, true).unwrap();
        prop_assert_eq!(tokenizer.decode(&ids, true).unwrap(), text);
    }

    #[test]
    fn damaged_files_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), "[\\[\\]{}\",:a-z0-9]{0,3}"), 1..4),
        cut in prop_oneof![Just(0usize), 0usize..400],
    ) {
        let mut text = json(&wordpiece()).replace(['\n', ' '], "");
        for (index, change) in changes {
            // Most of the file is its vocabulary, which matters least.
            let at = index.index(text.len().min(1200));
            text.replace_range(at..=at, &change);
        }
        text.truncate(text.len() - cut);
        if let Ok(tokenizer) = from_json(&text) {
            let _ = tokenizer.encode("the quick fox", true);
        }
    }
}
