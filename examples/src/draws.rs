//! Random draws one by one, for data that programs make up.

use sconce::core::Generator;

/// A source of random numbers that a seed decides.
#[derive(Debug)]
pub struct Draws(Generator);

/// The seed of what is drawn for one purpose: purposes share no numbers, neither with each other nor with the layers'
/// initial values, which the program's own seed decides, nor across neighbouring seeds.
pub fn seed_for(seed: u64, purpose: &str) -> u64 {
    // FNV-1a over the purpose, and SplitMix64's finaliser, so that each bit of the seed counts in each of the result.
    let hash = purpose.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3)
    });
    let mut mixed = seed.wrapping_add(hash);
    for (shift, factor) in [(30, 0xbf58_476d_1ce4_e5b9), (27, 0x94d0_49bb_1331_11eb)] {
        mixed = (mixed ^ (mixed >> shift)).wrapping_mul(factor);
    }
    mixed ^ (mixed >> 31)
}

impl Draws {
    /// From the start of the sequence that a seed has for a purpose, such as "test pictures".
    pub fn new(seed: u64, purpose: &str) -> Self {
        Self(Generator::new(seed_for(seed, purpose)))
    }

    /// From the start of the sequence that an item of this number has, so that items can be made in any order.
    pub fn at(seed: u64, purpose: &str, item: usize) -> Self {
        Self::new(seed_for(seed, purpose).wrapping_add(item as u64), "item")
    }

    /// From 0 to below 1.
    pub fn uniform(&self) -> f64 {
        let mut value = [0.];
        self.0.fill_uniform(&mut value, 0., 1.);
        value[0]
    }

    /// From the normal distribution of mean 0 and deviation 1.
    pub fn normal(&self) -> f64 {
        let mut value = [0.];
        self.0.fill_normal(&mut value, 0., 1.);
        value[0]
    }

    /// A number below `n`; 0 if that is 0.
    pub fn below(&self, n: usize) -> usize {
        ((self.uniform() * n as f64) as usize).min(n.saturating_sub(1))
    }

    /// True with this probability.
    pub fn chance(&self, probability: f64) -> bool {
        self.uniform() < probability
    }

    /// The numbers below `n` in random order.
    pub fn permutation(&self, n: usize) -> Vec<usize> {
        self.0.permutation(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_differ_and_can_be_had_again() {
        let first = |seed, item| Draws::at(seed, "a", item).uniform();
        assert_eq!(first(1, 7), first(1, 7));
        assert_ne!(first(1, 7), first(1, 8));
        assert_ne!(first(1, 7), first(0, 8));
    }

    #[test]
    fn a_seed_decides_and_ranges_hold() {
        let (one, two) = (Draws::new(3, "a"), Draws::new(3, "a"));
        let mut seen = [0; 5];
        for _ in 0..200 {
            let value = one.below(5);
            assert_eq!(value, two.below(5));
            seen[value] += 1;
        }
        assert!(seen.iter().all(|&count| count > 0), "{seen:?}");
        assert_eq!(one.below(0), 0);
        assert!(!one.chance(0.) && one.chance(1.));
        assert_ne!(one.normal(), one.normal());
    }

    #[test]
    fn purposes_and_seeds_share_no_numbers() {
        let mut first: Vec<f64> = Vec::new();
        for seed in 0..10 {
            for purpose in ["train", "test", ""] {
                first.push(Draws::new(seed, purpose).uniform());
            }
            let mut value = [0.];
            Generator::new(seed).fill_uniform(&mut value, 0., 1.);
            first.extend(value);
        }
        first.sort_by(f64::total_cmp);
        assert!(first.windows(2).all(|pair| pair[0] < pair[1]), "{first:?}");
    }
}
