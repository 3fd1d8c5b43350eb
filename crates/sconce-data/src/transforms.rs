//! Changes to images on their way into a network.
//!
//! Random ones draw from the [`Generator`](sconce_core::Generator) that they are given and from nothing else, so a sample
//! that has a generator of its own is changed the same way whoever reads it.

mod crop;
mod draw;
mod erase;
mod flip;
mod mix;
mod normalize;
mod one_hot;
mod rectangle;
mod resize;
mod rotate;
mod size;
mod window;

pub use crop::{RandomCrop, RandomCropConfig, center_crop, crop};
pub use erase::{Erased, RandomErasing, RandomErasingConfig};
pub use flip::{RandomHorizontalFlip, RandomVerticalFlip, horizontal_flip, vertical_flip};
pub use mix::{CutMix, MixUp, mix_up};
pub use normalize::Normalize;
pub use one_hot::one_hot;
pub use resize::resize_bilinear;
pub use rotate::{Interpolation, RandomRotation, RotateConfig, rotate};
