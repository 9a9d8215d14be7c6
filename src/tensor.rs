//! The core view: batch × channels × spatial axes over `ndarray`.

use std::fmt;

use ndarray::{
    Array, Array3, Array5, ArrayBase, ArrayRef, ArrayView, ArrayView1, ArrayView2, ArrayView3, ArrayView4, ArrayView5, ArrayViewMut,
    ArrayViewMut2, ArrayViewMut3, ArrayViewMut4, ArrayViewMut5, Axis as NdAxis, Data, DataMut, Dimension, Ix1, Ix2, Ix3, Ix4, Ix5,
};

use crate::error::{Axis, Error};

/// Names the spatial ranks that exist: `Spatial<1>` signals, `Spatial<2>` pictures, `Spatial<3>` volumes.
///
/// ```
/// use upsample::{Output, Spatial, SpatialRank};
///
/// /// Any rank that exists.
/// fn total<const RANK: usize>(output: &Output<f32, RANK>) -> f32
/// where
///     Spatial<RANK>: SpatialRank,
/// {
///     output.sum()
/// }
/// assert_eq!(total::<1>(&ndarray::Array3::ones((1, 2, 3))), 6.0);
/// assert_eq!(total::<2>(&ndarray::Array4::ones((1, 2, 3, 4))), 24.0);
/// ```
#[derive(Debug, Clone, Copy)]
pub struct Spatial<const RANK: usize>;

/// A spatial rank, and the `ndarray` dimension of a batch of such tensors.
///
/// Implemented for [`Spatial<1>`], [`Spatial<2>`] and [`Spatial<3>`] only.
pub trait SpatialRank: rank::Sealed {
    /// `Ix3` for N×C×L, `Ix4` for N×C×H×W, `Ix5` for N×C×D×H×W.
    type Dim: Dimension;

    /// The dimension of the spatial axes alone: `Ix1` for L, `Ix2` for H×W, `Ix3` for D×H×W.
    type SpatialDim: Dimension;

    /// Drops the spatial axes that this rank does not have, which are of size 1.
    #[doc(hidden)]
    fn narrow<A>(array: Array5<A>) -> Array<A, Self::Dim>;

    /// N×C×D×H×W, missing spatial axes of size 1.
    #[doc(hidden)]
    fn five<A>(view: ArrayView<'_, A, Self::Dim>) -> ArrayView5<'_, A>;

    /// The spatial axes of the first channel of the first picture.
    #[doc(hidden)]
    fn narrow_to_spatial<A>(array: Array5<A>) -> Array<A, Self::SpatialDim>;

    /// Three spatial axes, the missing ones in front and of size 1.
    #[doc(hidden)]
    fn widen<'a, A>(view: ArrayView<'a, A, Self::SpatialDim>) -> ArrayView3<'a, A>;
}

mod rank {
    pub trait Sealed {}
    impl Sealed for super::Spatial<1> {}
    impl Sealed for super::Spatial<2> {}
    impl Sealed for super::Spatial<3> {}
}

macro_rules! spatial_rank {
    ($rank:literal, $dim:ty, $spatial_dim:ty, $narrow:expr, $narrow_to_spatial:expr, $widen:expr) => {
        impl SpatialRank for Spatial<$rank> {
            type Dim = $dim;
            type SpatialDim = $spatial_dim;

            fn narrow<A>(array: Array5<A>) -> Array<A, $dim> {
                $narrow(array)
            }

            fn five<A>(view: ArrayView<'_, A, $dim>) -> ArrayView5<'_, A> {
                Tensor::<A, $rank>::from(view).view5()
            }

            fn narrow_to_spatial<A>(array: Array5<A>) -> Array<A, $spatial_dim> {
                $narrow_to_spatial(array.index_axis_move(NdAxis(0), 0).index_axis_move(NdAxis(0), 0))
            }

            fn widen<'a, A>(view: ArrayView<'a, A, $spatial_dim>) -> ArrayView3<'a, A> {
                $widen(view)
            }
        }
    };
}
spatial_rank!(
    1,
    Ix3,
    Ix1,
    |array: Array5<A>| array.index_axis_move(DEPTH, 0).index_axis_move(DEPTH, 0),
    |array: Array3<A>| array.index_axis_move(NdAxis(0), 0).index_axis_move(NdAxis(0), 0),
    |view: ArrayView1<'a, A>| view.insert_axis(NdAxis(0)).insert_axis(NdAxis(0))
);
spatial_rank!(
    2,
    Ix4,
    Ix2,
    |array: Array5<A>| array.index_axis_move(DEPTH, 0),
    |array: Array3<A>| array.index_axis_move(NdAxis(0), 0),
    |view: ArrayView2<'a, A>| view.insert_axis(NdAxis(0))
);
spatial_rank!(3, Ix5, Ix3, |array| array, |array| array, |view| view);

