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
