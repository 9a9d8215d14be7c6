//! The convolution of an enlarged picture as a transposed convolution of the picture itself: what becomes of sizes and weights.

use ndarray::{Array5, ArrayView5, ArrayViewMut5};
use num_traits::Zero;

use super::engine::Slot;
use super::grids::Grids;
use super::options::Parameters;
use crate::element::{Element, FloatElement};
use crate::error::{Axis, Error};
use crate::kernels::Backend;
use crate::memory::uninit;
use crate::output_size::{self, Window};
use crate::tensor::three_axes;

/// One axis: where the weights go in the kernel of the transposed convolution.
#[derive(Debug, Clone, Copy)]
struct Spread {
    /// How many neighbouring taps each weight is added to: one for each copy of an input pixel.
    factor: usize,
    kernel: usize,
    /// Taps from one weight to the next.
    step: usize,
    /// Taps of zero at the beginning and at the end, where padding reaches beyond the kernel.
    lead: usize,
    tail: usize,
}

impl Spread {
    const POINT: Self = Self { factor: 1, kernel: 1, step: 1, lead: 0, tail: 0 };

    fn len(&self) -> usize {
        self.lead + self.step * (self.kernel - 1) + self.factor + self.tail
    }

    /// The first tap that weight `tap` is added to: a convolution does not mirror its kernel, a transposed one does.
    fn first(&self, tap: usize) -> usize {
        self.lead + self.step * (self.kernel - 1 - tap)
    }

    /// The axis of a convolution of `input` pixels, each repeated `factor` times, and the window of the transposed convolution that equals
    /// it. `window` has been checked to fit the enlarged picture.
    fn new(axis: Axis, factor: usize, window: &Window) -> Result<(Self, Window), Error> {
        let overflow = || Error::SizeOverflow { argument: "spread kernel", axis };
        let Window { kernel, padding_begin, padding_end, .. } = *window;
        // One tap alone is at any distance from the others.
        let dilation = if kernel == 1 { 1 } else { window.dilation };
        // Without repetition the taps stay as far apart as they are; with it, those between them are needed.
        let (step, distance) = if factor == 1 { (1, dilation) } else { (dilation, 1) };
        let reach = window.dilated_kernel_of(axis)? - 1;
        // In 128 bits nothing overflows. Negative paddings are never beyond the kernel: they crop the more.
        let beyond = |padding: isize| usize::try_from(padding).map_or(0, |padding| padding.saturating_sub(reach).div_ceil(distance));
        let crop = |padding: isize, zeros: usize| {
            let crop = reach as i128 + zeros as i128 * distance as i128 - padding as i128;
            isize::try_from(crop.max(0)).map_err(|_| overflow())
        };
        let (lead, tail) = (beyond(padding_begin), beyond(padding_end));
        let taps = (step * (kernel - 1)).checked_add(factor).and_then(|taps| taps.checked_add(lead)?.checked_add(tail));
        let taps = taps.filter(|&taps| isize::try_from(taps).is_ok()).ok_or_else(overflow)?;
        let window = Window::new(taps).stride(factor).dilation(distance);
        Ok((Self { factor, kernel, step, lead, tail }, window.padding_of(crop(padding_begin, lead)?, crop(padding_end, tail)?)))
    }
}

/// A convolution of a picture whose pixels are repeated, for given sizes.
#[derive(Debug, Clone)]
pub(super) struct RepeatedConvolution {
    /// The transposed convolution that equals it.
    pub(super) grids: Grids,
    axes: [Spread; 3],
}

impl RepeatedConvolution {
    /// Of `input` pixels, each repeated `factors` times, which must not overflow; `windows` are those of the convolution.
    pub(super) fn new<const RANK: usize>(
        input: [usize; RANK],
        factors: [usize; RANK],
        windows: &[Window; RANK],
        groups: usize,
        backend: Option<Backend>,
    ) -> Result<Self, Error> {
        let (mut axes, mut transposed, mut output) = ([Spread::POINT; RANK], *windows, [0; RANK]);
        for index in 0..RANK {
            let axis = Axis::spatial(RANK, index);
            output[index] = output_size::convolution_of(axis, input[index] * factors[index], &windows[index])?;
            (axes[index], transposed[index]) = Spread::new(axis, factors[index], &windows[index])?;
            // It has the same size, but its kernel can reach further than the window did.
            output_size::conv_transpose_of(axis, input[index], &transposed[index])?;
        }
        let parameters = Parameters { groups, backend, ..Parameters::default() };
        Ok(Self { grids: Grids::new(input, output, &transposed, &parameters), axes: three_axes(axes, Spread::POINT) })
    }

    /// The size of the transposed convolution's kernel.
    fn spread_size(&self) -> [usize; 3] {
        self.axes.each_ref().map(Spread::len)
    }

    /// The kernel of the transposed convolution.
    pub(super) fn spread<A: FloatElement>(&self, weight: ArrayView5<'_, A>) -> Result<Array5<A::Row>, Error> {
        let (sources, outputs, ..) = weight.dim();
        let [depth, height, width] = self.spread_size();
        let mut spread = uninit::filled("spread weights", [sources, outputs, depth, height, width], A::Row::zero())?;
        let plane = depth * height * width;
        if let Some(sums) = spread.as_slice_mut() {
            for ((source, output, d, h, w), value) in weight.indexed_iter() {
                let value = value.to_row();
                let sums = &mut sums[(source * outputs + output) * plane..][..plane];
                self.for_each_run([d, h, w], |start, len| sums[start..start + len].iter_mut().for_each(|sum| *sum = *sum + value));
            }
        }
        Ok(spread)
    }

    /// The adjoint of [`spread`](Self::spread): the gradient of each weight from those of the taps that it was added to.
    pub(super) fn sum_taps<A: FloatElement, S: Slot<A>>(&self, spread: &Array5<<A as Element>::Row>, mut dw: ArrayViewMut5<'_, S>) {
        let (_, outputs, depth, height, width) = spread.dim();
        let plane = depth * height * width;
        if let Some(taps) = spread.as_slice() {
            for ((source, output, d, h, w), slot) in dw.indexed_iter_mut() {
                let taps = &taps[(source * outputs + output) * plane..][..plane];
                let mut sum = A::Row::zero();
                self.for_each_run([d, h, w], |start, len| sum = taps[start..start + len].iter().fold(sum, |sum, &tap| sum + tap));
                slot.put(sum);
            }
        }
    }

    /// The shape of the gradient of the transposed convolution's kernel.
    pub(super) fn spread_shape(&self, sources: usize, outputs: usize) -> [usize; 5] {
        let [depth, height, width] = self.spread_size();
        [sources, outputs, depth, height, width]
    }

    /// The taps that a weight is added to, as runs of neighbours: the first one and how many.
    fn for_each_run(&self, [d, h, w]: [usize; 3], mut visit: impl FnMut(usize, usize)) {
        let [depths, heights, widths] = &self.axes;
        let (rows, columns) = (heights.len(), widths.len());
        for depth in depths.first(d)..depths.first(d) + depths.factor {
            for height in heights.first(h)..heights.first(h) + heights.factor {
                visit((depth * rows + height) * columns + widths.first(w), widths.factor);
            }
        }
    }
}
