//! `Resize`: what a resize is, without sizes.

use crate::coordinates::{AspectRatio, Coordinates, Geometry, PerAxis, Rounding, Target, check_sizes, common_scale};
use crate::error::{Axis, Error};
use crate::nearest::{NearestRule, TorchArithmetic, index_list};
use crate::output_size::{ScaleRule, element_count, scaled_of};
use crate::simd::{Backend, How, StreamingStores};

use super::filter::Filter;
use super::plan::{AxisPlan, ResizePlan, RunOptions};
use super::profile::Profile;
use super::taps::{TapRule, Taps, TorchPositions};

/// The description of a resize: a method and its conventions, of any rank. [`plan`](Self::plan) computes its weights for given sizes.
///
/// **When to choose it:** to enlarge without learning, and inside networks where nothing is to be learned about it. Nearest is jagged and
/// keeps values as they are, so it is for labels; bilinear blurs and never overshoots; bicubic is sharper and overshoots edges. Undoing a
/// halving of the test card (example `learn`), bilinear reaches 17.98 dB PSNR, bicubic 18.57, a learned 8×8
/// [`ConvTranspose`](crate::ConvTranspose) 18.97. None draws a checkerboard. For 64 channels of 64×64 pixels to 128×128 in `f32`, one
/// thread: nearest 0.16 ms, bilinear 0.55, bicubic 0.94, a transposed convolution 4×4 5.9. The crate's [front page](crate) compares all.
///
/// Every option that is not set is as PyTorch has it, or as the framework named by [`profile`](Self::profile) does.
///
/// ```
/// use ndarray::Array4;
/// use upsample::{Coordinates, Resize};
///
/// let x = Array4::from_shape_fn((1, 1, 4, 4), |(_, _, h, w)| (h * 4 + w) as f32);
/// let plan = Resize::bicubic().coordinates(Coordinates::AlignCorners).plan([4, 4], [7, 7])?;
/// let y = plan.forward(&x)?;
/// assert_eq!(y[[0, 0, 6, 6]], x[[0, 0, 3, 3]]);
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone)]
#[doc(alias = "interpolate")]
#[doc(alias = "upscale")]
pub struct Resize {
    method: Method,
    profile: Profile,
    coordinates: Option<PerAxis<Coordinates>>,
    antialias: Option<bool>,
    exclude_outside: Option<bool>,
    extrapolation: f64,
    scale_rule: Option<ScaleRule>,
    recompute_scale: bool,
    aspect_ratio: AspectRatio,
    backend: Option<Backend>,
    streaming: StreamingStores,
}

#[derive(Debug, Clone)]
enum Method {
    Nearest,
    NearestExact,
    NearestBy(NearestRule),
    Cubic,
    Filter(Filter),
    Area,
}

/// The constructors, one a method.
impl Resize {
    fn new(method: Method) -> Self {
        Self {
            method,
            profile: Profile::default(),
            coordinates: None,
            antialias: None,
            exclude_outside: None,
            extrapolation: 0.0,
            scale_rule: None,
            recompute_scale: false,
            aspect_ratio: AspectRatio::default(),
            backend: None,
            streaming: StreamingStores::default(),
        }
    }

    /// Copies the nearest pixel, by the profile's rule: PyTorch's `nearest` unless another is named.
    #[must_use]
    pub fn nearest() -> Self {
        Self::new(Method::Nearest)
    }

    /// Copies the nearest pixel by centres: PyTorch's `nearest-exact`.
    #[must_use]
    pub fn nearest_exact() -> Self {
        Self::new(Method::NearestExact)
    }

    /// Copies the pixel that `rule` names.
    #[must_use]
    pub fn nearest_by(rule: NearestRule) -> Self {
        Self::new(Method::NearestBy(rule))
    }

    /// Linear along each axis: linear for signals, bilinear for pictures, trilinear for volumes.
    #[must_use]
    pub fn linear() -> Self {
        Self::filter(Filter::Linear)
    }

    /// [`linear`](Self::linear) by its name for pictures.
    #[must_use]
    pub fn bilinear() -> Self {
        Self::linear()
    }

    /// [`linear`](Self::linear) by its name for volumes.
    #[must_use]
    pub fn trilinear() -> Self {
        Self::linear()
    }

