//! The group: elements as Python holds them, and arithmetic on them.

use std::hash::{BuildHasher, RandomState};
use std::sync::{LazyLock, OnceLock};

use k256::ProjectivePoint;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use zeroize::Zeroize;

use super::convert::{compute, scalars};
use crate::arithmetic::point::ELEMENT_SIZE;
use crate::arithmetic::{Point, decode_points, msm_threaded};
use crate::scalars::SCALAR_SIZE;
use crate::secret;
use crate::{Code, Error, Result};

/// A group element. Immutable; equality and hashing are by value. Its `repr` names the group only, since an element may be secret.
///
/// It has one of its two forms from the start and gets the other when first asked: sums are cheap in projective coordinates,
/// encoding and sums of many need affine ones, and the way there costs an inversion.
#[pyclass(frozen, module = "tradeveil_native")]
pub struct Element {
    projective: OnceLock<ProjectivePoint>,
    /// The coordinates of a `Point`. Not a `Point`, which is aligned to more than the interpreter's allocator promises.
    affine: OnceLock<[[u64; 4]; 2]>,
}

impl From<ProjectivePoint> for Element {
    fn from(point: ProjectivePoint) -> Self {
        Self { projective: point.into(), affine: OnceLock::new() }
    }
}

impl From<Point> for Element {
    fn from(point: Point) -> Self {
        Self { projective: OnceLock::new(), affine: [point.x, point.y].into() }
    }
}

impl Drop for Element {
    fn drop(&mut self) {
        if let Some(point) = self.projective.get_mut() {
            point.zeroize();
        }
        if let Some(coordinates) = self.affine.get_mut() {
            coordinates.zeroize();
        }
    }
}

impl Element {
    /// In projective coordinates.
    pub fn projective(&self) -> &ProjectivePoint {
        self.projective.get_or_init(|| self.point().to_projective())
    }

    /// In affine coordinates. For several elements use [`points`].
    pub fn point(&self) -> Point {
        let to_affine = || {
            let point = Point::from_projective(self.projective.get().expect("an element has a form"));
            [point.x, point.y]
        };
        let [x, y] = *self.affine.get_or_init(to_affine);
        Point { x, y }
    }
}

/// All in affine coordinates, at the price of one inversion.
pub fn points(elements: &[&Element]) -> Vec<Point> {
    let without: Vec<&Element> = elements.iter().copied().filter(|element| element.affine.get().is_none()).collect();
    if without.len() > 1 {
        let projective: Vec<ProjectivePoint> = without.iter().map(|element| *element.projective()).collect();
        for (element, point) in without.iter().zip(Point::from_projectives(&projective)) {
            element.affine.get_or_init(|| [point.x, point.y]);
        }
    }
    elements.iter().map(|element| element.point()).collect()
}

/// What Python gives as an element. Raises `EngineError` for anything else.
pub fn element<'a, 'py>(given: &'a Bound<'py, PyAny>) -> PyResult<&'a Bound<'py, Element>> {
    given.cast::<Element>().map_err(|_| {
        let message = "an element of another group or engine; decode its encoding with this group first";
        Error::new(Code::Engine, message).into()
    })
}

/// What Python gives as a sequence of elements. Raises `EngineError` when one is something else.
pub fn elements<'py>(given: &Bound<'py, PyAny>) -> PyResult<Vec<Bound<'py, Element>>> {
    given.try_iter()?.map(|item| element(&item?).cloned()).collect()
}