/// The array that an operator on `RANK` spatial axes returns:
/// [`Array3`](ndarray::Array3) for signals, [`Array4`](ndarray::Array4) for pictures, [`Array5`](ndarray::Array5) for volumes.
pub type Output<A, const RANK: usize> = Array<A, <Spatial<RANK> as SpatialRank>::Dim>;

/// An array over `RANK` spatial axes alone: [`Array1`](ndarray::Array1), [`Array2`](ndarray::Array2) or [`Array3`].
pub type SpatialArray<A, const RANK: usize> = Array<A, <Spatial<RANK> as SpatialRank>::SpatialDim>;

/// `sizes` as three spatial axes; those that are missing come first and get `missing`.
pub(crate) fn three_axes<T: Copy, const RANK: usize>(sizes: [T; RANK], missing: T) -> [T; 3] {
    let mut axes = [missing; 3];
    axes[3 - RANK..].copy_from_slice(&sizes);
    axes
}

/// The last of three spatial axes: the reverse of [`three_axes`].
pub(crate) fn last_axes<T: Copy, const RANK: usize>(sizes: [T; 3]) -> [T; RANK] {
    let mut axes = [sizes[0]; RANK];
    axes.copy_from_slice(&sizes[3 - RANK..]);
    axes
}

/// The first of three axes, of which the others do not count.
pub(crate) fn first_axes<T: Copy, const RANK: usize>(axes: [T; 3]) -> [T; RANK] {
    let mut first = [axes[0]; RANK];
    first.copy_from_slice(&axes[..RANK]);
    first
}

/// Checks the spatial sizes of `argument`.
pub(crate) fn expect_sizes(argument: &'static str, expected: &[usize], found: &[usize]) -> Result<(), Error> {
    let rank = expected.len();
    for (index, (&expected, &found)) in expected.iter().zip(found).enumerate() {
        if found != expected {
            return Err(Error::ShapeMismatch { argument, axis: Axis::spatial(rank, index), expected, found });
        }
    }
    Ok(())
}

/// The five sizes N×C×D×H×W, missing spatial axes of size 1.
pub(crate) fn five_axes<const RANK: usize>(batch: usize, channels: usize, spatial: [usize; RANK]) -> [usize; 5] {
    let [depth, height, width] = three_axes(spatial, 1);
    [batch, channels, depth, height, width]
}

/// A read-only view of a batch: N×C×L with `RANK` 1, N×C×H×W with 2 ([`Tensor4`]), N×C×D×H×W with 3.
///
/// Operators take `impl Into<Tensor<…>>`, so a reference to an array, a view or a slice of one goes straight in.
/// Nothing is copied and every stride is fine, zero and negative ones too.
///
/// ```
/// use ndarray::{Array3, Array4, s};
/// use upsample::Tensor4;
///
/// let batch = Array4::<f32>::zeros((2, 3, 10, 20)); // N×C×H×W
/// let x = Tensor4::from(&batch);
/// assert_eq!((x.batch(), x.channels(), x.height(), x.width()), (2, 3, 10, 20));
///
/// let mirrored = Tensor4::from(batch.slice(s![.., .., .., ..;-1]));
/// assert_eq!(mirrored.width(), 20);
///
/// let picture = Array3::<u8>::zeros((10, 20, 3)); // H×W×C, as image files are decoded
/// let x = Tensor4::from_hwc(picture.view());
/// assert_eq!((x.channels(), x.height(), x.width()), (3, 10, 20));
/// ```
pub struct Tensor<'a, A, const RANK: usize> {
    /// Always N×C×D×H×W: a missing spatial axis is there with size 1, in front of those that exist.
    view: ArrayView5<'a, A>,
}

/// A writable [`Tensor`]: where an operator puts its result.
///
/// ```
/// use ndarray::Array4;
/// use upsample::{Resize, Tensor4Mut};
///
/// let x = Array4::<f32>::ones((1, 1, 2, 2));
/// let mut nhwc = Array4::<f32>::zeros((1, 4, 4, 1)); // any layout can receive
/// Resize::bilinear().plan([2, 2], 2.0)?.forward_into(&x, Tensor4Mut::from_nhwc(nhwc.view_mut()))?;
/// assert_eq!(nhwc.sum(), 16.0);
/// # Ok::<(), upsample::Error>(())
/// ```
pub struct TensorMut<'a, A, const RANK: usize> {
    view: ArrayViewMut5<'a, A>,
}

