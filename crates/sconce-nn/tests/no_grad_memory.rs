//! Evaluation keeps no activations. Alone in its process, since it reads the process's peak memory.

use candle_core::{DType, Device, ModuleT, Tensor};
use sconce_core::{ParamStore, no_grad};
use sconce_nn::{LayerNorm, LayerNormConfig, Sequential, Tanh};

const ROWS: usize = 4096;
const WIDTH: usize = 1024;
const LAYER_BYTES: u64 = (ROWS * WIDTH * 4) as u64;

/// Peak resident memory of this process, where the system tells it.
fn peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    line.trim()
        .strip_suffix("kB")?
        .trim()
        .parse::<u64>()
        .ok()
        .map(|kib| kib * 1024)
}

#[test]
fn a_deep_network_needs_the_memory_of_two_layers() {
    if peak().is_none() {
        return println!("skipped: this system doesn't tell a process its peak memory");
    }
    let store = ParamStore::new(DType::F32, &Device::Cpu);
    let mut net = Sequential::new();
    for i in 0..20 {
        let norm = LayerNorm::new(&LayerNormConfig::new([WIDTH]), store.builder().pp(i)).unwrap();
        net = net.push(norm).push(Tanh);
    }
    let x = Tensor::ones((ROWS, WIDTH), DType::F32, &Device::Cpu).unwrap();
    // Once on a small input, so that threads and buffers are there before the count starts.
    no_grad(|| net.forward_t(&x.narrow(0, 0, 64).unwrap(), false)).unwrap();
    let before = peak().unwrap();
    let y = no_grad(|| net.forward_t(&x, false)).unwrap();
    let used = peak().unwrap() - before;
    // A layer's input and output, and half a layer for the allocator.
    assert!(
        used <= 2 * LAYER_BYTES + LAYER_BYTES / 2,
        "{} MB for layers of {} MB",
        used >> 20,
        LAYER_BYTES >> 20
    );
    assert_eq!(y.dims(), [ROWS, WIDTH]);
    // With a graph, the same pass keeps every layer: the figure above isn't an accident of the measurement.
    let tracked = net.forward_t(&x, false).unwrap();
    assert!(peak().unwrap() - before > 20 * LAYER_BYTES);
    drop(tracked);
}
