//! `PictureResize`: how a picture is resized, and the plan of it.

use std::mem::MaybeUninit;

use ndarray::{Array3, ArrayViewMut3, Axis as NdAxis, s};

use crate::error::{Axis, Error};
use crate::kernels::{Alpha, Backend};
use crate::memory::uninit;
use crate::resize::coordinates::{Target, check_edges};
use crate::resize::{Filter, IntegerSums, Profile, Resize, ResizePlan};
use crate::tensor::expect_sizes;

use super::convert::Converted;
use super::fit::{Fit, Layout, Part, layout, reduction};
use super::light::{Colours, Light};
use super::reduce::Reduction;
use super::sample::Sample;
use super::view::{AsPicture, View, ViewMut, check_channels};

/// The description of a picture's resize.
///
/// Unless said otherwise the numbers are Pillow's: filters are stretched when shrinking, so that fine patterns do not turn into coarse ones,
/// and colours are weighted by their opacity. Bytes with and without alpha are Pillow's to the last bit. 16-bit and `f32` pictures with alpha, which
/// Pillow lacks, are summed in `f32` and rounded once.
///
/// ```
/// use ndarray::array;
/// use upsample::picture::PictureResize;
///
/// // An opaque red pixel beside a transparent green one: H×W×RGBA.
/// let x = array![[[255, 0, 0, 255], [0, 255, 0, 0_u8]]];
/// let y = PictureResize::bilinear().resize(&x, [1, 1])?;
/// assert_eq!(y, array![[[255, 0, 0, 128]]]); // half as opaque, and as red as before
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq)]
pub struct PictureResize {
    resize: Resize,
    antialias: Antialias,
    premultiply: bool,
    light: Light,
    part: Option<Part>,
    fit: Fit,
    reducing_gap: Option<f64>,
}

/// Whether a filter is stretched.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Antialias {
    /// As the description of the resize has it.
    AsDescribed,
    /// Where a picture is shrunk along any axis.
    WhenShrinking,
    Always,
    Never,
}

/// The constructors, one a filter.
impl PictureResize {
    /// Resizes as `resize` describes, with every option of its own: its filters are stretched only where it says so. Parts of a picture are
    /// asked for by [`crop`](Self::crop) here.
    #[must_use]
    pub fn new(resize: Resize) -> Self {
        Self {
            resize,
            antialias: Antialias::AsDescribed,
            premultiply: true,
            light: Light::Stored,
            part: None,
            fit: Fit::Stretch,
            reducing_gap: None,
        }
    }

    fn stretched(resize: Resize) -> Self {
        Self { antialias: Antialias::WhenShrinking, ..Self::new(resize.profile(Profile::Pillow)) }
    }

    /// Any filter.
    #[must_use]
    pub fn filter(filter: Filter) -> Self {
        Self::stretched(Resize::filter(filter))
    }

    /// Copies pixels: for pixel art and labels. No colours are mixed, so that options for alpha and light have no effect.
    #[must_use]
    pub fn nearest() -> Self {
        Self::new(Resize::nearest().profile(Profile::Pillow))
    }

    /// Linear: soft, never overshoots.
    #[must_use]
    pub fn bilinear() -> Self {
        Self::filter(Filter::Linear)
    }

    /// Cubic: sharper, overshoots a little. Pillow's coefficient is -0.5.
    #[must_use]
    pub fn bicubic() -> Self {
        Self::stretched(Resize::bicubic())
    }

    /// Lanczos with 3 lobes: the sharpest, overshoots and rings most.
    #[must_use]
    pub fn lanczos3() -> Self {
        Self::filter(Filter::Lanczos { lobes: 3 })
    }
}

/// The options.
impl PictureResize {
    /// Computes the numbers of another framework than Pillow. Filters are still stretched when shrinking, unless
    /// [`antialias`](Self::antialias) says otherwise.
    ///
    /// ```
    /// use upsample::{Profile, Resize, picture::PictureResize};
    /// let x = ndarray::Array3::from_shape_fn((8, 8, 3), |(y, x, c)| (y * x * 5 + c) as f32);
    /// let y = PictureResize::bicubic().profile(Profile::Torch).resize(&x, [4, 4])?;
    /// assert_eq!(y, PictureResize::new(Resize::bicubic().antialias(true)).resize(&x, [4, 4])?);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    #[must_use]
    pub fn profile(mut self, profile: Profile) -> Self {
        self.resize = self.resize.profile(profile);
        self
    }

