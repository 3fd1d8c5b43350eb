//! Pictures: one of a digit is read; sheets of digits and of small pictures, and what counts in one, are drawn.

mod heat;
mod panels;
mod read;
mod sheet;

pub use heat::heat;
pub use panels::{Panel, panels};
pub use read::{Drawing, read};
pub use sheet::{Digit, sheet};

use crate::{Failure, Result, say};
use std::path::Path;

/// Writes a picture, and says so.
///
/// # Errors
/// It can't be written there.
pub fn save(picture: &image::RgbImage, path: &Path) -> Result<()> {
    picture.save(path).map_err(|error| Failure::at(path, error))?;
    say(format_args!("wrote {}", path.display()));
    Ok(())
}
