//! Claims from the project's test vectors.

use serde_json::Value;
use tradeveil_native::context::{Context, Fields};
use tradeveil_native::generators::Generators;
use tradeveil_native::statements::{RangeStatement, Statement};
use tradeveil_native::verifying::batch::Claim;
use tradeveil_native::{Code, Error, Result};

use super::{bytes, points, text, vectors};

/// The vector's context as bytes, whatever their form.
fn with_context<T>(vector: &Value, check: impl FnOnce(Context) -> Result<T>) -> Result<T> {
    let fields = &vector["context"];
    let raw = |name: &str| bytes(text(&fields[name]));
    check(Context::new(&Fields {
        origin: text(&fields["origin"]),
        statement: text(&vector["statement"]),
        document: &raw("document"),
        head: &raw("head"),
        draw: &raw("draw"),
        currency: text(&fields["currency"]),
        epoch: fields["epoch"].as_u64().unwrap(),
        payload: &raw("payload"),
    })?)
}

fn sigma_claim(generators: &Generators, vector: &Value) -> Result<Claim> {
    let statement = Statement::by_name(text(&vector["statement"])).expect("a statement");
    let session_id = with_context(vector, |context| {
        statement.check_context(&context)?;
        context.session_id(generators)
    })?;
    let elements = vector["elements"].as_object().unwrap();
    let named: Vec<_> = elements.keys().map(String::as_str).zip(points(elements.values())?).collect();
    let relation = statement.instance(generators, &named)?;
    Ok(Claim::Sigma { session_id, relation, proof: bytes(text(&vector["proof"])) })
}

fn range_claim(generators: &Generators, vector: &Value) -> Result<Claim> {
    let values = points(vector["values"].as_array().unwrap().iter())?;
    let session_id = if let Some(name) = vector.get("statement") {
        with_context(vector, |context| {
            RangeStatement::by_name(text(name)).expect("a range statement").check_context(&context)?;
            context.session_id(generators)
        })?
    } else {
        let session_id = bytes(text(&vector["session_id"])).try_into();
        session_id.map_err(|_| Error::new(Code::Length, "a session id is 32 bytes"))?
    };
    let bits = vector["bits"].as_u64().unwrap() as u32;
    Ok(Claim::Range { session_id, values, bits, proof: bytes(text(&vector["proof"])) })
}

/// How a file's vectors are read.
pub type Read = fn(&Generators, &Value) -> Result<Claim>;
/// The files of vectors that are claims.
pub const FILES: [(&str, Read); 2] = [("statements.json", sigma_claim), ("ranges.json", range_claim)];

/// Every accept as a claim.
pub fn accepted(generators: &Generators) -> Vec<Claim> {
    let read = |(name, read): &(&str, Read)| -> Vec<Claim> {
        vectors(name)["accept"].as_array().unwrap().iter().map(|vector| read(generators, vector).unwrap()).collect()
    };
    FILES.iter().flat_map(read).collect()
}
