//! Linear relations of draft-irtf-cfrg-sigma-protocols-03: representation, the ten instance validations, serialization.
//!
//! An instance says: there are scalars such that, for every equation, Σ coefficient·element over the image equals
//! Σ coefficient·scalar·element over the terms. Element 0 is the group's generator and is never serialized.

use std::sync::{Arc, LazyLock};

use k256::ProjectivePoint;

use crate::arithmetic::Point;
use crate::arithmetic::point::ELEMENT_SIZE;
use crate::scalars::{SCALAR_SIZE, Scalar, encode_scalar};
use crate::{Code, Error, Result};

/// One row of a relation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Equation {
    /// (element, coefficient) of the left-hand side.
    pub image: Vec<(u32, Scalar)>,
    /// (scalar, element, coefficient) of the right-hand side.
    pub terms: Vec<(u32, u32, Scalar)>,
}

/// An instance: its elements, the generator first, and its equations, which instances of one statement share.
#[derive(Clone)]
pub struct LinearRelation {
    /// The elements that indices name.
    pub elements: Vec<Point>,
    /// The rows.
    pub equations: Arc<[Equation]>,
}

impl LinearRelation {
    /// How many scalars a witness has.
    pub fn scalar_count(&self) -> usize {
        self.terms().map(|(scalar, _, _)| *scalar as usize + 1).max().unwrap_or(0)
    }

    /// Bytes of a batchable proof: an element an equation, then a scalar a witness scalar.
    pub fn proof_size(&self) -> usize {
        ELEMENT_SIZE * self.equations.len() + SCALAR_SIZE * self.scalar_count()
    }

    /// The left-hand side of one equation. The relation must have been validated.
    pub fn image(&self, row: &Equation) -> ProjectivePoint {
        self.combine(&row.image)
    }

    fn terms(&self) -> impl Iterator<Item = &(u32, u32, Scalar)> {
        self.equations.iter().flat_map(|row| &row.terms)
    }

    /// Σ coefficient·element over public pairs (element, coefficient).
    fn combine(&self, pairs: &[(u32, Scalar)]) -> ProjectivePoint {
        let mut total = ProjectivePoint::IDENTITY;
        for (element, coefficient) in pairs {
            let point = self.elements[*element as usize].to_projective();
            total += match sign(coefficient) {
                Some(false) => point,
                Some(true) => -point,
                None => point * coefficient,
            };
        }
        total
    }

    /// SerializeLinearRelation of the draft.
    ///
    /// # Errors
    /// `Identity` when an element is the identity.
    pub fn serialized(&self) -> Result<Vec<u8>> {
        let mut out = Vec::with_capacity(1024);
        self.serialize_into(&mut out)?;
        Ok(out)
    }

    /// Append SerializeLinearRelation of the draft.
    ///
    /// # Errors
    /// `Identity` when an element is the identity.
    pub fn serialize_into(&self, out: &mut Vec<u8>) -> Result<()> {
        push_size(out, self.equations.len());
        for row in self.equations.iter() {
            push_size(out, row.image.len());
            for (element, coefficient) in &row.image {
                out.extend_from_slice(&element.to_le_bytes());
                out.extend_from_slice(&encode_scalar(coefficient));
            }
            push_size(out, row.terms.len());
            for (scalar, element, coefficient) in &row.terms {
                out.extend_from_slice(&scalar.to_le_bytes());
                out.extend_from_slice(&element.to_le_bytes());
                out.extend_from_slice(&encode_scalar(coefficient));
            }
        }
        for element in self.elements.iter().skip(1) {
            out.extend_from_slice(&element.encode()?);
        }
        Ok(())
    }

    /// The ten validations of the draft, in its order.
    ///
    /// # Errors
    /// `Instance`; `Identity` for the eighth and ninth.
    pub fn validate(&self) -> Result<()> {
        self.validate_shape()?;
        self.validate_references()?;
        if self.elements[0] != Point::GENERATOR {
            return Err(instance("element 0 is not the generator"));
        }
        if self.elements.iter().any(Point::is_identity) {
            return Err(Error::new(Code::Identity, "an element of the instance is the identity"));
        }
        if self.equations.iter().any(|row| self.is_identity(&row.image)) {
            return Err(Error::new(Code::Identity, "the image of an equation is the identity"));
        }
        (0..self.scalar_count() as u32).try_for_each(|scalar| self.validate_scalar(scalar))
    }