/// A batch of signals, N×C×L.
pub type Tensor3<'a, A> = Tensor<'a, A, 1>;
/// A batch of pictures or feature maps, N×C×H×W.
pub type Tensor4<'a, A> = Tensor<'a, A, 2>;
/// A batch of volumes, N×C×D×H×W.
pub type Tensor5<'a, A> = Tensor<'a, A, 3>;
/// A writable batch of signals, N×C×L.
pub type Tensor3Mut<'a, A> = TensorMut<'a, A, 1>;
/// A writable batch of pictures or feature maps, N×C×H×W.
pub type Tensor4Mut<'a, A> = TensorMut<'a, A, 2>;
/// A writable batch of volumes, N×C×D×H×W.
pub type Tensor5Mut<'a, A> = TensorMut<'a, A, 3>;

impl<A, const RANK: usize> Clone for Tensor<'_, A, RANK> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<A, const RANK: usize> Copy for Tensor<'_, A, RANK> {}

/// What can be asked of both.
macro_rules! readings {
    ($name:ident) => {
        impl<A, const RANK: usize> $name<'_, A, RANK> {
            /// N, the number of pictures, signals or volumes.
            #[must_use]
            pub fn batch(&self) -> usize {
                self.view.len_of(NdAxis(0))
            }

            /// C, the number of channels.
            #[must_use]
            pub fn channels(&self) -> usize {
                self.view.len_of(NdAxis(1))
            }

            /// The sizes of the spatial axes, in order: `[length]`, `[height, width]` or `[depth, height, width]`.
            #[must_use]
            pub fn spatial(&self) -> [usize; RANK] {
                let (_, _, depth, height, width) = self.view.dim();
                last_axes([depth, height, width])
            }

            /// All sizes: batch, channels, then the spatial axes.
            #[must_use]
            pub fn shape(&self) -> Vec<usize> {
                [&[self.batch(), self.channels()], &self.spatial()[..]].concat()
            }

            /// H, the number of rows; 1 for a signal.
            #[must_use]
            pub fn height(&self) -> usize {
                self.view.len_of(NdAxis(3))
            }

            /// W, the number of columns; for a signal its length.
            #[must_use]
            pub fn width(&self) -> usize {
                self.view.len_of(NdAxis(4))
            }

            /// D, the number of slices of a volume; 1 otherwise.
            #[must_use]
            pub fn depth(&self) -> usize {
                self.view.len_of(NdAxis(2))
            }

            /// Whether the channels of a pixel lie side by side in memory (N×H×W×C, "channels last").
            #[must_use]
            pub fn is_channels_last(&self) -> bool {
                self.channels() > 1 && self.view.stride_of(NdAxis(1)) == 1 && self.view.stride_of(NdAxis(4)) != 1
            }

            /// Checks the spatial sizes against those expected of `argument`.
            pub(crate) fn expect_spatial(&self, argument: &'static str, expected: [usize; RANK]) -> Result<(), Error> {
                expect_sizes(argument, &expected, &self.spatial())
            }

            /// Checks batch and channels against those expected of `argument`.
            pub(crate) fn expect_batch_channels(&self, argument: &'static str, batch: usize, channels: usize) -> Result<(), Error> {
                for (axis, expected, found) in [(Axis::Batch, batch, self.batch()), (Axis::Channel, channels, self.channels())] {
                    if found != expected {
                        return Err(Error::ShapeMismatch { argument, axis, expected, found });
                    }
                }
                Ok(())
            }
        }

        impl<A, const RANK: usize> fmt::Debug for $name<'_, A, RANK> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{} {:?}, strides {:?}", stringify!($name), self.shape(), self.view.strides())
            }
        }
    };
}
readings!(Tensor);
readings!(TensorMut);

impl<'a, A, const RANK: usize> Tensor<'a, A, RANK> {
    /// The view as N×C×D×H×W, missing spatial axes of size 1.
    pub(crate) fn view5(&self) -> ArrayView5<'a, A> {
        self.view
    }

    /// The same with three spatial axes, missing ones of size 1.
    pub(crate) fn widened(&self) -> Tensor<'a, A, 3> {
        Tensor { view: self.view }
    }

    pub(crate) fn from_view5(view: ArrayView5<'a, A>) -> Self {
        debug_assert!((2..5 - RANK).all(|axis| view.len_of(NdAxis(axis)) == 1));
        Self { view }
    }
}

