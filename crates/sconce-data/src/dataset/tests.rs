use super::*;
use crate::TensorDataset;
use candle_core::Device;

fn numbers(n: u32) -> TensorDataset {
    let x = Tensor::arange(0u32, n, &Device::Cpu).unwrap();
    TensorDataset::new(&x, &x).unwrap()
}

#[test]
fn the_last_tenth_is_as_keras_cuts_it() {
    for (n, fraction, first) in [
        (60_000, 0.1, 54_000),
        (1797, 0.2, 1437),
        (10, 0.25, 7),
        (3, 0.5, 1),
    ] {
        let (rest, last) = numbers(n).split_last(fraction).unwrap();
        assert_eq!((rest.len(), last.indices()[0]), (first, first), "{n} {fraction}");
        assert_eq!(rest.len() + last.len(), n as usize);
    }
}

#[test]
fn a_random_split_is_a_partition_that_the_seed_decides() {
    let set = numbers(100);
    let (rest, drawn) = set.split_random(0.2, 5).unwrap();
    let mut all = [rest.indices(), drawn.indices()].concat();
    all.sort_unstable();
    assert_eq!(all, (0..100).collect::<Vec<_>>());
    assert_eq!(drawn.len(), 20);
    assert_eq!(set.split_random(0.2, 5).unwrap().1.indices(), drawn.indices());
    assert_ne!(set.split_random(0.2, 6).unwrap().1.indices(), drawn.indices());
    let (x, y) = drawn.batch(&[0, 19]).unwrap();
    let ends = [drawn.indices()[0] as u32, drawn.indices()[19] as u32];
    assert_eq!(x.to_vec1::<u32>().unwrap(), ends);
    assert_eq!(y.to_vec1::<u32>().unwrap(), ends);
}

#[test]
fn fractions_and_indices_that_make_no_sense_are_errors() {
    let set = numbers(3);
    for fraction in [0., 1., -0.1, 1.5, f64::NAN, 0.99] {
        assert!(set.split_last(fraction).is_err(), "{fraction}");
        assert!(set.split_random(fraction, 0).is_err(), "{fraction}");
    }
    assert!(numbers(0).split_last(0.5).is_err());
    let error = numbers(3).subset(vec![0, 3]).unwrap_err();
    assert_eq!(error.to_string(), "sample 3 of a set of 3");
    let part = numbers(3).subset(vec![2, 0]).unwrap();
    for bad in [part.get(2).err(), part.batch(&[0, 2]).err()] {
        assert_eq!(Error::from(bad.unwrap()).to_string(), "sample 2 of a set of 2");
    }
}

#[test]
fn a_part_drawn_is_rounded_up_once() {
    for (len, fraction, expected) in [
        (100, 0.9, 90),
        (10, 0.9, 9),
        (1797, 0.2, 360),
        (10, 0.1, 1),
        (3, 0.5, 2),
    ] {
        let (rest, drawn) = numbers(len).split_random(fraction, 0).unwrap();
        assert_eq!(
            (rest.len() as u32, drawn.len() as u32),
            (len - expected, expected)
        );
    }
}

#[test]
fn maps_go_with_what_they_map() {
    let set = numbers(5).map_features(|x| x * 2.).map_targets(|y| y + 1.);
    let set = set.map(|x, y| Ok(((x + &y)?, y)));
    assert_eq!(set.len(), 5);
    for (x, y) in [set.batch(&[3, 0]).unwrap(), set.batch_at(&[3, 0], 7).unwrap()] {
        assert_eq!(x.to_vec1::<u32>().unwrap(), [10, 1]);
        assert_eq!(y.to_vec1::<u32>().unwrap(), [4, 1]);
    }
    let failing = numbers(5).map_targets(|_| candle_core::bail!("no"));
    assert!(failing.get(0).is_err() && failing.batch(&[1]).is_err());
    assert_eq!(
        Error::from(set.get(5).unwrap_err()).to_string(),
        "sample 5 of a set of 5"
    );
}

