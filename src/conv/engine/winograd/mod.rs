//! Fewer multiplications than the definition: Winograd's minimal filtering.
//!
//! Four neighbouring pixels, taken as a polynomial's coefficients and evaluated at the points 0, 1, -1 and ∞, need four products with a
//! filter evaluated there: enough for 3 outputs of 2 taps, F(3, 2), or 2 outputs of 3 taps, F(2, 3), six products either way. In two
//! dimensions a tile of 4 × 4 pixels costs 16 products in place of 36. All phases and output channels share the evaluated pixels, and
//! all products at one point are one matrix product over the source channels, which the strips' inner loop computes.
//!
//! Phases that differ by a tap (kernel 3, stride 2) are filters with a tap that is 0. At 0 a filter is its first tap, at ∞ its last: where
//! that is the missing one nothing is multiplied, so that 1 tap next to 2 costs the 3 products it has by definition.
//!
//! The products at 0 go to the first output of a tile alone, those at ∞ to the last. So a tile at the end of an axis that lacks one of the
//! two, as phases that are shifted onto each other do, has 3 products in place of 4.
//!
//! Winograd, *Arithmetic Complexity of Computations* (1980); Lavin and Gray, *Fast Algorithms for Convolutional Neural Networks* (2016).

use super::phases::{AxisGeometry, AxisPhases, Geometry, Phases};
use crate::conv::options::Precision;
use crate::element::FloatElement;
use crate::kernels::{ELEMENTS, Real};

mod lines;
mod run;
mod tiles;
mod weights;

pub(crate) use lines::Lines;
pub(crate) use run::{Filters, Run};
pub(crate) use tiles::{PlaneSource, Tiles, block_of, tile_counts};
pub(crate) use weights::{Filter, Live, SOURCES, Scheme, filters};

/// Pixels of a tile along an axis.
pub(crate) const TILE: usize = 4;
/// The fewest rows of products (output channels × phases), and the fewest summands of each, that pay for the transforms.
const FEWEST_ROWS: usize = 32;
const FEWEST_SUMMANDS: usize = 32;
/// The fewest of either, by [`Lines`], and the fewest positions of a row.
const FEW: usize = 8;
const SHORTEST_ROW: usize = 48;
/// The fewest tiles of all pictures together for a weight gradient.
const FEWEST_TILES_OF_GRADIENT: usize = 64;

/// How one axis is tiled.
#[derive(Debug, Clone)]
pub(crate) struct AxisScheme {
    /// Taps of each phase and plane, those that are 0 included: 2 or 3.
    pub(crate) taps: usize,
    /// The first source pixel of each plane at position 0. The taps of a plane are `source_stride` pixels apart.
    pub(crate) planes: Vec<isize>,
    /// By phase, then plane: which entry of the kernel each tap is; none is 0.
    pub(crate) entries: Vec<Vec<Vec<Option<usize>>>>,
}

impl AxisScheme {
    /// The scheme of an axis whose phases read at most 2 or 3 neighbouring pixels of each plane.
    fn find(axis: &AxisPhases) -> Option<Self> {
        let stride = axis.source_stride.cast_signed();
        let mut origins = axis.origins();
        origins.sort_unstable_by_key(|origin| (origin.rem_euclid(stride), *origin));
        let planes: Vec<&[isize]> = origins.chunk_by(|a, b| a.rem_euclid(stride) == b.rem_euclid(stride)).collect();
        let reach = |plane: &&[isize]| (plane[plane.len() - 1] - plane[0]) / stride + 1;
        let taps = usize::try_from(planes.iter().map(reach).max()?).ok()?;
        if !(2..=3).contains(&taps) {
            return None;
        }
        let planes: Vec<isize> = planes.iter().map(|plane| plane[0]).collect();
        let entry = |phase: usize, origin: isize| axis.phases[phase].taps.iter().find(|tap| tap.origin == origin).map(|tap| tap.kernel);
        let of_plane = |phase: usize, first: isize| (0..taps).map(|tap| entry(phase, first + stride * tap.cast_signed())).collect();
        let entries = (0..axis.phases.len()).map(|phase| planes.iter().map(|&first| of_plane(phase, first)).collect());
        let entries = entries.collect();
        Some(Self { taps, planes, entries })
    }

    /// Whether a filter with these entries can be other than 0 at a point: at 0 it is its first tap, at ∞ the last.
    fn is_live(entries: &[Option<usize>], point: usize) -> bool {
        match point {
            0 => entries.first().is_some_and(Option::is_some),
            3 => entries.last().is_some_and(Option::is_some),
            _ => entries.iter().any(Option::is_some),
        }
    }

    /// The products of a tile, all phases and planes together.
    fn products(&self) -> usize {
        self.entries.iter().flatten().map(|entries| (0..TILE).filter(|&point| Self::is_live(entries, point)).count()).sum()
    }

