use super::*;
use crate::TensorDataset;
use candle_core::{Device, Tensor};

fn loader(n: u32, cfg: &LoaderConfig) -> Loader<TensorDataset> {
    let x = Tensor::arange(0u32, n, &Device::Cpu).unwrap();
    let set = TensorDataset::new(&x.reshape((n as usize, 1)).unwrap(), &x).unwrap();
    Loader::new(set, cfg).unwrap()
}

fn order(loader: &Loader<TensorDataset>, epoch: u64) -> Vec<u32> {
    let batches = loader.epoch(epoch).map(|batch| batch.unwrap().1);
    batches.flat_map(|y| y.to_vec1::<u32>().unwrap()).collect()
}

#[test]
fn sizes() {
    let cases = [
        (10, 4, false, vec![4, 4, 2]),
        (10, 4, true, vec![4, 4]),
        (8, 4, true, vec![4, 4]),
        (3, 100, false, vec![3]),
        (3, 100, true, vec![]),
        (3, usize::MAX, false, vec![3]),
        (0, 4, false, vec![]),
    ];
    for (n, batch_size, drop_last, expected) in cases {
        for shuffle in [None, Some(1)] {
            let loader = loader(
                n,
                &LoaderConfig {
                    batch_size,
                    drop_last,
                    shuffle,
                },
            );
            let epoch = loader.epoch(0);
            assert_eq!(
                (epoch.len(), loader.num_batches()),
                (expected.len(), expected.len())
            );
            let sizes: Vec<_> = epoch.map(|batch| batch.unwrap().0.dims()[0]).collect();
            assert_eq!(sizes, expected, "{n} {batch_size} {drop_last}");
        }
    }
}

#[test]
fn the_order_depends_on_seed_and_epoch_alone() {
    let shuffled = |seed, size| {
        let cfg = LoaderConfig {
            shuffle: Some(seed),
            ..LoaderConfig::new(size)
        };
        loader(100, &cfg)
    };
    let a = shuffled(1, 32);
    let (first, second) = (order(&a, 0), order(&a, 1));
    assert_ne!(first, second);
    // Neither on what was loaded before, nor on the size of batches.
    assert_eq!(order(&shuffled(1, 7), 1), second);
    assert_eq!(order(&a, 0), first);
    assert_ne!(order(&shuffled(2, 32), 0), first);
    let mut sorted = first;
    sorted.sort_unstable();
    assert_eq!(sorted, (0..100).collect::<Vec<_>>());
    let plain = loader(5, &LoaderConfig::new(2));
    assert_eq!(order(&plain, 3), [0, 1, 2, 3, 4]);
}

#[test]
fn a_batch_size_of_0_is_an_error() {
    let x = Tensor::arange(0u32, 3, &Device::Cpu).unwrap();
    let set = TensorDataset::new(&x, &x).unwrap();
    let error = Loader::new(set, &LoaderConfig::new(0)).unwrap_err();
    assert_eq!(error.to_string(), "batch_size is 0, expected at least 1");
}

#[test]
fn a_sampler_must_fit() {
    let x = Tensor::arange(0u32, 3, &Device::Cpu).unwrap();
    let set = TensorDataset::new(&x, &x).unwrap();
    let weighted = |n| crate::Weighted::new(vec![1.; n], &crate::WeightedConfig::new(5)).unwrap();
    let error = Loader::with_sampler(&set, weighted(4), &LoaderConfig::new(2)).unwrap_err();
    assert_eq!(
        error.to_string(),
        "there are 3 samples but 4 weights: each needs exactly one"
    );
    let seeded = LoaderConfig {
        shuffle: Some(1),
        ..LoaderConfig::new(2)
    };
    let error = Loader::with_sampler(&set, weighted(3), &seeded).unwrap_err();
    assert_eq!(
        error.to_string(),
        "shuffle is 1, expected none beside a sampler, which has its own"
    );
    let error = Loader::with_sampler(&set, Sequential, &LoaderConfig::new(0)).unwrap_err();
    assert_eq!(error.to_string(), "batch_size is 0, expected at least 1");
    // More draws than samples.
    let loader = Loader::with_sampler(&set, weighted(3), &LoaderConfig::new(2)).unwrap();
    assert_eq!((loader.num_batches(), loader.epoch(0).count()), (3, 3));
}

