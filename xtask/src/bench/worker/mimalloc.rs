//! Our side of `cargo xtask bench`, with the allocator that the programs have.

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> std::process::ExitCode {
    bench_rows::worker::main()
}
