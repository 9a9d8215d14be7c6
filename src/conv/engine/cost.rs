//! Which method is faster for a call, from its shapes alone, so that results do not depend on the number of threads.

/// Whether weights are used once, unpacked if that is faster, or packed for many calls.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Uses {
    Once,
    Many,
}

/// The numbers of a call that fewer multiplications are possible for.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Work {
    /// Multiplications of the definition.
    pub(crate) direct: f64,
    /// Multiplications at the points of all tiles.
    pub(crate) reduced: f64,
    /// Numbers that are evaluated at the points, or interpolated from there, in all tiles.
    pub(crate) transformed: f64,
    /// The weights.
    pub(crate) weights: f64,
    /// The weights evaluated at the points.
    pub(crate) points: f64,
}

/// Nanoseconds of a multiplication of the definition, on one thread. This and the numbers below were fitted to measurements on an AVX-512 Xeon (Sapphire Rapids) with 36 to 1024 tiles, 64 to 512 channels, and
/// kernels of 4 (stride 2) and 3 (stride 1). Only their proportions count; these are similar where multiply-adds are half as wide.
///
/// | coarse size, channels | tiles | definition, μs | prepared, μs | once, μs |
/// |---|---|---|---|---|
/// | 1×16², 512 → 256, k4 s2 | 36 | 9600 | 10700 | 23100 |
/// | 1×32², 64 → 32, k4 s2 | 121 | 521 | 554 | 672 |
/// | 1×32², 128 → 64, k4 s2 | 121 | 1980 | 1660 | 2360 |
/// | 4×16², 512 → 256, k4 s2 | 144 | 32500 | 25700 | 37800 |
/// | 16×8², 512 → 256, k4 s2 | 144 | 36300 | 21200 | 32100 |
/// | 4×32², 128 → 64, k4 s2 | 484 | 8400 | 7050 | 7990 |
/// | 1×16², 256 → 256, k3 s1 | 64 | 3400 | 2960 | 5960 |
/// | 1×64², 64 → 64, k3 s1 | 1024 | 2180 | 1590 | 1710 |
const DIRECT: f64 = 0.0154;
/// Of a multiplication at a point.
const REDUCED: f64 = 0.0187;
/// Of a number that is evaluated or interpolated.
const TRANSFORMED: f64 = 0.35;
/// Of evaluating a weight at the points.
const WEIGHT: f64 = 5.5;
/// Of reading an evaluated weight from memory.
const POINT: f64 = 0.33;

/// Whether fewer multiplications are faster than the definition.
pub(crate) fn reduced_pays(work: &Work, uses: Uses) -> bool {
    let products = (REDUCED * work.reduced).max(POINT * work.points) + TRANSFORMED * work.transformed;
    let evaluation = if uses == Uses::Once { WEIGHT * work.weights } else { 0.0 };
    products + evaluation < DIRECT * work.direct
}
