//! Collects what is told of a picture.

use super::{
    BoxEntry, Channel, Colour, ComponentInfo, Info, MetadataInfo, PaletteInfo, RenderingInfo, ResolutionInfo,
    SCHEMA, Tiles,
};
use wavetile_engine::boxes::{
    BoxInfo, ChannelKind, ColourMethod, ColourSpecification, Container, GridResolution, Metadata,
};
use wavetile_engine::low_level::codestream::header::{
    CodeBlockStyle, ComponentParameters, ComponentSize, MainHeader, Progression, QuantisationStyle,
    WaveletTransform,
};

/// What the main header and the boxes say of the picture called `target`.
pub(crate) fn describe(target: String, codestream: u32, header: &MainHeader, container: &Container) -> Info {
    let size = &header.size;
    let style = &header.tile_parameters.style;
    let parameters = &header.tile_parameters.components;
    let (across, down) = header.tile_grid();
    let first_transform = parameters.first().map(|component| component.coding.transform);
    let resolution = &container.headers.resolution;
    let has_codestreams = !container.codestreams.is_empty();
    let mut warnings = container.warnings.clone();
    warnings.extend(
        container
            .headers
            .image_header
            .filter(|boxed| (boxed.width, boxed.height) != (size.image.width(), size.image.height()))
            .map(|boxed| {
                format!("the 'ihdr' box says {} x {}; the codestream counts", boxed.width, boxed.height)
            }),
    );
    Info {
        schema: SCHEMA,
        target,
        format: container.kind.name(),
        width: size.image.width(),
        height: size.image.height(),
        offset: [size.image.x0, size.image.y0],
        components: size
            .components
            .iter()
            .zip(parameters)
            .enumerate()
            .map(|(index, (component, parameters))| component_info(header, index, component, parameters))
            .collect(),
        tiles: Tiles {
            count: header.tile_count(),
            across,
            down,
            width: size.tile_width,
            height: size.tile_height,
            offset: [size.tile_x0, size.tile_y0],
        },
        layers: style.layers,
        progression: progression(style.progression),
        component_transform: match (style.component_transform, first_transform) {
            (false, _) | (_, None) => None,
            (true, Some(WaveletTransform::Reversible53)) => Some("RCT"),
            (true, Some(WaveletTransform::Irreversible97)) => Some("ICT"),
        },
        sop: style.sop,
        eph: style.eph,
        capabilities: size.capabilities,
        high_throughput: header.capabilities.as_ref().is_some_and(|found| found.high_throughput().is_some()),
        codestreams: has_codestreams.then_some(container.codestreams.len()),
        codestream,
        label: container.codestream_headers.get(codestream as usize).and_then(|own| own.label.clone()),
        rendering: rendering(header, container),
        colour: container.headers.colour.iter().map(colour).collect(),
        palette: container.headers.palette.as_ref().map(|palette| PaletteInfo {
            entries: palette.entries,
            column_depths: palette.columns.iter().map(|column| column.depth).collect(),
        }),
        channels: container.headers.channel_definitions.as_ref().map(|definitions| {
            definitions
                .iter()
                .map(|definition| Channel {
                    channel: definition.channel,
                    kind: match definition.kind {
                        ChannelKind::Colour => "colour",
                        ChannelKind::Opacity => "opacity",
                        ChannelKind::PremultipliedOpacity => "premultiplied-opacity",
                        ChannelKind::Unspecified(_) => "unspecified",
                    },
                    association: definition.association,
                })
                .collect()
        }),
        resolution: (resolution.capture.is_some() || resolution.display.is_some()).then(|| {
            let pair = |found: GridResolution| [found.horizontal, found.vertical];
            ResolutionInfo { capture: resolution.capture.map(pair), display: resolution.display.map(pair) }
        }),
        comments: header
            .comments
            .iter()
            .map(|comment| comment_text(comment.registration, &comment.data))
            .collect(),
        metadata: container.metadata.iter().map(metadata).collect(),
        boxes: container.boxes.iter().map(box_entry).collect(),
        warnings,
    }
}

