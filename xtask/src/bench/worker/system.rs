//! Our side of `cargo xtask bench`, with the system's allocator, as a library's users may have it.

fn main() -> std::process::ExitCode {
    bench_rows::worker::main()
}
