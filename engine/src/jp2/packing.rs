//! How a picture is packed into texels: parameters of [`pack`](wavetile_shaders::pack).

use super::conversion::Conversion;
use super::{RenderChannel, Rendering};
use crate::error::RequestError;
use crate::geometry::Rect;
use crate::plan::PlaneWindow;
use wavetile_shaders::colour::ColourParameters;
use wavetile_shaders::pack::{PackChannel, PackParameters};

impl Rendering {
    /// The columns and rows of a component with this separation that the output rectangle `rect`
    /// reads, before they are clamped to the component.
    #[must_use]
    pub fn source_rect(&self, rect: Rect, separation: (u8, u8)) -> Rect {
        if rect.is_empty() {
            return Rect::default();
        }
        let [(xn, xd), (yn, yd)] = self.ratios(separation);
        let scale = |at: u32, n: u32, d: u32| (u64::from(at) * u64::from(n) / u64::from(d)) as u32;
        Rect {
            x0: scale(rect.x0, xn, xd),
            y0: scale(rect.y0, yn, yd),
            x1: scale(rect.x1 - 1, xn, xd).saturating_add(1),
            y1: scale(rect.y1 - 1, yn, yd).saturating_add(1),
        }
    }

    /// What packing looks up: the entries of all palette columns, one column after another, shifted so that the
    /// smallest value that the column's depth allows is 0 (of columns deeper than 32 bits the upper 32); then the
    /// tables of the colour conversion.
    #[must_use]
    pub fn tables(&self) -> Vec<u32> {
        let conversion = self.conversion.as_ref().map_or(&[][..], Conversion::tables);
        [&self.tables, conversion].concat()
    }

    /// How one rectangle of the output grid is packed. `planes`: the finished components of the cell.
    /// `row` is left 0.
    /// # Errors
    /// [`RequestError::Unmet`] if a channel's component is not among `planes`.
    pub fn pack_parameters(
        &self,
        planes: &[PlaneWindow],
        rect: Rect,
        format: u32,
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
        for (slot, channel) in [0, 1, 2, PackParameters::BLACK].into_iter().zip(&self.colours) {
            channels[slot] = self.pack_channel(channel, planes)?;
        }
        if let Some(alpha) = &self.alpha {
            channels[PackParameters::OPACITY] = self.pack_channel(&alpha.channel, planes)?;
        }
        Ok(PackParameters {
            x0: rect.x0,
            y0: rect.y0,
            width: rect.width(),
            height: rect.height(),
            row: 0,
            format,
            padding: [0; 2],
            colour: self.colour_parameters(),
            channels,
            finishes: Default::default(),
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
    ) -> Result<PackChannel, RequestError> {
        let plane = planes.iter().find(|plane| plane.component == channel.component).ok_or_else(|| {
            RequestError::Unmet(format!(
                "the picture needs component {}, which was not asked for",
                channel.component
            ))
        })?;
        let [(x_numerator, x_denominator), (y_numerator, y_denominator)] = self.ratios(channel.separation);
        // Palette indices are used as they are; palette entries have been shifted in the tables.
        let low = if channel.signed && channel.table.is_none() { lowest(channel.depth) } else { 0 };
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
            padding: [0; 2],
        })
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