fn component_info(
    header: &MainHeader,
    index: usize,
    component: &ComponentSize,
    parameters: &ComponentParameters,
) -> ComponentInfo {
    let rect = header.size.image.ceil_div(u32::from(component.dx), u32::from(component.dy));
    let coding = &parameters.coding;
    let largest = |&(x, y): &(u8, u8)| (x, y) == (15, 15);
    ComponentInfo {
        index,
        width: rect.width(),
        height: rect.height(),
        depth: component.depth,
        signed: component.signed,
        dx: component.dx,
        dy: component.dy,
        levels: coding.levels,
        transform: match coding.transform {
            WaveletTransform::Reversible53 => "5/3",
            WaveletTransform::Irreversible97 => "9/7",
        },
        quantisation: match parameters.quantisation.style {
            QuantisationStyle::None => "none",
            QuantisationStyle::Derived => "derived",
            QuantisationStyle::Expounded => "expounded",
        },
        guard_bits: parameters.quantisation.guard_bits,
        code_block: [1 << coding.code_block_width_exponent, 1 << coding.code_block_height_exponent],
        code_block_style: STYLES
            .iter()
            .filter(|(bit, _)| coding.code_block_style.has(*bit))
            .map(|(_, name)| *name)
            .collect(),
        precincts: (!coding.precinct_exponents.iter().all(largest))
            .then(|| coding.precinct_exponents.iter().map(|&(x, y)| [1 << x, 1 << y]).collect()),
        roi_shift: parameters.roi_shift,
    }
}

const STYLES: [(u8, &str); 7] = [
    (CodeBlockStyle::BYPASS, "bypass"),
    (CodeBlockStyle::RESET, "reset"),
    (CodeBlockStyle::TERMINATE_ALL, "terminate-all"),
    (CodeBlockStyle::VERTICALLY_CAUSAL, "vertically-causal"),
    (CodeBlockStyle::PREDICTABLE_TERMINATION, "predictable-termination"),
    (CodeBlockStyle::SEGMENTATION_SYMBOLS, "segmentation-symbols"),
    (CodeBlockStyle::HIGH_THROUGHPUT, "high-throughput"),
];

fn progression(order: Progression) -> &'static str {
    match order {
        Progression::Lrcp => "LRCP",
        Progression::Rlcp => "RLCP",
        Progression::Rpcl => "RPCL",
        Progression::Pcrl => "PCRL",
        Progression::Cprl => "CPRL",
    }
}

fn rendering(header: &MainHeader, container: &Container) -> RenderingInfo {
    match container.rendering(&header.size) {
        Ok(rendering) => {
            let size = rendering.output_rect(header.size.image, 0).size();
            RenderingInfo::Picture {
                width: size.width,
                height: size.height,
                colour: rendering.colour.name(),
                alpha: rendering
                    .alpha
                    .map(|alpha| if alpha.premultiplied { "premultiplied" } else { "straight" }),
                depth: rendering.depth(),
                notes: rendering.notes,
            }
        }
        Err(error) => RenderingInfo::Unavailable { error: error.to_string() },
    }
}

fn colour(specification: &ColourSpecification) -> Colour {
    let (method, enumerated, icc_bytes) = match &specification.method {
        ColourMethod::Enumerated(space) => ("enumerated", Some(space.0), None),
        ColourMethod::RestrictedIcc(profile) => ("restricted-icc", None, Some(profile.len())),
        ColourMethod::AnyIcc(profile) => ("icc", None, Some(profile.len())),
        ColourMethod::Other(_) => ("other", None, None),
    };
    Colour { description: specification.describe(), method, enumerated, icc_bytes }
}

/// Latin text as it is; other comments by their size.
fn comment_text(registration: u16, data: &[u8]) -> String {
    if registration == 1 {
        data.iter().map(|&byte| char::from(byte)).collect()
    } else {
        format!("{} bytes of binary data", data.len())
    }
}

fn metadata(found: &Metadata) -> MetadataInfo {
    match found {
        Metadata::Xml(text) => MetadataInfo::Xml(text.clone()),
        Metadata::Uuid { id, data } => {
            let id = id.iter().map(|byte| format!("{byte:02x}")).collect();
            MetadataInfo::Uuid { id, bytes: data.len() }
        }
        Metadata::Label(text) => MetadataInfo::Label(text.clone()),
        Metadata::Numbers(entities) => {
            MetadataInfo::About(entities.iter().map(ToString::to_string).collect())
        }
        Metadata::Association(inside) => MetadataInfo::Association(inside.iter().map(metadata).collect()),
        Metadata::TooLong { kind, offset, length } => MetadataInfo::TooLong {
            r#type: kind.escape_ascii().to_string(),
            offset: *offset,
            length: *length,
        },
    }
}

fn box_entry(found: &BoxInfo) -> BoxEntry {
    BoxEntry {
        kind: found.name(),
        offset: found.offset,
        length: found.length,
        boxes: found.children.iter().map(box_entry).collect(),
    }
}
