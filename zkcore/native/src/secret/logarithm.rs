//! Bounded discrete logarithms: the amount a of a·G, for a reader whose memo does not tell it.
//!
//! Baby-step giant-step (Shanks 1971) with the sign of a baby step for free: a table of 2^bits multiples j·G, and giant steps of
//! 2·2^bits + 1 between which an amount is searched as i·stride ± j. Keys are truncated, so a match is only believed once the
//! amount has been multiplied out. Every loop is bounded by the bound that the caller gives: a value outside of it is an error.
//!
//! What is searched is secret, since from a·G anybody finds a, and the time that it takes tells roughly how large a is: this is
//! work for the reader's own machine (SPEC.md, section 15). The table itself is public.

use std::sync::OnceLock;

use k256::{ProjectivePoint, Scalar};
use zeroize::Zeroize;

use crate::arithmetic::Point;
use crate::lanes::curve::invert;
use crate::lanes::{Kernel, Lanes, ONE, ZERO, dispatch};
use crate::transcript::{DuplexSponge, derive_session_id};
use crate::{Code, Error, Result};

/// The smallest table and the largest: 16 multiples, and 2^26 in a gigabyte.
pub const BITS: std::ops::RangeInclusive<u32> = 4..=26;

const SLOTS: usize = 16;
/// Slots over entries: half full, so that a line seldom overflows into the next.
const ROOM: usize = 2;
/// Additions that share one inversion.
const BLOCK: usize = 2048;
/// The filter is fetched so many vectors before it is looked at.
const AHEAD: usize = 4;
/// Bits of the filter over entries: it lets one in so many keys through that the table does not have.
const SPARSE: usize = 16;
const MAGIC: &[u8; 24] = b"tradeveil logarithms 1\r\n";
const HEADER: usize = MAGIC.len() + 8;
const CHECKSUM: usize = 32;
const SAMPLES: usize = 64;

/// Tags of 16 entries, as many as a line of the processor's cache holds; 0 where there is none. A line is filled from the front.
#[derive(Clone, Copy)]
#[repr(C, align(64))]
struct Line([u32; SLOTS]);

/// Multiples 1 to 2^bits of G, found by their x coordinates.
pub struct Table {
    bits: u32,
    /// A bit for the beginning of each key, small enough for the processor's cache: most keys are in no line, and end here.
    filter: Vec<u64>,
    lines: Vec<Line>,
    /// The multiple of each slot.
    multiples: Vec<[u32; SLOTS]>,
    /// The first BLOCK multiples of the stride, computed when a search first needs them.
    jumps: OnceLock<Vec<Point>>,
}

/// Where an x coordinate is looked for: the number of its line, to be reduced, and its tag.
#[inline(always)]
fn key(x: &[u64; 4]) -> (usize, u32) {
    (x[0] as usize, (x[1] as u32).max(1))
}

impl Table {
    /// The table of 2^bits multiples.
    ///
    /// # Errors
    /// `Opening` for a size outside [`BITS`].
    pub fn new(bits: u32) -> Result<Self> {
        let mut table = Self::empty(bits)?;
        let count = 1usize << bits;
        let first: Vec<ProjectivePoint> =
            std::iter::successors(Some(ProjectivePoint::GENERATOR), |point| Some(*point + ProjectivePoint::GENERATOR))
                .take(count.min(2 * BLOCK))
                .collect();
        let mut points = Point::from_projectives(&first);
        for (index, point) in points.iter().enumerate() {
            table.insert(point, index as u32 + 1);
        }
        if count > points.len() {
            // From the second block on no multiple meets the step itself, nor its inverse.
            let step = points[BLOCK - 1];
            let mut block = points.split_off(BLOCK);
            for start in (2 * BLOCK..count).step_by(BLOCK) {
                dispatch(Shift { points: &mut block, step });
                for (index, point) in block.iter().enumerate() {
                    table.insert(point, (start + index) as u32 + 1);
                }
            }
        }
        Ok(table)
    }