#[test]
fn the_rest_of_an_epoch_loads_nothing_before() {
    let set = Set::default();
    let loader = Loader::new(&set, &LoaderConfig::new(2)).unwrap();
    let mut epoch = loader.epoch_from(0, 3);
    assert_eq!((epoch.len(), epoch.next_batch()), (2, 3));
    epoch.next().unwrap().unwrap();
    assert_eq!((epoch.len(), epoch.next_batch()), (1, 4));
    assert_eq!(*set.0.lock().unwrap(), [6, 7]);
    assert_eq!(epoch.batches().get(4), Some(&[8, 9][..]));
    assert_eq!(loader.epoch_from(0, 5).count(), 0);
    assert_eq!(loader.epoch_from(0, usize::MAX).len(), 0);
}

/// Ten samples that remember who was asked for.
#[derive(Default)]
struct Set(std::sync::Mutex<Vec<usize>>);

impl Dataset for Set {
    fn len(&self) -> usize {
        10
    }

    fn get(&self, index: usize) -> candle_core::Result<crate::Sample> {
        self.0.lock().unwrap().push(index);
        let x = Tensor::new(index as u32, &Device::Cpu)?;
        Ok((x.clone(), x))
    }
}

#[test]
fn nothing_that_is_loaded_records_a_graph() {
    let x = Tensor::arange(0u32, 3, &Device::Cpu).unwrap();
    let set = TensorDataset::new(&x, &x).unwrap();
    let set = set.map_features(|x| {
        assert!(!sconce_core::is_grad_enabled());
        Ok(x)
    });
    let loader = Loader::new(&set, &LoaderConfig::new(1)).unwrap();
    std::thread::scope(|scope| {
        for threads in [0, 1] {
            let batches = loader.epoch_on(scope, &Workers::new(threads), 0, 0);
            assert!(batches.map(|batch| batch.is_ok()).eq([true; 3]));
        }
    });
}

#[test]
fn what_can_not_be_padded_is_named() {
    let zeros = |dims: &[usize]| Tensor::zeros(dims, candle_core::DType::U32, &Device::Cpu).unwrap();
    for (sequences, value, message) in [
        (vec![], 0., "sequences is an empty list, expected at least one"),
        (
            vec![zeros(&[2, 3]), zeros(&[2, 4])],
            0.,
            "sequences is U32 of shape [2, 4] at 1, expected U32 of shape [length, 3]",
        ),
        (
            vec![zeros(&[])],
            0.,
            "sequences is U32 of shape [] at 0, expected U32 of shape [length]",
        ),
        (
            vec![zeros(&[2])],
            -100.,
            "value is -100, expected one that U32 has",
        ),
        (vec![zeros(&[2])], 0.5, "value is 0.5, expected one that U32 has"),
    ] {
        assert_eq!(Padded::new(&sequences, value).unwrap_err().to_string(), message);
    }
    let floats = |dtype| zeros(&[2]).to_dtype(dtype).unwrap();
    for (dtype, value) in [(candle_core::DType::F16, -1e9), (candle_core::DType::F32, 1e39)] {
        let error = Padded::new(&[floats(dtype)], value).unwrap_err().to_string();
        assert_eq!(
            error,
            format!("value is {value}, expected one that {dtype:?} has")
        );
        // What is infinite by intent stays so.
        let there = Padded::new(&[floats(dtype)], f64::NEG_INFINITY);
        assert!(there.is_ok() && Padded::new(&[floats(dtype)], -6e4).is_ok());
    }
    // Nothing but empty sequences.
    let none = Padded::new(&[zeros(&[0, 2]), zeros(&[0, 2])], 1.).unwrap();
    assert_eq!(none.values.dims(), [2, 0, 2]);
    let both = Padded::new(&[zeros(&[1]), zeros(&[2])], 7.).unwrap();
    assert_eq!(
        both.attention_mask().unwrap().to_vec2::<u8>().unwrap(),
        [[1, 0], [1, 1]]
    );
    let pad = PadBoth {
        features: 1.,
        targets: 2.,
    };
    let samples = vec![(zeros(&[1]), zeros(&[2])), (zeros(&[2]), zeros(&[1]))];
    let (x, y) = pad.collate(samples).unwrap();
    assert_eq!(x.values.to_vec2::<u32>().unwrap(), [[0, 1], [0, 0]]);
    assert_eq!(y.values.to_vec2::<u32>().unwrap(), [[0, 0], [0, 2]]);
}
