//! From components to the picture they describe: palette, channel definition, colour space and
//! registration (T.800 I.5.3).

mod channels;
mod cie_lab;
mod colour_space;
mod conversion;
mod enumerated;
mod icc;
mod packing;

pub use colour_space::RenderColour;

use crate::boxes::Container;
use crate::codestream::header::{ComponentSize, ImageSize};
use crate::error::{CodestreamError, RequestError, Result};
use crate::geometry::Rect;
use channels::Assignment;
use conversion::Conversion;
use std::sync::Arc;

/// Which components make the picture, and how.
#[derive(Clone, Debug, PartialEq)]
pub struct Rendering {
    /// What the colour channels are.
    pub colour: RenderColour,
    /// The colour channels in order: grey, or red, green, blue, or cyan, magenta, yellow, black, or others.
    pub colours: Vec<RenderChannel>,
    /// Opacity.
    pub alpha: Option<Alpha>,
    /// Horizontal and vertical separation of the output grid in reference-grid units: the finest among
    /// the channels used.
    pub spacing: (u32, u32),
    /// Where the picture is only approximately what the file describes, in words.
    pub notes: Vec<String>,
    /// Palette columns.
    tables: Arc<[u32]>,
    /// How the colour channels become sRGB; `None` if they are.
    conversion: Option<Conversion>,
}

/// The opacity channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Alpha {
    /// Where it comes from.
    pub channel: RenderChannel,
    /// The colours have been multiplied by it.
    pub premultiplied: bool,
}

/// Where one channel comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RenderChannel {
    /// Component of the codestream.
    pub component: u32,
    /// Palette column that its samples index.
    pub palette_column: Option<u8>,
    /// Bits of a value after the palette, 1 to 38.
    pub depth: u8,
    /// Values are signed (after the palette).
    pub signed: bool,
    /// Separation of the component's samples in reference-grid units.
    pub separation: (u8, u8),
    /// Where its samples lie beyond multiples of the separation, in 65536ths of it ("Xcrg", "Ycrg", T.800 A.9.1).
    pub registration: (u16, u16),
    /// First entry in the tables, and entries.
    table: Option<(u32, u32)>,
}

impl RenderChannel {
    /// A component's samples as they are.
    pub(super) const fn direct(component: u32, depth: u8, signed: bool, separation: (u8, u8)) -> Self {
        Self { component, palette_column: None, depth, signed, separation, registration: (0, 0), table: None }
    }

    pub(super) fn of_component(component: usize, size: &ComponentSize) -> Self {
        Self::direct(component as u32, size.depth, size.signed, (size.dx, size.dy))
    }
}

impl Container {
    /// Decides which components make the picture. `size`: the SIZ values of the codestream.
    ///
    /// Without boxes, one component is grey, two are grey and opacity, three are RGB (sYCC if the
    /// second and third are sub-sampled and the first is not), four are RGB and opacity, and of more
    /// the first three are RGB.
    /// # Errors
    /// [`ContainerError::BadBox`](crate::error::ContainerError::BadBox) if palette, component mapping or channel definition are broken, do not
    /// fit the codestream or each other, and [`CodestreamError::Unsupported`] for a colour space that is
    /// not supported (CIEJab and the like). The components can be decoded all the same.
    pub fn rendering(&self, size: &ImageSize) -> Result<Rendering> {
        if let Some(defect) = self.headers.defects.first() {
            return Err(defect.clone().into());
        }
        if let Some(what) = &self.not_rendered {
            let feature = format!("rendering {what} (the components of each can be decoded as they are)");
            return Err(CodestreamError::Unsupported { feature }.into());
        }
        let mut notes = Vec::new();
        if self.boxes.iter().any(|found| found.kind == *b"comp") {
            notes.push("the file tells how to compose its layers: one is shown alone".into());
        }
        let (channels, tables) = self.channels(size, &mut notes)?;
        let Assignment { mut colours, alpha } = self.assign(channels.len(), &mut notes)?;
        let mut space = self.colour_space(colours.len(), &mut notes)?;
        colours.truncate(space.colour.channels());
        let colours: Vec<RenderChannel> = colours.iter().map(|&channel| channels[channel]).collect();
        if space.colour == RenderColour::Rgb && space.profile.is_none() && is_chroma_sub_sampled(&colours) {
            notes.push("the second and third channel are sub-sampled: taken for sYCC".into());
            space.colour = RenderColour::Sycc;
        }
        let conversion = match space.profile {
            Some(conversion) => Some(conversion),
            None if space.by_profile => None,
            None => enumerated::conversion(space.colour, &colours, space.cie_lab).map_err(|name| {
                CodestreamError::Unsupported {
                    feature: format!("rendering {name} (its components can be decoded as they are)"),
                }
            })?,
        };
        let alpha = alpha.map(|(channel, premultiplied)| Alpha { channel: channels[channel], premultiplied });
        let used = || colours.iter().chain(alpha.as_ref().map(|alpha| &alpha.channel));
        let spacing = (
            used().map(|channel| u32::from(channel.separation.0)).min().unwrap_or(1),
            used().map(|channel| u32::from(channel.separation.1)).min().unwrap_or(1),
        );
        Ok(Rendering {
            colour: space.colour,
            colours,
            alpha,
            spacing,
            notes,
            tables: tables.into(),
            conversion,
        })
    }
}

