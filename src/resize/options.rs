//! `Resize`: what a resize is, without sizes.

use std::panic::AssertUnwindSafe;

use crate::error::{Axis, Error};
use crate::kernels::{Backend, How, StreamingStores};
use crate::output_size::{ScaleRule, element_count, scaled_length, scaled_of};
use crate::resize::coordinates::{
    Asked, AspectRatio, Coordinates, Geometry, PerAxis, Rounding, Target, check_edges, check_sizes, common_axis, scaled_by_ratio,
};
use crate::resize::nearest::{NearestRule, TorchArithmetic, index_list};
use crate::tensor::{Spatial, SpatialRank, first_axes};

use super::filter::Filter;
use super::passes::IntegerSums;
use super::plan::{MakeTaps, PlannedResize, ResizePlan, RunOptions};
use super::profile::Profile;
use super::taps::{PositionArithmetic, TapRule, Taps};

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
#[derive(Debug, Clone, PartialEq)]
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
    crop: Option<[PerAxis<f64>; 2]>,
    backend: Option<Backend>,
    streaming: StreamingStores,
}

#[derive(Debug, Clone, PartialEq)]
enum Method {
    Nearest,
    NearestExact,
    NearestBy(NearestRule),
    Cubic,
    Filter(Filter),
    Area,
    LinearFixed { bits: u32 },
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
            crop: None,
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

    /// Linear with weights of `bits` fractional bits, 24 at most: the same bytes on every machine. OpenCV's `INTER_LINEAR_EXACT` has 8
    /// bits for `u8` and 16 for `u16`; results are its, but for bytes whose sum lies exactly half-way between two numbers, which it rounds
    /// up. Whatever the profile, sums are kept in `f64`, where those of 8 and 16 bits are exact, and rounded once.
    ///
    /// ```
    /// use upsample::Resize;
    /// let x = ndarray::array![[[0.0, 256.0]]];
    /// assert_eq!(Resize::linear_fixed(8).plan([2], [3])?.forward(&x)?, ndarray::array![[[0.0, 128.0, 256.0]]]);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    #[must_use]
    #[doc(alias = "INTER_LINEAR_EXACT")]
    pub fn linear_fixed(bits: u32) -> Self {
        Self::new(Method::LinearFixed { bits })
    }

    /// Averaging. By PyTorch's rule, `mode='area'`, each output pixel is the mean of the input pixels that it touches. With
    /// [`Profile::OpenCv`] it is `INTER_AREA`: to shrink, pixels count by how much of them an output pixel covers; to enlarge (any of the
    /// axes), linear between two pixels.
    ///
    /// ```
    /// use upsample::Resize;
    /// let x = ndarray::array![[[1.0, 2.0, 3.0, 10.0]]];
    /// assert_eq!(Resize::area().plan([4], [2])?.forward(&x)?, ndarray::array![[[1.5, 6.5]]]);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    #[must_use]
    #[doc(alias = "adaptive_avg_pool")]
    #[doc(alias = "INTER_AREA")]
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

