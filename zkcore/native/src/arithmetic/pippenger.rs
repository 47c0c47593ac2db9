//! Multi-scalar multiplication by buckets (Pippenger), for public data.
//!
//! Scalars are halved by the endomorphism and cut into signed windows. Of each window, points are sorted by digit; the points of
//! one digit (a *bucket*) are added up pairwise, level by level, in affine coordinates, thousands of additions sharing one
//! inversion; then Σ digit·bucket comes from suffix sums in complete projective coordinates. An adversary chooses the points:
//! equal ones, inverses and the identity are met by masks inside the same loops, so they cost no more than honest ones.

use std::ops::Range;

use k256::Scalar;

use super::endomorphism::{Half, beta, split};
use super::point::Point;
use crate::lanes::curve::{Projective, invert, point_of_lane};
use crate::lanes::{Kernel, Lanes, Limbs, Mask, ONE, Portable, ZERO, dispatch};

/// Additions that share one inversion: enough that it does not show, few enough that what they wait with stays in the cache.
const BATCH: usize = 2048;
/// Sorted entries handled together; small sums take all their windows at once, so that additions still come in thousands.
const GROUP: usize = 1 << 16;
/// Suffix sums of a window run in so many parts, when it has buckets enough.
const PARTS: usize = 8;
/// Cost of putting a bucket into the suffix sums over cost of an addition to a bucket (measured).
const BUCKET_COST: usize = 3;

/// Σ scalars[i]·points[i] on up to `threads` cores.
pub(super) fn msm(scalars: &[Scalar], points: &[Point], threads: usize) -> Point {
    let terms = dispatch(Expand { scalars, points });
    if terms.rows.is_empty() {
        return Point::IDENTITY;
    }
    let plan = Plan::for_size(terms.rows.len());
    let groups: Vec<Range<usize>> = plan.groups(terms.rows.len(), threads).collect();
    let sums = |groups: &[Range<usize>]| dispatch(WindowSums { terms: &terms, plan, groups });
    let share = groups.len().div_ceil(threads.max(1));
    let windows = if share == groups.len() {
        sums(&groups)
    } else {
        std::thread::scope(|scope| {
            let sums = &sums;
            let workers: Vec<_> = groups.chunks(share).map(|part| scope.spawn(move || sums(part))).collect();
            workers.into_iter().flat_map(|worker| worker.join().expect("a sum does not panic")).collect()
        })
    };
    Portable.run(Horner { width: plan.width, windows })
}

/// How scalars are cut: windows of `width` bits with digits from −2^(width−1) to 2^(width−1) − 1.
#[derive(Clone, Copy)]
pub(super) struct Plan {
    pub width: usize,
    pub windows: usize,
    /// Whether a digit has one bucket in all windows, because each window has points of its own.
    shared: bool,
}

impl Plan {
    /// The width that costs least for so many half-length terms.
    pub fn for_size(rows: usize) -> Self {
        Self::cheapest(rows, false)
    }

    /// The same where there are multiples of every point, a row for each window.
    pub fn with_multiples(rows: usize) -> Self {
        Self::cheapest(rows, true)
    }

    fn cheapest(rows: usize, shared: bool) -> Self {
        let plans = (2..=15).map(|width| Self { width, windows: Self::windows_of(width), shared });
        plans.min_by_key(|plan| plan.cost(rows)).expect("a range of widths")
    }

    /// In additions to buckets.
    pub fn cost(self, rows: usize) -> usize {
        let sets = if self.shared { 1 } else { self.windows };
        self.windows * rows + sets * BUCKET_COST * self.buckets()
    }

    /// At least two bits more than the 128 of a half: signed digits reach to just below half of what plain ones do.
    fn windows_of(width: usize) -> usize {
        129 / width + 1
    }

    fn buckets(self) -> usize {
        1 << (self.width - 1)
    }

    /// How many more buckets, and rows, there are for each window.
    fn strides(self, rows: usize) -> (usize, usize) {
        if self.shared { (0, rows) } else { (self.buckets(), 0) }
    }

