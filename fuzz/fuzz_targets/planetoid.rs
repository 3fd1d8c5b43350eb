#![no_main]

#[path = "../bodies/planetoid.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    _ = body::run(data);
});
