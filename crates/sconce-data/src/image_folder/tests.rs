use super::*;
use crate::Color;
use crate::image_file::{decode, tensor};
use candle_core::DType;
use image::{DynamicImage, ImageFormat, RgbImage};
use proptest::prelude::*;
use std::io::Cursor;

const RGB: ImageConfig = ImageConfig {
    color: Color::Rgb,
    dtype: DType::U8,
};

/// 3×2 pixels (width × height), all channels different.
fn picture() -> DynamicImage {
    RgbImage::from_fn(3, 2, |x, y| {
        image::Rgb([x as u8 * 100, y as u8 * 200 + 3, 255 - x as u8])
    })
    .into()
}

fn encode(image: &DynamicImage, format: ImageFormat) -> Vec<u8> {
    let mut bytes = Cursor::new(Vec::new());
    image.write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    for (name, bytes) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, bytes).unwrap();
    }
    folder
}

#[test]
fn classes_and_images_are_in_torchvisions_order() {
    let png = encode(&picture(), ImageFormat::Png);
    let root = folder(&[
        ("b/2.png", &png),
        ("b/10.PNG", &png),
        ("b/notes.txt", b"no image"),
        ("b/x/1.png", &png),
        ("b/x-y/1.png", &png),
        ("b/x/z/0.png", &png),
        ("B/1.png", &png),
        ("a/1.png", &png),
        ("a.png", &png),
    ]);
    #[cfg(unix)]
    std::os::unix::fs::symlink(root.path(), root.path().join("a/loop")).unwrap();
    let set = ImageFolder::open(root.path(), &RGB).unwrap();
    assert_eq!(set.classes(), ["B", "a", "b"]);
    let names: Vec<_> = set
        .samples()
        .iter()
        .map(|(path, class)| (path.strip_prefix(root.path()).unwrap().to_str().unwrap(), *class))
        .filter(|(path, _)| !path.contains("loop"))
        .collect();
    // sorted(os.walk(…)): "b/x-y" is before "b/x/z", for "-" is before "/".
    let expected = [
        ("B/1.png", 0),
        ("a/1.png", 1),
        ("b/10.PNG", 2),
        ("b/2.png", 2),
        ("b/x/1.png", 2),
        ("b/x-y/1.png", 2),
        ("b/x/z/0.png", 2),
    ];
    assert_eq!(names, expected);
    let (image, class) = set.get(set.len() - 1).unwrap();
    assert_eq!(
        (image.dims(), class.to_scalar::<u32>().unwrap()),
        (&[3, 2, 3][..], 2)
    );
    let error = Error::from(set.get(set.len()).unwrap_err()).to_string();
    assert_eq!(error, format!("sample {0} of a set of {0}", set.len()));
}

#[test]
fn pixels_are_channels_first() {
    let root = folder(&[("a/1.png", &encode(&picture(), ImageFormat::Png))]);
    let path = root.path().join("a/1.png");
    let image = read_image(&path, &RGB).unwrap().to_vec3::<u8>().unwrap();
    let expected = [
        [[0, 100, 200], [0, 100, 200]],
        [[3, 3, 3], [203, 203, 203]],
        [[255, 254, 253], [255, 254, 253]],
    ];
    assert_eq!(image, expected);
    let unit = read_image(&path, &ImageConfig::default()).unwrap();
    assert_eq!((unit.dtype(), unit.dims()), (DType::F32, &[3, 2, 3][..]));
    assert_eq!(unit.to_vec3::<f32>().unwrap()[1][1][0], 203. / 255.);
    let gray = ImageConfig {
        color: Color::Gray,
        ..RGB
    };
    // PIL: Image.fromarray(…).convert("L")
    let gray = read_image(&path, &gray).unwrap().to_vec3::<u8>().unwrap();
    assert_eq!(gray, [[[31, 61, 90], [148, 178, 208]]]);
}

#[test]
fn what_is_wrong_is_said() {
    let png = encode(&picture(), ImageFormat::Png);
    let jpeg = encode(&picture(), ImageFormat::Jpeg);
    let root = folder(&[
        ("no classes/1.png", &png),
        ("empty/a/1.png", &png),
        ("empty/b/notes.txt", b"no image"),
        ("bad/a/1.png", b"GIF89a"),
        ("bad/a/2.png", &png[..png.len() / 2]),
        ("bad/a/3.jpg", &jpeg[..jpeg.len() - 2]),
        ("bad/a/4.jpg", &jpeg[..jpeg.len() / 2]),
        ("bad/a/5.png", b""),
    ]);
    for (name, message) in [
        (
            "no classes",
            "no classes: has no folders in it: expected one for each class",
        ),
        ("empty", "b: holds no image: expected files in .jpeg, .jpg, .png"),
        ("nowhere", "nowhere: "),
    ] {
        let error = ImageFolder::open(root.path().join(name), &RGB).unwrap_err();
        assert!(error.to_string().contains(message), "{error}");
    }
    let set = ImageFolder::open(root.path().join("bad"), &RGB).unwrap();
    for (index, message) in [
        "1.png: neither a PNG nor a JPEG image",
        "2.png: not an image that can be read",
        "3.jpg: cut short: the JPEG image has no end",
        "4.jpg: cut short: the JPEG image has no end",
        "5.png: neither a PNG nor a JPEG image",
    ]
    .into_iter()
    .enumerate()
    {
        let error = Error::from(set.get(index).unwrap_err()).to_string();
        assert!(error.contains(message), "{error}");
    }
    let cfg = ImageConfig {
        dtype: DType::F64,
        ..RGB
    };
    let error = ImageFolder::open(root.path(), &cfg).unwrap_err().to_string();
    assert_eq!(error, "dtype is F64, expected F32 or U8");
}

/// A PNG's header, which claims these sides, and nothing else.
fn claim(width: u32, height: u32) -> Vec<u8> {
    let mut png = encode(&picture(), ImageFormat::Png);
    png[16..20].copy_from_slice(&width.to_be_bytes());
    png[20..24].copy_from_slice(&height.to_be_bytes());
    let mut crc = flate2::Crc::new();
    crc.update(&png[12..29]);
    png[29..33].copy_from_slice(&crc.sum().to_be_bytes());
    png
}

#[test]
fn an_image_is_no_larger_than_its_file_can_make_it() {
    let error = decode(&claim(9000, 9000)).unwrap_err();
    assert!(error.starts_with("says it is 9000×9000, which "), "{error}");
    for (width, height) in [(1 << 20, 1 << 20), (u32::MAX >> 1, 1), (0, 1)] {
        assert!(decode(&claim(width, height)).is_err());
    }
    // A JPEG's sides stand after the marker of its frame.
    let mut jpeg = encode(&picture(), ImageFormat::Jpeg);
    let frame = jpeg.windows(2).position(|pair| pair == [0xff, 0xc0]).unwrap();
    jpeg[frame + 5..frame + 9].fill(0xff);
    let error = decode(&jpeg).unwrap_err();
    assert!(error.starts_with("says it is 65535×65535, which "), "{error}");
}

proptest! {
    #[test]
    fn damaged_images_never_panic(
        is_png in any::<bool>(),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6),
        cut in 0usize..40,
    ) {
        let mut bytes = encode(&picture(), if is_png { ImageFormat::Png } else { ImageFormat::Jpeg });
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(bytes.len() - cut);
        if let Ok(image) = decode(&bytes) {
            prop_assert!(tensor(image, &RGB).is_ok());
        }
    }
}
