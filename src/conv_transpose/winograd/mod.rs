//! Fewer multiplications than the definition: Winograd's minimal filtering.
//!
//! Four neighbouring pixels, taken as a polynomial's coefficients and evaluated at the points 0, 1, -1 and ∞, need four products with a
//! filter evaluated there: enough for 3 outputs of 2 taps, F(3, 2), or 2 outputs of 3 taps, F(2, 3), six products either way. In two
//! dimensions a tile of 4 × 4 pixels costs 16 products in place of 36. All phases and output channels share the evaluated pixels, and
//! all products at one point are one matrix product over the source channels, which the strips' inner loop computes.
//!
//! Winograd, *Arithmetic Complexity of Computations* (1980); Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks* (2016).

use super::params::Precision;
use super::phases::{AxisGeometry, AxisPhases, Geometry, Phases};
use crate::element::FloatElement;
use crate::simd::ELEMENTS;

mod run;
mod tiles;
mod weights;

pub(crate) use run::{Filters, Run};
pub(crate) use tiles::{Tiles, block_of, fill_planes, tile_counts};
pub(crate) use weights::{Scheme, filters};

/// Pixels of a tile along an axis.
pub(crate) const TILE: usize = 4;
/// The fewest rows of products (output channels × phases), and the fewest summands of each, that pay for the transforms.
const FEWEST_ROWS: usize = 32;
const FEWEST_SUMMANDS: usize = 32;

/// How one axis is tiled.
#[derive(Debug, Clone)]
pub(crate) struct AxisScheme {
    /// Taps of each phase and plane: 2 or 3.
    pub(crate) taps: usize,
    /// The first source pixel of each plane at position 0. The taps of a plane are `source_stride` pixels apart.
    pub(crate) planes: Vec<isize>,
}

impl AxisScheme {
    /// The scheme of an axis whose phases all read the same planes with as many neighbouring taps, 2 or 3.
    fn find(axis: &AxisPhases) -> Option<Self> {
        let stride = axis.source_stride.cast_signed();
        let sorted = |phase: usize| {
            let mut origins: Vec<isize> = axis.phases[phase].taps.iter().map(|tap| tap.origin).collect();
            origins.sort_unstable_by_key(|origin| (origin.rem_euclid(stride), *origin));
            origins
        };
        let origins = sorted(0);
        let planes: Vec<&[isize]> = origins.chunk_by(|a, b| a + stride == *b).collect();
        let residues: Vec<&[isize]> = origins.chunk_by(|a, b| a.rem_euclid(stride) == b.rem_euclid(stride)).collect();
        let taps = planes.first()?.len();
        let even =
            planes == residues && planes.iter().all(|plane| plane.len() == taps) && (1..axis.phases.len()).all(|p| sorted(p) == origins);
        (even && (2..=3).contains(&taps)).then(|| Self { taps, planes: planes.iter().map(|plane| plane[0]).collect() })
    }

    /// Outputs of a tile.
    pub(crate) fn outputs(&self) -> usize {
        TILE + 1 - self.taps
    }

    /// Tiles that cover so many positions.
    pub(crate) fn tiles(&self, positions: usize) -> usize {
        positions.div_ceil(self.outputs())
    }
}

/// The schemes of height and width, where both have one and it pays: where the definition has `fewest_saved` times as many
/// multiplications. `phases` are aligned; the channels are those of one group.
pub(crate) fn schemes<A: FloatElement>(
    geometry: &Geometry,
    phases: &Phases,
    (out, source): (usize, usize),
    fewest_saved: f64,
) -> Option<[AxisScheme; 2]> {
    if geometry.precision == Precision::Strict || size_of::<A::Row>() != size_of::<f32>() {
        return None;
    }
    let [_, height, width] = &phases.axes;
    if geometry.axes[0] != AxisGeometry::POINT || height.phases.is_empty() || width.phases.is_empty() {
        return None;
    }
    let schemes = [AxisScheme::find(height)?, AxisScheme::find(width)?];
    let summands = source * schemes[0].planes.len() * schemes[1].planes.len();
    let saved = |axis: &AxisPhases, scheme: &AxisScheme| {
        let positions = axis.positions();
        (positions * scheme.taps, scheme.tiles(positions + axis.extension()) * TILE)
    };
    let ((direct_h, reduced_h), (direct_w, reduced_w)) = (saved(height, &schemes[0]), saved(width, &schemes[1]));
    // Where the picture is not a whole number of tiles some of the work is in vain.
    let pays = direct_h as f64 * direct_w as f64 >= fewest_saved * reduced_h as f64 * reduced_w as f64;
    (pays && out * phases.count() >= FEWEST_ROWS && summands >= FEWEST_SUMMANDS).then_some(schemes)
}

const _: () = assert!(TILE * TILE == ELEMENTS);
