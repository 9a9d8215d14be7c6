//! The one-line functions: a description, a plan and a run in one call.

use crate::element::Element;
use crate::error::Error;
use crate::resize::coordinates::Target;
use crate::tensor::{Output, Spatial, SpatialRank, Tensor};

use super::options::Resize;

fn resize<A: Element, const RANK: usize>(resize: &Resize, x: Tensor<'_, A, RANK>, target: Target<RANK>) -> Result<Output<A, RANK>, Error>
where
    Spatial<RANK>: SpatialRank,
{
    resize.plan(x.spatial(), target)?.forward(x)
}

/// Nearest interpolation of signals, pictures or volumes of any `Copy` type, PyTorch's `nearest`.
///
/// ```
/// let x = ndarray::array![[[1.0, 2.0, 3.0]]]; // N×C×L
/// assert_eq!(upsample::nearest(&x, 2.0)?, ndarray::array![[[1.0, 1.0, 2.0, 2.0, 3.0, 3.0]]]);
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// # Errors
/// As [`Resize::plan`] and [`ResizePlan::forward_any`](super::ResizePlan::forward_any).
pub fn nearest<'a, A: Copy + Send + Sync + 'static, const RANK: usize>(
    x: impl Into<Tensor<'a, A, RANK>>,
    target: impl Into<Target<RANK>>,
) -> Result<Output<A, RANK>, Error>
where
    Spatial<RANK>: SpatialRank,
{
    let x = x.into();
    Resize::nearest().plan(x.spatial(), target)?.forward_any(x)
}

/// Linear interpolation of signals, N×C×L. PyTorch's `linear` with `align_corners=False`.
///
/// A straight line between two samples: where f(1) and f(2) are given, f(1.6) = 0.6·f(2) + 0.4·f(1).
///
/// ```
/// use ndarray::array;
/// use upsample::{Coordinates, Resize};
///
/// let f = array![[[3.0, 10.0]]]; // f(1) = 3, f(2) = 10
/// // Eleven points from the first sample to the second, both included; number 6 lies at 1.6.
/// let line = Resize::linear().coordinates(Coordinates::AlignCorners).plan([2], [11])?.forward(&f)?;
/// approx::assert_relative_eq!(line[[0, 0, 6]], 0.6 * 10.0 + 0.4 * 3.0, max_relative = 1e-15);
///
/// assert_eq!(upsample::linear(&f, 2.0)?, array![[[3.0, 4.75, 8.25, 10.0]]]);
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// # Errors
/// As [`Resize::plan`] and [`ResizePlan::forward`](super::ResizePlan::forward).
pub fn linear<'a, A: Element>(x: impl Into<Tensor<'a, A, 1>>, target: impl Into<Target<1>>) -> Result<Output<A, 1>, Error> {
    resize(&Resize::linear(), x.into(), target.into())
}

/// Bilinear interpolation of pictures, N×C×H×W. PyTorch's `bilinear` with `align_corners=False`.
///
/// ```
/// let x = ndarray::Array4::<f32>::ones((1, 3, 32, 32));
/// assert_eq!(upsample::bilinear(&x, 2.0)?.dim(), (1, 3, 64, 64)); // a scale
/// assert_eq!(upsample::bilinear(&x, [48, 80])?.dim(), (1, 3, 48, 80)); // a size
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// # Errors
/// As [`Resize::plan`] and [`ResizePlan::forward`](super::ResizePlan::forward).
pub fn bilinear<'a, A: Element>(x: impl Into<Tensor<'a, A, 2>>, target: impl Into<Target<2>>) -> Result<Output<A, 2>, Error> {
    resize(&Resize::linear(), x.into(), target.into())
}

/// Bicubic interpolation of pictures, N×C×H×W. PyTorch's `bicubic` with `align_corners=False`.
///
/// ```
/// let x = ndarray::Array4::<f32>::ones((1, 3, 32, 32));
/// let y = upsample::bicubic(&x, [1.5, 2.0])?;
/// assert_eq!(y.dim(), (1, 3, 48, 64));
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// # Errors
/// As [`Resize::plan`] and [`ResizePlan::forward`](super::ResizePlan::forward).
pub fn bicubic<'a, A: Element>(x: impl Into<Tensor<'a, A, 2>>, target: impl Into<Target<2>>) -> Result<Output<A, 2>, Error> {
    resize(&Resize::cubic(), x.into(), target.into())
}

/// Trilinear interpolation of volumes, N×C×D×H×W. PyTorch's `trilinear` with `align_corners=False`.
///
/// ```
/// let x = ndarray::Array5::<f32>::ones((1, 1, 8, 16, 16));
/// assert_eq!(upsample::trilinear(&x, 2.0)?.dim(), (1, 1, 16, 32, 32));
/// # Ok::<(), upsample::Error>(())
/// ```
///
/// # Errors
/// As [`Resize::plan`] and [`ResizePlan::forward`](super::ResizePlan::forward).
pub fn trilinear<'a, A: Element>(x: impl Into<Tensor<'a, A, 3>>, target: impl Into<Target<3>>) -> Result<Output<A, 3>, Error> {
    resize(&Resize::linear(), x.into(), target.into())
}
