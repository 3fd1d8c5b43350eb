use crate::{figure, program};
use image::{GrayImage, Luma};
use std::path::Path;
use std::process::{Command, Output};

fn lenet(folder: &Path, arguments: &[&str]) -> Output {
    Command::new(program!("lenet"))
        .args(arguments)
        .current_dir(folder)
        .env_remove("SCONCE_DATA")
        .env("XDG_CACHE_HOME", folder.join("cache"))
        .env("RUST_BACKTRACE", "1")
        .output()
        .unwrap()
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

fn idx(path: &Path, dims: &[u32], data: &[u8]) {
    let mut bytes = vec![0, 0, 8, dims.len() as u8];
    bytes.extend(dims.iter().flat_map(|dim| dim.to_be_bytes()));
    bytes.extend(data);
    std::fs::write(path, bytes).unwrap();
}

/// MNIST's four files with forty and ten images: stripes, whose place is the digit.
fn small_mnist(folder: &Path) {
    for (part, n) in [("train", 40u32), ("t10k", 10)] {
        let pixel = |i: u32| if i % 28 / 2 == i / 784 % 10 { 255 } else { 0 };
        let images: Vec<u8> = (0..n * 784).map(pixel).collect();
        let labels: Vec<u8> = (0..n).map(|i| (i % 10) as u8).collect();
        idx(
            &folder.join(format!("{part}-images-idx3-ubyte")),
            &[n, 28, 28],
            &images,
        );
        idx(&folder.join(format!("{part}-labels-idx1-ubyte")), &[n], &labels);
    }
}

/// A 1: a dark bar on light paper.
fn picture_of_one(path: &Path) {
    let on = |x, y| (45..55).contains(&x) && (10..90).contains(&y);
    GrayImage::from_fn(100, 100, |x, y| Luma([if on(x, y) { 30 } else { 240 }]))
        .save(path)
        .unwrap();
}

#[test]
fn it_learns_saves_loads_and_draws() {
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    picture_of_one(&at("one.png"));
    let first = stdout(&lenet(
        scratch.path(),
        &[
            "--epochs",
            "6",
            "--save",
            "net.safetensors",
            "--out",
            "pictures",
            "--graph",
            "net.dot",
            "--predict",
            "one.png",
        ],
    ));
    assert!(figure(&first, "test accuracy") > 0.9, "{first}");
    assert!(first.contains("epoch 6/6: loss "), "{first}");
    let last: Vec<&str> = first.lines().rev().take(2).collect();
    assert!(
        last[0].starts_with("test accuracy: ") && last[1].starts_with("test loss: "),
        "{first}"
    );
    let sheet = image::open(at("pictures").join("predictions.png")).unwrap();
    assert!(sheet.width() > 500 && sheet.height() > 500);
    let graph = std::fs::read_to_string(at("net.dot")).unwrap();
    assert!(
        graph.starts_with("digraph") && graph.contains("conv2d") && graph.contains("fc3.weight"),
        "{graph}"
    );

    let again = stdout(&lenet(scratch.path(), &["--load", "net.safetensors"]));
    assert_eq!(figure(&again, "test accuracy"), figure(&first, "test accuracy"));
    assert!(!again.contains("epoch"), "{again}");

    let read = stdout(&lenet(
        scratch.path(),
        &["--load", "net.safetensors", "--predict", "one.png"],
    ));
    let probabilities: Vec<f64> = (0..10)
        .map(|i| figure(&read, &format!("probability of {i}")))
        .collect();
    assert!((probabilities.iter().sum::<f64>() - 1.).abs() < 1e-3, "{read}");
    assert_eq!(figure(&read, "prediction"), 1., "{read}");

    let explained = stdout(&lenet(
        scratch.path(),
        &["--load", "net.safetensors", "--explain", "one.png"],
    ));
    assert_eq!(explained.trim(), "wrote ./saliency.png");
    let heat = image::open(at("saliency.png")).unwrap().to_rgb8();
    // On the right, some pixel counts most and is white, and not all do.
    let right = heat
        .enumerate_pixels()
        .filter(|(x, ..)| *x > heat.width() / 2 + 4);
    let white = right.filter(|(.., p)| p.0 == [255; 3]).count();
    assert!((64..10_000).contains(&white), "{white}");
}

#[test]
fn the_seed_decides_every_bit() {
    let scratch = tempfile::tempdir().unwrap();
    let run = |name: &str, seed: &str, threads: &str| {
        let status = Command::new(program!("lenet"))
            .args(["--epochs", "1", "--seed", seed, "--save", name])
            .current_dir(scratch.path())
            .env("RAYON_NUM_THREADS", threads)
            .output()
            .unwrap()
            .status;
        assert!(status.success());
        std::fs::read(scratch.path().join(name)).unwrap()
    };
    let first = run("a", "1", "1");
    assert_eq!(run("b", "1", "1"), first);
    assert_eq!(run("c", "1", "2"), first);
    assert_eq!(run("d", "1", "3"), first);
    assert_ne!(run("e", "2", "1"), first);
}

#[test]
fn the_smoke_run_states_what_it_reaches() {
    let scratch = tempfile::tempdir().unwrap();
    let printed = stdout(&lenet(scratch.path(), &["--smoke"]));
    assert!(
        printed.contains("smoke run: the training loss must be below"),
        "{printed}"
    );
    let failed = lenet(scratch.path(), &["--smoke", "--lr", "0"]);
    assert_one_line(&failed, "the training loss is 2.", "--smoke --lr 0");
}

#[test]
fn mnist_is_found_in_its_folder_and_in_that_of_all_data() {
    let scratch = tempfile::tempdir().unwrap();
    let mnist = scratch.path().join("mnist");
    std::fs::create_dir(&mnist).unwrap();
    small_mnist(&mnist);
    for recipe in ["tutorial", "modern"] {
        for folder in [".", "mnist"] {
            let flags = [
                "--dataset",
                "mnist",
                "--recipe",
                recipe,
                "--epochs",
                "1",
                "--data",
                folder,
            ];
            let printed = stdout(&lenet(scratch.path(), &flags));
            assert!(
                (0. ..=1.).contains(&figure(&printed, "test accuracy")),
                "{printed}"
            );
        }
    }
}

fn assert_one_line(output: &Output, message: &str, case: &str) {
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{case}: {errors}");
    assert_eq!(errors.lines().count(), 1, "{case}: {errors}");
    assert!(
        errors.starts_with("error: ") && errors.contains(message),
        "{case}: {errors}"
    );
    assert!(
        !String::from_utf8_lossy(&output.stdout).contains("test accuracy"),
        "{case}"
    );
}

#[test]
fn damaged_data_is_one_line() {
    type Damage = fn(&Path);
    let cases: [(Damage, &str); 7] = [
        (
            |f| std::fs::remove_dir_all(f).unwrap(),
            "mnist is missing: run `cargo xtask data mnist`",
        ),
        (
            |f| std::fs::remove_file(f.join("t10k-labels-idx1-ubyte")).unwrap(),
            "t10k-labels-idx1-ubyte is missing: run `cargo xtask data mnist`",
        ),
        (
            |f| idx(&f.join("train-labels-idx1-ubyte"), &[39], &[1; 39]),
            "there are 40 images in",
        ),
        (
            |f| {
                idx(
                    &f.join("t10k-labels-idx1-ubyte"),
                    &[10],
                    &[0, 1, 2, 3, 4, 5, 6, 7, 8, 10],
                )
            },
            "label 9 is 10, expected 0 to 9",
        ),
        (
            |f| idx(&f.join("train-images-idx3-ubyte"), &[40, 20, 20], &[0; 16_000]),
            "holds U8 of shape [40, 20, 20], expected images: U8 of shape [samples, 28, 28]",
        ),
        (
            |f| idx(&f.join("train-images-idx3-ubyte"), &[40, 28, 28], &[0; 1000]),
            "cut short: the header says 31360 bytes of data for shape [40, 28, 28], found 1000",
        ),
        (
            |f| std::fs::write(f.join("t10k-images-idx3-ubyte"), b"<html>").unwrap(),
            "not an IDX file",
        ),
    ];
    for (damage, message) in cases {
        let scratch = tempfile::tempdir().unwrap();
        let mnist = scratch.path().join("mnist");
        std::fs::create_dir(&mnist).unwrap();
        small_mnist(&mnist);
        damage(&mnist);
        let output = lenet(scratch.path(), &["--dataset", "mnist", "--data", "."]);
        assert_one_line(&output, message, message);
    }
}

#[test]
fn bad_flags_and_files_are_one_line() {
    let scratch = tempfile::tempdir().unwrap();
    let at = |name: &str| scratch.path().join(name);
    picture_of_one(&at("one.png"));
    let png = std::fs::read(at("one.png")).unwrap();
    std::fs::write(at("cut.png"), &png[..png.len() / 2]).unwrap();
    std::fs::write(at("text.png"), "not a picture").unwrap();
    GrayImage::from_pixel(30, 30, Luma([255]))
        .save(at("blank.png"))
        .unwrap();
    let modern = [
        "--recipe",
        "modern",
        "--epochs",
        "0",
        "--save",
        "modern.safetensors",
    ];
    stdout(&lenet(scratch.path(), &modern));
    std::fs::write(at("cut.safetensors"), [9, 0, 0, 0, 0, 0, 0, 0, b'{']).unwrap();
    let cases: [(&[&str], &str); 17] = [
        (
            &["--dataset", "mnist"],
            "mnist is missing: run `cargo xtask data mnist`",
        ),
        (&["--predict", "none.png"], "none.png: "),
        (&["--predict", "text.png"], "text.png: can't be read as a PNG: "),
        (&["--predict", "cut.png"], "cut.png: can't be read as a PNG: "),
        (&["--predict", "blank.png"], "blank.png: holds no digit"),
        (&["--predict", "."], ".: "),
        (&["--load", "none.safetensors"], "none.safetensors: "),
        (
            &["--load", "cut.safetensors"],
            "cut.safetensors: not a safetensors file, or a damaged one",
        ),
        (
            &["--load", "text.png"],
            "text.png: not a safetensors file, or a damaged one",
        ),
        (
            &["--save", "nowhere/net.safetensors"],
            "nowhere/net.safetensors: there is no such folder",
        ),
        (&["--graph", "."], ".: is a folder, expected a file to write"),
        (&["--out", "one.png"], "one.png: "),
        (&["--batch-size", "0"], "--batch-size is 0, expected at least 1"),
        (
            &["--load", "modern.safetensors"],
            "was saved with --dataset digits --recipe modern, and is loaded with --dataset digits --recipe tutorial",
        ),
        (&["--lr=-1"], "lr is -1"),
        (
            &["--recipe", "modern", "--optimizer", "sgd", "--lr", "1e30"],
            "the loss is ",
        ),
        (&["--device", "gpu"], "unknown device \"gpu\", expected cpu, cuda"),
    ];
    for (flags, message) in cases {
        assert_one_line(&lenet(scratch.path(), flags), message, &flags.join(" "));
    }
    #[cfg(not(feature = "cuda"))]
    {
        let flags = ["--device", "cuda"];
        assert_one_line(&lenet(scratch.path(), &flags), "--features cuda", "--device cuda");
    }
}

#[test]
fn usage_errors_keep_their_status() {
    let scratch = tempfile::tempdir().unwrap();
    for flags in [&["--dataset", "cifar"][..], &["--epochs", "many"], &["--nothing"]] {
        assert_eq!(lenet(scratch.path(), flags).status.code(), Some(2), "{flags:?}");
    }
}
