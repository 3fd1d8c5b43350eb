//! Rates of the product, shape by shape: C = A·Bᵀ with B packed once, and the two backward products without packing ahead.
//!
//! `cargo run --release -p sconce-kernels --example products [runs]`

use sconce_kernels::matrix::{MatMut, MatRef};
use sconce_kernels::product::{Packed, Plain, product};
use std::time::Instant;

/// M, K, N.
const SHAPES: [(usize, usize, usize); 8] = [
    (2048, 256, 1024),
    (32, 256, 1024),
    (32, 1024, 256),
    (64, 256, 128),
    (64, 288, 1024),
    (1, 256, 1024),
    (2048, 1024, 256),
    (64, 400, 120),
];

fn main() {
    let runs = std::env::args()
        .nth(1)
        .and_then(|arg| arg.parse().ok())
        .unwrap_or(200);
    println!("{:<28}{:>14}{:>14}", "product", "best GFLOP/s", "median");
    for (m, k, n) in SHAPES {
        let (x, w, dy) = (values(m * k), values(n * k), values(m * n));
        let packed = Packed::new(MatRef::new(&w, n, k).t());
        let mut y = vec![0f32; m * n];
        report("x·Wᵀ packed", (m, k, n), runs, || {
            product(MatMut::new(&mut y, m, n), MatRef::new(&x, m, k), &packed, &Plain);
        });
        report("x·Wᵀ", (m, k, n), runs, || {
            product(
                MatMut::new(&mut y, m, n),
                MatRef::new(&x, m, k),
                &MatRef::new(&w, n, k).t(),
                &Plain,
            );
        });
        let mut dx = vec![0f32; m * k];
        report("dX = dY·W", (m, n, k), runs, || {
            product(
                MatMut::new(&mut dx, m, k),
                MatRef::new(&dy, m, n),
                &MatRef::new(&w, n, k),
                &Plain,
            );
        });
        let mut dw = vec![0f32; n * k];
        report("dW = dYᵀ·X", (n, m, k), runs, || {
            product(
                MatMut::new(&mut dw, n, k),
                MatRef::new(&dy, m, n).t(),
                &MatRef::new(&x, m, k),
                &Plain,
            );
        });
    }
}

fn values(count: usize) -> Vec<f32> {
    (0..count)
        .map(|i| ((i * 2_654_435_761) % 1000) as f32 * 1e-3 - 0.5)
        .collect()
}

fn report(name: &str, (m, k, n): (usize, usize, usize), runs: usize, mut run: impl FnMut()) {
    for _ in 0..10 {
        run();
    }
    let mut seconds: Vec<f64> = (0..runs)
        .map(|_| {
            let start = Instant::now();
            run();
            start.elapsed().as_secs_f64()
        })
        .collect();
    seconds.sort_by(f64::total_cmp);
    let rate = |seconds: f64| 2e-9 * (m * k * n) as f64 / seconds;
    let label = format!("{name} {m}×{k}×{n}");
    let at = |i: usize| rate(seconds.get(i).copied().unwrap_or(f64::NAN));
    println!("{label:<28}{:>14.1}{:>14.1}", at(0), at(runs / 2));
}