impl Rendering {
    /// Takes components for channels as they are: one is grey, two are grey and opacity, three are RGB
    /// (sYCC if sub-sampled like it), four are RGB and opacity.
    ///
    /// # Errors
    /// As [`Container::rendering`]; [`RequestError::NoSuchComponent`] if `size` has no such component.
    pub fn of_components(size: &ImageSize, components: &[u32]) -> Result<Self> {
        let count = size.components.len() as u32;
        let chosen = components
            .iter()
            .map(|&component| {
                let found = size.components.get(component as usize).copied();
                found.ok_or(RequestError::NoSuchComponent { component, count })
            })
            .collect::<Result<_, _>>()?;
        let mut rendering =
            Container::default().rendering(&ImageSize { components: chosen, ..size.clone() })?;
        let alpha = rendering.alpha.iter_mut().map(|alpha| &mut alpha.channel);
        for channel in rendering.colours.iter_mut().chain(alpha) {
            channel.component = components[channel.component as usize];
        }
        Ok(rendering)
    }

    /// Places the channels as the codestream's CRG marker says. `registrations`: of each component; those that are
    /// missing are 0.
    #[must_use]
    pub fn registered(mut self, registrations: &[(u16, u16)]) -> Self {
        let alpha = self.alpha.iter_mut().map(|alpha| &mut alpha.channel);
        for channel in self.colours.iter_mut().chain(alpha) {
            channel.registration = registrations.get(channel.component as usize).copied().unwrap_or_default();
        }
        self
    }

    /// All channels: the colours, then the opacity.
    pub fn channels(&self) -> impl Iterator<Item = &RenderChannel> {
        self.colours.iter().chain(self.alpha.as_ref().map(|alpha| &alpha.channel))
    }

    /// The components that are needed, in order, each once.
    #[must_use]
    pub fn components(&self) -> Vec<u32> {
        let mut components: Vec<u32> = self.channels().map(|channel| channel.component).collect();
        components.sort_unstable();
        components.dedup();
        components
    }

    /// The depth of the deepest channel, 1 to 38 bits.
    #[must_use]
    pub fn depth(&self) -> u8 {
        self.channels().map(|channel| channel.depth).max().unwrap_or(1)
    }

    /// The output grid's rectangle of a region of the reference grid with `reduce` levels discarded.
    #[must_use]
    pub fn output_rect(&self, region: Rect, reduce: u32) -> Rect {
        region.ceil_div(self.spacing.0, self.spacing.1).ceil_shift(reduce)
    }
}

/// Three channels of which the second and third, and only they, are sub-sampled alike.
fn is_chroma_sub_sampled(colours: &[RenderChannel]) -> bool {
    let [luma, blue, red] = colours else { return false };
    blue.separation == red.separation
        && luma.separation != blue.separation
        && luma.separation.0 <= blue.separation.0
        && luma.separation.1 <= blue.separation.1
}

#[cfg(test)]
mod tests;
