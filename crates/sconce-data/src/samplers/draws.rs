//! Where in a seed's sequence an epoch's random numbers stand.

use rand::RngCore;
use sconce_core::Generator;

/// Epochs draw from the upper half of the seed's counters, each from a stretch of its own, so that an initialiser or a
/// dropout layer with the same seed draws other numbers.
const FIRST_COUNTER: u64 = 1 << 63;
const COUNTERS_OF_AN_EPOCH: u64 = 1 << 40;
/// The upper half of an epoch's stretch has a counter for each sample.
const FIRST_SAMPLE: u64 = 1 << 39;

fn start(epoch: u64) -> u64 {
    FIRST_COUNTER.wrapping_add(epoch.wrapping_mul(COUNTERS_OF_AN_EPOCH))
}

/// The generator of an epoch's order.
pub(crate) fn of_epoch(seed: u64, epoch: u64) -> Generator {
    at(seed, start(epoch))
}

/// The generator of one sample in an epoch: its seed is drawn with the sample's counter.
pub(crate) fn of_sample(seed: u64, epoch: u64, index: usize) -> Generator {
    let counter = start(epoch).wrapping_add(FIRST_SAMPLE).wrapping_add(index as u64);
    Generator::new(at(seed, counter).next_u64())
}

fn at(seed: u64, position: u64) -> Generator {
    let generator = Generator::new(seed);
    generator.restore(seed, position);
    generator
}