    /// Ranges of windows to be handled together, the lowest first.
    fn groups(self, rows: usize, threads: usize) -> impl Iterator<Item = Range<usize>> {
        let size = (GROUP / rows).clamp(1, self.windows.div_ceil(threads.max(1)));
        (0..self.windows).step_by(size).map(move |start| start..(start + size).min(self.windows))
    }

    /// What is added to a magnitude so that plain digits, less 2^(width−1) each, become its signed digits.
    fn bias(self) -> [u64; 3] {
        let mut bias = [0u64; 3];
        for window in 0..self.windows {
            let bit = window * self.width + self.width - 1;
            bias[bit / 64] |= 1 << (bit % 64);
        }
        bias
    }
}

/// Σ halves[i]·rows[i], where rows has as many points for each window as there are halves: 2^(width·window) times its first.
pub(super) fn msm_of_multiples(halves: &[Half], rows: &[Point], plan: Plan) -> Point {
    let windows = dispatch(SumOfMultiples { halves, rows, plan });
    Portable.run(Horner { width: plan.width, windows })
}

struct SumOfMultiples<'a> {
    halves: &'a [Half],
    rows: &'a [Point],
    plan: Plan,
}

impl Kernel for SumOfMultiples<'_> {
    type Output = Vec<[Limbs; 3]>;

    /// Every window's points go to the same buckets, so there is one sum to be had from these.
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Vec<[Limbs; 3]> {
        let sorted = Sorted::new(self.halves, self.plan, 0..self.plan.windows);
        let mut buckets = Buckets { places: Vec::new(), sums: Vec::new() };
        buckets.add_up(l, &sorted, self.rows, &mut Adder::new(l));
        suffix_sums(l, self.plan, &buckets, 1)
    }
}

/// The half-length terms: points, and magnitudes with their sign.
struct Terms {
    rows: Vec<Point>,
    halves: Vec<Half>,
}

struct Expand<'a> {
    scalars: &'a [Scalar],
    points: &'a [Point],
}

impl Kernel for Expand<'_> {
    type Output = Terms;

    /// Split every scalar, and take λ·P as a point of its own. Zero scalars and the identity are left out.
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Terms {
        let mut terms = Terms { rows: Vec::with_capacity(2 * self.points.len()), halves: Vec::new() };
        let mut turned: Vec<Point> = Vec::with_capacity(self.points.len());
        let mut turned_halves = Vec::with_capacity(self.points.len());
        for (scalar, point) in self.scalars.iter().zip(self.points) {
            if point.is_identity() {
                continue;
            }
            let [first, second] = split(scalar);
            if first.magnitude != 0 {
                terms.rows.push(*point);
                terms.halves.push(first);
            }
            if second.magnitude != 0 {
                turned.push(*point);
                turned_halves.push(second);
            }
        }
        let whole = turned.len();
        turned.resize(whole.next_multiple_of(L::WIDTH), Point::IDENTITY);
        let beta = l.splat(beta());
        let mut indices = [0u32; 8];
        for start in (0..turned.len()).step_by(L::WIDTH) {
            for (lane, index) in indices[..L::WIDTH].iter_mut().enumerate() {
                *index = (start + lane) as u32;
            }
            let (x, y) = l.load(&turned, &indices[..L::WIDTH]);
            l.store(l.mul(x, beta), y, &mut turned, &indices[..L::WIDTH]);
        }
        turned.truncate(whole);
        terms.rows.append(&mut turned);
        terms.halves.append(&mut turned_halves);
        terms
    }
}

struct WindowSums<'a> {
    terms: &'a Terms,
    plan: Plan,
    groups: &'a [Range<usize>],
}

impl Kernel for WindowSums<'_> {
    type Output = Vec<[Limbs; 3]>;

    /// Σ digit·point of each window of the groups.
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Vec<[Limbs; 3]> {
        let mut adder = Adder::new(l);
        let mut buckets = Buckets { places: Vec::new(), sums: Vec::new() };
        let mut windows = Vec::new();
        for group in self.groups {
            let sorted = Sorted::new(&self.terms.halves, self.plan, group.clone());
            buckets.add_up(l, &sorted, &self.terms.rows, &mut adder);
            windows.append(&mut suffix_sums(l, self.plan, &buckets, group.len()));
        }
        windows
    }
}

