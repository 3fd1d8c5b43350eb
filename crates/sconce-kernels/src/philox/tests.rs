use super::*;
use crate::parallel::{CHUNK, THRESHOLD, tests::with_any_threads};
use crate::simd::{Level, with_level};

#[test]
fn known_answers() {
    // Random123's kat_vectors for philox4x32, 10 rounds.
    let cases = [
        (
            [0u32; 4],
            [0; 2],
            [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8],
        ),
        (
            [u32::MAX; 4],
            [u32::MAX; 2],
            [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd],
        ),
        (
            [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344],
            [0xa4093822, 0x299f31d0],
            [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
        ),
    ];
    for (counter, key, expected) in cases {
        assert_eq!(
            rounds(counter.map(u64::from), key).map(|word| word as u32),
            expected
        );
    }
}

/// The same at every level, with any number of threads, and from any element on.
fn assert_addressable<T: PartialEq + Clone + std::fmt::Debug + Default + Send>(
    per_counter: usize,
    fill: impl Fn(&mut [T], u64) + Send + Sync,
) -> Vec<T> {
    let all = with_any_threads(|| {
        let mut out = vec![T::default(); THRESHOLD + CHUNK + 7];
        fill(&mut out, u64::from(u32::MAX) - 5);
        out
    });
    for level in Level::available() {
        for (counter, length) in [(0, 0), (0, 3), (1, 200), (77, 1025), (CHUNK / 4, 40_001)] {
            let mut out = vec![T::default(); length];
            with_level(level, || fill(&mut out, u64::from(u32::MAX) - 5 + counter as u64));
            assert!(
                out == all[counter * per_counter..][..length],
                "{level:?}, {length} from counter {counter}"
            );
        }
    }
    all
}

#[test]
fn bits_are_the_blocks() {
    let bits = assert_addressable(4, |out: &mut [u32], first| fill_bits(out, 99, first));
    for i in 0..50 {
        assert_eq!(bits[4 * i..][..4], block(99, u64::from(u32::MAX) - 5 + i as u64));
    }
}

fn mean_and_variance<T: Element>(x: &[T]) -> (f64, f64) {
    let n = x.len() as f64;
    let mean = x.iter().map(|x| x.wide()).sum::<f64>() / n;
    (mean, x.iter().map(|x| (x.wide() - mean).powi(2)).sum::<f64>() / n)
}

fn check_distributions<T: Element>() {
    let per_counter = 16 / size_of::<T>();
    assert_eq!(counters_for::<T>(per_counter + 1), 2);
    let x = assert_addressable(per_counter, |out: &mut [T], first| {
        fill_uniform(out, 5, first, -1., 3.)
    });
    assert!(x.iter().all(|x| (-1. ..=3.).contains(&x.wide())));
    let (mean, var) = mean_and_variance(&x);
    // Five standard errors: the variance of U(−1, 3) is 4/3, that of its square deviation 64/45·…< 1.5.
    let error = 5. / (x.len() as f64).sqrt();
    assert!(
        (mean - 1.).abs() < 1.16 * error && (var - 4. / 3.).abs() < 1.3 * error,
        "{mean} {var}"
    );

    let x = assert_addressable(per_counter, |out: &mut [T], first| {
        fill_normal(out, 6, first, 0.5, 2.)
    });
    let (mean, var) = mean_and_variance(&x);
    assert!(
        (mean - 0.5).abs() < 2. * error && (var - 4.).abs() < 5.7 * error,
        "{mean} {var}"
    );
    // The share within one, two and three standard deviations.
    for (deviations, share) in [(1., 0.682_689_5), (2., 0.954_499_7), (3., 0.997_300_2)] {
        let within = x
            .iter()
            .filter(|x| (x.wide() - 0.5).abs() <= 2. * deviations)
            .count() as f64
            / x.len() as f64;
        assert!(
            (within - share).abs() < 0.5 * error,
            "{within} within {deviations}"
        );
    }
    let both: f64 = x
        .chunks_exact(2)
        .map(|pair| (pair[0].wide() - 0.5) * (pair[1].wide() - 0.5))
        .sum();
    assert!(
        (both / (x.len() / 2) as f64 / 4.).abs() < 1.42 * error,
        "the two of a pair are correlated"
    );
}

#[test]
fn distributions_are_right() {
    check_distributions::<f32>();
    check_distributions::<f64>();
}

#[test]
fn normals_are_box_and_mullers() {
    let mut x = [0f64; 2000];
    fill_normal(&mut x, 8, 3, 0., 1.);
    for (i, pair) in x.chunks_exact(2).enumerate() {
        let b = block(8, 3 + i as u64).map(u64::from);
        let number = |low: u64, high: u64| (high << 32 | low) >> 11;
        let u = (number(b[0], b[1]) + 1) as f64 / (1u64 << 53) as f64;
        let v = number(b[2], b[3]) as f64 / (1u64 << 53) as f64;
        let (radius, angle) = ((-2. * u.ln()).sqrt(), std::f64::consts::TAU * v);
        assert!(
            (pair[0] - radius * angle.cos()).abs() < 1e-14 && (pair[1] - radius * angle.sin()).abs() < 1e-14
        );
    }
}

#[test]
fn dropout_keeps_its_share() {
    fn check<T: Element>() {
        for keep in [0., 0.1, 0.75, 1.] {
            let ones = [T::ONE; THRESHOLD + CHUNK + 7];
            let y = assert_addressable(4, |out: &mut [T], first| {
                dropout(out, &ones[..out.len()], 2, first, keep)
            });
            let kept = y.iter().filter(|&&y| y != T::ZERO).count() as f64 / y.len() as f64;
            assert!(
                (kept - keep).abs() < 5. * (keep * (1. - keep) / y.len() as f64).sqrt() + 1e-12,
                "{kept} {keep}"
            );
            assert!(y.iter().all(|&y| y == T::ZERO || y == T::of(1. / keep)));
        }
    }
    check::<f32>();
    check::<f64>();
    assert_eq!((dropout_counters(0), dropout_counters(9)), (0, 3));
    // Infinite and NaN inputs that are dropped become 0.
    let mut y = [1f32; 64];
    dropout(&mut y, &[f32::NAN; 64], 1, 0, 0.5);
    assert!(y.contains(&0.) && y.iter().any(|y| y.is_nan()));
}