    /// Whether the filter is stretched when shrinking.
    #[must_use]
    pub fn antialias(mut self, antialias: bool) -> Self {
        self.antialias = if antialias { Antialias::Always } else { Antialias::Never };
        self
    }

    /// Whether colours are weighted by their opacity. True unless set; pictures without alpha are not affected.
    #[must_use]
    #[doc(alias = "alpha")]
    pub fn premultiply(mut self, premultiply: bool) -> Self {
        self.premultiply = premultiply;
        self
    }

    /// What is averaged: numbers as they are stored, or light.
    #[must_use]
    #[doc(alias = "gamma")]
    pub fn light(mut self, light: Light) -> Self {
        self.light = light;
        self
    }

    /// [`light`](Self::light) of sRGB pictures, which nearly all are.
    #[must_use]
    pub fn linear_light(self) -> Self {
        self.light(Light::Srgb)
    }

    /// Resizes only the part between two corners, `[y, x]` in pixels from the top left, fractions allowed. Filters read pixels beside the part
    /// where the picture has some. Pillow's `box`, fast_image_resize's `crop`.
    ///
    /// ```
    /// use upsample::picture::PictureResize;
    /// let x = ndarray::array![[[0_u8], [100], [200]]];
    /// let y = PictureResize::bilinear().crop([0.0, 0.5], [1.0, 2.5]).resize(&x, [1, 2])?;
    /// assert_eq!(y, ndarray::array![[[50], [150]]]);
    /// # Ok::<(), upsample::Error>(())
    /// ```
    #[must_use]
    #[doc(alias = "box")]
    pub fn crop(mut self, top_left: [f64; 2], bottom_right: [f64; 2]) -> Self {
        self.part = Some([top_left, bottom_right]);
        self
    }

    /// How to fit a picture whose proportions differ from those of the requested size.
    #[must_use]
    pub fn fit(mut self, fit: Fit) -> Self {
        self.fit = fit;
        self
    }

    /// Shrinks in two stages. The first averages whole blocks of pixels and leaves a picture at least `gap` times as large as the requested
    /// size; the second applies the filter to it. The difference is hardly visible from a gap of 3 on. Pillow's `reducing_gap`. It has no
    /// effect on nearest and area.
    #[must_use]
    pub fn reducing_gap(mut self, gap: f64) -> Self {
        self.reducing_gap = Some(gap);
        self
    }

    /// Runs under this instruction set instead of the best one.
    #[must_use]
    pub fn backend(mut self, backend: Backend) -> Self {
        self.resize = self.resize.backend(backend);
        self
    }
}

/// From description to plan.
impl PictureResize {
    /// Resizes `picture` to `target`, `[height, width]` or a scale, into a new picture of the same kind.
    ///
    /// # Errors
    /// As [`plan`](Self::plan) and [`PicturePlan::run`].
    pub fn resize<P: AsPicture>(&self, picture: &P, target: impl Into<Target<2>>) -> Result<P::Resized, Error> {
        picture.resized(self, target.into())
    }

    /// Resizes `x` to the size of `y`, into `y`.
    ///
    /// # Errors
    /// As [`plan`](Self::plan) and [`PicturePlan::run_into`]; `y` is then untouched.
    pub fn resize_into<'a, 'b, A: Sample>(&self, x: impl Into<View<'a, A>>, y: impl Into<ViewMut<'b, A>>) -> Result<(), Error> {
        let (x, y) = (x.into(), y.into());
        self.plan(x.size(), [y.pixels.dim().0, y.pixels.dim().1])?.run_into(x, y)
    }

    /// The size of the output for a picture of `input` pixels, height and width.
    ///
    /// # Errors
    /// As [`plan`](Self::plan).
    pub fn output_size(&self, input: [usize; 2], target: impl Into<Target<2>>) -> Result<[usize; 2], Error> {
        Ok(self.layout(input, target.into())?.output)
    }