    fn empty(bits: u32) -> Result<Self> {
        if !BITS.contains(&bits) {
            let message = format!("a table of logarithms has 2**{} to 2**{} entries", BITS.start(), BITS.end());
            return Err(Error::new(Code::Opening, message));
        }
        let lines = (ROOM << bits).div_ceil(SLOTS);
        let filter = vec![0; (SPARSE << bits) / 64];
        Ok(Self {
            bits,
            filter,
            lines: vec![Line([0; SLOTS]); lines],
            multiples: vec![[0; SLOTS]; lines],
            jumps: OnceLock::new(),
        })
    }

    /// What lies between two giant steps: those around which one multiple or another is in the table.
    fn stride(&self) -> u64 {
        (2 << self.bits) + 1
    }

    fn jumps(&self) -> &[Point] {
        self.jumps.get_or_init(|| {
            let jump = ProjectivePoint::GENERATOR * Scalar::from(self.stride());
            let jumps: Vec<_> = std::iter::successors(Some(jump), |sum| Some(*sum + jump)).take(BLOCK).collect();
            Point::from_projectives(&jumps)
        })
    }

    /// How many multiples it holds, as a power of two.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Word and bit of the filter.
    #[inline(always)]
    fn place(&self, (line, tag): (usize, u32)) -> (usize, u64) {
        let bits = (line << 7 | tag as usize & 127) & (64 * self.filter.len() - 1);
        (bits / 64, 1 << (bits % 64))
    }

    fn insert(&mut self, point: &Point, multiple: u32) {
        let (word, bit) = self.place(key(&point.x));
        self.filter[word] |= bit;
        let (mut line, tag) = key(&point.x);
        loop {
            line &= self.lines.len() - 1;
            let free = self.lines[line].0.iter().position(|&tag| tag == 0);
            if let Some(slot) = free {
                self.lines[line].0[slot] = tag;
                self.multiples[line][slot] = multiple;
                return;
            }
            line += 1; // half of all slots are free
        }
    }

    /// The multiples whose keys are that of x. Nearly always none.
    #[inline(always)]
    fn matches(&self, x: &[u64; 4], found: &mut Vec<u32>) {
        if self.may_have(x) {
            self.matches_in_lines(key(x), found);
        }
    }

    /// False only when no multiple has this key.
    #[inline(always)]
    fn may_have(&self, x: &[u64; 4]) -> bool {
        let (word, bit) = self.place(key(x));
        self.filter[word] & bit != 0
    }

    fn matches_in_lines(&self, (mut line, tag): (usize, u32), found: &mut Vec<u32>) {
        for _ in 0..self.lines.len() {
            line &= self.lines.len() - 1;
            let tags = &self.lines[line].0;
            let mut equal = 0u32;
            for (slot, &other) in tags.iter().enumerate() {
                equal |= u32::from(other == tag) << slot;
            }
            while equal != 0 {
                found.push(self.multiples[line][equal.trailing_zeros() as usize]);
                equal &= equal - 1;
            }
            if tags[SLOTS - 1] == 0 {
                return;
            }
            line += 1;
        }
    }

