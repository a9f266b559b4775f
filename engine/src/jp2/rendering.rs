//! From components to the picture they describe: palette, channel definition, colour space and
//! registration (T.800 I.5.3).

use super::{ChannelKind, ColourMethod, Container, ContainerKind, EnumeratedColourSpace};
use crate::codestream::header::{ComponentSize, ImageSize};
use crate::error::{CodestreamError, ContainerError, RequestError, Result};
use crate::geometry::Rect;
use crate::plan::PlaneWindow;
use wavetile_shaders::pack::{PackChannel, PackParameters};

/// Which components make the picture, and how.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rendering {
    /// Colour space of the colour channels.
    pub colour: RenderColour,
    /// The colour channels in order (grey, or red, green, blue, or Y, Cb, Cr).
    pub colours: Vec<RenderChannel>,
    /// Opacity.
    pub alpha: Option<Alpha>,
    /// Horizontal and vertical separation of the output grid in reference-grid units: the finest among
    /// the channels used.
    pub spacing: (u32, u32),
    /// Where the picture is only approximately what the file describes, in words.
    pub notes: Vec<String>,
    tables: Vec<u32>,
}

/// Colour spaces that can be rendered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RenderColour {
    /// One channel.
    Grey,
    /// Three channels, shown as sRGB.
    Rgb,
    /// Three channels of sYCC, converted to sRGB.
    Sycc,
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
    /// First entry in the tables, and entries.
    table: Option<(u32, u32)>,
}

impl Container {
    /// Decides which components make the picture. `size`: the SIZ values of the codestream.
    ///
    /// Without boxes, one component is grey, two are grey and opacity, three are RGB (sYCC if the
    /// second and third are sub-sampled and the first is not), four are RGB and opacity, and of more
    /// the first three are RGB.
    /// # Errors
    /// [`ContainerError::BadBox`] if palette, component mapping or channel definition are broken, do not
    /// fit the codestream or each other, and [`CodestreamError::Unsupported`] for a colour space whose
    /// channels cannot be shown as grey or RGB (CMYK, CIELab and the like). The components can be
    /// decoded all the same.
    pub fn rendering(&self, size: &ImageSize) -> Result<Rendering> {
        if let Some(defect) = self.defects.first() {
            return Err(defect.clone().into());
        }
        let mut notes = Vec::new();
        let (channels, tables) = self.channels(size, &mut notes)?;
        let Assignment { mut colours, alpha } = self.assign(channels.len(), &mut notes)?;
        let mut colour = self.colour_space(colours.len(), &mut notes)?;
        colours.truncate(if colour == RenderColour::Grey { 1 } else { 3 });
        let colours: Vec<RenderChannel> = colours.iter().map(|&channel| channels[channel]).collect();
        if colour == RenderColour::Rgb && is_chroma_sub_sampled(&colours) {
            notes.push("the second and third channel are sub-sampled: taken for sYCC".into());
            colour = RenderColour::Sycc;
        }
        let alpha = alpha.map(|(channel, premultiplied)| Alpha { channel: channels[channel], premultiplied });
        let used = || colours.iter().chain(alpha.as_ref().map(|alpha| &alpha.channel));
        let spacing = (
            used().map(|channel| u32::from(channel.separation.0)).min().unwrap_or(1),
            used().map(|channel| u32::from(channel.separation.1)).min().unwrap_or(1),
        );
        Ok(Rendering { colour, colours, alpha, spacing, notes, tables })
    }

    /// The channels before they are assigned, and the palette's columns.
    fn channels(
        &self,
        size: &ImageSize,
        notes: &mut Vec<String>,
    ) -> Result<(Vec<RenderChannel>, Vec<u32>), ContainerError> {
        let direct = |component: usize, size: &ComponentSize| RenderChannel {
            component: component as u32,
            palette_column: None,
            depth: size.depth,
            signed: size.signed,
            separation: (size.dx, size.dy),
            table: None,
        };
        let Some(palette) = &self.palette else {
            if self.component_mapping.is_some() {
                notes.push("a component mapping without a palette is passed over".into());
            }
            let components = size.components.iter().enumerate();
            return Ok((components.map(|(at, size)| direct(at, size)).collect(), Vec::new()));
        };
        let entries = u32::from(palette.entries);
        let tables = (0..palette.columns.len()).flat_map(|column| table(palette, column)).collect();
        let through = |component: usize, column: u8| -> Result<RenderChannel, ContainerError> {
            let bits = palette
                .columns
                .get(usize::from(column))
                .ok_or_else(|| self.bad(*b"cmap", format!("there is no palette column {column}")))?;
            Ok(RenderChannel {
                palette_column: Some(column),
                depth: bits.depth,
                signed: bits.signed,
                table: Some((u32::from(column) * entries, entries)),
                ..direct(component, self.component(size, component)?)
            })
        };
        let channels = match &self.component_mapping {
            Some(mappings) => mappings
                .iter()
                .map(|mapping| {
                    let component = usize::from(mapping.component);
                    match mapping.palette_column {
                        Some(column) => through(component, column),
                        None => Ok(direct(component, self.component(size, component)?)),
                    }
                })
                .collect::<Result<_, _>>()?,
            None => {
                notes.push("a palette without a component mapping: all columns index component 0".into());
                (0..=u8::MAX)
                    .take(palette.columns.len())
                    .map(|column| through(0, column))
                    .collect::<Result<_, _>>()?
            }
        };
        Ok((channels, tables))
    }

