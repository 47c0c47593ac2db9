#![no_main]
libfuzzer_sys::fuzz_target!(|data: &[u8]| tradeveil_fuzz::scalars(data));