/// A set that shows the epoch and its own index.
#[derive(Clone)]
struct Shows(usize);

impl Dataset for Shows {
    fn len(&self) -> usize {
        self.0
    }

    fn get(&self, index: usize) -> candle_core::Result<Sample> {
        self.get_at(index, 0)
    }

    fn get_at(&self, index: usize, epoch: u64) -> candle_core::Result<Sample> {
        let show = |value| Tensor::new(value, &Device::Cpu);
        Ok((show(epoch as u32)?, show(index as u32)?))
    }
}

#[test]
fn a_set_that_changes_needs_only_single_samples() {
    let set = Shows(5);
    let epochs = |batch: candle_core::Result<Sample>| batch.unwrap().0.to_vec1::<u32>().unwrap();
    assert_eq!(epochs(set.batch_at(&[4, 0], 6)), [6, 6]);
    assert_eq!(epochs(set.batch(&[4, 0])), [0, 0]);
    let loader = crate::Loader::new(&set, &crate::LoaderConfig::new(5)).unwrap();
    for epoch in [1, 2] {
        let shown: Vec<u32> = loader.epoch(epoch).flat_map(epochs).collect();
        assert_eq!(shown, [epoch as u32; 5]);
    }
}

/// A set that shows which method was called.
struct Called;

impl Called {
    fn shows(name: &str, indices: &[usize]) -> candle_core::Result<Sample> {
        candle_core::bail!("{name} {indices:?}")
    }
}

impl Dataset for Called {
    fn len(&self) -> usize {
        9
    }

    fn get(&self, index: usize) -> candle_core::Result<Sample> {
        Self::shows("get", &[index])
    }

    fn batch(&self, indices: &[usize]) -> candle_core::Result<Sample> {
        Self::shows("batch", indices)
    }

    fn get_at(&self, index: usize, _: u64) -> candle_core::Result<Sample> {
        Self::shows("get_at", &[index])
    }

    fn batch_at(&self, indices: &[usize], _: u64) -> candle_core::Result<Sample> {
        Self::shows("batch_at", indices)
    }
}

/// A set that has a faster way keeps it.
#[test]
fn every_set_of_sets_calls_the_same_method() {
    let sets: [Box<dyn Dataset>; 6] = [
        Box::new(Called),
        Box::new(&Called),
        Box::new(Arc::new(Called)),
        Box::new(Called.subset((0..9).collect()).unwrap()),
        Box::new(Called.concat(numbers(1))),
        Box::new(Concat::new(vec![&Called as &dyn Dataset])),
    ];
    for (i, set) in sets.iter().enumerate() {
        for (call, expected) in [
            (set.get(7), "get [7]"),
            (set.batch(&[7, 2]), "batch [7, 2]"),
            (set.get_at(7, 1), "get_at [7]"),
            (set.batch_at(&[7, 2], 1), "batch_at [7, 2]"),
        ] {
            // A backtrace may follow.
            let message = call.unwrap_err().to_string();
            assert_eq!(message.lines().next(), Some(expected), "{i}");
        }
    }
}

#[test]
fn every_set_of_sets_passes_the_epoch_on() {
    let shows = Shows(4);
    let sets: Vec<Box<dyn Dataset>> = vec![
        Box::new(shows.clone().subset(vec![0, 1, 2, 3]).unwrap()),
        Box::new(Shows(1).concat(Shows(3).map_targets(|y| y + 1.))),
        Box::new(shows.clone().map(|x, y| Ok((x, y)))),
        Box::new(shows.clone().augment(1, |x, y, _| Ok((x, y)))),
        Box::new(Arc::new(Box::new(&shows))),
    ];
    for (i, set) in sets.iter().enumerate() {
        let values = |(x, y): Sample| {
            let flat = |t: Tensor| t.flatten_all().unwrap().to_vec1::<u32>().unwrap();
            (flat(x), flat(y))
        };
        assert_eq!(values(set.get_at(2, 6).unwrap()), (vec![6], vec![2]), "{i}");
        assert_eq!(
            values(set.batch_at(&[3, 0, 1], 6).unwrap()),
            (vec![6, 6, 6], vec![3, 0, 1]),
            "{i}"
        );
        assert_eq!(values(set.get(1).unwrap()), (vec![0], vec![1]), "{i}");
        assert_eq!(
            values(set.batch(&[1, 2]).unwrap()),
            (vec![0, 0], vec![1, 2]),
            "{i}"
        );
        assert_eq!(
            Error::from(set.get(9).err().unwrap_or(candle_core::Error::Msg("none".into()))).to_string(),
            if i < 2 { "sample 9 of a set of 4" } else { "none" },
        );
    }
    // What is kept doesn't change, whichever epoch asks first.
    let cache = Shows(4).cache();
    for epoch in [6, 0] {
        assert_eq!(
            cache.batch_at(&[1], epoch).unwrap().0.to_vec1::<u32>().unwrap(),
            [0]
        );
    }
}

