//! Pictures: one of a digit is read, and a sheet of digits is drawn.

mod read;
mod sheet;

pub use read::{Drawing, read};
pub use sheet::{Digit, sheet};
