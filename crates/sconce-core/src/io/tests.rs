use super::*;
use crate::{Init, ParamStore, buffer, param};

fn store(value: f64) -> ParamStore {
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    let vb = store.builder();
    param(&vb.pp("fc"), (2, 3), "weight", &Init::Const(value)).unwrap();
    param(&vb.pp("fc"), 2, "bias", &Init::Const(value)).unwrap();
    buffer(&vb, (), "steps", &Init::Const(value), DType::I64).unwrap();
    store
}

fn values(store: &ParamStore) -> Vec<f64> {
    let flat = |name: &str| {
        let tensor = store.get(name).unwrap().to_dtype(DType::F64).unwrap();
        tensor.flatten_all().unwrap().to_vec1::<f64>().unwrap()
    };
    [flat("fc.weight"), flat("fc.bias"), flat("steps")].concat()
}

#[test]
fn round_trip_with_buffers_and_equal_files() {
    let folder = tempfile::tempdir().unwrap();
    let [a, b] = ["a", "b"].map(|name| folder.path().join(name));
    save(&a, &store(3.)).unwrap();
    save(&b, &store(3.)).unwrap();
    assert_eq!(std::fs::read(&a).unwrap(), std::fs::read(&b).unwrap());
    let other = store(0.);
    assert!(load(&a, &other, Strictness::Strict).unwrap().is_complete());
    assert_eq!(values(&other), vec![3.; 9]);
    assert_eq!(
        std::fs::read_dir(&folder).unwrap().count(),
        2,
        "a temporary file stayed behind"
    );
}

#[test]
fn eight_bit_files_load_into_every_store() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let narrow = Tensor::new(&[1.5f32, -448., 0.], &Device::Cpu).unwrap();
    let narrow = narrow.to_dtype(DType::F8E4M3).unwrap();
    save_tensors(&path, [("w", &narrow)], None).unwrap();
    for dtype in [DType::BF16, DType::F32, DType::F64] {
        let store = ParamStore::new(dtype, &Device::Cpu);
        let w = param(&store.builder(), 3, "w", &Init::Const(0.)).unwrap();
        load(&path, &store, Strictness::Strict).unwrap();
        let values = w.value().to_dtype(DType::F32).unwrap().to_vec1::<f32>().unwrap();
        assert_eq!(values, [1.5, -448., 0.], "{dtype:?}");
    }
}

/// A file of one `w` of ones, and of tensors whose dtypes candle lacks.
fn with_foreign_dtypes(path: &Path) {
    use safetensors::{Dtype, tensor::TensorView};
    let ones = [1f32; 3].map(f32::to_le_bytes).concat();
    let views = [
        ("mask", Dtype::BOOL, vec![2], &[1u8, 0][..]),
        // candle has the name, and nothing that computes with it.
        ("tiny", Dtype::F4, vec![2], &[0]),
        ("w", Dtype::F32, vec![3], &ones),
        ("words", Dtype::U64, vec![1], &[0; 8]),
    ]
    .map(|(name, dtype, shape, bytes)| (name, TensorView::new(dtype, shape, bytes).unwrap()));
    std::fs::write(path, safetensors::serialize(views, None).unwrap()).unwrap();
}

#[test]
fn a_dtype_that_candle_lacks_stops_only_those_who_want_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    with_foreign_dtypes(&path);
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    let w = param(&store.builder(), 3, "w", &Init::Const(0.)).unwrap();
    let told = "3 unexpected: mask (of BOOL, which candle lacks), tiny (of F4, which candle lacks), words (of U64, which \
                candle lacks)";
    let error = load(&path, &store, Strictness::Strict).unwrap_err().to_string();
    assert!(error.ends_with(&format!("1 loaded; {told}")), "{error}");
    assert_eq!(w.value().to_vec1::<f32>().unwrap(), [0.; 3]);
    let report = load(&path, &store, Strictness::Lenient).unwrap();
    assert_eq!(
        (report.loaded.as_slice(), report.unexpected.as_slice()),
        (
            &["w".into()][..],
            &["mask".into(), "tiny".into(), "words".into()][..]
        )
    );
    assert_eq!(report.to_string(), format!("1 loaded; {told}"));
    assert_eq!(w.value().to_vec1::<f32>().unwrap(), [1.; 3]);

    for (name, dims, dtype) in [("words", 1, "U64"), ("tiny", 2, "F4")] {
        let wanting = ParamStore::new(DType::F32, &Device::Cpu);
        let w = param(&wanting.builder(), 3, "w", &Init::Const(0.)).unwrap();
        param(&wanting.builder(), dims, name, &Init::Const(0.)).unwrap();
        for strictness in [Strictness::Strict, Strictness::Lenient] {
            let error = load(&path, &wanting, strictness).unwrap_err().to_string();
            let told = format!("model: {name} has dtype {dtype}, which candle lacks");
            assert!(error.ends_with(&told), "{error}");
        }
        assert_eq!(w.value().to_vec1::<f32>().unwrap(), [0.; 3]);
    }
    let error = load_tensors(&path).unwrap_err().to_string();
    assert!(error.ends_with(" which candle lacks"), "{error}");
}

