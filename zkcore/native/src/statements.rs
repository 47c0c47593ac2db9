//! Every statement that Tradeveil proves, written once, as data. SPEC.md section 5 gives them under the same names.
//!
//! A statement is a list of equations over named elements and scalars, in Camenisch–Stadler notation: capital names are public
//! elements, lower-case names are secret scalars, G is the curve's generator and H the blinding generator.

use std::sync::{Arc, OnceLock};

use crate::arithmetic::Point;
use crate::context::{ABSENT, Context, NO_CURRENCY};
use crate::generators::Generators;
use crate::relations::{Equation, LinearRelation};
use crate::scalars::Scalar;
use crate::{Code, Error, Result};

/// Which fields of a context are present. All others must be absent, so that a proof can never be read in two contexts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Requires {
    /// The document's identifier.
    pub document: bool,
    /// The head of the document, the application or the draw; or the document's revision.
    pub head: bool,
    /// The draw's identifier.
    pub draw: bool,
    /// The document's currency.
    pub currency: bool,
    /// The epoch of the regulator's key.
    pub epoch: bool,
    /// The digest of what the statement does not contain.
    pub payload: bool,
}

impl Requires {
    /// Check that the context names this statement and has exactly these fields.
    fn check(self, name: &str, context: &Context) -> Result<()> {
        if context.statement() != name {
            return Err(Error::new(Code::Context, format!("a context of another statement was used for {name}")));
        }
        let present = Self {
            document: context.document != ABSENT,
            head: context.head != ABSENT,
            draw: context.draw != ABSENT,
            currency: context.currency() != NO_CURRENCY,
            epoch: context.epoch != 0,
            payload: context.payload != ABSENT,
        };
        if present != self {
            return Err(Error::new(Code::Context, format!("the context of {name} has not exactly the fields it requires")));
        }
        Ok(())
    }
}

/// A named linear relation over named elements.
pub struct Statement {
    /// The name that is in the tag.
    pub name: &'static str,
    /// The witness, in order.
    pub scalars: &'static [&'static str],
    /// The equations, as SPEC.md section 5 writes them.
    pub equations: &'static [&'static str],
    /// The fields of its context.
    pub requires: Requires,
    parsed: OnceLock<Parsed>,
}

struct Parsed {
    elements: Vec<&'static str>,
    rows: Arc<[Equation]>,
}

/// One summand of an equation: its sign, its scalar if it has one, its element.
struct Term {
    sign: Scalar,
    scalar: Option<&'static str>,
    element: &'static str,
}

/// The summands of one side of an equation.
fn terms(side: &'static str) -> impl Iterator<Item = Term> {
    let mut sign = Scalar::ONE;
    side.split_whitespace().filter_map(move |word| match word {
        "+" => None,
        "-" => {
            sign = -Scalar::ONE;
            None
        }
        product => {
            let (scalar, element) = product.split_once('*').map_or((None, product), |(s, e)| (Some(s), e));
            Some(Term { sign: std::mem::replace(&mut sign, Scalar::ONE), scalar, element })
        }
    })
}

