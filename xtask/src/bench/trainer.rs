//! The training loop's own cost, which has no counterpart in PyTorch.

use super::release;
use crate::stages;

pub(super) const NAME: &str = "trainer";
pub(super) const OURS: &str = "bench-trainer";
pub(super) const ABOUT: &str =
    "LeNet by the trainer beside a loop written by hand, waiting for the loader, memory over 50 epochs";

/// Runs it; it prints its figures itself, and shows its bar where there is a terminal.
pub(super) fn measure(threads: u16) -> crate::Result<()> {
    stages::execute(release(OURS)?.env("RAYON_NUM_THREADS", threads.to_string()))
}
