"""Forging provers. Each proves that -5 (or another value far out of range) is in range, and each needs one hole left open.

For every hole there is a verifier in which it is open, made by replacing the production transcript with one that forgets to
absorb something, or by choosing the weights of the equations too early. Must hold: the weakened verifier accepts the forgery
(so the test can fail), and the production verifier refuses the same bytes with RangeRejected. The holes are those of published
systems: challenges that do not cover the statement or a message ("Frozen Heart", CVE-2022-29566), weights drawn before the
responses, and a tau_x whose missing term let balances be searched.

Two holes are harmless alone: n and m are also fixed by the lengths of the proof and of the list of values, so no forgery is
known; and a w that does not cover t_x, tau_x, mu is still drawn after T1, T2 and x, which fix them, so that its forgery needs
early weights as well. They are closed all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest

from zkcore import engine
from zkcore.errors import BatchRejected, RangeRejected
from zkcore.group import ELEMENT_SIZE, SCALAR_SIZE, Element
from zkcore.randomness import SeededRandomness, SystemRandomness, random_scalar
from zkcore.secret.range_proof import prove_range
from zkcore.suite import Suite
from zkcore.transcript import LABEL_GENERATORS, DuplexSponge, derive_session_id, digest, frame
from zkcore.verifying.batch import RangeClaim, verify
from zkcore.verifying.equation import Equation
from zkcore.verifying.range_proof import RangeProof, RangeTranscript, delta, range_equations

SESSION = derive_session_id(b"TRADEVEIL-TEST-FORGERIES")
BITS = 8
FALSE = -5  # what the forgers commit to
SHOWN = 0  # what their bits say


@pytest.fixture(scope="session", params=engine.available())
def suite(request: pytest.FixtureRequest) -> Suite:
    return engine.load(request.param)


def commit(suite: Suite, value: int, blinding: int) -> Element:
    return suite.group.msm([value, blinding], [suite.G, suite.H])


def accept(suite: Suite, values: Sequence[Element], proof: bytes, session_id: bytes = SESSION) -> None:
    """Verify as the service does. Raises RangeRejected, and fails the test for any other outcome."""
    try:
        verify(suite, [RangeClaim("forgery", session_id, tuple(values), BITS, proof)])
    except BatchRejected as rejected:
        ((_, error),) = rejected.failures
        raise error from None


def refuse(suite: Suite, values: Sequence[Element], proof: bytes, session_id: bytes = SESSION) -> None:
    with pytest.raises(RangeRejected):
        accept(suite, values, proof, session_id)


def only_weakened_accepts(
    suite: Suite, monkeypatch: pytest.MonkeyPatch, transcript: type[RangeTranscript], values: Sequence[Element], proof: bytes
) -> None:
    with monkeypatch.context() as weakened:
        weakened.setattr(suite, "twin", None)  # Python's verifier can be weakened, an engine's own cannot
        weakened.setattr("zkcore.verifying.range_proof.RangeTranscript", transcript)
        accept(suite, values, proof)
    refuse(suite, values, proof)


class Forger:
    """A prover written as the paper has it, with every intermediate value in reach and no check of its own.

    Left alone it proves that each value is the one shown. Its steps are called in order; a forgery bends one of them.
    """

    def __init__(
        self,
        suite: Suite,
        transcript: RangeTranscript,
        blindings: Sequence[int],
        shown: Sequence[int],
        seed: bytes = b"forger",
    ) -> None:
        self.suite, self.group, self.order = suite, suite.group, suite.group.order
        self.transcript = transcript
        self.blindings, self.size = blindings, BITS * len(shown)
        stream = SeededRandomness(seed)
        self.alpha, self.rho, self.tau_1, self.tau_2 = (random_scalar(stream, self.group) for _ in range(4))
        self.s_l = [random_scalar(stream, self.group) for _ in range(self.size)]
        self.s_r = [random_scalar(stream, self.group) for _ in range(self.size)]
        self.a_l = [value >> place & 1 for value in shown for place in range(BITS)]
        self.a_r = [bit - 1 for bit in self.a_l]

    def commit_vectors(self, *, on_g: int = 0) -> None:
        vector_g, vector_h = self.suite.vectors(self.size)
        bases = [self.suite.H, *vector_g, *vector_h, self.suite.G]
        self.A = self.group.msm([self.alpha, *self.a_l, *self.a_r, on_g], bases)
        self.S = self.group.msm([self.rho, *self.s_l, *self.s_r, 0], bases)

    def draw_y_z(self) -> None:
        self.y, self.z = self.transcript.vectors(self.A, self.S)

    def multiply(self) -> None:
        """The coefficients of l(X), r(X) and of their product."""
        y_powers = [pow(self.y, i, self.order) for i in range(self.size)]
        places = [pow(self.z, 2 + i // BITS, self.order) << i % BITS for i in range(self.size)]
        self.l_0 = [bit - self.z for bit in self.a_l]
        self.r_0 = [y * (bit + self.z) + place for y, bit, place in zip(y_powers, self.a_r, places, strict=True)]
        self.r_1 = [y * mask for y, mask in zip(y_powers, self.s_r, strict=True)]
        self.t_1 = inner(self.l_0, self.r_1) + inner(self.s_l, self.r_0)
        self.t_2 = inner(self.s_l, self.r_1)

    def commit_product(self, *, bent: int = 0) -> None:
        self.T1 = commit(self.suite, self.t_1 + bent, self.tau_1)
        self.T2 = commit(self.suite, self.t_2, self.tau_2)

    def draw_x(self) -> None:
        self.x = self.transcript.polynomial(self.T1, self.T2)

    def evaluate(self, *, bent: int = 0, without_blindings: bool = False) -> None:
        """l(x), r(x), mu, tau_x and a t_x that is `bent` away from their inner product."""
        x = self.x
        self.l = [(constant + slope * x) % self.order for constant, slope in zip(self.l_0, self.s_l, strict=True)]
        self.r = [(constant + slope * x) % self.order for constant, slope in zip(self.r_0, self.r_1, strict=True)]
        weights = [pow(self.z, 2 + j, self.order) for j in range(len(self.blindings))]
        zeroth = 0 if without_blindings else inner(weights, self.blindings)
        self.t_x = (inner(self.l, self.r) + bent) % self.order
        self.tau_x = (zeroth + self.tau_1 * x + self.tau_2 * x * x) % self.order
        self.mu = (self.alpha + self.rho * x) % self.order

    def draw_w(self) -> None:
        self.w = self.transcript.evaluation(self.t_x, self.tau_x, self.mu)

    def fold(self, *, q: Element | None = None, on_first_left: int = 0) -> None:
        """The inner-product argument over w*q, whose first L carries `on_first_left` more of q than it should."""
        group, order, q = self.group, self.order, q or self.suite.G
        vector_g, vector_h = self.suite.vectors(self.size)
        gs, a, b = list(vector_g), self.l, self.r
        hs = [group.msm([pow(self.y, -i, order)], [element]) for i, element in enumerate(vector_h)]
        rounds: list[tuple[Element, Element]] = []
        self.us: list[int] = []
        while len(a) > 1:
            half = len(a) // 2
            cross = self.w * inner(a[:half], b[half:])
            left = group.msm([*a[:half], *b[half:], cross], [*gs[half:], *hs[:half], q])
            if not rounds:
                left = left + group.mul(on_first_left, q)
            cross = self.w * inner(a[half:], b[:half])
            right = group.msm([*a[half:], *b[:half], cross], [*gs[:half], *hs[half:], q])
            rounds.append((left, right))
            u = self.transcript.folding(left, right)
            self.us.append(u)
            inverse = pow(u, -1, order)
            a = [(u * low + inverse * high) % order for low, high in zip(a[:half], a[half:], strict=True)]
            b = [(inverse * low + u * high) % order for low, high in zip(b[:half], b[half:], strict=True)]
            gs = [group.msm([inverse, u], pair) for pair in zip(gs[:half], gs[half:], strict=True)]
            hs = [group.msm([u, inverse], pair) for pair in zip(hs[:half], hs[half:], strict=True)]
        self.rounds, self.a, self.b = tuple(rounds), a[0], b[0]

    def proof(self) -> bytes:
        scalars = self.t_x, self.tau_x, self.mu
        return RangeProof(self.A, self.S, self.T1, self.T2, *scalars, self.rounds, self.a, self.b).encode(self.group)

    def run_to_x(self) -> None:
        self.commit_vectors()
        self.draw_y_z()
        self.multiply()
        self.commit_product()
        self.draw_x()

    def run_from_x(self) -> bytes:
        self.evaluate()
        self.draw_w()
        self.fold()
        return self.proof()

    @property
    def gap(self) -> int:
        """By how much t(0) is too large for the first value committed: z**2 * (SHOWN - FALSE)."""
        return self.z * self.z * (SHOWN - FALSE)


def inner(left: Sequence[int], right: Sequence[int]) -> int:
    return sum(a * b for a, b in zip(left, right, strict=True))


def false_statement(suite: Suite) -> tuple[Element]:
    return (commit(suite, FALSE, 11),)


# --- without a hole there is no forgery -----------------------------------------------------------------------------------


def test_the_forger_proves_what_is_true(suite: Suite) -> None:
    values = (commit(suite, 77, 11), commit(suite, 255, 12))
    forger = Forger(suite, RangeTranscript(suite, SESSION, BITS, values), [11, 12], [77, 255])
    forger.run_to_x()
    accept(suite, values, forger.run_from_x())


@pytest.mark.parametrize("value", [FALSE, -1, 256, 1])
def test_the_forger_alone_proves_nothing_false(suite: Suite, value: int) -> None:
    values = (commit(suite, value, 11),)
    forger = Forger(suite, RangeTranscript(suite, SESSION, BITS, values), [11], [SHOWN])
    forger.run_to_x()
    refuse(suite, values, forger.run_from_x())


def test_a_value_with_a_component_on_another_base(suite: Suite) -> None:
    (vector_g, *_), (vector_h, *_) = suite.vectors(1)
    for base in (vector_g, vector_h):
        values = (commit(suite, SHOWN, 11) + base,)
        forger = Forger(suite, RangeTranscript(suite, SESSION, BITS, values), [11], [SHOWN])
        forger.run_to_x()
        refuse(suite, values, forger.run_from_x())


# --- challenges that do not cover the statement ---------------------------------------------------------------------------


class WithoutValues(RangeTranscript):
    def __init__(self, suite: Suite, session_id: bytes, bits: int, values: Sequence[Element]) -> None:
        super().__init__(suite, session_id, bits, [suite.G] * len(values))


def test_values_chosen_after_the_challenges(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only z**2*V_0 + z**3*V_1 is checked, so whoever knows z moves 5 from one value to 5/z on the other."""
    forger = Forger(suite, WithoutValues(suite, SESSION, BITS, [suite.G, suite.G]), [11, 12], [SHOWN, SHOWN])
    forger.run_to_x()
    proof = forger.run_from_x()
    balance = (SHOWN - FALSE) * pow(forger.z, -1, forger.order)
    values = (commit(suite, FALSE, 11), commit(suite, SHOWN + balance, 12))
    only_weakened_accepts(suite, monkeypatch, WithoutValues, values, proof)


