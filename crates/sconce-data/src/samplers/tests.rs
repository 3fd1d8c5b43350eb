use super::*;
use sconce_core::Generator;

#[test]
fn shuffled_orders_stay_what_they_were() {
    let sampler = Shuffled::new(7);
    for epoch in [0, 1, 2, u64::MAX] {
        // The rule that examples' published figures depend on.
        let generator = Generator::new(7);
        generator.restore(7, (1u64 << 63).wrapping_add(epoch.wrapping_mul(1 << 40)));
        assert_eq!(sampler.order(33, epoch), generator.permutation(33));
    }
    // By another implementation of Philox and of the shuffle, in Python.
    assert_eq!(sampler.order(8, 0), [5, 1, 7, 6, 2, 0, 3, 4]);
    assert_eq!(sampler.order(8, 1), [3, 6, 4, 2, 1, 5, 0, 7]);
}

#[test]
fn a_samples_generator_is_no_other_samples_nor_the_orders() {
    let first = |generator: Generator| {
        let mut draw = [0.];
        generator.fill_uniform(&mut draw, 0., 1.);
        draw[0].to_bits()
    };
    let mut all = vec![first(draws::of_epoch(5, 0)), first(draws::of_epoch(5, 1))];
    all.push(first(Generator::new(5)));
    for (epoch, index) in [(0, 0), (0, 1), (1, 0), (1, 1), (0, 1 << 38)] {
        all.push(first(draws::of_sample(5, epoch, index)));
    }
    all.sort_unstable();
    assert!(all.windows(2).all(|pair| pair[0] != pair[1]));
    // By another implementation of Philox, in Python.
    let sample = draws::of_sample(5, 3, 4);
    assert_eq!((sample.seed(), sample.position()), (1934544074892311906, 0));
}

/// How often each of `n` is in `of`, within five standard deviations of what its probability says.
fn check(of: &[usize], probabilities: &[f64]) {
    let count = of.len() as f64;
    for (index, p) in probabilities.iter().enumerate() {
        let seen = of.iter().filter(|&&drawn| drawn == index).count() as f64;
        let deviation = (count * p * (1. - p)).sqrt();
        assert!(
            (seen - count * p).abs() <= 5. * deviation,
            "{index}: {seen} of {count} with {p}"
        );
    }
}

#[test]
fn draws_go_by_weights() {
    let weights = vec![1., 0., 3., 0.5, 5.5, 0.];
    let cfg = WeightedConfig::new(20_000);
    let sampler = Weighted::new(weights.clone(), &cfg).unwrap();
    assert_eq!(sampler.count(6).unwrap(), 20_000);
    let drawn = sampler.order(6, 0);
    check(&drawn, &[0.1, 0., 0.3, 0.05, 0.55, 0.]);
    assert_ne!(drawn, sampler.order(6, 1));

    // Without replacement: the first, and the second where the first was 4.
    let cfg = WeightedConfig {
        replacement: false,
        ..WeightedConfig::new(3)
    };
    let sampler = Weighted::new(weights, &cfg).unwrap();
    let drawn: Vec<_> = (0..20_000).map(|epoch| sampler.order(6, epoch)).collect();
    let first: Vec<_> = drawn.iter().map(|three| three[0]).collect();
    check(&first, &[0.1, 0., 0.3, 0.05, 0.55, 0.]);
    let after_4 = drawn.iter().filter(|three| three[0] == 4).map(|three| three[1]);
    let rest = 4.5;
    check(
        &after_4.collect::<Vec<_>>(),
        &[1. / rest, 0., 3. / rest, 0.5 / rest, 0., 0.],
    );
}

#[test]
fn draws_at_the_ends_are_of_weights_above_0() {
    use super::weighted::with_replacement;
    assert_eq!(with_replacement(&[0., 1.], vec![0.]), [1]);
    // Nine tenths of the smallest number are rounded to it.
    assert_eq!(with_replacement(&[5e-324, 0.], vec![0., 0.9]), [0, 0]);
}