    fn component<'a>(
        &self,
        size: &'a ImageSize,
        component: usize,
    ) -> Result<&'a ComponentSize, ContainerError> {
        size.components.get(component).ok_or_else(|| {
            self.bad(
                *b"cmap",
                format!("there is no component {component}: the codestream has {}", size.components.len()),
            )
        })
    }

    /// An error about the box `kind` of the JP2 header.
    fn bad(&self, kind: [u8; 4], reason: String) -> ContainerError {
        let header = self.boxes.iter().find(|found| found.kind == *b"jp2h");
        let found = header.and_then(|header| header.children.iter().find(|found| found.kind == kind));
        ContainerError::BadBox {
            kind: super::boxes::kind_name(kind),
            offset: found.map_or(0, |found| found.offset),
            reason,
        }
    }

    /// Which channels are the colours, and which the opacity.
    fn assign(&self, channels: usize, notes: &mut Vec<String>) -> Result<Assignment, ContainerError> {
        let Some(definitions) = &self.channel_definitions else {
            let guess = self.kind == ContainerKind::Codestream && matches!(channels, 2 | 4);
            let colours = if guess { channels - 1 } else { channels };
            return Ok(Assignment {
                colours: (0..colours).collect(),
                alpha: guess.then_some((channels - 1, false)),
            });
        };
        let mut by_colour = [None; 3];
        let mut defined = vec![false; channels];
        let mut unassociated = Vec::new();
        let mut alpha = None;
        for definition in definitions {
            let channel = usize::from(definition.channel);
            *defined.get_mut(channel).ok_or_else(|| {
                self.bad(*b"cdef", format!("there is no channel {channel}: the picture has {channels}"))
            })? = true;
            match definition.kind {
                ChannelKind::Colour => match definition.association {
                    number @ 1..=3 => {
                        let slot = &mut by_colour[usize::from(number) - 1];
                        if slot.is_some() {
                            return Err(self.bad(*b"cdef", format!("two channels are colour {number}")));
                        }
                        *slot = Some(channel);
                    }
                    0 => unassociated.push(channel),
                    number => notes.push(format!("channel {channel} (colour {number}) is not shown")),
                },
                kind @ (ChannelKind::Opacity | ChannelKind::PremultipliedOpacity) => {
                    let found = (channel, kind == ChannelKind::PremultipliedOpacity);
                    match (definition.association, alpha) {
                        (0, _) => alpha = Some(found),
                        (_, None) if definition.association != u16::MAX => alpha = Some(found),
                        _ => notes.push(format!("opacity channel {channel} is not used")),
                    }
                }
                ChannelKind::Unspecified(_) => {}
            }
        }
        // Channels that the box does not mention are colours in their order, as without the box.
        let mut spare = unassociated.into_iter().chain((0..channels).filter(|&channel| !defined[channel]));
        let colours: Vec<usize> =
            by_colour.into_iter().map_while(|slot| slot.or_else(|| spare.next())).collect();
        if colours.is_empty() {
            return Err(self.bad(*b"cdef", "no channel is a colour".into()));
        }
        Ok(Assignment { colours, alpha })
    }

    /// What the colour channels are shown as.
    fn colour_space(&self, channels: usize, notes: &mut Vec<String>) -> Result<RenderColour> {
        let by_count = if channels >= 3 { RenderColour::Rgb } else { RenderColour::Grey };
        let Some(specification) = self.best_colour() else {
            if self.kind != ContainerKind::Codestream {
                notes.push("the file names no colour space".into());
            }
            return Ok(by_count);
        };
        let name = specification.describe();
        let unsupported = || CodestreamError::Unsupported {
            feature: format!("rendering {name} (its components can be decoded as they are)"),
        };
        let wanted = match &specification.method {
            ColourMethod::Enumerated(space) => match *space {
                EnumeratedColourSpace::SRGB => RenderColour::Rgb,
                EnumeratedColourSpace::GREY => RenderColour::Grey,
                EnumeratedColourSpace::SYCC => RenderColour::Sycc,
                EnumeratedColourSpace(1 | 3 | 4 | 24) if channels >= 3 => {
                    notes.push(format!("{name} is shown as sYCC"));
                    RenderColour::Sycc
                }
                EnumeratedColourSpace(9 | 11..=14 | 19 | 22 | 23) => return Err(unsupported().into()),
                _ => {
                    notes.push(format!("{name} is shown as {}", by_count.name()));
                    by_count
                }
            },
            ColourMethod::RestrictedIcc(_) | ColourMethod::AnyIcc(_) => {
                match specification.icc_colour_space().as_ref() {
                    Some(b"GRAY") => RenderColour::Grey,
                    Some(b"RGB ") | None => by_count,
                    Some(_) => return Err(unsupported().into()),
                }
            }
            ColourMethod::Other(_) => by_count,
        };
        if !matches!(specification.method, ColourMethod::Enumerated(_)) {
            notes.push(format!("{name} is not applied: shown as {}", wanted.name()));
        }
        if wanted != RenderColour::Grey && channels < 3 {
            notes.push(format!("{name} with {channels} channels is shown as grey"));
            return Ok(RenderColour::Grey);
        }
        Ok(wanted)
    }

    /// The colour specification to go by: among those that are rendered exactly the one with the highest
    /// precedence, then the best approximation, then the first; else the first.
    fn best_colour(&self) -> Option<&super::ColourSpecification> {
        let exact = |specification: &&super::ColourSpecification| {
            matches!(
                specification.method,
                ColourMethod::Enumerated(
                    EnumeratedColourSpace::SRGB | EnumeratedColourSpace::GREY | EnumeratedColourSpace::SYCC
                )
            )
        };
        let rank = |specification: &&super::ColourSpecification| {
            let approximation = match specification.approximation {
                0 => u8::MAX,
                given => given,
            };
            (std::cmp::Reverse(specification.precedence), approximation)
        };
        // `min_by_key` keeps the first of equals.
        self.colour.iter().filter(exact).min_by_key(rank).or_else(|| self.colour.first())
    }
}

