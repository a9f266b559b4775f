//! ICC profiles of pictures (ISO 15076-1): to curves and a matrix where the profile is made of them, as those that
//! T.800 allows are, else to a lattice of colours.

use super::RenderColour;
use super::conversion::{Conversion, Matrix, XYZ_D50_TO_SRGB, product};
use moxcms::{
    ColorProfile, DataColorSpace, Layout, LutWarehouse, ParametricCurve, ToneReprCurve, TransformOptions,
};

/// Why a profile is not applied.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum NotApplied {
    /// Its colours are of a kind that is not supported.
    Unsupported,
    /// It makes no sense, for this reason.
    Broken(String),
}

/// Lattice points along a dimension, by the number of dimensions.
const SIDE_OF_3: u32 = 33;
const SIDE_OF_4: u32 = 17;

/// What the channels are by the profile, and how they become sRGB; `None` if they are sRGB already.
pub(super) fn conversion(bytes: &[u8]) -> Result<(RenderColour, Option<Conversion>), NotApplied> {
    let profile = ColorProfile::new_from_slice(bytes).map_err(broken)?;
    let (colour, conversion) = match profile.color_space {
        DataColorSpace::Gray => (RenderColour::Grey, grey(&profile)?),
        DataColorSpace::Rgb if has_table(&profile) => (RenderColour::Rgb, lattice(&profile, 3)?),
        DataColorSpace::Rgb => (RenderColour::Rgb, matrix(&profile)?),
        DataColorSpace::Cmyk => (RenderColour::Cmyk, lattice(&profile, 4)?),
        _ => return Err(NotApplied::Unsupported),
    };
    Ok((colour, Some(conversion).filter(|conversion| !conversion.changes_nothing_in(colour))))
}

impl Conversion {
    /// As [`Self::changes_nothing`], of the colours that `colour` has.
    fn changes_nothing_in(&self, colour: RenderColour) -> bool {
        match colour {
            RenderColour::Grey => (0..=255).all(|n| {
                let grey = n as f32 / 255.0;
                (self.convert([grey; 3], 0.0)[0] - grey).abs() < 1.0 / 255.0
            }),
            RenderColour::Cmyk => false,
            _ => self.changes_nothing(),
        }
    }
}

fn broken(reason: impl std::fmt::Display) -> NotApplied {
    NotApplied::Broken(reason.to_string())
}

fn grey(profile: &ColorProfile) -> Result<Conversion, NotApplied> {
    let curve = profile.gray_trc.as_ref().ok_or_else(|| broken("it has no curve"))?;
    let curve = evaluate(curve)?;
    // Light of the white's colour: as much of each primary.
    let identity = [[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]];
    Ok(Conversion::shaper(None, [&*curve, &*curve, &*curve], &identity))
}

fn matrix(profile: &ColorProfile) -> Result<Conversion, NotApplied> {
    let [red, green, blue] = [&profile.red_trc, &profile.green_trc, &profile.blue_trc].map(Option::as_ref);
    let (Some(red), Some(green), Some(blue)) = (red, green, blue) else {
        return Err(broken("it has neither curves nor a table"));
    };
    let (red, green, blue) = (evaluate(red)?, evaluate(green)?, evaluate(blue)?);
    let (r, g, b) = (profile.red_colorant, profile.green_colorant, profile.blue_colorant);
    let to_xyz: Matrix = [[r.x, g.x, b.x], [r.y, g.y, b.y], [r.z, g.z, b.z]];
    if determinant(&to_xyz).abs() < 1e-4 || to_xyz[1].iter().sum::<f64>() < 0.1 {
        return Err(broken("its matrix does not give colours"));
    }
    Ok(Conversion::shaper(None, [&*red, &*green, &*blue], &product(&XYZ_D50_TO_SRGB, &to_xyz)))
}

