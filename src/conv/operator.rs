//! What plans run, with three spatial axes whatever their number: missing ones have size 1.

use std::mem::MaybeUninit;

use ndarray::{Array1, Array5, ArrayRef1, ArrayView5, ArrayViewMut5};

use super::engine::phases::Geometry;
use super::engine::{Direction, Packed, Uses, bias_gradient, dispatch, packed_weights};
use super::grids::{Call, Grids};
use super::resized::ResizedConvolution;
use crate::element::{Element, FloatElement};
use crate::error::Error;
use crate::kernels::Backend;
use crate::memory::{MemoryUse, Need};
use crate::tensor::{Tensor, TensorMut};
use crate::update::Update;

/// A convolution of some kind.
#[derive(Debug, Clone)]
#[allow(clippy::large_enum_variant)] // there are few plans
pub enum Operator {
    /// A transposed convolution, whose forward call expands, or a convolution, whose forward call contracts.
    Grids {
        /// The coarse and the fine one.
        grids: Grids,
        /// Which way the forward call goes.
        forward: Direction,
    },
    /// A resize-convolution.
    Resized(ResizedConvolution),
}

impl Operator {
    pub(super) fn input_size(&self) -> [usize; 3] {
        match self {
            Self::Grids { grids, forward: Direction::Expand } => grids.coarse,
            Self::Grids { grids, .. } => grids.fine,
            Self::Resized(resized) => resized.input_size(),
        }
    }

    pub(super) fn output_size(&self) -> [usize; 3] {
        match self {
            Self::Grids { grids, forward: Direction::Expand } => grids.fine,
            Self::Grids { grids, .. } => grids.coarse,
            Self::Resized(resized) => resized.output_size(),
        }
    }

    fn forward<A: FloatElement>(
        &self,
        x: &Tensor<'_, A, 3>,
        weight: &Tensor<'_, A, 3>,
        bias: Option<&ArrayRef1<A>>,
    ) -> Result<Array5<A>, Error> {
        match self {
            Self::Grids { grids, forward } => grids.run(Call::forward(*forward), x, weight, bias),
            Self::Resized(resized) => resized.forward(x, weight, bias),
        }
    }

    fn forward_into<A: FloatElement>(
        &self,
        x: &Tensor<'_, A, 3>,
        weight: &Tensor<'_, A, 3>,
        bias: Option<&ArrayRef1<A>>,
        y: TensorMut<'_, A, 3>,
    ) -> Result<(), Error> {
        match self {
            Self::Grids { grids, forward } => grids.run_into(Call::forward(*forward), x, weight, bias, y, Update::Overwrite),
            Self::Resized(resized) => resized.forward_into(x, weight, bias, y),
        }
    }

    fn input_gradient<A: FloatElement>(&self, dy: &Tensor<'_, A, 3>, weight: &Tensor<'_, A, 3>) -> Result<Array5<A>, Error> {
        match self {
            Self::Grids { grids, forward } => grids.run(Call::input_gradient(*forward), dy, weight, None),
            Self::Resized(resized) => resized.input_gradient(dy, weight),
        }
    }

    fn input_gradient_into<A: FloatElement>(
        &self,
        dy: &Tensor<'_, A, 3>,
        weight: &Tensor<'_, A, 3>,
        dx: TensorMut<'_, A, 3>,
        update: Update,
    ) -> Result<(), Error> {
        match self {
            Self::Grids { grids, forward } => grids.run_into(Call::input_gradient(*forward), dy, weight, None, dx, update),
            Self::Resized(resized) => resized.input_gradient_into(dy, weight, dx, update),
        }
    }

    fn weight_gradient<A: FloatElement>(&self, x: &Tensor<'_, A, 3>, dy: &Tensor<'_, A, 3>) -> Result<Array5<A>, Error> {
        let (x_named, dy_named) = (("input", x), ("output gradient", dy));
        match self {
            Self::Grids { grids, forward: Direction::Expand } => grids.weight_gradient(x_named, dy_named),
            Self::Grids { grids, .. } => grids.weight_gradient(dy_named, x_named),
            Self::Resized(resized) => resized.weight_gradient(x, dy),
        }
    }