    /// Resizes only the part of the input between `begin` and `end`, in pixels from the input's edge, fractions allowed: one number for all
    /// axes, or one for each. Filters read pixels beside the part where the input has some. Pillow's `box`.
    ///
    /// A scale multiplies the length of the part. Positions are half-pixel's; nearest takes the pixel that holds the centre.
    ///
    /// ```
    /// use upsample::Resize;
    /// let x = ndarray::array![[[0.0, 1.0, 2.0, 3.0, 4.0]]];
    /// let part = Resize::linear().crop(1.0, 3.0).plan([5], 2.0)?;
    /// assert_eq!(part.forward(&x)?, ndarray::array![[[0.75, 1.25, 1.75, 2.25]]]);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    #[must_use]
    #[doc(alias = "box")]
    pub fn crop(mut self, begin: impl Into<PerAxis<f64>>, end: impl Into<PerAxis<f64>>) -> Self {
        self.crop = Some([begin.into(), end.into()]);
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
    /// Ranks are those of [`plan`](Self::plan); others do not compile:
    ///
    /// ```compile_fail,E0277
    /// let _ = upsample::Resize::linear().output_size([2, 2, 2, 2], 2.0);
    /// ```
    /// ```compile_fail,E0277
    /// let _ = upsample::Resize::linear().output_size([], 2.0);
    /// ```
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn output_size<const RANK: usize>(&self, input: [usize; RANK], target: impl Into<Target<RANK>>) -> Result<[usize; RANK], Error>
    where
        Spatial<RANK>: SpatialRank,
    {
        Ok(first_axes(self.geometry(&input, target.into().asked())?.map(|axis| axis.output)))
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
    /// There are one, two or three spatial axes; other numbers do not compile:
    ///
    /// ```
    /// let resize = upsample::Resize::linear();
    /// assert!(resize.plan([2], 2.0).is_ok() && resize.plan([2, 2], 2.0).is_ok() && resize.plan([2, 2, 2], 2.0).is_ok());
    /// ```
    /// ```compile_fail,E0277
    /// let _ = upsample::Resize::linear().plan([2, 2, 2, 2], 2.0);
    /// ```
    /// ```compile_fail,E0277
    /// let _ = upsample::Resize::linear().plan([], 2.0);
    /// ```
    ///
    /// # Errors
    /// [`Error::ZeroSize`], [`Error::InvalidScale`], [`Error::ScaleTooSmall`], [`Error::SizeOverflow`], [`Error::TooLarge`] for sizes
    /// without meaning, [`Error::AxisCount`] for per-axis options of another rank, [`Error::InvalidParameter`] for options that are not
    /// numbers,
    /// [`Error::Unsupported`] for options that exclude each other, [`Error::OutOfMemory`] when the tables do not fit.
    pub fn plan<const RANK: usize>(&self, input: [usize; RANK], target: impl Into<Target<RANK>>) -> Result<ResizePlan<RANK>, Error>
    where
        Spatial<RANK>: SpatialRank,
    {
        let (output, planned) = self.plan_axes(&input, target.into().asked())?;
        Ok(ResizePlan::new(input, first_axes(output), planned))
    }

    /// The sizes of the output, of which as many count as the input has axes, and the plan.
    fn plan_axes(&self, input: &[usize], asked: Asked<'_>) -> Result<([usize; 3], PlannedResize), Error> {
        let (geometry, rank) = (self.geometry(input, asked)?, input.len());
        let taps = self.taps(&geometry[..rank], false)?;
        let double = self.has_double().then(|| -> MakeTaps {
            let described = AssertUnwindSafe(self.clone());
            Box::new(move || described.taps(&geometry[..rank], true))
        });
        Ok((geometry.map(|axis| axis.output), PlannedResize::new(taps, double, self.run_options())?))
    }

    /// Whether the taps for `f64` may differ from those for other types: PyTorch computes positions in `f32` for them, and Pillow has no
    /// pictures of `f64`, for which positions are exact.
    fn has_double(&self) -> bool {
        match self.method {
            Method::Area | Method::LinearFixed { .. } => false,
            Method::Nearest | Method::NearestExact | Method::NearestBy(_) => true,
            _ => matches!(self.profile, Profile::Torch | Profile::Pillow),
        }
    }

    /// The taps of depth, height and width, those of `f64` or of all other types; of one pixel where the rank has no such axis.
    fn taps(&self, geometry: &[Geometry], double: bool) -> Result<[Taps; 3], Error> {
        let rank = geometry.len();
        let identity = || Taps::of_indices(Axis::Depth, 1, &[Some(0)]);
        let mut taps = [identity()?, identity()?, identity()?];
        let coordinates = self.axis_coordinates(rank)?;
        let shrinks = geometry.iter().all(|axis| axis.opencv_ratio() >= 1.0);
        let small_picture = matches!(geometry, [height, width] if height.output.saturating_add(width.output) <= 128);
        for (index, geometry) in geometry.iter().enumerate() {
            let axis = Axis::spatial(rank, index);
            taps[3 - rank + index] = match self.method {
                Method::Nearest | Method::NearestExact | Method::NearestBy(_) => {
                    self.nearest_axis(axis, coordinates[index], geometry, TorchArithmetic { double, small_picture })?
                }
                Method::Area => self.area_axis(axis, geometry, shrinks)?,
                _ => self.filter_axis(axis, coordinates[index], geometry, double)?,
            };
        }
        Ok(taps)
    }

    fn run_options(&self) -> RunOptions {
        RunOptions {
            nearest: self.is_nearest(),
            integers: if matches!(self.method, Method::LinearFixed { .. }) { IntegerSums::Double } else { self.profile.integers() },
            extrapolation: self.extrapolation,
            how: How { backend: self.backend.unwrap_or_else(Backend::best), streaming: self.streaming },
        }
    }

    /// The same with per-axis options in another order.
    pub(crate) fn reordered<const RANK: usize>(&self, order: [usize; RANK]) -> Result<Self, Error> {
        let coordinates = self.coordinates.as_ref().map(|each| each.reordered("coordinates", order)).transpose()?;
        let crop = match &self.crop {
            Some([begin, end]) => Some([begin.reordered("crop begin", order)?, end.reordered("crop end", order)?]),
            None => None,
        };
        Ok(Self { coordinates, crop, ..self.clone() })
    }

    /// The distance beyond which the filter is 0, in pixels; `None` where there is no filter.
    pub(crate) fn filter_support(&self) -> Option<f64> {
        match &self.method {
            Method::Cubic => Some(2.0),
            Method::Filter(filter) => Some(filter.support()),
            _ => None,
        }
    }

    pub(crate) fn has_crop(&self) -> bool {
        self.crop.is_some()
    }

    fn is_nearest(&self) -> bool {
        matches!(self.method, Method::Nearest | Method::NearestExact | Method::NearestBy(_))
    }

    /// The coordinates of each axis, checked against the method. The first `rank` count.
    fn axis_coordinates(&self, rank: usize) -> Result<[Coordinates; 3], Error> {
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
        let coordinates = self.coordinates.clone().unwrap_or(PerAxis::All(default)).resolve_axes("coordinates", rank)?;
        coordinates.iter().try_for_each(|coordinates| coordinates.check())?;
        Ok(coordinates)
    }

    /// Sizes and scale of each axis: as many as `input` has.
    fn geometry(&self, input: &[usize], asked: Asked<'_>) -> Result<[Geometry; 3], Error> {
        check_sizes("input", input)?;
        element_count::<u8>("input", input)?;
        let mut geometry = match (&self.crop, asked) {
            (Some(part), _) => self.cropped_axes(input, part, asked)?,
            (None, Asked::Size(sizes)) => self.sized_axes(input, sizes)?,
            (None, Asked::Scale(scales)) => self.scaled_axes(input, scales)?,
        };
        for axis in &mut geometry {
            axis.fractional_length = self.profile.fractional_length();
        }
        element_count::<u8>("output", &geometry.map(|axis| axis.output)[..input.len()])?;
        Ok(geometry)
    }

    fn cropped_axes(&self, input: &[usize], part: &[PerAxis<f64>; 2], asked: Asked<'_>) -> Result<[Geometry; 3], Error> {
        self.check_crop()?;
        let rank = input.len();
        let [begin, end] = [part[0].resolve_axes("crop begin", rank)?, part[1].resolve_axes("crop end", rank)?];
        let mut geometry = [Geometry::of_sizes(1, 1); 3];
        for (index, axis) in geometry[..rank].iter_mut().enumerate() {
            // Pillow's box is of f32, and so is its length.
            let rounded = |number: f64| if self.profile == Profile::Pillow { f64::from(number as f32) } else { number };
            let edges = [begin[index], end[index]].map(rounded);
            let [begin, end] = edges;
            let length = rounded(end - begin);
            check_edges(edges, input[index], "at most the input's size")?;
            let output = match asked {
                Asked::Size(sizes) => {
                    check_sizes("output", sizes)?;
                    sizes[index]
                }
                Asked::Scale(scales) => {
                    let rule = self.scale_rule.unwrap_or(self.profile.scale_rule());
                    scaled_length(Axis::spatial(rank, index), (input[index], length), scales[index], rule)?
                }
            };
            *axis = Geometry::of_part(input[index], output, edges, length);
        }
        Ok(geometry)
    }

    /// Refuses what has no meaning for a part of the input.
    fn check_crop(&self) -> Result<(), Error> {
        let half_pixel = self.coordinates.as_ref().is_none_or(|rules| match rules {
            PerAxis::All(rule) => *rule == Coordinates::HalfPixel,
            PerAxis::Each(rules) => rules.iter().all(|rule| *rule == Coordinates::HalfPixel),
        });
        let (what, why) = match self.method {
            _ if !half_pixel => ("a crop with coordinates other than half-pixel", "a part of the input is placed by its edges"),
            _ if self.aspect_ratio != AspectRatio::Stretch => ("a crop that keeps proportions", "give the size of the output instead"),
            Method::Area => ("a crop of area", "box with antialias averages by coverage"),
            Method::NearestBy(rule) if !matches!(rule, NearestRule::Rounded(_) | NearestRule::Pillow) => {
                ("a crop with this nearest rule", "a rounding or Pillow's rule has positions for it")
            }
            _ => return Ok(()),
        };
        Err(Error::Unsupported { what: what.to_owned(), why })
    }

    fn sized_axes(&self, input: &[usize], asked: &[usize]) -> Result<[Geometry; 3], Error> {
        check_sizes("output", asked)?;
        let mut geometry = [Geometry::of_sizes(1, 1); 3];
        for (axis, (&input, &asked)) in geometry.iter_mut().zip(input.iter().zip(asked)) {
            *axis = Geometry::of_sizes(input, asked);
        }
        if let Some(common) = common_axis(self.aspect_ratio, input, asked) {
            let ratio = (asked[common], input[common]);
            for (index, axis) in geometry[..input.len()].iter_mut().enumerate() {
                let overflow = Error::SizeOverflow { argument: "output", axis: Axis::spatial(input.len(), index) };
                let output = scaled_by_ratio(input[index], ratio).ok_or(overflow)?;
                let of_sizes = self.recompute_scale;
                *axis = if of_sizes { Geometry::of_sizes(input[index], output) } else { Geometry::of_ratio(input[index], output, ratio) };
            }
        }
        Ok(geometry)
    }

    fn scaled_axes(&self, input: &[usize], scales: &[f64]) -> Result<[Geometry; 3], Error> {
        let rule = self.scale_rule.unwrap_or(self.profile.scale_rule());
        let mut geometry = [Geometry::of_sizes(1, 1); 3];
        for (index, axis) in geometry[..input.len()].iter_mut().enumerate() {
            let output = scaled_of(Axis::spatial(input.len(), index), input[index], scales[index], rule)?;
            *axis = if self.recompute_scale {
                Geometry::of_sizes(input[index], output)
            } else {
                Geometry::of_scale(input[index], output, scales[index])
            };
        }
        Ok(geometry)
    }

    /// The taps of an axis by averaging; `shrinks` if no axis is enlarged.
    fn area_axis(&self, axis: Axis, geometry: &Geometry, shrinks: bool) -> Result<Taps, Error> {
        self.refuse_filter_options("area")?;
        match self.profile {
            Profile::OpenCv if shrinks => Taps::of_coverage(axis, geometry),
            Profile::OpenCv => Taps::of_enlarged_area(axis, geometry),
            _ => Taps::of_area(axis, geometry.input, geometry.output),
        }
    }

    /// The taps of an axis by a filter.
    fn filter_axis(&self, axis: Axis, coordinates: Coordinates, geometry: &Geometry, double: bool) -> Result<Taps, Error> {
        let antialias = self.antialias.unwrap_or(self.profile.antialias());
        let filter = match &self.method {
            Method::Cubic => &Filter::Cubic { a: self.profile.cubic_coefficient(antialias) },
            Method::Filter(filter) => filter,
            Method::LinearFixed { bits } => return self.linear_fixed_axis(axis, coordinates, geometry, *bits),
            Method::Nearest | Method::NearestExact | Method::NearestBy(_) | Method::Area => return Taps::of_indices(axis, 1, &[Some(0)]),
        };
        if let Filter::Cubic { a } = *filter
            && !a.is_finite()
        {
            return Err(Error::InvalidParameter { parameter: "cubic coefficient", value: a, requirement: "a finite number" });
        }
        let exclude_outside = self.exclude_outside.unwrap_or(self.profile.exclude_outside(antialias));
        let table = |arithmetic| Taps::of_filter(axis, TapRule { filter, coordinates, antialias, exclude_outside, arithmetic }, geometry);
        match self.profile {
            // Pillow has no pictures of `f64`.
            Profile::Pillow => return table(if double { PositionArithmetic::Exact } else { PositionArithmetic::Pillow }),
            Profile::Torch if geometry.part.is_none() => {}
            profile => return table(profile.position_arithmetic()),
        }
        // PyTorch copies an axis that keeps its size, whatever the scale, except in bicubic without antialias.
        let keeps = geometry.input == geometry.output && coordinates == Coordinates::HalfPixel;
        if keeps && (antialias || matches!(filter, Filter::Linear)) {
            let indices = index_list(axis, geometry, (0..geometry.input).map(|i| u32::try_from(i).ok()))?;
            return Taps::of_indices(axis, geometry.input, &indices);
        }
        match filter {
            Filter::Linear | Filter::Cubic { .. } | Filter::Lanczos { .. } if double => table(PositionArithmetic::TorchDouble),
            Filter::Linear | Filter::Cubic { .. } | Filter::Lanczos { .. } => table(PositionArithmetic::TorchSingle),
            // PyTorch has no others.
            _ => table(PositionArithmetic::Exact),
        }
    }

    fn linear_fixed_axis(&self, axis: Axis, coordinates: Coordinates, geometry: &Geometry, bits: u32) -> Result<Taps, Error> {
        self.refuse_filter_options("linear with weights of few bits")?;
        if !(1..=24).contains(&bits) {
            return Err(Error::InvalidParameter { parameter: "bits of a weight", value: f64::from(bits), requirement: "from 1 to 24" });
        }
        let arithmetic = PositionArithmetic::Exact;
        let rule = TapRule { filter: &Filter::Linear, coordinates, antialias: false, exclude_outside: false, arithmetic };
        Ok(Taps::of_filter(axis, rule, geometry)?.rounded_to(bits))
    }

    fn nearest_axis(&self, axis: Axis, coordinates: Coordinates, geometry: &Geometry, arithmetic: TorchArithmetic) -> Result<Taps, Error> {
        self.refuse_filter_options("nearest")?;
        let rule = match self.method {
            Method::NearestBy(rule) => rule,
            _ if self.coordinates.is_some() => NearestRule::Rounded(Rounding::default()),
            _ if geometry.part.is_some() && self.profile != Profile::Pillow => NearestRule::Rounded(Rounding::RoundPreferCeil),
            Method::NearestExact => self.profile.nearest_exact(),
            _ => self.profile.nearest().0,
        };
        Taps::of_indices(axis, geometry.input, &rule.indices(axis, coordinates, geometry, arithmetic)?)
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
