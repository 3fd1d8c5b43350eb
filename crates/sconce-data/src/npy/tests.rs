use super::*;
use candle_core::Device;
use proptest::prelude::*;
use std::io::{Cursor, Write};
use zip::{CompressionMethod, ZipWriter, write::SimpleFileOptions};

/// An array's file: a version, a header's text and the elements.
fn file(version: u8, header: &str, data: &[u8]) -> Vec<u8> {
    let mut bytes = [b"\x93NUMPY".as_slice(), &[version, 0]].concat();
    match version {
        1 => bytes.extend((header.len() as u16).to_le_bytes()),
        _ => bytes.extend((header.len() as u32).to_le_bytes()),
    }
    [&bytes, header.as_bytes(), data].concat()
}

fn header(descr: &str, order: &str, shape: &str) -> String {
    format!("{{'descr': '{descr}', 'fortran_order': {order}, 'shape': {shape}, }}\n")
}

fn from_bytes(bytes: &[u8]) -> Result<Tensor> {
    array(bytes, bytes.len() as u64, "f.npy")
}

fn archive_of(members: &[(&str, &[u8])], method: CompressionMethod) -> Vec<u8> {
    let mut zip = ZipWriter::new(Cursor::new(Vec::new()));
    for (name, bytes) in members {
        zip.start_file(*name, SimpleFileOptions::default().compression_method(method))
            .unwrap();
        zip.write_all(bytes).unwrap();
    }
    zip.finish().unwrap().into_inner()
}

fn from_archive(bytes: &[u8]) -> Result<BTreeMap<String, Tensor>> {
    archive(Cursor::new(bytes), bytes.len() as u64, "f.npz")
}

#[test]
fn headers_of_all_versions_and_spellings() {
    let data = [1u8, 2, 3, 4, 5, 6];
    for (version, text, dims) in [
        (1, header("|u1", "False", "(2, 3)"), &[2, 3][..]),
        (2, header("|u1", "False", "(6,)"), &[6]),
        (3, header("u1", "False", "(1, 6, )"), &[1, 6]),
        (1, header("|u1", "False", "(6L,)"), &[6]),
        (
            1,
            "{\"shape\":(3,2),\"descr\":\"<u1\",\"fortran_order\":False}   ".into(),
            &[3, 2],
        ),
    ] {
        let tensor = from_bytes(&file(version, &text, &data)).unwrap();
        assert_eq!((tensor.dims(), tensor.dtype()), (dims, DType::U8), "{text}");
        assert_eq!(tensor.flatten_all().unwrap().to_vec1::<u8>().unwrap(), data);
    }
    let scalar = from_bytes(&file(1, &header("<i2", "True", "()"), &[0xfe, 0xff])).unwrap();
    assert_eq!(scalar.to_scalar::<i16>().unwrap(), -2);
    let columns = from_bytes(&file(1, &header("|u1", "True", "(2, 3)"), &data)).unwrap();
    assert_eq!(columns.to_vec2::<u8>().unwrap(), [[1, 3, 5], [2, 4, 6]]);
    let none = from_bytes(&file(1, &header("<f8", "True", "(2, 0, 3)"), &[])).unwrap();
    assert_eq!(none.dims(), [2, 0, 3]);
}