#[test]
fn sets_one_after_the_other() {
    let set = Concat::new(vec![numbers(3), numbers(0), numbers(2)]);
    assert_eq!(set.len(), 5);
    let (x, y) = set.batch(&[4, 0, 2, 3, 1, 1]).unwrap();
    assert_eq!(x.to_vec1::<u32>().unwrap(), [1, 0, 2, 0, 1, 1]);
    assert_eq!(y.to_vec1::<u32>().unwrap(), [1, 0, 2, 0, 1, 1]);
    for error in [set.get(5).err(), set.batch(&[0, 5]).err()] {
        assert_eq!(Error::from(error.unwrap()).to_string(), "sample 5 of a set of 5");
    }
    assert!(Concat::<TensorDataset>::new(vec![]).is_empty());
}

#[test]
fn random_numbers_of_samples_are_their_own() {
    let set = |seed| {
        let x = Tensor::zeros(50, candle_core::DType::F64, &Device::Cpu).unwrap();
        let set = TensorDataset::new(&x, &x).unwrap();
        set.augment(seed, |_, y, generator| {
            let mut draw = [0.];
            generator.fill_uniform(&mut draw, 0., 1.);
            Ok((Tensor::new(draw[0], &Device::Cpu)?, y))
        })
    };
    let all: Vec<usize> = (0..50).collect();
    let draw = |seed, epoch| {
        let batch = set(seed).batch_at(&all, epoch).unwrap().0;
        batch.to_vec1::<f64>().unwrap()
    };
    let mut draws = [draw(1, 0), draw(1, 1), draw(2, 0)].concat();
    assert_eq!(
        set(1).batch(&all).unwrap().0.to_vec1::<f64>().unwrap(),
        draws[..50]
    );
    draws.sort_by(f64::total_cmp);
    assert!(draws.windows(2).all(|pair| pair[0] < pair[1]));
}

#[test]
fn what_can_not_be_stratified_is_named() {
    let set = numbers(6);
    for (classes, fraction, message) in [
        (
            &[0, 0, 1, 1, 2][..],
            0.5,
            "there are 6 samples but 5 classes: each needs exactly one",
        ),
        (
            &[0, 0, 1, 1, 1, 7],
            0.5,
            "class is 7 for one sample alone, expected at least 2 samples of a class",
        ),
        (
            &[0, 0, 1, 1, 2, 2],
            0.2,
            "fraction is 0.2, expected one that leaves a sample of each of 3 classes in both parts of 6",
        ),
        (
            &[0, 0, 1, 1, 2, 2],
            1.5,
            "fraction is 1.5, expected above 0 and below 1",
        ),
    ] {
        let error = set.split_stratified(classes, fraction, 0).unwrap_err();
        assert_eq!(error.to_string(), message);
    }
    // The seed decides which, and, between equal remainders, of which class.
    let classes = [0, 0, 0, 1, 1, 1];
    let drawn = |seed| {
        set.split_stratified(&classes, 0.5, seed)
            .unwrap()
            .1
            .indices()
            .to_vec()
    };
    assert_eq!(drawn(3), drawn(3));
    let different: std::collections::HashSet<_> = (0..20).map(drawn).collect();
    // Of 18 possible.
    assert!(different.len() > 6, "{different:?}");
    let sizes: std::collections::HashSet<usize> = (0..20)
        .map(|seed| drawn(seed).iter().filter(|&&index| index < 3).count())
        .collect();
    assert_eq!(sizes, [1, 2].into());
}

