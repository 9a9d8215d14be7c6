//! The same bits for any number of threads, on every run, and from a plan that many threads share; across instruction sets the same
//! numbers within rounding.

mod backends;
mod operators;
mod sharing;
#[cfg(feature = "rayon")]
mod threads;