impl Parsed {
    /// Number the elements: G is 0, the others as they appear, left to right and top to bottom.
    fn of(scalars: &[&str], equations: &[&'static str]) -> Self {
        let mut elements = vec!["G"];
        let mut number = |name| {
            let known = elements.iter().position(|element| *element == name);
            known.unwrap_or_else(|| {
                elements.push(name);
                elements.len() - 1
            }) as u32
        };
        let scalar_number = |term: &Term| {
            let scalar = scalars.iter().position(|name| Some(*name) == term.scalar);
            scalar.expect("a term's scalar is one of the statement's") as u32
        };
        let rows = equations.iter().map(|equation| {
            let (left, right) = equation.split_once('=').expect("an equation has two sides");
            Equation {
                image: terms(left).map(|term| (number(term.element), term.sign)).collect(),
                terms: terms(right).map(|term| (scalar_number(&term), number(term.element), term.sign)).collect(),
            }
        });
        let rows = rows.collect();
        Self { elements, rows }
    }
}

impl Statement {
    const fn new(
        name: &'static str,
        scalars: &'static [&'static str],
        equations: &'static [&'static str],
        requires: Requires,
    ) -> Self {
        Self { name, scalars, equations, requires, parsed: OnceLock::new() }
    }

    /// The statement of this name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        ALL.into_iter().find(|statement| statement.name == name)
    }

    fn parsed(&self) -> &Parsed {
        self.parsed.get_or_init(|| Parsed::of(self.scalars, self.equations))
    }

    /// Names of the elements in order: G first, then as they appear, left to right and top to bottom.
    pub fn elements(&self) -> &[&'static str] {
        &self.parsed().elements
    }

    /// The equations with names replaced by indices.
    pub fn rows(&self) -> &Arc<[Equation]> {
        &self.parsed().rows
    }

    /// The relation over these named elements; G and H are the suite's.
    ///
    /// # Errors
    /// `Instance` when a name is missing, unknown or given twice.
    pub fn instance(&self, generators: &Generators, elements: &[(&str, Point)]) -> Result<LinearRelation> {
        let element = |name: &&str| match *name {
            "G" => Some(generators.g),
            "H" => Some(generators.h),
            name => elements.iter().find(|(given, _)| *given == name).map(|(_, point)| *point),
        };
        let values: Option<Vec<Point>> = self.elements().iter().map(element).collect();
        let own = self.elements().iter().filter(|name| !matches!(**name, "G" | "H")).count();
        match values {
            Some(values) if elements.len() == own => {
                Ok(LinearRelation { elements: values, equations: Arc::clone(self.rows()) })
            }
            _ => Err(Error::new(Code::Instance, format!("the statement {} is over {}", self.name, self.elements().join(", ")))),
        }
    }

    /// Check that the context names this statement and has exactly the fields that it requires.
    ///
    /// # Errors
    /// `Context`.
    pub fn check_context(&self, context: &Context) -> Result<()> {
        self.requires.check(self.name, context)
    }
}

/// A named aggregated range proof: every value, in order, is in [0, 2^bits).
pub struct RangeStatement {
    /// The name that is in the tag.
    pub name: &'static str,
    /// The values, as SPEC.md section 5 writes them.
    pub values: &'static [&'static str],
    /// Bits of each value.
    pub bits: u32,
    /// The fields of its context.
    pub requires: Requires,
}

impl RangeStatement {
    /// The range statement of this name.
    pub fn by_name(name: &str) -> Option<&'static Self> {
        ALL_RANGES.into_iter().find(|statement| statement.name == name)
    }

    /// Check that the context names this statement and has exactly the fields that it requires.
    ///
    /// # Errors
    /// `Context`.
    pub fn check_context(&self, context: &Context) -> Result<()> {
        self.requires.check(self.name, context)
    }
}

const OF_PAYLOAD: Requires =
    Requires { document: false, head: false, draw: false, currency: false, epoch: false, payload: true };
const OF_DOCUMENT: Requires = Requires { document: true, currency: true, epoch: true, ..OF_PAYLOAD };
const OF_DRAW: Requires = Requires { draw: true, ..OF_DOCUMENT };
const AT_HEAD: Requires = Requires { head: true, ..OF_DRAW };
const DOCUMENT_AT_HEAD: Requires = Requires { head: true, ..OF_DOCUMENT };

/// ZKP{(s): H = s·P}. Knowledge of a view key, shown when it is enrolled; payload: its holder.
pub static VIEW_KEY_POSSESSION: Statement = Statement::new("view-key-possession", &["s"], &["H = s*P"], OF_PAYLOAD);

/// ZKP{(k): K = k·G}. Knowledge of a signing key, shown when it is enrolled; payload: its holder.
pub static SIGNING_KEY_POSSESSION: Statement = Statement::new("signing-key-possession", &["k"], &["K = k*G"], OF_PAYLOAD);