#[test]
fn what_is_wrong_is_said() {
    let good = file(1, &header("<f4", "False", "(2,)"), &[0; 8]);
    let with = |descr: &str, shape: &str| file(1, &header(descr, "False", shape), &[0; 8]);
    let cases = [
        (vec![], "not an .npy file: expected it to begin with [147, 78,"),
        (b"\x89PNG".to_vec(), "not an .npy file: expected it to begin with"),
        (good[..7].to_vec(), "cut short: expected a version, found 7 bytes"),
        (file(4, "", &[]), "is of version 4.0, expected 1.0, 2.0 or 3.0"),
        (
            good[..9].to_vec(),
            "cut short: expected 2 bytes of header, found 1",
        ),
        (
            good[..40].to_vec(),
            "says its header is of 58 bytes, expected at most 40",
        ),
        (
            [&good[..8], &[255, 255]].concat(),
            "says its header is of 65535 bytes, expected at most 10",
        ),
        (
            [&file(2, "", &[])[..8], &[255; 4], &[0; 20]].concat(),
            "says its header is of 4294967295 bytes, expected at most 32",
        ),
        (
            good[..good.len() - 1].to_vec(),
            "cut short: the header says 8 bytes of data for shape [2], found 7",
        ),
        (
            [&good[..], &[0]].concat(),
            "too long: there is more than the 8 bytes of data for shape [2]",
        ),
        (
            with("<f4", "(9999999999, 9999999999)"),
            "the header says shape [9999999999, 9999999999], which is more",
        ),
        (
            with("<f4", "(0, 9999999999, 9999999999)"),
            "the header says shape [0, 9999999999, 9999999999], which",
        ),
        (
            with("<f4", "(9999999999,)"),
            "cut short: the header says 39999999996 bytes of data",
        ),
        (
            with("|O", "(1,)"),
            "holds Python objects, which are pickled and not read",
        ),
        (
            with("<U4", "(1,)"),
            "has elements of dtype \"<U4\", expected f2, f4,",
        ),
        (
            with("<c8", "(1,)"),
            "has elements of dtype \"<c8\", expected f2, f4,",
        ),
        (
            with("é8", "(1,)"),
            "has elements of dtype \"é8\", expected f2, f4,",
        ),
        (
            file(1, "{'descr': [('a', '<f4')], ", &[]),
            "has a header that can't be read: 'descr' is a list",
        ),
        (
            file(1, "{'descr': '<f4'}", &[]),
            "has a header that can't be read: 'fortran_order' is missing",
        ),
        (
            file(1, "{'descr': '<f4", &[]),
            "has a header that can't be read: a string has no end",
        ),
        (
            file(1, "{'order': 1}", &[]),
            "has a header that can't be read: \"order\" is none of",
        ),
        (
            file(1, "{'shape': (-1,)}", &[]),
            "has a header that can't be read: an axis is \"\", expected",
        ),
        (
            file(1, "{'shape': (99999999999999999999,)}", &[]),
            "has a header that can't be read: an axis is \"99999999999999999999\"",
        ),
        (
            file(1, "import os", &[]),
            "has a header that can't be read: expected \"{\", in \"import os\"",
        ),
        (
            file(1, &format!("{{'shape': ({})}}", "1,".repeat(65)), &[]),
            "has a header that can't be read: there are more than 64",
        ),
        (
            file(1, "{'fortran_order': 1}", &[]),
            "has a header that can't be read: expected True or False",
        ),
        (
            file(1, &header("<u8", "False", "(1,)"), &[255; 8]),
            "holds 18446744073709551615, expected at most 9223372036854775807, as i64 does",
        ),
    ];
    for (bytes, message) in cases {
        let error = from_bytes(&bytes).unwrap_err().to_string();
        assert!(error.starts_with(&format!("f.npy: {message}")), "{error}");
    }
    let folder = tempfile::tempdir().unwrap();
    for error in [
        read(folder.path()).err(),
        read_npz(folder.path()).err(),
        read("/no/such.npy").err(),
    ] {
        let error = error.unwrap().to_string();
        assert!(
            error.contains("expected an .np") || error.starts_with("/no/such.npy: "),
            "{error}"
        );
    }
}

#[test]
fn archives_stored_and_deflated() {
    let (a, b) = (
        file(1, &header("<f4", "False", "(2,)"), &[0, 0, 128, 63, 0, 0, 0, 64]),
        file(1, &header("|b1", "False", "(3,)"), &[0, 1, 7]),
    );
    for method in [CompressionMethod::Stored, CompressionMethod::Deflated] {
        let bytes = archive_of(&[("b.npy", &b), ("x/a.npy", &a)], method);
        let arrays = from_archive(&bytes).unwrap();
        assert_eq!(arrays.keys().collect::<Vec<_>>(), ["b", "x/a"]);
        assert_eq!(arrays["x/a"].to_vec1::<f32>().unwrap(), [1., 2.]);
        assert_eq!(arrays["b"].to_vec1::<u8>().unwrap(), [0, 1, 1]);

        // In the first member: in the stored one an element, which the checksum alone tells.
        let start = bytes.windows(5).position(|name| name == b"b.npy").unwrap() + 5;
        let mut damaged = bytes.clone();
        damaged[start + b.len() - 1 - 20 * usize::from(method == CompressionMethod::Deflated)] ^= 2;
        assert!(from_archive(&damaged).is_err(), "{method}");
    }
    let objects = file(1, &header("|O", "False", "(1,)"), b"\x80\x03]q\x00.");
    for (bytes, message) in [
        (b"PK nothing".to_vec(), "not an .npz file, or a damaged one ("),
        (
            archive_of(&[("a.txt", b"text")], CompressionMethod::Stored),
            "a.txt isn't an array: expected a name in .npy",
        ),
        (
            archive_of(&[("a.npy", b"text")], CompressionMethod::Stored),
            "a.npy: not an .npy file",
        ),
        (
            archive_of(&[("a.npy", &objects)], CompressionMethod::Deflated),
            "a.npy: holds Python objects",
        ),
    ] {
        let error = from_archive(&bytes).unwrap_err().to_string();
        assert!(error.starts_with(&format!("f.npz: {message}")), "{error}");
    }
}