#[test]
fn a_renaming_leads_to_one_place_each() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let saved = ParamStore::new(DType::F32, &Device::Cpu);
    for (name, value) in [("x.a", 1.), ("x.b", 2.), ("y.b", 3.), ("z", 4.)] {
        param(&saved.builder(), 2, name, &Init::Const(value)).unwrap();
    }
    save(&path, &saved).unwrap();
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    for name in ["a", "c"] {
        param(&store.builder(), 2, name, &Init::Const(0.)).unwrap();
    }
    let last = |name: &str| name.rsplit('.').next().unwrap().to_string();
    let report = load_renamed(&path, &store, last, Strictness::Lenient).unwrap();
    assert_eq!(
        report.to_string(),
        "1 loaded; 1 missing: c; 3 unexpected: x.b, y.b, z"
    );
    assert_eq!(store.get("a").unwrap().to_vec1::<f32>().unwrap(), [1.; 2]);

    param(&store.builder(), 2, "b", &Init::Const(0.)).unwrap();
    store
        .set("a", &Tensor::zeros(2, DType::F32, &Device::Cpu).unwrap())
        .unwrap();
    let error = load_renamed(&path, &store, last, Strictness::Lenient).unwrap_err();
    assert!(
        error
            .to_string()
            .ends_with("model: both x.b and y.b would be loaded into b"),
        "{error}"
    );
    assert_eq!(store.get("a").unwrap().to_vec1::<f32>().unwrap(), [0.; 2]);
}

#[test]
fn lenient_loads_what_fits_and_strict_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    let saved = ParamStore::new(DType::F64, &Device::Cpu);
    let vb = saved.builder();
    param(&vb.pp("fc"), (2, 3), "weight", &Init::Const(5.)).unwrap();
    param(&vb.pp("fc"), 4, "bias", &Init::Const(5.)).unwrap();
    param(&vb, 1, "extra", &Init::Const(5.)).unwrap();
    save(&path, &saved).unwrap();

    let strict = store(1.);
    let error = load(&path, &strict, Strictness::Strict).unwrap_err();
    for part in [
        "missing: steps",
        "unexpected: extra",
        "fc.bias (expected [2], file has [4])",
    ] {
        assert!(error.to_string().contains(part), "{error}");
    }
    assert_eq!(values(&strict), vec![1.; 9]);

    let lenient = store(1.);
    let report = load(&path, &lenient, Strictness::Lenient).unwrap();
    assert_eq!(report.loaded, ["fc.weight"]);
    assert_eq!(values(&lenient), [[5.; 6].as_slice(), &[1.; 3]].concat());
}

#[test]
fn damaged_files_are_errors_and_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("model");
    save(&path, &store(3.)).unwrap();
    let whole = std::fs::read(&path).unwrap();
    let target = store(1.);
    let mut damaged: Vec<Vec<u8>> = (0..whole.len()).step_by(7).map(|n| whole[..n].to_vec()).collect();
    damaged.push([&u64::MAX.to_le_bytes()[..], &whole[8..]].concat());
    damaged.push([&whole[..], &[0; 9]].concat());
    for (from, to) in [
        ("[2,3]", "[9,9]"),
        ("[2,3]", "[2,9999999999]"),
        ("F32", "F64"),
        ("F32", "XYZ"),
    ] {
        let text = String::from_utf8_lossy(&whole).replacen(from, to, 1);
        damaged.push(text.into_bytes());
    }
    for bytes in damaged {
        std::fs::write(&path, &bytes).unwrap();
        let error = load(&path, &target, Strictness::Lenient).unwrap_err();
        assert!(error.to_string().contains("model"), "{error}");
        assert_eq!(values(&target), vec![1.; 9]);
    }
}

#[test]
fn a_failed_write_leaves_the_old_file() {
    let folder = tempfile::tempdir().unwrap();
    let missing = folder.path().join("nowhere").join("model");
    assert!(matches!(save(&missing, &store(1.)), Err(Error::File { .. })));
    let taken = folder.path().join("taken");
    std::fs::create_dir(&taken).unwrap();
    assert!(save(&taken, &store(1.)).is_err());
    assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1);
}

#[test]
#[cfg(unix)]
fn permissions_and_links_stay() {
    use std::os::unix::fs::{PermissionsExt, symlink};
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let mode = |name: &str| std::fs::metadata(at(name)).unwrap().permissions().mode() & 0o777;
    std::fs::write(at("private"), "old").unwrap();
    std::fs::set_permissions(at("private"), std::fs::Permissions::from_mode(0o600)).unwrap();
    write_atomically(at("private"), b"new").unwrap();
    assert_eq!(mode("private"), 0o600);
    std::fs::write(at("plain"), "as any file").unwrap();
    write_atomically(at("new"), b"new").unwrap();
    assert_eq!(mode("new"), mode("plain"));
    symlink(at("private"), at("link")).unwrap();
    write_atomically(at("link"), b"newer").unwrap();
    assert!(std::fs::symlink_metadata(at("link")).unwrap().is_symlink());
    assert_eq!(std::fs::read(at("private")).unwrap(), b"newer");
    let error = write_atomically(at("none/x"), b"").unwrap_err().to_string();
    assert!(
        error.contains("none/x: ") && !error.contains(".sconce-"),
        "{error}"
    );
}
