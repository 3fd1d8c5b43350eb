//! Images in PNG and JPEG files.

use crate::bytes::MOST_PER_COMPRESSED_BYTE;
use crate::{Error, Result};
use candle_core::{DType, Device, Tensor};
use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader};
use std::io::Cursor;
use std::path::Path;

/// What colours an image's tensor has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Color {
    /// Red, green and blue; transparency is dropped, and grey images have three equal channels.
    #[default]
    Rgb,
    /// One channel: 0.299 red + 0.587 green + 0.114 blue (ITU-R 601, as Pillow's `L`).
    Gray,
}

/// Options of [`read_image`] and [`ImageFolder`](crate::ImageFolder).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImageConfig {
    /// The channels.
    pub color: Color,
    /// `F32`, from 0 (dark) to 1, or `U8`, from 0 to 255.
    pub dtype: DType,
}

impl Default for ImageConfig {
    /// Three channels of `F32`.
    fn default() -> Self {
        Self {
            color: Color::Rgb,
            dtype: DType::F32,
        }
    }
}

impl ImageConfig {
    pub(crate) fn check(&self) -> Result<()> {
        match self.dtype {
            DType::F32 | DType::U8 => Ok(()),
            other => Err(Error::config("dtype", format!("{other:?}"), "F32 or U8")),
        }
    }
}

/// Reads a PNG or JPEG file, which its content tells apart, on the CPU.
///
/// Samples of 16 bits become 8. A camera's note of its orientation isn't heeded, nor are colour profiles.
///
/// # Shapes
/// `[channels, height, width]`
///
/// # Errors
/// The type is neither `F32` nor `U8`; the file can't be read, is no such image, is damaged or cut short, or claims more
/// pixels than it can hold or than 512 MiB do.
///
/// # Source
/// `torchvision.datasets.folder.default_loader`, then `torchvision.transforms.functional.to_tensor`
///
/// # Example
/// ```no_run
/// use sconce_data::{ImageConfig, read_image};
/// let image = read_image("cat.jpg", &ImageConfig::default())?;
/// assert_eq!(image.dims()[0], 3);
/// # Ok::<(), sconce_data::Error>(())
/// ```
pub fn read_image(path: impl AsRef<Path>, cfg: &ImageConfig) -> Result<Tensor> {
    cfg.check()?;
    let path = path.as_ref();
    let error = |problem: String| Error::file(&path.display().to_string(), problem);
    let bytes = std::fs::read(path).map_err(|problem| error(problem.to_string()))?;
    tensor(decode(&bytes).map_err(error)?, cfg)
}

/// The decoded image of a file's bytes.
pub(crate) fn decode(bytes: &[u8]) -> std::result::Result<DynamicImage, String> {
    let broken = |error| format!("not an image that can be read ({error})");
    // What each byte of a file can stand for: a PNG's pixel takes a bit or more of what was deflated; for every 64 pixels
    // of a JPEG image some component has a block, which takes a bit or more.
    let most_per_byte = match image::guess_format(bytes) {
        Ok(ImageFormat::Png) => 8 * MOST_PER_COMPRESSED_BYTE,
        Ok(ImageFormat::Jpeg) if !has_end(bytes) => {
            return Err("cut short: the JPEG image has no end".into());
        }
        Ok(ImageFormat::Jpeg) => 8 * 64,
        _ => return Err("neither a PNG nor a JPEG image".into()),
    };
    let reader = ImageReader::new(Cursor::new(bytes)).with_guessed_format();
    let decoder = reader
        .map_err(|error| error.to_string())?
        .into_decoder()
        .map_err(broken)?;
    let (width, height) = decoder.dimensions();
    let pixels = u64::from(width) * u64::from(height);
    if pixels > most_per_byte.saturating_mul(bytes.len() as u64) {
        return Err(format!(
            "says it is {width}×{height}, which {} bytes can't hold",
            bytes.len()
        ));
    }
    if decoder.total_bytes() > MOST_BYTES {
        return Err(format!(
            "is {width}×{height}, which takes {} bytes: expected at most {MOST_BYTES}",
            decoder.total_bytes()
        ));
    }
    DynamicImage::from_decoder(decoder).map_err(broken)
}

/// What a decoded image may take.
const MOST_BYTES: u64 = 512 << 20;

/// Whether a JPEG image's pixels are followed by the marker of its end; the decoder would make grey of what is missing.
fn has_end(bytes: &[u8]) -> bool {
    const SCAN: u8 = 0xda;
    // Segments before the first scan are skipped, for a thumbnail within one has an end of its own.
    let mut rest = bytes.get(2..).unwrap_or_default();
    while let &[0xff, marker, high, low, ..] = rest {
        let skipped = match marker {
            SCAN => break,
            // Padding.
            0xff => 1,
            _ => 2 + usize::from(u16::from_be_bytes([high, low])),
        };
        rest = rest.get(skipped..).unwrap_or_default();
    }
    rest.windows(2).any(|pair| pair == [0xff, 0xd9])
}

/// An image's pixels, channels first.
pub(crate) fn tensor(image: DynamicImage, cfg: &ImageConfig) -> Result<Tensor> {
    let (height, width) = (image.height() as usize, image.width() as usize);
    let rgb = image.into_rgb8().into_raw();
    let pixels = rgb.as_chunks::<3>().0;
    let (channels, bytes) = match cfg.color {
        Color::Rgb => {
            let channel = |pick: fn(&[u8; 3]) -> u8| pixels.iter().map(pick);
            let reds = channel(|&[r, _, _]| r);
            let rest = channel(|&[_, g, _]| g).chain(channel(|&[_, _, b]| b));
            (3, reds.chain(rest).collect::<Vec<u8>>())
        }
        Color::Gray => (1, pixels.iter().map(luma).collect()),
    };
    let dims = (channels, height, width);
    Ok(match cfg.dtype {
        DType::U8 => Tensor::from_vec(bytes, dims, &Device::Cpu),
        _ => {
            let values: Vec<f32> = bytes.into_iter().map(|byte| f32::from(byte) / 255.).collect();
            Tensor::from_vec(values, dims, &Device::Cpu)
        }
    }?)
}

/// Pillow's grey of a colour, in parts of 65 536.
fn luma(&[r, g, b]: &[u8; 3]) -> u8 {
    let sum = u32::from(r) * 19_595 + u32::from(g) * 38_470 + u32::from(b) * 7_471 + 0x8000;
    (sum >> 16) as u8
}
