use super::*;
use crate::Dataset;
use flate2::{Compression, write::GzEncoder};
use std::path::PathBuf;

/// An image of this label and number: its red is 10·label, its green the number, its blue counts up.
fn record(label: u8, number: u8) -> Vec<u8> {
    let mut bytes = vec![label];
    bytes.extend(std::iter::repeat_n(10 * label, SIDE * SIDE));
    bytes.extend(std::iter::repeat_n(number, SIDE * SIDE));
    bytes.extend((0..SIDE * SIDE).map(|i| i as u8));
    bytes
}

/// By name: two images in each file, of labels k and 9 − k in the k-th.
fn files() -> Vec<(String, Vec<u8>)> {
    let names = TRAIN.into_iter().chain([TEST]).zip(0u8..);
    names
        .map(|(name, k)| {
            (
                name.to_string(),
                [record(k, 2 * k), record(9 - k, 2 * k + 1)].concat(),
            )
        })
        .collect()
}

fn archive(files: &[(String, Vec<u8>)]) -> Vec<u8> {
    let mut tar = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::fast()));
    for (name, bytes) in files {
        let mut header = tar::Header::new_ustar();
        header.set_size(bytes.len() as u64);
        header.set_mode(0o644);
        let path = format!("{UNPACKED}/{name}");
        tar.append_data(&mut header, path, bytes.as_slice()).unwrap();
    }
    tar.into_inner().unwrap().finish().unwrap()
}

/// Writes the files into a folder below the root.
fn write(root: &Path, below: &str, files: &[(String, Vec<u8>)]) -> PathBuf {
    let folder = root.join(below);
    std::fs::create_dir_all(&folder).unwrap();
    for (name, bytes) in files {
        std::fs::write(folder.join(name), bytes).unwrap();
    }
    folder
}

fn labels(set: &TensorDataset) -> Vec<u32> {
    set.targets().to_vec1().unwrap()
}

#[test]
fn unpacked_or_not_it_is_the_same() {
    let readme = ("readme.html".to_string(), b"<html>".to_vec());
    let in_another_order: Vec<_> = files().into_iter().chain([readme]).rev().collect();
    let root = tempfile::tempdir().unwrap();
    let plain = write(root.path(), "plain", &files());
    let below = write(root.path(), "below", &[]);
    write(&below, UNPACKED, &files());
    let packed = write(
        root.path(),
        "packed",
        &[(ARCHIVE.into(), archive(&in_another_order))],
    );
    for folder in [plain, below, packed] {
        let cifar = Cifar10::load(&folder).unwrap();
        assert_eq!(
            labels(&cifar.train),
            [0, 9, 1, 8, 2, 7, 3, 6, 4, 5],
            "{}",
            folder.display()
        );
        assert_eq!(labels(&cifar.test), [5, 4]);
        let (image, _) = cifar.train.get(3).unwrap();
        assert_eq!(
            (image.dims(), image.dtype()),
            (&[3, 32, 32][..], candle_core::DType::U8)
        );
        let image = image.to_vec3::<u8>().unwrap();
        assert_eq!((image[0][31][31], image[1][0][0], image[2][1][2]), (80, 3, 34));
    }
    assert_eq!(Cifar10::CLASSES[9], "truck");
}

#[test]
fn what_is_wrong_is_said() {
    let (first, rest) = (files()[0].1.clone(), files()[1..].to_vec());
    let with_first = |bytes: Vec<u8>| [vec![(TRAIN[0].to_string(), bytes)], rest.clone()].concat();
    let packed = |files: &[(String, Vec<u8>)]| vec![(ARCHIVE.to_string(), archive(files))];
    let mut late = archive(&files());
    // The checksum of the content.
    let checksum = late.len() - 5;
    late[checksum] ^= 1;
    for (files, message) in [
        (
            vec![],
            "/cifar-10-binary.tar.gz is missing: run `cargo xtask data cifar-10`",
        ),
        (
            rest.clone(),
            "/data_batch_1.bin is missing: run `cargo xtask data cifar-10`",
        ),
        (
            with_first(first[..first.len() - 1].to_vec()),
            "/data_batch_1.bin: holds 6145 bytes, expected a multiple of 3073: a label and 3×32×32 pixels each; delete it",
        ),
        (with_first(vec![]), "/data_batch_1.bin: holds 0 bytes, expected"),
        (
            with_first([record(3, 0), record(10, 0)].concat()),
            "/data_batch_1.bin: label 1 is 10, expected 0 to 9",
        ),
        (
            packed(&with_first(record(10, 0))),
            "/cifar-10-binary.tar.gz: cifar-10-batches-bin/data_batch_1.bin: label 0 is 10",
        ),
        (
            packed(&rest),
            "/cifar-10-binary.tar.gz: holds 4 of the files data_batch_1.bin to data_batch_5.bin and 1 of test_batch.bin",
        ),
        (
            vec![(ARCHIVE.to_string(), b"<html>not found</html>".to_vec())],
            "/cifar-10-binary.tar.gz: not a .tar.gz archive, or a damaged one",
        ),
        (
            vec![(
                ARCHIVE.to_string(),
                archive(&super::tests::files())[..200].to_vec(),
            )],
            "/cifar-10-binary.tar.gz: not a .tar.gz archive, or a damaged one",
        ),
        (
            vec![(ARCHIVE.to_string(), late)],
            "/cifar-10-binary.tar.gz: not a .tar.gz archive, or a damaged one",
        ),
    ] {
        let root = tempfile::tempdir().unwrap();
        let error = Cifar10::load(write(root.path(), "x", &files))
            .unwrap_err()
            .to_string();
        assert!(error.contains(message) && !error.contains('\n'), "{error}");
    }
}

#[test]
fn the_real_images() {
    let Some(folder) = crate::folder::real(SET) else {
        return;
    };
    let cifar = Cifar10::load(folder).unwrap();
    assert_eq!((cifar.train.len(), cifar.test.len()), (50_000, 10_000));
    for (set, each) in [(&cifar.train, 5_000), (&cifar.test, 1_000)] {
        for class in 0..10 {
            let count = labels(set).iter().filter(|&&label| label == class).count();
            assert_eq!(count, each, "{class}");
        }
    }
}