    fn weight_gradient_into<A: FloatElement>(
        &self,
        x: &Tensor<'_, A, 3>,
        dy: &Tensor<'_, A, 3>,
        dw: TensorMut<'_, A, 3>,
        update: Update,
    ) -> Result<(), Error> {
        let (x_named, dy_named) = (("input", x), ("output gradient", dy));
        match self {
            Self::Grids { grids, forward: Direction::Expand } => grids.weight_gradient_into(x_named, dy_named, dw, update),
            Self::Grids { grids, .. } => grids.weight_gradient_into(dy_named, x_named, dw, update),
            Self::Resized(resized) => resized.weight_gradient_into(x, dy, dw, update),
        }
    }

    fn prepare<A: FloatElement>(&self, weight: &Tensor<'_, A, 3>) -> Result<Packed<A::Row>, Error> {
        match self {
            Self::Grids { grids, forward } => grids.pack(*forward, weight),
            Self::Resized(resized) => resized.pack_forward(weight),
        }
    }

    fn run_packed<A: FloatElement>(
        &self,
        packed: &Packed<A::Row>,
        x: &Tensor<'_, A, 3>,
        bias: Option<&ArrayRef1<A>>,
    ) -> Result<Array5<A>, Error> {
        match self {
            Self::Grids { grids, forward } => grids.run_packed(Call::forward(*forward), packed, x, bias),
            Self::Resized(resized) => resized.run_packed(packed, x, bias),
        }
    }

    fn run_packed_into<A: FloatElement>(
        &self,
        packed: &Packed<A::Row>,
        x: &Tensor<'_, A, 3>,
        bias: Option<&ArrayRef1<A>>,
        y: TensorMut<'_, A, 3>,
    ) -> Result<(), Error> {
        match self {
            Self::Grids { grids, forward } => grids.run_packed_into(Call::forward(*forward), packed, x, bias, y, Update::Overwrite),
            Self::Resized(resized) => resized.run_packed_into(packed, x, bias, y),
        }
    }

    fn forward_memory<A: FloatElement>(&self, x: &Tensor<'_, A, 3>, weight: &Tensor<'_, A, 3>) -> Result<MemoryUse, Error> {
        match self {
            Self::Grids { grids, forward } => grids.memory(Call::forward(*forward), x, weight),
            Self::Resized(resized) => resized.forward_memory(x, weight),
        }
    }

    fn packed_memory<A: FloatElement>(&self, packed: &Packed<A::Row>, x: &Tensor<'_, A, 3>) -> Result<MemoryUse, Error> {
        match self {
            Self::Grids { grids, forward } => grids.packed_memory(Call::forward(*forward), packed, x),
            Self::Resized(resized) => resized.packed_memory(packed, x),
        }
    }

    fn input_gradient_memory<A: FloatElement>(&self, dy: &Tensor<'_, A, 3>, weight: &Tensor<'_, A, 3>) -> Result<MemoryUse, Error> {
        match self {
            Self::Grids { grids, forward } => grids.memory(Call::input_gradient(*forward), dy, weight),
            Self::Resized(resized) => resized.input_gradient_memory(dy, weight),
        }
    }

    fn weight_gradient_memory<A: FloatElement>(&self, x: &Tensor<'_, A, 3>, dy: &Tensor<'_, A, 3>) -> Result<MemoryUse, Error> {
        let (x_named, dy_named) = (("input", x), ("output gradient", dy));
        match self {
            Self::Grids { grids, forward: Direction::Expand } => grids.weight_gradient_memory(x_named, dy_named),
            Self::Grids { grids, .. } => grids.weight_gradient_memory(dy_named, x_named),
            Self::Resized(resized) => resized.weight_gradient_memory(x, dy),
        }
    }
}

