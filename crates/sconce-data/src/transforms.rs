//! Changes to images on their way into a network.

mod normalize;
mod resize;

pub use normalize::Normalize;
pub use resize::resize_bilinear;