    fn validate_shape(&self) -> Result<()> {
        if self.equations.is_empty() {
            return Err(instance("an instance has at least one equation"));
        }
        if self.equations.iter().any(|row| row.terms.is_empty() || row.image.is_empty()) {
            return Err(instance("every equation has an image and terms"));
        }
        let sizes = self.equations.iter().flat_map(|row| [row.image.len(), row.terms.len()]);
        if sizes.chain([self.equations.len()]).any(|size| u32::try_from(size).is_err()) {
            return Err(instance("an index or size does not fit 32 bits"));
        }
        Ok(())
    }

    fn validate_references(&self) -> Result<()> {
        let images = self.equations.iter().flat_map(|row| &row.image).map(|(element, _)| *element);
        let used = distinct(images.chain(self.terms().map(|(_, element, _)| *element)));
        if used.last().is_none_or(|highest| *highest as usize >= self.elements.len()) {
            return Err(instance("an equation names an element that the instance does not have"));
        }
        // Element 0 may be unused; all others must be there, and none is beyond the last.
        if used.len() + usize::from(used[0] != 0) != self.elements.len() {
            return Err(instance("an element is in no equation"));
        }
        let scalars = distinct(self.terms().map(|(scalar, _, _)| *scalar));
        if scalars.len() != self.scalar_count() {
            return Err(instance("a scalar is in no equation"));
        }
        Ok(())
    }

    /// The tenth: some equation must hold the scalar on a base that is not the identity, or anything would satisfy it.
    fn validate_scalar(&self, scalar: u32) -> Result<()> {
        let mut base = Vec::new();
        for row in self.equations.iter() {
            base.clear();
            base.extend(row.terms.iter().filter(|(s, _, _)| *s == scalar).map(|(_, element, factor)| (*element, *factor)));
            if !base.is_empty() && !self.is_identity(&base) {
                return Ok(());
            }
        }
        Err(instance("a scalar stands on the identity in every equation"))
    }

    /// Whether a combination is the identity. One or two elements with coefficients ±1, which is all that our statements
    /// have, need no arithmetic.
    fn is_identity(&self, pairs: &[(u32, Scalar)]) -> bool {
        let signed = |index: usize| {
            let (element, coefficient) = pairs.get(index)?;
            Some(self.elements[*element as usize].negated_if(sign(coefficient)?))
        };
        match (pairs.len(), signed(0), signed(1)) {
            (1, Some(point), _) => point.is_identity(),
            (2, Some(first), Some(second)) => first == second.negated_if(true),
            _ => self.combine(pairs) == ProjectivePoint::IDENTITY,
        }
    }
}

/// Its `Debug` shows sizes alone.
impl std::fmt::Debug for LinearRelation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "LinearRelation({} elements, {} equations)", self.elements.len(), self.equations.len())
    }
}

/// scalar·coefficient, for a coefficient that is most often 1 or −1.
pub(crate) fn scaled(scalar: &Scalar, coefficient: &Scalar) -> Scalar {
    match sign(coefficient) {
        Some(false) => *scalar,
        Some(true) => -scalar,
        None => scalar * coefficient,
    }
}

/// Whether a coefficient is −1 rather than 1; nothing for any other.
fn sign(coefficient: &Scalar) -> Option<bool> {
    static MINUS_ONE: LazyLock<Scalar> = LazyLock::new(|| -Scalar::ONE);
    let minus = *coefficient == *MINUS_ONE;
    (minus || *coefficient == Scalar::ONE).then_some(minus)
}

fn distinct(indices: impl Iterator<Item = u32>) -> Vec<u32> {
    let mut indices: Vec<u32> = indices.collect();
    indices.sort_unstable();
    indices.dedup();
    indices
}

/// A list's length; more than 32 bits of it do not pass validation.
fn push_size(out: &mut Vec<u8>, size: usize) {
    out.extend_from_slice(&(size as u32).to_le_bytes());
}

fn instance(message: &'static str) -> Error {
    Error::new(Code::Instance, message)
}

#[cfg(test)]
mod tests {
    //! Each validation refuses what it is there for and nothing else, and shortcuts for ±1 say what the arithmetic says.

    use super::*;

    fn minus(k: u64) -> Scalar {
        -Scalar::from(k)
    }

    fn point(k: u64) -> Point {
        Point::from_projective(&(ProjectivePoint::GENERATOR * Scalar::from(k)))
    }

    /// Image and terms of an equation.
    type Row<'a> = (&'a [(u32, Scalar)], &'a [(u32, u32, Scalar)]);

