#![no_main]

#[path = "../bodies/checkpoint.rs"]
#[allow(dead_code, reason = "tests make inputs by it too")]
mod body;

libfuzzer_sys::fuzz_target!(|data: &[u8]| {
    _ = body::run(data);
});
