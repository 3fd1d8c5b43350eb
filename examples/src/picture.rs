//! Pictures: one of a digit is read; sheets of digits and of small pictures, and what counts in one, are drawn.

mod heat;
mod panels;
mod read;
mod sheet;

pub use heat::heat;
pub use panels::{Panel, panels};
pub use read::{Drawing, read};
pub use sheet::{Digit, sheet};