    /// Cubic convolution along each axis (Keys 1981), the coefficient by the profile: PyTorch's -0.75, antialiased -0.5.
    #[must_use]
    pub fn cubic() -> Self {
        Self::new(Method::Cubic)
    }

    /// [`cubic`](Self::cubic) by its name for pictures.
    #[must_use]
    pub fn bicubic() -> Self {
        Self::cubic()
    }

    /// [`cubic`](Self::cubic) by its name for volumes, which PyTorch lacks.
    #[must_use]
    pub fn tricubic() -> Self {
        Self::cubic()
    }

    /// Adaptive averaging: each output pixel is the mean of the input pixels that it touches. PyTorch's `area`.
    ///
    /// ```
    /// use upsample::Resize;
    /// let x = ndarray::array![[[1.0, 2.0, 3.0, 10.0]]];
    /// assert_eq!(Resize::area().plan([4], [2])?.forward(&x)?, ndarray::array![[[1.5, 6.5]]]);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    #[must_use]
    #[doc(alias = "adaptive_avg_pool")]
    pub fn area() -> Self {
        Self::new(Method::Area)
    }

    /// Any filter along each axis.
    ///
    /// ```
    /// use upsample::{Filter, Resize};
    /// let lanczos = Resize::filter(Filter::Lanczos { lobes: 3 }).antialias(true).plan([480, 640], 0.5)?;
    /// assert_eq!(lanczos.output_size(), [240, 320]);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    #[must_use]
    pub fn filter(filter: Filter) -> Self {
        Self::new(Method::Filter(filter))
    }
}