#[test]
fn weights_that_make_no_sense_are_errors() {
    let with = |weights: &[f64], num_samples, replacement| {
        let cfg = WeightedConfig {
            num_samples,
            replacement,
            seed: 0,
        };
        Weighted::new(weights.to_vec(), &cfg).map(drop)
    };
    for (weights, num_samples, replacement, message) in [
        (
            &[1., -1.][..],
            1,
            true,
            "weights is -1 at 1, expected finite weights of at least 0",
        ),
        (
            &[f64::NAN],
            1,
            true,
            "weights is NaN at 0, expected finite weights of at least 0",
        ),
        (
            &[f64::MAX, f64::MAX],
            1,
            true,
            "weights is a list with the sum inf, expected a finite sum above 0",
        ),
        (
            &[0., 0.],
            1,
            true,
            "weights is a list with the sum 0, expected a finite sum above 0",
        ),
        (
            &[],
            1,
            true,
            "weights is a list with the sum 0, expected a finite sum above 0",
        ),
        (&[1.], 0, true, "num_samples is 0, expected at least 1"),
        (
            &[1.],
            usize::MAX,
            true,
            "num_samples is 18446744073709551615, expected few enough for the memory",
        ),
        (
            &[1.],
            1 << 50,
            true,
            "num_samples is 1125899906842624, expected few enough for the memory",
        ),
        (
            &[1., 0., 1.],
            3,
            false,
            "num_samples is 3, expected 1 to 2, the number of weights above 0, without replacement",
        ),
    ] {
        let error = with(weights, num_samples, replacement).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    assert!(with(&[1., 0., 1.], 3, true).is_ok());
    assert!(with(&[1., 0., 1.], 2, false).is_ok());
}

#[test]
fn buckets_that_make_no_sense_are_errors() {
    let of = |batch_size| BucketedConfig::new(batch_size);
    let tokens = BatchSize::Tokens(8);
    for (cfg, message) in [
        (of(BatchSize::Samples(0)), "batch_size is 0, expected at least 1"),
        (of(BatchSize::Tokens(0)), "batch_size is 0, expected at least 1"),
        (
            of(tokens),
            "lengths is 9 at 1, expected at most the budget of 8 tokens",
        ),
        (
            BucketedConfig {
                drop_last: true,
                ..of(tokens)
            },
            "drop_last is true, expected false with a budget of tokens, which has no batch size to fill",
        ),
        (
            BucketedConfig {
                pool: Some(0),
                ..of(BatchSize::Samples(2))
            },
            "pool is 0, expected at least 1",
        ),
    ] {
        let error = Bucketed::new(vec![3, 9, 2], &cfg).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    let sampler = Bucketed::new(vec![3, 9, 2], &of(BatchSize::Samples(2))).unwrap();
    assert_eq!(
        sampler.check(2).unwrap_err().to_string(),
        "there are 2 samples but 3 lengths: each needs exactly one"
    );
}

#[test]
fn batches_are_shuffled_and_so_are_samples_of_one_length() {
    let lengths = vec![1, 1, 1, 1, 2, 2, 2, 2];
    let sampler = |shuffle| {
        let cfg = BucketedConfig {
            shuffle,
            ..BucketedConfig::new(BatchSize::Samples(2))
        };
        Bucketed::new(lengths.clone(), &cfg).unwrap()
    };
    let plain = sampler(None).batches(8, 3);
    assert_eq!(plain.iter().collect::<Vec<_>>(), [[0, 1], [2, 3], [4, 5], [6, 7]]);
    let epochs: Vec<_> = (0..30).map(|epoch| sampler(Some(1)).batches(8, epoch)).collect();
    let long_first = epochs
        .iter()
        .filter(|batches| batches.get(0).unwrap()[0] >= 4)
        .count();
    assert!((5..25).contains(&long_first), "{long_first}");
    let split = epochs.iter().filter(|batches| {
        let mut first = batches.iter().find(|batch| batch.contains(&0)).unwrap().to_vec();
        first.sort_unstable();
        first != [0, 1]
    });
    // Two thirds, were the draw even.
    assert!((10..29).contains(&split.count()));
}

#[test]
fn ranks_share_batches_too() {
    let cfg = BucketedConfig::new(BatchSize::Samples(2));
    let sampler = Bucketed::new((0..10).collect(), &cfg).unwrap();
    let all = sampler.batches(10, 2);
    let of = |rank| {
        let sampler = Distributed::new(sampler.clone(), rank, 2).unwrap();
        assert_eq!(sampler.num_batches(10, 2), 3);
        let batches = sampler.batches(10, 2);
        batches.iter().map(<[usize]>::to_vec).collect::<Vec<_>>()
    };
    let place = |places: [usize; 3]| places.map(|place| all.get(place).unwrap().to_vec());
    assert_eq!(
        (of(0)[..].to_vec(), of(1)),
        (place([0, 2, 4]).into(), place([1, 3, 0]).into())
    );
}

#[test]
fn ranks_outside_of_the_world_are_errors() {
    for (rank, world, message) in [
        (2, 2, "rank is 2, expected below the size of the world, 2"),
        (0, 0, "rank is 0, expected below the size of the world, 0"),
    ] {
        let error = Distributed::new(Sequential, rank, world).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    // Fewer samples than processes.
    let none = Distributed::new(Sequential, 2, 3).unwrap().with_drop_last();
    assert_eq!(none.order(2, 0), [0usize; 0]);
    assert_eq!(
        Distributed::new(Sequential, 2, 3).unwrap().order(0, 0),
        [0usize; 0]
    );
}
