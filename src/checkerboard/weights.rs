//! What a kernel's weights make of the overlap.

use ndarray::{Axis as NdAxis, s};

use super::StrideSpectrum;
use crate::error::{Axis, Error};
use crate::memory::uninit;
use crate::output_size::Window;
use crate::tensor::{Output, Spatial, SpatialRank, Tensor, five_axes, three_axes};

/// How the weights of a transposed convolution treat the phases of its output.
///
/// Pixels of the same phase, `(o + padding_begin) mod stride` along each axis, are reached by the same taps, and other phases by
/// others. Where the taps of every phase have the same sum, a flat region of the input becomes a flat region of the output; where they
/// do not, it becomes a pattern with the stride's period, the checkerboard.
///
/// ```
/// use ndarray::{Array4, array};
/// use upsample::checkerboard::WeightOverlap;
/// use upsample::output_size::Window;
///
/// // Twice the kernel 1 2 1 along the rows: it adds up to 2 on both phases.
/// let tent = array![[[[1.0, 2.0, 1.0]]]];
/// let found = WeightOverlap::of(&tent, [Window::new(1), Window::new(3).stride(2)], 1)?;
/// assert_eq!(found.response(), array![[[[2.0, 2.0]]]]);
/// assert_eq!(found.spectrum().unevenness(), 0.0);
///
/// // Equal weights follow the overlap, which is 2 on one and 1 on the other.
/// let flat = Array4::from_elem((1, 1, 1, 3), 1.0);
/// let found = WeightOverlap::of(&flat, [Window::new(1), Window::new(3).stride(2)], 1)?;
/// assert_eq!(found.response(), array![[[[2.0, 1.0]]]]);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct WeightOverlap<const RANK: usize>
where
    Spatial<RANK>: SpatialRank,
{
    sums: Output<f64, RANK>,
    response: Output<f64, RANK>,
    spectrum: StrideSpectrum<RANK>,
    unevenness: Vec<f64>,
}

impl<const RANK: usize> WeightOverlap<RANK>
where
    Spatial<RANK>: SpatialRank,
{
    /// Sums up the weights, C_in × C_out/groups × kernel, that reach each phase.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] unless the weights have the windows' kernel sizes, [`Error::Groups`], [`Error::InvalidAxisParameter`],
    /// [`Error::SizeOverflow`], and the errors of taking memory.
    pub fn of<'a, A>(weight: impl Into<Tensor<'a, A, RANK>>, windows: [Window; RANK], groups: usize) -> Result<Self, Error>
    where
        A: Copy + Into<f64> + 'a,
    {
        let weight = weight.into();
        for (index, window) in windows.iter().enumerate() {
            window.dilated_kernel_of(Axis::spatial(RANK, index))?;
        }
        weight.expect_spatial("weight", windows.map(|window| window.kernel))?;
        let (inputs, outputs) = (weight.batch(), weight.channels());
        if groups == 0 || !inputs.is_multiple_of(groups) {
            return Err(Error::Groups { argument: "weight", channels: inputs, groups });
        }
        let channels = outputs.checked_mul(groups).ok_or(Error::SizeOverflow { argument: "response", axis: Axis::Channel })?;

        let stride = windows.map(|window| window.stride);
        let windows = three_axes(windows, Window::new(1));
        let phase = |axis: usize, tap: usize| tap * windows[axis].dilation % windows[axis].stride;
        let mut sums = uninit::filled("sums", five_axes(inputs, outputs, stride), 0.0)?;
        for ((input, output, d, h, w), &value) in weight.view5().indexed_iter() {
            sums[[input, output, phase(0, d), phase(1, h), phase(2, w)]] += value.into();
        }
        let mut response = uninit::filled("response", five_axes(1, channels, stride), 0.0)?;
        for (input, sums) in sums.outer_iter().enumerate() {
            let group = input / (inputs / groups);
            let mut of_group = response.slice_mut(s![0, group * outputs..(group + 1) * outputs, .., .., ..]);
            of_group += &sums;
        }
        let spectrum = StrideSpectrum::of(Tensor::from_view5(response.view()), stride)?;
        let channels = response.axis_chunks_iter(NdAxis(1), 1);
        let unevenness = channels.map(|channel| Ok(StrideSpectrum::of(Tensor::<_, RANK>::from_view5(channel), stride)?.unevenness()));
        let unevenness = unevenness.collect::<Result<_, Error>>()?;
        Ok(Self { sums: Spatial::<RANK>::narrow(sums), response: Spatial::<RANK>::narrow(response), spectrum, unevenness })
    }

    /// The sum of the weights that reach each phase, C_in × C_out/groups × phases.
    #[must_use]
    pub fn sums(&self) -> &Output<f64, RANK> {
        &self.sums
    }

    /// What an input of ones in every channel becomes away from the border, without the bias: 1 × C_out × phases.
    #[must_use]
    pub fn response(&self) -> &Output<f64, RANK> {
        &self.response
    }

    /// The spectrum of the response, all output channels together. Its [`unevenness`](StrideSpectrum::unevenness) is 0 for weights that
    /// draw no checkerboard.
    #[must_use]
    pub fn spectrum(&self) -> &StrideSpectrum<RANK> {
        &self.spectrum
    }

    /// The [`unevenness`](StrideSpectrum::unevenness) of the response of each output channel.
    #[must_use]
    pub fn unevenness(&self) -> &[f64] {
        &self.unevenness
    }
}