fn determinant([a, b, c]: &Matrix) -> f64 {
    a[0] * (b[1] * c[2] - b[2] * c[1]) - a[1] * (b[0] * c[2] - b[2] * c[0])
        + a[2] * (b[0] * c[1] - b[1] * c[0])
}

/// A curve as a function from 0..=1.
fn evaluate(curve: &ToneReprCurve) -> Result<Box<dyn Fn(f64) -> f64 + '_>, NotApplied> {
    Ok(match curve {
        ToneReprCurve::Lut(entries) => match &entries[..] {
            [] => Box::new(|x| x),
            // A power, in 8.8 fixed point.
            &[power] => Box::new(move |x: f64| x.powf(f64::from(power) / 256.0)),
            entries => Box::new(move |x| {
                let position = x.clamp(0.0, 1.0) * (entries.len() - 1) as f64;
                let left = (position as usize).min(entries.len() - 2);
                let [from, to] = [entries[left], entries[left + 1]].map(f64::from);
                (from + (to - from) * (position - left as f64)) / 65_535.0
            }),
        },
        ToneReprCurve::Parametric(parameters) => {
            let known = matches!(parameters.len(), 1 | 3 | 4 | 5 | 7);
            let curve = known.then(|| ParametricCurve::new(parameters)).flatten();
            let curve = curve.ok_or_else(|| broken("a curve has an unknown form"))?;
            Box::new(move |x| {
                let value = f64::from(curve.eval(x as f32));
                if value.is_finite() { value } else { 0.0 }
            })
        }
    })
}

/// The tables from device colours to the connection space.
fn tables(profile: &ColorProfile) -> impl Iterator<Item = &LutWarehouse> {
    let tables =
        [&profile.lut_a_to_b_perceptual, &profile.lut_a_to_b_colorimetric, &profile.lut_a_to_b_saturation];
    tables.into_iter().flatten()
}

fn has_table(profile: &ColorProfile) -> bool {
    tables(profile).next().is_some()
}

