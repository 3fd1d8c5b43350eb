//! Cutting a set into parts.

use super::{Dataset, Subset};
use crate::{Error, Result};
use sconce_core::Generator;
use std::collections::BTreeMap;

type Parts<D> = Result<(Subset<D>, Subset<D>)>;

/// How many of `len` samples a fraction stands for: rounded up, unless it is a whole number but for its last bits.
pub(super) fn drawn(len: usize, fraction: f64) -> f64 {
    (len as f64 * fraction * (1. - 1e-12)).ceil()
}

/// The first so many samples of an order, and the others.
pub(super) fn in_order<D: Dataset + Clone>(
    dataset: &D,
    mut order: Vec<usize>,
    fraction: f64,
    first: f64,
) -> Parts<D> {
    let first = check(order.len(), fraction, first)?;
    let last = order.split_off(first);
    Ok((dataset.clone().subset(order)?, dataset.clone().subset(last)?))
}

fn check(len: usize, fraction: f64, first: f64) -> Result<usize> {
    if !(fraction > 0. && fraction < 1.) {
        return Err(Error::config("fraction", fraction, "above 0 and below 1"));
    }
    let first = first as usize;
    if first == 0 || first == len {
        let expected = format!("one that leaves samples in both parts of {len}");
        return Err(Error::config("fraction", fraction, expected));
    }
    Ok(first)
}

/// Each part in its old order.
pub(super) fn sorted<D>((mut rest, mut drawn): (Subset<D>, Subset<D>)) -> Parts<D> {
    rest.indices.sort_unstable();
    drawn.indices.sort_unstable();
    Ok((rest, drawn))
}

/// The random split that keeps each class's share.
pub(super) fn stratified<D: Dataset + Clone>(
    dataset: &D,
    classes: &[u32],
    fraction: f64,
    seed: u64,
) -> Parts<D> {
    let len = dataset.len();
    if classes.len() != len {
        return Err(Error::Count {
            features: len,
            feature_name: "samples".into(),
            targets: classes.len(),
            target_name: "classes".into(),
        });
    }
    let first = check(len, fraction, len as f64 - drawn(len, fraction))?;
    let mut members: BTreeMap<u32, Vec<usize>> = BTreeMap::new();
    for (index, &class) in classes.iter().enumerate() {
        members.entry(class).or_default().push(index);
    }
    if let Some((class, _)) = members.iter().find(|(_, of)| of.len() < 2) {
        let value = format!("{class} for one sample alone");
        return Err(Error::config("class", value, "at least 2 samples of a class"));
    }
    if first.min(len - first) < members.len() {
        let expected = format!(
            "one that leaves a sample of each of {} classes in both parts of {len}",
            members.len()
        );
        return Err(Error::config("fraction", fraction, expected));
    }
    let generator = Generator::new(seed);
    let counts: Vec<usize> = members.values().map(Vec::len).collect();
    let shares = shares(&counts, first, len, &generator);
    let (mut rest, mut drawn) = (Vec::with_capacity(first), Vec::with_capacity(len - first));
    for (members, share) in members.values().zip(shares) {
        let order = generator.permutation(members.len());
        let mut order = order.iter().filter_map(|&place| members.get(place));
        rest.extend(order.by_ref().take(share));
        drawn.extend(order);
    }
    sorted((dataset.clone().subset(rest)?, dataset.clone().subset(drawn)?))
}

/// How many of each class are among the first: its share rounded down, and one more for those with the largest remainders.
fn shares(counts: &[usize], first: usize, len: usize, generator: &Generator) -> Vec<usize> {
    // In the order of scikit-learn's operations, so that remainders that are equal there are equal here.
    let exact = |&count: &usize| count as f64 / len as f64 * first as f64;
    let mut shares: Vec<usize> = counts.iter().map(|count| exact(count).floor() as usize).collect();
    let missing = first.saturating_sub(shares.iter().sum());
    // Equal remainders stay in random order.
    let mut order = generator.permutation(counts.len());
    let remainder = |&class: &usize| counts.get(class).map_or(0., |count| exact(count).fract());
    order.sort_by(|a, b| remainder(b).total_cmp(&remainder(a)));
    for class in order.into_iter().take(missing) {
        if let Some(share) = shares.get_mut(class) {
            *share += 1;
        }
    }
    shares
}