/// The points of a group of windows, sorted by window and digit.
struct Sorted {
    /// Where the entries of each bucket begin, and one more for the end of the last.
    starts: Vec<u32>,
    /// Row of the point times two, plus one if it is to be subtracted.
    entries: Vec<u32>,
}

impl Sorted {
    /// A counting sort. Digit 0 is left out; bucket b of a window has the points of digits b + 1 and −(b + 1).
    fn new(halves: &[Half], plan: Plan, group: Range<usize>) -> Self {
        let digits = Digits { plan, bias: plan.bias() };
        let (more_buckets, more_rows) = plan.strides(halves.len());
        let mut starts = vec![0u32; (group.len() - 1) * more_buckets + plan.buckets() + 1];
        for half in halves {
            digits.each(half, &group, |window, digit, _| starts[window * more_buckets + digit + 1] += 1);
        }
        for i in 1..starts.len() {
            starts[i] += starts[i - 1];
        }
        let mut next = starts.clone();
        let mut entries = vec![0u32; starts[starts.len() - 1] as usize];
        for (number, half) in halves.iter().enumerate() {
            digits.each(half, &group, |window, digit, negative| {
                let (bucket, row) = (window * more_buckets + digit, window * more_rows + number);
                entries[next[bucket] as usize] = (row as u32) << 1 | u32::from(negative);
                next[bucket] += 1;
            });
        }
        Self { starts, entries }
    }
}

/// Signed digits of halves.
struct Digits {
    plan: Plan,
    bias: [u64; 3],
}

impl Digits {
    /// Calls `found(window of the group, magnitude − 1, negative)` for each digit of the group's windows that is not zero.
    #[inline(always)]
    fn each(&self, half: &Half, group: &Range<usize>, mut found: impl FnMut(usize, usize, bool)) {
        let (width, middle) = (self.plan.width, self.plan.buckets());
        let (low, carry) = (half.magnitude as u64).overflowing_add(self.bias[0]);
        let high = (half.magnitude >> 64) + u128::from(self.bias[1]) + u128::from(carry);
        let words = [low, high as u64, self.bias[2] + (high >> 64) as u64, 0];
        for (index, window) in group.clone().enumerate() {
            let bit = window * width;
            let pair = u128::from(words[bit / 64]) | u128::from(words[bit / 64 + 1]) << 64;
            let digit = (pair >> (bit % 64)) as isize & ((1 << width) - 1);
            let digit = digit - middle as isize;
            if digit != 0 {
                found(index, digit.unsigned_abs() - 1, (digit < 0) != half.negative);
            }
        }
    }
}

/// Additions that wait for their common inversion.
struct Adder<L: Lanes> {
    left: Vec<u32>,
    right: Vec<u32>,
    out: Vec<u32>,
    /// As many as a batch has vectors; only those of the additions pushed are in use.
    waiting: Vec<Waiting<L>>,
    /// Whether a sum may be the identity: never at first, since neither rows nor their negatives are.
    identities: bool,
}

/// An addition (x₁, y₁) + (x₂, y₂) with slope `numerator`/`denominator`, and the product of the denominators before it.
#[derive(Clone, Copy)]
struct Waiting<L: Lanes> {
    x_1: L::Field,
    y_1: L::Field,
    x_2: L::Field,
    numerator: L::Field,
    denominator: L::Field,
    before: L::Field,
}

/// Points are fetched from memory so many vectors before they are needed.
const AHEAD: usize = 6;
/// So many running products, since one alone would wait for each multiplication to end.
const CHAINS: usize = 4;

impl<L: Lanes> Adder<L> {
    #[inline(always)]
    fn new(l: L) -> Self {
        let list = || Vec::with_capacity(BATCH);
        let zero = l.splat(ZERO);
        let idle = Waiting { x_1: zero, y_1: zero, x_2: zero, numerator: zero, denominator: zero, before: zero };
        Self { left: list(), right: list(), out: list(), waiting: vec![idle; BATCH / L::WIDTH], identities: false }
    }

    #[inline(always)]
    fn push(&mut self, left: u32, right: u32, out: u32) {
        self.left.push(left);
        self.right.push(right);
        self.out.push(out);
    }