impl<'a, A, const RANK: usize> TensorMut<'a, A, RANK> {
    /// The view as N×C×D×H×W, missing spatial axes of size 1.
    pub(crate) fn into_view5(self) -> ArrayViewMut5<'a, A> {
        self.view
    }

    /// The same with three spatial axes, missing ones of size 1.
    pub(crate) fn widened(self) -> TensorMut<'a, A, 3> {
        TensorMut { view: self.view }
    }

    pub(crate) fn from_view5(view: ArrayViewMut5<'a, A>) -> Self {
        debug_assert!((2..5 - RANK).all(|axis| view.len_of(NdAxis(axis)) == 1));
        Self { view }
    }

    /// A read-only view of what is there.
    #[must_use]
    pub fn as_tensor(&self) -> Tensor<'_, A, RANK> {
        Tensor { view: self.view.view() }
    }
}

/// The conversions from `ndarray` of one rank.
macro_rules! conversions {
    ($rank:literal, $dim:ty, $widen:expr, $widen_mut:expr, $narrow:expr) => {
        impl<'a, A> From<ArrayView<'a, A, $dim>> for Tensor<'a, A, $rank> {
            fn from(view: ArrayView<'a, A, $dim>) -> Self {
                Self { view: $widen(view) }
            }
        }

        impl<'a, A, S: Data<Elem = A>> From<&'a ArrayBase<S, $dim>> for Tensor<'a, A, $rank> {
            fn from(array: &'a ArrayBase<S, $dim>) -> Self {
                array.view().into()
            }
        }

        impl<'a, A> From<&'a ArrayRef<A, $dim>> for Tensor<'a, A, $rank> {
            fn from(array: &'a ArrayRef<A, $dim>) -> Self {
                array.view().into()
            }
        }

        impl<'a, A> From<Tensor<'a, A, $rank>> for ArrayView<'a, A, $dim> {
            fn from(tensor: Tensor<'a, A, $rank>) -> Self {
                $narrow(tensor.view)
            }
        }

        impl<'a, A> From<ArrayViewMut<'a, A, $dim>> for TensorMut<'a, A, $rank> {
            fn from(view: ArrayViewMut<'a, A, $dim>) -> Self {
                Self { view: $widen_mut(view) }
            }
        }

        impl<'a, A, S: DataMut<Elem = A>> From<&'a mut ArrayBase<S, $dim>> for TensorMut<'a, A, $rank> {
            fn from(array: &'a mut ArrayBase<S, $dim>) -> Self {
                array.view_mut().into()
            }
        }

        impl<'a, A> From<&'a mut ArrayRef<A, $dim>> for TensorMut<'a, A, $rank> {
            fn from(array: &'a mut ArrayRef<A, $dim>) -> Self {
                array.view_mut().into()
            }
        }
    };
}

const DEPTH: NdAxis = NdAxis(2);
const HEIGHT: NdAxis = NdAxis(3);

conversions!(
    1,
    Ix3,
    |view: ArrayView3<'a, A>| view.insert_axis(DEPTH).insert_axis(HEIGHT),
    |view: ArrayViewMut3<'a, A>| view.insert_axis(DEPTH).insert_axis(HEIGHT),
    |view: ArrayView5<'a, A>| view.index_axis_move(HEIGHT, 0).index_axis_move(DEPTH, 0)
);
conversions!(
    2,
    Ix4,
    |view: ArrayView4<'a, A>| view.insert_axis(DEPTH),
    |view: ArrayViewMut4<'a, A>| view.insert_axis(DEPTH),
    |view: ArrayView5<'a, A>| view.index_axis_move(DEPTH, 0)
);
conversions!(3, Ix5, |view| view, |view| view, |view| view);

impl<'a, A, const RANK: usize> From<&Tensor<'a, A, RANK>> for Tensor<'a, A, RANK> {
    fn from(tensor: &Tensor<'a, A, RANK>) -> Self {
        *tensor
    }
}

