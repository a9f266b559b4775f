//! How a picture is packed into texels: parameters of [`pack`](wavetile_shaders::pack).

use super::conversion::Conversion;
use super::{RenderChannel, Rendering};
use crate::error::RequestError;
use crate::geometry::Rect;
use crate::plan::PlaneWindow;
use wavetile_shaders::colour::ColourParameters;
use wavetile_shaders::pack::{PackChannel, PackParameters};

impl Rendering {
    /// What packing looks up: the entries of all palette columns, one column after another, shifted so that the
    /// smallest value that the column's depth allows is 0 (of columns deeper than 32 bits the upper 32); then the
    /// tables of the colour conversion.
    #[must_use]
    pub fn tables(&self) -> Vec<u32> {
        let conversion = self.conversion.as_ref().map_or(&[][..], Conversion::tables);
        [&self.tables, conversion].concat()
    }

    /// How one rectangle of the output grid is packed, with `reduce` levels discarded. `planes`: the finished
    /// components of the cell. `row` is left 0.
    /// # Errors
    /// [`RequestError::Unmet`] if a channel's component is not among `planes`.
    pub fn pack_parameters(
        &self,
        planes: &[PlaneWindow],
        rect: Rect,
        format: u32,
        reduce: u32,
    ) -> Result<PackParameters, RequestError> {
        let absent = PackChannel {
            plane: PackChannel::OPAQUE,
            table: PackChannel::NO_TABLE,
            x_denominator: 1,
            y_denominator: 1,
            ..PackChannel::default()
        };
        let mut channels = [absent; 5];
        // The fourth colour is black.
        for (slot, channel) in [0, 1, 2, PackParameters::BLACK_CHANNEL].into_iter().zip(&self.colours) {
            channels[slot] = self.pack_channel(channel, planes, reduce)?;
        }
        if let Some(alpha) = &self.alpha {
            channels[PackParameters::OPACITY_CHANNEL] = self.pack_channel(&alpha.channel, planes, reduce)?;
        }
        Ok(PackParameters {
            x0: rect.x0,
            y0: rect.y0,
            width: rect.width(),
            height: rect.height(),
            row: 0,
            format,
            up_sampling: PackParameters::LINEAR,
            colour: self.colour_parameters(),
            channels,
            ..PackParameters::default()
        })
    }

    fn colour_parameters(&self) -> ColourParameters {
        let Some(conversion) = &self.conversion else { return ColourParameters::default() };
        let mut parameters = conversion.parameters(self.tables.len() as u32);
        if self.alpha.is_some_and(|alpha| alpha.premultiplied) {
            parameters.steps |= ColourParameters::PREMULTIPLIED;
        }
        parameters
    }

    fn pack_channel(
        &self,
        channel: &RenderChannel,
        planes: &[PlaneWindow],
        reduce: u32,
    ) -> Result<PackChannel, RequestError> {
        let plane = planes.iter().find(|plane| plane.component == channel.component).ok_or_else(|| {
            RequestError::Unmet(format!(
                "the picture needs component {}, which has no sample here at 1/2^{reduce} of full size, or was not \
                 asked for; the components can be decoded as they are",
                channel.component
            ))
        })?;
        let [(x_numerator, x_denominator), (y_numerator, y_denominator)] = self.ratios(channel.separation);
        // Palette indices are used as they are; palette entries have been shifted in the tables.
        let low = if channel.signed && channel.table.is_none() { lowest(channel.depth) } else { 0 };
        let (x_offset, y_offset) = self.offsets(channel, reduce);
        let (table, table_length) = channel.table.unwrap_or((PackChannel::NO_TABLE, 0));
        Ok(PackChannel {
            plane: plane.offset,
            row: plane.row,
            x0: plane.rect.x0,
            y0: plane.rect.y0,
            width: plane.rect.width(),
            height: plane.rect.height(),
            x_numerator,
            x_denominator,
            y_numerator,
            y_denominator,
            low,
            high: u32::MAX >> 32u32.saturating_sub(u32::from(channel.depth)),
            table,
            table_length,
            x_offset,
            y_offset,
        })
    }

    /// Samples of the channel, with `reduce` levels discarded, that the output grid's first lies after the channel's.
    ///
    /// A component's samples lie at multiples of its separation on the reference grid (T.800 B.2), and further on by
    /// its registration, if the codestream gives one (A.9.1). The output grid is that of the first channel that is as
    /// fine.
    fn offsets(&self, channel: &RenderChannel, reduce: u32) -> (f32, f32) {
        let registration_of = |is_finest: &dyn Fn(&RenderChannel) -> bool| {
            self.channels().find(|channel| is_finest(channel)).map_or((0, 0), |channel| channel.registration)
        };
        let x = registration_of(&|channel| u32::from(channel.separation.0) == self.spacing.0).0;
        let y = registration_of(&|channel| u32::from(channel.separation.1) == self.spacing.1).1;
        let offset = |output: u16, spacing: u32, own: u16, separation: u8| {
            let output = f64::from(output) * f64::from(spacing) / f64::from(separation.max(1));
            ((output - f64::from(own)) / 65_536.0 / 2_f64.powi(reduce as i32)) as f32
        };
        (
            offset(x, self.spacing.0, channel.registration.0, channel.separation.0),
            offset(y, self.spacing.1, channel.registration.1, channel.separation.1),
        )
    }

    /// Output grid spacing over component separation, in lowest terms, for columns and rows.
    fn ratios(&self, separation: (u8, u8)) -> [(u32, u32); 2] {
        let lowest_terms = |n: u32, d: u32| {
            let divisor = greatest_common_divisor(n, d);
            (n / divisor, d / divisor)
        };
        [
            lowest_terms(self.spacing.0, u32::from(separation.0).max(1)),
            lowest_terms(self.spacing.1, u32::from(separation.1).max(1)),
        ]
    }
}

/// The smallest signed value of `depth` bits that an `i32` holds.
fn lowest(depth: u8) -> i32 {
    i32::MIN >> 32u32.saturating_sub(u32::from(depth)).min(31)
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a.max(1) } else { greatest_common_divisor(b, a % b) }
}
