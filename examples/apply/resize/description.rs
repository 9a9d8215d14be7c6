//! From the options to the crate's description of a resize.

use upsample::output_size::ScaleRule;
use upsample::{AspectRatio, Coordinates, Filter, NearestRule, PerAxis, Resize, Rounding};

use super::{Args, CoordinatesName, KeepAspect, Method, RoundingName, ScaleRuleName};

/// The description that the options stand for.
pub fn of(args: &Args, axes: usize) -> Result<Resize, String> {
    let mut resize = method(args);
    if let Some(profile) = args.profile {
        resize = resize.profile(profile.into());
    }
    if let Some(coordinates) = coordinates(args, axes)? {
        resize = resize.coordinates(coordinates);
    }
    if let Some(rounding) = args.rounding {
        resize = resize.rounding(match rounding {
            RoundingName::Floor => Rounding::Floor,
            RoundingName::Ceil => Rounding::Ceil,
            RoundingName::RoundPreferFloor => Rounding::RoundPreferFloor,
            RoundingName::RoundPreferCeil => Rounding::RoundPreferCeil,
        });
    }
    if let Some(rule) = args.scale_rule {
        resize = resize.scale_rule(match rule {
            ScaleRuleName::Floor => ScaleRule::Floor,
            ScaleRuleName::Round => ScaleRule::Round,
        });
    }
    if args.antialias {
        resize = resize.antialias(true);
    }
    if args.exclude_outside {
        resize = resize.exclude_outside(true);
    }
    if let Some(value) = args.extrapolation {
        resize = resize.extrapolation(value);
    }
    let aspect = match args.keep_aspect {
        Some(KeepAspect::NotLarger) => AspectRatio::NotLarger,
        Some(KeepAspect::NotSmaller) => AspectRatio::NotSmaller,
        Some(KeepAspect::Stretch) | None => AspectRatio::Stretch,
    };
    Ok(resize.recompute_scale(args.recompute_scale).aspect_ratio(aspect))
}

fn method(args: &Args) -> Resize {
    match args.method {
        Method::Nearest => Resize::nearest(),
        Method::NearestExact => Resize::nearest_exact(),
        Method::NearestInteger => Resize::nearest_by(NearestRule::Integer),
        Method::Linear => Resize::linear(),
        Method::Cubic => args.cubic_a.map_or(Resize::cubic(), |a| Resize::cubic().cubic_coefficient(a)),
        Method::Area => Resize::area(),
        Method::Lanczos3 => Resize::filter(Filter::Lanczos { lobes: 3 }),
        Method::Lanczos4 => Resize::filter(Filter::Lanczos { lobes: 4 }),
        Method::Box => Resize::filter(Filter::Box),
        Method::Hamming => Resize::filter(Filter::Hamming),
        Method::Mitchell => Resize::filter(Filter::Mitchell),
        Method::Gaussian => Resize::filter(Filter::Gaussian),
    }
}

fn coordinates(args: &Args, axes: usize) -> Result<Option<PerAxis<Coordinates>>, String> {
    let crop = args.coordinates == Some(CoordinatesName::TfCropAndResize);
    if crop && args.roi.len() != 2 * axes {
        return Err(format!("--roi has {} entries, expected the starts of the {axes} resized axes, then their ends", args.roi.len()));
    }
    Ok(args.coordinates.map(|name| match name {
        CoordinatesName::HalfPixel => Coordinates::HalfPixel.into(),
        CoordinatesName::HalfPixelSymmetric => Coordinates::HalfPixelSymmetric.into(),
        CoordinatesName::PytorchHalfPixel => Coordinates::PytorchHalfPixel.into(),
        CoordinatesName::Asymmetric => Coordinates::Asymmetric.into(),
        CoordinatesName::AlignCorners => Coordinates::AlignCorners.into(),
        CoordinatesName::TfHalfPixelForNn => Coordinates::TfHalfPixelForNn.into(),
        CoordinatesName::TfCropAndResize => {
            let (starts, ends) = args.roi.split_at(axes);
            let region = |(&start, &end): (&f64, &f64)| Coordinates::TfCropAndResize { start, end };
            PerAxis::Each(starts.iter().zip(ends).map(region).collect())
        }
    }))
}