    #[inline(always)]
    fn is_full(&self) -> bool {
        self.left.len() == BATCH
    }

    /// Repeat the last addition until the vectors of all chains are full: everything is read before anything is written.
    #[inline(always)]
    fn pad(&mut self) {
        while !self.left.len().is_multiple_of(CHAINS * L::WIDTH) {
            let last = self.left.len() - 1;
            self.push(self.left[last], self.right[last], self.out[last]);
        }
    }

    /// sums[out] = ±rows[left] ± rows[right], where left and right are entries of a [`Sorted`].
    #[inline(always)]
    fn add_signed(&mut self, l: L, rows: &[Point], sums: &mut [Point]) {
        self.pad();
        let mut products = [l.splat(ONE); CHAINS];
        for (number, start) in (0..self.left.len()).step_by(L::WIDTH).enumerate() {
            let ahead = self.left.len().min(start + AHEAD * L::WIDTH)..self.left.len().min(start + (AHEAD + 1) * L::WIDTH);
            for entry in self.left[ahead.clone()].iter().chain(&self.right[ahead]) {
                l.prefetch(rows, (entry >> 1) as usize);
            }
            let first = load_signed(l, rows, &self.left[start..start + L::WIDTH]);
            let second = load_signed(l, rows, &self.right[start..start + L::WIDTH]);
            self.wait(l, number, first, second, false, &mut products[number % CHAINS]);
        }
        self.finish(l, products, sums);
    }

    /// sums[out] = sums[left] + sums[right].
    #[inline(always)]
    fn add(&mut self, l: L, sums: &mut [Point]) {
        self.pad();
        let mut products = [l.splat(ONE); CHAINS];
        for (number, start) in (0..self.left.len()).step_by(L::WIDTH).enumerate() {
            let first = l.load(sums, &self.left[start..start + L::WIDTH]);
            let second = l.load(sums, &self.right[start..start + L::WIDTH]);
            self.wait(l, number, first, second, self.identities, &mut products[number % CHAINS]);
        }
        self.finish(l, products, sums);
    }

    #[inline(always)]
    fn wait(
        &mut self,
        l: L,
        number: usize,
        (x_1, y_1): (L::Field, L::Field),
        (x_2, y_2): (L::Field, L::Field),
        identities: bool,
        product: &mut L::Field,
    ) {
        let (numerator, denominator) = (l.sub(y_2, y_1), l.sub(x_2, x_1));
        let waiting = &mut self.waiting[number];
        *waiting = Waiting { x_1, y_1, x_2, numerator, denominator, before: *product };
        if identities || l.may_be_zero(denominator) {
            self.identities |= waiting.settle(l, y_2, identities);
        }
        *product = l.mul(*product, waiting.denominator);
    }

    /// Invert the product of all denominators, and unwind it addition by addition, the last first.
    #[inline(always)]
    fn finish(&mut self, l: L, products: [L::Field; CHAINS], sums: &mut [Point]) {
        let (first, last) = (l.mul(products[0], products[1]), l.mul(products[2], products[3]));
        let inverse = invert(l, l.mul(first, last));
        let (of_first, of_last) = (l.mul(inverse, last), l.mul(inverse, first));
        let mut inverses = [
            l.mul(of_first, products[1]),
            l.mul(of_first, products[0]),
            l.mul(of_last, products[3]),
            l.mul(of_last, products[2]),
        ];
        let mut end = self.left.len() / L::WIDTH;
        while end > 0 {
            end -= CHAINS;
            // Side by side and not one after the other: each step waits for the one before it.
            let w: &[Waiting<L>; CHAINS] = self.waiting[end..].first_chunk().expect("a multiple of the chains");
            let mut slopes = inverses;
            for k in 0..CHAINS {
                slopes[k] = l.mul(inverses[k], w[k].before);
            }
            for k in 0..CHAINS {
                inverses[k] = l.mul(inverses[k], w[k].denominator);
            }
            for k in 0..CHAINS {
                slopes[k] = l.mul(w[k].numerator, slopes[k]);
            }
            let mut xs = slopes;
            for k in 0..CHAINS {
                xs[k] = l.sub_both(l.square(slopes[k]), w[k].x_1, w[k].x_2);
            }
            for k in 0..CHAINS {
                let y = l.sub(l.mul(slopes[k], l.sub(w[k].x_1, xs[k])), w[k].y_1);
                l.store(xs[k], y, sums, &self.out[(end + k) * L::WIDTH..(end + k + 1) * L::WIDTH]);
            }
        }
        self.left.clear();
        self.right.clear();
        self.out.clear();
    }
}