/// The values behind Python's references.
pub fn values<'a>(elements: &'a [Bound<'_, Element>]) -> Vec<&'a Element> {
    elements.iter().map(|element| element.get()).collect()
}

#[pymethods]
impl Element {
    fn __add__(&self, other: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok((self.projective() + element(other)?.get().projective()).into())
    }

    fn __sub__(&self, other: &Bound<'_, PyAny>) -> PyResult<Self> {
        Ok((self.projective() - element(other)?.get().projective()).into())
    }

    fn __neg__(&self) -> Self {
        match self.affine.get() {
            Some(_) => self.point().negated_if(true).into(),
            None => (-self.projective()).into(),
        }
    }

    fn __eq__(&self, other: &Bound<'_, Self>) -> bool {
        let other = other.get();
        match (self.affine.get(), other.affine.get()) {
            (Some(own), Some(others)) => own == others,
            _ => self.projective() == other.projective(),
        }
    }

    fn __hash__(&self) -> u64 {
        static STATE: LazyLock<RandomState> = LazyLock::new(RandomState::new);
        STATE.hash_one(self.point())
    }

    fn __repr__(&self) -> &'static str {
        "Element(secp256k1)"
    }

    /// Whether this is the neutral element.
    #[getter]
    fn is_identity(&self) -> bool {
        match self.affine.get() {
            Some(_) => self.point().is_identity(),
            None => *self.projective() == ProjectivePoint::IDENTITY,
        }
    }

    /// 33 bytes, compressed SEC1. Raises IdentityError for the identity.
    fn encode<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.point().encode()?))
    }
}

/// The curve's standard generator.
#[pyfunction]
pub fn generator() -> Element {
    Point::GENERATOR.into()
}

/// The neutral element.
#[pyfunction]
pub fn identity() -> Element {
    Point::IDENTITY.into()
}

/// Decode 33 bytes. Raises LengthError, PointError.
#[pyfunction]
pub fn decode(data: &[u8]) -> Result<Element> {
    let wrong = |_| Error::new(Code::Length, format!("an element is {ELEMENT_SIZE} bytes, got {}", data.len()));
    let points = decode_points(&[data.try_into().map_err(wrong)?]).map_err(|(_, error)| error)?;
    Ok(points[0].into())
}

/// Decode encodings of 33 bytes that stand one after the other. Raises PointError for the first that is refused, LengthError
/// for a length that is no multiple of 33.
#[pyfunction]
pub fn decode_many<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyList>> {
    let (encoded, rest) = data.as_chunks::<ELEMENT_SIZE>();
    if !rest.is_empty() {
        return Err(Error::new(Code::Length, format!("encodings are {ELEMENT_SIZE} bytes each, got {}", data.len())).into());
    }
    let points = compute(py, || decode_points(encoded).map_err(|(_, error)| error))?;
    let elements = points.into_iter().map(|point| Bound::new(py, Element::from(point)));
    PyList::new(py, elements.collect::<PyResult<Vec<_>>>()?)
}

/// scalars[i]·elements[i] for each i, in constant time: the scalars (32 bytes each, one after the other) may be secret.
#[pyfunction]
pub fn products<'py>(py: Python<'py>, factors: &[u8], bases: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
    let bases = elements(bases)?;
    let bases = values(&bases);
    let products = compute(py, || Ok(secret::products(&scalars(factors, bases.len())?, &points(&bases))))?;
    let products = products.into_iter().map(|product| Bound::new(py, Element::from(product)));
    PyList::new(py, products.collect::<PyResult<Vec<_>>>()?)
}

/// Σ scalars[i]·elements[i] over public data, in variable time, on up to `threads` cores.
#[pyfunction]
pub fn msm(py: Python<'_>, factors: &[u8], bases: &Bound<'_, PyAny>, threads: usize) -> PyResult<Element> {
    let bases = elements(bases)?;
    let bases = values(&bases);
    if factors.len() != bases.len() * SCALAR_SIZE {
        let message = format!("{} scalars for {} elements", factors.len() / SCALAR_SIZE, bases.len());
        return Err(Error::new(Code::Length, message).into());
    }
    let sum = compute(py, || Ok(msm_threaded(&scalars(factors, bases.len())?, &points(&bases), threads)))?;
    Ok(sum.into())
}

/// What a computation does that ends in a panic: raises EngineError. For tests.
#[pyfunction]
pub fn panic(py: Python<'_>) -> PyResult<()> {
    // Unlike `panic!` this prints nothing.
    compute(py, || std::panic::resume_unwind(Box::new("self-test")))
}