    /// Outputs of a tile.
    pub(crate) fn outputs(&self) -> usize {
        TILE + 1 - self.taps
    }

    /// Tiles that cover `positions` positions.
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
    let schemes = find::<A>(geometry, phases, fewest_saved)?;
    let (rows, summands) = rows_and_summands(phases, &schemes, (out, source));
    (rows >= FEWEST_ROWS && summands >= FEWEST_SUMMANDS).then_some(schemes)
}

/// Whether `batch` pictures have enough tiles for a weight gradient to be faster than the definition.
pub(crate) fn gradient_pays(axes: &[AxisScheme; 2], phases: &Phases, batch: usize) -> bool {
    tiles_of_picture(axes, phases).saturating_mul(batch) >= FEWEST_TILES_OF_GRADIENT
}

/// The tiles of a picture.
fn tiles_of_picture(axes: &[AxisScheme; 2], phases: &Phases) -> usize {
    axes.iter().zip(&phases.axes[1..]).map(|(scheme, axis)| scheme.tiles(axis.positions() + axis.extension())).product()
}

/// The planes of height and width together.
pub(crate) fn planes_of(axes: &[AxisScheme; 2]) -> usize {
    axes[0].planes.len() * axes[1].planes.len()
}

/// Rows of products, and the summands of each.
fn rows_and_summands(phases: &Phases, schemes: &[AxisScheme; 2], (out, source): (usize, usize)) -> (usize, usize) {
    (out * phases.count(), source * planes_of(schemes))
}

/// The same where rows or summands are too few for [`schemes`], but enough for [`Lines`].
pub(crate) fn schemes_by_lines<A: FloatElement>(
    geometry: &Geometry,
    phases: &Phases,
    channels: (usize, usize),
    fewest_saved: f64,
) -> Option<[AxisScheme; 2]> {
    let schemes = find::<A>(geometry, phases, fewest_saved)?;
    let (rows, summands) = rows_and_summands(phases, &schemes, channels);
    let few = rows.min(summands) >= FEW && rows.max(summands) >= FEWEST_ROWS;
    // All phases and taps are there, and a row has tiles for some vectors.
    let whole = phases.axes[1..].iter().all(|axis| axis.phases.len() == axis.out_stride)
        && schemes.iter().flat_map(|axis| axis.entries.iter().flatten().flatten()).all(Option::is_some);
    let long = phases.axes[2].positions() >= SHORTEST_ROW;
    (few && whole && long && schemes.iter().all(|axis| axis.taps == 3)).then_some(schemes)
}

/// Whether every output of either direction reads a pixel that is inside: one that reads none is nothing but its bias, to the last bit.
fn reads_everywhere(axis: &AxisGeometry) -> bool {
    let [coarse, fine, kernel] = [axis.coarse, axis.fine, axis.kernel].map(|size| size as i128);
    let [stride, dilation, padding] = [axis.stride as i128, axis.dilation as i128, axis.padding as i128];
    let (last_tap, last_coarse) = (dilation * (kernel - 1), stride * (coarse - 1));
    let expands = padding >= 0 && fine - 1 + padding <= last_coarse + last_tap;
    let contracts = padding <= last_tap && last_coarse - padding < fine;
    expands && contracts
}

/// The schemes of height and width, where both have one and the definition has `fewest_saved` times as many multiplications.
fn find<A: FloatElement>(geometry: &Geometry, phases: &Phases, fewest_saved: f64) -> Option<[AxisScheme; 2]> {
    if geometry.precision == Precision::Strict || !A::Row::REDUCES {
        return None;
    }
    let [_, height, width] = &phases.axes;
    if geometry.axes[0] != AxisGeometry::POINT || height.phases.is_empty() || width.phases.is_empty() {
        return None;
    }
    if !geometry.axes[1..].iter().all(reads_everywhere) {
        return None;
    }
    let schemes = [AxisScheme::find(height)?, AxisScheme::find(width)?];
    let saved = |axis: &AxisPhases, scheme: &AxisScheme| {
        let (positions, taps) = (axis.positions(), axis.phases.iter().map(|phase| phase.taps.len()).sum::<usize>());
        (positions * taps, scheme.tiles(positions + axis.extension()) * scheme.products())
    };
    let ((direct_h, reduced_h), (direct_w, reduced_w)) = (saved(height, &schemes[0]), saved(width, &schemes[1]));
    // Where the picture is not a whole number of tiles, part of the work is wasted.
    let pays = direct_h as f64 * direct_w as f64 >= fewest_saved * reduced_h as f64 * reduced_w as f64;
    pays.then_some(schemes)
}

const _: () = assert!(TILE * TILE == ELEMENTS);