/// The points of these entries: rows, or their negatives with a loose y.
#[inline(always)]
fn load_signed<L: Lanes>(l: L, rows: &[Point], entries: &[u32]) -> (L::Field, L::Field) {
    let (mut indices, mut negative) = ([0u32; 8], 0 as Mask);
    for (lane, entry) in entries.iter().enumerate() {
        indices[lane] = entry >> 1;
        negative |= ((entry & 1) as Mask) << lane;
    }
    let (x, y) = l.load(rows, &indices[..L::WIDTH]);
    (x, l.negate_if(negative, y))
}

impl<L: Lanes> Waiting<L> {
    /// Change the lanes in which the chord has no slope: equal points take the tangent; the identity and inverse points are put
    /// as 0 − x₁ − x₂ and 0 − y₁ of what the sum is. Returns whether a sum became the identity.
    ///
    /// `identities`: the points are reduced, and may be the identity.
    #[inline(always)]
    fn settle(&mut self, l: L, y_2: L::Field, identities: bool) -> bool {
        let (zero, one) = (l.splat(ZERO), l.splat(ONE));
        let (first, second) = if identities { (l.is_zero(self.y_1), l.is_zero(y_2)) } else { (0, 0) };
        let vertical = l.is_zero(self.denominator) & !first & !second;
        let tangent = vertical & l.is_zero(self.numerator);
        let opposite = vertical & !tangent;

        let square = l.square(self.x_1);
        self.numerator = l.select(tangent, l.small(square, 3), self.numerator);
        self.denominator = l.select(tangent, l.add(self.y_1, self.y_1), self.denominator);

        let known = first | second | opposite;
        let (x, y) = (l.select(first, self.x_2, self.x_1), l.select(first, y_2, self.y_1));
        self.x_2 = l.select(known, l.select(opposite, zero, l.sub(zero, x)), self.x_2);
        self.y_1 = l.select(known, l.select(opposite, zero, l.sub(zero, y)), self.y_1);
        self.x_1 = l.select(known, zero, self.x_1);
        self.numerator = l.select(known, zero, self.numerator);
        self.denominator = l.select(known, one, self.denominator);
        opposite != 0
    }
}

/// The sum of each bucket: `sums[places[bucket]]`, or nothing where the next place is the same. `sums[0]` is the identity.
struct Buckets {
    places: Vec<u32>,
    sums: Vec<Point>,
}

impl Buckets {
    /// The index of a bucket's sum, or of the identity.
    #[inline(always)]
    fn index(&self, bucket: usize) -> u32 {
        let place = self.places[bucket];
        if place == self.places[bucket + 1] { 0 } else { place }
    }

    /// Add up every bucket: first entries by twos, then what comes of them, in place.
    #[inline(always)]
    fn add_up<L: Lanes>(&mut self, l: L, sorted: &Sorted, rows: &[Point], adder: &mut Adder<L>) {
        let longest = self.make_places(&sorted.starts);
        let Self { places, sums } = self;
        for (bucket, bounds) in sorted.starts.windows(2).enumerate() {
            let (pairs, rest) = sorted.entries[bounds[0] as usize..bounds[1] as usize].as_chunks::<2>();
            for (place, &[left, right]) in (places[bucket]..).zip(pairs) {
                adder.push(left, right, place);
                if adder.is_full() {
                    adder.add_signed(l, rows, sums);
                }
            }
            if let [last] = rest {
                sums[places[bucket] as usize + pairs.len()] = rows[(last >> 1) as usize].negated_if(last & 1 == 1);
            }
        }
        adder.add_signed(l, rows, sums);
        let mut stride = 1;
        while stride < longest {
            for bounds in places.windows(2) {
                let mut left = bounds[0];
                while left + stride < bounds[1] {
                    adder.push(left, left + stride, left);
                    if adder.is_full() {
                        adder.add(l, sums);
                    }
                    left += 2 * stride;
                }
            }
            adder.add(l, sums);
            stride *= 2;
        }
        adder.identities = false;
    }

