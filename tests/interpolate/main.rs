//! Interpolation through the public API.

mod box_filter;
mod bytes;
mod definition;
mod exact;
mod filters;
mod golden;
mod long_sums;
mod nearest_maps;
mod nonfinite;
mod onnx;
mod onnx_antialias;
mod opencv_area;
mod pictures;
mod pillow;
mod properties;
mod torch;
mod traps;
mod work;