class WithoutContext(RangeTranscript):
    def __init__(self, suite: Suite, session_id: bytes, bits: int, values: Sequence[Element]) -> None:
        super().__init__(suite, bytes(len(session_id)), bits, values)


def test_a_proof_moved_to_another_context(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    values = (commit(suite, 77, 11),)
    forger = Forger(suite, WithoutContext(suite, derive_session_id(b"elsewhere"), BITS, values), [11], [77])
    forger.run_to_x()
    only_weakened_accepts(suite, monkeypatch, WithoutContext, values, forger.run_from_x())

    elsewhere = prove_range(suite, derive_session_id(b"elsewhere"), [(77, 11)], BITS, SystemRandomness())
    refuse(suite, values, elsewhere)


class WithoutGenerators(RangeTranscript):
    def __init__(self, suite: Suite, session_id: bytes, bits: int, values: Sequence[Element]) -> None:
        super().__init__(OtherParameters(suite, suite.G, bytes(32)), session_id, bits, values)


class OtherParameters(Suite):
    """A suite with another G, and a digest that says so unless told otherwise: for a verifier that is sent its parameters."""

    def __init__(self, suite: Suite, g: Element, generators_digest: bytes | None = None) -> None:
        self.__dict__.update(suite.__dict__)
        self.G = g
        self.generators_digest = generators_digest or digest(LABEL_GENERATORS, [suite.generators_digest, g.encode()])


def test_generators_chosen_after_the_challenges(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """With t_x known, G' = k*G is solved from the first equation; V then commits to 1/k over G', far out of range."""
    values = (commit(suite, 1, 11),)
    forger = Forger(suite, WithoutGenerators(suite, SESSION, BITS, values), [11], [SHOWN])
    forger.run_to_x()
    forger.evaluate()
    order, x, z = forger.order, forger.x, forger.z
    known = z * z + x * forger.t_1 + x * x * forger.t_2
    k = known * pow(forger.t_x - delta(order, BITS, 1, forger.y, z), -1, order) % order
    assert pow(k, -1, order) >= 1 << BITS
    parameters = OtherParameters(suite, suite.group.mul(k, suite.G))
    forger.draw_w()
    forger.fold(q=parameters.G)

    only_weakened_accepts(parameters, monkeypatch, WithoutGenerators, values, forger.proof())
    refuse(suite, values, forger.proof())


class KnownLogarithm(Suite):
    """A suite whose H was made as h*G, by somebody who remembers h."""

    def __init__(self, suite: Suite, h: int) -> None:
        self.__dict__.update(suite.__dict__)
        self.H = suite.group.mul(h, suite.G)
        self.twin = self.group.twin(self)


def test_a_generator_made_from_a_known_scalar(suite: Suite) -> None:
    """v*G + b*H = v'*G + (b + (v - v')/h)*H: the commitment to -5 opens as 0, and an honest prover proves that in range."""
    order, h = suite.group.order, 0xC0FFEE
    known = KnownLogarithm(suite, h)
    values = (commit(known, FALSE, 11),)
    other = (11 + (FALSE - SHOWN) * pow(h, -1, order)) % order
    proof = prove_range(known, SESSION, [(SHOWN, other)], BITS, SystemRandomness())
    accept(known, values, proof)
    refuse(suite, values, proof)
    refuse(suite, (commit(suite, FALSE, 11),), prove_range(suite, SESSION, [(SHOWN, other)], BITS, SystemRandomness()))


class WithoutBits(RangeTranscript):
    def __init__(self, suite: Suite, session_id: bytes, bits: int, values: Sequence[Element]) -> None:
        super().__init__(suite, session_id, 0, values)


def test_the_values_are_covered_in_order(suite: Suite) -> None:
    a, b, c = (commit(suite, value, 11) for value in (1, 2, 3))
    statements = [[a, b], [b, a], [a, c], [a, a], [a], [a, b, b, b]]
    weak = {WithoutValues(suite, SESSION, BITS, values).vectors(c, c) for values in statements}
    strong = {RangeTranscript(suite, SESSION, BITS, values).vectors(c, c) for values in statements}
    assert len(weak) == 3  # it still absorbs how many values there are
    assert len(strong) == len(statements)


# --- challenges that do not cover a message -------------------------------------------------------------------------------


class WithoutVectors(RangeTranscript):
    def vectors(self, a: Element, s: Element) -> tuple[int, int]:
        return self._challenge(), self._challenge()


def test_bits_chosen_after_y_and_z(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """One "bit" of a_R is off by 5*z: -z * 5*z makes up for z**2 * 5."""
    values = false_statement(suite)
    forger = Forger(suite, WithoutVectors(suite, SESSION, BITS, values), [11], [SHOWN])
    forger.y, forger.z = forger.transcript.vectors(suite.G, suite.G)
    forger.a_r[0] += (SHOWN - FALSE) * forger.z
    forger.commit_vectors()
    forger.multiply()
    forger.commit_product()
    forger.draw_x()
    only_weakened_accepts(suite, monkeypatch, WithoutVectors, values, forger.run_from_x())


class WithoutPolynomial(RangeTranscript):
    def polynomial(self, t1: Element, t2: Element) -> int:
        return self._challenge()


def test_t1_chosen_after_x(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    values = false_statement(suite)
    forger = Forger(suite, WithoutPolynomial(suite, SESSION, BITS, values), [11], [SHOWN])
    forger.commit_vectors()
    forger.draw_y_z()
    forger.multiply()
    forger.x = forger.transcript.polynomial(suite.G, suite.G)
    forger.commit_product(bent=forger.gap * pow(forger.x, -1, forger.order))
    only_weakened_accepts(suite, monkeypatch, WithoutPolynomial, values, forger.run_from_x())


class WithFixedQ(RangeTranscript):
    """w is drawn from the statement alone, before anything that it should cover."""

    def __init__(self, suite: Suite, session_id: bytes, bits: int, values: Sequence[Element]) -> None:
        super().__init__(suite, session_id, bits, values)
        self.fixed = self._challenge()

    def evaluation(self, t_x: int, tau_x: int, mu: int) -> int:
        return self.fixed


def test_a_w_known_from_the_start(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """The first "bit" is -5, so <a_L, y o a_R> is 30 and not 0; A carries 30*w on G, and t_x is 30 less than <l, r>."""
    values = false_statement(suite)
    transcript = WithFixedQ(suite, SESSION, BITS, values)
    forger = Forger(suite, transcript, [11], [SHOWN])
    forger.a_l[0], forger.a_r[0] = FALSE, FALSE - 1
    excess = FALSE * (FALSE - 1)
    forger.commit_vectors(on_g=excess * transcript.fixed)
    forger.draw_y_z()
    forger.multiply()
    forger.commit_product()
    forger.draw_x()
    forger.evaluate(bent=-excess)
    forger.draw_w()
    forger.fold()
    only_weakened_accepts(suite, monkeypatch, WithFixedQ, values, forger.proof())


class WithEarlyU(RangeTranscript):
    """The u of every round is drawn together with w, before L and R."""

    def evaluation(self, t_x: int, tau_x: int, mu: int) -> int:
        w = super().evaluation(t_x, tau_x, mu)
        self.u = self._challenge()
        return w

    def folding(self, left: Element, right: Element) -> int:
        return self.u


def test_l_chosen_after_u(suite: Suite, monkeypatch: pytest.MonkeyPatch) -> None:
    """t_x is what the first equation wants; the first L takes the error off the second."""
    values = false_statement(suite)
    transcript = WithEarlyU(suite, SESSION, BITS, values)
    forger = Forger(suite, transcript, [11], [SHOWN])
    forger.run_to_x()
    forger.evaluate(bent=-forger.gap)
    forger.draw_w()
    error = -forger.gap * forger.w
    forger.fold(on_first_left=-error * pow(transcript.u, -2, forger.order))
    only_weakened_accepts(suite, monkeypatch, WithEarlyU, values, forger.proof())


# --- weights that are known too early -------------------------------------------------------------------------------------

Weights = Callable[[Sequence[bytes]], list[int]]
_FINAL = 2 * SCALAR_SIZE  # a and b
_TO_T2 = 1 + 4 * ELEMENT_SIZE  # scheme, A, S, T1, T2; then comes t_x


def constant(proofs: Sequence[bytes]) -> list[int]:
    return [1] * (2 * len(proofs))


def before_the_final_scalars(proofs: Sequence[bytes]) -> list[int]:
    return after_everything([proof[:-_FINAL] for proof in proofs])


def before_the_evaluation(proofs: Sequence[bytes]) -> list[int]:
    return after_everything([proof[:_TO_T2] for proof in proofs])


def after_everything(proofs: Sequence[bytes]) -> list[int]:
    """Two weights a proof, drawn after everything in `proofs` was absorbed."""
    sponge = DuplexSponge(derive_session_id(b"TRADEVEIL-TEST-WEIGHTS"))
    sponge.absorb(frame(proofs))
    return [int.from_bytes(sponge.squeeze(16), "little") for _ in range(2 * len(proofs))]


def weighted_sum(suite: Suite, statements: Sequence[Sequence[Element]], proofs: Sequence[bytes], weights: Weights) -> Element:
    """Every equation of the proofs, folded under these weights. A verifier accepts when it is the identity."""
    equations: list[Equation] = []
    for values, proof in zip(statements, proofs, strict=True):
        equations += range_equations(suite, SESSION, values, BITS, proof)
    vector_g, vector_h = suite.vectors(BITS)
    total = suite.group.identity()
    for weight, equation in zip(weights(proofs), equations, strict=True):
        scalars = [equation.g, equation.h, *equation.gs, *equation.hs, *(scalar for scalar, _ in equation.terms)]
        vectors = [*vector_g, *vector_h] if equation.gs else []
        elements = [suite.G, suite.H, *vectors, *(element for _, element in equation.terms)]
        total = total + suite.group.msm([weight * scalar for scalar in scalars], elements)
    return total


class WithoutEvaluation(RangeTranscript):
    def evaluation(self, t_x: int, tau_x: int, mu: int) -> int:
        return self._challenge()


@pytest.mark.parametrize("weights", [constant, before_the_evaluation])
def test_t_x_chosen_after_w_and_the_weights(suite: Suite, weights: Weights, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each equation alone fixes t_x; their sum under known weights does not. Either defence alone stops the forgery."""
    values = false_statement(suite)
    forger = Forger(suite, WithoutEvaluation(suite, SESSION, BITS, values), [11], [SHOWN])
    forger.run_to_x()
    forger.evaluate()
    forger.draw_w()
    forger.fold()
    first, second = weights([forger.proof()])
    forger.t_x -= first * forger.gap * pow(first + second * forger.w, -1, forger.order)
    forger.t_x %= forger.order
    proof = forger.proof()

    monkeypatch.setattr("zkcore.verifying.range_proof.RangeTranscript", WithoutEvaluation)
    assert weighted_sum(suite, [values], [proof], weights).is_identity
    assert not weighted_sum(suite, [values], [proof], after_everything).is_identity
    refuse(suite, values, proof)
    monkeypatch.undo()
    assert not weighted_sum(suite, [values], [proof], weights).is_identity
    refuse(suite, values, proof)


@pytest.mark.parametrize("weights", [constant, before_the_final_scalars])
def test_final_scalars_chosen_after_the_weights(suite: Suite, weights: Weights) -> None:
    """Nine proofs with the transcript of the real protocol, one of them of -5, whose errors add up to nothing.

    Changing a of proof k by d_k changes the weighted sum by -d_k*c_k*s_ki on G_i, i < 8, and by -d_k*c_k*w_k*b_k on G. Nine
    unknowns solve the nine equations that the changes vanish on every G_i and take away the error of the false value on G.
    """
    forgers, statements = [], []
    for index in range(BITS + 1):
        values = (commit(suite, SHOWN if index else FALSE, 11),)
        forger = Forger(suite, RangeTranscript(suite, SESSION, BITS, values), [11], [SHOWN], seed=bytes([index]))
        forger.run_to_x()
        forger.run_from_x()
        forgers.append(forger)
        statements.append(values)
    proofs = [forger.proof() for forger in forgers]
    known = weights(proofs)
    assert not weighted_sum(suite, statements, proofs, weights).is_identity

    order = suite.group.order
    scales = known[1::2]
    folded = [folded_weights(forger.us, order) for forger in forgers]
    rows = [[scale * s[i] for scale, s in zip(scales, folded, strict=True)] + [0] for i in range(BITS)]
    on_g = [scale * forger.w * forger.b for scale, forger in zip(scales, forgers, strict=True)]
    rows.append([*on_g, known[0] * forgers[0].gap])
    for forger, change in zip(forgers, solve(rows, order), strict=True):
        forger.a = (forger.a + change) % order
    forged = [forger.proof() for forger in forgers]

    assert weighted_sum(suite, statements, forged, weights).is_identity
    assert not weighted_sum(suite, statements, forged, after_everything).is_identity
    claims = [
        RangeClaim(str(index), SESSION, values, BITS, proof)
        for index, (values, proof) in enumerate(zip(statements, forged, strict=True))
    ]
    with pytest.raises(BatchRejected) as rejected:
        verify(suite, claims)
    assert [label for label, _ in rejected.value.failures] == [claim.label for claim in claims]
    assert {type(error) for _, error in rejected.value.failures} == {RangeRejected}


def folded_weights(us: Sequence[int], order: int) -> list[int]:
    """s_i: the product of every u, inverted where its bit of i (the first round has the highest) is 0."""
    weights = [1]
    for u in us:
        weights = [weight * factor % order for weight in weights for factor in (pow(u, -1, order), u)]
    return weights


def solve(rows: Sequence[Sequence[int]], order: int) -> list[int]:
    """The solution of linear equations modulo the order, each row its coefficients and then its right side."""
    matrix = [[entry % order for entry in row] for row in rows]
    for column in range(len(matrix)):
        pivot = next(index for index in range(column, len(matrix)) if matrix[index][column])
        matrix[column], matrix[pivot] = matrix[pivot], matrix[column]
        inverse = pow(matrix[column][column], -1, order)
        matrix[column] = [entry * inverse % order for entry in matrix[column]]
        for index, row in enumerate(matrix):
            if index != column:
                factor = row[column]
                matrix[index] = [(a - factor * b) % order for a, b in zip(row, matrix[column], strict=True)]
    return [row[-1] for row in matrix]


# --- every challenge covers everything before it --------------------------------------------------------------------------

# The first challenge that must depend on each part of the statement and of the prover's messages; so must all that follow.
_FIRST_CHALLENGE = {
    **dict.fromkeys(("context", "generators", "bits", "V", "A", "S"), "y"),
    **dict.fromkeys(("T1", "T2"), "x"),
    **dict.fromkeys(("t_x", "tau_x", "mu"), "w"),
    **dict.fromkeys(("L", "R"), "u"),
}


def challenges(suite: Suite, transcript: type[RangeTranscript], changed: str = "") -> dict[str, int]:
    """Every challenge, in order, of a transcript in which the part named `changed` is another than usual."""

    def element(name: str) -> Element:
        return suite.G if name == changed else suite.H

    def scalar(name: str) -> int:
        return 2 if name == changed else 1

    parameters = OtherParameters(suite, suite.G) if changed == "generators" else suite
    session_id = derive_session_id(b"elsewhere") if changed == "context" else SESSION
    run = transcript(parameters, session_id, 16 if changed == "bits" else 8, [element("V")])
    y, z = run.vectors(element("A"), element("S"))
    x = run.polynomial(element("T1"), element("T2"))
    w = run.evaluation(scalar("t_x"), scalar("tau_x"), scalar("mu"))
    return {"y": y, "z": z, "x": x, "w": w, "u": run.folding(element("L"), element("R"))}


@pytest.mark.parametrize(
    "transcript,uncovered",
    [
        (RangeTranscript, set()),
        (WithoutContext, {"context"}),
        (WithoutGenerators, {"generators"}),
        (WithoutBits, {"bits"}),
        (WithoutValues, {"V"}),
        (WithoutVectors, {"A", "S"}),
        (WithoutPolynomial, {"T1", "T2"}),
        (WithoutEvaluation, {"t_x", "tau_x", "mu"}),
        (WithFixedQ, {"A", "S", "T1", "T2", "t_x", "tau_x", "mu"}),
        (WithEarlyU, {"L", "R"}),
    ],
)
def test_what_is_not_covered(suite: Suite, transcript: type[RangeTranscript], uncovered: set[str]) -> None:
    """Nothing in the production transcript, and in each weakened one exactly the hole it is named after."""
    usual = challenges(suite, transcript)
    order = list(usual)
    found = set()
    for part, first in _FIRST_CHALLENGE.items():
        changed = challenges(suite, transcript, part)
        if any(changed[name] == usual[name] for name in order[order.index(first) :]):
            found.add(part)
    assert found == uncovered


# --- what a proof gives away ----------------------------------------------------------------------------------------------


def search(suite: Suite, values: Sequence[Element], proof: bytes) -> int | None:
    """The value, if (t_x - delta)*G + tau_x*H - x*T1 - x**2*T2 = z**2 * value*G, for some value of eight bits. All public."""
    parts = RangeProof.decode(suite, proof, BITS, 1)
    transcript = RangeTranscript(suite, SESSION, BITS, values)
    order = suite.group.order
    y, z = transcript.vectors(parts.A, parts.S)
    x = transcript.polynomial(parts.T1, parts.T2)
    scalars = [parts.t_x - delta(order, BITS, 1, y, z), parts.tau_x, -x, -x * x]
    weight = pow(z, -2, order)
    target = suite.group.msm([weight * scalar for scalar in scalars], [suite.G, suite.H, parts.T1, parts.T2])
    candidate = suite.group.identity()
    for value in range(1 << BITS):
        if candidate == target:
            return value
        candidate = candidate + suite.G
    return None


def test_tau_x_without_the_blindings_of_the_values(suite: Suite) -> None:
    """A prover that forgets the term of degree zero hands its value to whoever searches; the verifier refuses such a proof."""
    values = (commit(suite, 77, 11),)
    careless = Forger(suite, RangeTranscript(suite, SESSION, BITS, values), [11], [77])
    careless.run_to_x()
    careless.evaluate(without_blindings=True)
    careless.draw_w()
    careless.fold()
    assert search(suite, values, careless.proof()) == 77
    refuse(suite, values, careless.proof())

    proof = prove_range(suite, SESSION, [(77, 11)], BITS, SystemRandomness())
    accept(suite, values, proof)
    assert search(suite, values, proof) is None
