//! Interpolation: filters become weight tables, one an axis, and one engine runs any table, forward and transposed.

mod axes;
pub(crate) mod coordinates;
mod element_types;
mod filter;
mod functions;
pub(crate) mod nearest;
mod options;
mod passes;
mod pillow;
mod pixels;
mod plan;
mod profile;
mod rows;
mod taps;

pub use axes::AxesTarget;
pub use element_types::{ResizeElement, ResizeElementAdd};
pub use filter::{CustomFilter, Filter};
pub use functions::{bicubic, bilinear, linear, nearest, trilinear};
pub use options::Resize;
pub(crate) use passes::{IntegerSums, Separable};
pub(crate) use pixels::{PixelRows, Read, Write};
pub use plan::{PlannedResize, ResizePlan};
pub use profile::Profile;
pub(crate) use rows::Source;