/// Of any length, and another one in every epoch.
struct Growing;

impl Dataset for Growing {
    fn len(&self) -> usize {
        5
    }

    fn get(&self, index: usize) -> candle_core::Result<Sample> {
        self.get_at(index, 0)
    }

    fn get_at(&self, index: usize, epoch: u64) -> candle_core::Result<Sample> {
        let numbers = Tensor::arange(0u32, index as u32 + epoch as u32, &Device::Cpu)?;
        Ok((numbers.clone(), numbers))
    }
}

#[test]
fn batches_are_padded_as_far_as_they_have_to_be() {
    let rows = |tensor: &Tensor| tensor.to_vec2::<u32>().unwrap();
    let set = Growing.padded(Some(9.), Some(7.)).subset(vec![4, 1, 0]).unwrap();
    let (numbers, targets) = set.batch(&[1, 2]).unwrap();
    assert_eq!(
        (rows(&numbers), rows(&targets)),
        (vec![vec![0], vec![9]], vec![vec![0], vec![7]])
    );
    let (numbers, targets) = set.batch_at(&[2, 1], 2).unwrap();
    assert_eq!(rows(&numbers), [[0, 1, 9], [0, 1, 2]]);
    assert_eq!(rows(&targets), [[0, 1, 7], [0, 1, 2]]);
    assert_eq!(set.get(1).unwrap().0.dims(), [1]);
    // What isn't to be padded has one shape.
    for (features, targets) in [(None, Some(0.)), (Some(0.), None), (None, None)] {
        assert!(Growing.padded(features, targets).batch(&[1, 2]).is_err());
        assert_eq!(
            Growing.padded(features, targets).batch(&[2, 2]).unwrap().0.dims(),
            [2, 2]
        );
    }
    let error = Growing
        .padded(Some(0.5), None)
        .batch(&[1])
        .unwrap_err()
        .to_string();
    assert!(
        error.contains("value is 0.5, expected one that U32 has"),
        "{error}"
    );
}

#[test]
fn what_comes_after_padding_is_told_that_padding_comes_last() {
    let padded = || Growing.padded(Some(9.), Some(7.));
    for set in [
        Box::new(Growing) as Box<dyn Dataset>,
        Box::new(padded().map(|x, y| Ok((x, y)))),
        Box::new(padded().map_features(Ok)),
        Box::new(padded().augment(0, |x, y, _| Ok((x, y)))),
        Box::new(padded().cache()),
        Box::new(padded().concat(padded())),
    ] {
        let last = set.len() - 1;
        for result in [set.batch(&[1, last]), set.batch_at(&[1, last], 3)] {
            let error = result.unwrap_err().to_string();
            assert!(error.starts_with("features is of shape ["), "{error}");
            assert!(
                error.ends_with("(samples of different lengths: `Dataset::padded`, as the last step)"),
                "{error}"
            );
        }
    }
    // Last, it pads whatever comes before.
    let set = Growing
        .map(|x, y| Ok((x, y)))
        .cache()
        .concat(Growing)
        .padded(Some(9.), Some(7.));
    let last = set.len() - 1;
    assert_eq!(set.batch(&[0, last]).unwrap().0.dims()[0], 2);
    // Of samples that differ in more, padding makes no batch.
    let grids = Growing.map(|x, y| Ok((Tensor::zeros((2, x.dim(0)?), x.dtype(), x.device())?, y)));
    let error = grids.batch(&[1, 2]).unwrap_err().to_string();
    assert_eq!(
        error,
        "features is of shape [2, 2] at 1, expected [2, 1], that of the batch's first"
    );
}
