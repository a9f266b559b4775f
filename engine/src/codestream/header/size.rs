//! SIZ: image and tile size (T.800 A.5.1).

use super::{ComponentSize, ImageSize};
use crate::codestream::marker::MarkerSegment;
use crate::codestream::reader::Reader;
use crate::error::{LimitError, Result};
use crate::geometry::Rect;
use crate::limits::Limits;

/// Reads and checks a SIZ marker segment.
pub(super) fn read_size(segment: &MarkerSegment<'_>, limits: &Limits) -> Result<ImageSize> {
    let mut reader = Reader::new(segment.payload);
    let short = || segment.error(format!("{} bytes are too few", segment.payload.len()));
    let capabilities = reader.u16().ok_or_else(short)?;
    let mut next = || reader.u32().ok_or_else(short);
    let (x1, y1, x0, y0) = (next()?, next()?, next()?, next()?);
    let (tile_width, tile_height, tile_x0, tile_y0) = (next()?, next()?, next()?, next()?);
    let count = reader.u16().ok_or_else(short)?;
    if !(1..=16_384).contains(&count) {
        return Err(segment.error(format!("Csiz is {count}, not 1 to 16384")).into());
    }
    Limits::check("the number of components", count.into(), limits.max_components.into())?;
    let mut components = Vec::with_capacity(usize::from(count).min(reader.rest().len() / 3));
    for index in 0..count {
        let (Some(depth), Some(dx), Some(dy)) = (reader.u8(), reader.u8(), reader.u8()) else {
            return Err(short().into());
        };
        let component = ComponentSize { depth: (depth & 0x7F) + 1, signed: depth & 0x80 != 0, dx, dy };
        if component.depth > 38 {
            return Err(segment.error(format!("component {index} has {} bits", component.depth)).into());
        }
        if dx == 0 || dy == 0 {
            return Err(segment.error(format!("component {index} has a sub-sampling of 0")).into());
        }
        components.push(component);
    }
    let image = Rect::new(x0, y0, x1, y1);
    let size = ImageSize { capabilities, image, tile_x0, tile_y0, tile_width, tile_height, components };
    if let Some(reason) = contradiction(&size) {
        return Err(segment.error(reason).into());
    }
    check_limits(&size, limits)?;
    Ok(size)
}

fn contradiction(size: &ImageSize) -> Option<String> {
    let image = size.image;
    if image.is_empty() {
        return Some(format!("the image area {image:?} is empty"));
    }
    if size.tile_width == 0 || size.tile_height == 0 {
        return Some("the tile size is 0".into());
    }
    let ends_before =
        |start: u32, length: u32, edge: u32| u64::from(start) + u64::from(length) <= edge.into();
    if size.tile_x0 > image.x0
        || size.tile_y0 > image.y0
        || ends_before(size.tile_x0, size.tile_width, image.x0)
        || ends_before(size.tile_y0, size.tile_height, image.y0)
    {
        return Some("the first tile does not hold the corner of the image area".into());
    }
    let (columns, rows) = tile_grid(size);
    let tiles = u64::from(columns) * u64::from(rows);
    (tiles > 65_535).then(|| format!("{tiles} tiles are more than 65535"))
}

fn check_limits(size: &ImageSize, limits: &Limits) -> Result<(), LimitError> {
    let (columns, rows) = tile_grid(size);
    Limits::check("the image width", size.image.width().into(), limits.max_dimension.into())?;
    Limits::check("the image height", size.image.height().into(), limits.max_dimension.into())?;
    Limits::check("the number of tiles", u64::from(columns) * u64::from(rows), limits.max_tiles.into())
}

/// Tiles in a row and in a column (T.800 B-5).
pub(super) const fn tile_grid(size: &ImageSize) -> (u32, u32) {
    (
        (size.image.x1 - size.tile_x0).div_ceil(size.tile_width),
        (size.image.y1 - size.tile_y0).div_ceil(size.tile_height),
    )
}

/// The tile's part of the image area on the reference grid (T.800 B-7 to B-10); empty past the last tile.
pub(super) fn tile_rect(size: &ImageSize, tile: u32) -> Rect {
    let (columns, rows) = tile_grid(size);
    let (p, q) = (tile % columns, tile / columns);
    if q >= rows {
        return Rect::default();
    }
    let edge = |origin: u32, length: u32, index: u32| {
        let grid = u64::from(origin) + u64::from(length) * u64::from(index);
        u32::try_from(grid).unwrap_or(u32::MAX)
    };
    Rect::new(
        edge(size.tile_x0, size.tile_width, p),
        edge(size.tile_y0, size.tile_height, q),
        edge(size.tile_x0, size.tile_width, p + 1),
        edge(size.tile_y0, size.tile_height, q + 1),
    )
    .intersect(size.image)
}