    /// The table as bytes, to be kept in a file: a header, the filter, the tags, the multiples, and a checksum of 32 bytes.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(Self::size(self.bits));
        bytes.extend_from_slice(MAGIC);
        bytes.extend_from_slice(&u64::from(self.bits).to_le_bytes());
        for word in &self.filter {
            bytes.extend_from_slice(&word.to_le_bytes());
        }
        for words in self.lines.iter().map(|line| &line.0).chain(&self.multiples) {
            for word in words {
                bytes.extend_from_slice(&word.to_le_bytes());
            }
        }
        let checksum = checksum(&bytes);
        bytes.extend_from_slice(&checksum);
        bytes
    }

    fn size(bits: u32) -> usize {
        HEADER + (SPARSE << bits) / 8 + 2 * 4 * SLOTS * (ROOM << bits).div_ceil(SLOTS) + CHECKSUM
    }

    /// Inverse of `to_bytes`.
    ///
    /// # Errors
    /// `Engine` for anything that is not exactly a whole table: another version or length, a wrong checksum, and entries, of
    /// which a sample is multiplied out, that are not what they say.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self> {
        let damaged =
            || Error::new(Code::Engine, "the stored table of logarithms is damaged or of another version; make it again");
        let header = bytes.get(..HEADER).filter(|header| header.starts_with(MAGIC)).ok_or_else(damaged)?;
        let bits = u64::from_le_bytes(header[MAGIC.len()..].try_into().expect("eight bytes"));
        let bits = u32::try_from(bits).ok().filter(|bits| BITS.contains(bits)).ok_or_else(damaged)?;
        if bytes.len() != Self::size(bits) {
            return Err(damaged());
        }
        let (content, told) = bytes.split_at(bytes.len() - CHECKSUM);
        if checksum(content) != told {
            return Err(damaged());
        }
        let mut table = Self::empty(bits)?;
        let (filter, slots) = content[HEADER..].split_at(8 * table.filter.len());
        for (word, bytes) in table.filter.iter_mut().zip(filter.as_chunks::<8>().0) {
            *word = u64::from_le_bytes(*bytes);
        }
        let mut words = slots.as_chunks::<4>().0.iter().map(|word| u32::from_le_bytes(*word));
        for slots in table.lines.iter_mut().map(|line| &mut line.0).chain(&mut table.multiples) {
            for (slot, word) in slots.iter_mut().zip(&mut words) {
                *slot = word;
            }
        }
        let most = 1u32 << bits;
        for sample in 0..SAMPLES as u32 {
            let multiple = 1 + (u64::from(most - 1) * u64::from(sample) / (SAMPLES as u64 - 1)) as u32;
            let point = Point::from_projective(&(ProjectivePoint::GENERATOR * Scalar::from(multiple)));
            let mut found = Vec::new();
            table.matches(&point.x, &mut found);
            if !found.contains(&multiple) {
                return Err(damaged());
            }
        }
        Ok(table)
    }
}

fn checksum(bytes: &[u8]) -> [u8; CHECKSUM] {
    let mut sponge = DuplexSponge::new(&derive_session_id(b"TRADEVEIL-V01-logarithm-table"));
    sponge.absorb(bytes);
    sponge.squeeze()
}

/// Adds one point to each of a list.
struct Shift<'a> {
    points: &'a mut [Point],
    step: Point,
}

impl Kernel for Shift<'_> {
    type Output = ();

    /// No point of the list is the step, its inverse or the identity.
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) {
        let (step_x, step_y) = l.load(&[self.step; 8], &[0; 8][..L::WIDTH]);
        let mut waiting = Vec::with_capacity(self.points.len() / L::WIDTH);
        let mut product = [l.splat(ONE); 2];
        for start in (0..self.points.len()).step_by(L::WIDTH) {
            let (x, y) = l.load(self.points, &numbers(start)[..L::WIDTH]);
            let difference = l.sub(step_x, x);
            let chain = start / L::WIDTH % 2;
            waiting.push((x, y, difference, product[chain]));
            product[chain] = l.mul(product[chain], difference);
        }
        let inverse = invert(l, l.mul(product[0], product[1]));
        let mut inverses = [l.mul(inverse, product[1]), l.mul(inverse, product[0])];
        for (number, &(x, y, difference, before)) in waiting.iter().enumerate().rev() {
            let chain = number % 2;
            let slope = l.mul(l.sub(step_y, y), l.mul(inverses[chain], before));
            inverses[chain] = l.mul(inverses[chain], difference);
            let sum_x = l.sub_both(l.square(slope), x, step_x);
            let sum_y = l.sub(l.mul(slope, l.sub(x, sum_x)), y);
            l.store(sum_x, sum_y, self.points, &numbers(number * L::WIDTH)[..L::WIDTH]);
        }
        for point in self.points.iter_mut() {
            make_canonical(&mut point.x);
        }
    }
}

