//! Proving of batchable sigma proofs for linear relations (draft-irtf-cfrg-sigma-protocols-03; SPEC.md, section 6).
//!
//! Witness and nonces are secret. Instances are public, coefficients included, and so is whether a witness fits.

use k256::ProjectivePoint;
use k256::elliptic_curve::subtle::{Choice, ConstantTimeEq};
use zeroize::Zeroizing;

use super::{decode_random, products};
use crate::arithmetic::Point;
use crate::relations::{LinearRelation, scaled};
use crate::scalars::{Scalar, encode_scalar};
use crate::transcript::{CHALLENGE_SIZE, SESSION_ID_SIZE};
use crate::verifying::sigma::derive_challenge;
use crate::{Code, Error, Result};

/// Random bytes that a proof of this relation takes: 48 a witness scalar.
pub fn random_size(relation: &LinearRelation) -> usize {
    CHALLENGE_SIZE * relation.scalar_count()
}

/// ProveBatchable of the draft: 33 bytes an equation, 32 a scalar.
///
/// `nonces` are [`random_size`] fresh uniform bytes, 48 for each scalar in the statement's order.
///
/// # Errors
/// `Instance` and `Identity` for an instance that does not pass validation; `Witness` when the witness does not satisfy it, so
/// that an unprovable statement never leaves the prover; `Length` for another number of random bytes; `Identity` for a nonce
/// that is zero (probability 2⁻²⁵⁶).
pub fn prove_batchable(
    session_id: &[u8; SESSION_ID_SIZE],
    relation: &LinearRelation,
    witness: &[Scalar],
    nonces: &[u8],
) -> Result<Vec<u8>> {
    relation.validate()?;
    if witness.len() != relation.scalar_count() {
        return Err(Error::new(Code::Witness, "the witness has not as many scalars as the statement"));
    }
    if nonces.len() != random_size(relation) {
        return Err(Error::new(Code::Length, "a sigma proof takes 48 random bytes for each witness scalar"));
    }
    let nonces = decode_random(nonces);
    let (images, commitment) = linear_maps(relation, witness, &nonces);
    check_witness(relation, &images)?;
    let mut proof = Vec::with_capacity(relation.proof_size());
    for point in Point::from_projectives(&commitment) {
        proof.extend_from_slice(&point.encode()?);
    }
    let challenge = derive_challenge(session_id, &relation.serialized()?, &proof);
    for (nonce, scalar) in nonces.iter().zip(witness) {
        proof.extend_from_slice(&encode_scalar(&(nonce + (scalar * &challenge))));
    }
    Ok(proof)
}

type Secrets = Zeroizing<Vec<ProjectivePoint>>;

/// map(instance, scalars) of the draft for the witness and for the nonces. All products of both are computed together, since
/// `products` works on several side by side.
fn linear_maps(relation: &LinearRelation, witness: &[Scalar], nonces: &[Scalar]) -> (Secrets, Secrets) {
    let terms = || relation.equations.iter().flat_map(|equation| &equation.terms);
    let count = terms().count();
    let (mut scalars, mut points) = (Zeroizing::new(Vec::with_capacity(2 * count)), Vec::with_capacity(2 * count));
    for values in [witness, nonces] {
        for (scalar, element, coefficient) in terms() {
            scalars.push(scaled(&values[*scalar as usize], coefficient));
            points.push(relation.elements[*element as usize]);
        }
    }
    let products = Zeroizing::new(products(&scalars, &points));
    let (of_witness, of_nonces) = products.split_at(count);
    (row_sums(relation, of_witness), row_sums(relation, of_nonces))
}

/// The sum of each equation's products.
fn row_sums(relation: &LinearRelation, mut products: &[ProjectivePoint]) -> Secrets {
    let mut sums = Zeroizing::new(Vec::with_capacity(relation.equations.len()));
    for equation in relation.equations.iter() {
        let (row, rest) = products.split_at(equation.terms.len());
        sums.push(row.iter().sum());
        products = rest;
    }
    sums
}

/// Nothing but the outcome for all equations together depends on the witness.
fn check_witness(relation: &LinearRelation, images: &[ProjectivePoint]) -> Result<()> {
    let equal = relation.equations.iter().zip(images).map(|(equation, image)| relation.image(equation).ct_eq(image));
    if bool::from(equal.fold(Choice::from(1), |all, one| all & one)) {
        return Ok(());
    }
    Err(Error::new(Code::Witness, "the witness does not satisfy the statement"))
}