    /// Places for the sums of each bucket's entries by twos. Returns the longest bucket's number of them.
    fn make_places(&mut self, starts: &[u32]) -> u32 {
        let (mut place, mut longest) = (1, 0);
        self.places.clear();
        self.places.push(place);
        for bounds in starts.windows(2) {
            let count = (bounds[1] - bounds[0]).div_ceil(2);
            place += count;
            longest = longest.max(count);
            self.places.push(place);
        }
        if self.sums.len() < place as usize {
            self.sums.resize(place as usize, Point::IDENTITY);
        }
        longest
    }
}

/// Σ (b + 1)·bucket[b] for each of `windows` windows. Lanes are windows, or parts of windows that have buckets enough.
#[inline(always)]
fn suffix_sums<L: Lanes>(l: L, plan: Plan, buckets: &Buckets, windows: usize) -> Vec<[Limbs; 3]> {
    let parts = if plan.buckets() >= 16 * PARTS { PARTS } else { 1 };
    let (length, chains) = (plan.buckets() / parts, windows * parts);
    let mut suffixes = vec![[ZERO; 3]; chains];
    let mut weighted = vec![[ZERO; 3]; chains];
    let mut indices = [0u32; 8];
    for start in (0..chains).step_by(L::WIDTH) {
        let (mut suffix, mut total) = (Projective::identity(l), Projective::identity(l));
        for step in (0..length).rev() {
            for (lane, index) in indices[..L::WIDTH].iter_mut().enumerate() {
                let chain = (start + lane).min(chains - 1);
                *index = buckets.index(chain * length + step);
            }
            let (x, y) = l.load(&buckets.sums, &indices[..L::WIDTH]);
            suffix = Projective::select(l, l.is_zero(y), suffix, Projective::add_affine(l, suffix, (x, y)));
            total = Projective::add(l, total, suffix);
        }
        for lane in 0..L::WIDTH.min(chains - start) {
            suffixes[start + lane] = suffix.lane(l, lane);
            weighted[start + lane] = total.lane(l, lane);
        }
    }
    if parts == 1 { weighted } else { Portable.run(JoinParts { parts, length, suffixes, weighted }) }
}

struct JoinParts {
    parts: usize,
    length: usize,
    suffixes: Vec<[Limbs; 3]>,
    weighted: Vec<[Limbs; 3]>,
}

impl Kernel for JoinParts {
    type Output = Vec<[Limbs; 3]>;

    /// Σ weighted + length·Σ part·suffix, over the parts of each window.
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Vec<[Limbs; 3]> {
        let join = |window: usize| {
            let range = window * self.parts..(window + 1) * self.parts;
            let (mut running, mut offset) = (Projective::identity(l), Projective::identity(l));
            for &suffix in self.suffixes[range.clone()][1..].iter().rev() {
                running = Projective::add(l, running, Projective::splat(l, suffix));
                offset = Projective::add(l, offset, running);
            }
            for _ in 0..self.length.trailing_zeros() {
                offset = Projective::double(l, offset);
            }
            let sum =
                self.weighted[range].iter().fold(offset, |sum, &part| Projective::add(l, sum, Projective::splat(l, part)));
            sum.lane(l, 0)
        };
        (0..self.suffixes.len() / self.parts).map(join).collect()
    }
}

struct Horner {
    width: usize,
    windows: Vec<[Limbs; 3]>,
}

impl Kernel for Horner {
    type Output = Point;

    /// Σ 2^(width·i)·windows[i].
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Point {
        let mut total = Projective::identity(l);
        for &window in self.windows.iter().rev() {
            for _ in 0..self.width {
                total = Projective::double(l, total);
            }
            total = Projective::add(l, total, Projective::splat(l, window));
        }
        point_of_lane(l, total.to_affine(l), 0)
    }
}