impl<'a, A> Tensor<'a, A, 1> {
    /// Signals whose channels come last, N×L×C. The axes are permuted, nothing is copied.
    ///
    /// ```
    /// let sound = ndarray::Array3::<i16>::zeros((1, 48_000, 2)); // a second of stereo
    /// let x = upsample::Tensor3::from_nlc(sound.view());
    /// assert_eq!((x.channels(), x.spatial()), (2, [48_000]));
    /// ```
    #[must_use]
    pub fn from_nlc(view: ArrayView3<'a, A>) -> Self {
        view.permuted_axes([0, 2, 1]).into()
    }
}

impl<'a, A> Tensor<'a, A, 2> {
    /// Pictures whose channels come last, N×H×W×C. The axes are permuted, nothing is copied.
    #[must_use]
    pub fn from_nhwc(view: ArrayView4<'a, A>) -> Self {
        view.permuted_axes([0, 3, 1, 2]).into()
    }

    /// One picture of interleaved pixels, H×W×C, as image files are decoded.
    #[must_use]
    pub fn from_hwc(view: ArrayView3<'a, A>) -> Self {
        Self::from_nhwc(view.insert_axis(NdAxis(0)))
    }

    /// One picture of channel planes, C×H×W.
    #[must_use]
    pub fn from_chw(view: ArrayView3<'a, A>) -> Self {
        view.insert_axis(NdAxis(0)).into()
    }

    /// One plane, H×W: a gray picture or a field.
    ///
    /// ```
    /// let field = ndarray::Array2::<f64>::zeros((10, 20));
    /// let y = upsample::bilinear(upsample::Tensor4::from_plane(field.view()), 2.0)?;
    /// assert_eq!(y.dim(), (1, 1, 20, 40));
    /// # Ok::<(), upsample::Error>(())
    /// ```
    #[must_use]
    pub fn from_plane(view: ArrayView2<'a, A>) -> Self {
        Self::from_chw(view.insert_axis(NdAxis(0)))
    }

    /// Signals N×C×L as pictures one pixel high.
    #[must_use]
    pub fn from_ncl(view: ArrayView3<'a, A>) -> Self {
        view.insert_axis(NdAxis(2)).into()
    }
}

impl<'a, A> Tensor<'a, A, 3> {
    /// Volumes whose channels come last, N×D×H×W×C. The axes are permuted, nothing is copied.
    ///
    /// ```
    /// let scan = ndarray::Array5::<f32>::zeros((1, 10, 20, 30, 2));
    /// let x = upsample::Tensor5::from_ndhwc(scan.view());
    /// assert_eq!((x.channels(), x.depth(), x.height(), x.width()), (2, 10, 20, 30));
    /// ```
    #[must_use]
    pub fn from_ndhwc(view: ArrayView5<'a, A>) -> Self {
        view.permuted_axes([0, 4, 1, 2, 3]).into()
    }
}

impl<'a, A> TensorMut<'a, A, 1> {
    /// Signals whose channels come last, N×L×C.
    #[must_use]
    pub fn from_nlc(view: ArrayViewMut3<'a, A>) -> Self {
        view.permuted_axes([0, 2, 1]).into()
    }
}

impl<'a, A> TensorMut<'a, A, 2> {
    /// Pictures whose channels come last, N×H×W×C.
    #[must_use]
    pub fn from_nhwc(view: ArrayViewMut4<'a, A>) -> Self {
        view.permuted_axes([0, 3, 1, 2]).into()
    }

    /// One picture of interleaved pixels, H×W×C.
    #[must_use]
    pub fn from_hwc(view: ArrayViewMut3<'a, A>) -> Self {
        Self::from_nhwc(view.insert_axis(NdAxis(0)))
    }

    /// One picture of channel planes, C×H×W.
    #[must_use]
    pub fn from_chw(view: ArrayViewMut3<'a, A>) -> Self {
        view.insert_axis(NdAxis(0)).into()
    }

    /// One plane, H×W.
    #[must_use]
    pub fn from_plane(view: ArrayViewMut2<'a, A>) -> Self {
        Self::from_chw(view.insert_axis(NdAxis(0)))
    }

    /// Signals N×C×L as pictures one pixel high.
    #[must_use]
    pub fn from_ncl(view: ArrayViewMut3<'a, A>) -> Self {
        view.insert_axis(NdAxis(2)).into()
    }
}

impl<'a, A> TensorMut<'a, A, 3> {
    /// Volumes whose channels come last, N×D×H×W×C.
    #[must_use]
    pub fn from_ndhwc(view: ArrayViewMut5<'a, A>) -> Self {
        view.permuted_axes([0, 4, 1, 2, 3]).into()
    }
}