/// An archive all of whose members are one and the same stretch of the file.
#[test]
fn members_that_share_their_bytes_are_an_error() {
    let a = file(1, &header("<f4", "False", "(200,)"), &[0; 800]);
    let bytes = archive_of(&[("a.npy", &a), ("b.npy", b"")], CompressionMethod::Stored);
    let start = bytes.windows(4).position(|w| w == b"PK\x01\x02").unwrap();
    let second = start
        + 4
        + bytes[start + 4..]
            .windows(4)
            .position(|w| w == b"PK\x01\x02")
            .unwrap();
    let mut shared = bytes.clone();
    // The second entry has the first one's checksum, sizes and place, but its own name.
    let entry = bytes[start..second].to_vec();
    shared[second..second + 46].copy_from_slice(&entry[..46]);
    let error = from_archive(&shared).unwrap_err().to_string();
    assert!(error.contains("its members claim 1"), "{error}");
}

#[test]
fn what_was_written_is_read_and_aligned() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("x.npy");
    let x = Tensor::arange(0f32, 24., &Device::Cpu).unwrap();
    for dims in [&[24][..], &[2, 12], &[2, 3, 4], &[1, 1, 24, 1]] {
        for dtype in [
            DType::U8,
            DType::U32,
            DType::I16,
            DType::I32,
            DType::I64,
            DType::F16,
            DType::F32,
            DType::F64,
        ] {
            let x = x.reshape(dims).unwrap().to_dtype(dtype).unwrap();
            write(&path, &x.t().unwrap_or(x.clone())).unwrap();
            let back = read(&path).unwrap();
            assert_eq!(
                (back.dtype(), back.dims()),
                (dtype, x.t().unwrap_or(x.clone()).dims())
            );
            let values = |x: &Tensor| {
                x.to_dtype(DType::F64)
                    .unwrap()
                    .flatten_all()
                    .unwrap()
                    .to_vec1::<f64>()
                    .unwrap()
            };
            assert_eq!(values(&back), values(&x.t().unwrap_or(x)));
            let bytes = std::fs::read(&path).unwrap();
            assert_eq!((bytes.len() - 24 * dtype.size_in_bytes()) % 64, 0);
        }
    }
    let scalar = Tensor::new(2f64, &Device::Cpu).unwrap();
    write(&path, &scalar).unwrap();
    assert_eq!(read(&path).unwrap().to_scalar::<f64>().unwrap(), 2.);
    let error = write(&path, &scalar.to_dtype(DType::BF16).unwrap())
        .unwrap_err()
        .to_string();
    assert_eq!(error, "tensor is of BF16, expected of a type that NumPy has");
}

proptest! {
    #[test]
    fn damaged_files_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
        cut in 0usize..30,
        version in 1u8..4,
        order in prop_oneof![Just("True"), Just("False")],
    ) {
        let mut bytes = file(version, &header("<u2", order, "(2, 3)"), &[9; 12]);
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(bytes.len() - cut);
        if let Ok(tensor) = from_bytes(&bytes) {
            prop_assert!(tensor.elem_count() <= 12);
        }
    }

    #[test]
    fn damaged_archives_never_panic(
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..5),
        cut in 0usize..30,
        is_deflated in any::<bool>(),
    ) {
        let member = file(1, &header("<u2", "False", "(2, 3)"), &[9; 12]);
        let method = if is_deflated { CompressionMethod::Deflated } else { CompressionMethod::Stored };
        let mut bytes = archive_of(&[("a.npy", &member), ("b.npy", &member)], method);
        for (index, value) in changes {
            let at = index.index(bytes.len());
            bytes[at] = value;
        }
        bytes.truncate(bytes.len() - cut);
        if let Ok(arrays) = from_archive(&bytes) {
            prop_assert!(arrays.len() <= 2);
        }
    }

    #[test]
    fn any_header_never_panics(text in "[{}()':, a-zA-Z0-9]{0,80}", data in proptest::collection::vec(any::<u8>(), 0..40)) {
        let _ = from_bytes(&file(1, &text, &data));
    }
}