    /// Computes the weights for pictures of `input` pixels, height and width, with any number of channels.
    ///
    /// # Errors
    /// As [`Resize::plan`]; [`Error::InvalidParameter`] for a crop outside the picture, a gamma or a gap without meaning.
    pub fn plan(&self, input: [usize; 2], target: impl Into<Target<2>>) -> Result<PicturePlan, Error> {
        self.light.check()?;
        let layout = self.layout(input, target.into())?;
        let mut resize = self.resize.clone();
        let shrinks = (0..2).any(|axis| length_of_part(&layout, input, axis) > layout.resized[axis] as f64);
        match self.antialias {
            Antialias::WhenShrinking if shrinks => resize = resize.antialias(true),
            Antialias::AsDescribed | Antialias::WhenShrinking => {}
            set => resize = resize.antialias(set == Antialias::Always),
        }
        let (mut size, mut part) = (input, layout.part);
        let reduction = self.reduction(input, &layout)?;
        if let Some((reduction, rest)) = reduction {
            (size, part) = (reduction.output(), Some(rest));
        }
        if let Some([begin, end]) = part {
            resize = resize.crop(begin, end);
        }
        let plan = resize.plan(size, layout.resized)?;
        let reduction = reduction.map(|(reduction, _)| reduction);
        Ok(PicturePlan { input, layout, fit: self.fit, light: self.light, premultiply: self.premultiply, reduction, plan })
    }

    fn layout(&self, input: [usize; 2], target: Target<2>) -> Result<Layout, Error> {
        if self.resize.has_crop() {
            let why = "ask for a part of a picture by `PictureResize::crop`";
            return Err(Error::Unsupported { what: "a picture's resize made of one that has a crop".to_owned(), why });
        }
        let mut described = self.resize.clone();
        if let Some([begin, end]) = self.part {
            for axis in 0..2 {
                check_edges([begin[axis], end[axis]], input[axis], "at most the picture's size")?;
            }
            described = described.crop(begin, end);
        }
        let asked = described.output_size(input, target)?;
        let fit = if matches!(target, Target::Size(_)) { self.fit } else { Fit::Stretch };
        Ok(layout(fit, input, self.part, asked))
    }

    fn reduction(&self, input: [usize; 2], layout: &Layout) -> Result<Option<(Reduction, Part)>, Error> {
        let Some(gap) = self.reducing_gap else { return Ok(None) };
        if !(gap >= 1.0 && gap.is_finite()) {
            return Err(Error::InvalidParameter { parameter: "reducing gap", value: gap, requirement: "a finite number, at least 1" });
        }
        let whole = [[0.0; 2], [input[0] as f64, input[1] as f64]];
        let Some(support) = self.resize.filter_support() else { return Ok(None) };
        Ok(reduction(input, layout.part.unwrap_or(whole), layout.resized, support, gap))
    }
}

/// Pixels of the part that is resized, along an axis.
fn length_of_part(layout: &Layout, input: [usize; 2], axis: usize) -> f64 {
    layout.part.map_or(input[axis] as f64, |[begin, end]| end[axis] - begin[axis])
}

/// A picture's resize of given sizes: the weights are computed, any number of threads can run it any number of times, for any number of
/// channels.
///
/// ```
/// use ndarray::Array3;
/// use upsample::picture::PictureResize;
///
/// let plan = PictureResize::lanczos3().plan([40, 60], [10, 15])?;
/// assert_eq!(plan.run(&Array3::<u8>::zeros((40, 60, 3)))?.dim(), (10, 15, 3));
/// assert_eq!(plan.run(&Array3::<f32>::zeros((40, 60, 4)))?.dim(), (10, 15, 4));
/// # Ok::<(), upsample::Error>(())
/// ```
#[derive(Debug, Clone)]
pub struct PicturePlan {
    input: [usize; 2],
    layout: Layout,
    fit: Fit,
    light: Light,
    premultiply: bool,
    reduction: Option<Reduction>,
    plan: ResizePlan<2>,
}

impl PicturePlan {
    /// Height and width of the pictures that the plan is for.
    #[must_use]
    pub fn input_size(&self) -> [usize; 2] {
        self.input
    }

