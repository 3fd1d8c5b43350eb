//! Pictures: one of a digit is read; a sheet of digits, and what counts in one, is drawn.

mod heat;
mod read;
mod sheet;

pub use heat::heat;
pub use read::{Drawing, read};
pub use sheet::{Digit, sheet};
