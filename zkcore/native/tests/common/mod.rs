//! What integration tests share: the suite's generators and the project's test vectors.

// No test module uses all of it.
#![allow(dead_code)]

pub mod claims;

use std::path::Path;

use serde_json::Value;
use tradeveil_native::arithmetic::Point;
use tradeveil_native::arithmetic::decode_points;
use tradeveil_native::generators::{Generators, MAXIMUM_VECTORS};
use tradeveil_native::{Code, Error, Result};

/// `generators_digest`, as `zkcore/suite.py` has it.
const DIGEST: &str = "02f6263831d4534c77714c3cef048a30a74055e7d3a9ca31936c9bf689f43738";

/// The suite's generators: `generators.bin` holds H, every G_i and every H_i as they are encoded. That they are the right ones
/// is shown by their digest, which covers them all.
pub fn generators() -> Generators {
    let (encoded, rest) = include_bytes!("generators.bin").as_chunks();
    assert!(rest.is_empty());
    let mut points = decode_points(encoded).expect("generators are points");
    let h_vector = points.split_off(1 + MAXIMUM_VECTORS);
    let g_vector = points.split_off(1);
    let generators = Generators::new(points[0], g_vector, h_vector, bytes(DIGEST).try_into().unwrap()).unwrap();
    assert_eq!(generators.recompute_digest().unwrap(), generators.digest);
    generators
}

/// One of the files in `schemas/vectors`.
pub fn vectors(name: &str) -> Value {
    let mut above =
        Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().map(|directory| directory.join("schemas/vectors").join(name));
    let path = above.find(|path| path.exists()).expect("the project's vectors");
    serde_json::from_str(&std::fs::read_to_string(path).expect("a file of vectors")).expect("JSON")
}

/// A reject's vector: the accept that it names, changed as its patch says (RFC 6902, of which `replace`, `remove` and `add` are used).
pub fn patched(file: &Value, reject: &Value) -> Value {
    let accepts = file["accept"].as_array().unwrap();
    let mut vector = accepts.iter().find(|accept| accept["id"] == reject["base"]).expect("the accept it changes").clone();
    for operation in reject["patch"].as_array().unwrap() {
        let (parent, name) = text(&operation["path"]).rsplit_once('/').unwrap();
        let parent = vector.pointer_mut(parent).expect("a path of the accept");
        let value = operation["value"].clone();
        match (text(&operation["op"]), parent) {
            ("remove", Value::Object(fields)) => drop(fields.remove(name).expect("a field")),
            ("add" | "replace", Value::Object(fields)) => drop(fields.insert(name.into(), value)),
            ("replace", Value::Array(items)) => items[name.parse::<usize>().unwrap()] = value,
            (other, _) => panic!("{other} is not used by our vectors"),
        }
    }
    vector
}

/// A JSON string.
pub fn text(value: &Value) -> &str {
    value.as_str().expect("a string")
}

/// The bytes of lower-case hexadecimal.
pub fn bytes(hex: &str) -> Vec<u8> {
    (0..hex.len()).step_by(2).map(|at| u8::from_str_radix(&hex[at..at + 2], 16).expect("hexadecimal")).collect()
}

/// The points encoded one by one in hexadecimal; `Length` or the error of the first that is refused.
pub fn points<'a>(encoded: impl Iterator<Item = &'a Value>) -> Result<Vec<Point>> {
    let element = |hex| bytes(text(hex)).try_into().map_err(|_| Error::new(Code::Length, "an element is 33 bytes"));
    decode_points(&encoded.map(element).collect::<Result<Vec<[u8; 33]>>>()?).map_err(|(_, error)| error)
}