/// A limit v readable by the document's owner and the regulator; A is the attester's signing key.
const LIMIT: &[&str] = &["C = v*G + r*H", "D_owner = r*P_owner", "D_regulator = r*P_regulator", "A = alpha*G"];
const LIMIT_SCALARS: &[&str] = &["v", "r", "alpha"];

/// A part p of a draw, readable by owner and regulator; K is the draw's own key.
const PART: &[&str] = &["C = p*G + r*H", "D_owner = r*P_owner", "D_regulator = r*P_regulator", "K = k*G"];

/// The attester registers a limit v readable by the document's owner and the regulator; A is the attester's signing key.
pub static REGISTER: Statement = Statement::new("register", LIMIT_SCALARS, LIMIT, OF_DOCUMENT);

/// 1 ≤ v ≤ 2⁴⁸ − 1.
pub static REGISTER_RANGE: RangeStatement =
    RangeStatement { name: "register-range", values: &["C - G", "(2**48 - 1)*G - C"], bits: 64, requires: OF_DOCUMENT };

/// The attester says what became of a document. The context's head is the document's revision.
pub static DOCUMENT_STATUS: Statement = Statement::new("document-status", &["alpha"], &["A = alpha*G"], DOCUMENT_AT_HEAD);

/// The attester replaces the limit by v. The context's head is the document's revision.
pub static AMEND: Statement = Statement::new("amend", LIMIT_SCALARS, LIMIT, DOCUMENT_AT_HEAD);

/// 1 ≤ v ≤ 2⁴⁸ − 1.
pub static AMEND_RANGE: RangeStatement =
    RangeStatement { name: "amend-range", values: &["C - G", "(2**48 - 1)*G - C"], bits: 64, requires: DOCUMENT_AT_HEAD };

/// The regulator shows that the residual is -m: R = -m·G + s·E_R by what a handle is. The context's head is the document's.
pub static OVERDRAWN: Statement =
    Statement::new("overdrawn", &["s", "m", "b"], &["H = s*P", "R = s*E_R - m*G", "C_over = m*G + b*H"], DOCUMENT_AT_HEAD);

/// 1 ≤ m.
pub static OVERDRAWN_RANGE: RangeStatement =
    RangeStatement { name: "overdrawn-range", values: &["C_over - G"], bits: 64, requires: DOCUMENT_AT_HEAD };

/// The owner applies for a draw under this key; payload: financing, draw key, expiry.
pub static APPLICATION: Statement = Statement::new("application", &["s"], &["H = s*P_owner"], OF_DOCUMENT);

/// The bank has the application; K is the draw's own key, which signs all that follows.
pub static APPLY: Statement = Statement::new("apply", &["k"], &["K = k*G"], OF_DRAW);

/// The bank decides about the application. The context's head is the application's.
pub static DECIDE: Statement = Statement::new("decide", &["k"], &["K = k*G"], AT_HEAD);

/// The attester vouches for what a document says, to whoever is shown it; payload: the digest of what it says.
pub static CREDENTIAL: Statement = Statement::new("credential", &["alpha"], &["A = alpha*G"], OF_DOCUMENT);

/// The bank commits to a draw of a, readable by owner and regulator; K is the draw's own key. The bank does not see the head.
pub static DRAW: Statement = Statement::new(
    "draw",
    &["a", "r", "k"],
    &["C = a*G + r*H", "D_owner = r*P_owner", "D_regulator = r*P_regulator", "K = k*G"],
    OF_DRAW,
);

/// The same when the owner consented beforehand to the amount committed in C_asked.
pub static CONSENTED_DRAW: Statement = Statement::new(
    "consented-draw",
    &["a", "r", "k", "d"],
    &["C = a*G + r*H", "D_owner = r*P_owner", "D_regulator = r*P_regulator", "K = k*G", "C - C_asked = d*H"],
    OF_DRAW,
);

