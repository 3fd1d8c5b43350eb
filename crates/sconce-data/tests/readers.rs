//! Files as NumPy and Pillow write them, and transforms as torchvision has them.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::panic,
    reason = "helpers of tests fail as tests do"
)]

// The conformance runner of this workspace reads the same configurations.
#[path = "aids/transforms.rs"]
mod transforms;

use sconce_core::candle_core::{DType, Tensor};
use sconce_core::io;
use sconce_data as data;
use sconce_data::{TensorDataset, npy};
use sconce_testkit::golden::{Bound, Cases, compare};
use std::path::{Path, PathBuf};

type Result<T> = std::result::Result<T, Box<dyn std::error::Error>>;

fn golden() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden")
}

fn files() -> PathBuf {
    golden().join("files")
}

/// Type, shape and every value, exactly.
fn assert_same(name: &str, got: &Tensor, expected: &Tensor) {
    assert_eq!(
        (got.dtype(), got.dims()),
        (expected.dtype(), expected.dims()),
        "{name}"
    );
    let whole = matches!(
        got.dtype(),
        DType::I64 | DType::U32 | DType::U8 | DType::I16 | DType::I32
    );
    let dtype = if whole { DType::I64 } else { DType::F64 };
    let flat = |x: &Tensor| x.to_dtype(dtype).unwrap().flatten_all().unwrap();
    let (got, expected) = (flat(got), flat(expected));
    match whole {
        true => assert_eq!(
            got.to_vec1::<i64>().unwrap(),
            expected.to_vec1::<i64>().unwrap(),
            "{name}"
        ),
        false => assert_eq!(
            got.to_vec1::<f64>().unwrap(),
            expected.to_vec1::<f64>().unwrap(),
            "{name}"
        ),
    }
}

#[test]
fn arrays_are_what_numpy_wrote() -> Result<()> {
    let expected = io::load_tensors(files().join("arrays.safetensors"))?;
    assert_eq!(expected.len(), 51);
    for archive in ["stored.npz", "deflated.npz"] {
        let arrays = npy::read_npz(files().join(archive))?;
        assert!(arrays.keys().eq(expected.keys()), "{:?}", arrays.keys());
        for (name, array) in &arrays {
            assert_same(name, array, &expected[name]);
        }
    }
    for version in 1..=3 {
        let array = npy::read(files().join(format!("version{version}.npy")))?;
        assert_same("version", &array, &expected["f4-little-C"]);
    }
    let error = npy::read(files().join("objects.npy")).unwrap_err().to_string();
    assert!(
        error.ends_with("holds Python objects, which are pickled and not read: expected an array of numbers"),
        "{error}"
    );
    let set = TensorDataset::from_npz(files().join("stored.npz"), "f4-little-C", "u4-big-F")?;
    assert_same(
        "set",
        &sconce_data::Dataset::get(&set, 1)?.0,
        &expected["f4-little-C"].get(1)?,
    );
    Ok(())
}

#[cfg(feature = "image")]
#[test]
fn images_are_what_pillow_reads() -> Result<()> {
    use sconce_data::{Color, Dataset, ImageConfig, ImageFolder};
    let found: serde_json::Value = serde_json::from_slice(&std::fs::read(files().join("found.json"))?)?;
    let pixels = io::load_tensors(files().join("pixels.safetensors"))?;
    for (color, name) in [(Color::Rgb, "rgb"), (Color::Gray, "gray")] {
        let cfg = ImageConfig {
            color,
            dtype: DType::U8,
        };
        let set = ImageFolder::open(files().join("images"), &cfg)?;
        assert_eq!(serde_json::json!(set.classes()), found["classes"]);
        let samples = set.samples().iter().map(|(path, class)| {
            let path = path.strip_prefix(files().join("images")).unwrap();
            serde_json::json!([path.to_str(), class])
        });
        assert_eq!(serde_json::Value::from_iter(samples), found["samples"]);
        for index in 0..set.len() {
            let (image, _) = set.get(index)?;
            let (path, expected) = (&set.samples()[index].0, &pixels[&format!("{index}/{name}")]);
            if path
                .extension()
                .is_some_and(|ending| ending == "png" || ending == "PNG")
            {
                assert_same(name, &image, expected);
                continue;
            }
            // JPEG leaves a decoder's rounding open: the transform's, and that of the colours.
            let apart = |x: &Tensor| x.to_dtype(DType::F64)?.flatten_all();
            let apart = (apart(&image)? - apart(expected)?)?.abs()?;
            let (most, mean) = (
                apart.max(0)?.to_scalar::<f64>()?,
                apart.mean(0)?.to_scalar::<f64>()?,
            );
            println!("{} {most} {mean}", path.display());
            assert!(most <= 2. && mean < 0.5, "{}: {most} {mean}", path.display());
        }
    }
    Ok(())
}

#[test]
fn transforms_are_torchvisions() -> Result<()> {
    let cases = Cases::open(golden(), "transforms")?;
    for case in cases.iter() {
        let name = format!("case {} {}", case.index(), case.config());
        let is_bytes = case.tensor("in.x")?.dtype() == DType::U8;
        for (dtype, bound) in [(DType::F64, Bound::F64), (DType::F32, Bound::F32)] {
            let input = |name: &str| {
                let x = case
                    .tensor(&format!("in.{name}"))
                    .map_err(|error| error.to_string())?;
                let dtype = if x.dtype().is_float() { dtype } else { x.dtype() };
                x.to_dtype(dtype).map_err(|error| error.to_string())
            };
            for (k, y) in transforms::results(case.config(), input)?.iter().enumerate() {
                let expected = case.tensor(&format!("out.{k}"))?;
                match is_bytes {
                    true => assert_same(&name, y, &expected),
                    false => compare(&name, y, &expected.to_dtype(dtype)?, bound)?,
                }
            }
        }
    }
    assert!(cases.len() >= 73, "{} cases", cases.len());
    Ok(())
}
