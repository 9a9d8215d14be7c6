//! What the examples share: pictures in files, labels, sheets and plots, and command lines that fail with one clear line.

pub mod close_up;
pub mod command_line;
mod font;
pub mod label;
pub mod picture;
pub mod plot;
pub mod profile_name;
pub mod sheet;
pub mod test_card;