/// Eight numbers in a row.
#[inline(always)]
fn numbers(start: usize) -> [u32; 8] {
    std::array::from_fn(|lane| (start + lane) as u32)
}

/// Coordinates are stored below 2^256; those few that are not below p, too, are reduced.
#[inline(always)]
fn make_canonical(x: &mut [u64; 4]) {
    if x[3] & x[2] & x[1] == u64::MAX {
        *x = crate::lanes::canonical(crate::lanes::unpack(*x));
    }
}

/// A search that can be taken step by step.
pub struct Search<'a> {
    table: &'a Table,
    /// a·G, which is searched.
    point: ProjectivePoint,
    bound: u64,
    stride: u64,
    /// 1·stride·G … reach·stride·G.
    jumps: &'a [Point],
    /// The giant step that the next center stands at. The steps `reach` below and above it are looked at together.
    center: u64,
    /// What is left of the point at the center.
    rest: ProjectivePoint,
    /// From one center to the next.
    leap: ProjectivePoint,
    last: u64,
}

impl Drop for Search<'_> {
    fn drop(&mut self) {
        self.point.zeroize();
        self.rest.zeroize();
    }
}

impl<'a> Search<'a> {
    /// The search for the a in [0, bound] with a·G = point.
    pub fn new(table: &'a Table, point: ProjectivePoint, bound: u64) -> Self {
        let stride = table.stride();
        let last = bound / stride + 1;
        let reach = (last / 2 + 1).clamp(8, BLOCK as u64).next_multiple_of(8);
        let jumps = &table.jumps()[..reach as usize];
        let leap = ProjectivePoint::GENERATOR * (Scalar::from(2 * reach + 1) * Scalar::from(stride));
        let identity = ProjectivePoint::IDENTITY;
        let mut search = Self { table, point: identity, bound, stride, jumps, center: 0, rest: identity, leap, last };
        search.restart(point);
        search
    }

    /// Search another point within the same bound.
    pub fn restart(&mut self, point: ProjectivePoint) {
        self.point = point;
        self.center = self.jumps.len() as u64;
        self.rest = point - self.jumps[self.jumps.len() - 1].to_projective();
    }

    /// Giant steps looked at so far, and at most.
    pub fn progress(&self) -> (u64, u64) {
        ((self.center - self.jumps.len() as u64).min(self.last), self.last)
    }

    /// Look at the next few thousand giant steps. Some(a) when it is found, None when the search has to go on.
    ///
    /// # Errors
    /// `Opening` when all have been looked at.
    pub fn step(&mut self) -> Result<Option<u64>> {
        let reach = self.jumps.len() as u64;
        if self.center - reach > self.last {
            return Err(Error::new(Code::Opening, "no amount within the bound fits this commitment"));
        }
        let center = Point::from_projective(&self.rest);
        // (distance of the giant step from the center, multiple of G): candidates, to be multiplied out.
        let mut candidates: Vec<(i64, u32)> = Vec::new();
        let mut found = Vec::new();
        if center.is_identity() {
            candidates.push((0, 0));
        } else {
            self.table.matches(&center.x, &mut found);
            candidates.extend(found.iter().map(|&multiple| (0, multiple)));
            candidates.append(&mut dispatch(Around { table: self.table, center, jumps: self.jumps }));
        }
        let amount = candidates.iter().find_map(|&(distance, multiple)| self.check(distance, multiple));
        self.center += 2 * reach + 1;
        self.rest -= self.leap;
        Ok(amount)
    }

    /// The amount that a candidate stands for, if it is the one.
    fn check(&self, distance: i64, multiple: u32) -> Option<u64> {
        let giant = self.center.checked_add_signed(distance)?.checked_mul(self.stride)?;
        let around = [giant.checked_add(u64::from(multiple)), giant.checked_sub(u64::from(multiple))];
        around
            .into_iter()
            .flatten()
            .find(|&amount| amount <= self.bound && ProjectivePoint::GENERATOR * Scalar::from(amount) == self.point)
    }