/// The calls of an element type, compiled in this crate instead of in every crate that uses them.
#[allow(clippy::missing_errors_doc, missing_docs)] // hidden; plans document the same calls
pub trait ConvElement: Element {
    fn forward(
        operator: &Operator,
        x: &Tensor<'_, Self, 3>,
        weight: &Tensor<'_, Self, 3>,
        bias: Option<&ArrayRef1<Self>>,
    ) -> Result<Array5<Self>, Error>;
    fn forward_into(
        operator: &Operator,
        x: &Tensor<'_, Self, 3>,
        weight: &Tensor<'_, Self, 3>,
        bias: Option<&ArrayRef1<Self>>,
        y: TensorMut<'_, Self, 3>,
    ) -> Result<(), Error>;
    fn input_gradient(operator: &Operator, dy: &Tensor<'_, Self, 3>, weight: &Tensor<'_, Self, 3>) -> Result<Array5<Self>, Error>;
    fn input_gradient_into(
        operator: &Operator,
        dy: &Tensor<'_, Self, 3>,
        weight: &Tensor<'_, Self, 3>,
        dx: TensorMut<'_, Self, 3>,
        update: Update,
    ) -> Result<(), Error>;
    fn weight_gradient(operator: &Operator, x: &Tensor<'_, Self, 3>, dy: &Tensor<'_, Self, 3>) -> Result<Array5<Self>, Error>;
    fn weight_gradient_into(
        operator: &Operator,
        x: &Tensor<'_, Self, 3>,
        dy: &Tensor<'_, Self, 3>,
        dw: TensorMut<'_, Self, 3>,
        update: Update,
    ) -> Result<(), Error>;
    fn prepare(operator: &Operator, weight: &Tensor<'_, Self, 3>) -> Result<Packed<Self::Row>, Error>;
    fn run_packed(
        operator: &Operator,
        packed: &Packed<Self::Row>,
        x: &Tensor<'_, Self, 3>,
        bias: Option<&ArrayRef1<Self>>,
    ) -> Result<Array5<Self>, Error>;
    fn run_packed_into(
        operator: &Operator,
        packed: &Packed<Self::Row>,
        x: &Tensor<'_, Self, 3>,
        bias: Option<&ArrayRef1<Self>>,
        y: TensorMut<'_, Self, 3>,
    ) -> Result<(), Error>;
    fn forward_memory(operator: &Operator, x: &Tensor<'_, Self, 3>, weight: &Tensor<'_, Self, 3>) -> Result<MemoryUse, Error>;
    fn packed_memory(operator: &Operator, packed: &Packed<Self::Row>, x: &Tensor<'_, Self, 3>) -> Result<MemoryUse, Error>;
    fn input_gradient_memory(operator: &Operator, dy: &Tensor<'_, Self, 3>, weight: &Tensor<'_, Self, 3>) -> Result<MemoryUse, Error>;
    fn weight_gradient_memory(operator: &Operator, x: &Tensor<'_, Self, 3>, dy: &Tensor<'_, Self, 3>) -> Result<MemoryUse, Error>;
    fn bias_gradient(dy: &Tensor<'_, Self, 3>) -> Result<Array1<Self>, Error>;
    fn bias_gradient_into(dy: &Tensor<'_, Self, 3>, db: &mut ArrayRef1<Self>, update: Update) -> Result<(), Error>;

    /// Packs a weight of sums.
    fn pack_rows(
        geometry: &Geometry,
        direction: Direction,
        weight: ArrayView5<'_, Self::Row>,
        backend: Backend,
    ) -> Result<Packed<Self::Row>, Error>;

    /// What a call with packed weights of sums takes; only shapes count.
    fn convolve_rows_need(
        way: (&Geometry, Direction),
        weight: ArrayView5<'_, Self::Row>,
        source: ArrayView5<'_, Self>,
        backend: Backend,
    ) -> Result<Need, Error>;

    /// The sums of the weight gradient, not rounded, into all of `out`, which is untouched if there is an error.
    fn correlate_rows(
        geometry: &Geometry,
        coarse: ArrayView5<'_, Self>,
        fine: ArrayView5<'_, Self>,
        backend: Backend,
        out: ArrayViewMut5<'_, MaybeUninit<Self::Row>>,
    ) -> Result<(), Error>;
}

macro_rules! compile_calls {
    ($($element:ty),+) => {
        $(impl ConvElement for $element {
            fn forward(
                operator: &Operator,
                x: &Tensor<'_, Self, 3>,
                weight: &Tensor<'_, Self, 3>,
                bias: Option<&ArrayRef1<Self>>,
            ) -> Result<Array5<Self>, Error> {
                operator.forward(x, weight, bias)
            }

            fn forward_into(
                operator: &Operator,
                x: &Tensor<'_, Self, 3>,
                weight: &Tensor<'_, Self, 3>,
                bias: Option<&ArrayRef1<Self>>,
                y: TensorMut<'_, Self, 3>,
            ) -> Result<(), Error> {
                operator.forward_into(x, weight, bias, y)
            }

            fn input_gradient(operator: &Operator, dy: &Tensor<'_, Self, 3>, weight: &Tensor<'_, Self, 3>) -> Result<Array5<Self>, Error> {
                operator.input_gradient(dy, weight)
            }

            fn input_gradient_into(
                operator: &Operator,
                dy: &Tensor<'_, Self, 3>,
                weight: &Tensor<'_, Self, 3>,
                dx: TensorMut<'_, Self, 3>,
                update: Update,
            ) -> Result<(), Error> {
                operator.input_gradient_into(dy, weight, dx, update)
            }

            fn weight_gradient(operator: &Operator, x: &Tensor<'_, Self, 3>, dy: &Tensor<'_, Self, 3>) -> Result<Array5<Self>, Error> {
                operator.weight_gradient(x, dy)
            }

            fn weight_gradient_into(
                operator: &Operator,
                x: &Tensor<'_, Self, 3>,
                dy: &Tensor<'_, Self, 3>,
                dw: TensorMut<'_, Self, 3>,
                update: Update,
            ) -> Result<(), Error> {
                operator.weight_gradient_into(x, dy, dw, update)
            }

            fn prepare(operator: &Operator, weight: &Tensor<'_, Self, 3>) -> Result<Packed<Self::Row>, Error> {
                operator.prepare(weight)
            }

            fn run_packed(
                operator: &Operator,
                packed: &Packed<Self::Row>,
                x: &Tensor<'_, Self, 3>,
                bias: Option<&ArrayRef1<Self>>,
            ) -> Result<Array5<Self>, Error> {
                operator.run_packed(packed, x, bias)
            }

            fn run_packed_into(
                operator: &Operator,
                packed: &Packed<Self::Row>,
                x: &Tensor<'_, Self, 3>,
                bias: Option<&ArrayRef1<Self>>,
                y: TensorMut<'_, Self, 3>,
            ) -> Result<(), Error> {
                operator.run_packed_into(packed, x, bias, y)
            }

            fn forward_memory(operator: &Operator, x: &Tensor<'_, Self, 3>, weight: &Tensor<'_, Self, 3>) -> Result<MemoryUse, Error> {
                operator.forward_memory(x, weight)
            }

            fn packed_memory(operator: &Operator, packed: &Packed<Self::Row>, x: &Tensor<'_, Self, 3>) -> Result<MemoryUse, Error> {
                operator.packed_memory(packed, x)
            }

            fn input_gradient_memory(
                operator: &Operator,
                dy: &Tensor<'_, Self, 3>,
                weight: &Tensor<'_, Self, 3>,
            ) -> Result<MemoryUse, Error> {
                operator.input_gradient_memory(dy, weight)
            }

            fn weight_gradient_memory(operator: &Operator, x: &Tensor<'_, Self, 3>, dy: &Tensor<'_, Self, 3>) -> Result<MemoryUse, Error> {
                operator.weight_gradient_memory(x, dy)
            }

            fn bias_gradient(dy: &Tensor<'_, Self, 3>) -> Result<Array1<Self>, Error> {
                bias_gradient::new(*dy)
            }

            fn bias_gradient_into(dy: &Tensor<'_, Self, 3>, db: &mut ArrayRef1<Self>, update: Update) -> Result<(), Error> {
                bias_gradient::into(*dy, db, update)
            }

            fn pack_rows(
                geometry: &Geometry,
                direction: Direction,
                weight: ArrayView5<'_, Self::Row>,
                backend: Backend,
            ) -> Result<Packed<Self::Row>, Error> {
                packed_weights::pack(geometry, direction, weight, backend)
            }

            fn convolve_rows_need(
                way: (&Geometry, Direction),
                weight: ArrayView5<'_, Self::Row>,
                source: ArrayView5<'_, Self>,
                backend: Backend,
            ) -> Result<Need, Error> {
                dispatch::need(way, weight, source, backend, Uses::Many)
            }

            fn correlate_rows(
                geometry: &Geometry,
                coarse: ArrayView5<'_, Self>,
                fine: ArrayView5<'_, Self>,
                backend: Backend,
                out: ArrayViewMut5<'_, MaybeUninit<Self::Row>>,
            ) -> Result<(), Error> {
                dispatch::correlate(geometry, coarse, fine, backend, out)
            }
        })+
    };
}
compile_calls!(f32, f64);
#[cfg(feature = "half")]
compile_calls!(half::f16, half::bf16);
