//! Laws of samplers, splits and loaders.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

use candle_core::{Device, Tensor};
use proptest::prelude::*;
use sconce_data::{
    BatchSampler, BatchSize, Bucketed, BucketedConfig, Dataset, Distributed, Loader, LoaderConfig, Sampler,
    Shuffled, TensorDataset, Weighted, WeightedConfig, Workers,
};
use std::collections::HashSet;

fn numbers(n: usize) -> TensorDataset {
    let x = Tensor::arange(0u32, n as u32, &Device::Cpu).unwrap();
    TensorDataset::new(&x, &x).unwrap()
}

fn sorted(mut indices: Vec<usize>) -> Vec<usize> {
    indices.sort_unstable();
    indices
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, ..ProptestConfig::default() })]

    #[test]
    fn an_epoch_has_every_sample_once(n in 0usize..200, size in 1usize..50, seed: u64, epoch: u64) {
        let cfg = LoaderConfig { shuffle: Some(seed), ..LoaderConfig::new(size) };
        let loader = Loader::new(numbers(n), &cfg).unwrap();
        let batches: Vec<Vec<u32>> = loader.epoch(epoch).map(|b| b.unwrap().1.to_vec1().unwrap()).collect();
        prop_assert_eq!(batches.len(), n.div_ceil(size));
        prop_assert!(batches.iter().rev().skip(1).all(|batch| batch.len() == size));
        let all = batches.concat().into_iter().map(|index| index as usize).collect();
        prop_assert_eq!(sorted(all), (0..n).collect::<Vec<_>>());
    }

    #[test]
    fn the_rest_of_an_epoch_is_its_end(n in 0usize..120, size in 1usize..20, from in 0usize..30, threads in 0usize..4) {
        let cfg = LoaderConfig { shuffle: Some(3), ..LoaderConfig::new(size) };
        let loader = Loader::new(numbers(n), &cfg).unwrap();
        let values = |batch: candle_core::Result<(Tensor, Tensor)>| batch.unwrap().0.to_vec1::<u32>().unwrap();
        let whole: Vec<_> = loader.epoch(5).map(values).collect();
        let rest: Vec<_> = std::thread::scope(|scope| {
            loader.epoch_on(scope, &Workers::new(threads), 5, from).map(values).collect()
        });
        prop_assert_eq!(whole.get(from..).unwrap_or_default(), rest.as_slice());
    }

    #[test]
    fn ranks_share_the_set(n in 0usize..100, world in 1usize..9, seed: u64, drop_last: bool) {
        let ranks: Vec<Vec<usize>> = (0..world).map(|rank| {
            let sampler = Distributed::new(Shuffled::new(seed), rank, world).unwrap();
            let sampler = if drop_last { sampler.with_drop_last() } else { sampler };
            let order = sampler.order(n, 2);
            assert_eq!(order.len(), sampler.count(n).unwrap());
            order
        }).collect();
        prop_assert!(ranks.iter().all(|rank| rank.len() == ranks[0].len()));
        let all = ranks.concat();
        let different: HashSet<_> = all.iter().copied().collect();
        if drop_last {
            prop_assert_eq!(all.len(), n / world * world);
            prop_assert_eq!(different.len(), all.len());
        } else {
            prop_assert_eq!(all.len(), n.div_ceil(world) * world);
            prop_assert_eq!(different.len(), n);
        }
    }

    #[test]
    fn buckets_hold_every_sample_once(
        lengths in prop::collection::vec(0usize..40, 0..150),
        tokens: bool,
        size in 40usize..200,
        pool in prop::option::of(1usize..60),
        shuffle in prop::option::of(any::<u64>()),
    ) {
        let n = lengths.len();
        let rows = size / 20;
        let batch_size = if tokens { BatchSize::Tokens(size) } else { BatchSize::Samples(rows) };
        let cfg = BucketedConfig { pool, shuffle, ..BucketedConfig::new(batch_size) };
        let sampler = Bucketed::new(lengths.clone(), &cfg).unwrap();
        let batches = sampler.batches(n, 4);
        prop_assert_eq!(&sampler.batches(n, 4), &batches);
        prop_assert_eq!(sorted(batches.iter().flatten().copied().collect()), (0..n).collect::<Vec<_>>());
        for batch in batches.iter() {
            let longest = batch.iter().map(|&index| lengths[index]).max().unwrap();
            prop_assert!(!tokens || batch.len() * longest <= size, "{batch:?}");
            prop_assert!(tokens || batch.len() <= rows);
        }
        if !tokens {
            prop_assert_eq!(batches.len(), n.div_ceil(rows));
        }
        if pool.is_none() {
            // No two batches overlap in length, so that nothing could be padded less by a swap.
            let mut spans: Vec<(usize, usize)> = batches.iter().map(|batch| {
                let of = || batch.iter().map(|&index| lengths[index]);
                (of().min().unwrap(), of().max().unwrap())
            }).collect();
            spans.sort_unstable();
            prop_assert!(spans.windows(2).all(|pair| pair[0].1 <= pair[1].0), "{spans:?}");
            prop_assert_eq!(sampler.num_batches(n, 9), batches.len());
        }
    }

    #[test]
    fn buckets_that_are_left_out_are_not_whole(n in 0usize..100, size in 1usize..20, pool in prop::option::of(1usize..40)) {
        let cfg = BucketedConfig { drop_last: true, pool, ..BucketedConfig::new(BatchSize::Samples(size)) };
        let lengths = (0..n).map(|i| i * 7 % 13).collect();
        let batches = Bucketed::new(lengths, &cfg).unwrap().batches(n, 0);
        prop_assert_eq!(batches.len(), n / size);
        prop_assert!(batches.iter().all(|batch| batch.len() == size));
        let different: HashSet<_> = batches.iter().flatten().collect();
        prop_assert_eq!(different.len(), n / size * size);
    }

    #[test]
    fn draws_without_replacement_differ(weights in prop::collection::vec(0u8..4, 1..60), seed: u64) {
        let weights: Vec<f64> = weights.into_iter().map(f64::from).collect();
        let possible = weights.iter().filter(|&&weight| weight > 0.).count();
        prop_assume!(possible > 0);
        let cfg = |num_samples, replacement| WeightedConfig { num_samples, replacement, seed };
        let all = Weighted::new(weights.clone(), &cfg(possible, false)).unwrap().order(weights.len(), 1);
        let different: HashSet<_> = all.iter().copied().collect();
        prop_assert_eq!(different.len(), possible);
        prop_assert!(all.iter().all(|&index| weights[index] > 0.));
        // Fewer draws are the first of more.
        let half = Weighted::new(weights.clone(), &cfg(possible.div_ceil(2), false)).unwrap();
        prop_assert_eq!(half.order(weights.len(), 1), &all[..possible.div_ceil(2)]);
        let with = Weighted::new(weights.clone(), &cfg(100, true)).unwrap().order(weights.len(), 1);
        prop_assert!(with.len() == 100 && with.iter().all(|&index| weights[index] > 0.));
    }

    #[test]
    fn a_stratified_split_is_a_partition(classes in prop::collection::vec(0u32..4, 2..120), fraction in 0.05..0.95, seed: u64) {
        let set = numbers(classes.len());
        let Ok((rest, drawn)) = set.split_stratified(&classes, fraction, seed) else { return Ok(()) };
        prop_assert_eq!(drawn.len(), set.split_random(fraction, seed).unwrap().1.len());
        prop_assert_eq!(
            sorted([rest.indices(), drawn.indices()].concat()),
            (0..classes.len()).collect::<Vec<_>>()
        );
        prop_assert!(drawn.indices().is_sorted() && rest.indices().is_sorted());
        for class in 0..4 {
            let all = classes.iter().filter(|&&of| of == class).count() as f64;
            let here = rest.indices().iter().filter(|&&index| classes[index] == class).count() as f64;
            let share = all * rest.len() as f64 / classes.len() as f64;
            prop_assert!((here - share).abs() < 1., "class {class}: {here} of {all}, {share}");
        }
    }
}