    /// Search to the end.
    ///
    /// # Errors
    /// `Opening` when no amount within the bound fits.
    pub fn run(&mut self) -> Result<u64> {
        loop {
            if let Some(amount) = self.step()? {
                return Ok(amount);
            }
        }
    }
}

/// Looks up center ∓ jump for every jump, of which only the x coordinates are computed.
struct Around<'a> {
    table: &'a Table,
    center: Point,
    jumps: &'a [Point],
}

impl Kernel for Around<'_> {
    type Output = Vec<(i64, u32)>;

    /// Candidates: the distance in giant steps, and the multiple that the table has there. A jump that is the center itself, or
    /// its inverse, has no slope and is a candidate.
    #[inline(always)]
    fn run<L: Lanes>(self, l: L) -> Vec<(i64, u32)> {
        let (center_x, center_y) = l.load(&[self.center; 8], &[0; 8][..L::WIDTH]);
        let minus_center_y = l.sub(l.splat(ZERO), center_y);
        let (mut candidates, mut found) = (Vec::new(), Vec::new());
        let mut waiting = Vec::with_capacity(self.jumps.len() / L::WIDTH);
        let mut product = [l.splat(ONE); 2];
        for start in (0..self.jumps.len()).step_by(L::WIDTH) {
            let (x, y) = l.load(self.jumps, &numbers(start)[..L::WIDTH]);
            let mut difference = l.sub(x, center_x);
            if l.may_be_zero(difference) {
                let zero = l.is_zero(difference);
                for lane in (0..L::WIDTH).filter(|lane| zero >> lane & 1 == 1) {
                    let distance = (start + lane + 1) as i64;
                    candidates.extend([(distance, 0), (-distance, 0)]);
                }
                difference = l.select(zero, l.splat(ONE), difference);
            }
            let chain = start / L::WIDTH % 2;
            waiting.push((x, y, difference, product[chain]));
            product[chain] = l.mul(product[chain], difference);
        }
        let inverse = invert(l, l.mul(product[0], product[1]));
        let mut inverses = [l.mul(inverse, product[1]), l.mul(inverse, product[0])];
        // xs[2i] and xs[2i + 1] hold the coordinates of center − jump and of center + jump, for jump i.
        let mut xs = vec![Point::IDENTITY; self.jumps.len()];
        for (number, &(x, y, difference, before)) in waiting.iter().enumerate().rev() {
            let chain = number % 2;
            let inverse = l.mul(inverses[chain], before);
            inverses[chain] = l.mul(inverses[chain], difference);
            let plus = l.mul(l.sub(y, center_y), inverse);
            let minus = l.mul(l.sub(minus_center_y, y), inverse);
            let plus = l.sub_both(l.square(plus), x, center_x);
            let minus = l.sub_both(l.square(minus), x, center_x);
            l.store(minus, plus, &mut xs, &numbers(number * L::WIDTH)[..L::WIDTH]);
        }
        for pair in &mut xs {
            make_canonical(&mut pair.x);
            make_canonical(&mut pair.y);
        }
        let mut likely = Vec::with_capacity(xs.len() / 4);
        for (number, pair) in xs.iter().enumerate() {
            if let Some(later) = xs.get(number + 8 * AHEAD) {
                l.prefetch(&self.table.filter, self.table.place(key(&later.x)).0);
                l.prefetch(&self.table.filter, self.table.place(key(&later.y)).0);
            }
            let distance = number as i64 + 1;
            // center − jump is what is left at a giant step further up.
            for (x, distance) in [(&pair.x, distance), (&pair.y, -distance)] {
                if self.table.may_have(x) {
                    l.prefetch(&self.table.lines, key(x).0 & (self.table.lines.len() - 1));
                    likely.push((key(x), distance));
                }
            }
        }
        for (key, distance) in likely {
            found.clear();
            self.table.matches_in_lines(key, &mut found);
            candidates.extend(found.iter().map(|&multiple| (distance, multiple)));
        }
        xs.iter_mut().for_each(|pair| *pair = Point::IDENTITY);
        candidates
    }
}
