use super::*;
use crate::TensorDataset;
use candle_core::Device;

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