/// Samples what the colour library makes of the profile at the points of a lattice.
fn lattice(profile: &ColorProfile, dimensions: u32) -> Result<Conversion, NotApplied> {
    for table in tables(profile) {
        let (inputs, outputs) = match table {
            LutWarehouse::Lut(table) => (table.num_input_channels, table.num_output_channels),
            LutWarehouse::Multidimensional(table) => (table.num_input_channels, table.num_output_channels),
        };
        if (u32::from(inputs), outputs) != (dimensions, 3) {
            return Err(broken(format!("a table takes {inputs} channels to {outputs}")));
        }
    }
    let (layout, side) = if dimensions == 4 { (Layout::Rgba, SIDE_OF_4) } else { (Layout::Rgb, SIDE_OF_3) };
    let options =
        TransformOptions { rendering_intent: profile.rendering_intent, ..TransformOptions::default() };
    let transform = profile
        .create_transform_f32(layout, &ColorProfile::new_srgb(), Layout::Rgb, options)
        .map_err(broken)?;
    let points = side.pow(dimensions);
    let colours: Vec<f32> = (0..points)
        .flat_map(|point| (0..dimensions).rev().map(move |d| point / side.pow(d) % side))
        .map(|step| step as f32 / (side - 1) as f32)
        .collect();
    let mut converted = vec![0.0; points as usize * 3];
    transform.transform(&colours, &mut converted).map_err(broken)?;
    Ok(Conversion::lattice(dimensions, side, &converted))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use moxcms::{LutDataType, LutStore, LutType, Matrix3d, ProfileClass, RenderingIntent};

    #[test]
    fn a_profile_of_srgb_converts_nothing() {
        let bytes = ColorProfile::new_srgb().encode().unwrap();
        assert_eq!(conversion(&bytes), Ok((RenderColour::Rgb, None)));
    }

    #[test]
    fn curves_and_a_matrix_do_what_the_colour_library_does() {
        let source = ColorProfile::new_display_p3();
        let (colour, conversion) = conversion(&source.encode().unwrap()).unwrap();
        assert_eq!(colour, RenderColour::Rgb);
        let conversion = conversion.unwrap();
        let transform = source
            .create_transform_8bit(
                Layout::Rgb,
                &ColorProfile::new_srgb(),
                Layout::Rgb,
                TransformOptions::default(),
            )
            .unwrap();
        for n in 0..=500_u32 {
            let colour = [7, 11, 13].map(|step| (n * step % 256) as u8);
            let mut wanted = [0; 3];
            transform.transform(&colour, &mut wanted).unwrap();
            let made = conversion.convert(colour.map(|value| f32::from(value) / 255.0), 0.0);
            for (made, wanted) in made.iter().zip(wanted) {
                assert!((made * 255.0 - f32::from(wanted)).abs() <= 1.0, "{colour:?}: {made}, not {wanted}");
            }
        }
    }

    /// Grey ink on white: L* falls linearly with the sum of the inks.
    fn inks(channels: u8) -> ColorProfile {
        let points = 1_u32 << channels;
        let clut = (0..points).flat_map(|point| {
            let share = f64::from(point.count_ones()) / f64::from(channels);
            // L* from 0 to 100 is 0 to 0xFF00 there, a* and b* of 0 are 0x8000.
            [((1.0 - share) * 65_280.0) as u16, 0x8000, 0x8000]
        });
        let lines = |count: u8| LutStore::Store16([0, 65_535].repeat(count.into()));
        let table = LutDataType {
            num_input_channels: channels,
            num_output_channels: 3,
            num_clut_grid_points: 2,
            matrix: Matrix3d::IDENTITY,
            num_input_table_entries: 2,
            num_output_table_entries: 2,
            input_table: lines(channels),
            clut_table: LutStore::Store16(clut.collect()),
            output_table: lines(3),
            lut_type: LutType::Lut16,
        };
        let mut profile = ColorProfile::new_srgb();
        profile.color_space = DataColorSpace::Cmyk;
        profile.profile_class = ProfileClass::OutputDevice;
        profile.cicp = None;
        profile.pcs = DataColorSpace::Lab;
        profile.rendering_intent = RenderingIntent::Perceptual;
        profile.lut_a_to_b_perceptual = Some(LutWarehouse::Lut(table));
        profile
    }

    #[test]
    fn a_table_for_cmyk_becomes_a_lattice() {
        let (colour, conversion) = conversion(&inks(4).encode().unwrap()).unwrap();
        assert_eq!(colour, RenderColour::Cmyk);
        let conversion = conversion.unwrap();
        let grey = |inks: [f32; 3], black| {
            let [red, green, blue] = conversion.convert(inks, black).map(|value| value * 255.0);
            assert!((red - green).abs() < 3.0 && (red - blue).abs() < 3.0, "{red} {green} {blue}");
            green
        };
        assert!(grey([0.0; 3], 0.0) > 253.0);
        assert!(grey([1.0; 3], 1.0) < 2.0);
        // Half of all inks is L* 50, 119 in sRGB; black alone is L* 75, 186.
        assert!((grey([0.5; 3], 0.5) - 119.0).abs() < 2.0);
        assert!((grey([0.0; 3], 1.0) - 186.0).abs() < 2.0);
    }

    #[test]
    fn what_is_not_a_profile_is_told() {
        assert!(matches!(conversion(b"no profile"), Err(NotApplied::Broken(_))));
        let mut flat = ColorProfile::new_srgb();
        flat.green_colorant = flat.red_colorant;
        assert!(matches!(conversion(&flat.encode().unwrap()), Err(NotApplied::Broken(_))));
        let mut lab = ColorProfile::new_srgb();
        lab.color_space = DataColorSpace::Lab;
        lab.profile_class = ProfileClass::ColorSpace;
        lab.cicp = None;
        assert_eq!(conversion(&lab.encode().unwrap()), Err(NotApplied::Unsupported));
    }
}
