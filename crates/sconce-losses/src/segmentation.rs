//! Losses of how regions overlap.

mod dice;
mod iou;
mod overlap;

pub use dice::{DiceConfig, dice};
pub use iou::{IouConfig, iou};