/// The same when the draw takes over what is outstanding, O, on a draw of a deleted document.
pub static MOVED_DRAW: Statement = Statement::new(
    "moved-draw",
    &["a", "r", "k", "d"],
    &["C = a*G + r*H", "D_owner = r*P_owner", "D_regulator = r*P_regulator", "K = k*G", "C - O = d*H"],
    OF_DRAW,
);

/// The owner's consent beforehand; payload: application, draw key, C_asked, expiry.
pub static CONSENT: Statement = Statement::new("consent", &["s"], &["H = s*P_owner"], OF_DOCUMENT);

/// Whoever holds a reader's key shows what is left after the draw. R and E_R: the residual and the reader's handle of it;
/// C and E_C: the draw and the reader's handle of it; C_left: a fresh commitment to the headroom m that remains.
const HEADROOM: &[&str] = &["H = s*P", "R - C = m*G + s*E_R - s*E_C", "C_left = m*G + b*H"];

/// Headroom shown by the document's owner.
pub static HEADROOM_BY_OWNER: Statement = Statement::new("headroom-by-owner", &["s", "m", "b"], HEADROOM, AT_HEAD);

/// Headroom shown by the regulator.
pub static HEADROOM_BY_REGULATOR: Statement = Statement::new("headroom-by-regulator", &["s", "m", "b"], HEADROOM, AT_HEAD);

/// 1 ≤ a and 0 ≤ m, both below 2⁶⁴ (and so, with m + a at most the limit, below 2⁴⁸).
pub static HEADROOM_RANGE: RangeStatement =
    RangeStatement { name: "headroom-range", values: &["C - G", "C_left"], bits: 64, requires: AT_HEAD };

/// The holder of the draw's key pays out all that is reserved. The context's head is the draw's.
pub static DISBURSE: Statement = Statement::new("disburse", &["k"], &["K = k*G"], AT_HEAD);

/// The same when only part is paid out: the rest p is released.
pub static DISBURSE_PART: Statement = Statement::new("disburse-part", &["p", "r", "k"], PART, AT_HEAD);

/// 1 ≤ p and p < outstanding.
pub static DISBURSE_RANGE: RangeStatement =
    RangeStatement { name: "disburse-range", values: &["C - G", "O - C - G"], bits: 64, requires: AT_HEAD };

/// The holder of the draw's key reduces what is outstanding by p. The context's head is the draw's.
pub static REDUCE: Statement = Statement::new("reduce", &["p", "r", "k"], PART, AT_HEAD);

/// 1 ≤ p and p ≤ outstanding.
pub static REDUCE_RANGE: RangeStatement =
    RangeStatement { name: "reduce-range", values: &["C - G", "O - C"], bits: 64, requires: AT_HEAD };

/// The holder of the draw's key shows that nothing is outstanding. The context's head is the draw's.
pub static CLOSE: Statement = Statement::new("close", &["q", "k"], &["O = q*H", "K = k*G"], AT_HEAD);

/// A reader asks for the document's private state; payload: reader, nonce and time of the request.
pub static VIEW: Statement = Statement::new("view", &["s"], &["H = s*P"], OF_DOCUMENT);

/// All statements, in the order of SPEC.md section 5.
pub static ALL: [&Statement; 21] = [
    &VIEW_KEY_POSSESSION,
    &SIGNING_KEY_POSSESSION,
    &REGISTER,
    &DOCUMENT_STATUS,
    &AMEND,
    &OVERDRAWN,
    &CREDENTIAL,
    &APPLICATION,
    &APPLY,
    &DECIDE,
    &DRAW,
    &CONSENTED_DRAW,
    &MOVED_DRAW,
    &CONSENT,
    &HEADROOM_BY_OWNER,
    &HEADROOM_BY_REGULATOR,
    &DISBURSE,
    &DISBURSE_PART,
    &REDUCE,
    &CLOSE,
    &VIEW,
];

/// All range statements.
pub static ALL_RANGES: [&RangeStatement; 6] =
    [&REGISTER_RANGE, &AMEND_RANGE, &OVERDRAWN_RANGE, &HEADROOM_RANGE, &DISBURSE_RANGE, &REDUCE_RANGE];
