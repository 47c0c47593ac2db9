//! Tells the crate with what it is built, for `tradeveil_native.build_info()`. Nothing of it names a machine, a path or a time.

use std::env;
use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let rustc = env::var("RUSTC").expect("cargo names the compiler");
    let told = Command::new(rustc).arg("--version").output().expect("the compiler runs").stdout;
    let told = String::from_utf8(told).expect("a version is text");
    let version = told.split_whitespace().nth(1).expect("`rustc --version` says: rustc, version, commit");
    println!("cargo:rustc-env=TRADEVEIL_RUSTC={version}");
    for name in ["TARGET", "PROFILE"] {
        println!("cargo:rustc-env=TRADEVEIL_{name}={}", env::var(name).expect("cargo tells build scripts"));
    }
}
