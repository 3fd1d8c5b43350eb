//! Random numbers that can be seeded, read off and restored.

use rand::RngCore;
use sconce_kernels::philox;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, LazyLock};

/// A counter-based generator (Philox 4×32-10).
///
/// Its whole state is two numbers: the seed, which keys the cipher, and the position, the next unused counter. Every
/// operation takes a stretch of counters of its own, and each value depends on seed and counter alone. So values depend
/// neither on threads nor on how the work is cut. Clones share the position.
///
/// # Source
/// Salmon et al., "Parallel random numbers: as easy as 1, 2, 3", 2011.
///
/// # Example
/// ```
/// use sconce_core::Generator;
/// let generator = Generator::new(42);
/// let order = generator.permutation(10);
/// generator.restore(42, 0);
/// assert_eq!(generator.permutation(10), order);
/// ```
#[derive(Debug, Clone)]
pub struct Generator(Arc<State>);

#[derive(Debug)]
struct State {
    seed: AtomicU64,
    position: AtomicU64,
}

/// The seed of the default generator until [`manual_seed`] sets another: runs are the same unless asked otherwise.
const DEFAULT_SEED: u64 = 0;

static DEFAULT: LazyLock<Generator> = LazyLock::new(|| Generator::new(DEFAULT_SEED));

/// Seeds the process's default generator, which initialisers, dropout and shuffling draw from, on every thread.
///
/// ```
/// use sconce_core::{default_generator, manual_seed};
/// manual_seed(7);
/// let a = default_generator().permutation(5);
/// manual_seed(7);
/// assert_eq!(default_generator().permutation(5), a);
/// ```
pub fn manual_seed(seed: u64) {
    DEFAULT.restore(seed, 0);
}

/// The process's default generator.
pub fn default_generator() -> Generator {
    DEFAULT.clone()
}

impl Generator {
    /// A generator at the start of the sequence of `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(State {
            seed: AtomicU64::new(seed),
            position: AtomicU64::new(0),
        }))
    }

    /// The seed.
    pub fn seed(&self) -> u64 {
        self.0.seed.load(Ordering::SeqCst)
    }

    /// The next unused counter; a counter stands for four 32-bit numbers.
    pub fn position(&self) -> u64 {
        self.0.position.load(Ordering::SeqCst)
    }

    /// Puts the generator where one with this seed and position was.
    pub fn restore(&self, seed: u64, position: u64) {
        self.0.seed.store(seed, Ordering::SeqCst);
        self.0.position.store(position, Ordering::SeqCst);
    }

    /// Takes `counters` counters out of the sequence and gives the first.
    pub fn reserve(&self, counters: u64) -> u64 {
        self.0.position.fetch_add(counters, Ordering::SeqCst)
    }

    /// Fills a slice from U(lo, hi).
    pub fn fill_uniform(&self, values: &mut [f64], lo: f64, hi: f64) {
        let first = self.reserve(philox::counters_for::<f64>(values.len()));
        philox::fill_uniform(values, self.seed(), first, lo, hi);
    }

    /// Fills a slice from N(mean, std²).
    pub fn fill_normal(&self, values: &mut [f64], mean: f64, std: f64) {
        let first = self.reserve(philox::counters_for::<f64>(values.len()));
        philox::fill_normal(values, self.seed(), first, mean, std);
    }

    /// The numbers below `n` in random order (Fisher and Yates).
    pub fn permutation(&self, n: usize) -> Vec<usize> {
        let mut order: Vec<usize> = (0..n).collect();
        let mut draws = vec![0.; n];
        self.fill_uniform(&mut draws, 0., 1.);
        for (i, draw) in draws.into_iter().enumerate().skip(1) {
            order.swap(i, ((i + 1) as f64 * draw) as usize);
        }
        order
    }
}

/// Each call takes one counter.
impl RngCore for Generator {
    fn next_u32(&mut self) -> u32 {
        self.next_u64() as u32
    }

    fn next_u64(&mut self) -> u64 {
        let [a, b, ..] = philox::block(self.seed(), self.reserve(1));
        u64::from(a) | u64::from(b) << 32
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(8) {
            for (byte, random) in chunk.iter_mut().zip(self.next_u64().to_le_bytes()) {
                *byte = random;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn state_is_two_numbers() {
        let generator = Generator::new(3);
        generator.permutation(100);
        let (seed, position) = (generator.seed(), generator.position());
        let next = generator.permutation(50);
        let other = Generator::new(0);
        other.restore(seed, position);
        assert_eq!(other.permutation(50), next);
        assert_ne!(other.permutation(50), next);
    }

    #[test]
    fn permutations_are_uniform() {
        let generator = Generator::new(1);
        let mut counts = [0u32; 6];
        for _ in 0..6000 {
            let p = generator.permutation(3);
            counts[p[0] * 2 + usize::from(p[1] > p[2])] += 1;
        }
        // Binomial(6000, 1/6): five standard deviations are 144.
        assert!(
            counts.iter().all(|&count| count.abs_diff(1000) < 144),
            "{counts:?}"
        );
        assert_eq!(generator.permutation(0), [0usize; 0]);
    }

    #[test]
    fn serves_as_a_generator_of_the_rand_crate() {
        use rand::Rng;
        let mut generator = Generator::new(9);
        let a: Vec<u32> = (0..8).map(|_| generator.random_range(0..1000)).collect();
        generator.restore(9, 0);
        let b: Vec<u32> = (0..8).map(|_| generator.random_range(0..1000)).collect();
        assert_eq!(a, b);
        assert!(a.windows(2).any(|pair| pair[0] != pair[1]));
    }

    #[test]
    fn every_thread_sees_the_default_generator() {
        let generator = default_generator();
        generator.reserve(5);
        std::thread::scope(|s| {
            s.spawn(|| assert!(default_generator().position() >= 5));
        });
    }
}