    fn relation(elements: &[Point], rows: &[Row]) -> LinearRelation {
        let row = |(image, terms): &Row| Equation { image: image.to_vec(), terms: terms.to_vec() };
        LinearRelation { elements: elements.to_vec(), equations: rows.iter().map(row).collect() }
    }

    fn code(relation: &LinearRelation) -> Option<Code> {
        relation.validate().err().map(|error| error.code)
    }

    #[test]
    fn sound_instances_pass() {
        let one = Scalar::ONE;
        let (g, k) = (point(1), point(5));
        assert_eq!(code(&relation(&[g, k], &[(&[(1, one)], &[(0, 0, one)])])), None);
        assert_eq!(code(&relation(&[g, k, point(7)], &[(&[(1, one), (1, minus(3))], &[(0, 2, minus(1))])])), None);
        // A scalar on the identity in one equation, and on another base in the next.
        let rows: [(&[_], &[_]); 2] =
            [(&[(1, one)], &[(0, 0, one), (0, 0, minus(1)), (1, 0, one)]), (&[(1, one)], &[(0, 0, one)])];
        assert_eq!(code(&relation(&[g, k], &rows)), None);
    }

    #[test]
    fn each_fault_is_refused() {
        let one = Scalar::ONE;
        let (g, k, none) = (point(1), point(5), Point::IDENTITY);
        let opposite = k.negated_if(true);
        let instance: &[(&str, LinearRelation)] = &[
            ("no equation", relation(&[g], &[])),
            ("no image", relation(&[g], &[(&[], &[(0, 0, one)])])),
            ("no terms", relation(&[g], &[(&[(0, one)], &[])])),
            ("no elements", relation(&[], &[(&[(0, one)], &[(0, 0, one)])])),
            ("an element that is not there", relation(&[g], &[(&[(1, one)], &[(0, 0, one)])])),
            ("an index of 32 bits", relation(&[g], &[(&[(u32::MAX, one)], &[(0, 0, one)])])),
            ("an unused element", relation(&[g, k, k], &[(&[(1, one)], &[(0, 0, one)])])),
            ("an unused scalar", relation(&[g, k], &[(&[(1, one)], &[(1, 0, one)])])),
            ("scalars without end", relation(&[g, k], &[(&[(1, one)], &[(u32::MAX, 0, one)])])),
            ("another generator", relation(&[k, k], &[(&[(1, one)], &[(0, 0, one)])])),
            ("a base that vanishes", relation(&[g, k], &[(&[(1, one)], &[(0, 0, one), (0, 0, minus(1))])])),
            ("a coefficient of zero", relation(&[g, k], &[(&[(1, one)], &[(0, 0, Scalar::ZERO)])])),
            ("inverse bases", relation(&[g, k, opposite], &[(&[(0, one)], &[(0, 1, one), (0, 2, one)])])),
        ];
        for (fault, relation) in instance {
            assert_eq!(code(relation), Some(Code::Instance), "{fault}");
        }
        let identity: &[(&str, LinearRelation)] = &[
            ("an element", relation(&[g, none], &[(&[(1, one)], &[(0, 0, one)])])),
            ("P - P", relation(&[g, k], &[(&[(1, one), (1, minus(1))], &[(0, 0, one)])])),
            ("P + (-P)", relation(&[g, k, opposite], &[(&[(1, one), (2, one)], &[(0, 0, one)])])),
            ("P - 5G", relation(&[g, k], &[(&[(1, one), (0, minus(5))], &[(0, 0, one)])])),
            ("0·P", relation(&[g, k], &[(&[(1, Scalar::ZERO)], &[(0, 0, one)])])),
        ];
        for (fault, relation) in identity {
            assert_eq!(code(relation), Some(Code::Identity), "{fault}");
        }
    }

    #[test]
    fn serialization_is_the_drafts() {
        let relation = relation(&[point(1), point(5)], &[(&[(1, Scalar::ONE)], &[(0, 0, minus(1))])]);
        let one = encode_scalar(&Scalar::ONE);
        let u32s = |value: u32| value.to_le_bytes();
        let (minus, element) = (encode_scalar(&minus(1)), point(5).encode().unwrap());
        let parts: [&[u8]; 9] = [&u32s(1), &u32s(1), &u32s(1), &one, &u32s(1), &u32s(0), &u32s(0), &minus, &element];
        assert_eq!(relation.serialized().unwrap(), parts.concat());
        assert_eq!((relation.proof_size(), relation.scalar_count()), (65, 1));
        assert_eq!(Point::from_projective(&relation.image(&relation.equations[0])), point(5));
    }
}