/// The options.
impl Resize {
    /// Takes every option that is not set from a framework. The order of the calls does not matter.
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.profile = profile;
        self
    }

    /// Where output pixels lie in the input: one rule, or one for each spatial axis. Nearest then rounds these positions,
    /// halves down unless [`rounding`](Self::rounding) says otherwise.
    #[must_use]
    pub fn coordinates(mut self, coordinates: impl Into<PerAxis<Coordinates>>) -> Self {
        self.coordinates = Some(coordinates.into());
        self
    }

    /// The coefficient `a` of the cubic filter: its slope at distance 1. Other methods have none and stay as they are. ONNX
    /// `cubic_coeff_a`.
    #[must_use]
    pub fn cubic_coefficient(mut self, a: f64) -> Self {
        if matches!(self.method, Method::Cubic | Method::Filter(Filter::Cubic { .. })) {
            self.method = Method::Filter(Filter::Cubic { a });
        }
        self
    }

    /// How nearest rounds a position. Other methods round none and stay as they are. ONNX `nearest_mode`.
    #[must_use]
    pub fn rounding(mut self, rounding: Rounding) -> Self {
        if matches!(self.method, Method::Nearest | Method::NearestExact | Method::NearestBy(_)) {
            self.method = Method::NearestBy(NearestRule::Rounded(rounding));
        }
        self
    }

    /// Whether the filter is stretched when shrinking, so that no input pixel is skipped and fine patterns do not turn into coarse ones.
    /// The choice of taps is Pillow's and PyTorch's: it differs a little from the plain one even when enlarging.
    ///
    /// ```
    /// use upsample::Resize;
    /// // Stripes of one pixel, shrunk to a quarter: every fourth pixel is black, the average gray.
    /// let x = ndarray::Array3::from_shape_fn((1, 1, 64), |(_, _, l)| f64::from(l as u8 % 2));
    /// let gray = Resize::linear().antialias(true).plan([64], [16])?.forward(&x)?;
    /// assert!(gray.iter().all(|value| (value - 0.5).abs() < 0.1));
    /// # Ok::<(), upsample::Error>(())
    /// ```
    #[must_use]
    pub fn antialias(mut self, antialias: bool) -> Self {
        self.antialias = Some(antialias);
        self
    }

    /// Whether taps outside the input are dropped, and the others renormalised, instead of taking the border pixel. ONNX `exclude_outside`.
    #[must_use]
    pub fn exclude_outside(mut self, exclude: bool) -> Self {
        self.exclude_outside = Some(exclude);
        self
    }

    /// The value of output pixels whose position lies outside the input, for [`Coordinates::TfCropAndResize`]. 0 unless set.
    ///
    /// ```
    /// use upsample::{Coordinates, Resize};
    ///
    /// let region = Coordinates::TfCropAndResize { start: 0.0, end: 2.0 }; // twice as far as the input goes
    /// let plan = Resize::linear().coordinates(region).extrapolation(9.0).plan([3], [5])?;
    /// assert_eq!(plan.forward(&ndarray::array![[[1.0, 2.0, 3.0]]])?, ndarray::array![[[1.0, 2.0, 3.0, 9.0, 9.0]]]);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    #[must_use]
    pub fn extrapolation(mut self, value: f64) -> Self {
        self.extrapolation = value;
        self
    }

    /// How a scale becomes a size.
    ///
    /// ```
    /// use upsample::Resize;
    /// use upsample::output_size::ScaleRule;
    /// assert_eq!(Resize::linear().scale_rule(ScaleRule::Round).output_size([5], 1.5)?, [8]); // PyTorch's would be 7
    /// # Ok::<(), upsample::Error>(())
    /// ```
    #[must_use]
    pub fn scale_rule(mut self, rule: ScaleRule) -> Self {
        self.scale_rule = Some(rule);
        self
    }

    /// Whether a scale counts only for the output size, and coordinates use the ratio of the sizes.
    /// PyTorch's `recompute_scale_factor`. It makes a difference where the scaled size is not whole.
    ///
    /// ```
    /// use upsample::Resize;
    /// let x = ndarray::array![[[0.0, 1.0, 2.0]]];
    /// let by_scale = Resize::linear().plan([3], 1.5)?.forward(&x)?; // 4.5 pixels, of which there are 4; steps of 2/3
    /// let by_sizes = Resize::linear().recompute_scale(true).plan([3], 1.5)?.forward(&x)?; // steps of 3/4
    /// assert_ne!(by_scale, by_sizes);
    /// assert_eq!(by_sizes, Resize::linear().plan([3], [4])?.forward(&x)?);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    #[must_use]
    pub fn recompute_scale(mut self, recompute: bool) -> Self {
        self.recompute_scale = recompute;
        self
    }

    /// Whether an asked size keeps the input's proportions. It has no say in scales.
    #[must_use]
    pub fn aspect_ratio(mut self, policy: AspectRatio) -> Self {
        self.aspect_ratio = policy;
        self
    }

    /// Whether outputs are written past the caches.
    #[must_use]
    pub fn streaming(mut self, streaming: StreamingStores) -> Self {
        self.streaming = streaming;
        self
    }

    /// Runs under this instruction set instead of the best one, say for the same bits on every machine. One that the machine lacks runs as
    /// [`Backend::Portable`].
    #[must_use]
    pub fn backend(mut self, backend: Backend) -> Self {
        self.backend = Some(backend);
        self
    }
}

