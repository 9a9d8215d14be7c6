//! Interpolation: filters become weight tables, one an axis, and one engine runs any table, forward and transposed.

mod axes;
mod filter;
mod lines;
mod one_line;
mod pillow;
mod plan;
mod profile;
mod resize;
mod separable;
mod taps;
mod typed;

pub use axes::AxesTarget;
pub use filter::{CustomFilter, Filter};
pub use one_line::{bicubic, bilinear, linear, nearest, trilinear};
pub use plan::ResizePlan;
pub use profile::Profile;
pub use resize::Resize;
pub use typed::{TypedResize, TypedResizeAdd};