    /// Height and width of the output.
    #[must_use]
    pub fn output_size(&self) -> [usize; 2] {
        self.layout.output
    }

    /// Resizes into a new H×W×C array.
    ///
    /// # Errors
    /// [`Error::ShapeMismatch`] if the picture has another size than the plan, [`Error::ZeroSize`] if it has no channels,
    /// [`Error::TooLarge`] or [`Error::OutOfMemory`] if there is no memory for the output.
    pub fn run<'a, A: Sample>(&self, x: impl Into<View<'a, A>>) -> Result<Array3<A>, Error> {
        let x = x.into();
        check_channels(x.channels())?;
        expect_sizes("picture", &self.input, &x.size())?;
        let [height, width] = self.layout.output;
        let y = uninit::written("output", [1, x.channels(), 1, height, width], true, |y| {
            self.write(x, y.index_axis_move(NdAxis(2), 0).index_axis_move(NdAxis(0), 0).permuted_axes([1, 2, 0]))
        })?;
        Ok(y.index_axis_move(NdAxis(2), 0).index_axis_move(NdAxis(0), 0).permuted_axes([1, 2, 0]))
    }

    /// Resizes into `y`, which has the plan's [`output_size`](Self::output_size) and as many channels as `x`.
    ///
    /// # Errors
    /// As [`run`](Self::run), also for `y`, which is then untouched.
    pub fn run_into<'a, 'b, A: Sample>(&self, x: impl Into<View<'a, A>>, y: impl Into<ViewMut<'b, A>>) -> Result<(), Error> {
        let (x, y) = (x.into(), y.into().pixels);
        check_channels(x.channels())?;
        expect_sizes("picture", &self.input, &x.size())?;
        expect_sizes("output", &self.layout.output, &[y.dim().0, y.dim().1])?;
        if y.dim().2 != x.channels() {
            return Err(Error::ShapeMismatch { argument: "output", axis: Axis::Channel, expected: x.channels(), found: y.dim().2 });
        }
        let y = uninit::as_uninit(y.insert_axis(NdAxis(0)).insert_axis(NdAxis(0)));
        self.write(x, y.index_axis_move(NdAxis(0), 0).index_axis_move(NdAxis(0), 0))
    }

    /// Writes all of `y`. Shapes have been checked.
    fn write<A: Sample>(&self, x: View<'_, A>, mut y: ArrayViewMut3<'_, MaybeUninit<A>>) -> Result<(), Error> {
        let ([top, left], [height, width]) = (self.layout.at, self.layout.resized);
        self.resized(x, y.slice_mut(s![top..top + height, left..left + width, ..]))?;
        if let Fit::Pad(colour) = self.fit {
            for (c, mut plane) in y.axis_iter_mut(NdAxis(2)).enumerate() {
                let value = MaybeUninit::new(A::from_f64(colour[c.min(3)]));
                plane.slice_mut(s![..top, ..]).fill(value);
                plane.slice_mut(s![top + height.., ..]).fill(value);
                plane.slice_mut(s![.., ..left]).fill(value);
                plane.slice_mut(s![.., left + width..]).fill(value);
            }
        }
        Ok(())
    }

    /// Writes the resized picture, without a frame.
    fn resized<A: Sample>(&self, x: View<'_, A>, y: ArrayViewMut3<'_, MaybeUninit<A>>) -> Result<(), Error> {
        let alpha = match (x.alpha, self.premultiply) {
            (false, _) => Alpha::None,
            (true, false) => Alpha::Independent,
            (true, true) => Alpha::Weights,
        };
        let Some((passes, how)) = self.plan.filter_passes() else { return self.plan.forward_pixels(x.pixels, y) };
        let mixes = alpha == Alpha::Weights
            || self.light != Light::Stored
            || (x.channels() > 1 && A::PILLOW_HAS_ONLY_GREY && passes.integers == IntegerSums::Pillow);
        if self.reduction.is_none() && (passes.is_identity() || !mixes) {
            return self.plan.forward_pixels(x.pixels, y);
        }
        let colours = Colours::new(self.light, x.channels(), alpha, how.backend);
        A::resize_converted(Converted { passes, how, colours, reduction: self.reduction, x: x.pixels, y })
    }
}