/// From description to plan.
impl Resize {
    /// The output size for an input of `input` pixels: what [`plan`](Self::plan) will use.
    ///
    /// ```
    /// use upsample::Resize;
    /// assert_eq!(Resize::linear().output_size([480, 640], 0.5)?, [240, 320]);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn output_size<const RANK: usize>(&self, input: [usize; RANK], target: impl Into<Target<RANK>>) -> Result<[usize; RANK], Error> {
        Ok(self.geometry(input, target.into())?.map(|axis| axis.output))
    }

    /// Computes the weights for an input of `input` pixels: a size or a scale for each spatial axis.
    /// A plan can be used any number of times, by any number of threads.
    ///
    /// ```
    /// use upsample::Resize;
    ///
    /// let by_size = Resize::bilinear().plan([480, 640], [512, 512])?;
    /// let by_scale = Resize::bilinear().plan([480, 640], [1.5, 2.0])?;
    /// assert_eq!((by_size.output_size(), by_scale.output_size()), ([512, 512], [720, 1280]));
    /// # Ok::<(), upsample::Error>(())
    /// ```
    ///
    /// # Errors
    /// [`Error::ZeroSize`], [`Error::InvalidScale`], [`Error::ScaleTooSmall`], [`Error::SizeOverflow`], [`Error::TooLarge`] for sizes
    /// without meaning, [`Error::AxisCount`] for per-axis options of another rank, [`Error::InvalidParameter`] for options that are not
    /// numbers,
    /// [`Error::Unsupported`] for options that exclude each other, [`Error::OutOfMemory`] when the tables do not fit.
    pub fn plan<const RANK: usize>(&self, input: [usize; RANK], target: impl Into<Target<RANK>>) -> Result<ResizePlan<RANK>, Error> {
        let geometry = self.geometry(input, target.into())?;
        let output = geometry.map(|axis| axis.output);
        let mut axes = [AxisPlan::identity()?, AxisPlan::identity()?, AxisPlan::identity()?];
        let coordinates = self.axis_coordinates::<RANK>()?;
        for index in 0..RANK {
            let axis = Axis::spatial(RANK, index);
            axes[3 - RANK + index] = self.axis(axis, coordinates[index], &geometry[index], output_sum::<RANK>(output))?;
        }
        let options = RunOptions {
            nearest: self.is_nearest(),
            round_once: self.profile == Profile::OpenCv,
            extrapolation: self.extrapolation,
            how: How { backend: self.backend.unwrap_or_else(Backend::best), streaming: self.streaming },
        };
        ResizePlan::new(input, output, axes, options)
    }

    /// The same with per-axis options in another order.
    pub(crate) fn reordered<const RANK: usize>(&self, order: [usize; RANK]) -> Result<Self, Error> {
        let coordinates = self.coordinates.as_ref().map(|each| each.reordered("coordinates", order)).transpose()?;
        Ok(Self { coordinates, ..self.clone() })
    }

    fn is_nearest(&self) -> bool {
        matches!(self.method, Method::Nearest | Method::NearestExact | Method::NearestBy(_))
    }

    /// The coordinates of each axis, checked against the method.
    fn axis_coordinates<const RANK: usize>(&self) -> Result<[Coordinates; RANK], Error> {
        if let (Method::NearestBy(rule), Some(_)) = (&self.method, &self.coordinates)
            && !matches!(rule, NearestRule::Rounded(_))
        {
            let why = "this rule has positions of its own; coordinates go with a rounding";
            return Err(Error::Unsupported { what: format!("nearest by {rule:?} with coordinates"), why });
        }
        if matches!(self.method, Method::Area) && self.coordinates.is_some() {
            let why = "area averages the pixels that an output pixel touches, wherever its centre lies";
            return Err(Error::Unsupported { what: "area with coordinates".to_owned(), why });
        }
        let default = if self.is_nearest() { self.profile.nearest().1 } else { Coordinates::HalfPixel };
        let coordinates = self.coordinates.clone().unwrap_or(PerAxis::All(default)).resolve("coordinates")?;
        coordinates.iter().try_for_each(|coordinates| coordinates.check())?;
        Ok(coordinates)
    }

    /// Sizes and scale of each axis.
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // sizes are checked
    fn geometry<const RANK: usize>(&self, input: [usize; RANK], target: Target<RANK>) -> Result<[Geometry; RANK], Error> {
        check_sizes("input", input)?;
        element_count::<u8>("input", &input)?;
        let rule = self.scale_rule.unwrap_or(self.profile.scale_rule());
        let mut geometry = [Geometry::of_sizes(1, 1); RANK];
        match target {
            Target::Size(asked) => {
                check_sizes("output", asked)?;
                let common = common_scale(self.aspect_ratio, &input, &asked);
                for (index, axis) in geometry.iter_mut().enumerate() {
                    *axis = match common {
                        // OpenCV goes by way of the scale, and rounds once more.
                        None if self.profile == Profile::OpenCv && self.is_nearest() => {
                            Geometry::of_scale(input[index], asked[index], asked[index] as f64 / input[index] as f64)
                        }
                        None => Geometry::of_sizes(input[index], asked[index]),
                        Some(scale) => {
                            let output = ((input[index] as f64 * scale + 0.5).floor() as usize).max(1);
                            self.scaled_axis(input[index], output, scale)
                        }
                    };
                }
            }
            Target::Scale(scales) => {
                for (index, axis) in geometry.iter_mut().enumerate() {
                    let output = scaled_of(Axis::spatial(RANK, index), input[index], scales[index], rule)?;
                    *axis = self.scaled_axis(input[index], output, scales[index]);
                }
            }
        }
        element_count::<u8>("output", &geometry.map(|axis| axis.output))?;
        Ok(geometry)
    }

    #[allow(clippy::cast_precision_loss)] // sizes are checked
    fn scaled_axis(&self, input: usize, output: usize, scale: f64) -> Geometry {
        if self.recompute_scale {
            return Geometry::of_sizes(input, output);
        }
        let mut axis = Geometry::of_scale(input, output, scale);
        if self.profile.fractional_length() {
            axis.length = input as f64 * scale;
        }
        axis
    }

    /// The taps of one axis. `size_sum` is the sum of the output sizes, for pictures.
    fn axis(&self, axis: Axis, coordinates: Coordinates, geometry: &Geometry, size_sum: Option<usize>) -> Result<AxisPlan, Error> {
        let antialias = self.antialias.unwrap_or(self.profile.antialias());
        let filter = match &self.method {
            Method::Nearest | Method::NearestExact | Method::NearestBy(_) => {
                return self.nearest_axis(axis, coordinates, geometry, size_sum);
            }
            Method::Area => {
                self.refuse_filter_options("area")?;
                return AxisPlan::of_taps(Taps::of_area(axis, geometry.input, geometry.output)?);
            }
            Method::Cubic => &Filter::Cubic { a: self.profile.cubic_coefficient(antialias) },
            Method::Filter(filter) => filter,
        };
        if let Filter::Cubic { a } = *filter
            && !a.is_finite()
        {
            return Err(Error::InvalidParameter { parameter: "cubic coefficient", value: a, requirement: "a finite number" });
        }
        let exclude_outside = self.exclude_outside.unwrap_or(self.profile.exclude_outside(antialias));
        let table = |torch| Taps::of_filter(axis, TapRule { filter, coordinates, antialias, exclude_outside, torch }, geometry);
        if self.profile == Profile::Torch {
            // PyTorch copies an axis that keeps its size, whatever the scale, except in bicubic without antialias.
            let keeps = geometry.input == geometry.output && coordinates == Coordinates::HalfPixel;
            if keeps && (antialias || matches!(filter, Filter::Linear)) {
                let indices = index_list(axis, geometry, (0..geometry.input).map(|i| u32::try_from(i).ok()))?;
                return AxisPlan::of_taps(Taps::of_indices(axis, geometry.input, &indices)?);
            }
            AxisPlan::of_both(table(Some(TorchPositions::Single))?, table(Some(TorchPositions::Double))?)
        } else {
            AxisPlan::of_taps(table(None)?)
        }
    }

    fn nearest_axis(&self, axis: Axis, coordinates: Coordinates, geometry: &Geometry, size_sum: Option<usize>) -> Result<AxisPlan, Error> {
        self.refuse_filter_options("nearest")?;
        let rule = match self.method {
            Method::NearestBy(rule) => rule,
            _ if self.coordinates.is_some() => NearestRule::Rounded(Rounding::default()),
            Method::NearestExact => self.profile.nearest_exact(),
            _ => self.profile.nearest().0,
        };
        let small_picture = size_sum.is_some_and(|sum| sum <= 128);
        let indices = |double| rule.indices(axis, coordinates, geometry, TorchArithmetic { double, small_picture });
        AxisPlan::of_nearest(axis, geometry.input, &indices(false)?, &indices(true)?)
    }

    /// Options of filters, set where there is no filter.
    fn refuse_filter_options(&self, method: &str) -> Result<(), Error> {
        let why = "there is no filter to apply it to";
        for (option, set) in [("antialias", self.antialias), ("exclude-outside", self.exclude_outside)] {
            if set == Some(true) {
                return Err(Error::Unsupported { what: format!("{method} with {option}"), why });
            }
        }
        Ok(())
    }
}

/// Height plus width of a picture, by which PyTorch chooses its loop.
fn output_sum<const RANK: usize>(output: [usize; RANK]) -> Option<usize> {
    (RANK == 2).then(|| output.iter().fold(0, |sum, &size| size.saturating_add(sum)))
}
