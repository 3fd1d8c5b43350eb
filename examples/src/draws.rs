//! Random draws one by one, for data that programs make up.

use sconce::core::Generator;

/// A source of random numbers that a seed decides.
#[derive(Debug)]
pub struct Draws(Generator);

impl Draws {
    /// From the start of a seed's sequence.
    pub fn new(seed: u64) -> Self {
        Self(Generator::new(seed))
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
    fn a_seed_decides_and_ranges_hold() {
        let (one, two) = (Draws::new(3), Draws::new(3));
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
}
