//! The engines: strips of pixels times packed weights, depthwise rows, Winograd tiles, and the sums of the gradients.

mod accuracy;
pub(crate) mod bias_gradient;
mod channel_rows;
mod cost;
mod depthwise;
mod direct;
pub(crate) mod dispatch;
mod load;
pub(crate) mod packed_weights;
pub(crate) mod phases;
pub(crate) mod store;
mod strips;
mod weight_gradient;
mod winograd;

pub(crate) use cost::Uses;
pub(crate) use packed_weights::Packed;
pub(crate) use phases::Direction;
pub(crate) use store::Slot;
