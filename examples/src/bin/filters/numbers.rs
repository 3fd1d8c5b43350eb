//! Convolution and pooling of a few numbers, printed and drawn.

use crate::{POOL, draw, values};
use sconce::candle_core::{Device, Module, Tensor};
use sconce::cnn::{AvgPool2d, AvgPool2dConfig, ConvOptions, MaxPool2d, MaxPool2dConfig, conv};
use sconce_examples::plot::{Line, Look, Table};
use sconce_examples::{Result, say};
use std::path::Path;

/// What is convolved.
const NUMBERS: [[f32; 6]; 6] = [
    [1., 2., 0., 3., 1., 0.],
    [0., 4., 5., 1., 2., 1.],
    [2., 3., 6., 4., 0., 2.],
    [1., 0., 2., 5., 3., 1.],
    [3., 1., 0., 2., 4., 0.],
    [0., 2., 1., 3., 1., 5.],
];
/// Left minus right: it answers to vertical edges.
const KERNEL: [[f32; 3]; 3] = [[1., 0., -1.]; 3];
/// Numbers in a row.
pub(crate) const LENGTH: usize = 6;
/// The kernel's numbers in a row.
pub(crate) const TAPS: usize = 3;
/// The colour of what the kernel covers.
const SLIDING: usize = 1;

/// The numbers `[1, 1, 6, 6]` convolved with the kernel.
fn convolved(stride: usize) -> Result<Tensor> {
    let x = Tensor::new(&NUMBERS, &Device::Cpu)?.reshape((1, 1, LENGTH, LENGTH))?;
    let kernel = Tensor::new(&KERNEL, &Device::Cpu)?.reshape((1, 1, TAPS, TAPS))?;
    let options = ConvOptions {
        stride: [stride; 2],
        ..ConvOptions::default()
    };
    Ok(conv(&x, &kernel, None, &options)?)
}

/// Prints the convolution with both strides, and draws the kernel at some places.
pub(crate) fn slide(path: Option<&Path>) -> Result<()> {
    let (first, second) = (convolved(1)?, convolved(2)?);
    say_table("numbers", NUMBERS.as_flattened(), LENGTH);
    say_table("kernel", KERNEL.as_flattened(), TAPS);
    say_table("convolution, stride 1", &values(&first)?, first.dim(3)?);
    say_table("convolution, stride 2", &values(&second)?, second.dim(3)?);
    let Some(path) = path else {
        return Ok(());
    };
    let last = first.elem_count() - 1;
    let mut lines = Vec::new();
    // The stride of 1 on the left, that of 2 on the right.
    for (one, two) in [0, 1, first.dim(3)?, last].into_iter().zip(0..) {
        lines.push(window(&first, 1, one)?);
        lines.push(window(&second, 2, two)?);
    }
    draw(path, &lines, 2)
}

/// One place of the kernel: what it covers, the products, and the outputs up to their sum.
fn window(output: &Tensor, stride: usize, place: usize) -> Result<Line> {
    let side = output.dim(3)?;
    let (row, column) = (place / side * stride, place % side * stride);
    let covered = |i: &usize| {
        let (y, x) = (i / LENGTH, i % LENGTH);
        (row..row + TAPS).contains(&y) && (column..column + TAPS).contains(&x)
    };
    let covered: Vec<usize> = (0..LENGTH * LENGTH).filter(covered).collect();
    let numbers = NUMBERS.as_flattened();
    let products = covered.iter().zip(KERNEL.as_flattened());
    let products = products.filter_map(|(&i, weight)| Some(numbers.get(i)? * weight));
    let mut sums = values(output)?;
    for later in sums.iter_mut().skip(place + 1) {
        *later = f32::NAN;
    }
    let table = |title: &str, values: Vec<f32>, columns, marked: &[usize], sign| Table {
        title: title.into(),
        values,
        columns,
        marked: marked.iter().map(|&i| (i, SLIDING)).collect(),
        sign,
    };
    let taps: Vec<usize> = (0..TAPS * TAPS).collect();
    let products = products.collect();
    Ok(Line {
        title: format!("Stride {stride}: output {} of {}", place + 1, output.elem_count()),
        tables: vec![
            table("numbers", numbers.to_vec(), LENGTH, &covered, "×"),
            table("kernel", KERNEL.as_flattened().to_vec(), TAPS, &[], "="),
            table("products", products, TAPS, &taps, "sum"),
            table("output", sums, side, &[place], ""),
        ],
        cell: 34,
        look: Look::Numbers,
    })
}

/// Pools what the convolution with stride 1 gave, and draws which window became which number.
pub(crate) fn pool(path: Option<&Path>) -> Result<()> {
    let x = convolved(1)?;
    let max = MaxPool2d::new(&MaxPool2dConfig::new(POOL))?.forward(&x)?;
    let avg = AvgPool2d::new(&AvgPool2dConfig::new(POOL))?.forward(&x)?;
    let (side, pooled) = (x.dim(3)?, max.dim(3)?);
    let (x, max, avg) = (values(&x)?, values(&max)?, values(&avg)?);
    say_table("maximum of 2×2, stride 2", &max, pooled);
    say_table("mean of 2×2, stride 2", &avg, pooled);
    let Some(path) = path else {
        return Ok(());
    };
    let table = |title: &str, values: &[f32], columns: usize, window: usize, sign| Table {
        title: title.into(),
        values: values.to_vec(),
        columns,
        marked: (0..values.len())
            .map(|i| (i, i / columns / window * pooled + i % columns / window))
            .collect(),
        sign,
    };
    let line = Line {
        title: "Windows of 2×2 with stride 2: each becomes the number of its colour".into(),
        tables: vec![
            table("output of the convolution", &x, side, POOL, "gives"),
            table("maximum", &max, pooled, 1, "or"),
            table("mean", &avg, pooled, 1, ""),
        ],
        cell: 56,
        look: Look::Numbers,
    };
    draw(path, &[line], 1)
}

fn say_table(title: &str, values: &[f32], columns: usize) {
    say(format_args!("\n{title}:"));
    for row in values.chunks(columns.max(1)) {
        // Adding 0 makes -0 a 0.
        let cells: String = row.iter().map(|v| format!("{:>6}", v + 0.)).collect();
        say(cells);
    }
}