struct Assignment {
    colours: Vec<usize>,
    alpha: Option<(usize, bool)>,
}

impl RenderColour {
    /// "grey", "RGB" or "sYCC".
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Grey => "grey",
            Self::Rgb => "RGB",
            Self::Sycc => "sYCC",
        }
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

    /// The entries of all palette columns, one column after another; values are shifted so that the
    /// smallest that the column's depth allows is 0. Columns deeper than 32 bits keep their upper 32.
    #[must_use]
    pub fn tables(&self) -> Vec<u32> {
        self.tables.clone()
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
        let mut channels = [absent; 4];
        for (slot, channel) in channels.iter_mut().zip(&self.colours) {
            *slot = self.pack_channel(channel, planes)?;
        }
        if let Some(alpha) = &self.alpha {
            channels[3] = self.pack_channel(&alpha.channel, planes)?;
        }
        Ok(PackParameters {
            x0: rect.x0,
            y0: rect.y0,
            width: rect.width(),
            height: rect.height(),
            row: 0,
            format,
            colour: match self.colour {
                RenderColour::Sycc => PackParameters::COLOUR_SYCC,
                RenderColour::Grey | RenderColour::Rgb => PackParameters::COLOUR_AS_IS,
            },
            padding: 0,
            channels,
        })
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

/// The entries of one column from 0 up, at most 32 bits each.
fn table(palette: &super::Palette, column: usize) -> Vec<u32> {
    let Some(bits) = palette.columns.get(column) else { return Vec::new() };
    let offset = if bits.signed { 1i64 << (bits.depth - 1) } else { 0 };
    let excess = bits.depth.saturating_sub(32);
    palette.column(column).map(|value| ((value + offset) >> excess) as u32).collect()
}

/// Three channels of which the second and third, and only they, are sub-sampled alike.
fn is_chroma_sub_sampled(colours: &[RenderChannel]) -> bool {
    let [luma, blue, red] = colours else { return false };
    blue.separation == red.separation
        && luma.separation != blue.separation
        && luma.separation.0 <= blue.separation.0
        && luma.separation.1 <= blue.separation.1
}

fn greatest_common_divisor(a: u32, b: u32) -> u32 {
    if b == 0 { a.max(1) } else { greatest_common_divisor(b, a % b) }
}
